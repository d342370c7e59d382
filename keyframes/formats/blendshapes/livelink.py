"""Live Link Face CSV: timecode and 52 ARKit shapes per row, plus nine rotations.

Source: files of Epic's Live Link Face (header `Timecode,BlendShapeCount,EyeBlinkLeft,…`, timecode
`HH:MM:SS:FF.sub`, sub in thousandths of a frame); names are matched in any case.
"""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keyframes.au import AU_COLUMN, AU_ORDER, INTENSITY_MAX, AUIntensity
from keyframes.clock.labels import FirstLabel, LabelClock, RowLabels, label_clock
from keyframes.clock.rates import label_rate, parse_frame_rate, rate_text
from keyframes.clock.smpte import (
    Timecode,
    allows_drop_frame,
    frames_per_day,
    parse_timecode,
    timecode_at,
)
from keyframes.clock.timeline import Timeline
from keyframes.errors import KeyframeError
from keyframes.formats.blendshapes.arkit import (
    ROTATIONS,
    SHAPES,
    ArkitTable,
    load_arkit,
    shape_intensities,
    shape_lids,
    shapes_named,
    used_shapes,
)
from keyframes.formats.rows.columns import Columns, read_columns
from keyframes.formats.rows.finish import increasing
from keyframes.formats.rows.layout import read_header
from keyframes.formats.rows.options import Options
from keyframes.formats.rows.preview import Preview
from keyframes.formats.rows.tables import cells, write_rows
from keyframes.sources.performance import PerformanceTable

Array = NDArray[np.float64]

RATE_COLUMN = "TimecodeRate"
"""Written where the labels alone would read the same at another rate."""
_DAY_S = 24 * 60 * 60
_LABEL = re.compile(r"(\d{1,2})[:;](\d{2})[:;](\d{2})([:;.])(\d{2,3})(?:\.(\d+))?")


def recognises(preview: Preview) -> bool:
    """Whether a file is Live Link Face's: shapes by timecode labels, not by seconds."""
    if "timecode" not in preview.header or not shapes_named(preview.header):
        return False
    return _LABEL.search(preview.head.partition("\n")[2]) is not None


def read(path: Path, options: Options) -> PerformanceTable:
    """A Live Link Face take; its first row is second 0."""
    header = read_header(path)
    weights = load_arkit(options.arkit_table)
    present = shapes_named(header)
    used = used_shapes(weights) & present.keys()
    others = [shape for shape in present if shape not in used]
    rate_column = [name for name in (RATE_COLUMN.lower(),) if name in header]
    columns = read_columns(
        path,
        [present[shape] for shape in used],
        ["timecode", *rate_column],
        [present[shape] for shape in others],
    )
    source = f"{path.name} (Live Link Face)"
    labels, columns = _labels(columns)
    clock = _clock(columns, labels, options)
    columns, times = increasing(columns, clock.times_s(labels), "timecode")
    shapes = {shape: columns.numbers[present[shape]] for shape in used}
    if not shapes:
        raise KeyframeError(f"{path}: no column of a shape that its table has an AU for")
    peaks = {shape: columns.peaks[present[shape]] for shape in others}
    values, notes = shape_intensities(shapes, peaks, weights, options.scale, source)
    if options.rate is None and not rate_column:
        notes.insert(0, _rate_note(clock, times, source))
    told, lids = (*columns.notes, *notes), shape_lids(shapes, peaks, options.scale)
    return PerformanceTable(
        times, values, source, told, first_label=_first(labels, clock), lids=lids
    )


def _labels(columns: Columns) -> tuple[RowLabels, Columns]:
    """The rows' timecode; rows without one are left out.

    Raises:
        KeyframeError: more than half of the rows have none.
    """
    texts = columns.texts["timecode"]
    parsed = np.zeros((len(texts), 3))
    good = np.ones(len(texts), bool)
    drop_frame = False
    for row, label in enumerate(texts):
        match = _LABEL.fullmatch(label)
        if match is None:
            good[row] = False
            continue
        hours, minutes, seconds, mark, frames, part = match.groups()
        clock = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
        parsed[row] = clock % _DAY_S, int(frames), float(f"0.{part}") if part else 0.0
        drop_frame = drop_frame or mark == ";"
    if not good.all():
        row = int(np.flatnonzero(~good)[0])
        said = f"{columns.lines[row]}: timecode: got {texts[row]!r}; expected HH:MM:SS:FF.sub"
        if good.mean() < 0.5:
            raise KeyframeError(f"{columns.path}:{said}")
        note = f"{columns.path.name}: rows without a timecode, left out: {(~good).sum()}, first in"
        columns = columns.of_rows(good, "a timecode").with_note(f"{note} line {said}")
        parsed = parsed[good]
    whole = parsed[:, :2].astype(np.int64)
    return RowLabels(whole[:, 0], whole[:, 1], parsed[:, 2], drop_frame), columns


def _clock(columns: Columns, labels: RowLabels, options: Options) -> LabelClock:
    written = columns.texts.get(RATE_COLUMN.lower())
    rate = options.rate or (parse_frame_rate(written[0]) if written else None)
    try:
        return label_clock(labels, rate)
    except KeyframeError as error:
        raise KeyframeError(f"{columns.path}: {error}") from None


def _rate_note(clock: LabelClock, times: Array, source: str) -> str:
    note = f"{source}: {rate_text(clock.rate)} fps by its largest frame number"
    if clock.drop_frame:
        return f"{note} and those it leaves out (drop-frame)"
    if clock.is_sure:
        return note
    slower = rate_text(clock.rate * Fraction(1000, 1001))
    late = f"{times[-1] / 1000:.3f} s later at its end"
    return f"{note}; if it was {slower}, say fps: {slower} ({late})"


def _first(labels: RowLabels, clock: LabelClock) -> FirstLabel:
    second, frame = int(labels.seconds[0]), int(labels.frames[0])
    label = Timecode(second // 3600, second // 60 % 60, second % 60, frame, clock.drop_frame)
    return FirstLabel(label, float(labels.parts[0]), clock.rate)


def write(
    path: Path, timeline: Timeline, performance: AUIntensity, weights: ArkitTable
) -> list[str]:
    """A Live Link Face take: 52 shapes, and rotations of 0.

    Args:
        path: where to.
        timeline: of the performance; its timecode and rate count the labels, else drop-frame
            where it exists.
        performance: intensities; frames without a face are left out.
        weights: AU → shape; the rest of the shapes are 0.

    Returns:
        The loss report: AUs that no shape stands for.

    Raises:
        KeyframeError: no frame with a face; a place that cannot be written.
    """
    known = np.isfinite(performance.values).all(axis=1)
    if not known.any():
        raise KeyframeError(f"{path}: nothing to write; no frame has a face")
    values = performance.values[known].astype(np.float64) / INTENSITY_MAX
    header = ["Timecode", "BlendShapeCount", *SHAPES, *ROTATIONS]
    labels, rate = _written_labels(timeline, timeline.times_s[known])
    columns = [labels, [str(len(SHAPES) + len(ROTATIONS))] * len(values)]
    still = cells(np.zeros(len(values)), 6)
    for shape in SHAPES:
        total = np.zeros(len(values))
        for au, weight in weights.shapes.get(shape, {}).items():
            total += weight * values[:, AU_COLUMN[au]]
        columns.append(cells(np.clip(total, 0.0, 1.0), 6) if total.any() else still)
    columns += [still] * len(ROTATIONS)
    if not _shows_its_rate(labels, rate):
        header.append(RATE_COLUMN)
        columns.append([rate_text(rate)] * len(values))
    write_rows(path, header, columns)
    used = {au for row in weights.shapes.values() for au in row}
    lost = [
        f"AU{au}" for au in AU_ORDER if au not in used and (values[:, AU_COLUMN[au]] > 0.01).any()
    ]
    return [f"{path.name}: dropped AUs without a shape: {', '.join(lost)}"] if lost else []


def _written_labels(timeline: Timeline, times_s: Array) -> tuple[list[str], Fraction]:
    """`HH:MM:SS:FF.sub`, counted from the clip's first label; and the labels' rate."""
    rate = label_rate(timeline.frame_rate)
    start = Timecode(0, 0, 0, 0, allows_drop_frame(rate))
    if timeline.start_timecode is not None:
        start = parse_timecode(timeline.start_timecode)
    first = start.frame_number(rate)
    thousandths = np.round((first + times_s * float(rate)) * 1000).astype(np.int64)
    thousandths %= frames_per_day(rate, drop_frame=start.drop_frame) * 1000
    return [
        f"{timecode_at(frame, rate, drop_frame=start.drop_frame)}.{part:03}"
        for frame, part in zip(*(x.tolist() for x in np.divmod(thousandths, 1000)), strict=True)
    ], rate


def _shows_its_rate(labels: list[str], rate: Fraction) -> bool:
    """Whether a reader of the labels would count them alike."""
    columns = Columns(Path(), np.arange(len(labels)), {}, {"timecode": labels})
    try:
        clock = label_clock(_labels(columns)[0], None)
    except KeyframeError:
        return False
    return clock.rate == rate
