"""Log footage: shown as a display picture, edited there, and back."""

import numpy as np
import pytest

from engines.estimators.mesh.estimator import MeshAUEstimator
from engines.trackers.mesh.tracker import MeshTracker
from pipeline.edit.batcher import CropEdit
from pipeline.edit.shown import paste_edit, shown
from pipeline.errors import MediaError
from pipeline.media.colour import crop_rgb
from pipeline.media.planes import plane_views
from pipeline.media.read.decoding.decode import decode_range
from pipeline.media.read.decoding.reader import why_not_decord
from pipeline.media.read.inspection import inspect_video
from pipeline.media.views.choice import NAMES, checked_view, view_of
from pipeline.media.views.flat import flat_told
from pipeline.media.views.logs import LOGS
from pipeline.media.views.view import log_view
from pipeline.quality.clip import measure
from tests.pipeline.media.views.recoding import code_values, recode

PUBLISHED = {
    "slog3": (95, 420, 598),
    "logc3": (95, 400, 572),
    "logc4": (95, 285, 428),
    "vlog": (128, 433, 602),
    "clog2": (95, 407, 575),
    "clog3": (128, 351, 577),
    "log3g10": (94, 341, 494),
    "flog2": (95, 400, 570),
    "nlog": (127, 372, 603),
    "applelog": (154, 500, 697),
}
"""Ten-bit codes of 0, 18 and 90 % reflectance, as the makers' papers have them (where a
paper has no such table, by its formula, computed once)."""
RECODED = ("slog3", "logc4", "vlog", "pq", "hlg")
FRAMES = range(0, 50, 6)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_codes_of_black_grey_and_white(name):
    codes = LOGS[name].code(np.array([0.0, 0.18, 0.9])) * 1023
    assert codes == pytest.approx(PUBLISHED[name], abs=1.0)


@pytest.mark.parametrize("name", LOGS)
def test_a_view_rises_and_a_change_of_it_comes_back_through_its_inverse(name):
    view = log_view(name, full_range=False)
    ramp = np.repeat(np.arange(0, 65536, 16, dtype=np.uint16)[:, None, None], 3, axis=2)
    assert (np.diff(view.shown(ramp).astype(int)[:, 0, 0]) >= 0).all()
    grey = code_values(np.full((4, 4, 3), 120, np.uint8), name)
    code = np.rint(grey * 65535).astype(np.uint16)
    change = np.full(code.shape, 0.1, np.float32)
    change[:2] = 0
    back = view.coded(code, change)
    assert not back[:2].any()
    after = np.rint(code[2:] + back[2:] * 65535).astype(np.uint16)
    assert view.shown(after) / 65535 - view.shown(code[2:]) / 65535 == pytest.approx(0.1, abs=1e-3)


@pytest.fixture(scope="module")
def clip(shared):
    return inspect_video(str(shared / "media/clips/d10.mp4"))


@pytest.fixture(scope="module")
def before(clip, tmp_path_factory):
    path = recode(clip, FRAMES, tmp_path_factory.mktemp("plain") / "709.mp4", "709")
    return measure(inspect_video(str(path)), MeshTracker(), MeshAUEstimator())


@pytest.mark.parametrize("name", RECODED)
def test_action_units_of_a_recoded_clip_are_its_own(name, clip, before, tmp_path):
    path = recode(clip, FRAMES, tmp_path / "coded.mp4", name)
    seen = inspect_video(str(path), "" if name in ("pq", "hlg") else name)
    after = measure(seen, MeshTracker(), MeshAUEstimator(), before)
    off = np.abs(after.intensity - before.intensity).mean(axis=0)
    assert off.max() < 0.2
    assert bool(flat_told(inspect_video(str(path)).info)) == (name in LOGS)
    assert not flat_told(seen.info)


@pytest.mark.parametrize("name", ["slog3", "logc4", "pq"])
def test_no_edit_changes_no_sample_and_an_edit_only_those_under_it(name, clip, tmp_path):
    path = recode(clip, range(1), tmp_path / "coded.mp4", name)
    seen = inspect_video(str(path), checked_view(name))
    (frame,) = decode_range(str(path), seen.info, seen.index, 0, 0)
    frame.make_writable()
    plain = [view.copy() for view in plane_views(frame)]
    where = np.array([[1.0, 0, 100.0], [0, 1.0, 60.0]])
    crop = shown(seen.info, crop_rgb(frame, seen.info, where, 256))
    mask = np.ones((256, 256), np.float32)
    paste_edit(frame, seen.info, CropEdit(crop, crop, mask, (), 65535.0), where)
    assert all(map(np.array_equal, plain, plane_views(frame)))
    brighter = crop.astype(np.float32)
    brighter[100:150, 100:150] += 0.1 * 65535
    paste_edit(frame, seen.info, CropEdit(brighter, crop, mask, (), 65535.0), where)
    luma = np.asarray(plane_views(frame)[0], int) - plain[0]
    assert (luma[165:205, 205:245] > 0).mean() > 0.9
    luma[158:212, 198:252] = 0
    assert not luma.any()


def test_what_cannot_be_a_view_is_refused_in_a_line():
    with pytest.raises(MediaError, match=r"--view slog9: expected auto, none, pq, .*FILE\.cube"):
        checked_view("slog9")
    with pytest.raises(MediaError, match=r"gone\.cube: cannot be read"):
        checked_view("/gone.cube")


def test_tags_decide_unless_a_view_is_named(clip, tmp_path):
    coded = str(recode(clip, range(1), tmp_path / "coded.mp4", "hlg"))
    assert view_of(inspect_video(coded).info) is not None
    assert view_of(inspect_video(coded, checked_view("none")).info) is None
    other = inspect_video(coded, checked_view("vlog"))
    assert view_of(other.info) is not view_of(inspect_video(coded).info)
    assert "code values" in why_not_decord(other.info, other.index, None)
    assert {"auto", "none", *LOGS} <= set(NAMES)
