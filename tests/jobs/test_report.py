"""The ledger that rows become a report in."""

from __future__ import annotations

from jobs.command_line.report import Ledger
from pipeline.rows import VideoRow, stage_row

VIDEO: VideoRow = {
    "video": "v",
    "source": "a.mov",
    "output": "b.mov",
    "work": "_work",
    "identity": "1-1-1-a",
    "request": "",
    "run": "",
    "curve": "",
}


def warnings_after(*rows) -> list[str]:
    ledger = Ledger([VIDEO], "animate")
    for row in rows:
        ledger.on_row(row)
    return ledger.entries["v"].warnings


def test_what_plan_and_finish_both_warn_of_is_reported_once():
    lost = "interlaced HEVC is written progressive"
    assert warnings_after(
        stage_row("v", "plan", notes=lost),
        stage_row("v", "finish", notes=f"{lost}\n{lost}\na cover was left out"),
    ) == [lost, "a cover was left out"]


def test_what_segments_count_is_added_up():
    assert warnings_after(
        stage_row("v", "render", 0, notes="mask: face: 25 frames\nmask: person: 3 frames"),
        stage_row("v", "render", 1, notes="mask: face: 25 frames"),
        stage_row("v", "render", 2, notes="mask: face: 4 frames"),
    ) == ["mask: face: 54 frames", "mask: person: 3 frames"]
