"""The only rows that travel between stages: descriptors and verdicts, never pixels.

Rows are plain columns, so that any of them can be read in Ray's own tools. Frames, faces and pieces
lie in the run folder (run_folder/store.py); a row says which to read or what became of them.
"""

from __future__ import annotations

from typing import Any, TypedDict, cast

WHOLE_VIDEO = -1
"""`number` of a row that speaks of a whole video."""


class VideoRow(TypedDict):
    """Into inspect, plan, finish and plot: one video.

    `video` names the pair of source and output; `identity` is the source's when the job began
    (pipeline/source.py); `request` names all that the output depends on; `run` is the run's token;
    `curve` is where its own curve is kept (run_folder/own_curve.py), empty where the job has one;
    `cache` is how many bytes copies of objects in stores may take on a machine (pipeline/storage);
    `view` is what engines are shown of it (pipeline/media/views), empty where its tags say.
    """

    video: str
    source: str
    identity: str
    output: str
    work: str
    request: str
    run: str
    curve: str
    cache: int
    view: str


class PlanRow(VideoRow):
    """Into plan: with what of the cluster the clip may have (pipeline/edit/segments.py, Hands)."""

    workers: int
    calls: int


class SpanRow(VideoRow):
    """Into analyse and render: frames first…last (inclusive), and the digest of their piece."""

    number: int
    first: int
    last: int
    digest: str


class StudyRow(TypedDict):
    """Into a study: some of what is asked of one person (pipeline/studies).

    `video` is the person's name, `source` where their picture comes from, `identity` the picture's
    digest; first…last are what is asked, in the study's own order; `digest` names the result.
    """

    video: str
    source: str
    identity: str
    work: str
    number: int
    first: int
    last: int
    digest: str


class StageRow(TypedDict):
    """Out of every stage: what was done, or why not.

    `number` is the chunk or segment, or WHOLE_VIDEO; `error` is one line, empty when all is well;
    `seconds` is the stage's own time and `cpu_s` its process's CPU time meanwhile; `edit_s` is what
    its process's editor takes for a crop, in seconds, 0 where that is not known; `frames`,
    `edited`, `faceless` and `copied` (the source's own packets) count this row's frames; `pictures`
    counts what was measured (a frame, or each of its fields) or edited (of each face); `notes`
    are lines for the report, joined by newlines; `people` likewise, who the faces are; `encoded`
    says how an output was encoded, `elements` where its elements lie, a line each. A row of stage
    `inspect` or `plan` with a number is work still to do: the chunk or segment first…last, and the
    `digest` that names a segment's piece.
    """

    video: str
    stage: str
    number: int
    first: int
    last: int
    digest: str
    frames: int
    edited: int
    faceless: int
    copied: int
    pictures: int
    edit_s: float
    seconds: float
    cpu_s: float
    error: str
    notes: str
    people: str
    encoded: str
    elements: str


def is_still_to_do(row: StageRow) -> bool:
    """Whether a row speaks of work to come: a chunk or segment that was found, not done."""
    return row["stage"] in ("inspect", "plan") and row["number"] != WHOLE_VIDEO


def stage_row(video: str, stage: str, number: int = WHOLE_VIDEO, **values: Any) -> StageRow:
    """A row with everything not named at rest."""
    rest: dict[str, Any] = {"first": 0, "last": -1, "digest": "", "frames": 0, "edited": 0}
    rest |= {"faceless": 0, "copied": 0, "pictures": 0, "elements": "", "edit_s": 0.0}
    rest |= {"seconds": 0.0, "cpu_s": 0.0, "error": "", "notes": "", "people": "", "encoded": ""}
    return cast(StageRow, {"video": video, "stage": stage, "number": number, **rest, **values})
