"""A measured performance over time, and its use as the source of a layer.

Times are aligned by their own clock, never by row. Gaps up to a limit, which follows the table's
own step, are bridged by straight lines; in longer ones, and beyond both ends, the performance holds
and fades out over that limit, and the actor's own face shows.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keyframes.au import AU_COLUMN, AU_ORDER, CODE_COLUMNS, LID_COLUMNS, LID_NAMES, AUCode
from keyframes.clock.instant import ZERO, Instant
from keyframes.clock.labels import FirstLabel
from keyframes.clock.rates import rate_of_times
from keyframes.clock.smpte import parse_timecode
from keyframes.clock.spans import ALWAYS, NEVER, Spans
from keyframes.clock.timeline import Timeline
from keyframes.curves.smooth import Smoothing, smoothed
from keyframes.errors import KeyframeError
from keyframes.problems import Place
from keyframes.sources.source import Sample

Array = NDArray[np.float64]

NEUTRAL_SHARE = 0.15
"""Of the rows, the least active ones: the performer's neutral unless a range is named."""
SHORT_GAP_S = 0.25
"""Gaps up to this are bridged unless the file says otherwise."""
_GAP_STEPS = 1.5
"""And so are gaps up to this many of the table's own steps, where those are long."""
_FEWEST_NEUTRAL = 5
_GAPS_SHOWN = 3
_A_MOMENT = 1e-6


_COLUMNS: dict[AUCode, int] = {**AU_COLUMN, "43R": len(AU_ORDER), "43L": len(AU_ORDER) + 1}
"""Of `(M, 14)`, one each."""


def columns_of(aus: Iterable[AUCode]) -> set[int]:
    """Columns of `(M, 14)` that AUs stand for: 43 and 45 for those of both eyes."""
    return {column for au in aus for column in CODE_COLUMNS[au]}


@dataclass(frozen=True)
class PerformanceTable:
    """AU intensities of one face over time.

    Attributes:
        times_s: `(M,)` float64 seconds, strictly increasing, M ≥ 1.
        values: `(M, 12)` float64 in AU_ORDER, 0…5; NaN where not measured.
        lids: `(M, 2)` likewise in the order of LID_NAMES; None of a table without them, or
            of which they were not asked for.
        source: the file and its format, for people.
        notes: the loss report: what was dropped, clipped or taken for granted.
        first_label: the timecode of second 0, where the table has timecode.
        is_keyed: its rows are keys of straight lines, however far apart, not samples.
    """

    times_s: Array
    values: Array
    source: str
    notes: tuple[str, ...] = ()
    first_label: FirstLabel | None = None
    is_keyed: bool = False
    lids: Array | None = None

    def __post_init__(self) -> None:
        times = self.times_s
        if self.lids is not None and self.lids.shape != (len(times), len(LID_NAMES)):
            raise KeyframeError(f"{self.source}: got lids {self.lids.shape}; expected a row each")
        if len(times) == 0 or self.values.shape != (len(times), len(AU_ORDER)):
            raise KeyframeError(f"{self.source}: no rows; expected at least one with a face")
        if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
            raise KeyframeError(f"{self.source}: times must be finite and strictly increasing")

    @property
    def aus(self) -> tuple[AUCode, ...]:
        """AUs with at least one measured value; of the lids, each eye's code."""
        known: NDArray[np.bool_] = np.asarray(np.isfinite(self.all_values).any(axis=0))
        return tuple(code for code, column in _COLUMNS.items() if known[column])

    @cached_property
    def all_values(self) -> Array:
        """`(M, 14)`: the values, then the lids."""
        lids = self.lids if self.lids is not None else np.full((len(self.values), 2), np.nan)
        return np.hstack([self.values, lids])

    @cached_property
    def digest(self) -> str:
        """Hash of times and values."""
        lids = b"" if self.lids is None else self.lids.tobytes()
        return hashlib.sha256(self.times_s.tobytes() + self.values.tobytes() + lids).hexdigest()

    @cached_property
    def bridged_s(self) -> float:
        """The longest gap that is no gap to a table of this step, seconds of the table."""
        if self.is_keyed:
            return math.inf
        steps = np.diff(self.times_s)
        usual = float(np.median(steps)) if len(steps) else 0.0
        return max(SHORT_GAP_S, _GAP_STEPS * usual)

    def timeline(self) -> Timeline:
        """The table's own clock, for times that are given within it."""
        return self._timeline

    @cached_property
    def _timeline(self) -> Timeline:
        rate = rate_of_times(self.times_s)
        return Timeline(self.times_s, max(float(self.times_s[-1]), float(1 / rate)), rate)


def least_active(values: Array) -> NDArray[np.bool_]:
    """`(M,)`: the rows taken for neutral, 15 % and at least five with the least AU activity."""
    activity = np.nansum(values, axis=1)
    activity[np.isnan(values).all(axis=1)] = np.inf
    count = max(_FEWEST_NEUTRAL, round(NEUTRAL_SHARE * np.isfinite(activity).sum()))
    chosen = np.zeros(len(values), bool)
    chosen[np.argsort(activity, kind="stable")[:count]] = True
    return chosen & np.isfinite(activity)


@dataclass(frozen=True)
class MeasuredPerformance:
    """A table as a source, or a driving video whose table the analysis has yet to give.

    Attributes:
        place: where the import stands in its file.
        table: None until a driving video is resolved.
        video: path of the driving video, if it is one.
        start: when the table's first used moment plays.
        trim: the part of the table that is used; None for all of it.
        speed: 2 plays twice as fast.
        gap: the longest gap that is bridged; None goes by the table's own step.
        is_by_timecode: the table's timecode says when it plays, not the start of the clip.
        from_neutral: values are changes from the performer's own neutral.
        neutral: range in which the performer is neutral; None takes the least active rows.
        gains: factor per AU number; 1 where not named.
        aus: the AUs that are used; None for all of the table but shut eyes.
        track: face of the table, for a driving video.
        smoothing: of the table's values.
    """

    place: Place
    table: PerformanceTable | None
    video: str | None = None
    start: Instant = ZERO
    trim: tuple[Instant, Instant] | None = None
    speed: float = 1.0
    gap: Instant | None = None
    is_by_timecode: bool = False
    from_neutral: bool = True
    neutral: tuple[Instant, Instant] | None = None
    gains: Mapping[AUCode, float] = field(default_factory=dict[AUCode, float])
    aus: tuple[AUCode, ...] | None = None
    track: int = 0
    smoothing: Smoothing | None = None

    def samples(self, timeline: Timeline, times_s: Array) -> Iterator[Sample]:
        table = self._resolved_table()
        values = self._relative(table)
        taken = columns_of(AU_ORDER if self.aus is None else self.aus)
        for au in table.aus:
            if _COLUMNS[au] in taken:
                yield from self._of_unit(table, au, values, timeline, times_s)

    def _of_unit(
        self, table: PerformanceTable, au: AUCode, values: Array, timeline: Timeline, times_s: Array
    ) -> Iterator[Sample]:
        column = values[:, _COLUMNS[au]] * self._gain(au)
        known = np.isfinite(column) & self._used(table)
        if known.any():
            yield self._sample(au, table.times_s[known], column[known], timeline, times_s)

    def _gain(self, au: AUCode) -> float:
        names = [au, *(c for c, columns in LID_COLUMNS.items() if _COLUMNS[au] in columns)]
        return next((self.gains[name] for name in names if name in self.gains), 1.0)

    def _sample(
        self, au: AUCode, known_s: Array, values: Array, timeline: Timeline, times_s: Array
    ) -> Sample:
        def curve(at: Array) -> Array:
            return np.interp(self._table_times(at, timeline), known_s, values)

        if self.smoothing is None:
            found = curve(times_s)
        else:
            found = smoothed(curve, self.smoothing, timeline, times_s)
        at = self._table_times(times_s, timeline)
        return Sample(au, found, _presence(at, known_s, self.gap_s(timeline)))

    def gap_s(self, timeline: Timeline) -> float:
        """The longest gap that is bridged, seconds of the table."""
        if self.gap is None:
            return self._resolved_table().bridged_s
        return self.gap.at(timeline) * self.speed

    def _resolved_table(self) -> PerformanceTable:
        if self.table is None:
            raise KeyframeError(
                f"{self.place}: driving video {self.video} is not analysed yet; the animate job "
                "does that, or import the table that jobs/analyse.py makes of it"
            )
        return self.table

    def _table_times(self, times_s: Array, timeline: Timeline) -> Array:
        assert self.table is not None
        since = times_s - self.start.at(timeline)
        if self.is_by_timecode:
            return (since - self._timecode_offset_s(timeline)) * self.speed
        first = 0.0 if self.trim is None else self.trim[0].at(self.table.timeline())
        return first + since * self.speed

    def _timecode_offset_s(self, timeline: Timeline) -> float:
        """When the table's second 0 is on the clip, by the timecode of both."""
        assert self.table is not None
        if self.table.first_label is None:
            raise KeyframeError(
                f"{self.place}: {self.table.source} has no timecode; leave align out, say start"
            )
        if timeline.start_timecode is None:
            raise KeyframeError(
                f"{self.place}: the clip has no start timecode; leave align out, say start"
            )
        start = parse_timecode(timeline.start_timecode)
        return self.table.first_label.seconds_after(start, timeline.frame_rate)

    def _used(self, table: PerformanceTable) -> NDArray[np.bool_]:
        if self.trim is None:
            return np.ones(len(table.times_s), bool)
        return self._within(table, self.trim, "trim")

    def _within(
        self, table: PerformanceTable, ends: tuple[Instant, Instant], what: str
    ) -> NDArray[np.bool_]:
        first, last = (end.at(table.timeline()) for end in ends)
        rows = (table.times_s >= first) & (table.times_s <= last)
        if not rows.any():
            raise KeyframeError(
                f"{self.place}: {what} {first:g} to {last:g} s holds no row; the table has "
                f"{table.times_s[0]:g} to {table.times_s[-1]:g} s"
            )
        return rows

    def _relative(self, table: PerformanceTable) -> Array:
        if not self.from_neutral:
            return table.all_values
        if self.neutral is None:
            rows = least_active(table.values)
        else:
            rows = self._within(table, self.neutral, "neutral")
        values = table.all_values[rows]
        known = np.isfinite(values).any(axis=0)
        rest = np.zeros(values.shape[1])
        rest[known] = np.nanmedian(values[:, known], axis=0)
        return table.all_values - rest

    def reach(self, timeline: Timeline, mode: str) -> Spans:  # noqa: ARG002 - no table rests
        if self.table is None:
            return ALWAYS
        known = np.isfinite(self.table.all_values).any(axis=1) & self._used(self.table)
        if not known.any():
            return NEVER
        played, gap = self.table.times_s[known], self.gap_s(timeline)
        at_zero = float(self._table_times(np.zeros(1), timeline)[0])
        ends = np.array([played[0] - gap, played[-1] + gap])
        first, last = ((ends - at_zero) / self.speed).tolist()
        return ((first - _A_MOMENT, last + _A_MOMENT),)

    def warnings(self, timeline: Timeline) -> list[str]:
        table = self._resolved_table()
        known = np.isfinite(table.all_values).any(axis=1) & self._used(table)
        times = table.times_s[known]
        limit = self.gap_s(timeline)
        found = list(table.notes)
        steps = np.diff(times)
        usual = np.median(steps) * 1.5 if len(steps) else np.inf
        bridged = int(((steps > usual) & (steps <= limit)).sum())
        if bridged:
            found.append(f"{table.source}: gaps up to {limit:g} s, bridged: {bridged}")
        if self.is_by_timecode:
            found += self._beside_the_clip(timeline, times)
        wide = np.flatnonzero(steps > limit)
        if len(wide):
            shown = ", ".join(f"{times[i]:.2f}–{times[i + 1]:.2f} s" for i in wide[:_GAPS_SHOWN])
            more = f" and {len(wide) - _GAPS_SHOWN} more" if len(wide) > _GAPS_SHOWN else ""
            found.append(f"{table.source}: nothing measured at {shown}{more}; left to the actor")
        return found

    def _beside_the_clip(self, timeline: Timeline, times: Array) -> list[str]:
        clip = self._table_times(np.array([0.0, timeline.duration_s]), timeline)
        if len(times) and times[0] <= clip[1] and times[-1] >= clip[0]:
            return []
        assert self.table is not None
        assert self.table.first_label is not None
        return [
            f"{self.table.source}: its timecode ({self.table.first_label.label} on) does not meet "
            f"the clip's ({timeline.start_timecode} on); nothing of it plays"
        ]

    def instants(self) -> Iterator[Instant]:
        yield self.start

    def last_key_s(self, timeline: Timeline) -> float:
        table = self._resolved_table()
        first = self._table_times(np.zeros(1), timeline)[0]
        return float((table.times_s[self._used(table)][-1] - first) / self.speed)

    def resolved(self) -> dict[str, Any]:
        settings: dict[str, Any] = {
            "source": self.video if self.table is None else self.table.source,
            "sha256": None if self.table is None else self.table.digest,
            "start": str(self.start),
            "speed": self.speed,
            "gap": "own" if self.gap is None else str(self.gap),
            "relative": "neutral" if self.from_neutral else "none",
            "gain": {f"AU{au}": gain for au, gain in self.gains.items()},
            "track": self.track,
        }
        if self.aus is not None:
            settings["aus"] = list(self.aus)
        if self.is_by_timecode:
            settings["align"] = "timecode"
        for name, ends in (("trim", self.trim), ("neutral", self.neutral)):
            if ends is not None:
                settings[name] = [str(end) for end in ends]
        if self.smoothing is not None:
            settings["smooth"] = self.smoothing.resolved()
        return {"import": settings}


def _presence(at: Array, known_s: Array, limit: float) -> Array:
    """1 within `limit` of bridged stretches, and a cosine fade over `limit` beyond them."""
    after = np.searchsorted(known_s, at, side="left")
    last = len(known_s) - 1
    before_s = known_s[np.clip(after - 1, 0, last)]
    after_s = known_s[np.clip(after, 0, last)]
    distance = np.minimum(np.abs(at - before_s), np.abs(at - after_s))
    bridged = (after_s - before_s <= limit) & (at >= known_s[0]) & (at <= known_s[-1])
    share = np.clip(distance / limit, 0.0, 1.0) if limit > 0 else (distance > 0).astype(np.float64)
    return np.where(bridged | (distance == 0), 1.0, (1 + np.cos(np.pi * share)) / 2)
