"""What a person is told of the engines that were chosen, before anything runs."""

from __future__ import annotations

from rich.console import Console

from engines.choice import Engine
from engines.devices.cpu_rate import cpu_tflops
from engines.interface import CPUNeeds


def announce(screen: Console, engine: Engine) -> None:
    """Says which engine was taken and why; loudly when the result is only a preview."""
    line = f"{engine.kind}: {engine.name} ({engine.reason})"
    if engine.is_preview:
        line += "\nThis is a PREVIEW: it shows timing, direction and amount; no skin folds."
        screen.print(line, style="bold yellow")
        return
    if engine.borrows:
        line += "\nThe shot's own frames lend mouths, folds and shut eyes; "
        line += "notes say where none does."
    screen.print(line)
    if engine.cpu_needs is not None:
        screen.print(without_gpu(engine.cpu_needs, cpu_tflops()))


def without_gpu(needs: CPUNeeds, tflops: float) -> str:
    """What is to be expected of an editor that wants a GPU, where there is none.

    Args:
        tflops: dense products of this machine's cores, TFLOP/s.
    """
    told = f"no GPU: each of its processes takes about {needs.memory / 1e9:.1f} GB"
    if not needs.tflop:
        return f"{told}; as many run as memory holds"
    seconds = needs.tflop / tflops
    frame, second = f"{seconds / 60:.1f} min", f"{25 * seconds / 3600:.1f} h"
    return (
        f"{told}, an edited frame about {frame} of all cores: a second at 25 fps {second} "
        "(--quality draft takes half; --editor plate edits at once, from the shot's own frames)"
    )
