"""Many videos through the stages without Ray: order, back-pressure, and rows that are given up."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from pipeline import graph
from pipeline.flow import places, pool
from pipeline.flow.flow import Cores, Flow
from pipeline.flow.order import after_each
from pipeline.rows import stage_row

ROOT = Path(__file__).resolve().parents[2]
ROOM = 3
SEGMENTS = 2


class Instant:
    """A place that has a row's verdict ready at once, for `ROOM` rows at a time."""

    on_cores = True

    def __init__(self, verdicts: Callable[[Any], list[Any]]) -> None:
        self.verdicts, self.under_way = verdicts, 0

    def open(self, tell: Callable[[Any], None], cores: Cores) -> None:
        self.tell = tell

    def has_room(self) -> bool:
        return self.under_way < ROOM

    def is_busy(self) -> bool:
        return self.under_way > 0

    def tend(self) -> None:
        pass

    def start(self, row: Any) -> None:
        self.under_way += 1
        self.tell(row)

    def landed(self, message: Any) -> Iterator[list[Any]]:
        self.under_way -= 1
        yield self.verdicts(message)

    def close(self, *, at_once: bool) -> None:
        pass


def _verdicts(stage: str, row: Any) -> list[Any]:
    name = row["video"]
    if stage == "inspect":
        return [stage_row(name, stage), stage_row(name, stage, 0)]
    if stage == "plan":
        todo = [stage_row(name, stage, number) for number in range(SEGMENTS)]
        return [stage_row(name, "assemble"), stage_row(name, stage), *todo]
    error = "broken" if name == "v7" and stage == "render" else ""
    return [stage_row(name, stage, row.get("number", -1), error=error)]


@pytest.fixture
def instant(monkeypatch: pytest.MonkeyPatch) -> None:
    """The graph over places of this file, on one core."""

    def place(stage: str) -> Instant:
        return Instant(lambda row: _verdicts(stage, row))

    monkeypatch.setattr(Cores, "there", lambda _: 1.0)
    monkeypatch.setattr(Cores, "gpus", lambda _: 1.0)
    monkeypatch.setattr(graph, "Tasks", lambda stage, *_, **__: place(stage))
    monkeypatch.setattr(graph, "on_cores", lambda stage, *_, **__: place(stage))
    monkeypatch.setattr(graph, "cores_each", lambda *_, **__: 1.0)
    monkeypatch.setattr(graph, "cpus_of_actors", lambda *_: 0.0)
    monkeypatch.setattr(graph, "for_analysis", lambda *_, **__: place("analyse"))
    monkeypatch.setattr(graph, "for_rendering", lambda *_, **__: place("render"))


def _videos(count: int) -> list[Any]:
    return [
        {
            "video": f"v{n}",
            "source": f"{n}",
            "identity": f"{1000 - n}-1-1-{n}",
            "work": "w",
            "view": "",
        }
        for n in range(count)
    ]


def _job(**kinds: Any) -> graph.Job:
    editor = {"gpu_share": kinds.get("render_share", 0.0), "seconds_per_edit": 0.02}
    render: Any = mock.Mock(plot=True, editor=mock.Mock(**editor))
    analysis: Any = mock.Mock(gpu_share=kinds.get("analysis_share", 0.0))
    return graph.Job(analysis, render)


@pytest.mark.usefixtures("instant")
def test_few_videos_are_under_way_at_once_however_many_there_are_the_longest_first():
    begun, ended, most = set[str](), dict[str, None](), 0

    def on_row(row: Any) -> None:
        nonlocal most
        begun.add(row["video"])
        if row["stage"] == "plot" or row["error"]:
            ended[row["video"]] = None
        most = max(most, len(begun) - len(ended))

    graph.run(list(reversed(_videos(600))), _job(), on_row)
    assert len(ended) == len(begun) == 600
    assert most <= 8
    assert set(list(ended)[:20]) <= {f"v{n}" for n in range(30)}  # the largest files


def test_equal_outputs_of_one_source_are_cut_alike():
    small, large, again, larger = videos = _videos(4)
    small["identity"], large["identity"] = "10-1-1-s", "90-1-1-l"
    again["identity"] = large["identity"]
    after = {"v3": 0, "v1": 2, "v2": 2, "v0": 0}  # the first has the cluster to itself, too
    assert after_each(videos) == after
    assert after_each([again, small, larger, large]) == after


@pytest.mark.usefixtures("instant")
def test_analysis_and_rendering_on_several_gpus_go_on_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Cores, "gpus", lambda _: 2.0)
    stages: list[str] = []
    job = _job(render_share=1.0, analysis_share=0.5)
    graph.run(_videos(60), job, lambda row: stages.append(row["stage"]))
    assert stages.count("finish") == 59
    assert "finish" in stages[: stages.index("analyse") + 60]


@pytest.mark.usefixtures("instant")
def test_analysis_and_rendering_on_the_same_gpus_take_turns():
    stages: list[str] = []
    job = _job(render_share=1.0, analysis_share=0.5)
    graph.run(_videos(20), job, lambda row: stages.append(row["stage"]))
    assert stages.count("finish") == 19  # all but the broken one
    assert stages.index("render") > max(n for n, stage in enumerate(stages) if stage == "analyse")


@pytest.mark.parametrize(
    ("gpus", "analysis", "rendering", "expected"),
    [
        (1, 0.5, 1.0, 0.0),  # turns
        (1, 0.5, 0.5, 0.5),
        (2, 0.5, 1.0, 0.5),  # a second one could lie on the other GPU
        (8, 0.5, 1.0, 1.0),
        (64, 0.5, 0.5, 8.0),
        (8, 1.0, 1.0, 1.0),
    ],
)
def test_analysis_has_a_part_of_the_gpus_that_an_editor_wants_too(
    gpus, analysis, rendering, expected
):
    assert places.part_for_analysis(gpus, analysis, rendering) == expected


@pytest.mark.parametrize(("cores", "gpus"), [(2, 1), (2, 2), (8, 8), (64, 8)])
def test_actors_of_both_stages_leave_a_core_to_tasks(
    monkeypatch: pytest.MonkeyPatch, cores: int, gpus: int
):
    """However Ray spreads them: a plan that waits for a core would keep analysis from ending."""
    monkeypatch.setattr(places, "_nodes", lambda: [{"CPU": float(cores), "GPU": float(gpus)}])
    finds: Any = mock.Mock(gpu_share=0.5)
    edits: Any = mock.Mock(**{"editor.gpu_share": 1.0})
    each = places.cpus_of_actors(finds, edits)
    assert each > 0
    alone = places.cpus_of_actors(finds, mock.Mock(**{"editor.gpu_share": 0.0}))
    assert each * (2 * gpus) <= cores - 1
    assert alone * (2 * gpus) <= cores - 1


@pytest.mark.parametrize(
    ("rows", "expected"), [(3, 1), (8, 1), (9, 2), (16, 2), (24, 3), (900, 3), (None, 3)]
)
def test_the_first_of_eight_actors_that_is_ready_takes_no_more_than_its_part(rows, expected):
    assert places.calls_each(rows, 8, 3) == expected


def test_what_lands_of_a_later_stage_is_handed_over_first():
    """Else a GPU would wait until the driver has come to it through all that is analysed."""
    told: list[str] = []
    flow, late, early = Flow(), Instant(lambda _: []), Instant(lambda _: [])
    stages = [
        flow.stage(place, lambda _, name=name: told.append(name))
        for name, place in (("late", late), ("early", early))
    ]
    held: list[Any] = []

    def start(row: Any) -> None:
        held.append(row)
        if len(held) == ROOM:  # all of the early ones have landed before any of the late
            late.under_way = early.under_way = ROOM
            for tell in (early.tell, late.tell):
                for each in held:
                    tell(each)

    early.start, late.start = start, lambda _: None
    for stage in stages:
        for _ in range(ROOM):
            stage.put({})
    flow.run()
    assert told == ["late"] * ROOM + ["early"] * ROOM


def test_small_work_does_not_keep_large_work_waiting():
    started: list[str] = []
    flow = Flow()

    def place(name: str, *, room: bool) -> Any:
        place = Instant(lambda _: [stage_row("v", name)])
        place.has_room = lambda: room or not any(s.is_busy() for s in places)
        place.start = lambda row, start=place.start: (started.append(name), start(row))
        places.append(place)
        return place

    places: list[Any] = []
    large = flow.stage(place("large", room=False), lambda _: None)
    small = flow.stage(place("small", room=True), lambda _: None)
    for _ in range(3):
        large.put({})
        small.put({})
    flow.run()
    assert started == ["large"] * 3 + ["small"] * 3


def _datasets(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What pools begin from now on: stand-ins that number their rows."""
    runs: list[Any] = []

    def begin(actors: int, *_: Any) -> Any:
        runs.append(mock.Mock(actors=actors, rows=0, put=mock.Mock(side_effect=range(100))))
        return runs[-1]

    monkeypatch.setattr(pool, "_Run", begin)
    return runs


def test_gpus_that_come_get_actors_and_what_was_on_those_that_go_is_put_again(
    monkeypatch: pytest.MonkeyPatch,
):
    runs, now, gpus = _datasets(monkeypatch), 0.0, 2
    monkeypatch.setattr(pool.time, "monotonic", lambda: now)
    there = pool.Pool("render", mock.Mock(), lambda: gpus, lambda: None, calls=1, bound=1)
    there.open(lambda _: None, Cores())
    there.tend()
    assert runs == []  # nothing is held before there is work
    for number in range(4):
        there.start({"video": "v", "number": number})
    assert not there.has_room()
    gpus = 5
    there.tend()
    there.tend()
    assert [run.actors for run in runs] == [2, 3]
    assert there.has_room()
    gpus = 4
    there.tend()
    assert there.has_room()  # it may come back
    now = pool.RETURN_S + 1
    there.tend()
    assert not there.has_room()
    for number in range(3):
        assert list(there.landed((runs[0], stage_row("v", "render", number))))
    there.tend()
    assert [run.actors for run in runs] == [2, 3, 4]
    assert [run.close.call_args for run in runs[:2]] == [mock.call(at_once=True)] * 2
    assert [call.args[0]["number"] for call in runs[2].put.call_args_list] == [3]
    assert list(there.landed((runs[2], stage_row("v", "render", 3))))
    assert not there.is_busy()
    assert there.has_room()


def test_what_waits_in_a_dataset_whose_last_actor_is_gone_is_put_again_too(
    monkeypatch: pytest.MonkeyPatch,
):
    """A node comes, the first one goes: nothing but its own actor would have taken its rows."""
    runs, now, gpus = _datasets(monkeypatch), 0.0, 1
    monkeypatch.setattr(pool.time, "monotonic", lambda: now)
    there = pool.Pool("render", mock.Mock(), lambda: gpus, lambda: None, calls=2, bound=2)
    there.open(lambda _: None, Cores())
    for number in range(4):
        there.start({"video": "v", "number": number})
    gpus = 2
    there.tend()
    runs[0].rows = 4
    there.start({"video": "v", "number": 4})
    assert [run.put.call_count for run in runs] == [4, 1]
    gpus = 1
    there.tend()
    now = pool.RETURN_S + 1
    there.tend()
    assert len(runs) == 2  # the other's actor is at work
    assert list(there.landed((runs[1], stage_row("v", "render", 4))))
    there.tend()
    assert [call.args[0]["number"] for call in runs[2].put.call_args_list] == [0, 1, 2, 3]


def test_rows_of_a_dataset_that_ray_gives_up_are_put_again_and_then_told(
    monkeypatch: pytest.MonkeyPatch,
):
    runs = _datasets(monkeypatch)
    there = pool.Pool("render", mock.Mock(), lambda: 1, lambda: None, calls=3, bound=3)
    there.open(lambda _: None, Cores())
    for number in range(2):
        there.start({"video": "v", "number": number})
    good = stage_row("v", "render", 0)
    assert list(there.landed((runs[0], good))) == [[good]]
    runs[0].done.assert_called_once_with(0)
    for tried in range(pool.TRIES - 1):
        assert list(there.landed((runs[tried], RuntimeError("node died")))) == []
        assert list(there.landed((runs[tried], good))) == []  # late, of a run that is over
        runs[tried].close.assert_called_once_with(at_once=True)
    ((lost,),) = there.landed((runs[-1], RuntimeError("node died")))
    assert (lost["video"], lost["number"]) == ("v", 1)
    assert "given up by Ray (RuntimeError)" in lost["error"]
    assert not there.is_busy()
    assert len(runs) == pool.TRIES


def test_processes_import_no_more_than_they_run():
    """Ray Data takes 0.9 CPU-s of each process, and a cluster starts many actors that render."""
    code = """
import sys
from jobs.benchmarks.scaling import pretended
from pipeline import actors, stages
from pipeline.flow import desk
stages.render_stage
assert "ray" in sys.modules
others = {f"pipeline.stages.{name}" for name in ("inspect", "analyse", "plan", "finish")}
assert not {*others, "pipeline.studies", "pipeline.demo", "scipy.signal"} & set(sys.modules)
from jobs.ray_cluster.lone_machine import import_pipeline
from pipeline import graph
import_pipeline()
assert others < set(sys.modules)
assert "ray.data" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
