import os
import subprocess
from pathlib import Path

import pytest

from jobs.command_line.inputs import find_inputs
from jobs.command_line.outputs import place_outputs, video_rows, without_own_results
from jobs.command_line.settling import unsettled
from jobs.errors import JobError
from pipeline.demo.clip import make_demo_clip
from pipeline.files import write_json


@pytest.fixture
def footage(tmp_path) -> Path:
    for name in ("a.mp4", "b.mov", "day1/a.mp4"):
        path = tmp_path / "foot" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "foot"


def placed(inputs, output=None, curve="smile"):
    """Input → result, under the folder of both."""
    made = place_outputs(find_inputs([str(i) for i in inputs]), output and str(output), curve)
    return {str(s): str(o) for s, o in made.pairs}, {r.entry: r.why for r in made.refused}


def test_results_lie_beside_their_inputs_under_the_curves_name(footage):
    made, _ = placed([footage / "a.mp4", footage / "day1/a.mp4"])
    assert made == {
        f"{footage}/a.mp4": f"{footage}/a.smile.mp4",
        f"{footage}/day1/a.mp4": f"{footage}/day1/a.smile.mp4",
    }


def test_what_cannot_be_written_goes_to_a_stated_container_or_the_one_that_is_named(footage):
    names = {"a.mp4": ".mp4", "b.mov": ".mov", "c.MXF": ".mov", "d.dv": ".mov", "e.mpg": ".mkv",
             "f.wmv": ".mkv", "g.bak": ".mkv"}  # fmt: skip
    for name in names:
        (footage / name).touch()
    found = find_inputs([str(footage / name) for name in names])
    made = {Path(s).name: o.name for s, o in place_outputs(found, None, "smile").pairs}
    assert made == {n: f"{Path(n).stem}.smile{suffix}" for n, suffix in names.items()}
    for word in ("mov", ".MOV"):
        asked = place_outputs(found, None, "smile", container=word).pairs
        assert {o.suffix for _, o in asked} == {".mov"}
    with pytest.raises(JobError, match=r"--container gif: known: mp4 m4v mov"):
        place_outputs(found, None, "smile", container="gif")
    named = place_outputs(find_inputs([str(footage / "c.MXF")]), str(footage / "x.mkv"), "smile")
    assert named.pairs[0][1].name == "x.mkv"


def test_a_result_keeps_its_place_when_footage_grows(footage, tmp_path):
    (footage / "a.mp4").unlink()
    (footage / "b.mov").unlink()
    out, clip = f"{tmp_path}/out/", str(footage / "day1/a.mp4")
    before, _ = placed([footage], out)
    (footage / "day2").mkdir()
    (footage / "day2/a.mp4").touch()
    after, _ = placed([footage], out)
    assert before[clip] == after[clip] == f"{tmp_path}/out/day1/a.smile.mp4"


def test_files_named_one_by_one_are_kept_apart_by_their_folders(footage, tmp_path):
    made, _ = placed([footage / "a.mp4", footage / "day1/a.mp4"], f"{tmp_path}/out/")
    assert set(made.values()) == {
        f"{tmp_path}/out/a.smile.mp4",
        f"{tmp_path}/out/day1/a.smile.mp4",
    }


def test_one_input_may_name_its_file_and_two_may_not(footage):
    made, _ = placed([footage / "a.mp4"], footage / "x.mov")
    assert made == {f"{footage}/a.mp4": f"{footage}/x.mov"}
    with pytest.raises(JobError, match="one file for 2 inputs"):
        placed([footage / "a.mp4", footage / "b.mov"], "x.mp4")


def test_two_inputs_of_one_result_are_told_apart_or_refused(footage):
    (footage / "a.mov").symlink_to("b.mov")
    (footage / "c").mkdir()
    (footage / "c/a.mp4").symlink_to(footage / "a.mp4")
    made, refused = placed([footage])
    assert len(made) == 5  # two names of one file are two results
    assert refused == {}


def test_two_inputs_whose_results_would_be_one_file_are_refused(footage, tmp_path):
    """Two folders of footage, and one folder of results that is reached by both names."""
    (footage / "day2").mkdir()
    (footage / "day2/a.mp4").write_bytes(b"another")
    out = tmp_path / "out"
    (out / "day1").mkdir(parents=True)
    (out / "day2").symlink_to(out / "day1")
    made, refused = placed([footage], f"{out}/")
    first = str(footage / "day1/a.mp4")
    assert made[first] == str(out / "day1/a.smile.mp4")
    second = str(footage / "day2/a.mp4")
    assert f"would be that of {first}" in refused[second]
    assert second not in made


@pytest.mark.parametrize(
    "way", ["itself", "dots", "dots in none", "linked folder", "symlink", "hard link"]
)
def test_footage_is_never_overwritten_by_whatever_name_it_is_reached(footage, way):
    clip = footage / "a.mp4"
    if way == "itself":
        output = clip
    elif way == "dots":
        output = footage / "day1" / ".." / "a.mp4"
    elif way == "dots in none":  # a folder that a run would make
        output = footage / "none" / ".." / "a.mp4"
    elif way == "linked folder":
        (footage.parent / "link").symlink_to(footage)
        output = footage.parent / "link" / "a.mp4"
    else:
        output = footage.parent / "x.mp4"
        output.symlink_to(clip) if way == "symlink" else output.hardlink_to(clip)
    made, refused = placed([clip], output)
    assert made == {}
    assert "is the input itself" in refused[str(clip)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_footage_is_never_overwritten_through_a_bind_mount(footage, tmp_path):
    mount = tmp_path / "mount"
    mount.mkdir()
    if subprocess.run(["mount", "--bind", footage, mount], check=False).returncode:
        pytest.skip("no mounts here")
    try:
        made, refused = placed([footage / "a.mp4"], mount / "a.mp4")
    finally:
        subprocess.run(["umount", mount], check=True)
    assert made == {}
    assert "is the input itself" in refused[f"{footage}/a.mp4"]


def test_an_original_that_has_a_results_name_is_not_overwritten(footage):
    (footage / "a.smile.mp4").write_bytes(b"an original")
    made, refused = placed([footage])
    assert "another input of this job" in refused[f"{footage}/a.mp4"]
    assert f"{footage}/b.mov" in made


@pytest.mark.parametrize("output", [None, "made/", "made/x.mp4"])
def test_a_part_of_a_clip_never_has_the_name_of_the_whole(footage, tmp_path, output):
    found = find_inputs([str(footage / "a.mp4")])
    place = output and f"{tmp_path}/{output}"
    ((_, whole),) = place_outputs(found, place, "smile").pairs
    ((_, part),) = place_outputs(found, place, "smile", only="12s..15s").pairs
    assert part == whole.with_name(f"{whole.stem}.only-12s-15s.mp4")
    ((_, again),) = place_outputs(found, str(part), "smile", only="12s..15s").pairs
    assert again == part, "a manifest of failures names what it is to make"


@pytest.mark.parametrize("length", [244, 249, 255])
def test_a_name_too_long_for_its_result_is_refused_before_the_work(footage, length):
    clip = footage / ("n" * (length - 4) + ".mp4")
    clip.touch()
    made, refused = placed([clip])
    assert made == {}
    assert "file systems take 255" in refused[str(clip)]


def test_a_place_that_vanishes_with_the_job_is_refused(tmp_path):
    copy = tmp_path / "session_1/runtime_resources/working_dir_files/_ray_pkg_ab"
    copy.mkdir(parents=True)
    (copy / "a.mp4").touch()
    with pytest.raises(JobError, match="working copy and would be deleted"):
        placed([copy / "a.mp4"])


def kept(footage, output=None, work=None, named=()):
    inputs, ours = without_own_results(find_inputs([str(footage), *named]), output, work)
    return [p.path.name for p in inputs.found], [p.name for p in ours]


def test_results_in_the_output_folder_do_not_nest(footage):
    (footage / "out").mkdir()
    (footage / "out/a.smile.mp4").touch()
    found, ours = kept(footage, f"{footage}/out/")
    assert found == ["a.mp4", "b.mov", "a.mp4"]
    assert ours == ["a.smile.mp4"]


def test_results_that_the_run_folder_knows_are_left_out_unless_named(footage):
    made = footage / "a.smile.ts"
    made.touch()
    write_json(footage / "_work/state/job/done.json", {"output": str(made)})
    assert kept(footage)[1] == ["a.smile.ts"]
    inputs, ours = without_own_results(find_inputs([str(made)]), None, None)
    assert [f.path for f in inputs.found] == [made]
    assert ours == []


def test_a_source_that_cannot_be_read_is_a_line(footage):
    rows, refused = video_rows([(footage / "gone.mp4", footage / "x.mp4")], None)
    assert rows == []
    assert "cannot be read: No such file" in refused[0].line


def test_a_file_that_grows_is_refused_or_waited_for(footage, monkeypatch):
    clip, said = footage / "a.mp4", []
    monkeypatch.setattr("jobs.command_line.settling.SETTLE_S", 3.0)
    assert "a moment ago" in unsettled([clip], wait=False, say=said.append)[clip]
    monkeypatch.setattr("jobs.command_line.settling.SETTLE_S", 0.5)
    clip.touch()
    assert unsettled([clip], wait=True, say=said.append) == {}
    assert said == ["waiting until written: a.mp4"]
    monkeypatch.setattr("jobs.command_line.settling.MOST_S", 0.3)
    clip.touch()
    assert "still growing" in unsettled([clip], wait=True, say=said.append)[clip]
    os.utime(clip, (1, 1))
    assert unsettled([clip], wait=False, say=said.append) == {}


def test_a_clip_of_somebody_else_is_not_taken_for_a_result(tmp_path):
    make_demo_clip(tmp_path / "a.final.mp4", seconds=0.2)
    assert kept(tmp_path) == (["a.final.mp4"], [])
