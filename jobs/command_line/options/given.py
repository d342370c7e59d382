"""Gives a command its options, and those of the engines it names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from cyclopts import Parameter
from pydantic import BaseModel, create_model

from jobs.command_line.options.engines import CHOICE_OF, engine_options, own_engines

Command = Callable[..., int]
Model = TypeVar("Model", bound=BaseModel)


def takes(model: type[BaseModel]) -> Callable[[Command], Command]:
    """Gives a command its `options`: those of a model, and those of the engines."""

    def mark(command: Command) -> Command:
        command.options_model = model  # type: ignore[attr-defined]
        offer(command, ())
        return command

    return mark


def offer(command: Command | None, arguments: Sequence[str]) -> None:
    """Lets a command that `takes` options also take those of classes from outside that it names."""
    model = getattr(command, "options_model", None)
    if command is not None and model is not None:
        offered = with_engine_options(model, arguments)
        command.__annotations__["options"] = Annotated[offered, Parameter("*")]


def with_engine_options(model: type[Model], arguments: Sequence[str] = ()) -> type[Model]:
    """A model whose `…_options` hold all that the engines of their kind may be told.

    Args:
        arguments: a command line; classes from outside that it names add their own.
    Raises:
        EngineError: such a class is not there or is no engine.
    """
    own = own_engines(arguments)
    fields: dict[str, Any] = {}
    for kind, option in CHOICE_OF.items():
        if (name := f"{option}_options") in model.model_fields:
            made = engine_options(kind, own[kind])
            fields[name] = (Annotated[made, Parameter("*")], made())
    return create_model(model.__name__, __base__=model, **fields)
