"""Writes a golden set the official way, frame by frame, for any weights, sizes and guidance.

The same layout as the set made with the official code, so that the parity command and its
mutations are tested where that set is absent. Nothing of our sampler or networks is used.
"""

import json
from pathlib import Path

import cv2
import numpy as np
import torch
from diffusers import UniPCMultistepScheduler
from safetensors.torch import save_file

from engines.editors.magicface import checkpoint
from engines.editors.magicface.folders import find_folders
from engines.editors.magicface.proof.official import OfficialDenoiser, official_features

FRAMES = 2


def _inputs(height: int, width: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(height + width)
    coarse = torch.rand((2 * FRAMES, 3, height // 8, width // 8), generator=generator)
    pictures = torch.nn.functional.interpolate(coarse, scale_factor=8.0, mode="bilinear")
    pictures = (pictures * 255).round().to(torch.uint8)
    au = (torch.rand((FRAMES, 12), generator=generator, dtype=torch.float64) - 0.5) * 16
    latents = torch.randn((FRAMES, 4, height // 8, width // 8), generator=generator)
    return {
        "source_u8": pictures[:FRAMES].contiguous(),
        "bg_u8": pictures[FRAMES:].contiguous(),
        "au": au,
        "latents_init": latents,
    }


class _Official:
    def __init__(self, weights: Path) -> None:
        self.folders = find_folders(weights)
        self.prompt = checkpoint.load_prompt(self.folders)
        self.vae = checkpoint.load_vae(self.folders.vae)
        self.id_unet = checkpoint.load_id_unet(self.folders.id_encoder)
        self.denoiser = OfficialDenoiser(checkpoint.load_denoiser_unet(self.folders.denoiser))

    def encode(self, pictures):
        return self.vae.encode(pictures.float() / 255 * 2 - 1).latent_dist.mode()

    def eps(self, latents, background, au, t, features, *, guided=True):
        copies = 2 if guided else 1
        conditions = torch.cat([au, torch.zeros_like(au)]) if guided else au
        return self.denoiser(
            torch.cat([latents] * copies),
            torch.cat([background] * copies),
            t,
            conditions,
            features=[torch.cat([f] * copies) for f in features],
            prompt_embeds=self.prompt,
        )

    def run(self, frame, steps, scale):
        latents, background, au, features = frame
        guided = scale >= 1
        scheduler = UniPCMultistepScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            final_sigmas_type="sigma_min",
        )
        scheduler.set_timesteps(steps)
        after = []
        for t in scheduler.timesteps:
            eps = self.eps(latents, background, au, t, features, guided=guided)
            if guided:
                conditional, unconditional = eps[:1], eps[1:]
                eps = unconditional + scale * (conditional - unconditional)
            latents = scheduler.step(eps, t, latents).prev_sample
            after.append(latents[0])
        return torch.stack(after), scheduler


def make_golden(weights: Path, root: Path, size: tuple[int, int], runs: dict) -> Path:
    """`runs`: name → (steps, guidance); a golden set of `size` = height, width."""
    (root / "images").mkdir(parents=True)
    for folder in weights.iterdir():
        (root / folder.name).symlink_to(folder)
    inputs = _inputs(*size)
    official = _Official(weights)
    source, background = official.encode(inputs["source_u8"]), official.encode(inputs["bg_u8"])
    features = official_features(official.id_unet, torch.cat([source, source]), official.prompt)
    features = [f[:FRAMES] for f in features]
    au = inputs["au"].float()
    outputs = {"source_latents": source, "bg_latents": background}
    outputs |= {f"id_feat_{i:02d}": f for i, f in enumerate(features)}
    for t in (999, 261):
        eps = official.eps(inputs["latents_init"], background, au, t, features)
        outputs[f"deno_t{t:04d}"] = eps
    for name, (steps, scale) in runs.items():
        frames = [
            (inputs["latents_init"][i : i + 1], background[i : i + 1], au[i : i + 1],
             [f[i : i + 1] for f in features])
            for i in range(FRAMES)
        ]  # fmt: skip
        made = [official.run(frame, steps, scale) for frame in frames]
        outputs[f"latents_{name}"] = torch.stack([latents for latents, _ in made])
        outputs[f"sigmas_{steps}"] = made[0][1].sigmas
        outputs[f"timesteps_{steps}"] = made[0][1].timesteps
        decoded = official.vae.decode(outputs[f"latents_{name}"][:, -1] / 0.18215).sample
        outputs[f"decoded_{name}"] = decoded
        pictures = ((decoded / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
        for i, picture in enumerate(pictures):
            rgb = np.ascontiguousarray(picture.permute(1, 2, 0).numpy()[:, :, ::-1])
            cv2.imwrite(str(root / "images" / f"output_{name}_{i}.png"), rgb)
    inputs |= {
        "prompt_embeds": official.prompt,
        "input_ids": checkpoint.prompt_ids(official.folders.tokenizer),
    }
    for name, tensors in (("inputs", inputs), ("outputs", outputs)):
        path = root / f"{name}.safetensors"
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, path)
    listed = [
        {"name": name, "num_inference_steps": n, "image_guidance_scale": s}
        for name, (n, s) in runs.items()
    ]
    (root / "meta.json").write_text(json.dumps({"runs": listed}))
    return root
