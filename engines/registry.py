"""Every engine by name, one line each; a class is imported only when it is asked for."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from typing import Any

from engines.errors import EngineError, EngineUnavailableError, UnknownEngineError
from engines.lent import OWN, RIG
from engines.traits import Option, Traits


@dataclass(frozen=True)
class Line:
    """An engine's line.

    Attributes:
        target: `module:Class`.
        traits: what is known of it before it is loaded, or where that lies, as `module:NAME`, in a
            module that is quick to import. None = it is the class's own attribute `traits`.
        by_name_only: `auto` passes it over.
    """

    target: str
    traits: Traits | str | None = None
    by_name_only: bool = False


UNITS = Option(
    "units",
    str,
    "own: a unit moves a face as its shot shows that person to move it, where it does; rig: as "
    "any face",
    (OWN, RIG),
)
TRACKERS: dict[str, Line] = {
    "fan": Line("engines.trackers.fan.tracker:FanTracker", "engines.trackers.fan.traits:TRAITS"),
    "mesh": Line("engines.trackers.mesh.tracker:MeshTracker", Traits()),
}
ESTIMATORS: dict[str, Line] = {
    "libreface": Line(
        "engines.estimators.libreface.estimator:LibreFaceEstimator",
        "engines.estimators.libreface.traits:TRAITS",
    ),
    "mesh": Line("engines.estimators.mesh.estimator:MeshAUEstimator", Traits()),
}
EDITORS: dict[str, Line] = {
    "magicface": Line(
        "engines.editors.magicface.editor:MagicFaceEditor",
        "engines.editors.magicface.traits:TRAITS",
    ),
    "plate": Line(
        "engines.editors.plate.editor:PlateEditor",
        Traits((UNITS,), borrows=True, shuts_eyes=True, any_size=True),
    ),
    "previz": Line(
        "engines.editors.previz.editor:PrevizEditor",
        Traits(is_preview=True, shuts_eyes=True, any_size=True),
    ),
    "identity": Line("engines.editors.identity:IdentityEditor", Traits(), by_name_only=True),
}
KINDS = {"tracker": TRACKERS, "AU estimator": ESTIMATORS, "editor": EDITORS}
"""The lines of a kind stand in the order in which `auto` tries them; it takes the first that can
run."""
METHODS = {
    "tracker": ("track",),
    "AU estimator": ("measure", "neutral", "intensity"),
    "editor": ("edit",),
}
"""What a class must have to be an engine of a kind; engines/interface.py says the rest."""
OPTION_PREFIX = {"tracker": "tracker-", "AU estimator": "au-", "editor": ""}
"""What stands before the name of a kind's options on the command line."""


def option_name(kind: str, name: str) -> str:
    """An engine's option as people write it, e.g. `--au-weights`."""
    return f"--{OPTION_PREFIX[kind]}{name.replace('_', '-')}"


def auto_order(kind: str) -> list[str]:
    """What `auto` tries, in turn."""
    return [name for name, entry in KINDS[kind].items() if not entry.by_name_only]


def line(kind: str, name: str) -> Line:
    """The registry's line of an engine; `package.module:Class` names one of your own.

    Raises:
        UnknownEngineError: naming the known ones.
    """
    if ":" in name:
        return Line(name)
    try:
        return KINDS[kind][name]
    except KeyError:
        raise UnknownEngineError(
            f"no {kind} {name!r}; known: {', '.join(KINDS[kind])}, "
            "or your own as package.module:Class"
        ) from None


def traits_of(kind: str, name: str) -> Traits:
    """What is known of an engine before it is loaded.

    Raises:
        EngineError: a class of one's own that is not there, is no engine, or has other traits.
    """
    told = line(kind, name).traits
    if isinstance(told, str):
        module, _, attribute = told.partition(":")
        told = getattr(importlib.import_module(module), attribute)
    if told is None:
        told = getattr(class_at(kind, name, line(kind, name).target), "traits", Traits())
    if not isinstance(told, Traits):
        raise EngineError(
            f"{kind} {name!r}: traits are a {type(told).__name__}; expected engines.traits.Traits"
        )
    return told


def options_of(kind: str, *own: str) -> dict[str, list[tuple[str, Option]]]:
    """What the engines of a kind may be told: option → the engines that take it, in auto's order.

    Args:
        own: classes from outside, as `package.module:Class`.
    """
    found: dict[str, list[tuple[str, Option]]] = {}
    for name in (*KINDS[kind], *own):
        for option in traits_of(kind, name).options:
            found.setdefault(option.name, []).append((name, option))
    return found


def missing(kind: str, name: str) -> str | None:
    """Why an engine cannot be imported here (one clause); None when its packages are there."""
    traits = traits_of(kind, name)
    absent = [module for module in traits.modules if importlib.util.find_spec(module) is None]
    if not absent:
        return None
    how = f"; pip install 'aureel[{traits.extra}]'" if traits.extra else ""
    return f"{', '.join(absent)} not installed{how}"


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
    return class_at(kind, name, line(kind, name).target)


def class_at(kind: str, name: str, target: str) -> type[Any]:
    """The class at `module:Class`, checked to be an engine of a kind; `name` is for messages."""
    module, _, attribute = target.partition(":")
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
