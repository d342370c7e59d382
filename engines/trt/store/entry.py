"""One stored graph or plan, as the sidecar in its folder describes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.trt.errors import StalePlanError
from engines.weights.file_hash import read_sha256

SIDECAR = "entry.json"
FORMAT = 1
REBUILD = "rebuild with jobs/build_engines.py"


@dataclass(frozen=True)
class CacheEntry:
    """One stored graph or plan, as its sidecar describes it.

    Attributes:
        folder: where it lies.
        facts: its key's facts.
        files: file name → (bytes, SHA-256).
        made: how it was made: seconds, sizes, accuracy, versions; free text for people.
        used_at: seconds since the epoch of its last load (the sidecar's modification time).
    """

    folder: Path
    kind: str
    component: str
    facts: Mapping[str, str]
    files: Mapping[str, tuple[int, str]]
    made: Mapping[str, str]
    used_at: float

    @property
    def size_bytes(self) -> int:
        """Bytes of its files, as the sidecar counts them."""
        return sum(size for size, _ in self.files.values())

    def path(self, name: str) -> Path:
        """A file of the entry."""
        return self.folder / name

    def faults(self, *, hashes: bool) -> list[str]:
        """What differs between the files and the sidecar; `hashes` reads every byte."""
        faults: list[str] = []
        for name, (size, sha256) in self.files.items():
            path = self.path(name)
            if not path.is_file():
                faults.append(f"{name} is missing, its sidecar says {size} bytes")
            elif path.stat().st_size != size:
                faults.append(f"{name} has {path.stat().st_size} bytes, its sidecar says {size}")
            elif hashes and (found := read_sha256(path)) != sha256:
                faults.append(f"{name} has SHA-256 {found[:12]}…, its sidecar says {sha256[:12]}…")
        return faults


def read_entry(folder: Path) -> CacheEntry:
    """The entry in a folder, from its sidecar alone.

    Raises:
        StalePlanError: no sidecar, not readable, or of another format.
    """
    sidecar = folder / SIDECAR
    try:
        found: Any = json.loads(sidecar.read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            raise StalePlanError(
                f"stale entry {folder}: sidecar format {found['format']}, known: {FORMAT}; "
                f"{REBUILD}"
            )
        files = {n: (int(f["bytes"]), str(f["sha256"])) for n, f in found["files"].items()}
        return CacheEntry(
            folder,
            str(found["kind"]),
            str(found["component"]),
            {str(k): str(v) for k, v in found["facts"].items()},
            files,
            {str(k): str(v) for k, v in found["made"].items()},
            sidecar.stat().st_mtime,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StalePlanError(
            f"damaged entry {folder}: {SIDECAR} cannot be read ({error!r}); {REBUILD}"
        ) from None
