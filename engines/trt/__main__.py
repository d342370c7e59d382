"""`python -m engines.trt.store.cache list|prune`: what the engine store holds, and clearing it."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from engines.trt.store.cache import PlanCache
from engines.trt.store.entry import CacheEntry

app = App(name="python -m engines.trt.store.cache", help="Exported graphs and built engines.")
CacheDir = Annotated[Path | None, Parameter(name="--cache")]

DAY_S = 86400.0


@app.command(name="list")
def list_entries(*, cache: CacheDir = None) -> None:
    """Show every stored graph and plan.

    Args:
        cache: The store; default $AUREEL_PLANS, else aureel/plans in the user's cache folder.
    """
    store = PlanCache(cache)
    table = Table("component", "kind", "backend", "target", "dtype", "batch", "MB", "last used")
    entries = store.entries()
    for entry in entries:
        table.add_row(*_row(entry))
    console = Console(soft_wrap=False)
    console.print(table)
    total = sum(e.size_bytes for e in entries) / 1e6
    console.print(f"{len(entries)} entries, {total:,.1f} MB in {store.root}", soft_wrap=True)
    for path in store.leftovers():
        console.print(f"unusable: {path.name} (prune removes it)", soft_wrap=True)


@app.command
def prune(*, cache: CacheDir = None, unused_days: float = 30.0, everything: bool = False) -> None:
    """Remove what has not been used for a while, and what a broken build left behind.

    Args:
        cache: The store; default $AUREEL_PLANS, else aureel/plans in the user's cache folder.
        unused_days: Remove entries that were not loaded for so many days.
        everything: Remove all entries.
    """
    store = PlanCache(cache)
    before = time.time() - unused_days * DAY_S
    old = [e for e in store.entries() if everything or e.used_at < before]
    gone = [e.folder for e in old] + store.leftovers()
    for folder in gone:
        shutil.rmtree(folder, ignore_errors=True)
    freed = sum(e.size_bytes for e in old) / 1e6
    Console().print(f"removed {len(gone)} from {store.root}, {freed:,.1f} MB", soft_wrap=True)


def _row(entry: CacheEntry) -> tuple[str, ...]:
    facts = entry.facts
    backend = f"{facts.get('backend', 'onnx')} {facts.get('backend_version', '')}".strip()
    used = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.used_at))
    return (
        entry.component,
        entry.kind,
        backend,
        facts.get("target", "any"),
        facts.get("dtype", "?"),
        facts.get("batch", "any"),
        f"{entry.size_bytes / 1e6:,.1f}",
        used,
    )


if __name__ == "__main__":
    app()
