"""One segment: decode, edit the frames that ask for it, encode a piece. No Ray."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from engines.lent import Lent
from engines.segmenters.multiclass import MulticlassSegmenter
from pipeline.edit.batcher import CropEdit, CropRequest, MicroBatcher
from pipeline.edit.front import behind_hands, behind_things
from pipeline.edit.lending.kept import Library
from pipeline.edit.plan import EditPlan
from pipeline.edit.segments import Span
from pipeline.edit.shown import paste_edit, shown
from pipeline.errors import MediaError
from pipeline.media.bitstream.units import MARKS
from pipeline.media.colour import crop_rgb
from pipeline.media.fields import Picture
from pipeline.media.read.decoding.decode import decode_range
from pipeline.media.read.decoding.pictures import PictureReader
from pipeline.media.read.inspection import Inspection
from pipeline.media.read.source_packets import SourceFrames
from pipeline.media.write.elements.element import Element
from pipeline.media.write.elements.layer import Patch
from pipeline.media.write.elements.writers import element_writer
from pipeline.media.write.encoding.encode import PieceWriter
from pipeline.media.write.encoding.settings import EncodeSettings
from pipeline.pictures import SECOND

LOOK_S = 1.0
"""How often a segment that waits for its edit looks whether the editor is at work at all."""


@dataclass
class Rendered:
    """What became of a segment.

    Attributes:
        is_changed: of the frame given last: a sample of it is another than its source's.
        patches: what was pasted into the frame given last.
    """

    frames: int = 0
    edited: int = 0
    is_changed: bool = False
    notes: Counter[str] = field(default_factory=Counter)
    patches: list[Patch] = field(default_factory=list[Patch])


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
    elements: Sequence[Element] = (),
    segmenter: MulticlassSegmenter | None = None,
) -> Rendered:
    """Writes the encoded piece of one span, and beside it the piece of each element.

    Of a span whose frames are copied from the source, only its elements are written.

    Args:
        plan: the edits of this span only.
        on_frame: called with the number of frames written so far, and while older segments are
            edited first.
        border: what crops show outside the frame; a key of `colour.BORDERS`.
        library: what the plan's donors lend.
        segmenter: tells what is before a face, besides hands.
    Raises:
        MediaError, EngineError: nothing is left at `piece` then.
    """
    rendered = Rendered()
    with ExitStack() as stack:
        write = stack.enter_context(piece_writer(inspection, span, encode, piece))
        beside = [
            stack.enter_context(element_writer(e, e.piece(piece), inspection.info))
            for e in elements
        ]
        look = border, library, segmenter
        on_wait = partial(_tell, rendered, on_frame)
        for frame in edited_frames(inspection, span, plan, batcher, rendered, *look, on_wait):
            for element in beside:
                element.write(frame, rendered.patches)
            write(frame, is_changed=rendered.is_changed)
            rendered.frames += 1
            on_frame(rendered.frames)
    return rendered


def _tell(rendered: Rendered, on_frame: Callable[[int], None]) -> None:
    on_frame(rendered.frames)


class _Write(Protocol):
    def __call__(self, frame: Any, *, is_changed: bool) -> None: ...


def _write_nothing(frame: Any, *, is_changed: bool) -> None:
    """The output has this frame already."""


@contextmanager
def piece_writer(
    inspection: Inspection, span: Span, encode: EncodeSettings, piece: Path
) -> Generator[_Write]:
    """What takes the frames of a piece, in order."""
    if span.copied:
        yield _write_nothing
        return
    with (
        PieceWriter(str(piece), inspection.info, encode) as writer,
        SourceFrames(inspection, span.first) as source,
    ):

        def write(frame: Any, *, is_changed: bool) -> None:
            if is_changed or not encode.copies_untouched:
                writer.write(frame)
            elif inspection.info.codec in MARKS:
                writer.leave(frame)
            else:
                writer.copy(source.at(frame.pts), frame)

        yield write


def edited_frames(
    inspection: Inspection,
    span: Span,
    plan: EditPlan,
    batcher: MicroBatcher,
    rendered: Rendered,
    border: str = "black",
    library: Library | None = None,
    segmenter: MulticlassSegmenter | None = None,
    on_wait: Callable[[], None] = lambda: None,
) -> Iterator[Any]:
    """Frames of a span in order; those with edits changed in place, the others as decoded.

    Up to three batches of frames are in flight: one is edited, the next is made ready, and those of
    the last are encoded.

    Args:
        on_wait: called again and again while the editor works on crops of others.
    """
    info, window = inspection.info, 3 * batcher.batch_size
    submit = partial(batcher.submit, turn=batcher.turn())
    waiting: deque[tuple[Any, list[_Sent]]] = deque()
    told = PictureReader(info)

    def settled() -> Any:
        frame, edits = waiting.popleft()
        _wait_for(edits, batcher, on_wait)
        return _settle(frame, edits, inspection, plan, rendered, segmenter)

    frames = decode_range(info.path, info, inspection.index, span.first, span.last)
    for number, frame in enumerate(frames, span.first):
        rows = plan.at(number)
        pictures = _pictures(frame, told, plan, rows)
        crops = [
            _submit(picture, inspection, plan, row, submit, border, library)
            for row, picture in zip(rows, pictures, strict=True)
        ]
        waiting.append((frame, crops))
        in_flight = sum(1 for _, edits in waiting if edits)
        while waiting and (in_flight > window or not waiting[0][1]):
            in_flight -= bool(waiting[0][1])
            yield settled()
    while waiting:
        yield settled()


def _wait_for(edits: list[_Sent], batcher: MicroBatcher, on_wait: Callable[[], None]) -> None:
    calls = batcher.calls
    while wait([sent.edit for sent in edits], LOOK_S).not_done:
        if batcher.calls > calls:
            calls = batcher.calls
            on_wait()


class _Sent(NamedTuple):
    """A crop on its way: its row in the plan, where it is to be pasted, and its code values."""

    row: int
    picture: Picture
    code: NDArray[Any]
    edit: Future[CropEdit]


def _pictures(frame: Any, told: PictureReader, plan: EditPlan, rows: range) -> list[Picture]:
    """The frame, or that one of its fields which is edited, for each of its rows."""
    fields = plan.field[rows.start : rows.stop].tolist()
    if not any(fields):
        return [frame for _ in rows]
    shown = told.pictures(frame)
    if len(shown) == 1:
        raise MediaError(f"pts {frame.pts}: is no frame of fields any more; the file has changed")
    return [shown[field == SECOND] for field in fields]


def _submit(
    picture: Picture,
    inspection: Inspection,
    plan: EditPlan,
    row: int,
    submit: Callable[[CropRequest], Future[CropEdit]],
    border: str,
    library: Library | None,
) -> _Sent:
    affine, size = plan.coded_from_crop[row], int(plan.size[row])
    code = crop_rgb(picture, inspection.info, affine, size, border)
    image = shown(inspection.info, code)
    return _Sent(row, picture, code, submit(crop_request(plan, row, image, library)))


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
        library.lent(plan, row) if library else Lent(),
    )


def _settle(
    frame: Any,
    edits: list[_Sent],
    inspection: Inspection,
    plan: EditPlan,
    rendered: Rendered,
    segmenter: MulticlassSegmenter | None,
) -> Any:
    rendered.patches = []
    notes: dict[tuple[int, str], None] = {}  # once for a face, though it has two fields
    for row, picture, code, future in edits:
        where = plan.coded_from_crop[row]
        edit = behind_all(future.result(), plan, row, inspection, code, segmenter)
        rendered.patches += paste_edit(picture, inspection.info, edit, where, code)
        notes |= dict.fromkeys((int(plan.track[row]), note) for note in edit.notes)
    rendered.notes.update(note for _, note in notes)
    rendered.is_changed = any(patch.change.any() for patch in rendered.patches)
    rendered.edited += bool(edits)
    return frame


def behind_all(
    edit: CropEdit,
    plan: EditPlan,
    row: int,
    inspection: Inspection,
    code: NDArray[Any],
    segmenter: MulticlassSegmenter | None = None,
) -> CropEdit:
    """The edit of a row, faded out where something is in front of the face.

    Args:
        code: code values of its crop.
    """
    edit = replace(edit, mask=behind_hands(edit.mask, plan.hands_px[row]))
    if segmenter is None:
        return edit
    shares = segmenter.shares(shown(inspection.info, code))
    mask, note = behind_things(edit.mask, shares, plan.landmarks_px[row])
    return replace(edit, mask=mask, notes=(*edit.notes, note) if note else edit.notes)
