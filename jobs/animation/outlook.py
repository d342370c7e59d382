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

from engines.errors import EngineError
from engines.interface import AUEstimator, FaceTracker
from jobs.animation.call import Call
from jobs.animation.expected import Work, editing_told, in_all_told, measuring_told
from pipeline.errors import PipelineError
from pipeline.media.read.inspection import inspect_video
from pipeline.rows import VideoRow
from pipeline.run_folder.store import shown_state
from pipeline.source import Identity, at_hand
from pipeline.storage.urls import root_of, told, url_of

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
        clip_frames: all of its clip, of which it may make a part.
        crops: to be edited.
        unmeasured: frames of the shots with an edit that are not measured yet; `is_all` is False
            where there may be more.
        notes: what a person should know of the footage, one line each.
        per_frame: pictures that each frame is analysed and edited as: 2 of interlaced footage.
    """

    frames: int
    edited: int | None
    units: str
    is_standing: bool
    sample: int
    beside: int = 0
    clip_frames: int = 1
    crops: int = 0
    unmeasured: int = 0
    is_all: bool = True
    notes: tuple[str, ...] = ()
    per_frame: int = 1

    @property
    def share(self) -> float:
        """Of its clip that is made, 0…1."""
        return self.frames / self.clip_frames


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
    look = _look(call, made)
    work = _work(made, look)
    whole = f" ({work.crops} pictures: of each face, and of each field)"
    crops = whole if work.crops > edited else ""
    table.add_row("frames", f"{frames}, of which {edited} are edited{crops}{more}")
    table.add_row("faces", look if isinstance(look, str) else _faces(look))
    if plans := _plans(call):
        table.add_row("plans", plans)
    table.add_row("measuring", measuring_told(call, work, _what(made)))
    table.add_row("editing", editing_told(call, work))
    if whole := in_all_told(call, work):
        table.add_row("in all", whole)
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
    tracker.track(frames)  # what is made at first use is no part of a frame's time
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


def _work(made: Made, look: Look | str) -> Work:
    """Each clip's pictures once, whatever the number of curves."""
    clips: dict[tuple[str, str], Promise] = {}
    for video, promise in made:
        key = video["work"], shown_state(video)
        clips[key] = max(clips.get(key, promise), promise, key=lambda each: each.unmeasured)
    return Work(
        clips=len(clips),
        frames=sum(promise.clip_frames for promise in clips.values()),
        crops=sum(promise.crops for _, promise in made),
        pictures=sum(each.unmeasured * each.per_frame for each in clips.values()),
        is_all=all(each.is_all for each in clips.values()),
        sample_s=0.0 if isinstance(look, str) else look.seconds,
    )


def _what(made: Made) -> str:
    return "pictures" if any(promise.per_frame > 1 for _, promise in made) else "frames"


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
