"""What is known of one track besides the video."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from fractions import Fraction

from av.stream import AttachmentStream, Disposition, Stream

from pipeline.media.boxes.movie import Movie, foreign_tracks, payload_md5
from pipeline.media.boxes.tree import MalformedBoxError
from pipeline.media.read.tags import kept_tags

KINDS = {"soun": "sound", "vide": "pictures", "text": "text", "sbtl": "text"}
"""What a track is that only boxes tell of, by its handler."""
TIMED = {"subtitle", "text"}
"""Kinds whose packets are shown for as long as they say."""


@dataclass
class TrackFacts:
    """One track besides the video.

    Attributes:
        kind: `audio`, `subtitle`, `data`, `attachment`, `cover`, …
        codec: FFmpeg's name, or the four letters of a track that FFmpeg does not know.
        language, disposition, tags: as the container says.
        payload_md5: over all its bytes in file order, however they are cut into packets.
        words: of timed text in mp4, without what stands for none.
        first_s, last_s: least and greatest time of a packet, exact; None without times.
        pts: of every packet that has a time, in ticks, in file order.
        durations: the same, of kinds that are TIMED.
        tick_s: the track's clock.
        timing: of a track read from boxes: durations and edits; None elsewhere.
    """

    index: int
    kind: str
    codec: str
    language: str | None = None
    disposition: int = 0
    tags: dict[str, str] = field(default_factory=dict[str, str])
    packets: int = 0
    size: int = 0
    payload_md5: str = ""
    words: bytes = field(default=b"", repr=False)
    first_s: Fraction | None = None
    last_s: Fraction | None = None
    pts: array[int] = field(default_factory=lambda: array("q"), repr=False)
    durations: array[int] = field(default_factory=lambda: array("q"), repr=False)
    tick_s: Fraction = Fraction(1)
    timing: tuple[object, ...] | None = None

    @property
    def name(self) -> str:
        return f"{self.kind} {self.index} ({self.codec})"


def track_facts(stream: Stream) -> TrackFacts:
    """A stream's header."""
    context = stream.codec_context
    cover = bool(stream.disposition & Disposition.attached_pic)
    kind = "attachment" if isinstance(stream, AttachmentStream) else stream.type
    codec = context.codec.canonical_name if context is not None else "unknown"
    return TrackFacts(
        stream.index,
        "cover" if cover else kind,
        stream.metadata.get("filename", codec) if kind == "attachment" else codec,
        _language(stream),
        int(stream.disposition),
        lower_keys(kept_tags(stream.metadata)),
        tick_s=stream.time_base or Fraction(1),
    )


def _language(stream: Stream) -> str | None:
    language = stream.metadata.get("language")
    return None if language in (None, "und") else language


def lower_keys(tags: dict[str, str]) -> dict[str, str]:
    """Tags by names that compare: containers write them large or small."""
    return {key.lower(): value for key, value in tags.items()}


def boxed_tracks(path: str, movie: Movie | None) -> list[TrackFacts]:
    """Those that FFmpeg does not know, as their boxes tell of them."""
    found: list[TrackFacts] = []
    for track in foreign_tracks(movie):
        try:
            found.append(
                TrackFacts(
                    track.number - 1, KINDS.get(track.handler, "metadata"),
                    track.fourcc, packets=track.sample_count(),
                    payload_md5=payload_md5(path, track),
                    timing=track.timing(movie.timescale if movie else 1),
                )
            )  # fmt: skip
        except MalformedBoxError:
            continue
    return found
