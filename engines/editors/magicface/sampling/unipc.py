"""UniPC whose coefficients are numbers of the host: a step costs the GPU a few sums, no waiting.

The stock scheduler copies six noise levels to the device and solves a 2 × 2 system there at every
step; each makes the host wait until all that was queued is done.

Source: Zhao et al., "UniPC", NeurIPS 2023, B₂(h) = eʰ − 1, data prediction, order 2; noise levels,
timesteps and the lower orders at both ends as stock diffusers has them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler
from torch import Tensor


class HostUniPC(UniPCMultistepScheduler):
    """A `UniPCMultistepScheduler` of order 1 or 2 with its own `step`; the last sigma is not 0."""

    def set_timesteps(self, *arguments: Any, **named: Any) -> None:
        """As the stock scheduler; what `step` remembers is forgotten."""
        super().set_timesteps(*arguments, **named)
        self._sigmas: list[float] = self.sigmas.double().tolist()
        self._done = self._first = 0
        self._order = 0
        self._clean: list[Tensor] = []
        self._start: Tensor | None = None

    def begin_at(self, level: int) -> None:
        """Leave out the steps before one; the first that is taken knows none before it."""
        self._done = self._first = level

    def step(  # pyright: ignore[reportIncompatibleMethodOverride]  only the tuple is given
        self,
        model_output: Tensor,
        timestep: Any,  # noqa: ARG002  steps come in order
        sample: Tensor,
        return_dict: bool = False,  # noqa: ARG002
    ) -> tuple[Tensor]:
        """Go on to the next noise level.

        Args:
            model_output: eps `(F, 4, h, w)`.
            sample: `(F, 4, h, w)` latents at this noise level.
        """
        level = self._done
        alpha, sigma, _ = self._at(level)
        clean = (sample - sigma * model_output) / alpha
        if self._start is not None:
            sample = self._moved(level, self._start, self._clean, self._order, clean)
        self._clean = [*self._clean, clean][-2:]
        self._start = sample
        left = len(self._sigmas) - 1 - level
        self._order = min(self.config["solver_order"], left, level - self._first + 1)
        self._done += 1
        return (self._moved(level + 1, sample, self._clean, self._order),)

    def _at(self, level: int) -> tuple[float, float, float]:
        """Signal, noise, and half of the log of their ratio squared."""
        ratio = self._sigmas[level]
        alpha = 1 / math.sqrt(ratio * ratio + 1)
        return alpha, ratio * alpha, -math.log(ratio)

    def _moved(
        self,
        level: int,
        start: Tensor,
        clean: Sequence[Tensor],
        order: int,
        reached: Tensor | None = None,
    ) -> Tensor:
        """From the level before to `level`: predicted, or corrected by what was `reached` there.

        Args:
            clean: the clean latents known at the start, the newest last.
            reached: the clean latents that the network saw at `level`.
        """
        alpha, sigma, log_ratio = self._at(level)
        _, sigma_before, log_ratio_before = self._at(level - 1)
        h = log_ratio - log_ratio_before
        growth = math.expm1(-h)
        newest = clean[-1]
        moved = (sigma / sigma_before) * start - (alpha * growth) * newest
        slopes: list[Tensor] = []
        back = 1.0
        if order == 2:
            back = (self._at(level - 2)[2] - log_ratio_before) / h
            slopes.append((clean[-2] - newest) / back)
        if reached is not None:
            slopes.append(reached - newest)
        for weight, slope in zip(self._weights(h, growth, back, len(slopes)), slopes, strict=True):
            moved = moved - (alpha * growth * weight) * slope
        return moved

    @staticmethod
    def _weights(h: float, growth: float, back: float, slopes: int) -> Sequence[float]:
        """Of no slope, of one (a half, by the paper's rule), or of the two that solve
        w₀ + w₁ = b₁, r·w₀ + w₁ = b₂."""
        if slopes < 2:
            return [0.5] * slopes
        first = growth / -h - 1
        second = first / -h - 0.5
        b1, b2 = first / growth, 2 * second / growth
        w0 = (b2 - b1) / (back - 1)
        return [w0, b1 - w0]
