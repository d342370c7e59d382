from collections import Counter

import pytest

from pipeline.flow import homes
from pipeline.flow.homes import Homes


def test_a_source_stays_where_it_began_and_nodes_get_sources_by_their_cores(
    monkeypatch: pytest.MonkeyPatch,
):
    small, large, new = ("a" * 56, "b" * 56, "c" * 56)
    monkeypatch.setattr(homes, "_cores", lambda: {small: 2.0, large: 6.0})
    given = Homes()
    rows = [{"identity": f"{number}"} for number in range(80)]
    first = [given.of(row) for row in rows]
    assert Counter(first) == {large: 60, small: 20}
    monkeypatch.setattr(homes, "_cores", lambda: {new: 64.0})
    assert [given.of(row) for row in rows] == first
    assert given.of({"identity": "another"}) == new
    assert given.strategy(rows[0]).soft is False
