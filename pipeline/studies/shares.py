"""Shares of a study: what one task makes, and the one file that its rows lie in."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from engines.choice import Engine
from engines.interface import AUEstimator, FaceEditor, FaceTracker
from pipeline.files import read_json, write_json
from pipeline.rows import StageRow, StudyRow
from pipeline.studies.identities import Identity

PLATES, STATE = "plates", "_work"
"""Folders in a study's output: state of an unended run, and in it the pictures as clips."""


class StudySettings(Protocol):
    """What a task needs to know to make a share."""

    @property
    def engines(self) -> tuple[Engine, Engine, Engine]:
        """Tracker, estimator, editor."""
        ...

    def shares(self, identity: Identity, work: Path) -> list[StudyRow]:
        """All shares of one person."""
        ...

    def run(
        self, row: StudyRow, tracker: FaceTracker, estimator: AUEstimator, editor: FaceEditor
    ) -> StageRow:
        """Makes a share and keeps its rows."""
        ...


def share_of(
    identity: Identity, work: Path, number: int, first: int, last: int, digest: str
) -> StudyRow:
    """A share's row."""
    return {
        "video": identity.name,
        "source": identity.source,
        "identity": identity.digest,
        "work": str(work),
        "number": number,
        "first": first,
        "last": last,
        "digest": digest,
    }


def share_file(row: StudyRow) -> Path:
    """Where a share's rows lie."""
    return Path(row["work"]) / f"{row['video']}-{row['number']:03d}-{row['digest']}.json"


def rows_of(share: StudyRow) -> list[dict[str, Any]] | None:
    """A share's rows; None where it is not made yet."""
    return read_json(share_file(share))


def keep_rows(share: StudyRow, rows: list[dict[str, Any]]) -> None:
    """Publishes a share's rows: from now on it is made."""
    write_json(share_file(share), rows)
