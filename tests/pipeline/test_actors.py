import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from engines.choice import resolve
from engines.errors import EngineError
from engines.interface import EditedCrops
from keyframes.sheet import KeyframeSheet
from pipeline import actors, stages
from pipeline.actors import caught
from pipeline.edit.batcher import CropRequest
from pipeline.flow.counts import Countdown
from pipeline.flow.places import cpu_beside_gpu, cpu_room
from pipeline.rows import stage_row
from pipeline.run_folder.strikes import Gate
from pipeline.settings import RenderSettings

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
    countdown = Countdown(seen.append)
    countdown.expect("a", 2)
    countdown.expect("b", 2)
    assert not countdown.landed(stage_row("a", "render", 0))
    assert not countdown.landed(stage_row("b", "render", 0, error="broken"))
    assert countdown.waits("a")
    assert countdown.landed(stage_row("a", "render", 1))
    assert not countdown.landed(stage_row("b", "render", 1))
    assert not countdown.waits("b")
    assert len(seen) == 4


HANGS = """
import ctypes, sys
from pathlib import Path
from types import SimpleNamespace
from pipeline import actors
from pipeline.run_folder.store import video_row

class Hangs:
    kind, name, identity, gpu_share = "editor", "hangs", "hangs", 0.0

    def make(self):
        ctypes.PyDLL(None).sleep(100)  # with the interpreter's lock held

here = Path(sys.argv[1])
row = {**video_row(here / "a.mp4", here / "o.mp4", here / "w", run="r"), "number": 3}
actors.LOADING_S = 0.3
settings = SimpleNamespace(editor=Hangs(), editor_digest="d", seed=0)
print(actors.render_row(row, settings=settings)["error"])
"""


def test_an_engine_that_hangs_while_it_loads_is_ended_and_given_up_after_three_times(tmp_path):
    (tmp_path / "a.mp4").touch()
    root = str(Path(__file__).resolve().parents[2])
    call = [sys.executable, "-c", HANGS, str(tmp_path)]
    how = {"env": {"PYTHONPATH": root}, "capture_output": True, "text": True, "timeout": 120}
    first = subprocess.run(call, check=False, **how)
    assert (first.returncode, first.stdout) == (1, "")
    (mark,) = tmp_path.rglob("load-render-000003.r.try.0")
    assert "File" in mark.read_text()  # where it stood
    for number in "12":
        mark.with_name(mark.name[:-1] + number).write_text(mark.read_text())
    last = subprocess.run(call, check=True, **how)
    assert "loading hangs: made no progress for 0.3 s and was stopped, 3 times" in last.stdout


def test_a_share_of_a_study_waits_for_room_on_a_full_disk(tmp_path, monkeypatch):
    waited = []

    class Settings:
        engines = ()

        def run(self, row):
            if not waited:
                raise OSError(errno.ENOSPC, "No space left on device")
            return stage_row(row["video"], "study", frames=1)

    def room(*_: object) -> bool:
        waited.append([path.name for path in tmp_path.iterdir()])
        return True

    monkeypatch.setattr("pipeline.guards.room._grows", room)
    made = actors.study_row({"video": "v", "work": str(tmp_path)}, settings=Settings())
    assert (made["error"], made["frames"]) == ("", 1)
    assert waited == [[f"no-room.{os.getpid()}"]]
    assert list(tmp_path.iterdir()) == []


class Standin:
    """An editor that is outdated as soon as `arrived` is set; tells who made which crop."""

    crop_size, batch_size = 8, 1
    made = 0

    def __init__(self) -> None:
        type(self).made += 1
        self.number, self.arrived, self.closed = type(self).made, False, False

    def is_outdated(self) -> bool:
        return self.arrived and self.number == 1

    def close(self) -> None:
        self.closed = True

    def edit(self, crops, delta, *, seed):
        assert not self.closed
        same = crops.images
        mask = np.ones(same.shape[:3], np.float32)
        return EditedCrops(same, same, mask, (f"by {self.number}",))


def test_an_actor_changes_over_between_segments_and_never_within_one(monkeypatch):
    editor = resolve("editor", f"{__name__}:Standin")
    settings = RenderSettings(sheet=KeyframeSheet("s", ()), editor=editor, encode_preset="fast")
    request = CropRequest(
        image=np.zeros((8, 8, 3), np.uint8),
        landmarks_px=np.zeros((68, 2), np.float32),
        frame_index=0,
        delta=np.ones(12, np.float32),
        lids=np.zeros(2, np.float32),
        pose=np.zeros(3, np.float32),
    )
    half, go_on, notes = threading.Event(), threading.Event(), {}

    def segment(row, *, settings):
        batcher = actors.batcher_of(settings)
        first = batcher.submit(request).result().notes
        if row["number"] == 0:
            half.set()
            assert go_on.wait(60)
        notes[row["number"]] = (first, batcher.submit(request).result().notes)
        return {"number": row["number"]}

    monkeypatch.setattr(actors, "render_row", segment)
    monkeypatch.setattr(stages, "folder_of", lambda _: mock.Mock(**{"strikes.return_value": 0}))
    actor = actors.Render(settings)
    batch = {name: [0] for name in ("number", "first", "last")}
    long = threading.Thread(target=actor, args=(batch,))
    long.start()
    assert half.wait(60)
    old = actors._batchers[settings.editor_digest]._editor
    old.arrived = True
    new = threading.Thread(target=actor, args=({**batch, "number": [1]},))
    new.start()
    go_on.set()
    for thread in (long, new):
        thread.join(timeout=60)
    assert notes == {0: (("by 1",),) * 2, 1: (("by 2",),) * 2}
    assert old.closed
    assert not actors.is_outdated(settings)


GB = 1e9


@pytest.mark.parametrize(
    ("nodes", "room"),
    [
        ([{"CPU": 16.0, "memory": 40 * GB}], {"num_cpus": 4, "memory": 9 * GB}),
        ([{"CPU": 2.0, "memory": 16 * GB}], {"num_cpus": 2, "memory": 9 * GB}),
        ([{"CPU": 4.0, "memory": 400 * GB}], {"num_cpus": 1, "memory": 9 * GB}),
        ([{"CPU": 8.0, "memory": 5 * GB}], {"num_cpus": 8, "memory": 5 * GB}),
        (
            [{"CPU": 8.0, "memory": 5 * GB}, {"CPU": 64.0, "memory": 40 * GB}, {"memory": 90 * GB}],
            {"num_cpus": 16, "memory": 9 * GB},
        ),
        ([{"CPU": 8.0}], {}),
    ],
)
def test_as_many_cpu_tasks_run_as_memory_holds_and_they_share_the_cores(nodes, room):
    assert cpu_room(int(9 * GB), nodes) == room


@pytest.mark.parametrize(
    ("share", "nodes", "cpus"),
    [
        (1.0, [{"CPU": 64.0, "GPU": 8.0}], 1.0),
        (1.0, [{"CPU": 8.0, "GPU": 8.0}], 0.5),
        (0.5, [{"CPU": 8.0, "GPU": 8.0}], 0.25),
        (1.0, [{"CPU": 64.0}, {"CPU": 64.0, "GPU": 1.0}, {"CPU": 2.0, "GPU": 2.0}], 0.5),
        (1.0, [{"CPU": 64.0}], 0.0),
        (1.0, [{"GPU": 1.0, "CPU": 1.0}, {"GPU": 1.0, "CPU": 1.0}], 0.0),
    ],
)
def test_actors_on_gpus_keep_cores_for_themselves_and_leave_half_to_analysis(share, nodes, cpus):
    assert cpu_beside_gpu(share, nodes) == cpus
