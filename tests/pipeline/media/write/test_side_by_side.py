"""The comparison video: the source on the left, the output on the right, at the source's times."""

import shutil

import numpy as np
import pytest

from pipeline.demo.clip import make_demo_clip
from pipeline.errors import MediaError
from pipeline.media.read.decoding.reader import analysis_frames
from pipeline.media.read.inspection import inspect_video
from pipeline.media.write.side_by_side import write_side_by_side


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    first = make_demo_clip(folder / "a.mp4", seconds=0.4, size=(160, 128))
    make_demo_clip(folder / "c.mp4", seconds=0.8, size=(160, 128))
    shutil.copy(first, folder / "b.mp4")
    return [inspect_video(str(folder / f"{name}.mp4")) for name in "abc"]


def frames(clip):
    read = analysis_frames(clip.info.path, clip.info, clip.index, 0, clip.frames - 1)
    return np.stack([shown.rgb for shown in read]).astype(int)


def test_both_halves_show_their_clip_frame_by_frame(clips, tmp_path):
    before, after, _ = clips
    made = inspect_video(str(write_side_by_side(tmp_path / "ab.mp4", before, after)))
    assert made.frames == before.frames
    assert np.allclose(made.times_s, before.times_s - before.times_s[0])
    shown, source = frames(made), frames(before)
    assert shown.shape[1:3] == (128, 324)
    for half in (shown[:, :, :160], shown[:, :, 164:]):
        assert np.abs(half - source).mean() < 4
    assert shown[:, :, 161:163].min() > 180


def test_clips_of_other_lengths_are_refused_and_leave_nothing(clips, tmp_path):
    with pytest.raises(MediaError, match="got 10 and 20 frames; expected as many"):
        write_side_by_side(tmp_path / "ac.mp4", clips[0], clips[2])
    assert not list(tmp_path.iterdir())
