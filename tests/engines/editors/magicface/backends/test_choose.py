"""The backend that is chosen, and what is said when one cannot run."""

import pytest

from engines.editors.magicface.backends.choose import (
    Machine,
    candidates,
    probe_machine,
    unavailable_reason,
)
from engines.errors import EngineError, EngineUnavailableError

ALL = {
    "tensorrt": "11.4.0.106",
    "tensorrt-rtx": "1.7.1.116",
    "onnxruntime": "1.32.0",
    "compile": "3.5.0",
}
ADA = Machine("NVIDIA GeForce RTX 4090", 89, ALL)
HOPPER = Machine("NVIDIA H200", 90, ALL)


def test_auto_without_a_gpu_is_torch_on_the_cpu():
    choice = candidates("auto", Machine(versions=ALL))[0]
    assert choice.backend == "eager"
    assert "no CUDA GPU" in choice.reason


def test_auto_on_a_gpu_that_rtx_targets_is_rtx():
    choice = candidates("auto", ADA)[0]
    assert choice.backend == "tensorrt-rtx"
    assert choice.reason == "auto: tensorrt-rtx 1.7.1.116 on GPU NVIDIA GeForce RTX 4090 (SM89)"


def test_auto_on_hopper_is_classic_tensorrt_and_says_why_not_rtx():
    choice = candidates("auto", HOPPER)[0]
    assert choice.backend == "tensorrt"
    assert "not tensorrt-rtx: GPU NVIDIA H200 is SM90; TensorRT-RTX 1.7 targets 75" in choice.reason


def test_auto_on_an_a100_is_classic_tensorrt_which_alone_promises_to_run_there():
    a100 = Machine("NVIDIA A100-SXM4-80GB", 80, ALL)
    found = candidates("auto", a100)
    assert [c.backend for c in found] == ["tensorrt", "compile", "eager"]
    why = "not tensorrt-rtx: TensorRT-RTX's support matrix lists SM 75, 86, 89, 120, 121, not 80"
    assert why in found[0].reason
    (by_name,) = candidates("tensorrt-rtx", a100)
    assert by_name.backend == "tensorrt-rtx", "who names it gets it"


@pytest.mark.parametrize(
    ("absent", "expected"),
    [
        ((), ["tensorrt-rtx", "tensorrt", "compile", "eager"]),
        (("tensorrt-rtx",), ["tensorrt", "compile", "eager"]),
        (("tensorrt-rtx", "tensorrt"), ["compile", "eager"]),
        (("tensorrt-rtx", "tensorrt", "compile"), ["eager"]),
    ],
)
def test_auto_goes_down_its_list_and_names_what_it_passed_over(absent, expected):
    versions = {name: v for name, v in ALL.items() if name not in absent}
    found = candidates("auto", Machine("NVIDIA L4", 89, versions))
    assert [c.backend for c in found] == expected
    for name in absent:
        assert f"not {name}: " in found[-1].reason
        assert "not installed" in found[-1].reason


def test_rtx_on_hopper_is_refused_with_what_it_targets_and_what_to_use():
    with pytest.raises(EngineUnavailableError) as caught:
        candidates("tensorrt-rtx", HOPPER)
    assert str(caught.value) == (
        "backend 'tensorrt-rtx': GPU NVIDIA H200 is SM90; TensorRT-RTX 1.7 targets "
        "75, 80, 86, 89, 120, 121; use backend=tensorrt or compile"
    )


@pytest.mark.parametrize("backend", ["tensorrt", "tensorrt-rtx"])
def test_an_engine_backend_without_a_gpu_is_refused_and_points_to_building_ahead(backend):
    with pytest.raises(EngineUnavailableError) as caught:
        candidates(backend, Machine(versions=ALL))
    assert str(caught.value) == (
        f"backend '{backend}': no CUDA GPU on this machine; use backend=eager or onnxruntime, "
        "or build for another machine with jobs/build_engines.py --target sm89"
    )


@pytest.mark.parametrize(
    ("backend", "text"),
    [
        ("tensorrt", "tensorrt not installed; pip install 'aureel[tensorrt]'"),
        ("tensorrt-rtx", "tensorrt_rtx not installed; pip install 'aureel[rtx]'"),
        ("onnxruntime", "onnxruntime not installed; pip install 'aureel[onnx]'"),
        ("compile", "triton not installed, which torch.compile needs on a GPU; use backend=eager"),
    ],
)
def test_a_missing_library_is_named_with_what_installs_it(backend, text):
    with pytest.raises(EngineUnavailableError) as caught:
        candidates(backend, Machine("NVIDIA L4", 89))
    assert str(caught.value) == f"backend '{backend}': {text}"


def test_an_explicit_backend_has_no_second_candidate():
    assert [c.backend for c in candidates("compile", ADA)] == ["compile"]


def test_an_unknown_backend_is_answered_with_the_known_ones():
    with pytest.raises(EngineError, match="no backend 'trt'; known: auto, eager, compile, onnx"):
        unavailable_reason("trt", ADA)


def test_onnxruntime_needs_no_gpu():
    assert candidates("onnxruntime", Machine(versions=ALL))[0].backend == "onnxruntime"


def test_networks_for_the_cpu_do_not_see_a_gpu(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (8, 9))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=None: f"GPU of {device}")
    assert probe_machine("cpu").sm is None
    assert candidates("auto", probe_machine("cpu"))[0].backend == "eager"
    assert probe_machine("cuda:1").label == "GPU GPU of cuda:1 (SM89)"


def test_this_machine_can_be_described():
    pytest.importorskip("torch")
    machine = probe_machine()
    assert (machine.gpu is None) == (machine.sm is None)
    assert candidates("auto", machine)[-1].backend == "eager"
