"""The demo's face is at rest, and the literal smile makes it smile."""

import numpy as np
import pytest

from engines.editors.previz.editor import PrevizEditor
from engines.interface import AlignedCrops
from engines.judges.expression import ExpressionJudge
from engines.trackers.mesh.tracker import MeshTracker
from keyframes.au import AU_COLUMN, AUDelta
from pipeline.demo.acting import Performance
from pipeline.demo.face import TalkingHead, photograph


@pytest.fixture(scope="module")
def at_rest():
    still = Performance(*(np.zeros(1) for _ in range(6)))
    return TalkingHead(photograph()).at(still, 0)[40:464, 250:674].copy()


def happy(picture, tracker):
    ((face,),) = tracker.track([picture])
    return float(ExpressionJudge().read(picture, face.landmarks_px)[1]), face


def test_the_demo_starts_at_rest_and_its_smile_is_read_as_one(at_rest):
    tracker = MeshTracker()
    before, face = happy(at_rest, tracker)
    delta = np.zeros((1, 12), np.float32)
    delta[0, [AU_COLUMN[12], AU_COLUMN[6]]] = 3.0, 1.5  # the literal smile.yaml
    crops = AlignedCrops(
        at_rest[None],
        face.landmarks_px[None],
        np.zeros(1, np.int64),
        np.array([[face.yaw, face.pitch, face.roll]], np.float32),
    )
    edited = PrevizEditor(len(at_rest)).edit(crops, AUDelta(delta), seed=0).edited[0]
    after, _ = happy(edited, tracker)
    assert before < 0.3
    assert after > 0.6


def test_teeth_show_when_the_jaw_drops_and_no_black_slot(at_rest):
    open_wide = Performance(np.ones(1), *(np.zeros(1) for _ in range(5)))
    spoken = TalkingHead(photograph()).at(open_wide, 0)[40:464, 250:674]
    mouth = np.s_[245:275, 175:220]
    assert spoken[mouth].max() > 190
    assert np.abs(spoken[mouth].astype(int) - at_rest[mouth]).max() > 60
