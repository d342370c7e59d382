"""One segment: decode, edit the frames that ask for it, encode a piece. No Ray."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from pipeline.edit.batcher import CropEdit, CropRequest, MicroBatcher
from pipeline.edit.composite import paste_residual
from pipeline.edit.library import Library
from pipeline.edit.plan import EditPlan
from pipeline.edit.segments import Span
from pipeline.media.colour import crop_rgb
from pipeline.media.read.decode import decode_range
from pipeline.media.read.inspection import Inspection
from pipeline.media.read.source_packets import SourceFrames
from pipeline.media.write.encoding.encode import EncodeSettings, PieceWriter


@dataclass
class Rendered:
    """What became of a segment.

    Attributes:
        is_changed: of the frame given last: a sample of it is another than its source's.
    """

    frames: int = 0
    edited: int = 0
    is_changed: bool = False
    notes: Counter[str] = field(default_factory=Counter)


def render_segment(
    inspection: Inspection,
    span: Span,
    plan: EditPlan,
    batcher: MicroBatcher,
    encode: EncodeSettings,
    piece: Path,
    on_frame: Callable[[int], None] = lambda _: None,
    *,
    border: str = "black",
    library: Library | None = None,
) -> Rendered:
    """Writes the encoded piece of one span.

    Args:
        plan: the edits of this span only.
        on_frame: called with the number of frames written so far.
        border: what crops show outside the frame; a key of `colour.BORDERS`.
        library: what the plan's donors lend.
    Raises:
        MediaError, EngineError: nothing is left at `piece` then.
    """
    rendered = Rendered()
    with (
        PieceWriter(str(piece), inspection.info, encode) as writer,
        SourceFrames(inspection, span.first) as source,
    ):
        for frame in edited_frames(inspection, span, plan, batcher, rendered, border, library):
            if encode.copies_untouched and not rendered.is_changed:
                writer.copy(source.at(frame.pts), frame)
            else:
                writer.write(frame)
            rendered.frames += 1
            on_frame(rendered.frames)
    return rendered


def edited_frames(
    inspection: Inspection,
    span: Span,
    plan: EditPlan,
    batcher: MicroBatcher,
    rendered: Rendered,
    border: str = "black",
    library: Library | None = None,
) -> Iterator[Any]:
    """Frames of a span in order; those with edits changed in place, the others as decoded.

    Up to three batches of frames are in flight: one is edited, the next is made ready, and those of
    the last are encoded.
    """
    info, window = inspection.info, 3 * batcher.batch_size
    waiting: deque[tuple[Any, list[tuple[int, Future[CropEdit]]]]] = deque()
    frames = decode_range(info.path, info, inspection.index, span.first, span.last)
    for number, frame in enumerate(frames, span.first):
        rows = plan.at(number)
        crops = [
            (row, _submit(frame, inspection, plan, row, batcher, border, library)) for row in rows
        ]
        waiting.append((frame, crops))
        in_flight = sum(1 for _, edits in waiting if edits)
        while waiting and (in_flight > window or not waiting[0][1]):
            in_flight -= bool(waiting[0][1])
            yield _settle(*waiting.popleft(), inspection, plan, rendered)
    while waiting:
        yield _settle(*waiting.popleft(), inspection, plan, rendered)


def _submit(
    frame: Any,
    inspection: Inspection,
    plan: EditPlan,
    row: int,
    batcher: MicroBatcher,
    border: str,
    library: Library | None,
) -> Future[CropEdit]:
    affine, size = plan.coded_from_crop[row], batcher.crop_size
    image = crop_rgb(frame, inspection.info, affine, size, border)
    return batcher.submit(crop_request(plan, row, image, library))


def crop_request(
    plan: EditPlan, row: int, image: NDArray[Any], library: Library | None = None
) -> CropRequest:
    """A row of a plan for the editor, with its crop and what is lent to it."""
    return CropRequest(
        image,
        plan.landmarks_px[row],
        int(plan.frame[row]),
        plan.delta[row],
        plan.pose[row],
        plan.lids[row],
        library.mouth(plan, row) if library else None,
    )


def _settle(
    frame: Any,
    edits: list[tuple[int, Future[CropEdit]]],
    inspection: Inspection,
    plan: EditPlan,
    rendered: Rendered,
) -> Any:
    for row, future in edits:
        edit = future.result()
        paste_residual(frame, inspection.info, edit.residual, edit.mask, plan.coded_from_crop[row])
        rendered.notes.update(edit.notes)
    rendered.is_changed = any(
        future.result().residual.any() and future.result().mask.any() for _, future in edits
    )
    rendered.edited += bool(edits)
    return frame
