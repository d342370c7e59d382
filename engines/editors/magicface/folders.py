"""Where a complete set of MagicFace weights lies. Imports nothing heavy.

    WEIGHTS/ID_enc, WEIGHTS/denoising_unet                       MagicFace's own
    BASE/vae, BASE/text_encoder, BASE/tokenizer, BASE/scheduler  Stable Diffusion 1.5

Both may be one folder, or repositories of a Hugging Face hub. Between machines they go by name
(hub id and commit, or a folder that all see) and digest, never by where one machine keeps them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from engines.errors import EngineError, EngineUnavailableError
from engines.weights.file_hash import file_sha256
from engines.weights.hub import (
    bytes_there,
    download_hub_folder,
    has_hub_folder,
    held_commit,
    hub_folder,
    parse_hub_id,
)

OWN_FOLDERS = ("ID_enc", "denoising_unet")
BASE_FOLDERS = ("vae", "text_encoder", "tokenizer", "scheduler")
HUB = "hub"
"""What a user writes for the two repositories below."""
OWN_HUB_ID = "mengtingwei/magicface"
BASE_HUB_ID = "stable-diffusion-v1-5/stable-diffusion-v1-5"
WEIGHT_STEMS = {"text_encoder": "model"}
"""Names of weight files without their endings; `diffusion_pytorch_model` elsewhere."""


@dataclass(frozen=True)
class WeightFolders:
    """The six subfolders of a complete set of weights."""

    id_encoder: Path
    denoiser: Path
    vae: Path
    text_encoder: Path
    tokenizer: Path
    scheduler: Path


def find_folders(weights: Path, base: Path | None = None) -> WeightFolders:
    """The subfolders of a weights folder; SD 1.5's come from `base` where it is given.

    Raises:
        EngineUnavailableError: no such folder, or naming the absent subfolders and what is there.
    """
    base = weights if base is None else base
    for root, wanted in ((weights, OWN_FOLDERS), (base, BASE_FOLDERS)):
        if not root.is_dir():
            raise EngineUnavailableError(f"no weights folder {root}")
        absent = [name for name in wanted if not (root / name).is_dir()]
        if absent:
            there = ", ".join(sorted(path.name for path in root.iterdir())[:12]) or "nothing"
            raise EngineUnavailableError(
                f"weights folder {root}: no {', '.join(absent)}; found {there}; expected "
                f"MagicFace's {', '.join(OWN_FOLDERS)} and SD 1.5's {', '.join(BASE_FOLDERS)}"
            )
    return WeightFolders(
        weights / "ID_enc",
        weights / "denoising_unet",
        base / "vae",
        base / "text_encoder",
        base / "tokenizer",
        base / "scheduler",
    )


def _local_or_hub(named: str, subfolders: tuple[str, ...], default_id: str) -> Path:
    """A folder as named, or a hub's repository, downloaded where it is not here yet."""
    of_hub = _hub_id(named, default_id)
    if of_hub is None:
        return Path(named).expanduser()
    repo, revision = of_hub
    return download_hub_folder(repo, subfolders, revision)


def locate_weights(weights: str | Path, base: str | Path | None = None) -> WeightFolders:
    """The folders for what a user named; asks a hub only when it was named.

    Args:
        weights: a folder, `hub`, or a hub id `owner/name[@revision]` with ID_enc, denoising_unet.
        base: the same for SD 1.5's parts; None = beside MagicFace's own where they lie there, the
            SD 1.5 repository where `weights` is of the hub.
    Raises:
        EngineUnavailableError: not here; says what is missing and how to get it.
    """
    if not str(weights):
        raise EngineUnavailableError(
            f"editor 'magicface': no weights given; expected a folder with {', '.join(OWN_FOLDERS)}"
            f", {', '.join(BASE_FOLDERS)}, or {HUB!r} to download {OWN_HUB_ID} and {BASE_HUB_ID} "
            f"(about 8 GB) to {hub_folder(OWN_HUB_ID).parent}"
        )
    own = _local_or_hub(str(weights), OWN_FOLDERS, OWN_HUB_ID)
    if base is not None:
        return find_folders(own, _local_or_hub(str(base), BASE_FOLDERS, BASE_HUB_ID))
    beside = own.is_dir() and all((own / name).is_dir() for name in BASE_FOLDERS)
    of_hub = own != Path(str(weights)).expanduser()
    if of_hub and not beside:
        return find_folders(own, download_hub_folder(BASE_HUB_ID, BASE_FOLDERS))
    return find_folders(own)


@dataclass(frozen=True)
class NamedWeights:
    """A complete set of weights as every machine of a cluster finds it.

    Attributes:
        own, base: as `locate_weights` takes them: hub ids with the commit, or absolute folders.
        digest: of every file that is read.
    """

    own: str
    base: str | None
    digest: str

    def located(self) -> WeightFolders:
        """Where they lie on this machine, downloaded where they are not here yet.

        Raises:
            EngineUnavailableError: they are not here, and cannot be fetched.
            EngineError: other files lie here than where the job was started.
        """
        folders = locate_weights(self.own, self.base)
        if (found := weights_digest(folders)) != self.digest:
            raise EngineError(
                f"weights {self.own}: this machine's have digest {found[:12]}, the job's "
                f"{self.digest[:12]}; expected the same files on all machines"
            )
        return folders

    def bytes_there(self) -> int:
        """What has arrived here of those that are of a hub."""
        named = [parse_hub_id(name) for name in (self.own, self.base) if name]
        return sum(bytes_there(*of_hub) for of_hub in named if of_hub is not None)


def named_weights(weights: str | Path, base: str | Path | None = None) -> NamedWeights:
    """What a user named, as another machine finds the very same; downloads where needed."""
    folders = locate_weights(weights, base)
    own = _portable(str(weights), OWN_HUB_ID, folders.denoiser.parent)
    parts = folders.vae.parent
    if base is None and parts != folders.denoiser.parent:
        base = BASE_HUB_ID
    other = None if base is None else _portable(str(base), BASE_HUB_ID, parts)
    return NamedWeights(own, other, weights_digest(folders))


def _portable(named: str, default_id: str, folder: Path) -> str:
    of_hub = _hub_id(named, default_id)
    return str(folder.absolute()) if of_hub is None else f"{of_hub[0]}@{held_commit(folder)}"


def weights_digest(folders: WeightFolders) -> str:
    """Names the content of every file that is read, as a hex SHA-256."""
    listed = json.dumps(content_hashes(folders), sort_keys=True)
    return hashlib.sha256(listed.encode()).hexdigest()


def to_fetch(weights: str | Path, base: str | Path | None = None) -> list[str]:
    """The hub's repositories that `locate_weights` would download from; none where all is here."""
    own = _hub_id(str(weights), OWN_HUB_ID)
    parts = None if base is None else _hub_id(str(base), BASE_HUB_ID)
    if own is not None and base is None:
        beside = all((hub_folder(*own) / name).is_dir() for name in BASE_FOLDERS)
        parts = None if beside else parse_hub_id(BASE_HUB_ID)
    wanted = ((own, OWN_FOLDERS), (parts, BASE_FOLDERS))
    return [
        of_hub[0]
        for of_hub, names in wanted
        if of_hub and not has_hub_folder(of_hub[0], names, of_hub[1])
    ]


def _hub_id(named: str, default_id: str) -> tuple[str, str] | None:
    """The hub's repository and revision that a user named, None for a folder."""
    if named == HUB:
        return parse_hub_id(default_id)
    return None if Path(named).expanduser().is_dir() else parse_hub_id(named)


def read_config(folder: Path, name: str = "config.json") -> dict[str, Any]:
    """A component's JSON configuration.

    Raises:
        EngineUnavailableError: no such file.
        EngineError: not a JSON object.
    """
    path = folder / name
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise EngineUnavailableError(f"weights folder {folder}: no {name}") from None
    except (ValueError, OSError) as error:
        raise EngineError(f"{path}: not readable as JSON: {error}") from None
    if not isinstance(config, dict):
        raise EngineError(f"{path}: got {type(config).__name__}; expected an object of settings")
    return config


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a component: one, its fp16 variant, or the shards of an index."""
    stem = WEIGHT_STEMS.get(folder.name, "diffusion_pytorch_model")
    for name in (f"{stem}.safetensors", f"{stem}.fp16.safetensors"):
        if (folder / name).is_file():
            return [folder / name]
    index = f"{stem}.safetensors.index.json"
    if (folder / index).is_file():
        shards = read_config(folder, index).get("weight_map")
        if not isinstance(shards, dict) or not shards:
            raise EngineError(f"{folder / index}: no weight_map")
        return [folder / shard for shard in sorted(set(shards.values()))]
    pickled = sorted(path.name for path in folder.glob("*.bin"))
    hint = f"; {pickled[0]} is a pickle, convert it to safetensors" if pickled else ""
    raise EngineUnavailableError(f"weights folder {folder}: no {stem}.safetensors{hint}")


def native_size(folders: WeightFolders) -> int:
    """Side of the square images the weights were trained on, pixels; no network is loaded."""
    sample_size = read_config(folders.denoiser).get("sample_size") or 64
    if not isinstance(sample_size, int):
        raise EngineError(f"{folders.denoiser}/config.json: got sample_size {sample_size!r}")
    return 8 * sample_size


def content_hashes(folders: WeightFolders) -> dict[str, str]:
    """SHA-256 of every file that is read, by its name; remembered between calls."""
    hashes: dict[str, str] = {}
    for folder in map(Path, astuple(folders)):
        read = {*folder.glob("*.json"), *folder.glob("*.txt")}
        if folder.name not in {"tokenizer", "scheduler"}:
            read.update(weight_files(folder))
        for path in sorted(read):
            if not path.is_file():
                raise EngineUnavailableError(f"weights folder {folder}: no {path.name}")
            hashes[f"{folder.name}/{path.name}"] = file_sha256(path)
    return hashes
