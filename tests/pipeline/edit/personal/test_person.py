"""A person is found where a shot shows one, and is exactly the rig where it does not."""

import numpy as np
import pytest

from engines.editors.rig.person import personal_field
from engines.editors.rig.units import unit_field
from engines.lent import PERSONAL_GROUPS
from keyframes.au import AU_COLUMN
from pipeline.edit.personal.fit import LEAST, MOST
from pipeline.edit.personal.person import ROWS_MIN, STEP, person_of
from tests.pipeline.edit.personal.acted import (
    RIGS,
    SMILE,
    acted,
    intensities,
    own_smile,
)

NOISE = 0.008
"""What trackers tremble by on real clips, outer-eye distances."""
CORNERS = [48, 54]


def found(shot):
    return person_of(*shot.parts)


def test_a_smile_of_ones_own_is_found_with_its_direction_and_its_sides():
    truth = own_smile()
    person = found(acted(truth, intensities(900, AU12=15), noise=NOISE / 2))
    assert person is not None
    assert person.gained[SMILE] > 0.05
    factors = person.factors[SMILE, CORNERS] * STEP
    assert factors[:, 1] == pytest.approx(truth[SMILE, CORNERS, 1], abs=0.06)
    assert factors[:, 0].mean() == pytest.approx(truth[SMILE, CORNERS, 0].mean(), abs=0.06)
    further, true_further = factors[1, 0] - factors[0, 0], np.diff(truth[SMILE, CORNERS, 0])[0]
    assert 0.25 * true_further < further < 0.75 * true_further, "half of what the sides differ by"


@pytest.mark.parametrize("scale", [0.6, 1.0, 1.6])
@pytest.mark.parametrize("seed", range(3))
def test_noise_and_an_estimators_own_scale_are_nobody(scale, seed):
    asked = intensities(AU1=3, AU2=3, AU4=4, AU12=5, AU25=7, AU26=7)
    assert found(acted(intensity=asked, noise=NOISE, scale=scale, seed=seed)) is None


def test_units_that_are_read_at_scales_of_their_own_are_nobody():
    """AU1 and AU2 share a field: read at half and at twice, they are still the rig's."""
    shot = acted(intensity=intensities(AU1=3, AU2=5), noise=NOISE / 4)
    shot.intensity[:, :2] *= [0.5, 1.5]
    assert found(shot) is None


def test_other_units_stay_exactly_the_rigs():
    person = found(acted(own_smile(), noise=NOISE))
    own = [AU_COLUMN[unit] for unit in PERSONAL_GROUPS[SMILE]]
    rest = np.setdiff1d(np.arange(14), own)
    field = personal_field(person.factors * STEP)
    assert np.array_equal(field[rest], unit_field()[rest])
    assert not np.array_equal(field[own], unit_field()[own])


def test_units_that_come_together_never_turn_over():
    """All that moves is read as a smile and as parted lips together, and goes the wrong way."""
    asked = intensities(AU12=5, AU25=5, AU26=5)
    factors = RIGS.copy()
    factors[1:] = [-1.0, 1.5]
    person = found(acted(factors, asked, noise=NOISE))
    bent = personal_field(RIGS if person is None else person.factors * STEP)[:12, :, :2]
    rig = unit_field()[:12, :, :2]
    length = np.linalg.norm(rig, axis=2)
    ratio = np.linalg.norm(bent, axis=2) / np.maximum(length, 1e-12)
    moves = length > 1e-6
    assert ((bent * rig).sum(axis=2) >= 0.85 * (ratio * length**2))[moves].all(), "30° at most"
    assert ratio[moves].min() >= LEAST - 0.01
    assert ratio[moves].max() <= MOST + 0.01


@pytest.mark.parametrize("what", ["a faint smile", "a short shot", "a turned head", "one smile"])
def test_a_shot_that_shows_too_little_gives_exactly_the_rig(what):
    shot = acted(own_smile(), noise=NOISE / 4)
    assert found(shot) is not None
    if what == "a faint smile":
        shot = acted(own_smile(), 0.4 * intensities(AU12=5), noise=NOISE / 4)
    elif what == "a short shot":
        shot = shot.rows(slice(0, ROWS_MIN - 1))
    elif what == "a turned head":
        shot.pose[:, 0] = 40.0
    else:
        once = intensities(AU12=1) * (np.arange(300) // 25 == 6)[:, None]
        shot = acted(own_smile(), once, noise=NOISE)
    assert found(shot) is None


def test_pictures_that_are_not_measured_make_no_other_person():
    shot = acted(own_smile(), noise=NOISE)
    longer = [np.concatenate([part, part[:5]]) for part in shot.parts]
    longer[2][-5:] = np.nan
    assert person_of(*longer).key == found(shot).key
