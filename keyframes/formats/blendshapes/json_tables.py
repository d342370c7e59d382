"""Blendshapes as JSON: Audio2Face, MediaPipe results, and lists of frames of any script.

Sources: NVIDIA Audio2Face's exports (`exportFps`, `facsNames`, `weightMat`); MediaPipe Face
Landmarker results (`faceBlendshapes`: categories with `categoryName` and `score`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from keyframes.clock.rates import parse_frame_rate
from keyframes.errors import KeyframeError
from keyframes.formats.blendshapes.arkit import (
    load_arkit,
    shape_intensities,
    shape_lids,
    shape_named,
)
from keyframes.formats.rows.options import Options
from keyframes.formats.rows.preview import Preview
from keyframes.formats.rows.row_times import row_times, time_column
from keyframes.sources.performance import PerformanceTable

Array = NDArray[np.float64]
Json = Any

MAX_BYTES = 500_000_000
_NAMES = ("facsnames", "names", "blendshapenames", "channels", "shapenames", "blendshapes")
_MATRICES = ("weightmat", "weights", "frames", "data", "values", "blendshapeweights")
_LISTS = ("frames", "data", "results", "samples", "items", "animation", "animationframes")
_RATES = ("exportfps", "fps", "framerate", "rate", "samplerate")
_SHAPES = ("blendshapes", "faceblendshapes", "categories", "shapes", "weights", "arkit", "values")
_WORDS = ("categoryname", "name", "displayname", "shape", "key")
_NUMBERS = ("score", "value", "weight")


@dataclass(frozen=True)
class _Frames:
    """Frames as they were found: shapes each, a time each where they have one, and a rate."""

    shapes: list[dict[str, float]]
    clock: list[dict[str, float]]
    rate: Fraction | None


def recognises(preview: Preview) -> bool:
    """Whether a file looks like JSON."""
    return preview.path.suffix.lower() == ".json" or preview.head.lstrip()[:1] in ("{", "[")


def read(path: Path, options: Options) -> PerformanceTable:
    """A performance in blendshapes.

    Raises:
        KeyframeError: not JSON, or nothing in it that looks like frames of blendshapes.
    """
    source = f"{path.name} (blendshapes)"
    frames = _frames(_loaded(path), options.track)
    names = {shape: name for row in frames.shapes for name in row if (shape := shape_named(name))}
    if not names:
        raise KeyframeError(
            f"{path}: no frames of ARKit blendshapes; known: Audio2Face (facsNames, weightMat), "
            "MediaPipe (faceBlendshapes), a list of frames with time and blendshapes"
        )
    weights = load_arkit(options.arkit_table)
    shapes = {
        shape: np.array([row.get(name, np.nan) for row in frames.shapes], np.float64)
        for shape, name in names.items()
    }
    times, notes = _times(frames, options, source)
    kept = np.concatenate([[True], np.diff(np.fmax.accumulate(times)) > 0]) & np.isfinite(times)
    if not kept.all():
        notes.append(f"{source}: frames out of order, left out: {int((~kept).sum())}")
    shapes = {shape: values[kept] for shape, values in shapes.items()}
    values, lost = shape_intensities(shapes, {}, weights, options.scale, source)
    lids = shape_lids(shapes, {}, options.scale)
    return PerformanceTable(times[kept], values, source, (*notes, *lost), lids=lids)


def _loaded(path: Path) -> Json:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise KeyframeError(f"{path}: more than {MAX_BYTES / 1e6:g} MB of JSON")
        return json.loads(path.read_bytes())
    except OSError as error:
        raise KeyframeError(f"{path}: cannot be read: {error.strerror}") from None
    except json.JSONDecodeError as error:
        raise KeyframeError(f"{path}:{error.lineno}: not JSON: {error.msg}") from None
    except (UnicodeDecodeError, RecursionError) as error:
        raise KeyframeError(f"{path}: not JSON: {error}") from None


def _plain(data: Json) -> dict[str, Json]:
    """A map's entries by lower-case names without `_`."""
    if not isinstance(data, dict):
        return {}
    return {str(k).lower().replace("_", ""): v for k, v in cast("dict[Any, Any]", data).items()}


def _first(entries: Mapping[str, Json], names: Sequence[str], kind: type) -> Json:
    return next((entries[n] for n in names if n in entries and isinstance(entries[n], kind)), None)


def _frames(data: Json, track: int) -> _Frames:
    entries = _plain(data)
    rate = _first(entries, _RATES, object)
    fps = parse_frame_rate(f"{rate:.9g}") if isinstance(rate, int | float) and rate > 0 else None
    names, matrix = _first(entries, _NAMES, list), _first(entries, _MATRICES, list)
    if names and matrix and all(isinstance(name, str) for name in names) and _is_matrix(matrix):
        rows = [_numbers(dict(zip(names, row, strict=False))) for row in matrix]
        return _Frames(rows, [{} for _ in rows], fps)
    items = _first(entries, _LISTS, list) if entries else data
    if items is None and entries and all(key.isdigit() for key in entries):
        items = [entries[key] for key in sorted(entries, key=int)]
    found: list[dict[str, Any]] = [
        i
        for i in cast("list[Any]", items if isinstance(items, list) else [])
        if isinstance(i, dict)
    ]
    return _Frames(
        [_numbers(_shapes_of(item, track)) for item in found],
        [_numbers({k: v for k, v in item.items() if not isinstance(v, dict | list)})
         for item in found],
        fps,
    )  # fmt: skip


def _is_matrix(rows: list[Json]) -> bool:
    return all(isinstance(row, list) for row in rows)


def _numbers(entries: Mapping[str, Json]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in entries.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _shapes_of(item: Json, track: int) -> dict[str, Json]:
    """The shapes of one frame: a map, a list of named scores, or such a list per face."""
    body = _first(_plain(item), _SHAPES, object)
    if body is None:
        return dict(item)
    if isinstance(body, dict) and _first(_plain(body), ("categories",), list) is not None:
        body = _plain(body)["categories"]
    if isinstance(body, dict):
        return cast("dict[str, Any]", body)
    if not isinstance(body, list) or not body:
        return {}
    faces = [_plain(face).get("categories", face) for face in cast("list[Any]", body)]
    if all(isinstance(face, list) for face in faces):
        return _scores(faces[track]) if track < len(faces) else {}
    return _scores(cast("list[Any]", body))


def _scores(categories: list[Json]) -> dict[str, Json]:
    pairs = [(_plain(entry), entry) for entry in categories]
    return {
        str(name): _first(entry, _NUMBERS, object)
        for entry, _ in pairs
        if (name := _first(entry, _WORDS, str)) is not None
    }


def _times(frames: _Frames, options: Options, source: str) -> tuple[Array, list[str]]:
    rate = options.rate or frames.rate
    names = {name for row in frames.clock for name in row if shape_named(name) is None}
    clock = time_column(names)
    if clock is not None and not (clock.is_frames and rate is None):
        values = np.array([row.get(clock.name, np.nan) for row in frames.clock], np.float64)
        return row_times(values, clock, rate, source)
    if rate is None:
        raise KeyframeError(f"{source}: no times and no rate; say fps")
    step = rate.denominator / rate.numerator
    return np.arange(len(frames.shapes), dtype=np.float64) * step, []
