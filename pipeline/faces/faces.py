"""The faces of a whole video: chunks linked over time, gaps bridged, AUs calibrated per face."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.faces.eyelids import closure_of, eye_openings
from engines.interface import AUEstimator, Face
from keyframes.au import LID_NAMES, AUIntensity
from pipeline.columns import Column, Spool, blank, blocks
from pipeline.faces.chunks import Chunk
from pipeline.faces.columns import CARRIED, FACE_COLUMNS, SEEN, SIGNATURE
from pipeline.faces.cuts import find_cuts
from pipeline.faces.track import bridge_gaps, link_faces


@dataclass(frozen=True)
class Analysis:
    """All faces of a video, sorted by track, then frame.

    Attributes:
        frames: number of frames of the video.
        frame, track: `(M,)` int64; track 0 is the largest face.
        bridged: `(M,)` bool, filled in over a short gap, not seen.
        score, pose, box, landmarks_px: as in Chunk.
        hands_px: as in Chunk; carried over gaps where both sides show a hand.
        intensity: `(M, 12)` float32, 0…5 in AU_ORDER.
        lids: `(M, 2)` float32, 0…5 in the order of LID_NAMES: how far each eye is shut.
        cut: `(N,)` bool, the frame starts a new shot.
        neutral: `(T, K)` float32, each track's features at rest, which its intensities are measured
            against; no rows where that is not known.
    """

    frames: int
    frame: NDArray[np.int64]
    track: NDArray[np.int64]
    bridged: NDArray[np.bool_]
    score: NDArray[np.float32]
    pose: NDArray[np.float32]
    box: NDArray[np.float32]
    landmarks_px: NDArray[np.float32]
    hands_px: NDArray[np.float32]
    intensity: NDArray[np.float32]
    lids: NDArray[np.float32]
    cut: NDArray[np.bool_]
    neutral: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    @classmethod
    def of_frame(
        cls, frames: int, number: int, faces: Sequence[Face], intensity: NDArray[np.float32]
    ) -> Analysis:
        """Of a clip of which one frame is known; its faces are tracks in their order.

        Args:
            intensity: `(len(faces), 12)`.
        """
        count = len(faces)
        return cls(
            frames=frames,
            frame=np.full(count, number, np.int64),
            track=np.arange(count, dtype=np.int64),
            bridged=np.zeros(count, bool),
            score=np.array([f.score for f in faces], np.float32),
            pose=np.array([(f.yaw, f.pitch, f.roll) for f in faces], np.float32).reshape(-1, 3),
            box=np.array([f.box for f in faces], np.float32).reshape(-1, 4),
            landmarks_px=np.array([f.landmarks_px for f in faces], np.float32).reshape(-1, 68, 2),
            hands_px=blank(FACE_COLUMNS, count)["hands_px"],
            intensity=intensity,
            lids=np.zeros((count, len(LID_NAMES)), np.float32),  # one frame knows no wider eye
            cut=np.zeros(frames, bool),
        )

    @property
    def faces(self) -> int:
        """How many faces the video has, at least 1: a curve always has somebody to address."""
        return int(self.track.max(initial=0)) + 1

    @property
    def faceless(self) -> NDArray[np.bool_]:
        """`(N,)`: frames without any face, bridged ones not counted."""
        none = np.ones(self.frames, bool)
        none[self.frame] = False
        return none

    def rows_of(self, track: int) -> NDArray[np.intp]:
        """Row numbers of a track, in frame order."""
        return np.flatnonzero(self.track == track)

    def intensity_over_time(self, track: int) -> AUIntensity:
        """A track's AUs and lids at every frame, NaN where it is not there."""
        rows = self.rows_of(track)
        spread: list[NDArray[np.float32]] = []
        for known in (self.intensity, self.lids):
            values = np.full((self.frames, known.shape[1]), np.nan, np.float32)
            values[self.frame[rows]] = known[rows]
            spread.append(values)
        return AUIntensity(*spread)

    def restarts(self, frame: NDArray[np.int64]) -> NDArray[np.bool_]:
        """`(m,)` for a track's frames: filters start anew there (a cut, or frames are missing)."""
        shot = np.cumsum(self.cut)[frame]
        gap = np.diff(frame, prepend=frame[:1] - 2) > 1
        return gap | (np.diff(shot, prepend=-1) != 0)


def assemble(
    times_s: NDArray[np.float64],
    chunks: Iterable[Chunk],
    estimator: AUEstimator,
    neutral: NDArray[np.float32] | None = None,
) -> Analysis:
    """Links the chunks of a video, in order, into its faces.

    Chunks are taken one by one, and the table lies in files without names (columns.py): of a clip
    of hours only what linking compares is held in memory.

    Args:
        times_s: `(N,)` presentation time of every frame.
        neutral: `(T, K)`, the tracks' features at rest in other footage of these faces
            (`Analysis.neutral`); a track beyond them is measured against its own.
    """
    found, signatures = _spooled(chunks, len(estimator.feature_names))
    cut = find_cuts(signatures)
    track = link_faces(found["frame"], found["box"], times_s, cut)
    known = [] if neutral is None else list(neutral)
    table = Spool(FACE_COLUMNS)
    rests: list[NDArray[np.float32]] = []
    for number in range(int(track.max(initial=-1)) + 1):
        features, lids = _one_face(number, found, track, times_s, cut, table)
        rest = known[number] if number < len(known) else estimator.neutral(features)
        table.add({"intensity": estimator.intensity(features, rest).values, "lids": lids})
        rests.append(rest)
    return Analysis(
        len(times_s),
        **table.arrays(),
        cut=cut,
        neutral=np.array(rests, np.float32).reshape(len(rests), len(estimator.feature_names)),
    )


def _spooled(
    chunks: Iterable[Chunk], features: int
) -> tuple[dict[str, NDArray[Any]], NDArray[np.uint8]]:
    """The chunks' rows as one table, and the thumbnails of all frames."""
    columns = {name: FACE_COLUMNS[name] for name in SEEN}
    measured = {"features": Column((features,), np.float32)}
    rows, frames = Spool(columns | measured), Spool({"signatures": SIGNATURE})
    for chunk in chunks:
        rows.add({name: getattr(chunk, name) for name in (*SEEN, "features")})
        frames.add({"signatures": chunk.signatures})
    return rows.arrays(), frames.arrays()["signatures"]


def _one_face(
    number: int,
    found: dict[str, NDArray[Any]],
    track: NDArray[np.int64],
    times_s: NDArray[np.float64],
    cut: NDArray[np.bool_],
    table: Spool,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Appends a track's rows to the table, gaps bridged; gives its features, and how far its eyes
    are shut."""
    rows = np.flatnonzero(track == number)
    bridge = bridge_gaps(found["frame"][rows], times_s, cut)
    measured = Spool({"features": Column(found["features"].shape[1:], np.float32)})
    openings: list[NDArray[np.float64]] = []
    for part in map(bridge.part, blocks(len(bridge.frame))):
        columns = {name: part.fill(found[name], rows) for name in CARRIED}
        measured.add({"features": columns.pop("features")})
        openings.append(eye_openings(columns["landmarks_px"], columns["pose"]))
        same = np.full(len(part.frame), number, np.int64)
        table.add({"frame": part.frame, "track": same, "bridged": part.bridged, **columns})
    return measured.arrays()["features"], closure_of(np.concatenate(openings))


def largest_first(faces: Sequence[Face]) -> list[Face]:
    """One frame's faces as a run numbers its tracks."""
    return sorted(faces, key=lambda f: (f.box[2] - f.box[0]) * (f.box[3] - f.box[1]), reverse=True)
