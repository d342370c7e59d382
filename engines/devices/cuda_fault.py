"""Why torch finds no GPU on a machine that is said to have one, in a line somebody can act on."""

from __future__ import annotations

import re
from pathlib import Path

LEAST_DRIVER = {11: 450, 12: 525, 13: 580}
"""Major CUDA version → oldest branch of the Linux driver it runs with.

Source: NVIDIA, CUDA Compatibility, minor version compatibility."""
DRIVER_FILES = (Path("/sys/module/nvidia/version"), Path("/proc/driver/nvidia/version"))


def driver_version(*files: Path) -> str:
    """The NVIDIA kernel driver's version, e.g. `535.104.05`; "" where none is loaded.

    Args:
        files: where it tells; without, where Linux has it.
    """
    for path in files or DRIVER_FILES:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if found := re.search(r"\d{3}\.\d+(\.\d+)?", text):
            return found[0]
    return ""


def cuda_fault() -> str | None:
    """Why torch cannot use a GPU here and what to do, one clause each; None where it can."""
    import torch

    if torch.cuda.is_available():
        return None
    return explain(torch.__version__, torch.version.cuda, driver_version() or None)


def explain(torch_version: str, torch_cuda: str | None, driver: str | None) -> str:
    """The same from what was found.

    Args:
        torch_cuda: the CUDA that torch was built for; None for a CPU build.
        driver: as `driver_version` has it.
    """
    if torch_cuda is None:
        has = "no NVIDIA driver is loaded" if driver is None else f"the NVIDIA driver is {driver}"
        return (
            f"torch {torch_version} is a build without CUDA ({has}); install one with it: "
            "https://pytorch.org/get-started/locally"
        )
    built = f"torch {torch_version} is built for CUDA {torch_cuda}"
    if driver is None:
        mend = "install it, or pass the GPU into the container"
        return f"{built}, but no NVIDIA driver is loaded; {mend}"
    least = LEAST_DRIVER.get(int(torch_cuda.partition(".")[0]))
    if least is not None and int(driver.partition(".")[0]) < least:
        return (
            f"{built}, which needs driver {least} or newer; the driver is {driver}; update it, or "
            "install a torch for an older CUDA"
        )
    return (
        f"{built}, the driver is {driver}, but no GPU is usable; check nvidia-smi and "
        "CUDA_VISIBLE_DEVICES"
    )
