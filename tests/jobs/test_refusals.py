"""Wrong calls as processes of their own, from start to the line that refuses them: a table.

`python -m pytest -m slow -s tests/jobs/test_refusals.py` prints it. Slow: `make test-slow`.
"""

from __future__ import annotations

import os
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from pipeline.media.read.origin import origin_tag

ROOT = Path(__file__).resolve().parents[2]
MOST_S = 3.0
KEYS = "".join(f"    - [{n}f, {n % 5}]\n" for n in range(160_000))
CONCAT = "ffconcat version 1.0\nfile talk.mp4\n"
HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\ntalk.mp4\n#EXT-X-ENDLIST\n"


def _text(name: str, text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(text) and None


def _fifo(folder: Path) -> None:
    os.mkfifo(folder / "pipe.mp4")


def _results(folder: Path) -> None:
    (folder / "made").mkdir()
    with av.open(str(folder / "made/talk.smile.mp4"), "w") as made:
        made.metadata.update(origin_tag("mp4", {}))
        stream = made.add_stream("mpeg4", 25)
        stream.width = stream.height = 64
        made.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        made.mux(stream.encode(None))


def _not_utf8(folder: Path) -> None:
    (folder / "latin").mkdir()
    shutil.copy2(folder / "talk.mp4", os.fsencode(folder / "latin") + b"/caf\xe9.mp4")


def _long_name(folder: Path) -> None:
    (folder / "long").mkdir()
    shutil.copy2(folder / "talk.mp4", folder / "long" / ("n" * 245 + ".mp4"))


SMILE, IN, OVER = ("--curve", "smile"), ("--input", "talk.mp4"), ("--overwrite",)
WRONG = {
    "curve of 2 MB": (
        _text("big.yaml", f"version: 1\nchannels:\n  AU12:\n{KEYS}"),
        ("--curve", "big.yaml", "--input", "talk.mp4"),
        "a curve file may have",
    ),
    "/etc/shadow as a table": (
        _text("secret.yaml", "version: 1\nimport: {file: /etc/shadow}\n"),
        ("--curve", "secret.yaml", "--input", "talk.mp4"),
        "/etc/shadow",
    ),
    "named pipe": (_fifo, (*SMILE, "--input", "pipe.mp4"), "no regular file"),
    "/dev/zero": (None, (*SMILE, "--input", "/dev/zero"), "no regular file"),
    "ffconcat as x.mp4": (_text("x.mp4", CONCAT), (*SMILE, "--input", "x.mp4"), "x.mp4"),
    "HLS as x.mp4": (_text("x.mp4", HLS), (*SMILE, "--input", "x.mp4"), "x.mp4"),
    "ray://": (None, (*SMILE, "--input", "talk.mp4"), "expected a head's host:port"),
    "the input as output": (None, (*SMILE, *IN, "--output", "sub/../talk.mp4", *OVER), "the input"),
    "the input by a linked folder": (
        lambda folder: (folder / "link").symlink_to("."),
        (*SMILE, *IN, "--output", "link/talk.mp4", *OVER),
        "footage is never overwritten",
    ),
    "a hard link to the input": (
        lambda folder: (folder / "o.mp4").hardlink_to(folder / "talk.mp4"),
        (*SMILE, *IN, "--output", "o.mp4", *OVER),
        "footage is never overwritten",
    ),
    "a folder of results alone": (_results, (*SMILE, "--input", "made"), "were left out"),
    "a folder without videos": (
        lambda folder: (folder / "empty").mkdir(),
        (*SMILE, "--input", "empty"),
        "no video in this folder",
    ),
    "a name that is not UTF-8": (_not_utf8, (*SMILE, "--input", "latin"), "its name is not UTF-8"),
    "a name of 249 bytes": (_long_name, (*SMILE, "--input", "long"), "result's name would have"),
    "RAY_ADDRESS, silent": (None, (*SMILE, "--input", "talk.mp4"), "who is no Ray head"),
    "RAY_ADDRESS, nobody": (None, (*SMILE, "--input", "talk.mp4"), "no Ray at RAY_ADDRESS"),
}


def _refused(folder: Path, arguments: tuple[str, ...], address: str) -> tuple[float, float, str]:
    """Wall and CPU seconds of a call, and the one line that it ends with."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_ADDRESS": address}
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        [sys.executable, str(ROOT / "jobs/animate.py"), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return time.monotonic() - begun, cpu_s, done.stderr


@pytest.mark.slow
def test_each_wrong_call_is_refused_in_one_line_within_seconds(demo: Path, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        addresses = {
            "ray://": "ray://127.0.0.1:10001",
            "RAY_ADDRESS, silent": f"127.0.0.1:{silent.getsockname()[1]}",
            "RAY_ADDRESS, nobody": f"127.0.0.1:{free.getsockname()[1]}",
        }
        took: dict[str, tuple[float, float]] = {}
        for number, (name, (prepare, arguments, says)) in enumerate(WRONG.items()):
            folder = tmp_path / str(number)
            folder.mkdir()
            shutil.copy2(demo, folder / "talk.mp4")
            os.utime(folder / "talk.mp4", (1e9, 1e9))  # or it would be waited for
            if prepare is not None:
                prepare(folder)
            wall_s, cpu_s, line = _refused(folder, arguments, addresses.get(name, ""))
            took[name] = wall_s, cpu_s
            print(f"{name:24} {wall_s:5.2f} s  {cpu_s:5.2f} CPU-s  {line.strip()[:100]}")
            assert says in line
            assert "root:" not in line, "what another file says is no part of a message"
            assert (folder / "talk.mp4").read_bytes() == demo.read_bytes()
            assert not list(folder.rglob("_work"))
    assert {name: cpu_s for name, (_, cpu_s) in took.items() if cpu_s > MOST_S} == {}


@pytest.mark.slow
def test_a_run_with_a_long_tmpdir_is_made(demo: Path, tmp_path: Path):
    long = tmp_path / ("t" * 90)
    long.mkdir()
    shutil.copy2(demo, tmp_path / "talk.mp4")
    call = ["--curve", "smile", "--editor", "identity", "--input", "talk.mp4"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "jobs/animate.py"), *call],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(long), "RAY_ADDRESS": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "talk.smile.mp4").is_file()
