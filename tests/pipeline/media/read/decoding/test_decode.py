"""Frames by number: each exactly once, in order, whatever the file's GOPs and clocks."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import MediaError
from pipeline.media.read.decoding.decode import decode_range, display_rgb
from pipeline.media.read.probe import probe, scan, times_s

NTSC = tuple(range(0, 24 * 1001, 1001))


def digest(frame: av.VideoFrame) -> str:
    rows = hashlib.md5()
    width = {"yuv420p10le": 2}.get(frame.format.name, 1)
    for plane in frame.planes:
        samples = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
        rows.update(samples[:, : plane.width * width].tobytes())
    return rows.hexdigest()


def decoded(path: str, first: int | None = None, last: int | None = None) -> list[tuple[int, str]]:
    info = probe(path)
    index = scan(path, info)
    last = len(index) - 1 if last is None else last
    return [(f.pts, digest(f)) for f in decode_range(path, info, index, first or 0, last)]


@pytest.fixture(scope="module")
def open_gop(footage):
    return footage(
        name="open.mp4", gop=8, options={"preset": "fast", "bf": "3", "x264-params": "open-gop=1"}
    )


def test_every_frame_comes_once_with_its_own_time(footage):
    for pts, base in (
        (NTSC, Fraction(1, 30000)),
        ((0, 41, 90, 91, 300, 333, 999), Fraction(1, 1000)),
        (tuple(range(5120, 5120 + 512 * 20, 512)), Fraction(1, 12800)),
    ):
        path = footage(
            pts=pts, time_base=base, name="timed.mkv" if base.denominator == 1000 else "t.mp4"
        )
        info = probe(path)
        index = scan(path, info)
        assert [p * info.time_base for p in index.pts.tolist()] == [p * base for p in pts]
        assert [p for p, _ in decoded(path)] == index.pts.tolist()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_range_is_the_same_as_that_part_of_the_whole(open_gop, data):
    whole = decoded(open_gop)
    first = data.draw(st.integers(0, len(whole) - 1))
    last = data.draw(st.integers(first, len(whole) - 1))
    assert decoded(open_gop, first, last) == whole[first : last + 1]


@pytest.mark.parametrize(("first", "last"), [(-1, 3), (0, 30), (5, 4)])
def test_a_range_outside_the_clip_is_refused(footage, first, last):
    path = footage()
    info = probe(path)
    with pytest.raises(MediaError, match=r"clip\.mp4: asked for frames .* expected within 0–29"):
        next(decode_range(path, info, scan(path, info), first, last))


def test_the_clock_starts_where_the_container_starts(footage):
    path = footage(name="late.mp4", pts=tuple(range(5120, 5120 + 512 * 20, 512)), sound="aac")
    info = probe(path)
    assert times_s(info, scan(path, info))[0] == pytest.approx(0.4, abs=1e-9)


@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
@pytest.mark.parametrize("hflip", [False, True])
def test_the_display_mapping_agrees_with_the_upright_picture(footage, rotation, hflip):
    path = footage(
        name="turned.mp4", rotation=rotation, hflip=hflip, sar=Fraction(4, 3), pts=(0, 512),
        options={"preset": "ultrafast", "crf": "10"},
    )  # fmt: skip
    info = probe(path)
    # The file mirrors after it turns; `rotation` counts with the mirroring first.
    assert (info.rotation, info.mirrored) == ((-rotation if hflip else rotation) % 360, hflip)
    frame = next(decode_range(path, info, scan(path, info), 0, 0))
    shown = display_rgb(frame, info)
    assert shown.shape[1::-1] == info.display_size
    coded = frame.to_ndarray(format="rgb24")
    mapped = cv2.warpAffine(
        coded, info.coded_from_display, info.display_size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    assert np.abs(mapped.astype(int) - shown)[4:-4, 4:-4].mean() < 1.5


def test_the_corpus_decodes_frame_by_frame_or_is_refused(corpus):
    folder, manifest = corpus
    for name, truth in manifest.items():
        expected = truth.get("expect_error", "")
        path = str(folder / name)
        if expected and not expected.startswith("optional"):
            with pytest.raises(MediaError) as refusal:
                decoded(path)
            assert name in str(refusal.value)
            assert "\n" not in str(refusal.value)
            continue
        info = probe(path)
        index = scan(path, info)
        assert index.pts.tolist() == truth["video"]["pts"], name
        assert info.rotation == truth["video"]["rotation"] % 360, name
        whole = decoded(path)
        assert [pts for pts, _ in whole] == truth["video"]["pts"], name
        middle = len(whole) // 2
        assert decoded(path, middle, middle) == whole[middle : middle + 1], name


def test_a_frame_that_was_damaged_is_refused_with_its_number(footage, tmp_path):
    path = footage(name="sound.mp4", size=(320, 240))
    with av.open(path) as container:
        packets = [p for p in container.demux(video=0) if p.size]
    broken = bytearray(Path(path).read_bytes())
    hit = packets[12]
    broken[hit.pos + hit.size // 3 : hit.pos + hit.size // 3 + 40] = b"\x5a" * 40
    copy = tmp_path / "broken.mp4"
    copy.write_bytes(broken)
    with pytest.raises(MediaError, match=r"broken\.mp4: .*(damaged|missing)"):
        decoded(str(copy))


def test_a_damaged_picture_is_seen_as_such_every_time(footage, tmp_path):
    """With frame threads half of the tries saw nothing, with slice threads all."""
    broken = bytearray(Path(footage(name="one.mp4", size=(320, 240), pts=(0,))).read_bytes())
    at = broken.index(b"mdat") + len(broken) // 2
    broken[at : at + 300] = b"\x5a" * 300
    copy = tmp_path / "broken.mp4"
    copy.write_bytes(broken)
    for _ in range(20):
        with pytest.raises(MediaError, match=r"broken\.mp4: .*damaged"):
            decoded(str(copy))
