"""The same edit of five seconds in a clip of ten, and in one of hours made of its packets."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from engines.choice import resolve
from jobs.benchmarks.stages import run_stages
from keyframes.load import parse_sheet
from pipeline.demo.clip import make_demo_clip
from pipeline.media.write.repeated import CODECS, SUFFIXES, repeat_packets, with_a_cut
from pipeline.rows import StageRow, VideoRow
from pipeline.run_folder.store import video_row
from pipeline.settings import AnalysisSettings, RenderSettings

SECONDS, SIDE = 10, 320


def measure_long(minutes: float, codecs: tuple[str, ...] = tuple(CODECS)) -> dict[str, Any]:
    """CPU and wall seconds of each stage, of both clips in turn, and the ratio of their sums.

    Args:
        minutes: of the long clip.
    """
    told: dict[str, Any] = {"minutes": minutes}
    with tempfile.TemporaryDirectory(prefix="aureel-benchmark-") as folder:
        demo = make_demo_clip(Path(folder) / "demo.mp4", seconds=SECONDS, size=(SIDE, SIDE))
        for codec in codecs:
            short = with_a_cut(demo, Path(folder) / f"short{SUFFIXES[codec]}", codec)
            turns = round(minutes * 60 / SECONDS)
            long = repeat_packets(short, Path(folder) / f"long{SUFFIXES[codec]}", turns)
            work = Path(folder) / "_work"
            made = {
                "short": _stages(short, 0, work),
                "long": _stages(long, turns // 2 * SECONDS, work),
            }
            spent = {which: _spent(rows) for which, rows in made.items()}
            short_s, long_s = map(_sum, spent.values())
            ratio = {what: round(long_s[what] / short_s[what], 2) for what in short_s}
            frames = {which: rows[-1]["frames"] for which, rows in made.items()}
            size = long.stat().st_size // 10**6
            told[codec] = {**spent, "ratio": ratio, "frames": frames, "mb": size}
            long.unlink()
    return told


def _stages(clip: Path, at_s: int, work: Path) -> list[StageRow]:
    """A smile that begins soon after a cut at `at_s`, made."""
    keys = f"[[{at_s}.1s, 0], [{at_s + 1}s, 3], [{at_s + 4}s, 3], [{at_s + 4}.9s, 0]]"
    sheet = parse_sheet(f"version: 1\nchannels: {{AU12: {keys}}}\n", "smile")
    analysis = AnalysisSettings(resolve("tracker", "mesh"), resolve("AU estimator", "mesh"))
    settings = RenderSettings(sheet, resolve("editor", "previz"), encode_preset="veryfast")
    output = clip.with_name(f"edited.{clip.name}")
    row: VideoRow = {**video_row(clip, output, work), "request": "long"}
    rows = run_stages(row, analysis, replace(settings, overwrite=True))
    output.unlink()
    return rows


def _spent(rows: list[StageRow]) -> dict[str, dict[str, float]]:
    """Seconds of each stage."""
    spent: dict[str, dict[str, float]] = {}
    for verdict in rows:
        stage = spent.setdefault(verdict["stage"], {"wall": 0.0, "cpu": 0.0})
        stage["wall"] = round(stage["wall"] + verdict["seconds"], 2)
        stage["cpu"] = round(stage["cpu"] + verdict["cpu_s"], 2)
    return spent


def _sum(stages: dict[str, dict[str, float]]) -> dict[str, float]:
    return {what: round(sum(s[what] for s in stages.values()), 2) for what in ("wall", "cpu")}
