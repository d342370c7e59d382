"""Nothing leaves the machine: not from our code, not from a dependency's, not from Ray's."""

from __future__ import annotations

import ipaddress
import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
WITNESS = '''
"""Loaded by every Python process of the job: writes down whom it tries to reach."""
import ipaddress, os, socket, sys

def _local(host):
    if host in (None, "", b"", "localhost", socket.gethostname()):
        return True
    try:
        address = ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified

def _watch(event, arguments):
    if event == "socket.connect" or event == "socket.sendto":
        target = arguments[1]
        host = target[0] if isinstance(target, tuple) else None
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = arguments[0]
    else:
        return
    if not _local(host):
        with open(os.environ["AUREEL_WITNESS"], "a") as out:
            out.write(f"{event} {host!r} {sys.argv[:2]}\\n")

with open(os.environ["AUREEL_WITNESS"] + ".processes", "a") as out:
    out.write(f"{os.getpid()}\\n")
sys.addaudithook(_watch)
'''


def is_loopback(text: str) -> bool:
    address = ipaddress.ip_address(text)
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


class OutsideConnections(threading.Thread):
    """Polls the job's processes, native ones too, for connections that are not on loopback."""

    def __init__(self, job: psutil.Process) -> None:
        super().__init__(daemon=True)
        self.job = job
        self.found: set[str] = set()
        self.seen = 0
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.wait(0.05):
            try:
                family = [self.job, *self.job.children(recursive=True)]
            except psutil.NoSuchProcess:
                return
            for process in family:
                self._look(process)

    def _look(self, process: psutil.Process) -> None:
        try:
            connections = process.net_connections(kind="inet")
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return
        self.seen += len(connections)
        for connection in connections:
            if connection.raddr and not is_loopback(connection.raddr.ip):
                self.found.add(f"{process.name()} → {connection.raddr}")


def run_watched(tmp_path: Path, *arguments: str) -> tuple[subprocess.CompletedProcess, str, set]:
    (tmp_path / "sitecustomize.py").write_text(WITNESS)
    witness = tmp_path / "witness.txt"
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("RAY_")},
        "PYTHONPATH": str(tmp_path),
        "AUREEL_WITNESS": str(witness),
        "HOME": str(tmp_path),
    }
    command = [sys.executable, str(ROOT / "jobs" / "animate.py"), *arguments]
    with subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as job:
        watch = OutsideConnections(psutil.Process(job.pid))
        watch.start()
        out, err = job.communicate(timeout=240)
        watch.done.set()
        watch.join()
    assert watch.seen, "the watch saw no socket at all: it cannot have looked at Ray"
    processes = Path(f"{witness}.processes").read_text().split()
    assert len(set(processes)) >= 3, "driver and workers must all carry the witness"
    tried = witness.read_text() if witness.exists() else ""
    return subprocess.CompletedProcess(command, job.returncode, out, err), tried, watch.found


def test_a_whole_job_reaches_nobody(tmp_path: Path, demo: Path):
    output = tmp_path / "made.mp4"
    done, tried, connected = run_watched(
        tmp_path, "--curve", "smile", "--input", str(demo), "--output", str(output), "--plot"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert output.is_file()
    assert tried == ""
    assert connected == set()


def test_the_witness_would_notice(tmp_path: Path):
    (tmp_path / "sitecustomize.py").write_text(WITNESS)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "AUREEL_WITNESS": f"{tmp_path}/w"}
    code = "import socket; s = socket.socket(); s.settimeout(0.1); s.connect_ex(('192.0.2.1', 9))"
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert "192.0.2.1" in (tmp_path / "w").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's")
def test_a_job_works_on_a_machine_without_a_network(tmp_path: Path, demo: Path):
    isolated = ["unshare", "--user", "--map-root-user", "--net"]
    if subprocess.run([*isolated, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not allow network namespaces")
    loopback_up = (
        "import fcntl, os, socket, struct, sys\n"
        "s = socket.socket()\n"
        "fcntl.ioctl(s, 0x8914, struct.pack('16sh', b'lo', 0x49))\n"
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    )
    output = tmp_path / "made.mp4"
    done = subprocess.run(
        [
            *(*isolated, sys.executable, "-c", loopback_up, str(ROOT / "jobs" / "animate.py")),
            *("--curve", "smile", "--input", str(demo), "--output", str(output)),
        ],
        env={k: v for k, v in os.environ.items() if not k.startswith("RAY_")},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert output.is_file()
