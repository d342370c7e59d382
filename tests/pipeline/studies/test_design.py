"""What the protocol asks: frozen, hashed, and as many as the paper's."""

from __future__ import annotations

import numpy as np
import pytest

from keyframes.au import AU_COLUMN, AU_ORDER
from pipeline.studies import combinations
from pipeline.studies.combinations import ANTAGONISTS, as_text, frozen, made_by_rule
from pipeline.studies.design import PAPER_IDENTITIES, Cell, cells

HASH = "d9e054fd27babcdf4c3d37d60e0c4e29b8068bc557a9089d3721c243873668cf"


def test_the_combinations_are_those_that_were_frozen():
    assert combinations.digest() == HASH
    assert combinations._content().decode() == as_text(frozen())


def test_the_frozen_combinations_are_made_by_the_rule_that_is_told():
    assert frozen() == made_by_rule()
    assert len(frozen()) == 387
    assert len({tuple(one) for one in frozen()}) == 387
    for one in frozen():
        assert 2 <= len(one) <= 4
        assert set(one) <= set(AU_ORDER)
        assert set(one.values()) <= {1, 2, 3, 4, 5}
        assert not any(a in one and b in one for a, b in ANTAGONISTS)
    assert {au for one in frozen() for au in one} == set(AU_ORDER)


def test_the_whole_design_asks_for_the_papers_number_of_stills():
    assert len(cells()) == 12 * 5 + 387
    assert len(cells()) * PAPER_IDENTITIES == 8940
    assert len({cell.name for cell in cells()}) == len(cells())


def test_a_part_of_the_combinations_is_spread_over_their_sizes():
    part = [cell for cell in cells(combinations=9) if cell.kind == "combination"]
    assert len(part) == 9
    assert {len(cell.aus) for cell in part} == {2, 3, 4}
    assert [cell.kind for cell in cells((1, 12), (2, 5), 0)] == ["single"] * 4


@pytest.mark.parametrize(("mode", "asked"), [("delta", 4.0), ("target", 1.5)])
def test_a_level_is_added_or_is_what_shall_be_shown(mode, asked: float):
    measured = np.zeros(12, np.float32)
    measured[AU_COLUMN[12]] = 2.5
    delta = Cell.of({12: 4}).delta(mode, measured)
    assert delta[AU_COLUMN[12]] == asked
    assert np.count_nonzero(delta) == 1
