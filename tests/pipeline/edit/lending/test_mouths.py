"""Which frame lends its mouth, what is kept of it, and that pieces do not depend on the cuts."""

from dataclasses import replace

import numpy as np
import pytest

from engines.editors.plate.editor import PlateEditor
from keyframes.load import parse_sheet
from pipeline.edit.batcher import MicroBatcher
from pipeline.edit.lending.kept import read_library, write_library
from pipeline.edit.lending.lend import plan_lending
from pipeline.edit.lending.making import make_library
from pipeline.edit.lending.mouths import GAP_MIN
from pipeline.edit.plan import plan_edits
from pipeline.edit.render import Rendered, edited_frames
from pipeline.edit.segments import Span

OPEN = parse_sheet("version: 1\nchannels:\n  AU25: [[0s, 3]]\n  AU26: [[0s, 1]]\n", "open")
ALL = parse_sheet(
    "version: 1\nchannels:\n  AU25: [[0s, 3]]\n  AU12: [[0s, 2]]\n  AU43: [[0s, 3]]\n", "all"
)
SMILE = parse_sheet("version: 1\nchannels:\n  AU12: [[0s, 3]]\n", "smile")


def planned(talk, sheet=OPEN, analysis=None):
    analysis = analysis or talk.analysis
    plan = plan_edits(talk.inspection, analysis, sheet, 512).plan
    return plan_lending(plan, analysis, talk.inspection.times_s, 512)


def gaps(analysis):
    points = analysis.landmarks_px
    eyes = np.linalg.norm(points[:, 36] - points[:, 45], axis=1)
    return (points[:, 66, 1] - points[:, 62, 1]) / eyes


@pytest.fixture(scope="module")
def lent(talk):
    return planned(talk)


def test_one_frame_with_an_open_mouth_lends_to_the_whole_shot(talk, lent):
    plan, donors = lent
    (donor,) = donors.mouths
    assert set(plan.donor) == {donor.frame}
    assert gaps(talk.analysis)[donor.frame] > 0.8 * GAP_MIN
    assert (plan.lent > 0).all()
    assert plan.digest() != plan_edits(talk.inspection, talk.analysis, OPEN, 512).plan.digest()


def test_a_curve_that_opens_no_mouth_borrows_nothing(talk):
    plan, donors = planned(talk, SMILE)
    assert donors.mouths == []
    assert set(plan.donor) == {-1}


def test_nothing_is_lent_across_a_cut_or_from_frames_that_were_filled_in(talk, lent):
    (donor,) = lent[1].mouths
    analysis = talk.analysis
    cut = analysis.cut.copy()
    cut[donor.frame] = True  # the donor's shot begins with it
    plan, _ = planned(talk, analysis=replace(analysis, cut=cut))
    shot = np.cumsum(cut)
    lending = plan.donor >= 0
    assert (shot[plan.frame[lending]] == shot[plan.donor[lending]]).all()
    filled = replace(analysis, bridged=np.ones_like(analysis.bridged))
    assert planned(talk, analysis=filled)[1].mouths == []


def test_the_skull_lies_over_the_skull_and_does_not_tremble(talk, lent):
    plan, (donor,) = lent[0], lent[1].mouths
    skull = [*range(27, 36), 36, 39, 42, 45]
    there = donor.landmarks_px[skull]
    laid = np.einsum("eij,pj->epi", plan.crop_from_donor[:, :, :2], there)
    laid += plan.crop_from_donor[:, None, :, 2]
    off = np.linalg.norm(laid - plan.landmarks_px[:, skull], axis=2)
    assert off.mean() < 2.5
    tremble = np.abs(np.diff(laid, 2, axis=0)).mean()
    assert tremble < np.abs(np.diff(plan.landmarks_px[:, skull], 2, axis=0)).mean()


def test_a_library_is_read_as_it_was_written_and_lends_what_the_donor_shows(talk, lent, tmp_path):
    plan, donors = lent
    library = make_library(talk.inspection, donors)
    write_library(tmp_path / "library.npz", library)
    again = read_library(tmp_path / "library.npz")
    mouth = again.lent(plan, 3).mouth
    assert mouth.frame == donors.mouths[0].frame
    assert mouth.image.shape == (192, 192, 3)
    assert np.array_equal(mouth.image, library.mouths.images[0])
    middle = mouth.landmarks_px[48:68].mean(axis=0)
    assert middle == pytest.approx([96, 96], abs=1)
    assert read_library(tmp_path / "none.npz") is None
    assert (tmp_path / "library.npz").stat().st_size < 400_000


def _folded(plan, library):
    """As if the shot, which has none, lent folds: a map of stripes."""
    group, rows = 3, len(plan)
    stripes = np.zeros((1, 352, 352), np.int8)
    stripes[:, 100:300, 60:290:8] = -60
    names = np.array([0]), np.array([plan.donor[0]]), np.array([group])
    fold, donor = plan.fold.copy(), plan.fold_donor.copy()
    fold[:, group], donor[:, group] = np.linspace(0.3, 1.0, rows), plan.donor[0]
    columns = dict(zip(("fold_track", "fold_donor", "fold_group"), names, strict=True))
    return replace(plan, fold=fold, fold_donor=donor), replace(library, folds=stripes, **columns)


def test_pictures_are_the_same_wherever_the_clip_is_cut(talk):
    plan, donors = planned(talk, ALL)
    assert donors.mouths
    assert donors.eyes
    plan, library = _folded(plan, make_library(talk.inspection, donors))
    seen = talk.inspection

    def rendered(*spans):
        notes = Rendered()
        with MicroBatcher(PlateEditor(), seed=1) as batcher:
            frames = [
                np.array(frame.to_ndarray())
                for span in spans
                for frame in edited_frames(
                    seen, span, plan.within(span), batcher, notes, library=library
                )
            ]
        return frames, notes

    whole, notes = rendered(Span(0, 10, 19))
    parts, _ = rendered(Span(0, 10, 13), Span(1, 14, 19))
    assert all(np.array_equal(a, b) for a, b in zip(whole, parts, strict=True))
    assert f"mouth lent by frame {donors.mouths[0].frame}" in notes.notes
