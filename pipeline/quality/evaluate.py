"""Everything about one edited shot: clips in, verdict out."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.registry import EDITORS, traits_of
from keyframes.au import AU_COLUMN, AU_NAMES, AU_ORDER, AUDelta, AUIntensity
from keyframes.sheet import KeyframeSheet
from pipeline.edit.lending import plan_lending
from pipeline.edit.plan import plan_edits
from pipeline.edit.told import lending_told
from pipeline.errors import MediaError
from pipeline.faces.sightings import NOBODY, Who
from pipeline.quality.clip import Clip, check_same_shot
from pipeline.quality.floor import EncoderFloor, encoder_floor
from pipeline.quality.gains import known_gain, known_leaks
from pipeline.quality.metrics.au_error import (
    AUReading,
    au_errors,
    au_readings,
    cross_talk,
    reachable,
)
from pipeline.quality.metrics.expression import ExpressionReading, expression_reading
from pipeline.quality.metrics.geometry import moved_units
from pipeline.quality.metrics.identity import IdentityFigures, identity_figures
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

SCHEMA = "aureel-verdict/1"
SELF_MEASURING = ("previz",)
"""Editors that move the very points which the mesh estimator reads."""


LENT_SIDE = 512
"""Least side of the crops of an editor that borrows, as it is unless it was told another."""


@dataclass(frozen=True)
class Question:
    """What is to be judged, and how it was made as far as that is known.

    Attributes:
        face: track of the source, 0 the largest.
        estimator: name of the AU estimator that measured both clips.
        editor: name of the editor, "" where that is not known.
        encode_preset: of the output, as far as known.
        who: the people of the curve, where they were found in the source.
        planner: name of the estimator that the edit was planned with; "" where that is not known.
    """

    sheet: KeyframeSheet | None = None
    face: int = 0
    estimator: str = "mesh"
    editor: str = ""
    encode_preset: str = "medium"
    who: Who = NOBODY
    planner: str = ""

    @property
    def is_self_measured(self) -> bool:
        return self.estimator == "mesh" and self.editor in SELF_MEASURING


@dataclass(frozen=True)
class ShotVerdict:
    """One shot, measured and judged.

    Attributes:
        requested, measured, achieved: per frame; requested is 0 without a curve.
        moved: `(N, 12)` units by geometry, NaN where not asked for.
        floor: None where the encoder could not be mirrored.
        seconds: what measuring the pixels took.
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
    findings: list[ShotFinding]
    seconds: float

    @property
    def warnings(self) -> int:
        return sum(finding.mark == "warn" for finding in self.findings)

    @property
    def worst(self) -> float:
        """The largest excess of all findings: what an index sorts by."""
        return max((finding.excess for finding in self.findings), default=0.0)

    @property
    def au_mse(self) -> float:
        """Mean squared error over all frames and units asked for: the paper's column."""
        errors = au_errors(self.requested, self.measured, self.achieved)
        return float(np.nanmean(errors**2)) if np.isfinite(errors).any() else float("nan")


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
    face = question.face
    measured = source.analysis.intensity_over_time(face)
    achieved = output.analysis.intensity_over_time(face)
    requested = requested_of(source, question, measured if planned is None else planned)
    moved = _moved(source, output, face, requested)
    series = measure_shot(source, output, face)
    readings = au_readings(requested, measured, achieved, moved)
    identity = identity_figures(
        *(series.embeddings(which) for which in ("plate", "edit", "others"))
    )
    expression = expression_reading(requested, series.expression_before, series.expression_after)
    floor = _floor(source, requested, question.encode_preset)
    own, errors = question.is_self_measured, au_errors(requested, measured, achieved)
    most = strongest_frame(requested) if readings else -1
    findings = [
        au_finding(
            reading,
            is_judge_own=own,
            known=known_gain(question.estimator, question.editor, reading.au),
            editor=question.editor,
            frame=_worst_of(errors[:, AU_COLUMN[reading.au]]),
        )
        for reading in readings
    ]
    if readings:
        talk = cross_talk(requested, measured, achieved)
        leaks = known_leaks(question.estimator, {r.au: r.asked for r in readings})
        findings.append(cross_talk_finding(talk, most, leaks))
    findings += [
        expression_finding(expression, most),
        identity_finding(identity, series),
        *background_findings(series, floor),
        *motion_findings(series),
        *detail_findings(series),
        *_lending(source, question),
    ]
    return ShotVerdict(
        source=source.inspection.info.path,
        output=output.inspection.info.path,
        question=question,
        times_s=source.inspection.times_s,
        requested=requested,
        measured=measured,
        achieved=achieved,
        moved=moved,
        series=series,
        readings=readings,
        identity=identity,
        expression=expression,
        floor=floor,
        findings=findings,
        seconds=time.perf_counter() - begun,
    )


def _lending(source: Clip, question: Question) -> list[ShotFinding]:
    """What an editor that borrows was lent: planned again, which gives what the run was given."""
    line = EDITORS.get(question.editor)
    if question.sheet is None or line is None or not traits_of("editor", question.editor).borrows:
        return []
    parts = source.inspection, source.analysis, question.sheet, LENT_SIDE
    plan = plan_edits(*parts, question.who, any_size=True).plan
    times_s = source.inspection.times_s
    lent, _ = plan_lending(plan, source.analysis, times_s, LENT_SIDE, any_size=True)
    told = lending_told(lent.of_face(question.face), source.analysis, times_s)
    return [ShotFinding("lent", "none", "", line) for line in told]


def strongest_frame(requested: AUDelta) -> int:
    """The middle of the frames that ask for most; the clip's own where none asks for anything."""
    strength = np.abs(requested.values).sum(axis=1)
    if not strength.any():
        return len(strength) // 2
    held = np.flatnonzero(strength >= 0.99 * strength.max())
    return int(held[len(held) // 2])


def _worst_of(errors: NDArray[np.floating]) -> int:
    return int(np.nanargmax(errors)) if np.isfinite(errors).any() else -1


def requested_of(source: Clip, question: Question, measured: AUIntensity) -> AUDelta:
    """What the curve asks of a face that was measured so; 0 without a curve."""
    if question.sheet is None:
        return AUDelta(np.zeros((source.frames, len(AU_ORDER)), np.float32))
    timeline = source.inspection.timeline
    known = question.who.known(question.face, source.frames)
    return question.sheet.evaluate(timeline, measured, face=question.face, known=known).delta


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


def as_json(verdict: ShotVerdict) -> dict[str, Any]:
    """Figures, findings and per-frame series in plain values; no embedding is among them."""
    series = verdict.series
    per_frame: dict[str, NDArray[Any]] = {
        "time_s": verdict.times_s,
        **{name: getattr(series, name) for name in PER_FRAME},
    }
    best = reachable(verdict.requested, verdict.measured)
    for column, name in enumerate(AU_NAMES):
        if (verdict.requested.values[:, column] != 0.0).any():
            per_frame[f"{name}_requested"] = verdict.requested.values[:, column]
            per_frame[f"{name}_measured"] = verdict.measured.values[:, column]
            per_frame[f"{name}_reachable"] = best[:, column]
            per_frame[f"{name}_achieved"] = verdict.achieved.values[:, column]
            per_frame[f"{name}_moved"] = verdict.moved[:, column]
    question = verdict.question
    return {
        "schema": SCHEMA,
        "source": verdict.source,
        "output": verdict.output,
        "face": question.face,
        "curve": question.sheet.name if question.sheet else None,
        "estimator": question.estimator,
        "editor": question.editor or None,
        "planner": question.planner or None,
        "self_measured": question.is_self_measured,
        "warnings": verdict.warnings,
        "worst": round(verdict.worst, 3),
        "au_mse": _plain(verdict.au_mse),
        "findings": [asdict(finding) for finding in verdict.findings],
        "units": [_numbers(asdict(reading)) for reading in verdict.readings],
        "identity": _numbers(asdict(verdict.identity)),
        "encoder_floor": _numbers(asdict(verdict.floor)) if verdict.floor else None,
        "seconds": round(verdict.seconds, 2),
        "frames": {name: [_plain(v) for v in values] for name, values in per_frame.items()},
    }


PER_FRAME = (
    "identity", "background", "outside", "rotation", "pitch", "warp_before", "warp_after",
    "jitter_before", "jitter_after", "sharpness", "seam",
)  # fmt: skip
"""Series of a shot that go into JSON."""


def _plain(value: Any) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None


def _numbers(values: dict[str, Any]) -> dict[str, Any]:
    return {k: _plain(v) if isinstance(v, float) else v for k, v in values.items()}


def name_of(path: str) -> str:
    """What a page calls a file."""
    return Path(path).name
