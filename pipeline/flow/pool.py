"""A Ray Data operator whose rows are put while it runs: actors on GPUs, kept busy for a whole job.

A dataset knows its rows when it begins. Here its source is a task that asks a desk (an actor, as
tasks cannot ask the driver) for one row after the other, and Ray Data takes each as a block of its
own as it comes. Desk and task take no CPU.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import count
from threading import Thread
from typing import Any, cast

import ray
import ray.data
from ray.data import DataContext, Dataset

from pipeline.flow.desk import Desk, from_desk
from pipeline.flow.flow import Cores, Message, Tell
from pipeline.flow.tasks import lost
from pipeline.rows import StageRow

TRIES = 3
"""Times that a row is put, when Ray gives up the dataset it was in."""
CLOSE_S = 30.0
RETURN_S = 30.0
"""How long GPUs that are gone are waited for; their actors begin again where they come back."""

Build = Callable[[Dataset, int], Dataset]
"""From a source of rows and a number of actors to the dataset of their verdicts."""


class Pool:
    """A stage whose rows go through actors of datasets, the first begun with the first row.

    Where GPUs come, another dataset has actors on them. Where GPUs go, Ray leaves what their actors
    had for the actors' return, which may never be: once the others have done what is theirs, the
    rest goes through a new dataset. So it does should Ray give a dataset up.
    """

    on_cores = False

    def __init__(
        self,
        stage: str,
        build: Build,
        most: Callable[[], int],
        to_come: Callable[[], int | None],
        *,
        calls: int,
        bound: int,
        num_cpus: float = 0.0,
    ) -> None:
        """
        Args:
            most: how many actors there can be now.
            to_come: how many rows will still be started, where that is known.
            calls: rows at once in an actor.
            bound: rows that Ray binds to an actor before it has done them, at most.
            num_cpus: of one actor.
        """
        self._stage, self._build, self._most, self._to_come = stage, build, most, to_come
        self._calls, self._bound, self._cpus = calls, bound, num_cpus
        self._under_way: dict[tuple[str, int], _Put] = {}
        self._runs: list[_Run] = []
        self._lacks_since: float | None = None

    def open(self, tell: Tell, cores: Cores) -> None:
        """As `Place` (pipeline/flow/flow.py), like the others."""
        self._tell, self._cores = tell, cores

    def has_room(self) -> bool:
        """While every actor has its calls, and as many wait: a row takes 0.3 s to come and go."""
        if not self._runs:
            return True
        return not self._has_shrunk() and len(self._under_way) < 2 * self._actors() * self._calls

    def is_busy(self) -> bool:
        """As `Place`."""
        return bool(self._under_way)

    def start(self, row: Any) -> None:
        """As `Place`; the first begins a dataset."""
        put = self._under_way.setdefault((row["video"], row["number"]), _Put(row))
        put.tries += 1
        if not self._runs:
            rows = self._to_come()
            self._begin(self._most() if rows is None else max(1, min(self._most(), rows)))
        put.run = min(self._runs, key=lambda run: run.rows / run.actors)
        put.number = put.run.put(row)

    def _begin(self, actors: int) -> None:
        self._runs.append(_Run(actors, self._build, self._tell))
        self._cores.take(actors * self._cpus)

    def _actors(self) -> int:
        return sum(run.actors for run in self._runs)

    def tend(self) -> None:
        """As `Place`: more actors where GPUs have come; where some went, rows are put again."""
        if not self._runs:
            return
        lacking = self._actors() - self._most()
        if lacking <= 0:
            self._lacks_since = None
            rows = self._to_come()
            if more := -lacking if rows is None else min(-lacking, rows - 1):
                self._begin(more)
            return
        if self._lacks_since is None:
            self._lacks_since = time.monotonic()
        if self._has_shrunk() and self._least_gone() <= lacking:
            self._begin_again()

    def _has_shrunk(self) -> bool:
        """Whether GPUs have been gone for so long that nobody waits for them any more."""
        since = self._lacks_since
        return since is not None and time.monotonic() - since > RETURN_S

    def _least_gone(self) -> int:
        """How many actors are gone at least, should nothing come of all that is under way.

        One that is gone keeps what is bound to it; a dataset without any, what waits there too.
        """
        held = Counter(put.run for put in self._under_way.values())
        return sum(min(run.actors, -(-rows // self._bound)) for run, rows in held.items())

    def _begin_again(self) -> None:
        self.close(at_once=True)
        for put in self._under_way.values():
            put.tries -= 1  # they are not to blame
            self.start(put.row)

    def landed(self, message: Message) -> Iterator[list[StageRow]]:
        """As `Place`."""
        run, verdict = message
        if run not in self._runs:
            return
        if isinstance(verdict, BaseException):
            yield from self._given_up(run, verdict)
        elif put := self._under_way.pop((verdict["video"], verdict["number"]), None):
            put.run.done(put.number)
            yield [verdict]

    def _given_up(self, run: _Run, error: BaseException) -> Iterator[list[StageRow]]:
        """Puts the rows of a dataset that was given up into another; tells those tried before."""
        self._end(run, at_once=True)
        for key, put in list(self._under_way.items()):
            if put.run is not run:
                continue
            if put.tries < TRIES:
                self.start(put.row)
            else:
                del self._under_way[key]
                yield [lost(put.row, self._stage, error)]

    def close(self, *, at_once: bool) -> None:
        """As `Place`: the GPUs are free then, and the next row begins another dataset."""
        for run in list(self._runs):
            self._end(run, at_once=at_once)
        self._lacks_since = None

    def _end(self, run: _Run, *, at_once: bool) -> None:
        self._runs.remove(run)
        self._cores.take(-run.actors * self._cpus)
        run.close(at_once=at_once)


class _Put:
    """A row on its way: how often it was put, in which dataset, and its number at the desk."""

    def __init__(self, row: Any) -> None:
        self.row, self.tries, self.number = row, 0, 0
        self.run: Any = None


class _Run:
    """One execution of the dataset, read by a thread that hands each verdict on."""

    def __init__(self, actors: int, build: Build, tell: Tell) -> None:
        _settle()
        self.actors, self.rows = actors, 0
        self._desk: Any = ray.remote(Desk).options(num_cpus=0).remote()
        self._numbers = count()
        self._done: list[int] = []
        source = ray.data.from_items([{"of": "the desk"}])
        rows = source.flat_map(partial(from_desk, desk=self._desk), num_cpus=0)
        self._reader = Thread(
            target=self._read, args=(build(rows, actors), tell), name="pool", daemon=True
        )
        self._reader.start()

    def put(self, row: Any) -> int:
        """Puts a row on the desk; its number there."""
        self.rows += 1
        self._desk.put.remote(row, self._done)
        self._done = []
        return next(self._numbers)

    def done(self, number: int) -> None:
        """The row of that number has come out, and need not be kept."""
        self.rows -= 1
        self._done.append(number)

    def _read(self, verdicts: Dataset, tell: Tell) -> None:
        # With one batch ahead, Ray's default, a verdict would wait for the next one.
        how: Any = {"batch_size": None, "batch_format": "pyarrow", "prefetch_batches": 0}
        try:
            for batch in verdicts.iter_batches(**how):
                for verdict in cast(Any, batch).to_pylist():
                    tell((self, verdict))
        except Exception as error:  # noqa: BLE001 - whatever it was, the rows go on or are told
            tell((self, error))

    def close(self, *, at_once: bool) -> None:
        """Ends the dataset; `at_once`: without its last rows, and whatever has become of Ray."""
        if not at_once:
            self._desk.close.remote()
            self._reader.join(CLOSE_S)
        elif ray.is_initialized():  # else `kill` would start another Ray
            with suppress(Exception):
                ray.kill(self._desk)


def _settle() -> None:
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # `lost` rows say it in one line
    context = DataContext.get_current()
    context.max_errored_blocks = 0  # a dropped row would be waited for in vain
    context.target_max_block_size = 1  # each row of a stream is a block as soon as it is there
    context.execution_options.preserve_order = False  # order is by (video, segment)
    context.execution_no_progress_timeout_s = -1  # a job may wait for GPUs as long as it takes
    context.actor_init_retry_on_errors = True
    context.max_consecutive_actor_init_deaths = 3
    context.enable_progress_bars = False  # jobs/command_line/progress.py prints one line of its own
