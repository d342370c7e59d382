"""On clips of five people: parts of a shot that were left out, told by the rest. Slow."""

import numpy as np
import pytest

from engines.estimators.mesh.estimator import MeshAUEstimator
from engines.lent import PERSONAL_GROUPS
from engines.trackers.mesh.tracker import MeshTracker
from pipeline.edit.lending.track import eyes_open
from pipeline.edit.personal.fit import gains_of, rig_seen, weights_of
from pipeline.edit.personal.held_out import bent
from pipeline.edit.personal.levelled import POINTS_SEEN, Seen, seen_of
from pipeline.edit.personal.moments import moments_of
from pipeline.edit.personal.person import STEP, person_of
from pipeline.media.read.inspection import inspect_video
from pipeline.quality.clip import measure

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
MOVED, STILL = ("d10", "d18"), ("d14", "s18", "s20")
"""Clips whose people show units of their own, and those in which nothing is proved."""


def measured(shared, name):
    clip = inspect_video(str(shared / "media/clips" / f"{name}.mp4"))
    found = measure(clip, MeshTracker(), MeshAUEstimator())
    rows = found.rows_of(0)
    rows = rows[~found.bridged[rows]]
    lids = eyes_open(found.lids[rows])
    return found.landmarks_px[rows], found.pose[rows], found.intensity[rows], lids


def rows_of(seen, rows):
    return Seen(seen.points[rows], seen.intensity[rows], seen.nuisances[rows])


def quarter(parts, seen, out):
    """Mean distances of landmarks in a quarter: by the rig and by the person of the rest, each at
    the rig's size and at the gains of the rest."""
    left, person = rows_of(seen, ~out), person_of(*(part[~out] for part in parts))
    fitted, tried = moments_of(left, weights_of(left), slice(None)), rows_of(seen, out)
    added = np.zeros_like(rig_seen())
    if person is not None:
        own = zip(PERSONAL_GROUPS, person.factors[:, POINTS_SEEN] * STEP, strict=True)
        added = sum(bent(*each) for each in own)
    found = []
    for gains in (np.ones(12), gains_of(fitted)):
        for more in (0.0, added):
            field = (rig_seen() + more) * gains[:, None, None]
            made = np.tensordot(tried.intensity, field, axes=1)
            made += np.tensordot(tried.nuisances, fitted.nuisances(field), axes=1)
            found.append(np.linalg.norm(tried.points - made, axis=2).mean())
    return found


@pytest.mark.parametrize("name", [*MOVED, *STILL])
def test_what_was_left_out_is_told_better_or_as_well(shared, name):
    parts = measured(shared, name)
    seen, count = seen_of(*parts), len(parts[0])
    out = [np.arange(count) * 4 // count == part for part in range(4)]
    rig, own, rig_gain, own_gain = np.mean([quarter(parts, seen, one) for one in out], axis=0)
    print(f"\n{name}: {rig:.4f} → {own:.4f}; at its gains {rig_gain:.4f} → {own_gain:.4f}")
    person = person_of(*parts)
    assert (person is not None) == (name in MOVED)
    if person is not None:
        assert own < 0.99 * rig
        assert own_gain < 0.99 * rig_gain
    else:
        assert own < 1.0012 * rig  # of d14 a quarter is told .1 % worse
        assert own_gain <= rig_gain
