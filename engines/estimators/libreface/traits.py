"""What is known of `libreface` before it is loaded."""

from __future__ import annotations

from pathlib import Path

from engines.traits import Option, Traits

TRAITS = Traits(
    options=(
        Option("weights", Path, "its checkpoint, combined_resnet.pt"),
        Option("device", str, "the GPU where there is one, unless said", choices=("cpu", "cuda")),
    ),
    modules=("torch",),
    extra="libreface",
    gpu_share=0.5,
)
