"""Packets taken from where a file's index says they lie are those that demuxing gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import MediaError
from pipeline.media.bitstream.messages import with_messages
from pipeline.media.bitstream.units import UnitFormat
from pipeline.media.compare import packet_facts
from pipeline.media.compare.facts import FileFacts, read_facts
from pipeline.media.read import places, scan
from pipeline.media.read.places import Places, packets_at
from pipeline.media.read.probe import probe
from tests.pipeline.media.compare.test_promises import MS, PLAIN, rich
from tests.pipeline.media.write.test_carried import caption, rewritten

REORDERED = {**PLAIN, "options": {"preset": "veryfast", "bf": "2"}}
PRORES = {"name": "a.mov", "codec": "prores_ks", "pix_fmt": "yuv422p10le", "options": {}}


def clips(footage, folder: Path) -> list[tuple[str, int]]:
    """Files, and of how many of their streams the index tells all."""
    form = UnitFormat("h264", 4)
    spoken = rewritten(
        footage(**PLAIN), folder / "spoken.mp4",
        lambda n, data: with_messages(data, form, [caption(n)]),
    )  # fmt: skip
    return [
        (footage(**REORDERED, sound="aac"), 2),
        (footage(**PLAIN, sound="ac3"), 1),
        (footage(**PRORES, sound="pcm_s16be"), 2),
        (rich(footage, folder / "rich.mp4"), 3),
        (spoken, 1),
        (footage(**{**PLAIN, "container_options": {"movflags": "frag_keyframe"}}), 0),
        (footage(**{**PLAIN, "name": "a.mkv", "pts": range(0, 480, 40), "time_base": MS}), 0),
    ]


def test_a_file_s_facts_are_the_same_by_its_index_as_demuxed(footage, tmp_path, monkeypatch):
    for path, told in clips(footage, tmp_path):
        found = list[Places | None]()

        def look(*args, found=found):
            found.append(places.places_of(*args))
            return found[-1]

        monkeypatch.setattr(packet_facts, "places_of", look)
        by_index = read_facts(path)
        assert sum(p is not None for p in found) == told, path
        monkeypatch.setattr(packet_facts, "places_of", lambda *_: None)
        assert alike(by_index, read_facts(path)), path


def test_frames_that_stand_alone_are_indexed_without_reading_them(footage, monkeypatch):
    uneven = {**PRORES, "pts": (0, 512, 1024, 3072, 3584)}
    for path in (footage(**uneven), footage(**{**uneven, "codec": "mjpeg", "pix_fmt": "yuvj420p"})):
        info = probe(path)
        read = list[str]()
        with monkeypatch.context() as patched:
            patched.setattr(
                scan, "packets_of", lambda *_, read=read: iter(read.append("all") or ())
            )
            by_index = scan.scan(path, info)
            assert not read
        with monkeypatch.context() as patched:
            patched.setattr(scan, "places_of", lambda *_: None)
            demuxed = scan.scan(path, info)
        for name in ("pts", "is_key", "duration", "size", "coded", "group"):
            assert np.array_equal(getattr(by_index, name), getattr(demuxed, name)), name


def alike(one: FileFacts, other: FileFacts) -> bool:
    none = np.zeros(0)
    plain = (replace(f, sums=none, index=None) for f in (one, other))
    same_times = [t.pts for t in one.tracks] == [t.pts for t in other.tracks]
    same_sums = np.array_equal(one.sums, other.sums)
    return repr(next(plain)) == repr(next(plain)) and same_times and same_sums


def test_packets_are_read_from_anywhere_in_a_file_and_missed_beyond_its_end(tmp_path):
    data = np.random.default_rng(3).bytes(3_000_000)
    path = tmp_path / "data"
    path.write_bytes(data)
    at = np.array([5, 900, 900_000, 1_048_570, 1_048_600, 2_500_000, 40, 41, 45, 20])
    size = np.array([800, 900, 148_570, 30, 400_000, 500_000, 1, 4, 7, 9])
    no = np.zeros(len(at), bool)
    found = [bytes(p) for p in packets_at(str(path), Places(at, size, at, no, no))]
    assert found == [data[a : a + n] for a, n in zip(at.tolist(), size.tolist(), strict=True)]
    assert list(packets_at(str(path), Places(*[at[:0]] * 3, no, no))) == []
    with pytest.raises(MediaError, match="ends before packets that its index tells of"):
        list(packets_at(str(path), Places(at, size + 1, at, no, no)))
