"""The run folder: all durable state of a run, as files that appear whole or not at all.

    WORK/<video>/index.npz                       presentation times and key frames
    WORK/<video>/chunks/<digest>-<chunk>.npz     analysed chunks, removed once assembled
    WORK/<video>/analysis-<digest>.parquet       faces and AUs of every frame (kept: reruns need it)
    WORK/<video>/<job>/plan.parquet, spans.json  asked-for change per edited frame; the segments
    WORK/<video>/<job>/<segment>.<ext> + .json   an encoded piece; the .json is its commit marker
    WORK/<video>/<job>/<segment>.try.<k>         start marks: a piece whose worker died leaves one
    WORK/<video>/<job>/done.json                 what the published output was made from

`<job>` stands for one output path, so two curves on one clip share the analysis and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.settings import digest_of

MAX_STRIKES = 3
"""Starts without an end after which a piece is given up."""


def video_id(source: Path) -> str:
    """Names a source by path, size and modification time: a replaced file is a new video."""
    status = source.stat()
    key = f"{source.resolve()}|{status.st_size}|{status.st_mtime_ns}"
    return hashlib.sha256(key.encode()).hexdigest()[:16]


@contextmanager
def published(path: Path) -> Generator[Path]:
    """A temporary path beside `path` that takes its place on success and is deleted on failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part{path.suffix}")
    try:
        yield partial
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Publishes a JSON file atomically."""
    with published(path) as partial:
        partial.write_text(json.dumps(value, indent=1, sort_keys=True))


def read_json(path: Path) -> Any | None:
    """The file's value, or None where there is no readable JSON (then it is made anew)."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError):
        return None


@dataclass(frozen=True)
class VideoFolder:
    """Paths of one video's state in the run folder."""

    root: Path
    job: str

    @classmethod
    def of(cls, work: str, video: str, output: str) -> VideoFolder:
        return cls(Path(work) / video, digest_of(output)[:8])

    @property
    def index(self) -> Path:
        return self.root / "index.npz"

    def chunk(self, digest: str, number: int) -> Path:
        return self.root / "chunks" / f"{digest}-{number:06d}.npz"

    def analysis(self, digest: str) -> Path:
        return self.root / f"analysis-{digest}.parquet"

    @property
    def job_folder(self) -> Path:
        return self.root / self.job

    @property
    def plan(self) -> Path:
        return self.job_folder / "plan.parquet"

    @property
    def spans(self) -> Path:
        return self.job_folder / "spans.json"

    @property
    def done(self) -> Path:
        return self.job_folder / "done.json"

    def piece(self, number: int, container: str) -> Path:
        return self.job_folder / f"{number:06d}.{container}"

    def marker(self, number: int) -> Path:
        return self.job_folder / f"{number:06d}.json"

    def frames_so_far(self, number: int) -> Path:
        return self.job_folder / f"{number:06d}.frames"

    def strikes(self, number: int) -> list[Path]:
        return sorted(self.job_folder.glob(f"{number:06d}.try.*"))

    def strike(self, number: int) -> int:
        """Leaves a start mark and returns how many there were before it."""
        before = len(self.strikes(number))
        self.job_folder.mkdir(parents=True, exist_ok=True)
        (self.job_folder / f"{number:06d}.try.{before}").touch()
        return before

    def clear_strikes(self, number: int) -> None:
        for mark in self.strikes(number):
            mark.unlink(missing_ok=True)

    def sweep_pieces(self) -> None:
        """Removes pieces, markers and marks; the plan and done.json stay."""
        for entry in self.job_folder.glob("[0-9]*"):
            entry.unlink(missing_ok=True)

    def sweep_chunks(self, digest: str) -> None:
        """Removes an analysis's chunk files, once they are assembled."""
        for entry in (self.root / "chunks").glob(f"{digest}-*.npz"):
            entry.unlink(missing_ok=True)

    def sweep_orphans(self) -> None:
        """Removes what a killed run left half-written in this video's folders."""
        for folder in (self.root, self.root / "chunks", self.job_folder):
            for partial in folder.glob(".*.part*"):
                partial.unlink(missing_ok=True)


def up_to_date(folder: VideoFolder, output: Path, request: str) -> bool:
    """Whether the output stands and was made from exactly this request."""
    done = read_json(folder.done)
    return (
        isinstance(done, dict)
        and done.get("request") == request
        and output.is_file()
        and output.stat().st_size == done.get("bytes")
    )
