"""What the command line says of the encoding arrives at the encoder."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App

from jobs.animate import NOTHING_SAID
from jobs.animation.call import checked
from jobs.command_line.command import run_command
from jobs.command_line.options.animate import AnimateOptions
from jobs.command_line.options.given import takes
from jobs.errors import JobError
from jobs.ray_cluster import cluster
from pipeline.media.read.inspection import Inspection, inspect_video
from pipeline.media.write.encoding.nvenc import why_not_nvenc
from pipeline.pieces import encode_settings


@pytest.fixture
def settings_of(demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The encoder's settings for a call's words, by the command line's own way."""
    monkeypatch.chdir(tmp_path)
    app, taken = App(name="animate"), list[AnimateOptions]()

    @app.default
    @takes(AnimateOptions)
    def animate(*, options: AnimateOptions = NOTHING_SAID) -> int:
        taken.append(options)
        return 0

    seen = inspect_video(str(demo))

    def settings(*words: str, **source: Any):
        call = ("--curve", "smile", "--editor", "identity", "--input", str(demo), *words)
        assert run_command(app, call) == 0
        clip = Inspection(dataclasses.replace(seen.info, **source), seen.index)
        return encode_settings(clip, checked(taken[-1]).render)

    return settings


@pytest.mark.parametrize(
    ("words", "crf"),
    [((), "17"), (("--quality", "match"), "17"), (("--quality", "high"), "4"),
     (("--quality=high",), "4"), (("--quality", "23"), "23"), (("--encode-quality", "30"), "30")],
)  # fmt: skip
def test_a_quality_becomes_a_crf(settings_of, words, crf):
    assert settings_of(*words).options["crf"] == crf


def test_lossless_codec_depth_and_copying_are_what_was_said(settings_of):
    assert settings_of("--quality", "lossless").options["qp"] == "0"
    assert settings_of(is_lossless=True).options["qp"] == "0"
    assert not settings_of(is_lossless=True).copies_untouched
    other = settings_of("--codec", "hevc", "--bit-depth", "10", "--output", "x.mp4")
    assert (other.encoder, other.pix_fmt) == ("libx265", "yuv420p10le")
    assert set(other.changes) == {"codec", "pixel format", "bit depth"}
    assert settings_of("--codec", "prores", "--output", "x.mov").encoder == "prores_ks"
    assert settings_of().copies_groups
    for words in (("--untouched", "encode"), ("--quality", "high"), ("--codec", "hevc")):
        assert not settings_of(*words).copies_groups
    assert settings_of("--preset-encode", "fast").options["preset"] == "fast"


@pytest.mark.skipif(why_not_nvenc() is None, reason="NVENC is here")
def test_nvenc_is_refused_before_the_work_where_this_machine_has_none(settings_of, monkeypatch):
    monkeypatch.setattr(cluster, "is_this_machine", lambda: True)  # another test's Ray may be here
    with pytest.raises(JobError, match=r"^--encoder nvenc: h264_nvenc does not work here .* cpu$"):
        settings_of("--encoder", "nvenc", "--untouched", "encode")
