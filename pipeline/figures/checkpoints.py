"""How the protocol's figures went over training: a panel each, a line per mode."""

# matplotlib's types are partial: what goes into it is checked by the annotations here.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pipeline.figures.style import AFTER, ASKED, FAINT, SOFT
from pipeline.files import published

PANELS = {
    "au_mse": "AU error (less is better)",
    "read": "AU read where asked",
    "identity": "identity distance",
    "faceless": "stills without a face",
}
_COLOURS = {"delta": AFTER, "target": ASKED}


def draw_checkpoints(path: Path, results: Sequence[dict[str, Any]]) -> None:
    """Writes a PNG.

    Args:
        results: of the protocol, with `checkpoint`, `mode` and `summary`.
    """
    figure = Figure(figsize=(9.6, 5.4), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (name, title) in zip(figure.subplots(2, 2).flat, PANELS.items(), strict=True):
        for mode in dict.fromkeys(one["mode"] for one in results):
            known = [
                (one["checkpoint"], one["summary"]["all"][name])
                for one in results
                if one["mode"] == mode and one["summary"]["all"][name] is not None
            ]
            steps, values = zip(*known, strict=True) if known else ((), ())
            axes.plot(steps, values, "o-", color=_COLOURS.get(mode, SOFT), label=f"level as {mode}")
        axes.set_title(title, loc="left", fontsize=9, color=SOFT)
        axes.grid(color=FAINT)
        axes.set_xlabel("step", fontsize=8, color=SOFT)
        axes.tick_params(labelsize=8, colors=SOFT)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].legend(fontsize=8, frameon=False)
    with published(path) as partial:
        figure.savefig(partial, format="png", dpi=110)
