"""Where verdicts lie, told to a person: one page, or the index of several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from jobs.command_line.outputs import named_for


def tell_pages(
    outputs: Sequence[Path], report: Path, say: Callable[[str], None], only: str | None = None
) -> None:
    """Names the page of one output, or writes and names the index of several beside a report.

    Args:
        only: the part of each clip that was made, which the index's name then tells.
    """
    from pipeline.figures.verdict_page.index import write_index
    from pipeline.figures.verdict_page.stage import page_beside

    pages = [page for page in map(page_beside, outputs) if page.is_file()]
    if len(outputs) == 1 and pages:
        say(f"verdict: {pages[0]}")
    elif pages:
        say(f"verdicts: {write_index(report.with_name(named_for('qa.html', only)), pages)}")
