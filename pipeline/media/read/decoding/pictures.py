"""A decoded frame as what it shows: one picture, or its two fields in the order they are shown."""

from __future__ import annotations

from pipeline.media.fields import Field, Picture
from pipeline.media.info import BOTTOM_FIRST, VideoInfo
from pipeline.media.planes import VideoFrame
from pipeline.media.read.frame_facts import FieldOrder, FieldReader

SILENT = frozenset(("png", "jpeg2000", "qtrle", "huffyuv", "ffvhuff", "magicyuv"))
"""Codecs whose frames cannot say that they are fields; the container's word counts for all."""


class PictureReader:
    """Tells the pictures of one video's frames, each by its own flags."""

    def __init__(self, info: VideoInfo) -> None:
        self._fields = FieldReader()
        self._alone = info.fields_alone
        self._silent = FieldOrder.PROGRESSIVE
        if info.interlaced and info.codec in SILENT:
            bottom = info.field_order in BOTTOM_FIRST
            self._silent = FieldOrder.BOTTOM_FIRST if bottom else FieldOrder.TOP_FIRST

    def pictures(self, frame: VideoFrame) -> tuple[Picture, ...]:
        """The frame itself, or its first and its second field."""
        if self._alone:
            return (frame,)
        order = self._fields.read(frame) or self._silent
        if order == FieldOrder.PROGRESSIVE or frame.height < 2:
            return (frame,)
        first = int(order == FieldOrder.BOTTOM_FIRST)
        return Field(frame, first), Field(frame, 1 - first)
