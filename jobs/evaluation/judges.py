"""Who judges: LibreFace, the paper's judge, where its weights are at hand; never by a fallback."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from engines.choice import AUTO, resolve, unavailable_reason
from pipeline.settings import AnalysisSettings

PAPERS_JUDGE = "libreface"
KIND = "AU estimator"


def judging_estimator(
    name: str = AUTO, settings: Mapping[str, Any] | None = None, *, gpus: float = 0.0
) -> Any:
    """The estimator that judges. `auto` takes LibreFace on a CPU too: a judgement may take longer
    than a measurement, and is worth more by another estimator than the one that planned the edit.

    Raises:
        EngineError: the one that was named cannot run here; the line says why.
    """
    said = dict(settings or {})
    if name == AUTO and unavailable_reason(KIND, PAPERS_JUDGE, said) is None:
        engine = resolve(KIND, PAPERS_JUDGE, said, gpus=gpus)
        return replace(engine, reason="the paper's judge; its weights are at hand")
    if name == AUTO:
        why = unavailable_reason(KIND, PAPERS_JUDGE, said)
        return replace(resolve(KIND, "mesh"), reason=f"not {PAPERS_JUDGE}: {why}")
    return resolve(KIND, name, said, gpus=gpus)


def best_judge(analysis: AnalysisSettings) -> AnalysisSettings:
    """A run's own engines, with LibreFace as the estimator where its weights are."""
    if unavailable_reason(KIND, PAPERS_JUDGE, {}) is not None:
        return analysis
    return replace(analysis, estimator=judging_estimator())
