"""Fixtures shared by all rooms: where the optional real material lies; and who runs beside whom."""

import logging
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from jobs.ray_cluster.cluster import be_quiet
from pipeline.storage.stores import WITHOUT_ZONES, store_of

be_quiet()  # before any test imports Ray
SHARED = Path(__file__).resolve().parent.parent.parent / "shared"
EXPORTED_GRAPHS = (
    "engines/editors/magicface",
    "engines/trt",
    "test_build_engines",
    "test_magicface_onnxruntime",
)
"""In the paths of tests over graphs and plans, which a process makes once, in minutes."""


class SharedProcesses(LoadScopeScheduling):
    """Which tests share a process: those of a file, all that need Ray, all over exported graphs."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        if any(word in path for word in EXPORTED_GRAPHS):
            return "exported graphs"
        return "ray" if "/jobs/" in path else path  # a second Ray would starve both

    def remove_node(self, node: WorkerController) -> str | None:
        """A test that ended its process counts as run, or it would end each that comes after."""
        for unit in self.assigned_work[node].values():
            for test, done in unit.items():
                if not done:
                    unit[test] = True
                    super().remove_node(node)
                    return test
        return super().remove_node(node)


class FailuresAtOnce:
    """Tells a failure when it happens: a run that is cut short never comes to its summary."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if report.failed and terminal is not None:
            crash = getattr(report.longrepr, "reprcrash", None)
            words = crash.message if crash else report.longreprtext
            terminal.write_line(f"\nFAILED in {report.when} {report.nodeid}\n{words}")


def pytest_configure(config: pytest.Config) -> None:
    """In the process that has the terminal."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(FailuresAtOnce(config))


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> SharedProcesses:
    """Taken with `-n N`."""
    return SharedProcesses(config, log)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real clips and golden tensors; tests that need it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    """Where an S3 of this session is, or will be once a test asks for it; all processes know it."""
    with socket.socket() as free, pytest.MonkeyPatch.context() as patch:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
        patch.setenv("AWS_ENDPOINT_URL", address)
        patch.setenv("AWS_ACCESS_KEY_ID", "aureel")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "unsaid-secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        free.close()
        yield address


@pytest.fixture(scope="session")
def s3_server(s3_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An S3 server on loopback, in a process of its own."""
    pytest.importorskip("moto")
    log = tmp_path_factory.mktemp("s3") / "log"
    port = s3_address.rpartition(":")[2]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", port]
    with log.open("w") as told:
        server = subprocess.Popen(command, stdout=told, stderr=told, env=dict(os.environ))
    try:
        for _ in range(300):
            with suppress(OSError), urllib.request.urlopen(f"{s3_address}/moto-api/", timeout=1):
                break
            if server.poll() is not None:
                break
            time.sleep(0.1)
        else:
            pytest.fail(f"no S3 server came up: {log.read_text()}")
        yield s3_address
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., str]:
    """A bucket of the test's own; gives URLs in it. Copies of its objects lie in `tmp_path`."""
    import s3fs

    monkeypatch.setenv("AUREEL_CACHE", str(tmp_path / "cache"))
    name = f"b{uuid4().hex[:12]}"
    s3fs.S3FileSystem().mkdir(name)
    return lambda *parts: "/".join((f"s3://{name}", *parts))


@pytest.fixture(scope="session")
def gs_address() -> Iterator[str]:
    """Where Google's store of this session is, or will be; all processes know it."""
    with socket.socket() as free, pytest.MonkeyPatch.context() as patch:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
        patch.setenv("STORAGE_EMULATOR_HOST", address)
        patch.setenv(*WITHOUT_ZONES)  # before whoever imports gcsfs
        free.close()
        yield address


@pytest.fixture(scope="session")
def gs_server(gs_address: str) -> Iterator[str]:
    """A server that speaks Google's JSON API on loopback, on a thread of this process."""
    emulator = pytest.importorskip("gcp_storage_emulator.server")
    port = int(gs_address.rpartition(":")[2])
    logging.getLogger("gcp_storage_emulator").setLevel(logging.CRITICAL)
    with emulator.create_server("127.0.0.1", port, in_memory=True):
        yield gs_address


@pytest.fixture
def gs_bucket(
    gs_server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., str]:
    """As `bucket`, of Google's."""
    pytest.importorskip("gcsfs")
    monkeypatch.setenv("AUREEL_CACHE", str(tmp_path / "cache"))
    name = f"b{uuid4().hex[:12]}"
    store_of(f"gs://{name}/")[0].mkdir(name)
    return lambda *parts: "/".join((f"gs://{name}", *parts))
