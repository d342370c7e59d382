"""Folders of weights from a Hugging Face hub, fetched and verified by engines/weights/find.py.

Only the hub's file listing and its plain download addresses are used, so nothing about this
machine is told to anyone, and every file is checked against the hash that the hub publishes.
`$HF_ENDPOINT` names a mirror, `$HF_TOKEN` a token for gated repositories.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from engines.errors import EngineError, EngineUnavailableError
from engines.weights.download import read_json
from engines.weights.file_hash import cache_folder
from engines.weights.find import WeightFile, download

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
COMPLETE = ".complete"
"""Written last: a folder that bears it holds everything that was listed."""
_VARIANTS = (".fp16.", ".bf16.", ".non_ema.")
_KINDS = (".json", ".txt", ".safetensors")


def endpoint() -> str:
    """The hub's address without a slash at its end."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def _headers() -> dict[str, str]:
    token = os.environ.get("HF_TOKEN")
    return {"Authorization": f"Bearer {token}"} if token else {}


def hub_folder(repo: str) -> Path:
    """Where a repository's files go (whether or not they are there)."""
    return cache_folder() / "weights" / "hub" / repo.replace("/", "--")


def _listing(repo: str, revision: str) -> list[dict[str, Any]]:
    url = f"{endpoint()}/api/models/{repo}/tree/{revision}?recursive=true"
    files: list[dict[str, Any]] = []
    while url:
        page, headers = read_json(url, _headers())
        if not isinstance(page, list):
            raise EngineUnavailableError(f"{url}: got no list of files")
        files += [entry for entry in page if entry.get("type") == "file"]
        following = re.search(r'<([^>]+)>;\s*rel="next"', headers.get("Link", ""))
        url = following[1] if following else ""
    return files


def _wanted(path: str, subfolders: Sequence[str]) -> bool:
    inside = str(PurePosixPath(path).parent) in subfolders
    return inside and path.endswith(_KINDS) and not any(variant in path for variant in _VARIANTS)


def _weight_file(repo: str, revision: str, entry: Mapping[str, Any]) -> WeightFile:
    large = entry.get("lfs") or {}
    return WeightFile(
        name=f"hub/{repo.replace('/', '--')}/{entry['path']}",
        url=f"{endpoint()}/{repo}/resolve/{revision}/{entry['path']}",
        sha256=str(large.get("oid") or ""),
        blob_sha1=str(entry.get("oid") or ""),
        size=int(entry.get("size") or 0),
    )


def download_hub_folder(repo: str, subfolders: Sequence[str], revision: str = "main") -> Path:
    """Subfolders of a hub repository on this machine, downloaded where they are not yet whole.

    A folder that is complete is used without asking the hub. Files taken: .json, .txt and
    .safetensors, not their half-precision variants.

    Raises:
        EngineError: `repo` is no hub id, or has no such subfolders.
        EngineUnavailableError: out of reach; says where the files go and how to fetch them.
    """
    if not HUB_ID.fullmatch(repo):
        raise EngineError(f"got hub id {repo!r}; expected owner/name")
    folder = hub_folder(repo)
    missing = [name for name in subfolders if not (folder / name / COMPLETE).is_file()]
    if not missing:
        return folder
    try:
        listed = _listing(repo, revision)
        for name in missing:
            files = [entry for entry in listed if _wanted(entry["path"], [name])]
            if not files:
                raise EngineError(f"hub repository {repo} has no folder {name} with weights")
            for entry in files:
                download(_weight_file(repo, revision, entry), headers=_headers())
            (folder / name / COMPLETE).write_text(f"{repo}@{revision}\n", encoding="utf-8")
    except EngineUnavailableError as error:
        raise EngineUnavailableError(
            f"weights {repo}: {', '.join(missing)} not in {folder}; {error}; "
            f"{_elsewhere(repo, missing, folder)}"
        ) from None
    return folder


def _elsewhere(repo: str, subfolders: Sequence[str], folder: Path) -> str:
    include = " ".join(f"--include {shlex.quote(name + '/*')}" for name in subfolders)
    return (
        f"elsewhere: `hf download {repo} {include} --local-dir weights`, then copy weights/ here "
        f"and give its path instead of {repo} (or copy it to {folder} and "
        f"`touch {{{','.join(subfolders)}}}/{COMPLETE}` there)"
    )
