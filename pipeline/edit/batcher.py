"""Crops of several segments in one fixed-size batch: the editor is never called half-full."""

from __future__ import annotations

import threading
import time
from bisect import insort
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from queue import SimpleQueue
from types import TracebackType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import EngineError
from engines.interface import AlignedCrops, EditedCrops, FaceEditor, StagedEditor
from engines.lent import Lent
from keyframes.au import AUDelta
from pipeline.edit.cast import without_cast

COLOUR_HELD = "its colour held to the plate's around the edit"
"""What a report counts of frames in which an editor's cast was taken back (cast.py)."""

READIED = 1
"""Batches that wait, ready, for an editor's networks; another is being made ready then."""


@dataclass(frozen=True)
class CropRequest:
    """One crop on its way to the editor: `(S, S, 3)` image, `(68, 2)` landmarks, `(12,)` delta,
    `(3,)` yaw, pitch, roll, `(2,)` lids; and what is lent to it."""

    image: NDArray[Any]
    landmarks_px: NDArray[np.float32]
    frame_index: int
    delta: NDArray[np.float32]
    pose: NDArray[np.float32]
    lids: NDArray[np.float32]
    lent: Lent = field(default_factory=Lent)


@dataclass(frozen=True)
class CropEdit:
    """One edited crop: as in EditedCrops without the batch axis; `full_scale` is white's value."""

    edited: NDArray[Any]
    reference: NDArray[Any]
    mask: NDArray[np.float32]
    notes: tuple[str, ...]
    full_scale: float

    @property
    def residual(self) -> NDArray[np.float32]:
        """`(S, S, 3)` edited − reference; 1.0 is the step from black to white."""
        difference = cv2.subtract(self.edited, self.reference, dtype=cv2.CV_32F)
        return np.multiply(difference, np.float32(1 / self.full_scale), out=difference)


@dataclass
class _Pending:
    request: CropRequest
    turn: int
    future: Future[CropEdit] = field(default_factory=Future)


@dataclass
class _Batch:
    """Crops on their way through an editor's stages; `value` is what the last one gave."""

    pending: list[_Pending]
    value: Any = None


def _kind(pending: _Pending) -> tuple[Any, ...]:
    image = pending.request.image
    return image.dtype, image.shape


class MicroBatcher:
    """Gathers crops from concurrent segments and edits them in batches of exactly `batch_size`.

    Crops of the oldest segment go first, others fill its batches and the time in which it has none:
    so segments end one after the other, the first as soon as if it were alone, and not all at once.

    The last batch is padded with repeats of its last crop: an editor's bytes may depend on the
    batch size (matrix kernels do), never on how a shot was cut. A batch leaves when it is full, or
    when no crop has arrived for `patience_s` and no other is before it (its segments are all
    waiting for it).

    An editor of three stages has each in a thread of its own: while its networks run, the next
    batch is made ready and the last one is finished.

    Crops of different dtype or side never share a batch (8-bit and deeper footage in one run).

    Attributes:
        calls, crops: batches that the editor was given, and crops in them without padding.
        busy_s: seconds that its networks, or without stages all of it, have run.
    """

    def __init__(self, editor: FaceEditor, *, seed: int, patience_s: float = 0.02) -> None:
        self._editor = editor
        self._seed = seed
        self._patience_s = patience_s if editor.batch_size > 1 else 0.0
        self._pending: list[_Pending] = []
        self._turns = count()
        self._changed = threading.Condition()
        self._closed = False
        self._ahead = 0  # batches that the networks still have before them
        self.calls = self.crops = 0
        self.busy_s = self._first_s = 0.0
        self._timed = 0
        self._threads = self._staged(editor) if isinstance(editor, StagedEditor) else []
        self._threads.append(threading.Thread(target=self._serve, name="gather", daemon=True))
        for thread in self._threads:
            thread.start()

    @property
    def batch_size(self) -> int:
        return self._editor.batch_size

    @property
    def crop_size(self) -> int:
        return self._editor.crop_size

    @property
    def is_outdated(self) -> bool:
        """Whether the editor says that one made now would run on something faster."""
        says = getattr(self._editor, "is_outdated", None)
        return says is not None and says()

    @property
    def edit_s(self) -> float:
        """Seconds that its editor takes for a crop of a full batch; 0 while that is not known.

        The first batch does not count: it may compile what the others run.
        """
        later = self._timed - 1
        return (self.busy_s - self._first_s) / (later * self.batch_size) if later > 0 else 0.0

    def retire(self) -> None:
        """As `close`, and the editor is told that it will not be called again."""
        self.close()
        if (let_go := getattr(self._editor, "close", None)) is not None:
            let_go()

    def turn(self) -> int:
        """What a segment's crops come with: of several segments, the first to ask goes first."""
        return next(self._turns)

    def submit(self, request: CropRequest, turn: int = 0) -> Future[CropEdit]:
        """Queues a crop; its future holds the edit or the editor's error."""
        pending = _Pending(request, turn)
        with self._changed:
            insort(self._pending, pending, key=lambda each: each.turn)
            self._changed.notify_all()
        return pending.future

    def close(self) -> None:
        """Finishes what is queued and stops."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in reversed(self._threads):
            thread.join()

    def __enter__(self) -> MicroBatcher:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def _staged(self, editor: StagedEditor) -> list[threading.Thread]:
        """Threads of the two stages that follow `ready`, which the gathering one calls."""
        self._readied: SimpleQueue[_Batch | None] = SimpleQueue()
        self._made: SimpleQueue[_Batch | None] = SimpleQueue()
        self._room = threading.Semaphore(READIED)

        def run() -> None:
            while (batch := self._readied.get()) is not None:
                self._room.release()
                with self._busy():
                    made = self._made
                    self._advance(batch, lambda value: editor.run(value, seed=self._seed), made)
                with self._changed:
                    self._ahead -= 1
                    self._changed.notify_all()
            self._made.put(None)

        def finish() -> None:
            while (batch := self._made.get()) is not None:
                self._settle(batch, partial(self._finished, editor, batch))

        return [
            threading.Thread(target=finish, name="finish", daemon=True),
            threading.Thread(target=run, name="editor", daemon=True),
        ]

    @contextmanager
    def _busy(self) -> Generator[None]:
        begun = time.perf_counter()
        yield
        taken = time.perf_counter() - begun
        self._first_s = self._first_s if self._timed else taken
        self._timed += 1
        self.busy_s += taken

    def _finished(self, editor: StagedEditor, batch: _Batch, made: Any) -> list[CropEdit]:
        return _singly(editor, editor.finish(made), [p.request for p in batch.pending])

    def _serve(self) -> None:
        editor = self._editor
        while pending := self._next_batch():
            batch = _Batch(pending)
            self.calls += 1
            self.crops += len(pending)
            if not isinstance(editor, StagedEditor):
                requests = [p.request for p in pending]
                with self._busy():
                    self._settle(batch, lambda _, r=requests: edit_crops(editor, r, self._seed))
                continue
            self._room.acquire()
            with self._changed:
                self._ahead += 1
            given = _padded([p.request for p in pending], editor.batch_size)
            if not self._advance(batch, lambda _, g=given: editor.ready(*g), self._readied):
                self._room.release()
                with self._changed:
                    self._ahead -= 1
        if isinstance(editor, StagedEditor):
            self._readied.put(None)

    def _advance(
        self, batch: _Batch, stage: Callable[[Any], Any], onward: SimpleQueue[_Batch | None]
    ) -> bool:
        """Takes a batch through a stage and hands it on; what it raises goes to who awaits it."""
        try:
            batch.value = stage(batch.value)
        except BaseException as error:  # noqa: BLE001 - raised again where the crops are awaited,
            # which would wait for ever otherwise
            for pending in batch.pending:
                pending.future.set_exception(error)
            return False
        onward.put(batch)
        return True

    def _settle(self, batch: _Batch, stage: Callable[[Any], list[CropEdit]]) -> None:
        """The last stage: each crop's future gets its edit."""
        done: SimpleQueue[_Batch | None] = SimpleQueue()
        if self._advance(batch, stage, done):
            for pending, edit in zip(batch.pending, batch.value, strict=True):
                pending.future.set_result(edit)

    def _next_batch(self) -> list[_Pending]:
        with self._changed:
            self._changed.wait_for(lambda: self._pending or self._closed)
            while len(self._pending) < self.batch_size and not self._closed:
                known = len(self._pending)
                came = self._changed.wait_for(
                    lambda n=known: len(self._pending) > n or self._closed, self._patience_s
                )
                if not came and not self._ahead:
                    break
            return self._take()

    def _take(self) -> list[_Pending]:
        if not self._pending:
            return []
        kind = _kind(self._pending[0])
        batch = [p for p in self._pending if _kind(p) == kind][: self.batch_size]
        taken = set(map(id, batch))
        self._pending = [p for p in self._pending if id(p) not in taken]
        return batch


def edit_crops(editor: FaceEditor, requests: list[CropRequest], seed: int) -> list[CropEdit]:
    """One batch of at most the editor's size, padded with repeats of its last crop."""
    made = editor.edit(*_padded(requests, editor.batch_size), seed=seed)
    return _singly(editor, made, requests)


def _padded(requests: list[CropRequest], size: int) -> tuple[AlignedCrops, AUDelta]:
    return _stacked(requests + [requests[-1]] * (size - len(requests)))


def _singly(editor: FaceEditor, made: EditedCrops, requests: list[CropRequest]) -> list[CropEdit]:
    """The edits of a batch without its padding."""
    if len(made) != editor.batch_size:
        raise EngineError(f"editor: gave {len(made)} crops; expected {editor.batch_size}")
    white = float(np.iinfo(requests[0].image.dtype).max)
    repaints = bool(getattr(editor, "repaints", False))
    parts = zip(made.edited, made.reference, made.mask, strict=True)
    return [_crop_edit(*part, made.notes, white, repaints=repaints) for part in parts][
        : len(requests)
    ]


def _crop_edit(
    edited: NDArray[Any],
    reference: NDArray[Any],
    mask: NDArray[np.float32],
    notes: tuple[str, ...],
    white: float,
    *,
    repaints: bool,
) -> CropEdit:
    """One crop of what an editor made, its colour held to the plate's where it paints anew."""
    held = without_cast(edited, reference, mask, white) if repaints else edited
    more = () if held is edited else (COLOUR_HELD,)
    return CropEdit(held, reference, mask, (*notes, *more), white)


def _stacked(requests: list[CropRequest]) -> tuple[AlignedCrops, AUDelta]:
    crops = AlignedCrops(
        images=np.stack([r.image for r in requests]),
        landmarks_px=np.stack([r.landmarks_px for r in requests]).astype(np.float32),
        frame_index=np.array([r.frame_index for r in requests], np.int64),
        pose=np.stack([r.pose for r in requests]).astype(np.float32),
        lent=tuple(r.lent for r in requests),
    )
    parts = [r.delta for r in requests], [r.lids for r in requests]
    return crops, AUDelta(*(np.stack(part).astype(np.float32) for part in parts))
