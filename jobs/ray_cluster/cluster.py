"""Ray, started or joined quietly; nothing here or below reports usage to anybody."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from jobs.errors import JobError
from jobs.ray_cluster import lone_machine
from jobs.ray_cluster.lean import replaced

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # Ray's own usage report
    "RAY_USAGE_STATS_REPORT_URL": "http://127.0.0.1:9",  # a head started by hand reports even "off"
    "RAY_TRACK_EXTERNAL_LIBRARY_USAGE": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DISABLE_TELEMETRY": "1",  # diffusers, transformers
    "DO_NOT_TRACK": "1",
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # its C++ side otherwise writes warnings to the terminal
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # Ray's next default; the old one only warns
}


SETTINGS_FRAME = b"\x04"
FRAME = b"\0\0\0" + SETTINGS_FRAME + b"\0\0\0\0\0"
"""An empty SETTINGS frame: length, type, flags, stream (RFC 9113 §4.1)."""
CONNECT_S, ANSWER_S = 2.0, 1.0


def be_quiet() -> None:
    """Turns reporting off for this process and every one it starts; call before importing Ray."""
    alone = {} if os.environ.get("RAY_ADDRESS") else lone_machine.SETTINGS
    for name, value in (QUIET | alone).items():
        os.environ.setdefault(name, value)


def start() -> None:
    """Joins the cluster of RAY_ADDRESS (set under `ray job submit`), else starts one here.

    Raises:
        JobError: Ray's own reason for not coming up, in one line.
    """
    be_quiet()
    show_workers_this_checkout()
    if _is_there():
        return
    address = os.environ.get("RAY_ADDRESS")
    if address:
        _check_is_ray(address)  # before the second that importing Ray takes
    ray: Any = import_module("ray")  # late: be_quiet() must come first
    with (
        warnings.catch_warnings(),
        _native_stderr_closed(),
        _imported_meanwhile("pipeline.graph"),
        _own_sigterm(),
    ):
        warnings.simplefilter("ignore")
        try:
            if address:
                ray.init(log_to_driver=False, logging_level=logging.WARNING)
            else:
                lone_machine.start_ray(ray)
        except Exception as error:  # Ray raises bare ones
            asked = f"be joined at RAY_ADDRESS={address}" if address else "start on this machine"
            raise JobError(f"Ray could not {asked}: {' '.join(str(error).split())}") from error


def _is_there() -> bool:
    ray: Any = sys.modules.get("ray")
    return bool(ray and ray.is_initialized())


def _check_is_ray(address: str) -> None:
    """Ray itself tries what is no Ray for minutes without a word.

    A head speaks HTTP/2 (gRPC): it answers the preface with a SETTINGS frame at once (RFC 9113
    §3.4).

    Raises:
        JobError: an address that is no head's host:port, or where nobody or somebody else answers.
    """
    if "://" in address:
        raise JobError(
            f"RAY_ADDRESS={address}: expected a head's host:port, as in HEAD:6379; "
            "http:// is for `ray job submit`, and Ray Client (ray://) cannot run this job"
        )
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        return  # `auto`, `local`
    try:
        answer = _answer((host.strip("[]"), int(port)))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise JobError(
            f"no Ray at RAY_ADDRESS={address}: {reason}; expected a head's host:port"
        ) from error
    if answer[3:4] != SETTINGS_FRAME:
        raise JobError(
            f"no Ray at RAY_ADDRESS={address}: somebody listens there who is no Ray head; "
            "expected a head's host:port"
        )


def _answer(place: tuple[str, int]) -> bytes:
    """The first frame's header that a server gives; with TLS, none can be read: taken for good."""
    with socket.create_connection(place, timeout=CONNECT_S) as line:
        if os.environ.get("RAY_USE_TLS", "0") not in ("0", "false"):
            return FRAME
        line.settimeout(ANSWER_S)
        line.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + FRAME)
        answer = b""
        try:
            while len(answer) < len(FRAME) and (more := line.recv(len(FRAME))):
                answer += more
        except OSError:  # silence, or the line was cut
            return b""
        return answer


@contextmanager
def _imported_meanwhile(module: str) -> Generator[None]:
    """Imports a module while others wait; what goes wrong shows where it is imported for use.

    Ctrl-C may meet this thread just where it takes the interpreter's import lock, which is then
    never given back (seen in CPython 3.11): so nobody waits for the other's end after an error.
    """
    thread = threading.Thread(target=import_module, args=(module,), daemon=True)
    thread.start()
    yield
    thread.join()


@contextmanager
def _own_sigterm() -> Generator[None]:
    """Keeps our way of being stopped, where there is one, while Ray starts.

    Ray takes the signal for itself, twice on its way, to end the process with status 15 or 1: so it
    is not let, or whoever stops the job just then would be told that it failed.
    """
    ours, register = signal.getsignal(signal.SIGTERM), signal.signal
    if not callable(ours) or threading.current_thread() is not threading.main_thread():
        yield
        return

    def register_others(number: int, handler: Any) -> Any:
        return ours if number == signal.SIGTERM else register(number, handler)

    with replaced(signal, signal=register_others):
        yield
    register(signal.SIGTERM, ours)  # before Ray's native code, which has put itself there as well


@contextmanager
def _native_stderr_closed() -> Generator[None]:
    """Ray's C++ side announces its own log level there; what goes wrong comes as an exception."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def show_workers_this_checkout() -> None:
    """Lets the workers of a local cluster import what this process imports, installed or not."""
    root = str(Path(__file__).resolve().parents[2])
    known = os.environ.get("PYTHONPATH", "")
    if root not in known.split(os.pathsep):
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [root, known]))


def leave() -> None:
    """Takes leave of Ray now: its own way at exit sleeps 0.5 s for output that is not shown."""
    if _is_there():
        sys.modules["ray"].shutdown()


@contextmanager
def ended_when_stopped() -> Generator[None]:
    """Ends the Ray that is started within, and its workers, where the work is stopped or it died.

    When this is over, nobody writes for the run any more. A Ray that was there before stays, as in
    a notebook: its workers end what they are at.
    """
    was_there = _is_there()
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        if not was_there:
            _leave_with_workers()
        raise
    if _is_there() and lone_machine.has_died():
        _leave_with_workers()


def _leave_with_workers() -> None:
    left = lone_machine.workers(), lone_machine.orphans()
    leave()
    lone_machine.end(*left)


def is_this_machine() -> bool:
    """Whether a run will have this machine alone: no Ray was joined, none is named."""
    return not _is_there() and not os.environ.get("RAY_ADDRESS")


def gpus() -> float:
    """GPUs of the cluster of RAY_ADDRESS, which is joined; without one, those of this machine.

    Raises:
        JobError: that cluster cannot be joined.
    """
    be_quiet()
    if is_this_machine():
        counted = lone_machine.count_gpus()
        if counted is not None:
            return counted
    start()
    ray: Any = import_module("ray")
    return float(ray.cluster_resources().get("GPU", 0.0))
