"""Each thing that the witness promises to see, changed alone: it is named, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from pipeline.media.bitstream.messages import Message, with_messages
from pipeline.media.bitstream.mpeg2 import FieldFlags, with_field_flags
from pipeline.media.bitstream.units import unit_format
from pipeline.media.compare.facts import read_facts
from pipeline.media.compare.findings import Verdict
from pipeline.media.compare.witness import compare_files, witness
from tests.pipeline.media.write.test_carried import HEVC, caption, rewritten, with_telemetry

PTS = tuple(range(0, 12 * 512, 512))
PLAIN = {"pts": PTS, "gop": 6, "options": {"preset": "ultrafast", "crf": "12"}}
MS = Fraction(1, 1000)


def differences(source: str, output: str) -> dict[str, Verdict]:
    found = compare_files(source, output)
    assert (found.exit_status == 0) == (not found.of(Verdict.LOST, Verdict.LIMITED))
    return {f.topic: f.verdict for f in found.of(Verdict.LOST, Verdict.LIMITED)}


def disposed(names: str) -> av.stream.Disposition:
    return reduce(or_, (getattr(av.stream.Disposition, name) for name in names.split("+")))


def rich(footage, path: Path, **other: Any) -> str:
    """A clip with two sounds, subtitles, chapters, tags, and in Matroska an attachment."""
    says = {
        "languages": ("deu", "eng"), "dispositions": ("default+original", "hearing_impaired"),
        "shifted": {}, "flipped": None, "cue_ms": 300, "title": "Shot 12", "second": True,
        "chapters": ((0, 200, "One"), (200, 440, "Two")), "attached": b"letters", "text": True,
        "video_language": "fra", **other,
    }  # fmt: skip
    is_mkv = path.suffix == ".mkv"
    with av.open(footage(**PLAIN)) as pictures, av.open(str(path), "w") as new:
        new.metadata["title"] = says["title"]
        video = new.add_stream_from_template(pictures.streams.video[0], opaque=True)
        video.metadata["language"] = says["video_language"]
        sounds = [new.add_mux_stream("pcm_s16le", rate=48000) for _ in range(1 + says["second"])]
        for sound, language, disposition in zip(
            sounds, says["languages"], says["dispositions"], strict=False
        ):
            sound.layout, sound.format, sound.time_base = "mono", "s16", Fraction(1, 48000)
            sound.metadata["language"] = language
            sound.disposition = disposed(disposition)
        text = new.add_mux_stream("subrip" if is_mkv else "mov_text") if says["text"] else None
        if is_mkv:
            new.add_attachment("font.ttf", "font/ttf", says["attached"])
        new.set_chapters([
            {"id": n + 1, "start": a, "end": b, "time_base": MS, "metadata": {"title": title}}
            for n, (a, b, title) in enumerate(says["chapters"])
        ])  # fmt: skip
        for packet in pictures.demux(video=0):
            if packet.size:
                packet.stream = video
                new.mux(packet)
        random = np.random.default_rng(1)
        for stream in sounds:
            for number in range(10):
                data = bytearray(random.integers(0, 99, 3840, np.uint8).tobytes())
                if says["flipped"] == (stream.index, number):
                    data[1000] ^= 1
                late = says["shifted"].get((stream.index, number), 0)
                _put(new, stream, bytes(data), number * 1920 + late, 1920)
        if text is not None:
            text.time_base = MS
            for number in range(2):
                cue = f"{number} words".encode()
                cue = cue if is_mkv else len(cue).to_bytes(2, "big") + cue
                _put(new, text, cue, number * 200, says["cue_ms"] if number else 100)
    return str(path)


def _put(container: Any, stream: Any, data: bytes, pts: int, duration: int) -> None:
    packet = av.Packet(data)
    packet.pts = packet.dts = pts
    packet.duration, packet.time_base, packet.stream = duration, stream.time_base, stream
    packet.is_keyframe = True
    container.mux(packet)


CHANGES = {
    "one packet of sound, inside, late": ({"shifted": {(1, 5): 480}}, "audio 1 (pcm_s16le) times"),
    "a bit of the second sound": ({"flipped": (2, 3)}, "audio 2 (pcm_s16le)"),
    "no second sound": ({"second": False}, "audio 2 (pcm_s16le)"),
    "a sound's language": ({"languages": ("deu", "fra")}, "audio 2 (pcm_s16le) language"),
    "a sound's disposition": ({"dispositions": ("default+original", "dub")},
                              "audio 2 (pcm_s16le) disposition"),
    "the default sound": ({"dispositions": ("original", "hearing_impaired+default")},
                          "audio 1 (pcm_s16le) disposition"),
    "no subtitles": ({"text": False}, "subtitle 3 (subrip)"),
    "how long a cue is shown": ({"cue_ms": 350}, "subtitle 3 (subrip) lengths"),
    "a chapter's title": ({"chapters": ((0, 200, "One"), (200, 440, "Zwei"))}, "chapters"),
    "a chapter's time": ({"chapters": ((0, 203, "One"), (203, 440, "Two"))}, "chapters"),
    "a chapter": ({"chapters": ((0, 200, "One"),)}, "chapters"),
    "an attachment's bytes": ({"attached": b"LETTERS"}, "attachment 4 (font.ttf)"),
    "the file's title": ({"title": "Shot 13"}, "tags"),
    "the video's language": ({"video_language": "ita"}, "video 0 (h264) language"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_beside_the_pictures_is_named(footage, tmp_path, change):
    other, topic = CHANGES[change]
    source = rich(footage, tmp_path / "a.mkv")
    found = differences(source, rich(footage, tmp_path / "b.mkv", **other))
    assert topic in found
    assert all(t.split(" (")[0] == topic.split(" (")[0] or "tracks" in t for t in found), found


@pytest.mark.parametrize("name", ["a.mkv", "a.mov", "a.mp4"])
def test_what_was_only_wrapped_anew_is_the_same(footage, tmp_path, name):
    # PCM in mp4 would be another codec's business
    source = rich(footage, tmp_path / name) if name != "a.mp4" else footage(**PLAIN, sound="aac")
    target = tmp_path / f"again{Path(name).suffix}"
    with av.open(source) as old, av.open(str(target), "w") as new:
        new.metadata.update(old.metadata)
        new.set_chapters(old.chapters())
        copies = {}
        for stream in old.streams:
            if stream.type == "attachment":
                new.add_attachment(
                    stream.metadata["filename"], stream.metadata["mimetype"], stream.data
                )
            elif stream.type in ("video", "audio", "subtitle"):
                copies[stream.index] = new.add_stream_from_template(stream, opaque=True)
                copies[stream.index].metadata.update(stream.metadata)
                copies[stream.index].disposition = stream.disposition
                copies[stream.index].time_base = stream.time_base
        for packet in old.demux(*[old.streams[i] for i in copies]):
            if packet.size:
                packet.stream = copies[packet.stream.index]
                new.mux(packet)
    assert differences(source, str(target)) == {}


def messages(number: int, **other: Any) -> list[Message]:
    dynamic = other.get("dynamic", {}).get(number, number)
    made = [Message(4, b"\xb5\x00\x3c\x00\x01\x04" + bytes((dynamic, 0, 0, 1)))]
    made += [caption(number)] if number not in other.get("silent", ()) else []
    return [*made, Message(136, time_code(number + other.get("clock", 0)))]


def time_code(frame: int) -> bytes:
    """ITU-T H.265 D.2.27: one full time stamp, 01:00:00 and a frame."""
    bits = f"01{1:b}{0:b}{0:05b}{1:b}{0:b}{0:b}{frame:09b}{0:06b}{0:06b}{1:05b}{0:05b}"
    bits = bits.ljust(-(-len(bits) // 8) * 8, "0")
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


@pytest.mark.parametrize(
    ("other", "topic"),
    [
        ({}, None),
        ({"silent": (4,)}, "closed captions"),
        ({"dynamic": {5: 6, 6: 5}}, "HDR10+"),
        ({"dynamic": {7: 99}}, "HDR10+"),
        ({"clock": 1}, "time code (SEI)"),
    ],
)
def test_a_change_of_what_a_picture_carries_is_named(footage, tmp_path, other, topic):
    plain = footage(**HEVC)
    with av.open(plain) as container:
        form = unit_format("hevc", container.streams.video[0].codec_context.extradata)

    def made(name: str, **changed: Any) -> str:
        return rewritten(
            plain, tmp_path / name,
            lambda n, data: with_messages(data, form, messages(n, **changed)),
        )  # fmt: skip

    found = differences(made("a.mp4"), made("b.mp4", **other))
    assert {t.removesuffix(" (per picture)") for t in found} <= {topic, "time code"}
    assert (topic in found) == (topic is not None)
    assert topic or not found


def test_light_of_the_mastering_display_is_compared(footage):
    def graded(most: int, level: str) -> str:
        display = f"G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L({most},1)"
        params = f"log-level=none:hdr10=1:master-display={display}:max-cll={level}"
        options = {"preset": "ultrafast", "x265-params": params}
        return footage(**{**HEVC, "pts": PTS[:4], "options": options})

    source = graded(10_000_000, "1000,400")
    assert differences(source, source) == {}
    assert "mastering display" in differences(source, graded(40_000_000, "1000,400"))
    assert "light level" in differences(source, graded(10_000_000, "1000,300"))
    none = footage(**{**HEVC, "pts": PTS[:4]})
    assert {"mastering display", "light level"} <= set(differences(source, none))


def test_fields_repeats_chroma_place_alpha_and_time_code_are_compared(footage, tmp_path):
    in_fields = {**PLAIN, "codec": "ffv1", "options": {"flags": "+ildct+ilme"}, "name": "f.mkv",
                 "time_base": MS, "pts": tuple(range(0, 160, 40))}  # fmt: skip
    first = [footage(**{**in_fields, "fields": order}) for order in ("tff", "bff")]
    assert {"field order", "fields"} <= set(differences(*first))
    film = footage(name="film.ts", codec="mpeg2video", options={"flags": "+ildct+ilme", "bf": "0"},
                   pts=tuple(range(12)), time_base=Fraction(1, 25))  # fmt: skip

    def repeated(name: str, every: int) -> str:
        flags = [FieldFlags(n % 4 < 2, n % every == 1, True) for n in range(12)]
        return rewritten(film, tmp_path / name, lambda n, data: with_field_flags(data, flags[n]))

    assert "repeated fields" in differences(repeated("a.ts", 2), repeated("b.ts", 4))
    place = {**PLAIN, "options": {**PLAIN["options"], "chroma_sample_location": "topleft"}}
    assert "chroma place" in differences(footage(**place), footage(**PLAIN))
    seen = {"name": "x.mkv", "codec": "ffv1", "options": {}, "pix_fmt": "yuva444p10le",
            "pts": (0, 40), "time_base": MS}  # fmt: skip
    assert "alpha samples" in differences(footage(**seen, alpha=True), footage(**seen))
    opaque = footage(**{**seen, "pix_fmt": "yuv444p10le"})
    assert "alpha" in differences(footage(**seen, alpha=True), opaque)
    labels = [
        footage(**PLAIN, name="t.mov", metadata={"timecode": f"01:00:00:0{n}"}) for n in (0, 1)
    ]
    assert "time code" in differences(*labels)


def test_a_last_duration_dolby_vision_and_a_second_eye_are_compared(footage, tmp_path):
    facts = read_facts(footage(**PLAIN))
    lengths = facts.index.duration.copy()
    lengths[-1] += 3
    for changed, topic in (
        (replace(facts, index=replace(facts.index, duration=lengths)), "last duration"),
        (replace(facts, info=replace(facts.info, dolby_vision=(8, 4))), "Dolby Vision"),
        (replace(facts, info=replace(facts.info, layers=2)), "second eye"),
        (replace(facts, info=replace(facts.info, mirrored=True)), "rotation"),
    ):
        found = witness(changed, facts)
        assert {f.topic for f in found.of(Verdict.LOST)} == {topic}


def test_bytes_and_times_of_a_track_nobody_knows_are_compared(footage, tmp_path):
    source = with_telemetry(footage(**PLAIN), tmp_path / "a.mp4", b"gpmd", b"meta")
    changed = tmp_path / "b.mp4"
    changed.write_bytes(Path(source).read_bytes().replace(b"gps\x03", b"gps\x07"))
    assert any("gpmd" in topic for topic in differences(source, str(changed)))


@pytest.mark.parametrize("plane", [0, 1, 2])
def test_a_loss_in_one_plane_alone_is_named(footage, tmp_path, plane):
    """A picture whose luma is exact may still have lost its colours."""
    source = footage(**{**PLAIN, "options": {"preset": "ultrafast", "qp": "0"}, "pts": PTS[:6]})
    target = tmp_path / "worse.mp4"
    random = np.random.default_rng(plane)
    with av.open(source) as old, av.open(str(target), "w") as new:
        given = old.streams.video[0]
        video = new.add_stream("libx264", rate=25, options={"preset": "ultrafast", "qp": "0"})
        video.width, video.height, video.pix_fmt = given.width, given.height, given.pix_fmt
        video.time_base = video.codec_context.time_base = given.time_base
        for frame in old.decode(given):
            frame.make_writable()
            frame.pict_type = 0
            samples = np.frombuffer(frame.planes[plane], np.uint8)
            samples[...] = np.clip(samples + random.integers(-9, 10, samples.shape), 1, 254)
            new.mux(video.encode(frame))
        new.mux(video.encode(None))
    assert "pictures" in differences(source, str(target))
