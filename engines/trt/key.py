"""What makes two stored graphs or engines the same one: every fact that changes their bytes."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engines.editors.magicface.backends.ports import COMPONENTS, INPUTS, OUTPUTS
from engines.errors import EngineError, EngineUnavailableError

DIGEST_LENGTH = 20
"""Hex digits kept of the key's SHA-256: 80 bits, far past any chance of two equal names."""

Kind = Literal["graph", "engine"]

LIBRARIES = ("torch", "diffusers", "onnx", "onnxscript")
OUR_CODE = (
    "../editors/magicface/model/attention.py",
    "../editors/magicface/model/unet.py",
    "../editors/magicface/model/vae.py",
    "../editors/magicface/backends/components.py",
    "export.py",
    "../editors/magicface/backends/ports.py",
)
"""Files of ours that shape a graph: a change in one makes another graph."""


@dataclass(frozen=True)
class StoreKey:
    """The identity of one stored thing.

    Attributes:
        kind: "graph" (an exported ONNX network) or "engine" (a built plan).
        component: one of `COMPONENTS`.
        facts: name → value of everything that changes the bytes; values are compared as text.
    """

    kind: Kind
    component: str
    facts: Mapping[str, str]

    def __post_init__(self) -> None:
        if self.component not in COMPONENTS:
            raise EngineError(f"no component {self.component!r}; known: {', '.join(COMPONENTS)}")

    @property
    def digest(self) -> str:
        """SHA-256 of kind, component and facts in canonical JSON, its first hex digits."""
        told = json.dumps([self.kind, self.component, dict(self.facts)], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:DIGEST_LENGTH]

    @property
    def name(self) -> str:
        """The folder's name in the store."""
        return f"{self.component}-{self.kind}-{self.digest}"

    def differences(self, other: Mapping[str, str], *, without: Collection[str] = ()) -> list[str]:
        """`fact is other's value, asked this one's`, for every fact that differs.

        Args:
            without: facts that may differ.
        """
        names = sorted({*self.facts, *other} - {*without})
        return [
            f"{n} is {other.get(n, 'unknown')}, asked {self.facts.get(n, 'nothing')}"
            for n in names
            if self.facts.get(n) != other.get(n)
        ]


@dataclass(frozen=True)
class BatchProfile:
    """Batch sizes an engine serves; `best` is the one its kernels are tuned for."""

    smallest: int
    best: int
    largest: int

    def __post_init__(self) -> None:
        if not 1 <= self.smallest <= self.best <= self.largest:
            raise EngineError(
                f"batch profile {self}: got {self.smallest}, {self.best}, {self.largest}; "
                "expected 1 ≤ smallest ≤ best ≤ largest"
            )

    def __str__(self) -> str:
        return f"{self.smallest}..{self.best}..{self.largest}"

    def covers(self, batch: int) -> bool:
        """Whether this batch size can be served."""
        return self.smallest <= batch <= self.largest

    def rows(self) -> BatchProfile:
        """The denoiser's profile for this one in frames: guidance doubles the rows."""
        return BatchProfile(self.smallest, 2 * self.best, 2 * self.largest)

    @classmethod
    def parse(cls, text: str) -> BatchProfile:
        """`"1..8"` → 1 to 8, tuned for 8; `"4"` → only 4; `"1..4..8"` → tuned for 4.

        Raises:
            EngineError: anything else.
        """
        parts = text.split("..")
        try:
            sizes = [int(p) for p in parts]
        except ValueError:
            sizes = []
        if not 1 <= len(sizes) <= 3:
            raise EngineError(f"batch {text!r}: expected N, N..M or N..BEST..M, e.g. 1..8")
        return cls(sizes[0], sizes[len(sizes) // 2] if len(sizes) == 3 else sizes[-1], sizes[-1])


def graph_key(
    component: str, *, weights_sha256: str, opset: int, dtype: str, image_size: int
) -> StoreKey:
    """The key of an exported graph: weights, recipe, versions, sizes and names.

    Needs no torch: versions come from the packages' metadata.

    Raises:
        EngineUnavailableError: one of `LIBRARIES` is not installed.
    """
    here = Path(__file__).parent
    code = hashlib.sha256(b"".join((here / name).read_bytes() for name in OUR_CODE))
    versions = {name: _version(name) for name in LIBRARIES}
    return StoreKey(
        "graph",
        component,
        {
            "weights_sha256": weights_sha256,
            "opset": str(opset),
            "exporter": "torch.onnx dynamo",
            "dtype": dtype,
            "image_size": str(image_size),
            "code": code.hexdigest()[:16],
            "inputs": " ".join(INPUTS[component]),
            "outputs": " ".join(OUTPUTS[component]),
            **versions,
        },
    )


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        raise EngineUnavailableError(
            f"{package} not installed, which graphs are exported with; pip install 'aureel[onnx]'"
        ) from None


def engine_key(
    component: str,
    *,
    graph_sha256: str,
    graph_facts: Mapping[str, str],
    backend: str,
    backend_version: str,
    target: str,
    batch: BatchProfile,
    flags: str = "",
) -> StoreKey:
    """The key of a plan: its graph, who builds it, for which GPU and batch sizes.

    Args:
        graph_sha256: hash of the ONNX file without its weights; the weights' own hash is among
            `graph_facts`, which are those of the graph's key.
        target: `sm89`, or `sm90 NVIDIA H200` where the plan fits one GPU model only.
        flags: builder settings that change the plan, as text.
    """
    return StoreKey(
        "engine",
        component,
        {
            **graph_facts,
            "graph_sha256": graph_sha256,
            "backend": backend,
            "backend_version": backend_version,
            "target": target,
            "batch": str(batch),
            "flags": flags,
        },
    )
