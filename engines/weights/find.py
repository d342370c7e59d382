"""Where weights are: a path given → the cache → packaged with aureel → a download that was asked.

Nothing is downloaded unless the caller says so. Downloads show progress, resume where they broke
off, are verified, and appear under their name only when they are whole. Without a network one line
says what is missing, where it would go and how to fetch it elsewhere.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock

from engines.errors import EngineError, EngineUnavailableError
from engines.weights.download import fetch
from engines.weights.file_hash import cache_folder, file_sha256


def git_blob_sha1(path: Path) -> str:
    """The name git (and the hub, for small files) gives a file's content."""
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class WeightFile:
    """One file of weights.

    Attributes:
        name: path below the cache's `weights` folder (and below engines/models where packaged),
            e.g. `fan/2DFAN4.pth.tar`.
        url: http(s) address.
        sha256: hex digest of the content; "" when only `blob_sha1` is known.
        blob_sha1: git's name of the content, which hubs publish for small files.
        size: bytes, where known: shown in progress and checked against free space.
    """

    name: str
    url: str
    sha256: str = ""
    blob_sha1: str = ""
    size: int = 0

    def __post_init__(self) -> None:
        parts = Path(self.name).parts
        if not parts or Path(self.name).is_absolute() or ".." in parts:
            raise EngineError(f"weight file: got name {self.name!r}; expected a relative path")
        if urlsplit(self.url).scheme not in {"http", "https"}:
            raise EngineError(f"weight file {self.name}: got url {self.url!r}; expected http(s)")
        if not self.sha256 and not self.blob_sha1:
            raise EngineError(f"weight file {self.name}: neither sha256 nor blob_sha1 is given")

    @property
    def cached_path(self) -> Path:
        """Where a download goes."""
        return cache_folder() / "weights" / self.name

    def fault(self, path: Path) -> str | None:
        """What is wrong with a file's content (one clause); None when it is this one."""
        if self.sha256:
            found, wanted, kind = file_sha256(path), self.sha256.lower(), "sha256"
        else:
            found, wanted, kind = git_blob_sha1(path), self.blob_sha1.lower(), "git blob sha1"
        return None if found == wanted else f"{kind} is {found}; expected {wanted}"


def _packaged(name: str) -> Path | None:
    path = resources.files("engines") / "models" / name
    return path if isinstance(path, Path) and path.is_file() else None


def find(weight: WeightFile, given: Path | str | None = None) -> Path | None:
    """A file that is already here: the path given, the cache, or packaged; None where it is not.

    A given path is taken as it is (its owner may have weights of their own); a cached file whose
    content is another one counts as absent.

    Raises:
        EngineUnavailableError: a path was given and nothing is there.
    """
    if given is not None:
        path = Path(given).expanduser()
        if not path.is_file():
            raise EngineUnavailableError(f"weights {weight.name}: no file {path}")
        return path
    cached = weight.cached_path
    if cached.is_file() and weight.fault(cached) is None:
        return cached
    return _packaged(weight.name)


def elsewhere(weight: WeightFile) -> str:
    """How to fetch a file on a machine with a network, and where to put it."""
    target = shlex.quote(str(weight.cached_path))
    name = shlex.quote(weight.cached_path.name)
    return (
        f"elsewhere: `curl -L -o {name} {shlex.quote(weight.url)}`, then copy it here as {target}"
    )


def download(
    weight: WeightFile,
    *,
    headers: Mapping[str, str] | None = None,
    on_bytes: Callable[[int], None] | None = None,
) -> Path:
    """Fetch a file into the cache, unless its content is there already.

    Two processes that ask at once download once.

    Args:
        headers: for the server, e.g. a token; not passed on to where it redirects.
        on_bytes: told the number of bytes as they arrive (and of those that already lay here), for
            a caller with its own progress display; without it a bar is shown.
    Raises:
        EngineUnavailableError: the server cannot be reached or refuses, or the disk is full.
        EngineError: the content is not what was expected; it is thrown away.
    """
    target = weight.cached_path
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        if target.is_file() and weight.fault(target) is None:
            return target
        part = target.with_name(target.name + ".part")
        fetch(weight.url, part, size=weight.size, headers=headers, on_bytes=on_bytes)
        fault = weight.fault(part)
        if fault is not None:
            part.unlink()
            raise EngineError(f"weights {weight.name}: {weight.url}: {fault}; thrown away")
        part.replace(target)
    return target


def require(
    weight: WeightFile, given: Path | str | None = None, *, ask_network: bool = False
) -> Path:
    """A file of weights on this machine: the path given, cached, packaged, or downloaded.

    Args:
        ask_network: download it when it is not here.
    Raises:
        EngineUnavailableError: not here; the line says where it would go and how to get it.
        EngineError: the download is not the file that was expected.
    """
    found = find(weight, given)
    if found is not None:
        return found
    folder = weight.cached_path.parent
    if not ask_network:
        raise EngineUnavailableError(
            f"weights {weight.name}: not in {folder} and not packaged; {elsewhere(weight)}"
        )
    try:
        return download(weight)
    except EngineUnavailableError as error:
        raise EngineUnavailableError(
            f"weights {weight.name}: not in {folder}; {error}; {elsewhere(weight)}"
        ) from None
