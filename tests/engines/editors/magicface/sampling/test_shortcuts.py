"""What saves work at a price: off it changes no byte, on it does what it says."""

import math

import numpy as np
import pytest
import torch

from engines.editors.magicface.backends.choose import Machine, candidates
from engines.editors.magicface.editor import MagicFaceEditor
from engines.editors.magicface.folders import find_folders
from engines.editors.magicface.model.cached import FullStep, ShallowStep
from engines.editors.magicface.model.networks import CachedDenoiser
from engines.editors.magicface.model.torch_networks import load_modules
from engines.editors.magicface.sampling.sampler import (
    Shortcuts,
    denoise,
    make_scheduler,
    sample,
    starting_latents,
)
from engines.editors.magicface.settings import resolved
from engines.errors import EngineError
from engines.interface import AlignedCrops
from keyframes.au import AUDelta

STEPS, SIDE = 6, 8


@pytest.fixture(scope="module")
def modules(tiny_weights):
    return load_modules(find_folders(tiny_weights))


@pytest.fixture(scope="module")
def given(modules):
    """Two frames: noise, background, AUs, identity."""
    draw = torch.Generator().manual_seed(5)
    noise, background, source = torch.randn((3, 2, 4, SIDE, SIDE), generator=draw)
    with torch.no_grad():
        return noise, background, 2 * torch.ones(2, 12), modules.id_encoder(source), source


def _sampled(modules, given, shortcuts=None, guidance=3.0, denoiser=None):
    noise, background, au, id_kv, _ = given
    more = {} if shortcuts is None else {"shortcuts": shortcuts}
    scheduler = make_scheduler("unipc", {}, STEPS)
    return sample(
        denoiser or modules.denoiser,
        scheduler,
        noise,
        background=background,
        au=au,
        id_kv=id_kv,
        guidance=guidance,
        **more,
    )


def _parts(modules):
    return CachedDenoiser(FullStep(modules.denoiser), ShallowStep(modules.denoiser))


def test_shortcuts_that_are_off_change_no_byte(modules, given):
    plain = _sampled(modules, given)
    source = given[-1]
    off = Shortcuts(_parts(modules), every=1, guided_steps=STEPS, source=source, strength=1.0)
    assert torch.equal(_sampled(modules, given, off), plain)


def test_a_shallow_step_on_its_own_deep_features_is_the_whole_step(modules, given):
    noise, background, au, id_kv, _ = given
    parts, call = _parts(modules), (noise, background, torch.tensor(300), au, id_kv)
    eps, deep = parts.full(*call)
    assert torch.equal(eps, modules.denoiser(*call))
    assert torch.equal(parts.shallow(*call, deep), eps)
    other = (noise, background, torch.tensor(250), au, id_kv)
    near = parts.shallow(*other, deep) - modules.denoiser(*other)
    assert float(near.abs().max()) > 0


@pytest.mark.parametrize("every", [2, 3])
def test_the_whole_denoiser_runs_at_every_kth_step(modules, given, every):
    parts, run = _parts(modules), []

    def noted(name, part):
        return lambda *inputs: (run.append((name, len(inputs[0]))), part(*inputs))[1]

    cached = CachedDenoiser(noted("full", parts.full), noted("shallow", parts.shallow))
    found = _sampled(modules, given, Shortcuts(cached, every, guided_steps=4))
    assert [name for name, _ in run] == ["shallow" if n % every else "full" for n in range(STEPS)]
    assert [rows for _, rows in run] == [4, 4, 4, 4, 2, 2], "guidance ends after four steps"
    assert torch.isfinite(found).all()
    assert not torch.equal(found, _sampled(modules, given))


def test_guidance_in_no_step_is_no_guidance(modules, given):
    none = _sampled(modules, given, Shortcuts(guided_steps=0))
    assert torch.equal(none, _sampled(modules, given, guidance=1.0))


@pytest.mark.parametrize("name", ["unipc", "dpm++", "ddim"])
@pytest.mark.parametrize("strength", [0.2, 0.5])
def test_from_the_noised_source_a_denoiser_that_knows_the_noise_finds_the_source(name, strength):
    draw = torch.Generator().manual_seed(1)
    noise, source = torch.randn((2, 1, 4, SIDE, SIDE), generator=draw, dtype=torch.float64)
    scheduler, asked = make_scheduler(name, {}, 10), []
    kept = scheduler.alphas_cumprod.double()

    def knows(latents, timestep):
        asked.append(int(timestep))
        a = kept[int(timestep)]
        return (latents - a.sqrt() * source) / (1 - a).sqrt()

    first, start = starting_latents(scheduler, noise, source, strength)
    assert first == 10 - round(10 * strength)
    a = float(kept[int(scheduler.timesteps[first])])
    assert torch.allclose(start, math.sqrt(a) * source + math.sqrt(1 - a) * noise)
    found = denoise(knows, scheduler, start, first=first)
    assert len(asked) == round(10 * strength)
    assert float((found - source).abs().max()) < 0.15, "what is left is the last noise level"


def test_the_editor_takes_them_and_says_what_they_are(tiny_weights):
    asked = {"weights": str(tiny_weights), "steps": 4, "batch": 2}
    plain = MagicFaceEditor(**asked)
    off = MagicFaceEditor(**asked, cache_steps=1, guidance_steps=4, init="source", strength=1.0)
    on = MagicFaceEditor(**asked, cache_steps=2, guidance_steps=2, init="source", strength=0.5)
    draw = np.random.default_rng(0)
    images = draw.integers(0, 255, (2, 64, 64, 3), np.uint8)
    angle = np.linspace(0, np.pi, 68, dtype=np.float32)
    points = np.stack([32 + 20 * np.cos(angle), 24 + 20 * np.sin(angle)], axis=1)
    crops = AlignedCrops(images, np.stack([points, points]), np.arange(2))
    delta = AUDelta(np.full((2, 12), 2, np.float32))
    first, second, third = (e.edit(crops, delta, seed=1) for e in (plain, off, on))
    assert np.array_equal(first.edited, second.edited)
    assert not np.array_equal(first.edited, third.edited)
    assert "unproven" not in off.description
    assert (
        "deep features every 2 steps, guidance in the first 2 steps, from the source at strength "
        "0.5 (unproven in quality)"
    ) in on.description


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cache_steps": 0}, "cache_steps: got 0; expected 1…10"),
        ({"guidance_steps": -1}, "guidance_steps: got -1; expected 0 or more"),
        ({"init": "black"}, "no init 'black'; known: noise, source"),
        ({"init": "source", "strength": 0.0}, "strength: got 0; expected 0.05…1"),
        ({"strength": 0.5}, "strength 0.5 is for init source; got noise"),
    ],
)
def test_shortcuts_out_of_range_are_refused(settings, message):
    with pytest.raises(EngineError, match=message):
        resolved(**settings)


def test_plans_and_graphs_have_no_denoiser_in_parts():
    ada = Machine("NVIDIA L4", 89, {"tensorrt-rtx": "1.7", "compile": "3", "onnxruntime": "1"})
    (first, *_) = candidates("auto", ada, torch_only=True)
    assert first.backend == "compile"
    assert (
        "not tensorrt-rtx: it has no denoiser in parts, which --cache-steps needs" in first.reason
    )
    for backend in ("tensorrt-rtx", "onnxruntime"):
        with pytest.raises(
            EngineError, match=r"--cache-steps needs .* expected auto, compile or e"
        ):
            candidates(backend, ada, torch_only=True)
