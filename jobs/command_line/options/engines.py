"""The options of engines, as the commands take them: made from what each engine declares."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from cyclopts import Group, Parameter
from pydantic import BaseModel, ConfigDict, Field, create_model

from engines.registry import KINDS, OPTION_PREFIX, auto_order, options_of
from engines.traits import Option
from jobs.errors import JobError

CHOICE_OF = {"editor": "editor", "tracker": "tracker", "AU estimator": "au"}
"""Kind → the option that names its engine."""


class EngineOptions(BaseModel):
    """What the engines of a kind may be told; each takes what it knows, None leaves its default."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    prefix: ClassVar[str] = ""

    def given(self) -> dict[str, Any]:
        """Only what was said, by the engines' own keywords."""
        said = self.model_dump(exclude_none=True)
        return {name.removeprefix(self.prefix): value for name, value in said.items()}


def names_help(kind: str) -> str:
    """Which names an engine's option knows, for its help."""
    by_name = [name for name in KINDS[kind] if name not in auto_order(kind)]
    named = f"; {', '.join(by_name)}" if by_name else ""
    return (
        f"auto: the first that can run here of {', '.join(auto_order(kind))}{named}; or your own "
        "as package.module:Class."
    )


def engine_options(kind: str, own: Sequence[str] = ()) -> type[EngineOptions]:
    """The model of all that the engines of a kind may be told.

    Args:
        own: classes from outside that the call names.
    """
    prefix = OPTION_PREFIX[kind].replace("-", "_")
    fields: dict[str, Any] = {}
    for name, takers in options_of(kind, *own).items():
        help_ = "; ".join(f"{engine}: {option.help}" for engine, option in takers)
        fields[prefix + name] = (_annotation(takers, kind), Field(default=None, description=help_))
    made = create_model("EngineOptions", __base__=EngineOptions, **fields)
    made.prefix = prefix
    return made


def _annotation(takers: Sequence[tuple[str, Option]], kind: str) -> Any:
    """The type of an option: the loosest that all its takers agree on; each checks its own then."""
    options = [option for _, option in takers]
    kinds = {option.kind for option in options}
    if len(kinds) > 1:
        names = ", ".join(f"{engine} ({option.kind.__name__})" for engine, option in takers)
        raise JobError(f"option {options[0].name!r} of several engines: {names}; expected one type")
    value: Any = str if options[0].kind is Path else options[0].kind  # `hub` is no path
    if all(option.choices for option in options):
        words = dict.fromkeys(word for option in options for word in option.choices)
        value = Literal[tuple(words)]
    least = [o.least for o in options if o.least is not None]
    most = [o.most for o in options if o.most is not None]
    bounds = Field(
        ge=min(least) if len(least) == len(options) else None,
        le=max(most) if len(most) == len(options) else None,
    )
    group = Group(f"Options of each {kind}", sort_key=100 + list(CHOICE_OF).index(kind))
    negative = Parameter(group=group, negative=())
    return (
        Annotated[value | None, bounds, negative]
        if least or most
        else Annotated[value | None, negative]
    )


def own_engines(arguments: Sequence[str]) -> dict[str, list[str]]:
    """Classes from outside that a command line names, by kind."""
    found: dict[str, list[str]] = {kind: [] for kind in CHOICE_OF}
    for kind, option in CHOICE_OF.items():
        for place, argument in enumerate(arguments):
            name, has_value, value = argument.partition("=")
            if name == f"--{option}":
                value = value if has_value else "".join(arguments[place + 1 : place + 2])
                found[kind] += [value] if ":" in value else []
    return found
