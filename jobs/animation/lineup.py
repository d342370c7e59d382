"""What `jobs/faces.py` does with its options."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

from rich.console import Console

from jobs.animation.call import analysis_settings, asked_engines, gpus_for
from jobs.command_line.inputs import find_inputs
from jobs.command_line.options.faces import FacesOptions
from jobs.command_line.outputs import WORK, refuse_working_copy, video_rows
from jobs.command_line.places import check_folder_place
from jobs.command_line.progress import console
from jobs.command_line.report import Ledger, Report
from jobs.errors import JobError
from jobs.ray_cluster import cluster
from jobs.ray_cluster.nodes import RayNodes
from keyframes.load import load_sheet
from keyframes.sheet import KeyframeSheet
from pipeline.files import make_folder
from pipeline.media.views.choice import checked_view
from pipeline.rows import VideoRow
from pipeline.run_folder.store import VideoFolder
from pipeline.settings import AnalysisSettings
from pipeline.storage.copies import fetch


def run_lineup(clips: Sequence[str], options: FacesOptions) -> int:
    """Writes one sheet of the faces of all clips; exit status 1 when a clip could not be read.

    Raises:
        JobError, KeyframeError, EngineError, PipelineError: the call itself is wrong.
    """
    if not clips:
        raise JobError("got no clip; expected CLIP…: files, folders or globs")
    screen = console()
    inputs = find_inputs(clips)
    paths = [item.path for item in inputs.found]
    folder = _folder(options, paths)
    work = options.work or str(folder.parent / WORK)
    view = checked_view(options.view)
    videos, unread = video_rows(
        [(path, folder) for path in paths], work, uuid4().hex[:12], view=view
    )
    refused = [*inputs.refused, *unread]
    if not videos:
        raise JobError(refused[0].line)
    _check_folder(folder, options)
    check_folder_place(Path(videos[0]["work"]), "--work")
    sheet = load_sheet(options.curve) if options.curve else None
    asked = asked_engines(options)
    gpus = gpus_for(asked)
    settings = analysis_settings(options, asked, gpus)
    if sheet is not None:
        from pipeline.faces.recognise import check_people

        check_people(sheet)
    cluster.start()
    from jobs.animation.run import run_job
    from pipeline.graph import Job

    ledger = Ledger(videos, "analyse", refused)
    for engine in (settings.tracker, settings.estimator):
        engine.prepare(RayNodes(screen.print))

    def publish(seconds: float, unended: str = "") -> Report:
        return ledger.report({}, seconds, unended)

    report = run_job(videos, Job(settings, None), ledger, screen, publish)
    done = [video for video in videos if ledger.entries[video["video"]].status == "done"]
    if not done:
        raise JobError("no clip could be measured; nothing was written")
    _write(folder, done, settings, sheet, screen)
    return 1 if report.failed else 0


def _folder(options: FacesOptions, clips: Sequence[Path]) -> Path:
    if options.output:
        folder = Path(options.output).expanduser().absolute()
    elif len(clips) == 1:
        folder = clips[0].with_suffix(".faces")
    else:
        folder = clips[0].parent / "faces" if clips else Path.cwd() / "faces"
    refuse_working_copy(folder)
    return folder


def _check_folder(folder: Path, options: FacesOptions) -> None:
    from pipeline.figures.faces_sheet import SHEET

    check_folder_place(folder, "--output")
    if (folder / SHEET).exists() and not options.overwrite:
        raise JobError(f"--output {folder / SHEET}: exists already; pass --overwrite to replace it")


def _write(
    folder: Path,
    videos: Sequence[VideoRow],
    settings: AnalysisSettings,
    sheet: KeyframeSheet | None,
    screen: Console,
) -> None:
    from pipeline.faces.listing import Lineup
    from pipeline.faces.recognise import recognise
    from pipeline.faces.sightings import NOBODY
    from pipeline.faces.table import read_analysis
    from pipeline.figures.faces_sheet import FaceRow, write_pictures, write_sheet
    from pipeline.inspected import inspection_of

    make_folder(folder)
    stems = Counter(Path(video["source"]).stem for video in videos)
    lineup = Lineup()
    rows: list[FaceRow] = []
    for number, video in enumerate(videos, 1):
        kept = VideoFolder.of(video)
        fetch(Path(video["source"]), video["cache"])
        inspection = inspection_of(video)
        analysis = read_analysis(kept.analysis(settings.digest)).by_frame
        who = recognise(inspection, analysis, sheet) if sheet else NOBODY
        stem = Path(video["source"]).stem
        stem = stem if stems[stem] == 1 else f"{number}.{stem}"
        rows += write_pictures(folder, stem, inspection, lineup.faces_of(inspection, analysis), who)
    page, *others = write_sheet(folder, rows)
    named = [row for row in rows if row.name or row.perhaps]
    for row in named:
        what = f"{row.name} ({row.distance:.2f})" if row.name else f"unsure: {row.perhaps}"
        screen.print(f"{Path(row.clip).name}, shot {row.shot}, face {row.face}: {what}")
    screen.print(f"{len(rows)} faces; open first: {page}")
    screen.print(f"as data: {', '.join(map(str, others))}")
