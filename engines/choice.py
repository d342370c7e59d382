"""The choice of an engine, made once, in the driver; workers get it whole."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engines.errors import EngineUnavailableError
from engines.interface import Cluster, CPUNeeds
from engines.registry import (
    auto_order,
    class_at,
    engine_class,
    line,
    missing,
    option_name,
    traits_of,
)

AUTO = "auto"
_NO_LIDS = "cannot shut eyes, which the curve asks for (AU43 or AU45)"


@dataclass(frozen=True)
class Engine:
    """A choice, made: nothing of it is looked up again, neither in the driver nor in a worker.

    Attributes:
        kind: a key of KINDS.
        name: as it was asked for, or what `auto` took.
        target: `module:Class`.
        settings: its class's keywords (JSON values).
        places: those of the settings that name files or folders.
        weights_digest: names what lies there, so that other weights make other pieces.
        reason: why it was taken, a clause.
        gpu_share: of one GPU, for one actor; 0 = tasks on cores.
        is_preview: its result is looked at, not delivered.
        crop_size: side of an editor's crops, pixels.
        seconds_per_edit: rough cost of one edited frame.
        borrows: it is lent what other frames of the same shot show.
        shuts_eyes: it draws lids.
        any_size: it takes larger crops of larger faces.
        cpu_needs: of one of its processes, where it wants a GPU and has none.
    """

    kind: str
    name: str
    target: str
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    places: tuple[str, ...] = ()
    weights_digest: str = ""
    reason: str = ""
    gpu_share: float = 0.0
    is_preview: bool = False
    crop_size: int = 512
    seconds_per_edit: float = 0.02
    borrows: bool = False
    shuts_eyes: bool = False
    any_size: bool = False
    cpu_needs: CPUNeeds | None = None

    @property
    def identity(self) -> tuple[str, dict[str, Any], str]:
        """What its results depend on; digests of pieces and tables are made of it."""
        shaping = {key: v for key, v in self.settings.items() if key not in self.places}
        return self.name, shaping, self.weights_digest

    def make(self) -> Any:
        """The engine itself, loaded in this process."""
        return class_at(self.kind, self.name, self.target)(**self.settings)

    def prepare(self, cluster: Cluster) -> Callable[[], None]:
        """Gets ready what its actors on GPUs need; its class's `prepare`, where it has one.

        Returns:
            To be called when the job has ended.
        """
        says = getattr(class_at(self.kind, self.name, self.target), "prepare", None)
        if says is None or not self.gpu_share:
            return _nothing
        return says(cluster, **self.settings) or _nothing

    def readiness(self) -> str:
        """What must be built before it is fast here; "" of an engine that needs nothing built."""
        says = getattr(class_at(self.kind, self.name, self.target), "readiness", None)
        return says(**self.settings) if says else ""


def _nothing() -> None:
    """There is nothing to end."""


def resolve(
    kind: str,
    name: str = AUTO,
    settings: Mapping[str, Any] | None = None,
    *,
    gpus: float = 0.0,
    shuts_eyes: bool = False,
) -> Engine:
    """The engine called `name`, or for `auto` the first of its kind that can run here.

    A name never falls back. Settings that the engine does not take are left out; the reason names
    them.

    Args:
        settings: what was said, for whichever engine is taken; None values count as unsaid.
        gpus: how many there are where it will run.
        shuts_eyes: the curve asks an editor for it; one that cannot is passed over or refused.
    Raises:
        UnknownEngineError: naming the known ones.
        EngineUnavailableError: it cannot run here, and why; for `auto`, why none can.
        EngineError: what is there is no engine of this kind, or a setting is out of its range.
    """
    said = {key: value for key, value in (settings or {}).items() if value is not None}
    if name != AUTO:
        if shuts_eyes:
            check_shuts_eyes(kind, name)
        check_named(kind, name, said)
        return _resolved(kind, name, said, gpus, _as_asked(kind, name, said))
    passed: list[str] = []
    for candidate in auto_order(kind):
        why = unavailable_reason(kind, candidate, said, gpus=gpus)
        if why is None and shuts_eyes and not traits_of(kind, candidate).shuts_eyes:
            why = f"it {_NO_LIDS}"
        if why is None:
            return _resolved(kind, candidate, said, gpus, "; ".join(passed) or "preferred")
        passed.append(f"not {candidate}: {why}")
    raise EngineUnavailableError(f"no {kind} can run here: {'; '.join(passed)}")


def check_shuts_eyes(kind: str, name: str) -> None:
    """Refuses an editor that is named (not `auto`) and cannot draw what AU43 and AU45 ask.

    Raises:
        EngineUnavailableError: naming those that can; no weights are looked for.
    """
    if name == AUTO or traits_of(kind, name).shuts_eyes:
        return
    able = [known for known in auto_order(kind) if traits_of(kind, known).shuts_eyes]
    raise EngineUnavailableError(
        f"{kind} {name!r}: it {_NO_LIDS}; take --editor {' or '.join(able)}, "
        "or leave AU43 and AU45 out"
    )


def check_named(kind: str, name: str, settings: Mapping[str, Any]) -> None:
    """Refuses an engine that is named (not `auto`) and can run on no machine like this one.

    Raises:
        EngineError: as `resolve`, which asks this too; here no GPUs need be counted yet.
    """
    if name == AUTO:
        return
    why = unavailable_reason(kind, name, settings)
    if why is not None:
        raise EngineUnavailableError(f"{kind} {name!r}: {why}")


def _resolved(kind: str, name: str, said: Mapping[str, Any], gpus: float, reason: str) -> Engine:
    traits = traits_of(kind, name)
    places = tuple(o.name for o in traits.options if o.kind is Path)
    taken = accepted(kind, name, said)
    absolute = {key: _absolute(v) if key in places else v for key, v in taken.items()}
    settings = _asked_of_class(kind, name, "portable", absolute, absolute)
    on_gpu = gpus > 0 and settings.get("device") != "cpu"
    return Engine(
        kind,
        name,
        line(kind, name).target,
        settings,
        places,
        _asked_of_class(kind, name, "weights_digest", settings, ""),
        reason,
        traits.gpu_share if on_gpu else 0.0,
        traits.is_preview,
        _asked_of_class(kind, name, "crop_size_for", settings, 512),
        traits.seconds_per_edit,
        traits.borrows,
        traits.shuts_eyes,
        traits.any_size,
        None
        if on_gpu or not traits.gpu_share
        else _asked_of_class(kind, name, "cpu_needs", settings, None),
    )


def _absolute(place: str | Path) -> str:
    """Absolute where something lies there; else as it was said (`hub`, a hub id)."""
    path = Path(place).expanduser()
    return str(path.absolute()) if path.exists() else str(place)


def _as_asked(kind: str, name: str, said: Mapping[str, Any]) -> str:
    taken = accepted(kind, name, said)
    ignored = [option_name(kind, key) for key in said if key not in taken]
    return f"as asked; it takes no {', '.join(ignored)}" if ignored else "as asked"


def unavailable_reason(
    kind: str, name: str, settings: Mapping[str, Any] | None = None, *, gpus: float | None = None
) -> str | None:
    """Why an engine cannot run with these settings (one clause), or None.

    Args:
        gpus: GPUs at hand; with None an engine that merely wants one is not refused.
    """
    reason = missing(kind, name)
    if reason is None and gpus == 0 and traits_of(kind, name).gpu_share:
        reason = "no GPU here"
    if reason is not None:
        return reason
    taken = accepted(kind, name, settings or {})
    why: str | None = _asked_of_class(kind, name, "unavailable", taken, None)
    return why and why.removeprefix(f"{kind} {name!r}: ")


def accepted(kind: str, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the settings that the engine takes; a run has one set of options for all engines.

    They are its traits' options; of a class from outside without traits, its keywords.
    """
    if not settings:
        return {}
    known = {option.name for option in traits_of(kind, name).options}
    if ":" in name and not hasattr(cls := engine_class(kind, name), "traits"):
        keywords = inspect.signature(cls).parameters
        if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in keywords.values()):
            return dict(settings)  # the class checks its own
        known = set(keywords)
    return {key: value for key, value in settings.items() if key in known}


def _asked_of_class(
    kind: str, name: str, hook: str, settings: Mapping[str, Any], otherwise: Any
) -> Any:
    """What one of the class's optional static functions says (engines/interface.py)."""
    says = getattr(engine_class(kind, name), hook, None)
    return otherwise if says is None else says(**settings)
