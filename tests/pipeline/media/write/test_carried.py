"""What travels beside the pictures: tracks FFmpeg does not know, messages, fields, late sound."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from pipeline.media.bitstream.messages import Message, messages_of, with_messages
from pipeline.media.bitstream.mpeg2 import FieldFlags, field_flags, with_field_flags
from pipeline.media.bitstream.units import unit_format
from pipeline.media.boxes.movie import payload_md5, read_movie
from pipeline.media.compare.witness import compare_files
from pipeline.media.read.frame_facts import FieldReader
from pipeline.media.read.probe import probe
from pipeline.media.read.side_data import side_data_of
from tests.pipeline.media.write.round_trip import round_trip

CAPTION = b"\xb5\x00\x31GA94\x03\x41\xff"
"""The head of one closed caption pair (ATSC A/53 part 4, table 6.9)."""
HEVC = {
    "codec": "libx265", "pix_fmt": "yuv420p10le", "colour": (9, 16, 9, 1),
    "pts": tuple(range(0, 12 * 512, 512)),
    "options": {"preset": "ultrafast", "x265-params": "log-level=none:keyint=6:bframes=3"},
}  # fmt: skip


def rewritten(source: str, target: Path, change) -> str:
    """A copy whose video packets are `change(number in presentation order, bytes)`."""
    with av.open(source) as old:
        order = sorted(p.pts for p in old.demux(video=0) if p.size)
    with av.open(source) as old, av.open(str(target), "w") as new:
        video = new.add_stream_from_template(old.streams.video[0], opaque=True)
        for packet in old.demux(video=0):
            if packet.size:
                made = av.Packet(change(order.index(packet.pts), bytes(packet)))
                made.pts, made.dts, made.time_base = packet.pts, packet.dts, packet.time_base
                made.duration, made.is_keyframe = packet.duration, packet.is_keyframe
                made.stream = video
                new.mux(made)
    return str(target)


def caption(number: int) -> Message:
    """A caption of its own for each picture; FFmpeg reads it as closed captions."""
    pair = bytes((0xFC, 0x80 | number, 0x20))
    return Message(4, CAPTION + pair + b"\xff")


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_captions_stay_with_their_pictures(footage, tmp_path, codec):
    plain = footage(**HEVC) if codec == "hevc" else footage(pts=HEVC["pts"], gop=6)
    with av.open(plain) as container:
        form = unit_format(codec, container.streams.video[0].codec_context.extradata)
    source = rewritten(
        plain, tmp_path / "cc.mp4", lambda n, data: with_messages(data, form, [caption(n)])
    )
    finished, _ = round_trip(source, tmp_path, [5])
    with av.open(source) as old, av.open(finished.path) as new:
        before = [side_data_of(f)["A53_CC"] for f in old.decode(video=0)]
        after = [side_data_of(f).get("A53_CC") for f in new.decode(video=0)]
    assert len(set(before)) == 12
    assert after == before


def test_dynamic_hdr_and_dolby_vision_units_stay_with_their_pictures(footage, tmp_path):
    plain = footage(**HEVC)
    with av.open(plain) as container:
        form = unit_format("hevc", container.streams.video[0].codec_context.extradata)

    def carried(number: int) -> list[Message]:
        dynamic = Message(4, b"\xb5\x00\x3c\x00\x01\x04" + bytes((number, 0, 0, 1)))
        return [dynamic, Message(-1, b"\x7c\x01" + bytes((0x19, number + 1, 0x80)))]

    source = rewritten(
        plain, tmp_path / "hdr.mp4", lambda n, data: with_messages(data, form, carried(n))
    )
    finished, _ = round_trip(source, tmp_path, [7])
    with av.open(finished.path) as container:
        stream = container.streams.video[0]
        form = unit_format("hevc", stream.codec_context.extradata)
        packets = sorted((p.pts, bytes(p)) for p in container.demux(video=0) if p.size)
    for number, (_, data) in enumerate(packets):
        assert messages_of(data, form) == carried(number)


def with_telemetry(
    source: str, target: Path, fourcc: bytes, handler: bytes, chapters: tuple[str, ...] = ()
) -> str:
    """A copy with a timed-text track dressed up as metadata no codec is known for."""
    with av.open(source) as old, av.open(str(target), "w") as new:
        new.set_chapters([
            {"id": n, "start": 100 * n, "end": 100 * n + 100, "time_base": Fraction(1, 1000),
             "metadata": {"title": title}} for n, title in enumerate(chapters)
        ])  # fmt: skip
        copies = {s.index: new.add_stream_from_template(s, opaque=True) for s in old.streams}
        text = new.add_mux_stream("mov_text")
        text.time_base = Fraction(1, 1000)
        for packet in old.demux():
            if packet.size:
                packet.stream = copies[packet.stream.index]
                new.mux(packet)
        for number in range(5):
            sample = av.Packet(bytes((0, 4)) + b"gps" + bytes((number,)))
            sample.pts = sample.dts = 100 * number
            sample.duration, sample.time_base, sample.stream = 100, Fraction(1, 1000), text
            new.mux(sample)
    data = target.read_bytes()
    assert data.count(b"tx3g") == 1
    at = data.index(b"sbtl")
    data = data[:at] + handler + data[at + 4 :]
    target.write_bytes(data.replace(b"tx3g", fourcc))
    return str(target)


@pytest.mark.parametrize(
    ("fourcc", "handler"), [(b"mebx", b"meta"), (b"gpmd", b"meta"), (b"rtmd", b"meta"),
                            (b"gpmd", b"text")]
)  # fmt: skip
def test_a_track_no_codec_is_known_for_is_copied_box_by_box(footage, tmp_path, fourcc, handler):
    source = with_telemetry(footage(sound="aac"), tmp_path / "source.mp4", fourcc, handler)
    finished, _ = round_trip(source, tmp_path, [9])
    old, new = read_movie(source), read_movie(finished.path)
    before, after = old.tracks[-1], new.tracks[-1]
    assert (after.handler, after.fourcc) == (handler.decode(), fourcc.decode())
    assert payload_md5(finished.path, after) == payload_md5(source, before)
    assert after.timing(new.timescale) == before.timing(old.timescale)
    assert finished.warnings == ()
    assert compare_files(source, finished.path).exit_status == 0
    with av.open(finished.path) as container:  # and the pictures and sound are where they were
        assert len(list(container.decode(video=0))) == 30


def test_a_track_that_cannot_be_copied_is_named(footage, tmp_path):
    source = with_telemetry(footage(), tmp_path / "source.mp4", b"mebx", b"meta")
    finished, _ = round_trip(source, tmp_path, [], "out.mkv")
    assert any("mebx" in line and "left out" in line for line in finished.warnings)


def test_user_data_and_parts_of_the_description_are_taken_over(footage, tmp_path):
    """What cameras write beside the tracks, and what players need to know of the picture."""
    source = Path(footage(sound="aac"))
    movie = read_movie(str(source))
    data = source.read_bytes()
    entry = data.index(b"avc1", data.index(b"stsd"))
    assert movie is not None
    box = b"\0\0\0\x0cFIRMv1.2"
    # a udta box with a camera's own child, in place of FFmpeg's
    at = data.index(b"udta") - 4
    length = int.from_bytes(data[at : at + 4], "big")
    assert length >= 20
    filler = b"\0\0\0" + bytes((length - 8 - 12,)) + b"free" if length > 20 else b""
    body = box + filler + bytes(length - 8 - 12 - len(filler))
    changed = data[: at + 8] + body + data[at + length :]
    target = tmp_path / "camera.mp4"
    target.write_bytes(changed)
    assert entry > 0
    finished, _ = round_trip(str(target), tmp_path, [])
    assert box in Path(finished.path).read_bytes()


@pytest.mark.parametrize("rate", [44100, 48000])
def test_late_sound_stays_where_it_was(footage, tmp_path, rate):
    with av.open(footage()) as old, av.open(str(tmp_path / "late.mp4"), "w") as new:
        video = new.add_stream_from_template(old.streams.video[0], opaque=True)
        sound = new.add_stream("aac", rate=rate)
        for packet in old.demux(video=0):
            if packet.size:
                packet.stream = video
                new.mux(packet)
        silence = av.AudioFrame(format="fltp", layout="stereo", samples=1024)
        for plane in silence.planes:
            plane.update(bytes(plane.buffer_size))
        silence.sample_rate = rate
        for number in range(20):
            silence.pts, silence.time_base = 7351 + 1024 * number, Fraction(1, rate)
            new.mux(sound.encode(silence))
        new.mux(sound.encode(None))
    finished, _ = round_trip(str(tmp_path / "late.mp4"), tmp_path, [11])
    assert finished.warnings == ()
    found = compare_files(str(tmp_path / "late.mp4"), finished.path)
    assert found.exit_status == 0, found.summary


@pytest.mark.parametrize("order", ["tff", "bff"])
@pytest.mark.parametrize("codec", ["libx264", "ffv1", "prores_ks", "mpeg2video"])
def test_the_field_that_comes_first_comes_first(footage, tmp_path, order, codec):
    name, options, pix_fmt = {
        "libx264": ("f.mov", {"preset": "ultrafast", "x264-params": f"{order}=1"}, "yuv420p"),
        "ffv1": ("f.mkv", {}, "yuv422p10le"),
        "prores_ks": ("f.mov", {}, "yuv422p10le"),
        "mpeg2video": ("f.ts", {}, "yuv422p"),
    }[codec]
    source = footage(
        name=f"{order}{name}", codec=codec, pix_fmt=pix_fmt, fields=order,
        options={**options, "flags": "+ildct+ilme"}, pts=tuple(range(8)), time_base=Fraction(1, 25),
    )  # fmt: skip
    finished, info = round_trip(source, tmp_path, [3])
    assert info.interlaced
    for path in (source, finished.path):
        reader = FieldReader()
        with av.open(path) as container:
            assert {reader.read(f).name for f in container.decode(video=0)} == {
                "TOP_FIRST" if order == "tff" else "BOTTOM_FIRST"
            }, path
    assert probe(finished.path).field_order == info.field_order


@pytest.mark.parametrize("name", ["film.mkv", "film.ts"])
def test_repeated_fields_of_film_are_kept(footage, tmp_path, name):
    flags = [FieldFlags(n % 4 < 2, n % 2 == 1, True) for n in range(12)]
    plain = footage(
        name=name, codec="mpeg2video", options={"flags": "+ildct+ilme", "bf": "0"},
        pts=tuple(range(12)), time_base=Fraction(1, 25),
    )  # fmt: skip
    source = rewritten(plain, tmp_path / name, lambda n, data: with_field_flags(data, flags[n]))
    finished, _ = round_trip(source, tmp_path, [4], f"out{name}")
    with av.open(finished.path) as container:
        found = [field_flags(d) for _, d in sorted(
            (p.pts, bytes(p)) for p in container.demux(video=0) if p.size)]  # fmt: skip
    assert found == flags
    assert finished.warnings == ()


def test_the_place_of_chroma_is_kept(footage, tmp_path):
    for codec in ("libx264", "libx265"):
        source = footage(**{**HEVC, "codec": codec, "options": {
            "preset": "ultrafast", "chroma_sample_location": "topleft",
            **({"x265-params": "log-level=none"} if codec == "libx265" else {})}})  # fmt: skip
        finished, info = round_trip(source, tmp_path, [], f"{codec}.mp4")
        assert info.chroma_place == "topleft"
        assert probe(finished.path).chroma_place == "topleft"


def test_an_avi_with_reordered_frames_is_made(footage, tmp_path):
    """AVI holds no times: shown frame k is at k frames."""
    source = footage(
        name="b.avi", pts=tuple(range(24)), time_base=Fraction(1, 25),
        options={"preset": "fast", "bf": "3"},
    )  # fmt: skip
    finished, info = round_trip(source, tmp_path, [9])
    assert info.times_by_order
    assert finished.warnings == ()
    found = compare_files(source, finished.path)
    assert found.exit_status == 0, found.summary
    elsewhere, _ = round_trip(source, tmp_path, [], "out.mp4")
    assert min(compare_files(source, elsewhere.path).figures["psnr_worst_db"]) > 36


def test_a_piece_of_a_frame_or_two_is_always_made(footage, tmp_path):
    """x265 gives such pieces decoding times at random."""
    for attempt in range(4):
        finished, _ = round_trip(footage(**HEVC), tmp_path, [1, 2, 4], f"{attempt}.mov")
        assert finished.frames == 12
