"""`stimuli`: every person × unit × level as a file, with a manifest and a methods paragraph."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jobs.command_line.options.studies import StimuliOptions
from jobs.command_line.places import check_folder_place
from jobs.command_line.progress import console
from jobs.command_line.report import told_of, versions
from jobs.errors import JobError
from jobs.ray_cluster import cluster
from jobs.studies.asked import read_combined_units, read_levels
from jobs.studies.engines import announce_engines, study_engines
from jobs.studies.running import make_shares, refuse_other_result
from keyframes.au import AU_NAMES
from keyframes.clock.rates import parse_frame_rate
from pipeline.files import published, read_json, write_json
from pipeline.settings import digest_of
from pipeline.studies.design import LETTERS, NEUTRAL, Cell
from pipeline.studies.identities import Identity, find_identities, what_they_are
from pipeline.studies.methods import methods
from pipeline.studies.shares import STATE
from pipeline.studies.stimuli import StimuliSettings, apex_figures, read_timing

SCHEMA = "aureel-stimuli/1"
Stimulus = dict[str, Any]


def run_stimuli(options: StimuliOptions) -> int:
    """Makes all stimuli.

    Raises:
        JobError, EngineError, PipelineError, KeyframeError: the call is wrong, or a stimulus could
            not be made.
    """
    screen = console()
    output = options.output.expanduser().absolute()
    if output.exists() and not output.is_dir():
        raise JobError(f"--output {options.output}: is a file; expected a folder")
    check_folder_place(output, "--output")
    people = find_identities(options.identities, options.people)
    settings, gpus = _settings(options, output)
    request = digest_of(
        settings.digest, [c.name for c in settings.cells], [(p.name, p.digest) for p in people]
    )
    told = output / "stimuli.json"
    refuse_other_result(told, read_json(told), request, overwrite=options.overwrite)
    cluster.start()
    announce_engines(settings.engines, screen)
    screen.print(f"{len(people)} people × {len(settings.cells)} stimuli")
    shares = [share for one in people for share in settings.shares(one, output / STATE)]
    missing = [
        s for s in shares if not settings.path_of(s["video"], settings.cells[s["number"]]).is_file()
    ]
    made = make_shares(shares, settings, gpus, screen, anew=missing)
    _write(output, options, settings, people, made, request)
    for name in ("manifest.csv", "frames.csv", "methods.txt"):
        screen.print(f"{name.partition('.')[0]}: {output / name}")
    return 0


def _settings(options: StimuliOptions, output: Path) -> tuple[StimuliSettings, float]:
    units, levels = read_combined_units(options.aus), read_levels(options.levels)
    asked = [Cell.of(dict.fromkeys(one, level)) for one in units for level in levels]
    rate = parse_frame_rate(options.fps)
    timing = read_timing(options.timing, rate)
    judge, editor, gpus = study_engines(options)
    return StimuliSettings(
        judge, editor, (NEUTRAL, *asked), options.level_as, timing, rate, options.form,
        options.easing, options.seed, str(output),
    ), gpus  # fmt: skip


def _write(
    output: Path,
    options: StimuliOptions,
    settings: StimuliSettings,
    people: Sequence[Identity],
    made: Sequence[Stimulus],
    request: str,
) -> None:
    found = versions()
    _write_rows(output / "manifest.csv", _manifest(settings, made))
    _write_rows(output / "frames.csv", _frames(made))
    text = methods(settings, made, len(people), what_they_are(people), found)
    with published(output / "methods.txt") as partial:
        partial.write_text(text, "utf-8")
    manifest = {
        "schema": SCHEMA,
        "request": request,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": found,
        "options": options.model_dump(mode="json"),
        "engines": {engine.kind: told_of(engine) for engine in settings.engines},
        "timing_s": asdict(settings.timing),
        "seed": settings.seed,
        "identities": [asdict(one) for one in people],
        "stimuli": [{key: one[key] for key in ("person", "cell", "file", "curve")} for one in made],
        "methods": text,
    }
    write_json(output / "stimuli.json", manifest)


def _manifest(settings: StimuliSettings, made: Sequence[Stimulus]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for one in made:
        apex = apex_figures(one, settings.timing.apex_s)
        rows.append({
            "file": one["file"],
            "person": one["person"],
            "aus": "+".join(map(str, one["aus"])) or "neutral",
            "level": "+".join(LETTERS[level - 1] for level in one["levels"]),
            "level_as": settings.mode,
            "seed": settings.seed,
            "frames": len(one["time_s"]),
            "apex_frame": apex["frame"],
            **{f"{what}_at_apex": "+".join("" if v is None else f"{v:.3f}" for v in apex[what])
               for what in ("measured", "asked", "achieved")},
        })  # fmt: skip
    return rows


def _frames(made: Sequence[Stimulus]) -> list[dict[str, Any]]:
    return [
        {
            "file": one["file"],
            "frame": number,
            "time_s": time_s,
            **{f"{au}_asked": v for au, v in zip(AU_NAMES, one["asked"][number], strict=True)},
            **{f"{au}_achieved": "" if v is None else v
               for au, v in zip(AU_NAMES, one["achieved"][number], strict=True)},
        }
        for one in made
        for number, time_s in enumerate(one["time_s"])
    ]  # fmt: skip


def _write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    with published(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
