"""Where the packaged face units come from."""

import numpy as np
import pytest

from engines.editors.rig.units import unit_field
from engines.trackers.mesh.tracker import MeshTracker
from keyframes.au import AU_COLUMN
from pipeline.heads.people import person
from pipeline.heads.units import LOWER_LIP, UPPER_LIP, units_of_person


def test_the_packaged_units_are_what_heads_give():
    units = units_of_person(person(0), MeshTracker())
    packaged = unit_field()
    for number, mesh, point, most in ((12, 61, 48, 0.02), (26, 17, 57, 0.03), (1, 107, 21, 0.015)):
        assert units[f"AU{number}"][mesh] == pytest.approx(
            5 * packaged[AU_COLUMN[number], point], abs=most
        )
    opening = units["AU26"][:, 1]
    assert opening[list(LOWER_LIP)].max() < -0.05  # no point of one lip goes with the other
    assert opening[list(UPPER_LIP)].min() > -0.12
    assert np.abs(units["AU43R"][386]).max() < 1e-3 < -units["AU43R"][159][1]
