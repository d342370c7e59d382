"""The editor's networks from stored plans; the libraries are fakes, as in test_runtime.py."""

import sys

import pytest
import torch

from engines.editors.magicface.backends.backends import make_networks
from engines.editors.magicface.backends.choose import Machine
from engines.editors.magicface.backends.plan_builder import PlanBuilder
from engines.editors.magicface.folders import find_folders
from engines.errors import EngineError
from engines.trt.errors import AccuracyError, PlanBuildError, StalePlanError
from engines.trt.store.key import BatchProfile
from tests.engines.editors.magicface.backends.stores import plan_of, request_for, request_on_l4
from tests.engines.trt.fake_tensorrt import NAMES, fake_binding

pytestmark = pytest.mark.timeout(900)  # the first test waits for the exports


@pytest.fixture(scope="module")
def one_step(small_weights):
    """Latents of 2 frames, the denoiser's rows and AUs under guidance, and torch's fp32 answer."""
    found, _ = make_networks(
        find_folders(small_weights), backend="eager", frames=2, machine=Machine()
    )
    latents = torch.randn((2, 4, 16, 16), generator=torch.Generator().manual_seed(1))
    rows, au = torch.cat([latents, latents]), torch.zeros(4, 12)
    au[:2, 6] = 3.0
    with torch.no_grad():
        eps = found.denoiser(rows, rows, torch.tensor(300), au, found.id_encoder(latents))
    return latents, rows, au, eps


@pytest.mark.parametrize("name", NAMES)
def test_the_editor_gets_the_same_numbers_from_a_plan_as_from_torch(
    store, small_weights, one_step, monkeypatch, name
):
    binding, said = fake_binding(name), []
    monkeypatch.setitem(sys.modules, "tensorrt_rtx" if binding.is_rtx else "tensorrt", binding.trt)
    list(PlanBuilder(request_on_l4(small_weights), binding, store).run())
    machine = Machine("NVIDIA L4", 89, {binding.name: binding.version})
    asked = {"dtype": "fp16", "frames": 2, "device": "cpu", "machine": machine, "cache": store}
    before = binding.trt.seen.runs
    found, choice = make_networks(find_folders(small_weights), say=said.append, **asked)
    assert binding.trt.seen.runs - before == 8, "each is warmed up, then compared"
    assert choice.backend == binding.name
    assert f"{binding.label} fp16 on cpu (auto: {binding.name}" in found.runs_on
    assert [line.split()[0] for line in said] == ["accuracy:"] * 4
    latents, rows, au, expected = one_step
    half = rows.half()
    eps = found.denoiser(half, half, torch.tensor(300), au.half(), found.id_encoder(latents.half()))
    assert float((eps - expected).abs().max() / expected.abs().max()) < 5e-3
    decoded = found.codec.decode(found.codec.encode(torch.zeros(2, 3, 128, 128).half()))
    assert decoded.shape == (2, 3, 128, 128)
    assert found.codec.scaling_factor == 0.18215
    found.forget()


def test_auto_goes_on_when_no_plan_was_built_and_an_explicit_backend_does_not(
    store, small_weights, monkeypatch
):
    binding, said = fake_binding("tensorrt-11.4"), []
    monkeypatch.setitem(sys.modules, "tensorrt", binding.trt)
    machine = Machine("NVIDIA H200", 90, {"tensorrt": binding.version})
    asked = {"dtype": "fp16", "device": "cpu", "machine": machine, "cache": store}
    found, choice = make_networks(find_folders(small_weights), say=said.append, **asked)
    assert choice.backend == "eager"
    why = f"not tensorrt: no tensorrt plan of the vae_encoder in {store.root}"
    assert why in choice.reason
    assert said[0].startswith(why)
    assert "torch eager fp16 on cpu" in found.runs_on
    with pytest.raises(StalePlanError, match=r"build it with jobs/build_engines.py"):
        make_networks(find_folders(small_weights), backend="tensorrt", **asked)


def test_a_plan_for_smaller_batches_is_not_taken(store, small_weights, monkeypatch):
    binding = fake_binding("tensorrt-11.4")
    monkeypatch.setitem(sys.modules, "tensorrt", binding.trt)
    plan_of(binding, store, small_weights)
    with pytest.raises(StalePlanError, match=r"batch is 1\.\.2\.\.2"):
        make_networks(
            find_folders(small_weights),
            backend="tensorrt",
            dtype="fp16",
            frames=3,
            device="cpu",
            machine=Machine("NVIDIA L4", 89, {"tensorrt": binding.version}),
            cache=store,
        )


@pytest.mark.parametrize("name", ["tensorrt-11.4", "tensorrt-rtx-1.7"])
def test_a_plan_for_one_batch_size_is_checked_and_served_at_it(
    store, small_weights, monkeypatch, name
):
    binding = fake_binding(name)
    request = request_for(
        small_weights, sm=89, gpu="NVIDIA L4", gpu_sm=89, batch=BatchProfile(2, 2, 2)
    )
    made = list(PlanBuilder(request, binding, store).run())
    assert all(binding.label in d.entry.made["accuracy"] for d in made if d.entry.kind == "plan")
    module = "tensorrt_rtx" if binding.is_rtx else "tensorrt"
    monkeypatch.setitem(sys.modules, module, binding.trt)
    asked = {"backend": binding.name, "dtype": "fp16", "device": "cpu", "cache": store}
    asked["machine"] = Machine("NVIDIA L4", 89, {binding.name: binding.version})
    found, _ = make_networks(find_folders(small_weights), frames=2, **asked)
    assert found.codec.encode(torch.zeros(2, 3, 128, 128).half()).shape == (2, 4, 16, 16)
    with pytest.raises(EngineError, match=r"got a batch of 1; it was built for 2\.\.2"):
        found.codec.encode(torch.zeros(1, 3, 128, 128).half())
    with pytest.raises(StalePlanError, match=r"batch is 2\.\.2\.\.2, asked 1\.\.1\.\.1"):
        make_networks(find_folders(small_weights), frames=1, **asked)


def test_a_plan_is_checked_on_its_gpu_before_it_is_stored(binding, store, small_weights):
    made = plan_of(binding, store, small_weights)
    assert made.made_now
    assert binding.label in made.entry.made["accuracy"]
    assert "≤" in made.entry.made["accuracy"]
    again = plan_of(binding, store, small_weights)
    assert not again.made_now
    assert again.seconds < 1
    expected = "sm89" if binding.is_rtx else "sm89 NVIDIA L4"
    assert made.entry.facts["target"] == expected


def test_a_plan_that_computes_something_else_is_not_stored(binding, store, small_weights):
    binding.trt.faults.spoil = 0.5
    with pytest.raises(AccuracyError, match=r"exceeds .*; it is not used"):
        plan_of(binding, store, small_weights)
    assert {e.kind for e in store.entries()} == {"graph"}


@pytest.mark.parametrize("name", [n for n in NAMES if "rtx" not in n])
def test_classic_tensorrt_needs_the_gpu_it_builds_for(store, small_weights, name):
    with pytest.raises(PlanBuildError) as caught:
        PlanBuilder(request_for(small_weights, sm=90), fake_binding(name), store)
    assert str(caught.value) == (
        f"{fake_binding(name).label} builds on the GPU a plan is for: asked SM90, found no CUDA "
        "GPU; run this on such a machine, or build ahead of time with --backend tensorrt-rtx "
        "where it targets that GPU"
    )
