"""A shot's verdict: measures become sentences, and pass or warn by the shot's own baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engines.judges.expression import EXPRESSIONS
from keyframes.au import AU_DESCRIPTIONS
from pipeline.quality.floor import EncoderFloor
from pipeline.quality.gains import UNKNOWN, Gain
from pipeline.quality.metrics.au_error import AUReading
from pipeline.quality.metrics.background import TOLERANCE, outside_verdict, without_encoder
from pipeline.quality.metrics.expression import ExpressionReading
from pipeline.quality.metrics.flicker import ratio
from pipeline.quality.metrics.identity import NEAREST_OTHER, IdentityFigures
from pipeline.quality.shot import ShotSeries

Mark = Literal["pass", "warn", "none"]
"""`none`: said, not judged."""

NO_LEAKS: Mapping[int, float] = MappingProxyType({})
WORST = 10.0
"""Excess at which worse is no worse."""
MADE, PARTLY, HARDLY = 0.5, 0.2, -0.1
MISSED = 1.5
"""Excess of an expression that is not read: a yes or no, of a network that misses many, has no
distance."""
TURNED_DEG = 1.5
STEADY = 1.35
TREMBLE = 1.5
"""A curve bends points as well; 1.35 would call a quick smile a tremble."""
SHARP = (0.8, 1.25)
FIGURES = {"identical": "identical", "encoder": "untouched", "changed": "changed"}
SEAM = 0.6
BACKGROUND = 0.004
"""RMSE of full scale, a grey level: what the eye can't find in motion."""


@dataclass(frozen=True)
class ShotFinding:
    """One line of a verdict.

    Attributes:
        key: of its measure (pipeline/quality/metric.py), or `AU12`.
        mark: pass, warn, or none where it is only said.
        figure: short, with its unit.
        text: a sentence for a person.
        frame: where to look, or −1.
        excess: how far it has gone, in parts of its limit: above 1 it warns; 0 where it is not
            judged, at most WORST.
    """

    key: str
    mark: Mark
    figure: str
    text: str
    frame: int = -1
    excess: float = 0.0


def au_finding(
    reading: AUReading,
    *,
    is_judge_own: bool,
    known: Gain = UNKNOWN,
    editor: str = "",
    frame: int = -1,
) -> ShotFinding:
    """What became of one unit, in words; geometry counts where an estimator has ended, or hardly
    reads that unit whoever makes it.

    Args:
        is_judge_own: the estimator reads the very points that the editor moves.
        known: of this unit, from drawn people.
        editor: its name, for the sentence.
        frame: where it is furthest from what was asked.
    """
    name = f"AU{reading.au}"
    said = f"asked {_signed(reading.asked)}, read {_signed(reading.read)}"
    if np.isnan(reading.read):
        return ShotFinding(name, "none", "—", f"{name}: no face was measured where it is asked for")
    at_end = abs(reading.reachable) < 0.6 * abs(reading.asked)
    shares = [s for s in (reading.share_moved, reading.share_read) if np.isfinite(s)]
    by_points = [reading.share_moved] if np.isfinite(reading.share_moved) else []
    shares = by_points if (at_end or known.is_blind) and by_points else shares
    best = max(shares, default=float("nan"))
    if np.isnan(best):
        text = "there was nothing left to change"
    elif best >= MADE:
        text = "made"
    elif best >= PARTLY:
        text = "made in part"
    elif best > HARDLY:
        text = "hardly made"
    else:
        text = "went the other way"
    if at_end:
        end = "its upper end" if reading.asked > 0 else "0"
        text += f"; the estimator is at {end} (it could read {_signed(reading.reachable)})"
    elif np.isfinite(reading.share_read) and not known.is_blind:
        text += f"; {100 * reading.share_read:.0f} % of it was read"
    text += " (self-measured)" if is_judge_own else ""
    if np.isfinite(reading.share_moved):
        text += f"; by geometry {100 * reading.share_moved:.0f} % of what was asked moved"
    text += _known_words(known, editor)
    mark: Mark = "none" if np.isnan(best) else "pass" if best >= MADE else "warn"
    what = AU_DESCRIPTIONS[reading.au]
    told = f"{name} {what}: {said}: {text}."
    return ShotFinding(name, mark, _signed(reading.read), told, frame, _short_of(best))


def _known_words(known: Gain, editor: str) -> str:
    """What drawn people taught of this unit: what can be expected of estimator and editor."""
    text = ""
    if known.is_blind:
        text += ". The estimator hardly reads this unit, whoever makes it"
        text += f" ({_percent(known.read)} of one that is drawn): geometry decides"
    if editor and known.made_moved is not None:
        text += f". Known gain of {editor} on drawn faces: {_percent(known.made_moved)} by geometry"
        text += "" if known.made_read is None else f", {_percent(known.made_read)} as read"
    return text


def _percent(share: float | None) -> str:
    return "—" if share is None else f"{100 * share:.0f} %"


def _short_of(share: float) -> float:
    """Excess of a unit that should be made by MADE at least."""
    if np.isnan(share):
        return 0.0
    return float(min(MADE / max(share, MADE / WORST), WORST))


def _excess(value: float, limit: float) -> float:
    parts = value / limit
    return float(np.clip(parts, 0.0, WORST)) if np.isfinite(parts) else 0.0


def cross_talk_finding(
    talk: dict[int, float], frame: int = -1, leaks: Mapping[int, float] = NO_LEAKS
) -> ShotFinding:
    """Units nobody asked for that moved all the same, beyond what the estimator is known to read
    of the units asked for (a smile, into AU17).

    Args:
        frame: where most is asked for.
        leaks: unit → change that the estimator reads in it on drawn faces that show what is asked.
    """
    known = {au: v for au, v in talk.items() if np.isfinite(v) and abs(v) >= 1.0 and leaks.get(au)}
    talk = {au: _beyond(v, leaks.get(au, 0.0)) for au, v in talk.items()}
    also = "".join(
        f" AU{au} {_signed(v)} is what the estimator reads of such a face ({_signed(leaks[au])} on "
        "drawn ones)." for au, v in known.items() if abs(talk[au]) < 1.0
    )  # fmt: skip
    moved = {au: v for au, v in talk.items() if np.isfinite(v) and abs(v) >= 1.0}
    largest = max((abs(v) for v in talk.values() if np.isfinite(v)), default=0.0)
    if not moved:
        text = f"No other unit moved by 1.{also}"
        return ShotFinding("au_error", "pass", f"{largest:.1f}", text, frame, largest)
    listed = ", ".join(f"AU{au} {_signed(v)}" for au, v in moved.items())
    beyond = " beyond its known leak" if set(moved) & set(leaks) else ""
    text = f"Not asked for, but read{beyond}: {listed}.{also}"
    return ShotFinding("au_error", "warn", listed, text, frame, min(largest, WORST))


def _beyond(read: float, leak: float) -> float:
    """What is left of a reading once a known leak of the same sign is taken off."""
    return float(np.sign(read) * max(abs(read) - max(np.sign(read) * leak, 0.0), 0.0))


def identity_finding(figures: IdentityFigures, series: ShotSeries) -> ShotFinding:
    """Against the shot itself, and against the nearest other person."""
    if np.isnan(figures.mean):
        return ShotFinding("identity", "none", "—", "No face to compare.")
    other = figures.nearest_other
    beside = (
        f"the nearest other face in this shot {other:.2f}"
        if np.isfinite(other)
        else f"the closest two people of 17 were {NEAREST_OTHER:.2f}"
    )
    text = (
        f"Edit against plate {figures.mean:.2f} on average, {figures.worst:.2f} at worst. "
        f"The plate's own frames are {figures.own_mean:.2f} apart (at most "
        f"{figures.own_worst:.2f}); {beside}."
    )
    mark: Mark = "pass" if figures.kept else "warn"
    excess = _excess(figures.worst, figures.limit)
    return ShotFinding("identity", mark, f"{figures.mean:.2f}", text, _at(series.identity), excess)


def background_findings(series: ShotSeries, floor: EncoderFloor | None) -> list[ShotFinding]:
    """The error outside the face, and whether anything there was touched at all."""
    error, worst = float(np.nanmean(series.background)), float(np.nanmax(series.outside))
    own = without_encoder(error, floor.background) if floor else error
    verdict = outside_verdict(worst, floor.worst_block if floor else None)
    frame, (x, y) = _at(series.outside), series.outside_at
    mark: Mark = "warn" if verdict == "changed" else "pass"
    beside = (
        f"the encoder alone leaves {floor.background:.4f} (measured on {floor.frames} frames of "
        f"this shot, preset {floor.preset})"
        if floor
        else "the encoder's own part is not known for this codec"
    )
    words = {
        "identical": "Every pixel outside the face is identical.",
        "encoder": f"Worst block {worst:.1f} levels: no more than the encoder's own error.",
        "changed": f"Worst block {worst:.1f} levels at ({x}, {y}): more than the encoder alone"
        + (f" ({floor.worst_block:.1f})." if floor else " would explain is not excluded."),
    }
    return [
        ShotFinding(
            "background",
            "pass" if own <= BACKGROUND else "warn",
            f"{own:.4f}",
            f"{own:.4f} of full scale after the encoder's part; {error:.4f} in all, {beside}.",
            _at(series.background),
            _excess(own, BACKGROUND),
        ),
        ShotFinding(
            "outside",
            mark,
            FIGURES[verdict],
            words[verdict],
            frame,
            _excess(worst, TOLERANCE * max(floor.worst_block, 0.5)) if floor else float(worst > 0),
        ),
    ]


def motion_findings(series: ShotSeries) -> list[ShotFinding]:
    """Head rotation, flicker, jitter."""
    turned, pitch = _median(series.rotation), _median(series.pitch)
    flicker = ratio(series.warp_after, series.warp_before)
    tremble = ratio(series.jitter_after, series.jitter_before)
    return [
        _ranged("rotation", turned, _excess(turned, TURNED_DEG), "°",
                f"Yaw and roll differ by {turned:.1f}° in the middle; pitch reads {pitch:.1f}° "
                "differently, which an expression alone does.", _at(series.rotation)),
        _ranged("flicker", flicker, _excess(flicker, STEADY), "×",
                f"The face is {flicker:.2f} × as unsteady as the plate's.",
                _at(series.warp_after - series.warp_before)),
        _ranged("jitter", tremble, _excess(tremble, TREMBLE), "×",
                f"Its points tremble {tremble:.2f} × as much as the plate's.",
                _at(series.jitter_after - series.jitter_before)),
    ]  # fmt: skip


def detail_findings(series: ShotSeries) -> list[ShotFinding]:
    """Sharpness and seam of the changed part."""
    sharp, border = _median(series.sharpness), _median(series.seam)
    sentence = (
        f"The changed skin has {100 * sharp:.0f} % of the plate's fine detail."
        if np.isfinite(sharp)
        else "Nothing was changed enough to compare."
    )
    softest = _at(np.abs(np.log(np.clip(series.sharpness, 1e-3, None))))
    return [
        _ranged("sharpness", sharp, max(_excess(sharp, SHARP[1]), _excess(SHARP[0], sharp)), "×",
                sentence, softest),
        _ranged("seam", border, _excess(border, SEAM), " levels/px",
                f"The change's border is {border:.2f} levels per pixel steeper than the plate's.",
                _at(series.seam)),
    ]  # fmt: skip


def expression_finding(reading: ExpressionReading | None, frame: int = -1) -> ShotFinding:
    """The second network's yes or no.

    Args:
        frame: where most is asked for.
    """
    if reading is None:
        return ShotFinding("expression", "none", "—", "No curve, or no face where it acts.")
    before = int(np.argmax(reading.before))
    text = f"It reads as {reading.reads} ({reading.after.max():.2f})"
    text += f"; the plate there as {EXPRESSIONS[before]} ({reading.before.max():.2f})"
    if reading.as_expected is None:
        text += "; the curve means none."
        return ShotFinding("expression", "none", reading.reads, text, frame)
    answer = "yes" if reading.as_expected else "no"
    text = f"Read as {reading.expected}, which the curve means: {answer}. {text}."
    mark: Mark = "pass" if reading.as_expected else "warn"
    excess = 0.5 if reading.as_expected else MISSED
    return ShotFinding("expression", mark, answer, text, frame, excess)


def _ranged(key: str, value: float, excess: float, unit: str, text: str, frame: int) -> ShotFinding:
    if np.isnan(value):
        return ShotFinding(key, "none", "—", text if "compare" in text else "Not measurable here.")
    mark: Mark = "pass" if excess <= 1.0 else "warn"
    return ShotFinding(key, mark, f"{value:.2f}{unit}", text, frame, excess)


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−") if np.isfinite(value) else "—"


def _at(values: NDArray[np.floating]) -> int:
    return int(np.nanargmax(values)) if np.isfinite(values).any() else -1


def _median(values: NDArray[np.floating]) -> float:
    return float(np.nanmedian(values)) if np.isfinite(values).any() else float("nan")


def worst_first(findings: list[ShotFinding]) -> list[ShotFinding]:
    """Warnings before the rest, the worst of them first; the rest in the order they came."""
    warned = [finding for finding in findings if finding.mark == "warn"]
    rest = [finding for finding in findings if finding.mark != "warn"]
    return [*sorted(warned, key=lambda finding: -finding.excess), *rest]
