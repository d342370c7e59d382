"""One frame kept decoded: crops out of it, and edits pasted into it, again and again."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.interface import RGBFrame
from pipeline.edit.batcher import CropEdit
from pipeline.edit.shown import paste_edit, shown
from pipeline.media.colour import crop_rgb
from pipeline.media.planes import plane_views
from pipeline.media.read.decode import decode_range, display_rgb
from pipeline.media.read.inspection import Inspection
from pipeline.settings import RenderSettings


def decoded(inspection: Inspection, number: int) -> Any:
    """A frame as its decoder gives it."""
    info = inspection.info
    return next(iter(decode_range(info.path, info, inspection.index, number, number)))


class OpenFrame:
    """A frame that is the same after every look; safe to share between threads.

    Raises:
        MediaError: it cannot be decoded.
    """

    def __init__(self, inspection: Inspection, number: int) -> None:
        self.number = number
        self._info = inspection.info
        self._frame = decoded(inspection, number)
        self._frame.make_writable()
        self._kept = [view.copy() for view in plane_views(self._frame)]
        self._lock = threading.Lock()

    def shown(self) -> RGBFrame:
        """The frame as it is, upright, in square pixels."""
        with self._lock:
            return display_rgb(self._frame, self._info)

    def crop(
        self, coded_from_crop: NDArray[np.float64], size: int
    ) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """What an editor is shown."""
        with self._lock:
            code = crop_rgb(self._frame, self._info, coded_from_crop, size, RenderSettings.border)
            return shown(self._info, code)

    def pasted(self, edits: Sequence[tuple[CropEdit, NDArray[np.float64]]]) -> RGBFrame:
        """The frame with edits pasted into its own samples, each at its `coded_from_crop`."""
        with self._lock:
            try:
                for edit, where in edits:
                    paste_edit(self._frame, self._info, edit, where, border=RenderSettings.border)
                return display_rgb(self._frame, self._info)
            finally:
                for view, kept in zip(plane_views(self._frame), self._kept, strict=True):
                    view[:] = kept
