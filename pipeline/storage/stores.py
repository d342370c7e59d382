"""What lies in a store, asked through fsspec; what a store complains of, in one line."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from pipeline.errors import StorageError
from pipeline.storage.urls import told

EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs"}
"""Scheme → the extra that installs what speaks it."""
CHANGED = ("LastModified", "mtime", "updated", "last_modified", "created")
TAGS = ("ETag", "md5Hash", "md5", "etag")


class Facts(NamedTuple):
    """What a store says of an object: it is another one when any of this changes.

    Attributes:
        size: bytes.
        changed_ns: time of the last change, as far as the store tells.
        tag: of its content, in the store's own words.
    """

    size: int
    changed_ns: int
    tag: str

    @property
    def content(self) -> str:
        """The tag as 32 hex digits."""
        return hashlib.sha256(self.tag.encode()).hexdigest()[:32]


def store_of(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the object's name there.

    Raises:
        StorageError: an unknown kind of store, or one whose package is not installed.
    """
    import fsspec  # late: half a second, and only URLs need it

    scheme = url.partition("://")[0]
    try:
        return fsspec.url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        extra = EXTRAS.get(scheme)
        how = f"pip install 'aureel[{extra}]'" if extra else str(error)
        raise StorageError(f"{told(url)}: {scheme}:// is not installed here: {how}") from None
    except ValueError as error:
        raise StorageError(f"{told(url)}: {error}") from None


@contextmanager
def one_line(url: str, work: str) -> Generator[None]:
    """Whatever a store or its client complains of becomes one line.

    Raises:
        StorageError: what, where, and what may mend it.
    """
    try:
        yield
    except (StorageError, FileExistsError):
        raise
    except FileNotFoundError as error:
        said = str(error).strip("'\"")
        why = said if "bucket" in said.lower() else "is not there"
        raise StorageError(f"{told(url)}: cannot {work}: {told(why)}") from error
    except Exception as error:  # every store has its own
        said = " ".join(f"{error}".split()) or type(error).__name__
        raise StorageError(f"{told(url)}: cannot {work}: {told(said)}{_way_out(error)}") from error


def _way_out(error: Exception) -> str:
    name = type(error).__name__
    if isinstance(error, PermissionError) or "Credential" in name or "Token" in name:
        return "; check this machine's credentials for that store (docs/storage.md)"
    return ""


def facts_of(url: str) -> Facts | None:
    """What is known of an object now; None where there is none.

    Raises:
        StorageError: the store cannot be asked.
    """
    store, name = store_of(url)
    with one_line(url, "look at it"):
        try:
            info: Mapping[str, Any] = store.info(name)
        except FileNotFoundError as error:
            if "bucket" in str(error).lower():
                raise
            return None
    return None if info.get("type") == "directory" else facts_in(info)


def facts_in(info: Mapping[str, Any]) -> Facts:
    """The same from what a listing says."""
    changed = next((info[key] for key in CHANGED if info.get(key)), 0)
    tag = next((str(info[key]) for key in TAGS if info.get(key)), "")
    return Facts(int(info.get("size") or 0), _nanoseconds(changed), tag)


def _nanoseconds(changed: Any) -> int:
    if isinstance(changed, str):
        try:
            changed = datetime.fromisoformat(changed)
        except ValueError:
            return 0
    seconds = changed.timestamp() if isinstance(changed, datetime) else float(changed)
    return round(seconds * 1e6) * 1000


def is_there(url: str) -> bool:
    """Whether an object, or anything below a folder of that name, is there."""
    store, name = store_of(url)
    with one_line(url, "look at it"):
        return bool(store.exists(name))


def is_pattern(url: str) -> bool:
    """Whether a URL has wild cards."""
    return glob.has_magic(url)


def objects_in(url: str) -> list[str]:
    """The URLs of all objects in a folder, searched whole, or that a pattern matches.

    In order: the objects of a folder before its folders, as of files.

    Raises:
        StorageError: it is not there, or the store cannot list.
    """
    store, name = store_of(url)
    search = store.glob if is_pattern(name) else store.find
    with one_line(url, "list it"):
        found: dict[str, Mapping[str, Any]] = search(name, detail=True)
    files = {store.unstrip_protocol(n): i for n, i in found.items() if i.get("type") == "file"}
    _listed.update({each: facts_in(info) for each, info in files.items()})
    return sorted(files, key=_before_folders)


def _before_folders(url: str) -> list[tuple[bool, str]]:
    *folders, name = url.split("/")
    return [*((True, folder) for folder in folders), (False, name)]


_listed: dict[str, Facts] = {}


def first_facts_of(url: str) -> Facts | None:
    """As `facts_of`, but once without asking where a listing has just told them.

    Raises:
        StorageError: the store cannot be asked.
    """
    return _listed.pop(url, None) or facts_of(url)


def check_readable(url: str) -> None:
    """Reads an object's first byte.

    Raises:
        StorageError: it is not there, or may not be read.
    """
    store, name = store_of(url)
    with one_line(url, "read it"):
        store.cat_file(name, start=0, end=1)


@cache
def check_writable(url: str, name: str) -> None:
    """Writes an object of that name into a folder and removes it, once; grants do not tell all.

    Raises:
        StorageError: the folder cannot be written.
    """
    store, folder = store_of(url)
    place = f"{folder.rstrip('/')}/{name}"
    with one_line(url, "write there"):
        store.pipe_file(place, b"")
        store.rm_file(place)
