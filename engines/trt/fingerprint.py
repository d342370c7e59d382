"""Which weights these are: the hash of every file a component is made from, remembered.

Hashing gigabytes takes seconds, so each file's hash is kept in the store with the file's size and
modification time, and used again while both are as they were.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engines.errors import EngineUnavailableError
from engines.trt.cache import EngineCache
from engines.trt.entry import file_sha256

_PROMPT = ("text_encoder", "tokenizer")
PARTS: dict[str, tuple[str, ...]] = {
    "denoiser": ("denoising_unet", *_PROMPT),
    "id_encoder": ("ID_enc", "denoising_unet", *_PROMPT),
    "vae_encoder": ("vae",),
    "vae_decoder": ("vae",),
}
"""Component → weight folders that shape it. The prompt is baked into both UNets, and the ID encoder
ends in the denoiser's own projections."""

ENDINGS = (".safetensors", ".json", ".txt")
REMEMBERED = "weights.json"


def weights_sha256(component: str, folders: Mapping[str, Path], cache: EngineCache) -> str:
    """One hash over all files of a component's weight folders.

    Args:
        folders: subfolder name, as in `PARTS` → where it is.
    Raises:
        EngineUnavailableError: a folder without weights.
    """
    whole = hashlib.sha256()
    remembered = _recall(cache)
    for part in PARTS[component]:
        files = sorted(p for p in folders[part].glob("*") if p.suffix in ENDINGS and p.is_file())
        if not files:
            raise EngineUnavailableError(f"weights folder {folders[part]}: no files in it")
        for path in files:
            whole.update(f"{part}/{path.name} {_known_sha256(path, remembered)}\n".encode())
    _remember(cache, remembered)
    return whole.hexdigest()


def _known_sha256(path: Path, remembered: dict[str, Any]) -> str:
    told = path.stat()
    stamp = [told.st_size, told.st_mtime_ns]
    known = remembered.get(str(path.resolve()))
    if isinstance(known, list) and known[:2] == stamp:
        return str(known[2])
    sha256 = file_sha256(path)
    remembered[str(path.resolve())] = [*stamp, sha256]
    return sha256


def _recall(cache: EngineCache) -> dict[str, Any]:
    try:
        told = json.loads((cache.root / REMEMBERED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _remember(cache: EngineCache, remembered: dict[str, Any]) -> None:
    if remembered == _recall(cache):
        return
    cache.root.mkdir(parents=True, exist_ok=True)
    unfinished = cache.root / f"{REMEMBERED}.tmp-{uuid.uuid4().hex}"
    with contextlib.suppress(OSError):  # a read-only store only means hashing again
        unfinished.write_text(json.dumps(remembered, indent=1), encoding="utf-8")
        unfinished.replace(cache.root / REMEMBERED)
