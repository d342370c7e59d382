"""One stored graph or engine, as the sidecar in its folder tells it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.trt.errors import StaleEngineError
from engines.weights.file_hash import read_sha256

SIDECAR = "entry.json"
FORMAT = 1
REBUILD = "rebuild with jobs/build_engines.py"


@dataclass(frozen=True)
class Entry:
    """One stored graph or engine, as its sidecar tells it.

    Attributes:
        folder: where it lies.
        facts: its key's facts.
        files: file name → (bytes, SHA-256).
        made: how it was made: seconds, sizes, parity, versions; free text for people.
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


def read_entry(folder: Path) -> Entry:
    """The entry in a folder, from its sidecar alone.

    Raises:
        StaleEngineError: no sidecar, not readable, or of another format.
    """
    sidecar = folder / SIDECAR
    try:
        told: Any = json.loads(sidecar.read_text(encoding="utf-8"))
        if told["format"] != FORMAT:
            raise StaleEngineError(
                f"stale entry {folder}: sidecar format {told['format']}, known: {FORMAT}; {REBUILD}"
            )
        files = {n: (int(f["bytes"]), str(f["sha256"])) for n, f in told["files"].items()}
        return Entry(
            folder,
            str(told["kind"]),
            str(told["component"]),
            {str(k): str(v) for k, v in told["facts"].items()},
            files,
            {str(k): str(v) for k, v in told["made"].items()},
            sidecar.stat().st_mtime,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StaleEngineError(
            f"damaged entry {folder}: {SIDECAR} cannot be read ({error!r}); {REBUILD}"
        ) from None
