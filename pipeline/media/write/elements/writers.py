"""The elements of one segment, frame by frame: a piece for each, beside the output's own piece."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from pipeline.files import publish
from pipeline.media.info import VideoInfo
from pipeline.media.opening import one_line_errors
from pipeline.media.planes import VideoFrame
from pipeline.media.write.elements.element import Element
from pipeline.media.write.elements.layer import Patch
from pipeline.media.write.elements.painting import (
    MatteMoviePainter,
    is_half,
    matte_info,
    picture_of,
)
from pipeline.media.write.elements.pictures import PictureEncoder
from pipeline.media.write.encoding.encode import PieceWriter
from pipeline.media.write.encoding.mirror import mirror_settings
from pipeline.media.write.encoding.settings import EncodeSettings
from pipeline.partials import partial_path


class ElementWriter(AbstractContextManager["ElementWriter"], Protocol):
    """Leaving without an error publishes the piece, leaving with one removes it."""

    def write(self, frame: VideoFrame, patches: Sequence[Patch]) -> None:
        """Take the next frame, as the output shows it, and what was pasted into it."""


def element_writer(element: Element, piece: Path, info: VideoInfo) -> ElementWriter:
    """The writer of an element's piece.

    Args:
        info: of the plate.
    """
    return (MovieWriter if element.is_movie else PicturesWriter)(element, piece, info)


def movie_settings(element: Element, info: VideoInfo) -> tuple[VideoInfo, EncodeSettings]:
    """What an element's movie is, and how it is encoded."""
    target = matte_info(info, element.kind)
    return target, mirror_settings(target)


class MovieWriter:
    """A matte as a piece of a movie."""

    def __init__(self, element: Element, piece: Path, info: VideoInfo) -> None:
        target, settings = movie_settings(element, info)
        self._paint = MatteMoviePainter(target)
        self._writer = PieceWriter(str(piece), target, settings)

    def write(self, frame: VideoFrame, patches: Sequence[Patch]) -> None:
        self._writer.write(self._paint(frame, patches))

    def __enter__(self) -> Self:
        self._writer.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.__exit__(kind, error, trace)


class PicturesWriter:
    """Pictures in an archive, each under its frame's place in the segment."""

    def __init__(self, element: Element, piece: Path, info: VideoInfo) -> None:
        self._element, self._piece, self._info = element, piece, info
        self._encode = PictureEncoder(element.kind, info, half=is_half(element.kind, info))
        self._part = partial_path(piece)
        self._count = 0

    def write(self, frame: VideoFrame, patches: Sequence[Patch]) -> None:
        picture = picture_of(self._element, self._info, frame, patches)
        with one_line_errors(self._piece, f"write picture {self._count}"):
            self._archive.writestr(zipfile.ZipInfo(str(self._count)), self._encode(picture))
        self._count += 1

    def __enter__(self) -> Self:
        with one_line_errors(self._piece, "start the archive"):
            self._archive = zipfile.ZipFile(self._part, "w", zipfile.ZIP_STORED)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with one_line_errors(self._piece, "finish the archive"):
                self._archive.close()
            if kind is None:
                publish(self._part, self._piece)
        finally:
            self._part.unlink(missing_ok=True)
