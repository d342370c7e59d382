"""Every engine by name, one line each; imported only when made, in the process that runs it."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engines.errors import EngineError, EngineUnavailableError, UnknownEngineError


@dataclass(frozen=True)
class Entry:
    """Where an engine's class lives, the modules it needs, and the extra that installs them.

    `wants_gpu`: taken by `auto` only where there is one (asked for by name it also runs on a CPU).
    `seconds_per_edit`: rough cost of one frame, for an editor; it sets the length of segments.
    `is_preview`: an editor whose result is looked at, not delivered.
    """

    target: str
    modules: tuple[str, ...] = ()
    extra: str = ""
    wants_gpu: bool = False
    seconds_per_edit: float = 0.02
    is_preview: bool = False


TRACKERS: dict[str, Entry] = {
    "mesh": Entry("engines.trackers.mesh.tracker:MeshTracker"),
    "fan": Entry(
        "engines.trackers.fan.tracker:FanTracker",
        ("torch", "face_alignment"),
        "fan",
        wants_gpu=True,
    ),
}
ESTIMATORS: dict[str, Entry] = {
    "mesh": Entry("engines.estimators.mesh.estimator:MeshAUEstimator"),
    "libreface": Entry(
        "engines.estimators.libreface.estimator:LibreFaceEstimator",
        ("torch",),
        "libreface",
        wants_gpu=True,
    ),
}
EDITORS: dict[str, Entry] = {
    "identity": Entry("engines.editors.identity:IdentityEditor"),
    "previz": Entry("engines.editors.previz.editor:PrevizEditor", is_preview=True),
    "magicface": Entry(
        "engines.editors.magicface.editor:MagicFaceEditor",
        ("torch", "diffusers", "transformers"),
        "magicface",
        wants_gpu=True,
        seconds_per_edit=0.5,
    ),
}
KINDS = {"tracker": TRACKERS, "AU estimator": ESTIMATORS, "editor": EDITORS}
METHODS = {
    "tracker": ("track",),
    "AU estimator": ("measure", "neutral", "intensity"),
    "editor": ("edit",),
}
"""What a class must have to be an engine of a kind; engines/interface.py says the rest."""


def entry(kind: str, name: str) -> Entry:
    """The registry line of an engine; `package.module:Class` names one of your own.

    Raises:
        UnknownEngineError: naming the known ones.
    """
    if ":" in name:
        return Entry(name)
    try:
        return KINDS[kind][name]
    except KeyError:
        raise UnknownEngineError(
            f"no {kind} {name!r}; known: {', '.join(KINDS[kind])}, "
            "or your own as package.module:Class"
        ) from None


def missing(kind: str, name: str) -> str | None:
    """Why an engine cannot be imported here (one clause); None when its packages are there."""
    found = entry(kind, name)
    absent = [m for m in found.modules if importlib.util.find_spec(m) is None]
    if not absent:
        return None
    return f"{', '.join(absent)} not installed; pip install 'aureel[{found.extra}]'"


def engine_class(kind: str, name: str) -> type[Any]:
    """The engine's class, imported now.

    Raises:
        UnknownEngineError: naming the known ones.
        EngineUnavailableError: naming the missing packages and the extra that installs them.
        EngineError: what is there is no engine of this kind.
    """
    reason = missing(kind, name)
    if reason is not None:
        raise EngineUnavailableError(f"{kind} {name!r}: {reason}")
    module, _, attribute = entry(kind, name).target.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ModuleNotFoundError, AttributeError) as error:
        raise EngineUnavailableError(f"{kind} {name!r}: {error}") from None
    lacking = [method for method in METHODS[kind] if not callable(getattr(found, method, None))]
    if lacking or not isinstance(found, type):
        without = f" without {', '.join(lacking)}" if lacking else ""
        raise EngineError(
            f"{kind} {name!r}: got a {type(found).__name__}{without}; "
            f"expected a class with {', '.join(METHODS[kind])} (engines/interface.py)"
        )
    return found


def unavailable(
    kind: str, name: str, settings: Mapping[str, Any] | None = None, gpus: float | None = None
) -> str | None:
    """Why an engine cannot run with these settings (one clause), or None.

    A class may say so itself, before anything heavy loads, in a static `unavailable(**settings)`.

    Args:
        gpus: GPUs at hand; with None an engine that merely wants one is not refused.
    """
    reason = missing(kind, name)
    if reason is None and gpus == 0 and entry(kind, name).wants_gpu:
        return "no GPU here"
    if reason is not None:
        return reason
    says = getattr(engine_class(kind, name), "unavailable", None)
    why = says(**accepted_settings(kind, name, settings or {})) if says else None
    return why and why.removeprefix(f"{kind} {name!r}: ")


def accepted_settings(kind: str, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the settings that the engine takes; a run has one set of options for all engines."""
    if not settings:
        return {}
    known = inspect.signature(engine_class(kind, name)).parameters
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in known.values()):
        return dict(settings)  # the engine checks its own
    return {key: value for key, value in settings.items() if key in known}


def crop_size(name: str, settings: Mapping[str, Any]) -> int:
    """Side of an editor's crops: its class's static `crop_size_for(**settings)`, or 512."""
    says = getattr(engine_class("editor", name), "crop_size_for", None)
    return says(**settings) if says else 512


def weights_digest(kind: str, name: str, settings: Mapping[str, Any]) -> str:
    """Names the engine's weights, so that other weights make other pieces; empty without any.

    A class with weights says so in a static `weights_digest(**settings)`.
    """
    if not entry(kind, name).modules:
        return ""
    says = getattr(engine_class(kind, name), "weights_digest", None)
    return says(**settings) if says else ""


def make(kind: str, name: str, settings: Mapping[str, Any] | None = None) -> Any:
    """An engine, made with its settings as keyword arguments."""
    return engine_class(kind, name)(**(settings or {}))
