"""Thin commands over the pipeline, and the same as three functions:

    from jobs import animate, analyse, preview

`jobs.animate` is both a function here and the module of a command beside it. Importing that module
would put it in the function's place, in whoever's process and at whatever moment, so this package
keeps the name for the function: `from jobs.animate import app` reaches the module.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobs.doors import analyse as analyse
    from jobs.doors import animate as animate
    from jobs.doors import preview as preview

DOORS = ("analyse", "animate", "preview")


class _Package(ModuleType):
    """This package; its functions are imported at their first use, since all of jobs/ is below."""

    def __getattr__(self, name: str) -> Any:
        if name not in DOORS:
            raise AttributeError(f"module 'jobs' has no attribute {name!r}")
        return getattr(import_module("jobs.doors"), name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in DOORS and isinstance(value, ModuleType):
            return  # the import system binds the module of that name
        super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *DOORS})


sys.modules[__name__].__class__ = _Package
