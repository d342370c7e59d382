"""A face of which it is known how it moves: the rig bent by known factors, seen by a camera."""

from dataclasses import dataclass

import numpy as np

from engines.editors.rig.person import personal_field, resting_places
from engines.editors.rig.points import POINTS
from engines.editors.rig.units import unit_field
from engines.faces.head_pose import rotation_from_angles
from engines.lent import PERSONAL_GROUPS
from keyframes.au import AU_COLUMN

FRAMES = 300
SMILE = PERSONAL_GROUPS.index((12,))
RIGS = np.tile([1.0, 0.0], (len(PERSONAL_GROUPS), POINTS, 1))
_UNIT_PX = 150.0


@dataclass(frozen=True)
class Acted:
    """What `person_of` takes."""

    landmarks_px: np.ndarray
    pose: np.ndarray
    intensity: np.ndarray
    eyes_open: np.ndarray

    def rows(self, rows):
        return Acted(*(part[rows] for part in self.parts))

    @property
    def parts(self):
        return self.landmarks_px, self.pose, self.intensity, self.eyes_open


def intensities(frames=FRAMES, **units):
    """Each unit rises and falls as often as is said."""
    time = np.linspace(0.0, 2.0 * np.pi, frames)
    values = np.zeros((frames, 12))
    for name, times in units.items():
        values[:, AU_COLUMN[int(name[2:])]] = 2.0 - 2.0 * np.cos(times * time + 0.1 * times)
    return values


def acted(factors=RIGS, intensity=None, noise=0.0, scale=1.0, seed=0):
    """A head that turns a little and acts.

    Args:
        factors: `(G, P, 2)` of `personal_field`.
        noise: of each point, outer-eye distances.
        scale: how far the face moves, of what the rig does at what is read.
    """
    intensity = intensities(AU12=5) if intensity is None else intensity
    rng, frames = np.random.default_rng(seed), len(intensity)
    time = np.linspace(0.0, 2.0 * np.pi, frames)
    pose = np.stack([6.0 * np.sin(time), 4.0 * np.cos(2.0 * time), 2.0 * np.sin(3.0 * time)], 1)
    field = scale * personal_field(factors)[:12, :68]
    heads = resting_places()[:68] + np.tensordot(intensity, field, axes=1)
    seen = np.stack(
        [head @ rotation_from_angles(*p).T for head, p in zip(heads, pose, strict=True)]
    )
    flat = seen[..., :2] + noise * rng.standard_normal((frames, 68, 2))
    px = flat * [1.0, -1.0] * _UNIT_PX + 256.0
    return Acted(px, pose, intensity, np.ones((frames, 2)))


def own_smile():
    """`(G, P, 2)` a smile that goes outward, one corner further than the other; as far as the
    rig's on the whole."""
    factors, places = RIGS.copy(), resting_places()
    one_side = 1.0 / (1.0 + np.exp(-places[:, 0] / 0.1))
    factors[SMILE, :, 0] = 0.95 + 0.25 * one_side
    factors[SMILE, :, 1] = 0.25
    size = (unit_field()[AU_COLUMN[12], 17:68, :2] ** 2).sum(axis=1)
    factors[SMILE] /= np.average(factors[SMILE, 17:68, 0], weights=size)
    return factors
