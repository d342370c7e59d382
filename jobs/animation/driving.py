"""Driving videos: a curve file may take its performance from another clip, measured first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from rich.console import Console

from jobs.animation.call import Call
from jobs.command_line.curves import Sheets
from jobs.command_line.inputs import Asked, Refused, expand_inputs
from jobs.command_line.outputs import video_rows
from jobs.command_line.report import Ledger
from jobs.errors import JobError
from keyframes.au import CODE_COLUMNS
from keyframes.errors import KeyframeError
from keyframes.formats.recognise import read_table
from keyframes.formats.rows.options import Options
from keyframes.sheet import KeyframeSheet
from keyframes.sources.performance import PerformanceTable
from pipeline.graph import Job, run
from pipeline.run_folder.store import VideoFolder


def measured(call: Call, job: Job, screen: Console) -> Call:
    """The call with the driving videos of its curves measured.

    Of several curves, the videos of one that cannot be are refused and the others made.

    Args:
        job: an analysis of the footage.
    Raises:
        JobError, KeyframeError: as `with_driving_videos`, where all videos have one curve.
    """
    work = Path(call.videos[0]["work"])
    sheets: Sheets = {}
    lost: dict[Asked, str] = {}
    for asked, sheet in call.shots.sheets.items():
        try:
            sheets[asked] = with_driving_videos(sheet, work, job, screen)
        except (JobError, KeyframeError) as error:
            if call.sheet is not None:
                raise
            sheets[asked], lost[asked] = sheet, str(error)
    asked_of = call.shots.asked
    kept = [video for video in call.videos if asked_of[video["video"]] not in lost]
    refused = [
        Refused(video["source"], lost[asked], video["output"], asked)
        for video in call.videos
        if (asked := asked_of[video["video"]]) in lost
    ]
    return call.having(sheets=sheets, videos=kept, refused=[*call.shots.refused, *refused])


def with_driving_videos(
    sheet: KeyframeSheet, work: Path, job: Job, screen: Console
) -> KeyframeSheet:
    """The sheet with every driving video it names measured, by the same engines as the footage.

    Args:
        work: folder that keeps the analyses, so that the next run does not measure again.
        job: an analysis of the footage.
    Raises:
        JobError: a driving video that is missing or cannot be measured.
        KeyframeError: the face it asks for is not in it.
    """
    wanted = sheet.videos()
    if not wanted:
        return sheet
    paths = expand_inputs([video for video, _ in wanted])
    made, refused = video_rows([(path, path) for path in paths], str(work), uuid4().hex[:12])
    if refused:
        raise JobError(f"driving video {refused[0].line}")
    rows = {row["source"]: row for row in made}
    screen.print(f"driving video: {', '.join(path.name for path in paths)}")
    ledger = Ledger(list(rows.values()), "analyse")
    run(list(rows.values()), job, ledger.on_row)
    for entry in ledger.entries.values():
        if entry.status != "done":
            raise JobError(f"driving video {entry.input}: {entry.error or 'was not measured'}")
    tables: dict[tuple[str, int], PerformanceTable] = {}
    for video, track in wanted:
        taken = Options(track=track, aus=tuple(CODE_COLUMNS))  # what each layer uses of it, it says
        row = rows[str(Path(video).absolute())]
        folder = VideoFolder.of(row)
        table = read_table(folder.analysis(job.analysis.digest), "analysis", taken)
        tables[video, track] = replace(table, source=f"{video} (driving video)")
    return sheet.with_tables(tables)
