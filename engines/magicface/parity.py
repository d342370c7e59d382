"""Recomputes a golden set of the official code and says, quantity by quantity, whether it holds.

    python -m engines.magicface.parity DIR [--device cpu|cuda] [--dtype fp32|fp16|bf16]

DIR holds a complete set of weights, `inputs.safetensors`, `outputs.safetensors`, `meta.json` (or
run names like `n10_g3.0`, `n4_nocfg`) and optionally `images/`. One JSON line per quantity:
`quantity, max_abs, max_rel` (max_abs over the peak of the expected values; for latents the worst of
all steps), `tolerance, ok`. Exit
status 0 only if all hold, 1 if one does not, 2 if DIR cannot be used.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import torch
from cyclopts import App, Parameter
from torch import Tensor

from engines.errors import EngineError
from engines.magicface.golden import GoldenSet, Recomputed, read_golden
from engines.magicface.torch_networks import DTYPES, exact_fp32, load_modules

TOLERANCES: dict[str, dict[str, float]] = {
    "fp32": {
        "exact": 0.0,
        "preprocessed": 1e-6,
        "sigmas": 1e-6,
        "vae": 1e-5,
        "forward": 1e-5,
        "features": 5e-5,
        "prompt": 5e-5,
        "latents": 1e-5,
        "decoded": 2e-5,
        "png": 1.0,
    },
}
"""Largest deviation per kind. `latents` are judged by max_rel, PNGs in grey levels, all else by
max_abs, or max_rel where the expected values exceed 1. Half precision has no official reference:
its bounds are twice the worst that tiny random networks gave on a CPU (they amplify rounding more
than trained ones) and catch gross errors only: fp32 is the proof."""
for _dtype, _bound in (("fp16", 0.08), ("bf16", 0.5)):
    _half = dict.fromkeys(TOLERANCES["fp32"], _bound)
    TOLERANCES[_dtype] = _half | {"exact": 0.0, "sigmas": 1e-6, "prompt": 5e-5, "png": 255 * _bound}


@dataclass(frozen=True)
class Line:
    """One quantity's verdict, as printed; deviations are None where there is nothing to compare."""

    quantity: str
    max_abs: float | None
    max_rel: float | None
    tolerance: float
    ok: bool
    reason: str = ""


def _relative(apart: Tensor, expected: Tensor) -> float:
    peak = float(expected.abs().max())
    return float(apart.max()) / peak if peak else float(apart.max())


def judge(quantity: str, kind: str, ours: Tensor, expected: Tensor, tolerance: float) -> Line:
    """Compare a recomputed quantity with the expected one."""
    if ours.shape != expected.shape:
        reason = f"got {tuple(ours.shape)}; expected {tuple(expected.shape)}"
        return Line(quantity, None, None, tolerance, ok=False, reason=reason)
    theirs = expected.double().cpu()
    apart = (ours.double().cpu() - theirs).abs()
    if not bool(torch.isfinite(apart).all()):
        return Line(quantity, None, None, tolerance, ok=False, reason="not finite")
    max_abs, peak = float(apart.max()), float(theirs.abs().max())
    max_rel = _relative(apart, theirs)
    if kind == "latents" and theirs.ndim == 5:  # after each step, each against its own peak
        steps = zip(apart.unbind(1), theirs.unbind(1), strict=True)
        max_rel = max(_relative(*step) for step in steps)
    if kind == "latents":
        judged = max_rel
    elif kind == "png":
        judged = max_abs
    else:
        judged = max_abs / max(peak, 1.0)
    return Line(quantity, max_abs, max_rel, tolerance, ok=judged <= tolerance)


def check(golden: GoldenSet, device: str = "cpu", dtype: str = "fp32") -> Iterator[Line]:
    """Recompute everything in a golden set, in the set's own order.

    Raises:
        EngineError: weights that do not load, or no such device or dtype.
    """
    if dtype not in DTYPES:
        raise EngineError(f"no dtype {dtype!r}; known: {', '.join(DTYPES)}")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise EngineError(f"device {device!r}: torch {torch.__version__} finds no CUDA GPU here")
    modules = load_modules(golden.folders, device, DTYPES[dtype])
    recomputed = Recomputed(golden, modules, torch.device(device), DTYPES[dtype])
    with torch.inference_mode(), exact_fp32(), one_thread():
        for quantity, expected in golden.expected():
            found = recomputed.find(quantity)
            if found is None:
                yield Line(quantity, None, None, 0.0, ok=False, reason="no rule to recompute it")
                continue
            kind, ours = found
            yield judge(quantity, kind, ours, expected, TOLERANCES[dtype][kind])


@contextmanager
def one_thread() -> Generator[None]:
    """As golden sets are computed: on two CPU threads sums round otherwise, by up to 1.2e-5."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


app = App(name="python -m engines.magicface.parity", help=__doc__, help_format="plaintext")


@app.default
def main(
    folder: Annotated[Path, Parameter(name="DIR")],
    *,
    device: str = "cpu",
    dtype: str = "fp32",
) -> int:
    """Recompute a golden set.

    Parameters
    ----------
    folder:
        A folder laid out like the golden set.
    device:
        cpu or cuda.
    dtype:
        fp32, fp16 or bf16, of all networks.
    """
    try:
        all_hold = True
        for line in check(read_golden(folder), device, dtype):
            shown = {name: value for name, value in asdict(line).items() if value != ""}
            print(json.dumps(shown), flush=True)  # noqa: T201  a command's answer
            all_hold &= line.ok
    except EngineError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    return 0 if all_hold else 1


if __name__ == "__main__":
    sys.exit(app())
