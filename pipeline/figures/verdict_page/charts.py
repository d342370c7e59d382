"""Curves as inline SVG: no script needed to read them, no picture to load."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 1000.0, 100.0
"""Of the drawing's own coordinates; it is stretched to the page's width, lines keep theirs."""
MOST_POINTS = 600


@dataclass(frozen=True)
class Line:
    """One curve: `(N,)` values with NaN where unknown, and its CSS class."""

    values: NDArray[np.floating]
    style: str


def chart(
    times_s: NDArray[np.float64],
    lines: Sequence[Line],
    *,
    low: float,
    high: float,
    band: tuple[float, float] | None = None,
    mark: float | None = None,
    label: str,
) -> str:
    """An SVG of curves over the shot's time.

    Args:
        low, high: values at the bottom and the top.
        band: values between which the ground is shaded (what an estimator can read).
        mark: a value with a line across (the plate's own).
        label: what a screen reader says.
    """
    span = max(float(times_s[-1] - times_s[0]), 1e-9)

    def down(value: float) -> float:
        return HEIGHT * (1 - (value - low) / max(high - low, 1e-9))

    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" preserveAspectRatio="none" '
        f'role="img" aria-label="{html.escape(label)}">'
    ]
    if band is not None:
        top, bottom = down(band[1]), down(band[0])
        parts.append(
            f'<rect class="band" x="0" y="{top:.1f}" width="1000" height="{bottom - top:.1f}"/>'
        )
    if mark is not None and np.isfinite(mark):
        y = down(mark)
        parts.append(f'<line class="mark" x1="0" x2="1000" y1="{y:.1f}" y2="{y:.1f}"/>')
    for line in lines:
        x = (times_s - times_s[0]) / span * WIDTH
        parts += [
            f'<polyline class="{line.style}" points="{run}"/>'
            for run in _runs(x, np.array([down(v) for v in line.values]))
        ]
    return "".join([*parts, '<line class="now" x1="0" x2="0" y1="0" y2="100"/></svg>'])


def labelled(name: str, words: str, drawn: str, high: float, low: float, kind: str = "") -> str:
    """A drawing between its name and its ends."""
    return (
        f'<div class="row {kind}"><div><b>{html.escape(name)}</b><small>{html.escape(words)}'
        f'</small></div>{drawn}<div class="ends"><span>{high:.2g}</span><span>{low:.2g}</span>'
        "</div></div>"
    )


def _runs(x: NDArray[np.floating], y: NDArray[np.floating]) -> list[str]:
    """Points of a curve, split where it is unknown for long; sampled curves stay in one piece."""
    known = np.flatnonzero(np.isfinite(y))
    if not len(known):
        return []
    usual = float(np.median(np.diff(known))) if len(known) > 1 else 1.0
    breaks = np.flatnonzero(np.diff(known) > 3 * max(usual, 1.0)) + 1
    return [_points(x[rows], y[rows]) for rows in np.split(known, breaks)]


def _points(x: NDArray[np.floating], y: NDArray[np.floating]) -> str:
    rows = np.arange(len(x))
    if len(x) > MOST_POINTS:  # the lowest and the highest of each bin: no peak is lost
        bins = np.array_split(rows, MOST_POINTS // 2)
        picked = [(b[np.argmin(y[b])], b[np.argmax(y[b])]) for b in bins]
        rows = np.unique(np.array(picked).ravel())
    if len(rows) == 1:
        return f"{x[0]:.1f},{y[0]:.1f} {x[0] + 2:.1f},{y[0]:.1f}"
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x[rows], y[rows], strict=True))
