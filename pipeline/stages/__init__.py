"""The five stages as plain functions over the run folder: row in, rows out. No Ray.

Each may raise; pipeline/actors.py turns what is raised into a row with an `error`.
"""

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
