"""What building plans looks like: a live line on a terminal, a plain line per step elsewhere."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from rich.console import Console
from rich.status import Status
from rich.table import Table

from engines.editors.magicface.backends.plan_builder import Prepared

MAIN_PHASE = "building: Building engine"
"""The phase of TensorRT that lasts; the others are steps inside it."""
PLAIN_EVERY = 0.25
"""On a plain log the main phase is reported in quarters."""


class BuildProgress:
    """A context manager around a build; `report` may be called from any thread."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        self._status = Status("starting", console=self._console)
        self._lock = threading.Lock()
        self._last = ""
        self._began = time.monotonic()
        self._done: list[Prepared] = []

    def report(self, component: str, what: str, fraction: float | None) -> None:
        """One step of one component."""
        if what.startswith("building: ") and what != MAIN_PHASE:
            return
        step = what.partition(":")[0] if what == MAIN_PHASE else what
        share = "" if fraction is None else f" {fraction:.0%}"
        elapsed = f"{time.monotonic() - self._began:5.0f} s"
        with self._lock:
            if self._console.is_terminal:
                self._status.update(f"{component}: {step}{share} · {elapsed.strip()}")
                return
            quarter = "" if fraction is None else str(int(fraction / PLAIN_EVERY))
            if (line := f"{component}: {step}{quarter}") != self._last:
                self._last = line
                self._console.print(f"{elapsed} {component}: {step}{share}", highlight=False)

    def finished(self, prepared: Prepared) -> None:
        """One graph or plan is there."""
        self._done.append(prepared)
        entry = prepared.entry
        how = "made" if prepared.made_now else "found"
        with self._lock:
            self._console.print(
                f"{how} {entry.component} {entry.kind} in {prepared.seconds:.2f} s, "
                f"{entry.size_bytes / 1e6:,.1f} MB; "
                f"accuracy {entry.made.get('accuracy', 'unknown')}",
                highlight=False,
                soft_wrap=True,
            )

    def print_table(self) -> None:
        """What there is now, one line each."""
        table = Table("component", "kind", "was", "seconds", "MB")
        for prepared in self._done:
            entry = prepared.entry
            how = "made" if prepared.made_now else "found"
            size = f"{entry.size_bytes / 1e6:,.1f}"
            table.add_row(entry.component, entry.kind, how, f"{prepared.seconds:.2f}", size)
        self._console.print(table)

    def __enter__(self) -> BuildProgress:
        if self._console.is_terminal:
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._status.stop()
