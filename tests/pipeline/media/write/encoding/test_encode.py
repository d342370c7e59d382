"""Pieces: what they hold, what they start with, and what is left of a failed one."""

from __future__ import annotations

import dataclasses
import json
import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.edit.composite import paste_residual
from pipeline.errors import MediaError
from pipeline.media.planes import plane_views
from pipeline.media.read.decoding.decode import decode_range
from pipeline.media.read.frame_facts import FieldOrder, field_order_of
from pipeline.media.read.probe import VideoInfo, probe, scan
from pipeline.media.write.encoding.encode import PieceWriter
from pipeline.media.write.encoding.mirror import mirror_settings


def write_piece(source: str, piece: Path, first: int = 0, last: int | None = None) -> VideoInfo:
    info = probe(source)
    index = scan(source, info)
    last = len(index) - 1 if last is None else last
    settings = mirror_settings(info, "ultrafast", index=index)
    with PieceWriter(str(piece), info, settings) as writer:
        for frame in decode_range(source, info, index, first, last):
            writer.write(frame)
    assert writer.close() == last - first + 1
    return info


def test_a_piece_starts_on_a_key_packet_and_keeps_the_times_between_frames(footage, tmp_path):
    jitter = tuple(np.cumsum([0, *np.random.default_rng(0).integers(900, 9000, 24)]).tolist())
    source = footage(name="vfr.mp4", pts=jitter, time_base=Fraction(1, 90000))
    write_piece(source, tmp_path / "piece.mp4", 7, 19)
    with av.open(str(tmp_path / "piece.mp4")) as container:
        packets = [p for p in container.demux(video=0) if p.size]
    assert packets[0].is_keyframe
    assert sorted(p.pts * p.time_base for p in packets) == [
        Fraction(t - jitter[7], 90000) for t in jitter[7:20]
    ]


def test_a_piece_is_cut_into_its_own_groups_and_not_by_its_sources_picture_types(footage, tmp_path):
    source = footage(name="groups.mp4", gop=10)
    write_piece(source, tmp_path / "piece.mp4", 7, 29)
    with av.open(str(tmp_path / "piece.mp4")) as container:
        shown = sorted(container.decode(video=0), key=lambda frame: frame.pts)
    assert [i for i, frame in enumerate(shown) if frame.key_frame] == [0, 10, 20]


def test_an_edited_frame_leaves_those_that_are_predicted_from_it_as_they_are(footage):
    many = {"preset": "medium", "bf": "0", "refs": "8"}  # a decoder keeps eight, and we see them
    source = footage(name="references.mp4", gop=30, options=many)
    info = probe(source)
    index = scan(source, info)
    untouched = [f.to_ndarray() for f in decode_range(source, info, index, 0, 29)]
    place = np.array([[1.0, 0, 20], [0, 1.0, 20]])
    white = np.ones((64, 64, 3), np.float32)
    for number, frame in enumerate(decode_range(source, info, index, 0, 29)):
        if number % 2:
            assert np.array_equal(frame.to_ndarray(), untouched[number])
            continue
        paste_residual(frame, info, white, np.ones((64, 64), np.float32), place)
        assert not np.array_equal(frame.to_ndarray(), untouched[number])


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "name"),
    [
        ("libx264", "yuv420p", "a.mp4"), ("libx264", "yuv422p10le", "b.mp4"),
        ("libx264", "yuv444p", "c.mp4"), ("libx265", "yuv420p10le", "d.mp4"),
        ("libx265", "gbrp", "e.mkv"), ("libvpx-vp9", "yuv420p", "f.webm"),
        ("libvpx", "yuv420p", "g.webm"), ("libsvtav1", "yuv420p10le", "h.mkv"),
        ("prores_ks", "yuv422p10le", "i.mov"), ("mjpeg", "yuvj422p", "j.avi"),
        ("ffv1", "yuv444p12le", "k.mkv"), ("mpeg2video", "yuv422p", "l.ts"),
        ("mpeg4", "yuv420p", "m.mp4"),
    ],
)  # fmt: skip
def test_a_piece_mirrors_its_source(footage, tmp_path, codec, pix_fmt, name):
    options = {"libx264": {"preset": "ultrafast"}, "libsvtav1": {"preset": "12"}}.get(codec, {})
    if codec == "libx265":
        options = {"preset": "ultrafast", "x265-params": "log-level=none"}
    full = 2 if pix_fmt.startswith("yuvj") or pix_fmt == "gbrp" else 1
    source = footage(
        name=name, codec=codec, pix_fmt=pix_fmt, options=options,
        time_base=Fraction(1, 25), pts=tuple(range(12)),
        colour=(1, 1, 0 if pix_fmt == "gbrp" else 5 if full == 2 else 1, full),
    )  # fmt: skip
    info = write_piece(source, tmp_path / "piece")
    piece = probe(str(tmp_path / "piece"))
    assert (piece.codec, piece.pix_fmt, piece.profile) == (info.codec, pix_fmt, info.profile)
    assert (piece.width, piece.height) == (info.width, info.height)
    index = scan(str(tmp_path / "piece"), piece)
    assert len(index) == 12
    before, after = (
        [plane_views(f)[0].astype(float) for f in decode_range(path, i, x, 0, 11)]
        for path, i, x in ((source, info, scan(source, info)), (piece.path, piece, index))
    )
    scale = 2.0**info.bit_depth - 1
    error = [((a - b) ** 2).mean() / scale**2 for a, b in zip(before, after, strict=True)]
    assert 10 * np.log10(1 / max(*error, 1e-9)) > 36


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="no scheduling classes here")
def test_no_encoder_puts_itself_before_all_else_on_the_machine(footage, tmp_path):
    """SVT-AV1 would, as root: its threads, real-time ones, left no core to whom they wait for."""
    source = footage(
        name="h.mkv", codec="libsvtav1", pix_fmt="yuv420p10le", options={"preset": "12"},
        time_base=Fraction(1, 25), pts=tuple(range(12)),
    )  # fmt: skip
    info = probe(source)
    with PieceWriter(str(tmp_path / "piece"), info, mirror_settings(info)) as writer:
        for frame in decode_range(source, info, scan(source, info), 0, 3):
            writer.write(frame)
        threads = [int(entry.name) for entry in Path("/proc/self/task").iterdir()]
        assert len(threads) > 8
        assert {os.sched_getscheduler(thread) for thread in threads} == {os.SCHED_OTHER}


def test_vp8_is_encoded_on_one_thread(footage):
    """A second one spins, at each macroblock, until the first gets a core."""
    source = footage(
        name="g.webm", codec="libvpx", options={}, pts=(0, 1), time_base=Fraction(1, 25)
    )
    assert mirror_settings(probe(source)).threads == 1


def test_the_same_frames_and_settings_give_the_same_bytes(footage, tmp_path):
    for name in ("one", "two"):
        write_piece(footage(), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_fields_stay_fields(footage, tmp_path):
    source = footage(
        name="fields.mp4",
        options={"preset": "ultrafast", "x264-params": "tff=1", "flags": "+ildct+ilme"},
    )
    info = write_piece(source, tmp_path / "piece")
    assert info.interlaced
    assert probe(str(tmp_path / "piece")).interlaced


def test_a_lossless_source_stays_lossless(footage, tmp_path):
    source = footage(name="lossless.mp4", options={"preset": "ultrafast", "qp": "0"})
    info = write_piece(source, tmp_path / "piece")
    piece = probe(str(tmp_path / "piece"))
    for old, new in zip(
        decode_range(source, info, scan(source, info), 0, 29),
        decode_range(piece.path, piece, scan(piece.path, piece), 0, 29),
        strict=True,
    ):
        for a, b in zip(plane_views(old), plane_views(new), strict=True):
            assert np.array_equal(a, b)


@pytest.mark.parametrize(
    ("options", "size", "pix_fmt"),
    [
        ({"profile": "dnxhr_hqx"}, (640, 360), "yuv422p10le"),
        ({"b": "120M"}, (1920, 1080), "yuv422p"),
    ],
)
def test_dnxhd_keeps_its_profile_and_rate(footage, tmp_path, options, size, pix_fmt):
    source = footage(
        name="a.mov", codec="dnxhd", pix_fmt=pix_fmt, options=options, size=size,
        time_base=Fraction(1, 25), pts=(0, 1),
    )  # fmt: skip
    info = write_piece(source, tmp_path / "piece")
    piece = probe(str(tmp_path / "piece"))
    assert (piece.profile, piece.pix_fmt) == (info.profile, pix_fmt)
    assert piece.bit_rate == pytest.approx(info.bit_rate, rel=0.01)


@pytest.mark.parametrize(
    ("size", "rate", "pix_fmt", "sar"),
    [
        ((720, 576), Fraction(25), "yuv420p", Fraction(16, 15)),
        ((720, 576), Fraction(25), "yuv420p", Fraction(64, 45)),
        ((720, 480), Fraction(30000, 1001), "yuv411p", Fraction(8, 9)),
        ((720, 576), Fraction(25), "yuv422p", Fraction(16, 15)),
    ],
)
def test_dv_is_written_as_dv_with_its_shape_and_fields(footage, tmp_path, size, rate, pix_fmt, sar):
    source = footage(
        name="a.mov", codec="dvvideo", pix_fmt=pix_fmt, size=size, sar=sar, options={},
        time_base=1 / rate, pts=(0, 1),
    )  # fmt: skip
    info = write_piece(source, tmp_path / "piece")
    piece = probe(str(tmp_path / "piece"))
    for name in ("codec", "pix_fmt", "sar", "field_order", "display_size", "bit_rate"):
        assert getattr(piece, name) == getattr(info, name), name
    assert info.sar == sar
    both = [decode_range(seen.path, seen, scan(seen.path, seen), 0, 1) for seen in (info, piece)]
    for old, new in zip(*both, strict=True):
        assert field_order_of(new) == field_order_of(old) == FieldOrder.BOTTOM_FIRST
        lines = plane_views(old)[0].astype(float) - plane_views(new)[0]
        assert np.sqrt((lines**2).mean()) < 1.0


def test_an_all_intra_source_stays_all_intra(footage, tmp_path):
    write_piece(footage(name="intra.mp4", gop=1), tmp_path / "piece")
    with av.open(str(tmp_path / "piece")) as container:
        assert all(p.is_keyframe for p in container.demux(video=0) if p.size)


def test_settings_survive_json(footage):
    info = probe(footage())
    settings = mirror_settings(info)
    assert json.loads(json.dumps(dataclasses.asdict(settings)))["encoder"] == "libx264"


def test_an_edited_frame_does_not_leak_into_the_frames_around_it(footage):
    source = footage()
    info = probe(source)
    index = scan(source, info)
    plain = [[v.copy() for v in plane_views(f)] for f in decode_range(source, info, index, 0, 29)]
    noise = np.random.default_rng(0).standard_normal((32, 32, 3)).astype(np.float32)
    affine = np.array([[1.0, 0, 20], [0, 1.0, 30]])
    for number, frame in enumerate(decode_range(source, info, index, 0, 29)):
        if number % 2:
            paste_residual(frame, info, noise, np.ones((32, 32), np.float32), affine)
        for old, new in zip(plain[number], plane_views(frame), strict=True):
            changed = old != new
            step = 120 // old.shape[0]
            if number % 2:
                assert changed.any()
                changed[28 // step : 64 // step, 18 // step : 54 // step] = False
            assert not changed.any()


def test_an_unknown_preset_is_refused_by_name(footage):
    with pytest.raises(MediaError, match="no encoder preset 'quick'; known: ultrafast, superfast"):
        mirror_settings(probe(footage()), "quick")


def test_a_codec_without_an_encoder_is_refused_by_name(footage):
    info = dataclasses.replace(probe(footage()), codec="vc1")
    with pytest.raises(MediaError, match=r"clip\.mp4: cannot write vc1 video; known: av1, dnxhd"):
        mirror_settings(info)


def test_a_depth_the_encoder_lacks_is_refused_and_not_lowered(footage):
    info = dataclasses.replace(probe(footage()), codec="vp9", pix_fmt="yuv420p10le")
    with pytest.raises(MediaError, match=r"libvpx-vp9 cannot write yuv420p10le; known: yuv420p"):
        mirror_settings(info)


@pytest.mark.parametrize("wrong", ["error", "backwards", "nothing"])
def test_a_piece_that_fails_leaves_no_file_behind(footage, tmp_path, wrong):
    source = footage()
    info = probe(source)
    index = scan(source, info)
    frames = list(decode_range(source, info, index, 0, 3))

    def fail() -> None:
        with PieceWriter(str(tmp_path / "piece.mp4"), info, mirror_settings(info)) as writer:
            if wrong == "nothing":
                return
            for frame in frames:
                writer.write(frame)
            if wrong == "backwards":
                writer.write(frames[0])
            raise MediaError("the editor failed")

    with pytest.raises(MediaError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_piece_in_a_missing_folder_is_refused_in_one_line(footage, tmp_path):
    info = probe(footage())
    with pytest.raises(MediaError, match=r"nowhere/piece\.mp4: cannot .*No such file") as refusal:
        PieceWriter(str(tmp_path / "nowhere" / "piece.mp4"), info, mirror_settings(info))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("limit", [100, 4000, 60_000])
def test_a_full_disk_is_one_line_and_leaves_nothing(footage, on_small_disk, tmp_path, limit):
    source = footage(name="large.mp4", size=(640, 480), pts=tuple(range(0, 60 * 512, 512)))
    code = """
import sys
from pipeline.errors import MediaError
from pipeline.media.read.probe import probe, scan
from pipeline.media.read.decoding.decode import decode_range
from pipeline.media.write.encoding.encode import PieceWriter
from pipeline.media.write.encoding.mirror import mirror_settings
info = probe(sys.argv[1]); index = scan(sys.argv[1], info)
try:
    with PieceWriter(sys.argv[2], info, mirror_settings(info, "ultrafast")) as writer:
        for frame in decode_range(sys.argv[1], info, index, 0, len(index) - 1):
            writer.write(frame)
except MediaError as error:
    print("refused:", error)
"""
    done = on_small_disk(code, limit, source, str(tmp_path / "piece.mp4"))
    assert done.stdout.startswith("refused: "), done.stderr
    assert "piece.mp4" in done.stdout
    assert len(done.stdout.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
