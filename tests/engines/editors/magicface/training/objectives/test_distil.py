"""What a student is asked for: its step lands where two of its teacher's do."""

from __future__ import annotations

import pytest
import torch

from engines.editors.magicface.bench.weights import SCHEDULER
from engines.editors.magicface.sampling.sampler import make_scheduler
from engines.editors.magicface.training.objectives.distil import guided, on_grid, two_steps
from engines.editors.magicface.training.objectives.loss import Question, signal_shares
from engines.editors.magicface.training.recipe import Recipe
from engines.errors import EngineError

SIGNAL = signal_shares(SCHEDULER)


def teacher(latents, background, timesteps, au, source):
    """Any function of what it is given."""
    share = timesteps.float()[:, None, None, None] / 1000
    return torch.tanh(latents * (0.5 + share) + background * share + au[:, :4, None, None])


def asked(timesteps: torch.Tensor) -> Question:
    chance = torch.Generator().manual_seed(3)
    count = len(timesteps)
    latents, background = torch.randn(2, count, 4, 3, 3, generator=chance)
    return Question(
        latents, background, timesteps, torch.rand(count, 12, generator=chance), background
    )


@pytest.mark.parametrize("steps", [1, 2, 4, 10])
def test_students_are_asked_at_the_timesteps_of_the_editors_ddim(steps):
    used = make_scheduler("ddim", SCHEDULER, steps).timesteps.tolist()
    assert sorted(set(on_grid(torch.arange(1000), steps).tolist())) == sorted(used)


@pytest.mark.parametrize("guidance", [0.0, 3.0])
@pytest.mark.parametrize("steps", [1, 2, 4, 10])
def test_one_step_lands_where_two_of_the_teachers_do(steps, guidance):
    one, two = (make_scheduler("ddim", SCHEDULER, n) for n in (steps, 2 * steps))
    question = asked(one.timesteps)
    eps = two_steps(teacher, question, guidance, steps, SIGNAL)
    for row, timestep in enumerate(one.timesteps):
        latents = there = question.noised[row : row + 1]
        at = two.timesteps.tolist().index(int(timestep))
        for now in two.timesteps[at : at + 2 if timestep > 1 else at + 1]:
            own = Question(
                there,
                question.background[row : row + 1],
                now[None],
                question.au[row : row + 1],
                question.source[row : row + 1],
            )
            there = two.step(guided(teacher, own, guidance), now, there, return_dict=False)[0]
        landed = one.step(eps[row : row + 1], timestep, latents, return_dict=False)[0]
        assert float((landed - there).abs().max()) < 1e-4, int(timestep)


def test_the_last_step_is_the_teachers_own_to_the_bit():
    """Nothing lies between its two steps there; worked out of a difference it would be rounded."""
    question = asked(torch.tensor([1, 1, 251]))
    eps = two_steps(teacher, question, 3.0, 4, SIGNAL)
    own = guided(teacher, question, 3.0)
    assert torch.equal(eps[:2], own[:2])
    assert not torch.allclose(eps[2], own[2], atol=1e-3)


def test_guidance_of_one_or_none_is_a_single_pass():
    question, calls = asked(torch.tensor([5, 700])), []

    def counted(*given):
        calls.append(1)
        return teacher(*given)

    plain = guided(counted, question, 0.0)
    assert torch.equal(plain, guided(counted, question, 1.0))
    assert len(calls) == 2
    assert not torch.equal(plain, guided(counted, question, 3.0))


def test_steps_that_do_not_lie_among_the_teachers_are_refused():
    with pytest.raises(EngineError, match="distil_steps: got 3; expected one of which 500"):
        Recipe(distil_steps=3)
    assert Recipe(distil_steps=4).distils
