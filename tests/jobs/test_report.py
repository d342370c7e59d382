"""The ledger that rows become a report in."""

from __future__ import annotations

import io
from pathlib import Path
from unittest import mock

import pytest
from rich.console import Console

from jobs.command_line import progress as progress_line
from jobs.command_line.failures import write_failures
from jobs.command_line.inputs import Refused
from jobs.command_line.progress import Progress, closing_table, first_of
from jobs.command_line.report import Ledger
from pipeline.rows import StageRow, VideoRow, stage_row

VIDEO: VideoRow = {
    "video": "v",
    "source": "a.mov",
    "output": "b.mov",
    "work": "_work",
    "identity": "1-1-1-a",
    "request": "",
    "run": "",
    "curve": "",
    "cache": 0,
    "view": "",
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


def test_the_line_of_progress_is_over_the_whole_job_also_while_files_are_not_yet_opened(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(progress_line, "time", mock.Mock(**{"monotonic.return_value": 100.0}))
    sizes = {"a": 100, "b": 300}
    videos: list[VideoRow] = [
        {**VIDEO, "video": name, "identity": f"{size}-1-1-x"} for name, size in sizes.items()
    ]
    ledger = Ledger(videos, "animate")
    progress = Progress(videos, ledger, Console(file=io.StringIO()))

    def land(*rows: StageRow) -> str:
        for row in rows:
            ledger.on_row(row)
            progress.on_row(row)
        return progress.line()

    assert "0/2 clips · analyse 0/≈0 frames" in progress.line()
    opened = land(
        stage_row("a", "inspect", frames=80),
        stage_row("a", "inspect", 0, frames=50),  # the curve touches no more
        stage_row("a", "analyse", 0, frames=50, seconds=9.0),
    )
    assert "0/2 clips · analyse 50/≈200 frames" in opened
    rendered = land(
        stage_row("a", "inspect", 1, frames=30),  # its shot goes on
        stage_row("a", "analyse", 1, frames=30, seconds=9.0),
        stage_row("a", "plan", frames=80),
        stage_row("a", "plan", 0, frames=25),  # the other groups are copied
        stage_row("a", "render", 0, frames=25, seconds=10.0),
        stage_row("a", "render", 1, frames=15),  # of a run that was killed
        stage_row("b", "inspect", frames=70),
    )
    assert "analyse 80 · render 40/≈160 frames · 4.0 fps · 30 s left" in rendered
    ended = land(
        stage_row("a", "finish", frames=50),
        stage_row("a", "plot"),
        stage_row("b", "plan", error="no face"),
    )
    assert ended.startswith("2/2 clips")
    assert ended.endswith("1 plots · 1 failed")


def test_the_closing_table_names_an_input_that_could_not_be_used():
    ledger = Ledger([VIDEO], "animate", [Refused("/in/gone.mov", "does not exist")])
    screen = Console(width=200, record=True, file=io.StringIO())
    screen.print(closing_table(list(ledger.entries.values()), 1.0, None))
    assert "/in/gone.mov: does not exist" in screen.export_text()


def test_the_closing_table_of_thousands_shows_what_failed_and_where_the_rest_is():
    videos: list[VideoRow] = [
        {**VIDEO, "video": f"v{n}", "output": f"{n}.mov"} for n in range(3000)
    ]
    ledger = Ledger(videos, "animate")
    for video in videos[:-2]:
        ledger.on_row(stage_row(video["video"], "finish"))
    ledger.close("interrupted")
    screen = Console(width=200, record=True, file=io.StringIO())
    screen.print(closing_table(list(ledger.entries.values()), 1.0, Path("/out/report.json")))
    text = screen.export_text()
    assert len(text.splitlines()) < 60
    assert text.count("interrupted") == 2
    assert "and 2960 done; all of them: /out/report.json" in text
    lines = [f"video: {n}" for n in range(3000)]
    told = first_of(lines, Path("/out/report.json"))
    assert len(told) < 60
    assert told[-1] == "… 2960 more such lines: /out/report.json"
    assert first_of(lines[:40], None) == lines[:40]


def test_failures_are_there_while_a_run_goes_on_and_its_own_manifest_stays_whole(tmp_path: Path):
    videos: list[VideoRow] = [{**VIDEO, "video": name, "output": name} for name in "ab"]
    ledger = Ledger(videos, "animate")
    going_on = "not ended"
    place, failures = tmp_path / "report.json", tmp_path / "failures.csv"
    write_failures(ledger.report({}, 0.0, going_on), place, going_on)
    assert not failures.exists()
    ledger.on_row(stage_row("a", "inspect", error="no such codec"))
    write_failures(ledger.report({}, 0.0, going_on), place, going_on, str(failures))
    assert not failures.exists()
    write_failures(ledger.report({}, 0.0, going_on), place, going_on)
    assert failures.read_text().count("no such codec") == 1
    assert going_on not in failures.read_text()
