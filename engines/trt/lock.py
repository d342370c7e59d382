"""One builder at a time per stored thing, across processes and nodes that share the folder."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from engines.trt.errors import EngineBuildError

STALE_S = 120.0
"""A holder whose claim has not been touched for this long is taken for dead; it touches it eight
times as often. A holder that died on this machine is noticed at once by its process id."""


@contextmanager
def build_lock(
    path: Path,
    *,
    stale_s: float = STALE_S,
    wait_s: float = 3600.0,
    on_wait: Callable[[str], None] = lambda _: None,
) -> Iterator[None]:
    """Hold the claim file `path` while the body runs.

    The operating system's own locks are not enough here: a network file system may lack them, and
    a node that vanished never lets go of one. So the claim is a file that its holder touches, and
    the system lock only guards the moment of taking or breaking it.

    Args:
        on_wait: told once who holds the claim, when somebody else does.
    Raises:
        EngineBuildError: the holder is alive and did not finish within `wait_s`.
    """
    token = uuid.uuid4().hex
    _wait_and_take(path, token, stale_s, wait_s, on_wait)
    done = threading.Event()
    beat = threading.Thread(target=_keep_touching, args=(path, done, stale_s / 8), daemon=True)
    beat.start()
    try:
        yield
    finally:
        done.set()
        beat.join()
        if _read(path).get("token") == token:
            path.unlink(missing_ok=True)


def _wait_and_take(
    path: Path, token: str, stale_s: float, wait_s: float, on_wait: Callable[[str], None]
) -> None:
    began = seen_at = time.monotonic()
    seen, told = _touched_ns(path), False
    while not _take(path, token, seen if time.monotonic() - seen_at >= stale_s else None):
        holder = _read(path)
        who = f"process {holder.get('pid', '?')} on {holder.get('host', '?')}"
        if not told:
            on_wait(f"waiting for {who}, which is making {path.stem}")
            told = True
        if time.monotonic() - began >= wait_s:
            raise EngineBuildError(
                f"{path.stem}: {who} has been making it for more than {wait_s:.0f} s; "
                f"end that process, or remove {path} if it is gone"
            )
        time.sleep(min(0.2, stale_s / 4))
        if (now := _touched_ns(path)) != seen:
            seen, seen_at = now, time.monotonic()


def _take(path: Path, token: str, stale_stamp: int | None) -> bool:
    with FileLock(path.parent / ".guard"):
        if path.exists():
            if _touched_ns(path) != stale_stamp and not _died_here(_read(path)):
                return False
            path.unlink(missing_ok=True)
        claim = {"host": socket.gethostname(), "pid": os.getpid(), "token": token}
        path.write_text(json.dumps(claim), encoding="utf-8")
    return True


def _died_here(holder: dict[str, object]) -> bool:
    pid = holder.get("pid")
    if holder.get("host") != socket.gethostname() or not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _read(path: Path) -> dict[str, object]:
    try:
        claim = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return claim if isinstance(claim, dict) else {}


def _touched_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _keep_touching(path: Path, done: threading.Event, every_s: float) -> None:
    while not done.wait(every_s):
        with contextlib.suppress(OSError):
            os.utime(path)
