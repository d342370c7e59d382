"""Performances and timelines as curve files an animator can go on with."""

from __future__ import annotations

import json
import math

import numpy as np
from numpy.typing import NDArray

from keyframes.au import AU_ORDER, AUCode
from keyframes.checked_yaml.located import MAX_BYTES
from keyframes.clock.instant import Instant
from keyframes.curves.simplify import fewest_keys
from keyframes.layer import Layer
from keyframes.sources.gesture import Gesture
from keyframes.sources.performance import MeasuredPerformance

Array = NDArray[np.float64]

_ROUNDING = 0.02
"""Share of the tolerance that rounding times may use up, and values as much again."""


def performance_text(
    performance: MeasuredPerformance, mode: str, tolerance: float
) -> tuple[str, float]:
    """A performance as straight-line keys; AUs that do not move are left out.

    Returns:
        The curve file, and how far it may be from the performance: the tolerance, or more where
        the file would be larger than the loader takes.

    Raises:
        KeyframeError: its trim or neutral range holds no row.
    """
    table = performance.table
    assert table is not None
    times = _with_gaps(table.times_s, performance.gap_s(table.timeline()))
    moving: list[tuple[AUCode, Array]] = []
    for sample in performance.samples(table.timeline(), times):
        presence = np.ones(len(times)) if sample.presence is None else sample.presence
        if np.abs(values := sample.values * presence).max() > tolerance:
            moving.append((sample.au, values))
    while True:
        channels = [(au, _rows(times, values, tolerance)) for au, values in moving]
        text = _text(channels, table.source, mode, tolerance)
        if len(text.encode()) <= MAX_BYTES:
            return text, tolerance
        tolerance *= 1.5


def _text(
    channels: list[tuple[AUCode, list[str]]], source: str, mode: str, tolerance: float
) -> str:
    lines = [
        "version: 1",
        f"description: {_quoted(f'From {source}, keys within {tolerance:g}.')}",
        f"mode: {mode}",
        "interpolation: linear",
        "channels:",
    ]
    for au, rows in channels:
        lines += [f"  AU{au}:", *rows]
    if not channels:
        lines.append(f"  AU{AU_ORDER[0]}: [[0, 0]]")
    return "\n".join(lines) + "\n"


def _rows(times_s: Array, values: Array, tolerance: float) -> list[str]:
    """Keys as text, whose rounding is a part of the tolerance."""
    exact = tolerance * (1 - 2 * _ROUNDING)
    keys = fewest_keys(times_s, values, exact)
    at, to = times_s[keys], values[keys]
    decimals = max(3, _decimals(tolerance * _ROUNDING))
    steps = np.diff(at)
    if len(steps):
        steepest = float(np.abs(np.diff(to) / steps).max())
        for_times = min(_decimals(float(steps.min()) / 4), 12)
        if steepest > 0:
            for_times = max(for_times, _decimals(tolerance * _ROUNDING / steepest))
    else:
        for_times = 4
    places = min(max(4, for_times), 12)
    return [
        f"    - [{time:.{places}f}s, {value:.{decimals}f}]"
        for time, value in zip(at.tolist(), to.tolist(), strict=True)
    ]


def _decimals(error: float) -> int:
    """Decimals that keep half a unit of the last one within an error."""
    return max(0, math.ceil(-math.log10(2 * error)))


def _with_gaps(times_s: Array, limit: float) -> Array:
    """The times, and the fades at both sides of every gap longer than the limit."""
    wide = np.flatnonzero(np.diff(times_s) > limit)
    if len(wide) == 0:
        return times_s
    steps = np.linspace(0.0, limit, 9)[1:]
    before = (times_s[wide, None] + steps).ravel()
    after = (times_s[wide + 1, None] - steps).ravel()
    return np.unique(np.concatenate([times_s, before, after]))


def poses_text(layers: tuple[Layer, ...], source: str) -> str:
    """Poses, as a timeline gives them, as layers of a curve file."""
    lines = ["version: 1", f"description: {_quoted(f'From {source}.')}", "layers:"]
    for layer in layers:
        gesture = layer.source
        if not isinstance(gesture, Gesture):
            continue
        pose = ", ".join(f"AU{au}: {value:g}" for au, value in gesture.pose.items())
        lines += [
            f"  - name: {_quoted(layer.name or 'pose')}",
            f"    mode: {layer.mode}",
            f"    pose: {{{pose}}}",
            f"    start: {gesture.start}",
            f"    onset: {gesture.onset}",
            *_stay(gesture.apex, gesture.end),
            f"    offset: {gesture.offset}",
        ]
    return "\n".join(lines) + "\n"


def _stay(apex: Instant | None, end: Instant) -> list[str]:
    return [f"    end: {end}"] if apex is None else [f"    apex: {apex}"]


def _quoted(text: str) -> str:
    """A YAML text that may hold anything; JSON's strings are YAML's."""
    return json.dumps(text, ensure_ascii=False)
