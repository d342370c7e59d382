"""Folders of weights from a Hugging Face hub: fetched when asked for, verified, then kept.

huggingface_hub lists and downloads (progress, resume, `$HF_ENDPOINT` for a mirror, `$HF_TOKEN` for
gated repositories), its telemetry off. What is ours: every file is checked against the hash that
the hub publishes, a folder that was whole once is used without asking anybody, and without a
network one line says what is missing, where it goes and how to fetch it elsewhere.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from filelock import FileLock

from engines.errors import EngineError, EngineUnavailableError
from engines.weights.file_hash import cache_folder, file_sha256

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
MAIN = "main"
COMPLETE = ".complete"
"""Written last: a folder that bears it holds everything that was listed."""
_VARIANTS = (".fp16.", ".bf16.", ".non_ema.")
_KINDS = (".json", ".txt", ".safetensors")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt")


@dataclass(frozen=True)
class HubFile:
    """One file as the hub lists it.

    Attributes:
        path: inside the repository, with forward slashes.
        size: bytes; 0 where the hub does not say.
        sha256: of the content, hex; "" for small files, which only `blob_sha1` names.
        blob_sha1: git's name of the content (of a pointer, where `sha256` is given).
    """

    path: str
    size: int
    sha256: str
    blob_sha1: str

    def fault(self, file: Path) -> str | None:
        """What is wrong with a file's content (one clause); None when it is this one."""
        if self.sha256:
            found, wanted, kind = file_sha256(file), self.sha256, "sha256"
        else:
            found, wanted, kind = git_blob_sha1(file), self.blob_sha1, "git blob sha1"
        return None if found == wanted else f"{kind} is {found}; the hub lists {wanted or 'none'}"


def git_blob_sha1(path: Path) -> str:
    """The name git (and the hub, for small files) gives a file's content."""
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def endpoint() -> str:
    """The hub's address without a slash at its end."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def parse_hub_id(named: str) -> tuple[str, str] | None:
    """`owner/name` or `owner/name@revision` → repository and revision; None for anything else."""
    repo, _, revision = named.partition("@")
    return (repo, revision or MAIN) if HUB_ID.fullmatch(repo) else None


def hub_folder(repo: str, revision: str = MAIN) -> Path:
    """Where a revision's files go (whether or not they are there).

    The folder of `main` also serves the commit that it holds.
    """
    plain = cache_folder() / "weights" / "hub" / repo.replace("/", "--")
    if revision in (MAIN, held_commit(plain)):
        return plain
    return plain.with_name(f"{plain.name}@{revision}")


def held_commit(folder: Path) -> str | None:
    """The commit that a downloaded folder's files are of; None where nothing is whole yet."""
    marks = sorted(folder.glob(f"*/{COMPLETE}"))
    commits = {mark.read_text(encoding="utf-8").strip().rpartition("@")[2] for mark in marks}
    return commits.pop() if len(commits) == 1 else None


def has_hub_folder(repo: str, subfolders: Sequence[str], revision: str = MAIN) -> bool:
    """Whether these were downloaded whole; asks nobody."""
    return not _missing(hub_folder(repo, revision), subfolders)


def bytes_there(repo: str, revision: str = MAIN) -> int:
    """What has arrived of a revision so far, in bytes, halves of files too."""
    files = [path for path in hub_folder(repo, revision).rglob("*") if path.is_file()]
    total = 0
    for path in files:
        with contextlib.suppress(OSError):  # just renamed
            total += path.stat().st_size
    return total


def download_hub_folder(repo: str, subfolders: Sequence[str], revision: str = MAIN) -> Path:
    """Subfolders of a hub repository on this machine, downloaded where they are not yet whole.

    A folder that is complete is used without asking the hub; two processes that ask at once
    download once. Files taken: .json, .txt and .safetensors, not their half-precision variants.

    Raises:
        EngineError: `repo` is no hub id, has no such subfolders, or sent something else than it
            lists (which is thrown away).
        EngineUnavailableError: out of reach; says where the files go and how to fetch them.
    """
    if not HUB_ID.fullmatch(repo):
        raise EngineError(f"got hub id {repo!r}; expected owner/name")
    folder = hub_folder(repo, revision)
    if not _missing(folder, subfolders):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        missing = _missing(folder, subfolders)
        if not missing:
            return folder
        try:
            _fetch(repo, missing, revision, folder)
        except EngineUnavailableError as error:
            raise EngineUnavailableError(
                f"weights {repo}: {', '.join(missing)} not in {folder}; {error}; "
                f"{_elsewhere(repo, missing, folder)}"
            ) from None
    return folder


def _missing(folder: Path, subfolders: Sequence[str]) -> list[str]:
    return [name for name in subfolders if not (folder / name / COMPLETE).is_file()]


def _fetch(repo: str, subfolders: Sequence[str], revision: str, folder: Path) -> None:
    commit, listed = _listing(repo, revision)
    wanted = {name: [f for f in listed if _wanted(f.path, name)] for name in subfolders}
    for name, files in wanted.items():
        if not files:
            raise EngineError(f"hub repository {repo} has no folder {name} with weights")
        _refuse_pickles(repo, name, listed, files)
    every = [file for files in wanted.values() for file in files]
    _check_room(folder, every)
    _download(repo, commit, folder, every)
    for name, files in wanted.items():
        for file in files:
            _verify(repo, folder, file)
        (folder / name / COMPLETE).write_text(f"{repo}@{commit}\n", encoding="utf-8")


def _refuse_pickles(
    repo: str, name: str, listed: Sequence[HubFile], files: Sequence[HubFile]
) -> None:
    """Refuses a folder whose weights are there, but in files that run code when they are read."""
    inside = [f.path for f in listed if str(PurePosixPath(f.path).parent) == name]
    pickled = [path for path in inside if path.endswith(_PICKLES)]
    if pickled and not any(file.path.endswith(".safetensors") for file in files):
        raise EngineError(
            f"hub repository {repo}: folder {name} has no safetensors file, only {pickled[0]}, a "
            "pickle; convert it to safetensors and give the folder instead"
        )


def _library() -> Any:
    """huggingface_hub, told before its first import that nobody is to be told."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import huggingface_hub
    except ModuleNotFoundError:
        raise EngineUnavailableError(
            "huggingface_hub is not installed; pip install 'aureel[magicface]'"
        ) from None
    return huggingface_hub


def _refusals() -> tuple[type[Exception], ...]:
    """What the library raises when a hub cannot be had; its HTTP client differs by version."""
    found = ((sys.modules.get(name), "HTTPError") for name in ("httpx2", "httpx"))
    xet = (sys.modules.get("huggingface_hub.errors"), "XetDownloadError")
    kinds = (getattr(module, name, None) for module, name in (*found, xet))
    return (OSError, *(kind for kind in kinds if kind is not None))


def _listing(repo: str, revision: str) -> tuple[str, list[HubFile]]:
    """The commit a revision stands for, and its files."""
    library = _library()
    api = library.HfApi(endpoint=endpoint())
    try:
        info = api.model_info(repo, revision=revision, files_metadata=True)
    except library.errors.HFValidationError as error:
        raise EngineError(f"got hub id {repo!r}: {error}") from None
    except _refusals() as error:
        raise EngineUnavailableError(_reason(error)) from None
    return info.sha, [
        HubFile(s.rfilename, s.size or 0, s.lfs.sha256 if s.lfs else "", s.blob_id or "")
        for s in info.siblings or []
    ]


def _wanted(path: str, subfolder: str) -> bool:
    inside = str(PurePosixPath(path).parent) == subfolder
    return inside and path.endswith(_KINDS) and not any(variant in path for variant in _VARIANTS)


def _check_room(folder: Path, files: Sequence[HubFile]) -> None:
    needed = sum(file.size for file in files if not (folder / file.path).is_file())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise EngineUnavailableError(
            f"{folder} has {free / 1e9:.1f} GB free; {needed / 1e9:.1f} GB are needed"
        )


def _download(repo: str, commit: str, folder: Path, files: Sequence[HubFile]) -> None:
    try:
        _library().snapshot_download(
            repo,
            revision=commit,
            local_dir=folder,
            allow_patterns=[glob.escape(file.path) for file in files],
            endpoint=endpoint(),
        )
    except _refusals() as error:
        raise EngineUnavailableError(_reason(error)) from None


def _verify(repo: str, folder: Path, file: HubFile) -> None:
    path = folder / file.path
    if not path.is_file():
        raise EngineUnavailableError(f"{endpoint()} did not send {file.path}")
    fault = file.fault(path)
    if fault:
        path.unlink()
        raise EngineError(f"weights {repo}: {file.path}: {fault}; thrown away")


def _reason(error: Exception) -> str:
    """A refusal in one clause."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"{response.url} answered {response.status_code}"
    told = " ".join(str(error).split()) or type(error).__name__
    return f"cannot fetch from {endpoint()} ({told})"


def _elsewhere(repo: str, subfolders: Sequence[str], folder: Path) -> str:
    include = " ".join(f"--include {shlex.quote(name + '/*')}" for name in subfolders)
    return (
        f"elsewhere: `hf download {repo} {include} --local-dir weights`, then copy weights/ here "
        f"and give its path instead of {repo} (or copy it to {folder} and "
        f"`touch {{{','.join(subfolders)}}}/{COMPLETE}` there)"
    )
