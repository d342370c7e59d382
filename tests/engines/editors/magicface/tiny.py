"""Tiny random MagicFace weights in the official folder layout, made on the spot."""

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

from engines.editors.magicface.model.networks import Networks
from engines.editors.magicface.model.vae import TorchCodec

CHANNELS = (16, 16, 32, 16)
TEXT = 16
SCHEDULER = {
    "_class_name": "PNDMScheduler",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "trained_betas": None,
}


def unet_config(in_channels: int, channels=CHANNELS, text: int = TEXT) -> dict:
    config = {
        "_class_name": "UNetDeno2DConditionModel" if in_channels == 8 else "UNetID2DConditionModel",
        "_diffusers_version": "0.25.1",
        "attention_head_dim": 2,
        "block_out_channels": list(channels),
        "cross_attention_dim": text,
        "in_channels": in_channels,
        "norm_num_groups": 8,
        "sample_size": 8,
    }
    if in_channels == 8:
        config["time_embedding_dim"] = 96
    return config


def _sharpen(model: torch.nn.Module, generator: torch.Generator) -> None:
    """No zero layers, no unit norms, and attention that really prefers some tokens."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape, generator=generator)
            if weight.ndim == 1:
                base = 1.0 if name.endswith("weight") else 0.0
                weight.copy_(base + 0.2 * noise)
            else:
                fan_in = weight[0].numel()
                gain = 2.5 if "to_q" in name or "to_k" in name else 1.0
                weight.copy_(gain * noise / fan_in**0.5)


def _save(model, folder: Path, config: dict, stem: str = "diffusion_pytorch_model") -> None:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    tensors = {
        name.replace("class_embedding.", "au_aug_mlp."): t.contiguous()
        for name, t in model.state_dict().items()
    }
    save_file(tensors, folder / f"{stem}.safetensors")


def _save_tokenizer(folder: Path) -> None:
    folder.mkdir(parents=True)
    letters = "abcdefghijklmnopqrstuvwxyz."
    pieces = [
        *letters,
        *(f"{letter}</w>" for letter in letters),
        "<|startoftext|>",
        "<|endoftext|>",
    ]
    (folder / "vocab.json").write_text(json.dumps({piece: i for i, piece in enumerate(pieces)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    special = {
        "bos_token": "<|startoftext|>",
        "eos_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
    }
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, **special})
    )


def make_weights(root: Path, seed: int = 7, *, channels=CHANNELS, text: int = TEXT) -> Path:
    """All six folders of a complete set, a few MB, the same numbers for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    for name, in_channels in (("ID_enc", 4), ("denoising_unet", 8)):
        config = unet_config(in_channels, channels, text)
        settings = {k: v for k, v in config.items() if not k.startswith("_")}
        if in_channels == 8:
            settings |= {
                "class_embed_type": "simple_projection",
                "projection_class_embeddings_input_dim": 12,
            }
        unet = UNet2DConditionModel(**settings)
        _sharpen(unet, generator)
        _save(unet, root / name, config)
    vae_settings = {
        "block_out_channels": [8, 16, 16, 16],
        "down_block_types": ["DownEncoderBlock2D"] * 4,
        "up_block_types": ["UpDecoderBlock2D"] * 4,
        "norm_num_groups": 4,
        "sample_size": 64,
        "scaling_factor": 0.18215,
    }
    vae = AutoencoderKL(**vae_settings)
    _sharpen(vae, generator)
    _save(vae, root / "vae", {"_class_name": "AutoencoderKL", **vae_settings})
    text_settings = {
        "vocab_size": 64,
        "hidden_size": text,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 77,
        "bos_token_id": 54,
        "eos_token_id": 55,
    }
    encoder = CLIPTextModel(CLIPTextConfig(**text_settings))
    _sharpen(encoder, generator)
    _save(
        encoder, root / "text_encoder", {"model_type": "clip_text_model", **text_settings}, "model"
    )
    _save_tokenizer(root / "tokenizer")
    (root / "scheduler").mkdir()
    (root / "scheduler" / "scheduler_config.json").write_text(json.dumps(SCHEDULER))
    return root


def networks_of(modules, runs_on: str) -> Networks:
    """Torch modules as the sampler sees them, just as they are."""
    codec = TorchCodec(modules.vae_encoder, modules.vae_decoder, modules.scaling_factor)
    return Networks(modules.id_encoder, modules.denoiser, codec, modules.image_size, runs_on)
