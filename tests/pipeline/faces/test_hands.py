"""A real hand, cut out of a clip, over the demo's face: it is found, and the edit fades there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engines.devices.litert import packaged_model
from engines.editors.previz.editor import PrevizEditor
from engines.hands.finder import HAND, PALMS, HandFinder
from engines.interface import Face, RGBFrame
from engines.trackers.mesh.detector import letterbox
from engines.trackers.mesh.tracker import MeshTracker
from keyframes.load import parse_sheet
from pipeline.edit.batcher import edit_crops
from pipeline.edit.front import behind_hands
from pipeline.edit.plan import plan_edits
from pipeline.edit.render import crop_request
from pipeline.faces.hands import LEAST, HandWatch
from pipeline.media.colour import crop_rgb
from pipeline.media.read.decoding.decode import decode_range
from pipeline.media.read.inspection import inspect_video
from pipeline.quality.clip import frame_at
from tests.pipeline.conftest import Talk

COMES = 8


@pytest.mark.parametrize("name", [PALMS, HAND])
def test_the_notice_names_the_very_files_that_ship(name: str) -> None:
    notice = (resources.files("engines") / "models" / "NOTICE").read_text("utf-8")
    assert hashlib.sha256(packaged_model(name)).hexdigest() in notice


@dataclass(frozen=True)
class Cut:
    """A hand with its arm, `(H, W, 3)`, and how opaque it is, `(H, W)`; its points."""

    picture: RGBFrame
    alpha: NDArray[np.float32]
    points: NDArray[np.float32]


@pytest.fixture(scope="module")
def hand(shared: Path) -> Cut:
    picture = frame_at(inspect_video(str(shared / "media/clips/s20.mp4")), 0)
    height, width = picture.shape[:2]
    found = HandFinder().find(picture, letterbox(width, height))
    assert len(found) == 2, "both hands of the woman with the grass"
    points = found[0]
    outline = np.zeros((height, width), np.uint8)
    arm = points[0] + 1.6 * (points[0] - points[9])
    shape = np.concatenate([points, arm + np.array([[-20, 0], [20, 0], [0, 20]])]).astype(
        np.float32
    )
    cv2.fillConvexPoly(outline, cv2.convexHull(np.rint(shape).astype(np.int32)), 1)
    outline = cv2.dilate(outline, np.ones((13, 13)))
    skin = cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb)[..., 1] > 138  # no wool
    alpha = cv2.blur((outline * skin).astype(np.float32), (3, 3))
    return Cut(picture, alpha, points)


def covered(picture: RGBFrame, face: Face, hand: Cut, down: float) -> tuple[RGBFrame, NDArray]:
    """The hand over the mouth, `down` face widths lower; and how much of each pixel it hides."""
    width = float(face.box[2] - face.box[0])
    scale = 0.4 * width / float(np.linalg.norm(hand.points[9] - hand.points[0]))
    mouth = face.landmarks_px[48:60].mean(axis=0) + np.array([0, down * width])
    shift = mouth - scale * hand.points[[0, 9]].mean(axis=0)
    affine = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    size = picture.shape[1], picture.shape[0]
    moved = cv2.warpAffine(hand.picture, affine, size)
    alpha = cv2.warpAffine(hand.alpha, affine, size)
    mixed = picture + alpha[..., None] * (moved.astype(np.float32) - picture)
    return np.asarray(np.rint(mixed), np.uint8), alpha


def test_a_hand_that_comes_over_the_face_is_seen_and_without_one_hardly_anything_is_looked_at(
    talk: Talk, hand: Cut
) -> None:
    tracker, watch, idle = MeshTracker(), HandWatch(), HandWatch()
    answers: list[list[NDArray[np.float32]]] = []
    for number in range(2 * COMES):
        picture = frame_at(talk.inspection, number)
        faces = tracker.track([picture])[0]
        idle.see(picture, faces)
        down = 0.0 if number >= COMES + 2 else 0.9 - 0.3 * (number - COMES)
        shown = covered(picture, faces[0], hand, down)[0] if number >= COMES else picture
        answers.append(watch.see(shown, faces))
    seen = [bool(np.isfinite(a[0]).any()) for a in answers]
    assert not any(seen[:COMES])
    assert all(seen[COMES + LEAST :])
    assert idle.looks <= 3


def test_the_edit_fades_at_the_hand_and_nowhere_else(talk: Talk, hand: Cut) -> None:
    picture = frame_at(talk.inspection, COMES)
    (face,) = MeshTracker().track([picture])[0]
    shown, hidden = covered(picture, face, hand, 0.0)
    (found,) = HandWatch().see(shown, [face])
    assert np.isfinite(found[0]).all()
    sheet = parse_sheet("version: 1\nchannels: {AU26: [[0, 4]], AU12: [[0, 4]]}", "open")
    rows = talk.analysis.rows_of(0)
    hands = talk.analysis.hands_px.copy()
    hands[rows[talk.analysis.frame[rows] == COMES]] = found
    analysis = replace(talk.analysis, hands_px=hands)
    planned = plan_edits(talk.inspection, analysis, sheet, 512)
    assert any("a hand is in front" in line for line in planned.warnings)
    plan = planned.plan
    (row,) = plan.at(COMES)
    info, index = talk.inspection.info, talk.inspection.index
    (frame,) = decode_range(info.path, info, index, COMES, COMES)
    crop = crop_rgb(frame, info, plan.coded_from_crop[row], 512, "replicate")
    (edit,) = edit_crops(PrevizEditor(), [crop_request(plan, row, crop)], 0)
    kept = behind_hands(edit.mask, plan.hands_px[row])
    change = np.abs(edit.residual).max(axis=2)
    coded_from_crop = np.asarray(plan.coded_from_crop[row])
    back = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
    on_hand = cv2.warpAffine(hidden, coded_from_crop, (512, 512), flags=back) > 0.5
    around = cv2.dilate(on_hand.astype(np.uint8), np.ones((71, 71))) == 0
    before, after = change * edit.mask, change * kept
    assert before[on_hand].sum() > 0
    assert after[on_hand].sum() < 0.12 * before[on_hand].sum()
    assert after[around].sum() > 0.95 * before[around].sum()
