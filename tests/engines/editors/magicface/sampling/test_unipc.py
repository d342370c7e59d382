"""Our UniPC gives the stock one's numbers, and its loop never waits for the device."""

import copy

import pytest
import torch
from diffusers import UniPCMultistepScheduler
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from engines.editors.magicface.folders import find_folders
from engines.editors.magicface.model.torch_networks import load_modules
from engines.editors.magicface.sampling.sampler import (
    SCHEDULERS,
    denoise,
    make_scheduler,
    predictor,
)
from engines.editors.magicface.sampling.unipc import HostUniPC

META = torch.device("meta")


def _latents_of_a_run(kind, order, steps, seed):
    """Latents after each step, for eps that depend on nothing."""
    settings_ = SCHEDULERS["unipc"][1] | {"solver_order": order}
    scheduler = kind(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", **settings_)
    scheduler.set_timesteps(steps)
    generator = torch.Generator().manual_seed(seed)
    latents = torch.randn((2, 4, 8, 8), generator=generator)
    for timestep in scheduler.timesteps:
        eps = torch.randn((2, 4, 8, 8), generator=generator)
        latents = scheduler.step(eps, timestep, latents, return_dict=False)[0]
        yield latents


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 60), st.integers(1, 2), st.integers(0, 9))
def test_every_step_is_the_stock_schedulers(steps, order, seed):
    ours = _latents_of_a_run(HostUniPC, order, steps, seed)
    stock = _latents_of_a_run(UniPCMultistepScheduler, order, steps, seed)
    for one, other in zip(ours, stock, strict=True):
        assert one.dtype == torch.float32
        assert (one - other).abs().max() < 3e-6 * other.abs().max()


def test_it_starts_anew_when_timesteps_are_set_again():
    scheduler = make_scheduler("unipc", {}, 3)
    latents = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(0))

    def run():
        x = latents
        for timestep in scheduler.timesteps:
            x = scheduler.step(x * 0.3, timestep, x)[0]
        return x

    first = run()
    scheduler.set_timesteps(3)
    assert torch.equal(run(), first)


class _Crossings(TorchDispatchMode):
    """Notes operators that bring a tensor of the host's memory to another device."""

    def __init__(self):
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        name = func.__name__.partition(".")[0]
        there = isinstance(made, torch.Tensor) and made.device == META
        copied = name in ("to", "_to_copy", "copy_", "copy") and any(
            isinstance(a, torch.Tensor) and a.device != META for a in args
        )
        new = name in ("detach_", "lift_fresh")  # torch.tensor([...], device=...)
        self.seen += [name] * (there and (copied or new))
        return made


@pytest.mark.parametrize("guidance", [1.0, 3.0])
@pytest.mark.parametrize("name", ["unipc", "dpm++", "ddim"])
def test_no_step_waits_for_the_device(tiny_weights, name, guidance):
    """On the meta device reading a value back is an error, and uploads can be counted: one, before
    the loop, for the timesteps."""
    denoiser = copy.deepcopy(load_modules(find_folders(tiny_weights)).denoiser).to(META)
    frames, side = 2, 8
    id_kv = tuple(
        (torch.empty((frames, 2, n, d), device=META), torch.empty((frames, 2, n, d), device=META))
        for n, d in _id_shapes(denoiser, side)
    )
    latents = torch.empty((frames, 4, side, side), device=META)
    au = torch.empty((frames, 12), device=META)
    predict = predictor(denoiser, latents, au, id_kv, guidance)
    with _Crossings() as crossings:
        done = denoise(predict, make_scheduler(name, {}, 4), latents)
    assert done.shape == latents.shape
    assert len(crossings.seen) == 1


def test_the_stock_unipc_does_wait(monkeypatch):
    """What the test above would find, and why the class exists."""
    monkeypatch.setitem(SCHEDULERS, "unipc", (UniPCMultistepScheduler, SCHEDULERS["unipc"][1]))
    latents = torch.empty((1, 4, 8, 8), device=META)
    with _Crossings() as crossings:
        denoise(lambda x, _: x, make_scheduler("unipc", {}, 4), latents)
        torch.tensor([1.0], device=META)
    assert len(crossings.seen) > 4 * 4
    assert crossings.seen[-1] in ("detach_", "lift_fresh"), "and a tensor made of a list"


def _id_shapes(denoiser, side):
    """(tokens, head width) of each block; two heads, and half the side at every stage."""
    widths = [
        block.norm1.normalized_shape[0] // 2
        for stage in (*denoiser.unet.down_blocks, denoiser.unet.mid_block, *denoiser.unet.up_blocks)
        for transformer in getattr(stage, "attentions", ())
        for block in transformer.transformer_blocks
    ]
    stages = [0, 0, 1, 1, 2, 2, 3, 2, 2, 2, 1, 1, 1, 0, 0, 0]
    return [((side >> stage) ** 2, width) for stage, width in zip(stages, widths, strict=True)]
