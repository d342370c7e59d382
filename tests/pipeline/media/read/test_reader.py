"""Reading for analysis: the same frames whichever reader is asked for, or a refusal."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from pipeline.errors import MediaError
from pipeline.media.read.probe import probe, scan
from pipeline.media.read.reader import analysis_frames


def read(path: str, reader: str, first: int, last: int):
    info = probe(path)
    return list(analysis_frames(path, info, scan(path, info), first, last, reader=reader))


def test_frames_come_numbered_and_upright(footage):
    path = footage(name="turned.mp4", rotation=90, sound="aac")
    frames = read(path, "auto", 7, 12)
    assert [number for number, _ in frames] == list(range(7, 13))
    assert frames[0][1].shape == (160, 120, 3)
    assert frames[0][1].dtype == np.uint8


def test_decord_gives_the_same_frames_as_pyav(footage):
    pytest.importorskip("decord")
    path = footage(sound="aac")
    for (number, pyav), (other, decord) in zip(
        read(path, "pyav", 9, 20), read(path, "decord", 9, 20), strict=True
    ):
        assert number == other
        assert np.abs(pyav.astype(int) - decord).max() <= 2


@pytest.mark.parametrize(
    ("description", "reason"),
    [
        ({"name": "turned.mp4", "rotation": 90}, "turned or its pixels"),
        ({"name": "wide.mp4", "sar": Fraction(4, 3)}, "turned or its pixels"),
        ({"name": "stream.ts", "pts": tuple(range(126000, 200000, 3600)),
          "time_base": Fraction(1, 90000)}, "MPEG-TS"),
        ({"name": "tall.mp4", "size": (64, 720), "colour": (2, 2, 2, 0)}, "no colour matrix"),
    ],
)  # fmt: skip
def test_decord_is_refused_where_it_would_show_something_else(footage, description, reason):
    pytest.importorskip("decord")
    with pytest.raises(MediaError, match=f"decord cannot read this faithfully: .*{reason}"):
        read(footage(**description), "decord", 0, 3)


def test_decord_is_refused_where_an_edit_list_hides_frames(corpus):
    pytest.importorskip("decord")
    folder, _ = corpus
    with pytest.raises(MediaError, match="28 frames of 22"):
        read(str(folder / "editlist_trim_midgop.mp4"), "decord", 0, 3)


def test_an_unknown_reader_is_refused_by_name(footage):
    with pytest.raises(MediaError, match="no reader 'opencv'; known: auto, pyav, decord"):
        read(footage(), "opencv", 0, 3)
