"""Copies of objects on this machine, within a bound; none goes while somebody uses it.

Each copy has a note in one flat folder: what it is a copy of, and when it was last used. Whoever
uses a copy holds its note locked, and so does who makes it; the system frees a lock with its
process. The notes together are the account of what copies take, those that are coming too.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from pipeline.errors import StorageError
from pipeline.partials import partial_path, sweep_partials
from pipeline.storage.complaints import one_line
from pipeline.storage.stores import Facts, facts_of, store_of
from pipeline.storage.urls import root_of, told, url_of

NOTES = ".copies"
LOOK_S, WAIT_S = 0.5, 600.0
"""How long room is waited for that others use now."""
DEFAULT_BYTES = 50 * 10**9

IsWanted = Callable[[Facts], bool]


@contextmanager
def held(path: Path, limit: int, is_wanted: IsWanted) -> Generator[None]:
    """While the body runs, an object's copy lies at its path; it is fetched where it does not.

    Args:
        limit: bytes that all copies of this machine may take.
        is_wanted: judges which version.
    Raises:
        StorageError: it cannot be fetched, is another version, or there is no room for it.
    """
    while True:
        with _note(path) as note:
            fcntl.flock(note, fcntl.LOCK_SH)
            if _is_still(path, note) and _is_whole(path, note, is_wanted):
                os.utime(note.fileno())
                yield
                return
        _fetch(path, limit, is_wanted)


def _is_whole(path: Path, note: BinaryIO, is_wanted: IsWanted) -> bool:
    said = _said(note)
    if not said.get("facts") or not is_wanted(Facts(*said["facts"])):
        return False
    with suppress(OSError):
        return path.stat().st_size == said["size"]
    return False


def _fetch(path: Path, limit: int, is_wanted: IsWanted) -> None:
    url = str(url_of(path))
    facts = facts_of(url)
    if facts is None:
        raise StorageError(f"{told(url)}: is not there")
    if not is_wanted(facts):
        raise StorageError(f"{told(url)}: was changed while the job ran; run again once it stays")
    with _note(path) as note:
        fcntl.flock(note, fcntl.LOCK_EX)
        if not _is_still(path, note) or _is_whole(path, note, is_wanted):
            return  # given up, or made by somebody else, while we waited
        _make_room(path, note, facts.size, limit)
        _download(url, path, facts)
        _say(note, {"url": url, "size": facts.size, "facts": facts})


def _download(url: str, path: Path, facts: Facts) -> None:
    store, name = store_of(url)
    part = partial_path(root_of(path) / NOTES / path.name)
    sweep_partials(part.parent)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with one_line(url, "read it"):
            store.get_file(name, str(part))
        if part.stat().st_size != facts.size or facts_of(url) != facts:
            raise StorageError(f"{told(url)}: changed while it was read; run again once it stays")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _make_room(path: Path, note: BinaryIO, size: int, limit: int) -> None:
    """Lets go of copies until there is room for another, and takes that room."""
    if size > limit:
        raise StorageError(
            f"{told(str(path))}: has {size / 1e9:.3g} GB, and copies here may take "
            f"{limit / 1e9:.3g} GB; raise --cache-size"
        )
    _say(note, {})
    end = time.monotonic() + WAIT_S
    while True:
        with _account(root_of(path)):
            taken = _shrunk(root_of(path), limit - size)
            if taken <= limit - size:
                _say(note, {"url": url_of(path), "size": size})
                return
        if time.monotonic() > end:
            raise StorageError(
                f"{told(str(path))}: no room: copies in use take {taken / 1e9:.3g} GB of the "
                f"{limit / 1e9:.3g} GB they may; raise --cache-size"
            )
        time.sleep(LOOK_S)


def shrink(root: Path, limit: int) -> None:
    """Lets go of copies that nobody uses until they take no more than they may, if that can be."""
    with _account(root):
        _shrunk(root, limit)


@contextmanager
def _account(root: Path) -> Generator[None]:
    (root / NOTES).mkdir(parents=True, exist_ok=True)
    with (root / NOTES / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _shrunk(root: Path, limit: int) -> int:
    """Removes copies, the longest unused first; the bytes of those that stay."""
    notes = sorted((root / NOTES).glob("*.json"), key=_last_use)
    sizes = {note: int(_read(note).get("size", 0)) for note in notes}
    taken = sum(sizes.values())
    for note in notes:
        if taken <= limit:
            break
        if _remove(note, root):
            taken -= sizes[note]
    return taken


def _last_use(note: Path) -> float:
    with suppress(OSError):
        return note.stat().st_mtime
    return 0.0


def _read(note: Path) -> dict[str, Any]:
    with suppress(OSError), note.open("rb") as file:
        return _said(file)
    return {}


def _remove(note: Path, root: Path) -> bool:
    """Removes a copy, unless somebody uses it."""
    with suppress(OSError), note.open("rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        said = _said(file)
        if "url" in said:
            scheme, _, rest = said["url"].partition("://")
            (root / scheme / rest).unlink(missing_ok=True)
        note.unlink(missing_ok=True)
        return True
    return False


def _note_path(path: Path) -> Path:
    url = str(url_of(path))
    return root_of(path) / NOTES / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.json"


@contextmanager
def _note(path: Path) -> Generator[BinaryIO]:
    place = _note_path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(place, os.O_RDWR | os.O_CREAT, 0o666), "rb+") as file:
        yield file


def _is_still(path: Path, note: BinaryIO) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(_note_path(path).stat(), os.fstat(note.fileno()))
    return False


def _said(note: BinaryIO) -> dict[str, Any]:
    note.seek(0)
    try:
        said: Any = json.loads(note.read() or b"{}")
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _say(note: BinaryIO, said: dict[str, Any]) -> None:
    note.seek(0)
    note.truncate()
    note.write(json.dumps(said).encode())
    note.flush()


def sent_sha256(path: Path) -> str | None:
    """The hash of what was sent from here last; None where that is not known."""
    return _read(_note_path(path)).get("sha256")


def fetch(path: Path, limit: int = DEFAULT_BYTES) -> Path:
    """The path of an object's copy, which lies there now; a file as it is.

    Raises:
        StorageError: it cannot be fetched.
    """
    if url_of(path) is not None:
        with held(path, limit, lambda facts: facts == facts_of(str(url_of(path)))):
            pass
    return path


def adopt(made: Path, path: Path, facts: Facts, sha256: str) -> None:
    """Keeps a file that was just sent as the copy of what it has become; then it may go."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with _note(path) as note:
            fcntl.flock(note, fcntl.LOCK_EX)
            if not _is_still(path, note):
                continue
            try:
                made.replace(path)
            except OSError:  # on another file system: fetched, should it be asked for
                made.unlink()
                path.unlink(missing_ok=True)
            said = {"url": url_of(path), "size": facts.size, "facts": facts, "sha256": sha256}
            _say(note, said)
            return
