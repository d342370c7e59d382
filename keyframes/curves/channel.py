"""A channel: keys as the file gives them, resolved to a Curve on a clip's clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keyframes.clock.instant import ZERO, Instant
from keyframes.clock.spans import ALWAYS, Spans, widened
from keyframes.clock.timeline import ClipClock, Timeline
from keyframes.curves.bezier import HandleRequest, place_handles
from keyframes.curves.curve import CYCLES, Curve
from keyframes.curves.easing import BACK_DEFAULT
from keyframes.curves.sides import Sides
from keyframes.curves.smooth import Smoothing, smoothed
from keyframes.errors import KeyframeError
from keyframes.problems import Place

Array = NDArray[np.float64]


_KEPT_CHANNELS = 128
_KEPT_FRAMES = 20_000
"""With these, what is kept is 20 MB at most."""


@dataclass(frozen=True)
class Handle:
    """One side of a key in a Bézier segment.

    Attributes:
        kind: one of HANDLE_KINDS, or `ease` for After Effects' speed and influence.
        time: distance from the key, positive on both sides, for `free` and `aligned`; None leaves
            the handle to its kind.
        value: offset of the value, for `free` and `aligned`.
        speed: value per second at the key, for `ease`.
        influence: share of the segment the handle reaches, 0.001…1, for `ease`.
    """

    kind: str = "auto_clamped"
    time: Instant | None = None
    value: float = 0.0
    speed: float = 0.0
    influence: float = 1 / 3


@dataclass(frozen=True)
class Key:
    """A value at a time, and the way to the next key."""

    time: Instant
    value: float
    place: Place = field(compare=False)
    interpolation: str = "bezier"
    easing: str = "auto"
    left: Handle = Handle()
    right: Handle = Handle()
    back: float = BACK_DEFAULT
    amplitude: float | None = None
    period: Instant = ZERO


@dataclass(frozen=True)
class Channel:
    """Keys of one quantity over the clip.

    Attributes:
        keys: at least one, in order of time.
        before: one of EXTRAPOLATIONS.
        after: one of EXTRAPOLATIONS.
        smoothing: None leaves the curve as keyed.
        continuous: automatic handles keep acceleration continuous.
    """

    keys: tuple[Key, ...]
    before: str = "hold"
    after: str = "hold"
    smoothing: Smoothing | None = None
    continuous: bool = False

    def curve(self, timeline: Timeline) -> Curve:
        """The keyed curve, before smoothing; kept for channels that come again.

        Raises:
            KeyframeError: keys that coincide or change order on this clip, with the place.
        """
        return _curve(self, timeline.clock)

    def resolve(self, timeline: Timeline) -> Curve:
        """The keyed curve, made anew; see `curve`."""
        times = self.key_times_s(timeline)
        values = np.array([key.value for key in self.keys])
        interpolations = np.array([key.interpolation for key in self.keys])
        handles = self._handles(times, values, timeline)
        steps = np.abs(np.diff(values, append=values[-1]))
        given = [key.amplitude for key in self.keys]
        amplitude = [step if a is None else a for a, step in zip(given, steps, strict=True)]
        return Curve(
            times,
            values,
            interpolations,
            np.array([key.easing for key in self.keys]),
            handles.left,
            handles.right,
            np.array([key.back for key in self.keys]),
            np.array(amplitude, np.float64),
            np.array([key.period.at(timeline) for key in self.keys]),
            self.before,
            self.after,
        )

    def at(self, timeline: Timeline, times_s: Array) -> Array:
        """Values at `(N,)` seconds, smoothed; read-only where they are the timeline's own.

        What was computed for an equal channel on the same frames is not computed again, so that of
        an edited curve only the channel that changed is.
        """
        if times_s is timeline.times_s and len(times_s) <= _KEPT_FRAMES:
            return _values(self, timeline)
        return self.compute(timeline, times_s)

    def compute(self, timeline: Timeline, times_s: Array) -> Array:
        """The same, made anew."""
        curve = self.curve(timeline)
        if self.smoothing is None:
            return curve.at(times_s)
        return smoothed(curve.at, self.smoothing, timeline, times_s)

    def departs(self, timeline: Timeline, rest: float) -> Spans:
        """When its values may be others than `rest` on a clip; never too little.

        Raises:
            KeyframeError: as `curve`.
        """
        spans = self.curve(timeline).departs(rest)
        if self.smoothing is None or not spans:
            return spans
        return ALWAYS if rest else widened(spans, self.smoothing.spread_s(timeline))

    def __hash__(self) -> int:
        return self._hash

    def __getstate__(self) -> dict[str, object]:
        # Hashes of texts differ between processes.
        return {name: value for name, value in self.__dict__.items() if name != "_hash"}

    @cached_property
    def _hash(self) -> int:
        return hash((self.keys, self.before, self.after, self.smoothing, self.continuous))

    def key_times_s(self, timeline: Timeline) -> Array:
        """Seconds of the keys, strictly increasing.

        Raises:
            KeyframeError: keys that coincide or change order on this clip, with the place.
        """
        times = np.empty(len(self.keys))
        for index, key in enumerate(self.keys):
            try:
                times[index] = key.time.at(timeline)
            except KeyframeError as error:
                raise KeyframeError(f"{key.place}: {error}") from None
        late = np.flatnonzero(np.diff(times) <= 0).tolist()
        if late:
            first, second = self.keys[late[0]], self.keys[late[0] + 1]
            raise KeyframeError(
                f"{second.place}: time {second.time} is {times[late[0] + 1]:g} s on this clip, "
                f"not after the key before it, {first.time} ({times[late[0]]:g} s)"
            )
        return times

    def _handles(self, times: Array, values: Array, timeline: Timeline) -> Sides[Array]:
        steps = np.diff(times)
        before = np.concatenate([[0.0], steps])
        after = np.concatenate([steps, [0.0]])
        left = _request([key.left for key in self.keys], -1, before, timeline)
        right = _request([key.right for key in self.keys], 1, after, timeline)
        return place_handles(
            times,
            values,
            left,
            right,
            flat_ends=self._flat_ends(),
            cyclic={self.before, self.after} <= CYCLES,
            continuous=self.continuous,
        )

    def _flat_ends(self) -> tuple[bool, bool]:
        """Whether automatic handles at the ends lie level: all but where a line goes on.

        Blender has one extrapolation for both ends, and what repeats lies over it: beside a cycle,
        a line on one side bends the handles on the other.
        """
        ends = {self.before, self.after}
        if "linear" not in ends:
            return True, True
        if ends <= {"linear", "hold"}:
            return self.before == "hold", self.after == "hold"
        return False, False


@lru_cache(maxsize=_KEPT_CHANNELS)
def _curve(channel: Channel, clock: ClipClock) -> Curve:
    frames = np.zeros(1)  # of no consequence: keys are placed by the clock alone
    return channel.resolve(Timeline(frames, *clock))


@lru_cache(maxsize=_KEPT_CHANNELS)
def _values(channel: Channel, timeline: Timeline) -> Array:
    values = channel.compute(timeline, timeline.times_s)
    values.flags.writeable = False
    return values


def _request(handles: list[Handle], side: int, steps: Array, timeline: Timeline) -> HandleRequest:
    kinds = np.array(["free" if handle.kind == "ease" else handle.kind for handle in handles])
    offsets = np.full((len(handles), 2), np.nan)
    for row, handle in enumerate(handles):
        if handle.kind == "ease":
            run = side * handle.influence * steps[row]
            offsets[row] = run, handle.speed * run
        elif handle.time is not None and handle.kind in ("free", "aligned"):
            offsets[row] = side * handle.time.at(timeline), handle.value
    return HandleRequest(kinds, offsets)


def resolved_key(key: Key) -> list[Any]:
    """A key as a short row, with a map of whatever a row cannot say."""
    row: list[Any] = [str(key.time), key.value, key.interpolation]
    extras: Mapping[str, Any] = _extras(key)
    if key.easing != "auto" or extras:
        row.append(key.easing)
    return [*row, extras] if extras else row


def _extras(key: Key) -> dict[str, Any]:
    extras: dict[str, Any] = {}
    for side, handle in (("left", key.left), ("right", key.right)):
        if handle.kind == "ease":
            extras[side] = {"speed": handle.speed, "influence": handle.influence * 100}
        elif handle.time is not None:
            extras[side] = {"kind": handle.kind, "offset": [str(handle.time), handle.value]}
        elif handle.kind != "auto_clamped":
            extras[side] = {"kind": handle.kind}
    if key.back != BACK_DEFAULT:
        extras["back"] = key.back
    if key.amplitude is not None:
        extras["amplitude"] = key.amplitude
    if key.period != ZERO:
        extras["period"] = str(key.period)
    return extras
