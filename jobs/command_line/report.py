"""report.json: what became of every video, with which settings and versions."""

from __future__ import annotations

import html
import platform
import re
import sys
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from engines.choice import Engine
from jobs.command_line.inputs import Asked, Refused
from jobs.command_line.timed import Timed
from pipeline.errors import StorageError
from pipeline.figures.beside import files_beside
from pipeline.files import published
from pipeline.rows import WHOLE_VIDEO, StageRow, VideoRow, is_still_to_do
from pipeline.storage.urls import told

SCHEMA = "aureel-report/1"
VERSIONED = (
    *("aureel", "ray", "av", "numpy", "scipy", "opencv-python-headless", "ai-edge-litert"),
    *("decord2", "torch", "diffusers", "transformers", "face-alignment", "onnxruntime"),
    *("tensorrt", "tensorrt-rtx-cu13"),
)
COUNTED = re.compile(r"(?P<what>.*): (?P<frames>\d+) frames")
"""What a segment tells of its editor (pipeline/stages/render.py)."""
SHOWN = {
    "status": "status",
    "frames": "frames",
    "edited": "edited_frames",
    "no face": "faceless_frames",
    "output": "output",
}
"""Columns of a report in a notebook: heading → field."""
LAST_STAGE = {"animate": "finish", "analyse": "assemble"}
ADDED = {"plot": "plots", "qa": "verdict"}
"""Stages after an output stands, and what is missing where they fail."""

NOTHING_ASKED: Mapping[str, Asked] = {}
Status = Literal["done", "failed", "skipped"]


class VideoEntry(BaseModel):
    """One video: where it went, how it ended, and what it took."""

    model_config = ConfigDict(extra="forbid")

    input: str
    output: str
    curve: str = Field(default="", description="its file, or the name of a preset")
    faces: str = Field(default="", description="in place of the curve's own, in a manifest's words")
    range: str = Field(default="", description="likewise")
    fade: str = Field(default="", description="likewise")
    view: str = Field(default="", description="what engines were shown; empty: by the tags")
    status: Status
    stage: str = Field(description="last stage reached, or the one that failed")
    error: str = Field(default="", description="one line; empty unless failed")
    frames: int = 0
    edited_frames: int = 0
    faceless_frames: int = Field(default=0, description="frames in which no face was found")
    people: list[str] = Field(
        default_factory=list[str], description="which face got which name, by which distance"
    )
    copied_frames: int = Field(default=0, description="the source's own packets, bit for bit")
    encoded: str = Field(default="", description="encoder, settings and size against the source")
    elements: list[str] = Field(
        default_factory=list[str], description="matte, its strength and pictures, where asked for"
    )
    stages: dict[str, float] = Field(default_factory=dict, description="worker seconds by stage")
    warnings: list[str] = Field(default_factory=list[str])


class Report(BaseModel):
    """The whole run."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    schema_: Literal["aureel-report/1"] = Field(default=SCHEMA, alias="schema")
    created: str = Field(description="ISO 8601, UTC")
    command: list[str]
    seconds: float = Field(description="wall time of the run")
    settings: dict[str, Any] = Field(description="everything resolved: curve, engines, encoder")
    versions: dict[str, str]
    videos: list[VideoEntry]

    @property
    def failed(self) -> list[VideoEntry]:
        """Videos that were not made; each `error` says why."""
        return [video for video in self.videos if video.status == "failed"]

    def _repr_html_(self) -> str:
        """A notebook's table of the videos, with the sheet of frames where there is one."""
        head = "".join(f"<th>{name}</th>" for name in SHOWN)
        rows = "".join(f"<tr>{_cells(video)}</tr>" for video in self.videos)
        return f"<table><tr>{head}</tr>{rows}</table>{''.join(map(_sheet, self.videos))}"

    def write(self, path: Path) -> None:
        """Publishes the report; a reader sees the old one or the new one, never half of it."""
        with published(path) as partial:
            partial.write_text(told(self.model_dump_json(by_alias=True, indent=2)) + "\n")

    def write_or_keep(self, path: Path, work: Path) -> None:
        """The same at a run's end: where its store refuses, the report is kept in the run folder.

        Raises:
            StorageError: it is not where it was asked for; the line says where it is.
        """
        try:
            self.write(path)
        except StorageError as error:
            kept = work / path.name
            self.write(kept)
            raise StorageError(f"{error}; this run's report is kept: {kept}") from error


def _cells(video: VideoEntry) -> str:
    told = {**video.model_dump(), "output": video.error or video.output}
    return "".join(f"<td>{html.escape(str(told[field]))}</td>" for field in SHOWN.values())


def _sheet(video: VideoEntry) -> str:
    path = files_beside(Path(video.output))["sheet"]
    if video.status == "failed" or not path.is_file():
        return ""
    return f'<img src="data:image/png;base64,{b64encode(path.read_bytes()).decode()}">'


class Ledger:
    """Collects stage rows into one entry per video, as a run goes on."""

    def __init__(
        self,
        videos: Sequence[VideoRow],
        job: str,
        refused: Sequence[Refused] = (),
        asked: Mapping[str, Asked] = NOTHING_ASKED,
    ) -> None:
        """
        Args:
            refused: entries of the call that never become videos; each is a line all the same.
            asked: name of a video → which curve is asked of it.
        """
        self._last = LAST_STAGE[job]
        self.entries: dict[str, VideoEntry] = {}
        self.timed = Timed()
        for video in videos:
            told: dict[str, Any] = asked.get(video["video"], Asked())._asdict()
            told |= {"input": video["source"], "output": video["output"]}
            self.entries[video["video"]] = VideoEntry(**told, status="failed", stage="waiting")
        for number, (entry, why, output, of_it) in enumerate(refused):
            told = {**of_it._asdict(), "input": entry, "output": output, "error": why}
            self.entries[f"refused-{number}"] = VideoEntry(**told, status="failed", stage="input")

    def skip(self, video: str, reason: str) -> None:
        """Marks a video whose output stands already."""
        entry = self.entries[video]
        entry.status, entry.stage, entry.warnings = "skipped", self._last, [reason]

    def fail(self, video: str, stage: str, error: str) -> None:
        """Marks a video that never enters the pipeline."""
        entry = self.entries[video]
        entry.status, entry.stage, entry.error = "failed", stage, error

    def on_row(self, row: StageRow) -> None:
        """Takes note of one verdict."""
        if is_still_to_do(row):
            return
        self.timed.on_row(row)
        entry = self.entries[row["video"]]
        stage = row["stage"]
        entry.stages[stage] = round(entry.stages.get(stage, 0.0) + row["seconds"], 3)
        entry.people += row["people"].splitlines()
        for note in row["notes"].splitlines():
            _note(entry.warnings, note, is_counted=stage == "render")
        if stage in ADDED and row["error"]:
            entry.warnings.append(f"no {ADDED[stage]}: {row['error']}")
            return
        if entry.error:
            return
        entry.stage, entry.error = stage, row["error"]
        self._count(entry, row)
        if stage == self._last and not row["error"]:
            entry.status = "done"

    def _count(self, entry: VideoEntry, row: StageRow) -> None:
        if row["number"] != WHOLE_VIDEO:
            return
        entry.frames = row["frames"] or entry.frames
        entry.edited_frames = row["edited"] or entry.edited_frames
        entry.faceless_frames = row["faceless"] or entry.faceless_frames
        entry.copied_frames = row["copied"] or entry.copied_frames
        entry.encoded = row["encoded"] or entry.encoded
        entry.elements = row["elements"].splitlines() or entry.elements

    def close(self, reason: str) -> None:
        """Gives every video that did not end a reason."""
        for entry in self.entries.values():
            if entry.status == "failed" and not entry.error:
                entry.error = reason

    def report(self, settings: dict[str, Any], seconds: float, unended: str = "") -> Report:
        """The report of everything noted so far.

        Args:
            unended: the error of videos that have not ended, while a run is going on.
        """
        videos = [
            entry.model_copy(update={"error": unended})
            if entry.status == "failed" and not entry.error
            else entry
            for entry in self.entries.values()
        ]
        return Report(
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            command=sys.argv,
            seconds=round(seconds, 2),
            settings=settings,
            versions=versions(),
            videos=videos,
        )


def _note(known: list[str], note: str, *, is_counted: bool) -> None:
    """Notes a line once; counts of frames that segments tell of one thing are added up."""
    match = COUNTED.fullmatch(note) if is_counted else None
    if match is None:
        known += [] if note in known else [note]
        return
    for place, line in enumerate(known):
        before = COUNTED.fullmatch(line)
        if before is not None and before["what"] == match["what"]:
            total = int(before["frames"]) + int(match["frames"])
            known[place] = f"{match['what']}: {total} frames"
            return
    known.append(note)


def told_of(engine: Engine) -> dict[str, Any]:
    """What a report tells of an engine."""
    crops = {"crop_size": engine.crop_size} if engine.kind == "editor" else {}
    return crops | {
        "name": engine.name,
        "settings": dict(engine.settings),
        "weights": engine.weights_digest,
        "reason": engine.reason,
    }


def versions() -> dict[str, str]:
    """Installed versions of what a result can depend on."""
    found = {"python": platform.python_version()}
    for name in VERSIONED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
