"""How long a job is expected to take: by earlier runs on this machine, else by what is known."""

from __future__ import annotations

import os
from dataclasses import dataclass

from engines.devices.cpu_rate import cpu_tflops
from jobs.animation.call import Call, doers
from jobs.animation.rates import taken_before

START_S = 5.0
"""Before the first task: Ray, and what its processes load."""
KEPT = "as in earlier runs"


@dataclass(frozen=True)
class Work:
    """What a job has before it.

    Attributes:
        clips, frames: of which something is made.
        crops: to be edited, taking every face as present.
        pictures: to be measured; `is_all` is False where there may be more.
        sample_s: that a picture took to measure just now, 0 where none was.
    """

    clips: int
    frames: int
    crops: int
    pictures: int
    is_all: bool = True
    sample_s: float = 0.0


def measuring_told(call: Call, work: Work, what: str) -> str:
    """How many pictures, and the time on this machine's cores."""
    least = "" if work.is_all else "at least "
    more = "" if work.is_all else "; a shot is measured whole, and where it ends is seen then"
    kept = _kept(call, "analyse")
    each = kept or work.sample_s
    if not each:
        return f"{least}{work.pictures} {what}{more}"
    by = KEPT if kept else "as the sample took"
    wall = time_told(work.pictures * each / _cores())
    return (
        f"{least}{work.pictures} {what}, about {wall} on the {_cores()} cores of this machine "
        f"({by}){more}"
    )


def editing_told(call: Call, work: Work) -> str:
    """By what it took here in an earlier run, else by what the editor is said to take."""
    editor = call.editor
    if editor.gpu_share:
        kept = _kept(call, "editor")
        each, actors = kept or editor.seconds_per_edit, max(1, int(call.gpus / editor.gpu_share))
        whole, wall = work.crops * each, work.crops * each / actors
        share = f"about {time_told(whole)} of a GPU, {time_told(wall)} on {call.gpus:g}"
        return f"{share}, at {each:.3g} s a picture, {KEPT if kept else 'not measured here'}"
    kept = _kept(call, "render")
    if not kept and editor.cpu_needs is not None and editor.cpu_needs.tflop:
        return f"about {time_told(work.crops * editor.cpu_needs.tflop / cpu_tflops())} of all cores"
    each = kept or editor.seconds_per_edit
    wall = time_told(work.crops * each / _cores())
    how = f"{KEPT}, with decoding and encoding" if kept else "the editor alone, not measured here"
    return f"about {wall} on this machine, at {each:.3g} s a picture, {how}"


def in_all_told(call: Call, work: Work) -> str:
    """The whole job's time on this machine's cores; nothing before a run has told all of it."""
    each = {name: _kept(call, name) for name in ("analyse", "render", "rest")}
    if call.editor.gpu_share or call.analysis.gpu_share or not all(each.values()):
        return ""
    counts = {"analyse": work.pictures, "render": work.crops, "rest": work.frames}
    seconds = {name: counts[name] * (each[name] or 0.0) for name in counts}
    parallel = (seconds["analyse"] + seconds["render"]) / _cores()
    whole = START_S + parallel + seconds["rest"] / min(_cores(), work.clips)
    least = "" if work.is_all else "at least "
    return f"{least}about {time_told(whole)} on this machine, {KEPT}, with its start and its end"


def _kept(call: Call, work: str) -> float | None:
    return taken_before(work, doers(call)[work], call.gpu_kinds)


def _cores() -> int:
    return os.cpu_count() or 1


def time_told(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
