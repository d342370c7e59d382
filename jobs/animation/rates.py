"""How long work takes at a place: kept from run to run.

An editor's seconds set the length of segments on GPUs, and all of it what a dry run expects. A cut
must not change with every breath of a machine, so a kept value stays until a run is clearly off it.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from engines.choice import Engine
from engines.weights.file_hash import cache_folder
from jobs.command_line.timed import Timed
from pipeline.files import read_json, write_json
from pipeline.settings import digest_of

LEAST = {"editor": 100, "render": 25, "analyse": 100, "rest": 100}
"""How much of it a run must have timed, or its figure says little."""
CLEARLY = 1.25
"""A kept value stays while a run is within this factor of it."""
GPU_TYPE = "accelerator_type:"
"""What Ray calls the GPU models of a cluster."""


def gpus_of_place() -> str:
    """The GPU models of the cluster that this process has joined, else this machine's name."""
    ray: Any = import_module("ray") if os.environ.get("RAY_ADDRESS") else None
    there: dict[str, float] = ray.cluster_resources() if ray and ray.is_initialized() else {}
    kinds = sorted(k.removeprefix(GPU_TYPE) for k in there if k.startswith(GPU_TYPE))
    return ", ".join(kinds) or platform.node()


def as_measured(editor: Engine, place: str) -> Engine:
    """An editor on GPUs with what it took there in an earlier run, where that is known."""
    seconds = taken_before("editor", editor.identity, place) if editor.gpu_share else None
    return replace(editor, seconds_per_edit=seconds) if seconds else editor


def taken_before(work: str, of: Any, place: str) -> float | None:
    """Seconds that a piece of work took there in an earlier run; None where unknown.

    Args:
        work: as `Timed` has it.
        of: what does it: the identity of an editor, the digest of an analysis.
    """
    return _read().get(digest_of(work, of, place))


def remember(timed: Timed, doers: Mapping[str, Any], place: str) -> None:
    """Keeps what a run has timed; a folder that cannot be written costs nothing else.

    Args:
        doers: work → what has done it.
    """
    known = _read()
    kept = dict(known)
    for work, of in doers.items():
        count, key = timed.counts.get(work, 0), digest_of(work, of, place)
        if count < LEAST[work]:
            continue
        seconds = timed.seconds[work] / count
        if key not in known or not 1 / CLEARLY < seconds / known[key] < CLEARLY:
            kept[key] = round(seconds, 7)
    if kept != known:
        with suppress(OSError):
            write_json(_path(), kept)


def _path() -> Path:
    return cache_folder() / "rates.json"


def _read() -> dict[str, float]:
    known: Any = read_json(_path())
    if not isinstance(known, dict):
        return {}
    pairs = cast(dict[str, Any], known).items()
    return {key: value for key, value in pairs if isinstance(value, float) and value > 0}
