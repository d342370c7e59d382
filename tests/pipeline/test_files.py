import errno
import os
import subprocess
import sys
import threading
import time

import pytest

from pipeline.files import LONGEST_NAME, flushed_meanwhile, published, read_json
from pipeline.partials import partial_path, sweep_partials


def test_a_published_file_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "deep" / "a.txt"
    with published(target) as partial:
        partial.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    with pytest.raises(UnicodeEncodeError), published(target) as partial:
        partial.write_text("half \udcff", encoding="utf-8")
    assert target.read_text() == "whole"
    assert [p.name for p in target.parent.iterdir()] == ["a.txt"]


def test_two_writers_of_one_name_never_share_a_partial(tmp_path):
    target = tmp_path / "a.txt"
    with published(target) as one, published(target) as other:
        one.write_text("one")
        other.write_text("other")
    assert target.read_text() == "one"  # the last to finish


def test_what_appeared_meanwhile_is_left_alone_unless_it_may_be_replaced(tmp_path):
    target = tmp_path / "a.txt"

    def write() -> None:
        with published(target, replace=False) as partial:
            partial.write_text("ours")
            target.write_text("theirs")

    with pytest.raises(FileExistsError):
        write()
    assert target.read_text() == "theirs"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_the_last_check_keeps_a_file_from_taking_its_name(tmp_path):
    target = tmp_path / "a.txt"

    def refuse() -> None:
        raise PermissionError("no")

    with pytest.raises(PermissionError), published(target, check=refuse) as partial:
        partial.write_text("ours")
    assert list(tmp_path.iterdir()) == []


def test_what_the_disk_says_while_a_file_grows_keeps_it_from_its_name(tmp_path, monkeypatch):
    """A disk tells a failed flush once; the next one of the same file finds nothing wrong."""
    target, told = tmp_path / "a.txt", threading.Event()
    flush = os.fsync

    def full_once(handle: int) -> None:
        if not told.is_set():
            told.set()
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(handle)

    monkeypatch.setattr("pipeline.files.FLUSH_S", 0.001)
    monkeypatch.setattr("os.fsync", full_once)

    def write() -> None:
        with published(target) as partial, flushed_meanwhile(partial):
            partial.write_text("whole")
            assert told.wait(10)

    with pytest.raises(OSError, match="No space left"):
        write()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_begun_may_be_flushed_meanwhile(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.files.FLUSH_S", 0.001)
    target = tmp_path / "a.txt"
    with published(target) as partial, flushed_meanwhile(partial):
        time.sleep(0.02)
        partial.write_text("whole")
    assert target.read_text() == "whole"


def test_the_longest_name_there_is_can_be_published(tmp_path):
    target = tmp_path / ("a" * (LONGEST_NAME - 4) + ".mp4")
    with published(target) as partial:
        partial.write_text("whole")
    assert target.read_text() == "whole"


def test_the_litter_of_a_dead_process_is_swept_and_work_is_left_alone(tmp_path):
    code = "import sys; from pathlib import Path; from pipeline.partials import partial_path\n"
    code += "partial_path(Path(sys.argv[1])).touch()"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "x.mp4")], check=True)
    (dead,) = tmp_path.iterdir()
    ours = partial_path(tmp_path / "x.mp4")
    ours.touch()
    elsewhere = tmp_path / ".aureel-0123abcd-1-0123abcd.mp4"
    elsewhere.touch()
    sweep_partials(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {ours.name, elsewhere.name}
    assert not dead.exists()
    os.utime(elsewhere, (1, 1))
    sweep_partials(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [ours.name]


def test_unreadable_json_counts_as_absent(tmp_path):
    path = tmp_path / "x.json"
    assert read_json(path) is None
    path.write_text('{"half":')
    assert read_json(path) is None
