"""The embedded AU estimator: no weights beyond the face mesh's own, calibrated to each track.

It shows what moves and when. There is no ground truth behind its scale: by eye it is good for AU 1,
2, 4, 12, 25 and 26, usable for 5, 6 and 17, weak for 9, 15 and 20; head pitch leaks into the brows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.errors import EngineError
from engines.estimators.checks import check_features, check_measured, check_neutral
from engines.estimators.mesh.features import FEATURE_NAMES, mesh_features
from engines.interface import Face, RGBFrame
from engines.trackers.mesh.detector import box_overlap
from engines.trackers.mesh.tracker import MeshTracker
from keyframes.au import AU_ORDER, INTENSITY_MAX, AUIntensity

NEUTRAL_SHARE = 0.15
NEUTRAL_MIN = 5
BLOCK = 4096
"""Rows measured at once: a track may be hours long."""
_NEUTRAL_BLENDSHAPE_MAX = 0.6  # a face with raised brows at rest keeps something to show

_Curve = NDArray[np.float64]


def _clip(values: _Curve) -> _Curve:
    return np.clip(values, 0.0, 1.0)


def _ramp(values: _Curve, full: float) -> _Curve:
    return _clip(values / full)


@dataclass(frozen=True)
class Calibrated:
    """A track's features against those of its face at rest (`(K,)`, medians of neutral frames)."""

    features: NDArray[np.float64]
    neutral: NDArray[np.float64]

    def raw(self, name: str) -> _Curve:
        """As measured."""
        return self.features[:, FEATURE_NAMES.index(name)]

    def change(self, name: str) -> _Curve:
        """Difference to neutral."""
        return self.raw(name) - self.neutral[FEATURE_NAMES.index(name)]

    def cal(self, name: str) -> _Curve:
        """A blendshape with its neutral value removed and the rest stretched to 0…1."""
        rest = min(float(self.neutral[FEATURE_NAMES.index(name)]), _NEUTRAL_BLENDSHAPE_MAX)
        return _clip((self.raw(name) - rest) / (1.0 - rest))


def _au1(f: Calibrated) -> _Curve:
    return 0.5 * f.cal("browInnerUp") + 0.5 * _ramp(f.change("brow_in"), 0.09)


def _au2(f: Calibrated) -> _Curve:
    return 0.5 * f.cal("browOuterUp") + 0.5 * _ramp(f.change("brow_out"), 0.09)


def _au4(f: Calibrated) -> _Curve:
    nearer = 0.35 * _ramp(-f.change("brow_gap"), 0.05) + 0.35 * _ramp(-f.change("brow_in"), 0.05)
    return np.maximum(1.3 * f.cal("browDown"), 0.5 * f.cal("browDown") + nearer)


def _au5(f: Calibrated) -> _Curve:
    wide = np.maximum(1.5 * f.raw("eyeWide"), _ramp(f.change("eye"), 0.06))
    return wide * (1.0 - _clip(2.0 * f.raw("eyeBlink")))


def _au6(f: Calibrated) -> _Curve:
    smile = f.cal("mouthSmile")
    narrow = np.maximum(f.cal("eyeSquint"), _ramp(-f.change("eye"), 0.05))
    return 0.35 * smile + 0.65 * np.sqrt(smile * narrow)


def _au9(f: Calibrated) -> _Curve:
    frown = np.maximum(f.cal("browDown"), f.raw("mouthUpperUp"))
    lifted = _ramp(-f.change("nose_wing") - 0.02, 0.06)
    return lifted * (0.3 + 0.7 * frown) * (1.0 - 0.85 * f.cal("mouthSmile"))


def _au12(f: Calibrated) -> _Curve:
    smile = f.cal("mouthSmile")
    pulled = _ramp(f.change("corner_up") + 0.5 * f.change("width"), 0.16)
    return np.maximum(smile, 0.5 * smile + 0.5 * pulled)


def _au15(f: Calibrated) -> _Curve:
    closed = 1.0 - _ramp(f.change("gap"), 0.1)
    lowered = _ramp(f.change("corner_vs_lip") - 0.01, 0.06)
    return np.maximum(3.0 * f.raw("mouthFrown"), lowered * (1.0 - f.cal("mouthSmile")) * closed)


def _au17(f: Calibrated) -> _Curve:
    pushed = _ramp(-f.change("lowlip"), 0.08) * (1.0 - _ramp(f.change("gap"), 0.03))
    raised = np.maximum(1.3 * f.cal("mouthShrugLower"), pushed)
    return raised * (1.0 - 0.7 * f.raw("mouthPucker"))


def _au20(f: Calibrated) -> _Curve:
    return 1.5 * f.cal("mouthStretch") * (1.0 - 0.5 * f.cal("mouthSmile"))


def _au25(f: Calibrated) -> _Curve:
    return _ramp(f.raw("gap") - 0.012, 0.20) ** 0.7


def _au26(f: Calibrated) -> _Curve:
    return np.maximum(f.raw("jawOpen"), 0.9 * _ramp(f.change("jaw"), 0.35))


# cheekSquint and noseSneer of MediaPipe are dead (99th percentile 0.000) and mouthFrown is weak, so
# AU 6, 9 and 15 lean on geometry.
_FORMULAS: dict[int, Callable[[Calibrated], _Curve]] = {
    1: _au1, 2: _au2, 4: _au4, 5: _au5, 6: _au6, 9: _au9,
    12: _au12, 15: _au15, 17: _au17, 20: _au20, 25: _au25, 26: _au26,
}  # fmt: skip


class MeshAUEstimator:
    """12 AUs from the mesh tracker's own points and blendshapes.

    Faces that another tracker found carry no mesh; theirs is looked up with the mesh tracker in the
    same frame, and a face that it does not find there is measured as NaN.

    Args:
        neutral_rows: first and one past the last row of a track's features in which the face is
            known to be at rest; None takes the 15 % that move least (at least 5).

    Raises:
        EngineError: the range is empty or negative.
    """

    def __init__(self, *, neutral_rows: tuple[int, int] | None = None) -> None:
        if neutral_rows is not None and not 0 <= neutral_rows[0] < neutral_rows[1]:
            raise EngineError(
                f"neutral rows: got {neutral_rows[0]}…{neutral_rows[1]}; expected 0 ≤ first < end"
            )
        self._neutral_rows = neutral_rows
        self._tracker: MeshTracker | None = None

    @property
    def feature_names(self) -> tuple[str, ...]:
        return FEATURE_NAMES

    def measure(
        self, frames: Sequence[RGBFrame], faces: Sequence[Sequence[Face]]
    ) -> list[NDArray[np.float32]]:
        check_measured(frames, faces)
        return [self._measured(frame, found) for frame, found in zip(frames, faces, strict=True)]

    def _measured(self, frame: RGBFrame, faces: Sequence[Face]) -> NDArray[np.float32]:
        rows = np.full((len(faces), len(FEATURE_NAMES)), np.nan, np.float32)
        for row, face in zip(rows, self._with_meshes(frame, faces), strict=True):
            if (
                face.mesh_px is not None
                and face.blendshapes is not None
                and face.matrix is not None
            ):
                row[:] = mesh_features(face.mesh_px, face.blendshapes, face.matrix)
        return rows

    def _with_meshes(self, frame: RGBFrame, faces: Sequence[Face]) -> list[Face]:
        if all(face.blendshapes is not None for face in faces):
            return list(faces)
        if self._tracker is None:
            self._tracker = MeshTracker()
        (found,) = self._tracker.track([frame])
        return [_same_face(face, found) if face.mesh_px is None else face for face in faces]

    def neutral(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        check_features(features, FEATURE_NAMES)
        seen = _measured_rows(features)
        if not len(seen):
            return np.full(len(FEATURE_NAMES), np.nan, np.float32)
        at_rest = self._neutral(features, seen)
        rest = [np.median(features[at_rest, each]) for each in range(len(FEATURE_NAMES))]
        return np.array(rest, np.float32)

    def intensity(
        self, features: NDArray[np.float32], neutral: NDArray[np.float32] | None = None
    ) -> AUIntensity:
        if neutral is None or np.isnan(neutral).all():
            neutral = self.neutral(features)
        check_features(features, FEATURE_NAMES)
        check_neutral(neutral, FEATURE_NAMES)
        values = np.full((len(features), len(AU_ORDER)), np.nan, np.float32)
        seen = _measured_rows(features)
        for first in range(0, len(seen), BLOCK):
            rows = seen[first : first + BLOCK]
            track = Calibrated(features[rows].astype(np.float64), neutral.astype(np.float64))
            curves = [_clip(_FORMULAS[au](track)) * INTENSITY_MAX for au in AU_ORDER]
            values[rows] = np.stack(curves, axis=1)
        return AUIntensity(values)

    def _neutral(self, features: NDArray[np.float32], rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Of measured rows those to calibrate to."""
        if self._neutral_rows is not None:
            first, end = self._neutral_rows
            chosen = rows[(rows >= first) & (rows < end)]
            if not len(chosen):
                raise EngineError(
                    f"neutral rows {first}…{end}: no face was measured there; "
                    f"known: {rows[0]}…{rows[-1] + 1}"
                )
            return chosen
        count = max(NEUTRAL_MIN, math.ceil(NEUTRAL_SHARE * len(rows)))
        activity = features[rows, FEATURE_NAMES.index("activity")]
        return rows[np.argsort(activity, kind="stable")[:count]]


def _measured_rows(features: NDArray[np.float32]) -> NDArray[np.intp]:
    """Rows of which everything is known, found some at a time: there may be hours of them."""
    firsts = range(0, len(features), BLOCK)
    found = [np.flatnonzero(np.isfinite(features[f : f + BLOCK]).all(axis=1)) + f for f in firsts]
    return np.concatenate(found) if found else np.zeros(0, np.intp)


def _same_face(face: Face, found: Sequence[Face]) -> Face:
    """The one of `found` that shares most of the face's box, if more than half; else the face."""
    shared = box_overlap(face.box, np.array([f.box for f in found]).reshape(-1, 4), of_smaller=True)
    if not len(shared) or shared.max() <= 0.5:
        return face
    return found[int(shared.argmax())]
