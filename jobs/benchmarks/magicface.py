"""MagicFace's two benchmarks, as the command asks for them."""

from __future__ import annotations

import sys
from typing import Any


def _tell(row: object) -> None:
    print(row, file=sys.stderr)


def measure_modes(
    mode: tuple[str, ...], network: str, official: bool, asked: dict[str, Any]
) -> dict[str, Any]:
    """Ours in several modes, and the official way; `asked` as the command names it."""
    from engines.editors.magicface.bench.benchmark import run
    from engines.editors.magicface.bench.weights import random_weights

    if network == "small":
        asked["weights"] = str(random_weights(network))
    return run(**asked, mode=mode, official=official, on_row=_tell)


def measure_backends(
    backend: tuple[str, ...], network: str, asked: dict[str, Any]
) -> dict[str, Any]:
    """Ours on several backends; a table of them goes to the terminal."""
    from rich.console import Console

    from engines.editors.magicface.bench.backends import backends_table, run_backends

    measured = run_backends(**asked, backend=backend, network=network, on_row=_tell, say=_tell)
    Console(stderr=True, width=110).print(backends_table(measured))
    return measured
