"""`--dry-run`: what a checked call would do; nothing is written."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from jobs.animation.announcing import announce
from jobs.animation.call import Call, refuse_a_single_standing_output, standing_output
from jobs.animation.outlook import Promise, outlook
from keyframes.au import AU_NAMES, LID_NAMES, AUIntensity
from keyframes.errors import KeyframeError
from keyframes.sheet import KeyframeSheet
from pipeline.errors import PipelineError
from pipeline.inspected import bounds_of, part_of
from pipeline.media.read.decoding.reader import check_reader
from pipeline.media.read.inspection import Inspection, inspect_video
from pipeline.media.views.flat import flat_told
from pipeline.media.write.check import check_output
from pipeline.media.write.containers import muxer_of
from pipeline.media.write.elements.check import check_elements, estimated_bytes
from pipeline.media.write.elements.element import elements_of
from pipeline.pieces import encode_settings
from pipeline.rows import VideoRow
from pipeline.run_folder.store import VideoFolder
from pipeline.source import at_hand
from pipeline.stages.common import touched_frames
from pipeline.stages.forecast import frames_to_measure

HEADINGS = ("frames", "asked for", "AUs", "output")
LOOKED_S = 10.0
"""How long, of all clips together, the ends of shots are looked for."""
_NAMES = (*AU_NAMES, *LID_NAMES)


def describe(call: Call, screen: Console) -> int:
    """Prints the engines and one row per entry; exit status 1 when one of them could not be made.

    Raises:
        JobError: its one output stands already and was made from something else.
    """
    if not any(sheet.videos() for sheet in call.shots.sheets.values()):
        refuse_a_single_standing_output(call)  # else it depends on what is measured in them
    for engine in call.engines.values():
        announce(screen, engine)
    sheets = list(call.shots.sheets.values())
    curves = f"curve {sheets[0].name}" if len(sheets) == 1 else f"{len(sheets)} curves"
    table = Table(title=f"{curves}: nothing is written")
    for heading in ("input", *(["curve"] if sheets[1:] else []), *HEADINGS):
        table.add_column(heading, overflow="fold")
    failed = len(call.shots.refused)
    promised: list[tuple[VideoRow, Promise]] = []
    until = time.monotonic() + LOOKED_S
    for video in call.videos:
        try:
            promise = _promise(call, video, until)
            promised.append((video, promise))
            cells = (*_cells(promise), video["output"])
        except (PipelineError, KeyframeError) as error:
            failed += 1
            cells = ("—", f"would fail: {error}", "", "")
        table.add_row(video["source"], *([_curve(call, video)] if sheets[1:] else []), *cells)
    for entry, why, output, asked in call.shots.refused:
        curve = [asked.curve] if sheets[1:] else []
        table.add_row(entry, *curve, "—", f"would fail: {why}", "", output)
    screen.print(table)
    screen.print(outlook(call, promised, failed))
    for line in _notes(promised):
        screen.print(line)
    return 1 if failed else 0


def _notes(promised: Sequence[tuple[VideoRow, Promise]]) -> list[str]:
    """What the run would say of the footage; of several clips at once where it is the same."""
    clips: dict[str, list[str]] = {}
    for video, promise in promised:
        for note in promise.notes:
            clips.setdefault(note, []).append(Path(video["source"]).name)
    return [
        f"note: {names[0]}{f' and {len(names) - 1} more' if names[1:] else ''}: {note}"
        for note, names in clips.items()
    ]


def _curve(call: Call, video: VideoRow) -> str:
    """A curve by its name, and what its row says in place of its layers."""
    said = call.shots.asked[video["video"]]
    told = [f"{name} {text}" for name, text in said._asdict().items() if text and name != "curve"]
    return ", ".join((call.sheet_of(video).name, *told))


def _cells(promise: Promise) -> tuple[str, str, str]:
    if promise.is_standing:
        asked = "nothing: up to date"
    elif promise.edited is None:
        asked = "what its driving video shows"
    else:
        asked = f"{promise.edited} frames"
    return str(promise.frames), asked, promise.units


def _promise(call: Call, video: VideoRow, until: float) -> Promise:
    muxer_of(video["output"])
    with at_hand(video["source"], video["identity"], video["cache"]):
        inspection = inspect_video(video["source"], video["view"])
    check_reader(video["source"], inspection.info, inspection.index, call.analysis.reader)
    part = part_of(inspection, call.render.only)
    encode, made = encode_settings(inspection, call.render), part.of_its_own
    told = check_output(inspection.info, encode, video["output"], made.index)
    only = call.render.only
    beyond = (only.beyond(inspection.timeline),) if only else ()
    notes = *inspection.info.warnings, *flat_told(inspection.info), *inspection.index.notes, *told
    notes = tuple(filter(None, (*notes, *beyond)))
    places = Path(video["output"]), Path(video["work"])
    check_elements(made, call.render.elements, *places)
    first, frames = bounds_of(inspection, only)[0], part.frames
    beside = sum(
        estimated_bytes(one, inspection.info, frames) for one in elements_of(call.render.elements)
    )
    known: dict[str, Any] = {"beside": beside, "notes": notes, "clip_frames": inspection.frames}
    known["per_frame"] = 2 if inspection.info.interlaced else 1
    sheet = call.sheet_of(video)
    if sheet.videos():
        sample, known["unmeasured"] = first + frames // 2, inspection.frames
        return Promise(frames, None, "", is_standing=False, sample=sample, **known)
    stands = standing_output(call, video)
    if stands:
        raise PipelineError(stands)
    edited, crops, units = _asked_for(sheet, part)
    sample = first + (int(edited[len(edited) // 2]) if len(edited) else frames // 2)
    known["crops"] = crops * known["per_frame"]
    if stands is None:
        known["unmeasured"], known["is_all"] = _unmeasured(call, video, inspection, until)
    return Promise(frames, len(edited), units, stands == "", sample, **known)


def _unmeasured(
    call: Call, video: VideoRow, inspection: Inspection, until: float
) -> tuple[int, bool]:
    wanted = touched_frames(call.sheet_of(video), inspection, call.render.only)
    folder, digest = VideoFolder.of(video), call.analysis_digest
    with at_hand(video["source"], video["identity"], video["cache"]):
        return frames_to_measure(inspection, wanted, folder, digest, until)


def _asked_for(sheet: KeyframeSheet, inspection: Inspection) -> tuple[NDArray[np.intp], int, str]:
    """Frames with a delta, how often for all faces, and the AUs that move, taking every face as
    present and neutral."""
    neutral = AUIntensity.level(inspection.frames)
    active = np.zeros(inspection.frames, bool)
    moved, crops = np.zeros(len(_NAMES), bool), 0
    for face in sheet.targets():
        delta = sheet.evaluate(inspection.timeline, neutral, face=face).delta
        active |= delta.active
        crops += int(delta.active.sum())
        moved |= (np.hstack([delta.values, delta.lids]) != 0).any(axis=0)
    units = " ".join(name for name, moves in zip(_NAMES, moved, strict=True) if moves)
    return np.flatnonzero(active), crops, units
