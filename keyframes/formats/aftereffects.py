"""After Effects keyframe data, the text that copying keyframes puts on the clipboard.

Blocks of `Frame`, value rows under the name of their property; one number per key is a slider.
The text holds values alone, so between keys it is straight lines: easing stays in After Effects.

Source: the clipboard's own layout, "Adobe After Effects 8.0 Keyframe Data".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keyframes.au import AU_COLUMN, AU_ORDER, INTENSITY_MAX, AUCode, AUIntensity
from keyframes.clock.rates import parse_frame_rate, rate_text
from keyframes.clock.timeline import Timeline
from keyframes.errors import KeyframeError
from keyframes.formats.rows.layout import read_head
from keyframes.formats.rows.options import Options
from keyframes.formats.rows.preview import Preview
from keyframes.formats.rows.scales import as_intensities
from keyframes.sources.performance import PerformanceTable

Array = NDArray[np.float64]

_TITLE = re.compile(r"Adobe After Effects [\d.]+ Keyframe Data")
_AU = re.compile(r"AU\s?0*(\d{1,2})(?!\d)", re.IGNORECASE)
_SLIDER = "Effects\tSlider Control #{number}\tSlider #2"


@dataclass
class _Block:
    """Keys of one property."""

    name: str
    line: int
    frames: list[float] = field(default_factory=list[float])
    values: list[float] = field(default_factory=list[float])


def recognises(preview: Preview) -> bool:
    """Whether a file begins as the clipboard does."""
    return _TITLE.match(preview.head.lstrip("\ufeff\r\n\t ")) is not None


def read(path: Path, options: Options) -> PerformanceTable:
    """Sliders named after AUs; others take the AUs of `aus`, in order.

    Raises:
        KeyframeError: no rate, no keys, or sliders that no AU is known for.
    """
    lines = _text(path).split("\n")
    rate = options.rate or _rate(path, lines)
    blocks = [block for block in _blocks(lines) if block.frames]
    named = _named(path, blocks, options.aus)
    times = np.unique([frame for block in named.values() for frame in block.frames])
    values = np.full((len(times), len(AU_ORDER)), np.nan)
    for au, block in named.items():
        order = np.argsort(block.frames, kind="stable")
        keys = np.array([block.frames, block.values])[:, order]
        values[:, AU_COLUMN[au]] = np.interp(times, keys[0], keys[1])
    source = f"{path.name} (After Effects)"
    found, notes = as_intensities(values, INTENSITY_MAX, options.scale, source)
    notes.insert(0, f"{source}: straight lines between keys; the clipboard has no easing")
    seconds = times * (rate.denominator / rate.numerator)
    return PerformanceTable(seconds, found, source, tuple(notes), is_keyed=True)


def _text(path: Path) -> str:
    head = read_head(path)
    if _TITLE.match(head.lstrip("\ufeff\r\n\t ")) is None:
        raise KeyframeError(f"{path}:1: got {head[:40]!r}; expected After Effects keyframe data")
    encoding = "utf-16" if path.read_bytes()[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return path.read_text(encoding, errors="replace").replace("\r\n", "\n").replace("\r", "\n")


def _rate(path: Path, lines: list[str]) -> Fraction:
    for line in lines:
        cells = [cell.strip() for cell in line.split("\t") if cell.strip()]
        if len(cells) == 2 and cells[0] == "Units Per Second":
            return parse_frame_rate(cells[1].replace(",", "."))
    raise KeyframeError(f"{path}: no 'Units Per Second'; say fps")


def _blocks(lines: list[str]) -> Iterator[_Block]:
    """Properties in order; rows of one number each are keys, any other row is passed over."""
    block: _Block | None = None
    for number, line in enumerate(lines, 1):
        if line.strip() and line[0] != "\t":
            if block is not None:
                yield block
            block = _Block("\t".join(c.strip() for c in line.split("\t") if c.strip()), number)
            continue
        cells = [cell.strip().replace(",", ".") for cell in line.split("\t") if cell.strip()]
        if block is None or len(cells) != 2:
            continue
        try:
            frame, value = float(cells[0]), float(cells[1])
        except ValueError:
            continue
        if np.isfinite([frame, value]).all():
            block.frames.append(frame)
            block.values.append(value)
    if block is not None:
        yield block


def _named(path: Path, blocks: list[_Block], aus: tuple[AUCode, ...] | None) -> dict[int, _Block]:
    if not blocks:
        raise KeyframeError(f"{path}: no sliders (keys of one number each)")
    by_name = {
        int(match[1]): block
        for block in blocks
        if (match := _AU.search(block.name)) is not None and int(match[1]) in AU_COLUMN
    }
    if by_name:
        return by_name
    if aus is not None and len(aus) == len(blocks):
        if eyes := [f"AU{au}" for au in aus if not isinstance(au, int) or au not in AU_COLUMN]:
            raise KeyframeError(f"{path}: sliders are of the face's AUs; got {', '.join(eyes)}")
        return {int(au): block for au, block in zip(aus, blocks, strict=True)}
    shown = "; ".join(block.name.replace("\t", " ") for block in blocks[:6])
    raise KeyframeError(
        f"{path}:{blocks[0].line}: {len(blocks)} sliders without the name of an AU ({shown}); "
        "name their effects AU12 …, or say aus: [12, …], one for each in this order"
    )


def write(path: Path, timeline: Timeline, performance: AUIntensity) -> list[str]:
    """Sliders with a key per frame, to paste on a layer.

    Returns:
        Which slider is which AU, and frames that had to move to whole numbers.

    Raises:
        KeyframeError: a place that cannot be written.
    """
    rate = timeline.frame_rate
    frames = np.rint(timeline.times_s * float(rate)).astype(np.int64)
    lines = [
        "Adobe After Effects 8.0 Keyframe Data",
        "",
        f"\tUnits Per Second\t{rate_text(rate)}",
        "\tSource Width\t100",
        "\tSource Height\t100",
        "\tSource Pixel Aspect Ratio\t1",
        "\tComp Pixel Aspect Ratio\t1",
        "",
    ]
    meaning: list[str] = []
    for au in AU_ORDER:
        values = performance.values[:, AU_COLUMN[au]]
        rows = np.flatnonzero(np.isfinite(values)).tolist()
        if not np.nan_to_num(values).any():
            continue
        meaning.append(f"{len(meaning) + 1} is AU{au}")
        lines += [_SLIDER.format(number=len(meaning)), "\tFrame\t\t"]
        lines += [f"\t{frames[row]}\t{values[row]:.4f}\t" for row in rows]
        lines.append("")
    lines += ["", "End of Keyframe Data", ""]
    try:
        path.write_text("\r\n".join(lines), "utf-8", newline="")
    except OSError as error:
        raise KeyframeError(f"{path}: cannot be written: {error.strerror or error}") from None
    return [f"{path.name}: Slider Control {', '.join(meaning)}"] if meaning else []
