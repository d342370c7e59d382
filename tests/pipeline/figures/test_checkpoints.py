"""The figure of a protocol over training."""

from pathlib import Path

import cv2

from pipeline.figures.checkpoints import PANELS, draw_checkpoints


def result(step: int, mode: str, error: float | None) -> dict:
    return {"checkpoint": step, "mode": mode, "summary": {"all": dict.fromkeys(PANELS, error)}}


def test_every_checkpoint_is_a_point_and_what_is_unknown_is_left_out(tmp_path: Path):
    whole = [result(n, mode, 1 / n) for n in (10, 20, 40) for mode in ("delta", "target")]
    pictures = []
    for results in (whole, [*whole[:4], result(40, "delta", None), result(40, "target", None)]):
        draw_checkpoints(tmp_path / "figure.png", results)
        pictures.append(cv2.imread(str(tmp_path / "figure.png")))
    assert pictures[0].shape == pictures[1].shape
    assert (pictures[0] != pictures[1]).any()
    assert pictures[0].std() > 5
