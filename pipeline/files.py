"""Files that appear whole or not at all: the one place that writes beside a name and renames.

Whoever writes gets a partial file of its own, in the target's folder: two writers of one name never
touch each other's bytes, and the last to finish wins. A partial's name does not grow with the
target's, and says who writes it, so that the litter of a dead process can be told from work.

Everything durable that the pipeline and the jobs write goes through here; results on other storage
will be published here too. The engines keep caches of their own machine, which never leave it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import socket
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

PARTIAL = ".aureel-"
"""What the name of every unfinished file begins with."""
ABANDONED_S = 24 * 3600.0
"""Age at which a partial of another machine, whose processes cannot be seen, is litter."""
LONGEST_NAME = 255
"""Bytes in a file's name, on every file system in use."""


def partial_path(path: Path) -> Path:
    """A name nobody else has, beside `path`, with its suffix: `.aureel-HOST-PID-RANDOM.mp4`."""
    return path.with_name(f"{PARTIAL}{_here()}-{os.getpid()}-{uuid.uuid4().hex[:8]}{path.suffix}")


def _here() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def publish(partial: Path, path: Path, *, replace: bool = True) -> None:
    """Gives a finished partial its name, durably.

    Args:
        replace: what stands at `path` is replaced; else it is left alone.
    Raises:
        FileExistsError: something stands at `path`, and `replace` is off.
        OSError: what the disk says.
    """
    _flush(partial)
    if replace:
        partial.replace(path)
    else:
        _link(partial, path)
    _flush(path.parent)


def _link(partial: Path, path: Path) -> None:
    """Renames without replacing; where there are no hard links, by looking first."""
    try:
        os.link(partial, path)
    except FileExistsError:
        raise
    except OSError:
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "File exists", str(path)) from None
        partial.replace(path)
    else:
        partial.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it, where missing.

    Raises:
        OSError: it cannot be made; NotADirectoryError where a file of its name lies.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, "Not a directory", str(folder)) from None


@contextmanager
def published(
    path: Path, *, replace: bool = True, check: Callable[[], None] = lambda: None
) -> Generator[Path]:
    """A partial beside `path` that takes its place on success and is deleted on failure.

    Args:
        replace: as in `publish`.
        check: called last, when the partial is whole; what it raises keeps `path` as it was.
    """
    make_folder(path.parent)
    partial = partial_path(path)
    try:
        yield partial
        check()
        publish(partial, path, replace=replace)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def unpublished(path: Path, *, replace: bool = True) -> Generator[Path]:
    """Like `published`, for a file or a folder, and for several at once: nothing is made yet.

    Raises:
        FileExistsError: something stands at `path`, and `replace` is off.
    """
    make_folder(path.parent)
    partial = partial_path(path)
    try:
        yield partial
        if partial.is_dir():
            publish_folder(partial, path, replace=replace)
        else:
            publish(partial, path, replace=replace)
    finally:
        _remove(partial)


def publish_folder(partial: Path, path: Path, *, replace: bool = True) -> None:
    """Gives a finished folder its name, durably; what stood there is gone then.

    Raises:
        FileExistsError: something stands at `path`, and `replace` is off.
        OSError: what the disk says.
    """
    for entry in partial.iterdir():
        _flush(entry)
    _flush(partial)
    old = partial_path(path)
    if os.path.lexists(path):
        if not replace:
            raise FileExistsError(errno.EEXIST, "File exists", str(path))
        path.rename(old)
    try:
        partial.rename(path)
    finally:
        _remove(old)
    _flush(path.parent)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Publishes a JSON file."""
    with published(path) as partial:
        partial.write_text(json.dumps(value, indent=1, sort_keys=True))


def read_json(path: Path) -> Any | None:
    """The file's value, or None where there is no readable JSON (then it is made anew)."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError):
        return None


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file, read now."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sweep_partials(folder: Path, *, every: bool = False) -> None:
    """Removes the partials in a folder whose writers are gone; those at work are left alone.

    Args:
        every: all partials, whoever writes them: nobody rightly does.
    """
    for partial in folder.glob(f"{PARTIAL}*"):
        if _writer(partial) and (every or _is_abandoned(partial)):
            with suppress(OSError):  # another user's, or gone meanwhile
                _remove(partial)


def _writer(partial: Path) -> tuple[str, int] | None:
    """Host and process of who writes a partial; None of what is no partial, as claims are not."""
    host, _, rest = partial.name.removeprefix(PARTIAL).partition("-")
    pid = rest.partition("-")[0]
    return (host, int(pid)) if pid.isdigit() else None


def _is_abandoned(partial: Path) -> bool:
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
