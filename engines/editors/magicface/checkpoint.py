"""Strict loading of MagicFace checkpoints in the diffusers folder layout (folders.py).

Every missing, extra or misshapen key is an error: the official `ignore_mismatched_sizes=True`
silently re-initialises what does not fit.

Source: MagicFace (commit bcaca61): ID encoder = 686 keys of a stock UNet with 4 input channels;
denoiser = the same with 8, plus `au_aug_mlp.{weight,bias}`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from engines.editors.magicface.folders import WeightFolders, read_config, weight_files
from engines.errors import EngineError, EngineUnavailableError
from keyframes.au import AU_ORDER

PROMPT = "A close up of a person."
PROMPT_TOKENS = 77

_VAE_ATTENTION_1_0 = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
"""How the VAE's attention layers were called when SD 1.5 was published → today's names."""


def read_tensors(folder: Path, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """All tensors of a component on the CPU, floating-point ones in `dtype`.

    Raises:
        EngineError: a file that is no safetensors.
    """
    tensors: dict[str, Tensor] = {}
    for path in weight_files(folder):
        try:
            tensors.update(load_file(path))
        except (SafetensorError, OSError) as error:
            raise EngineError(f"{path}: not a readable safetensors file: {error}") from None
    return {
        name: tensor.to(dtype) if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }


def _some(names: Iterable[str], most: int = 3) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - most} more" if len(ordered) > most else ""
    return ", ".join(ordered[:most]) + more


def load_strictly(model: nn.Module, tensors: Mapping[str, Tensor], what: str) -> None:
    """Give a model (of meta tensors or real ones) exactly these tensors.

    Raises:
        EngineError: naming the first missing, extra and misshapen keys.
    """
    expected = model.state_dict()
    faults: list[str] = []
    if missing := expected.keys() - tensors.keys():
        faults.append(f"missing {_some(missing)}")
    if extra := tensors.keys() - expected.keys():
        faults.append(f"unexpected {_some(extra)}")
    misshapen = [
        f"{name} {tuple(tensors[name].shape)} (expected {tuple(expected[name].shape)})"
        for name in expected.keys() & tensors.keys()
        if tensors[name].shape != expected[name].shape
    ]
    if misshapen:
        faults.append(f"misshapen {_some(misshapen)}")
    if faults:
        raise EngineError(f"checkpoint {what} does not fit its network: {'; '.join(faults)}")
    model.load_state_dict(tensors, assign=True)


def _settings_of(network: type, config: Mapping[str, Any], where: Path) -> dict[str, Any]:
    """The config's settings without diffusers' private keys; unknown ones that say something."""
    known = inspect.signature(network.__init__).parameters
    settings = {name: value for name, value in config.items() if not name.startswith("_")}
    unknown = [name for name in settings if name not in known and settings[name] is not None]
    if unknown:
        raise EngineError(f"{where}/config.json: {network.__name__} knows no {_some(unknown)}")
    return {name: value for name, value in settings.items() if name in known}


def build_unet(config: Mapping[str, Any], in_channels: int, where: Path) -> UNet2DConditionModel:
    """A stock UNet of meta tensors from a MagicFace config (4 = ID encoder, 8 = denoiser).

    Raises:
        EngineError: another channel count, or a setting that the stock UNet does not know.
    """
    found = config.get("in_channels")
    if found != in_channels:
        raise EngineError(f"{where}: got in_channels {found}; expected {in_channels} for MagicFace")
    settings = _settings_of(UNet2DConditionModel, config, where)
    if in_channels == 8:
        settings |= {
            "class_embed_type": "simple_projection",
            "projection_class_embeddings_input_dim": len(AU_ORDER),
        }
    try:
        with torch.device("meta"):
            return UNet2DConditionModel(**settings).eval()
    except (ValueError, TypeError) as error:
        raise EngineError(f"{where}/config.json: {' '.join(str(error).split())}") from None


def load_id_unet(folder: Path, dtype: torch.dtype = torch.float32) -> UNet2DConditionModel:
    """The ID encoder's UNet on the CPU."""
    unet = build_unet(read_config(folder), 4, folder)
    load_strictly(unet, read_tensors(folder, dtype), str(folder))
    return unet.requires_grad_(False)


def load_denoiser_unet(folder: Path, dtype: torch.dtype = torch.float32) -> UNet2DConditionModel:
    """The denoiser's UNet on the CPU; `au_aug_mlp` becomes the stock class embedding."""
    unet = build_unet(read_config(folder), 8, folder)
    tensors = {
        name.replace("au_aug_mlp.", "class_embedding.", 1): tensor
        for name, tensor in read_tensors(folder, dtype).items()
    }
    load_strictly(unet, tensors, str(folder))
    return unet.requires_grad_(False)


def _modern_vae_name(name: str) -> str:
    parts = name.split(".")
    if "attentions" in parts and parts[-2] in _VAE_ATTENTION_1_0:
        parts[-2] = _VAE_ATTENTION_1_0[parts[-2]]
    return ".".join(parts)


def build_vae(folder: Path) -> AutoencoderKL:
    """The VAE of meta tensors that a folder's config describes."""
    config = read_config(folder)
    try:
        with torch.device("meta"):
            return AutoencoderKL(**_settings_of(AutoencoderKL, config, folder)).eval()
    except (ValueError, TypeError) as error:
        raise EngineError(f"{folder}/config.json: {' '.join(str(error).split())}") from None


def load_vae(folder: Path, dtype: torch.dtype = torch.float32) -> AutoencoderKL:
    """Stable Diffusion's VAE on the CPU; attention layers may bear their names of 2022."""
    vae = build_vae(folder)
    tensors = {_modern_vae_name(name): t for name, t in read_tensors(folder, dtype).items()}
    load_strictly(vae, tensors, str(folder))
    return vae.requires_grad_(False)


def load_text_encoder(folder: Path) -> CLIPTextModel:
    """CLIP's text tower in fp32 on the CPU.

    transformers 5 dropped the prefix `text_model.` from the names; files of all ages are read.
    """
    config = read_config(folder)
    model = cast("Any", CLIPTextModel)(CLIPTextConfig(**config)).eval()
    prefix = "text_model."
    modern = not any(name.startswith(prefix) for name in model.state_dict())
    tensors: dict[str, Tensor] = {}
    for name, tensor in read_tensors(folder, torch.float32).items():
        bare = name.removeprefix(prefix)
        if bare != "embeddings.position_ids":  # a constant that old files carry along
            tensors[bare if modern else prefix + bare] = tensor
    load_strictly(model, tensors, str(folder))
    return model.requires_grad_(False)


def prompt_ids(folder: Path) -> Tensor:
    """Token ids of the one prompt by the tokenizer in `folder`, `(1, 77)` int64, padded."""
    if not (folder / "tokenizer.json").is_file():
        read_config(folder, "vocab.json")
        if not (folder / "merges.txt").is_file():
            raise EngineUnavailableError(f"weights folder {folder}: no merges.txt")
    try:
        tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise EngineError(f"{folder}: {' '.join(str(error).split())}") from None
    return tokenizer(
        [PROMPT],
        max_length=PROMPT_TOKENS,
        padding="max_length",
        truncation=True,
        return_tensors="pt",
    ).input_ids


def load_prompt(folders: WeightFolders) -> Tensor:
    """The prompt's embedding: CLIP's last hidden state after the final norm, `(1, 77, C)` fp32."""
    encoder = load_text_encoder(folders.text_encoder)
    ids, words = prompt_ids(folders.tokenizer), int(encoder.config.vocab_size)
    if int(ids.max()) >= words:
        raise EngineError(
            f"{folders.tokenizer} numbers a token {int(ids.max())}; text_encoder knows {words}: "
            "they are of different models"
        )
    with torch.no_grad():
        return encoder(ids).last_hidden_state
