"""A GPU that is pretended: it takes a GPU's time for its networks, and no core.

What the device itself would do to pictures and latents (layout, scale, the solver's sums) is left
out with it: it holds a sample of each. What the host does is real, copies included. It works
through what it is given in order, as a real one does: a call returns at once, and only the end of
the denoising waits until all of it is done (the sampler looks for numbers that left their format).
What it was idle in between is what the host was too late for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import cycle
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.editors.magicface.editor import MagicFaceEditor
from engines.editors.magicface.model.networks import IDKeyValues, Networks
from engines.editors.magicface.model.vae import TorchCodec
from engines.editors.magicface.speed.cost import NetworkCosts

SIDE = 512
PICTURES = 4
"""Axes of pictures and latents."""


class PretendedGPU:
    """Shares a frame's time among the networks by their work.

    Args:
        costs: of the networks.
        steps: of the denoising, with guidance.
        frame_s: seconds per frame.
    Attributes:
        busy_s, idle_s: since the first call, without what came before it.
    """

    def __init__(self, costs: NetworkCosts, steps: int, frame_s: float) -> None:
        rate = frame_s / costs.ours(steps, 3.0, reference=True)
        self._encode_s, self._decode_s = rate * costs.encode, rate * costs.decode
        self._identity_s = rate * (costs.id_encoder + costs.id_kv)
        self._step_s, self._steps, self._step = rate * costs.step_guided, steps, 0
        self._until = 0.0
        self.busy_s = self.idle_s = 0.0

    def networks(self) -> Networks:
        """What an editor takes."""
        codec = TorchCodec(self._encode, self._decode, 0.18215)
        return Networks(self._identity, self._denoise, codec, SIDE, "a pretended GPU")

    def _given(self, seconds: float) -> None:
        now = time.perf_counter()
        if self._until:
            self.idle_s += max(0.0, now - self._until)
        self._until = max(now, self._until) + seconds
        self.busy_s += seconds

    def _encode(self, images: Tensor) -> Tensor:
        self._given(len(images) * self._encode_s)
        return torch.zeros(len(images), 4, 1, 1)

    def _decode(self, latents: Tensor) -> Tensor:
        self._given(len(latents) * self._decode_s)
        return torch.zeros(len(latents), 3, 1, 1)

    def _identity(self, latents: Tensor) -> IDKeyValues:
        self._given(len(latents) * self._identity_s)
        return ()

    def _denoise(self, latents: Tensor, *_: object) -> Tensor:
        self._given(len(latents) / 2 * self._step_s)
        self._step = (self._step + 1) % self._steps
        if self._step == 0:
            time.sleep(max(0.0, self._until - time.perf_counter()))
        return latents


class PretendedEditor(MagicFaceEditor):
    """The editor around a pretended GPU, whose edits have a cast that is to be taken back."""

    def __init__(self, quality: str = "standard", **settings: Any) -> None:
        super().__init__(quality, **settings)
        shape = (self.batch_size, SIDE, SIDE, 3)
        reference = np.random.default_rng(0).uniform(0.2, 0.7, shape).astype(np.float32)
        self._shown = cycle((reference, reference * np.float32(1.2)))

    def _from_device(self, images: Tensor) -> Callable[[], NDArray[np.float32]]:
        shown = next(self._shown)  # the reference comes first (_edit)
        return lambda: shown[: len(images)]

    def _to_device(self, array: NDArray[Any]) -> Tensor:
        copied = array.copy()  # into pinned memory; the rest is the device's
        return torch.from_numpy(copied[:, :1, :1] if copied.ndim == PICTURES else copied)
