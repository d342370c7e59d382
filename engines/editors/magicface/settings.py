"""What a user may say to the editor `magicface`, with defaults. Imports nothing heavy."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from engines.editors.magicface.folders import content_hashes, locate_weights
from engines.editors.magicface.traits import (
    BACKENDS,
    BATCH_MAX,
    CACHE_MAX,
    DTYPE_CHOICES,
    GUIDANCE_MAX,
    INITS,
    MASK_MODES,
    NOISE_MODES,
    QUALITIES,
    SCHEDULER_NAMES,
    STEPS_MAX,
)
from engines.errors import EngineError

PASTING = "mask by the delta's length"
"""Part of the fingerprint: pieces that were pasted otherwise are not taken up again."""


def _one_of(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise EngineError(f"no {what} {value!r}; known: {', '.join(known)}")


@dataclass(frozen=True)
class MagicFaceSettings:
    """Settings of the editor; `resolved` gives them from what a user wrote.

    Attributes:
        weights: a folder in the official layout, `hub`, or a hub id owner/name.
        base: folder or hub id of SD 1.5's parts; None = beside the weights.
        steps: denoising steps, 1…1000 (lcm: 1…50).
        guidance: s of u + s·(c − u); the paper has 3.0, the official script 1.5; 1 or less is one
            conditional pass at half the work and a weaker change.
        scheduler: `unipc` (the official one), `dpm++`, `ddim`, or `lcm` for distilled weights.
        noise: `shared` (one noise for the whole shot: no flicker of its own) or `per-frame`.
        batch: frames at once, a power of two up to 64.
        device: `auto` (a CUDA GPU where there is one), `cpu`, `cuda`, `cuda:1`.
        dtype: `auto` is fp16 on a GPU and fp32 on a CPU; bf16 where fp16 overflows.
        backend: what runs the networks; `auto` takes the fastest that is here and says so.
        cuda_graphs: replay captured graphs on a GPU (backends eager and compile).
        mask: what the background image blacks out, `person` or `face`.
        size: side of the square image, pixels; None = as the weights were trained (512).
        cache_steps: K: the whole denoiser at every K-th step, its last layers between; 1 = always
            whole. This and what follows is off by default, and unproven in quality.
        guidance_steps: guidance in the first so many steps; None = in all.
        init: begin from `noise`, or from the noised `source`.
        strength: with `source`, the share of the steps that is run, 0.05…1; 1 is from noise.
    """

    weights: str = ""
    base: str | None = None
    steps: int = 20
    guidance: float = 3.0
    scheduler: str = "unipc"
    noise: str = "shared"
    batch: int = 4
    device: str = "auto"
    dtype: str = "auto"
    backend: str = "auto"
    cuda_graphs: bool = True
    mask: str = "person"
    size: int | None = None
    cache_steps: int = 1
    guidance_steps: int | None = None
    init: str = "noise"
    strength: float = 1.0

    def __post_init__(self) -> None:
        _one_of("scheduler", self.scheduler, SCHEDULER_NAMES)
        _one_of("noise mode", self.noise, NOISE_MODES)
        _one_of("mask mode", self.mask, MASK_MODES)
        _one_of("init", self.init, INITS)
        if not 1 <= self.cache_steps <= CACHE_MAX:
            raise EngineError(f"cache_steps: got {self.cache_steps}; expected 1…{CACHE_MAX}")
        if self.guidance_steps is not None and self.guidance_steps < 0:
            raise EngineError(f"guidance_steps: got {self.guidance_steps}; expected 0 or more")
        if not 0.05 <= self.strength <= 1:
            raise EngineError(f"strength: got {self.strength:g}; expected 0.05…1")
        if self.strength < 1 and self.init != "source":
            raise EngineError(f"strength {self.strength:g} is for init source; got {self.init}")
        _one_of("dtype", self.dtype, DTYPE_CHOICES)
        _one_of("backend", self.backend, BACKENDS)
        most = STEPS_MAX.get(self.scheduler, 1000)
        if not 1 <= self.steps <= most:
            raise EngineError(
                f"scheduler {self.scheduler!r}: got {self.steps} steps; expected 1…{most}"
            )
        if not (math.isfinite(self.guidance) and 0 <= self.guidance <= GUIDANCE_MAX):
            raise EngineError(f"guidance: got {self.guidance}; expected 0…{GUIDANCE_MAX:g}")
        # On a CPU, a frame's bits change with its place in a batch of 3; powers of two keep them.
        if not 1 <= self.batch <= BATCH_MAX or self.batch & (self.batch - 1):
            raise EngineError(f"batch: got {self.batch}; expected 1, 2, 4, … or {BATCH_MAX}")
        if self.size is not None and (self.size < 64 or self.size % 8):
            raise EngineError(f"size: got {self.size}; expected a multiple of 8 from 64 on")
        kind = self.device.partition(":")[0]
        _one_of("device", kind, ("auto", "cpu", "cuda"))

    def describe(self) -> str:
        """The settings that shape the picture, for a report."""
        guided = f"guidance {self.guidance:g}" if self.guidance > 1 else "no guidance"
        return (
            f"magicface {self.scheduler} {self.steps} steps, {guided}, {self.noise} noise, "
            f"mask {self.mask}{self._shortcuts()}"
        )

    def _shortcuts(self) -> str:
        """What is done for speed at an unknown price."""
        taken: list[str] = []
        if self.cache_steps > 1:
            taken.append(f"deep features every {self.cache_steps} steps")
        if self.guidance_steps is not None and self.guidance_steps < self.steps:
            taken.append(f"guidance in the first {self.guidance_steps} steps")
        if self.strength < 1:
            taken.append(f"from the source at strength {self.strength:g}")
        return f"; {', '.join(taken)} (unproven in quality)" if taken else ""


def resolved(
    quality: str = "standard",
    *,
    steps: int | None = None,
    guidance: float | None = None,
    **others: Any,
) -> MagicFaceSettings:
    """Settings from a quality and what overrides it.

    Raises:
        EngineError: an unknown quality or setting, or a value out of its range.
    """
    _one_of("quality", quality, tuple(QUALITIES))
    usual_steps, usual_guidance = QUALITIES[quality]
    if others.get("scheduler") == "lcm":  # distilled weights need few steps and no guidance
        usual_steps, usual_guidance = min(usual_steps, 8), 1.0
    unknown = [name for name in others if name not in MagicFaceSettings.__dataclass_fields__]
    if unknown:
        known = ", ".join(MagicFaceSettings.__dataclass_fields__)
        raise EngineError(f"editor 'magicface' has no setting {unknown[0]!r}; known: {known}")
    if isinstance(others.get("weights"), Path):
        others["weights"] = str(others["weights"])
    return MagicFaceSettings(
        steps=usual_steps if steps is None else steps,
        guidance=usual_guidance if guidance is None else guidance,
        **others,
    )


def fingerprint(settings: MagicFaceSettings) -> str:
    """What an edited picture depends on besides its inputs, as a hex SHA-256.

    Settings, the content of every weight file (hashed once, then remembered) and the versions of
    the libraries that compute. No network is loaded, and torch is not imported.

    Raises:
        EngineUnavailableError: the weights are not here.
    """
    shaping = asdict(settings) | {"weights": "", "base": None}
    folders = locate_weights(settings.weights, settings.base)
    facts = {
        "settings": shaping,
        "pasting": PASTING,
        "weights": content_hashes(folders),
        "versions": {name: metadata.version(name) for name in ("torch", "diffusers")},
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
