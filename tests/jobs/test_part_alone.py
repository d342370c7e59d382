"""`--only` beside what else a call may ask for, and with containers that hold less."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from jobs.command_line.command import run_command
from jobs.evaluation.pages import tell_pages
from jobs.verify import app as verify
from pipeline.figures.verdict_page import index
from pipeline.media.read.inspection import inspect_video
from tests.jobs.conftest import Animate

ONLY = "0.4s..0.6s"
NAME = "only-0.4s-0.6s"


def recoded(source: str, path: str, codec: str, form: str, **options: str) -> None:
    """A second of a clip in another container, with uncoded sound in packets of 1024 samples."""
    with av.open(source) as read, av.open(path, "w") as file:
        shown = file.add_stream(codec, rate=25, options=options)
        shown.width, shown.height, shown.pix_fmt = 256, 256, form
        heard = file.add_stream("pcm_s16le", rate=48000, layout="mono")
        for number, frame in enumerate(islice(read.decode(video=0), 25)):
            small: Any = frame.reformat(256, 256, form)
            small.pts, small.time_base = number, Fraction(1, 25)
            file.mux(shown.encode(small))
        for number in range(47):
            samples = np.zeros((1, 1024), np.int16) + number
            sound = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            sound.rate, sound.pts, sound.time_base = 48000, number * 1024, Fraction(1, 48000)
            file.mux(heard.encode(sound))
        for stream in (shown, heard):
            file.mux(stream.encode(None))


def test_a_part_of_avi_and_mxf_is_made_with_its_matte_and_its_pictures(
    animate: Animate, capsys: pytest.CaptureFixture[str]
):
    recoded("talk.mp4", "a.avi", "mjpeg", "yuvj420p", q="3")
    recoded("talk.mp4", "d.mxf", "dnxhd", "yuv422p", profile="dnxhr_sq")
    call = ("--curve", "smile2.yaml", "--input", "a.avi", "d.mxf", "--editor", "identity")
    run = animate(*call, "--only", ONLY, "--matte", "ffv1", "--sequence", "png")
    assert run.status == 0, run.stdout
    for source, ends in (("a.avi", 3), ("d.mxf", 0)):
        (made,) = Path().glob(f"{source[0]}.smile2.{NAME}.[am][vo][iv]")
        assert run_command(verify, [source, str(made), "--only", ONLY]) == ends
        said = capsys.readouterr().out
        assert ("ms early: in an AVI all tracks begin at 0" in said) == (source == "a.avi")
        assert inspect_video(f"{made.stem}.matte.mkv").frames == 5
        assert len(list(Path(f"{made.stem}.sequence").glob("*.png"))) == 5
    assert "ms early: in an AVI" in run.stdout, "the run says it as well"


def test_the_index_of_a_parts_verdicts_leaves_that_of_the_whole_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    places: list[Path] = []
    monkeypatch.setattr(index, "write_index", lambda place, _: places.append(place))
    outputs = [tmp_path / "a.mp4", tmp_path / "b.mp4"]
    for output in outputs:
        output.with_suffix(".qa.html").touch()
    tell_pages(outputs, tmp_path / "report.json", lambda _: None)
    tell_pages(outputs, tmp_path / f"report.{NAME}.json", lambda _: None, ONLY)
    assert [place.name for place in places] == ["qa.html", f"qa.{NAME}.html"]
