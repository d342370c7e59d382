"""What the editor takes of a machine without a GPU: memory of a process, work of a frame."""

from __future__ import annotations

import json
import math
from pathlib import Path

from engines.devices.dtype_names import BYTES_OF
from engines.editors.magicface.folders import WeightFolders, native_size, weight_files
from engines.editors.magicface.settings import MagicFaceSettings
from engines.editors.magicface.speed.cost import network_costs
from engines.interface import CPUNeeds

PROCESS_BYTES = 800 << 20
"""Python, torch, diffusers, frames on their way."""
BYTES_PER_FRAME = 1.1e9
"""Live numbers per frame of a batch at 512 × 512 in fp32; with the weights and the process that
makes the 9.1 GB that one frame took at its peak (docs/performance.md)."""
LEAST_TOLD = 100_000_000
"""Parameters of networks so small that nobody waits for them: their work is not counted."""


def cpu_needs(settings: MagicFaceSettings, folders: WeightFolders) -> CPUNeeds:
    """Estimated from the files' headers and the networks' configurations; loads no network."""
    parameters = sum(
        parameters_in(file)
        for folder in (folders.id_encoder, folders.denoiser, folders.vae)
        for file in weight_files(folder)
    )
    wide = BYTES_OF["fp32" if settings.dtype == "auto" else settings.dtype]
    size = settings.size or native_size(folders)
    live = settings.batch * BYTES_PER_FRAME * (size / 512) ** 2 * wide / BYTES_OF["fp32"]
    memory = PROCESS_BYTES + parameters * wide + int(live)
    if parameters < LEAST_TOLD:
        return CPUNeeds(memory)
    costs = network_costs(folders)
    tflop = costs.ours(settings.steps, settings.guidance, reference=True)
    return CPUNeeds(memory, tflop * (size / native_size(folders)) ** 2)


def parameters_in(file: Path) -> int:
    """Numbers in a safetensors file, by its header.

    Source: safetensors' format: 8 bytes of length, then JSON of name → dtype, shape, offsets.
    """
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        header = json.loads(opened.read(length))
    return sum(math.prod(entry["shape"]) for name, entry in header.items() if name[0] != "_")
