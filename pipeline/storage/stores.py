"""What lies in a store, asked through fsspec."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from functools import cache
from itertools import takewhile
from typing import Any, NamedTuple

from pipeline.errors import StorageError
from pipeline.storage.complaints import answer, one_line
from pipeline.storage.urls import told

EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs"}
"""Scheme → the extra that installs what speaks it."""
CHANGED = ("LastModified", "mtime", "updated", "last_modified", "created")
WITHOUT_ZONES = "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false"
"""Else gcsfs asks what kind each bucket is, by another door, and complains where it may not."""
NOBODYS = ".aureel-nobody-has-this"
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

    os.environ.setdefault(*WITHOUT_ZONES)
    scheme = url.partition("://")[0]
    try:
        return fsspec.url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        extra = EXTRAS.get(scheme)
        how = f"pip install 'aureel[{extra}]'" if extra else str(error)
        raise StorageError(f"{told(url)}: {scheme}:// is not installed here: {how}") from None
    except ValueError as error:
        raise StorageError(f"{told(url)}: {error}") from None


def facts_of(url: str) -> Facts | None:
    """What is known of an object now; None where there is none.

    Raises:
        StorageError: the store cannot be asked.
    """
    store, name = store_of(url)
    with one_line(url, "look at it"):
        try:
            info: Mapping[str, Any] = answer(store, "info", name)
        except FileNotFoundError as error:
            if "bucket" in str(error).lower():
                raise
            check_bucket(url)
            return None
        except TimeoutError:
            raise
        except OSError:  # of a look there is but a number; what is read is refused in words
            with suppress(FileNotFoundError):
                answer(store, "cat_file", name, start=0, end=1)
            raise
    return None if info.get("type") == "directory" else facts_in(info)


@cache
def _has_bucket(scheme: str, bucket: str) -> bool:
    store, _ = store_of(f"{scheme}://{bucket}/")
    answer(store, "find", bucket, prefix=NOBODYS)
    return True


def check_bucket(url: str) -> None:
    """Refuses Google's buckets that do not exist: there is no telling from one answer alone.

    Raises:
        FileNotFoundError: there is no such bucket.
    """
    scheme, _, rest = url.partition("://")
    if EXTRAS.get(scheme) != "gs":
        return
    bucket = rest.partition("/")[0]
    try:
        _has_bucket(scheme, bucket)
    except FileNotFoundError:
        raise FileNotFoundError(f"the bucket {bucket} does not exist") from None
    except TimeoutError:
        raise
    except Exception:  # noqa: BLE001 - one that may not be listed, in its client's own words
        return


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
        return bool(answer(store, "exists", name))


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
        _list_nothing(store, url, name)
        found: dict[str, Mapping[str, Any]] = search(name, detail=True)
    files = {store.unstrip_protocol(n): i for n, i in found.items() if i.get("type") == "file"}
    _listed.update({each: facts_in(info) for each, info in files.items()})
    return sorted(files, key=_before_folders)


def _list_nothing(store: Any, url: str, name: str) -> None:
    """Lists next to nothing: a store that refuses or is silent says so soon, whatever is there."""
    check_bucket(url)
    if EXTRAS.get(url.partition("://")[0]):
        fixed = takewhile(lambda part: not is_pattern(part), name.split("/"))
        answer(store, "find", "/".join(fixed), prefix=NOBODYS)


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
        try:
            answer(store, "cat_file", name, start=0, end=1)
        except FileNotFoundError:
            check_bucket(url)
            raise


@cache
def check_writable(url: str, name: str) -> None:
    """Writes an object of that name into a folder and removes it, once; grants do not tell all.

    Raises:
        StorageError: the folder cannot be written.
    """
    store, folder = store_of(url)
    place = f"{folder.rstrip('/')}/{name}"
    with one_line(url, "write there"):
        check_bucket(url)
        answer(store, "pipe_file", place, b"")
    with one_line(url, "remove there what it wrote"):
        answer(store, "rm_file", place)
