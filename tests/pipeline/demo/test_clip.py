import math
import socket
import time
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.trackers.mesh.tracker import MeshTracker
from pipeline.demo.acting import performance, schedule, voice
from pipeline.demo.clip import Camera, make_demo_clip
from pipeline.errors import MediaError


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_demo_clip(tmp_path_factory.mktemp("demo") / "new" / "clip.mp4")


@pytest.fixture(scope="module")
def frames(clip):
    with av.open(str(clip)) as container:
        return [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]


@pytest.fixture(scope="module")
def faces(frames):
    found = MeshTracker().track(frames[::2])
    assert {len(f) for f in found} == {1}
    return [f[0] for f in found]


def test_the_streams_are_what_the_docstring_says(clip):
    with av.open(str(clip)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        context = video.codec_context
        assert (context.name, context.pix_fmt, context.width, context.height) == (
            "h264",
            "yuv420p",
            512,
            512,
        )
        assert context.color_range == context.colorspace == 1
        assert context.color_primaries == context.color_trc == 1
        assert (video.average_rate, video.frames) == (25, 150)
        assert (audio.codec_context.name, audio.sample_rate) == ("aac", 48000)
        assert video.duration * video.time_base == 6
        assert audio.duration * audio.time_base == 6
        assert video.start_time == 0


def test_the_index_lies_before_the_media_so_that_the_clip_streams(clip):
    content = clip.read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")


def test_sound_and_picture_lie_interleaved(clip):
    with av.open(str(clip)) as container:
        order = [p.stream.type for p in container.demux() if p.size]
    assert "audio" in order[: len(order) // 10]
    assert "video" in order[-len(order) // 10 :]


def test_a_face_of_a_quarter_of_the_width_is_tracked_in_every_second_frame(frames, faces):
    widths = np.array([f.box[2] - f.box[0] for f in faces])
    assert widths.min() >= 0.25 * 512
    boxes = np.array([f.box for f in faces])
    assert boxes.min() >= 0
    assert boxes.max() <= 511


def test_the_face_itself_moves_not_only_the_camera(faces):
    points = np.array([f.landmarks_px for f in faces])
    unit = np.linalg.norm(points[:, 36] - points[:, 45], axis=1)

    def distance(a: int, b: int) -> np.ndarray:
        return np.linalg.norm(points[:, a] - points[:, b], axis=1) / unit

    assert np.ptp(distance(62, 66)) > 0.06, "the lips part"
    assert np.ptp(distance(27, 8)) > 0.04, "the chin drops"
    assert np.ptp((distance(37, 41) + distance(44, 46)) / 2) > 0.05, "the lids close"
    assert np.ptp((distance(19, 27) + distance(24, 27)) / 2) > 0.02, "the brows rise"


def test_the_mouth_opens_with_the_sound(clip, faces):
    with av.open(str(clip)) as container:
        blocks = [f.to_ndarray()[0] for f in container.decode(audio=0)]
    sound = np.concatenate(blocks)[: 150 * 1920].reshape(150, 1920)
    loudness = np.sqrt((sound**2).mean(axis=1))[::2]
    points = np.array([f.landmarks_px for f in faces])
    opening = np.linalg.norm(points[:, 62] - points[:, 66], axis=1)
    opening /= np.linalg.norm(points[:, 36] - points[:, 45], axis=1)
    quiet = loudness < 0.05 * loudness.max()
    assert quiet.sum() >= 5
    assert np.median(opening[~quiet]) > np.median(opening[quiet])
    assert np.corrcoef(loudness, opening)[0, 1] > 0.4


def test_the_same_arguments_give_the_same_bytes_without_a_network(tmp_path, monkeypatch):
    def refused(*_):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refused)
    first = make_demo_clip(tmp_path / "a.mp4", seconds=0.6)
    second = make_demo_clip(tmp_path / "b.mp4", seconds=0.6)
    assert first.read_bytes() == second.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]


def test_six_seconds_cost_few_seconds_of_processor(tmp_path):
    start = time.process_time()
    make_demo_clip(tmp_path / "clip.mp4")
    assert time.process_time() - start < 10.0


@pytest.mark.parametrize("size", [(640, 320), (270, 540), (854, 480)])
def test_other_shapes_and_rates_keep_the_face_large(tmp_path, size):
    rate = Fraction(30000, 1001)
    path = make_demo_clip(tmp_path / "clip.mp4", seconds=0.5, rate=rate, size=size)
    with av.open(str(path)) as container:
        assert container.streams.video[0].average_rate == rate
        frames = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    assert len(frames) == 15
    assert frames[0].shape == (size[1], size[0], 3)
    for faces in MeshTracker().track(frames[::5]):
        assert faces[0].box[2] - faces[0].box[0] >= 0.25 * size[0]


@given(
    time_s=st.floats(0, 600),
    size=st.sampled_from([(512, 512), (1280, 720), (720, 1280), (2000, 1000), (300, 600)]),
)
def test_no_frame_leaves_the_photograph(time_s, size):
    matrix = Camera(size).frame_to_photograph(time_s)
    x, y = size[0] - 0.5, size[1] - 0.5
    corners = np.array([[-0.5, -0.5, 1], [x, -0.5, 1], [-0.5, y, 1], [x, y, 1]])
    seen = corners @ matrix.T
    assert seen.min() >= 0
    assert seen.max() <= 511


@given(seconds=st.floats(0.2, 60))
def test_no_syllable_outlasts_the_clip_and_every_curve_stays_in_range(seconds):
    syllables = schedule(seconds)
    assert all(s.start_s > 0 and s.start_s + s.duration_s <= seconds for s in syllables)
    actor = performance(syllables, np.arange(0, seconds, 0.04))
    assert actor.opening.min() >= 0
    assert actor.opening.max() < 1.3
    assert np.abs(actor.spread).max() < 1.3
    assert np.abs(np.stack([actor.sway, actor.nod])).max() <= 1.0


def test_the_voice_is_loud_where_syllables_are_and_silent_between():
    syllables = schedule(6.0)
    sound = voice(syllables, 6 * 48000, 48000)
    assert sound.dtype == np.float32
    assert np.abs(sound).max() == pytest.approx(0.5, abs=1e-6)
    lead = int(syllables[0].start_s * 48000)
    assert not sound[:lead].any()
    middle = int((syllables[0].start_s + syllables[0].duration_s / 2) * 48000)
    assert np.sqrt((sound[middle : middle + 960] ** 2).mean()) > 0.02
    power = np.abs(np.fft.rfft(sound)) ** 2
    hertz = np.fft.rfftfreq(len(sound), 1 / 48000)
    assert power[hertz < 60].sum() < 0.003 * power.sum(), "no rumble below the pitch"
    assert power[hertz > 2000].sum() > 0.005 * power.sum(), "the upper formants are heard"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seconds": 0.0}, "got 0.0 seconds; expected 0.2…600"),
        ({"seconds": -3}, "got -3 seconds"),
        ({"seconds": math.nan}, "got nan seconds"),
        ({"seconds": math.inf}, "got inf seconds"),
        ({"rate": 0}, "got 0 frames/s; expected 1…120"),
        ({"rate": 29.97}, "got 29.97 frames/s; .* a Fraction over 1001"),
        ({"rate": math.nan}, "got nan frames/s"),
        ({"size": (511, 512)}, "got size 511x512; expected even sides of 96…2160"),
        ({"size": (0, 0)}, "got size 0x0"),
        ({"size": (96, 4000)}, "got size 96x4000; expected even sides"),
        ({"size": (1000, 200)}, "got size 1000x200; expected width 0.5…2 times the height"),
    ],
)
def test_nonsense_is_refused_in_one_line_and_leaves_nothing(tmp_path, arguments, message):
    with pytest.raises(MediaError, match=message) as caught:
        make_demo_clip(tmp_path / "clip.mp4", **arguments)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_path_that_cannot_be_written_is_named_and_leaves_nothing(tmp_path):
    with pytest.raises(MediaError, match=r"a demo clip is an \.mp4; got suffix '\.mov'"):
        make_demo_clip(tmp_path / "clip.mov")
    (tmp_path / "file").write_text("")
    with pytest.raises(MediaError, match=r"clip\.mp4: cannot write the demo clip"):
        make_demo_clip(tmp_path / "file" / "clip.mp4", seconds=0.2)
    (tmp_path / "taken.mp4").mkdir()
    with pytest.raises(MediaError, match=r"taken\.mp4: cannot write the demo clip"):
        make_demo_clip(tmp_path / "taken.mp4", seconds=0.2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "taken.mp4"]


def test_a_failed_remake_keeps_the_clip_that_was_there(tmp_path, monkeypatch):
    path = make_demo_clip(tmp_path / "clip.mp4", seconds=0.2)
    before = path.read_bytes()

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(MediaError, match="No space left on device"):
        make_demo_clip(path, seconds=0.4)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
