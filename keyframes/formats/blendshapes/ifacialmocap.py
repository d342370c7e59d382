"""iFacialMocap and Facemotion3d text: what the apps send, one frame a line.

`mouthSmile_R-12|eyeBlink_L-0|…|=head#…|rightEye#…|leftEye#…|`, percent, with `&` for `-` in
version 2. Shapes that a frame leaves out are not measured, and `trackingStatus-0` is no face. A
line may begin with its time.

Source: ifacialmocap.com, "for developers".
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keyframes.errors import KeyframeError
from keyframes.formats.blendshapes.arkit import (
    load_arkit,
    shape_intensities,
    shape_lids,
    shape_named,
)
from keyframes.formats.rows.columns import MAX_ROWS
from keyframes.formats.rows.options import Options
from keyframes.formats.rows.preview import Preview
from keyframes.formats.rows.row_times import TimeColumn, row_times
from keyframes.sources.performance import PerformanceTable

_SHAPE = re.compile(r"([A-Za-z][A-Za-z_]*)(?:-|&)(-?\d+(?:\.\d+)?)(?=\||$)")
_TIME = re.compile(r"\s*(\d+(?:\.\d+)?)\s*[|,;\t ]")
_NO_FACE = re.compile(r"trackingStatus[-&]0(?:\||$)")
_SENT_PER_S = 60
_FEWEST = 10


def recognises(preview: Preview) -> bool:
    """Whether a file is a log of what these apps send."""
    head = preview.head[:4000]
    return sum(shape_named(match[1]) is not None for match in _SHAPE.finditer(head)) >= _FEWEST


def read(path: Path, options: Options) -> PerformanceTable:
    """A recorded stream, by its times or at a rate (60, as the apps send, unless given)."""
    rows, stamps = _frames(path)
    source = f"{path.name} (iFacialMocap)"
    names = sorted({shape for row in rows for shape in row})
    if not names:
        raise KeyframeError(f"{path}: no frame of blendshapes (mouthSmile_R-12|…)")
    weights = load_arkit(options.arkit_table)
    shapes = {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}
    scale = 100.0 if options.scale is None else options.scale
    values, notes = shape_intensities(shapes, {}, weights, scale, source)
    times, said = _times(stamps, options, source)
    lids = shape_lids(shapes, {}, scale)
    return PerformanceTable(times, values, source, (*said, *notes), lids=lids)


def _frames(path: Path) -> tuple[list[dict[str, float]], list[float]]:
    rows: list[dict[str, float]] = []
    stamps: list[float] = []
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            for line in file:
                found = {
                    shape: float(match[2])
                    for match in _SHAPE.finditer(line.rstrip("\r\n"))
                    if (shape := shape_named(match[1])) is not None
                }
                if not found or len(rows) >= MAX_ROWS:
                    continue
                rows.append({} if _NO_FACE.search(line) else found)
                stamp = _TIME.match(line)
                stamps.append(float(stamp[1]) if stamp else np.nan)
    except OSError as error:
        raise KeyframeError(f"{path}: cannot be read: {error.strerror}") from None
    return rows, stamps


def _times(
    stamps: list[float], options: Options, source: str
) -> tuple[NDArray[np.float64], list[str]]:
    written = np.array(stamps)
    if np.isfinite(written).all() and (np.diff(written) > 0).all() and len(written) > 1:
        return row_times(written, TimeColumn("time"), None, source)
    rate = options.rate
    notes = [] if rate else [f"{source}: {_SENT_PER_S} frames a second assumed, as the app sends"]
    step = rate.denominator / rate.numerator if rate else 1 / _SENT_PER_S
    return np.arange(len(stamps), dtype=np.float64) * step, notes
