"""Shut eyes: how far each was asked to shut against how far it is seen to have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keyframes.au import INTENSITY_MAX, LID_DESCRIPTIONS, LID_NAMES, AUDelta, AUIntensity
from pipeline.quality.metrics.au_error import SMALL, STRONG
from pipeline.quality.verdict import HARDLY, MADE, PARTLY, WORST, Mark, ShotFinding


@dataclass(frozen=True)
class ClosureReading:
    """One eye over a shot, medians over the frames that ask for most of it, 0…5 = all the way.

    Attributes:
        name: of LID_NAMES.
        asked: the change asked for.
        reachable: the part of it that was left: a shut eye shuts no further.
        read: the change seen; NaN where the eye was not seen in both clips.
        frame: where it is furthest from what was asked; −1 where none was seen.
    """

    name: str
    asked: float
    reachable: float
    read: float
    frame: int

    @property
    def share(self) -> float:
        """Of the reachable change; NaN where nothing was left to change."""
        return self.read / self.reachable if abs(self.reachable) >= SMALL else float("nan")


def closure_readings(
    requested: AUDelta, measured: AUIntensity, achieved: AUIntensity
) -> list[ClosureReading]:
    """Each eye that is asked to shut or to open anywhere."""
    before = measured.lids.astype(np.float64)
    best = np.clip(before + requested.lids, 0.0, INTENSITY_MAX) - before
    read = achieved.lids.astype(np.float64) - before
    asked = requested.lids.astype(np.float64)
    return [
        _reading(name, asked[:, column], best[:, column], read[:, column])
        for column, name in enumerate(LID_NAMES)
        if np.abs(asked[:, column]).max(initial=0.0) >= SMALL
    ]


def _reading(
    name: str,
    asked: NDArray[np.float64],
    best: NDArray[np.float64],
    read: NDArray[np.float64],
) -> ClosureReading:
    strong = np.abs(asked) >= STRONG * np.abs(asked).max()
    seen = strong & np.isfinite(read)
    if not seen.any():
        return ClosureReading(name, float(np.median(asked[strong])), np.nan, np.nan, -1)
    change, left, shut = (float(np.median(values[seen])) for values in (asked, best, read))
    off = np.where(seen, np.abs(read - best), -1.0)
    return ClosureReading(name, change, left, shut, int(np.argmax(off)))


def closure_finding(reading: ClosureReading) -> ShotFinding:
    """What became of one eye, in words."""
    name, share = reading.name, reading.share
    what = f"{name} {LID_DESCRIPTIONS[name.removeprefix('AU')]}"
    if np.isnan(reading.read):
        return ShotFinding(name, "none", "—", f"{what}: the eye was not seen where it is asked for")
    said = f"{what}: asked {reading.asked:+.1f}, seen {reading.read:+.1f}"
    if np.isnan(share):
        return ShotFinding(
            name, "none", f"{reading.read:+.1f}", f"{said}: there was nothing left to change."
        )
    words = ((MADE, "made"), (PARTLY, "made in part"), (HARDLY, "hardly made"))
    text = next((word for least, word in words if share >= least), "went the other way")
    left = f" of {reading.reachable:+.1f} that was left" if share < MADE else ""
    mark: Mark = "pass" if share >= MADE else "warn"
    excess = float(min(MADE / max(share, MADE / WORST), WORST))
    told = f"{said}{left}: {text}."
    return ShotFinding(name, mark, f"{reading.read:+.1f}", told, reading.frame, excess)
