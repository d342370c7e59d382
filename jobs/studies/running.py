"""Shares of a study through Ray: those on disk are taken as they are, the rest is made."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from rich.console import Console

from jobs.command_line.room import telling_of_room
from jobs.errors import JobError
from pipeline.rows import StageRow, StudyRow
from pipeline.studies.shares import StudySettings, rows_of

PERIOD_S = 5.0
UNLIKE_RESULT = "another one's results lie there; pass --overwrite, or another --output"


def make_shares(
    shares: Sequence[StudyRow],
    settings: StudySettings,
    gpus: float,
    screen: Console,
    anew: Sequence[StudyRow] = (),
) -> list[dict[str, Any]]:
    """The rows of all shares, in the study's order.

    Args:
        anew: those to make again though their rows are there: something else of them is gone.
    Raises:
        JobError: a share could not be made; those that could stay on disk for the next call.
    """
    from pipeline.flow.alone import study

    todo = [share for share in shares if share in anew or rows_of(share) is None]
    if len(todo) < len(shares):
        screen.print(f"{len(shares) - len(todo)} of {len(shares)} shares are there already")
    failed: list[StageRow] = []
    tell = _teller(len(todo), screen)

    def on_row(row: StageRow) -> None:
        if row["error"]:
            failed.append(row)
            screen.print(f"{row['video']}: {row['error']}")
        tell(row["frames"])

    if todo:
        with telling_of_room(Path(todo[0]["work"]), screen):
            study(todo, settings, gpus, on_row)
    if failed:
        first = failed[0]
        raise JobError(
            f"not all of {len(todo)} shares could be made, first {first['video']}: "
            f"{first['error']}; the others are kept: mend it and run the same command again"
        )
    return [row for share in shares for row in rows_of(share) or ()]


def _teller(total: int, screen: Console) -> Callable[[int], None]:
    """Says every few seconds how far it is."""
    begun = told = time.monotonic()
    done = ended = 0

    def tell(rows: int) -> None:
        nonlocal told, done, ended
        done, ended = done + rows, ended + 1
        now = time.monotonic()
        if now - told > PERIOD_S:
            told = now
            screen.print(
                f"{done} pictures · {done / (now - begun):.1f} per s · share {ended} of {total}"
            )

    return tell


def refuse_other_result(manifest: Path, known: Any | None, digest: str, *, overwrite: bool) -> None:
    """Refuses to replace what another request made.

    Args:
        known: the manifest that lies there, or None.
    Raises:
        JobError: it was made by another request, or is none of ours.
    """
    told = cast(dict[str, Any], known) if isinstance(known, dict) else {}
    same = told.get("request") == digest
    if manifest.exists() and not same and not overwrite:
        raise JobError(f"--output {manifest.parent}: {UNLIKE_RESULT}")
