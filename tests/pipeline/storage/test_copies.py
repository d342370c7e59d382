import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import fsspec
import pytest

from pipeline.errors import StorageError
from pipeline.files import published, stands
from pipeline.partials import partial_path
from pipeline.source import at_hand, check_unchanged, identify
from pipeline.storage import copies
from pipeline.storage.copies import held
from pipeline.storage.stores import Facts
from pipeline.storage.urls import path_of

URLs = Callable[..., str]
ROOMY = 10**9


def anything(_: Facts) -> bool:
    return True


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[fsspec.AbstractFileSystem]:
    """A store in this process, of ten objects with 100 bytes each."""
    monkeypatch.setenv("AUREEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(copies, "WAIT_S", 0.0)
    store = fsspec.filesystem("memory")
    for number in range(10):
        store.pipe_file(f"/clips/{number}.mp4", bytes([number]) * 100)
    yield store
    store.store.clear()


def clip(number: int) -> Path:
    return path_of(f"memory://clips/{number}.mp4")


def test_a_copy_is_fetched_once_and_used_again(memory: fsspec.AbstractFileSystem):
    with held(clip(3), ROOMY, anything):
        assert clip(3).read_bytes() == bytes([3]) * 100
        was = clip(3).stat().st_ino
    with held(clip(3), ROOMY, anything):
        assert clip(3).stat().st_ino == was


def test_of_copies_those_go_first_that_were_used_longest_ago(memory: fsspec.AbstractFileSystem):
    for age, number in enumerate((0, 1, 2, 0)):
        with held(clip(number), 300, anything):
            pass
        os.utime(copies._note_path(clip(number)), (age, age))
    with held(clip(5), 300, anything):
        assert [clip(n).exists() for n in (0, 1, 2, 5)] == [True, False, True, True]


def test_a_copy_in_use_never_goes(memory: fsspec.AbstractFileSystem):
    with ExitStack() as used:
        for number in (0, 1):
            used.enter_context(held(clip(number), 200, anything))
        with pytest.raises(StorageError, match=r"copies in use take .* raise --cache-size"):
            used.enter_context(held(clip(2), 200, anything))
        assert clip(0).exists()
        assert clip(1).exists()
    with held(clip(2), 200, anything):
        assert sum(clip(n).exists() for n in range(3)) == 2


def test_what_is_larger_than_all_room_is_refused_at_once(memory: fsspec.AbstractFileSystem):
    why = r"has 1e-07 GB, and copies here may take 9\.9e-08 GB"
    with pytest.raises(StorageError, match=why), held(clip(0), 99, anything):
        pass
    assert not clip(0).exists()


def test_what_a_process_that_died_was_fetching_is_tidied_away(memory: fsspec.AbstractFileSystem):
    with held(clip(0), ROOMY, anything):
        pass
    notes = copies._note_path(clip(0)).parent
    pid = os.fork()
    if not pid:
        partial_path(notes / "a.mp4").touch()
        os._exit(0)
    os.waitpid(pid, 0)
    with held(clip(1), ROOMY, anything):
        assert not list(notes.glob("*.mp4"))


def test_an_object_has_one_identity_on_every_machine_and_a_change_shows(
    bucket: URLs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    source = path_of(bucket("a.mp4"))
    store = fsspec.filesystem("s3", use_listings_cache=False)
    store.pipe_file(bucket("a.mp4"), b"first take")
    known = str(identify(source))
    with at_hand(str(source), known, ROOMY):
        check_unchanged(str(source), known)
    monkeypatch.setenv("AUREEL_CACHE", str(tmp_path / "elsewhere"))
    other = path_of(bucket("a.mp4"))
    assert str(identify(other)) == known
    with at_hand(str(other), known, ROOMY):
        assert other.read_bytes() == b"first take"
    store.pipe_file(bucket("a.mp4"), b"other take")
    with pytest.raises(Exception, match="was changed while the job ran"):
        check_unchanged(str(source), known)
    monkeypatch.setenv("AUREEL_CACHE", str(tmp_path / "third"))
    third = str(path_of(bucket("a.mp4")))
    why = "was changed while the job ran"
    with pytest.raises(StorageError, match=why), at_hand(third, known, ROOMY):
        pass


def test_what_was_published_counts_as_a_copy_and_may_go(memory: fsspec.AbstractFileSystem):
    made = path_of("memory://clips/out.mp4")
    with published(made) as partial:
        partial.write_bytes(b"x" * 100)
    with held(clip(1), 100, anything):
        assert not made.exists()
    assert stands(made)
