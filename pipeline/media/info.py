"""What is known of a video from its headers and its first frame; picklable values only."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import MediaError

UNSPECIFIED = 2
"""The code FFmpeg and ITU-T H.273 give primaries, transfer and matrix that nobody tagged."""

MATRIX_WEIGHTS: dict[int, tuple[str, float, float]] = {
    1: ("bt709", 0.2126, 0.0722),
    4: ("fcc", 0.30, 0.11),
    5: ("bt470bg", 0.299, 0.114),
    6: ("smpte170m", 0.299, 0.114),
    7: ("smpte240m", 0.212, 0.087),
    9: ("bt2020nc", 0.2627, 0.0593),
}
"""Matrix code → name, Kr, Kb (ITU-T H.273, table 4): those whose R'G'B' ↔ Y'CbCr is linear."""

RGB_MATRIX = 0

BOTTOM_FIRST = (3, 5)
"""Of FFmpeg's AVFieldOrder, those that show the bottom field first."""


@dataclass(frozen=True)
class Colour:
    """Colour tags, as ITU-T H.273 numbers them.

    Attributes:
        primaries, transfer: as tagged, 2 where untagged.
        matrix: the one to compute with; `matrix_assumed` says that no tag gave it.
        tagged_matrix, tagged_range: as found in the file (2 and 0 where untagged); what is written.
        full_range: samples use the whole scale (JPEG range).
    """

    primaries: int
    transfer: int
    matrix: int
    tagged_matrix: int
    tagged_range: int
    full_range: bool

    @property
    def matrix_assumed(self) -> bool:
        return self.matrix != self.tagged_matrix

    @property
    def matrix_name(self) -> str:
        if self.matrix == RGB_MATRIX:
            return "rgb"
        return MATRIX_WEIGHTS.get(self.matrix, (f"matrix code {self.matrix}",))[0]

    def luma_weights(self) -> tuple[float, float]:
        """Kr and Kb.

        Raises:
            MediaError: R'G'B' ↔ Y'CbCr is not linear in this matrix (constant luminance, ICtCp …).
        """
        if self.matrix not in MATRIX_WEIGHTS:
            known = ", ".join(name for name, _, _ in MATRIX_WEIGHTS.values())
            raise MediaError(f"cannot edit colours coded with {self.matrix_name}; known: {known}")
        _, kr, kb = MATRIX_WEIGHTS[self.matrix]
        return kr, kb


@dataclass(frozen=True)
class StreamSummary:
    """One stream of the file, for reports and for the copy at the end."""

    index: int
    kind: str
    codec: str
    language: str | None
    is_cover: bool


@dataclass(frozen=True)
class VideoInfo:
    """One video stream that can be decoded, and the container it lies in.

    Attributes:
        path: as given.
        container: FFmpeg's name of the format, e.g. `mov,mp4,m4a,3gp,3g2,mj2`.
        codec, profile: `h264`, `High`; the codec's name, not a decoder's.
        width, height: coded pixels, taken from a decoded frame.
        pix_fmt, bit_depth: FFmpeg's name; bits per sample.
        time_base: seconds per unit of pts.
        frame_rate: nominal; a label, never used to compute times.
        clock_start_s: the container's start, which a player shows as 0.
        duration_s: the video stream's as declared, else the container's; 0 where unknown.
        display_matrix: FFmpeg's nine integers (16.16, 2.30), or None.
        rotation: degrees counter-clockwise from coded to upright, of 0, 90, 180, 270.
        mirrored: the display matrix flips as well.
        sar: shape of a coded pixel, width : height; never 0.
        field_order: 1 progressive, 2…5 interlaced, 0 unknown (FFmpeg's AVFieldOrder).
        hdr: mastering display (88 bytes) and content light level (8 bytes) as FFmpeg holds them.
        timecode: of the first frame, e.g. `01:00:00;00` (`;` = drop frame), or None.
        declared_frames: by the header, 0 where it does not say.
        warnings: what a report should tell, each one line.
        chroma_place: where chroma samples lie, FFmpeg's name (`left`, `topleft`, `center` …).
        is_lossless: coded so that every sample comes back as it went in.
        dolby_vision: profile and base layer's compatibility of a Dolby Vision record, or None.
        hides_alpha: an alpha channel lies beside the pictures, where the decoder does not look.
        layers: pictures per frame: 2 of stereo video in two layers (MV-HEVC), else 1.
        times_by_order: an AVI with reordered frames: the k-th frame decoded is shown at k frames.
        shows_fields: MPEG-2 shown in fields, its frames progressive or not (film with repeats).
        fields_alone: HEVC coded in fields: each picture that its decoder gives, and each frame that
            is counted, is one field of half the lines.
        header: what the container holds for the decoder (FFmpeg's extradata).
        looks_flat: its first frame is pale, without black or white, as log footage is.
        view: what engines are shown of it, of `views.choice.checked_view`; "": by its tags.
    """

    path: str
    container: str
    stream_index: int
    codec: str
    profile: str | None
    width: int
    height: int
    pix_fmt: str
    bit_depth: int
    time_base: Fraction
    frame_rate: Fraction
    clock_start_s: float
    duration_s: float
    display_matrix: tuple[int, ...] | None
    rotation: int
    mirrored: bool
    sar: Fraction
    field_order: int
    colour: Colour
    hdr: tuple[bytes | None, bytes | None]
    timecode: str | None
    bit_rate: int
    declared_frames: int
    streams: tuple[StreamSummary, ...]
    warnings: tuple[str, ...]
    chroma_place: str = "unspecified"
    is_lossless: bool = False
    dolby_vision: tuple[int, int] | None = None
    hides_alpha: bool = False
    layers: int = 1
    shows_fields: bool = False
    fields_alone: bool = False
    header: bytes = b""
    times_by_order: bool = False
    looks_flat: bool = False
    view: str = ""

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1 or self.time_base <= 0 or self.sar <= 0:
            raise MediaError(
                f"{self.path}: {self.width}x{self.height}, time base {self.time_base}, "
                f"sample aspect {self.sar}; expected all above 0"
            )

    @property
    def interlaced(self) -> bool:
        return self.field_order >= 2

    @property
    def is_mpegts(self) -> bool:
        return "mpegts" in self.container

    @property
    def square_size(self) -> tuple[int, int]:
        """Width and height in square pixels, not yet turned upright; never below the coded ones."""
        shape = self.sar / 2 if self.fields_alone else self.sar  # a line stands for two
        wide = max(shape, Fraction(1))
        tall = max(1 / shape, Fraction(1))
        return max(1, round(self.width * wide)), max(1, round(self.height * tall))

    @property
    def display_size(self) -> tuple[int, int]:
        """Width and height of the upright picture in square pixels."""
        width, height = self.square_size
        return (height, width) if self.rotation % 180 else (width, height)

    @property
    def coded_from_display(self) -> NDArray[np.float64]:
        """`(2, 3)` float64: pixel centres of the upright square picture → coded pixel centres."""
        shown_w, shown_h = self.display_size
        square_w, square_h = self.square_size
        turn = upright_from_coded(self.rotation, self.mirrored).T  # orthogonal: .T inverts
        shown_centre = np.array([shown_w - 1, shown_h - 1]) / 2
        coded_centre = np.array([self.width - 1, self.height - 1]) / 2
        linear = np.diag([self.width / square_w, self.height / square_h]) @ turn
        return np.column_stack([linear, coded_centre - linear @ shown_centre])


def upright_from_coded(rotation: int, mirrored: bool) -> NDArray[np.float64]:
    """`(2, 2)` turn of a picture (x right, y down): mirrored in x first, then counter-clockwise."""
    cos, sin = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[rotation]
    flip = -1.0 if mirrored else 1.0
    return np.array([[cos, sin], [-sin, cos]]) @ np.diag([flip, 1.0])
