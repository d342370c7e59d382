"""The backends beside each other: what can run really runs, what cannot is told with its reason."""

import json
import logging
import os
import warnings

import diffusers
import pytest
import torch
from rich.console import Console

from engines.devices.precision import DTYPES
from engines.editors.magicface.backends.choose import Machine
from engines.editors.magicface.bench.backends import asked_backends, backends_table, run_backends
from engines.editors.magicface.bench.frames import NetworkSource, our_networks
from engines.editors.magicface.bench.weights import SMALL, random_weights
from engines.errors import EngineError, EngineUnavailableError
from engines.weights.file_hash import cache_folder
from jobs.benchmark import app
from jobs.command_line.command import run_command
from tests.engines.editors.magicface.backends import stores

NOWHERE = Machine(versions={"onnxruntime": "1.32.0", "tensorrt-rtx": "1.7.1.116"})
HOPPER = Machine("NVIDIA H200", 90, {"onnxruntime": "1", "tensorrt": "11.4.0", "compile": "3.5"})

pytestmark = pytest.mark.timeout(900)  # the graphs are exported first


@pytest.fixture(scope="module")
def no_gpu():
    pytest.importorskip("onnxruntime")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")


@pytest.fixture(scope="module")
def small_engines():
    """The small network's weights, its graphs where the job is told to look."""
    pytest.importorskip("tensorrt_rtx")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUREEL_PLANS", str(stores.small_store().root))
        yield stores.small_weights()


def test_onnxruntime_is_measured_beside_eager_in_one_run(no_gpu, small_engines, capsys):
    asked = ["magicface", "--weights", str(small_engines), "--backend", "auto", "--dtype", "fp16"]
    assert run_command(app, [*asked, "--batch", "1", "--steps", "1", "--repeats", "1"]) == 0
    told = capsys.readouterr()
    measured = json.loads(told.out)
    rows = {(row["backend"], row["batch"]): row for row in measured["rows"]}
    assert set(rows) == {("eager", 1), ("onnxruntime", 1)}
    eager, graph = rows["eager", 1], rows["onnxruntime", 1]
    assert eager["times_eager"] == 1
    assert graph["times_eager"] == pytest.approx(eager["ms_per_frame"] / graph["ms_per_frame"])
    assert graph["times_compile"] is None
    assert 0 < graph["apart"] < 2e-2
    assert graph["frames_per_s"] == pytest.approx(1000 / graph["ms_per_frame"])
    assert graph["cpu_ms_per_frame"] > 0
    assert graph["memory_gb"] > 0
    assert set(measured["cannot_run"]) == {"compile", "tensorrt", "tensorrt-rtx"}
    assert measured["cannot_run"]["tensorrt-rtx"].startswith("no CUDA GPU on this machine; ")
    assert "onnxruntime fp16" in told.err
    assert "× eager" in told.err
    assert "compile cannot run here: no CUDA GPU on this machine" in told.err


def test_the_batches_are_1_4_and_8_where_nothing_else_is_asked(no_gpu, tiny_weights):
    measured = run_backends(
        weights=str(tiny_weights), backend=("eager",), steps=(1,), repeats=1, device="cpu"
    )
    assert [row["batch"] for row in measured["rows"]] == [1, 4, 8]


@pytest.mark.parametrize("backend", ["compile", "tensorrt", "tensorrt-rtx"])
def test_the_only_backend_asked_for_is_refused_in_one_line(no_gpu, backend, capsys, tmp_path):
    before = dict(os.environ)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUREEL_CACHE", str(tmp_path))
        assert run_command(app, ["magicface", "--random-weights", "--backend", backend]) == 2
        assert not (cache_folder() / "benchmark").exists()
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.startswith(
        f"benchmark magicface: backend '{backend}': no CUDA GPU on this machine; "
    )
    assert dict(os.environ) == before


def test_eager_and_compile_come_first_and_the_rest_is_listed_with_reasons():
    able, cannot = asked_backends(("tensorrt", "tensorrt-rtx"), HOPPER)
    assert able == ["eager", "compile", "tensorrt"]
    assert cannot == {"tensorrt-rtx": "tensorrt_rtx not installed; pip install 'aureel[rtx]'"}
    assert asked_backends(("onnxruntime",), NOWHERE)[0] == ["eager", "onnxruntime"]
    able, cannot = asked_backends(("auto",), NOWHERE)
    assert able == ["eager", "onnxruntime"]
    assert set(cannot) == {"compile", "tensorrt", "tensorrt-rtx"}
    with pytest.raises(EngineUnavailableError, match="backend 'tensorrt-rtx': tensorrt_rtx not in"):
        asked_backends(("tensorrt-rtx",), HOPPER)
    with pytest.raises(EngineError, match="no backend 'trt'; known: auto, eager, compile"):
        asked_backends(("trt",), HOPPER)


def test_a_backend_that_does_not_take_the_dtype_is_listed_and_the_others_go_on(
    no_gpu, tiny_weights
):
    asked = {"weights": str(tiny_weights), "batch": (1,), "steps": (1,), "repeats": 1}
    measured = run_backends(**asked, backend=("auto",), dtype=("bf16",), device="cpu")
    assert [row["backend"] for row in measured["rows"]] == ["eager"]
    told = measured["cannot_run"]["onnxruntime bf16"]
    assert told == "backend 'onnxruntime': got dtype bf16; expected fp32 or fp16"
    with pytest.raises(EngineError, match="got dtype bf16; expected fp32 or fp16"):
        run_backends(**asked, backend=("onnxruntime",), dtype=("bf16",), device="cpu")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"dtype": ("fp8",)}, "no dtype 'fp8'; known: fp32, fp16, bf16"),
        ({"batch": (0,)}, "expected ≥ 1"),
    ],
)
def test_impossible_measurements_are_refused(tiny_weights, asked, message):
    with pytest.raises(EngineError, match=message):
        run_backends(weights=str(tiny_weights), device="cpu", backend=("eager",), **asked)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--backend", "eager", "--mode", "eager"), "--backend and --mode: give one of them"),
        (("--weights", "x", "--network", "small"), "--network small and --weights x: give one"),
    ],
)
def test_options_that_exclude_each_other_are_refused(capsys, arguments, message):
    assert run_command(app, ["magicface", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_out_of_memory_is_a_row_of_the_table():
    row = {"backend": "tensorrt", "dtype": "fp16", "batch": 8, "steps": 0, "fault": "out of memory"}
    machine = {"device": "NVIDIA L4", "threads": 4}
    console = Console(width=120)
    with console.capture() as captured:
        console.print(backends_table({"machine": machine, "rows": [row], "cannot_run": {}}))
    assert "out of memory" in captured.get()


def test_small_random_weights_are_written_once(monkeypatch, tmp_path):
    monkeypatch.setenv("AUREEL_CACHE", str(tmp_path))
    folder = random_weights("small")
    written = {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}
    assert json.loads((folder / "denoising_unet/config.json").read_text())["sample_size"] == 16
    assert SMALL.sample == 16
    assert random_weights("small") == folder
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()} == written
    assert [p.name for p in (tmp_path / "benchmark").iterdir()] == ["random-small"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_casting_the_networks_warns_of_nothing(tiny_weights, dtype, caplog):
    logger = logging.getLogger("diffusers")
    source = NetworkSource(str(tiny_weights), None, torch.device("cpu"))
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("error")
        patch.setattr(logger, "propagate", True)
        diffusers.utils.logging.set_verbosity_warning()
        made = our_networks(source, DTYPES[dtype], "eager")
    assert made.denoiser.unet.dtype == DTYPES[dtype]
    assert caplog.records == []
