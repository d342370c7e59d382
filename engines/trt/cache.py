"""Where graphs and engines are kept: one folder each, whole or absent, checked when loaded.

    ROOT/denoiser-engine-1f0c…/engine.plan      the bytes
                               entry.json       the sidecar: key, sizes, SHA-256, how it was made
                               runtime-….cache  what a runtime learned here (not part of the engine)
    ROOT/denoiser-graph-77ab…/model.onnx, model.onnx.data, entry.json

A folder appears under its name in one rename, after everything in it was flushed to disk.
`python -m engines.trt.cache list|prune` shows and clears it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.errors import EngineError
from engines.trt.errors import StaleEngineError
from engines.trt.key import StoreKey
from engines.trt.lock import build_lock
from engines.trt.ports import COMPONENTS

SIDECAR = "entry.json"
FORMAT = 1
LEFTOVER_AGE_S = 6 * 3600.0
"""Half-written folders younger than this may belong to a build that still runs."""
REBUILD = "rebuild with jobs/build_engines.py"


def default_root() -> Path:
    """`$AUREEL_ENGINES`, else `aureel/engines` in the user's cache folder."""
    named = os.environ.get("AUREEL_ENGINES")
    if named:
        return Path(named).expanduser()
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(caches).expanduser() / "aureel" / "engines"


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


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


class EngineCache:
    """The store under one root folder, shared by all processes of a machine or of a mount."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or default_root()

    def find(self, key: StoreKey) -> Entry | None:
        """The entry of a key, its sidecar and sizes checked but not its bytes; None when absent.

        Raises:
            StaleEngineError: a folder of that name is there, but is not what the key says.
        """
        folder = self.root / key.name
        if not folder.is_dir():
            return None
        entry = read_entry(folder)
        if different := key.differences(entry.facts):
            raise StaleEngineError(f"stale entry {folder}: {different[0]}; {REBUILD}")
        for name, (size, _) in entry.files.items():
            found = entry.path(name).stat().st_size if entry.path(name).is_file() else None
            if found != size:
                got = "is missing" if found is None else f"has {found} bytes"
                raise StaleEngineError(
                    f"damaged entry {folder}: {name} {got}, its sidecar says {size}; {REBUILD}"
                )
        return entry

    def load(
        self,
        key: StoreKey,
        *,
        open_facts: Collection[str] = (),
        accept: Callable[[Entry], bool] = lambda _: True,
    ) -> Entry:
        """The entry of a key with every byte checked against the sidecar, marked as used now.

        Args:
            open_facts: facts that the caller leaves open; of several entries that fit, the last
                made is taken.
            accept: judges an entry by its open facts.
        Raises:
            StaleEngineError: absent (with the nearest entry and how it differs), stale or damaged.
        """
        entry = self._fitting(key, open_facts, accept) if open_facts else self.find(key)
        if entry is None:
            raise StaleEngineError(self.explain_absence(key, open_facts))
        for name, (_, sha256) in entry.files.items():
            if (found := file_sha256(entry.path(name))) != sha256:
                raise StaleEngineError(
                    f"damaged entry {entry.folder}: {name} has SHA-256 {found[:12]}…, "
                    f"its sidecar says {sha256[:12]}…; {REBUILD}"
                )
        os.utime(entry.path(SIDECAR))
        return entry

    def make_once(
        self,
        key: StoreKey,
        make: Callable[[Path], Mapping[str, str]],
        *,
        on_wait: Callable[[str], None] = lambda _: None,
    ) -> tuple[Entry, bool]:
        """The entry of a key, made by `make` where absent; True when it was made by this call.

        Args:
            make: writes the entry's files into the folder it is given, and tells how.
        Raises:
            EngineError: what `make` raises; nothing is stored then.
        """
        if (entry := self._find_sound(key)) is not None:
            return entry, False
        self.root.mkdir(parents=True, exist_ok=True)
        with build_lock(self.root / f"{key.name}.lock", on_wait=on_wait):
            if (entry := self._find_sound(key)) is not None:
                return entry, False
            started = time.monotonic()
            unfinished = self.root / f"{key.name}.tmp-{uuid.uuid4().hex}"
            unfinished.mkdir()
            try:
                made = dict(make(unfinished))
                made.setdefault("wall_s", f"{time.monotonic() - started:.1f}")
                return self._publish(key, unfinished, made), True
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)

    def entries(self) -> list[Entry]:
        """Every readable entry, by name."""
        found: list[Entry] = []
        for sidecar in sorted(self.root.glob(f"*/{SIDECAR}")):
            if ".tmp-" in sidecar.parent.name:
                continue
            try:
                found.append(read_entry(sidecar.parent))
            except StaleEngineError:
                continue
        return found

    def explain_absence(self, key: StoreKey, open_facts: Collection[str] = ()) -> str:
        """Why a key has no entry: the nearest one and what differs, or that there is none."""
        alike = [e for e in self.entries() if (e.kind, e.component) == (key.kind, key.component)]
        alike = [e for e in alike if e.facts.get("backend") == key.facts.get("backend")]
        what = f"no {key.facts.get('backend', '')} {key.kind} of the {key.component}".replace(
            "  ", " "
        )
        if not alike:
            return f"{what} in {self.root}; build it with jobs/build_engines.py"
        differences = [key.differences(e.facts, without=open_facts) for e in alike]
        nearest = min(differences, key=len) or [
            f"{f} is {e.facts.get(f, 'unknown')}" for e in alike for f in open_facts
        ]
        return (
            f"{what} in {self.root} fits: the nearest differs, {'; '.join(nearest[:3])}; {REBUILD}"
        )

    def leftovers(self) -> list[Path]:
        """Half-written folders old enough to have no builder, and unreadable ones."""
        old = time.time() - LEFTOVER_AGE_S
        torn = [p for p in self.root.glob("*.tmp-*") if p.stat().st_mtime < old]
        sound = {e.folder for e in self.entries()}
        names = [p for c in COMPONENTS for p in self.root.glob(f"{c}-*") if p.is_dir()]
        return torn + [p for p in names if p not in sound and ".tmp-" not in p.name]

    def _fitting(
        self, key: StoreKey, open_facts: Collection[str], accept: Callable[[Entry], bool]
    ) -> Entry | None:
        fitting = [
            e
            for e in self.entries()
            if (e.kind, e.component) == (key.kind, key.component)
            and not key.differences(e.facts, without=open_facts)
            and accept(e)
        ]
        return max(fitting, key=lambda e: e.made.get("at", ""), default=None)

    def _find_sound(self, key: StoreKey) -> Entry | None:
        """As `find`, but a stale or damaged entry counts as absent: it is about to be replaced."""
        try:
            return self.find(key)
        except StaleEngineError:
            return None

    def _publish(self, key: StoreKey, unfinished: Path, made: Mapping[str, str]) -> Entry:
        files = {
            p.name: {"bytes": p.stat().st_size, "sha256": file_sha256(p)}
            for p in sorted(unfinished.iterdir())
        }
        if not files:
            raise EngineError(f"{key.name}: nothing was made; expected at least one file")
        sidecar = {
            "format": FORMAT,
            "kind": key.kind,
            "component": key.component,
            "facts": dict(key.facts),
            "files": files,
            "made": {**made, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())},
        }
        text = json.dumps(sidecar, indent=1, sort_keys=True, ensure_ascii=False)
        (unfinished / SIDECAR).write_text(text + "\n", encoding="utf-8")
        for written in unfinished.iterdir():
            _flush(written)
        _flush(unfinished)
        final = self.root / key.name
        if final.exists():  # a damaged one: a rename cannot replace a folder that holds files
            aside = unfinished.with_name(f"{key.name}.tmp-{uuid.uuid4().hex}")
            final.replace(aside)
            shutil.rmtree(aside, ignore_errors=True)
        unfinished.replace(final)
        _flush(self.root)
        return read_entry(final)


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


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


if __name__ == "__main__":
    from engines.trt.cache_cli import app

    app()
