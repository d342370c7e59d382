"""What headers and packets tell, and one clear line for each kind of broken file."""

from __future__ import annotations

import pickle
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from pipeline.errors import MediaError
from pipeline.media.read.decoding.decode import decode_range
from pipeline.media.read.envelope import missing_bytes
from pipeline.media.read.probe import probe, scan


def cut_copy(source: str, folder: Path, share: float) -> str:
    whole = Path(source).read_bytes()
    copy = folder / f"cut{Path(source).suffix}"
    copy.write_bytes(whole[: int(len(whole) * share)])
    return str(copy)


def without_first_packets(source: str, folder: Path, count: int) -> str:
    """A recording that began `count` pictures too late."""
    path = str(folder / f"late{Path(source).suffix}")
    with av.open(source) as whole, av.open(path, "w") as late:
        stream = late.add_stream_from_template(whole.streams.video[0], opaque=True)
        for number, packet in enumerate(p for p in whole.demux(video=0) if p.size):
            if number >= count:
                packet.stream = stream
                late.mux(packet)
    return path


def one_line(path: str) -> str:
    with pytest.raises(MediaError) as refusal:
        scan(path, probe(path))
    line = str(refusal.value)
    assert "\n" not in line
    assert Path(path).name in line
    assert pickle.loads(pickle.dumps(refusal.value)).args == refusal.value.args
    return line


def test_what_is_no_video_is_refused_in_one_line(tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("not a film\n" * 400)
    (tmp_path / "folder.mp4").mkdir()
    for name, reason in (
        ("gone.mp4", "no such file"),
        ("empty.mp4", r"empty (0 bytes)"),
        ("text.mp4", "cannot be opened as a video"),
        ("folder.mp4", "not a file"),
    ):
        assert reason in one_line(str(tmp_path / name))


@pytest.mark.parametrize(("suffix", "kind"), [("png", "png_pipe"), ("jpg", "jpeg_pipe")])
def test_a_picture_is_refused(tmp_path, suffix, kind):
    path = str(tmp_path / f"still.{suffix}")
    assert cv2.imwrite(path, np.zeros((64, 64, 3), np.uint8))
    assert f"a picture ({kind}); expected a video" in one_line(path)


def test_sound_alone_is_refused(footage, tmp_path):
    path = str(tmp_path / "sound.m4a")
    with av.open(footage(sound="aac")) as source, av.open(path, "w", format="mp4") as target:
        stream = target.add_stream_from_template(source.streams.audio[0], opaque=True)
        for packet in source.demux(audio=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    assert "no video stream; the file holds sound" in one_line(path)


@pytest.mark.parametrize(
    ("description", "share"),
    [
        ({"container_options": {"movflags": "faststart"}}, 0.6),
        ({"container_options": {"movflags": "frag_keyframe+empty_moov"}}, 0.6),
        ({"name": "clip.mkv"}, 0.6),
        ({"name": "clip.mkv"}, 0.995),
        ({"name": "clip.avi", "codec": "mjpeg", "pix_fmt": "yuvj420p", "options": {},
          "time_base": Fraction(1, 25), "pts": tuple(range(30))}, 0.6),
        ({}, 0.6),
    ],
)  # fmt: skip
def test_a_file_that_was_cut_short_is_refused(footage, tmp_path, description, share):
    source = footage(**description)
    assert missing_bytes(source) == 0
    line = one_line(cut_copy(source, tmp_path, share))
    assert "cut" in line


def test_untagged_footage_says_which_matrix_is_assumed(footage):
    small = probe(footage(name="small.mp4", colour=(2, 2, 2, 0)))
    large = probe(footage(name="large.mp4", colour=(2, 2, 2, 0), size=(64, 720), pts=(0, 512)))
    assert (small.colour.matrix_name, large.colour.matrix_name) == ("smpte170m", "bt709")
    assert small.colour.matrix_assumed
    assert small.warnings == ("no colour matrix tagged: bt601 assumed for 120 lines",)
    assert probe(footage()).warnings == ()


def test_info_and_index_travel_between_processes(footage):
    info = probe(footage())
    index = scan(info.path, info)
    assert pickle.loads(pickle.dumps(info)) == info
    assert np.array_equal(pickle.loads(pickle.dumps(index)).pts, index.pts)


OPEN_GOP = {"preset": "fast", "bf": "3", "x264-params": "open-gop=1:scenecut=0"}


@pytest.mark.parametrize("late", [3, 8, 11])
@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_a_recording_that_began_inside_a_group_holds_only_what_decodes(
    footage, tmp_path, codec, late
):
    source = footage(
        name="open.ts", codec=codec, gop=8, time_base=Fraction(1, 25), pts=tuple(range(40)),
        options=OPEN_GOP if codec == "libx264" else {"bf": "2"},
    )  # fmt: skip
    path = without_first_packets(source, tmp_path, late)
    info = probe(path)
    index = scan(path, info)
    with av.open(path) as container:
        shown = [f.pts for f in container.decode(video=0)]
    assert index.pts.tolist() == shown
    assert len(index) < 40 - late
    assert "starts inside a group of pictures" in index.notes[0]
    assert len(list(decode_range(path, info, index, 0, len(index) - 1))) == len(shown)


def test_hidden_reference_frames_of_vp8_are_not_counted(footage):
    path = footage(
        name="alt.webm", codec="libvpx", size=(320, 240), pts=tuple(range(0, 60 * 40, 40)),
        time_base=Fraction(1, 1000),
        options={"auto-alt-ref": "1", "lag-in-frames": "16", "deadline": "good", "b": "300000"},
    )  # fmt: skip
    info = probe(path)
    assert scan(path, info).pts.tolist() == list(range(0, 60 * 40, 40))


def test_the_frames_of_an_avi_are_shown_in_their_order_at_its_rate(footage):
    path = footage(name="b.avi", time_base=Fraction(1, 25), pts=tuple(range(30)))
    info = probe(path)
    index = scan(path, info)
    assert index.pts.tolist() == list(range(30))
    frames = decode_range(path, info, index, 7, 9)
    assert [frame.pts for frame in frames] == [7, 8, 9]


def test_two_frames_at_one_time_are_refused(footage, tmp_path):
    path = str(tmp_path / "twice.mkv")
    with (
        av.open(footage(options={"preset": "ultrafast", "bf": "0"})) as whole,
        av.open(path, "w") as target,
    ):
        stream = target.add_stream_from_template(whole.streams.video[0], opaque=True)
        for number, packet in enumerate(p for p in whole.demux(video=0) if p.size):
            packet.stream = stream
            if number == 7:
                packet.pts = packet.dts = (packet.pts or 0) - 512
            target.mux(packet)
    told = one_line(path)
    assert "1 of 30 frames share another's time stamp" in told
    assert "ffmpeg -i IN -map 0 -c copy -bsf:v 'setts=pts=max(" in told
