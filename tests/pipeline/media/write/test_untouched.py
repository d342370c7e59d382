"""Frames without an edit come back as the source's own packets, beside frames that were encoded."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.edit.render import piece_writer
from pipeline.edit.segments import plan_segments
from pipeline.errors import MediaError
from pipeline.media.bitstream.units import parameter_units, unit_format
from pipeline.media.compare.facts import read_facts
from pipeline.media.compare.witness import compare_files
from pipeline.media.planes import all_plane_views
from pipeline.media.read import part_packets, scan
from pipeline.media.read.decoding.decode import decode_range
from pipeline.media.read.inspection import Inspection, inspect_video
from pipeline.media.read.part_packets import packets_of
from pipeline.media.write import untouched
from pipeline.media.write.encoding.mirror import mirror_settings
from pipeline.media.write.encoding.settings import EncodeSettings
from pipeline.media.write.join import Copied, Part
from pipeline.media.write.mux import FinishedVideo, finish
from pipeline.media.write.shared_header import NotCopyableError, shared_header
from pipeline.media.write.untouched import check_copies, encoded_anew, facts_beside_copies
from pipeline.pieces import frames_to_copy
from pipeline.settings import EncodeWish

X265 = {"preset": "ultrafast", "x265-params": "log-level=none:bframes=3:open-gop=0"}
INTRA = {"preset": "veryfast", "g": "1", "crf": "8"}
H264 = {"preset": "veryfast", "bf": "2", "x264-params": "open-gop=0:scenecut=0"}


def parts_of(seen: Inspection, folder: Path, edited: set[int]) -> tuple[list[Part], EncodeSettings]:
    """What a run makes of a clip some of whose frames are edited: a dark square on each."""
    settings = mirror_settings(seen.info, "ultrafast", index=seen.index)
    active = np.isin(np.arange(seen.frames), list(edited))
    copied = frames_to_copy(seen.index, active, settings)
    parts: list[Part] = []
    for span in plan_segments(seen.index.is_key, active, 0.02, copied):
        if span.copied:
            parts.append(Copied(span.first, span.last))
            continue
        path = str(folder / f"{span.number}.{settings.piece_format}")
        with piece_writer(seen, span, settings, Path(path)) as write:
            frames = decode_range(seen.info.path, seen.info, seen.index, span.first, span.last)
            for number, frame in enumerate(frames, span.first):
                if number in edited:
                    frame.make_writable()
                    all_plane_views(frame)[0][8:40, 8:40] = 20
                write(frame, is_changed=number in edited)
        parts.append(path)
    return parts, settings


def edited_clip(source: str, folder: Path, edited: set[int], name: str) -> FinishedVideo:
    seen = inspect_video(source)
    parts, settings = parts_of(seen, folder, edited)
    return finish(seen.info, seen.index, parts, str(folder / name), settings)


def planes(path: str) -> list[list[np.ndarray]]:
    """Every frame's planes, by a decoder that reads the file from its beginning."""
    with av.open(path) as container:
        return [[v.copy() for v in all_plane_views(f)] for f in container.decode(video=0)]


def packets(path: str, kind: str = "video") -> dict[int, bytes]:
    with av.open(path) as container:
        return {p.pts: bytes(p) for p in container.demux(**{kind: 0}) if p.size}


@pytest.mark.parametrize(
    ("codec", "name", "options", "pix_fmt"),
    [
        ("libx264", "a.mp4", H264, "yuv420p"),
        ("libx264", "b.mkv", {**H264, "x264-params": "open-gop=0:cabac=0:ref=3"}, "yuv422p10le"),
        ("libx264", "c.mov", {**H264, "x264-params": "sps-id=3:tff=1", "flags": "+ildct+ilme"},
         "yuv420p"),
        ("libx264", "d.mov", INTRA, "yuv422p10le"),
        ("libx265", "f.mkv", X265, "yuv420p10le"),
        ("libx265", "g.mov", {**X265, "x265-params": "log-level=none:open-gop=0:no-sao=1:slices=2"},
         "yuv422p10le"),
    ],
)  # fmt: skip
def test_groups_without_an_edit_are_the_source_s_own_packets(
    footage, tmp_path, codec, name, options, pix_fmt
):
    step = 40 if name.endswith("mkv") else 512
    source = footage(
        name=name, codec=codec, options=options, pix_fmt=pix_fmt, gop=1 if name == "d.mov" else 6,
        pts=tuple(range(0, 30 * step, step)), sound="aac" if name == "a.mp4" else None,
        time_base=Fraction(1, 1000) if step == 40 else Fraction(1, 12800), size=(176, 144),
    )  # fmt: skip
    finished = edited_clip(source, tmp_path, {8, 9, 20}, f"out{name}")
    untouched = [
        n for n in range(30) if not (n in (8, 9, 20) if name == "d.mov" else n // 6 in (1, 3))
    ]
    assert finished.copied == len(untouched)
    assert finished.warnings == ()
    old, new = planes(source), planes(finished.path)
    assert len(new) == 30
    for number in untouched:
        assert all(map(np.array_equal, old[number], new[number])), number
    assert all(abs(float(new[n][0][12:36, 12:36].mean()) - 20) < 3 for n in (8, 9, 20))
    before, after = packets(source), packets(finished.path)
    assert sum(before[pts] == after.get(pts) for pts in before) == len(untouched)
    found = compare_files(source, finished.path)
    assert found.exit_status == 0, found.summary


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "options"),
    [("a.mov", "prores_ks", "yuv422p10le", {}), ("b.mp4", "libx264", "yuv420p", H264)],
)
def test_an_edit_of_two_seconds_changes_two_seconds_of_packets(
    footage, tmp_path, name, codec, pix_fmt, options
):
    source = footage(name=name, codec=codec, pix_fmt=pix_fmt, options=options, gop=25,
                     size=(64, 48), pts=tuple(range(0, 300 * 512, 512)))  # fmt: skip
    finished = edited_clip(source, tmp_path, set(range(100, 150)), name)
    before, after = packets(source), packets(finished.path)
    changed = [pts // 512 for pts in sorted(before) if before[pts] != after[pts]]
    assert changed == list(range(100, 150))
    assert finished.copied == 250
    assert "250 of 300 frames copied bit for bit" in finished.encoded


def with_other_parameters(footage, target: Path) -> str:
    """A clip whose second half was made by another encoder, which says so at each key frame, under
    a number that would be ours."""
    other = {**H264, "x264-params": "open-gop=0:cabac=0:sps-id=15"}
    first, second = footage(options=H264, gop=5), footage(name="2.mp4", options=other, gop=5)
    with av.open(first) as a, av.open(second) as b, av.open(str(target), "w") as new:
        video = new.add_stream_from_template(a.streams.video[0], opaque=True)
        header = b.streams.video[0].codec_context.extradata
        form = unit_format("h264", header)
        for number, packet in enumerate(p for c in (a, b) for p in c.demux(video=0) if p.size):
            data, late = bytes(packet), 30 * 512 * (number >= 30)
            if late and packet.is_keyframe:
                data = form.join([*parameter_units("h264", header), *form.split(data)])
            made = av.Packet(data)
            made.pts, made.dts, made.duration = packet.pts + late, packet.dts + late, 512
            made.time_base, made.is_keyframe = packet.time_base, packet.is_keyframe
            made.stream = video
            new.mux(made)
    return str(target)


def test_what_cannot_stand_beside_encoded_frames_is_encoded_too(footage, tmp_path):
    source = with_other_parameters(footage, tmp_path / "source.mp4")
    seen = inspect_video(source)
    parts, settings = parts_of(seen, tmp_path, {8, 48})
    output = tmp_path / "out.mp4"
    with pytest.raises(NotCopyableError, match="parameter sets under the number"):
        finish(seen.info, seen.index, parts, str(output), settings)
    assert not list(tmp_path.glob("*out*"))
    parts = encoded_anew(parts, tmp_path, seen.info, seen.index, settings)
    finished = finish(seen.info, seen.index, parts, str(output), settings)
    assert finished.copied == 0
    assert compare_files(source, str(output)).exit_status == 0


def test_frames_of_a_piece_that_cannot_stand_beside_its_others_are_encoded_too(footage, tmp_path):
    """Intra-only H.264: what a piece holds of the source is encoded, what is edited stays."""
    source = footage(name="i.mov", options=INTRA, pix_fmt="yuv422p10le", gop=1)
    seen = inspect_video(source)
    parts, settings = parts_of(seen, tmp_path, {8})
    assert settings.copies_untouched
    assert len(parts) == 1
    (piece,) = encoded_anew(parts, tmp_path, seen.info, seen.index, settings)
    before, after = packets(str(parts[0])), packets(piece)
    assert [n for n, pts in enumerate(sorted(after)) if after[pts] == before[pts]] == [8]
    alone = replace(settings, copies_untouched=False)
    finished = finish(seen.info, seen.index, [piece], str(tmp_path / "out.mov"), alone)
    assert finished.copied == 0
    assert compare_files(source, finished.path).exit_status == 0
    assert abs(float(planes(finished.path)[8][0][12:36, 12:36].mean()) - 20) < 3


@pytest.mark.parametrize(
    ("options", "gop"), [({"slices": "9", "coder": "rice"}, 1), ({"slicecrc": "0"}, 6)]
)
def test_ffv1_is_encoded_under_the_source_s_header_and_copied_beside(
    footage, tmp_path, options, gop
):
    source = footage(name="f.mkv", codec="ffv1", pix_fmt="yuv422p10le", gop=gop,
                     options={"level": "3", **options}, pts=tuple(range(0, 1200, 40)),
                     time_base=Fraction(1, 1000))  # fmt: skip
    finished = edited_clip(source, tmp_path, {26}, "out.mkv")
    before, after = packets(source), packets(finished.path)
    same = [n for n, pts in enumerate(sorted(before)) if before[pts] == after[pts]]
    assert set(range(24)) <= set(same)
    assert finished.copied == len(same)
    old, new = planes(source), planes(finished.path)
    changed = [n for n in range(30) if not all(map(np.array_equal, old[n], new[n]))]
    assert changed == [26]


def test_a_copy_that_decodes_otherwise_is_found(footage, tmp_path):
    source = footage(options=H264, gop=6)
    other = footage(options={**H264, "crf": "30"}, gop=6)
    some = np.array([1, *range(6, 18)])
    check_copies(read_facts(source), read_facts(source), some)
    with pytest.raises(NotCopyableError, match="frame 6 decodes otherwise"):
        check_copies(read_facts(source), read_facts(other), some[1:])
    with pytest.raises(NotCopyableError, match="no such file"):
        facts_beside_copies(str(tmp_path / "gone.mp4"), some)
    with pytest.raises(MediaError, match="no such file"):
        facts_beside_copies(str(tmp_path / "gone.mp4"), some[:0])


def test_of_copies_only_the_ends_of_each_run_and_changed_packets_are_decoded(
    footage, tmp_path, monkeypatch
):
    source = footage(options=H264, gop=3)
    seen, decoded = read_facts(source), list[tuple[int, int]]()

    def look(_, __, first, last):
        decoded.append((first, last))

    monkeypatch.setattr(untouched, "first_difference", look)
    everything = np.arange(30)
    check_copies(seen, seen, everything)
    assert decoded == [(0, 2), (27, 29)]
    decoded.clear()
    check_copies(seen, seen, np.r_[0:12, 18:30])
    assert decoded == [(0, 2), (9, 11), (18, 20), (27, 29)]
    decoded.clear()
    check_copies(seen, read_facts(with_a_changed_byte(source, tmp_path, 13)), everything)
    assert decoded == [(0, 2), (12, 14), (27, 29)]
    decoded.clear()
    unsure = replace(seen, index=replace(seen.index, group=np.full(30, -1)))
    check_copies(unsure, seen, everything)
    assert decoded == [(0, 29)]


def test_the_end_demuxes_source_and_output_of_mp4_once(footage, tmp_path, monkeypatch):
    """Of a clip of hours this is what it takes: all else is read by the index, without packets."""
    source = footage(options=H264, gop=6, sound="aac")
    seen = inspect_video(source)
    parts, settings = parts_of(seen, tmp_path, {8})
    demuxed: Counter[tuple[bool, str]] = Counter()

    def counted(container, streams):
        for packet in packets_of(container, streams):
            demuxed[container.name == source, packet.stream.type] += packet.size > 0
            yield packet

    for module in (scan, part_packets):
        monkeypatch.setattr(module, "packets_of", counted)
    finish(seen.info, seen.index, parts, str(tmp_path / "out.mp4"), settings)
    sounds = len(packets(source, "audio"))
    assert demuxed == {(True, "video"): 30, (True, "audio"): sounds, (False, "video"): 30}


def with_a_changed_byte(source: str, folder: Path, number: int) -> str:
    """The clip with another last byte in the packet of one frame, as shown."""
    changed, path = sorted(packets(source).items())[number][1], folder / "changed.mp4"
    data = Path(source).read_bytes()
    assert data.count(changed) == 1
    path.write_bytes(data.replace(changed, changed[:-1] + bytes([changed[-1] ^ 1])))
    return str(path)


def test_a_clip_without_any_edit_is_its_source(footage, tmp_path):
    source = footage(options=H264, gop=6, sound="aac")
    finished = edited_clip(source, tmp_path, set(), "out.mp4")
    assert finished.copied == 30
    assert packets(finished.path) == packets(source)
    assert compare_files(source, finished.path).exit_status == 0


def with_crossed_times(source: str, target: Path, number: int) -> str:
    """A clip of which a group's first frame is shown before the last one of the group before it."""
    with av.open(source) as old, av.open(str(target), "w") as new:
        video = new.add_stream_from_template(old.streams.video[0], opaque=True)
        for n, packet in enumerate(p for p in old.demux(video=0) if p.size):
            packet.pts += 512 * ((n == number - 1) - (n == number))
            packet.dts -= 512
            packet.stream = video
            new.mux(packet)
    return str(target)


def test_only_closed_groups_that_are_shown_whole_are_groups(footage, corpus, tmp_path):
    closed = inspect_video(footage(options=H264, gop=6)).index.group
    assert closed.tolist() == [n // 6 for n in range(30)]
    plain = footage(name="p.mp4", gop=6, options={"preset": "ultrafast", "bf": "0"})
    crossed = inspect_video(with_crossed_times(plain, tmp_path / "crossed.mp4", 12)).index.group
    assert crossed.tolist() == [0] * 6 + [1] * 12 + [2] * 6 + [3] * 6
    opened = footage(
        name="o.mp4", gop=6, options={"preset": "veryfast", "bf": "2", "x264-params": "open-gop=1"}
    )
    assert set(inspect_video(opened).index.group.tolist()) == {0}
    stream = footage(name="a.ts", pts=tuple(range(0, 36000, 3600)), time_base=Fraction(1, 90000))
    assert set(inspect_video(stream).index.group.tolist()) == {-1}
    folder, _ = corpus
    hidden = inspect_video(str(folder / "editlist_trim_midgop.mp4")).index.group
    assert hidden[0] == -1


def test_wishes_that_change_all_pictures_copy_none(footage):
    seen = inspect_video(footage(options=H264, gop=6))
    for wish, copies in (
        (EncodeWish(), True), (EncodeWish(untouched="encode"), False),
        (EncodeWish(quality="high"), False), (EncodeWish(codec="hevc"), False),
        (EncodeWish(bit_depth=10), False),
    ):  # fmt: skip
        assert mirror_settings(seen.info, index=seen.index, wish=wish).copies_groups == copies
    layered = replace(seen.info, layers=2)
    allowed = EncodeWish(allow=("second-eye",))
    assert not mirror_settings(layered, index=seen.index, wish=allowed).copies_groups
    alone = inspect_video(footage(name="i.mov", options=INTRA, pix_fmt="yuv422p10le", gop=1))
    assert mirror_settings(alone.info, index=alone.index, wish=allowed).copies_untouched
    layered = replace(alone.info, layers=2)
    assert not mirror_settings(layered, index=alone.index, wish=allowed).copies_untouched


def test_a_header_that_ends_too_soon_is_no_crash(footage):
    """A cut of a source's header either joins or is refused; the pieces' own is whole."""
    for source in (footage(options=H264, gop=6), footage(name="f.mkv", codec="libx265",
                   options=X265, gop=6)):  # fmt: skip
        info = inspect_video(source).info
        refused: list[int] = []
        for length in range(0, min(len(info.header), 160), 4):
            try:
                joined = shared_header(replace(info, header=info.header[:length]), info.header)
            except NotCopyableError:
                refused.append(length)
            else:
                assert joined
        assert 4 in refused, "a header of four bytes was joined"
