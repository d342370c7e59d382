"""What `jobs/analyse.py` does with its options."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

from rich.console import Console

from jobs.animation.call import analysis_settings, asked_engines, gpus_for
from jobs.command_line.event_log import event_places
from jobs.command_line.inputs import find_inputs
from jobs.command_line.options.analyse import MeasureOptions
from jobs.command_line.outputs import is_one_of, refuse_working_copy, video_rows
from jobs.command_line.places import check_file_place, check_folder_place
from jobs.command_line.progress import console
from jobs.command_line.report import Ledger, Report, told_of
from jobs.command_line.stopping import stoppable
from jobs.errors import JobError
from jobs.ray_cluster import cluster
from jobs.ray_cluster.nodes import RayNodes
from jobs.ray_cluster.shared_storage import check_shared
from pipeline.faces.table import SUFFIXES, write_tables
from pipeline.files import stands
from pipeline.media.read.decoding.reader import choose_reader
from pipeline.media.views.choice import checked_view
from pipeline.rows import VideoRow
from pipeline.run_folder.store import VideoFolder
from pipeline.settings import AnalysisSettings


def run_measurement(options: MeasureOptions) -> int:
    """Measures every input into one table; exit status 1 when an input failed (the rest is there).

    Raises:
        JobError, EngineError: the call itself is wrong.
    """
    with stoppable():
        return 1 if measure(options, console()).failed else 0


def measure(options: MeasureOptions, screen: Console) -> Report:
    """The same, with a report, shown on a screen.

    Raises:
        JobError, EngineError: the call itself is wrong; nothing could be measured.
    """
    output = _checked_output(options)
    inputs = find_inputs(options.inputs)
    run_token = uuid4().hex[:12]
    pairs = [(item.path, output) for item in inputs.found]
    view = checked_view(options.view)
    how = pairs, options.work, run_token
    videos, unread = video_rows(*how, cache=options.cache_size, view=view)
    refused = [*inputs.refused, *unread]
    if not videos:
        raise JobError(f"--input {refused[0].line}")
    if is_one_of(output, [item.path for item in inputs.found]):
        raise JobError(f"--output {output}: is an input of this job")
    check_folder_place(Path(videos[0]["work"]), "--work")
    places = event_places(options.log_json, options.timeline, videos)
    asked = asked_engines(options)
    gpus = gpus_for(asked)
    settings = analysis_settings(options, asked, gpus)
    cluster.start()
    if not check_shared(videos):
        work = videos[0]["work"]
        raise JobError(f"the nodes do not share {work}: give --work on storage they share")
    from jobs.animation.run import run_job
    from pipeline.graph import Job

    ledger = Ledger(videos, "analyse", refused)
    engines = (settings.tracker, settings.estimator)
    told = {"output": str(output), "engines": {e.kind: told_of(e) for e in engines}}
    told |= {"reader": choose_reader(options.reader)._asdict()}

    listed = Path(options.report).expanduser().absolute() if options.report else None

    def publish(seconds: float, unended: str = "") -> Report:
        report = ledger.report(told, seconds, unended)
        if listed and unended:
            report.write(listed)
        elif listed:
            report.write_or_keep(listed, Path(videos[0]["work"]))
        return report

    with ExitStack() as ended:
        for engine in engines:
            ended.callback(engine.prepare(RayNodes(screen.print)))
        report = run_job(videos, Job(settings, None), ledger, screen, publish, places, listed)
    _write(videos, settings, ledger, output)
    screen.print(f"table: {output}")
    return report


def _checked_output(options: MeasureOptions) -> Path:
    output = Path(options.output).expanduser().absolute()
    refuse_working_copy(output)
    if output.suffix.lower() not in SUFFIXES:
        raise JobError(
            f"--output {options.output}: expected a name ending in {' or '.join(SUFFIXES)}"
        )
    if not options.overwrite and stands(output):
        raise JobError(f"--output {output}: exists already; pass --overwrite to replace it")
    check_file_place(output, "--output")
    if options.report:
        check_file_place(Path(options.report).expanduser().absolute(), "--report")
    return output


def _write(
    videos: list[VideoRow], settings: AnalysisSettings, ledger: Ledger, output: Path
) -> None:
    done = [v for v in videos if ledger.entries[v["video"]].status == "done"]
    if not done:
        raise JobError("no input could be measured; nothing was written")
    tables = {v["source"]: VideoFolder.of(v).analysis(settings.digest) for v in done}
    write_tables(output, tables)
