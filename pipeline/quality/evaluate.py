"""Everything about one edited shot: clips in, verdict out."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keyframes.au import AU_COLUMN, AU_ORDER, AUDelta, AUIntensity
from pipeline.errors import MediaError
from pipeline.quality.clip import Clip, check_same_shot
from pipeline.quality.closure import closure_finding, closure_readings
from pipeline.quality.floor import EncoderFloor, encoder_floor
from pipeline.quality.gains import known_gain, known_leaks
from pipeline.quality.lent import lent_findings
from pipeline.quality.metrics.au_error import AUReading, au_errors, au_readings, cross_talk
from pipeline.quality.metrics.expression import ExpressionReading, expression_reading
from pipeline.quality.metrics.geometry import moved_units
from pipeline.quality.metrics.identity import IdentityFigures, identity_figures
from pipeline.quality.question import Question, requested_of, strongest_frame
from pipeline.quality.shot import ShotSeries, measure_shot
from pipeline.quality.verdict import (
    ShotFinding,
    au_finding,
    background_findings,
    cross_talk_finding,
    detail_findings,
    expression_finding,
    identity_finding,
    motion_findings,
)


@dataclass(frozen=True)
class ShotMeasures:
    """One shot, measured.

    Attributes:
        requested, measured, achieved: per frame; requested is 0 without a curve.
        moved: `(N, 12)` units by geometry, NaN where not asked for.
        floor: None where the encoder could not be mirrored.
    """

    source: str
    output: str
    question: Question
    times_s: NDArray[np.float64]
    requested: AUDelta
    measured: AUIntensity
    achieved: AUIntensity
    moved: NDArray[np.float64]
    series: ShotSeries
    readings: list[AUReading]
    identity: IdentityFigures
    expression: ExpressionReading | None
    floor: EncoderFloor | None

    @property
    def errors(self) -> NDArray[np.float64]:
        """`(N, 12)` of the units asked for, NaN elsewhere."""
        return au_errors(self.requested, self.measured, self.achieved)

    @property
    def au_mse(self) -> float:
        """Mean squared error over all frames and units asked for: the paper's column."""
        errors = self.errors
        return float(np.nanmean(errors**2)) if np.isfinite(errors).any() else float("nan")


@dataclass(frozen=True)
class ShotVerdict(ShotMeasures):
    """One shot, measured and judged.

    Attributes:
        seconds: what measuring the pixels took.
    """

    findings: list[ShotFinding]
    seconds: float

    @property
    def warnings(self) -> int:
        return sum(finding.mark == "warn" for finding in self.findings)

    @property
    def worst(self) -> float:
        """The largest excess of all findings: what an index sorts by."""
        return max((finding.excess for finding in self.findings), default=0.0)


def evaluate_shot(
    source: Clip, output: Clip, question: Question, planned: AUIntensity | None = None
) -> ShotVerdict:
    """Measures and judges one face of an edited shot.

    Args:
        planned: of the source's face, by the estimator that the edit was planned with: what a curve
            that sets or scales a unit asks for depends on it. None = as the judge measures it.

    Raises:
        PipelineError: the clips are not the same shot.
        KeyframeError: the curve does not fit the clip.
    """
    begun = time.perf_counter()
    check_same_shot(source.inspection, output.inspection)
    shot = _measures(source, output, question, planned)
    findings = [*_units(shot), *_lids(shot), *_picture(shot), *lent_findings(source, question)]
    return ShotVerdict(**vars(shot), findings=findings, seconds=time.perf_counter() - begun)


def _measures(
    source: Clip, output: Clip, question: Question, planned: AUIntensity | None
) -> ShotMeasures:
    face = question.face
    measured, achieved = (c.analysis.intensity_over_time(face) for c in (source, output))
    requested = requested_of(source, question, measured if planned is None else planned)
    moved = _moved(source, output, face, requested)
    series = measure_shot(source, output, face)
    return ShotMeasures(
        source=source.inspection.info.path,
        output=output.inspection.info.path,
        question=question,
        times_s=source.inspection.times_s,
        requested=requested,
        measured=measured,
        achieved=achieved,
        moved=moved,
        series=series,
        readings=au_readings(requested, measured, achieved, moved),
        identity=identity_figures(*map(series.embeddings, ("plate", "edit", "others"))),
        expression=expression_reading(requested, series.expression_before, series.expression_after),
        floor=_floor(source, requested, question.encode_preset),
    )


def _units(shot: ShotMeasures) -> list[ShotFinding]:
    """What became of the units asked for, and of the others."""
    if not shot.readings:
        return []
    talk = cross_talk(shot.requested, shot.measured, shot.achieved)
    leaks = known_leaks(shot.question.estimator, {r.au: r.asked for r in shot.readings})
    others = cross_talk_finding(talk, _most_asked(shot), leaks)
    return [*(_unit(shot, reading) for reading in shot.readings), others]


def _unit(shot: ShotMeasures, reading: AUReading) -> ShotFinding:
    question = shot.question
    return au_finding(
        reading,
        is_judge_own=question.is_self_measured,
        known=known_gain(question.estimator, question.editor, reading.au),
        editor=question.editor,
        frame=_worst_of(shot.errors[:, AU_COLUMN[reading.au]]),
    )


def _lids(shot: ShotMeasures) -> list[ShotFinding]:
    parts = shot.requested, shot.measured, shot.achieved
    return [closure_finding(reading) for reading in closure_readings(*parts)]


def _picture(shot: ShotMeasures) -> list[ShotFinding]:
    """What became of the person and the picture."""
    return [
        expression_finding(shot.expression, _most_asked(shot)),
        identity_finding(shot.identity, shot.series),
        *background_findings(shot.series, shot.floor),
        *motion_findings(shot.series),
        *detail_findings(shot.series),
    ]


def _most_asked(shot: ShotMeasures) -> int:
    return strongest_frame(shot.requested) if shot.readings else -1


def _worst_of(errors: NDArray[np.floating]) -> int:
    return int(np.nanargmax(errors)) if np.isfinite(errors).any() else -1


def _moved(source: Clip, output: Clip, face: int, requested: AUDelta) -> NDArray[np.float64]:
    """By geometry, on the frames that show the face in both clips."""
    moved = np.full((source.frames, len(AU_ORDER)), np.nan)
    rows = [clip.analysis.rows_of(face) for clip in (source, output)]
    frame, *at = np.intersect1d(
        source.analysis.frame[rows[0]], output.analysis.frame[rows[1]], return_indices=True
    )
    before = source.analysis.landmarks_px[rows[0]][at[0]]
    after = output.analysis.landmarks_px[rows[1]][at[1]]
    yaw = source.analysis.pose[rows[0]][at[0], 0]
    asked = np.asarray((requested.values != 0.0).any(axis=0))
    moved[frame] = moved_units(before, after, asked, np.nan_to_num(yaw))
    return moved


def _floor(source: Clip, requested: AUDelta, preset: str) -> EncoderFloor | None:
    strength = np.abs(requested.values).sum(axis=1)
    around = int(np.argmax(strength)) if strength.any() else source.frames // 2
    try:
        return encoder_floor(source.inspection, source.analysis, around, preset)
    except MediaError:
        return None  # the verdict then says that the encoder's part is not known
