"""One local Ray for all job tests, and footage made on the fly."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jobs.animate import app
from jobs.command_line.command import run_command
from jobs.ray_cluster import cluster
from pipeline.demo.clip import make_demo_clip

SMILE = """\
version: 1
channels:
  AU12: [[0s, 0], [0.6s, 3], [1.4s, 3], [1.8s, 0]]
"""


@pytest.fixture(scope="session")
def ray_here(
    tmp_path_factory: pytest.TempPathFactory, s3_address: str, gs_address: str
) -> Iterator[None]:
    """A Ray of this machine for the whole session; its workers know where its stores are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUREEL_TEST_KILLS", str(tmp_path_factory.getbasetemp() / "kills"))
        patch.delenv("RAY_ADDRESS", raising=False)
        cluster.start()
        yield
        import ray

        ray.shutdown()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of the demo clip: 50 frames, with sound."""
    return make_demo_clip(tmp_path_factory.mktemp("demo") / "talk.mp4", seconds=2.0)


@dataclass(frozen=True)
class Run:
    """How a call ended."""

    status: int
    stdout: str
    stderr: str
    folder: Path

    @property
    def report(self) -> dict[str, Any]:
        return json.loads((self.folder / "report.json").read_text())

    @property
    def video(self) -> dict[str, Any]:
        (entry,) = self.report["videos"]
        return entry


Animate = Callable[..., Run]


@pytest.fixture
def animate(
    ray_here: None,
    demo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Animate:
    """Calls `animate` in this process, in a folder with `talk.mp4` and `smile2.yaml`."""
    monkeypatch.chdir(tmp_path)
    shutil.copy2(demo, tmp_path / "talk.mp4")
    (tmp_path / "smile2.yaml").write_text(SMILE)

    def call(*arguments: str) -> Run:
        status = run_command(app, arguments)
        out, err = capsys.readouterr()
        return Run(status, out, err, tmp_path)

    return call


@pytest.fixture(autouse=True)
def _settled_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clips of these tests are whole as soon as they are there."""
    monkeypatch.setattr("jobs.command_line.settling.SETTLE_S", 0.0)
