from pathlib import Path

from pipeline.run_folder.store import VideoFolder, up_to_date, video_row, write_done


def folder_for(tmp_path, output="o.mp4", run="") -> VideoFolder:
    source = tmp_path / "a.mp4"
    if not source.exists():
        source.write_bytes(b"one")
    return VideoFolder.of(video_row(source, Path("/out") / output, tmp_path / "w", run=run))


def test_a_changed_source_is_a_new_video(tmp_path):
    before = folder_for(tmp_path)
    assert folder_for(tmp_path) == before
    (tmp_path / "a.mp4").write_bytes(b"two")
    assert folder_for(tmp_path).root != before.root


def test_two_outputs_of_one_clip_share_the_analysis_and_nothing_else(tmp_path):
    smile, sad = folder_for(tmp_path, "smile.mp4"), folder_for(tmp_path, "sad.mp4")
    assert smile.analysis("d") == sad.analysis("d")
    assert smile.piece(0, "d", "mp4") != sad.piece(0, "d", "mp4")


def test_two_names_of_one_file_are_two_videos_with_one_analysis(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"one")
    (tmp_path / "b.mp4").hardlink_to(tmp_path / "a.mp4")
    a, b = (video_row(tmp_path / n, tmp_path / f"out.{n}", tmp_path) for n in ("a.mp4", "b.mp4"))
    assert a["video"] != b["video"]
    assert VideoFolder.of(a).analysis("d") == VideoFolder.of(b).analysis("d")


def test_start_marks_count_and_clear_within_a_run_only(tmp_path):
    folder = folder_for(tmp_path, run="one")
    made = [folder.strike(work) for work in ("render-3", "render-3", "x")]
    assert folder.strikes("render-3") == made[:2]
    assert folder_for(tmp_path, run="two").strikes("render-3") == []
    folder.clear_strikes("render-3")
    assert folder.strikes("render-3") == []


def test_start_marks_of_other_runs_stay_and_count_for_nothing(tmp_path):
    """Nothing else keeps three stops by an operator from counting as three deaths."""
    before = folder_for(tmp_path, run="one")
    mark = before.strike("render-3")
    now = folder_for(tmp_path, run="two")
    now.sweep_orphans()
    assert mark.exists()
    assert now.strikes("render-3") == []


def test_an_output_is_up_to_date_only_for_the_same_request_and_bytes(tmp_path):
    folder, output = folder_for(tmp_path), tmp_path / "o.mp4"
    assert not up_to_date(folder, output, "r")
    output.write_bytes(b"12345")
    write_done(folder, output, "r")
    assert up_to_date(folder, output, "r")
    assert not up_to_date(folder, output, "other")
    output.touch()
    assert up_to_date(folder, output, "r")
    output.write_bytes(b"54321")
    assert not up_to_date(folder, output, "r")


def test_a_finished_jobs_folder_keeps_its_plan_only(tmp_path):
    folder = folder_for(tmp_path)
    kept = [folder.plan("new"), folder.spans("new")]
    for path in (*kept, folder.plan("old"), folder.piece(0, "d", "mp4"), folder.marker(0, "d")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    folder.strike("render-000000")
    folder.sweep_job("new")
    assert sorted(folder.job_folder.iterdir()) == sorted(kept)
