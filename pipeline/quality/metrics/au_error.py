"""Action units asked for against those achieved, by one named estimator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keyframes.au import AU_ORDER, INTENSITY_MAX, AUDelta, AUIntensity

STRONG = 0.75
"""A unit is judged on the frames that ask for at least this part of its greatest change."""
SMALL = 0.2
"""Units of intensity below which a change is not judged: estimators tremble by as much."""


@dataclass(frozen=True)
class AUReading:
    """One unit over a shot, medians over its strong frames, in intensity units.

    Attributes:
        au: its number.
        asked: the change asked for.
        reachable: the part of it that an estimator can read at all (measured + asked, within 0…5).
        read: the change it read.
        moved: the change by geometry; NaN where that was not measured.
        error: mean |achieved − reachable| over all frames that ask for it.
        frames: how many those are.
    """

    au: int
    asked: float
    reachable: float
    read: float
    moved: float
    error: float
    frames: int

    @property
    def share_read(self) -> float:
        """Of the reachable change; NaN where nothing could be read."""
        return self.read / self.reachable if abs(self.reachable) >= SMALL else float("nan")

    @property
    def share_moved(self) -> float:
        """Of the asked change, by geometry."""
        return self.moved / self.asked if abs(self.asked) >= SMALL else float("nan")


def reachable(requested: AUDelta, measured: AUIntensity) -> NDArray[np.float64]:
    """`(N, 12)` what an estimator can read at best: measured + asked, within 0…5; NaN faceless."""
    return np.clip(measured.values.astype(np.float64) + requested.values, 0.0, INTENSITY_MAX)


def au_errors(
    requested: AUDelta, measured: AUIntensity, achieved: AUIntensity
) -> NDArray[np.float64]:
    """`(N, 12)` |achieved − reachable| where a change is asked for, NaN elsewhere."""
    error = np.abs(achieved.values - reachable(requested, measured))
    return np.where(requested.values != 0.0, error, np.nan)


def au_readings(
    requested: AUDelta,
    measured: AUIntensity,
    achieved: AUIntensity,
    moved: NDArray[np.floating] | None = None,
) -> list[AUReading]:
    """Every unit that is asked for anywhere, in AU_ORDER.

    Args:
        moved: `(N, 12)` units moved by geometry, NaN where unknown.
    """
    best = reachable(requested, measured) - measured.values
    read = achieved.values.astype(np.float64) - measured.values
    errors = au_errors(requested, measured, achieved)
    readings: list[AUReading] = []
    for column, au in enumerate(AU_ORDER):
        asked = requested.values[:, column].astype(np.float64)
        known = np.isfinite(read[:, column]) & (asked != 0.0)
        if not (asked != 0.0).any() or np.abs(asked).max() < SMALL:
            continue
        strong = known & (np.abs(asked) >= STRONG * np.abs(asked).max())
        by_points = np.full(len(asked), np.nan) if moved is None else moved[:, column]
        readings.append(
            AUReading(
                au=au,
                asked=_median(asked[strong]),
                reachable=_median(best[strong, column]),
                read=_median(read[strong, column]),
                moved=_median(by_points[strong]),
                error=_mean(errors[known, column]),
                frames=int(known.sum()),
            )
        )
    return readings


def cross_talk(
    requested: AUDelta, measured: AUIntensity, achieved: AUIntensity
) -> dict[int, float]:
    """Units nobody asked for: the median change read in them on the frames that ask for most."""
    strength = np.abs(requested.values).sum(axis=1)
    if not strength.any():
        return {}
    strong = strength >= STRONG * strength.max()
    read = (achieved.values.astype(np.float64) - measured.values)[strong]
    idle = ~(requested.values != 0.0).any(axis=0)
    return {au: _median(read[:, column]) for column, au in enumerate(AU_ORDER) if idle[column]}


def _median(values: NDArray[np.floating]) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")


def _mean(values: NDArray[np.floating]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
