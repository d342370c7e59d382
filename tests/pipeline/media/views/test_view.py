"""What engines are shown of PQ and HLG footage, and how their edits get back."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from engines.trackers.mesh.tracker import MeshTracker
from pipeline.demo.face import photograph
from pipeline.media.views.choice import view_of
from pipeline.media.views.hdr import HLG, PQ
from pipeline.media.views.view import hdr_view

CODINGS = [(PQ, True), (PQ, False), (HLG, True), (HLG, False)]
RAMP = np.repeat(np.arange(0, 65536, 16, dtype=np.uint16)[:, None, None], 3, axis=2)


def recoded(picture, transfer):
    """A display picture in HDR code values, by the formulas of BT.2100: white at 203 cd/m²."""
    light = np.clip((picture / 255.0), 0, 1) ** 2.2
    if transfer == PQ:
        y = (light * 203 / 10000) ** 0.1593017578125
        code = ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375
    else:
        scene = light ** (1 / 1.2) * 0.26496
        log = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
        code = np.where(scene <= 1 / 12, np.sqrt(3 * scene), log)
    return np.rint(code * 255).astype(np.uint8)


@pytest.mark.parametrize(("transfer", "is_wide"), CODINGS)
def test_no_change_is_exactly_none_and_nothing_leaves_the_plates_range(transfer, is_wide):
    view = hdr_view(transfer, "bt2020" if is_wide else "bt709")
    rng = np.random.default_rng(1)
    code = rng.integers(0, 65536, (64, 64, 3)).astype(np.uint16)
    assert not view.coded(code, np.zeros(code.shape, np.float32)).any()
    change = rng.normal(0, 0.5, code.shape).astype(np.float32)
    change[:32] = 0
    back = view.coded(code, change)
    assert not back[:32].any()
    made = code / 65535 + back
    assert made.min() >= -1e-6
    assert made.max() <= 1 + 1e-6
    assert np.isfinite(back).all()


@pytest.mark.parametrize(("transfer", "is_wide"), CODINGS)
def test_the_view_rises_with_the_code_and_its_changes_come_back(transfer, is_wide):
    view = hdr_view(transfer, "bt2020" if is_wide else "bt709")
    seen = view.shown(RAMP).astype(int)
    assert (np.diff(seen[:, 0, 0]) >= 0).all()
    assert seen[0, 0, 0] == 0
    assert seen[-1, 0, 0] > 65500
    step = (np.roll(seen, -64, axis=0) - seen)[512:3000].astype(np.float32) / 65535
    back = view.coded(RAMP[512:3000], step)
    assert back == pytest.approx(64 * 16 / 65535, abs=2e-3)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_a_recoded_face_is_shown_as_it_was_and_reads_as_it_did(transfer):
    picture = cv2.resize(photograph(), None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    code = recoded(picture, transfer)
    seen = hdr_view(transfer, "bt709").picture(code)
    middle = (picture > 20) & (picture < 190)
    off = np.abs(seen.astype(int) - picture)[middle]
    assert off.mean() < 6
    assert np.abs(code.astype(int) - picture)[middle].mean() > off.mean() + 3
    tracker = MeshTracker()
    was, flat, now = (tracker.track([p])[0][0].blendshapes for p in (picture, code, seen))
    assert np.abs(now - was).max() < 0.06
    # HLG is made to be looked at on such displays; PQ is not.
    share = 0.5 if transfer == PQ else 1.0
    assert np.abs(now - was).mean() < share * np.abs(flat - was).mean()


def test_whole_pictures_are_shown_as_crops_are():
    code = np.random.default_rng(2).integers(60, 200, (40, 40, 3)).astype(np.uint8)
    for transfer, is_wide in CODINGS:
        view = hdr_view(transfer, "bt2020" if is_wide else "bt709")
        assert np.abs(view.picture(code).astype(int) - view.shown(code)).max() <= 2


def test_only_tagged_hdr_has_a_view():
    def tagged(transfer, primaries):
        colour = SimpleNamespace(transfer=transfer, primaries=primaries, full_range=False)
        return SimpleNamespace(colour=colour, view="")

    assert view_of(tagged(1, 1)) is None
    assert view_of(tagged(2, 2)) is None
    assert view_of(tagged(16, 9)) == hdr_view(PQ, "bt2020")
    assert view_of(tagged(18, 1)) == hdr_view(HLG, "bt709")
