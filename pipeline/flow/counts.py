"""How the rows of videos are counted: what is still to come, and which sources have ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from pipeline.rows import StageRow, VideoRow


class Countdown:
    """Says when the last row of a video has landed."""

    def __init__(self, on_row: Callable[[StageRow], None]) -> None:
        self._on_row = on_row
        self._open: Counter[str] = Counter()
        self._failed: set[str] = set()

    def expect(self, video: str, rows: int = 1) -> None:
        """So many more rows are to come."""
        self._open[video] += rows

    def waits(self, video: str) -> bool:
        """Whether rows are still to come."""
        return self._open[video] > 0

    def landed(self, row: StageRow) -> bool:
        """Counts a row; True when it was its video's last and none had failed."""
        self._on_row(row)
        self._open[row["video"]] -= 1
        if row["error"]:
            self._failed.add(row["video"])
        return self._open[row["video"]] == 0 and row["video"] not in self._failed


class UnderWay:
    """Counts the sources all of whose videos have ended."""

    def __init__(self, sharing: Mapping[str, Sequence[VideoRow]]) -> None:
        self.ended = 0
        self._first = {v["video"]: first for first, videos in sharing.items() for v in videos}
        self._open = Counter(self._first.values())

    def end(self, video: str) -> None:
        """One video has ended, well or not."""
        first = self._first[video]
        self._open[first] -= 1
        self.ended += not self._open[first]

    def end_all(self, first: str) -> None:
        """All that share a source have ended."""
        self._open[first] = 0
        self.ended += 1
