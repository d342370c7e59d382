"""One stream of packets that the source's encoder made and packets that ours made."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.errors import MediaError
from pipeline.media.bitstream.parameter_sets import (
    PARAMETER_SETS,
    NoNumberError,
    Numbers,
    free_numbers,
    has_number,
    merged_header,
    renumbered,
)
from pipeline.media.bitstream.units import UnitFormat, parameter_units, unit_format
from pipeline.media.info import VideoInfo
from pipeline.media.opening import one_line_errors, open_video, video_stream


class NotCopyableError(MediaError):
    """The source's packets cannot stand in the output; it must be encoded whole."""


@dataclass(frozen=True)
class SharedHeader:
    """How packets of two encoders share a stream (H.264, HEVC).

    Attributes:
        header: the parameter sets of both.
        theirs, ours: how the source's packets and the pieces' hold their units.
        numbers: of our parameter sets.
    """

    header: bytes
    theirs: UnitFormat
    ours: UnitFormat
    numbers: Numbers

    def of_source(self, data: bytes | memoryview) -> bytes | memoryview:
        """A packet of the source, its units as they are.

        Raises:
            NotCopyableError: it holds parameter sets under a number of ours.
        """
        sets = self.theirs.units_of(data, PARAMETER_SETS[self.theirs.codec])
        if any(has_number(unit, self.theirs, self.numbers) for unit in sets):
            raise NotCopyableError("the source has parameter sets under the number of ours")
        if self.theirs.length_bytes == self.ours.length_bytes:
            return data
        return self.ours.join(self.theirs.split(bytes(data)))

    def of_piece(self, data: bytes) -> bytes:
        """A packet of a piece.

        Raises:
            NotCopyableError: it is not as our encoders write.
        """
        try:
            return renumbered(data, self.ours, self.numbers)
        except NoNumberError as error:
            raise NotCopyableError(str(error)) from error


def shared_header(info: VideoInfo, ours: bytes) -> SharedHeader | None:
    """What packets of the source and pieces need to share a stream; None where that is nothing.

    Args:
        ours: the pieces' parameter sets.
    Raises:
        NotCopyableError: they cannot.
    """
    form = unit_format(info.codec, ours)
    if form is None:
        return None
    with open_video(info.path) as container, one_line_errors(info.path, "read its first packet"):
        stream = video_stream(container, info)
        first = next((bytes(p) for p in container.demux(stream) if p.size), b"")
    theirs = unit_format(info.codec, info.header)
    if theirs is None or not theirs.length_bytes:
        raise NotCopyableError("its packets hold start codes")
    try:
        known = [*parameter_units(info.codec, info.header), *theirs.split(first)]
        numbers = free_numbers(theirs, known)
        return SharedHeader(
            merged_header(info.codec, info.header, ours, numbers), theirs, form, numbers
        )
    except (ValueError, IndexError) as error:  # none free, or a header that ends too soon
        raise NotCopyableError(f"its parameter sets: {error}") from error
