"""Ray on this machine alone: started without what only a cluster of several machines needs.

A preview of a 15 s clip spends a quarter of its time starting processes, so each that can be left
out counts: one of Ray's own takes 0.5–1.1 CPU-s before it does anything.
"""

from __future__ import annotations

import atexit
import logging
import os
import secrets
import shutil
import tempfile
import time
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import psutil

from jobs.errors import JobError
from jobs.ray_cluster.lean import lean_data, lean_start
from pipeline.metrics import ALONE
from pipeline.partials import ABANDONED_S, is_running

_LOG = logging.getLogger(__name__)
SETTINGS = {
    ALONE: "1",  # nobody collects its metrics
    "RAY_AUTH_MODE": "token",  # loopback is open to every user of the machine
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # Ray's name for: take 127.0.0.1, look for no other
    "RAY_num_workers_soft_limit": str((os.cpu_count() or 1) + 1),  # one process beside the busy
    # Frames and crops are freed and asked for again at once: giving their pages back to the system
    # in between takes 6 % of a preview's CPU time.
    "MALLOC_MMAP_THRESHOLD_": str(1 << 28),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 28),
    "MALLOC_ARENA_MAX": "2",  # or each segment's new threads keep memory of their own: 30 MiB more
}
"""Environment of the machine's Ray."""

FOLDER = "aureel-"
LONGEST_BASE = 24
"""Bytes in the path of the folder that holds Ray's: a socket's path may have 107."""
RAYLET = "raylet"
ENDS_ITSELF_S = 30.0
"""How long a worker without its node process may take to see that: a second, on an idle machine."""


def start_ray(ray: Any) -> None:
    """Starts a Ray that ends with this process, listens on loopback only, and is this user's alone.

    Its folder can be entered by nobody else, and who speaks to it must know a token from there.
    """
    folder = private_folder()
    gone: list[str] = []
    with lean_start(gone.append):
        ray.init(
            address="local",
            _temp_dir=str(folder / "r"),  # which Ray opens to everybody, inside ours
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    _warm_up(ray)
    if ray.cluster_resources().get("GPU"):  # else no actors, and Ray Data need not be imported
        lean_data(gone.append)
    if gone:
        said = "; ".join(gone)
        _LOG.warning("Ray %s starts the ordinary way, up to 3 s later: %s", ray.__version__, said)


def data() -> Any:
    """Ray Data, lean where the Ray is this process's own."""
    module = import_module("ray.data")
    if _is_ours():
        lean_data(_LOG.debug)
    return module


def has_died() -> bool:
    """Whether the Ray that this process has started has lost its node process."""
    return _is_ours() and not _raylets()


def _is_ours() -> bool:
    return bool(private_folder.cache_info().currsize)


def _raylets() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if _is_raylet(child)]


def _is_raylet(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.name() == RAYLET and process.status() != psutil.STATUS_ZOMBIE
    return False


def workers() -> list[psutil.Process]:
    """The processes that the Ray of this one has started to work."""
    return [worker for raylet in _raylets() for worker in _below(raylet)]


def _below(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return process.children(recursive=True)
    return []


def orphans() -> list[psutil.Process]:
    """Workers whose node process has died, whosever they were; they end themselves soon."""
    return [process for process in psutil.process_iter() if _is_orphan(process)]


def _is_orphan(process: psutil.Process) -> bool:
    with suppress(psutil.Error, IndexError):
        if process.cmdline()[0].startswith("ray::"):
            parent = process.parent()
            return parent is None or not _is_raylet(parent)
    return False


def end(workers: list[psutil.Process], orphans: list[psutil.Process]) -> None:
    """Ends workers that were ours, and waits for orphans; not for ever."""
    for worker in workers:
        with suppress(psutil.Error):
            worker.kill()
    psutil.wait_procs([*workers, *orphans], timeout=ENDS_ITSELF_S)


@cache
def private_folder() -> Path:
    """This process's folder for Ray, with its token: Ray keeps the first one it has read."""
    folder = _new_folder()
    _keep_token(folder)
    return folder


def _new_folder() -> Path:
    """A new folder for Ray's files and sockets, 0700; those of dead runs are removed.

    Raises:
        JobError: no place has a path short enough for Ray's sockets.
    """
    places = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/dev/shm")]
    for place in places:
        if len(os.fsencode(place)) > LONGEST_BASE or not os.access(place, os.W_OK | os.X_OK):
            continue
        _sweep(place)
        folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER}{os.getpid()}-", dir=place))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return folder
    raise JobError(
        f"TMPDIR {places[0]}: too long for Ray's sockets; expected a folder that can be written, "
        f"of {LONGEST_BASE} bytes at most"
    )


def _sweep(place: Path) -> None:
    for folder in place.glob(f"{FOLDER}*-*"):
        pid = folder.name.removeprefix(FOLDER).partition("-")[0]
        if not pid.isdigit() or is_running(int(pid)):
            continue
        with suppress(OSError):
            status = folder.stat()
            is_old = time.time() - status.st_mtime > ABANDONED_S  # maybe another container's pid
            if status.st_uid == os.getuid() and is_old:
                shutil.rmtree(folder, ignore_errors=True)


def _keep_token(folder: Path) -> None:
    """A random token in a file that only this user can read, for this process and its children."""
    path = folder / "token"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(32))
    os.environ["RAY_AUTH_TOKEN_PATH"] = str(path)


def count_gpus() -> float | None:
    """GPUs that Ray would count on this machine; None where this Ray has another way to count."""
    try:
        spec: Any = import_module("ray._private.resource_and_label_spec").ResourceAndLabelSpec
        told = spec._load_env_resources().get("GPU")
        manager, count = spec._get_current_node_accelerator(told, {})
    except (ImportError, AttributeError, TypeError, ValueError):
        return None
    return float(count) if manager and manager.get_resource_name() == "GPU" else float(told or 0)


def _warm_up(ray: Any) -> None:
    """Lets the worker processes, which then serve the job, import the pipeline meanwhile."""
    task = ray.remote(import_pipeline)
    for _ in range(os.cpu_count() or 1):
        task.remote()


def import_pipeline() -> None:
    """What a worker needs before its first frame."""
    for module in (
        "pipeline.actors",
        "pipeline.stages.inspect",
        "pipeline.stages.analyse",
        "pipeline.stages.plan",
        "pipeline.stages.render",
        "pipeline.stages.finish",
        "engines.trackers.mesh.tracker",
        "engines.editors.plate.editor",
    ):
        import_module(module)
