"""Taking the outputs of a call for this run, before anything starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jobs.animation.call import Call
from jobs.command_line.inputs import Refused
from jobs.errors import JobError
from pipeline.rows import VideoRow
from pipeline.run_folder.lease import BusyError, Run


@dataclass(frozen=True)
class Claimed:
    """Rows of the videos that are ours, and those that another run is writing."""

    videos: list[VideoRow]
    busy: list[Refused]


def claim_outputs(call: Call, run: Run) -> Claimed:
    """Claims every output; its row then names this run.

    Raises:
        JobError: another run is writing all of them; the line says which.
        OSError: a folder cannot be written.
    """
    ours: list[VideoRow] = []
    busy: list[Refused] = []
    for video in call.videos:
        try:
            run.claim(Path(video["output"]))
        except BusyError as error:
            asked = call.shots.asked[video["video"]]
            busy.append(Refused(video["source"], str(error), video["output"], asked))
        else:
            ours.append({**video, "run": run.token})
    if not ours:
        raise JobError(busy[0].why)
    return Claimed(ours, busy)
