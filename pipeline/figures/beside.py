"""Where a plot's files lie: beside the output that they are of. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path


def files_beside(output: Path) -> dict[str, Path]:
    """What each file is, and its path."""
    return {
        "plot": output.with_suffix(".curves.png"),
        "sheet": output.with_suffix(".frames.png"),
        "lent by other frames": output.with_suffix(".donors.png"),
        "before and after": output.with_suffix(".before_after.mp4"),
        "table": output.with_suffix(".curves.csv"),
    }
