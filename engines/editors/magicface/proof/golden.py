"""A golden set of the official code: what it holds, and how each of its tensors is recomputed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from engines.editors.magicface import checkpoint
from engines.editors.magicface.folders import WeightFolders, find_folders, read_config
from engines.editors.magicface.model.torch_networks import TorchModules
from engines.editors.magicface.model.vae import to_network, to_pixels
from engines.editors.magicface.sampling.sampler import make_scheduler, sample
from engines.errors import EngineError

RUN_NAME = re.compile(r"n(?P<steps>\d+)_(?:g(?P<guidance>\d+(?:\.\d+)?)|nocfg)")
PICTURE_NAME = re.compile(r"(source|bg)_\d+\.png|output_.+\.png")
"""What belongs to a set among the files of `images/`."""


@dataclass(frozen=True)
class Run:
    """One sampling run: steps ≥ 1, and the official guidance argument (below 1: no guidance)."""

    steps: int
    guidance: float


@dataclass(frozen=True)
class GoldenSet:
    """What a folder holds.

    Attributes:
        root, folders: where it and its weights lie.
        inputs: `source_u8`, `bg_u8` `(F, 3, H, W)`; `au` `(F, 12)`; `latents_init`
            `(F, 4, H/8, W/8)`; and what else was written down.
        outputs: the tensors to recompute.
        runs: by name.
    """

    root: Path
    folders: WeightFolders
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    runs: dict[str, Run]

    def expected(self) -> Iterator[tuple[str, Tensor]]:
        """Every quantity to recompute with its expected value: tensors, then pictures."""
        for name in ("input_ids", "prompt_embeds"):
            if name in self.inputs:
                yield name, self.inputs[name]
        yield from self.outputs.items()
        for path in sorted((self.root / "images").glob("*.png")):
            if PICTURE_NAME.fullmatch(path.name):
                yield path.name, read_png(path)


def read_png(path: Path) -> Tensor:
    """An RGB picture as `(3, H, W)` uint8."""
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        found = "nothing readable" if picture is None else f"{picture.dtype} {picture.shape}"
        raise EngineError(f"{path}: got {found}; expected an 8-bit RGB picture")
    return torch.from_numpy(np.ascontiguousarray(picture[:, :, ::-1].transpose(2, 0, 1)))


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise EngineError(f"{path}: not a readable safetensors file: {error}") from None


def _read_runs(root: Path, outputs: dict[str, Tensor]) -> dict[str, Run]:
    """Runs as meta.json lists them; those it does not list speak through their names."""
    try:
        meta: dict[str, Any] = json.loads((root / "meta.json").read_text(encoding="utf-8"))
        runs = {
            run["name"]: Run(int(run["num_inference_steps"]), float(run["image_guidance_scale"]))
            for run in meta.get("runs", ())
        }
    except FileNotFoundError:
        runs = {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EngineError(f"{root / 'meta.json'}: not a list of runs: {error!r}") from None
    for quantity in outputs:
        name = quantity.partition("_")[2]
        match = RUN_NAME.fullmatch(name)
        if match and name not in runs:
            runs[name] = Run(int(match["steps"]), float(match["guidance"] or 0.0))
    return runs


def _check_inputs(root: Path, inputs: dict[str, Tensor]) -> None:
    wanted = ("source_u8", "bg_u8", "au", "latents_init")
    absent = [name for name in wanted if name not in inputs]
    if absent:
        raise EngineError(f"{root / 'inputs.safetensors'}: no {', '.join(absent)}")
    frames, channels, height, width = inputs["source_u8"].shape
    shapes = {
        "source_u8": (frames, 3, height, width),
        "bg_u8": (frames, channels, height, width),
        "au": (frames, 12),
        "latents_init": (frames, 4, height // 8, width // 8),
    }
    for name, shape in shapes.items():
        if tuple(inputs[name].shape) != shape:
            raise EngineError(
                f"{root / 'inputs.safetensors'}: {name} is {tuple(inputs[name].shape)}; "
                f"expected {shape}"
            )


def read_golden(root: Path) -> GoldenSet:
    """Read a folder laid out like the golden set.

    Raises:
        EngineError: naming what is missing or does not fit.
    """
    folders = find_folders(root)
    inputs, outputs = (_read_tensors(root / f"{n}.safetensors") for n in ("inputs", "outputs"))
    _check_inputs(root, inputs)
    return GoldenSet(root, folders, inputs, outputs, _read_runs(root, outputs))


class Recomputed:
    """Our own values of everything in a golden set, computed when first asked for."""

    def __init__(
        self, golden: GoldenSet, modules: TorchModules, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.golden = golden
        self.modules = modules
        self.device = device
        self.dtype = dtype
        self._steps: dict[str, Tensor] = {}

    def find(self, quantity: str) -> tuple[str, Tensor] | None:
        """Kind (a key of the tolerances) and value of a quantity; None where no rule knows it."""
        for pattern, (kind, rule) in RULES.items():
            match = re.fullmatch(pattern, quantity)
            if match is None:
                continue
            run = match.groupdict().get("run")
            if run is not None and run not in self.golden.runs:
                return None
            return kind, rule(self, match)
        return None

    def pixels(self, name: str) -> Tensor:
        """Input picture `source` or `bg`, `(F, 3, H, W)` in −1…1."""
        pictures = self.golden.inputs[f"{name}_u8"].to(self.device).float() / 255
        return to_network(pictures)

    @cached_property
    def source_latents(self) -> Tensor:
        return self.modules.vae_encoder(self.pixels("source").to(self.dtype))

    @cached_property
    def bg_latents(self) -> Tensor:
        return self.modules.vae_encoder(self.pixels("bg").to(self.dtype))

    @cached_property
    def features(self) -> tuple[Tensor, ...]:
        return self.modules.id_encoder.features(self.source_latents)

    @cached_property
    def id_kv(self) -> tuple[tuple[Tensor, Tensor], ...]:
        return self.modules.id_encoder.projection(self.features)

    @cached_property
    def au(self) -> Tensor:
        return self.golden.inputs["au"].to(self.device, self.dtype)

    @cached_property
    def noise(self) -> Tensor:
        return self.golden.inputs["latents_init"].to(self.device, torch.float32)

    def forward(self, timestep: int) -> Tensor:
        """eps of `[cond; uncond]` rows of the initial noise at one timestep, `(2F, 4, h, w)`."""
        latents = torch.cat([self.noise, self.noise]).to(self.dtype)
        background = torch.cat([self.bg_latents, self.bg_latents])
        au = torch.cat([self.au, torch.zeros_like(self.au)])
        t = torch.tensor(timestep, device=self.device)
        return self.modules.denoiser(latents, background, t, au, self.id_kv)

    def steps(self, name: str) -> Tensor:
        """Latents after each step of a run, `(F, steps, 4, h, w)`."""
        if name not in self._steps:
            run = self.golden.runs[name]
            after: list[Tensor] = []
            sample(
                self.modules.denoiser,
                self.schedule(run.steps),
                self.noise,
                background=self.bg_latents,
                au=self.au,
                id_kv=self.id_kv,
                guidance=run.guidance,
                on_step=after.append,
            )
            self._steps[name] = torch.stack(after, dim=1)
        return self._steps[name]

    def decoded(self, name: str) -> Tensor:
        """The run's last latents decoded, `(F, 3, H, W)`, not clamped."""
        latents = self.steps(name)[:, -1] / self.modules.scaling_factor
        return self.modules.vae_decoder(latents.to(self.dtype)).float()

    def picture(self, name: str, frame: int) -> Tensor:
        """The run's output picture `(3, H, W)` in rounded grey levels 0…255."""
        return torch.round(255 * to_pixels(self.decoded(name)[frame]))

    def schedule(self, steps: int) -> Any:
        config = read_config(self.golden.folders.scheduler, "scheduler_config.json")
        return make_scheduler("unipc", config, steps)


Rule = Callable[[Recomputed, "re.Match[str]"], Tensor]
RULES: dict[str, tuple[str, Rule]] = {
    "input_ids": ("exact", lambda our, _: checkpoint.prompt_ids(our.golden.folders.tokenizer)),
    "prompt_embeds": ("prompt", lambda our, _: our.modules.prompt_embeds),
    r"(source|bg)_preprocessed_crop(\d+)": (
        "preprocessed",
        lambda our, name: our.pixels(name[1])[:, :, : int(name[2]), : int(name[2])],
    ),
    "source_latents": ("vae", lambda our, _: our.source_latents),
    "bg_latents": ("vae", lambda our, _: our.bg_latents),
    r"id_feat_(\d+)": ("features", lambda our, name: our.features[int(name[1])]),
    r"deno_t(\d+)": ("forward", lambda our, name: our.forward(int(name[1]))),
    "latents_(?P<run>.+)": ("latents", lambda our, name: our.steps(name["run"])),
    "latents64_(?P<run>.+)": ("latents", lambda our, name: our.steps(name["run"])[:, -1]),
    "decoded_(?P<run>.+)": ("decoded", lambda our, name: our.decoded(name["run"])),
    r"timesteps_(\d+)": ("exact", lambda our, name: our.schedule(int(name[1])).timesteps),
    r"sigmas_(\d+)": ("sigmas", lambda our, name: our.schedule(int(name[1])).sigmas),
    r"(source|bg)_(\d+)\.png": (
        "exact",
        lambda our, name: our.golden.inputs[f"{name[1]}_u8"][int(name[2])],
    ),
    r"output_(?P<run>.+)_(\d+)\.png": (
        "png",
        lambda our, name: our.picture(name["run"], int(name[2])),
    ),
}
"""Quantity → kind of tolerance, and how we compute it."""
