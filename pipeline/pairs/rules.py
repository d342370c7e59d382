"""Which two frames of a face make a pair: rules that can be read and changed, and their choice.

The paper asks for one identity, frames a distance apart, and at least one of pose and background
different, and gives no numbers: these are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.faces.faces import Analysis

TRIED_PER_PAIR = 40
"""Random candidates that are looked at for each pair that is asked for."""


@dataclass(frozen=True)
class PairRules:
    """What may be a pair. Every field is an option of `make-pairs`.

    Attributes:
        pairs_per_face: of each face of a shot, at most.
        min_distance_s, max_distance_s: between the two frames.
        min_pose_change: degrees; a pair needs this or
        min_background_change: mean difference of what both backgrounds show, levels of 255.
        min_au_change: length of the AU difference, intensity units.
        min_score: of the tracker's presence.
        min_face_px: width of the face in the footage.
        max_yaw: degrees.
        min_sharpness: variance of the Laplacian of the crop at 256 px, levels².
        warped_share: of each face's pairs that are one frame warped with a known change.
        seed: of the candidates.
    """

    pairs_per_face: int = 30
    min_distance_s: float = 0.5
    max_distance_s: float = 600.0
    min_pose_change: float = 3.0
    min_background_change: float = 8.0
    min_au_change: float = 1.0
    min_score: float = 0.5
    min_face_px: float = 96.0
    max_yaw: float = 40.0
    min_sharpness: float = 15.0
    warped_share: float = 0.0
    seed: int = 0

    @property
    def warped_per_face(self) -> int:
        """Of each face of a shot, made from one frame."""
        return round(self.warped_share * self.pairs_per_face)

    @property
    def footage_per_face(self) -> int:
        """Of each face of a shot, of two frames."""
        return self.pairs_per_face - self.warped_per_face


@dataclass(frozen=True)
class Chosen:
    """Rows of an analysis, a pair each, best spread first.

    Attributes:
        source, target: `(K,)` row numbers.
        counts: how many faces and candidates there were at each rule.
    """

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    counts: dict[str, int]


def choose_pairs(
    analysis: Analysis, times_s: NDArray[np.float64], track: int, shot: int, rules: PairRules
) -> Chosen:
    """Candidates within one shot: across a cut nobody knows who is who.

    Those come first whose AU differences are far from all before them, so that a talking face
    gives more than talking. The pose or the background must differ too; of the latter nothing is
    known before frames are decoded, so it is asked later.
    """
    rows, counts = usable_rows(analysis, track, shot, rules)
    random = np.random.default_rng([rules.seed, track, shot])
    tried = min(TRIED_PER_PAIR * rules.pairs_per_face, len(rows) * max(0, len(rows) - 1))
    places = random.integers(0, max(1, len(rows)), (tried, 2))
    places = np.unique(places, axis=0)
    source, target = rows[places[:, 0]], rows[places[:, 1]]
    apart = np.abs(times_s[analysis.frame[target]] - times_s[analysis.frame[source]])
    far = (apart >= rules.min_distance_s) & (apart <= rules.max_distance_s)
    change = analysis.intensity[target] - analysis.intensity[source]
    differs = np.linalg.norm(change, axis=1) >= rules.min_au_change
    counts |= {"candidates": len(places), "apart": int(far.sum())}
    kept = np.flatnonzero(far & differs)
    counts["of another expression"] = len(kept)
    order = kept[spread(change[kept], 2 * rules.footage_per_face)]
    return Chosen(source[order], target[order], counts)


def choose_single(analysis: Analysis, track: int, shot: int, rules: PairRules) -> NDArray[np.int64]:
    """Rows to warp, spread evenly over those that are seen well, each once."""
    rows, _ = usable_rows(analysis, track, shot, rules)
    count = min(len(rows), rules.warped_per_face)
    return rows[np.linspace(0, len(rows) - 1, count).round().astype(int)] if count else rows[:0]


def usable_rows(
    analysis: Analysis, track: int, shot: int, rules: PairRules
) -> tuple[NDArray[np.int64], dict[str, int]]:
    """Rows of a face in a shot that are seen well, alone in their frame."""
    rows = np.flatnonzero(analysis.track == track)
    rows = rows[shots(analysis)[analysis.frame[rows]] == shot]
    faces_in = np.bincount(analysis.frame, minlength=analysis.frames)
    width = np.ptp(analysis.landmarks_px[rows, :, 0], axis=1) if len(rows) else np.zeros(0)
    wanted = {
        "alone": faces_in[analysis.frame[rows]] == 1,
        "seen": ~analysis.bridged[rows] & (analysis.score[rows] >= rules.min_score),
        "large": width >= rules.min_face_px,
        "towards us": np.abs(analysis.pose[rows, 0]) <= rules.max_yaw,
        "measured": np.isfinite(analysis.intensity[rows]).all(axis=1),
    }
    good = np.ones(len(rows), bool)
    counts = {"faces": len(rows)}
    for name, holds in wanted.items():
        good &= holds
        counts[name] = int(good.sum())
    return rows[good], counts


def shots(analysis: Analysis) -> NDArray[np.int64]:
    """`(N,)` number of the shot of every frame."""
    return np.cumsum(analysis.cut.astype(np.int64))


def spread(change: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Up to `count` rows of `(K, 12)`, each as far as can be from those before (Gonzalez 1985)."""
    if not len(change):
        return np.zeros(0, np.int64)
    chosen = [int(np.argmax(np.linalg.norm(change, axis=1)))]
    nearest = np.linalg.norm(change - change[chosen[0]], axis=1)
    while len(chosen) < min(count, len(change)) and nearest.max() > 0:
        chosen.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, np.linalg.norm(change - change[chosen[-1]], axis=1))
    return np.array(chosen, np.int64)


def pose_change(analysis: Analysis, source: int, target: int) -> float:
    """Largest change of yaw, pitch or roll between two rows, degrees."""
    return float(np.abs(analysis.pose[target] - analysis.pose[source]).max())


def added(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Counts of two faces or clips together."""
    return {name: one.get(name, 0) + other.get(name, 0) for name in one | other}
