"""Files that appear whole or not at all: the one place that writes beside a name and renames.

Whoever writes gets a partial file of its own, in the target's folder: two writers of one name never
touch each other's bytes, and the last to finish wins (pipeline/partials.py names them).

Everything durable that the pipeline and the jobs write goes through here. A path that stands for an
object in a store (pipeline/storage) is published there as well, and only whole. The engines keep
caches of their own machine, which never leave it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.partials import partial_path, remove
from pipeline.storage.sending import publish_object, publish_objects, withdraw
from pipeline.storage.stores import facts_of, is_there, objects_in
from pipeline.storage.urls import url_of

LONGEST_NAME = 255
"""Bytes in a file's name, on every file system in use."""
FLUSH_S = 0.5
"""Between two flushes of a file that grows."""


def publish(partial: Path, path: Path, *, replace: bool = True) -> None:
    """Gives a finished partial its name, durably.

    Args:
        replace: what stands at `path` is replaced; else it is left alone.
    Raises:
        FileExistsError: something stands at `path`, and `replace` is off.
        OSError: what the disk says.
    """
    _flush(partial)
    if url_of(path):
        publish_object(partial, path, replace=replace)
        return
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


@contextmanager
def flushed_meanwhile(path: Path) -> Generator[None]:
    """Sends a file to disk while it grows and is read back: publishing it then waits for little.

    Raises:
        OSError: what the disk says, at the end; a flush tells it once, so it must not be lost.
    """
    ended, said = threading.Event(), list[OSError]()

    def flush() -> None:
        while not ended.wait(FLUSH_S) and not said:
            try:
                with suppress(FileNotFoundError):  # not begun
                    _flush(path)
            except OSError as error:
                said.append(error)

    flushing = threading.Thread(target=flush, name="flush", daemon=True)
    flushing.start()
    try:
        yield
    finally:
        ended.set()
        flushing.join()
    if said:
        raise said[0]


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
        remove(partial)


def publish_folder(partial: Path, path: Path, *, replace: bool = True) -> None:
    """Gives a finished folder its name, durably; what stood there is gone then.

    Raises:
        FileExistsError: something stands at `path`, and `replace` is off.
        OSError: what the disk says.
    """
    for entry in partial.iterdir():
        _flush(entry)
    _flush(partial)
    if url_of(path):
        publish_objects(partial, path, replace=replace)
        return
    old = partial_path(path)
    if os.path.lexists(path):
        if not replace:
            raise FileExistsError(errno.EEXIST, "File exists", str(path))
        path.rename(old)
    try:
        partial.rename(path)
    finally:
        remove(old)
    _flush(path.parent)


class State(NamedTuple):
    """What a published file is, by what it costs nothing to ask.

    Attributes:
        tag: of its content, where a store says one.
    """

    size: int
    changed_ns: int
    tag: str = ""


def state_of(path: Path) -> State | None:
    """What stands at a path, on this machine or in the store it stands for; None without a file.

    Raises:
        StorageError: the store cannot be asked.
    """
    if url := url_of(path):
        facts = facts_of(url)
        return State(*facts) if facts else None
    if not path.is_file():
        return None
    status = path.stat()
    return State(status.st_size, status.st_mtime_ns)


def stands(path: Path) -> bool:
    """Whether a file or a folder is there, on this machine or in the store it stands for.

    Raises:
        StorageError: the store cannot be asked.
    """
    url = url_of(path)
    return is_there(url) if url else path.exists()


def names_in(folder: Path) -> set[str]:
    """The names of what stands in a folder, on this machine or in the store it stands for.

    Raises:
        StorageError: the store cannot be asked.
    """
    if url := url_of(folder):
        below = (found.removeprefix(f"{url}/") for found in objects_in(url))
        return {name.partition("/")[0] for name in below}
    return {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()


def unpublish(path: Path) -> None:
    """Removes what was published, where it stands."""
    if url_of(path):
        withdraw(path)
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
