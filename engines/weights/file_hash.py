"""SHA-256 of files, read anew or remembered by path, size and time of change: weights are large."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from functools import lru_cache
from pathlib import Path


def cache_folder() -> Path:
    """`$AUREEL_CACHE`, else `aureel` in the user's cache folder."""
    if given := os.environ.get("AUREEL_CACHE"):
        return Path(given).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "aureel"


def _memory_path() -> Path:
    return cache_folder() / "hashes.json"


def _read_memory() -> dict[str, list[object]]:
    try:
        known = json.loads(_memory_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _remember(key: str, entry: list[object]) -> None:
    """Add an entry; a read-only home or a lost race costs a later re-hash, nothing else."""
    path = _memory_path()
    known = {k: v for k, v in _read_memory().items() if Path(k).exists()} | {key: entry}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".hashes-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(known, file)
        Path(name).replace(path)
    except OSError:
        return


@lru_cache(maxsize=256)
def _hashed(key: str, size: int, changed_ns: int) -> str:
    remembered = _read_memory().get(key)
    if isinstance(remembered, list) and remembered[:2] == [size, changed_ns]:
        return str(remembered[2])
    digest = read_sha256(Path(key))
    _remember(key, [size, changed_ns, digest])
    return digest


def read_sha256(path: Path) -> str:
    """Hex SHA-256 of a file, read now: a damaged disk keeps size and time of change."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file; read again only when its size or time of change are new."""
    resolved = path.resolve()
    stat = resolved.stat()
    return _hashed(str(resolved), stat.st_size, stat.st_mtime_ns)
