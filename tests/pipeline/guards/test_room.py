"""A full disk stops work until there is room, and no longer than is said."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.errors import MediaError, PipelineError
from pipeline.guards import room

FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def disk(monkeypatch):
    """A disk of 1000 bytes; what is free is asked for as often as `free` has values."""
    monkeypatch.setattr(room, "_given_up", set())
    monkeypatch.setattr(room, "LOOK_S", 0.0)

    def of(*free: int) -> None:
        left = list(free)
        usage = lambda _: SimpleNamespace(total=1000, free=left.pop(0) if left[1:] else left[0])  # noqa: E731
        monkeypatch.setattr(shutil, "disk_usage", usage)

    return of


def test_work_that_met_a_full_disk_is_done_again_when_there_is_room(disk, tmp_path: Path):
    disk(10, 20, 59, 60)
    note, tries = tmp_path / "job" / "no-room.1", []

    def work() -> str:
        tries.append(note.exists())
        if len(tries) == 1:
            raise MediaError("o.mp4: cannot write the output") from FULL
        return "made"

    assert room.with_room(work, [tmp_path / "not" / "there"], lambda: note, "run") == "made"
    assert tries == [False, False]
    assert not note.exists()


def test_what_waited_in_vain_ends_with_one_line_and_the_run_waits_no_more(
    disk, tmp_path: Path, monkeypatch
):
    disk(10)
    waited = []

    def full() -> None:
        raise FULL

    monkeypatch.setattr(room, "WAIT_S", 0.01)
    for _ in range(2):
        with pytest.raises(PipelineError, match=f"no room left on the disk of {tmp_path}; free"):
            room.with_room(full, [tmp_path], lambda: tmp_path / "note", "run")
        monkeypatch.setattr(room, "_grows", lambda *_: waited.append(1))
    assert waited == []


def test_any_other_error_is_its_own(disk, tmp_path: Path):
    disk(0)

    def broken() -> None:
        raise MediaError("x") from OSError(errno.EIO, "Input/output error")

    with pytest.raises(MediaError):
        room.with_room(broken, [tmp_path], lambda: tmp_path / "note", "run")
