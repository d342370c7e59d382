"""Footage that is still being written: waited for, or refused.

A file that has changed within the last few seconds is watched until it has stayed as it is for as
long. What grows later is seen by its identity, at every stage (pipeline/source.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from pipeline.errors import MediaError, StorageError, UnreachableError
from pipeline.media.opening import is_text, open_video
from pipeline.storage.stores import check_readable
from pipeline.storage.urls import told, url_of

SETTLE_S = 3.0
"""How long a file must have stayed as it is."""
MOST_S = 60.0
"""How long files are waited for, together."""
LOOK_S = 0.2


def unfit_sources(
    sources: Iterable[Path], looked_at: Iterable[Path], *, wait: bool, say: Callable[[str], None]
) -> dict[Path, str]:
    """Why footage cannot be used; all that waiting cannot mend is known at once.

    Args:
        looked_at: those to be opened, known before Ray is started.
        wait, say: as in `unsettled`.
    """
    looked_at, objects = _parted(looked_at)
    sources, _ = _parted(sources)  # objects are whole from the first
    unfit = _unopened([path for path in looked_at if _is_text(path)])
    unfit |= unsettled([path for path in sources if path not in unfit], wait=wait, say=say)
    unfit |= _unread(objects)
    return unfit | _unopened([path for path in looked_at if path not in unfit])


def _parted(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Files, and paths that stand for objects in stores."""
    listed = list(paths)
    return [p for p in listed if not url_of(p)], [p for p in listed if url_of(p)]


def _unread(paths: Iterable[Path]) -> dict[Path, str]:
    """Of a bucket that gives no answer the first object says so for all: each would take long."""
    why: dict[Path, str] = {}
    silent: dict[str, str] = {}
    for path in paths:
        url = str(url_of(path))
        bucket = "/".join(url.split("/")[:3])
        if bucket in silent:
            why[path] = silent[bucket]
            continue
        try:
            check_readable(url)
        except StorageError as error:
            why[path] = str(error).removeprefix(f"{told(str(path))}: ")
            if isinstance(error, UnreachableError):
                silent[bucket] = why[path]
    return why


def _is_text(path: Path) -> bool:
    with suppress(OSError):  # said where it is opened
        return is_text(path)
    return False


def _unopened(paths: Iterable[Path]) -> dict[Path, str]:
    why: dict[Path, str] = {}
    for path in paths:
        try:
            with open_video(str(path)):
                pass
        except MediaError as error:
            why[path] = str(error).removeprefix(f"{path}: ")
    return why


def unsettled(paths: Iterable[Path], *, wait: bool, say: Callable[[str], None]) -> dict[Path, str]:
    """Why files cannot be used yet; none for those that have stayed as they are.

    Args:
        wait: files are waited for, MOST_S at most; else refused at once.
        say: told once which files are waited for.
    """
    watched = {path: _state(path) for path in paths if _is_young(path)}
    if not wait:
        return dict.fromkeys(watched, "was written to a moment ago; run again once it is whole")
    since = dict.fromkeys(watched, time.monotonic())
    end = time.monotonic() + MOST_S
    if watched:
        say(f"waiting until written: {', '.join(path.name for path in watched)}")
    while watched and time.monotonic() < end:
        time.sleep(LOOK_S)
        for path in list(watched):
            if (now := _state(path)) != watched[path]:
                watched[path], since[path] = now, time.monotonic()
            elif time.monotonic() - since[path] >= SETTLE_S:
                del watched[path]
    return dict.fromkeys(watched, f"is still growing after {MOST_S:.0f} s; run again once whole")


def _is_young(path: Path) -> bool:
    state = _state(path)
    return state is not None and 0 <= time.time() - state[1] / 1e9 < SETTLE_S


def _state(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
