"""How long an editor takes for a frame at a place: kept from run to run.

It sets what a dry run expects and, on GPUs, the length of segments. A cut must not change with
every breath of a machine, so a kept value stays until a run is clearly off it.
"""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from engines.choice import Engine
from engines.weights.file_hash import cache_folder
from jobs.command_line.report import Timed
from pipeline.files import read_json, write_json
from pipeline.settings import digest_of

LEAST_EDITS = 100
"""Edited frames that a run must have timed, or its figure says little."""
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
    seconds = taken_before(editor, place) if editor.gpu_share else None
    return replace(editor, seconds_per_edit=seconds) if seconds else editor


def taken_before(editor: Engine, place: str) -> float | None:
    """Seconds that an edited frame took an editor there in an earlier run; None where unknown."""
    return _read().get(_key(editor, place))


def remember(editor: Engine, place: str, timed: Timed) -> None:
    """Keeps what a run has timed; a folder that cannot be written costs nothing else."""
    if timed.edits < LEAST_EDITS:
        return
    known, key = _read(), _key(editor, place)
    seconds = timed.seconds / timed.edits
    if key in known and 1 / CLEARLY < seconds / known[key] < CLEARLY:
        return
    with suppress(OSError):
        write_json(_path(), known | {key: round(seconds, 5)})


def _key(editor: Engine, place: str) -> str:
    return digest_of(editor.identity, editor.gpu_share, place)


def _path() -> Path:
    return cache_folder() / "rates.json"


def _read() -> dict[str, float]:
    known: Any = read_json(_path())
    if not isinstance(known, dict):
        return {}
    pairs = cast(dict[str, Any], known).items()
    return {key: value for key, value in pairs if isinstance(value, float) and value > 0}
