"""Whose units move a face: the person's own in that shot, told, kept and drawn."""

from types import SimpleNamespace

import numpy as np
import pytest

from engines.editors.plate.editor import PlateEditor
from engines.editors.rig.person import personal_field
from engines.errors import EngineError
from engines.lent import Lent
from pipeline.edit.batcher import CropRequest, edit_crops
from pipeline.edit.lending.kept import read_library, write_library
from pipeline.edit.lending.lend import Donors
from pipeline.edit.lending.making import make_library
from pipeline.edit.lending.own import are_own, lend_own
from pipeline.edit.lending.told import lending_told
from pipeline.edit.personal.person import STEP
from pipeline.edit.plan import EditPlan, nothing_lent
from tests.pipeline.edit.lending.shots import columns, edits, face
from tests.pipeline.edit.personal.acted import RIGS, SMILE, acted, intensities, own_smile

NOISE = 0.004


def faces(*shots, **more):
    """A face that is another person in each shot."""
    parts = [np.concatenate(part) for part in zip(*(shot.parts for shot in shots), strict=True)]
    names = "landmarks_px", "pose", "intensity", "eyes_open"
    count, each = len(parts[0]), len(shots[0].pose)
    known = dict(zip(names, parts, strict=True)) | {"shot": np.arange(count) // each}
    return face(count, **known | more)


def lent(asked):
    kept = columns(asked.face)
    return lend_own(asked, kept), kept


@pytest.fixture(scope="module")
def smiler():
    return acted(own_smile(), noise=NOISE)


def test_a_shots_person_is_of_that_shot_and_face_alone(smiler):
    alone, _ = lent(edits(faces(smiler), AU12=3))
    nobody = acted(RIGS, noise=NOISE, seed=1)
    both, kept = lent(edits(faces(smiler, nobody), AU12=3))
    assert alone.person is not None
    assert both.person.key == alone.person.key
    assert (kept["person"] == alone.person.key).all()
    assert (kept["own"] == alone.person.gained).all()
    other, kept = lent(edits(faces(nobody, smiler), AU12=3))
    assert other.person is None
    assert (kept["person"] == -1).all()
    assert not kept["own"].any()


@pytest.mark.parametrize("column", ["lends", "is_measured", "is_covered"])
def test_frames_that_are_not_seen_say_nothing_of_the_person(smiler, column):
    """What they would say: half of the shot moves as nobody does."""
    wild = smiler.landmarks_px.copy()
    wild[150:] += 20.0 * smiler.intensity[150:, 6, None, None]
    bad = np.arange(300) >= 150
    shown = faces(smiler, landmarks_px=wild, **{column: bad if column == "is_covered" else ~bad})
    seen, _ = lent(edits(shown, AU12=3))
    half, _ = lent(edits(faces(smiler.rows(slice(150))), AU12=3))
    assert half.person is not None
    assert seen.person.key == half.person.key


def test_a_curve_that_asks_for_no_such_unit_asks_for_nobody(smiler):
    asked, kept = lent(edits(faces(smiler), AU9=3, AU15=2))
    assert asked.person is None
    assert (kept["person"] == -1).all()


def planned(asked, kept):
    """The plan of edits, as far as lending knows it."""
    count = len(asked.rows)
    return EditPlan(
        frame=asked.face.frame, field=asked.face.field, track=np.zeros(count, np.int64),
        delta=asked.delta, lids=asked.lids, size=np.full(count, 512),
        coded_from_crop=np.zeros((count, 2, 3)),
        landmarks_px=asked.face.landmarks_px.astype(np.float32),
        pose=asked.face.pose.astype(np.float32),
        hands_px=np.full((count, 2, 21, 2), np.nan, np.float32), **kept,
    )  # fmt: skip


def test_segments_read_the_same_person_wherever_a_clip_is_cut(smiler, tmp_path, talk):
    asked, kept = lent(edits(faces(smiler), AU12=3))
    plan = planned(asked, kept)
    library = make_library(talk.inspection, Donors(people=[asked.person]))
    write_library(tmp_path / "a.npz", library)
    for row in (0, 150, 299):
        read = read_library(tmp_path / "a.npz").lent(plan, row).person
        assert read.tobytes() == (asked.person.factors * np.float32(STEP)).tobytes()
    again, _ = lent(edits(faces(acted(own_smile(), noise=NOISE)), AU12=3))
    assert again.person.key == asked.person.key
    rig = planned(asked, nothing_lent(300))
    assert library.lent(rig, 0).person is None
    assert rig.digest() != plan.digest()


def told(asked, **how):
    clip = SimpleNamespace(cut=np.zeros(300, bool))
    return lending_told(planned(*asked), clip, np.arange(300) / 25, **how)


def test_whose_units_they_are_is_told_with_what_it_gains(smiler):
    asked = lent(edits(faces(smiler), AU12=3, AU2=1))
    (share,) = asked[1]["own"][:1, SMILE]
    assert share > 0.05
    line = f"AU12 ({share:.0%}) as this person moves (so much less error than the rig's, held out)"
    assert f"0.00–11.96 s, face 0: {line}; AU1+AU2 as the rig's" in told(asked)
    assert not any("rig" in line for line in told(asked, personal=False))
    nobody = lent(edits(faces(acted(noise=NOISE)), AU12=1))
    assert told(nobody)[-1].endswith(
        "AU12 as the rig moves any face: the shot proves no way of its own"
    )


def crop(smiler, person):
    image = np.random.default_rng(3).integers(0, 255, (512, 512, 3), np.uint8)
    delta = 3.0 * np.eye(12, dtype=np.float32)[6]
    parts = smiler.landmarks_px[0].astype(np.float32), 0, delta, smiler.pose[0].astype(np.float32)
    return CropRequest(image, *parts, np.zeros(2, np.float32), Lent(person=person))


def test_plate_moves_a_face_as_that_person_unless_it_is_told_to_keep_the_rig(smiler):
    own = own_smile().astype(np.float32)
    made = {
        name: edit_crops(PlateEditor(units=units), [crop(smiler, person)], 0)[0].edited
        for name, units, person in (
            ("own", "own", own),
            ("rig", "rig", own),
            ("nobody", "own", None),
            ("as the rig", "own", RIGS.astype(np.float32)),
        )
    }
    assert np.array_equal(made["rig"], made["nobody"])
    assert np.array_equal(made["as the rig"], made["nobody"])
    assert not np.array_equal(made["own"], made["nobody"])
    with pytest.raises(EngineError, match="got units 'mine'; expected 'own' or 'rig'"):
        PlateEditor(units="mine")
    assert are_own({})
    assert not are_own({"units": "rig"})


def test_a_mouths_donor_is_chosen_for_what_the_persons_mouth_opens():
    """Of edits with a person, the field is that person's."""
    shot = acted(own_smile(), intensities(AU12=5), noise=NOISE)
    asked, _ = lent(edits(faces(shot), AU12=3))
    assert np.array_equal(asked.field, personal_field(asked.person.factors * STEP))
    assert edits(faces(shot), AU12=3).field is None
