"""The five stages as plain functions over the run folder: row in, rows out. No Ray.

Each may raise; pipeline/actors.py turns what is raised into a row with an `error`. A process
imports only those that it runs: a cluster starts many actors on GPUs, which only render.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.stages.analyse import analyse_stage, assemble_stage, lacking_stage
    from pipeline.stages.common import Stopwatch, folder_of, reached, wanted_frames
    from pipeline.stages.finish import finish_stage
    from pipeline.stages.inspect import inspect_stage
    from pipeline.stages.plan import plan_stage
    from pipeline.stages.render import render_stage

__all__ = [
    "Stopwatch",
    "analyse_stage",
    "assemble_stage",
    "finish_stage",
    "folder_of",
    "inspect_stage",
    "lacking_stage",
    "plan_stage",
    "reached",
    "render_stage",
    "wanted_frames",
]
_FILES = {
    "analyse": ("analyse_stage", "assemble_stage", "lacking_stage"),
    "common": ("Stopwatch", "folder_of", "reached", "wanted_frames"),
    "finish": ("finish_stage",),
    "inspect": ("inspect_stage",),
    "plan": ("plan_stage",),
    "render": ("render_stage",),
}


def __getattr__(name: str) -> Any:
    for file, names in _FILES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{file}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
