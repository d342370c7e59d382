"""What building plans looks like: a live line on a terminal, a plain line per step elsewhere."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from rich.console import Console
from rich.status import Status
from rich.table import Table

from engines.editors.magicface.backends.build_progress import BuildClock, told_step
from engines.editors.magicface.backends.plan_builder import Prepared


class BuildProgress:
    """A context manager around a build; `report` may be called from any thread."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        self._status = Status("starting", console=self._console)
        self._lock = threading.Lock()
        self._clock = BuildClock()
        self._began = time.monotonic()
        self._done: list[Prepared] = []

    def report(self, component: str, what: str, fraction: float | None) -> None:
        """One step of one component."""
        if (told := told_step(what, fraction)) is None:
            return
        with self._lock:
            if self._console.is_terminal:
                share = "" if fraction is None else f" {fraction:.0%}"
                elapsed = f"{time.monotonic() - self._began:.0f} s"
                self._status.update(f"{component}: {told[0]}{share} · {elapsed}")
            elif line := self._clock.line(component, what, fraction):
                self._console.print(line, highlight=False, soft_wrap=True)

    def finished(self, prepared: Prepared) -> None:
        """One graph or plan is there."""
        self._done.append(prepared)
        entry = prepared.entry
        if not prepared.made_now:
            self._clock.found(entry.component, entry.kind)
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
