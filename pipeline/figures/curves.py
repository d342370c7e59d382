"""Curves as pictures: what a sheet asks for, and what became of it."""

# matplotlib's types are partial: what goes into it is checked by the annotations here.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from keyframes.au import (
    AU_ORDER,
    CODE_COLUMNS,
    DELTA_LIMIT,
    INTENSITY_MAX,
    AUCode,
    AUDelta,
    AUIntensity,
)
from keyframes.clock.timeline import Timeline
from keyframes.curves.channel import Channel
from keyframes.curves.curve import Curve
from keyframes.errors import KeyframeError
from keyframes.layer import Layer
from keyframes.sheet import Evaluation, KeyframeSheet
from keyframes.sources.gesture import Gesture
from keyframes.sources.keyed import Keyed
from pipeline.figures.style import (
    AFTER,
    ASKED,
    BEFORE,
    CUT,
    FACTOR,
    HANDLE,
    KEYED,
    REACH,
    REACH_EDGE,
    fit,
    legend,
    panels,
    save,
    thin_rows,
    thinned,
)

Array = NDArray[np.float64]

_DRAWN: tuple[AUCode, ...] = (*AU_ORDER, "43R", "43L")
"""A panel each, where something is asked for."""
_FEW_KEYS = 60
"""With more keys than this in a channel, handles would only be a blur."""
_FINE = 500
_PLAIN = ("delta", False)
_OUT = "////"
"""How what no face can show is hatched."""
_SEEN_BEYOND = 0.05
_ASSUMED = 2.0
"""Measured intensity that stands in for footage where a sheet is about what is there."""


def plot_performance(
    path: Path,
    timeline: Timeline,
    requested: AUDelta,
    measured: AUIntensity,
    achieved: AUIntensity | None,
    title: str,
) -> None:
    """A picture of requested, measured and achieved curves, one panel per AU in play.

    Args:
        path: `.png`, `.svg` or `.html`.
        timeline: the clip.
        requested: the change asked for.
        measured: before the edit; NaN where no face was measured.
        achieved: after the edit, if it was measured.
        title: above the panels.

    Raises:
        KeyframeError: another suffix, or a place that cannot be written.
    """
    asked, seen = _columns(requested), _columns(measured)
    aus = [au for au in _DRAWN if asked[:, CODE_COLUMNS[au]].any()]
    figure, axes = panels(aus or [AU_ORDER[0]], title, timeline.duration_s)
    is_beyond: list[bool] = []
    for axis, au in zip(axes, aus, strict=False):
        column = CODE_COLUMNS[au][0]
        before = seen[:, column]
        if np.isnan(before).all():
            before = np.zeros(len(before))
        wanted = before + asked[:, column]
        after = None if achieved is None else _columns(achieved)[:, column]
        is_beyond.append(_performance_panel(axis, timeline.times_s, before, wanted, after))
    if not aus:
        axes[0].text(0.5, 0.5, "nothing asked for", transform=axes[0].transAxes, ha="center")
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=BEFORE, lw=1.3, label="measured before"),
        Line2D([], [], color=ASKED, lw=1.6, ls=(0, (5, 2)), label="asked for (before + change)"),
        Patch(color=ASKED, alpha=0.12, label="change"),
        Patch(facecolor=REACH, edgecolor=REACH_EDGE, label="reachable (0 to 5)"),
    ]
    if any(is_beyond):
        handles.append(Patch(facecolor="none", edgecolor=ASKED, hatch=_OUT, label="out of reach"))
    if achieved is not None:
        handles.append(Line2D([], [], color=AFTER, lw=1.8, label="achieved"))
    legend(figure, handles)
    save(figure, path, title)


def _columns(known: AUIntensity | AUDelta) -> Array:
    """`(N, 14)` in AU_ORDER, then the lids."""
    return np.hstack([known.values, known.lids]).astype(np.float64)


def _performance_panel(
    axis: Axes, times_s: Array, before: Array, wanted: Array, after: Array | None
) -> bool:
    """Draws one unit; whether more is asked for than any face can show, or less than none."""
    axis.axhspan(0, INTENSITY_MAX, facecolor=REACH, edgecolor=REACH_EDGE, lw=0.8, zorder=0)
    rows = thin_rows(times_s, before, wanted)
    axis.fill_between(
        times_s[rows], before[rows], wanted[rows], color=ASKED, alpha=0.12, linewidth=0
    )
    axis.plot(*thinned(times_s, before), color=BEFORE, lw=1.3)
    axis.plot(*thinned(times_s, wanted), color=ASKED, lw=1.6, ls=(0, (5, 2)))
    if after is not None:
        axis.plot(*thinned(times_s, after), color=AFTER, lw=1.8)
    reached = np.clip(wanted, 0.0, INTENSITY_MAX)
    is_beyond = bool((np.abs(np.nan_to_num(wanted - reached)) > _SEEN_BEYOND).any())
    if is_beyond:
        axis.fill_between(
            times_s[rows], reached[rows], wanted[rows],
            facecolor="none", edgecolor=ASKED, hatch=_OUT, linewidth=0, alpha=0.6,
        )  # fmt: skip
    high = max(INTENSITY_MAX, float(np.nanmax(wanted)))
    fit(axis, float(np.nanmin(wanted)), high)
    axis.set_yticks(np.arange(0, high + 0.5, 1 if high < 6 else 2))
    return is_beyond


def plot_sheet(
    path: Path,
    sheet: KeyframeSheet,
    timeline: Timeline,
    measured: AUIntensity | None = None,
    window_s: tuple[float, float] | None = None,
) -> Evaluation:
    """A picture of a sheet on a clip: keys, handles, smoothing and clamps can be seen.

    Args:
        path: `.png`, `.svg` or `.html`.
        sheet: the curve file.
        timeline: the clip, or one that stands in for it.
        measured: of the same frames; without it a neutral face, or one assumed at level 2 for
            sheets about what is there.
        window_s: the part of the clip that is drawn; None for all.

    Returns:
        The evaluation that is shown.

    Raises:
        KeyframeError: the sheet does not fit the clip; another suffix; a place that cannot be
            written.
    """
    is_relative = any(_is_relative(layer) for layer in sheet.layers)
    assumed = _ASSUMED if is_relative else 0.0
    is_assumed = measured is None
    if measured is None:
        measured = AUIntensity.level(len(timeline.times_s), assumed)
    if window_s is not None:
        timeline, measured = _within(timeline, measured, window_s)
    face = next(iter(sheet.targets()), 0)
    evaluation = sheet.evaluate(timeline, measured, face=face)
    layers = [layer for layer in sheet.layers if layer.addresses(face)]
    aus = [au for au in _DRAWN if _in_play(au, layers, evaluation)]
    figure, axes = panels(aus or [AU_ORDER[0]], sheet.name, timeline.duration_s, window_s)
    for axis, au in zip(axes, aus, strict=False):
        _sheet_panel(axis, au, timeline, measured, evaluation)
        _keys(axis, au, timeline, layers, is_relative=is_relative)
    before = f"assumed ({assumed:g})" if is_assumed else "measured"
    legend(figure, _sheet_legend(layers, evaluation, before if is_relative else None))
    notes = tuple(filter(None, (sheet.description, *evaluation.warnings)))
    save(figure, path, sheet.name, notes, sheet.digest)
    return evaluation


def _within(
    timeline: Timeline, measured: AUIntensity, window_s: tuple[float, float]
) -> tuple[Timeline, AUIntensity]:
    """The frames of a part of the clip; curves are the same there as on the whole.

    Raises:
        KeyframeError: no frame lies in it.
    """
    rows = (timeline.times_s >= window_s[0]) & (timeline.times_s <= window_s[1])
    if not rows.any():
        raise KeyframeError(
            f"window {window_s[0]:g} to {window_s[1]:g} s holds no frame; the clip has "
            f"{timeline.duration_s:g} s"
        )
    part = replace(timeline, times_s=timeline.times_s[rows])
    return part, AUIntensity(measured.values[rows], measured.lids[rows])


def _is_relative(layer: Layer) -> bool:
    modes = {layer.mode}
    if isinstance(layer.source, Keyed):
        modes |= set(layer.source.modes.values())
    return bool(modes - {"delta"})


def _in_play(au: AUCode, layers: Sequence[Layer], evaluation: Evaluation) -> bool:
    if _columns(evaluation.delta)[:, CODE_COLUMNS[au]].any():
        return True
    return any(isinstance(x.source, Keyed) and _moving(au, x.source.channels) for x in layers)


def _moving(au: AUCode, codes: Iterable[AUCode]) -> list[AUCode]:
    """Those of the codes that move what a panel shows: AU43 and AU45 move both eyes."""
    return [code for code in codes if CODE_COLUMNS[au][0] in CODE_COLUMNS[code]]


def _sheet_panel(
    axis: Axes, au: AUCode, timeline: Timeline, measured: AUIntensity, evaluation: Evaluation
) -> None:
    column, times = CODE_COLUMNS[au][0], timeline.times_s
    before = np.nan_to_num(_columns(measured)[:, column])
    change = _columns(evaluation.delta)[:, column]
    wanted, free = before + change, before + evaluation.unclamped[:, column]
    if before.any():
        axis.plot(*thinned(times, before), color=BEFORE, lw=1.2)
    else:
        axis.axhline(0, color=BEFORE, lw=0.8)
    rows = thin_rows(times, before, wanted)
    axis.fill_between(times[rows], before[rows], wanted[rows], color=ASKED, alpha=0.10, linewidth=0)
    beyond = np.abs(evaluation.unclamped[:, column]) > DELTA_LIMIT
    if beyond.any():
        axis.plot(*thinned(times, np.where(beyond, free, np.nan)), color=CUT, lw=1.1, ls=":")
        axis.fill_between(times, wanted, free, where=beyond, color=CUT, alpha=0.18, linewidth=0)
    axis.plot(*thinned(times, wanted), color=ASKED, lw=1.9)
    fit(axis, float(min(wanted.min(), free.min())), float(max(wanted.max(), free.max())))


def _keys(
    axis: Axes, au: AUCode, timeline: Timeline, layers: Sequence[Layer], *, is_relative: bool
) -> None:
    """Keys, handles and unsmoothed curves of the layers, shares on an axis of their own.

    Changes are drawn from 0, so they are left out where the panel shows a measured face.
    """
    for layer in layers:
        source = layer.source
        if isinstance(source, Gesture) and not is_relative:
            for code in _moving(au, source.pose):
                values = np.array([0.0, 1.0, 1.0, 0.0]) * source.pose[code]
                _marks(axis, np.array(source.times_s(timeline)), values, few=True)
        if not isinstance(source, Keyed):
            continue
        for code in _moving(au, source.channels):
            mode = source.modes.get(code, layer.mode)
            channel = source.channels[code]
            if mode in ("scale", "neutralise"):
                _share(axis, channel.curve(timeline), timeline, mode)
            elif mode == "absolute" or not is_relative:
                _channel(axis, channel, timeline)


def _channel(axis: Axes, channel: Channel, timeline: Timeline) -> None:
    curve = channel.curve(timeline)
    if channel.smoothing is not None:
        end = timeline.duration_s
        just_before = np.nextafter(curve.times_s, -np.inf)
        at = np.concatenate([np.linspace(0, end, _FINE), curve.times_s, just_before])
        at = np.unique(np.clip(at, 0, end))
        axis.plot(*thinned(at, curve.at(at)), color=KEYED, lw=0.9, alpha=0.7)
    few = len(curve.times_s) <= _FEW_KEYS
    shown = [curve.values]
    if few:
        for start, tip in curve.handle_lines():
            axis.plot([start[0], tip[0]], [start[1], tip[1]], color=HANDLE, lw=0.8, zorder=4)
            axis.plot(tip[0], tip[1], marker="o", ms=2.6, color=HANDLE, zorder=4)
            shown.append(np.array([tip[1]]))
    _marks(axis, curve.times_s, curve.values, few=few)
    low, high = axis.dataLim.intervaly
    values = np.concatenate(shown)
    fit(axis, min(float(low), float(values.min())), max(float(high), float(values.max())))


def _marks(axis: Axes, times_s: Array, values: Array, *, few: bool) -> None:
    size, edge = (4.2, 1.2) if few else (1.8, 0.6)
    axis.plot(times_s, values, "D", ms=size, mfc="white", mec=KEYED, mew=edge, zorder=5)


def _share(axis: Axes, curve: Curve, timeline: Timeline, mode: str) -> None:
    """A factor or share, on the right."""
    twin = axis.twinx()
    times, values = thinned(timeline.times_s, curve.at(timeline.times_s))
    twin.plot(times, values, color=FACTOR, lw=1.0, ls=(0, (3, 1.5)))
    twin.plot(curve.times_s, curve.values, ls="", marker="D", ms=3.2, color=FACTOR)
    twin.tick_params(colors=FACTOR, labelsize=7, length=0)
    twin.set_ylabel("factor" if mode == "scale" else "share", color=FACTOR, fontsize=7)
    for side in twin.spines.values():
        side.set_visible(False)
    fit(twin, float(values.min()), float(values.max()), least=1.0)


def _sheet_legend(
    layers: Sequence[Layer], evaluation: Evaluation, before: str | None
) -> list[Line2D | Patch]:
    handles: list[Line2D | Patch] = []
    is_relative = before is not None
    channels = [
        (channel, layer.source.modes.get(au, layer.mode))
        for layer in layers
        if isinstance(layer.source, Keyed)
        for au, channel in layer.source.channels.items()
    ]
    drawn = [c for c, mode in channels if mode == "absolute" or (mode, is_relative) == _PLAIN]
    poses = any(isinstance(layer.source, Gesture) for layer in layers) and not is_relative
    if is_relative:
        handles.append(Line2D([], [], color=BEFORE, lw=1.2, label=before))
    handles.append(Line2D([], [], color=ASKED, lw=1.9, label="asked for"))
    if any(channel.smoothing is not None for channel in drawn):
        handles.append(Line2D([], [], color=KEYED, lw=0.9, alpha=0.7, label="before smoothing"))
    if drawn or poses:
        handles.append(
            Line2D([], [], ls="", marker="D", ms=4.2, mfc="white", mec=KEYED, label="key")
        )
    if any(key.interpolation == "bezier" for channel in drawn for key in channel.keys[:-1]):
        handles.append(Line2D([], [], color=HANDLE, lw=0.8, marker="o", ms=2.6, label="handle"))
    if any(mode in ("scale", "neutralise") for _, mode in channels):
        dashes = (0, (3, 1.5))
        handles.append(Line2D([], [], color=FACTOR, lw=1.0, ls=dashes, label="factor or share"))
    if (np.abs(evaluation.unclamped) > DELTA_LIMIT).any():
        handles.append(Patch(color=CUT, alpha=0.25, label="clamped at ±10"))
    return handles
