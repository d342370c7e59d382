"""One builder at a time, and a dead one does not block the rest."""

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from engines.trt.errors import PlanBuildError
from engines.trt.store.lock import build_lease

HOLD = """
import sys, time
from pathlib import Path
from engines.trt.store.lock import build_lease
with build_lease(Path(sys.argv[1]), lease_s=float(sys.argv[2])):
    print("held", flush=True)
    time.sleep(60)
"""


def _count_up(folder, rounds):
    counter = folder / "counter"
    for _ in range(rounds):
        with build_lease(folder / "x.lock"):
            value = int(counter.read_text())
            time.sleep(0.01)
            counter.write_text(str(value + 1))


def _holder(path, lease_s):
    """Another process that holds the claim."""
    command = [sys.executable, "-c", HOLD, str(path), str(lease_s)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_processes_take_turns(tmp_path):
    (tmp_path / "counter").write_text("0")
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_count_up, args=(tmp_path, 4)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [w.exitcode for w in workers] == [0, 0, 0]
    assert (tmp_path / "counter").read_text() == "12"
    assert not (tmp_path / "x.lock").exists()


def test_a_claim_of_a_process_that_died_here_is_broken_at_once(tmp_path):
    with _holder(tmp_path / "x.lock", 60) as dead:
        dead.kill()
    assert (tmp_path / "x.lock").exists()
    began = time.monotonic()
    with build_lease(tmp_path / "x.lock", lease_s=60):
        assert time.monotonic() - began < 5


def test_a_claim_of_another_machine_that_nobody_touches_becomes_stale(tmp_path):
    with _holder(tmp_path / "x.lock", 0.4) as dead:
        dead.kill()
    there = (tmp_path / "x.lock").read_text().replace(socket.gethostname(), "node-that-vanished")
    (tmp_path / "x.lock").write_text(there)
    began = time.monotonic()
    with build_lease(tmp_path / "x.lock", lease_s=0.4):
        assert 0.3 < time.monotonic() - began < 5


def test_a_holder_that_paused_for_less_than_its_lease_keeps_its_claim(tmp_path):
    with _holder(tmp_path / "x.lock", 2) as holder:
        holder.send_signal(signal.SIGSTOP)
        try:
            with (
                pytest.raises(PlanBuildError),
                build_lease(tmp_path / "x.lock", lease_s=2, wait_s=1),
            ):
                pass
        finally:
            holder.send_signal(signal.SIGCONT)
        with pytest.raises(PlanBuildError), build_lease(tmp_path / "x.lock", lease_s=2, wait_s=3):
            pass
        holder.kill()


def test_a_holder_that_is_alive_is_waited_for_and_named(tmp_path):
    said = []
    held, release = threading.Event(), threading.Event()

    def hold():
        with build_lease(tmp_path / "x.lock", lease_s=0.4):
            held.set()
            release.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(10)
    with (
        pytest.raises(PlanBuildError) as caught,
        build_lease(tmp_path / "x.lock", lease_s=0.4, wait_s=1.2, on_wait=said.append),
    ):
        pass
    release.set()
    holder.join()
    who = f"process {os.getpid()} on {socket.gethostname()}"
    assert said == [f"waiting for {who}, which is making x"]
    assert f"x: {who} has been making it for more than 1 s" in str(caught.value)


def test_the_claim_is_let_go_when_the_build_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), build_lease(tmp_path / "x.lock"):
        _ = 1 / 0
    assert not (tmp_path / "x.lock").exists()
