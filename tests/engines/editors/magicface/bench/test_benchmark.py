"""The benchmark on tiny weights: both ways compute the same, and every figure is there."""

import pytest
import torch

from engines.editors.magicface.bench import benchmark
from engines.editors.magicface.folders import find_folders
from engines.editors.magicface.model import full_size
from engines.editors.magicface.speed.cost import network_costs
from engines.errors import EngineError


@pytest.fixture(scope="module")
def measured(tiny_weights):
    told = []
    result = benchmark.run(
        weights=str(tiny_weights),
        steps=(2,),
        batch=(1, 2),
        dtype=("fp32", "bf16"),
        mode=("eager",),
        device="cpu",
        repeats=1,
        on_row=told.append,
    )
    return result, told


def test_both_ways_compute_the_same_frames(measured):
    rows = [row for row in measured[0]["rows"] if row["way"] == "ours"]
    assert [row["batch"] for row in rows] == [1, 2, 1, 2]
    for row in rows:
        assert row["apart"] < (1e-4 if row["dtype"] == "fp32" else 0.5)


def test_every_figure_is_measured(measured):
    result, told = measured
    assert len(told) == len(result["rows"]) == 6
    for row in result["rows"]:
        assert row["ms_per_frame"] > 0
        assert row["frames_per_s"] == pytest.approx(1000 / row["ms_per_frame"])
        assert row["tflops"] == pytest.approx(row["tflop_per_frame"] * row["frames_per_s"])
        floor = result["floor_tflops"][row["dtype"]]
        assert row["share_of_floor"] == pytest.approx(row["tflops"] / floor)
        assert row["peak_gb"] > 0
        assert (row["reference_ms"] > 0) == (row["way"] == "ours")
        assert (row["speedup"] is None) == (row["way"] == "official")
    assert result["machine"]["device"] == "cpu"
    assert set(result["floor_tflops"]) == {"fp32", "bf16"}


def test_the_official_way_is_charged_for_its_own_algebra(measured, tiny_weights):
    costs = network_costs(find_folders(tiny_weights))
    official, *_, ours = measured[0]["rows"]
    assert official["tflop_per_frame"] == pytest.approx(costs.official(2, 3.0))
    assert ours["tflop_per_frame"] == pytest.approx(costs.ours(2, 3.0))
    assert costs.ours(2, 3.0) < costs.official(2, 3.0)


def test_out_of_memory_is_a_row_and_not_the_end(tiny_weights, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(benchmark, "our_frame", full)
    result = benchmark.run(
        weights=str(tiny_weights), steps=(1,), batch=(1,), device="cpu", official=False
    )
    assert [row["fault"] for row in result["rows"]] == ["out of memory"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dtype": ("fp8",)}, "no dtype 'fp8'; known: fp32, fp16, bf16"),
        ({"mode": ("magic",)}, "no mode 'magic'; known: eager, graphs, compile"),
        ({"steps": (0,)}, "expected ≥ 1"),
    ],
)
def test_impossible_measurements_are_refused(tiny_weights, settings, message):
    with pytest.raises(EngineError, match=message):
        benchmark.run(weights=str(tiny_weights), device="cpu", **settings)


def test_random_weights_are_sane_and_the_same_each_time():
    made = []
    for _ in range(2):
        with torch.device("meta"):
            layers = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.LayerNorm(64))
        full_size.randomise(layers, 3, torch.device("cpu"))
        made.append(layers)
    x = torch.randn(100, 64)
    assert torch.equal(made[0](x), made[1](x))
    assert 0.5 < made[0][0](x).std() < 1.5
    assert not made[0][0].bias.any()
