"""What a whole job would take, told before any of it is done: frames, faces, time and room."""

from __future__ import annotations

import os
import shutil
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from engines.devices.cpu_rate import cpu_tflops
from engines.errors import EngineError
from engines.interface import AUEstimator, FaceTracker
from jobs.animation.call import Call
from jobs.animation.rates import taken_before
from pipeline.errors import PipelineError
from pipeline.media.read.inspection import inspect_video
from pipeline.rows import VideoRow
from pipeline.source import Identity, at_hand
from pipeline.storage.urls import root_of, told, url_of
from pipeline.store import VideoFolder, shown_state

SAMPLED = 16
"""Clips in which faces are looked for, in one frame each."""


@dataclass(frozen=True)
class Promise:
    """What a run would do with one video.

    Attributes:
        frames: it has.
        edited: that would be; None where a driving video says, which is not measured yet.
        units: that move.
        is_standing: its output is up to date.
        sample: the frame in the middle of its edit.
        beside: bytes of what compositors get beside it, roughly.
        share: of its clip that is made, 0…1.
        notes: what a person should know of the footage, one line each.
        per_frame: pictures that each frame is analysed and edited as: 2 of interlaced footage.
    """

    frames: int
    edited: int | None
    units: str
    is_standing: bool
    sample: int
    beside: int = 0
    share: float = 1.0
    notes: tuple[str, ...] = ()
    per_frame: int = 1


@dataclass(frozen=True)
class Look:
    """Faces in a sample of frames, and what it took to find and measure one frame's, in seconds."""

    looked: int
    faceless: tuple[str, ...]
    seconds: float


Made = Sequence[tuple[VideoRow, Promise]]


def outlook(call: Call, promised: Made, failing: int) -> Table:
    """The table that ends a dry run.

    Args:
        promised: of all videos that could be made.
        failing: entries that could not.
    """
    table = Table("before the work", "", title=None)
    made = [(video, promise) for video, promise in promised if not promise.is_standing]
    standing = len(promised) - len(made)
    table.add_row("videos", f"{len(made)} to make, {standing} up to date, {failing} would fail")
    if not made:
        return table
    edited = sum(promise.edited or 0 for _, promise in made)
    driven = sum(promise.edited is None for _, promise in made)
    more = f", and what the driving videos of {driven} clips show" if driven else ""
    frames = sum(promise.frames for _, promise in made)
    crops = sum((promise.edited or 0) * promise.per_frame for _, promise in made)
    fields = f" ({crops} pictures: interlaced frames as two fields)" if crops > edited else ""
    table.add_row("frames", f"{frames}, of which {edited} are edited{fields}{more}")
    look = _look(call, made)
    table.add_row("faces", look if isinstance(look, str) else _faces(look))
    if plans := _plans(call):
        table.add_row("plans", plans)
    table.add_row("measuring", _measuring(call, made, look))
    table.add_row("editing", _editing(call, crops))
    for line in _room(made):
        table.add_row("room", line)
    for line in _stores(call, made):
        table.add_row("store", line)
    return table


def _look(call: Call, made: Made) -> Look | str:
    """A look at some of the clips, spread over all; or why there is none."""
    if call.analysis.gpu_share:
        return "not looked for: the tracker waits for a GPU"
    from pipeline.actors import loaded

    try:
        tracker, estimator = loaded(call.analysis.tracker), loaded(call.analysis.estimator)
        seen = [_seen(*one, tracker, estimator) for one in made[:: -(-len(made) // SAMPLED)]]
    except (EngineError, PipelineError) as error:
        return f"not looked for: {error}"
    seconds = [seconds for _, seconds in seen if seconds]
    faceless = tuple(where for where, _ in seen if where)
    return Look(len(seen), faceless, statistics.median(seconds) if seconds else 0.0)


def _seen(
    video: VideoRow, promise: Promise, tracker: FaceTracker, estimator: AUEstimator
) -> tuple[str, float]:
    """Clip and frame where no face is, else nothing; and the seconds that one frame took."""
    from pipeline.quality.clip import frame_at

    with at_hand(video["source"], video["identity"], video["cache"]):
        frames = [frame_at(inspect_video(video["source"], video["view"]), promise.sample)]
    begun = time.perf_counter()
    faces = tracker.track(frames)
    estimator.measure(frames, faces)
    taken = time.perf_counter() - begun
    if faces[0]:
        return "", taken
    return f"{Path(video['source']).name} (frame {promise.sample})", 0.0


def _faces(look: Look) -> str:
    found = look.looked - len(look.faceless)
    told = f"in {found} of the {look.looked} clips looked at, in one frame each"
    return f"{told}; none in {', '.join(look.faceless)}" if look.faceless else told


def _plans(call: Call) -> str:
    """What the editor needs built; on other machines that is asked by a task on a GPU of each."""
    if os.environ.get("RAY_ADDRESS"):
        return "looked for on each node when the job begins" if call.editor.gpu_share else ""
    try:
        return call.editor.readiness()
    except EngineError as error:
        return str(error)


def _measuring(call: Call, made: Made, look: Look | str) -> str:
    """Each clip's frames once, whatever the number of curves; nothing where that is kept."""
    clips = {
        (video["work"], shown_state(video)): (video, promise.frames * promise.per_frame)
        for video, promise in made
    }
    left = sum(
        frames
        for video, frames in clips.values()
        if not VideoFolder.of(video).analysis(call.analysis_digest).is_file()
    )
    if isinstance(look, str) or not look.seconds:
        return f"{left} {_what(made)}"
    cores = os.cpu_count() or 1
    wall = _time(left * look.seconds / cores)
    said = f"{left} {_what(made)}, about {wall}"
    return f"{said} on the {cores} cores of this machine (as the sample took)"


def _what(made: Made) -> str:
    return "pictures" if any(promise.per_frame > 1 for _, promise in made) else "frames"


def _editing(call: Call, crops: int) -> str:
    """By what the editor took here in an earlier run, else by what it is said to take."""
    editor = call.editor
    measured = taken_before(editor, call.gpu_kinds)
    each = measured or editor.seconds_per_edit
    rate = f"at {each:.3g} s a frame, {'as in earlier runs' if measured else 'not measured here'}"
    if editor.gpu_share:
        actors = max(1, int(call.gpus / editor.gpu_share))
        on_all = _time(crops * each / actors)
        return f"about {_time(crops * each)} of a GPU, {on_all} on {call.gpus:g}, {rate}"
    if not measured and editor.cpu_needs is not None and editor.cpu_needs.tflop:
        return f"about {_time(crops * editor.cpu_needs.tflop / cpu_tflops())} of all cores"
    return f"about {_time(crops * each / (os.cpu_count() or 1))} on this machine, {rate}"


def _room(made: Made) -> list[str]:
    """What would be written by disk, and what is free, if outputs take what their sources do.

    All is written twice: as pieces in the work folder, and as the output.
    """
    needs: Counter[int] = Counter()
    places: dict[int, Path] = {}
    for video, promise in made:
        of_clip = round(Identity.parse(video["identity"]).size * promise.share)
        size = of_clip + promise.beside
        for folder in (Path(video["output"]).parent, Path(video["work"])):
            here = root_of(folder).parent if url_of(folder) else folder
            place = next(p for p in (here, *here.parents) if p.exists())
            device = place.stat().st_dev
            places.setdefault(device, place)
            needs[device] += size
    return [_told(need, places[device]) for device, need in needs.items()]


def _stores(call: Call, made: Made) -> list[str]:
    """What was tried of the stores that the call names: `checked` has done it."""
    read = {str(url_of(video["source"])) for video, _ in made if url_of(video["source"])}
    folders = {Path(video["output"]).parent for video, _ in made} | {call.report.parent}
    lines = [f"{told(url)} can be written" for url in sorted(filter(None, map(url_of, folders)))]
    if read:
        size = sum(Identity.parse(video["identity"]).size for video, _ in made)
        most = f"of which {_size(call.options.cache_size)} at once are kept on a machine"
        lines.append(f"{len(read)} inputs can be read, {_size(size)}, {most} at most")
    return lines


def _told(need: int, place: Path) -> str:
    free = shutil.disk_usage(place).free
    short = "; NOT ENOUGH: the run would wait for room" if free < need else ""
    return f"about {_size(need)} to write, {_size(free)} free in {place}{short}"


def _size(count: int) -> str:
    return f"{count / 1e9:.3g} GB" if count >= 1e9 else f"{count / 1e6:.3g} MB"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
