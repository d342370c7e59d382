"""OpenFace-shaped and Live Link Face CSV, for tools that read those."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keyframes.au import AU_COLUMN, AU_ORDER, INTENSITY_MAX, AUIntensity
from keyframes.clock.smpte import Timecode, parse_timecode, timecode_at
from keyframes.clock.timeline import Timeline
from keyframes.errors import KeyframeError
from keyframes.formats.arkit import ROTATIONS, SHAPES, ArkitTable
from keyframes.formats.tables import cells

Array = NDArray[np.float64]


def _write(path: Path, header: list[str], columns: list[list[str]]) -> None:
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(zip(*columns, strict=True))
    except OSError as error:
        raise KeyframeError(f"{path}: cannot be written: {error.strerror or error}") from None


def write_openface(path: Path, timeline: Timeline, performance: AUIntensity) -> None:
    """`frame, face_id, timestamp, confidence, success, AU01_r, …` with the AUs the model has.

    Raises:
        KeyframeError: a place that cannot be written.
    """
    known: NDArray[np.bool_] = np.asarray(np.isfinite(performance.values).all(axis=1))
    success = known.astype(np.float64)
    columns = [
        [str(frame + 1) for frame in range(len(known))],
        ["0"] * len(known),
        cells(timeline.times_s, 6),
        cells(success, 2),
        cells(success, 0),
    ]
    header = ["frame", "face_id", "timestamp", "confidence", "success"]
    for au in AU_ORDER:
        header.append(f"AU{au:02}_r")
        columns.append(cells(np.where(known, performance.values[:, AU_COLUMN[au]], 0.0), 4))
    _write(path, header, columns)


def write_livelink(
    path: Path, timeline: Timeline, performance: AUIntensity, weights: ArkitTable
) -> list[str]:
    """A Live Link Face take: 52 shapes, and rotations of 0.

    Args:
        path: where to.
        timeline: of the performance; its rate counts the timecode's frames.
        performance: intensities; frames without a face are left out.
        weights: AU → shape; the rest of the shapes are 0.

    Returns:
        The loss report: AUs that no shape stands for.

    Raises:
        KeyframeError: a place that cannot be written.
    """
    known = np.isfinite(performance.values).all(axis=1)
    values = performance.values[known].astype(np.float64) / INTENSITY_MAX
    columns = [_labels(timeline, timeline.times_s[known])]
    columns.append([str(len(SHAPES) + len(ROTATIONS))] * len(values))
    for shape in SHAPES:
        total = np.zeros(len(values))
        for au, weight in weights.shapes.get(shape, {}).items():
            total += weight * values[:, AU_COLUMN[au]]
        columns.append(cells(np.clip(total, 0.0, 1.0), 6))
    columns += [cells(np.zeros(len(values)), 6)] * len(ROTATIONS)
    _write(path, ["Timecode", "BlendShapeCount", *SHAPES, *ROTATIONS], columns)
    used = {au for row in weights.shapes.values() for au in row}
    lost = [
        f"AU{au}" for au in AU_ORDER if au not in used and (values[:, AU_COLUMN[au]] > 0.01).any()
    ]
    return [f"{path.name}: dropped AUs without a shape: {', '.join(lost)}"] if lost else []


def _labels(timeline: Timeline, times_s: Array) -> list[str]:
    """`HH:MM:SS:FF.sub`, counted without drops from the clip's first label."""
    start = Timecode(0, 0, 0, 0, False)
    if timeline.start_timecode is not None:
        start = parse_timecode(timeline.start_timecode)
    first = start.frame_number(timeline.frame_rate)
    frames = first + times_s * float(timeline.frame_rate)
    whole = np.floor(frames + 0.0005)
    subs = np.clip(np.round((frames - whole) * 1000), 0, 999)
    return [
        f"{timecode_at(int(frame), timeline.frame_rate)}.{int(sub):03}"
        for frame, sub in zip(whole.tolist(), subs.tolist(), strict=True)
    ]
