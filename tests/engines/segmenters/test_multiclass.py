"""A segmenter of a user's own: what it is given, what it says, and which files are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engines.errors import EngineError
from engines.segmenters.multiclass import CLASSES, chosen_segmenter, open_segmenter
from tests.engines.segmenters.drawn import write_network


def per_colour(path: Path) -> Path:
    """Red is hair, green is clothes; the six logits are 10 × what they hold of it, and 5."""
    weights, bias = np.zeros((6, 3)), np.zeros(6)
    weights[1, 0], weights[4, 1], bias[3] = 10.0, 10.0, 5.0
    return write_network(path, weights, bias)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_shares_are_the_softmax_of_the_networks_logits_of_rgb_0_to_1(tmp_path, dtype):
    found = open_segmenter(chosen_segmenter(str(per_colour(tmp_path / "n.tflite"))))
    picture = np.zeros((64, 512, 3), dtype)
    picture[:, :256, 0] = np.iinfo(dtype).max
    shares = found.shares(picture)
    assert shares.shape == (256, 256, len(CLASSES))
    assert np.allclose(shares.sum(axis=-1), 1, atol=1e-5)
    logits = np.array([0, 10, 0, 5, 0, 0.0])
    assert np.allclose(shares[128, 30], np.exp(logits) / np.exp(logits).sum(), atol=1e-5)
    assert shares[128, 200].argmax() == CLASSES.index("face skin")


def test_a_run_knows_its_network_by_its_content(tmp_path):
    file = chosen_segmenter(str(per_colour(tmp_path / "n.tflite")))
    with pytest.raises(
        EngineError, match=r"got a file of sha256 .*put the same file on every node"
    ):
        open_segmenter(replace(file, sha256="0" * 64))
    (tmp_path / "n.tflite").unlink()
    with pytest.raises(EngineError, match=r"n\.tflite: cannot be read: No such file"):
        open_segmenter(file)


def test_what_is_no_such_network_is_refused_in_one_line(tmp_path, shared):
    (tmp_path / "text.tflite").write_text("no network")
    seven = write_network(tmp_path / "seven.tflite", np.zeros((7, 3)), np.zeros(7))
    person = shared / "models/selfie_segmentation.tflite"
    for path, got in (
        (tmp_path / "none.tflite", "No such file"),
        (tmp_path, "Is a directory"),
        (tmp_path / "text.tflite", "got "),
        (seven, r"outputs \[\(1, 256, 256, 7\)\]"),
        (person, r"outputs \[\(1, 256, 256, 1\)\]"),
    ):
        with pytest.raises(EngineError, match=f"--segmenter .*{got}.*expected MediaPipe's") as said:
            chosen_segmenter(str(path))
        assert "\n" not in str(said.value)
