"""The engines of a study: an editor, and a judge that is LibreFace where it can be."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from engines.choice import Engine, check_named, resolve
from jobs.command_line.options.studies import ProtocolOptions, StimuliOptions
from jobs.evaluation.judges import judging_estimator
from jobs.ray_cluster import cluster
from jobs.ray_cluster.nodes import RayNodes
from pipeline.settings import AnalysisSettings


def study_engines(
    options: ProtocolOptions | StimuliOptions,
) -> tuple[AnalysisSettings, Engine, float]:
    """Judge, editor, and how many GPUs there are.

    Raises:
        EngineError: one that is named cannot run here; the line says why.
        JobError: the cluster of RAY_ADDRESS cannot be joined.
    """
    said = options.editor_options.given()
    check_named("editor", options.editor, said)
    gpus = cluster.gpus()
    editor = resolve("editor", options.editor, said, gpus=gpus)
    tracker = resolve("tracker", options.tracker, options.tracker_options.given(), gpus=gpus)
    judge = judging_estimator(options.au, options.au_options.given(), gpus=gpus)
    return AnalysisSettings(tracker, judge), editor, gpus


def announce_engines(engines: Sequence[Engine], screen: Console) -> None:
    """Says which were taken and why, and lets each get ready for its actors."""
    for engine in engines:
        screen.print(f"{engine.kind}: {engine.name} ({engine.reason})")
    for engine in engines:
        engine.prepare(RayNodes(screen.print))
