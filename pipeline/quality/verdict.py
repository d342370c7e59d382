"""A shot's verdict: measures become sentences, and pass or warn by the shot's own baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engines.judges.expression import EXPRESSIONS
from keyframes.au import AU_DESCRIPTIONS
from pipeline.quality.floor import EncoderFloor
from pipeline.quality.metrics.au_error import AUReading
from pipeline.quality.metrics.background import outside_verdict, without_encoder
from pipeline.quality.metrics.expression import ExpressionReading
from pipeline.quality.metrics.flicker import ratio
from pipeline.quality.metrics.identity import NEAREST_OTHER, IdentityFigures
from pipeline.quality.shot import ShotSeries

Mark = Literal["pass", "warn", "none"]
"""`none`: said, not judged."""

MADE, PARTLY, HARDLY = 0.5, 0.2, -0.1
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
    """

    key: str
    mark: Mark
    figure: str
    text: str
    frame: int = -1


def au_finding(reading: AUReading, *, is_judge_own: bool) -> ShotFinding:
    """What became of one unit, in words; geometry counts where an estimator has ended.

    Args:
        is_judge_own: the estimator reads the very points that the editor moves.
    """
    name = f"AU{reading.au}"
    said = f"asked {_signed(reading.asked)}, read {_signed(reading.read)}"
    if np.isnan(reading.read):
        return ShotFinding(name, "none", "—", f"{name}: no face was measured where it is asked for")
    at_end = abs(reading.reachable) < 0.6 * abs(reading.asked)
    shares = [s for s in (reading.share_moved, reading.share_read) if np.isfinite(s)]
    best = max(shares[:1] if at_end else shares, default=float("nan"))
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
    elif np.isfinite(reading.share_read):
        text += f"; {100 * reading.share_read:.0f} % of it was read"
    text += " (self-measured)" if is_judge_own else ""
    if np.isfinite(reading.share_moved):
        text += f"; by geometry {100 * reading.share_moved:.0f} % of what was asked moved"
    mark: Mark = "none" if np.isnan(best) else "pass" if best >= MADE else "warn"
    what = AU_DESCRIPTIONS[reading.au]
    return ShotFinding(name, mark, _signed(reading.read), f"{name} {what}: {said}: {text}.")


def cross_talk_finding(talk: dict[int, float]) -> ShotFinding:
    """Units nobody asked for that moved all the same."""
    moved = {au: v for au, v in talk.items() if np.isfinite(v) and abs(v) >= 1.0}
    if not moved:
        largest = max((abs(v) for v in talk.values() if np.isfinite(v)), default=0.0)
        return ShotFinding("au_error", "pass", f"{largest:.1f}", "No other unit moved by 1.")
    listed = ", ".join(f"AU{au} {_signed(v)}" for au, v in moved.items())
    return ShotFinding("au_error", "warn", listed, f"Not asked for, but read: {listed}.")


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
    return ShotFinding("identity", mark, f"{figures.mean:.2f}", text, _at(series.identity))


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
        ),
        ShotFinding(
            "outside",
            mark,
            FIGURES[verdict],
            words[verdict],
            frame,
        ),
    ]


def motion_findings(series: ShotSeries) -> list[ShotFinding]:
    """Head rotation, flicker, jitter."""
    turned, pitch = _median(series.rotation), _median(series.pitch)
    flicker = ratio(series.warp_after, series.warp_before)
    tremble = ratio(series.jitter_after, series.jitter_before)
    return [
        _ranged("rotation", turned, turned <= TURNED_DEG, "°",
                f"Yaw and roll differ by {turned:.1f}° in the middle; pitch reads {pitch:.1f}° "
                "differently, which an expression alone does.", _at(series.rotation)),
        _ranged("flicker", flicker, flicker <= STEADY, "×",
                f"The face is {flicker:.2f} × as unsteady as the plate's.",
                _at(series.warp_after - series.warp_before)),
        _ranged("jitter", tremble, tremble <= TREMBLE, "×",
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
        _ranged("sharpness", sharp, SHARP[0] <= sharp <= SHARP[1], "×", sentence, softest),
        _ranged("seam", border, border <= SEAM, " levels/px",
                f"The change's border is {border:.2f} levels per pixel steeper than the plate's.",
                _at(series.seam)),
    ]  # fmt: skip


def expression_finding(reading: ExpressionReading | None) -> ShotFinding:
    """The second network's yes or no."""
    if reading is None:
        return ShotFinding("expression", "none", "—", "No curve, or no face where it acts.")
    before = int(np.argmax(reading.before))
    text = f"Reads as {reading.reads} ({reading.after.max():.2f})"
    text += f"; the plate there as {EXPRESSIONS[before]} ({reading.before.max():.2f})"
    if reading.as_expected is None:
        return ShotFinding("expression", "none", reading.reads, f"{text}; the curve means none.")
    answer = "yes" if reading.as_expected else "no"
    text += f". Read as {reading.expected}, which the curve means: {answer}."
    mark: Mark = "pass" if reading.as_expected else "warn"
    return ShotFinding("expression", mark, answer, text)


def _ranged(key: str, value: float, good: bool, unit: str, text: str, frame: int) -> ShotFinding:
    if np.isnan(value):
        return ShotFinding(key, "none", "—", text if "compare" in text else "Not measurable here.")
    return ShotFinding(key, "pass" if good else "warn", f"{value:.2f}{unit}", text, frame)


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−") if np.isfinite(value) else "—"


def _at(values: NDArray[np.floating]) -> int:
    return int(np.nanargmax(values)) if np.isfinite(values).any() else -1


def _median(values: NDArray[np.floating]) -> float:
    return float(np.nanmedian(values)) if np.isfinite(values).any() else float("nan")


def worst_first(findings: list[ShotFinding]) -> list[ShotFinding]:
    """Warnings before the rest, each in the order they came."""
    return sorted(findings, key=lambda finding: finding.mark != "warn")
