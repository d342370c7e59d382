"""The editor's networks from stored engines; the libraries are fakes, as in test_runtime.py."""

import sys

import pytest
import torch

from engines.editors.magicface.backends.backends import make_networks
from engines.editors.magicface.backends.choose import Machine
from engines.editors.magicface.backends.prepare import Workshop
from engines.editors.magicface.folders import find_folders
from engines.errors import EngineError
from engines.trt.errors import StaleEngineError
from engines.trt.key import BatchProfile
from tests.engines.trt.fake_tensorrt import NAMES
from tests.engines.trt.stores import engine_of, fake_binding, order_of, order_on_l4

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
def test_the_editor_gets_the_same_numbers_from_an_engine_as_from_torch(
    store, small_weights, one_step, monkeypatch, name
):
    binding, said = fake_binding(name), []
    monkeypatch.setitem(sys.modules, "tensorrt_rtx" if binding.is_rtx else "tensorrt", binding.trt)
    list(Workshop(order_on_l4(small_weights), binding, store).run())
    machine = Machine("NVIDIA L4", 89, {binding.name: binding.version})
    asked = {"dtype": "fp16", "frames": 2, "device": "cpu", "machine": machine, "cache": store}
    before = binding.trt.told.runs
    found, choice = make_networks(find_folders(small_weights), say=said.append, **asked)
    assert binding.trt.told.runs - before == 8, "each is warmed up, then compared"
    assert choice.backend == binding.name
    assert f"{binding.label} fp16 on cpu (auto: {binding.name}" in found.runs_on
    assert [line.split()[0] for line in said] == ["parity:"] * 4
    latents, rows, au, expected = one_step
    half = rows.half()
    eps = found.denoiser(half, half, torch.tensor(300), au.half(), found.id_encoder(latents.half()))
    assert float((eps - expected).abs().max() / expected.abs().max()) < 5e-3
    decoded = found.codec.decode(found.codec.encode(torch.zeros(2, 3, 128, 128).half()))
    assert decoded.shape == (2, 3, 128, 128)
    assert found.codec.scaling_factor == 0.18215
    found.forget()


def test_auto_goes_on_when_no_engine_was_built_and_an_explicit_backend_does_not(
    store, small_weights, monkeypatch
):
    binding, said = fake_binding("tensorrt-11.4"), []
    monkeypatch.setitem(sys.modules, "tensorrt", binding.trt)
    machine = Machine("NVIDIA H200", 90, {"tensorrt": binding.version})
    asked = {"dtype": "fp16", "device": "cpu", "machine": machine, "cache": store}
    found, choice = make_networks(find_folders(small_weights), say=said.append, **asked)
    assert choice.backend == "eager"
    why = f"not tensorrt: no tensorrt engine of the vae_encoder in {store.root}"
    assert why in choice.reason
    assert said[0].startswith(why)
    assert "torch eager fp16 on cpu" in found.runs_on
    with pytest.raises(StaleEngineError, match=r"build it with jobs/build_engines.py"):
        make_networks(find_folders(small_weights), backend="tensorrt", **asked)


def test_an_engine_for_smaller_batches_is_not_taken(store, small_weights, monkeypatch):
    binding = fake_binding("tensorrt-11.4")
    monkeypatch.setitem(sys.modules, "tensorrt", binding.trt)
    engine_of(binding, store, small_weights)
    with pytest.raises(StaleEngineError, match=r"batch is 1\.\.2\.\.2"):
        make_networks(
            find_folders(small_weights),
            backend="tensorrt",
            dtype="fp16",
            frames=3,
            device="cpu",
            machine=Machine("NVIDIA L4", 89, {"tensorrt": binding.version}),
            cache=store,
        )


def test_an_engine_for_one_batch_size_is_checked_and_served_at_it(
    binding, store, small_weights, monkeypatch
):
    order = order_of(small_weights, sm=89, gpu="NVIDIA L4", gpu_sm=89, batch=BatchProfile(2, 2, 2))
    made = list(Workshop(order, binding, store).run())
    assert all(binding.label in d.entry.made["parity"] for d in made if d.entry.kind == "engine")
    module = "tensorrt_rtx" if binding.is_rtx else "tensorrt"
    monkeypatch.setitem(sys.modules, module, binding.trt)
    asked = {"backend": binding.name, "dtype": "fp16", "device": "cpu", "cache": store}
    asked["machine"] = Machine("NVIDIA L4", 89, {binding.name: binding.version})
    found, _ = make_networks(find_folders(small_weights), frames=2, **asked)
    assert found.codec.encode(torch.zeros(2, 3, 128, 128).half()).shape == (2, 4, 16, 16)
    with pytest.raises(EngineError, match=r"got a batch of 1; it was built for 2\.\.2"):
        found.codec.encode(torch.zeros(1, 3, 128, 128).half())
    with pytest.raises(StaleEngineError, match=r"batch is 2\.\.2\.\.2, asked 1\.\.1\.\.1"):
        make_networks(find_folders(small_weights), frames=1, **asked)
