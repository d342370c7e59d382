"""aureel from Python: one call each, typed, and shown by a notebook."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import jobs
import jobs.animate  # the command's module of the same name must not take the function's place
from engines.errors import EngineError
from jobs import analyse, animate, preview
from jobs.errors import JobError
from keyframes.errors import KeyframeError
from tests.jobs.conftest import Animate

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def here(animate: Animate) -> Path:
    """A folder with `talk.mp4` and `smile2.yaml`, and a Ray."""
    return Path.cwd()


def test_the_names_are_functions_and_the_commands_modules_are_still_to_be_had():
    assert callable(jobs.animate)
    assert sys.modules["jobs.animate"].app.name == ("animate",)
    assert {"animate", "analyse", "preview"} <= set(dir(jobs))
    with pytest.raises(AttributeError, match="no attribute 'animat'"):
        jobs.animat  # noqa: B018


def test_importing_the_package_imports_nothing_else():
    code = "import sys, jobs; assert not {'numpy', 'ray', 'pydantic'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_animate_gives_the_report_and_a_notebook_shows_it(here: Path, capsys):
    report = animate(here / "smile2.yaml", "talk.mp4", output="out.mp4", editor="previz",
                     plot=True, quiet=True)  # fmt: skip
    assert capsys.readouterr().out == ""
    (video,) = report.videos
    assert (video.status, video.frames, report.failed) == ("done", 50, [])
    assert Path("out.mp4").is_file()
    shown = report._repr_html_()
    assert "<td>done</td><td>50</td>" in shown
    assert '<img src="data:image/png;base64,iVBOR' in shown


def test_analyse_gives_the_report_and_leaves_the_table(here: Path):
    report = analyse("talk.mp4", here / "faces.parquet", quiet=True)
    assert [video.status for video in report.videos] == ["done"]
    assert pq.read_table("faces.parquet").num_rows == 50
    assert "<td>done</td>" in report._repr_html_()


def test_preview_gives_a_picture_without_ray_and_writes_nothing(here: Path):
    before = sorted(here.iterdir())
    plain = preview("neutralise", "talk.mp4", at=0, editor="identity")
    smile = preview("smile2.yaml", here / "talk.mp4", at="1s")
    assert (smile.shape, smile.dtype) == ((512, 512, 3), np.uint8)
    assert smile.shape == plain.shape
    assert smile._repr_png_().startswith(b"\x89PNG")
    sad = preview("sad", "talk.mp4", at="1s")
    assert (sad != smile).any()
    assert sorted(here.iterdir()) == before
    code = (
        "import sys; from jobs import preview; "
        f"preview('smile', {str(here / 'talk.mp4')!r}); assert 'ray' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_options_of_engines_are_those_of_the_command(here: Path):
    Path("tuned.bin").write_bytes(bytes([40]))
    tuned = {"editor": "tests.fakes:TunedEditor", "weights": Path("tuned.bin")}
    light = preview("smile2.yaml", "talk.mp4", at="1s", darkening=0.1, **tuned)
    dark = preview("smile2.yaml", "talk.mp4", at="1s", darkening=1.0, **tuned)
    assert dark.mean() < light.mean()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: animate("smile", "gone.mp4"), "gone.mp4: does not exist"),
        (lambda: animate("smile", "talk.mp4", speed=2), "no option 'speed'; known: curve, inputs"),
        (lambda: animate("smile", "talk.mp4", steps=0), "--steps: got 0"),
        (lambda: animate("smile", "talk.mp4", editor="magic"), "known: magicface, plate, previz"),
        (lambda: animate("smile", "talk.mp4", dry_run=True), "aureel animate --dry-run"),
        (
            lambda: animate("smile", "broken.mp4", quiet=True),
            "broken.mp4: cannot be opened as a video",
        ),
        (lambda: analyse("talk.mp4", "faces.txt"), ".parquet or .csv"),
        (lambda: preview("smile", "gone.mp4"), "gone.mp4: no such file"),
        (lambda: preview("grin", "talk.mp4"), "no such curve file"),
        (lambda: preview("smile", "talk.mp4", darkening=1), "no option 'darkening'"),
    ],
)
def test_a_wrong_call_raises_one_line(here: Path, call, says):
    Path("broken.mp4").write_bytes(b"no video")
    with pytest.raises((JobError, EngineError, KeyframeError)) as raised:
        call()
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_call_in_another_thread_than_the_main_one_works(here: Path):
    from threading import Thread

    made: list[str] = []

    def work() -> None:
        report = animate("smile2.yaml", "talk.mp4", editor="identity", quiet=True)
        made.extend(video.status for video in report.videos)

    thread = Thread(target=work)
    thread.start()
    thread.join()
    assert made == ["done"]


def test_the_example_of_the_readme_runs(here: Path):
    (example,) = re.findall(
        r"```python\n(from jobs import .*?)```", (ROOT / "README.md").read_text(), re.DOTALL
    )
    Path("shot.mp4").write_bytes(Path("talk.mp4").read_bytes())
    exec(compile(example, "README.md", "exec"), {})
    assert Path("out.mp4").is_file()
    assert Path("faces.parquet").is_file()
