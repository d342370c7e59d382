"""Weights and ways side by side: a line each, on the same held-out pairs and noise."""

from __future__ import annotations

import pytest

from engines.editors.magicface.training import compare
from engines.editors.magicface.training.start import find_start
from engines.errors import EngineError
from tests.engines.editors.magicface.training.paired import row, write_pairs


def test_every_way_of_every_set_of_weights_is_a_line(tmp_path, capsys):
    rows = [row(n, 64, kind="warped", pose_change=0.0) for n in range(8)]
    pairs = write_pairs(tmp_path / "pairs", rows)
    find_start("tiny", None, tmp_path)
    compare.main(pairs, (tmp_path / "tiny",), ("ddim:1:1", "unipc:1:3"))
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "tiny ddim 1 steps guidance 1 (1 passes)",
        "tiny unipc 1 steps guidance 3 (2 passes)",
    ]
    assert all("gain" in line and "of 2" in line for line in lines)
    of_footage = write_pairs(tmp_path / "footage")
    with pytest.raises(EngineError, match="no held-out pairs with a known change"):
        compare.main(of_footage, (tmp_path / "tiny",))


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("ddim", "expected SCHEDULER:STEPS:GUIDANCE"),
        ("ddim:4:x", "expected SCHEDULER:STEPS:GUIDANCE"),
        ("ddim:4:99", "got guidance 99"),
    ],
)
def test_a_way_that_is_none_is_refused(word, said):
    with pytest.raises(EngineError, match=said):
        compare.way_of(word)
