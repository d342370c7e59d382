import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from pipeline.errors import StorageError
from pipeline.files import published, state_of, unpublished
from pipeline.storage import sums
from pipeline.storage.copies import sent_sha256
from pipeline.storage.sums import sums_of
from pipeline.storage.urls import path_of

URLs = Callable[..., str]
BIG = 12 << 20


@pytest.fixture
def store() -> fsspec.AbstractFileSystem:
    return fsspec.filesystem("s3", use_listings_cache=False)


def names(store: fsspec.AbstractFileSystem, url: str) -> list[str]:
    return sorted(name.rpartition("/")[2] for name in store.find(url))


def write(url: str, content: bytes, *, replace: bool = True) -> Path:
    path = path_of(url)
    with published(path, replace=replace) as partial:
        partial.write_bytes(content)
    return path


def test_an_object_is_published_whole_and_nothing_beside_it_stays(
    bucket: URLs, store: fsspec.AbstractFileSystem
):
    path = write(bucket("out", "a.mp4"), b"made")
    assert store.cat_file(bucket("out", "a.mp4")) == b"made"
    assert names(store, bucket()) == ["a.mp4"]
    assert path.read_bytes() == b"made"
    assert sent_sha256(path) == sums_of(path).sha256
    state = state_of(path)
    assert state is not None
    assert state.size == 4


def test_large_objects_go_in_parts_that_the_store_proves(
    bucket: URLs, store: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sums, "PART_BYTES", 5 << 20)
    content = os.urandom(BIG)
    asked = [0]
    monkeypatch.setattr(type(store), "open", lambda *_: asked.append(1))
    write(bucket("a.mov"), content)
    assert asked == [0], "the store's own sum should have been enough"
    assert store.cat_file(bucket("a.mov")) == content


def test_a_store_without_sums_is_read_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("AUREEL_CACHE", str(tmp_path))
    store = fsspec.filesystem("memory")
    put = type(store).put_file

    def damage(self, lpath, rpath, **how):
        put(self, lpath, rpath, **how)
        self.pipe_file(rpath, b"mode")

    write("memory://x/a.mp4", b"made")
    monkeypatch.setattr(type(store), "put_file", damage)
    with pytest.raises(StorageError, match="arrived damaged"):
        write("memory://x/a.mp4", b"mada")
    assert store.cat_file("/x/a.mp4") == b"made"
    assert names(store, "/x") == ["a.mp4"]
    store.store.clear()


def test_what_stands_is_left_alone_unless_it_may_be_replaced(
    bucket: URLs, store: fsspec.AbstractFileSystem
):
    write(bucket("a.mp4"), b"first")
    with pytest.raises(FileExistsError):
        write(bucket("a.mp4"), b"second", replace=False)
    assert store.cat_file(bucket("a.mp4")) == b"first"
    write(bucket("a.mp4"), b"second")
    assert store.cat_file(bucket("a.mp4")) == b"second"


def test_a_name_with_what_patterns_are_made_of_is_a_name_like_any_other(
    bucket: URLs, store: fsspec.AbstractFileSystem
):
    for name in ("shots[1]/a[2]*.mp4", "shots1/a2b.mp4"):
        write(bucket(name), name.encode())
    assert store.cat_file(bucket("shots[1]/a[2]*.mp4")) == b"shots[1]/a[2]*.mp4"
    assert len(store.find(bucket())) == 2


def test_a_folder_is_sent_file_by_file_and_what_is_gone_from_it_goes(
    bucket: URLs, store: fsspec.AbstractFileSystem
):
    folder = path_of(bucket("a.matte"))
    for pictures in (("0.png", "1.png"), ("0.png",)):
        with unpublished(folder) as partial:
            partial.mkdir()
            for name in pictures:
                (partial / name).write_text(name)
    assert names(store, bucket("a.matte")) == ["0.png"]
    assert not folder.exists()


KILLED = """
import os, sys, signal
from pathlib import Path
from pipeline.files import published
from pipeline.storage import sums
from pipeline.storage.urls import path_of
import s3fs
sums.PART_BYTES = 5 << 20
upload = s3fs.S3FileSystem._call_s3
async def dying(self, method, *args, **how):
    if method == "upload_part" and how["PartNumber"] == 2:
        print("here", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    return await upload(self, method, *args, **how)
s3fs.S3FileSystem._call_s3 = dying
with published(path_of(sys.argv[1])) as partial:
    partial.write_bytes(b"x" * int(sys.argv[2]))
"""


def test_after_a_kill_amid_an_upload_nothing_is_seen_and_no_dead_part_is_kept(
    bucket: URLs, store: fsspec.AbstractFileSystem
):
    url = bucket("out", "a.mov")
    call = [sys.executable, "-c", KILLED, url, str(BIG)]
    killed = subprocess.run(call, stdout=subprocess.PIPE, check=False)
    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, b"here\n")
    assert names(store, bucket()) == []
    assert store.list_multipart_uploads(bucket()[5:])
    write(url, b"made")
    assert store.cat_file(url) == b"made"
    assert names(store, bucket()) == ["a.mov"]
    assert not store.list_multipart_uploads(bucket()[5:]), "dead parts would be paid for"


def test_a_wrong_bucket_is_one_line(bucket: URLs):
    with pytest.raises(StorageError, match=r"^s3://nobody-has-this/a\.mp4: .*bucket does not"):
        write("s3://nobody-has-this/a.mp4", b"made")


def test_a_store_that_is_not_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "gs", raising=False)
    with pytest.raises(StorageError, match=r"pip install 'aureel\[gs\]'"):
        state_of(path_of("gs://b/a.mp4"))
