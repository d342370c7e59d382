"""How finely each encoder is told to work, by the quality asked for and what the source is.

Measured on a noisy 4:2:2 10-bit master of 256², five generations of decoding and encoding: x264 at
crf 10 43 dB and 0.2 of 1023 of drift, at crf 4 50–65 dB and 0.04; prores_ks at its profile's rate
45.7, then 38.4 dB and 1.5 of 1023, at its finest quantiser 64, then 54 dB and 0.2.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.errors import MediaError
from pipeline.media.info import VideoInfo
from pipeline.media.read.density import is_master
from pipeline.media.read.frame_index import FrameIndex

QUALITIES = ("match", "high", "lossless")
USUAL_CRF = {"libx264": 17, "libx265": 18, "libsvtav1": 20, "libvpx-vp9": 18, "libvpx": 6}
FINE_CRF = {"libx264": 4, "libx265": 4, "libsvtav1": 6, "libvpx-vp9": 4, "libvpx": 4}
"""Near 50 dB and above, generation after generation."""
MOST_CRF = {"libx264": 51, "libx265": 51, "libsvtav1": 63, "libvpx-vp9": 63, "libvpx": 63}
LOSSLESS = {
    "libx264": {"qp": "0"}, "libx264rgb": {"qp": "0"}, "libvpx-vp9": {"lossless": "1"},
    "libx265": {},  # in its own parameters
}  # fmt: skip


@dataclass(frozen=True)
class Quality:
    """What was resolved for one video.

    Attributes:
        lossless: every sample comes back as it went in.
        fine: as little is lost as the encoder can do short of that.
        crf: a number that was asked for, or None.
    """

    lossless: bool
    fine: bool
    crf: int | None = None

    def options(self, encoder: str) -> dict[str, str]:
        """An encoder's options.

        Raises:
            MediaError: it cannot do what was asked.
        """
        family = "libx264" if encoder == "libx264rgb" else encoder
        if self.lossless and encoder in LOSSLESS:
            return dict(LOSSLESS[encoder])
        if self.lossless or family not in MOST_CRF:
            self.refuse_numbers(encoder)
        if self.crf is not None and self.crf > MOST_CRF[family]:
            raise MediaError(f"--quality {self.crf}: {encoder} takes 0 to {MOST_CRF[family]}")
        value = self.crf if self.crf is not None else (FINE_CRF if self.fine else USUAL_CRF)[family]
        return {"crf": str(value)}

    def refuse_numbers(self, encoder: str) -> None:
        """Refuse what an encoder without a scale or a lossless mode cannot do.

        Raises:
            MediaError: a CRF or no loss at all was asked for.
        """
        if self.lossless:
            raise MediaError(f"{encoder} is never lossless; take --codec ffv1 or --quality high")
        if self.crf is not None:
            raise MediaError(
                f"--quality {self.crf}: {encoder} knows no CRF; take match, high or --codec h264"
            )


USUAL = Quality(lossless=False, fine=False)
"""Near-transparent."""


def resolve_quality(info: VideoInfo, asked: str, index: FrameIndex | None) -> Quality:
    """What a quality means for a source.

    Raises:
        MediaError: no such quality.
    """
    if asked.isdigit():
        return Quality(lossless=False, fine=False, crf=int(asked))
    if asked not in QUALITIES:
        raise MediaError(f"no quality {asked!r}; known: {', '.join(QUALITIES)} or a CRF (0 to 63)")
    lossless = asked == "lossless" or (asked == "match" and info.is_lossless)
    master = index is not None and is_master(info, index)
    return Quality(lossless, fine=asked == "high" or master)
