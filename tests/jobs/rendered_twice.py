"""Run as a script by test_graph.py: one clip by tasks on cores, then by actors on pretended GPUs.

Ray is told of two GPUs that nobody uses, which both stages share: the editor is `identity`.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from engines.choice import resolve
from jobs.ray_cluster import cluster
from keyframes.load import parse_sheet
from pipeline.graph import Job, run
from pipeline.rows import VideoRow
from pipeline.run_folder.store import video_row
from pipeline.settings import AnalysisSettings, RenderSettings

SMILE = "version: 1\nchannels: {AU12: [[0s, 3]]}\n"
SHARES = {"cores": (0.0, 0.0), "gpu": (0.5, 1.0)}
"""Of a pretended GPU, for an analysis and a render actor."""


def rendered(source: Path, folder: Path, shares: tuple[float, float]) -> dict[str, Any]:
    """Rows by stage, errors, and the output's path."""
    row: VideoRow = {
        **video_row(source, folder / "out.mp4", folder / "_work"),
        "request": "twice",
    }
    sheet = parse_sheet(SMILE, "smile")
    # Edits that seem to cost 5 s cut the clip at each of its key frames.
    editor = replace(resolve("editor", "identity"), seconds_per_edit=5.0, gpu_share=shares[1])
    tracker = replace(resolve("tracker", "mesh"), gpu_share=shares[0])
    analysis = AnalysisSettings(tracker, resolve("AU estimator", "mesh"))
    job = Job(analysis, RenderSettings(sheet, editor))
    rows: Counter[str] = Counter()
    errors: list[str] = []

    def on_row(row: Any) -> None:
        rows[row["stage"]] += 1
        errors.extend(filter(None, [row["error"]]))

    run([row], job, on_row)
    return {"rows": dict(rows), "errors": errors, "output": row["output"]}


if __name__ == "__main__":
    clip, place = Path(sys.argv[1]), Path(sys.argv[2])
    os.environ["RAY_OVERRIDE_RESOURCES"] = '{"GPU": 2}'
    cluster.start()
    done = {name: rendered(clip, place / name, shares) for name, shares in SHARES.items()}
    print(json.dumps(done))
    cluster.leave()
