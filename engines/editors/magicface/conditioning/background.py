"""The background image that MagicFace is conditioned on: the crop without its person, with dots.

The official samples black out the whole person (`person`, the default); the official script keeps
hair, neck and clothes and blackens the face only (`face`). Released weights will tell which fits.

Source: MagicFace's three official sample pairs and its preprocessing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.editors.magicface.conditioning.dots import jaw_dots
from engines.editors.magicface.conditioning.masks import (
    PersonSegmenter,
    covers_face,
    face_mask,
    grabcut_person,
)
from engines.editors.magicface.traits import MASK_MODES
from engines.errors import EngineError

CLOSE_SHARE = 0.85
"""Share of a crop from which on a person mask leaves the model next to no background to go by."""
CLOSE_NOTE = "; it fills the crop: --mask face leaves the model more to go by"
Segmenter = Callable[[NDArray[np.uint8]], NDArray[np.bool_]]


def to_uint8(images: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8]:
    """RGB on the 8-bit scale, rounded; full range maps to full range.

    Raises:
        EngineError: not `(…, S, S, 3)` uint8 or uint16: grey or with alpha, or floats.
    """
    if images.ndim < 3 or images.shape[-1] != 3 or images.dtype not in (np.uint8, np.uint16):
        raise EngineError(
            f"image: got {images.dtype} {images.shape}; expected RGB, uint8 or uint16 (…, H, W, 3)"
        )
    if images.dtype == np.uint8:
        return images.astype(np.uint8, copy=False)
    return ((images.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


class Conditioner:
    """Makes background images and says which mask it used.

    Args:
        mode: `person` or `face`.
        segmenter: person's pixels of one RGB crop; the packaged model by default, one for each
            thread that calls.
    """

    def __init__(self, mode: str = "person", segmenter: Segmenter | None = None) -> None:
        if mode not in MASK_MODES:
            raise EngineError(f"no mask mode {mode!r}; known: {', '.join(MASK_MODES)}")
        self.mode = mode
        self._given = segmenter
        self._own = threading.local()

    @property
    def _segmenter(self) -> Segmenter:
        if self._given is not None:
            return self._given
        if not hasattr(self._own, "segmenter"):  # LiteRT's interpreter is one thread's
            self._own.segmenter = PersonSegmenter()
        return self._own.segmenter

    def mask(
        self, image: NDArray[np.uint8], landmarks_px: NDArray[np.float32]
    ) -> tuple[NDArray[np.bool_], str]:
        """What is blacked out of one `(S, S, 3)` crop, `(S, S)`, and how it was found."""
        person, by = self._segmenter(image), "segmenter"
        if not covers_face(person, landmarks_px):
            person, by = grabcut_person(image, landmarks_px), "GrabCut: the segmenter lost the face"
        if self.mode == "person":
            close = np.count_nonzero(person) / person.size > CLOSE_SHARE
            return person, f"mask person ({by})" + (CLOSE_NOTE if close else "")
        return face_mask(landmarks_px, len(image)) & person, f"mask face (landmarks, {by})"

    def background(
        self, image: NDArray[np.uint8], landmarks_px: NDArray[np.float32]
    ) -> tuple[NDArray[np.uint8], str]:
        """The background image of one `(S, S, 3)` crop, the same shape, and the mask's name."""
        masked, note = self.mask(image, landmarks_px)
        return dotted(image, masked, landmarks_px), note


def dotted(
    image: NDArray[np.uint8], masked: NDArray[np.bool_], landmarks_px: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """A `(S, S, 3)` crop, black where `(S, S)` masked, with the jaw dots of some landmarks."""
    kept = cv2.bitwise_and(image, image, mask=(~masked).view(np.uint8))
    summed = cv2.add(kept, jaw_dots(landmarks_px, len(image)))  # stops at 255
    return np.asarray(summed, np.uint8)
