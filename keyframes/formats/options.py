"""What a person may say about a table that the table does not say itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """Settings shared by all importers; each uses what its format needs.

    Attributes:
        track: face in tables of several, 0 the first or largest.
        fps: frames per second of tables that count frames.
        arkit_table: ARKit → AU weights; None for the packaged ones.
    """

    track: int = 0
    fps: float | None = None
    arkit_table: Path | None = None
