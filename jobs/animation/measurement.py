"""What `jobs/analyse.py` does with its options."""

from __future__ import annotations

from pathlib import Path

from jobs.animation.animation import resources
from jobs.animation.choose import analysis_settings, choose
from jobs.command_line.inputs import expand_inputs, refuse_working_copy, video_rows
from jobs.command_line.options import MeasureOptions
from jobs.command_line.progress import console
from jobs.command_line.report import Ledger, Report
from jobs.errors import JobError
from jobs.ray_cluster import cluster
from pipeline.faces.table import SUFFIXES, write_tables
from pipeline.rows import VideoRow
from pipeline.settings import AnalysisSettings
from pipeline.store import VideoFolder


def run_measurement(options: MeasureOptions) -> int:
    """Measures every input into one table; exit status 1 when an input failed (the rest is there).

    Raises:
        JobError, EngineError: the call itself is wrong.
    """
    output = _checked_output(options)
    inputs = expand_inputs(options.inputs)
    videos = video_rows(inputs, [output] * len(inputs), options.work)
    screen = console()
    cluster.start()
    from jobs.animation.run import run_job
    from pipeline.graph import Job

    cpus, gpus = cluster.size()
    au_settings = {"weights": options.au_weights} if options.au_weights else {}
    tracker = choose("tracker", options.tracker, {}, ("fan", "mesh"), gpus)
    estimator = choose("AU estimator", options.au, au_settings, ("libreface", "mesh"), gpus)
    settings = analysis_settings(tracker, estimator)
    ledger = Ledger(videos, "analyse")

    def publish(seconds: float) -> Report:
        chosen = {"tracker": tracker.choice.name, "AU estimator": estimator.choice.name}
        report = ledger.report({"output": str(output), "engines": chosen}, seconds)
        if options.report:
            report.write(options.report.absolute())
        return report

    job = Job(
        settings, None, resources({"tracker": tracker, "AU estimator": estimator}, cpus, gpus)
    )
    status = run_job(videos, job, ledger, screen, publish)
    _write(videos, settings, ledger, output)
    screen.print(f"table: {output}")
    return status


def _checked_output(options: MeasureOptions) -> Path:
    output = options.output.expanduser().absolute()
    refuse_working_copy(output)
    if output.suffix.lower() not in SUFFIXES:
        raise JobError(
            f"--output {options.output}: expected a name ending in {' or '.join(SUFFIXES)}"
        )
    if output.exists() and not options.overwrite:
        raise JobError(f"--output {output}: exists already; pass --overwrite to replace it")
    return output


def _write(
    videos: list[VideoRow], settings: AnalysisSettings, ledger: Ledger, output: Path
) -> None:
    done = [v for v in videos if ledger.entries[v["video"]].status == "done"]
    if not done:
        raise JobError("no input could be measured; nothing was written")
    tables = {
        v["source"]: VideoFolder.of(v["work"], v["video"], v["output"]).analysis(settings.digest)
        for v in done
    }
    write_tables(output, tables)
