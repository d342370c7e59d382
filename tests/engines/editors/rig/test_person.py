"""A rig bent to a person: a stretch and a turn of every point's displacement, and no more."""

import numpy as np
import pytest

from engines.editors.rig.person import outward, personal_field, sideways
from engines.editors.rig.points import MIRROR, POINTS
from engines.editors.rig.units import unit_field
from engines.lent import PERSONAL_GROUPS
from keyframes.au import AU_COLUMN

SMILE = AU_COLUMN[12]
CORNERS = [48, 54]


def factors(along, across):
    return np.tile(np.array([along, across]), (len(PERSONAL_GROUPS), POINTS, 1))


def test_no_factor_is_exactly_the_rig():
    assert np.array_equal(personal_field(factors(1.0, 0.0)), unit_field())


def test_a_stretch_and_a_turn_act_on_all_of_a_groups_units_and_on_no_other():
    bent, rig = personal_field(factors(1.2, 0.5)), unit_field()
    own = sorted(AU_COLUMN[unit] for group in PERSONAL_GROUPS for unit in group)
    rest = np.setdiff1d(np.arange(len(rig)), own)
    assert np.array_equal(bent[rest], rig[rest])
    aside = np.abs(sideways()) == 1.0
    length = np.linalg.norm(rig[own][:, aside, :2], axis=2)
    assert np.linalg.norm(bent[own][:, aside, :2], axis=2) == pytest.approx(1.3 * length)
    assert bent[own][..., 2] == pytest.approx(1.2 * rig[own][..., 2])


def test_outward_is_outward_on_both_sides():
    turned = personal_field(factors(1.0, 0.3))[SMILE, CORNERS] - unit_field()[SMILE, CORNERS]
    assert turned[0, 0] < 0.0 < turned[1, 0], "of what rises"
    assert (turned[:, 1] < 0.0).all()
    field = unit_field()[SMILE][..., :2]
    same = outward((field + field[MIRROR] * [-1.0, 1.0]) / 2.0, sideways())
    assert same[MIRROR] * [-1.0, 1.0] == pytest.approx(same, abs=1e-4)
