"""The curve meets the face: which frames are edited, by how much, and where the crop lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from keyframes.au import AU_NAMES, AUDelta, AUIntensity
from keyframes.sheet import KeyframeSheet
from pipeline.edit.segments import Span
from pipeline.faces.align import apply_affine, compose_affine, crop_path, invert_affine
from pipeline.faces.faces import Analysis
from pipeline.media.read.inspection import Inspection
from pipeline.settings import digest_of
from pipeline.store import published


@dataclass(frozen=True)
class EditPlan:
    """Every edit of a video, sorted by frame; several rows for a frame with several target faces.

    Attributes:
        frame: `(E,)` int64 frame numbers.
        track: `(E,)` int64.
        delta: `(E, 12)` float32 in AU_ORDER, no all-zero row.
        coded_from_crop: `(E, 2, 3)` float64, crop pixels → pixels of the decoded frame.
        landmarks_px: `(E, 68, 2)` float32, crop pixels.
        pose: `(E, 3)` float32 yaw, pitch, roll in degrees; a crop is not turned against its frame.
    """

    frame: NDArray[np.int64]
    track: NDArray[np.int64]
    delta: NDArray[np.float32]
    coded_from_crop: NDArray[np.float64]
    landmarks_px: NDArray[np.float32]
    pose: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.frame)

    def active(self, frames: int) -> NDArray[np.bool_]:
        """`(N,)`: frames with at least one edit."""
        mask = np.zeros(frames, bool)
        mask[self.frame] = True
        return mask

    def within(self, span: Span) -> EditPlan:
        """The rows of one span."""
        return self._rows(slice(*np.searchsorted(self.frame, [span.first, span.last + 1])))

    def at(self, frame: int) -> range:
        """Row numbers of one frame."""
        return range(*np.searchsorted(self.frame, [frame, frame + 1]))

    def digest(self) -> str:
        """Changes when any delta, crop or landmark does."""
        return digest_of(*(part.tobytes().hex() for part in self._parts()))

    def _parts(self) -> tuple[NDArray[np.generic], ...]:
        return (
            self.frame,
            self.track,
            self.delta,
            self.coded_from_crop,
            self.landmarks_px,
            self.pose,
        )

    def _rows(self, rows: slice | NDArray[np.intp]) -> EditPlan:
        return EditPlan(
            self.frame[rows],
            self.track[rows],
            self.delta[rows],
            self.coded_from_crop[rows],
            self.landmarks_px[rows],
            self.pose[rows],
        )

    def sorted(self) -> EditPlan:
        """The same edits in frame order."""
        return self._rows(np.lexsort((self.track, self.frame)))


@dataclass(frozen=True)
class Planned:
    """A plan and what the person should know of it."""

    plan: EditPlan
    requested: dict[int, AUDelta]
    warnings: tuple[str, ...]


def plan_edits(
    inspection: Inspection, analysis: Analysis, sheet: KeyframeSheet, crop_size: int
) -> Planned:
    """Evaluates the sheet at every frame's presentation time, for every face it addresses."""
    parts, requested, warnings = [], {}, list[str]()
    for face in sheet.targets(analysis.faces):
        measured = analysis.intensity_over_time(face)
        evaluation = sheet.evaluate(inspection.timeline, measured, face=face)
        requested[face] = evaluation.delta
        warnings += evaluation.warnings
        part = _edits_of(inspection, analysis, face, evaluation.delta, crop_size)
        warnings += _unreached(face, evaluation.delta, measured)
        parts.append(part)
    return Planned(_joined(parts), requested, tuple(dict.fromkeys(warnings)))


def _edits_of(
    inspection: Inspection, analysis: Analysis, face: int, delta: AUDelta, crop_size: int
) -> EditPlan:
    rows = analysis.rows_of(face)
    frame, landmarks = analysis.frame[rows], analysis.landmarks_px[rows]
    if not len(frame):
        return _joined([])
    restart = analysis.restarts(frame)
    display_from_crop = crop_path(landmarks, inspection.times_s[frame], restart, crop_size)
    active = delta.active[frame]
    display_from_crop = display_from_crop[active]
    return EditPlan(
        frame[active],
        np.full(int(active.sum()), face, np.int64),
        delta.values[frame[active]],
        compose_affine(inspection.info.coded_from_display[None], display_from_crop),
        apply_affine(invert_affine(display_from_crop), landmarks[active]).astype(np.float32),
        analysis.pose[rows][active],
    )


def _unreached(face: int, delta: AUDelta, measured: AUIntensity) -> list[str]:
    faceless = int((delta.active & np.isnan(measured.values[:, 0])).sum())
    if not faceless:
        return []
    return [f"face {face}: the curve asks for a change on {faceless} frames without that face"]


def _joined(parts: Sequence[EditPlan]) -> EditPlan:
    width = len(AU_NAMES)
    empty = EditPlan(
        np.zeros(0, np.int64),
        np.zeros(0, np.int64),
        np.zeros((0, width), np.float32),
        np.zeros((0, 2, 3)),
        np.zeros((0, 68, 2), np.float32),
        np.zeros((0, 3), np.float32),
    )
    columns = zip(*(p._parts() for p in (empty, *parts)), strict=True)
    return EditPlan(*(np.concatenate(c) for c in columns)).sorted()


def write_plan(path: Path, plan: EditPlan) -> None:
    """Publishes a plan as Parquet: `frame, track, AU1 … AU26`, crops, landmarks and poses."""
    table = pa.table(
        {
            "frame": plan.frame,
            "track": plan.track,
            **{name: plan.delta[:, i] for i, name in enumerate(AU_NAMES)},
            "coded_from_crop": _lists(plan.coded_from_crop.reshape(len(plan), 6)),
            "landmarks_px": _lists(plan.landmarks_px.reshape(len(plan), 136)),
            "pose": _lists(plan.pose),
        }
    )
    with published(path) as partial:
        pq.write_table(table, partial)


def read_plan(path: Path) -> EditPlan:
    """The plan that `write_plan` published."""
    table = pq.read_table(path)
    count = table.num_rows
    return EditPlan(
        table["frame"].to_numpy(),
        table["track"].to_numpy(),
        np.stack([table[name].to_numpy() for name in AU_NAMES], axis=1),
        _values(table["coded_from_crop"]).reshape(count, 2, 3),
        _values(table["landmarks_px"]).reshape(count, 68, 2),
        _values(table["pose"]).reshape(count, 3),
    )


def _lists(values: NDArray[Any]) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])


def _values(column: pa.ChunkedArray) -> NDArray[Any]:
    return column.combine_chunks().flatten().to_numpy()
