"""Engines that pretend: they sleep as long as real ones take, and write down when.

Each of many actors imports this file, so it imports little.
"""

from __future__ import annotations

import os
import pickle
import time
import zlib
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from engines.editors.identity import IdentityEditor
from engines.interface import AlignedCrops, EditedCrops, Face, RGBFrame
from engines.traits import Option, Traits
from keyframes.au import AUDelta
from pipeline.files import published

SIDE = 96
NODE = "AUREEL_PRETENDED_NODE"
"""In a node's environment: its name, and how fast its GPUs are, as `slow,0.5`."""


def node() -> tuple[str, float]:
    """Name and speed of the node of this process."""
    name, _, speed = os.environ.get(NODE, "").partition(",")
    return name or "node", float(speed or 1.0)


class SleepingEditor(IdentityEditor):
    """Sleeps for every frame, and writes down from when to when, in a file per process.

    It is named by node and process. Its first line is the CPU time of the process from its begin to
    a ready editor, seconds.
    """

    traits = Traits(
        options=(
            Option("seconds", float, "of a frame", least=0.0),
            Option("marks", str, "folder that takes what it writes down"),
        ),
        gpu_share=1.0,
    )

    def __init__(self, seconds: float, marks: str) -> None:
        super().__init__(SIDE)
        name, speed = node()
        self._seconds = seconds / speed
        self._marks = Path(marks) / f"{name}-{os.getpid()}"
        self._marks.write_text(f"{time.process_time()}\n")

    @staticmethod
    def crop_size_for(**_: object) -> int:
        """Of any settings."""
        return SIDE

    def edit(self, crops: AlignedCrops, delta: AUDelta, *, seed: int) -> EditedCrops:
        """As `identity`, after a while."""
        begun = time.time()
        time.sleep(self._seconds * len(crops))
        with self._marks.open("a") as file:
            file.write(f"{begun} {time.time()}\n")
        return super().edit(crops, delta, seed=seed)


class RecalledTracker:
    """Sleeps for every frame, then says what `mesh` has found once in the same frames."""

    traits = Traits(
        options=(
            Option("seconds", float, "of a frame", least=0.0),
            Option("found", str, "folder that keeps what was found, and which nodes looked"),
        )
    )

    def __init__(self, seconds: float, found: str) -> None:
        self._seconds, self._found = seconds, Path(found)
        (self._found / "nodes").mkdir(parents=True, exist_ok=True)

    def track(self, frames: Sequence[RGBFrame]) -> list[list[Face]]:
        """As `mesh`, which looks at the first of several equal clips."""
        time.sleep(self._seconds * len(frames))
        (self._found / "nodes" / node()[0]).touch()
        key = 0
        for frame in frames:
            key = zlib.crc32(frame.tobytes(), key)
        kept = self._found / f"{key:08x}"
        if not kept.exists():
            with published(kept) as partial:
                partial.write_bytes(pickle.dumps(_found_by_mesh(frames)))
        return pickle.loads(kept.read_bytes())


def _found_by_mesh(frames: Sequence[RGBFrame]) -> list[list[Face]]:
    mesh: Any = import_module("engines.trackers.mesh.tracker")
    return mesh.MeshTracker().track(frames)


def cpu_s_of_a_bare_actor() -> float:
    """CPU time of an actor of Ray Data that does nothing, from its process's begin to its call."""
    data: Any = import_module("jobs.ray_cluster.lone_machine").data()

    class Bare:
        """Goes with the row, so that the actor imports nothing for it."""

        def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
            return {**row, "cpu_s": time.process_time()}

    how = {"compute": data.ActorPoolStrategy(size=1), "num_cpus": 0.1}
    (row,) = data.from_items([{"of": "one"}]).map(Bare, **how).take_all()
    return float(row["cpu_s"])
