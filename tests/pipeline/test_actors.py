import threading
import time

from engines.errors import EngineError
from pipeline.actors import Gate, caught
from pipeline.graph import Countdown
from pipeline.rows import stage_row

ROW = {"video": "v", "source": "/a.mp4", "output": "/o.mp4", "work": "/w", "run": "r", "number": 2}


def test_what_a_stage_raises_becomes_one_line_of_its_row():
    def broken():
        raise EngineError("first line\nsecond line")

    (row,) = caught("render", ROW, broken)
    assert (row["video"], row["stage"], row["number"]) == ("v", "render", 2)
    assert row["error"] == "first line second line"


def test_a_disk_that_fails_names_the_file():
    def broken():
        raise OSError(5, "Input/output error", "/w/piece.mp4")

    assert caught("render", ROW, broken)[0]["error"] == "Input/output error: /w/piece.mp4"


def test_an_unexpected_error_says_its_type_and_never_escapes(caplog):
    def bug():
        raise ZeroDivisionError("division by zero")

    assert "unexpected ZeroDivisionError" in caught("plan", ROW, bug)[0]["error"]
    assert "Traceback" in caplog.text


def test_a_struck_segment_runs_alone():
    gate, inside, most_beside = Gate(), [], []

    def visit(struck: bool) -> None:
        with gate.alone() if struck else gate.shared():
            inside.append(struck)
            time.sleep(0.02)
            most_beside.append((struck, len(inside)))
            inside.remove(struck)

    threads = [threading.Thread(target=visit, args=(n % 3 == 0,)) for n in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert all(beside == 1 for struck, beside in most_beside if struck)
    assert len(most_beside) == 9


def test_the_last_row_of_a_video_is_known_and_a_failed_one_never_completes():
    seen = []
    countdown = Countdown(seen.append, "render")
    for video in ("a", "a", "b", "b"):
        countdown.expect(video)
    countdown.expect("empty", 0)
    assert countdown.complete() == ["empty"]
    assert not countdown.landed(stage_row("a", "render", 0))
    assert not countdown.landed(stage_row("b", "render", 0, error="broken"))
    assert countdown.landed(stage_row("a", "render", 1))
    assert not countdown.landed(stage_row("b", "render", 1))


def test_rows_that_ray_gave_up_are_reported():
    seen = []
    countdown = Countdown(seen.append, "analyse")
    countdown.expect("a", 3)
    countdown.landed(stage_row("a", "analyse", 0))
    countdown.report_lost()
    assert "2 tasks were given up" in seen[-1]["error"]
