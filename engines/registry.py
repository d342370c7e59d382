"""Every engine by name, one line each; imported only when made, in the process that runs it."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engines.errors import EngineUnavailableError, UnknownEngineError


@dataclass(frozen=True)
class Entry:
    """Where an engine's class lives, the modules it needs, and the extra that installs them."""

    target: str
    modules: tuple[str, ...] = ()
    extra: str = ""
    needs_gpu: bool = False


TRACKERS: dict[str, Entry] = {
    "mesh": Entry("engines.trackers.mesh:MeshTracker"),
    "fan": Entry("engines.trackers.fan:FanTracker", ("torch", "face_alignment"), "fan"),
}
ESTIMATORS: dict[str, Entry] = {
    "mesh": Entry("engines.estimators.mesh_au:MeshAUEstimator"),
    "libreface": Entry(
        "engines.estimators.libreface_au:LibreFaceEstimator", ("torch",), "libreface"
    ),
}
EDITORS: dict[str, Entry] = {
    "identity": Entry("engines.editors.identity:IdentityEditor"),
    "previz": Entry("engines.editors.previz:PrevizEditor"),
    "magicface": Entry(
        "engines.magicface.editor:MagicFaceEditor", ("torch", "diffusers"), "magicface", True
    ),
}
KINDS = {"tracker": TRACKERS, "AU estimator": ESTIMATORS, "editor": EDITORS}


def entry(kind: str, name: str) -> Entry:
    """The registry line of an engine.

    Raises:
        UnknownEngineError: naming the known ones.
    """
    try:
        return KINDS[kind][name]
    except KeyError:
        raise UnknownEngineError(f"no {kind} {name!r}; known: {', '.join(KINDS[kind])}") from None


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
    """
    reason = missing(kind, name)
    if reason is not None:
        raise EngineUnavailableError(f"{kind} {name!r}: {reason}")
    module, _, attribute = entry(kind, name).target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def make(kind: str, name: str, settings: Mapping[str, Any] | None = None) -> Any:
    """An engine, made with its settings as keyword arguments."""
    return engine_class(kind, name)(**(settings or {}))
