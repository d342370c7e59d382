"""Traps of real footage that cost others frames, tracks or memory, made on the spot.

Those met elsewhere: frames shared by the decoder, picture types (write/encoding/test_encode.py),
cut files and recordings (read/test_probe.py), clocks, time codes, full disks (write/test_mux.py),
tracks nobody knows, late sound, fields (write/test_carried.py), masks (edit/test_composite.py).
"""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.errors import MediaError
from pipeline.media.compare.findings import Verdict
from pipeline.media.compare.witness import compare_files
from pipeline.media.opening import MAX_PIXELS, close_quietly
from pipeline.media.read.decoding.decode import decode_range
from pipeline.media.read.inspection import inspect_video
from pipeline.media.read.probe import probe
from tests.pipeline.media.compare.test_promises import rich
from tests.pipeline.media.write.round_trip import round_trip
from tests.pipeline.media.write.test_carried import with_telemetry

ONE = {"pts": (0,), "time_base": Fraction(1, 25), "size": (64, 48)}
FOUR = {**ONE, "pts": tuple(range(4))}
MJPEG = {"codec": "mjpeg", "pix_fmt": "yuvj420p", "options": {}, "colour": (2, 2, 5, 2)}
HDR10 = (
    "log-level=none:hdr10=1:max-cll=1000,400:"
    "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
)


def kept(source: str, output: str) -> None:
    found = compare_files(source, output)
    assert found.exit_status == 0, [
        (f.topic, f.words) for f in found.of(Verdict.LOST, Verdict.LIMITED)
    ]


def test_a_picture_a_hair_larger_than_the_cap_is_refused_before_it_is_held(tmp_path):
    bomb, height = tmp_path / "bomb.mov", 8200
    assert 16400 * height > MAX_PIXELS  # FFmpeg's own limit is higher
    with av.open(str(bomb), "w") as container:
        stream = container.add_stream("png", rate=1, width=16400, height=height)
        stream.pix_fmt = "gray"
        black = np.zeros((height, 16400), np.uint8)
        for packet in (*stream.encode(av.VideoFrame.from_ndarray(black, "gray")), *stream.encode()):
            container.mux(packet)
    assert bomb.stat().st_size < 1_000_000
    with pytest.raises(MediaError, match=rf"bomb\.mov: .* larger than {MAX_PIXELS}") as refusal:
        inspect_video(str(bomb))
    assert "\n" not in str(refusal.value)


def test_a_size_that_only_the_container_claims_is_not_believed(footage, tmp_path):
    data = bytearray(Path(footage(**FOUR)).read_bytes())
    entry = data.index(b"avc1", data.index(b"stsd")) + 28
    assert data[entry : entry + 4] == bytes((0, 64, 0, 48))
    data[entry : entry + 4] = b"\xff\xff\xff\xff"
    claimed = tmp_path / "claimed.mp4"
    claimed.write_bytes(data)
    finished, info = round_trip(str(claimed), tmp_path, [])
    assert (info.width, info.height) == (64, 48)
    assert (probe(finished.path).width, finished.frames) == (64, 4)


def test_an_output_that_cannot_begin_leaves_no_file_open(tmp_path):
    path = tmp_path / "none.mp4"
    container = av.open(str(path), "w")
    stream = container.add_stream("libx264", rate=25)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    stream.codec_context.codec_tag = "zzzz"  # which mp4 does not know
    with pytest.raises((av.FFmpegError, ValueError)):
        container.start_encoding()
    close_quietly(container)
    open_files = [str(f.readlink()) for f in Path("/proc/self/fd").iterdir() if f.is_symlink()]
    assert not any("none.mp4" in name for name in open_files)


NAMES = ["two  words.mp4", "-dash.mp4", "--input=x.mp4", "Grüße 日本 🎬.mp4", "take:1.mp4",
         "concat:a|b.mp4", "shot %03d [a-z]*?.mp4", "it's \"quoted\" & $HOME;.mp4",
         "new\nline.mp4", "file:a.mp4", "e\u0301 and \u00e9.mp4"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_a_name_whatever_it_looks_like(footage, tmp_path, monkeypatch, name):
    """As it is given, relative to where the command runs."""
    clip = Path(footage(**FOUR, sound="aac")).read_bytes()
    (tmp_path / name).write_bytes(clip)
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.chdir(tmp_path)
    finished, _ = round_trip(name, Path("out"), [], name)
    assert sorted(p.name for p in out.iterdir() if p.suffix == ".mp4") == sorted(
        ["000000.mp4", name]
    )
    kept(name, finished.path)


def test_the_commands_take_such_names(footage, tmp_path):
    for name in ("-dash.mp4", "take:1 %d.mp4"):
        (tmp_path / name).write_bytes(Path(footage(**FOUR)).read_bytes())
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, str(root / "jobs" / "verify.py"), "--quiet", "--", "-dash.mp4",
         "take:1 %d.mp4"], cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout, done.stderr)


def test_links_and_other_file_systems_are_places_like_others(footage, tmp_path):
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system here")
    real = tmp_path / "real"
    real.mkdir()
    (real / "clip.mp4").write_bytes(Path(footage(**FOUR, sound="aac")).read_bytes())
    (tmp_path / "link.mp4").symlink_to(real / "clip.mp4")
    (tmp_path / "hard.mp4").hardlink_to(real / "clip.mp4")
    for number, name in enumerate(("link.mp4", "hard.mp4")):
        source = str(tmp_path / name)
        folder = elsewhere / f"aureel-test-{tmp_path.name}-{number}"
        (tmp_path / f"out{number}").symlink_to(folder)
        folder.mkdir()
        try:
            finished, _ = round_trip(source, tmp_path, [2], f"out{number}/made.mp4")
            kept(source, finished.path)
            assert [p.name for p in folder.iterdir()] == ["made.mp4"]
        finally:
            for left in folder.iterdir():
                left.unlink()
            folder.rmdir()


@pytest.mark.parametrize(
    "clip",
    [
        {"name": "a.mp4", "sound": "aac"},
        {"name": "b.mov", "codec": "libx265", "options": {"x265-params": "log-level=none"}},
        {"name": "c.mkv", "codec": "ffv1", "options": {}, "time_base": Fraction(1, 1000)},
        {"name": "d.mov", "codec": "prores_ks", "pix_fmt": "yuv422p10le", "options": {}},
        {"name": "e.avi", **MJPEG},
        {"name": "f.ts", "size": (160, 120), "sound": "mp2"},
        {"name": "g.webm", "codec": "libvpx-vp9", "options": {"deadline": "realtime"},
         "time_base": Fraction(1, 1000)},
    ],
    ids=lambda clip: clip["name"],
)  # fmt: skip
def test_a_clip_of_one_frame_is_a_clip(footage, tmp_path, clip):
    source = footage(**{**ONE, **clip})
    finished, _ = round_trip(source, tmp_path, [])
    assert finished.frames == 1
    found = compare_files(source, finished.path)
    assert not found.of(Verdict.LOST), [f.words for f in found.of(Verdict.LOST)]


@pytest.mark.parametrize("name", ["a.mkv", "a.mov"])
def test_chapters_labels_attachments_subtitles_and_recut_pcm_come_through(footage, tmp_path, name):
    source = rich(footage, tmp_path / name)
    finished, _ = round_trip(source, tmp_path, [5], f"out{Path(name).suffix}")
    kept(source, finished.path)
    assert finished.warnings == ()


def test_chapters_do_not_hide_a_cameras_telemetry(footage, tmp_path):
    """Their titles lie in a track that FFmpeg does not know either."""
    source = with_telemetry(
        footage(sound="aac"), tmp_path / "both.mp4", b"gpmd", b"meta", ("One", "Two")
    )
    finished, _ = round_trip(source, tmp_path, [])
    kept(source, finished.path)
    told = [f.topic for f in compare_files(source, finished.path).of(Verdict.KEPT)]
    assert any("gpmd" in topic for topic in told)
    assert "chapters" in told


def test_hdr10_is_in_the_decoded_pictures_too(footage, tmp_path):
    source = footage(
        name="hdr.mp4", codec="libx265", pix_fmt="yuv420p10le", colour=(9, 16, 9, 1),
        options={"preset": "ultrafast", "x265-params": HDR10}, pts=tuple(range(0, 6 * 512, 512)),
    )  # fmt: skip
    finished, info = round_trip(source, tmp_path, [3])
    assert all(info.hdr)
    assert probe(finished.path).hdr == info.hdr
    kept(source, finished.path)


def test_frames_that_an_edit_list_hides_stay_hidden(footage, tmp_path):
    source = footage(pts=tuple(range(0, 12 * 512, 512)), options={"preset": "ultrafast", "bf": "0"})
    data = bytearray(Path(source).read_bytes())
    entry = data.index(b"elst") + 12  # version and flags, count; then duration, media time
    shown = int.from_bytes(data[entry : entry + 4], "big")
    data[entry : entry + 4] = (shown * 8 // 12).to_bytes(4, "big")
    data[entry + 4 : entry + 8] = (4 * 512).to_bytes(4, "big")
    hidden = tmp_path / "hidden.mp4"
    hidden.write_bytes(data)
    finished, info = round_trip(str(hidden), tmp_path, [2])
    assert finished.frames == 8
    made, found, whole = map(inspect_video, (finished.path, str(hidden), source))
    assert made.times_s.tolist() == found.times_s.tolist()
    first = next(iter(decode_range(source, whole.info, whole.index, 4, 4)))
    shown_first = next(iter(decode_range(str(hidden), info, found.index, 0, 0)))
    assert bytes(first.planes[0]) == bytes(shown_first.planes[0])


def test_mpeg4_takes_a_clock_that_its_encoder_refuses(footage, tmp_path):
    times = tuple(n * 3753 for n in range(8))
    source = footage(codec="mpeg4", name="m.mp4", options={}, pts=tuple(range(8)),
                     time_base=Fraction(1, 24), size=(64, 48))  # fmt: skip
    retimed = tmp_path / "m90.mp4"
    with (
        av.open(source) as old,
        av.open(str(retimed), "w", container_options={"video_track_timescale": "90000"}) as new,
    ):
        video = new.add_stream_from_template(old.streams.video[0], opaque=True)
        for number, packet in enumerate(p for p in old.demux(video=0) if p.size):
            packet.pts = packet.dts = times[number]
            packet.duration, packet.time_base, packet.stream = 3753, Fraction(1, 90000), video
            new.mux(packet)
    finished, _ = round_trip(str(retimed), tmp_path, [3])
    assert inspect_video(finished.path).index.pts.tolist() == list(times)


THREE_HOURS = """
import resource, sys
from pathlib import Path
from tests.pipeline.media.write.round_trip import round_trip
from pipeline.media.compare.facts import read_facts
finished, _ = round_trip(sys.argv[1], Path(sys.argv[2]), [])
assert len(read_facts(finished.path).index) == finished.frames
print(finished.frames, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_three_hours_take_no_more_memory_than_minutes(footage, tmp_path):
    """A clip of 54,000 frames: decoded, encoded, joined, read back and compared."""
    source = footage(**{**ONE, "pts": tuple(range(15)), "size": (32, 32), "gop": 15},
                     options={"preset": "ultrafast", "bf": "0"})  # fmt: skip
    peaks = {}
    for name, seconds in (("minutes", 180), ("hours", 3 * 3600)):
        clip, folder = tmp_path / f"{name}.mp4", tmp_path / name
        folder.mkdir()
        _repeated(source, clip, seconds)
        done = subprocess.run(
            [sys.executable, "-c", THREE_HOURS, str(clip), str(folder)], capture_output=True,
            text=True, check=True, cwd=Path(__file__).resolve().parents[3],
        )  # fmt: skip
        frames, peak = map(int, done.stdout.split())
        assert frames == seconds * 5
        peaks[name] = peak
    assert (
        peaks["hours"] - peaks["minutes"] < 40 * 1024
    )  # KiB; 24 bytes of times per frame are 1 MB


def _repeated(source: str, clip: Path, seconds: int) -> None:
    """Fifteen frames, again and again, five a second."""
    with av.open(source) as old:
        packets = [(bytes(p), p.is_keyframe) for p in old.demux(video=0) if p.size]
        with av.open(str(clip), "w") as new:
            video = new.add_stream_from_template(old.streams.video[0], opaque=True)
            for number in range(seconds * 5):
                data, is_key = packets[number % 15]
                packet = av.Packet(data)
                packet.pts = packet.dts = number
                packet.duration, packet.time_base = 1, Fraction(1, 5)
                packet.is_keyframe, packet.stream = is_key, video
                new.mux(packet)
