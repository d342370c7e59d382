"""The curve meets the face: which frames are edited, by how much, and where the crop lies."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engines.hands.finder import HANDS_MAX, POINTS
from engines.lent import FOLD_GROUPS, LID_LEVELS, PERSONAL_GROUPS
from keyframes.au import AU_NAMES, INTENSITY_MAX, LID_NAMES, AUDelta, AUIntensity
from keyframes.sheet import KeyframeSheet
from pipeline import affine
from pipeline.columns import Arrays, Column, Columns, from_arrow, joined, to_arrow
from pipeline.edit.segments import Span
from pipeline.faces.align import crop_path, native_crops
from pipeline.faces.faces import Analysis
from pipeline.faces.sightings import NOBODY, Who
from pipeline.files import published
from pipeline.media.read.inspection import Inspection
from pipeline.pictures import SECOND, times_of
from pipeline.settings import digest_of

PLAN_COLUMNS: Columns = {
    "frame": Column((), np.int64),
    "field": Column((), np.int8),
    "track": Column((), np.int64),
    "delta": Column((len(AU_NAMES),), np.float32, AU_NAMES),
    "lids": Column((len(LID_NAMES),), np.float32, LID_NAMES),
    "size": Column((), np.int64),
    "coded_from_crop": Column((2, 3), np.float64),
    "landmarks_px": Column((68, 2), np.float32),
    "pose": Column((3,), np.float32, ("yaw", "pitch", "roll")),
    "donor": Column((), np.int64),
    "lent": Column((), np.float32),
    "crop_from_donor": Column((2, 3), np.float64),
    "fold_donor": Column((len(FOLD_GROUPS),), np.int64),
    "fold": Column((len(FOLD_GROUPS),), np.float32),
    "lid_donors": Column((LID_LEVELS,), np.int64),
    "eyes_open": Column((len(LID_NAMES),), np.float32, ("openR", "openL")),
    "person": Column((), np.int64),
    "own": Column((len(PERSONAL_GROUPS),), np.float32),
    "hands_px": Column((HANDS_MAX, POINTS, 2), np.float32),
}
"""The one list of a plan's columns; `EditPlan` has an attribute for each."""
NOTHING_LENT = {"donor": -1, "lent": 0, "crop_from_donor": 0, "fold_donor": -1, "fold": 0}
NOTHING_LENT |= {"lid_donors": -1, "eyes_open": 1, "person": -1, "own": 0}
"""What the columns of pipeline/edit/lending hold where nothing is lent."""


def nothing_lent(rows: int) -> dict[str, NDArray[Any]]:
    """The columns of pipeline/edit/lending before anything is lent."""
    return {
        name: np.full((rows, *PLAN_COLUMNS[name].shape), none, PLAN_COLUMNS[name].dtype)
        for name, none in NOTHING_LENT.items()
    }


HELD_FRAMES = 2
"""How long a hand that is lost for a moment is taken to be where it was."""


@dataclass(frozen=True)
class EditPlan:
    """Every edit of a video, sorted by picture; a row for each target face of a frame or field.

    Attributes:
        frame: `(E,)` int64 frame numbers.
        field: `(E,)` int8, which picture of the frame is edited (pipeline/pictures.py).
        track: `(E,)` int64.
        delta: `(E, 12)` float32 in AU_ORDER.
        lids: `(E, 2)` float32 −10…10 in the order of LID_NAMES: 5 shuts all that an eye is open in
            this frame. No row is all zero in both.
        size: `(E,)` int64, side of the crop, pixels.
        coded_from_crop: `(E, 2, 3)` float64, crop pixels → pixels of the decoded frame, whose
            lines a field's are.
        landmarks_px: `(E, 68, 2)` float32, crop pixels.
        pose: `(E, 3)` float32 yaw, pitch, roll in degrees; a crop is not turned against its frame.
        donor: `(E,)` int64, the frame that lends its mouth (pipeline/edit/lending); −1 = none. Of
            frames that are fields, here and below, the first field lends.
        lent: `(E,)` float32 0…1, how much of it shows.
        crop_from_donor: `(E, 2, 3)` float64, places of the skull: the donor's crop → this one.
        fold_donor: `(E, 7)` int64, per group of FOLD_GROUPS the frame whose folds are lent; −1.
        fold: `(E, 7)` float32 −0.8…1, how much of them is put on, or taken off.
        lid_donors: `(E, 4)` int64, frames that lend shut eyes, from open to shut; −1.
        eyes_open: `(E, 2)` float32 0…1, how open the eyes are, where eyes are lent.
        person: `(E,)` int64 names how the person's own units move the face; −1 = as the rig's.
        own: `(E, 3)` float32 per group of PERSONAL_GROUPS by how much the person's own units tell
            the rest of the shot better than the rig; 0 = it is the rig's.
        hands_px: `(E, 2, 21, 2)` float32, hands at the face, crop pixels; NaN where none.
    """

    frame: NDArray[np.int64]
    field: NDArray[np.int8]
    track: NDArray[np.int64]
    delta: NDArray[np.float32]
    lids: NDArray[np.float32]
    size: NDArray[np.int64]
    coded_from_crop: NDArray[np.float64]
    landmarks_px: NDArray[np.float32]
    pose: NDArray[np.float32]
    donor: NDArray[np.int64]
    lent: NDArray[np.float32]
    crop_from_donor: NDArray[np.float64]
    fold_donor: NDArray[np.int64]
    fold: NDArray[np.float32]
    lid_donors: NDArray[np.int64]
    eyes_open: NDArray[np.float32]
    person: NDArray[np.int64]
    own: NDArray[np.float32]
    hands_px: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.frame)

    def active(self, frames: int) -> NDArray[np.bool_]:
        """`(N,)`: frames with at least one edit."""
        mask = np.zeros(frames, bool)
        mask[self.frame] = True
        return mask

    def strength(self, frames: int) -> NDArray[np.float32]:
        """`(N,)` float32 0…10: the largest change that is asked of any AU of any face."""
        largest = np.zeros(frames, np.float32)
        asked = np.abs(np.hstack([self.delta, self.lids])).max(axis=1, initial=0)
        np.maximum.at(largest, self.frame, asked)
        return largest

    def within(self, span: Span) -> EditPlan:
        """The rows of one span."""
        return self._rows(slice(*np.searchsorted(self.frame, [span.first, span.last + 1])))

    def of_face(self, track: int) -> EditPlan:
        """The rows of one face."""
        return self._rows(np.flatnonzero(self.track == track))

    @property
    def by_frame(self) -> EditPlan:
        """Without second fields: at most one row per face and frame."""
        return self._rows(np.flatnonzero(self.field != SECOND))

    @property
    def pictures_per_frame(self) -> int:
        """How often an edited frame enters the editor for one face, at most."""
        return 2 if self.field.any() else 1

    def at(self, frame: int) -> range:
        """Row numbers of one frame, of both its fields."""
        return range(*np.searchsorted(self.frame, [frame, frame + 1]))

    def digest(self) -> str:
        """Changes when any delta, crop or landmark does."""
        parts = (np.ascontiguousarray(part) for part in self.arrays.values())
        return digest_of(*(hashlib.sha256(part.data).hexdigest() for part in parts))

    @property
    def arrays(self) -> Arrays:
        """The columns by name."""
        return {name: getattr(self, name) for name in PLAN_COLUMNS}

    def _rows(self, rows: slice | NDArray[np.intp]) -> EditPlan:
        return EditPlan(**{name: values[rows] for name, values in self.arrays.items()})

    def sorted(self) -> EditPlan:
        """The same edits in the order of their pictures."""
        return self._rows(np.lexsort((self.track, self.field, self.frame)))


@dataclass(frozen=True)
class Planned:
    """A plan and what the person should know of it.

    Attributes:
        requested: of each face addressed, the change at every frame's time.
    """

    plan: EditPlan
    requested: dict[int, AUDelta]
    warnings: tuple[str, ...]


def plan_edits(
    inspection: Inspection,
    analysis: Analysis,
    sheet: KeyframeSheet,
    crop_size: int,
    who: Who = NOBODY,
    shown: Span | None = None,
    *,
    any_size: bool = False,
) -> Planned:
    """Evaluates the sheet at every picture's presentation time, for every face it addresses.

    Args:
        crop_size: side of the editor's crops, pixels.
        who: the people of the sheet, where they were found.
        shown: of which alone a person is told; without, of all that is analysed.
        any_size: larger faces have larger crops, so that all their detail moves.
    """
    told = analysis.covered if shown is None else shown.mask(analysis.frames)
    parts, requested, warnings = [], {}, list[str]()
    pictures = analysis.pictures(inspection.times_s)
    timeline = replace(inspection.timeline, times_s=pictures.times_s)
    for face in addressed(sheet, analysis.faces, who):
        measured = analysis.intensity_over_time(face, pictures)
        known = who.known(face, analysis.frames).items()
        known = {name: mask[pictures.frame] for name, mask in known}
        evaluation = sheet.evaluate(timeline, measured, face=face, known=known)
        delta = evaluation.delta
        requested[face] = AUDelta(delta.values[pictures.first], delta.lids[pictures.first])
        warnings += evaluation.warnings
        crop = crop_size, any_size
        part = edits_of(inspection, analysis, face, delta, measured, crop)
        seen = analysis.intensity_over_time(face)
        warnings += _unreached(face, requested[face], seen, told)
        warnings += _covered(face, part if shown is None else part.within(shown))
        parts.append(part)
    return Planned(_joined(parts), requested, tuple(dict.fromkeys(warnings)))


def addressed(sheet: KeyframeSheet, faces: int, who: Who = NOBODY) -> tuple[int, ...]:
    """The tracks that a sheet is for, by number or by name.

    Args:
        faces: how many the clip has.
    """
    targets = sheet.targets(faces)
    named = {seen.face for seen in who.sightings if seen.name in targets}
    return tuple(sorted(named.union(face for face in targets if isinstance(face, int))))


def edits_of(
    inspection: Inspection,
    analysis: Analysis,
    face: int,
    delta: AUDelta,
    measured: AUIntensity,
    crop: tuple[int, bool],
) -> EditPlan:
    """A row for each picture that shows the face and asks something of it.

    Args:
        delta, measured: of every picture of the clip.
    """
    rows = analysis.rows_of(face)
    frame, landmarks = analysis.frame[rows], analysis.landmarks_px[rows]
    number = analysis.pictures(inspection.times_s).number(frame, analysis.field[rows])
    if not len(frame):
        return _joined([])
    display_from_crop, size = crops_of(
        inspection.times_s, analysis, face, crop[0], any_size=crop[1]
    )
    active = delta.active[number]
    count = int(active.sum())
    display_from_crop = display_from_crop[active]
    in_crop = affine.apply(affine.inverse(display_from_crop), landmarks[active])
    return EditPlan(
        frame=frame[active],
        field=analysis.field[rows][active],
        track=np.full(count, face, np.int64),
        delta=delta.values[number[active]],
        lids=_shut_of_open(delta.lids, measured.lids)[number[active]],
        size=size[active],
        coded_from_crop=affine.compose(inspection.info.coded_from_display[None], display_from_crop),
        landmarks_px=in_crop.astype(np.float32),
        pose=analysis.pose[rows][active],
        hands_px=hands_in_crops(_held(analysis, rows)[active], display_from_crop),
        **nothing_lent(count),
    )


def hands_in_crops(
    hands_px: NDArray[np.float32], display_from_crop: NDArray[np.float64]
) -> NDArray[np.float32]:
    """`(E, 2, 21, 2)` display pixels → crop pixels."""
    flat = hands_px.reshape(len(hands_px), HANDS_MAX * POINTS, 2)
    return (
        affine.apply(affine.inverse(display_from_crop), flat)
        .reshape(hands_px.shape)
        .astype(np.float32)
    )


def _held(analysis: Analysis, rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """Hands at a track, with those of the nearest frame where up to HELD_FRAMES have none."""
    hands, frame = analysis.hands_px[rows], analysis.frame[rows]
    seen = np.flatnonzero(np.any(np.isfinite(hands).all(axis=(2, 3)), axis=1))
    if not len(seen):
        return hands
    right = np.clip(np.searchsorted(seen, np.arange(len(frame))), 0, len(seen) - 1)
    left = np.maximum(right - 1, 0)
    before, after = (np.abs(frame - frame[seen[side]]) for side in (left, right))
    nearest = seen[np.where(before <= after, left, right)]
    shot = np.cumsum(analysis.cut)[frame]
    near = (np.minimum(before, after) <= HELD_FRAMES) & (shot == shot[nearest])
    return np.where(near[:, None, None, None], hands[nearest], hands)


def _covered(face: int, part: EditPlan) -> list[str]:
    """What a person should know of hands: in how many frames the edit fades at one."""
    low, high = part.landmarks_px.min(axis=1), part.landmarks_px.max(axis=1)
    inside = (part.hands_px >= low[:, None, None]) & (part.hands_px <= high[:, None, None])
    count = len(np.unique(part.frame[inside.all(axis=3).any(axis=(1, 2))]))
    return [f"face {face}: a hand is in front on {count} frames; the edit fades there"] * (
        count > 0
    )


def crops_of(
    times_s: NDArray[np.float64],
    analysis: Analysis,
    face: int,
    crop_size: int,
    *,
    any_size: bool,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """`(N, 2, 3)` crop → display pixels of each of a face's rows, and `(N,)` sides of the crops."""
    rows = analysis.rows_of(face)
    frame, landmarks = analysis.frame[rows], analysis.landmarks_px[rows]
    restart, shown_s = analysis.restarts(rows), times_of(times_s, frame, analysis.field[rows])
    if not any_size:
        path = crop_path(landmarks, shown_s, restart, crop_size)
        return path, np.full(len(rows), crop_size, np.int64)
    shot = np.cumsum(analysis.cut).astype(np.int64)[frame]
    return native_crops(landmarks, shown_s, restart, shot, crop_size)


def _shut_of_open(asked: NDArray[np.float32], measured: NDArray[np.float32]) -> NDArray[np.float32]:
    """A change of how far eyes are shut, as a share of what they are open: a squint needs less."""
    left = np.maximum(INTENSITY_MAX - np.nan_to_num(measured), 0.5)
    return np.where(asked > 0.0, np.minimum(asked * INTENSITY_MAX / left, INTENSITY_MAX), asked)


def _unreached(
    face: int, delta: AUDelta, measured: AUIntensity, told: NDArray[np.bool_]
) -> list[str]:
    faceless = int((told & delta.active & np.isnan(measured.values[:, 0])).sum())
    if not faceless:
        return []
    return [f"face {face}: the curve asks for a change on {faceless} frames without that face"]


def _joined(parts: Sequence[EditPlan]) -> EditPlan:
    return EditPlan(**joined(PLAN_COLUMNS, [part.arrays for part in parts])).sorted()


def write_plan(path: Path, plan: EditPlan) -> None:
    """Publishes a plan as Parquet: `frame, track, AU1 … AU26`, crops, landmarks and poses."""
    with published(path) as partial:
        pq.write_table(pa.table(to_arrow(PLAN_COLUMNS, plan.arrays)), partial)


def read_plan(path: Path) -> EditPlan:
    """The plan that `write_plan` published."""
    return EditPlan(**from_arrow(PLAN_COLUMNS, pq.read_table(path)))
