"""What all curve plots share: panels, colours, thinning, and saving as PNG, SVG or HTML."""

# matplotlib's types are partial: what goes into it is checked by the annotations here.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import html
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator
from numpy.typing import NDArray

from keyframes.au import AU_DESCRIPTIONS, LID_DESCRIPTIONS, AUCode
from keyframes.curves.simplify import fewest_keys
from keyframes.errors import KeyframeError

Array = NDArray[np.float64]

INK, SOFT, FAINT = "#1f2933", "#52606d", "#e4e7eb"
ASKED, BEFORE, AFTER = "#c2410c", "#7b8794", "#0f766e"
KEYED, HANDLE, CUT, FACTOR = "#1d4ed8", "#7c93d6", "#b91c1c", "#7e22ce"
REACH, REACH_EDGE = "#eef4f0", "#b7cfc0"
PLOT_SUFFIXES = (".png", ".svg", ".html")
_WIDTH, _HEAD, _FOOT = 9.6, 0.72, 0.5
_PANEL, _LOW_PANEL, _MANY = 1.55, 1.15, 6
_MOST_POINTS = 3000
_MINUTES_FROM_S, _MOST_TICKS = 120.0, 12
_MINUTE_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
_UNSEEN = 0.001
"""Of a curve's range: less than a tenth of a line's width."""
_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.edgecolor": "#cbd2d9",
    "axes.linewidth": 0.8,
    "axes.labelcolor": SOFT,
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "svg.fonttype": "none",
    "svg.hashsalt": "aureel",
    "path.simplify": True,
}


def panels(
    aus: Sequence[AUCode],
    title: str,
    duration_s: float,
    window_s: tuple[float, float] | None = None,
) -> tuple[Figure, list[Axes]]:
    """A figure with one panel per AU, named, over a common axis of seconds, or of minutes.

    Args:
        aus: AU numbers, from the top.
        title: above the panels.
        duration_s: length of the clip.
        window_s: the part of it that is shown; None for all.
    """
    count = max(1, len(aus))
    height = _HEAD + count * (_PANEL if count <= _MANY else _LOW_PANEL) + _FOOT
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, height))
        FigureCanvasAgg(figure)
        grid = figure.subplots(count, 1, sharex=True, squeeze=False)
        axes: list[Axes] = list(grid[:, 0])
        figure.subplots_adjust(
            left=0.155,
            right=0.955,
            top=1 - _HEAD / height,
            bottom=_FOOT / height,
            hspace=0.22,
        )
        figure.text(0.012, 1 - 0.26 / height, title, fontsize=11.5, fontweight="bold", va="center")
        for axis, au in zip(axes, aus, strict=False):
            _name(axis, f"AU{au}", (AU_DESCRIPTIONS | LID_DESCRIPTIONS)[au])
        start, end = window_s or (0.0, duration_s)
        air = 0.004 * (end - start)
        axes[0].set_xlim(start - air, end + air)
        _time_axis(axes[-1], start, end)
    return figure, axes


def _time_axis(axis: Axes, start: float, end: float) -> None:
    """Seconds, or from two minutes on `minutes:seconds`."""
    if end < _MINUTES_FROM_S:
        axis.set_xlabel("seconds")
        return
    step = next((s for s in _MINUTE_STEPS if (end - start) / s <= _MOST_TICKS), 7200)
    axis.set_xlabel("minutes:seconds")
    axis.xaxis.set_major_locator(MultipleLocator(step))
    axis.xaxis.set_major_formatter(lambda second, _: f"{int(second // 60)}:{second % 60:02.0f}")


def _name(axis: Axes, name: str, description: str) -> None:
    axis.text(-0.178, 0.66, name, transform=axis.transAxes, fontsize=10, fontweight="bold")
    words = description.split()
    half = (len(words) + 1) // 2 if len(description) > 14 else len(words)
    text = "\n".join(filter(None, (" ".join(words[:half]), " ".join(words[half:]))))
    axis.text(-0.178, 0.6, text, transform=axis.transAxes, fontsize=7.5, color=SOFT, va="top")
    axis.grid(color=FAINT, linewidth=0.7)
    axis.set_axisbelow(True)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def legend(figure: Figure, handles: Sequence[Any]) -> None:
    """One legend for all panels, at the upper right."""
    height = figure.get_size_inches()[1]
    figure.legend(
        handles=list(handles),
        loc="center right",
        bbox_to_anchor=(0.96, 1 - 0.52 / height),
        ncols=len(handles),
        frameon=False,
        fontsize=7.5,
        handlelength=1.6,
        columnspacing=1.3,
        labelcolor=SOFT,
    )


def fit(axis: Axes, low: float, high: float, *, least: float = 2.0) -> None:
    """Value limits with air, at least `least` apart and always with 0 in them."""
    low, high = min(low, 0.0), max(high, 0.0)
    if high - low < least:
        high = low + least
    air = 0.12 * (high - low)
    axis.set_ylim(low - air, high + air)


def thin_rows(times_s: Array, *curves: Array) -> NDArray[np.intp]:
    """Rows that are enough to draw curves by: none of their turns or peaks is lost.

    Where there are more rows than can be seen, the lowest and the highest of each bin stay; of
    these, those on straight lines go. Rows around NaN stay.
    """
    kept = [np.array([0, len(times_s) - 1])]
    for values in curves:
        rows = _extremes(values)
        finite = np.nan_to_num(values[rows])
        tolerance = _UNSEEN * max(1e-9, float(np.ptp(finite)))
        kept.append(rows[fewest_keys(times_s[rows], finite, tolerance)])
        holes = np.flatnonzero(np.diff(np.isnan(values)))
        kept += [holes, holes + 1]
    return np.unique(np.concatenate(kept))


def _extremes(values: Array) -> NDArray[np.intp]:
    count = len(values)
    if count <= _MOST_POINTS:
        return np.arange(count)
    size = -(-count // (_MOST_POINTS // 2))
    rows: list[int] = [0, count - 1]
    filled = np.nan_to_num(values)
    for start in range(0, count, size):
        piece = filled[start : start + size]
        rows += [start + int(np.argmin(piece)), start + int(np.argmax(piece))]
    return np.unique(np.array(rows))


def thinned(times_s: Array, values: Array) -> tuple[Array, Array]:
    """One curve by the rows that matter."""
    rows = thin_rows(times_s, values)
    return times_s[rows], values[rows]


def save(
    figure: Figure, path: Path, title: str, notes: Sequence[str] = (), identifier: str = ""
) -> None:
    """Write a figure by the file's suffix; HTML holds everything in itself.

    Args:
        figure: made by `panels`.
        path: `.png`, `.svg` or `.html`.
        title: of the HTML page.
        notes: listed below the figure in HTML.
        identifier: kept in the file's metadata.

    Raises:
        KeyframeError: another suffix, or a place that cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in PLOT_SUFFIXES:
        raise KeyframeError(f"{path}: suffix {suffix!r}; known: {', '.join(PLOT_SUFFIXES)}")
    try:
        if suffix == ".png":
            path.write_bytes(_rendered(figure, "png", identifier))
        elif suffix == ".svg":
            path.write_bytes(_rendered(figure, "svg", identifier))
        else:
            path.write_text(_page(figure, title, notes, identifier), "utf-8")
    except OSError as error:
        raise KeyframeError(f"{path}: cannot be written: {error.strerror or error}") from None


def _rendered(figure: Figure, kind: str, identifier: str) -> bytes:
    stream = io.BytesIO()
    metadata: dict[str, str | None] = {"Date": None} if kind == "svg" else {}
    if identifier:
        metadata["Identifier" if kind == "svg" else "Comment"] = identifier
    with mpl.rc_context(_STYLE):
        figure.savefig(stream, format=kind, dpi=130, metadata=metadata, facecolor="white")
    if kind == "png":
        return stream.getvalue()
    # A hundredth of a point is finer than any screen, and the file is a third smaller.
    return re.sub(rb"(\d\.\d\d)\d+", rb"\1", stream.getvalue())


def _page(figure: Figure, title: str, notes: Sequence[str], identifier: str) -> str:
    svg = _rendered(figure, "svg", identifier).decode()
    svg = svg[svg.index("<svg") :]
    items = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    listed = f"<h2>Notes</h2><ul>{items}</ul>" if items else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title><style>body{{font:15px/1.5 system-ui,sans-serif;"
        "color:#1f2933;margin:2rem auto;max-width:62rem;padding:0 1rem}svg{width:100%;height:auto}"
        f"h2{{font-size:1rem}}</style></head><body>{svg}{listed}</body></html>\n"
    )
