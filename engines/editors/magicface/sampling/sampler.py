"""From noise to latents: schedulers, classifier-free guidance over the AU vector, seeded noise.

Source: MagicFace, pipeline code (commit bcaca61) and the paper's section on guidance. The official
detour through "sigma space" cancels algebraically; guidance is applied to eps, which is kinder to
half precision.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_lcm import LCMScheduler
from numpy.typing import NDArray
from torch import Tensor

from engines.devices.precision import overflow
from engines.editors.magicface.model.networks import CachedDenoiser, Denoiser, IDKeyValues
from engines.editors.magicface.sampling.unipc import HostUniPC
from engines.editors.magicface.traits import NOISE_MODES, SCHEDULER_NAMES, STEPS_MAX
from engines.errors import EngineError
from keyframes.au import AU_ORDER

LATENT_CHANNELS = 4
SCHEDULERS: dict[str, tuple[type[Any], dict[str, Any]]] = {
    # Spacing and last sigma are part of the official numbers: another last sigma is 1.2e-3 off.
    "unipc": (
        HostUniPC,
        {"timestep_spacing": "linspace", "final_sigmas_type": "sigma_min", "solver_order": 2},
    ),
    "dpm++": (
        DPMSolverMultistepScheduler,
        {"algorithm_type": "dpmsolver++", "timestep_spacing": "linspace", "solver_order": 2},
    ),
    "ddim": (
        DDIMScheduler,
        {
            # As SD 1.5's configuration has it; diffusers' own default cuts latents off at ±1.
            "clip_sample": False,
            "set_alpha_to_one": False,
            "timestep_spacing": "leading",
            "steps_offset": 1,
        },
    ),
    "lcm": (LCMScheduler, {"timestep_spacing": "leading"}),
}
_BETAS = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas")
_SD15_BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def make_scheduler(name: str, base_config: Mapping[str, Any], steps: int) -> Any:
    """A fresh scheduler with its timesteps set; it has state: one per batch of frames.

    Args:
        name: a key of `SCHEDULERS`.
        base_config: SD 1.5's scheduler_config.json; only its betas count.
        steps: 1…1000 (LCM: 1…50).
    Raises:
        EngineError: an unknown name, steps out of range, or a model that does not predict eps.
    """
    if name not in SCHEDULERS:
        raise EngineError(f"no scheduler {name!r}; known: {', '.join(SCHEDULER_NAMES)}")
    most = STEPS_MAX.get(name, 1000)
    if not 1 <= steps <= most:
        raise EngineError(f"scheduler {name!r}: got {steps} steps; expected 1…{most}")
    prediction = base_config.get("prediction_type", "epsilon")
    if prediction != "epsilon":
        raise EngineError(
            f"scheduler_config.json: got prediction_type {prediction!r}; expected "
            "'epsilon' for Stable Diffusion 1.5"
        )
    kind, own = SCHEDULERS[name]
    betas = _SD15_BETAS | {key: base_config[key] for key in _BETAS if key in base_config}
    scheduler = kind(**betas, **own)
    scheduler.set_timesteps(steps)
    return scheduler


def frame_seeds(seed: int, noise: str, frame_index: NDArray[np.int64]) -> list[int]:
    """One seed per frame.

    Args:
        noise: `shared`: the same noise in every frame of a shot, as the official script has it;
            `per-frame`: derived from the seed and the frame's number, not from its batch.
        frame_index: `(F,)` numbers of the frames in their clip, ≥ 0.
    """
    if noise == "shared":
        return [seed] * len(frame_index)
    if noise == "per-frame":
        return [
            int(np.random.SeedSequence([seed, int(n)]).generate_state(1, np.uint64)[0])
            for n in frame_index
        ]
    raise EngineError(f"no noise mode {noise!r}; known: {', '.join(NOISE_MODES)}")


def generators(seeds: Sequence[int]) -> list[torch.Generator]:
    """CPU generators, so that a seed means the same noise on every device."""
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def initial_noise(sources: Sequence[torch.Generator], height: int, width: int) -> Tensor:
    """Draw `(F, 4, h, w)` float32 standard normal noise on the CPU, frame by frame."""
    shape = (LATENT_CHANNELS, height, width)
    return torch.stack([torch.randn(shape, generator=source) for source in sources])


def check_au(au: Tensor, frames: int) -> None:
    """Refuse AU vectors that are not `(F, 12)` finite numbers."""
    if tuple(au.shape) != (frames, len(AU_ORDER)):
        raise EngineError(
            f"AU vectors: got {tuple(au.shape)}; expected ({frames}, {len(AU_ORDER)}), "
            f"one row per frame in the order {', '.join(f'AU{n}' for n in AU_ORDER)}"
        )
    if not bool(torch.isfinite(au).all()):
        row, column = (~torch.isfinite(au)).nonzero()[0].tolist()
        raise EngineError(f"AU vectors: AU{AU_ORDER[column]} of frame {row} is not a finite number")


def combine(eps: Tensor, guidance: float) -> Tensor:
    """u + s·(c − u) of `(2F, …)` = [conditional; unconditional] rows, in eps' dtype."""
    conditional, unconditional = eps.chunk(2)
    return unconditional + guidance * (conditional - unconditional)


class Passes:
    """The denoiser call by call: whole, or between whole ones on their deep features.

    Args:
        cached: the denoiser in parts; None = always whole.
        every: whole at the first of so many calls.
    """

    def __init__(
        self, denoiser: Denoiser, cached: CachedDenoiser | None = None, every: int = 1
    ) -> None:
        self._denoiser, self._cached, self._every = denoiser, cached, every
        self._calls = 0
        self._deep: Tensor | None = None

    def __call__(self, latents: Tensor, *others: Any) -> Tensor:
        """As a `Denoiser`; rows may become fewer from call to call, the first ones stay."""
        if self._cached is None or self._every == 1:
            return self._denoiser(latents, *others)
        is_whole = self._calls % self._every == 0
        self._calls += 1
        if is_whole or self._deep is None:
            eps, self._deep = self._cached.full(latents, *others)
            return eps
        return self._cached.shallow(latents, *others, self._deep[: len(latents)])


def predictor(
    denoiser: Callable[..., Tensor],
    background: Tensor,
    au: Tensor,
    id_kv: IDKeyValues,
    guidance: float,
    guided_steps: int | None = None,
) -> Callable[[Tensor, Tensor], Tensor]:
    """(latents, timestep) → guided eps in the latents' dtype; one pass when guidance is ≤ 1.

    Args:
        guided_steps: calls with guidance, the first ones; None = all.
    """

    def single(latents: Tensor, timestep: Tensor) -> Tensor:
        eps = denoiser(latents.to(background.dtype), background, timestep, au, id_kv)
        return eps.to(latents.dtype)

    if guidance <= 1.0 or guided_steps == 0:
        return single
    both_backgrounds = torch.cat([background, background])
    both_au = torch.cat([au, torch.zeros_like(au)])

    def guided(latents: Tensor, timestep: Tensor) -> Tensor:
        both = torch.cat([latents, latents]).to(background.dtype)
        eps = denoiser(both, both_backgrounds, timestep, both_au, id_kv)
        return combine(eps.to(latents.dtype), guidance)

    if guided_steps is None:
        return guided
    calls = itertools.count()

    def guided_at_first(latents: Tensor, timestep: Tensor) -> Tensor:
        return (guided if next(calls) < guided_steps else single)(latents, timestep)

    return guided_at_first


@dataclass(frozen=True)
class Shortcuts:
    """What saves work at a price in quality that nobody has measured; without, nothing does.

    Attributes:
        cached, every: as `Passes` takes them.
        guided_steps: steps with guidance, the first ones; None = all.
        source: `(F, 4, h, w)` sampler latents of the source, to begin from.
        strength: share of the steps that is run from them, 0…1; 1 begins from noise alone.
    """

    cached: CachedDenoiser | None = None
    every: int = 1
    guided_steps: int | None = None
    source: Tensor | None = None
    strength: float = 1.0


def sample(
    denoiser: Denoiser,
    scheduler: Any,
    noise: Tensor,
    *,
    background: Tensor,
    au: Tensor,
    id_kv: IDKeyValues,
    guidance: float,
    step_noise: Sequence[torch.Generator] = (),
    on_step: Callable[[Tensor], None] | None = None,
    shortcuts: Shortcuts = Shortcuts(),
) -> Tensor:
    """Denoise F frames together; inputs are left as they are.

    Args:
        scheduler: fresh from `make_scheduler`.
        noise: `(F, 4, h, w)` on the network's device; its dtype is that of the latents between
            steps (float32 whatever the network's dtype is).
        background: `(F, 4, h, w)` encoded background images, in the network's dtype.
        au: `(F, 12)` raw deltas, in the network's dtype.
        id_kv: as the Denoiser's, of the same F frames.
        guidance: s; ≤ 1 means one conditional pass (the official rule at s < 1; equal at s = 1).
        step_noise: per-frame CPU generators for schedulers that add noise (lcm).
        on_step: called with the latents after each step.
    Returns:
        `(F, 4, h, w)` sampler latents (divide by the VAE's scaling factor to decode).
    Raises:
        EngineError: AU vectors of another shape or not finite; latents that became non-finite.
    """
    check_au(au, len(noise))
    passes = Passes(denoiser, shortcuts.cached, shortcuts.every)
    predict = predictor(passes, background, au, id_kv, guidance, shortcuts.guided_steps)
    first, start = starting_latents(scheduler, noise, shortcuts.source, shortcuts.strength)
    latents = denoise(
        predict, scheduler, start, step_noise=step_noise, on_step=on_step, first=first
    )
    if not bool(torch.isfinite(latents).all()):
        raise overflow("the denoiser gave non-finite latents", background.dtype)
    return latents


def starting_latents(
    scheduler: Any, noise: Tensor, source: Tensor | None, strength: float
) -> tuple[int, Tensor]:
    """The first step to take and the latents to take it with.

    Source: Meng et al., "SDEdit", ICLR 2022: the source under as much noise as that step expects.
    """
    steps = len(scheduler.timesteps)
    first = steps - max(1, round(strength * steps))
    if source is None or first == 0:
        return 0, noise * scheduler.init_noise_sigma
    kept = float(scheduler.alphas_cumprod[int(scheduler.timesteps[first])])
    return first, math.sqrt(kept) * source.to(noise.dtype) + math.sqrt(1 - kept) * noise


def denoise(
    predict: Callable[[Tensor, Tensor], Tensor],
    scheduler: Any,
    latents: Tensor,
    *,
    step_noise: Sequence[torch.Generator] = (),
    on_step: Callable[[Tensor], None] | None = None,
    first: int = 0,
) -> Tensor:
    """The loop of `sample`: nothing in it makes the host wait for the device (but lcm's noise).

    Args:
        predict: (latents, timestep on their device) → guided eps in the latents' dtype.
        latents: at the noise level of the first step.
        first: step to begin with.
    """
    extra: dict[str, Any] = {}
    if SCHEDULERS["lcm"][0] is type(scheduler):  # it adds fresh noise after every step but the last
        extra["generator"] = list(step_noise)
    if first:
        begin = getattr(scheduler, "begin_at", None) or getattr(scheduler, "set_begin_index", None)
        if begin is not None:  # DDIM knows its place by the timestep alone
            begin(first)
    on_device = scheduler.timesteps.to(latents.device)
    for timestep, t in zip(scheduler.timesteps[first:], on_device[first:], strict=True):
        eps = predict(latents, t)
        latents = scheduler.step(eps, timestep, latents, **extra, return_dict=False)[0]
        if on_step is not None:
            on_step(latents)
    return latents
