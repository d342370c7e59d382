"""What a container holds: read once per video, kept in the run folder, read back by every stage."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keyframes.clock.smpte import parse_timecode, timecode_at
from keyframes.clock.timeline import Timeline
from keyframes.errors import KeyframeError
from pipeline.errors import MediaError
from pipeline.files import published
from pipeline.media.info import Colour, StreamSummary
from pipeline.media.read.probe import FrameIndex, VideoInfo, probe, scan, times_s


@dataclass(frozen=True)
class Inspection:
    """A video's headers and the presentation times and key frames of all its frames.

    Attributes:
        clip_end: of a part, pts at which the clip has ended.
    """

    info: VideoInfo
    index: FrameIndex
    clip_end: int | None = None

    @property
    def frames(self) -> int:
        return len(self.index.pts)

    @property
    def times_s(self) -> NDArray[np.float64]:
        """`(N,)` seconds on the clip's clock."""
        return times_s(self.info, self.index)

    @property
    def timeline(self) -> Timeline:
        """The clip's clock as curves see it, of a part of it as well."""
        own_end = self.index.pts[-1] + self.index.duration[-1]
        end = own_end if self.clip_end is None else self.clip_end
        end_s = float(end * self.info.time_base) - self.info.clock_start_s
        times = self.times_s
        return Timeline(
            times, max(end_s, float(times[-1]) + 1e-3), self.info.frame_rate, self.info.timecode
        )

    def part(self, first: int, last: int) -> Inspection:
        """Frames `first`…`last` (inclusive) of the clip, on the clip's clock."""
        end = int(self.index.pts[-1] + self.index.duration[-1])
        return Inspection(self.info, self.index.part(first, last), end)

    @property
    def labelled(self) -> VideoInfo:
        """The headers of a file of its own: its time code is that of its own first frame."""
        cut, label = self.index.cut, self.info.timecode
        if cut is None or label is None:
            return self.info
        with suppress(KeyframeError):  # one that does not fit the rate stays as it is
            start, rate = parse_timecode(label), self.info.frame_rate
            number = start.frame_number(rate) + cut.before
            label = str(timecode_at(number, rate, drop_frame=start.drop_frame))
        return replace(self.info, timecode=label)

    @property
    def of_its_own(self) -> Inspection:
        """A part as a file of its own has it."""
        return Inspection(self.labelled, self.index.of_its_own())


def inspect_video(source: str, view: str = "") -> Inspection:
    """Reads headers and packets.

    Args:
        view: what engines are shown of it, of `views.choice.checked_view`.
    Raises:
        MediaError: the file cannot feed an edit; the line says why.
    """
    info = replace(probe(source), view=view)
    return Inspection(info, scan(source, info))


def write_inspection(path: Path, inspection: Inspection) -> None:
    """Publishes an inspection, so that no later stage opens the source to look at it again."""
    index = inspection.index
    with published(path) as partial:
        np.savez(
            partial,
            pts=index.pts,
            is_key=index.is_key,
            duration=index.duration,
            size=index.size,
            coded=index.coded,
            group=index.group,
            notes=np.array(index.notes, np.str_),
            info=np.array(json.dumps(asdict(inspection.info), default=_plain)),
        )


def read_inspection(source: str, path: Path, view: str = "") -> Inspection:
    """The inspection that `write_inspection` published, under the name the source has here.

    Args:
        view: as of `inspect_video`.
    Raises:
        MediaError: the file is not there or damaged.
    """
    try:
        with np.load(path) as stored:
            notes = tuple(str(note) for note in stored["notes"])
            arrays = (stored[name] for name in ("size", "coded", "group"))
            index = FrameIndex(stored["pts"], stored["is_key"], stored["duration"], notes, *arrays)
            info = _info(json.loads(str(stored["info"])))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MediaError(f"{path}: cannot be read ({error}); remove it and run again") from error
    return Inspection(replace(info, path=source, view=view), index)


def _plain(value: Any) -> Any:
    """What JSON does not know."""
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"got a {type(value).__name__} in a video's headers")


def _info(stored: dict[str, Any]) -> VideoInfo:
    values: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in stored.items()}
    values |= {
        "colour": Colour(**stored["colour"]),
        "hdr": tuple(None if part is None else bytes.fromhex(part) for part in stored["hdr"]),
        "header": bytes.fromhex(stored["header"]),
        "streams": tuple(StreamSummary(**stream) for stream in stored["streams"]),
    }
    values |= {name: Fraction(stored[name]) for name in ("time_base", "frame_rate", "sar")}
    return VideoInfo(**values)
