"""Many videos under way at once: what waits for a stage, what runs of it, who takes what lands.

Knows no stage by name: pipeline/graph.py says which there are. A stage's rows run as tasks on cores
(tasks.py), or in a Ray Data operator of actors that hold GPUs (pool.py).
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from queue import Empty, SimpleQueue
from typing import Any, Protocol

import ray

from pipeline.rows import StageRow

ASK_S = 5.0
"""How often the cluster is asked for its cores: machines come and go."""

Message = Any
"""What a place tells of its work, for the same place to understand."""
Tell = Callable[[Message], None]


class Place(Protocol):
    """Where a stage's rows run."""

    on_cores: bool

    def open(self, tell: Tell, cores: Cores) -> None:
        """Takes what it needs from the flow; `tell` may be called by any thread."""
        ...

    def has_room(self) -> bool:
        """Whether a row that is started now would soon run."""
        ...

    def start(self, row: Any) -> None: ...

    def landed(self, message: Message) -> Iterator[list[StageRow]]:
        """The rows that a message brings: those of one piece of work together."""
        ...

    def is_busy(self) -> bool:
        """Whether any row is under way."""
        ...

    def tend(self) -> None:
        """Looks every few seconds after what it holds: machines come and go."""
        ...

    def close(self, *, at_once: bool) -> None:
        """Gives back what it holds; `at_once`: without waiting for what is under way."""
        ...


class Stage:
    """One stage of a flow: rows that wait, the most urgent first."""

    def __init__(
        self,
        place: Place,
        then: Callable[[list[StageRow]], None],
        is_open: Callable[[], bool],
    ) -> None:
        self.place, self.then, self.is_open = place, then, is_open
        self._waiting: list[tuple[int, int, Any]] = []
        self._numbers = count()

    def put(self, row: Any, rank: int = 0) -> None:
        """Lets a row wait for its turn: the lower ranks first, then as they came."""
        heapq.heappush(self._waiting, (rank, next(self._numbers), row))

    def __len__(self) -> int:
        return len(self._waiting)

    def start_next(self) -> None:
        """Starts the most urgent."""
        self.place.start(heapq.heappop(self._waiting)[-1])


class Flow:
    """Runs stages until nothing is left of any.

    Stages that were added first go first: with the later stages first, videos end rather than
    begin, and what lies between the stages stays small. So they do in handing over: however much
    lands of the others, no GPU waits for the driver to come to its row. Where a row must wait for
    cores, the stages after it leave theirs alone, or many small tasks would keep a large one
    waiting for ever.
    """

    def __init__(self) -> None:
        self.cores = Cores()
        self._messages: SimpleQueue[tuple[Stage, Message]] = SimpleQueue()
        self._come: list[tuple[int, int, Stage, Message]] = []
        self._numbers = count()
        self._stages: list[Stage] = []

    def stage(
        self,
        place: Place,
        then: Callable[[list[StageRow]], None],
        is_open: Callable[[], bool] = lambda: True,
    ) -> Stage:
        """Adds a stage.

        Args:
            then: takes the rows of each piece of work as it ends.
            is_open: back-pressure: whether more may be started now.
        """
        stage = Stage(place, then, is_open)
        self._stages.append(stage)
        place.open(lambda message: self._messages.put((stage, message)), self.cores)
        return stage

    def run(self) -> None:
        """Starts what waits and hands over what lands, to the end of both."""
        ended = False
        try:
            while self._start():
                self._hand_over()
                for stage in self._stages:
                    stage.place.tend()
            ended = True
        finally:
            for stage in self._stages:
                stage.place.close(at_once=not ended)

    def _hand_over(self) -> None:
        """Waits for a message and hands over what it brings; for a while, where none comes."""
        try:
            while True:
                stage, message = self._messages.get(timeout=0.0 if self._come else ASK_S)
                urgency = self._stages.index(stage), next(self._numbers)
                heapq.heappush(self._come, (*urgency, stage, message))
        except Empty:
            if not self._come:
                return
        *_, stage, message = heapq.heappop(self._come)
        for rows in stage.place.landed(message):
            stage.then(rows)

    def _start(self) -> bool:
        """Starts all that there is room for; False when nothing runs and nothing waits."""
        cores_are_free = True
        for stage in self._stages:
            on_cores = stage.place.on_cores
            while len(stage) and stage.is_open() and (cores_are_free or not on_cores):
                if not stage.place.has_room():
                    cores_are_free = cores_are_free and not on_cores
                    break
                stage.start_next()
        return self._is_busy() or self._start_any()

    def _is_busy(self) -> bool:
        return any(stage.place.is_busy() for stage in self._stages)

    def _start_any(self) -> bool:
        """Starts a row though its stage is shut, since nothing that runs will open it."""
        for stage in self._stages:
            if len(stage):
                stage.start_next()
                return True
        return False


class Cores:
    """CPUs of the cluster, and how many of them this flow uses; and its GPUs."""

    def __init__(self) -> None:
        self._used = 0.0
        self._there: Mapping[str, float] = {}
        self._ask_at = 0.0

    def there(self) -> float:
        """All of them, whoever uses them; 1 at least."""
        return max(1.0, self._of("CPU"))

    def gpus(self) -> float:
        """All of them, whoever uses them."""
        return self._of("GPU")

    def _of(self, kind: str) -> float:
        if time.monotonic() >= self._ask_at:
            self._there = ray.cluster_resources()
            self._ask_at = time.monotonic() + ASK_S
        return float(self._there.get(kind, 0.0))

    def has(self, cpus: float) -> bool:
        """Whether so many are free; one task in eight may wait on its node, so that none idles."""
        spare = 1 + self.there() // 8
        return not self._used or self._used + cpus <= self.there() + spare

    def take(self, cpus: float) -> None:
        """Marks so many as used; give them back with the opposite sign."""
        self._used += cpus
