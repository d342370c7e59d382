"""Recomputes a golden set of the official code and says, quantity by quantity, whether it holds.

    python -m engines.editors.magicface.proof.parity DIR [--device cpu|cuda]
        [--dtype fp32|fp16|bf16]

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

from engines.devices.precision import DTYPES, exact_fp32
from engines.editors.magicface.model.torch_networks import load_modules
from engines.editors.magicface.proof.bounds import (
    Bounds,
    deviation,
    largest_relative,
    round_every_layer,
)
from engines.editors.magicface.proof.golden import GoldenSet, Recomputed, read_golden
from engines.errors import EngineError


@dataclass(frozen=True)
class Line:
    """One quantity's verdict, as printed; deviations are None where there is nothing to compare."""

    quantity: str
    max_abs: float | None
    max_rel: float | None
    tolerance: float
    ok: bool
    reason: str = ""


def judge(quantity: str, kind: str, ours: Tensor, expected: Tensor, tolerance: float) -> Line:
    """Compare a recomputed quantity with the expected one."""
    if ours.shape != expected.shape:
        reason = f"got {tuple(ours.shape)}; expected {tuple(expected.shape)}"
        return Line(quantity, None, None, tolerance, ok=False, reason=reason)
    theirs = expected.double().cpu()
    apart = (ours.double().cpu() - theirs).abs()
    if not bool(torch.isfinite(apart).all()):
        return Line(quantity, None, None, tolerance, ok=False, reason="not finite")
    max_rel = largest_relative(kind, apart, theirs)
    holds = deviation(kind, ours, expected) <= tolerance
    return Line(quantity, float(apart.max()), max_rel, tolerance, ok=holds)


def check(golden: GoldenSet, device: str = "cpu", dtype: str = "fp32") -> Iterator[Line]:
    """Recompute everything in a golden set, in the set's own order.

    Raises:
        EngineError: weights that do not load, or no such device or dtype.
    """
    if dtype not in DTYPES:
        raise EngineError(f"no dtype {dtype!r}; known: {', '.join(DTYPES)}")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise EngineError(f"device {device!r}: torch {torch.__version__} finds no CUDA GPU here")
    recomputed = _recomputed(golden, device, dtype)
    bounds = _bounds(golden, device, dtype)
    with torch.inference_mode(), exact_fp32(), one_thread():
        for quantity, expected in golden.expected():
            found = recomputed.find(quantity)
            if found is None:
                yield Line(quantity, None, None, 0.0, ok=False, reason="no rule to recompute it")
                continue
            kind, ours = found
            yield judge(quantity, kind, ours, expected, bounds.of(quantity, kind))


def _recomputed(golden: GoldenSet, device: str, dtype: str) -> Recomputed:
    modules = load_modules(golden.folders, device, DTYPES[dtype])
    return Recomputed(golden, modules, torch.device(device), DTYPES[dtype])


def _bounds(golden: GoldenSet, device: str, dtype: str) -> Bounds:
    """In half precision the networks are there three times: as asked, in fp32, and rounded."""
    if dtype == "fp32":
        return Bounds()
    half = load_modules(golden.folders, device, DTYPES[dtype])
    rounded = round_every_layer(half, DTYPES[dtype])
    return Bounds(
        _recomputed(golden, device, "fp32"),
        Recomputed(golden, rounded, torch.device(device), torch.float32),
    )


@contextmanager
def one_thread() -> Generator[None]:
    """As golden sets are computed: on two CPU threads sums round otherwise, by up to 1.2e-5."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


app = App(
    name="python -m engines.editors.magicface.proof.parity", help=__doc__, help_format="plaintext"
)


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
