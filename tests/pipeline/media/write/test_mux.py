"""The whole way: decode, encode in pieces, join, copy, verify, publish. Nothing may be lost."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import MediaError
from pipeline.media.compare.facts import read_facts
from pipeline.media.read.decoding.decode import decode_range
from pipeline.media.read.origin import is_ours
from pipeline.media.read.probe import probe, scan
from pipeline.media.write.check import check_output
from pipeline.media.write.encoding.mirror import mirror_settings
from pipeline.media.write.mux import finish
from tests.pipeline.media.write.round_trip import make_pieces, round_trip

NTSC = tuple(range(0, 30 * 1001, 1001))
JITTER = tuple(np.cumsum([0, *np.random.default_rng(3).integers(700, 9000, 29)]).tolist())


def shown_s(path: str) -> list[Fraction]:
    info = probe(path)
    return [int(pts) * info.time_base for pts in scan(path, info).pts]


@pytest.mark.parametrize(
    "description",
    [
        {"pts": NTSC, "time_base": Fraction(1, 30000), "sound": "aac"},
        {"pts": NTSC, "time_base": Fraction(1, 24000)},
        {"pts": JITTER, "time_base": Fraction(1, 90000), "sound": "aac"},
        {"pts": tuple(p + 5120 for p in range(0, 30 * 512, 512)), "sound": "aac"},
        {"pts": tuple(p + 1001 for p in NTSC), "time_base": Fraction(1, 30000)},
        {"name": "a.mkv", "pts": tuple(range(23, 1000, 40)), "time_base": Fraction(1, 1000),
         "sound": "aac"},
        {"name": "a.ts", "pts": tuple(range(200_000, 300_000, 3600)),
         "time_base": Fraction(1, 90000), "sound": "mp2"},
        {"name": "a.avi", "pts": tuple(range(20)), "time_base": Fraction(1, 25),
         "codec": "mjpeg", "pix_fmt": "yuvj420p", "options": {}, "colour": (2, 2, 5, 2),
         "sound": "mp2"},
        {"name": "a.mov", "codec": "prores_ks", "pix_fmt": "yuv422p10le", "options": {},
         "pts": NTSC, "time_base": Fraction(1, 30000), "sound": "pcm_s24le",
         "metadata": {"timecode": "01:00:00;00"}},
        {"name": "a.webm", "codec": "libvpx", "options": {}, "pts": tuple(range(0, 1000, 40)),
         "time_base": Fraction(1, 1000), "sound": "libopus", "sar": Fraction(4, 3),
         "colour": (2, 2, 2, 0)},
        {"name": "b.mkv", "codec": "libvpx-vp9", "options": {"deadline": "realtime"},
         "pts": tuple(range(0, 400, 40)), "time_base": Fraction(1, 1000), "sar": Fraction(64, 45),
         "colour": (9, 16, 9, 1)},
    ],
    ids=["29.97", "24000", "vfr", "late", "late-ntsc", "mkv", "ts",
          "avi", "prores", "webm", "vp9-mkv"],
)  # fmt: skip
def test_every_time_and_every_copied_byte_is_the_source_s(footage, tmp_path, description):
    source = footage(**{"name": "a.mp4", **description})
    finished, info = round_trip(source, tmp_path, [7, 8])
    assert shown_s(finished.path) == shown_s(source)
    assert finished.frames == len(shown_s(source))
    assert finished.warnings == ()
    assert probe(finished.path).sar == info.sar
    before, after = ([(t.kind, t.payload_md5, t.first_s) for t in read_facts(p).tracks]
                     for p in (source, finished.path))  # fmt: skip
    assert after == before


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cuts=st.sets(st.integers(1, 29), max_size=5).map(sorted))
def test_pieces_join_wherever_they_were_cut(footage, tmp_path_factory, cuts):
    folder = tmp_path_factory.mktemp("pieces")
    source = footage(options={"preset": "veryfast", "bf": "3"})
    finished, _ = round_trip(source, folder, cuts)
    found = probe(finished.path)
    frames = decode_range(finished.path, found, scan(finished.path, found), 0, 29)
    assert [f.pts for f in frames] == list(range(0, 30 * 512, 512))
    with av.open(finished.path) as container:
        dts = [p.dts for p in container.demux(video=0) if p.size]
    assert all(b > a for a, b in pairwise(dts))


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_rotation_pixel_shape_and_tags_are_kept(footage, tmp_path, rotation):
    source = footage(
        name="tagged.mp4", rotation=rotation, hflip=rotation == 180, sar=Fraction(64, 45),
        colour=(9, 18, 9, 1), pix_fmt="yuv420p10le",
        metadata={"title": "Ein Titel é", "com.apple.quicktime.make": "Camera"},
        container_options={"movflags": "use_metadata_tags"},
    )  # fmt: skip
    finished, info = round_trip(source, tmp_path, [11])
    found = probe(finished.path)
    assert finished.warnings == ()
    for name in ("display_matrix", "rotation", "mirrored", "sar", "colour", "pix_fmt", "profile"):
        assert getattr(found, name) == getattr(info, name), name
    with av.open(finished.path) as container:
        assert container.metadata["title"] == "Ein Titel é"
        assert container.metadata["com.apple.quicktime.make"] == "Camera"


def test_a_wrong_read_back_is_found(footage, tmp_path):
    """The check itself can fail: a source said to have other tags than its pieces."""
    info, index, encoding, pieces = make_pieces(footage(), tmp_path, [])
    for change, reason in (
        ({"sar": Fraction(4, 3)}, None),
        ({"colour": dataclasses.replace(info.colour, transfer=16)}, "transfer reads back as 1"),
        ({"codec": "hevc"}, "codec reads back as h264"),
    ):
        output = tmp_path / "out.mp4"
        wrong = dataclasses.replace(info, **change)
        if reason is None:
            finish(wrong, index, pieces, str(output), encoding)
            output.unlink()
            continue
        with pytest.raises(MediaError, match=reason):
            finish(wrong, index, pieces, str(output), encoding)
        assert not list(tmp_path.glob("*out*"))


def test_another_container_keeps_what_it_can_and_says_what_not(footage, tmp_path):
    source = footage(
        name="a.ts", pts=tuple(range(200_000, 300_000, 3600)), time_base=Fraction(1, 90000),
        sound="aac",
    )  # fmt: skip
    finished, info = round_trip(source, tmp_path, [9], "moved.mp4")
    start = round(Fraction(info.clock_start_s).limit_denominator(10**6) * 90000)
    assert shown_s(finished.path) == [t - Fraction(start, 90000) for t in shown_s(source)]
    rounded, _ = round_trip(footage(pts=NTSC, time_base=Fraction(1, 30000)), tmp_path, [9], "b.mkv")
    assert rounded.warnings == (
        "frame times: rounded (Matroska counts in milliseconds): at most 0.500 ms off",
    )


def test_an_output_that_was_there_survives_a_failure(footage, tmp_path):
    info, index, encoding, pieces = make_pieces(footage(), tmp_path, [12])
    output = tmp_path / "out.mp4"
    output.write_bytes(b"precious")
    with pytest.raises(MediaError):
        finish(info, index, pieces[:1], str(output), encoding)
    assert output.read_bytes() == b"precious"
    finish(info, index, pieces, str(output), encoding)
    assert output.stat().st_size > 1000
    assert not list(tmp_path.glob(".*"))


def test_pieces_that_do_not_fit_are_refused(footage, tmp_path):
    info, index, encoding, pieces = make_pieces(footage(), tmp_path, [12, 20])
    other = tmp_path / "other"
    other.mkdir()
    *_, changed = make_pieces(footage(), other, [12, 20], options={"preset": "slow", "crf": "30"})
    (tmp_path / "cut").write_bytes(Path(pieces[1]).read_bytes()[:900])
    for wrong, reason in (
        ([], "no pieces"),
        (pieces[:2], "the pieces hold 20 frames; expected 30"),
        ([*pieces, pieces[0]], "more than its 30 frames"),
        ([pieces[0], changed[1], pieces[2]], "encoded with other settings"),
        ([pieces[0], str(tmp_path / "gone"), pieces[2]], "no such file"),
        ([pieces[0], str(tmp_path / "cut"), pieces[2]], "cannot be opened"),
    ):
        with pytest.raises(MediaError, match=reason) as refusal:
            finish(info, index, wrong, str(tmp_path / "out.mp4"), encoding)
        assert "\n" not in str(refusal.value)
        assert not list(tmp_path.glob("*out*"))


def test_frames_shown_at_other_times_are_refused(footage, tmp_path):
    *_, pieces = make_pieces(footage(), tmp_path, [])
    vfr = footage(name="vfr.mp4", pts=JITTER, time_base=Fraction(1, 12800))
    info = probe(vfr)
    with pytest.raises(MediaError, match=r"frame 1 of the piece is shown 512 ticks after"):
        finish(info, scan(vfr, info), pieces, str(tmp_path / "o.mp4"), mirror_settings(info))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("out.gif", r"cannot write \.gif; known: \.mp4, \.m4v"),
        ("out", "cannot write no extension"),
        ("out.webm", "webm cannot hold its (h264 video|audio stream)"),
        ("000000.mp4/out.mp4", "Not a directory"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_in_one_line(footage, tmp_path, name, reason):
    info, index, encoding, pieces = make_pieces(footage(sound="aac"), tmp_path, [])
    with pytest.raises(MediaError, match=reason) as refusal:
        finish(info, index, pieces, str(tmp_path / name), encoding)
    assert "\n" not in str(refusal.value)
    assert not list(tmp_path.glob("*out*"))


def test_an_avi_takes_what_is_shown_at_one_rate_from_the_start(footage, tmp_path):
    finished, _ = round_trip(
        footage(pts=NTSC, time_base=Fraction(1, 30000)), tmp_path, [7], "a.avi"
    )
    assert probe(finished.path).times_by_order
    assert shown_s(finished.path) == [Fraction(pts, 30000) for pts in NTSC]
    for pts in (JITTER, tuple(pts + 90 for pts in range(0, 9000, 3600))):
        source = footage(name="other.mp4", pts=pts, time_base=Fraction(1, 90000))
        info = probe(source)
        with pytest.raises(MediaError, match=r"at one rate from 0; .* --output a\.mov"):
            check_output(info, mirror_settings(info), "a.avi", scan(source, info))


@pytest.mark.parametrize("limit", [2000, 40_000, 90_000])
def test_a_full_disk_leaves_no_output(footage, on_small_disk, tmp_path, limit):
    source = footage(name="large.mp4", size=(640, 480), pts=tuple(range(0, 60 * 512, 512)))
    *_, pieces = make_pieces(source, tmp_path, [30])
    assert sum(Path(p).stat().st_size for p in pieces) > limit
    code = """
import sys
from pipeline.errors import MediaError
from pipeline.media.compare.facts import read_facts
from pipeline.media.read.probe import probe, scan
from pipeline.media.write.encoding.mirror import mirror_settings
from pipeline.media.write.mux import finish
info = probe(sys.argv[1]); index = scan(sys.argv[1], info)
try:
    finish(info, index, sys.argv[3:], sys.argv[2], mirror_settings(info, "ultrafast"))
except MediaError as error:
    print("refused:", error)
"""
    done = on_small_disk(code, limit, source, str(tmp_path / "out.mp4"), *pieces)
    assert done.stdout.startswith("refused: "), done.stderr
    assert len(done.stdout.strip().splitlines()) == 1
    assert not list(tmp_path.glob("*out*"))


def test_the_corpus_goes_round_or_is_refused(corpus, tmp_path):
    folder, manifest = corpus
    for name, truth in manifest.items():
        expected = truth.get("expect_error", "")
        if expected and not expected.startswith("optional"):
            with pytest.raises(MediaError, match=name):
                round_trip(str(folder / name), tmp_path, [])
            continue
        cuts = [len(truth["video"]["pts"]) // 2] if len(truth["video"]["pts"]) > 1 else []
        finished, info = round_trip(str(folder / name), tmp_path, cuts, name)
        found = probe(finished.path)
        assert finished.warnings == (), name
        assert scan(finished.path, found).pts.tolist() == truth["video"]["pts"], name
        assert (found.rotation, found.colour, found.hdr, found.sar) == (
            info.rotation, info.colour, info.hdr, info.sar,
        ), name  # fmt: skip
        main = truth["main_video_index"]
        payload = {s["payload_md5"] for s in truth["streams"]
                   if s["index"] != main and s["type"] != "data"}  # fmt: skip
        assert payload <= {t.payload_md5 for t in read_facts(finished.path).tracks}, name


@pytest.mark.parametrize("name", ["o.mp4", "o.mov", "o.mkv", "o.nut", "o.ts", "o.m2ts", "o.avi"])
def test_a_result_is_known_as_ours_in_every_container(footage, tmp_path, name):
    source = footage()
    round_trip(source, tmp_path, [], name)
    assert (is_ours(source), is_ours(str(tmp_path / name))) == (False, True)
