"""Which file a source is: one that changes while a job runs would give a splice of two takes.

An identity is size, time of change, inode, and a hash of head, tail, index (an mp4's `moov` box)
and evenly spread blocks between: about 1 MB is read, in a millisecond or two. Of an object in a
store it is what the store says of it, so that every machine's copy has the same.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pipeline.errors import MediaError
from pipeline.storage.copies import held
from pipeline.storage.stores import Facts, first_facts_of
from pipeline.storage.urls import url_of

END_BYTES = 1 << 18
INDEX_BYTES = 1 << 20
BLOCK_BYTES = 1 << 12
BLOCKS = 64
BOXES = 64
"""Boxes of an mp4 that are walked past in search of its index."""
INDEX_BOX = b"moov"


class Identity(NamedTuple):
    """What must stay as it is while a job runs; it travels in rows as text.

    Attributes:
        size: bytes.
        changed_ns: time of the last change.
        inode: number of the file on its file system.
        content: hash of the parts that were read.
    """

    size: int
    changed_ns: int
    inode: int
    content: str

    def __str__(self) -> str:
        return f"{self.size}-{self.changed_ns}-{self.inode}-{self.content}"

    @classmethod
    def parse(cls, text: str) -> Identity:
        """The identity that `str` wrote."""
        size, changed_ns, inode, content = text.split("-")
        return cls(int(size), int(changed_ns), int(inode), content)

    @property
    def state(self) -> str:
        """16 hex digits for what is known of this content; the same for all names of a file."""
        text = f"{self.size}|{self.changed_ns}|{self.content}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def identify(path: Path) -> Identity:
    """The identity of a file as it lies there now.

    Raises:
        OSError: it cannot be read.
        StorageError: its store cannot be asked.
    """
    if url := url_of(path):
        facts = first_facts_of(url)
        if facts is None:
            raise FileNotFoundError(errno.ENOENT, "is not there", url)
        return _of_object(facts)
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        content = _content_hash(file, status.st_size)
    return Identity(status.st_size, status.st_mtime_ns, status.st_ino, content)


def _of_object(facts: Facts) -> Identity:
    return Identity(facts.size, facts.changed_ns, 0, facts.content)


@contextmanager
def at_hand(path: str, known: str, limit: int) -> Generator[None]:
    """While the body runs, a source lies here whole: a file anyway, an object as a copy.

    Args:
        known: `str` of its identity when the job began; empty takes what is there.
        limit: bytes that all copies on this machine may take.
    Raises:
        StorageError: it cannot be fetched, is another now, or there is no room for it.
    """
    if url_of(path) is None:
        yield
        return
    with held(Path(path), limit, lambda facts: known in ("", str(_of_object(facts)))):
        yield


def _content_hash(file: BinaryIO, size: int) -> str:
    found = hashlib.sha256()
    ranges = [(0, END_BYTES), (max(0, size - END_BYTES), END_BYTES), _index(file, size)]
    ranges += [(size * n // BLOCKS, BLOCK_BYTES) for n in range(BLOCKS)]
    for start, length in ranges:
        file.seek(start)
        found.update(file.read(length))
    return found.hexdigest()[:32]


def _index(file: BinaryIO, size: int) -> tuple[int, int]:
    """Where an mp4's index lies and how much of it is read; nothing in other files."""
    at = 0
    for _ in range(BOXES):
        file.seek(at)
        head = file.read(16)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if kind == INDEX_BOX:
            return at, min(length, INDEX_BYTES)
        length = int.from_bytes(head[8:16], "big") if length == 1 else length
        if length < 8 or at + length > size:
            break
        at += length
    return 0, 0


def check_unchanged(path: str, known: str) -> None:
    """Refuses a source that is not the one the job began with.

    Args:
        known: `str` of its identity then.
    Raises:
        MediaError: it was replaced, changed or removed; the line says which.
    """
    try:
        now = identify(Path(path))
    except OSError as error:
        raise MediaError(f"{path}: went away while the job ran ({error.strerror})") from error
    before = Identity.parse(known)
    if now == before:
        return
    raise MediaError(
        f"{path}: {_difference(before, now)} while the job ran; nothing was made of it; "
        "run again once it stays as it is"
    )


def _difference(before: Identity, now: Identity) -> str:
    if now.size > before.size and now.inode == before.inode:
        return f"grew from {before.size} to {now.size} bytes"
    if now.size != before.size:
        return f"was replaced ({before.size} bytes before, {now.size} now)"
    return "was replaced" if now.inode != before.inode else "was changed"
