"""The accuracy gate: bounds measured in the network itself, held by every output."""

import pytest
import torch
from torch import nn

from engines.errors import EngineError
from engines.trt.accuracy import (
    FP32_BOUND,
    compare,
    reference_outputs,
    relative_error,
    rounding_bound,
)
from engines.trt.errors import AccuracyError
from engines.trt.network import GRAPH_FILE, SAMPLE_FILE, NetworkPorts
from engines.trt.onnx_session import OnnxSession
from engines.trt.proof import GoldenSample, check_sample
from tests.engines.trt.small_network import PORTS, graph_in, inputs_of, module


def _bound(network, dtype, inputs):
    reference = reference_outputs(PORTS, network, inputs)
    return rounding_bound(PORTS, network, inputs, reference, dtype)


def test_a_bound_is_what_rounding_does_to_this_very_network():
    half, brain = module(torch.float16), module(torch.bfloat16)
    fp16 = _bound(half, "fp16", inputs_of(1))
    bf16 = _bound(brain, "bf16", inputs_of(1, torch.bfloat16))
    assert FP32_BOUND < fp16 < 0.02
    assert 4 * fp16 < bf16 < 16 * fp16, "bf16 keeps 3 bits less"
    assert _bound(module(torch.float32), "fp32", inputs_of(1, torch.float32)) == FP32_BOUND


def test_a_network_that_amplifies_rounding_gets_a_wider_bound():
    class Difference(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 8, bias=False)
            with torch.no_grad():
                self.layer.weight.copy_(torch.eye(8) / 3)

        def forward(self, x):
            return self.layer(x).diff(dim=1)

    ports = NetworkPorts("difference", ("x",), ("y",))
    small = torch.rand((1, 8), generator=torch.Generator().manual_seed(1))
    found = []
    for offset in (0, 100):
        inputs, network = {"x": (small + offset).half()}, Difference().half()
        reference = reference_outputs(ports, network, inputs)
        found.append(rounding_bound(ports, network, inputs, reference, "fp16"))
    assert 20 * found[0] < found[1] < 1


def test_rounding_that_overflows_is_said_with_what_to_take_instead():
    class Hot(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 2, bias=False)
            with torch.no_grad():
                self.layer.weight.copy_(300 * torch.eye(2))

        def forward(self, x):
            return self.layer(x)

    ports = NetworkPorts("hot", ("x",), ("y",))
    network, x = Hot().half(), {"x": torch.full((1, 2), 300.0).half()}
    with pytest.raises(
        AccuracyError, match="hot in fp16: y overflows by rounding alone; take bf16"
    ):
        rounding_bound(ports, network, x, reference_outputs(ports, network, x), "fp16")


def test_measuring_a_bound_leaves_the_network_as_it_was():
    network = module()
    before = network(*inputs_of(1).values())
    _bound(network, "fp16", inputs_of(1))
    assert network.first.weight.dtype == torch.float16
    assert torch.equal(network(*inputs_of(1).values()), before)


def test_the_worst_output_is_named_each_measured_by_its_own_peak():
    wanted = {"large": 1000 * torch.ones(2), "small": torch.ones(2)}
    found = {"large": torch.tensor([1000.0, 1001]), "small": torch.tensor([1.0, 1.002])}
    verdict = compare("x", "y", found, wanted, 0.001)
    assert (verdict.output, verdict.holds) == ("small", False)
    assert "2.0e-03 at small, exceeds 1.0e-03" in str(verdict)
    assert compare("x", "y", found, wanted, 0.01).holds


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_what_is_not_finite_never_passes_the_gate(bad):
    wanted, found = {"a": torch.ones(2), "b": torch.ones(2)}, {"a": torch.ones(2)}
    verdict = compare("x", "y", found | {"b": torch.tensor([1, bad])}, wanted, 1.0)
    assert (verdict.output, verdict.holds) == ("b", False)


def test_an_output_of_zeros_is_compared_by_itself():
    assert relative_error(torch.zeros(3), torch.zeros(3)) == 0
    assert relative_error(torch.full((3,), 0.1), torch.zeros(3)) == pytest.approx(0.1)


def test_the_bound_is_stored_beside_the_sample_and_holds_the_session(graph, tmp_path):
    sample = GoldenSample.read(graph.path(SAMPLE_FILE))
    assert FP32_BOUND < sample.bound < 0.01
    session = OnnxSession(graph.path(GRAPH_FILE))
    verdict = check_sample("steered", session, "here", graph.path(SAMPLE_FILE), rows=3, calls=2)
    assert verdict.bound == pytest.approx(sample.bound)
    assert "steered here: " in str(verdict)
    moved = {"latents": sample.outputs["latents"] + 2 * verdict.bound * sample.outputs["latents"]}
    GoldenSample(sample.inputs, moved, sample.bound).write(tmp_path / "s")
    with pytest.raises(AccuracyError, match=r"^accuracy gate: steered .* exceeds .*; it is not us"):
        check_sample("steered", session, "here", tmp_path / "s")


def test_a_bf16_graph_is_proved_in_fp32(tmp_path):
    graph = graph_in(tmp_path, "bf16")
    assert "in fp32" in graph.made["accuracy"]
    with pytest.raises(EngineError, match="onnxruntime cannot load"):
        OnnxSession(graph.path(GRAPH_FILE))
    sample = GoldenSample.read(graph.path(SAMPLE_FILE))
    assert sample.bound > 10 * FP32_BOUND, "the plan itself will run in bf16"
    assert [p.name for p in tmp_path.iterdir()] == [graph.folder.name]
