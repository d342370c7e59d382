"""The faces of a whole video: chunks linked over time, gaps bridged, AUs calibrated per face."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.faces.eyelids import closure_of, eye_openings
from engines.interface import AUEstimator, Face
from keyframes.au import LID_NAMES, AUIntensity
from pipeline.columns import Column, Spool, blank, blocks
from pipeline.faces.chunks import Chunk
from pipeline.faces.columns import CARRIED, FACE_COLUMNS, SEEN, SIGNATURE
from pipeline.faces.moments import as_frames, together
from pipeline.faces.stretches import Stretches, all_stretches, whole_stretches
from pipeline.faces.track import Bridge, bridge_gaps, link_faces
from pipeline.pictures import FIRST, SECOND, Pictures, pictures_of
from pipeline.settings import Moments

Rests = Mapping[tuple[int, int], NDArray[np.float32]]
"""First frame of a stretch and track → `(K,)` that face's features at rest in it."""


@dataclass(frozen=True)
class Analysis:
    """All faces of a video, or of the parts of it that are analysed, sorted by track, then picture.

    Attributes:
        frames: number of frames of the video.
        frame, track: `(M,)` int64; track 0 is the largest face.
        field: `(M,)` int8, in which picture of the frame (pipeline/pictures.py).
        bridged: `(M,)` bool, filled in over a short gap, not seen.
        score, pose, box, landmarks_px: as in Chunk.
        hands_px: as in Chunk; carried over gaps where both sides show a hand.
        intensity: `(M, 12)` float32, 0…5 in AU_ORDER.
        lids: `(M, 2)` float32, 0…5 in the order of LID_NAMES: how far each eye is shut.
        cut: `(N,)` bool, the frame starts a new shot, or a new part of one that goes on for minutes
            (pipeline/faces/stretches.py); known of what is covered.
        neutral: what each face's intensities are measured against; empty where that is not known.
        uncovered: `(N,)` bool, frames that are not analysed; of length 0 where all are.
        in_fields: `(N,)` bool, analysed frames that are fields; of length 0 where none is.
        one_moment: `(N,)` bool, those whose fields are taken together, for they show one moment
            (moments.py), and which are no fields here; of length 0 where none is.
    """

    frames: int
    frame: NDArray[np.int64]
    field: NDArray[np.int8]
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
    neutral: Rests = dataclasses.field(default_factory=dict[tuple[int, int], NDArray[np.float32]])
    uncovered: NDArray[np.bool_] = dataclasses.field(default_factory=lambda: np.zeros(0, np.bool_))
    in_fields: NDArray[np.bool_] = dataclasses.field(default_factory=lambda: np.zeros(0, np.bool_))
    one_moment: NDArray[np.bool_] = dataclasses.field(default_factory=lambda: np.zeros(0, np.bool_))

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
            field=np.zeros(count, np.int8),
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
    def covered(self) -> NDArray[np.bool_]:
        """`(N,)`: frames that are analysed, with the whole of their shot."""
        return ~self.uncovered if len(self.uncovered) else np.ones(self.frames, bool)

    @property
    def faceless(self) -> NDArray[np.bool_]:
        """`(N,)`: analysed frames without any face, bridged ones not counted."""
        none = self.covered
        none[self.frame] = False
        return none

    def around(self, wanted: NDArray[np.bool_]) -> Analysis:
        """What is known of the shots that hold any of the wanted `(N,)` frames, and no more.

        What else is analysed then makes no difference to what is made of it.
        """
        kept = whole_stretches(self.cut, wanted) & self.covered
        rows = np.flatnonzero(kept[self.frame])
        if kept.all():
            return self
        columns = {name: getattr(self, name)[rows] for name in FACE_COLUMNS}
        flags = {
            name: flag & kept if len(flag := getattr(self, name)) else flag
            for name in ("in_fields", "one_moment")
        }
        return replace(self, **columns, uncovered=~kept, **flags)

    @property
    def by_frame(self) -> Analysis:
        """One row per face and frame, for whoever counts in frames: of fields, the first one's."""
        if not len(self.in_fields):
            return self
        rows = np.flatnonzero(self.field != SECOND)
        columns = {name: getattr(self, name)[rows] for name in FACE_COLUMNS}
        columns["field"] = np.zeros(len(rows), np.int8)
        return replace(self, **columns, in_fields=np.zeros(0, np.bool_))

    def pictures(self, times_s: NDArray[np.float64]) -> Pictures:
        """All pictures of the clip.

        Args:
            times_s: `(N,)` presentation time of every frame.
        """
        return pictures_of(times_s, self.in_fields)

    def part(self, first: int, last: int) -> Analysis:
        """Frames `first`…`last` (inclusive) as a clip of their own; faces at rest are as in all."""
        rows = np.flatnonzero((self.frame >= first) & (self.frame <= last))
        columns = {name: getattr(self, name)[rows] for name in FACE_COLUMNS}
        kept = slice(first, last + 1)
        cut = self.cut[kept].copy()
        cut[0] = True
        rests = {
            (max(0, start - first), track): rest
            for (start, track), rest in sorted(self.neutral.items(), key=lambda each: each[0])
            if start <= last
        }
        return replace(
            self,
            **{**columns, "frame": columns["frame"] - first},
            frames=last - first + 1,
            cut=cut,
            neutral=rests,
            uncovered=self.uncovered[kept],
            in_fields=self.in_fields[kept],
            one_moment=self.one_moment[kept],
        )

    def rows_of(self, track: int) -> NDArray[np.intp]:
        """Row numbers of a track, in the order of its pictures."""
        return np.flatnonzero(self.track == track)

    def intensity_over_time(self, track: int, pictures: Pictures | None = None) -> AUIntensity:
        """A track's AUs and lids at every frame, NaN where it is not there.

        Args:
            pictures: of `pictures`, for those of every picture instead.
        """
        rows = self.rows_of(track)
        if pictures is None:
            rows = rows[self.field[rows] != SECOND]
            at, count = self.frame[rows], self.frames
        else:
            at, count = pictures.number(self.frame[rows], self.field[rows]), len(pictures)
        spread: list[NDArray[np.float32]] = []
        for known in (self.intensity, self.lids):
            values = np.full((count, known.shape[1]), np.nan, np.float32)
            values[at] = known[rows]
            spread.append(values)
        return AUIntensity(*spread)

    def restarts(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """`(m,)` for a track's rows: filters start anew there (a cut, or pictures are missing)."""
        frame, place = self.frame[rows], self.field[rows]
        shot = np.cumsum(self.cut)[frame]
        step = np.diff(frame)
        follows = (step == 1) & (place[:-1] != FIRST) & (place[1:] != SECOND)
        gap = np.append(True, ~(follows | (step == 0)))[: len(rows)]
        return gap | (np.diff(shot, prepend=-1) != 0)


def assemble(
    times_s: NDArray[np.float64],
    chunks: Iterable[Chunk],
    estimator: AUEstimator,
    known: Rests | None = None,
    stretches: Stretches | None = None,
    moments: Moments | NDArray[np.bool_] = "auto",
) -> Analysis:
    """Links chunks of a video, in order, into its faces.

    Chunks are taken one by one, and the table lies in files without names (columns.py): of a clip
    of hours only what linking compares is held in memory.

    Args:
        times_s: `(N,)` presentation time of every frame.
        known: of other footage of these faces, shot by shot (`Analysis.neutral`); a face beyond
            them is measured against its own rest.
        stretches: of a clip of which only the covered part is to be linked; without, all of it is
            there.
        moments: whether a frame's fields are taken as one, or `(N,)` of which frames they are.
    """
    frames = len(times_s)
    found, signatures, steps, in_fields = _spooled(
        chunks, len(estimator.feature_names), frames, stretches
    )
    stretches = stretches or all_stretches(signatures)
    cut, covered = stretches.starts, stretches.covered
    pictures = pictures_of(times_s, in_fields)
    number_of, starts = pictures.number(found["frame"], found["field"]), pictures.starts(cut)
    track = link_faces(number_of, found["box"], pictures.times_s, starts)
    table = Spool(FACE_COLUMNS)
    rests = dict[tuple[int, int], NDArray[np.float32]]()
    for number in range(int(track.max(initial=-1)) + 1):
        rows = np.flatnonzero(track == number)
        bridge = bridge_gaps(number_of[rows], pictures.times_s, starts)
        for begins, part in _shots(bridge, starts):
            features, lids = _one_face(number, found, rows, part, pictures, table)
            first = int(pictures.frame[begins])
            rest = (known or {}).get((first, number))
            rest = estimator.neutral(features) if rest is None else rest
            table.add({"intensity": estimator.intensity(features, rest).values, "lids": lids})
            rests[first, number] = rest
    uncovered = np.zeros(0, bool) if covered.all() else ~covered
    columns, single = table.arrays(), together(moments, steps, in_fields, cut)
    if single.any():
        columns, rest = as_frames(columns, single), in_fields & ~single
        in_fields = rest[: frames * rest.any()]
    return Analysis(
        frames, **columns, cut=cut, neutral=rests, uncovered=uncovered, in_fields=in_fields,
        one_moment=single[: frames * single.any()],
    )  # fmt: skip


def _spooled(
    chunks: Iterable[Chunk], features: int, count: int, stretches: Stretches | None
) -> tuple[dict[str, NDArray[Any]], NDArray[np.uint8], NDArray[np.float32], NDArray[np.bool_]]:
    """The chunks' rows as one table, the thumbnails of all frames, steps between the fields of each
    and which are fields."""
    in_fields, steps = np.zeros(count, np.bool_), np.full(count, np.nan, np.float32)
    columns = {name: FACE_COLUMNS[name] for name in SEEN}
    measured = {"features": Column((features,), np.float32)}
    rows, frames = Spool(columns | measured), Spool({"signatures": SIGNATURE})
    for chunk in chunks:
        kept = slice(None) if stretches is None else stretches.covered[chunk.frame]
        rows.add({name: getattr(chunk, name)[kept] for name in (*SEEN, "features")})
        frames.add({"signatures": chunk.signatures})
        in_fields[chunk.in_fields], steps[chunk.in_fields] = True, chunk.steps
    if stretches is not None:
        in_fields &= stretches.covered
    in_fields = in_fields[: count * in_fields.any()]
    return rows.arrays(), frames.arrays()["signatures"], steps, in_fields


def _shots(bridge: Bridge, cut: NDArray[np.bool_]) -> Iterable[tuple[int, Bridge]]:
    """A track shot by shot, each with the number of the shot's first picture."""
    starts = np.flatnonzero(cut)
    shot = np.searchsorted(starts, bridge.frame, side="right") - 1
    ends = [0, *(np.flatnonzero(np.diff(shot)) + 1).tolist(), len(shot)]
    for first, end in pairwise(ends):
        yield int(starts[shot[first]]), bridge.part(slice(first, end))


def _one_face(
    number: int,
    found: dict[str, NDArray[Any]],
    rows: NDArray[np.intp],
    bridge: Bridge,
    pictures: Pictures,
    table: Spool,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Appends a track's rows of one shot to the table, gaps bridged; gives its features, and how
    far its eyes are shut."""
    measured = Spool({"features": Column(found["features"].shape[1:], np.float32)})
    openings: list[NDArray[np.float64]] = []
    for part in map(bridge.part, blocks(len(bridge.frame))):
        columns = {name: part.fill(found[name], rows) for name in CARRIED}
        measured.add({"features": columns.pop("features")})
        openings.append(eye_openings(columns["landmarks_px"], columns["pose"]))
        same = np.full(len(part.frame), number, np.int64)
        place = {"frame": pictures.frame[part.frame], "field": pictures.field[part.frame]}
        table.add({**place, "track": same, "bridged": part.bridged, **columns})
    return measured.arrays()["features"], closure_of(np.concatenate(openings))


def largest_first(faces: Sequence[Face]) -> list[Face]:
    """One frame's faces as a run numbers its tracks."""
    return sorted(faces, key=lambda f: (f.box[2] - f.box[0]) * (f.box[3] - f.box[1]), reverse=True)
