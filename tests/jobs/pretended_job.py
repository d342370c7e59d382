"""A job on the cluster of RAY_ADDRESS with a sleeping editor: FOLDER VIDEOS SECONDS GPU_SHARE."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from jobs.benchmarks.scaling.scale import PretendedJob
from jobs.ray_cluster import cluster
from pipeline.demo.clip import make_demo_clip

FRAMES = 10


def run(folder: Path, videos: int, seconds: float, gpu_share: float) -> None:
    """Prints what became of it, as JSON."""
    cluster.start()
    clip = make_demo_clip(folder / "clip.mp4", seconds=FRAMES / 25, size=(96, 96))
    job = folder / "job", [clip] * videos, seconds / FRAMES, 0.01 * seconds / FRAMES
    print(json.dumps(PretendedJob(*job, cut=False, gpu_share=gpu_share).run()))
    cluster.leave()


if __name__ == "__main__":
    where, videos, seconds, share = sys.argv[1:]
    run(Path(where), int(videos), float(seconds), float(share))
