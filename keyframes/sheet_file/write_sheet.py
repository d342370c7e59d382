"""Performances and timelines as curve files an animator can go on with."""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

from keyframes.au import AU_ORDER
from keyframes.clock.instant import Instant
from keyframes.curves.simplify import fewest_keys
from keyframes.layer import Layer
from keyframes.sources.performance import Performance
from keyframes.sources.source import Gesture

Array = NDArray[np.float64]


def performance_text(performance: Performance, mode: str, tolerance: float) -> str:
    """A performance as straight-line keys within a tolerance; AUs that do not move are left out.

    Raises:
        KeyframeError: its trim or neutral range holds no row.
    """
    table = performance.table
    assert table is not None
    timeline = table.timeline()
    limit = performance.gap.at(timeline)
    times = _with_gaps(table.times_s, limit)
    lines = [
        "version: 1",
        f"description: {_quoted(f'From {table.source}, keys within {tolerance:g}.')}",
        f"mode: {mode}",
        "interpolation: linear",
        "channels:",
    ]
    for sample in performance.samples(timeline, times):
        presence = np.ones(len(times)) if sample.presence is None else sample.presence
        values = sample.values * presence
        if np.abs(values).max() <= tolerance:
            continue
        lines.append(f"  AU{sample.au}:")
        keys = fewest_keys(times, values, tolerance).tolist()
        lines += [f"    - [{times[row]:.4f}s, {values[row]:.3f}]" for row in keys]
    if lines[-1] == "channels:":
        lines.append(f"  AU{AU_ORDER[0]}: [[0, 0]]")
    return "\n".join(lines) + "\n"


def _with_gaps(times_s: Array, limit: float) -> Array:
    """The times, and the fades at both sides of every gap longer than the limit."""
    wide = np.flatnonzero(np.diff(times_s) > limit)
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
