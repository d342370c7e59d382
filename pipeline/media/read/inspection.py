"""What a container holds, read once per video without decoding a frame."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keyframes.clock.timeline import Timeline
from pipeline.media.read.probe import FrameIndex, VideoInfo, probe, scan, times_s
from pipeline.store import published


@dataclass(frozen=True)
class Inspection:
    """A video's headers and the presentation times and key frames of all its frames."""

    info: VideoInfo
    index: FrameIndex

    @property
    def frames(self) -> int:
        return len(self.index.pts)

    @property
    def times_s(self) -> NDArray[np.float64]:
        """`(N,)` seconds on the clip's clock."""
        return times_s(self.info, self.index)

    @property
    def timeline(self) -> Timeline:
        """The clip's clock as curves see it."""
        end = self.index.pts[-1] + self.index.duration[-1]
        end_s = float(end * self.info.time_base) - self.info.clock_start_s
        times = self.times_s
        return Timeline(
            times, max(end_s, float(times[-1]) + 1e-3), self.info.frame_rate, self.info.timecode
        )


def inspect_video(source: str) -> Inspection:
    """Reads headers and packets.

    Raises:
        MediaError: the file cannot feed an edit; the line says why.
    """
    info = probe(source)
    return Inspection(info, scan(source, info))


def write_index(path: Path, inspection: Inspection) -> None:
    """Publishes the frame index, so that no later task scans the packets again."""
    with published(path) as partial:
        np.savez(partial, **asdict(inspection.index))


def read_inspection(source: str, index: Path) -> Inspection:
    """Headers from the source, the frame index from the run folder."""
    with np.load(index) as stored:
        arrays = {name: stored[name] for name in stored.files if name != "notes"}
        notes = tuple(str(note) for note in stored["notes"])
    return Inspection(probe(source), FrameIndex(**arrays, notes=notes))
