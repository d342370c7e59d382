"""Publishing into a store: sent under another name, verified there, and named last.

Object stores have no rename. A store copies within itself and the first name goes, so that nobody
sees half of an object under its own; and what stands there stays until the other is whole.
"""

from __future__ import annotations

import glob
import hashlib
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.errors import StorageError
from pipeline.partials import PARTIAL, is_abandoned, partial_path
from pipeline.storage import sums
from pipeline.storage.complaints import one_line
from pipeline.storage.copies import adopt
from pipeline.storage.stores import EXTRAS, facts_of, is_there, store_of
from pipeline.storage.sums import READ_BYTES, Sums, part_bytes, sums_of
from pipeline.storage.urls import told, url_of

S3 = ("s3", "s3a")
AT_ONCE = 4
"""Parts of an upload under way."""


def publish_object(partial: Path, path: Path, *, replace: bool) -> None:
    """Sends a finished file to the store that a path stands for; what is sent stays as its copy.

    Where that fails, or is cut off, the partial is as it was and nothing is seen in the store.

    Raises:
        FileExistsError: an object stands there, and `replace` is off.
        StorageError: what the store complains of.
    """
    url, size, known = str(url_of(path)), partial.stat().st_size, sums_of(partial)
    _refuse_standing(url, replace=replace)
    store, name = store_of(url)
    other = f"{name.rpartition('/')[0]}/{partial_path(Path(path.name)).name}"
    _sweep(url.rpartition("/")[0])
    try:
        with one_line(url, "write it"):
            store.put_file(str(partial), other, **_how(url, size))
            _verify(store, other, url, size, known)
            _refuse_standing(url, replace=replace)
            _name(store, other, name)
    except BaseException:
        with suppress(Exception):
            store.rm_file(other)
        raise
    facts = facts_of(url)
    if facts is None or facts.size != size:
        raise StorageError(f"{told(url)}: is not there as it was written; run again")
    adopt(partial, path, facts, known.sha256)


def _name(store: Any, other: str, name: str) -> None:
    """Gives an object its name: by a copy within the store, or by a rename where that is how."""
    try:
        store.cp_file(other, name)
    except NotImplementedError:
        store.mv(other, name)
    else:
        store.rm_file(other)


def withdraw(path: Path) -> None:
    """Removes an object and its copy here.

    Raises:
        StorageError: what the store complains of.
    """
    url = str(url_of(path))
    store, name = store_of(url)
    with one_line(url, "remove it"):
        store.rm_file(name)
    path.unlink(missing_ok=True)


def _refuse_standing(url: str, *, replace: bool) -> None:
    if not replace and is_there(url):
        raise FileExistsError(17, "File exists", told(url))


def _how(url: str, size: int) -> dict[str, Any]:
    """What a store is told of the parts; on their size S3's sum depends."""
    scheme = url.partition("://")[0]
    if EXTRAS.get(scheme) == "gs":
        return {"chunksize": sums.PART_BYTES}
    return {"chunksize": part_bytes(size), "max_concurrency": AT_ONCE} if scheme in S3 else {}


def _verify(store: Any, name: str, url: str, size: int, ours: Sums) -> None:
    """Holds what the store has against what was sent: by its own sum, else by reading it all."""
    info = store.info(name)
    if info.get("size") != size:
        raise StorageError(
            f"{told(url)}: arrived with {info.get('size')} bytes of {size}; run again"
        )
    if ours.proven_by(info):
        return
    found = hashlib.sha256()
    with store.open(name, "rb") as file:
        while data := file.read(READ_BYTES):
            found.update(data)
    if found.hexdigest() != ours.sha256:
        raise StorageError(f"{told(url)}: arrived damaged (its SHA-256 is another); run again")


@cache
def _sweep(folder: str) -> None:
    """Once in a process: removes what dead processes of this machine left half-sent in a folder."""
    store, place = store_of(folder)
    ours = partial_path(Path("x")).name.split("-")[1]
    with suppress(Exception):  # what cannot be listed or removed is in nobody's way
        for left in store.glob(f"{glob.escape(place)}/{PARTIAL}{ours}-*"):
            if is_abandoned(Path(left)):
                store.rm_file(left)
    with suppress(Exception):
        _abort_uploads(store, place)


def _abort_uploads(store: Any, folder: str) -> None:
    """Ends S3's uploads in parts whose process died: their parts are kept, and paid for, else."""
    bucket = folder.partition("/")[0]
    for upload in store.list_multipart_uploads(bucket):
        name = f"{bucket}/{upload['Key']}"
        if name.rpartition("/")[0] == folder and is_abandoned(Path(name)):
            how = {"Bucket": bucket, "Key": upload["Key"], "UploadId": upload["UploadId"]}
            store.call_s3("abort_multipart_upload", **how)


def publish_objects(partial: Path, path: Path, *, replace: bool) -> None:
    """Sends a finished folder, file by file and each whole; nothing of it stays here.

    What was there and is not in it any more goes at the end.

    Raises:
        FileExistsError: something stands there, and `replace` is off.
        StorageError: what the store complains of.
    """
    url = str(url_of(path))
    _refuse_standing(url, replace=replace)
    store, folder = store_of(url)
    with one_line(url, "write it"):
        before = set(store.find(folder)) if store.exists(folder) else set[str]()
        for entry in sorted(partial.iterdir()):
            name = f"{folder}/{entry.name}"
            size = entry.stat().st_size
            store.put_file(str(entry), name, **_how(url, size))
            _verify(store, name, url, size, sums_of(entry))
            before.discard(name)
        for name in before:
            store.rm_file(name)
