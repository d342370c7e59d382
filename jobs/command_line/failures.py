"""What a run leaves of its failures: a manifest of just those, and the command that takes it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel

from jobs.command_line.inputs import Asked
from jobs.command_line.manifest import KNOWN, WHY, manifest_text
from jobs.command_line.options.animate import AnimateOptions
from jobs.command_line.options.engines import EngineOptions
from jobs.command_line.options.words import OPTION_OF
from jobs.command_line.outputs import is_folder, named_for
from jobs.command_line.report import Report
from pipeline.errors import StorageError
from pipeline.files import published, unpublish
from pipeline.storage.copies import fetch
from pipeline.storage.urls import told

REPLACED = {"manifest", "inputs", "report", "log_json", "timeline", "dry_run"}
"""What the manifest of the failures says itself, or what another run must not share."""
RETRIED = "retry.json"


def failures_beside(report: Path, only: str | None = None) -> Path:
    """Where the failures of a run lie; of one that makes a part of its clips, beside the others."""
    return report.with_name(named_for("failures.csv", only))


def write_failures(
    report: Report,
    place: Path,
    unended: str = "",
    manifest: str | None = None,
    only: str | None = None,
) -> None:
    """Writes the failures beside a report's place; of a run without any, removes an older run's.

    Args:
        unended: while a run goes on, the error of videos that have not ended: they are none yet.
        manifest: what the run was told to make; it is not replaced by a part of it.
        only: the part of each clip that was made.
    """
    path = failures_beside(place, only)
    failed = [video for video in report.failed if video.error != unended]
    if unended and (not failed or (manifest and path == Path(manifest).absolute())):
        return
    if not failed:
        _remove_ours(path)
        return
    columns = ("input", "output", *Asked._fields)
    rows = [{**{c: getattr(v, c) for c in columns}, WHY: v.error} for v in failed]
    with published(path) as partial:
        partial.write_text(told(manifest_text(rows)), "utf-8")


def _remove_ours(path: Path) -> None:
    with suppress(OSError, UnicodeDecodeError, StorageError):
        if fetch(path).open(encoding="utf-8").readline().strip() == ",".join(KNOWN):
            unpublish(path)


def retry_command(options: AnimateOptions, report: Path) -> str:
    """The command line that makes what a run has failed to make, told all else that it was told."""
    program = sys.argv[0] if sys.argv[0].endswith("animate.py") else ""
    words = ["python", program] if program else ["aureel", "animate"]
    words += ["--manifest", str(failures_beside(report, options.only))]
    words += ["--report", str(report.with_name(named_for(RETRIED, options.only)))]
    return told(shlex.join([*words, *_words(options)]))


def _words(options: BaseModel) -> Iterator[str]:
    """What options were told otherwise than they would be, as a command line says it."""
    for name, info in type(options).model_fields.items():
        value: Any = getattr(options, name)
        if isinstance(value, EngineOptions):
            yield from _words(value)
        elif name == "output" and value is not None and not is_folder(value):
            continue  # one file: its row names it
        elif name not in REPLACED and value is not None and value != info.default:
            yield from _said(OPTION_OF.get(name, name).replace("_", "-"), value)


def _said(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, bool):
        yield f"--{name}" if value else f"--no-{name}"
        return
    yield f"--{name}"
    yield from _texts(value)


def _texts(value: Any) -> list[str]:
    return (
        [str(part) for part in cast("tuple[Any, ...]", value)]
        if isinstance(value, tuple)
        else [str(value)]
    )
