"""Unfinished files by their names: who writes them, and whether that process is gone.

A partial's name does not grow with its target's, and says who writes it, so that the litter of a
dead process can be told from work.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import time
import uuid
from contextlib import suppress
from pathlib import Path

PARTIAL = ".aureel-"
"""What the name of every unfinished file begins with."""
ABANDONED_S = 24 * 3600.0
"""Age at which a partial of another machine, whose processes cannot be seen, is litter."""


def partial_path(path: Path) -> Path:
    """A name nobody else has, beside `path`, with its suffix: `.aureel-HOST-PID-RANDOM.mp4`."""
    return path.with_name(f"{PARTIAL}{_here()}-{os.getpid()}-{uuid.uuid4().hex[:8]}{path.suffix}")


def _here() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def remove(path: Path) -> None:
    """Removes a file, a link or a folder, where there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sweep_partials(folder: Path, *, every: bool = False) -> None:
    """Removes the partials in a folder whose writers are gone; those at work are left alone.

    Args:
        every: all partials, whoever writes them: nobody rightly does.
    """
    for partial in folder.glob(f"{PARTIAL}*"):
        if _writer(partial) and (every or is_abandoned(partial)):
            with suppress(OSError):  # another user's, or gone meanwhile
                remove(partial)


def _writer(partial: Path) -> tuple[str, int] | None:
    """Host and process of who writes a partial; None of what is no partial, as claims are not."""
    host, _, rest = partial.name.removeprefix(PARTIAL).partition("-")
    pid = rest.partition("-")[0]
    return (host, int(pid)) if pid.isdigit() else None


def is_abandoned(partial: Path) -> bool:
    """Whether a partial's writer is gone, as far as its name and age tell."""
    writer = _writer(partial)
    if writer is None:
        return False
    host, pid = writer
    if host == _here() and not is_running(pid):
        return True
    with suppress(FileNotFoundError):
        return time.time() - partial.stat().st_mtime > ABANDONED_S
    return False


def is_running(pid: int) -> bool:
    """Whether this machine has a process of that number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
