"""A weights folder in MagicFace's layout with seeded random weights: small, or of SD 1.5's size.

The small network (33 M parameters) has SD 1.5's head dimensions (40, 80, 160) on a quarter of its
channels: TensorRT's fused attention kernels exist for real head dimensions only, so a smaller one
would not build. The full one has 1,719 M parameters, 3.6 GB in fp16.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

from engines.weights.file_hash import cache_folder


@dataclass(frozen=True)
class Size:
    """What differs between the small set and the real one; `sample` is in latent pixels."""

    channels: tuple[int, ...]
    heads: int
    groups: int
    vae_channels: tuple[int, ...]
    vae_groups: int
    vae_layers: int
    sample: int
    prompt_channels: int
    layers: int = 2


SMALL = Size((80, 160, 320, 320), 2, 16, (32, 32, 64, 64), 8, 1, 16, 32)
FULL = Size((320, 640, 1280, 1280), 8, 32, (128, 256, 512, 512), 32, 2, 64, 768)


SIZES = {"small": SMALL, "full": FULL}


def random_weights(size: str) -> Path:
    """The folder of a random network, written at the first call and then found again, so that the
    engines built from it are found again too.

    Args:
        size: of `SIZES`.
    """
    folder = cache_folder() / "benchmark" / f"random-{size}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{folder.name}.tmp-"))
        try:
            write_weights(unfinished, SIZES[size]).replace(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def write_weights(folder: Path, size: Size = SMALL, *, seed: int = 7) -> Path:
    """Write a complete set of weights in fp16 and give its folder back."""
    torch.manual_seed(seed)
    _save(UNet2DConditionModel(**_unet_config(size, 4)), _unet_config(size, 4), folder / "ID_enc")
    denoiser = UNet2DConditionModel(
        **_unet_config(size, 8),
        class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=12,
    )
    _save(denoiser, _unet_config(size, 8), folder / "denoising_unet")
    vae = _vae_config(size)
    _save(AutoencoderKL(**vae), vae, folder / "vae")
    _write_text_encoder(folder, size)
    _write_json(folder / "scheduler", "scheduler_config.json", SCHEDULER)
    return folder


SCHEDULER = {
    "_class_name": "PNDMScheduler",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "clip_sample": False,
}


def _unet_config(size: Size, in_channels: int) -> dict[str, Any]:
    attending = len(size.channels) - 1
    return {
        "in_channels": in_channels,
        "out_channels": 4,
        "sample_size": size.sample,
        "block_out_channels": size.channels,
        "attention_head_dim": size.heads,  # diffusers' old name: it means the number of heads
        "norm_num_groups": size.groups,
        "cross_attention_dim": size.prompt_channels,
        "layers_per_block": size.layers,
        "down_block_types": ("CrossAttnDownBlock2D",) * attending + ("DownBlock2D",),
        "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * attending,
    }


def _vae_config(size: Size) -> dict[str, Any]:
    stages = len(size.vae_channels)
    return {
        "in_channels": 3,
        "out_channels": 3,
        "latent_channels": 4,
        "block_out_channels": size.vae_channels,
        "down_block_types": ("DownEncoderBlock2D",) * stages,
        "up_block_types": ("UpDecoderBlock2D",) * stages,
        "layers_per_block": size.vae_layers,
        "norm_num_groups": size.vae_groups,
        "sample_size": 2 ** (stages - 1) * size.sample,
        "scaling_factor": 0.18215,
    }


def _save(model: torch.nn.Module, config: dict[str, Any], folder: Path) -> None:
    _write_json(folder, "config.json", config)
    tensors = {
        name.replace("class_embedding.", "au_aug_mlp."): tensor.half().contiguous()
        for name, tensor in model.state_dict().items()
    }
    save_file(tensors, folder / "diffusion_pytorch_model.safetensors")


def _write_text_encoder(folder: Path, size: Size) -> None:
    letters = [chr(c) for c in range(33, 127)]
    words = letters + [f"{letter}</w>" for letter in letters]
    vocabulary = {w: i for i, w in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}
    config: dict[str, Any] = {
        "vocab_size": len(vocabulary),
        "hidden_size": size.prompt_channels,
        "intermediate_size": 2 * size.prompt_channels,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 77,
        "bos_token_id": vocabulary["<|startoftext|>"],
        "eos_token_id": vocabulary["<|endoftext|>"],
        "pad_token_id": vocabulary["<|endoftext|>"],
    }
    _write_json(folder / "text_encoder", "config.json", config)
    model = CLIPTextModel(CLIPTextConfig(**config))
    save_file(
        {name: t.contiguous() for name, t in model.state_dict().items()},
        folder / "text_encoder" / "model.safetensors",
    )
    _write_json(folder / "tokenizer", "vocab.json", vocabulary)
    (folder / "tokenizer" / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    _write_json(
        folder / "tokenizer",
        "tokenizer_config.json",
        {
            "tokenizer_class": "CLIPTokenizer",
            "model_max_length": 77,
            "bos_token": "<|startoftext|>",
            "eos_token": "<|endoftext|>",
            "unk_token": "<|endoftext|>",
            "pad_token": "<|endoftext|>",
        },
    )


def _write_json(folder: Path, name: str, content: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(content, indent=1), encoding="utf-8")
