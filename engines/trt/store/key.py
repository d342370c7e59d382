"""What makes two stored graphs or plans the same one: every fact that changes their bytes."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from engines.errors import EngineError, EngineUnavailableError
from engines.trt.network import NetworkPorts

DIGEST_LENGTH = 20
"""Hex digits kept of the key's SHA-256: 80 bits, far past any chance of two equal names."""

Kind = Literal["graph", "plan"]

EXPORTERS = ("torch", "onnx", "onnxscript")
"""Packages that shape every graph."""


@dataclass(frozen=True)
class StoreKey:
    """The identity of one stored thing.

    Attributes:
        kind: "graph" (an exported ONNX network) or "plan" (what TensorRT built of it).
        component: the network's name.
        facts: name → value of everything that changes the bytes; values are compared as text.
    """

    kind: Kind
    component: str
    facts: Mapping[str, str]

    @property
    def digest(self) -> str:
        """SHA-256 of kind, component and facts in canonical JSON, its first hex digits."""
        text = json.dumps([self.kind, self.component, dict(self.facts)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]

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
    """Batch sizes a plan serves; `best` is the one its kernels are tuned for."""

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
    ports: NetworkPorts,
    *,
    weights_sha256: str,
    recipe: str,
    opset: int,
    dtype: str,
    sizes: Mapping[str, str],
    libraries: Collection[str] = (),
) -> StoreKey:
    """The key of an exported graph: weights, recipe, versions, sizes and names.

    Needs no torch: versions come from the packages' metadata.

    Args:
        recipe: names the code that shapes the graph; another one makes another graph.
        sizes: name → value of what is fixed in the graph, e.g. the image's side.
        libraries: packages whose code the network is made of, besides `EXPORTERS`.
    Raises:
        EngineUnavailableError: one of the packages is not installed.
    """
    return StoreKey(
        "graph",
        ports.name,
        {
            **sizes,
            "weights_sha256": weights_sha256,
            "opset": str(opset),
            "exporter": "torch.onnx dynamo",
            "dtype": dtype,
            "recipe": recipe,
            "inputs": " ".join(ports.inputs),
            "outputs": " ".join(ports.outputs),
            **{name: _version(name) for name in (*EXPORTERS, *libraries)},
        },
    )


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        raise EngineUnavailableError(
            f"{package} not installed, which graphs are exported with; pip install 'aureel[onnx]'"
        ) from None


def plan_key(
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
        "plan",
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
