"""Zero-lag smoothing of a curve, in seconds.

A curve is smoothed on its own even grid over the whole clip, never on the frames it is asked for:
uneven frame times get the same curve as even ones, and a piece of a clip the same as the whole.
The curve is continued beyond both ends by point reflection, so its end values stay; symmetric
filters (or a forward and a backward run) have no lag; a hold longer than the filter stays as it is.

Sources: Savitzky and Golay (1964) by SciPy; Casiez, Roussel and Vogel, "1€ Filter" (CHI 2012).
"""

# scipy ships no types: what comes out of them is checked by the annotations here.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy  # its parts load when used: scipy.signal alone takes 0.35 s
from numpy.typing import NDArray

from keyframes.clock.instant import ZERO, Instant
from keyframes.clock.timeline import Timeline

Array = NDArray[np.float64]

SMOOTHINGS: tuple[str, ...] = ("gaussian", "savgol", "one_euro", "spring")
_GAUSSIAN_REACH = 4.0
_STEPS_PER_WIDTH = 16
_COARSEST_S, _FINEST_S = 1 / 240, 1 / 2000
_REACTION = 10.0
"""Time constants after which a recursive filter has forgotten (5e-5 left)."""


@dataclass(frozen=True)
class Smoothing:
    """How a channel is smoothed.

    Attributes:
        kind: one of SMOOTHINGS.
        width: sigma of `gaussian`, whole window of `savgol`, smooth time of `spring` (the lag a
            single critically damped pass would have); unused by `one_euro`.
        order: polynomial of `savgol`.
        cutoff_hz: `one_euro` at rest.
        beta: `one_euro`, Hz of cutoff per unit of value per second.
    """

    kind: str
    width: Instant = ZERO
    order: int = 3
    cutoff_hz: float = 1.0
    beta: float = 0.5

    def reach_s(self, timeline: Timeline) -> float:
        """How far from a change the smoothed curve can differ from the curve, seconds."""
        if self.kind == "one_euro":
            return _REACTION / (2 * np.pi * self.cutoff_hz)
        width = self.width.at(timeline)
        return {"gaussian": _GAUSSIAN_REACH, "savgol": 0.5, "spring": _REACTION}[self.kind] * width

    def spread_s(self, timeline: Timeline) -> float:
        """How far from a change the smoothed curve can differ from one at rest at 0, to the bit."""
        if self.kind in ("one_euro", "spring"):
            return np.inf  # what is left of a change shrinks for ever
        return self.reach_s(timeline) + 3 * self.step_s(timeline)

    def resolved(self) -> dict[str, Any]:
        """Plain values for the report."""
        if self.kind == "one_euro":
            return {"one_euro": {"cutoff_hz": self.cutoff_hz, "beta": self.beta}}
        if self.kind == "savgol":
            return {"savgol": {"window": str(self.width), "order": self.order}}
        return {self.kind: str(self.width)}

    def step_s(self, timeline: Timeline) -> float:
        """Grid step; depends on nothing but the filter and the clip."""
        narrow = self.reach_s(timeline) / _GAUSSIAN_REACH / _STEPS_PER_WIDTH
        return float(np.clip(narrow, _FINEST_S, _COARSEST_S))


def smoothed(
    curve: Callable[[Array], Array], smoothing: Smoothing, timeline: Timeline, times_s: Array
) -> Array:
    """A curve after smoothing, at `(N,)` seconds; its end values hold beyond the clip."""
    end = timeline.duration_s
    count = max(2, int(np.ceil(end / smoothing.step_s(timeline))) + 1)
    grid, step = np.linspace(0.0, end, count, retstep=True)
    # Two samples beside each grid point, not one on it: a jump at a key is then centred, not late.
    samples = (curve(grid - step / 4) + curve(grid + step / 4)) / 2
    samples[[0, -1]] = curve(grid[[0, -1]])
    reach = int(np.ceil(smoothing.reach_s(timeline) / step)) + 1
    padded = np.pad(samples, reach, mode="reflect", reflect_type="odd")
    kept = _filtered(padded, float(step), smoothing, timeline)[reach:-reach]
    return np.interp(times_s, grid, kept)


def _filtered(samples: Array, step: float, smoothing: Smoothing, timeline: Timeline) -> Array:
    width = smoothing.width.at(timeline)
    if smoothing.kind == "gaussian":
        return _gaussian(samples, width / step)
    if smoothing.kind == "savgol":
        return _savgol(samples, width / step, smoothing.order)
    if smoothing.kind == "spring":
        return _spring(samples, step, width)
    return _one_euro(samples, step, smoothing.cutoff_hz, smoothing.beta)


def _gaussian(samples: Array, sigma: float) -> Array:
    if sigma == 0:
        return samples
    offsets = np.arange(-np.ceil(_GAUSSIAN_REACH * sigma), np.ceil(_GAUSSIAN_REACH * sigma) + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    return np.asarray(scipy.ndimage.correlate1d(samples, weights / weights.sum(), mode="nearest"))


def _savgol(samples: Array, window: float, order: int) -> Array:
    length = 2 * round(window / 2) + 1
    if length <= order + 1:
        return samples
    weights = scipy.signal.savgol_coeffs(length, order, use="dot")
    return np.asarray(scipy.ndimage.correlate1d(samples, weights, mode="nearest"))


def _spring(samples: Array, step: float, smooth_time: float) -> Array:
    """Critically damped, forward then backward (2 / time is its angular frequency)."""
    if smooth_time == 0:
        return samples
    pole = np.exp(-2 * step / smooth_time)
    feedback = np.array([1.0, -2 * pole, pole * pole])
    gain = (1 - pole) ** 2
    for _ in range(2):
        base = samples[0]
        samples = np.asarray(scipy.signal.lfilter([gain], feedback, samples - base))[::-1] + base
    return samples


def _one_euro(samples: Array, step: float, cutoff_hz: float, beta: float) -> Array:
    """Mean of a forward and a backward run."""
    runs = [_one_euro_run(run, step, cutoff_hz, beta) for run in (samples, samples[::-1])]
    return (runs[0] + runs[1][::-1]) / 2


def _one_euro_run(samples: Array, step: float, cutoff_hz: float, beta: float) -> Array:
    slow = smoothing_factor(np.array(1.0), step)
    speed = np.diff(samples, prepend=samples[0]) / step
    speed = np.asarray(scipy.signal.lfilter([slow], [1.0, slow - 1], speed))
    alpha = smoothing_factor(cutoff_hz + beta * np.abs(speed), step)
    alpha[0] = 1.0
    return _recurrence(1 - alpha, alpha * samples)


def smoothing_factor(cutoff_hz: Any, step_s: float) -> Any:
    """What a new sample weighs in an exponential filter with this cut-off, 0…1.

    Args:
        cutoff_hz: a number or an array of any shape.

    Source: Casiez, Roussel, Vogel, "1 € Filter", CHI 2012.
    """
    return 1.0 / (1.0 + 1.0 / (2 * np.pi * cutoff_hz * step_s))


def _recurrence(keep: Array, add: Array) -> Array:
    """y[i] = keep[i] · y[i−1] + add[i] for all i, by doubling (Hillis and Steele's scan)."""
    keep, add = keep.copy(), add.copy()
    reach = 1
    while reach < len(add):
        add[reach:] += keep[reach:] * add[:-reach].copy()
        keep[reach:] *= keep[:-reach].copy()
        reach *= 2
    return add
