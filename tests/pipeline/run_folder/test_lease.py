import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from pipeline.errors import PipelineError
from pipeline.partials import partial_path
from pipeline.run_folder.lease import BusyError, Owner, Run, check_claimed, claim_path

HOLD = """
import sys, time
from pathlib import Path
from pipeline.partials import partial_path
from pipeline.run_folder.lease import Run
run = Run("other", Path(sys.argv[2]))
run.claim(Path(sys.argv[1]))
alone, shared = (Path(sys.argv[2]) / name for name in ("alone", "shared"))
run.writes_in([alone], [shared])
for folder in (alone, shared):
    folder.mkdir()
    partial_path(folder / "x.mp4").touch()
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def other(tmp_path):
    """Another process that writes `o.mp4`."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "o.mp4"), str(tmp_path / "work")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_run_is_told_who_writes_and_since_when(other, tmp_path):
    with Run("ours", tmp_path / "work2") as run:
        says = rf"another run \(host \S+, process {other.pid}, since \d{{4}}-.*\) is writing this"
        with pytest.raises(BusyError, match=says):
            run.claim(tmp_path / "o.mp4")
        run.claim(tmp_path / "p.mp4")


def test_a_paused_run_keeps_its_output_and_a_killed_one_loses_it_at_once(other, tmp_path):
    os.kill(other.pid, signal.SIGSTOP)
    with Run("ours", tmp_path / "work") as run:
        with pytest.raises(BusyError):
            run.claim(tmp_path / "o.mp4")
        other.kill()
        other.wait()
        run.claim(tmp_path / "o.mp4")
        check_claimed(tmp_path / "o.mp4", "ours")
        assert not list((tmp_path / "work").glob(".aureel-other.run"))
        with pytest.raises(PipelineError, match="was taken over by another run"):
            check_claimed(tmp_path / "o.mp4", "other")


def half_written(work):
    return sorted(path.parent.name for path in work.glob("*/.aureel-*"))


def test_who_takes_a_dead_runs_output_over_removes_what_it_left_half_written(other, tmp_path):
    """Also in the folder of a source that has been replaced since, which nobody visits again."""
    assert half_written(tmp_path / "work") == ["alone", "shared"]
    other.kill()
    other.wait()
    with Run("ours", tmp_path / "work2") as run:
        run.claim(tmp_path / "o.mp4")
        assert half_written(tmp_path / "work") == []


def test_a_run_leaves_nothing_half_written_at_its_end_and_others_alone(tmp_path):
    """What lies in its own folder is litter by then, whoever wrote it; elsewhere, of the dead."""
    with Run("ours", tmp_path / "work") as run:
        for name in ("alone", "shared"):
            (tmp_path / "work" / name).mkdir(parents=True)
            partial_path(tmp_path / "work" / name / "x.mp4").touch()
        run.claim(tmp_path / "o.mp4")
        run.writes_in([tmp_path / "work" / "alone"], [tmp_path / "work" / "shared"])
    assert half_written(tmp_path / "work") == ["shared"]


def test_a_claim_is_known_by_another_name_of_the_folder(other, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    with Run("ours", tmp_path / "work") as run, pytest.raises(BusyError):
        run.claim(tmp_path / "link" / "o.mp4")


def test_a_run_of_another_machine_is_judged_by_its_lock(other, tmp_path):
    lock = next((tmp_path / "work").glob("*.run"))
    elsewhere = replace(Owner.here("other", lock), place="another boot", host="far")
    assert not elsewhere.is_dead()
    other.kill()
    other.wait()
    assert elsewhere.is_dead()
    assert not replace(elsewhere, lock="/nowhere/here/x.run").is_dead()  # cannot be known


def test_a_process_number_that_was_given_again_is_not_the_owner(tmp_path):
    ours = Owner.here("ours", tmp_path / "x.run")
    assert not ours.is_dead()
    assert replace(ours, started=ours.started - 100).is_dead()


def test_an_ended_run_leaves_nothing_behind(tmp_path):
    with Run("ours", tmp_path) as run:
        run.claim(tmp_path / "o.mp4")
        assert claim_path(tmp_path / "o.mp4").exists()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(PipelineError, match="its claim is gone"):
        check_claimed(tmp_path / "o.mp4", "ours")
