"""A cluster that only exists as a clock: what Ray would run there ends when its time has passed.

Stands where the graph has Ray: tasks on cores, Ray Data's actors on GPUs. Which row is started
when, and in which actor's queue it comes to lie, is decided by the graph's own code.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from math import inf
from queue import Empty
from typing import Any

from jobs.benchmarks.scaling.gpu import Gpu
from jobs.ray_cluster.lean import replaced
from pipeline import graph
from pipeline.flow import flow, places, pool, tasks

ROW_OF_DRIVER_S = 0.0055
"""Of the driver, for each row: Ray's and ours."""
COME_S = GO_S = 0.15
"""Of a row through Ray Data, to its actor and back."""
BESIDE_S = 0.1
"""Of a segment before its first edit, and again after its last: opened, encoded to its end."""
LONGEST_S = 1e7

Work = Callable[[str, Any], tuple[float, list[Any]]]
"""From the name of a task and its row to the seconds it takes, and its rows."""
Edit = Callable[[Any], tuple[float, Any]]
"""From a segment's row to the seconds that a GPU of speed 1 takes for it, and its verdict."""


class Clock:
    """Virtual seconds, and what is to happen at which."""

    def __init__(self) -> None:
        self.now = 0.0
        self._to_come: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def at(self, when: float, act: Callable[[], None]) -> None:
        """Lets something happen."""
        heapq.heappush(self._to_come, (when, next(self._numbers), act))

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Lets something happen so much later."""
        self.at(self.now + seconds, act)

    @property
    def next(self) -> float:
        """When anything happens again."""
        return self._to_come[0][0] if self._to_come else inf

    def step(self) -> None:
        """Lets the next thing happen."""
        self.now, _, act = heapq.heappop(self._to_come)
        act()


class Driver:
    """The process that hands rows on, one after the other; its queue and its clock in one."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._now = clock, 0.0
        self._told: deque[tuple[float, Any]] = deque()

    def monotonic(self) -> float:
        """As `time.monotonic`."""
        return self._now

    def put(self, message: Any) -> None:
        """As of a queue: something of the cluster has ended just now."""
        self._told.append((self._clock.now, message))

    def get(self, timeout: float) -> Any:
        """As of a queue.

        Raises:
            Empty: for so long nothing has ended.
        """
        until = self._now + timeout
        while not self._told:
            if self._clock.next > until:
                if until > LONGEST_S:
                    raise RuntimeError(f"nothing has ended for {LONGEST_S:.0f} virtual seconds")
                self._now = until
                raise Empty
            self._clock.step()
        when, message = self._told.popleft()
        self._now = max(self._now, when)
        return message

    def does(self, act: Callable[[], None], seconds: float = 0.0) -> None:
        """Lets something happen on the cluster, for which the driver takes some time."""
        self._now += seconds
        self._clock.at(self._now, act)


@dataclass
class Node:
    """A machine.

    Attributes:
        speed: of each of its GPUs.
    """

    cpus: float
    gpus: int = 0
    speed: float = 1.0
    free: float = field(init=False)
    devices: list[Gpu] = field(init=False)

    def __post_init__(self) -> None:
        self.free = self.cpus


class Cluster:
    """Nodes of virtual time, with what the graph asks of the module `ray`."""

    def __init__(self, nodes: Sequence[Node], work: Work, edit: Edit, actor_start_s: float) -> None:
        """
        Args:
            actor_start_s: from an actor's place on a GPU to its first row.
        """
        self.clock = Clock()
        self.driver = Driver(self.clock)
        self.work, self.edit, self.actor_start_s = work, edit, actor_start_s
        self._nodes = nodes
        for node in nodes:
            node.devices = [Gpu(self.clock, node.speed) for _ in range(node.gpus)]
        self._tasks: deque[tuple[float, Callable[[Node], None]]] = deque()
        self._actors: deque[Actor] = deque()

    @property
    def gpus(self) -> list[Gpu]:
        """Of all nodes."""
        return [gpu for node in self._nodes for gpu in node.devices]

    @contextmanager
    def instead_of_ray(self) -> Generator[None]:
        """While the body runs, the graph has this cluster and its time."""
        with ExitStack() as stack:
            for module in (flow, tasks, places):
                stack.enter_context(replaced(module, ray=self))
            for module in (flow, pool):
                stack.enter_context(replaced(module, time=self.driver))
            stack.enter_context(replaced(flow, SimpleQueue=lambda: self.driver))
            stack.enter_context(replaced(pool, _Run=partial(Run, self)))
            stack.enter_context(replaced(graph, counter=lambda: None))
            yield

    def nodes(self) -> list[dict[str, Any]]:
        """As `ray.nodes`."""
        told = [{"CPU": float(n.cpus), "GPU": float(n.gpus), "memory": 1e12} for n in self._nodes]
        return [
            {"NodeID": str(number), "Alive": True, "Resources": resources}
            for number, resources in enumerate(told)
        ]

    def cluster_resources(self) -> dict[str, float]:
        """As `ray.cluster_resources`."""
        both = [node["Resources"] for node in self.nodes()]
        return {name: sum(each[name] for each in both) for name in ("CPU", "GPU")}

    def put(self, value: Any) -> Any:
        """As `ray.put`: there is one memory."""
        return value

    def remote(self, work: Any) -> _Remote:
        """As `ray.remote`, of a function."""
        return _Remote(self, work.__name__, 1.0)

    def start_task(self, cpus: float, begin: Callable[[Node], None]) -> None:
        """Lets a task wait for cores."""
        self._tasks.append((cpus, begin))
        self._fill()

    def start_actor(self, actor: Actor) -> None:
        """Lets an actor wait for its share of a GPU, and its cores."""
        self._actors.append(actor)
        self._fill()

    def give_back(self, node: Node, cpus: float) -> None:
        """A task or an actor has ended."""
        node.free += cpus
        self._fill()

    def _fill(self) -> None:
        while self._actors and self._actors[0].takes_place(self._nodes):
            self.clock.after(self.actor_start_s, self._actors.popleft().is_up)
        while self._tasks:
            cpus, begin = self._tasks[0]
            node = max(self._nodes, key=lambda node: node.free / max(node.cpus, 1))
            if node.free < cpus:
                return
            self._tasks.popleft()
            node.free -= cpus
            begin(node)


class _Remote:
    """A function of which each call is a task."""

    def __init__(self, cluster: Cluster, name: str, cpus: float) -> None:
        self._cluster, self._name, self._cpus = cluster, name, cpus

    def options(self, *, num_cpus: float, **_: Any) -> _Remote:
        return _Remote(self._cluster, self._name, num_cpus)

    def remote(self, row: Any, *_: Any) -> _Task:
        task = _Task(self._cluster, self._name, self._cpus, row)
        self._cluster.driver.does(task.wait, ROW_OF_DRIVER_S)
        return task


class _Task:
    """A call under way."""

    def __init__(self, cluster: Cluster, name: str, cpus: float, row: Any) -> None:
        self._cluster, self._cpus = cluster, cpus
        self._future: Future[list[Any]] = Future()
        self._seconds, self._rows = cluster.work(name, row)

    def future(self) -> Future[list[Any]]:
        return self._future

    def wait(self) -> None:
        self._cluster.start_task(self._cpus, self._begin)

    def _begin(self, node: Node) -> None:
        self._cluster.clock.after(self._seconds, partial(self._end, node))

    def _end(self, node: Node) -> None:
        self._cluster.give_back(node, self._cpus)
        self._future.set_result(self._rows)


class Run:
    """In place of a pool's dataset: rows to the least busy of the actors that are up."""

    def __init__(self, cluster: Cluster, actors: int, build: Any, tell: Any) -> None:
        self.actors, self.rows = actors, 0
        self._cluster, self._tell = cluster, tell
        self._numbers = count()
        self._waiting: deque[Any] = deque()
        needs = _Needs()
        build(needs, actors)
        self._actors = [
            Actor(cluster, needs.share, needs.cpus, needs.calls, self._fill) for _ in range(actors)
        ]
        for actor in self._actors:
            cluster.driver.does(partial(cluster.start_actor, actor))

    def put(self, row: Any) -> int:
        """As of a pool's `_Run`, like the others."""
        self.rows += 1
        driver = self._cluster.driver
        come = partial(self._cluster.clock.after, COME_S, partial(self._come, row))
        driver.does(come, ROW_OF_DRIVER_S)
        return next(self._numbers)

    def done(self, _number: int) -> None:
        """As of `_Run`."""
        self.rows -= 1

    def close(self, *, at_once: bool) -> None:  # noqa: ARG002 - as of `_Run`
        """As of `_Run`: nothing is under way then."""
        self._cluster.driver.does(self._leave)

    def _leave(self) -> None:
        for actor in self._actors:
            actor.leave()

    def _come(self, row: Any) -> None:
        self._waiting.append(row)
        self._fill()

    def _fill(self) -> None:
        while self._waiting:
            able = [actor for actor in self._actors if actor.has_room()]
            if not able:
                return
            row = self._waiting.popleft()
            min(able, key=lambda actor: actor.rows).edit(row, partial(self._edited))

    def _edited(self, verdict: Any) -> None:
        self._cluster.clock.after(GO_S, lambda: self._tell((self, verdict)))


class _Needs:
    """Takes what a pool's operator asks of Ray Data."""

    share = cpus = 0.0
    calls = 1

    def map_batches(self, *_: Any, compute: Any, **needs: Any) -> None:
        self.share, self.cpus = needs["num_gpus"], needs["num_cpus"]
        self.calls = compute.max_tasks_in_flight_per_actor

    map = map_batches


class Actor:
    """An editor on a share of a GPU, with several segments at once."""

    def __init__(
        self,
        cluster: Cluster,
        share: float,
        cpus: float,
        calls: int,
        has_changed: Callable[[], None],
    ) -> None:
        self.rows = 0
        self._cluster, self._share, self._cpus = cluster, share, cpus
        self._calls, self._has_changed = calls, has_changed
        self._is_up = False
        self._place: tuple[Node, Gpu] | None = None

    def takes_place(self, nodes: Sequence[Node]) -> bool:
        """Takes its share of a GPU, and cores, where there are such: spread over the nodes."""
        able = [
            (node, gpu)
            for node in nodes
            for gpu in node.devices
            if gpu.free >= self._share and node.free >= self._cpus
        ]
        if not able:
            return False
        self._place = node, gpu = max(able, key=lambda each: (each[1].free, each[0].free))
        node.free -= self._cpus
        gpu.free -= self._share
        return True

    def is_up(self) -> None:
        """It has started."""
        self._is_up = True
        self._has_changed()

    def has_room(self) -> bool:
        """Whether it takes another row."""
        return self._is_up and self.rows < self._calls

    def edit(self, row: Any, then: Callable[[Any], None]) -> None:
        """Takes a segment: opens it, edits it beside the others, encodes its end."""
        self.rows += 1
        seconds, verdict = self._cluster.edit(row)
        after = self._cluster.clock.after
        assert self._place is not None
        _, gpu = self._place

        def end() -> None:
            self.rows -= 1
            then(verdict)
            self._has_changed()

        after(BESIDE_S, partial(gpu.add, seconds, partial(after, BESIDE_S, end)))

    def leave(self) -> None:
        """Gives back what it holds."""
        if self._place is not None:
            node, gpu = self._place
            gpu.free += self._share
            self._place, self._is_up = None, False
            self._cluster.give_back(node, self._cpus)
