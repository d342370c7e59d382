"""Who is who: names given to the faces of each shot by distance, or a doubt that is told.

The rule, for distances of dlib's network (engines/judges/identity.py): on 17 people the same one is
.22 apart on average and .45 at most, two people .46 at least. So a name is sure up to ACCEPT where
the runner-up, another name for the face or another face seen at the same time, is MARGIN farther;
a doubt up to UNSURE; nobody beyond. A face that was seen frontally in fewer than FRONTAL_LEAST
frames is sure only up to ACCEPT_FEW.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.faces.faces import Analysis

ACCEPT, ACCEPT_FEW, MARGIN, UNSURE = 0.45, 0.30, 0.08, 0.60
FRONTAL_LEAST = 5
FRONTAL_DEG = (25.0, 20.0)
"""Largest yaw and pitch of a face that is seen frontally; the mesh's pitch is 4° off at times."""


@dataclass(frozen=True)
class Appearance:
    """One face of one shot.

    Attributes:
        shot: from 1.
        face: its number in this shot, 0 the largest.
        rows: `(R,)` of the analysis, in frame order.
        first, last: its frames.
        frontal: in how many of them it was seen frontally.
    """

    shot: int
    face: int
    rows: NDArray[np.intp]
    first: int
    last: int
    frontal: int

    def meets(self, other: Appearance, analysis: Analysis) -> bool:
        """Whether a frame shows both: then they are two people."""
        ours, theirs = analysis.frame[self.rows], analysis.frame[other.rows]
        return bool(np.intersect1d(ours, theirs, assume_unique=True).size)


@dataclass(frozen=True)
class Sighting:
    """A face and the name it has, or might have.

    Attributes:
        distance: to the name's pictures, the nearest of them.
        runner_up: the next distance that could have won; None without any.
        is_sure: False for a doubt.
    """

    name: str
    shot: int
    face: int
    first: int
    last: int
    distance: float
    runner_up: float | None
    is_sure: bool = True


@dataclass(frozen=True)
class Who:
    """The people found in a clip.

    Attributes:
        sightings: sure ones, by shot.
        doubts: names that a face might have.
        nearest: per name, the least distance of any face of the clip that was looked at.
    """

    sightings: tuple[Sighting, ...] = ()
    doubts: tuple[Sighting, ...] = ()
    nearest: Mapping[str, float] = field(default_factory=dict[str, float])

    def known(self, face: int, frames: int) -> dict[str, NDArray[np.bool_]]:
        """Who a track is: name → `(N,)`, in which frames."""
        masks: dict[str, NDArray[np.bool_]] = {}
        for seen in self.sightings:
            if seen.face == face:
                mask = masks.setdefault(seen.name, np.zeros(frames, bool))
                mask[seen.first : seen.last + 1] = True
        return masks

    def plain(self) -> dict[str, Any]:
        """As JSON holds it; distances only, nothing that a face could be known by."""
        return asdict(self)

    @classmethod
    def of(cls, stored: Any) -> Who:
        """What `plain` gave."""
        listed = {
            name: tuple(Sighting(**s) for s in stored[name]) for name in ("sightings", "doubts")
        }
        return cls(**listed, nearest=stored["nearest"])


NOBODY = Who()


def appearances(analysis: Analysis) -> tuple[Appearance, ...]:
    """Every face of every shot, by shot and number."""
    shot = np.cumsum(analysis.cut) if len(analysis.cut) else np.zeros(0, np.int64)
    shot_of = np.maximum(shot[analysis.frame], 1)
    is_frontal = (np.abs(analysis.pose[:, :2]) <= FRONTAL_DEG).all(axis=1) & ~analysis.bridged
    found: list[Appearance] = []
    for number in np.unique(shot_of):
        for face in np.unique(analysis.track[shot_of == number]):
            rows = np.flatnonzero((shot_of == number) & (analysis.track == face))
            frames = analysis.frame[rows]
            found.append(
                Appearance(
                    int(number),
                    int(face),
                    rows,
                    int(frames[0]),
                    int(frames[-1]),
                    int(is_frontal[rows].sum()),
                )
            )
    return tuple(found)


def name_faces(
    analysis: Analysis,
    faces: Sequence[Appearance],
    names: Sequence[str],
    distance: NDArray[np.float64],
    few: float = ACCEPT_FEW,
) -> Who:
    """Gives names to faces.

    Surest first; a name that is taken by a face seen at the same time is no rival any more.

    Args:
        faces: of whole shots.
        distance: `(F, P)` of each face to each name.
        few: up to which distance a face is sure that was seldom seen frontally.
    """
    sightings, doubts = list[Sighting](), list[Sighting]()
    for shot in sorted({face.shot for face in faces}):
        here = [number for number, face in enumerate(faces) if face.shot == shot]
        named = _name_shot(analysis, [faces[n] for n in here], names, distance[here], few)
        sightings += [s for s in named if s.is_sure]
        doubts += [s for s in named if not s.is_sure]
    least = distance.min(axis=0) if len(faces) else np.full(len(names), np.inf)
    nearest = {name: round(float(d), 3) for name, d in zip(names, least, strict=True)}
    return Who(tuple(sightings), tuple(doubts), nearest if len(faces) else {})


def _name_shot(
    analysis: Analysis,
    faces: Sequence[Appearance],
    names: Sequence[str],
    distance: NDArray[np.float64],
    few: float,
) -> list[Sighting]:
    met = [[a is not b and a.meets(b, analysis) for b in faces] for a in faces]
    given: dict[int, int] = {}
    found: dict[int, Sighting] = {}

    def rivals(face: int, name: int, settled: Mapping[int, int]) -> list[float]:
        """Distances that could win instead; who is settled is out of it."""
        beside = [f for f in range(len(faces)) if met[face][f]]
        taken = {settled[f] for f in beside if f in settled}
        others = [distance[face, p] for p in range(len(names)) if p != name and p not in taken]
        return [*others, *(distance[f, name] for f in beside if f not in settled)]

    def is_taken(name: int, face: int) -> bool:
        """Whether somebody seen beside the face has the name."""
        return any(given.get(f) == name for f in range(len(faces)) if met[face][f])

    def sighting(face: int, name: int, *, sure: bool) -> Sighting:
        others = rivals(face, name, {} if sure else given)
        seen, nearest = faces[face], min(others, default=np.inf)
        return Sighting(
            names[name],
            seen.shot,
            seen.face,
            seen.first,
            seen.last,
            round(float(distance[face, name]), 3),
            round(float(nearest), 3) if np.isfinite(nearest) else None,
            sure,
        )

    pairs = [divmod(int(n), len(names)) for n in np.argsort(distance, axis=None, kind="stable")]
    moved = True
    while moved:
        moved = False
        for face, name in pairs:
            limit = ACCEPT if faces[face].frontal >= FRONTAL_LEAST else few
            ahead = min(rivals(face, name, given), default=np.inf) - distance[face, name]
            is_open = face not in given and not is_taken(name, face)
            if is_open and distance[face, name] <= limit and ahead >= MARGIN:
                found[face], given[face], moved = sighting(face, name, sure=True), name, True
    doubts = [
        sighting(face, name, sure=False)
        for face, name in pairs
        if face not in given and not is_taken(name, face) and distance[face, name] <= UNSURE
    ]
    return [*(found[face] for face in sorted(found)), *doubts]
