"""Whether a result could be written where it is to go, asked before any work."""

from __future__ import annotations

import tempfile
from pathlib import Path
from uuid import uuid4

from jobs.errors import JobError
from pipeline.partials import PARTIAL
from pipeline.storage.stores import check_writable
from pipeline.storage.urls import url_of


def check_file_place(path: Path, option: str) -> None:
    """Refuses a place where no file can be written.

    Raises:
        JobError: it is a folder, or its folder cannot be made or written.
    """
    if path.is_dir():
        raise JobError(f"{option} {path}: is a folder; expected a file")
    check_folder_place(path.parent, option)


def check_folder_place(path: Path, option: str) -> None:
    """Refuses a folder that cannot be made or written; tries it, since modes do not tell all.

    Raises:
        JobError: naming what is in the way.
        StorageError: what its store complains of.
    """
    if url := url_of(path):
        check_writable(url, f"{PARTIAL}{uuid4().hex[:12]}.probe")
        return
    place = path
    while not place.exists():
        place = place.parent
    if not place.is_dir():
        raise JobError(f"{option} {path}: {place} is a file; expected a folder")
    try:
        Path(tempfile.mkdtemp(dir=place, prefix=".aureel-")).rmdir()
    except OSError as error:
        raise JobError(f"{option} {path}: cannot write in {place}: {error.strerror}") from None
