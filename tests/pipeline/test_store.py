import os

import pytest

from pipeline.store import VideoFolder, published, read_json, up_to_date, video_id, write_json


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


def test_a_touched_source_is_a_new_video(tmp_path):
    clip = tmp_path / "a.mp4"
    clip.write_bytes(b"one")
    first = video_id(clip)
    assert video_id(clip) == first
    os.utime(clip, ns=(1, 1))
    assert video_id(clip) != first


def test_two_outputs_of_one_clip_share_the_analysis_and_nothing_else(tmp_path):
    smile = VideoFolder.of(str(tmp_path), "v", "/out/smile.mp4")
    sad = VideoFolder.of(str(tmp_path), "v", "/out/sad.mp4")
    assert smile.analysis("d") == sad.analysis("d")
    assert smile.piece(0, "mp4") != sad.piece(0, "mp4")


def test_start_marks_count_and_clear(tmp_path):
    folder = VideoFolder.of(str(tmp_path), "v", "o")
    assert [folder.strike(3), folder.strike(3), folder.strike(4)] == [0, 1, 0]
    folder.clear_strikes(3)
    assert folder.strike(3) == 0


def test_unreadable_json_counts_as_absent(tmp_path):
    path = tmp_path / "x.json"
    assert read_json(path) is None
    path.write_text('{"half":')
    assert read_json(path) is None


def test_an_output_is_up_to_date_only_for_the_same_request_and_size(tmp_path):
    folder = VideoFolder.of(str(tmp_path / "w"), "v", "o")
    output = tmp_path / "o.mp4"
    assert not up_to_date(folder, output, "r")
    output.write_bytes(b"12345")
    write_json(folder.done, {"request": "r", "bytes": 5})
    assert up_to_date(folder, output, "r")
    assert not up_to_date(folder, output, "other")
    output.write_bytes(b"replaced by hand")
    assert not up_to_date(folder, output, "r")


def test_orphans_of_a_killed_run_are_swept_and_finished_files_kept(tmp_path):
    folder = VideoFolder.of(str(tmp_path), "v", "o")
    folder.job_folder.mkdir(parents=True)
    (folder.job_folder / ".000001.mp4.abc.part.mp4").touch()
    folder.marker(0).touch()
    folder.sweep_orphans()
    assert [p.name for p in folder.job_folder.iterdir()] == ["000000.json"]
