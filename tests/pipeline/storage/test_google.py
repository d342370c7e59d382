"""Google's store, against a server on loopback: publishing, listing, kills, proofs."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest

from pipeline.errors import StorageError
from pipeline.files import names_in, published, state_of, unpublished
from pipeline.source import at_hand, check_unchanged, identify
from pipeline.storage import sums
from pipeline.storage.copies import sent_sha256
from pipeline.storage.stores import check_writable, objects_in
from pipeline.storage.sums import sums_of
from pipeline.storage.urls import path_of

URLs = Callable[..., str]
BIG = 6 << 20
"""More than gcsfs sends at once."""


@pytest.fixture
def store(gs_bucket: URLs) -> fsspec.AbstractFileSystem:
    return fsspec.filesystem("gs", use_listings_cache=False)


def write(url: str, content: bytes, *, replace: bool = True) -> Path:
    path = path_of(url)
    with published(path, replace=replace) as partial:
        partial.write_bytes(content)
    return path


def test_an_object_is_published_whole_and_what_stands_is_left_alone(
    gs_bucket: URLs, store: fsspec.AbstractFileSystem
):
    path = write(gs_bucket("out", "a.mp4"), b"made")
    assert store.cat_file(gs_bucket("out", "a.mp4")) == b"made"
    assert names_in(path_of(gs_bucket("out"))) == {"a.mp4"}
    assert sent_sha256(path) == sums_of(path).sha256
    state = state_of(path)
    assert state is not None
    assert state.size == 4
    with pytest.raises(FileExistsError):
        write(gs_bucket("out", "a.mp4"), b"other", replace=False)
    assert store.cat_file(gs_bucket("out", "a.mp4")) == b"made"


def test_a_folder_and_a_pattern_name_what_lies_there(
    gs_bucket: URLs, store: fsspec.AbstractFileSystem
):
    names = ("shots/a.mp4", "shots/b/c.mp4", "shots/notes.txt", "other/d.mp4")
    for name in names:
        store.pipe_file(gs_bucket(name), b"x")
    assert objects_in(gs_bucket("shots")) == [gs_bucket(n) for n in (names[0], names[2], names[1])]
    assert objects_in(gs_bucket("*/?.mp4")) == [gs_bucket(n) for n in (names[3], names[0])]


def test_a_source_is_the_same_until_it_is_written_again(
    gs_bucket: URLs, store: fsspec.AbstractFileSystem
):
    source = path_of(gs_bucket("a.mp4"))
    store.pipe_file(gs_bucket("a.mp4"), b"first take")
    known = str(identify(source))
    with at_hand(str(source), known, BIG):
        assert source.read_bytes() == b"first take"
        check_unchanged(str(source), known)
    store.pipe_file(gs_bucket("a.mp4"), b"other take")
    with pytest.raises(Exception, match="was changed while the job ran"):
        check_unchanged(str(source), known)


def test_a_folder_is_sent_file_by_file_and_what_is_gone_from_it_goes(
    gs_bucket: URLs, store: fsspec.AbstractFileSystem
):
    folder = path_of(gs_bucket("a.matte"))
    for pictures in (("0.png", "1.png"), ("0.png",)):
        with unpublished(folder) as partial:
            partial.mkdir()
            for name in pictures:
                (partial / name).write_text(name)
    assert names_in(folder) == {"0.png"}


def killed_at_the_second_part(url: str, content: bytes) -> int:
    """Publishes in a process that dies as it sends the second part of a large file."""
    if pid := os.fork():
        return os.waitpid(pid, 0)[1]
    import gcsfs.core

    send, sent = gcsfs.core.upload_chunk, list[int]()

    async def dying(*how: Any, **more: Any) -> Any:
        sent.append(1)
        if len(sent) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return await send(*how, **more)

    gcsfs.core.upload_chunk = dying
    sums.PART_BYTES = 1 << 20
    write(url, content)
    os._exit(0)


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # gcsfs's own way
def test_a_large_object_that_a_kill_cut_off_is_seen_by_nobody_and_sent_again_with_proof(
    gs_bucket: URLs, store: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
):
    content, url = os.urandom(BIG), gs_bucket("out", "a.mov")
    assert killed_at_the_second_part(url, content) == signal.SIGKILL
    assert objects_in(gs_bucket()) == []
    asked = [0]
    monkeypatch.setattr(type(store), "open", lambda *_: asked.append(1))
    write(url, content)
    assert asked == [0], "the store's own sum should have been enough"
    assert store.cat_file(url) == content
    assert objects_in(gs_bucket()) == [url]


def test_what_arrives_damaged_is_never_given_its_name(
    gs_bucket: URLs, store: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
):
    write(gs_bucket("a.mp4"), b"made")
    put = store.put_file

    def damage(lpath: str, rpath: str, **how: Any) -> None:
        put(lpath, rpath, **how)
        store.pipe_file(rpath, b"mode")

    monkeypatch.setattr(store, "put_file", damage)
    with pytest.raises(StorageError, match="arrived damaged"):
        write(gs_bucket("a.mp4"), b"mada")
    assert store.cat_file(gs_bucket("a.mp4")) == b"made"
    assert objects_in(gs_bucket()) == [gs_bucket("a.mp4")]


def test_a_bucket_that_is_not_there_is_told_from_an_object_that_is_not(gs_bucket: URLs):
    assert state_of(path_of(gs_bucket("gone.mp4"))) is None
    check_writable(gs_bucket("new"), "probe")
    for ask in (lambda u: state_of(path_of(f"{u}/a.mp4")), lambda u: check_writable(u, "probe")):
        with pytest.raises(StorageError, match="the bucket nobody-has-this does not exist"):
            ask("gs://nobody-has-this")
