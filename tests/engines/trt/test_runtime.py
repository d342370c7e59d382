"""Engines run on torch's memory: the same class for classic TensorRT 10 and 11 and for RTX.

The libraries here are fakes with recorded surfaces (fake_tensorrt.py); the real TensorRT-RTX takes
part as far as a machine without a GPU goes.
"""

import importlib
import sys

import pytest
import torch
from safetensors.torch import load_file

from engines.editors.magicface.backends.ports import KV_NAMES, PLAN_FILE, SAMPLE_FILE
from engines.editors.magicface.backends.prepare import Workshop
from engines.errors import EngineError
from engines.trt.binding import Binding, import_binding
from engines.trt.errors import EngineBuildError, ParityError
from engines.trt.runtime import TrtSession
from tests.engines.trt.fake_tensorrt import NAMES, fake_tensorrt, surface
from tests.engines.trt.stores import engine_of, fake_binding, order_of

pytestmark = pytest.mark.timeout(900)  # the first test waits for the exports
CLASSIC = [name for name in NAMES if "rtx" not in name]


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


def test_an_engine_is_checked_on_its_gpu_before_it_is_stored(binding, store, small_weights):
    made = engine_of(binding, store, small_weights)
    assert made.made_now
    assert binding.label in made.entry.made["parity"]
    assert "≤ 5e-03" in made.entry.made["parity"]
    again = engine_of(binding, store, small_weights)
    assert not again.made_now
    assert again.seconds < 1
    expected = "sm89" if binding.is_rtx else "sm89 NVIDIA L4"
    assert made.entry.facts["target"] == expected


def test_an_engine_that_computes_something_else_is_not_stored(binding, store, small_weights):
    binding.trt.faults.spoil = 0.5
    with pytest.raises(ParityError, match="exceeds 5e-03; the engine is not used"):
        engine_of(binding, store, small_weights)
    assert {e.kind for e in store.entries()} == {"graph"}


@pytest.mark.parametrize("graphs", [False, True])
def test_outputs_belong_to_the_caller_and_no_later_call_writes_into_them(
    binding, store, small_weights, graphs
):
    entry = engine_of(binding, store, small_weights).entry
    session = TrtSession(binding, entry.path(PLAN_FILE), device="cpu", cuda_graphs=graphs)
    images = load_file(entry.path(SAMPLE_FILE))["in.images"]
    first = session({"images": images})["latents"]
    kept = first.clone()
    second = session({"images": -images})["latents"]
    assert torch.equal(first, kept)
    assert not torch.equal(first, second)
    both = session({"images": torch.cat([images, -images])})["latents"]
    torch.testing.assert_close(both, torch.cat([first, second]), atol=2e-3, rtol=0)


def test_with_graphs_every_batch_size_has_buffers_and_a_context_of_its_own(
    binding, store, small_weights
):
    entry = engine_of(binding, store, small_weights).entry
    before = binding.trt.told.contexts
    session = TrtSession(binding, entry.path(PLAN_FILE), device="cpu", cuda_graphs=True)
    images = load_file(entry.path(SAMPLE_FILE))["in.images"]
    for batch in (1, 2, 1, 2):
        session({"images": images.repeat(batch, 1, 1, 1)})
    assert binding.trt.told.contexts - before == 2
    session.forget()
    session({"images": images})
    assert binding.trt.told.contexts - before == 3


def test_the_identity_is_copied_only_when_it_is_another(store, small_weights):
    binding = fake_binding("tensorrt-11.4")
    entry = engine_of(binding, store, small_weights, "denoiser").entry
    session = TrtSession(binding, entry.path(PLAN_FILE), device="cpu", cuda_graphs=True)
    stored = load_file(entry.path(SAMPLE_FILE))
    inputs = {name[3:]: t for name, t in stored.items() if name.startswith("in.")}
    first = session(inputs)["eps"]
    inputs["id_key_00"].zero_()  # against the contract: the same object, changed in place
    assert torch.equal(session(inputs)["eps"], first)
    other = inputs | {name: torch.zeros_like(inputs[name]) for name in KV_NAMES}
    assert not torch.equal(session(other)["eps"], first)


def test_what_an_engine_was_not_built_for_is_refused(binding, store, small_weights):
    entry = engine_of(binding, store, small_weights).entry
    session = TrtSession(binding, entry.path(PLAN_FILE), device="cpu")
    what = f"{binding.label}, {entry.folder.name}"
    with pytest.raises(EngineError) as caught:
        session({"images": torch.zeros(3, 3, 128, 128, dtype=torch.float16)})
    assert str(caught.value) == (
        f"{what}: got a batch of 3; it was built for 1..2; rebuild with a wider --batch"
    )
    with pytest.raises(EngineError) as caught:
        session({"images": torch.zeros(1, 3, 128, 128)})
    assert str(caught.value) == (
        f"{what}, input images: got torch.float32 (1, 3, 128, 128); "
        "expected torch.float16 (1, 3, 128, 128)"
    )


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("load", "cannot load .*engine.plan: out of luck; rebuild it here"),
        ("context", "no execution context: out of luck; free GPU memory or build for smaller"),
        ("run", "the run failed: out of luck"),
    ],
)
def test_a_failure_carries_what_the_library_logged(binding, store, small_weights, fault, text):
    entry = engine_of(binding, store, small_weights).entry
    setattr(binding.trt.faults, fault, "out of\nluck")
    with pytest.raises(EngineError, match=text) as caught:
        TrtSession(binding, entry.path(PLAN_FILE), device="cpu")(
            {"images": torch.zeros(1, 3, 128, 128, dtype=torch.float16)}
        )
    assert "\n" not in str(caught.value)


def test_a_build_that_fails_carries_the_reason_and_not_the_warnings(binding, store, small_weights):
    binding.trt.faults.build = "Error Code 10: no tactic"
    with pytest.raises(EngineBuildError) as caught:
        engine_of(binding, store, small_weights)
    assert str(caught.value).startswith(f"{binding.label} could not build vae_encoder-graph-")
    assert str(caught.value).endswith("for SM89: Error Code 10: no tactic")


def test_a_plan_of_another_version_is_refused_by_the_library_too(store, small_weights):
    entry = engine_of(fake_binding("tensorrt-10.16"), store, small_weights).entry
    with pytest.raises(EngineBuildError, match=r"TensorRT 11.4.0.106 cannot load .* Version tag"):
        TrtSession(fake_binding("tensorrt-11.4"), entry.path(PLAN_FILE), device="cpu")


@pytest.mark.parametrize("name", CLASSIC)
def test_classic_tensorrt_needs_the_gpu_it_builds_for(store, small_weights, name):
    with pytest.raises(EngineBuildError) as caught:
        Workshop(order_of(small_weights, sm=90), fake_binding(name), store)
    assert str(caught.value) == (
        f"{fake_binding(name).label} builds on the GPU an engine is for: asked SM90, found no CUDA "
        "GPU; run this on such a machine, or build ahead of time with --backend tensorrt-rtx "
        "where it targets that GPU"
    )


def test_rtx_keeps_what_it_compiled_and_takes_it_up_again(store, small_weights):
    binding = fake_binding("tensorrt-rtx-1.7")
    entry = engine_of(binding, store, small_weights).entry
    kept = entry.path("runtime-l4.cache")
    for expected in ([], [b"kernels of this GPU"]):
        session = TrtSession(
            binding, entry.path(PLAN_FILE), device="cpu", cuda_graphs=True, runtime_cache=kept
        )
        session({"images": torch.zeros(1, 3, 128, 128, dtype=torch.float16)})
        session.save_runtime_cache()
        assert binding.trt.told.caches == expected
    assert set(binding.trt.told.strategies) == {"WHOLE_GRAPH_CAPTURE"}
    assert set(binding.trt.told.kernels) == {"EAGER"}
    assert [p.name for p in entry.folder.glob("*.tmp*")] == []
    assert store.load(_key_of(store, entry)) == entry


def _key_of(store, entry):
    from engines.trt.key import StoreKey

    return StoreKey("engine", entry.component, entry.facts)


def test_the_real_rtx_says_that_there_is_no_driver(small_store, small_weights, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a driver here")
    rtx = import_binding("tensorrt-rtx")
    workshop = Workshop(order_of(small_weights, sm=89), rtx, small_store)
    made = workshop.engine("vae_encoder", workshop.graph("vae_encoder").entry)
    with pytest.raises(EngineBuildError, match=r"TensorRT-RTX .* cannot load .*engine.plan: .+"):
        TrtSession(rtx, made.entry.path(PLAN_FILE), device="cpu")


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
