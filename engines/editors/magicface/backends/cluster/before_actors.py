"""The plans that a job's actors will look for: built before they start, or beside them."""

from __future__ import annotations

import threading
from collections.abc import Callable

from engines.editors.magicface.backends.build_request import wanted_by
from engines.editors.magicface.backends.cluster.build import Build, builds_for
from engines.editors.magicface.settings import MagicFaceSettings
from engines.errors import EngineError
from engines.interface import Cluster
from engines.trt.binding import MODULES

LOOK_EVERY_S = 5.0
"""How often the store of a node is looked into for plans that an actor builds."""


def build_before_actors(asked: MagicFaceSettings, cluster: Cluster) -> Callable[[], None] | None:
    """The plans that actors of the editor will look for.

    With a TensorRT named, or where the person waits for them, they are built before this returns.
    With `backend=auto` the build goes on beside the job; its actors begin with what is there and
    change over between two segments, and what cannot be built is said. Nothing happens where the
    settings ask for another backend, for fp32 or for the CPU.

    Returns:
        What is to be called when the job has ended, where a build was left running.
    Raises:
        EngineError: a TensorRT asked for by name cannot serve this cluster.
    """
    if asked.backend not in {"auto", *MODULES} or asked.dtype == "fp32" or asked.device == "cpu":
        return None
    try:
        builds = builds_for(wanted_by(asked), asked.backend, None, None, cluster)
        if asked.backend != "auto" or cluster.waits or all(build.is_whole for build in builds):
            for build in builds:
                build.run()
            return None
    except EngineError as error:
        if asked.backend != "auto":
            raise
        cluster.say(_not_built(error))
        return None
    cluster.say(
        "TensorRT plans are built beside the job, in minutes; it begins with what is there and "
        "changes over between two segments (--wait-for-plans waits for them)"
    )
    return _Beside(builds, cluster).end


def _not_built(error: Exception) -> str:
    return f"no TensorRT plans were built: {error}"


class _Beside:
    """Builds in a thread of the driver, which only waits for tasks of the cluster."""

    def __init__(self, builds: list[Build], cluster: Cluster) -> None:
        self._builds = builds
        self._cluster = cluster
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="plans", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            for build in self._builds:
                build.run_beside_actors(lambda: not self._ended.wait(LOOK_EVERY_S))
        except Exception as error:  # noqa: BLE001 - the job goes on without, whatever it was
            if not self._ended.is_set():  # else Ray was left, and its tasks with it
                self._cluster.say(_not_built(error))

    def end(self) -> None:
        """The job is over; what is still being built is left to the next one."""
        self._ended.set()
        if self._thread.is_alive():
            self._cluster.say(
                "the TensorRT plans are not all there yet; what is made is kept, and the next run "
                "goes on from it"
            )
