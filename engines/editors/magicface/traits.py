"""What is known of `magicface` before it is loaded, and the words its settings know.

Imports nothing heavy: a command's help asks this.
"""

from __future__ import annotations

from pathlib import Path

from engines.devices.dtype_names import DTYPE_NAMES
from engines.traits import Option, Traits

QUALITIES: dict[str, tuple[int, float]] = {
    "draft": (8, 3.0),
    "standard": (20, 3.0),
    "final": (50, 3.0),
    "distilled": (4, 1.0),
}
"""Quality → steps, guidance. Few steps show timing and direction of a change, not its texture; the
first three have the paper's guidance, so that a draft moves as far as the final does. `distilled`
is for weights that learnt the guided answer (docs/training.md): the released ones would hardly
move. 20.3, 42.5, 97.8 and 9.2 TFLOP per frame."""

SCHEDULER_NAMES = ("unipc", "dpm++", "ddim", "lcm")
NOISE_MODES = ("shared", "per-frame")
MASK_MODES = ("person", "face")
DTYPE_CHOICES = ("auto", *DTYPE_NAMES)
BACKENDS = ("auto", "eager", "compile", "onnxruntime", "tensorrt", "tensorrt-rtx")
STEPS_MAX = {"lcm": 50}
"""Most steps where it is not the 1000 of training: LCM samples a subset of 50."""
BATCH_MAX = 64
GUIDANCE_MAX = 30.0
CACHE_MAX = 10
INITS = ("noise", "source")

TRAITS = Traits(
    options=(
        Option("weights", Path, "folder with the weights, `hub` to download them, or a hub id"),
        Option("base", Path, "SD 1.5's parts, where not beside --weights"),
        Option(
            "quality",
            str,
            "8, 20 or 50 steps, or 4 without guidance for distilled weights; standard unless said",
            choices=tuple(QUALITIES),
        ),
        Option("steps", int, "denoising steps", least=1, most=1000),
        Option(
            "guidance",
            float,
            "strength of the AUs: paper 3.0, official script 1.5",
            least=0,
            most=GUIDANCE_MAX,
        ),
        Option("scheduler", str, "how it denoises", choices=SCHEDULER_NAMES),
        Option("noise", str, "one for the shot, or one per frame", choices=NOISE_MODES),
        Option(
            "cache_steps",
            int,
            "whole denoiser at every K-th step, its last layers between (unproven in quality)",
            least=1,
            most=CACHE_MAX,
        ),
        Option(
            "guidance_steps",
            int,
            "guidance in the first N steps, then half the work (unproven in quality)",
            least=0,
            most=1000,
        ),
        Option(
            "init",
            str,
            "begin from noise, or from the noised source (unproven in quality)",
            choices=INITS,
        ),
        Option(
            "strength",
            float,
            "with --init source: share of the steps that is run",
            least=0.05,
            most=1,
        ),
        Option("batch", int, "frames at once: 1, 2, 4, …", least=1, most=BATCH_MAX),
        Option("device", str, "auto, cpu, cuda, cuda:1"),
        Option("dtype", str, "of the networks", choices=DTYPE_CHOICES),
        Option("backend", str, "what runs the networks", choices=BACKENDS),
        Option("mask", str, "what the background image blacks out", choices=MASK_MODES),
    ),
    modules=("torch", "diffusers", "transformers"),
    extra="magicface",
    gpu_share=1.0,
    seconds_per_edit=0.5,
)
