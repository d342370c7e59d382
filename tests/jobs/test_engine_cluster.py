"""Plans on a cluster of several Ray nodes, all on this machine, each with its own store.

A node's GPU is pretended: Ray is told a number, and torch in the node's processes tells a name and
a generation. TensorRT-RTX builds for them in earnest; it can run nothing. Slow: `make test-slow`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engines.editors.magicface.backends.ports import COMPONENTS
from engines.editors.magicface.folders import BASE_FOLDERS, OWN_FOLDERS
from engines.trt.store.cache import PlanCache
from engines.trt.store.entry import CacheEntry
from tests.engines.weights.fake_hub import COMMIT, REPO, FakeHub

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
pytest.importorskip("tensorrt_rtx")
stores = pytest.importorskip(
    "tests.engines.editors.magicface.backends.stores", exc_type=ImportError
)
ROOT = Path(__file__).resolve().parents[2]
PRETENDED_GPU = '''
"""Python imports this by itself: torch tells of the GPU that AUREEL_TEST_GPU names."""
import contextlib, importlib.machinery, os, sys

class _Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "torch.cuda":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        load = spec.loader.exec_module

        def load_and_pretend(module):
            load(module)
            name, sm = os.environ["AUREEL_TEST_GPU"].split(",")
            module.is_available = lambda: True
            module.device_count = lambda: 1
            module.device = lambda _: contextlib.nullcontext()
            module.get_device_name = lambda device=None: name
            module.get_device_capability = lambda device=None: divmod(int(sm), 10)

        spec.loader.exec_module = load_and_pretend
        return spec

if os.environ.get("AUREEL_TEST_GPU"):
    sys.meta_path.insert(0, _Finder)
'''
L4, BLACKWELL = "NVIDIA L4,89", "NVIDIA RTX PRO 6000,120"
CURVE = "version: 1\nchannels:\n  AU12: [[0.2s, 0], [0.3s, 3], [0.4s, 3], [0.5s, 0]]\n"


@dataclass
class Nodes:
    """Ray nodes of this machine."""

    cluster: Any
    folder: Path

    def add(self, name: str, gpu: str = "", cache: Path | None = None, **resources: float) -> Path:
        """Another node; its store's folder, on a GPU node with the graphs that other tests made,
        unless it has a cache of its own for weights that come from a hub."""
        store = self.folder / name
        store.mkdir()
        if gpu and cache is None:
            self._link_graphs(store)
        environment = {
            "AUREEL_PLANS": str(store),
            "AUREEL_TEST_GPU": gpu,
            "PYTHONPATH": os.pathsep.join([str(self.folder / "python"), str(ROOT)]),
        }
        if cache is not None:
            environment["AUREEL_CACHE"] = str(cache)
        memory = 600 * 2**20
        self.cluster.add_node(env_vars=environment, object_store_memory=memory, **resources)
        return store

    @staticmethod
    def _link_graphs(store: Path) -> None:
        golden = [stores.golden_store()] if stores.GOLDEN.is_dir() else []
        for made in (stores.small_store(), *golden):
            for graph in made.root.glob("*-graph-*"):
                (store / graph.name).symlink_to(graph)

    def run(self, *arguments: Any) -> subprocess.CompletedProcess[str]:
        """A command of jobs/ on this cluster."""
        environment = {**os.environ, "RAY_ADDRESS": self.cluster.address, "COLUMNS": "500"}
        script, *rest = map(str, arguments)
        return subprocess.run(
            [sys.executable, str(ROOT / "jobs" / script), *rest],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nodes]:
    """A head without a GPU and without anything to build with."""
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # a token is for a machine's private Ray
    from ray.cluster_utils import Cluster

    (tmp_path / "python").mkdir()
    (tmp_path / "python" / "sitecustomize.py").write_text(PRETENDED_GPU)
    cluster = Cluster()
    made = Nodes(cluster, tmp_path)
    try:
        made.add("head", num_cpus=1, include_dashboard=False)
        yield made
    finally:
        cluster.shutdown()


def plans(store: Path) -> dict[str, CacheEntry]:
    return {e.component: e for e in PlanCache(store).entries() if e.kind == "plan"}


def test_each_gpu_type_is_built_once_and_copied_and_never_again(nodes: Nodes):
    ada = [nodes.add(f"ada{i}", L4, num_cpus=2, num_gpus=1) for i in range(2)]
    blackwell = nodes.add("blackwell", BLACKWELL, num_cpus=2, num_gpus=1)
    call = ("build_engines.py", "--weights", stores.small_weights(), "--batch", "1..2..3")
    built = nodes.run(*call)
    assert built.returncode == 0, built.stdout + built.stderr
    for label, copies in (("GPU NVIDIA L4 (SM89)", 4), ("GPU NVIDIA RTX PRO 6000 (SM120)", 0)):
        lines = [line for line in built.stdout.splitlines() if line.startswith(label)]
        assert sum("made" in line and "plan" in line for line in lines) == 4, built.stdout
        assert sum("copied to 1 more" in line for line in lines) == copies
    first, second = map(plans, ada)
    assert set(first) == set(second) == set(plans(blackwell)) == set(COMPONENTS)
    for component, entry in first.items():
        assert entry.facts["target"] == "sm89"
        assert entry.made == second[component].made, "a copy, down to the time it was made"
        assert second[component].faults(hashes=True) == []
    assert {e.facts["target"] for e in plans(blackwell).values()} == {"sm120"}
    assert plans(nodes.folder / "head") == {}

    again = nodes.run(*call)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "GPU NVIDIA L4 (SM89): plans found on all of 2" in again.stdout
    assert "GPU NVIDIA RTX PRO 6000 (SM120): plans found on all of 1" in again.stdout
    assert "made" not in again.stdout

    shutil.rmtree(first["denoiser"].folder)
    mended = nodes.run(*call, "--target", "sm89")
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert "made" not in mended.stdout
    assert "found denoiser plan" in mended.stdout
    assert mended.stdout.count("copied to 1 more") == 1
    assert "GPU NVIDIA RTX PRO 6000 (SM120): not SM89; left out" in mended.stdout
    assert plans(ada[0])["denoiser"].made == second["denoiser"].made


def test_what_a_build_task_says_arrives_in_one_line(nodes: Nodes):
    nodes.add("hopper", "NVIDIA H200,90", num_cpus=2, num_gpus=1)
    call = ("build_engines.py", "--weights", stores.small_weights())
    refused = nodes.run(*call, "--backend", "tensorrt-rtx")
    assert refused.returncode == 2
    assert refused.stderr.startswith("build-engines: target SM90: TensorRT-RTX 1.7")
    assert refused.stderr.count("\n") == 1
    refused = nodes.run(*call)
    assert refused.returncode == 2
    assert "--backend auto for SM90: TensorRT-RTX is for 75, 86" in refused.stderr
    assert refused.stderr.count("\n") == 1


def _animate(nodes: Nodes, shared: Path, weights: Path, *arguments: str) -> Any:
    shutil.copy2(shared / "media/clips/d18.mp4", nodes.folder / "d18.mp4")
    (nodes.folder / "short.yaml").write_text(CURVE)
    return nodes.run(
        *("animate.py", "--curve", "short.yaml", "--input", "d18.mp4", "--editor", "magicface"),
        *("--weights", weights, "--steps", "1", "--batch", "2", *arguments),
    )


def test_a_job_builds_the_plans_that_its_actors_then_find(nodes: Nodes, shared: Path):
    """The actor goes as far as a machine without a driver lets it: to the loading of the plan."""
    store = nodes.add("ada", L4, num_cpus=2, num_gpus=1)
    asked = ("--backend", "tensorrt-rtx")
    job = _animate(nodes, shared, stores.small_weights(), *asked)
    told = job.stdout + job.stderr
    assert job.returncode == 1, told
    assert sum("made" in line and "plan" in line for line in job.stdout.splitlines()) == 4, told
    assert set(plans(store)) == set(COMPONENTS)
    assert {e.facts["batch"] for e in plans(store).values()} == {"1..2..2", "1..4..4"}
    (video,) = json.loads((nodes.folder / "report.json").read_text())["videos"]
    plan = plans(store)["vae_encoder"].path("network.plan")
    assert f"cannot load {plan}: " in video["error"], video
    again = _animate(nodes, shared, stores.small_weights(), *asked, "--overwrite")
    assert "plans found on all of 1" in again.stdout
    assert "made" not in again.stdout


def test_a_job_says_that_no_plan_was_built_and_does_not_fall_to_the_cpu(nodes: Nodes, shared: Path):
    nodes.add("odd", num_cpus=2, num_gpus=1)
    job = _animate(nodes, shared, shared / "golden/magicface")
    assert job.returncode == 1, job.stdout + job.stderr
    assert "Ray counts GPUs there, torch finds none; left out" in job.stdout
    assert "no TensorRT plans were built: --target auto: no node of the Ray" in job.stdout
    (video,) = json.loads((nodes.folder / "report.json").read_text())["videos"]
    assert "Ray gave this worker a GPU that torch cannot use: torch" in video["error"]
    assert not (nodes.folder / "d18.short.mp4").exists()


def test_a_job_on_the_cpu_builds_nothing(nodes: Nodes, shared: Path):
    store = nodes.add("ada", L4, num_cpus=2, num_gpus=1)
    asked = ("--backend", "onnxruntime", "--device", "cpu", "--dtype", "fp32")
    job = _animate(nodes, shared, stores.GOLDEN, *asked)
    assert job.returncode == 0, job.stdout + job.stderr
    assert "TensorRT" not in job.stdout
    assert plans(store) == {}


def test_each_node_downloads_the_weights_of_a_hub_once_and_none_gets_a_path_of_another(
    nodes: Nodes, shared: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("huggingface_hub")
    caches = {name: nodes.folder / f"cache-{name}" for name in ("driver", "ada0", "ada1")}
    with FakeHub() as hub:
        for path in (shared / "golden/magicface").rglob("*"):
            if path.is_file() and path.parent.name in (*OWN_FOLDERS, *BASE_FOLDERS):
                hub.files[f"{path.parent.name}/{path.name}"] = path.read_bytes()
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("AUREEL_CACHE", str(caches["driver"]))
        for name in ("ada0", "ada1"):
            nodes.add(name, L4, cache=caches[name], num_cpus=1, num_gpus=1)
        asked = ("--base", REPO, "--dtype", "fp32", "--backend", "eager")
        job = _animate(nodes, shared, Path(REPO), *asked)
        whole = [p for m, p, _ in hub.asked if m == "GET" and p.endswith(".safetensors")]
    assert job.stdout.count(f"weights {REPO}@{COMMIT}: downloaded") == 2, job.stdout + job.stderr
    assert {path: whole.count(path) for path in whole} == dict.fromkeys(whole, 3), "one per machine"
    for cache in caches.values():
        assert len([*cache.rglob("*.safetensors")]) == len(set(whole))
    (video,) = json.loads((nodes.folder / "report.json").read_text())["videos"]
    assert str(caches["driver"]) not in json.dumps(video)
