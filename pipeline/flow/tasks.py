"""A stage's rows as Ray tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import ray
from ray.exceptions import RayError

from pipeline.flow.flow import Cores, Message, Tell
from pipeline.flow.homes import Homes
from pipeline.rows import WHOLE_VIDEO, StageRow, stage_row

SEE_LOGS = "its logs say why; run again to resume"
RETRIES = 3
"""Of a task whose process died."""


class Tasks:
    """A stage whose rows are tasks; one that dies for good becomes a row as well."""

    on_cores = True

    def __init__(
        self,
        stage: str,
        work: Callable[..., Any],
        *settings: Any,
        retries: int = RETRIES,
        num_cpus: float = 1.0,
        homes: Homes | None = None,
        **needs: Any,
    ) -> None:
        """
        Args:
            work: from a row and the settings to its rows, or to its one row.
            homes: says on which node each row's task runs; without, Ray spreads them.
            needs: of one task, by Ray's names.
        """
        needs |= {"num_cpus": num_cpus, "max_retries": retries, "scheduling_strategy": "SPREAD"}
        self._stage, self._cpus, self._homes = stage, num_cpus, homes
        self._task: Any = ray.remote(work)
        self._needs = needs
        self._settings = [ray.put(each) for each in settings]
        self._under_way = 0

    def open(self, tell: Tell, cores: Cores) -> None:
        """As `Place`."""
        self._tell, self._cores = tell, cores

    def has_room(self) -> bool:
        """As `Place`."""
        return self._cores.has(self._cpus)

    def is_busy(self) -> bool:
        """As `Place`."""
        return self._under_way > 0

    def tend(self) -> None:
        """As `Place`: Ray runs tasks again where their machine goes."""

    def start(self, row: Any) -> None:
        """As `Place`."""
        self._under_way += 1
        self._cores.take(self._cpus)
        home = {} if self._homes is None else {"scheduling_strategy": self._homes.strategy(row)}
        task = self._task.options(**self._needs | home)
        future = task.remote(row, *self._settings).future()
        future.add_done_callback(partial(self._ended, row))

    def _ended(self, row: Any, future: Any) -> None:
        self._tell((row, future))  # in a thread of Ray's, which is to be left at once

    def landed(self, message: Message) -> Iterator[list[StageRow]]:
        """As `Place`."""
        row, future = message
        self._under_way -= 1
        self._cores.take(-self._cpus)
        try:
            rows = future.result()
        except RayError as error:
            rows = [lost(row, self._stage, error)]
        yield rows if isinstance(rows, list) else [rows]

    def close(self, *, at_once: bool) -> None:
        """As `Place`: there is nothing to give back."""


def lost(row: Any, stage: str, error: BaseException) -> StageRow:
    """The row of work that Ray gave up: nothing may be lost silently."""
    number = row.get("number", WHOLE_VIDEO)
    line = f"its task was given up by Ray ({type(error).__name__}); {SEE_LOGS}"
    return stage_row(row["video"], stage, number, error=line)
