"""Large faces: all that the plate shows of them moves with them, and nothing is left behind."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from engines.editors.plate.editor import PlateEditor
from engines.editors.previz.editor import PrevizEditor
from keyframes.load import parse_sheet
from pipeline import affine
from pipeline.edit.batcher import MicroBatcher
from pipeline.edit.plan import plan_edits
from pipeline.edit.render import Rendered, edited_frames
from pipeline.edit.segments import Span
from pipeline.faces.align import crop_path, native_crops
from pipeline.faces.faces import Analysis
from pipeline.heads.landmarks import true_landmarks
from pipeline.heads.people import person
from pipeline.heads.render import View, render_person
from pipeline.media.read.inspection import inspect_video

SIDE = 1400
SMILE = parse_sheet("version: 1\nchannels: {AU6: [[0s, 3]], AU12: [[0s, 5]]}\n", "smile")


@pytest.fixture(scope="module")
def close_up(tmp_path_factory):
    """A sharp head that fills 1400², with pores, as a clip of two frames; and its analysis."""
    one, rest, view = person(2), np.zeros(12), View(size=SIDE)
    picture = render_person(one, rest, view).astype(np.float32)
    grain = np.random.default_rng(3).normal(0, 1, (SIDE, SIDE)).astype(np.float32)
    pores = cv2.GaussianBlur(grain, (0, 0), 0.8) - cv2.GaussianBlur(grain, (0, 0), 1.6)
    picture = np.clip(picture + 40 * pores[..., None], 0, 255).astype(np.uint8)
    path = tmp_path_factory.mktemp("close") / "close.mkv"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("ffv1", rate=Fraction(25))
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuv444p"
        for _ in range(2):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        file.mux(stream.encode())
    points = np.repeat(true_landmarks(one, rest, view).astype(np.float32)[None], 2, axis=0)
    box = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
    zeros = np.zeros((2, 12), np.float32)
    analysis = Analysis(
        frames=2,
        frame=np.arange(2),
        field=np.zeros(2, np.int8),
        track=np.zeros(2, np.int64),
        bridged=np.zeros(2, bool),
        score=np.ones(2, np.float32),
        pose=np.zeros((2, 3), np.float32),
        box=box,
        landmarks_px=points,
        hands_px=np.full((2, 2, 21, 2), np.nan, np.float32),
        intensity=zeros,
        lids=zeros[:, :2],
        cut=np.zeros(2, bool),
    )
    return inspect_video(str(path)), analysis, picture


def detail(picture):
    grey = picture.astype(np.float32).mean(axis=-1)
    return grey - cv2.GaussianBlur(grey, (0, 0), 1.5)


def left_and_kept(close_up, editor, *, any_size):
    """Correlation of fine detail with the source's at the same place, and its share of energy."""
    inspection, analysis, picture = close_up
    plan = plan_edits(inspection, analysis, SMILE, 512, any_size=any_size).plan
    with MicroBatcher(editor, seed=0) as batcher:
        frames = edited_frames(
            inspection, Span(0, 0, 0), plan.within(Span(0, 0, 0)), batcher, Rendered()
        )
        made = next(iter(frames)).to_ndarray(format="rgb24")
    points = analysis.landmarks_px[0]
    moved = np.zeros((SIDE, SIDE), np.uint8)
    for corner in (48, 54):  # around the corners of the mouth all goes further than 7 px
        cv2.circle(moved, np.rint(points[corner]).astype(int).tolist(), 45, 1, -1)
    before, after = detail(picture)[moved > 0], detail(made)[moved > 0]
    return float(np.corrcoef(before, after)[0, 1]), float(after.std() / before.std())


@pytest.mark.parametrize("editor", [PlateEditor, PrevizEditor])
def test_fine_detail_moves_with_a_large_face(close_up, editor):
    left, kept = left_and_kept(close_up, editor(), any_size=True)
    assert left < 0.25
    assert kept**2 >= 0.6


def test_detail_finer_than_a_crop_of_fixed_size_goes_along_with_it(close_up):
    left, kept = left_and_kept(close_up, PrevizEditor(), any_size=False)
    assert left < 0.25
    assert kept**2 >= 0.6


def test_without_that_it_would_be_left_behind(close_up, monkeypatch):
    monkeypatch.setattr("pipeline.edit.shown.carry_detail", lambda *_: None)
    left, _ = left_and_kept(close_up, PrevizEditor(), any_size=False)
    assert left > 0.5


def test_crops_show_large_faces_pixel_by_pixel_and_small_ones_enlarged():
    face = np.random.default_rng(0).uniform(-60, 60, (68, 2))
    points = (np.array([0.5, 0.5, 5, 5, 60])[:, None, None] * face + 7.3).astype(np.float32)
    shot, restart = np.array([0, 0, 1, 1, 2]), np.array([1, 0, 1, 0, 1], bool)
    paths, sides = native_crops(points, np.arange(5) / 25, restart, shot, 512)
    assert np.array_equal(paths[:2], crop_path(points, np.arange(5) / 25, restart, 512)[:2])
    assert sides[:2].tolist() == [512, 512]
    assert sides[2] == sides[3] > 1024
    assert sides[4] == 2048
    assert (sides % 128 == 0).all()
    assert (paths[2:4, :, :2] == np.eye(2)).all()
    assert (paths[2:4, :, 2] % 2 == 0).all()
    middle = affine.apply(affine.inverse(paths[2:]), points[2:]).mean(axis=1)
    assert (np.abs(middle / sides[2:, None] - 0.5) < 0.15).all()
