"""A verdict in plain values, for JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keyframes.au import AU_NAMES, LID_NAMES
from pipeline.quality.evaluate import ShotVerdict
from pipeline.quality.metrics.au_error import reachable

SCHEMA = "aureel-verdict/1"
PER_FRAME = (
    "identity", "background", "outside", "rotation", "pitch", "warp_before", "warp_after",
    "jitter_before", "jitter_after", "sharpness", "seam",
)  # fmt: skip
"""Series of a shot that go into JSON."""


def as_json(verdict: ShotVerdict) -> dict[str, Any]:
    """Figures, findings and per-frame series in plain values; no embedding is among them."""
    return {
        "schema": SCHEMA,
        "source": verdict.source,
        "output": verdict.output,
        **_asked(verdict),
        "warnings": verdict.warnings,
        "worst": round(verdict.worst, 3),
        "au_mse": _plain(verdict.au_mse),
        "findings": [asdict(finding) for finding in verdict.findings],
        "units": [_numbers(asdict(reading)) for reading in verdict.readings],
        "identity": _numbers(asdict(verdict.identity)),
        "encoder_floor": _numbers(asdict(verdict.floor)) if verdict.floor else None,
        "seconds": round(verdict.seconds, 2),
        "frames": {name: [_plain(v) for v in values] for name, values in _series(verdict).items()},
    }


def _asked(verdict: ShotVerdict) -> dict[str, Any]:
    question = verdict.question
    return {
        "face": question.face,
        "curve": question.sheet.name if question.sheet else None,
        "estimator": question.estimator,
        "editor": question.editor or None,
        "planner": question.planner or None,
        "self_measured": question.is_self_measured,
    }


def _series(verdict: ShotVerdict) -> dict[str, NDArray[Any]]:
    """By name, all of the clip's length."""
    series = {"time_s": verdict.times_s}
    series |= {name: getattr(verdict.series, name) for name in PER_FRAME}
    units = {
        "requested": verdict.requested.values,
        "measured": verdict.measured.values,
        "reachable": reachable(verdict.requested, verdict.measured),
        "achieved": verdict.achieved.values,
        "moved": verdict.moved,
    }
    for column in np.flatnonzero((verdict.requested.values != 0.0).any(axis=0)).tolist():
        name = AU_NAMES[column]
        series |= {f"{name}_{what}": values[:, column] for what, values in units.items()}
    return series | _lid_series(verdict)


def _lid_series(verdict: ShotVerdict) -> dict[str, NDArray[Any]]:
    """Of eyes that are asked to shut or to open."""
    lids = {
        "requested": verdict.requested.lids,
        "measured": verdict.measured.lids,
        "achieved": verdict.achieved.lids,
    }
    return {
        f"{name}_{what}": values[:, column]
        for column, name in enumerate(LID_NAMES)
        for what, values in lids.items()
        if verdict.requested.lids[:, column].any()
    }


def _plain(value: Any) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None


def _numbers(values: dict[str, Any]) -> dict[str, Any]:
    return {k: _plain(v) if isinstance(v, float) else v for k, v in values.items()}
