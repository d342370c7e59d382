"""One frame kept decoded: crops out of it, and edits pasted into it, again and again."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.interface import RGBFrame
from pipeline.edit.batcher import CropEdit
from pipeline.edit.shown import paste_edit
from pipeline.media.colour import crop_rgb
from pipeline.media.fields import Picture
from pipeline.media.planes import plane_views
from pipeline.media.read.decoding.decode import decode_range, display_rgb
from pipeline.media.read.decoding.pictures import PictureReader
from pipeline.media.read.decoding.reader import Shown, shown_pictures
from pipeline.media.read.inspection import Inspection
from pipeline.pictures import SECOND, WHOLE
from pipeline.settings import RenderSettings


def decoded(inspection: Inspection, number: int) -> Any:
    """A frame as its decoder gives it."""
    info = inspection.info
    return next(iter(decode_range(info.path, info, inspection.index, number, number)))


class Paste(NamedTuple):
    """An edit on its way back: of which picture, where, and the code values it was made of."""

    field: int
    edit: CropEdit
    coded_from_crop: NDArray[np.float64]
    code: NDArray[Any]


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
        self._pictures = PictureReader(inspection.info).pictures(self._frame)
        self._kept = [view.copy() for view in plane_views(self._frame)]
        self._lock = threading.Lock()

    def shown(self) -> RGBFrame:
        """The frame as it is, upright, in square pixels."""
        with self._lock:
            return display_rgb(self._frame, self._info)

    def pictures(self) -> list[Shown]:
        """The frame, or its two fields, for finding faces."""
        with self._lock:
            return [*shown_pictures(self.number, self._pictures, self._info)]

    def crop(self, field: int, coded_from_crop: NDArray[np.float64], size: int) -> NDArray[Any]:
        """Code values of what an editor is shown of one of its pictures."""
        with self._lock:
            picture, border = self._picture(field), RenderSettings.border
            return crop_rgb(picture, self._info, coded_from_crop, size, border)

    def pasted(self, edits: Sequence[Paste]) -> RGBFrame:
        """The frame with edits pasted into its own samples."""
        with self._lock:
            try:
                for field, edit, where, code in edits:
                    picture = self._picture(field)
                    border = RenderSettings.border
                    paste_edit(picture, self._info, edit, where, code, border=border)
                return display_rgb(self._frame, self._info)
            finally:
                for view, kept in zip(plane_views(self._frame), self._kept, strict=True):
                    view[:] = kept

    def _picture(self, field: int) -> Picture:
        return self._frame if field == WHOLE else self._pictures[field == SECOND]
