"""Any table or timeline into a curve file, and any of them or a curve into a table."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from jobs.command_line.options.words import Flag
from jobs.curves.clip import (
    assumptions,
    frames_of,
    intensity_of,
    neutral_face,
    sheet_with_videos_refused,
    stand_in,
)
from jobs.errors import JobError
from keyframes.au import AU_NAMES, INTENSITY_MAX, AUIntensity
from keyframes.clock.rates import parse_frame_rate
from keyframes.clock.timeline import Timeline
from keyframes.facs import facs_code, parse_au
from keyframes.formats import aftereffects, openface, otio
from keyframes.formats.blendshapes import livelink
from keyframes.formats.blendshapes.arkit import load_arkit
from keyframes.formats.otio import NamedRange
from keyframes.formats.recognise import TABLE_FORMATS, read_table
from keyframes.formats.rows.options import LEAST_CONFIDENCE, Options
from keyframes.formats.rows.tables import baked_columns, write_table
from keyframes.load import parse_sheet
from keyframes.presets import known_presets
from keyframes.problems import Place
from keyframes.sheet import KeyframeSheet
from keyframes.sheet_file.write_blender import blender_text
from keyframes.sheet_file.write_sheet import performance_text, poses_text
from keyframes.sources.gesture import Gesture
from keyframes.sources.performance import MeasuredPerformance

Kind = Literal[
    "auto", "yaml", "csv", "parquet", "openface", "livelink", "aftereffects", "blender", "otio"
]
CURVE_SUFFIXES = (".yaml", ".yml", "")
_BY_SUFFIX: dict[str, Kind] = {
    ".yaml": "yaml",
    ".yml": "yaml",
    ".csv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".otio": "otio",
}


class Conversion(BaseModel):
    """How something is converted, as `curve convert` takes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    output: Path = Field(description=".yaml, .csv, .parquet, .otio, or any name with --to.")
    to: Kind = Field(
        default="auto",
        description="yaml, csv, parquet, openface, livelink, aftereffects, blender or otio. auto "
        "goes by the suffix.",
    )
    format: str = Field(
        default="auto",
        description="Of the source: auto (by its beginning), or a format's name, as a wrong one "
        "lists them.",
    )
    mode: Literal["delta", "absolute"] = Field(
        default="delta",
        description="Of a curve file made here: delta (changes from the performer's neutral) or "
        "absolute.",
    )
    tolerance: float = Field(
        default=0.05,
        description="How far its straight lines may be from the source, in intensity units.",
    )
    track: int = Field(default=0, description="Face of a table with several.")
    fps: str | None = Field(
        default=None, description="Of tables that count frames, or of the frames written."
    )
    duration: float | None = Field(default=None, description="Length of a baked curve in seconds.")
    table: Path | None = Field(
        default=None, description="ARKit weights (YAML) instead of the packaged ones."
    )
    clip: str | None = Field(
        default=None, description="The one video of a table of several, by name."
    )
    person: str | None = Field(
        default=None, description="The one identity of a table of several, by name."
    )
    scale: float | None = Field(
        default=None,
        description="The value that stands for full intensity, where a table is not on its "
        "format's own scale.",
    )
    confidence: float = Field(default=LEAST_CONFIDENCE, description="Rows below are not measured.")
    aus: tuple[str, ...] = Field(default=(), description="The AUs that are taken. Without: all.")
    overwrite: Flag = Field(default=False, description="Replace an output that exists.")

    def check(self) -> None:
        """Refuses what no conversion can mean.

        Raises:
            JobError: with the option, what was said and what is known.
        """
        if not self.tolerance > 0:
            raise JobError(f"--tolerance: got {self.tolerance:g}; expected above 0")
        if self.format not in ("auto", *TABLE_FORMATS):
            raise JobError(f"--format {self.format!r}: known: auto, {', '.join(TABLE_FORMATS)}")


def convert(source: str, request: Conversion) -> list[str]:
    """Carry a conversion out.

    Returns:
        The loss report, one line each.

    Raises:
        JobError: a pair that cannot be converted.
        KeyframeError: a source that cannot be read, or a place that cannot be written.
    """
    kind = request.to if request.to != "auto" else _kind_of(request.output)
    suffix = Path(source).suffix.lower()
    if suffix == ".otio":
        return _timeline(source, request, kind)
    if suffix in CURVE_SUFFIXES:
        return _curve(source, request, kind)
    return _table(source, request, kind)


def _kind_of(output: Path) -> Kind:
    try:
        return _BY_SUFFIX[output.suffix.lower()]
    except KeyError:
        known = ", ".join(_BY_SUFFIX)
        raise JobError(f"{output}: suffix {output.suffix!r}; known: {known}, or say --to") from None


def _timeline(source: str, request: Conversion, kind: Kind) -> list[str]:
    if kind != "yaml":
        raise JobError(f"{source}: a timeline becomes a curve file; expected .yaml")
    name = Path(source).name
    text = f"version: 1\nimport: {{file: {_quoted(name)}, format: otio}}\n"
    sheet = parse_sheet(text, source, folder=Path(source).resolve().parent)
    _write(request.output, poses_text(sheet.layers, name))
    return list(sheet.warnings)


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"


def _table(source: str, request: Conversion, kind: Kind) -> list[str]:
    rate = None if request.fps is None else parse_frame_rate(request.fps)
    options = Options(
        request.track,
        rate,
        request.table,
        request.clip,
        request.person,
        request.confidence,
        request.scale,
        tuple(map(parse_au, request.aus)) or None,
    )
    table = read_table(Path(source), request.format, options)
    notes = list(table.notes)
    if kind in ("blender", "otio"):
        raise JobError(f"{source}: make a curve file of the table first")
    if kind == "yaml":
        relative = request.mode == "delta"
        performance = MeasuredPerformance(Place(source), table, from_neutral=relative)
        text, tolerance = performance_text(performance, request.mode, request.tolerance)
        _write(request.output, text)
        notes += [n for n in performance.warnings(table.timeline()) if n not in notes]
        if tolerance > request.tolerance:
            notes.append(
                f"{request.output}: keys within {tolerance:g}, not {request.tolerance:g}, so that "
                "the file may be loaded; a curve file can import: the table as it is"
            )
        return notes
    return notes + _frames(request, kind, frames_of(table, request.fps), intensity_of(table))


def _curve(source: str, request: Conversion, kind: Kind) -> list[str]:
    if kind == "yaml":
        raise JobError(f"{source} is a curve file already; known: tables and .otio")
    sheet = sheet_with_videos_refused(source)
    timeline = stand_in(sheet, request.fps or "25", request.duration, None)
    if kind == "blender":
        text, lost = blender_text(sheet, timeline)
        _write(request.output, text)
        return [*assumptions(timeline, None), *lost]
    if kind == "otio":
        return [*assumptions(timeline, None), *_ranges(request.output, sheet, timeline)]
    face = next(iter(sheet.targets()), 0)
    evaluation = sheet.evaluate(timeline, neutral_face(timeline), face=face)
    notes = [*assumptions(timeline, None), *evaluation.warnings]
    if kind in ("csv", "parquet"):
        write_table(request.output, baked_columns(timeline.times_s, evaluation.delta))
        return notes
    asked = evaluation.delta.values
    shown = AUIntensity(np.clip(asked, 0.0, INTENSITY_MAX))
    if (asked != shown.values).any():
        notes.append("changes outside 0 to 5 held to that range, as on a neutral face")
    return notes + _frames(request, kind, timeline, shown)


def _frames(request: Conversion, kind: Kind, timeline: Timeline, shown: AUIntensity) -> list[str]:
    """Intensities per frame, in one of the table formats."""
    if kind == "openface":
        return openface.write(request.output, timeline, shown)
    if kind == "aftereffects":
        return aftereffects.write(request.output, timeline, shown)
    if kind == "livelink":
        return livelink.write(request.output, timeline, shown, load_arkit(request.table))
    columns = {"time_s": timeline.times_s}
    named = {name: shown.values[:, i].astype(np.float64) for i, name in enumerate(AU_NAMES)}
    write_table(request.output, columns | named)
    return []


def _ranges(output: Path, sheet: KeyframeSheet, timeline: Timeline) -> list[str]:
    """Poses as named ranges; keyed channels and imports by when they begin and end."""
    ranges: list[NamedRange] = []
    notes: list[str] = []
    for number, layer in enumerate(sheet.layers, 1):
        source = layer.source
        if isinstance(source, Gesture):
            start, apex, _, end = source.times_s(timeline)
            name = layer.name if layer.name in known_presets() else facs_code(source.pose)
            if name is None:
                name = layer.name or f"pose {number}"
                notes.append(f"{name}: no preset and no FACS code; say markers: when it comes back")
            ranges.append(NamedRange(name, start, end, apex))
        else:
            end = source.last_key_s(timeline) or timeline.duration_s
            name = layer.name or f"layer {number}"
            ranges.append(NamedRange(name, 0.0, end))
            notes.append(f"{name}: a range alone; its curves have no place in a timeline")
    otio.write_ranges(output, sheet.name, ranges, timeline.frame_rate, timeline.duration_s)
    return notes


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise JobError(f"{path}: cannot be written: {error.strerror or error}") from None
