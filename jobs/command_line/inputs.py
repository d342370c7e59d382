"""Which files a call means: files, folders and globs, each entry judged by itself.

What is wrong with one entry is a line about it; the others are made.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from jobs.errors import JobError
from pipeline.errors import StorageError
from pipeline.storage.stores import facts_of, is_pattern, objects_in
from pipeline.storage.urls import here, path_of, told, url_of

VIDEO_SUFFIXES = frozenset(
    (
        *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts"),
        *(".mxf", ".mpg", ".mpeg", ".nut", ".flv", ".wmv", ".ogv", ".3gp", ".3g2", ".qt"),
        *(".dv", ".gxf", ".vob", ".asf"),
    )
)
"""What counts as footage inside a folder; a file named directly is taken whatever its name."""
OUR_FOLDERS = (".", "_work")
"""Beginnings of names that are not footage: hidden ones and our own state."""


@dataclass(frozen=True)
class Found:
    """A file to work on.

    Attributes:
        path: absolute, under the name it was found by.
        root: the folder that the call named, directly or by its files or globs.
        is_named: the call names the file itself.
    """

    path: Path
    root: Path
    is_named: bool


class Asked(NamedTuple):
    """A curve as a call asks for it, in the words of a manifest; empty where nothing is said.

    Attributes:
        curve: a curve file or the name of a preset.
        faces, range, fade: in the place of what its layers say of them.
        view: what engines are shown of the clip; a table by its whole path.
    """

    curve: str = ""
    faces: str = ""
    range: str = ""
    fade: str = ""
    view: str = ""


class Refused(NamedTuple):
    """An entry that cannot be used: as it can be shown, why, and what was asked of it.

    Attributes:
        output: where its result would go.
    """

    entry: str
    why: str
    output: str = ""
    asked: Asked = Asked()

    @property
    def line(self) -> str:
        return f"{self.entry}: {self.why}"


@dataclass(frozen=True)
class Inputs:
    """What the entries of a call gave, in order, each file once."""

    found: tuple[Found, ...]
    refused: tuple[Refused, ...]


def shown(path: str | Path) -> str:
    """A path as text that can be printed and stored, whatever bytes its name has."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def find_inputs(patterns: Sequence[str]) -> Inputs:
    """Files, folders (searched whole) and globs → files and what is wrong with entries."""
    found: dict[tuple[Path, str], Found] = {}
    refused: list[Refused] = []
    for pattern in map(here, patterns):
        for item in _in_store(pattern) if url_of(pattern) else _matches(pattern):
            if isinstance(item, Refused):
                refused.append(item)
            else:
                found.setdefault((item.path.parent.resolve(), item.path.name), item)
    return Inputs(tuple(found.values()), tuple(dict.fromkeys(refused)))


def expand_inputs(patterns: Sequence[str]) -> list[Path]:
    """The files alone, where every entry must be good.

    Raises:
        JobError: an entry that cannot be used.
    """
    inputs = find_inputs(patterns)
    if inputs.refused:
        raise JobError(f"--input {inputs.refused[0].line}")
    return [item.path for item in inputs.found]


Item = Found | Refused


def one_video(name: str) -> Item:
    """The one video of that name: neither a folder nor a glob."""
    path = Path(here(name)).expanduser()
    if url := url_of(path):
        return _object(url, path)
    try:
        if path.is_dir():
            return Refused(shown(name), "is a folder; expected one video in a row")
        if not path.exists() and not path.is_symlink():
            return Refused(shown(name), "does not exist; expected a video file")
    except OSError as error:  # a name too long
        return Refused(shown(name), f"cannot be looked at: {error.strerror}")
    return _checked(path.absolute(), path.absolute().parent, is_named=True)


def _object(url: str, path: Path) -> Item:
    try:
        if facts_of(url) is None:
            return Refused(told(url), "does not exist; expected a video")
    except StorageError as error:
        return Refused(told(url), _why(url, error))
    return Found(path, path.parent, is_named=True)


def _in_store(pattern: str) -> Iterator[Item]:
    """The objects of a name, in a folder, or that a pattern matches."""
    url, path = str(url_of(pattern)), Path(pattern)
    root = _fixed_folder(path) if is_pattern(url) else path
    try:
        if not pattern.endswith("/") and facts_of(url) is not None:
            yield Found(path, path.parent, is_named=True)
            return
        found = [path_of(each) for each in objects_in(url)]
    except StorageError as error:
        yield Refused(told(url), _why(url, error))
        return
    videos = [each for each in found if is_pattern(url) or _is_footage(each, root)]
    if not videos:
        yield Refused(told(url), "does not exist, or holds no video; expected one, or a folder")
    yield from (Found(each, root, is_named=False) for each in videos)


def _is_footage(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parts
    return path.suffix.lower() in VIDEO_SUFFIXES and not any(
        part.startswith(OUR_FOLDERS) for part in parts
    )


def _why(url: str, error: StorageError) -> str:
    return str(error).removeprefix(f"{told(url)}: ")


def _matches(pattern: str) -> Iterator[Item]:
    path = Path(pattern).expanduser()
    try:
        if path.is_file():
            yield _checked(path.absolute(), path.absolute().parent, is_named=True)
        elif path.is_dir():
            yield from _in_folder(path.absolute(), pattern)
        elif path.exists():
            yield Refused(shown(pattern), "is no regular file; expected a video file")
        else:
            yield from _globbed(path, pattern)
    except OSError as error:  # a name too long, a folder that may not be entered
        yield Refused(shown(pattern), f"cannot be looked at: {error.strerror}")


def _globbed(path: Path, pattern: str) -> Iterator[Item]:
    matches = [Path(m) for m in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207 - absolute patterns too
    if not matches:
        kind = "matches no file" if glob.has_magic(pattern) else "does not exist"
        yield Refused(shown(pattern), f"{kind}; expected a video file, a folder or a glob")
    root = _fixed_folder(path.absolute())
    for match in matches:
        if match.is_dir():
            yield from (
                i if isinstance(i, Refused) else Found(i.path, root, is_named=False)
                for i in _in_folder(match.absolute(), str(match))
            )
        else:
            yield _checked(match.absolute(), root, is_named=False)


def _fixed_folder(pattern: Path) -> Path:
    """The folders of a glob before its first wild card."""
    parts = pattern.parts[:-1]
    wild = next((n for n, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return Path(*parts[:wild])


def _in_folder(folder: Path, named: str) -> Iterator[Item]:
    problems: list[Refused] = []

    def cannot(error: OSError) -> None:
        problems.append(Refused(shown(error.filename), f"cannot be read: {error.strerror}"))

    count = 0
    for place, folders, names in os.walk(folder, onerror=cannot):
        folders[:] = sorted(name for name in folders if not name.startswith(OUR_FOLDERS))
        for name in sorted(names):
            if not name.startswith(OUR_FOLDERS) and Path(name).suffix.lower() in VIDEO_SUFFIXES:
                count += 1
                yield _checked(Path(place) / name, folder, is_named=False)
    yield from problems
    if not count:
        looked = " ".join(sorted(VIDEO_SUFFIXES))
        yield Refused(shown(named), f"no video in this folder; looked for {looked}")


def _checked(path: Path, root: Path, *, is_named: bool) -> Item:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return Refused(shown(path), "its name is not UTF-8 text; rename it")
    if not path.exists():
        return Refused(str(path), "is a link to nothing")
    if not path.is_file():
        return Refused(str(path), "is no regular file; expected a video file")
    return Found(path, root, is_named)
