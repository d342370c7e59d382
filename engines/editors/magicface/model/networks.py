"""The four networks of MagicFace as the sampler sees them: torch modules and TensorRT alike.

Sizes, for an image of H × W pixels (multiples of 8): h = H/8, w = W/8; F frames; B = F, or 2F
under guidance. Block i of the 16 transformer blocks, in execution order (down 6, mid 1, up 9), has
`heads_i` heads of `d_i` channels and N_i tokens: h·w, h·w/4, h·w/16 (down), h·w/64 (mid; rounded
up where h or w is odd), and back (up). SD 1.5 has 8 heads; d is 40, 80, 160 (down), 160 (mid).

Source: MagicFace, pipeline and UNet code (commit bcaca61).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

IDKeyValues = tuple[tuple[Tensor, Tensor], ...]
"""16 pairs (K, V), each `(F, heads_i, N_i, d_i)` in the denoiser's dtype: the keys and values that
the denoiser's own norm1, to_k and to_v make of the ID encoder's features. They depend on the frame
and on nothing else: one computation serves every step and both guidance halves."""


class IDEncoder(Protocol):
    """Source latents → the identity's keys and values, once per frame."""

    def __call__(self, source_latents: Tensor, /) -> IDKeyValues:
        """Encode `(F, 4, h, w)` latents as `ImageCodec.encode` gives them (not scaled)."""
        ...


class Denoiser(Protocol):
    """Predicts the noise in latents. The prompt is a constant of the network."""

    def __call__(
        self,
        latents: Tensor,
        background: Tensor,
        timestep: Tensor,
        au: Tensor,
        id_kv: IDKeyValues,
        /,
    ) -> Tensor:
        """One forward pass; every tensor is in the network's dtype but for the timestep.

        Args:
            latents: `(B, 4, h, w)`, scaled latents at this noise level.
            background: `(B, 4, h, w)`, the encoded background image (not scaled).
            timestep: 0-d int64, 0…999, on the network's device.
            au: `(B, 12)` raw deltas in AU_ORDER, about −10…10; zeros are the guidance's null.
            id_kv: of F frames. B = F, or B = 2F with the F conditional rows first and the F
                unconditional rows after them, frame by frame in the same order.
        Returns:
            eps `(B, 4, h, w)`.
        """
        ...


class ImageCodec(Protocol):
    """The VAE. Both directions speak unscaled latents, so `decode(encode(x))` is the round trip."""

    scaling_factor: float
    """Sampler latents = unscaled latents · scaling_factor (0.18215 for SD 1.5)."""

    def encode(self, images: Tensor, /) -> Tensor:
        """Encode `(F, 3, H, W)` RGB in −1…1 → the posterior's mode `(F, 4, h, w)`, not scaled."""
        ...

    def decode(self, latents: Tensor, /) -> Tensor:
        """Decode `(F, 4, h, w)` unscaled latents → `(F, 3, H, W)`, about −1…1, not clamped."""
        ...


@dataclass(frozen=True)
class CachedDenoiser:
    """A denoiser in two: whole steps, and shallow ones that reuse a whole one's deep features.

    Attributes:
        full: as a `Denoiser`, but → eps and the deep features.
        shallow: as a `Denoiser` with the deep features as one more argument → eps.
    """

    full: Callable[..., tuple[Tensor, Tensor]]
    shallow: Callable[..., Tensor]


@dataclass(frozen=True)
class Networks:
    """What the editor runs, whoever made it.

    Attributes:
        id_encoder, denoiser, codec: callables as the Protocols say.
        image_size: native side of the square image in pixels (512; tiny test networks less).
        runs_on: for the report, e.g. `torch eager fp32 on cpu`.
        forget: lets go of memory held for batch sizes seen so far (captured graphs).
        cached: of the denoiser, where it can reuse its deep features; else None.
        is_outdated: whether plans have come that were missing when these were made.
    """

    id_encoder: IDEncoder
    denoiser: Denoiser
    codec: ImageCodec
    image_size: int
    runs_on: str
    forget: Callable[[], None] = lambda: None
    cached: CachedDenoiser | None = None
    is_outdated: Callable[[], bool] = lambda: False
