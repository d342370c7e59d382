"""URLs of objects and the paths of their copies here: each tells the other, on every machine.

`s3://bucket/shot/a.mp4` has its copy at `…/aureel-stores/s3/bucket/shot/a.mp4`. So the rest of the
code knows paths alone, and a path says by itself whether it stands for an object in a store.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from engines.weights.file_hash import cache_folder
from pipeline.errors import StorageError

COPIES = "aureel-stores"
"""The folder that mirrors stores; what lies outside one is a file."""
STATE, WORK = "aureel-work", "_work"
LOCAL = ("file", "local")
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_MIRRORED = re.compile(rf"(?:/(?!{COPIES}/)[^\s\"'/,;]+)*/{COPIES}/([a-z][a-z0-9+.-]+)/")
_SECRET = re.compile(r"(://)[^/@\s]*:[^/@\s]*@|((?<=://)[^?\s\"']*)\?[^\s\"']+")


def is_url(word: str) -> bool:
    """Whether a word is a URL: of an object in a store, or of a file."""
    return SCHEME.match(word) is not None


def path_of(word: str) -> Path:
    """The absolute path that a word means: of a file, or of an object's copy here.

    Raises:
        StorageError: a URL that cannot be used; the line holds none of its secrets.
    """
    match = SCHEME.match(word)
    if match is None:
        return Path(word).expanduser().absolute()
    scheme, rest = match[1].lower(), word[match.end() :]
    if scheme in LOCAL:
        return Path("/" + rest.lstrip("/"))
    _check(word, scheme, rest)
    return cache_folder().absolute() / COPIES / scheme / rest.rstrip("/")


def _check(url: str, scheme: str, rest: str) -> None:
    parts = urlsplit(url)
    if parts.password is not None:
        raise StorageError(f"{told(url)}: holds a password; give it by environment or profile")
    if scheme in ("http", "https") and parts.query:
        raise StorageError(
            f"{told(url)}: holds a query, which may be a secret and would be told in logs; "
            "expected a URL without one"
        )
    if any(part in ("", ".", "..") for part in rest.rstrip("/").split("/")):
        raise StorageError(f"{told(url)}: has an empty part or dots; expected scheme://bucket/key")


def url_of(path: str | Path) -> str | None:
    """The URL of the object whose copy a path is; None of a file."""
    parts = Path(path).parts
    if COPIES not in parts:
        return None
    scheme, *rest = parts[parts.index(COPIES) + 1 :] or ("",)
    return f"{scheme}://{'/'.join(rest)}" if rest else None


def root_of(path: Path) -> Path:
    """The folder that mirrors stores, of a path within."""
    return Path(*path.parts[: path.parts.index(COPIES) + 1])


def here(word: str) -> str:
    """A word as the rest of the code takes it: a URL as the path of its copy, others as they are.

    Raises:
        StorageError: a URL that cannot be used.
    """
    if not is_url(word):
        return word
    path = path_of(word)
    is_bucket = url_of(path) is not None and path.parent.parent == root_of(path)
    return f"{path}/" if is_bucket or word.endswith("/") else str(path)


def state_beside(folder: Path) -> Path:
    """Where the state of work on a folder lies: there, or on this machine where it is a store's."""
    parts = [STATE if part == COPIES else part for part in folder.parts]
    return Path(*parts) / WORK


def told(text: str) -> str:
    """A text as it may be shown: copies by their URLs, URLs without passwords and queries."""
    if "://" in text:
        text = _SECRET.sub(lambda m: f"{m[1]}…@" if m[1] else f"{m[2]}?…", text)
    if COPIES not in text:
        return text
    here = str(cache_folder().absolute())  # which may have spaces; another machine's, seldom
    return _MIRRORED.sub(r"\1://", text.replace(f"{here}/{COPIES}/", f"/{COPIES}/"))
