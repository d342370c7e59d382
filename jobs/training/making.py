"""What `jobs/make_pairs.py` does: footage is measured, and each clip cut by a task of Ray Data."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from engines.editors.magicface.training.examples.pairs import FACTS, PairsFacts, Provenance
from engines.errors import EngineError
from engines.weights.file_hash import file_sha256
from jobs.animation.measurement import measure
from jobs.command_line.inputs import find_inputs
from jobs.command_line.options.analyse import MeasureOptions
from jobs.command_line.outputs import is_one_of, refuse_working_copy
from jobs.command_line.places import check_folder_place
from jobs.command_line.progress import console
from jobs.errors import JobError
from jobs.ray_cluster import lone_machine
from jobs.training.pair_options import PairOptions, provenance_of, read_provenance
from pipeline.errors import PipelineError
from pipeline.faces.table import read_analysis_of
from pipeline.figures.pairs_sheet import draw_pairs_sheet
from pipeline.media.read.inspection import inspect_video
from pipeline.pairs.clip import make_clip
from pipeline.pairs.drawn import drawn_people, make_drawn
from pipeline.pairs.folder import ClipPairs, publish_pairs
from pipeline.pairs.pictures import CropSettings
from pipeline.pairs.rules import PairRules
from pipeline.run_folder import lease
from pipeline.settings import digest_of
from pipeline.source import at_hand

TABLE = "analysis.parquet"
STATE = "_work"
SHEET = "pairs.png"
CUT_VERSION = 3
"""Raise when pairs are chosen or cut otherwise: those on disk are then made anew."""


def run_making(options: PairOptions) -> int:
    """Makes a folder of pairs; exit status 1 when an input failed, and the rest is there.

    Raises:
        JobError, EngineError, PipelineError: the call is wrong, or there is not one pair.
    """
    output = Path(options.output).expanduser().absolute()
    refuse_working_copy(output)
    check_folder_place(output, "--output")
    options.rules()
    said = read_provenance(options.provenance)
    videos = [item.path for item in find_inputs(options.inputs).found]
    known = {str(video): provenance_of(video, said) for video in videos}
    if not options.without_provenance:
        _refuse_unknown([provenance for provenance, _ in known.values()])
    table = output / TABLE
    if is_one_of(table, videos):
        raise JobError(f"--output {options.output}: is an input of this job")
    with lease.Run(uuid4().hex[:12], output) as run:
        run.claim(output / FACTS)
        return _made(options, videos, known)


def _made(
    options: PairOptions, videos: list[Path], known: dict[str, tuple[Provenance, str]]
) -> int:
    output = Path(options.output).expanduser().absolute()
    table, screen = output / TABLE, console()
    report = measure(_measuring(options, table, output / STATE), screen)
    rules, crops = options.rules(), options.crops()
    failed = {entry.input: entry.error for entry in report.failed}
    done = [video for video in videos if str(video) not in failed]
    cut = _cut([_item(video, table, options, output / STATE) for video in done], rules, crops)
    failed |= {row["video"]: row["error"] for row in cut if row["error"]}
    for video, error in failed.items():
        screen.print(f"{video}: {error}")
    clips = [
        ClipPairs(Path(row["part"]), row["sha256"], *known[row["video"]])
        for row in cut
        if not row["error"]
    ]
    if not clips:
        raise JobError("no input gave pairs; nothing was written")
    clips += _drawn(clips, options, output / STATE)
    au_by = str(report.settings["engines"]["AU estimator"]["name"])
    facts = publish_pairs(output, clips, rules, crops, held_out=options.held_out, au_by=au_by)
    draw_pairs_sheet(output, output / SHEET)
    for line in told(facts):
        screen.print(line)
    screen.print(f"pairs: {output / FACTS}")
    return 1 if failed else 0


def _refuse_unknown(known: list[Provenance]) -> None:
    for provenance in known:
        if provenance.fault:
            raise JobError(
                f"{provenance.name}: {provenance.fault}; expected --provenance FILE with licence, "
                "consent and may_train of every input, or --without-provenance"
            )


def _measuring(options: PairOptions, table: Path, work: Path) -> MeasureOptions:
    return MeasureOptions(
        inputs=options.inputs,
        output=str(table),
        tracker=options.tracker,
        au=options.au,
        work=str(work),
        cache_size=options.cache_size,
        overwrite=True,
        tracker_options=options.tracker_options,
        au_options=options.au_options,
    )


def _item(video: Path, table: Path, options: PairOptions, work: Path) -> dict[str, Any]:
    """A clip for a task; its part's name says all that it depends on."""
    rules, crops = options.rules(), options.crops()
    with at_hand(str(video), "", options.cache_size):
        sha256 = file_sha256(video)
    seen = read_analysis_of(str(video), table)
    faces = [part.tobytes().hex() for part in (seen.frame, seen.landmarks_px, seen.intensity)]
    digest = digest_of(CUT_VERSION, asdict(rules), asdict(crops), faces)
    return {
        "video": str(video),
        "sha256": sha256,
        "table": str(table),
        "cache": options.cache_size,
        "part": str(work / "cut" / f"{sha256[:16]}-{digest}.parquet"),
    }


def _cut(
    items: list[dict[str, Any]], rules: PairRules, crops: CropSettings
) -> list[dict[str, Any]]:
    """The clips with `error`, in the order they came; those that were cut before are not again."""
    data = lone_machine.data()
    todo = [item for item in items if not Path(item["part"]).is_file()]
    made: dict[str, dict[str, Any]] = {}
    if todo:
        dataset = data.from_items(todo, override_num_blocks=len(todo))
        rows = dataset.map(partial(cut_row, rules=rules, crops=crops), num_cpus=1).take_all()
        made = {row["video"]: row for row in rows}
    return [made.get(item["video"], item | {"error": ""}) for item in items]


def _drawn(clips: list[ClipPairs], options: PairOptions, work: Path) -> list[ClipPairs]:
    """Drawn people, so many that their pairs are the share of all that was asked for."""
    rules, crops = options.rules(), options.crops()
    people = drawn_people(
        [clip.part for clip in {clip.sha256: clip for clip in clips}.values()],
        options.shares()["heads"],
        rules,
        crops,
        work / "cut",
    )
    todo = [
        {"number": one.number, "pairs": one.pairs, "digest": one.digest, "part": str(one.part)}
        for one in people
        if not one.part.is_file()
    ]
    if todo:
        dataset = lone_machine.data().from_items(todo, override_num_blocks=len(todo))
        dataset.map(partial(draw_row, crops=crops, seed=rules.seed), num_cpus=1).take_all()
    return [ClipPairs(one.part, one.digest, one.provenance, one.name) for one in people]


def draw_row(row: dict[str, Any], crops: CropSettings, seed: int) -> dict[str, Any]:
    """One drawn person's task."""
    make_drawn(row["number"], row["pairs"], row["digest"], crops, seed, Path(row["part"]))
    return row


def cut_row(row: dict[str, Any], rules: PairRules, crops: CropSettings) -> dict[str, Any]:
    """One clip's task; what is wrong with a clip is a column, and the others go on."""
    try:
        analysis = read_analysis_of(row["video"], Path(row["table"]))
        with at_hand(row["video"], "", int(row["cache"])):
            inspection = inspect_video(row["video"])
            make_clip(inspection, analysis, rules, crops, Path(row["part"]), row["sha256"])
    except (PipelineError, EngineError, OSError) as error:
        return row | {"error": " ".join(str(error).split())}
    return row | {"error": ""}


def told(facts: PairsFacts) -> list[str]:
    """What a person wants to know of a set of pairs."""
    statistics = facts.statistics
    counts = ", ".join(f"{name} {count}" for name, count in statistics["counts"].items())
    moved = ", ".join(
        f"{name} {known['over_1']:.0%}" for name, known in statistics["au_change"].items()
    )
    kinds = ", ".join(f"{count} {kind}" for kind, count in statistics["kinds"].items())
    return [
        f"{facts.pairs} pairs of {statistics['people']} people, {statistics['held_out_pairs']} "
        f"held out; AUs by {facts.au_by}; by kind: {kinds}",
        f"what each rule left: {counts}",
        f"share of pairs that change an AU by more than 1: {moved}",
    ]
