"""What is known of `fan` before it is loaded."""

from __future__ import annotations

from pathlib import Path

from engines.traits import Option, Traits

TRAITS = Traits(
    options=(
        Option(
            "weights", Path, "folder of its two weight files; else where torch keeps such files"
        ),
        Option("device", str, "the GPU where there is one, unless said", choices=("cpu", "cuda")),
    ),
    modules=("torch", "face_alignment"),
    extra="fan",
    gpu_share=0.5,
)
