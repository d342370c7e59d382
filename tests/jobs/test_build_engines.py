"""The command that builds plans: what it makes and finds, and what it refuses in one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engines.editors.magicface.backends.builders import plan_build, planned, target_sm
from engines.editors.magicface.backends.choose import Machine
from engines.editors.magicface.backends.cluster.before_actors import build_before_actors
from engines.editors.magicface.backends.cluster.gpu_types import GpuType, by_type
from engines.editors.magicface.settings import resolved
from engines.errors import EngineError
from engines.trt.store.cache import PlanCache
from jobs.build_engines import app
from jobs.command_line.command import run_command
from jobs.ray_cluster.nodes import nodes_with_gpus

pytestmark = pytest.mark.timeout(900)  # the first test waits for the exports
pytest.importorskip("torch")
pytest.importorskip("diffusers")
stores = pytest.importorskip(
    "tests.engines.editors.magicface.backends.stores", exc_type=ImportError
)


@pytest.fixture(scope="module")
def small_weights():
    return stores.small_weights()


@pytest.fixture(scope="module")
def small_store():
    pytest.importorskip("tensorrt_rtx")
    return stores.small_store()


@pytest.fixture(scope="module")
def built(small_store):
    return stores.built()


SCRIPT = Path(__file__).resolve().parents[2] / "jobs" / "build_engines.py"
WITHOUT_GPU = Machine(versions={"tensorrt-rtx": "1.7.1.116"})


def _refusal(capsys, *arguments):
    status = run_command(app, [str(a) for a in arguments])
    told = capsys.readouterr().err
    assert status == 2
    assert told.count("\n") == 1, told
    return told.strip().removeprefix("build-engines: ")


def _run(*arguments, cwd):
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "COLUMNS": "120"}
    environment.pop("RAY_ADDRESS", None)
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def test_plans_already_in_the_store_are_found_at_once_from_any_folder(
    built, small_weights, small_store, tmp_path
):
    arguments = ("--weights", small_weights, "--target", "sm89", "--batch", "1..2..3")
    found = _run(*arguments, "--cache", small_store.root, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert found.stderr == ""
    lines = [line for line in found.stdout.splitlines() if line.startswith("found ")]
    assert len(lines) == 8
    assert all(float(line.split(" in ")[1].split()[0]) < 1 for line in lines)
    assert "made" not in found.stdout
    assert "plans for SM89, fp16, 128 px, batch 1..2..3 frames" in found.stdout
    assert "MB; accuracy vae_encoder onnxruntime" in found.stdout


def test_graphs_alone_are_made_for_onnxruntime(built, small_weights, small_store, capsys):
    asked = ("--weights", str(small_weights), "--backend", "onnxruntime")
    assert run_command(app, [*asked, "--cache", str(small_store.root)]) == 0
    told = capsys.readouterr().out
    assert told.startswith("graphs, fp16, 128 px")
    assert told.count("found ") == 8  # four lines and four rows: RTX and onnxruntime share graphs


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--target", "sm90", "--backend", "tensorrt-rtx"), "target SM90: TensorRT-RTX 1.7"),
        (("--batch", "8..1", "--target", "sm89"), "expected 1 ≤ smallest ≤ best ≤ largest"),
        (("--batch", "many", "--target", "sm89"), "batch 'many': expected N, N..M or N..BEST..M"),
        (("--size", "500", "--target", "sm89"), "image size 500: expected a positive multiple"),
        (("--dtype", "fp32", "--target", "sm89"), "got fp32, expected fp16 or bf16"),
        (("--dtype", "int8", "--target", "sm89"), "int8"),
        (("--target", "h100"), "h100"),
        (("--backend", "onnxruntime", "--target", "sm89"), "graphs fit every GPU"),
    ],
)
def test_a_wrong_call_is_one_line_and_status_2(
    small_weights, tmp_path, capsys, arguments, expected
):
    told = _refusal(capsys, "--weights", small_weights, "--cache", tmp_path, *arguments)
    assert expected in told


def test_weights_that_are_not_there_are_named(tmp_path, capsys):
    told = _refusal(capsys, "--weights", tmp_path, "--target", "sm89")
    assert told.startswith(f"weights folder {tmp_path}: no ID_enc, denoising_unet; found nothing")
    assert "expected MagicFace's ID_enc, denoising_unet and SD 1.5's vae, text_encoder" in told


def test_target_auto_without_a_gpu_asks_for_a_name():
    with pytest.raises(EngineError) as caught:
        plan_build("auto", None, WITHOUT_GPU)
    assert str(caught.value) == (
        "--target auto: no CUDA GPU on this machine; name the GPU to build for, e.g. --target sm89"
    )


def test_auto_builds_with_rtx_where_it_targets_the_gpu():
    pytest.importorskip("tensorrt_rtx")
    binding, sm = plan_build("auto", 89, WITHOUT_GPU)
    assert binding is not None
    assert (binding.name, sm) == ("tensorrt-rtx", 89)
    assert plan_build("onnxruntime", None, WITHOUT_GPU) == (None, None)


def test_auto_builds_with_classic_tensorrt_for_an_a100():
    both = {"tensorrt-rtx": "1.7.1.116", "tensorrt": "11.4.0"}
    assert planned("auto", None, Machine("NVIDIA A100", 80, both)) == ("tensorrt", 80)
    assert planned("tensorrt-rtx", None, Machine("NVIDIA A100", 80, both)) == ("tensorrt-rtx", 80)
    with pytest.raises(EngineError, match="for 75, 86, 89, 120, 121, and tensorrt not installed"):
        planned("auto", None, Machine("NVIDIA A100", 80, {"tensorrt-rtx": "1.7.1.116"}))


def test_auto_for_hopper_without_classic_tensorrt_says_what_to_install():
    machine = Machine("NVIDIA H200", 90, {"tensorrt-rtx": "1.7.1.116"})
    with pytest.raises(EngineError) as caught:
        plan_build("auto", None, machine)
    assert str(caught.value) == (
        "--backend auto for SM90: TensorRT-RTX is for 75, 86, 89, 120, 121, and "
        "tensorrt not installed; pip install 'aureel[tensorrt]'"
    )


def test_a_target_is_read_from_its_name():
    assert target_sm("auto") is None
    assert target_sm("sm120") == 120


def test_gpu_nodes_of_a_cluster_are_grouped_by_type():
    nodes = [
        {"NodeID": "b", "Alive": True, "Resources": {"GPU": 8}},
        {"NodeID": "a", "Alive": True, "Resources": {"GPU": 8}},
        {"NodeID": "d", "Alive": False, "Resources": {"GPU": 1}},
        {"NodeID": "e", "Alive": True, "Resources": {"CPU": 64}},
    ]
    assert nodes_with_gpus(nodes) == ["a", "b"]
    small, large = Machine("NVIDIA A100 40GB", 80), Machine("NVIDIA A100 80GB", 80)
    found = {"a": large, "b": small, "c": Machine(), "f": large}
    assert by_type(found) == [GpuType(small, ("b",)), GpuType(large, ("a", "f"))]
    assert by_type({}) == []


def test_a_named_target_is_built_by_a_task_of_the_cluster(
    built, small_weights, small_store, tmp_path
):
    found = _run(
        *("--weights", small_weights, "--target", "sm89", "--batch", "1..2..3", "--cluster"),
        *("--cache", small_store.root),
        cwd=tmp_path,
    )
    assert found.returncode == 0, found.stderr
    assert "no GPU node: plans found here" in found.stdout
    assert len(PlanCache(small_store.root).entries()) >= 8


class Listener:
    """A cluster of which nothing but its ear is used."""

    def __init__(self, said):
        self.say = said.append


@pytest.mark.parametrize(
    "settings",
    [{"backend": "eager"}, {"backend": "onnxruntime"}, {"dtype": "fp32"}, {"device": "cpu"}],
)
def test_actors_that_run_no_plan_have_none_built(settings):
    said = []
    build_before_actors(resolved(**settings), Listener(said))
    assert said == []


def test_auto_goes_on_without_plans_and_an_explicit_backend_does_not(tmp_path):
    said = []
    build_before_actors(resolved(weights=str(tmp_path)), Listener(said))
    assert said[0].startswith(f"no TensorRT plans were built: weights folder {tmp_path}: no ID_")
    asked = resolved(weights=str(tmp_path), backend="tensorrt")
    with pytest.raises(EngineError, match="no ID_enc, denoising_unet"):
        build_before_actors(asked, Listener(said))
