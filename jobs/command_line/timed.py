"""What a run has done and how long that took: what the next dry run expects."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.rows import WHOLE_VIDEO, StageRow

REST = ("inspect", "assemble", "plan", "finish")
"""Stages whose time goes with the length of the clip."""


@dataclass
class Timed:
    """What this run has done, and what that took: work → how much of it, seconds on a core.

    `editor` is a crop of the editor alone, `render` one with all around it, `analyse` a picture
    measured, `rest` a frame of the clip in all other stages.
    """

    counts: dict[str, int] = field(default_factory=dict[str, int])
    seconds: dict[str, float] = field(default_factory=dict[str, float])

    def on_row(self, row: StageRow) -> None:
        """Takes note of what this run has done itself."""
        stage, pictures = row["stage"], row["pictures"]
        if stage in ("render", "analyse") and pictures:
            self._note(stage, pictures, row["seconds"])
        if row["edit_s"] > 0:
            self._note("editor", pictures, pictures * row["edit_s"])
        if stage in REST and row["number"] == WHOLE_VIDEO:
            self._note("rest", row["frames"] if stage == "inspect" else 0, row["seconds"])

    def _note(self, work: str, count: int, seconds: float) -> None:
        self.counts[work] = self.counts.get(work, 0) + count
        self.seconds[work] = self.seconds.get(work, 0.0) + seconds
