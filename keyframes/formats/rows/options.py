"""What a person may say about a table that the table does not say itself."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from keyframes.au import AUCode
from keyframes.clock.rates import parse_frame_rate

LEAST_CONFIDENCE = 0.75
"""A face found with less is not measured, unless the import says otherwise."""


@dataclass(frozen=True)
class Options:
    """Settings shared by all importers; each uses what its format needs.

    Attributes:
        track: face in tables of several, 0 the first or largest.
        fps: frames per second of tables that count frames or write timecode; 29.97 is 30000/1001.
        arkit_table: ARKit → AU weights; None for the packaged ones.
        clip: the one video of a table of several, by name.
        person: the one identity of a table of several, by name.
        confidence: rows below are not measured; 0 takes all.
        scale: the value that stands for the top of the scale (intensity 5, a full blendshape);
            None goes by the format, and refuses or reports what cannot be on its scale.
        aus: the AUs that are taken; None for all but shut eyes, which must be named.
    """

    track: int = 0
    fps: Fraction | float | None = None
    arkit_table: Path | None = None
    clip: str | None = None
    person: str | None = None
    confidence: float = LEAST_CONFIDENCE
    scale: float | None = None
    aus: tuple[AUCode, ...] | None = None

    @property
    def rate(self) -> Fraction | None:
        """`fps` as an exact rate."""
        if self.fps is None or isinstance(self.fps, Fraction):
            return self.fps
        return parse_frame_rate(f"{self.fps:.9g}")
