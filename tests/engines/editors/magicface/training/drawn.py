"""A world that a small network learns in half a minute: latents drawn by a formula.

A person is a colour and a texture; an AU adds its own bump; the background is the target without
its middle, where the bumps are. So colour and texture can come from the ID encoder only, and the
bumps from the AU vector only.
"""

from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from engines.editors.magicface.bench.weights import SCHEDULER
from engines.editors.magicface.model.unet import IDProjection, transformer_blocks
from engines.editors.magicface.sampling.sampler import make_scheduler, sample
from engines.editors.magicface.training.examples.latents import Latents
from engines.editors.magicface.training.loop import Run
from engines.editors.magicface.training.network.trainee import Trainee
from engines.editors.magicface.training.objectives.loss import signal_shares
from engines.editors.magicface.training.recipe import Recipe

SIDE = 4
SCALE = 0.18215
TEXT = 32
CHANNELS = 48
"""Of the one level; 16 where a test only asks whether things are exact."""
_Y, _X = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
_SPOTS = [
    *((1, 1), (1, 2), (1, 1.5), (1.5, 1), (1.5, 2), (1.5, 1.5)),
    *((2, 1), (2, 2), (2, 1.5), (2, 1.3), (2, 1.7), (1.2, 1.5)),
]
MIDDLE = ((_Y >= 1) & (_Y <= 2) & (_X >= 1) & (_X <= 2)).float()


def _bumps() -> Tensor:
    """`(12, 4, 4, 4)`: what 5 units of each AU add to scaled latents."""
    bumps = torch.zeros(12, 4, SIDE, SIDE)
    for k, (y, x) in enumerate(_SPOTS):
        bump = torch.exp(-((_Y - y) ** 2 + (_X - x) ** 2) / 0.8)
        bumps[k, k % 4] = bump if k % 2 else -bump
    return bumps


BUMPS = _bumps()


def people(count: int, generator: torch.Generator) -> Tensor:
    """`(count, 4, 4, 4)` faces at rest, scaled."""
    colour = 0.7 * torch.randn(count, 4, 1, 1, generator=generator)
    coarse = 0.3 * torch.randn(count, 4, 2, 2, generator=generator)
    texture = nn.functional.interpolate(coarse, size=SIDE, mode="bicubic", align_corners=True)
    return colour + texture


def _deltas(count: int, generator: torch.Generator) -> Tensor:
    """A tenth asks for nothing, the others for one to three AUs within ±5."""
    order = torch.rand(count, 12, generator=generator).argsort(dim=1)
    most = torch.randint(1, 4, (count, 1), generator=generator)
    asked = torch.rand(count, 1, generator=generator) > 0.1
    return (torch.rand(count, 12, generator=generator) * 10 - 5) * ((order < most) & asked)


def drawn_latents(pairs: int = 2000, held_out: int = 256, *, shuffled: bool = False) -> Latents:
    """Pairs of this world; `shuffled` trains on other pairs' AUs, the control."""
    generator = torch.Generator().manual_seed(11)
    count = pairs + held_out
    source, au = people(count, generator), _deltas(count, generator)
    target = source + torch.einsum("nk,kcyx->ncyx", au / 5, BUMPS)
    if shuffled:
        au[:pairs] = au[torch.randperm(pairs, generator=generator)]
    return Latents(
        source.numpy(),  # what the model sees unscaled has the same spread as what it denoises
        (target / SCALE).numpy(),
        (target * (1 - MIDDLE)).numpy(),
        au.float().numpy(),
        np.arange(count) >= pairs,
        SCALE,
        "drawn" + "-shuffled" * shuffled,
        np.ones(count, bool),
    )


def config(in_channels: int) -> dict:
    return {
        "in_channels": in_channels,
        "out_channels": 4,
        "sample_size": SIDE,
        "block_out_channels": [CHANNELS],
        "down_block_types": ["CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D"],
        "attention_head_dim": 4,
        "norm_num_groups": 8,
        "cross_attention_dim": TEXT,
        "layers_per_block": 1,
    }


PROMPT = torch.randn(1, 4, TEXT, generator=torch.Generator().manual_seed(2))


def start_unets() -> tuple[UNet2DConditionModel, UNet2DConditionModel]:
    """One level. Both UNets begin alike, with queries that find their own keys."""
    torch.manual_seed(0)
    id_unet = UNet2DConditionModel(**config(4))
    denoiser = UNet2DConditionModel(
        **config(8),
        class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=12,
    )
    with torch.no_grad():
        for block in transformer_blocks(id_unet):
            nn.init.orthogonal_(block.attn1.to_q.weight).mul_(1.5)
            block.attn1.to_k.weight.copy_(block.attn1.to_q.weight)
        state = id_unet.state_dict()
        state["conv_in.weight"] = torch.cat([state["conv_in.weight"]] * 2, dim=1)
        own = denoiser.state_dict()
        denoiser.load_state_dict(
            state | {k: 0.2 * v for k, v in own.items() if k.startswith("class_embedding")}
        )
    return id_unet, denoiser


def trainee() -> Trainee:
    """What learns, always from the same start."""
    return Trainee(*start_unets(), PROMPT)


def a_run(folder: Path, recipe: Recipe, latents: Latents, **others) -> Run:
    return Run(recipe, latents, signal_shares(SCHEDULER), folder, **others)


@torch.no_grad()
def gains(network: Trainee, guidance: float, people_at_once: int = 8, *, steps: int = 8) -> Tensor:
    """`(12,)`: how far each AU's bump moves per unit that is asked for, through the editor's own
    sampler; 1 is the truth, and below 0 the sign is wrong."""
    faces = people(people_at_once, torch.Generator().manual_seed(5))
    asked = torch.cat([torch.eye(12), -torch.eye(12)]) * 4
    source = faces.repeat(len(asked), 1, 1, 1)  # AU by AU, then the negative ones
    noise = torch.randn(faces.shape, generator=torch.Generator().manual_seed(3))
    made = sample(
        network.denoiser,
        make_scheduler("unipc", SCHEDULER, steps),
        noise.repeat(len(asked), 1, 1, 1),
        background=source * (1 - MIDDLE),
        au=asked.repeat_interleave(people_at_once, dim=0),
        id_kv=IDProjection(network.denoiser)(network.features(source)),
        guidance=guidance,
    )
    up, down = made.unflatten(0, (2, 12, people_at_once))
    inner = BUMPS * MIDDLE
    along = ((up - down) * inner[:, None]).sum(dim=(2, 3, 4)) / inner.square().sum(dim=(1, 2, 3))[
        :, None
    ]
    return along.mean(dim=1) / (8 / 5)
