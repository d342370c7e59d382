"""Crops of several segments in one fixed-size batch: the editor is never called half-full."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import EngineError
from engines.interface import AlignedCrops, FaceEditor, LentMouth
from keyframes.au import AUDelta
from pipeline.edit.cast import without_cast

COLOUR_HELD = "its colour held to the plate's around the edit"
"""What a report counts of frames in which an editor's cast was taken back (cast.py)."""


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
    mouth: LentMouth | None = None


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
    future: Future[CropEdit] = field(default_factory=Future)


class MicroBatcher:
    """Gathers crops from concurrent segments and edits them in batches of exactly `batch_size`.

    The last batch is padded with repeats of its last crop: an editor's bytes may depend on the
    batch size (matrix kernels do), never on how a shot was cut. A batch leaves when it is full, or
    when no crop has arrived for `patience_s` (its segments are all waiting for it).

    Crops of different dtype never share a batch (8-bit and deeper footage in one run).
    """

    def __init__(self, editor: FaceEditor, *, seed: int, patience_s: float = 0.02) -> None:
        self._editor = editor
        self._seed = seed
        self._patience_s = patience_s if editor.batch_size > 1 else 0.0
        self._pending: list[_Pending] = []
        self._changed = threading.Condition()
        self._closed = False
        self.calls = 0
        self._thread = threading.Thread(target=self._serve, name="editor", daemon=True)
        self._thread.start()

    @property
    def batch_size(self) -> int:
        return self._editor.batch_size

    @property
    def crop_size(self) -> int:
        return self._editor.crop_size

    def submit(self, request: CropRequest) -> Future[CropEdit]:
        """Queues a crop; its future holds the edit or the editor's error."""
        pending = _Pending(request)
        with self._changed:
            self._pending.append(pending)
            self._changed.notify_all()
        return pending.future

    def close(self) -> None:
        """Finishes what is queued and stops."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def __enter__(self) -> MicroBatcher:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def _serve(self) -> None:
        while batch := self._next_batch():
            self._edit(batch)

    def _next_batch(self) -> list[_Pending]:
        with self._changed:
            self._changed.wait_for(lambda: self._pending or self._closed)
            known = 0
            while known < len(self._pending) < self.batch_size and not self._closed:
                known = len(self._pending)
                self._changed.wait_for(lambda n=known: len(self._pending) > n, self._patience_s)
            return self._take()

    def _take(self) -> list[_Pending]:
        if not self._pending:
            return []
        kind = self._pending[0].request.image.dtype
        batch = [p for p in self._pending if p.request.image.dtype == kind][: self.batch_size]
        taken = set(map(id, batch))
        self._pending = [p for p in self._pending if id(p) not in taken]
        return batch

    def _edit(self, batch: list[_Pending]) -> None:
        try:
            self.calls += 1
            edits = edit_crops(self._editor, [p.request for p in batch], self._seed)
        except BaseException as error:  # noqa: BLE001 - raised again where the crops are awaited,
            # which would wait for ever otherwise
            for pending in batch:
                pending.future.set_exception(error)
            return
        for pending, edit in zip(batch, edits, strict=True):
            pending.future.set_result(edit)


def edit_crops(editor: FaceEditor, requests: list[CropRequest], seed: int) -> list[CropEdit]:
    """One batch of at most the editor's size, padded with repeats of its last crop."""
    padded = requests + [requests[-1]] * (editor.batch_size - len(requests))
    made = editor.edit(*_stacked(padded), seed=seed)
    if len(made) != len(padded):
        raise EngineError(f"editor: gave {len(made)} crops; expected {len(padded)}")
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
        mouths=tuple(r.mouth for r in requests),
    )
    parts = [r.delta for r in requests], [r.lids for r in requests]
    return crops, AUDelta(*(np.stack(part).astype(np.float32) for part in parts))
