"""A part of a clip in a file of its own: its frames, sound, chapters and time code."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from keyframes.clock.part import parse_part
from pipeline.media.compare.witness import compare_files
from pipeline.media.planes import all_plane_views
from pipeline.media.read.decoding.decode import decode_range
from pipeline.media.read.inspection import Inspection, inspect_video
from pipeline.media.write.encoding.encode import PieceWriter
from pipeline.media.write.encoding.mirror import mirror_settings
from pipeline.media.write.join import Copied, Part
from pipeline.media.write.mux import finish

CLOSED = {"preset": "ultrafast", "bf": "2", "x264-params": "open-gop=0:scenecut=0", "qp": "0"}
FIRST, LAST = 17, 41
PART = "0.68s..1.68s"
CHAPTERS = ((0, 600, "One"), (600, 5000, "Two"))


def part_made(source: str, output: Path) -> Inspection:
    """Frames FIRST…LAST, of which closed groups that lie whole in them are copied."""
    whole = inspect_video(source)
    part = whole.part(FIRST, LAST)
    settings = mirror_settings(whole.info, "ultrafast", index=whole.index)
    parts: list[Part] = []
    group = part.index.group if settings.copies_groups else np.full(part.frames, -1)
    cuts = [0, *(np.flatnonzero(np.diff(group >= 0)) + 1).tolist(), part.frames]
    for first, after in pairwise(cuts):
        if group[first] >= 0:
            parts.append(Copied(first, after - 1))
            continue
        parts.append(str(output.with_name(f"{first}.{settings.piece_format}")))
        with PieceWriter(str(parts[-1]), whole.info, settings) as writer:
            bounds = FIRST + first, FIRST + after - 1
            for frame in decode_range(source, whole.info, whole.index, *bounds):
                writer.write(frame)
    made = finish(part.labelled, part.index, parts, str(output), settings)
    assert made.frames == LAST - FIRST + 1
    assert made.copied == {".mov": LAST - FIRST + 1, ".ts": 0}.get(output.suffix, 20)
    return part


def sounds(path: str, bounds: tuple[Fraction, Fraction]) -> list[tuple[Fraction, bytes]]:
    """Packets that begin within the bounds, their times from there on."""
    with av.open(path) as container:
        packets = [p for p in container.demux(audio=0) if p.size and p.pts is not None]
        told = [(p.pts * p.time_base, bytes(p)) for p in packets]
    return [(at - bounds[0], data) for at, data in told if bounds[0] <= at < bounds[1]]


def with_marks(source: str, path: Path) -> str:
    """The clip with chapters and, in mov, a time code."""
    with av.open(source) as old, av.open(str(path), "w") as new:
        if path.suffix != ".ts":
            new.set_chapters([
                {"id": n, "start": start, "end": end, "time_base": Fraction(1, 1000),
                 "metadata": {"title": title}} for n, (start, end, title) in enumerate(CHAPTERS)
            ])  # fmt: skip
        streams = {s.index: new.add_stream_from_template(s, opaque=True) for s in old.streams}
        streams[0].codec_context.framerate = Fraction(25)
        if path.suffix == ".mov":
            streams[0].metadata["timecode"] = "01:00:59:20"
        for packet in old.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                new.mux(packet)
    return str(path)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [("a.mp4", "libx264", "yuv420p"), ("b.mkv", "libx264", "yuv420p"),
     ("c.mov", "prores_ks", "yuv422p10le"), ("d.ts", "libx264", "yuv420p")],
)  # fmt: skip
def test_a_part_holds_its_frames_and_its_sound_and_begins_where_the_clip_does(
    footage, tmp_path, name, codec, pix_fmt
):
    options = CLOSED if codec == "libx264" else {}
    clip = footage(name="s.mov", codec=codec, pix_fmt=pix_fmt, options=options, sound="aac",
                   pts=tuple(range(0, 60 * 512, 512)))  # fmt: skip
    source, output = with_marks(clip, tmp_path / name), tmp_path / f"out-{name}"
    part = part_made(source, output)
    found = compare_files(source, str(output), only=parse_part(PART))
    assert found.exit_status == 0, found.summary
    made, whole = inspect_video(str(output)), inspect_video(source)
    assert np.diff(made.times_s) == pytest.approx(np.diff(part.times_s), abs=1e-3)
    assert abs(made.times_s[0]) < 1e-3
    if codec == "libx264":
        shown = decode_range(source, whole.info, whole.index, FIRST, LAST)
        again = decode_range(str(output), made.info, made.index, 0, LAST - FIRST)
        for one, other in zip(shown, again, strict=True):
            assert all(map(np.array_equal, all_plane_views(one), all_plane_views(other)))
    base, cut = whole.info.time_base, part.index.cut
    assert cut is not None
    there = sounds(source, (part.index.pts[0] * base, cut.end * base))
    starts = made.index.pts[0] * made.info.time_base
    here = sounds(str(output), (starts, starts + 10))
    assert len(there) > 40
    assert [data for _, data in here] == [data for _, data in there]
    assert [float(at) for at, _ in here] == pytest.approx([float(at) for at, _ in there], abs=1e-3)
    if name == "c.mov":
        assert made.info.timecode == "01:01:00:12"
    if name != "d.ts":
        with av.open(str(output)) as container:
            (two,) = container.chapters()
        assert two["metadata"]["title"] == "Two"
        assert float(two["start"] * two["time_base"]) == pytest.approx(float(starts), abs=1e-3)


def test_a_part_is_held_against_its_own_part_of_the_source(footage, tmp_path):
    source = footage(name="s.mp4", options=CLOSED, sound="aac", pts=tuple(range(0, 60 * 512, 512)))
    part_made(source, tmp_path / "out.mp4")
    made = str(tmp_path / "out.mp4")
    assert compare_files(source, made).exit_status == 1, "it is not the whole"
    other = compare_files(source, made, only=parse_part("0.72s..1.72s"))
    assert {f.topic for f in other.findings if f.verdict == "lost"} >= {"audio 1 (aac)"}
