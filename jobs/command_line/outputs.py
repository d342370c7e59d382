"""Where each result goes, and that none of them may ever be footage.

A result lies beside its input as `<name>.<curve><ext>`, at a file that is named, or in a folder
under the same subfolders as its input under the folders that the call names: so a result keeps its
place when footage grows.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from jobs.command_line.inputs import Found, Inputs, Refused
from jobs.errors import JobError
from keyframes.clock.part import parse_part
from pipeline.errors import PipelineError
from pipeline.files import LONGEST_NAME, read_json
from pipeline.media.read.origin import is_ours
from pipeline.media.write.containers import MUXERS, muxer_of
from pipeline.rows import VideoRow
from pipeline.run_folder.store import video_row
from pipeline.source import Identity, identify
from pipeline.storage.copies import DEFAULT_BYTES
from pipeline.storage.urls import state_beside, told, url_of

WORKING_COPY = "runtime_resources"
"""Part of the path of a submitted job's unpacked working directory, which Ray deletes."""
BESIDE = ".curves.png"
"""The longest of what may lie beside a result instead of its suffix."""
WORK = "_work"


PROFESSIONAL = frozenset((".mxf", ".dv", ".gxf"))
"""Files that can be read and not written, whose tools take a .mov instead."""


@dataclass(frozen=True)
class Placed:
    """Inputs with their results' places, and the entries that cannot be made."""

    pairs: tuple[tuple[Path, Path], ...]
    refused: tuple[Refused, ...]


def place_outputs(
    inputs: Inputs,
    output: str | None,
    curve: str,
    protected: Iterable[Path] = (),
    container: str | None = None,
    only: str | None = None,
) -> Placed:
    """Beside each input, in a folder, or at a file.

    Args:
        protected: what else the job reads; no result may be one of them.
        container: of results that are not named; else each input's own, or where that kind of file
            cannot be written, `.mov` for MXF, DV and GXF and `.mkv` for others.
        only: the part of each clip that is made, which every name then tells.
    Raises:
        JobError: one file for several inputs, or a place that would vanish with a submitted job's
            working copy.
    """
    names = _places(inputs.found, output, curve, container)
    places = [made.with_name(named_for(made.name, only)) for made in names]
    for made in places:
        refuse_working_copy(made)
    pairs = [(item.path, made) for item, made in zip(inputs.found, places, strict=True)]
    objections = objections_to(pairs, protected)
    return Placed(
        tuple(pair for pair, why in zip(pairs, objections, strict=True) if not why),
        tuple(
            Refused(str(source), why, str(made))
            for (source, made), why in zip(pairs, objections, strict=True)
            if why
        ),
    )


def place_of(
    item: Found,
    output: str | None,
    curve: str,
    container: str | None = None,
    only: str | None = None,
) -> Path:
    """The same for one input; in a folder, whatever folder it comes from.

    Raises:
        JobError: a container that is not known.
    """
    (made,) = _places([item], output, curve, container)
    return made.with_name(named_for(made.name, only))


def named_for(name: str, only: str | None) -> str:
    """A file's name, told which part of a clip it is of: never that of the whole.

    A name that tells it already stays: a manifest of failures names outputs as they are.
    """
    stem, dot, suffix = name.rpartition(".")
    told = f".only-{parse_part(only).label}" if only else ""
    return name if not dot or stem.endswith(told) else f"{stem}{told}.{suffix}"


def objections_to(pairs: Sequence[tuple[Path, Path]], protected: Iterable[Path] = ()) -> list[str]:
    """Why each result cannot lie at its place, in order; empty where it can.

    Args:
        pairs: source and result.
        protected: what else the job reads.
    """
    footage = identities(source for source, _ in pairs) | identities(protected)
    folders = {folder: folder.resolve() for folder in {made.parent for _, made in pairs}}
    taken: dict[Path, Path] = {}
    told: list[str] = []
    for source, made in pairs:
        why, place = _objection(made, footage), folders[made.parent] / made.name
        if place in taken:
            why = f"its result {made} would be that of {taken[place]}; use another --output"
        if not why:
            taken[place] = source
        told.append(why)
    return told


def _objection(made: Path, footage: set[FileIdentity]) -> str:
    """Why a result cannot lie there; empty when it can."""
    longest = max(made.name, made.with_suffix(BESIDE).name, key=lambda n: len(os.fsencode(n)))
    if len(os.fsencode(longest)) > LONGEST_NAME:
        return (
            f"its result's name would have {len(os.fsencode(longest))} bytes; "
            f"file systems take {LONGEST_NAME}"
        )
    try:
        muxer_of(str(made))
    except PipelineError as error:
        return str(error)
    if _identity(made) in footage:
        return (
            f"its result {made} is the input itself, or another input of this job; "
            "footage is never overwritten; use another --output"
        )
    return ""


FileIdentity = tuple[int, int]
"""Device and inode: what a file is, whatever it is called. Of an object, -1 and its URL's hash."""


def identities(paths: Iterable[Path]) -> set[FileIdentity]:
    """What files are; those that are not there are left out."""
    return {at for path in set(paths) if (at := _identity(path)) is not None}


def is_one_of(path: Path, others: Iterable[Path]) -> bool:
    """Whether a path is one of other files by whatever name, link or mount."""
    return _identity(path) in identities(others)


def _identity(path: Path) -> FileIdentity | None:
    """What a file is; None where there is none.

    `gone/../a.mp4` is `a.mp4` as soon as somebody makes the folder, as a run does for its results.
    """
    if url := url_of(path):
        return -1, int.from_bytes(sha256(url.encode()).digest()[:8], "big")
    try:
        status = (path if path.exists() else path.resolve()).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _suffix(path: Path, container: str | None) -> str:
    if container is not None:
        suffix = f".{container.lstrip('.').lower()}"
        if suffix not in MUXERS:
            raise JobError(f"--container {container}: known: {' '.join(s[1:] for s in MUXERS)}")
        return suffix
    if path.suffix.lower() in MUXERS:
        return path.suffix
    return ".mov" if path.suffix.lower() in PROFESSIONAL else ".mkv"


def _places(
    found: Sequence[Found], output: str | None, curve: str, container: str | None
) -> list[Path]:
    names = [f"{item.path.stem}.{curve}{_suffix(item.path, container)}" for item in found]
    if output is None:
        return [item.path.with_name(name) for item, name in zip(found, names, strict=True)]
    target = Path(output).expanduser().absolute()
    if not is_folder(output):
        if len(found) > 1:
            raise JobError(f"--output {output}: one file for {len(found)} inputs; give a folder")
        return [target]
    base = _common([item.root for item in found])
    return [
        target / item.path.parent.relative_to(base) / name
        for item, name in zip(found, names, strict=True)
    ]


def is_folder(output: str) -> bool:
    """Whether `--output` means a folder."""
    target = Path(output).expanduser()
    return target.is_dir() or output.endswith("/") or not target.suffix


def _common(roots: Sequence[Path]) -> Path:
    """The deepest folder that holds all that the call names."""
    root = roots[0] if roots else Path("/")
    while not all(other.is_relative_to(root) for other in roots):
        root = root.parent
    return root


def without_own_results(
    inputs: Inputs, output: str | None, work: str | None
) -> tuple[Inputs, list[Path]]:
    """Leaves out what earlier runs made, unless it is named; and what was left out.

    A result is known by its container's tag, by the run folder, or because it lies in the output
    folder of this call inside the folder that is searched.
    """
    target = Path(output).expanduser().absolute() if output and is_folder(output) else None
    known = _made_before(inputs.found, target, work)
    ours = [item for item in inputs.found if not item.is_named and _is_result(item, target, known)]
    left_out = set(ours)
    kept = tuple(item for item in inputs.found if item not in left_out)
    return Inputs(kept, inputs.refused), [item.path for item in ours]


def _is_result(item: Found, target: Path | None, known: set[Path]) -> bool:
    inside = target is not None and target != item.root and target.is_relative_to(item.root)
    if inside and target is not None and item.path.is_relative_to(target):
        return True
    return item.path in known or ("." in item.path.stem and is_ours(str(item.path)))


def _made_before(found: Sequence[Found], target: Path | None, work: str | None) -> set[Path]:
    """Results that the run folders around know of."""
    folders = {state_beside(item.path.parent) for item in found}
    folders |= {state_beside(target)} if target else set()
    folders |= {Path(work).expanduser().absolute()} if work else set()
    notes: list[Any] = [
        read_json(path) for folder in folders for path in folder.glob("*/*/done.json")
    ]
    return {Path(note["output"]) for note in notes if note and "output" in note}


def video_rows(
    pairs: Sequence[tuple[Path, Path]],
    work: str | None,
    run: str = "",
    *,
    cache: int = DEFAULT_BYTES,
    view: str = "",
) -> tuple[list[VideoRow], list[Refused]]:
    """One row per source and output, and the sources that cannot be read.

    Work folders lie beside the outputs unless `work` names a place; `view` is of `checked_view`.
    """
    rows: list[VideoRow] = []
    refused: list[Refused] = []
    known: dict[Path, Identity] = {}
    for source, output in pairs:
        root = Path(work).expanduser().absolute() if work else state_beside(output.parent)
        refuse_working_copy(root)
        try:
            if source not in known:
                known[source] = identify(source)
            made: dict[str, Any] = {"run": run, "identity": known[source], "cache": cache}
            made |= {"view": view}
            rows.append(video_row(source, output, root, **made))
        except (OSError, PipelineError) as error:
            line = str(error).removeprefix(f"{told(str(source))}: ")
            why = getattr(error, "strerror", None) or line
            refused.append(Refused(str(source), f"cannot be read: {why}", str(output)))
    return rows, refused


def refuse_working_copy(path: Path) -> None:
    """Refuses a path inside a submitted job's unpacked working directory.

    Raises:
        JobError: what was written there would be deleted with the job.
    """
    if WORKING_COPY in path.parts and "working_dir_files" in path.parts:
        raise JobError(
            f"{path} lies in the submitted job's working copy and would be deleted with it; "
            "give an absolute path on shared storage (--output, --work, --report)"
        )
