"""AdamW with a byte per moment does what torch's AdamW does, in a quarter of the memory."""

from __future__ import annotations

import pytest
import torch
from torch.optim import AdamW, Optimizer

from engines.editors.magicface.training.network import optimiser
from engines.editors.magicface.training.network.optimiser import AdamW8, make_optimiser
from engines.editors.magicface.training.recipe import Recipe

STEPS = 120


def learnt(kind: type[Optimizer], steps: int = STEPS) -> tuple[torch.Tensor, float]:
    """A small network's parameters after some steps, and the mean loss of the last 20."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(20, 64), torch.nn.Tanh(), torch.nn.Linear(64, 5))
    chance = torch.Generator().manual_seed(1)
    truth = torch.randn(20, 5, generator=chance)
    steps_of = kind(network.parameters(), lr=3e-3, betas=(0.9, 0.99), weight_decay=0.01)
    losses: list[float] = []
    for _ in range(steps):
        given = torch.randn(64, 20, generator=chance)
        loss = (network(given) - torch.sin(given @ truth / 3)).square().mean()
        steps_of.zero_grad()
        loss.backward()
        steps_of.step()
        losses.append(loss.item())
    flat = torch.cat([p.detach().flatten() for p in network.parameters()])
    return flat, sum(losses[-20:]) / 20 if losses else 0.0


def test_eight_bits_go_where_thirty_two_go():
    start, _ = learnt(AdamW, 0)
    whole, loss = learnt(AdamW)
    small, small_loss = learnt(AdamW8)
    assert not torch.equal(whole, small)
    assert float((whole - small).norm() / (whole - start).norm()) < 0.06
    assert small_loss == pytest.approx(loss, rel=0.02)


def test_a_moment_takes_a_byte_and_a_scale_per_block():
    weight = torch.nn.Parameter(torch.randn(300, 100))
    weight.grad = torch.randn(300, 100)
    steps_of = make_optimiser(Recipe(optimiser="adamw8"), [weight], 1)
    steps_of.step()
    state = steps_of.state[weight]
    assert (state["mean"].dtype, state["square"].dtype) == (torch.int8, torch.uint8)
    held = sum(t.numel() * t.element_size() for t in state.values() if t.ndim)
    assert held / weight.numel() < 2.1


@pytest.mark.parametrize(("most", "power"), [(127, 2), (255, 4)])
def test_rounding_loses_nothing_on_average_and_no_square_becomes_zero(most, power):
    values = torch.rand(4, 256, generator=torch.Generator().manual_seed(0)) ** 6
    coded = []
    for seed in range(300):
        codes, scale = optimiser._coded(values, most, power, torch.Generator().manual_seed(seed))
        coded.append(optimiser._decoded(codes, scale, most, power))
        assert most == 127 or bool((codes > 0).all())
    assert float((torch.stack(coded).mean(dim=0) - values).abs().max()) < 0.003
    assert float((coded[0] - values).abs().max()) < 0.02


def test_states_that_were_saved_go_on_bit_for_bit():
    weight, grads = torch.randn(40, 30), torch.randn(4, 40, 30)

    def stepped(parameter: torch.nn.Parameter, steps_of: Optimizer, given: torch.Tensor) -> None:
        for grad in given:
            parameter.grad = grad.clone()
            steps_of.step()

    one = torch.nn.Parameter(weight.clone())
    stepped(one, AdamW8([one], lr=1e-2), grads)
    other = torch.nn.Parameter(weight.clone())
    first = AdamW8([other], lr=1e-2)
    stepped(other, first, grads[:2])
    again = torch.nn.Parameter(other.detach().clone())
    second = AdamW8([again], lr=1e-2)
    second.load_state_dict(first.state_dict())
    assert second.state[again]["mean"].dtype == torch.int8
    stepped(again, second, grads[2:])
    assert torch.equal(again, one)
