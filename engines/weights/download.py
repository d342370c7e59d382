"""One file over http(s): progress, resume, a clear line when it cannot be had. Standard library."""

from __future__ import annotations

import http.client
import json
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from engines.errors import EngineUnavailableError

CHUNK = 1 << 20
TIMEOUT_S = 30.0
ATTEMPTS = 5
"""Connections tried without a single new byte before giving up."""
PAUSE_S = 0.5
"""Waited before the second connection without a new byte, and once more of it for each further."""
_AGENT = "aureel"


def _request(url: str, headers: Mapping[str, str]) -> Any:
    request = urllib.request.Request(url, headers={"User-Agent": _AGENT})
    for name, value in headers.items():
        if name == "Authorization":  # for this server only, not for where it redirects to
            request.add_unredirected_header(name, value)
        else:
            request.add_header(name, value)
    return urllib.request.urlopen(request, timeout=TIMEOUT_S)


def _host(url: str) -> str:
    return "/".join(url.split("/")[:3])


def read_json(url: str, headers: Mapping[str, str] | None = None) -> tuple[Any, Mapping[str, str]]:
    """A JSON document and its response headers.

    Raises:
        EngineUnavailableError: unreachable, refused, or not JSON.
    """
    try:
        with _request(url, headers or {}) as response:
            return json.load(response), dict(response.headers)
    except urllib.error.HTTPError as error:
        raise EngineUnavailableError(f"{url} answered {error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException) as error:
        raise EngineUnavailableError(f"cannot reach {_host(url)} ({_reason(error)})") from None
    except ValueError:
        raise EngineUnavailableError(f"{url}: got no JSON") from None


def _reason(error: Exception) -> str:
    told = getattr(error, "reason", None) or error
    return " ".join(str(told).split()) or type(error).__name__


@contextmanager
def _bar(name: str, size: int) -> Iterator[Callable[[int], None]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(name, total=size or None)
        yield lambda count: progress.advance(task, count)


def fetch(
    url: str,
    part: Path,
    *,
    size: int = 0,
    headers: Mapping[str, str] | None = None,
    on_bytes: Callable[[int], None] | None = None,
) -> None:
    """Download into `part`, going on from what it already holds.

    A connection that breaks is taken up again where it broke off; a server that cannot resume is
    read from the start. The content is not verified here.

    Args:
        size: bytes in all, 0 when unknown.
        on_bytes: told the bytes that lie there at the start, then those that arrive (negative when
            the server made it start over); without it a bar is drawn.
    Raises:
        EngineUnavailableError: no way to the server, a refusal, or no room on the disk.
    """
    _check_room(part, size)
    if on_bytes is None:
        with _bar(part.name.removesuffix(".part"), size) as advance:
            _fetch(url, part, size, headers or {}, advance)
    else:
        _fetch(url, part, size, headers or {}, on_bytes)


def _check_room(part: Path, size: int) -> None:
    have = part.stat().st_size if part.exists() else 0
    free = shutil.disk_usage(part.parent).free
    if size - have > free:
        raise EngineUnavailableError(
            f"{part.parent} has {free / 1e9:.1f} GB free; {(size - have) / 1e9:.1f} GB are needed"
        )


def _fetch(
    url: str, part: Path, size: int, headers: Mapping[str, str], on_bytes: Callable[[int], None]
) -> None:
    if size and part.exists() and part.stat().st_size > size:
        part.unlink()  # left over from another file of that name
    on_bytes(part.stat().st_size if part.exists() else 0)
    idle = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            if _continue(url, part, headers, on_bytes):
                return
            reason = "the connection broke off"
        except urllib.error.HTTPError as error:
            if error.code < 500:
                raise EngineUnavailableError(
                    f"{url} answered {error.code} {error.reason}"
                ) from None
            reason = f"it answered {error.code} {error.reason}"
        except (OSError, http.client.HTTPException) as error:
            reason = _reason(error)
        idle = 0 if part.exists() and part.stat().st_size > before else idle + 1
        if idle >= ATTEMPTS:
            raise EngineUnavailableError(f"cannot download from {_host(url)} ({reason})")
        time.sleep(PAUSE_S * idle)


def _continue(
    url: str, part: Path, headers: Mapping[str, str], on_bytes: Callable[[int], None]
) -> bool:
    """One connection's worth; True when the file is whole as far as the server told."""
    have = part.stat().st_size if part.exists() else 0
    ranged = {"Range": f"bytes={have}-"} if have else {}
    try:
        response = _request(url, {**headers, **ranged})
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing left to send: it was whole
            return True
        raise
    with response:
        resumed = response.status == 206
        if have and not resumed:
            on_bytes(-have)
            have = 0
        length = response.headers.get("Content-Length")
        with part.open("ab" if resumed else "wb") as file:
            while chunk := response.read(CHUNK):
                file.write(chunk)
                on_bytes(len(chunk))
        return length is None or part.stat().st_size == have + int(length)
