"""Which engines a run takes, and why; decided before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engines import registry
from engines.errors import EngineError, EngineUnavailableError
from pipeline.settings import AnalysisSettings, EngineChoice


@dataclass(frozen=True)
class Chosen:
    """An engine and the sentence that says why it was taken."""

    choice: EngineChoice
    reason: str


def choose(
    kind: str, name: str, settings: Mapping[str, Any], order: tuple[str, ...], gpus: float
) -> Chosen:
    """The engine called `name`, or for `auto` the first of `order` that can run here.

    An explicit choice never falls back.

    Raises:
        EngineError: the named engine is unknown or cannot run here; the line says why.
    """
    if name != "auto":
        check_named(kind, name, settings)
        return Chosen(choice := _choice(kind, name, settings), _asked(choice, settings))
    refused: list[str] = []
    for candidate in order:
        reason = registry.unavailable(kind, candidate, settings, gpus=gpus)
        if reason is None:
            return Chosen(_choice(kind, candidate, settings), "; ".join(refused) or "preferred")
        refused.append(f"not {candidate}: {reason}")
    raise EngineError(f"no {kind} can run here: {'; '.join(refused)}")


def check_named(kind: str, name: str, settings: Mapping[str, Any]) -> None:
    """Refuses an engine that was named (not `auto`) and cannot run.

    Raises:
        EngineError: it is unknown or cannot run here; the line says why.
    """
    reason = None if name == "auto" else registry.unavailable(kind, name, settings, gpus=None)
    if reason:
        raise EngineUnavailableError(f"{kind} {name!r}: {reason}")


def _asked(choice: EngineChoice, settings: Mapping[str, Any]) -> str:
    ignored = [f"--{key}" for key in settings if key not in choice.settings]
    return f"as asked; it takes no {', '.join(ignored)}" if ignored else "as asked"


def _choice(kind: str, name: str, settings: Mapping[str, Any]) -> EngineChoice:
    accepted = registry.accepted_settings(kind, name, settings)
    return EngineChoice(name, accepted, registry.weights_digest(kind, name, accepted))


def analysis_settings(tracker: Chosen, estimator: Chosen) -> AnalysisSettings:
    """Both analysis engines as the pipeline takes them."""
    return AnalysisSettings(tracker.choice, estimator.choice)
