"""The whole job in onnxruntime gives eager torch's frames. Slow: `make test-slow`.

Golden (tiny, random) weights on a real clip; the graphs are exported on the way.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.media.read.decoding.decode import decode_range
from pipeline.media.read.inspection import inspect_video

pytest.importorskip("onnxruntime")
pytest.importorskip("diffusers")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]
SHORT = "version: 1\nchannels:\n  AU12: [[0.2s, 0], [0.3s, 3], [0.5s, 3], [0.6s, 0]]\n"
EDITED_S = (0.25, 0.6)


def run_job(folder: Path, weights: Path, backend: str) -> dict[str, Any]:
    """Animate `clip.mp4` with one backend; the report's only video."""
    output = folder / backend
    command = [
        *(sys.executable, str(ROOT / "jobs/animate.py")),
        *("--curve", "short.yaml", "--input", "clip.mp4", "--output", f"{output}/"),
        *("--report", f"{output}.json"),
        *("--editor", "magicface", "--weights", str(weights), "--steps", "2", "--batch", "2"),
        *("--device", "cpu", "--dtype", "fp32", "--backend", backend),
    ]
    environment = os.environ | {"AUREEL_PLANS": str(folder / "engines")}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (video,) = json.loads(Path(f"{output}.json").read_text())["videos"]
    return video


def luma_frames(path: Path) -> list[np.ndarray]:
    seen = inspect_video(str(path))
    return [
        np.frombuffer(frame.planes[0], np.uint8)
        .reshape(frame.planes[0].height, -1)[:, : frame.planes[0].width]
        .astype(int)
        for frame in decode_range(str(path), seen.info, seen.index, 0, len(seen.times_s) - 1)
    ]


def test_onnxruntime_gives_the_frames_of_eager_torch(shared: Path, tmp_path: Path):
    shutil.copy2(shared / "media/clips/d18.mp4", tmp_path / "clip.mp4")
    (tmp_path / "short.yaml").write_text(SHORT)
    weights = shared / "golden/magicface"
    told = {name: run_job(tmp_path, weights, name) for name in ("eager", "onnxruntime")}
    assert told["eager"]["edited_frames"] == told["onnxruntime"]["edited_frames"] >= 5
    assert any("onnxruntime" in line for line in told["onnxruntime"]["warnings"])
    assert not any("onnxruntime" in line for line in told["eager"]["warnings"])
    assert [*(tmp_path / "engines").rglob("*.onnx")], "the graphs were exported and kept"

    eager, onnx = (
        luma_frames(*(tmp_path / name).glob("*.mp4")) for name in ("eager", "onnxruntime")
    )
    source = luma_frames(tmp_path / "clip.mp4")
    assert len(eager) == len(onnx) == len(source)
    times = inspect_video(str(tmp_path / "clip.mp4")).times_s
    inside = (times > EDITED_S[0]) & (times < EDITED_S[1])
    changed = np.array([np.abs(x - y).mean() for x, y in zip(eager, source, strict=True)])
    apart = np.array([np.abs(x - y).mean() for x, y in zip(eager, onnx, strict=True)])
    assert changed[inside].min() > 3, "there must be something to compare"
    # The pictures of noise differ by a level of rounding; the lossy encoder makes it half a level
    # in the mean. Networks that compute something else differ by as much as the edit changes.
    assert apart.max() < 1
    assert (apart[inside] < 0.2 * changed[inside]).all()
