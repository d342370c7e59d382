"""Which frames lend shut eyes."""

import numpy as np

from pipeline.edit.lending.lids import lend_lids
from tests.pipeline.edit.lending.shots import columns, edits, face


def blinking(depth=0.0, at=50, **more):
    """Eyes that shut over five frames, stay so for three and open again."""
    shut = np.clip((6 - np.abs(np.arange(100) - at)) / 5, 0.0, 1.0) * (1.0 - depth)
    return face(eyes_open=np.repeat(1.0 - shut[:, None], 2, axis=1).astype(np.float32), **more)


def test_a_blink_lends_its_levels_from_open_to_shut():
    one = blinking()
    table = columns(one)
    donors = lend_lids(edits(one, lids=5.0), table)
    levels = one.eyes_open[[donor.frame for donor in donors]].mean(axis=1)
    assert len(donors) >= 3
    assert (np.diff(levels) < 0).all()
    assert levels[-1] < 0.02
    assert donors[-1].frame == 50  # where the lids stand still, not where they pass
    assert table["lid_donors"][7, : len(donors)].tolist() == [donor.frame for donor in donors]
    assert np.allclose(table["eyes_open"], one.eyes_open)


def test_without_a_whole_blink_or_where_nothing_shuts_nothing_is_lent():
    assert lend_lids(edits(blinking(depth=0.4), lids=5.0), columns(blinking())) == []
    assert lend_lids(edits(blinking(), lids=0.0), columns(blinking())) == []
    assert lend_lids(edits(blinking(), lids=-3.0), columns(blinking())) == []


def test_frames_of_another_shot_filled_in_covered_or_turned_away_lend_nothing():
    later = np.arange(100) >= 40  # all of the blink
    for barred in (
        {"shot": later.astype(np.int64)},
        {"lends": ~later},
        {"is_covered": later},
        {"pose": np.outer(later, [25, 0, 0]).astype(np.float32)},
    ):
        one = blinking(**barred)
        of_first = edits(one, lids=5.0)
        of_first.lids[later] = 0.0
        assert lend_lids(of_first, columns(one)) == []
