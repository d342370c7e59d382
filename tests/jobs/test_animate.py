"""The main job, called as a user calls it."""

from __future__ import annotations

import itertools
import json
import os
import re
from pathlib import Path

import av
import numpy as np
import pytest

from jobs import preview
from pipeline.demo.clip import make_demo_clip
from pipeline.media.compare.facts import read_facts
from pipeline.media.read.decoding.decode import decode_range, display_rgb
from pipeline.media.read.inspection import inspect_video
from tests.jobs.conftest import SMILE, Animate
from tests.jobs.killing import (
    environment_with,
    kill_when,
    marked,
    markers,
    planned_and_committed,
)

IDENTITY = ("--curve", "smile2.yaml", "--input", "talk.mp4", "--editor", "identity")


def pictures(path: Path, numbers: list[int]) -> list[np.ndarray]:
    seen = inspect_video(str(path))
    return [
        display_rgb(next(iter(decode_range(str(path), seen.info, seen.index, n, n))), seen.info)
        for n in numbers
    ]


def test_the_same_shot_comes_back_with_its_times_and_its_sound(animate: Animate):
    run = animate(*IDENTITY)
    assert run.status == 0, run.stderr
    source, made = run.folder / "talk.mp4", run.folder / "talk.smile2.mp4"
    before, after = inspect_video(str(source)), inspect_video(str(made))
    assert after.times_s.tolist() == before.times_s.tolist()
    assert after.index.pts.tolist() == before.index.pts.tolist()
    assert after.info.colour == before.info.colour
    kept, copied = ([t.payload_md5 for t in read_facts(str(p)).tracks] for p in (source, made))
    assert kept
    assert copied == kept
    assert str(made) in run.stdout


def test_the_report_counts_every_frame_and_names_every_setting(animate: Animate):
    run = animate(*IDENTITY, "--log-json", "logs/run.jsonl", "--timeline", "run.json")
    report, video = run.report, run.video
    assert report["schema"] == "aureel-report/1"
    assert (video["status"], video["stage"], video["error"]) == ("done", "finish", "")
    assert (video["frames"], video["faceless_frames"]) == (50, 0)
    assert 40 <= video["edited_frames"] <= 46  # 0 s and from 1.8 s on nothing is asked for
    assert set(video["stages"]) >= {"inspect", "analyse", "plan", "render", "finish"}
    assert report["settings"]["engines"]["editor"]["name"] == "identity"
    assert report["settings"]["options"]["preset_encode"] == "auto"
    assert report["settings"]["encode_preset"] == "medium"  # veryfast would be for a preview
    assert "AU12" in str(report["settings"]["curve"])
    _, *events = map(json.loads, (run.folder / "logs/run.jsonl").read_text("utf-8").splitlines())
    assert [e["stage"] for e in events][:: len(events) - 1] == ["inspect", "finish"]
    assert sum(e["frames"] for e in events if e["stage"] == "render") == 50
    drawn = json.loads((run.folder / "run.json").read_text())["traceEvents"]
    assert sum(e["ph"] == "X" for e in drawn) == len(events)
    assert report["versions"]["ray"]


def test_a_part_is_made_beside_the_whole_and_a_clip_without_it_fails_alone(animate: Animate):
    make_demo_clip(Path("brief.mp4"), seconds=0.5, size=(320, 320))
    call = (*IDENTITY, "--input", "brief.mp4", "--only", "1s..1.4s")
    dry = animate(*call, "--dry-run")
    assert dry.status == 1
    assert re.search(r"10, of which 10\s+are edited", dry.stdout), dry.stdout
    run = animate(*call)
    assert run.status == 1
    assert {path.name for path in run.folder.iterdir() if path.is_file()} == {
        "talk.mp4", "brief.mp4", "smile2.yaml", "talk.smile2.only-1s-1.4s.mp4",
        "report.only-1s-1.4s.json", "failures.only-1s-1.4s.csv",
    }  # fmt: skip
    (failed,) = (line for line in run.stdout.splitlines() if "outside the clip" in line)
    assert "part 1s..1.4s begins at 1.000 s" in failed
    assert "--only 1s..1.4s" in run.stdout.splitlines()[-1], "the command that tries again"
    assert inspect_video("talk.smile2.only-1s-1.4s.mp4").frames == 10
    assert animate(*IDENTITY, "--only", "1.4s..1s").status == 2


def test_a_rerun_has_nothing_to_do_and_a_changed_curve_keeps_the_analysis(animate: Animate):
    animate(*IDENTITY)
    made = (made_path := Path("talk.smile2.mp4")).stat().st_mtime_ns
    again = animate(*IDENTITY)
    assert (again.status, again.video["status"]) == (0, "skipped")
    assert made_path.stat().st_mtime_ns == made
    Path("smile2.yaml").write_text(SMILE.replace("3]", "2]"))
    changed = animate(*IDENTITY, "--overwrite")
    assert (changed.status, changed.video["status"]) == (0, "done")
    assert "analyse" not in changed.video["stages"]
    assert changed.video["stages"]["render"] > 0


def test_only_the_pieces_that_a_killed_run_left_out_are_made(animate: Animate, tmp_path: Path):
    """The run is killed, with its workers, while a later segment waits in the editor."""
    marks = Path(os.environ["AUREEL_TEST_KILLS"]).with_name("marks")
    held, work = marks.with_name("held"), tmp_path / "_work"
    clip = make_demo_clip(tmp_path / "long.mp4", seconds=4.0)
    Path("steady.yaml").write_text("version: 1\nchannels: {AU12: [[0s, 2]]}\n")
    call = ("--curve", "steady.yaml", "--input", str(clip), "--editor", "tests.fakes:MarkedEditor")
    held.touch()
    kill_when(call, environment_with(marks), lambda: bool(markers(work)))
    held.unlink()
    planned, committed = planned_and_committed(work)
    assert planned == set(range(100))
    assert committed
    assert committed <= marked(marks) < planned
    assert not Path("long.steady.mp4").exists()
    marks.write_text("")
    again = animate(*call)
    assert again.video["status"] == "done", again.video
    assert "analyse" not in again.video["stages"]
    assert marked(marks) == planned - committed
    assert inspect_video("long.steady.mp4").frames == 100


def test_an_output_from_something_else_is_never_overwritten_unasked(animate: Animate):
    Path("talk.smile2.mp4").write_bytes(b"precious")
    run = animate(*IDENTITY)
    assert run.status == 2
    assert "pass --overwrite" in run.stderr
    assert Path("talk.smile2.mp4").read_bytes() == b"precious"


WRONG_CALLS = [
    (("--curve", "grin.yaml"), "smile"),
    (("--curve", "smile", "--input", "gone.mp4"), "gone.mp4"),
    (("--curve", "smile", "--input", "driven.yaml"), "cannot be opened as a video"),
    (("--curve", "smile", "--input"), "--input"),
    (("--curve", "smile", "--editor", "magic"), "known: magicface, plate, previz, identity"),
    (("--curve", "smile", "--editor", "magicface"), "no weights given; expected a folder"),
    (("--curve", "smile", "--editor", "magicface", "--weights", "gone"), "no weights folder"),
    (("--curve", "smile", "--editor", "magicface", "--weights", "hub"), "mengtingwei/magicface"),
    (("--curve", "smile", "--tracker", "magic"), "known: fan, mesh"),
    (("--curve", "smile", "--au", "magic"), "known: libreface, mesh"),
    (("--curve", "smile", "--au", "libreface"), "combined_resnet.pt"),
    (("--curve", "smile", "--preset-encode", "fastest"), "veryfast"),
    (("--curve", "smile", "--colour", "red"), "--colour"),
    (("--curve", "smile", "--steps", "0"), "animate: --steps: got '0'"),
    (("--curve", "smile", "--quality", "superb"), "draft"),
    (("--curve", "smile", "--seed", "-1"), "--seed"),
    (("--curve", "smile", "--input", ""), "animate: --input: got ''"),
    (("--curve", "smile", "--output", ""), "animate: --output: got ''"),
    (("--curve", "smile", "--editor", "os:path"), "got a module without edit"),
    (("--curve", "smile", "--editor", "no.such:Thing"), "No module named 'no'"),
    (("--curve", "smile", "--output", "/proc/none/x.mp4"), "/proc/none"),
    (("--curve", "smile", "--segmenter", "talk.mp4"), "talk.mp4: got "),
    (("--curve", "smile", "--output", "x.xyz"), "x.xyz: cannot write .xyz; known: .mp4"),
    (("--curve", "smile", "--output", "talk.mp4/x.mp4"), "talk.mp4 is a file"),
    (("--curve", "smile", "--report", "folder"), "--report {cwd}/folder: is a folder"),
    (("--curve", "smile", "--report", "talk.mp4/r.json"), "talk.mp4 is a file"),
    (("--curve", "smile", "--work", "talk.mp4"), "talk.mp4 is a file; expected a folder"),
    (("--curve", "driven.yaml"), "gone.mp4"),
    (("--curve", "smile2.yaml", "--output", "theirs.mp4"), "pass --overwrite"),
    ((), "curve"),
    (("--curve", "broken.yaml"), "AU13"),
]


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
@pytest.mark.parametrize(("arguments", "says"), WRONG_CALLS)
def test_a_wrong_call_gets_one_line_and_status_2_and_a_dry_run_the_same(
    animate: Animate, arguments, says, dry, monkeypatch
):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody answers there
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    Path("broken.yaml").write_text("version: 1\nchannels:\n  AU13: [[0s, 1]]\n")
    Path("driven.yaml").write_text("version: 1\nimport: {video: gone.mp4}\n")
    Path("folder").mkdir()
    Path("theirs.mp4").write_bytes(b"precious")
    if arguments and "--input" not in arguments:
        arguments = (*arguments, "--input", "talk.mp4")
    before = sorted(Path.cwd().rglob("*"))
    run = animate(*arguments, *dry)
    assert run.status == 2
    assert says.format(cwd=Path.cwd()) in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1
    assert "Traceback" not in run.stdout + run.stderr
    assert [p for p in sorted(Path.cwd().rglob("*")) if "_work" not in p.parts] == before


def test_a_broken_clip_fails_by_name_and_the_others_are_made(animate: Animate):
    Path("day").mkdir()
    Path("talk.mp4").rename("day/talk.mp4")
    Path("day/half.mp4").write_bytes(Path("day/talk.mp4").read_bytes()[:20000])
    Path("day/empty.mp4").touch()
    run = animate("--curve", "smile2.yaml", "--input", "day", "--output", "out", "--editor",
                  "identity", "--report", "report.json")  # fmt: skip
    assert run.status == 1
    by_name = {Path(v["input"]).name: v for v in run.report["videos"]}
    assert by_name["talk.mp4"]["status"] == "done"
    assert Path("out/talk.smile2.mp4").is_file()
    for broken in ("half.mp4", "empty.mp4"):
        assert by_name[broken]["status"] == "failed"
        assert by_name[broken]["stage"] == "inspect"
        assert broken in by_name[broken]["error"]
        assert not Path(f"out/{broken.replace('.mp4', '.smile2.mp4')}").exists()


def test_an_editor_with_a_batch_size_gets_full_batches_from_the_pipeline(animate: Animate):
    run = animate("--curve", "smile2.yaml", "--input", "talk.mp4", "--editor",
                  "tests.fakes:BatchEditor")  # fmt: skip
    assert run.status == 0, run.report
    assert any("inverted" in w for w in run.video["warnings"])
    before, after = (pictures(run.folder / n, [20])[0] for n in ("talk.mp4", "talk.smile2.mp4"))
    changed = np.abs(before.astype(int) - after.astype(int)).max(axis=2) > 40
    assert 0.01 < changed.mean() < 0.5


def test_a_failing_editor_fails_its_video_and_leaves_nothing_half_written(animate: Animate):
    run = animate("--curve", "smile2.yaml", "--input", "talk.mp4", "--editor",
                  "tests.fakes:FailingEditor")  # fmt: skip
    assert run.status == 1
    assert (run.video["stage"], run.video["error"]) == ("render", "cannot edit frame 7")
    assert not Path("talk.smile2.mp4").exists()
    assert not [p for p in Path("_work").rglob("*") if p.name.startswith(".aureel-")]


@pytest.mark.parametrize(("kills", "status"), [(1, "done"), (99, "failed")])
def test_a_segment_that_kills_its_worker_is_tried_again_but_not_for_ever(
    animate: Animate, kills, status
):
    Path(os.environ["AUREEL_TEST_KILLS"]).write_text(str(kills))
    run = animate("--curve", "smile2.yaml", "--input", "talk.mp4", "--editor",
                  "tests.fakes:KillerEditor")  # fmt: skip
    assert run.video["status"] == status
    if status == "failed":
        assert "its worker died 3 times" in run.video["error"]
        assert int(Path(os.environ["AUREEL_TEST_KILLS"]).read_text()) == 99 - 3


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(animate: Animate):
    run = animate(*IDENTITY, "--dry-run")
    assert run.status == 0
    assert "AU12" in run.stdout
    assert "/talk.smile2.mp4" in re.sub(r"[│\s]", "", run.stdout)  # a long path is folded
    assert sorted(p.name for p in run.folder.iterdir()) == ["smile2.yaml", "talk.mp4"]


def pale(path: str) -> None:
    """A clip as a log curve would make it: no black, no white, hardly any colour."""
    with av.open("talk.mp4") as old, av.open(path, "w") as new:
        made = new.add_stream("libx264", rate=25, options={"crf": "1", "preset": "ultrafast"})
        made.width, made.height, made.pix_fmt = 512, 512, "yuv420p"
        for frame in itertools.islice(old.decode(video=0), 3):
            planes = frame.to_ndarray().astype(float)
            planes[:512] = 70 + 0.35 * (planes[:512] - 16)
            planes[512:] = 128 + 0.2 * (planes[512:] - 128)
            new.mux(made.encode(av.VideoFrame.from_ndarray(planes.astype(np.uint8), "yuv420p")))
        new.mux(made.encode(None))


def test_footage_that_looks_like_log_is_told_before_the_work_and_by_a_preview(animate: Animate):
    pale("log.mp4")
    call = ("--curve", "smile2.yaml", "--input", "log.mp4", "--editor", "identity", "--dry-run")
    assert "note: log.mp4: pale, without black or white: log footage?" in animate(*call).stdout
    assert "log footage?" not in animate(*call, "--view", "slog3").stdout
    with pytest.warns(UserWarning, match="log.mp4: pale, without black or white"):
        preview("smile2.yaml", "log.mp4")


def test_a_dry_run_tells_of_each_video_what_its_run_would(animate: Animate):
    Path("day").mkdir()
    Path("talk.mp4").rename("day/talk.mp4")
    Path("day/empty.mp4").touch()
    Path("late.yaml").write_text(SMILE.replace("1.8s", "9f").replace("1.4s", "'01:00:00:00'"))
    dry = animate("--curve", "smile2.yaml", "--input", "day", "--output", "out", "--dry-run")
    assert dry.status == 1
    assert dry.stdout.count("would fail: ") == 1
    assert not Path("out").exists()
    unfit = animate("--curve", "late.yaml", "--input", "day/talk.mp4", "--dry-run")
    assert unfit.status == 1, "a curve that does not fit a clip fails that clip, as in a run"
    assert "would fail: " in unfit.stdout


def test_a_dry_run_of_the_demo_leaves_no_clip_behind(
    animate: Animate, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOME", str(Path.cwd()))
    run = animate("--curve", "smile", "--dry-run")
    assert run.status == 0, run.stderr
    assert str(Path.cwd() / "aureel/demo/demo.smile.mp4") in run.stdout
    assert not Path("aureel").exists()


def test_the_last_lines_name_everything_that_was_made(animate: Animate):
    run = animate(*IDENTITY, "--plot")
    made = {"video": "talk.smile2.mp4", "plot": "talk.smile2.curves.png",
            "sheet": "talk.smile2.frames.png",
            "before and after": "talk.smile2.before_after.mp4",
            "table": "talk.smile2.curves.csv", "report": "report.json"}  # fmt: skip
    lines = [f"{what}: {run.folder / name}" for what, name in made.items()]
    lines.append(f"open first: {run.folder / made['before and after']}")
    assert run.stdout.splitlines()[-len(lines) :] == lines
    assert all((run.folder / name).is_file() for name in made.values())
    without = animate("--curve", "smile2.yaml", "--input", "talk.mp4", "--editor", "previz",
                      "--output", "other.mp4")  # fmt: skip
    assert "plot: " not in without.stdout
    assert without.stdout.splitlines()[-1] == f"open first: {without.folder / 'other.mp4'}"


def test_the_option_of_the_last_release_still_names_the_editor(animate: Animate):
    run = animate(*IDENTITY[:-2], "--engine=identity", "--dry-run")
    assert run.status == 0
    assert run.stderr == "note: --engine is now --editor; this release takes both\n"
    assert "editor: identity (as asked)" in run.stdout


def test_another_clip_can_drive_the_performance(animate: Animate):
    Path("drive.yaml").write_text(
        "version: 1\nimport: {video: talk.mp4, gain: {AU26: 1.5, AU25: 1.5}}\n"
    )
    run = animate("--curve", "drive.yaml", "--input", "talk.mp4", "--editor", "identity")
    assert run.status == 0, run.stderr
    assert run.video["edited_frames"] > 10
    assert "talk.mp4" in str(run.report["settings"]["curve"])


def test_a_driving_video_that_is_not_there_is_named(animate: Animate):
    Path("drive.yaml").write_text("version: 1\nimport: {video: gone.mp4}\n")
    run = animate("--curve", "drive.yaml", "--input", "talk.mp4")
    assert run.status == 2
    assert "gone.mp4" in run.stderr
