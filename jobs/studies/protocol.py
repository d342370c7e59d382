"""`evaluate protocol`: the paper's protocol over people, edits and guidances."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engines.choice import Engine, accepted, resolve
from jobs.command_line.options.studies import ProtocolOptions
from jobs.command_line.places import check_folder_place
from jobs.command_line.progress import console
from jobs.command_line.report import told_of, versions
from jobs.errors import JobError
from jobs.ray_cluster import cluster
from jobs.ray_cluster.nodes import RayNodes
from jobs.studies.asked import read_levels, read_units
from jobs.studies.checkpoints import found_checkpoints, with_weights
from jobs.studies.engines import announce_engines, study_engines
from jobs.studies.running import make_shares, refuse_other_result
from pipeline.files import read_json, write_json
from pipeline.settings import digest_of
from pipeline.studies import combinations
from pipeline.studies.design import MODES, Cell, Mode, cells
from pipeline.studies.identities import SYNTHETIC, Identity, find_identities
from pipeline.studies.paper import differences
from pipeline.studies.protocol import ProtocolSettings
from pipeline.studies.results import summary, write_checkpoints_csv, write_csv
from pipeline.studies.shares import STATE

SCHEMA = "aureel-protocol/1"


@dataclass(frozen=True)
class Variant:
    """One of what all of it is repeated with.

    Attributes:
        guidance: of the editor, where it has one.
        step: of the checkpoint whose weights these are; None for any other weights.
    """

    settings: ProtocolSettings
    guidance: float | None
    step: int | None = None

    @property
    def told(self) -> dict[str, Any]:
        return {"guidance": self.guidance, "checkpoint": self.step}


@dataclass(frozen=True)
class Request:
    """A checked call.

    Attributes:
        variants: one, or one per guidance of the sweep, or one per checkpoint.
        digest: of all that its results depend on.
    """

    options: ProtocolOptions
    output: Path
    identities: list[Identity]
    cells: tuple[Cell, ...]
    modes: tuple[Mode, ...]
    variants: list[Variant]
    gpus: float

    @property
    def digest(self) -> str:
        people = [(one.name, one.digest) for one in self.identities]
        return digest_of(people, [(v.guidance, v.settings.digest) for v in self.variants])


def run_protocol(options: ProtocolOptions) -> int:
    """Runs the protocol to its end; 0, or an error that says how to go on.

    Raises:
        JobError, EngineError, PipelineError: the call is wrong, or a share could not be made.
    """
    screen = console()
    request = checked_protocol(options)
    manifest_path = request.output / "protocol.json"
    refuse_other_result(
        manifest_path, read_json(manifest_path), request.digest, overwrite=options.overwrite
    )
    cluster.start()
    first = request.variants[0].settings
    announce_engines(first.engines, screen)
    asked = len(request.identities) * len(request.cells) * len(request.modes)
    screen.print(f"{len(request.identities)} people × {len(request.cells)} edits: {asked} stills")
    results: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for variant in request.variants:
        settings = variant.settings
        if settings is not first:
            settings.editor.prepare(RayNodes(screen.print))
        shares = [
            share
            for one in request.identities
            for share in settings.shares(one, request.output / STATE)
        ]
        made = make_shares(shares, settings, request.gpus, screen)
        for mode in request.modes:
            of_mode = [row for row in made if row["mode"] == mode]
            results.append({"mode": mode, **variant.told, "summary": summary(of_mode)})
        rows += [{**variant.told, **row} for row in made]
    _write(request, results, rows)
    made_of = ("checkpoints.png", "checkpoints.csv") if options.checkpoints else ()
    for what in ("protocol.html", "protocol.csv", "protocol.json", *made_of):
        screen.print(f"{what.partition('.')[2]}: {request.output / what}")
    return 0


def checked_protocol(options: ProtocolOptions) -> Request:
    """Looks everything up; refuses what cannot run.

    Raises:
        JobError, EngineError, PipelineError: naming the option that is wrong.
    """
    output = options.output.expanduser().absolute()
    if output.exists() and not output.is_dir():
        raise JobError(f"--output {options.output}: is a file; expected a folder")
    trained = found_checkpoints(options)
    if trained:
        options = with_weights(options, trained[-1][1])
    check_folder_place(output, "--output")
    asked = cells(read_units(options.aus), read_levels(options.levels), options.combinations)
    modes: tuple[Mode, ...] = MODES if options.level_as == "both" else (options.level_as,)
    people = find_identities(options.identities, options.people)
    judge, editor, gpus = study_engines(options)
    keep = output / "stills" if options.keep_stills else None
    one = ProtocolSettings(judge, editor, asked, modes, options.seed, str(keep) if keep else "")
    variants = (
        [_trained(one, step, folder, options, gpus) for step, folder in trained]
        if trained
        else _swept(one, options, gpus)
    )
    return Request(options, output, people, asked, modes, variants, gpus)


def _trained(
    one: ProtocolSettings, step: int, weights: Path, options: ProtocolOptions, gpus: float
) -> Variant:
    said = {**options.editor_options.given(), "weights": str(weights)}
    engine: Engine = resolve("editor", one.editor.name, said, gpus=gpus)
    keep = f"{one.keep}/step-{step:08d}" if one.keep else ""
    made = replace(one, editor=engine, keep=keep)
    return Variant(made, engine.settings.get("guidance"), step)


def _swept(one: ProtocolSettings, options: ProtocolOptions, gpus: float) -> list[Variant]:
    editor = one.editor
    if not options.sweep:
        return [Variant(one, editor.settings.get("guidance"))]
    if "guidance" not in accepted("editor", editor.name, {"guidance": 1.0}):
        raise JobError(f"--sweep: the editor {editor.name} has no guidance")
    said = options.editor_options.given()
    if "guidance" in said:
        raise JobError("--sweep and --guidance: give one of them")
    swept: list[Variant] = []
    for guidance in dict.fromkeys(options.sweep):
        engine: Engine = resolve("editor", editor.name, {**said, "guidance": guidance}, gpus=gpus)
        keep = f"{one.keep}/guidance-{guidance:g}" if one.keep else ""
        swept.append(Variant(replace(one, editor=engine, keep=keep), guidance))
    return swept


def _write(request: Request, results: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
    from pipeline.figures.protocol_page import write_protocol_page

    first = request.variants[0].settings
    drawn = request.options.identities == SYNTHETIC
    manifest = {
        "schema": SCHEMA,
        "request": request.digest,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "options": request.options.model_dump(mode="json"),
        "engines": {engine.kind: told_of(engine) for engine in first.engines},
        "seed": request.options.seed,
        "identities": [
            {"name": one.name, "source": one.source, "digest": one.digest}
            for one in request.identities
        ],
        "identities_count": len(request.identities),
        "cells": len(request.cells),
        "combinations": {
            "name": combinations.NAME,
            "sha256": combinations.digest(),
            "taken": sum(cell.kind == "combination" for cell in request.cells),
        },
        "differences": differences(first.judge.estimator.name, first.editor.name, drawn),
        "results": results,
    }
    write_csv(request.output / "protocol.csv", rows)
    write_protocol_page(request.output / "protocol.html", manifest)
    if request.options.checkpoints:
        from pipeline.figures.checkpoints import draw_checkpoints

        write_checkpoints_csv(request.output / "checkpoints.csv", results)
        draw_checkpoints(request.output / "checkpoints.png", results)
    write_json(request.output / "protocol.json", manifest)
