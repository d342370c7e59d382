"""A network of three inputs, exported and built as any other: the room knows networks by ports."""

import shutil
from pathlib import Path

import torch
from torch import nn

from engines.trt.binding import Binding
from engines.trt.build import build_plan
from engines.trt.export import EXPORTED_AT_BATCH, export_graph
from engines.trt.network import GRAPH_FILE, PLAN_FILE, SAMPLE_FILE, NetworkPorts
from engines.trt.proof import GoldenSample, check_sample, prove_graph
from engines.trt.rows import repeat_rows
from engines.trt.runtime import TrtSession
from engines.trt.store.cache import PlanCache
from engines.trt.store.entry import CacheEntry
from engines.trt.store.key import BatchProfile, graph_key, plan_key

SIDE = 16
PORTS = NetworkPorts(
    "steered",
    ("images", "gain", "style_a", "style_b"),
    ("latents",),
    variadic_from=2,
    steady=frozenset({"style_a", "style_b"}),
)


class Steered(nn.Module):
    """Images through two convolutions, scaled by `gain`, shifted by two styles."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first, self.second = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 4, 3, 2, 1)

    def forward(self, images, gain, *styles):
        shift = (styles[0] * styles[1])[:, :, None, None]
        return self.second(torch.tanh(self.first(images)) * gain) + shift


def module(dtype=torch.float16):
    return Steered().eval().to(dtype)


def inputs_of(batch, dtype=torch.float16, seed=0):
    draw = torch.Generator().manual_seed(seed)
    images = torch.randn((batch, 3, SIDE, SIDE), generator=draw).to(dtype)
    styles = [torch.randn((batch, 4), generator=draw).to(dtype) for _ in range(2)]
    return dict(zip(PORTS.inputs, (images, torch.tensor(0.5, dtype=dtype), *styles), strict=True))


def graph_in(root: Path, dtype: str = "fp16") -> CacheEntry:
    """Exported, proved by onnxruntime, and stored."""
    torch_dtype = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}[dtype]

    def make(folder: Path) -> dict[str, str]:
        network = module(torch_dtype)
        example = repeat_rows(inputs_of(1, torch_dtype), EXPORTED_AT_BATCH)
        export_graph(PORTS, network, example, folder, opset=22)
        sample = GoldenSample.of(PORTS, network, inputs_of(1, torch_dtype), dtype)
        accuracy = prove_graph(PORTS, sample, folder, dtype)
        sample.write(folder / SAMPLE_FILE)
        return {"accuracy": str(accuracy)}

    key = graph_key(
        PORTS, weights_sha256="aa", recipe="1", opset=22, dtype=dtype, sizes={"side": str(SIDE)}
    )
    return PlanCache(root).make_once(key, make)[0]


def plan_in(root: Path, binding: Binding, graph: CacheEntry, most: int = 2) -> CacheEntry:
    """Built, run once beside the sample, and stored."""

    def make(folder: Path) -> dict[str, str]:
        plan = build_plan(binding, graph.path(GRAPH_FILE), sm=89, batch=BatchProfile(1, most, most))
        (folder / PLAN_FILE).write_bytes(plan)
        shutil.copyfile(graph.path(SAMPLE_FILE), folder / SAMPLE_FILE)
        session = TrtSession(binding, folder / PLAN_FILE, device="cpu")
        checked = check_sample(PORTS.name, session, binding.label, folder / SAMPLE_FILE)
        return {"accuracy": str(checked)}

    key = plan_key(
        PORTS.name,
        graph_sha256=graph.files[GRAPH_FILE][1],
        graph_facts=graph.facts,
        backend=binding.name,
        backend_version=binding.version,
        target="sm89",
        batch=BatchProfile(1, most, most),
    )
    return PlanCache(root).make_once(key, make)[0]
