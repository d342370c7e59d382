"""Plans run on torch's memory: the same class for classic TensorRT 10 and 11 and for RTX.

The libraries here are fakes with recorded surfaces (fake_tensorrt.py); the real TensorRT-RTX takes
part as far as a machine without a GPU goes.
"""

import importlib
import sys

import pytest
import torch

from engines.errors import EngineError
from engines.trt.activations import ActivationMemory
from engines.trt.binding import Binding, import_binding
from engines.trt.errors import AccuracyError, PlanBuildError
from engines.trt.network import GRAPH_FILE, PLAN_FILE
from engines.trt.onnx_session import OnnxSession
from engines.trt.runtime import TrtSession
from engines.trt.store.cache import PlanCache
from engines.trt.store.key import StoreKey
from tests.engines.trt.fake_tensorrt import NAMES, fake_binding, fake_tensorrt, surface
from tests.engines.trt.small_network import PORTS, inputs_of, plan_in


@pytest.mark.parametrize("name", NAMES)
def test_the_fake_has_nothing_that_the_recorded_version_has_not(name):
    told, fake = surface(name), fake_tensorrt(name)
    assert fake.__version__ == told["version"]
    for class_name, members in told["classes"].items():
        found = getattr(fake, class_name, None)
        public = {m for m in dir(found) if not m.startswith("_")} if found else set()
        inherited = {m for m in dir(bytes) if not m.startswith("_")}  # a fake plan is bytes
        assert public - inherited <= {*members, "Severity"}, class_name


def test_the_recorded_rtx_surface_is_that_of_the_installed_one():
    rtx = pytest.importorskip("tensorrt_rtx")
    told = surface("tensorrt-rtx-1.7")
    if rtx.__version__ != told["version"]:
        pytest.skip(f"recorded from {told['version']}, installed {rtx.__version__}")
    recorder = importlib.import_module("tests.engines.trt.record_surface")
    assert recorder.surface_of(rtx) == told


def test_a_plan_that_computes_something_else_is_not_stored(binding, graph, tmp_path):
    binding.trt.faults.spoil = 0.5
    with pytest.raises(AccuracyError, match=r"exceeds .*; it is not used"):
        plan_in(tmp_path, binding, graph)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("graphs", [False, True])
def test_outputs_belong_to_the_caller_and_no_later_call_writes_into_them(
    binding, graph, tmp_path, graphs
):
    entry = plan_in(tmp_path, binding, graph)
    session = TrtSession(binding, entry.path(PLAN_FILE), device="cpu", cuda_graphs=graphs)
    one = inputs_of(1)
    other = one | {"images": -one["images"]}
    first = session(one)["latents"]
    kept = first.clone()
    second = session(other)["latents"]
    assert torch.equal(first, kept)
    assert not torch.equal(first, second)
    rows = {n: torch.cat([one[n], other[n]]) for n in one if n != "gain"}
    both = session(rows | {"gain": one["gain"]})["latents"]
    torch.testing.assert_close(both, torch.cat([first, second]), atol=2e-3, rtol=0)


def test_with_graphs_every_batch_size_has_buffers_and_a_context_of_its_own(
    binding, graph, tmp_path
):
    entry = plan_in(tmp_path, binding, graph)
    before = binding.trt.seen.contexts
    session = TrtSession(binding, entry.path(PLAN_FILE), device="cpu", cuda_graphs=True)
    for batch in (1, 2, 1, 2):
        session(inputs_of(batch))
    assert binding.trt.seen.contexts - before == 2
    session.forget()
    session(inputs_of(1))
    assert binding.trt.seen.contexts - before == 3


def test_a_steady_input_is_copied_only_when_it_is_another(graph, tmp_path):
    binding = fake_binding("tensorrt-11.4")
    plan = plan_in(tmp_path, binding, graph).path(PLAN_FILE)
    session = TrtSession(binding, plan, device="cpu", cuda_graphs=True, steady=PORTS.steady)
    inputs = inputs_of(1)
    first = session(inputs)["latents"]
    inputs["style_a"].zero_()  # against the contract: the same object, changed in place
    assert torch.equal(session(inputs)["latents"], first)
    other = inputs | {"style_a": torch.zeros_like(inputs["style_a"])}
    assert not torch.equal(session(other)["latents"], first)


def test_what_a_plan_was_not_built_for_is_refused(binding, graph, tmp_path):
    entry = plan_in(tmp_path, binding, graph)
    session = TrtSession(binding, entry.path(PLAN_FILE), device="cpu")
    what = f"{binding.label}, {entry.folder.name}"
    with pytest.raises(EngineError) as caught:
        session(inputs_of(3))
    assert str(caught.value) == (
        f"{what}: got a batch of 3; it was built for 1..2; rebuild with a wider --batch"
    )
    with pytest.raises(EngineError) as caught:
        session(inputs_of(1) | {"images": torch.zeros(1, 3, 16, 16)})
    assert str(caught.value) == (
        f"{what}, input images: got torch.float32 (1, 3, 16, 16); "
        "expected torch.float16 (1, 3, 16, 16)"
    )


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("load", "cannot load .*network.plan: out of luck; rebuild it here"),
        ("context", "no execution context: out of luck; free GPU memory or build for smaller"),
        ("run", "the run failed: out of luck"),
    ],
)
def test_a_failure_carries_what_the_library_logged(binding, graph, tmp_path, fault, text):
    entry = plan_in(tmp_path, binding, graph)
    setattr(binding.trt.faults, fault, "out of\nluck")
    with pytest.raises(EngineError, match=text) as caught:
        TrtSession(binding, entry.path(PLAN_FILE), device="cpu")(inputs_of(1))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("fault", ["load", "context", "run"])
@pytest.mark.parametrize(
    "said", ["CUDA out of memory", "Error Code 2: OutOfMemory", "cudaErrorMemoryAllocation: no"]
)
def test_memory_that_runs_out_inside_tensorrt_halves_the_batch_like_torchs(
    binding, graph, tmp_path, fault, said
):
    entry = plan_in(tmp_path, binding, graph)
    setattr(binding.trt.faults, fault, said)
    with pytest.raises(torch.OutOfMemoryError, match=f"{binding.label}.*{said}"):
        TrtSession(binding, entry.path(PLAN_FILE), device="cpu")(inputs_of(1))


@pytest.mark.parametrize("gives", ["nothing", "a null pointer"])
def test_a_library_without_a_runtime_here_is_said_in_words(
    binding, graph, tmp_path, monkeypatch, gives
):
    entry = plan_in(tmp_path, binding, graph)

    def runtime(log):
        log.log(binding.trt.ILogger.Severity.ERROR, "CUDA initialization failure: 35")
        if gives == "a null pointer":
            raise TypeError("pybind11::init(): factory function returned nullptr")

    monkeypatch.setattr(binding.trt, "Runtime", runtime)
    with pytest.raises(PlanBuildError) as caught:
        TrtSession(binding, entry.path(PLAN_FILE), device="cpu")
    assert str(caught.value) == (
        f"{binding.label} has no runtime here: CUDA initialization failure: 35; check the GPU's "
        "driver, or use backend=compile"
    )


@pytest.mark.parametrize("graphs", [False, True])
def test_a_steady_input_of_half_the_rows_is_repeated_in_the_sessions_own_memory(
    binding, graph, tmp_path, graphs
):
    plan = plan_in(tmp_path, binding, graph, most=4).path(PLAN_FILE)
    session = TrtSession(binding, plan, device="cpu", cuda_graphs=graphs, steady=PORTS.steady)
    whole = inputs_of(4)
    halves = dict(whole)
    for name in PORTS.steady:
        halves[name] = whole[name][:2].contiguous()
        whole[name] = torch.cat([halves[name], halves[name]])
    expected = session(whole)["latents"]
    assert torch.equal(session(halves)["latents"], expected)
    assert torch.equal(OnnxSession(graph.path(GRAPH_FILE), steady=PORTS.steady)(halves)["latents"],
                       OnnxSession(graph.path(GRAPH_FILE))(whole)["latents"])  # fmt: skip
    with pytest.raises(EngineError, match=r"input style_a: got .* \(3, 4\)"):
        session(whole | {"style_a": whole["style_a"][:3]})


def test_a_build_that_fails_carries_the_reason_and_not_the_warnings(binding, graph, tmp_path):
    binding.trt.faults.build = "Error Code 10: no tactic"
    with pytest.raises(PlanBuildError) as caught:
        plan_in(tmp_path, binding, graph)
    assert str(caught.value).startswith(f"{binding.label} could not build steered-graph-")
    assert str(caught.value).endswith("for SM89: Error Code 10: no tactic")


def test_a_plan_of_another_version_is_refused_by_the_library_too(graph, tmp_path):
    entry = plan_in(tmp_path, fake_binding("tensorrt-10.16"), graph)
    with pytest.raises(PlanBuildError, match=r"TensorRT 11.4.0.106 cannot load .* Version tag"):
        TrtSession(fake_binding("tensorrt-11.4"), entry.path(PLAN_FILE), device="cpu")


def test_rtx_keeps_what_it_compiled_and_takes_it_up_again(graph, tmp_path):
    binding = fake_binding("tensorrt-rtx-1.7")
    entry = plan_in(tmp_path, binding, graph)
    kept = entry.path("runtime-l4.cache")
    for expected in ([], [b"kernels of this GPU"]):
        session = TrtSession(
            binding, entry.path(PLAN_FILE), device="cpu", cuda_graphs=True, runtime_cache=kept
        )
        session(inputs_of(1))
        session.save_runtime_cache()
        assert binding.trt.seen.caches == expected
    assert set(binding.trt.seen.strategies) == {"WHOLE_GRAPH_CAPTURE"}
    assert set(binding.trt.seen.kernels) == {"EAGER"}
    assert [p.name for p in entry.folder.glob("*.tmp*")] == []
    key = StoreKey("plan", entry.component, entry.facts)
    assert PlanCache(tmp_path).load(key) == entry, "what a runtime learned is no part of the plan"


def test_a_library_that_is_not_there_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(EngineError) as caught:
        import_binding("tensorrt")
    assert str(caught.value).startswith("backend 'tensorrt': tensorrt cannot be imported (")
    assert str(caught.value).endswith("); pip install 'aureel[tensorrt]'")


def test_a_tensorrt_that_is_too_old_is_refused(monkeypatch):
    old = fake_tensorrt("tensorrt-10.16")
    old.__version__ = "8.6.1"
    monkeypatch.setitem(sys.modules, "tensorrt", old)
    with pytest.raises(EngineError, match=r"found tensorrt 8.6.1, expected 10.x or 11.x; pip inst"):
        import_binding("tensorrt")


@pytest.mark.parametrize(
    ("version", "opset"), [("10.13.3.9", 20), ("10.14.1", 23), ("11.4.0.106", 23)]
)
def test_the_opset_follows_what_the_version_can_read(version, opset):
    module = fake_tensorrt("tensorrt-10.16")
    module.__version__ = version
    assert Binding("tensorrt", module).opset() == opset


def test_plans_that_run_in_turn_share_one_memory_of_the_largest(graph, tmp_path):
    binding = fake_binding("tensorrt-rtx-1.7")
    plan = plan_in(tmp_path, binding, graph).path(PLAN_FILE)
    seen, memory = binding.trt.seen, ActivationMemory("cpu")
    small, large = (
        TrtSession(binding, plan, device="cpu", cuda_graphs=graphs, memory=memory)
        for graphs in (False, True)
    )
    plain = TrtSession(binding, plan, device="cpu")
    expected = plain(inputs_of(1))["latents"]
    assert seen.lent == []
    assert torch.equal(small(inputs_of(1))["latents"], expected)
    seen.activations = 5000
    assert torch.equal(large(inputs_of(1))["latents"], expected)
    seen.activations = 1000
    assert torch.equal(small(inputs_of(1))["latents"], expected)
    assert [size for _, size in seen.lent] == [1000, 5000, 5000]
    assert seen.lent[1] == seen.lent[2], "the very same memory"
    assert seen.managed.count(True) == 2


def test_a_library_without_such_a_strategy_keeps_its_own_memory(graph, tmp_path):
    binding = fake_binding("tensorrt-11.4")
    plan = plan_in(tmp_path, binding, graph).path(PLAN_FILE)
    session = TrtSession(binding, plan, device="cpu", memory=ActivationMemory("cpu"))
    session(inputs_of(1))
    assert binding.trt.seen.lent == []
