"""The log of a run's stages, and the timeline drawn from it."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jobs.command_line.event_log import (
    Event,
    EventPlaces,
    event_log,
    event_places,
    in_lanes,
    timeline_of,
)
from jobs.errors import JobError
from pipeline.rows import VideoRow, stage_row

VIDEO: VideoRow = {
    "video": "v",
    "source": "/in/a.mov",
    "output": "/out/b.mov",
    "work": "_work",
    "identity": "1-1-1-a",
    "request": "",
    "run": "",
}
SEGMENT = stage_row("v", "render", 3, first=100, last=149, frames=50, edited=20, seconds=2.0)


def event(begun_s: float, ended_s: float, **values: object) -> Event:
    row = stage_row("v", "render", 0, seconds=ended_s - begun_s, **values)
    return Event(row, VIDEO, ended_s, datetime.now(UTC))


def test_every_stage_and_segment_is_a_line_that_is_there_at_once(tmp_path: Path):
    path = tmp_path / "run.jsonl"
    with event_log([VIDEO], EventPlaces(lines=path)) as log:
        log.on_row(stage_row("v", "inspect", frames=150))
        log.on_row(stage_row("v", "inspect", 0, first=0, last=99))  # a chunk to come, no event
        log.on_row(SEGMENT)
        log.on_row(stage_row("v", "finish", error="the disk is full"))
        lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert lines[0] == {"schema": "aureel-events/1", "videos": 1}
    assert [line["stage"] for line in lines[1:]] == ["inspect", "render", "finish"]
    summary, segment, failed = lines[1:]
    assert "first" not in summary
    assert (segment["number"], segment["first"], segment["last"]) == (3, 100, 149)
    assert (segment["source"], segment["output"]) == ("/in/a.mov", "/out/b.mov")
    assert (segment["frames"], segment["edited"], segment["error"]) == (50, 20, None)
    assert failed["error"] == "the disk is full"
    assert datetime.fromisoformat(failed["at"]).tzinfo == UTC
    assert log.events == [], "a log without a timeline keeps nothing"


def test_the_timeline_is_written_also_by_a_run_that_breaks_off(tmp_path: Path):
    path = tmp_path / "run.json"
    with suppress(KeyboardInterrupt), event_log([VIDEO], EventPlaces(timeline=path)) as log:
        log.on_row(SEGMENT)
        raise KeyboardInterrupt
    (drawn,) = [e for e in json.loads(path.read_text("utf-8"))["traceEvents"] if e["ph"] == "X"]
    assert drawn["name"] == "a.mov 100–149"
    assert drawn["args"]["edited"] == 20


def test_work_at_one_time_lies_in_lanes_of_its_own():
    events = [event(0, 4), event(1, 2), event(2, 5), event(4.5, 6)]
    lanes = {(e.begun_s, e.ended_s): lane for e, lane in in_lanes(events)}
    assert lanes == {(0, 4): 1, (1, 2): 2, (2, 5): 2, (4.5, 6): 1}


def test_a_stage_is_a_process_with_its_name_and_times_are_microseconds():
    finish = event(5, 6)
    finish = replace(finish, row=stage_row("v", "finish", seconds=1.0, error="no"))
    drawn = timeline_of([event(0.5, 2), finish])["traceEvents"]
    names = {e["pid"]: e["args"]["name"] for e in drawn if e["name"] == "process_name"}
    assert names == {1: "render", 2: "finish"}
    work = [e for e in drawn if e["ph"] == "X"]
    assert [(e["pid"], e["tid"], e["ts"], e["dur"]) for e in work] == [
        (1, 1, 500_000, 1_500_000), (2, 1, 5_000_000, 1_000_000),
    ]  # fmt: skip
    assert "cname" not in work[0]
    assert work[1]["cname"] == "terrible"


def test_a_place_that_takes_no_file_is_refused_before_the_work(tmp_path: Path):
    for option, told in (("--log-json", (".", None)), ("--timeline", (None, "."))):
        with pytest.raises(JobError, match=rf"{option} .*: is a folder; expected a file"):
            event_places(*told, [])
    new = tmp_path / "new" / "x.jsonl"
    assert event_places(str(new), None, []) == EventPlaces(lines=new)
    assert not new.parent.exists()
    with event_log([VIDEO], EventPlaces(lines=new)):
        assert new.is_file()


def test_no_footage_and_no_output_is_written_over(tmp_path: Path):
    footage, output = tmp_path / "a.mov", tmp_path / "b.mov"
    footage.touch()
    row: VideoRow = {**VIDEO, "source": str(footage), "output": str(output)}
    for told in (footage, output):
        with pytest.raises(JobError, match="is an input or output of this job"):
            event_places(str(told), None, [row])
