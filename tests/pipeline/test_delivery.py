"""Outputs in a store, by the stages in this process: what a kill amid the sending costs."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest

from pipeline import stages
from pipeline.errors import MediaError
from pipeline.held import files_at_hand
from pipeline.rows import VideoRow
from pipeline.run_folder.store import VideoFolder, up_to_date, video_row
from pipeline.storage.urls import path_of
from tests.pipeline.test_stages import ANALYSIS, WHOLE, planned, rendered

URLs = Callable[..., str]


@pytest.fixture
def row(talk, tmp_path, bucket: URLs) -> VideoRow:
    source = Path(shutil.copy2(talk.path, tmp_path / "talk.mp4"))
    output = path_of(bucket("out", "talk.smile.mp4"))
    return {**video_row(source, output, tmp_path / "_work"), "request": "asked"}


def killed_while_sending(row: VideoRow) -> int:
    """Finishes a video in a process that dies as the store is sent the output."""
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1]
    import s3fs

    call = s3fs.S3FileSystem._call_s3

    async def dying(self: Any, method: str, *args: Any, **how: Any) -> Any:
        if method == "put_object":
            os.kill(os.getpid(), signal.SIGKILL)
        return await call(self, method, *args, **how)

    s3fs.S3FileSystem._call_s3 = dying
    stages.finish_stage(row, WHOLE)
    os._exit(0)


def test_after_a_kill_amid_the_sending_only_that_is_made_again(
    row: VideoRow, bucket: URLs, monkeypatch: pytest.MonkeyPatch
):
    frames = stages.inspect_stage(row, ANALYSIS)[0]["frames"]
    rendered(planned(row))
    assert killed_while_sending(row) == signal.SIGKILL
    store = fsspec.filesystem("s3", use_listings_cache=False)
    assert store.find(bucket()) == []

    def joined_again(*_: Any, **__: Any) -> None:
        raise AssertionError("was joined again")

    monkeypatch.setattr("pipeline.stages.finish.finish", joined_again)
    told = stages.finish_stage(row, WHOLE)
    assert store.find(bucket()) == [bucket("out", "talk.smile.mp4")[5:]]
    assert told["frames"] == frames
    assert told["encoded"]
    folder, output = VideoFolder.of(row), Path(row["output"])
    assert up_to_date(folder, output, "asked")
    assert not list(folder.job_folder.glob("ready-*"))
    store.pipe_file(bucket("out", "talk.smile.mp4"), b"another's")
    assert not up_to_date(folder, output, "asked")


def test_what_was_damaged_before_it_was_sent_is_made_again(row: VideoRow, bucket: URLs):
    rendered(planned(row))
    assert killed_while_sending(row) == signal.SIGKILL
    ready = VideoFolder.of(row).ready("asked", ".mp4")
    whole = ready.read_bytes()
    ready.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    stages.finish_stage(row, WHOLE)
    store = fsspec.filesystem("s3", use_listings_cache=False)
    assert store.cat_file(bucket("out", "talk.smile.mp4")) == whole


def test_a_source_that_changes_in_its_store_is_seen_before_anything_is_published(
    talk, tmp_path, bucket: URLs
):
    store = fsspec.filesystem("s3", use_listings_cache=False)
    store.put_file(str(talk.path), bucket("talk.mp4"))
    source = path_of(bucket("talk.mp4"))
    made = video_row(source, tmp_path / "o.mp4", tmp_path / "_work")
    row: VideoRow = {**made, "request": "asked"}
    with files_at_hand(row, "render"):
        rendered(planned(row))
        store.pipe_file(bucket("talk.mp4"), talk.path.read_bytes() + b"more")
        with pytest.raises(MediaError, match="while the job ran"):
            stages.finish_stage(row, WHOLE)
    assert not (tmp_path / "o.mp4").exists()
