"""Calls that cannot reach a Ray are refused in one line, and at once."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

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
