"""Calls that cannot reach a Ray are refused in one line, and at once."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from jobs.command_line.stopping import stoppable
from jobs.errors import JobError
from jobs.ray_cluster import cluster

ANIMATE = Path(__file__).resolve().parents[2] / "jobs" / "animate.py"


def _call(*arguments: str, address: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ANIMATE), "--curve", "smile", *arguments]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": "/usr/bin:/bin", "RAY_ADDRESS": address},
    )


def test_an_address_where_nobody_listens_is_refused_at_once(demo: Path, tmp_path: Path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    done = _call("--input", str(demo), "--output", str(tmp_path / "out.mp4"), address=address)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"no Ray at RAY_ADDRESS={address}: Connection refused" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_named_engine_that_is_unknown_is_refused_before_ray_starts(demo: Path, tmp_path: Path):
    done = _call("--editor", "pixie", "--input", str(demo), address="127.0.0.1:9")
    assert done.returncode == 2
    assert "no editor 'pixie'; known: magicface, plate, previz, identity" in done.stderr


def test_who_is_stopped_while_ray_starts_ends_as_stopped(monkeypatch: pytest.MonkeyPatch):
    """Ray takes SIGTERM for itself on its way, and would end the process with status 15 or 1."""

    def start_as_ray_does(_: object) -> None:
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(number))
        signal.alarm(600)  # as its native code, which aborts who takes longer to leave
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

    monkeypatch.setattr(cluster, "_is_there", lambda: False)
    monkeypatch.setattr(cluster.lone_machine, "start_ray", start_as_ray_does)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with stoppable(), pytest.raises(SystemExit) as ended:
        cluster.start()
    assert ended.value.code == 128 + signal.SIGTERM
    assert signal.signal.__name__ == "signal"
    assert signal.alarm(0) == 0


@contextmanager
def somebody(answer: bytes | None) -> Iterator[str]:
    """A listener that is no Ray: silent, or with an answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    line, _ = server.accept()
                    kept.append(line)
                    if answer is not None:
                        line.sendall(answer)
                        line.close()

        kept: list[socket.socket] = []
        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        for line in kept:
            line.close()


@pytest.mark.parametrize("answer", [None, b"", b"HTTP/1.1 400 Bad Request\r\n", b"SSH-2.0-x\r\n"])
def test_who_listens_and_is_no_ray_is_refused_within_seconds(answer):
    with somebody(answer) as address, pytest.raises(JobError, match="who is no Ray head"):
        cluster._check_is_ray(address)
    assert cluster.CONNECT_S + cluster.ANSWER_S <= 3


@pytest.mark.parametrize("address", ["ray://127.0.0.1:10001", "http://127.0.0.1:8265"])
def test_an_address_of_another_kind_is_refused_at_once(address):
    with pytest.raises(JobError, match="expected a head's host:port"):
        cluster._check_is_ray(address)


def interrupt_when(begun: threading.Event) -> None:
    """Not before, or the thread would look for a module of a test that is over."""
    assert begun.wait(120)
    raise KeyboardInterrupt


def test_who_interrupts_the_start_does_not_wait_for_what_is_being_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """As where Ctrl-C had left the import lock taken: then that import never ends."""
    begun, never = threading.Event(), threading.Event()
    monkeypatch.setattr(sys, "has_begun", begun, raising=False)
    monkeypatch.setattr(sys, "never_set", never, raising=False)
    module = "import sys\nnever = sys.never_set\nsys.has_begun.set()\nnever.wait()\n"
    (tmp_path / "imported_for_ever.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KeyboardInterrupt), cluster._imported_meanwhile("imported_for_ever"):
        interrupt_when(begun)
    assert not never.is_set()
    never.set()
