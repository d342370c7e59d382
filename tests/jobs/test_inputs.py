import os
from pathlib import Path

import pytest

from jobs.command_line.inputs import expand_inputs, find_inputs
from jobs.errors import JobError


@pytest.fixture
def footage(tmp_path):
    for name in ("a.mp4", "b.MOV", "notes.txt", "day2/a.mp4", "_work/x/000000.mp4", ".b.mp4.part"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def names(paths, root):
    return [str(p.relative_to(root)) for p in paths]


def test_a_folder_is_searched_whole_but_not_for_our_own_work(footage):
    assert names(expand_inputs([str(footage)]), footage) == ["a.mp4", "b.MOV", "day2/a.mp4"]


def test_globs_files_and_folders_mix_and_nothing_comes_twice(footage):
    found = expand_inputs([f"{footage}/*.mp4", str(footage / "a.mp4"), str(footage / "day2")])
    assert names(found, footage) == ["a.mp4", "day2/a.mp4"]


def test_a_file_named_directly_is_taken_whatever_its_name(footage):
    assert expand_inputs([str(footage / "notes.txt")]) == [footage / "notes.txt"]


@pytest.mark.parametrize("pattern", ["nothing.mp4", "no*thing.mp4"])
def test_an_input_that_matches_nothing_is_refused_by_name(footage, pattern):
    with pytest.raises(JobError, match=r"nothing|no\*thing"):
        expand_inputs([str(footage / pattern)])


def test_a_folder_without_footage_says_what_it_looked_for(tmp_path):
    with pytest.raises(JobError, match=r"no video in this folder.*\.mp4"):
        expand_inputs([str(tmp_path)])


def test_two_names_of_one_file_are_two_inputs_and_two_spellings_are_one(footage):
    (footage / "link.mp4").symlink_to("a.mp4")
    spelled = str(footage / "day2" / ".." / "a.mp4")
    found = expand_inputs([str(footage / "a.mp4"), spelled, str(footage / "link.mp4")])
    assert names(found, footage) == ["a.mp4", "link.mp4"]


def problems(*patterns):
    return {r.entry.rpartition("/")[2]: r.why for r in find_inputs(patterns).refused}


def test_bad_entries_are_lines_and_the_others_are_found(footage, tmp_path):
    (footage / "empty").mkdir()
    Path(os.fsdecode(os.fsencode(footage / "caf") + b"\xe9.mp4")).touch()
    os.mkfifo(footage / "pipe.mp4")
    (footage / "gone.mp4").symlink_to("nowhere")
    calls = [str(footage / "empty"), "/dev/zero", "nothing.mp4", str(footage), "x" * 300]
    assert names([f.path for f in find_inputs(calls).found], footage) == [
        "a.mp4", "b.MOV", "day2/a.mp4"
    ]  # fmt: skip
    told = problems(*calls)
    assert "no video in this folder" in told["empty"]
    assert "no regular file" in told["zero"]
    assert "does not exist" in told["nothing.mp4"]
    assert "UTF-8" in told["caf\\xe9.mp4"]
    assert "no regular file" in told["pipe.mp4"]
    assert "link to nothing" in told["gone.mp4"]
    assert "too long" in told["x" * 300]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_subfolder_that_may_not_be_read_is_a_line(footage):
    (footage / "day2").chmod(0)
    assert "Permission denied" in problems(str(footage))["day2"]
