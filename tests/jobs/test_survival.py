"""What an unlucky operator does, as real jobs on a small clip."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from jobs.command_line import progress
from jobs.command_line.room import RoomTeller
from pipeline.demo.clip import make_demo_clip
from pipeline.run_folder.lease import Run
from tests.jobs.conftest import SMILE, Animate


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "none", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


CALL = ("--curve", "smile2.yaml", "--editor", "identity", "--input")


def test_a_second_run_of_an_output_is_told_who_is_writing_it(animate: Animate):
    with Run("another", Path("_work").absolute()) as other:
        other.claim(Path("talk.smile2.mp4").absolute())
        run = animate(*CALL, "talk.mp4")
        assert run.status == 2
        assert f"process {os.getpid()}" in run.stderr
        assert "is writing this" in run.stderr
    assert animate(*CALL, "talk.mp4").status == 0
    assert not list(Path.cwd().rglob(".aureel-*"))


def test_a_piece_of_another_curve_is_never_taken_for_ours(animate: Animate):
    """All that two runs could leave in one folder, under the old names and the new."""
    Path("sad2.yaml").write_text(SMILE.replace("AU12", "AU15"))
    editor = ("--editor", "tests.fakes:BatchEditor", "--input", "talk.mp4", "--overwrite")
    assert animate("--curve", "smile2.yaml", *editor, "--output", "o.mp4").status == 0
    smile = Path("o.mp4").read_bytes()
    assert animate("--curve", "sad2.yaml", "--editor", "tests.fakes:FailingEditor",
                   *editor[2:], "--output", "o.mp4").status == 1  # fmt: skip
    job = next(Path("_work").rglob("plan-*.parquet")).parent
    for plan in job.glob("plan-*.parquet"):
        shutil.copy2(plan, job / "plan.parquet")
    assert animate("--curve", "smile2.yaml", *editor, "--output", "o.mp4").status == 0
    assert Path("o.mp4").read_bytes() == smile


def test_three_stops_by_the_operator_poison_nothing(animate: Animate):
    Path(os.environ["AUREEL_TEST_KILLS"]).write_text("99")
    killer = ("--curve", "smile2.yaml", "--editor", "tests.fakes:KillerEditor",
              "--input", "talk.mp4")  # fmt: skip
    failed = animate(*killer)
    assert "its worker died 3 times in this run" in failed.video["error"]
    assert "run again to try it anew" in failed.video["error"]
    Path(os.environ["AUREEL_TEST_KILLS"]).write_text("0")
    assert animate(*killer).video["status"] == "done"


def test_a_segment_that_hangs_is_stopped_and_begun_again_but_not_for_ever(animate: Animate):
    Path(os.environ["AUREEL_TEST_KILLS"]).write_text("99")
    run = animate("--curve", "smile2.yaml", "--input", "talk.mp4", "--editor",
                  "tests.fakes:HangingEditor", "--stuck-after", "4")  # fmt: skip
    assert run.video["status"] == "failed"
    assert "made no progress for 4 s and was stopped, 3 times" in run.video["error"]
    (where,) = re.findall(r"(/\S+/render-\S+\.try\.2) says where", run.video["error"])
    assert "fakes.py" in Path(where).read_text()
    assert Path(os.environ["AUREEL_TEST_KILLS"]).read_text() == "96"


def test_a_source_that_is_replaced_under_the_run_gives_nothing(animate: Animate):
    make_demo_clip(Path("other.mp4"), seconds=2.0, size=(480, 480))
    Path(os.environ["AUREEL_TEST_KILLS"]).write_text(str(Path.cwd()))
    call = ("--curve", "smile2.yaml", "--input", "talk.mp4", "--editor")
    run = animate(*call, "tests.fakes:SwappingEditor")
    assert run.status == 1
    assert "talk.mp4: was replaced" in run.video["error"]
    assert "while the job ran; nothing was made of it" in run.video["error"]
    assert not Path("talk.smile2.mp4").exists()
    assert animate(*call, "identity").video["status"] == "done"  # of the take that is there now


def test_footage_that_is_being_written_is_refused_where_that_is_asked(
    animate: Animate, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("jobs.command_line.settling.SETTLE_S", 3.0)
    Path("talk.mp4").touch()
    run = animate(*CALL, "talk.mp4", "--growing", "refuse")
    assert run.status == 2
    assert "talk.mp4: was written to a moment ago; run again once it is whole" in run.stderr
    assert not Path("_work").exists()


def test_a_playlist_that_was_just_written_is_refused_without_waiting_for_more_of_it(
    animate: Animate, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("jobs.command_line.settling.SETTLE_S", 3600.0)
    Path("x.mp4").write_text("ffconcat version 1.0\nfile talk.mp4\n")
    run = animate(*CALL, "x.mp4")
    assert run.status == 2
    assert "x.mp4: cannot be opened as a video" in run.stderr
    assert "waiting" not in run.stdout


def test_a_full_disk_stops_the_run_until_there_is_room(
    animate: Animate, small_disk: Path, monkeypatch: pytest.MonkeyPatch
):
    filler = small_disk / "filler"
    with suppress(OSError):  # full
        filler.write_bytes(bytes(32 << 20))
    monkeypatch.setattr(progress, "PLAIN_PERIOD_S", 0.1)
    tell = RoomTeller.tell

    def tell_and_make_room(self: RoomTeller) -> None:
        tell(self)
        if self.waits:
            filler.unlink(missing_ok=True)

    monkeypatch.setattr(RoomTeller, "tell", tell_and_make_room)
    run = animate(*CALL, "talk.mp4", "--work", str(small_disk / "work"))
    assert run.video["status"] == "done", run.video
    assert run.stdout.count(f"no room left on the disk of {small_disk}/work: waiting") == 1
    assert not list(small_disk.rglob("no-room.*"))


def test_a_folder_run_again_makes_no_results_of_results(animate: Animate):
    assert animate(*CALL, ".").status == 0
    again = animate(*CALL, ".", "--overwrite")
    assert [Path(v["input"]).name for v in again.report["videos"]] == ["talk.mp4"]
    assert "1 results of earlier runs among the inputs were left out" in again.stdout
    shutil.rmtree("_work")  # then by the container's tag
    last = animate(*CALL, ".", "--overwrite")
    assert [Path(v["input"]).name for v in last.report["videos"]] == ["talk.mp4"]


def test_two_names_of_one_file_give_two_outputs_and_one_analysis(animate: Animate):
    Path("other.mp4").hardlink_to("talk.mp4")
    Path("bad.mp4").symlink_to("nowhere")
    run = animate(*CALL, ".", "missing.mp4", "--report", "report.json")
    assert run.status == 1  # the bad entries, each with its line
    entries = {Path(v["input"]).name: v for v in run.report["videos"]}
    assert [entries[n]["status"] for n in ("talk.mp4", "other.mp4")] == ["done", "done"]
    assert "does not exist" in entries["missing.mp4"]["error"]
    assert "link to nothing" in entries["bad.mp4"]["error"]
    assert Path("talk.smile2.mp4").read_bytes() == Path("other.smile2.mp4").read_bytes()
    assert len(list(Path("_work").rglob("analysis-*.parquet"))) == 1


def test_the_report_is_there_from_the_start(animate: Animate, monkeypatch: pytest.MonkeyPatch):
    import jobs.animation.run as running

    def killed(*_: object) -> None:
        (entry,) = json.loads(Path("report.json").read_text())["videos"]
        assert entry["error"].startswith("not ended")
        raise SystemExit(143)

    monkeypatch.setattr(running, "run", killed)
    with pytest.raises(SystemExit):
        animate(*CALL, "talk.mp4")
    (entry,) = json.loads(Path("report.json").read_text())["videos"]
    assert entry["error"].startswith("interrupted")
