"""Run as a script by test_graph.py: one clip by tasks on cores, then by actors on a pretended GPU.

Ray is told of a GPU that nobody uses: the editor is `identity`.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from jobs.ray_cluster import cluster
from keyframes.load import parse_sheet
from pipeline.graph import Job, Resources, run
from pipeline.rows import VideoRow
from pipeline.settings import AnalysisSettings, EngineChoice, RenderSettings
from pipeline.store import video_id

SMILE = "version: 1\nchannels: {AU12: [[0s, 3]]}\n"
PLACES = {"cores": Resources(2, 0), "gpu": Resources(2, 1, analysis_gpus=0.5, editor_gpus=1.0)}


def rendered(source: Path, folder: Path, resources: Resources) -> dict[str, Any]:
    """Rows by stage, errors, and the output's path."""
    row: VideoRow = {
        "video": video_id(source),
        "source": str(source),
        "output": str(folder / "out.mp4"),
        "work": str(folder / "_work"),
    }
    sheet = parse_sheet(SMILE, "smile")
    # Edits that seem to cost 5 s cut the clip at each of its key frames.
    render = RenderSettings(sheet, EngineChoice("identity"), seconds_per_edit=5.0)
    job = Job(AnalysisSettings(), render, resources, {row["video"]: "twice"})
    rows: Counter[str] = Counter()
    errors: list[str] = []

    def on_row(row: Any) -> None:
        rows[row["stage"]] += 1
        errors.extend(filter(None, [row["error"]]))

    run([row], job, on_row)
    return {"rows": dict(rows), "errors": errors, "output": row["output"]}


if __name__ == "__main__":
    clip, place = Path(sys.argv[1]), Path(sys.argv[2])
    os.environ["RAY_OVERRIDE_RESOURCES"] = '{"GPU": 1}'
    cluster.start()
    done = {name: rendered(clip, place / name, resources) for name, resources in PLACES.items()}
    print(json.dumps(done))
    cluster.leave()
