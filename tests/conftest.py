"""Fixtures shared by all rooms: where the optional real material lies; and who runs beside whom."""

from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from jobs.ray_cluster.cluster import be_quiet

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
