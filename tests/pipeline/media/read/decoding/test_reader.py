"""Reading for analysis: the same frames whichever reader is asked for, or a refusal."""

from __future__ import annotations

import sys
from fractions import Fraction

import numpy as np
import pytest

from pipeline.errors import MediaError
from pipeline.media.read.decoding.reader import analysis_frames, check_reader, choose_reader
from pipeline.media.read.probe import probe, scan


def read(path: str, reader: str, first: int, last: int):
    info = probe(path)
    found = analysis_frames(path, info, scan(path, info), first, last, reader=reader)
    return [(shown.frame, shown.rgb) for shown in found]


def test_frames_come_numbered_and_upright(footage):
    path = footage(name="turned.mp4", rotation=90, sound="aac")
    frames = read(path, "av", 7, 12)
    assert [number for number, _ in frames] == list(range(7, 13))
    assert frames[0][1].shape == (160, 120, 3)
    assert frames[0][1].dtype == np.uint8


def test_decord_gives_the_same_frames_as_pyav(footage):
    pytest.importorskip("decord")
    path = footage(sound="aac")
    for (number, pyav), (other, decord) in zip(
        read(path, "av", 9, 20), read(path, "decord", 9, 20), strict=True
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


def test_ranges_one_after_another_are_read_once_and_not_from_the_start_each(footage, monkeypatch):
    decord = pytest.importorskip("decord")
    path, opened = footage(sound="aac"), []
    real = decord.VideoReader
    monkeypatch.setattr(decord, "VideoReader", lambda *a, **k: opened.append(a) or real(*a, **k))
    parts = [read(path, "decord", first, first + 4) for first in (0, 5, 14)]
    assert len(opened) == 1
    expected = [read(path, "av", first, first + 4) for first in (0, 5, 14)]
    for part, whole in zip(parts, expected, strict=True):
        for (number, one), (other, two) in zip(part, whole, strict=True):
            assert number == other
            assert np.abs(one.astype(int) - two).max() <= 2
    read(path, "decord", 3, 4)  # behind: from the start again
    assert len(opened) == 2


def test_a_clip_is_checked_before_any_of_its_frames_is_read(footage):
    pytest.importorskip("decord")
    path = footage(name="turned.mp4", rotation=90)
    info = probe(path)
    check_reader(path, info, scan(path, info), "av")
    with pytest.raises(MediaError, match=r"decord cannot read this faithfully: .*; use av"):
        check_reader(path, info, scan(path, info), "decord")


def test_the_choice_says_why():
    assert choose_reader("auto").name == "av"
    assert "gained nothing" in choose_reader("auto").reason
    assert choose_reader("av") == ("av", "as asked")
    with pytest.raises(MediaError, match="no reader 'opencv'; known: auto, av, decord"):
        choose_reader("opencv")


def test_decord_that_is_not_installed_is_told_with_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "decord", None)
    with pytest.raises(MediaError, match=r"pip install 'aureel\[decord\]', or use av"):
        choose_reader("decord")
