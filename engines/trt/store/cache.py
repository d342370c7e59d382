"""Where graphs and plans are kept: one folder each, whole or absent, checked when loaded.

    ROOT/denoiser-plan-1f0c…/network.plan     the bytes
                             entry.json       the sidecar: key, sizes, SHA-256, how it was made
                             runtime-….cache  what a runtime learned here (not part of the plan)
    ROOT/denoiser-graph-77ab…/model.onnx, model.onnx.data, entry.json

A folder appears under its name in one rename, after everything in it was flushed to disk.
`python -m engines.trt list|prune` shows and clears it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from engines.errors import EngineError
from engines.trt.errors import StalePlanError
from engines.trt.store.entry import FORMAT, REBUILD, SIDECAR, CacheEntry, read_entry
from engines.trt.store.key import StoreKey
from engines.trt.store.lock import build_lease
from engines.weights.file_hash import cache_folder, read_sha256

ENTRY_NAME = re.compile(r"\w+-(graph|plan|engine)-[0-9a-f]{20}")
"""Folders of ours; `engine` is what plans were called once."""
LEFTOVER_AGE_S = 6 * 3600.0
"""Half-written folders younger than this may belong to a build that still runs."""


def default_root() -> Path:
    """`$AUREEL_PLANS` (once `$AUREEL_ENGINES`), else `plans` in aureel's cache folder."""
    if named := os.environ.get("AUREEL_PLANS") or os.environ.get("AUREEL_ENGINES"):
        return Path(named).expanduser()
    return cache_folder() / "plans"


class PlanCache:
    """The store under one root folder, shared by all processes of a machine or of a mount."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or default_root()

    def find(self, key: StoreKey) -> CacheEntry | None:
        """The entry of a key, its sidecar and sizes checked but not its bytes; None when absent.

        Raises:
            StalePlanError: a folder of that name is there, but is not what the key says.
        """
        folder = self.root / key.name
        if not folder.is_dir():
            return None
        entry = read_entry(folder)
        if different := key.differences(entry.facts):
            raise StalePlanError(f"stale entry {folder}: {different[0]}; {REBUILD}")
        if faults := entry.faults(hashes=False):
            raise StalePlanError(f"damaged entry {folder}: {faults[0]}; {REBUILD}")
        return entry

    def load(
        self,
        key: StoreKey,
        *,
        open_facts: Collection[str] = (),
        accept: Callable[[CacheEntry], bool] = lambda _: True,
    ) -> CacheEntry:
        """The entry of a key with every byte checked against the sidecar, marked as used now.

        Args:
            open_facts: facts that the caller leaves open; of several entries that fit, the last
                made is taken.
            accept: judges an entry by its open facts.
        Raises:
            StalePlanError: absent (with the nearest entry and how it differs), stale or damaged.
        """
        entry = self.matching(key, open_facts, accept) if open_facts else self.find(key)
        if entry is None:
            raise StalePlanError(self.explain_absence(key, open_facts))
        if faults := entry.faults(hashes=True):
            raise StalePlanError(f"damaged entry {entry.folder}: {faults[0]}; {REBUILD}")
        os.utime(entry.path(SIDECAR))
        return entry

    def make_once(
        self,
        key: StoreKey,
        make: Callable[[Path], Mapping[str, str]],
        *,
        on_wait: Callable[[str], None] = lambda _: None,
    ) -> tuple[CacheEntry, bool]:
        """The entry of a key, made by `make` where absent; True when it was made by this call.

        Args:
            make: writes the entry's files into the folder it is given, and tells how.
        Raises:
            EngineError: what `make` raises; nothing is stored then.
        """
        if (entry := self._find_sound(key)) is not None:
            return entry, False
        self.root.mkdir(parents=True, exist_ok=True)
        with build_lease(self.lock_of(key.name), on_wait=on_wait):
            if (entry := self._find_sound(key)) is not None:
                return entry, False
            started = time.monotonic()
            unfinished = self.root / f"{key.name}.tmp-{uuid.uuid4().hex}"
            unfinished.mkdir()
            try:
                made = dict(make(unfinished))
                made.setdefault("wall_s", f"{time.monotonic() - started:.1f}")
                if (entry := self._find_sound(key)) is not None:  # the lease was taken over
                    return entry, False
                return self._publish(key, unfinished, made), True
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)

    def lock_of(self, key_name: str) -> Path:
        """The claim file of who makes an entry."""
        return self.root / f"{key_name}.lock"

    def pack(self, key_name: str) -> dict[str, bytes]:
        """Every file of an entry, to be sent to another machine's store."""
        return {p.name: p.read_bytes() for p in sorted((self.root / key_name).iterdir())}

    def install(self, key_name: str, files: Mapping[str, bytes]) -> bool:
        """Put a packed entry into this store, checked byte by byte; False when it was there.

        Raises:
            StalePlanError: what arrived is not what its sidecar says.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with build_lease(self.lock_of(key_name)):
            final = self.root / key_name
            if final.is_dir() and not read_entry(final).faults(hashes=False):
                return False
            unfinished = self.root / f"{key_name}.tmp-{uuid.uuid4().hex}"
            unfinished.mkdir()
            try:
                for name, content in files.items():
                    (unfinished / name).write_bytes(content)
                if faults := read_entry(unfinished).faults(hashes=True):
                    raise StalePlanError(f"copy of {key_name} to {self.root}: {faults[0]}")
                self._reveal(unfinished, final)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
            return True

    def entries(self) -> list[CacheEntry]:
        """Every readable entry, by name."""
        found: list[CacheEntry] = []
        for sidecar in sorted(self.root.glob(f"*/{SIDECAR}")):
            if ".tmp-" in sidecar.parent.name:
                continue
            try:
                found.append(read_entry(sidecar.parent))
            except StalePlanError:
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
        vague = [fact for fact in open_facts if not key.facts.get(fact)]
        nearest = min(differences, key=len) or [
            difference for e in alike for difference in key.differences(e.facts, without=vague)
        ]
        return (
            f"{what} in {self.root} fits: the nearest differs, {'; '.join(nearest[:3])}; {REBUILD}"
        )

    def leftovers(self) -> list[Path]:
        """Half-written folders old enough to have no builder, and unreadable ones."""
        old = time.time() - LEFTOVER_AGE_S
        torn = [p for p in self.root.glob("*.tmp-*") if p.stat().st_mtime < old]
        sound = {e.folder for e in self.entries()}
        named = [p for p in self.root.glob("*") if ENTRY_NAME.fullmatch(p.name) and p.is_dir()]
        return torn + [p for p in named if p not in sound]

    def matching(
        self, key: StoreKey, open_facts: Collection[str], accept: Callable[[CacheEntry], bool]
    ) -> CacheEntry | None:
        """The last made of the entries that agree with a key but for its open facts, and that
        `accept` takes; none of its bytes is read."""
        matching = [
            e
            for e in self.entries()
            if (e.kind, e.component) == (key.kind, key.component)
            and not key.differences(e.facts, without=open_facts)
            and accept(e)
        ]
        return max(matching, key=lambda e: e.made.get("at", ""), default=None)

    def _find_sound(self, key: StoreKey) -> CacheEntry | None:
        """As `find`, but a stale or damaged entry counts as absent: it is about to be replaced."""
        try:
            return self.find(key)
        except StalePlanError:
            return None

    def _publish(self, key: StoreKey, unfinished: Path, made: Mapping[str, str]) -> CacheEntry:
        files = {
            p.name: {"bytes": p.stat().st_size, "sha256": read_sha256(p)}
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
        final = self.root / key.name
        self._reveal(unfinished, final)
        return read_entry(final)

    def _reveal(self, unfinished: Path, final: Path) -> None:
        """Give a whole folder its name, in one rename."""
        for written in unfinished.iterdir():
            _flush(written)
        _flush(unfinished)
        if final.exists():  # a damaged one: a rename cannot replace a folder that holds files
            aside = unfinished.with_name(f"{final.name}.tmp-{uuid.uuid4().hex}")
            final.replace(aside)
            shutil.rmtree(aside, ignore_errors=True)
        unfinished.replace(final)
        _flush(self.root)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
