"""Schedulers, guidance and noise."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engines.editors.magicface.folders import find_folders
from engines.editors.magicface.model.torch_networks import load_modules
from engines.editors.magicface.sampling import sampler
from engines.errors import EngineError
from tests.engines.editors.magicface.tiny import SCHEDULER

FRAMES = 4  # a power of two, as all batches are: others change bits with a frame's place


@pytest.fixture(scope="module")
def modules(tiny_weights):
    return load_modules(find_folders(tiny_weights))


def _frames(count=FRAMES):
    generator = torch.Generator().manual_seed(3)
    source, background = torch.randn((2, count, 4, 8, 8), generator=generator)
    return source, background, torch.randn((count, 12), generator=generator) * 3


def _sample(modules, name="unipc", *, seed=1, rows=slice(None), noise="shared"):
    source, background, au = (tensor[rows] for tensor in _frames())
    numbers = np.arange(FRAMES)[rows]
    draws = sampler.generators(sampler.frame_seeds(seed, noise, numbers))
    return sampler.sample(
        modules.denoiser,
        sampler.make_scheduler(name, SCHEDULER, 3),
        sampler.initial_noise(draws, 8, 8),
        background=background,
        au=au,
        id_kv=modules.id_encoder(source),
        guidance=3.0,
        step_noise=draws,
    )


@pytest.mark.parametrize("name", sampler.SCHEDULERS)
def test_every_scheduler_gives_the_same_latents_for_the_same_seed(modules, name):
    once, again, other = (_sample(modules, name, seed=seed) for seed in (1, 1, 2))
    assert torch.isfinite(once).all()
    assert torch.equal(once, again)
    assert not torch.equal(once, other)


@pytest.mark.parametrize("name", sampler.SCHEDULERS)
@pytest.mark.parametrize("noise", ["shared", "per-frame"])
def test_a_frame_does_not_depend_on_its_batch_mates(modules, name, noise):
    alone = _sample(modules, name, rows=[2, 1, 1, 2], noise=noise)
    together = _sample(modules, name, noise=noise)
    assert torch.equal(alone[0], together[2])
    assert torch.equal(alone[3], together[2])


def test_schedulers_differ(modules):
    latents = [_sample(modules, name) for name in sampler.SCHEDULERS]
    for index, one in enumerate(latents):
        assert not any(torch.allclose(one, other) for other in latents[index + 1 :])


def test_unipc_has_the_schedule_of_the_official_pipeline():
    scheduler = sampler.make_scheduler("unipc", {"timestep_spacing": "leading"}, 4)
    assert scheduler.timesteps.tolist() == [999, 749, 500, 250]
    assert scheduler.sigmas[-1] == pytest.approx(0.0292, abs=1e-4)
    assert scheduler.config.solver_order == 2
    assert scheduler.config.solver_type == "bh2"
    assert scheduler.config.predict_x0
    assert scheduler.config.lower_order_final


class _Counting:
    """A denoiser that notes what it is asked and answers with constants."""

    def __init__(self):
        self.batches = []

    def __call__(self, latents, _background, _timestep, au, _id_kv):
        self.batches.append((len(latents), au.clone()))
        return au[:, :1, None, None].expand_as(latents).clone()


def _count(guidance):
    counting = _Counting()
    _, background, au = _frames()
    scheduler = sampler.make_scheduler("ddim", SCHEDULER, 2)
    noise = torch.zeros((FRAMES, 4, 8, 8))
    sampler.sample(
        counting, scheduler, noise, background=background, au=au, id_kv=(), guidance=guidance
    )
    return counting.batches, au


def test_guidance_doubles_the_batch_with_zero_aus_in_the_second_half():
    batches, au = _count(3.0)
    assert [rows for rows, _ in batches] == [2 * FRAMES] * 2
    assert torch.equal(batches[0][1], torch.cat([au, torch.zeros_like(au)]))


@pytest.mark.parametrize("guidance", [0.9, 1.0])
def test_guidance_1_and_less_is_one_conditional_pass(guidance):
    batches, au = _count(guidance)
    assert [rows for rows, _ in batches] == [FRAMES] * 2
    assert torch.equal(batches[0][1], au)


def test_guidance_extrapolates_from_the_unconditional_half():
    conditional, unconditional = torch.tensor([[5.0]]), torch.tensor([[2.0]])
    eps = torch.cat([conditional, unconditional])
    assert sampler.combine(eps, 3.0).item() == 2 + 3 * (5 - 2)
    assert sampler.combine(eps, 1.0).item() == 5
    assert sampler.combine(eps, 0.0).item() == 2


def test_shared_noise_is_one_noise_and_per_frame_noise_follows_the_frames_number():
    shared = sampler.frame_seeds(424, "shared", np.array([0, 5, 9]))
    assert shared == [424] * 3
    noise = sampler.initial_noise(sampler.generators(shared), 8, 8)
    assert torch.equal(noise[0], noise[2])
    assert torch.equal(noise[0], torch.randn((4, 8, 8), generator=sampler.generators([424])[0]))
    own = sampler.frame_seeds(424, "per-frame", np.array([0, 5, 9]))
    assert len(set(own)) == 3
    assert sampler.frame_seeds(424, "per-frame", np.array([9])) == own[2:]


@given(seed=st.integers(0, 2**63 - 1), frame=st.integers(0, 10**7))
def test_every_seed_and_frame_number_has_a_generator(seed, frame):
    seeds = sampler.frame_seeds(seed, "per-frame", np.array([frame]))
    assert sampler.generators(seeds)[0].initial_seed() >= 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("pndm", SCHEDULER, 4), r"no scheduler 'pndm'; known: unipc, dpm\+\+, ddim, lcm"),
        (("unipc", SCHEDULER, 0), r"got 0 steps; expected 1…1000"),
        (("lcm", SCHEDULER, 51), r"scheduler 'lcm': got 51 steps; expected 1…50"),
        (
            ("ddim", SCHEDULER | {"prediction_type": "v_prediction"}, 4),
            "got prediction_type 'v_prediction'; expected 'epsilon'",
        ),
    ],
)
def test_impossible_schedules_are_refused(settings, message):
    with pytest.raises(EngineError, match=message):
        sampler.make_scheduler(*settings)


def test_an_unknown_noise_mode_is_refused():
    with pytest.raises(EngineError, match="no noise mode 'blue'; known: shared, per-frame"):
        sampler.frame_seeds(1, "blue", np.array([0]))


def test_aus_must_be_finite_and_twelve(modules):
    _, _, au = _frames()
    with pytest.raises(EngineError, match=r"got \(4, 11\); expected \(4, 12\)"):
        sampler.check_au(au[:, :11], FRAMES)
    au[1, 6] = float("inf")
    with pytest.raises(EngineError, match="AU12 of frame 1 is not a finite number"):
        sampler.check_au(au, FRAMES)


def test_latents_that_overflow_name_the_dtype():
    def overflowing(latents, *_):
        return latents * float("inf")

    _, background, au = _frames()
    scheduler = sampler.make_scheduler("unipc", SCHEDULER, 2)
    noise = torch.ones((FRAMES, 4, 8, 8))
    with pytest.raises(EngineError, match="non-finite latents in fp32"):
        sampler.sample(
            overflowing, scheduler, noise, background=background, au=au, id_kv=(), guidance=1.0
        )
