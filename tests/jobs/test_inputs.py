import pytest

from jobs.command_line.inputs import expand_inputs, output_paths
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


def test_results_lie_beside_their_inputs_under_the_curves_name(footage):
    made = output_paths([footage / "a.mp4", footage / "day2/a.mp4"], None, "smile")
    assert names(made, footage) == ["a.smile.mp4", "day2/a.smile.mp4"]


def test_a_folder_of_results_keeps_subfolders_apart(footage, tmp_path):
    out = tmp_path / "out"
    made = output_paths([footage / "a.mp4", footage / "day2/a.mp4"], f"{out}/", "smile")
    assert names(made, out) == ["a.smile.mp4", "day2/a.smile.mp4"]


def test_one_input_may_name_its_file(footage):
    assert output_paths([footage / "a.mp4"], str(footage / "x.mov"), "smile") == [footage / "x.mov"]


def test_one_file_for_two_inputs_is_refused(footage):
    with pytest.raises(JobError, match="one file for 2 inputs"):
        output_paths([footage / "a.mp4", footage / "b.MOV"], "x.mp4", "smile")


def test_footage_is_never_overwritten(footage):
    with pytest.raises(JobError, match="is the input itself"):
        output_paths([footage / "a.mp4"], str(footage / "a.mp4"), "smile")


def test_a_place_that_vanishes_with_the_job_is_refused(tmp_path):
    copy = tmp_path / "session_1/runtime_resources/working_dir_files/_ray_pkg_ab"
    copy.mkdir(parents=True)
    with pytest.raises(JobError, match="working copy and would be deleted"):
        output_paths([copy / "a.mp4"], None, "smile")
