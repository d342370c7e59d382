"""How the pieces of one clip are encoded, as a value."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.media.write.encoding.quality import USUAL, Quality

DEFAULT_GOP = 250
PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower",
           "veryslow")  # fmt: skip
"""x264's names for speed against size."""


@dataclass(frozen=True)
class EncodeSettings:
    """How every piece of one clip is encoded; equal settings give equal bytes and join by packet.

    Attributes:
        encoder: FFmpeg's name, e.g. `libx264`.
        pix_fmt: what the encoder is fed; the source's own, but for gbrp under x264 (packed rgb).
        options: the encoder's private options.
        piece_format: container of a piece; each holds its codec and any time base exactly.
        frame_rate: nominal, `num/den`; the encoder counts in it, true times go onto the packets.
        gop: most frames between key frames.
        threads: fixed, because x264's and x265's output depends on it, and so never on the machine.
        codec_tag: for the container, or None for its default.
        interlaced: encode fields as fields.
        preset: as asked for.
        quality: what `options` aim at.
        warnings: what of the source this cannot keep, one line each.
        changes: topics of the witness that were asked to change, as `bit depth`.
        copies_untouched: frames without a change are copied by packet, within pieces too.
        copies_groups: closed groups of pictures that no edit enters are.
    """

    encoder: str
    pix_fmt: str
    options: dict[str, str]
    piece_format: str
    frame_rate: str
    gop: int = DEFAULT_GOP
    threads: int = 2
    codec_tag: str | None = None
    interlaced: bool = False
    preset: str = "medium"
    quality: Quality = USUAL
    warnings: tuple[str, ...] = field(default=())
    changes: tuple[str, ...] = field(default=())
    copies_untouched: bool = False
    copies_groups: bool = False
