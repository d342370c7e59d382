"""One builder at a time, and a dead one does not block the rest."""

import json
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from engines.trt.errors import EngineBuildError
from engines.trt.lock import build_lock


def _count_up(folder, rounds):
    counter = folder / "counter"
    for _ in range(rounds):
        with build_lock(folder / "x.lock"):
            value = int(counter.read_text())
            time.sleep(0.01)
            counter.write_text(str(value + 1))


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
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    claim = {"host": socket.gethostname(), "pid": dead.pid, "token": "t"}
    (tmp_path / "x.lock").write_text(json.dumps(claim))
    began = time.monotonic()
    with build_lock(tmp_path / "x.lock", stale_s=60):
        assert time.monotonic() - began < 5


def test_a_claim_that_nobody_touches_becomes_stale(tmp_path):
    (tmp_path / "x.lock").write_text('{"host": "node-that-vanished", "pid": 1, "token": "t"}')
    began = time.monotonic()
    with build_lock(tmp_path / "x.lock", stale_s=0.4):
        assert 0.3 < time.monotonic() - began < 5


def test_a_holder_that_is_alive_is_waited_for_and_named(tmp_path):
    told = []
    release = threading.Event()

    def hold():
        with build_lock(tmp_path / "x.lock", stale_s=0.4):
            release.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    while not (tmp_path / "x.lock").exists():
        time.sleep(0.01)
    with (
        pytest.raises(EngineBuildError) as caught,
        build_lock(tmp_path / "x.lock", stale_s=0.4, wait_s=1.2, on_wait=told.append),
    ):
        pass
    release.set()
    holder.join()
    who = f"process {os.getpid()} on {socket.gethostname()}"
    assert told == [f"waiting for {who}, which is making x"]
    assert f"x: {who} has been making it for more than 1 s" in str(caught.value)


def test_the_claim_is_let_go_when_the_build_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), build_lock(tmp_path / "x.lock"):
        _ = 1 / 0
    assert not (tmp_path / "x.lock").exists()
