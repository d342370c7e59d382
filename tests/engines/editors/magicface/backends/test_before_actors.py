"""Plans beside a job, on a cluster that is pretended: its tasks wait until a test lets them go."""

import threading
from dataclasses import dataclass, field
from typing import Any

import pytest

from engines.editors.magicface.backends.build_progress import BuildClock
from engines.editors.magicface.backends.choose import Machine
from engines.editors.magicface.backends.cluster import before_actors
from engines.editors.magicface.backends.cluster.before_actors import build_before_actors
from engines.editors.magicface.backends.cluster.tasks import BuildStep
from engines.editors.magicface.settings import resolved
from engines.errors import EngineError

ADA = Machine("NVIDIA L4", 89, {"tensorrt-rtx": "1.7.1.116"})
HOPPER = Machine("NVIDIA H100", 90, {"tensorrt": "11.4"})


@dataclass
class Sleepers:
    """A `Cluster` of named nodes with one GPU model. A build gives its steps when it is told to."""

    machine: Machine
    nodes: tuple[str, ...] = ("a",)
    waits: bool = False
    fails: str = ""
    said: list[str] = field(default_factory=list)
    installed: list[tuple[str, str]] = field(default_factory=list)
    started: list[tuple[str, float, dict[str, Any]]] = field(default_factory=list)
    held: set[str] = field(default_factory=set)
    go_on: threading.Event = field(default_factory=threading.Event)
    told: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def say(self, line):
        self.said.append(line)
        self.told.release()

    def wait_for(self, words):
        while not any(words in line for line in self.said):
            assert self.told.acquire(timeout=60), self.said

    def gpu_nodes(self):
        return list(self.nodes)

    def this_node(self):
        return self.nodes[0]

    def start(self, function, *arguments, node, cpus, gpus, **named):
        self.started.append((function.__name__, gpus, named))
        return getattr(self, function.__name__)(node, *arguments, **named)

    def results(self, handles):
        return handles

    def probe_machine(self, node):
        return self.machine

    def holds(self, node, *request):
        return node in self.held

    def build_all(self, node, *request, graphs_only=False, packed=True):
        yield BuildStep("exporting")
        assert self.go_on.wait(60)
        if self.fails:
            raise EngineError(self.fails)
        yield BuildStep("made vae_encoder", "" if graphs_only else "vae_encoder-plan")

    def packed_plans(self, node, *request):
        yield BuildStep("found vae_encoder", "vae_encoder-plan")

    def line_of(self, node, step):
        return step.line

    def install(self, node, step, cache):
        self.installed.append((node, step.plan))
        return bool(step.plan)


@pytest.fixture(autouse=True)
def _looks_at_once(monkeypatch):
    monkeypatch.setattr(before_actors, "LOOK_EVERY_S", 0.01)


def _asked(weights, **more):
    return resolved(weights=str(weights), batch=2, **more)


def test_a_job_begins_before_its_plans_are_there_and_they_come_beside_it(tiny_weights):
    cluster = Sleepers(ADA, ("a", "b"))
    end = build_before_actors(_asked(tiny_weights), cluster)
    assert end is not None, "the build goes on"
    cluster.wait_for("GPU NVIDIA L4 (SM89): exporting")
    assert "begins with what is there" in cluster.said[0]
    assert "--wait-for-plans" in cluster.said[0]
    assert cluster.installed == [("b", "")]
    cluster.go_on.set()
    cluster.wait_for("made vae_encoder; copied to 1 more")
    assert cluster.installed == [("b", ""), ("b", "vae_encoder-plan")]
    assert [gpus for name, gpus, _ in cluster.started if name == "build_all"] == [0.0]


def test_a_job_that_ends_first_says_that_the_next_goes_on(tiny_weights):
    cluster = Sleepers(ADA)
    end = build_before_actors(_asked(tiny_weights), cluster)
    cluster.wait_for("exporting")
    end()
    assert "the next run goes on from it" in cluster.said[-1]
    cluster.go_on.set()


def test_a_failed_build_is_told_and_the_job_goes_on(tiny_weights):
    cluster = Sleepers(ADA, fails="no space left")
    assert build_before_actors(_asked(tiny_weights), cluster) is not None
    cluster.go_on.set()
    cluster.wait_for("no TensorRT plans were built: no space left")


@pytest.mark.parametrize("how", [{"waits": True}, {"backend": "tensorrt-rtx"}])
def test_who_waits_or_names_a_tensorrt_has_all_plans_before_the_job(tiny_weights, how):
    cluster = Sleepers(ADA, waits=how.get("waits", False))
    cluster.go_on.set()
    named = {"backend": how["backend"]} if "backend" in how else {}
    assert build_before_actors(_asked(tiny_weights, **named), cluster) is None
    assert cluster.said[-1].endswith("made vae_encoder")


def test_plans_that_are_there_are_found_and_nothing_runs_beside(tiny_weights):
    cluster = Sleepers(ADA, held={"a"})
    assert build_before_actors(_asked(tiny_weights), cluster) is None
    assert cluster.said == ["GPU NVIDIA L4 (SM89): plans found on all of 1"]


def test_of_classic_tensorrt_only_graphs_are_made_beside_a_gpu_that_renders(tiny_weights):
    cluster = Sleepers(HOPPER, ("a", "b"))
    cluster.go_on.set()
    end = build_before_actors(_asked(tiny_weights), cluster)
    cluster.wait_for("built on the GPU itself, between two segments")
    (build,) = [(gpus, named) for name, gpus, named in cluster.started if name == "build_all"]
    assert build == (0.0, {"graphs_only": True})
    assert ("b", "vae_encoder-plan") not in cluster.installed
    cluster.held.add("a")  # its actor has built them
    cluster.wait_for("copied to 1 more")
    assert ("b", "vae_encoder-plan") in cluster.installed
    end()


def test_classic_tensorrt_holds_the_gpu_where_the_job_waits(tiny_weights):
    cluster = Sleepers(HOPPER, waits=True)
    cluster.go_on.set()
    build_before_actors(_asked(tiny_weights), cluster)
    (build,) = [(gpus, named) for name, gpus, named in cluster.started if name == "build_all"]
    assert build == (1.0, {"packed": False}), "nobody needs a copy, so no bytes are packed"


def test_a_line_says_what_how_far_and_how_long():
    seconds = iter([0.0, 0.2, 30.0, 60.0])
    clock = BuildClock(lambda: next(seconds))
    assert clock.line("vae_encoder", "exporting", None) == (
        "vae_encoder (1 of 4): exporting; 0% done, 0 s so far"
    )
    assert clock.line("vae_encoder", "exporting", None) is None
    assert clock.line("vae_decoder", "building: inner", 0.5) is None
    halfway = clock.line("id_encoder", "computing in fp32", None)
    assert halfway.startswith(
        "id_encoder (3 of 4): computing in fp32; 42% done, 30 s so far, about"
    )
    assert int(halfway.rpartition("about ")[2].split()[0]) == pytest.approx(30 * 427 / 308, abs=1)
    last = clock.line("denoiser", "building: Building engine", 0.5)
    assert last.startswith("denoiser (4 of 4): building; 93% done")


def test_what_was_found_does_not_make_the_rest_look_quick():
    seconds = iter([0.0, 100.0])
    clock = BuildClock(lambda: next(seconds))
    for component in ("vae_encoder", "vae_decoder", "id_encoder"):
        clock.found(component, "graph", "plan")
    line = clock.line("denoiser", "computing in fp32", None)
    assert "57% done" not in line.partition("about")[2]
    assert line.endswith(f"about {100 * (319 - 117) / 117:.0f} s left")
