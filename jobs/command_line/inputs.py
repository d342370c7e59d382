"""Which files a call means, and where each result goes."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from jobs.errors import JobError
from pipeline.rows import VideoRow
from pipeline.store import video_row

VIDEO_SUFFIXES = frozenset(
    (
        *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts"),
        *(".mxf", ".mpg", ".mpeg", ".nut", ".flv", ".wmv", ".ogv", ".3gp"),
    )
)
"""What counts as footage inside a folder; a file named directly is taken whatever its name."""
WORKING_COPY = "runtime_resources"
"""Part of the path of a submitted job's unpacked working directory, which Ray deletes."""


def expand_inputs(patterns: Sequence[str]) -> list[Path]:
    """Files, folders (searched whole) and globs → absolute paths, in order, each once.

    Raises:
        JobError: a pattern that matches nothing.
    """
    found: list[Path] = []
    for pattern in patterns:
        found += _matches(pattern)
    return list(dict.fromkeys(path.absolute() for path in found))


def _matches(pattern: str) -> list[Path]:
    path = Path(pattern).expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        return _in_folder(path)
    matches = [Path(m) for m in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207 - absolute patterns too
    files = [m for m in matches if m.is_file()] + [
        f for m in matches if m.is_dir() for f in _in_folder(m)
    ]
    if not files:
        kind = "matches no file" if glob.has_magic(pattern) else "does not exist"
        raise JobError(f"--input {pattern}: {kind}; expected a video file, a folder or a glob")
    return files


def _in_folder(folder: Path) -> list[Path]:
    files = sorted(
        p
        for p in folder.rglob("*")
        if p.suffix.lower() in VIDEO_SUFFIXES
        and p.is_file()
        and not any(part.startswith((".", "_work")) for part in p.relative_to(folder).parts)
    )
    if not files:
        raise JobError(
            f"--input {folder}: no video in this folder; "
            f"looked for {' '.join(sorted(VIDEO_SUFFIXES))}"
        )
    return files


def output_paths(inputs: Sequence[Path], output: str | None, curve: str) -> list[Path]:
    """Where each input's result goes: beside it as `<name>.<curve><ext>`, in DIR, or at FILE.

    Raises:
        JobError: two inputs with one output, an output on its own input, or a place that would
            vanish with a submitted job's working copy.
    """
    outputs = _placed(inputs, output, curve)
    for source, made in zip(inputs, outputs, strict=True):
        if made == source:
            raise JobError(f"--output {made}: is the input itself; footage is never overwritten")
        refuse_working_copy(made)
    doubled = next((path for path in outputs if outputs.count(path) > 1), None)
    if doubled is not None:
        raise JobError(f"--output {doubled}: two inputs would be written there; use another folder")
    return outputs


def _placed(inputs: Sequence[Path], output: str | None, curve: str) -> list[Path]:
    if output is None:
        return [path.with_name(f"{path.stem}.{curve}{path.suffix}") for path in inputs]
    target = Path(output).expanduser().absolute()
    is_folder = target.is_dir() or output.endswith("/") or not target.suffix
    if not is_folder and len(inputs) == 1:
        return [target]
    if not is_folder:
        raise JobError(f"--output {output}: one file for {len(inputs)} inputs; give a folder")
    root = _common_folder(inputs)
    return [
        target / path.relative_to(root).with_name(f"{path.stem}.{curve}{path.suffix}")
        for path in inputs
    ]


def _common_folder(inputs: Sequence[Path]) -> Path:
    """The deepest folder that holds all inputs, so that subfolders keep equal names apart."""
    parents = [path.parent for path in inputs]
    root = parents[0]
    while not all(parent.is_relative_to(root) for parent in parents):
        root = root.parent
    return root


def video_rows(inputs: Sequence[Path], outputs: Sequence[Path], work: str | None) -> list[VideoRow]:
    """One row per video; work folders lie beside the outputs unless `work` names a place."""
    rows: list[VideoRow] = []
    for source, output in zip(inputs, outputs, strict=True):
        root = Path(work).expanduser().absolute() if work else output.parent / "_work"
        refuse_working_copy(root)
        rows.append(video_row(source, output, root))
    return rows


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
