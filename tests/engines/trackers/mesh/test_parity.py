"""The command that proves the mesh tracker against what MediaPipe itself found."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engines.errors import EngineError
from engines.faces.head_pose import rotation_of
from engines.trackers.mesh import parity as mesh_parity
from engines.trackers.mesh.parity import main, read_witness, rotation_between_deg
from engines.trackers.mesh.sampling import sample


@pytest.fixture(scope="module")
def golden(shared: Path) -> Path:
    return shared / "golden" / "mesh" / "mesh.npz"


@pytest.fixture(scope="module")
def clips(shared: Path) -> Path:
    return shared / "media" / "clips"


def one_frame(golden: Path, folder: Path, **changes) -> Path:
    """A witness of one frame, with some of its arrays changed."""
    with np.load(golden) as arrays:
        frame = {part: arrays[f"d18_0000.{part}"] for part in mesh_parity._PARTS}
    for part, change in changes.items():
        frame[part] = change(frame[part])
    path = folder / "witness.npz"
    np.savez(path, **{f"d18_0000.{part}": values for part, values in frame.items()})
    return path


def test_every_golden_frame_is_within_the_bounds(clips, golden, capsys):
    assert main([str(clips), str(golden)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 25
    assert all(line["within"] and line["faces"] == 1 for line in lines)
    assert 0 < max(line["landmarks_percent"] for line in lines) <= 0.02
    assert 0 < max(line["blendshapes"] for line in lines) <= 0.005
    assert 0 < max(line["rotation_deg"] for line in lines) <= 0.02


def test_an_unchanged_single_frame_passes(clips, golden, tmp_path):
    assert main([str(clips), str(one_frame(golden, tmp_path))]) == 0


def turned(matrices):
    angle = np.radians(0.04)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return (turn @ matrices).astype(np.float32)


def one_point_moved(landmarks_px):
    moved = landmarks_px.copy()
    moved[0, 123, 0] += 0.1
    return moved


@pytest.mark.parametrize(
    "changes",
    [
        {"landmarks_px": one_point_moved},
        {"blendshapes": lambda v: v + np.eye(52, dtype=np.float32)[25] * 0.01},
        {"matrix": turned},
        {part: lambda v: np.repeat(v, 2, axis=0) for part in mesh_parity._PARTS},
        {part: lambda v: v[:0] for part in mesh_parity._PARTS},
    ],
    ids=["a landmark", "a blendshape", "rotation", "one face more", "no face"],
)
def test_another_answer_fails(clips, golden, tmp_path, capsys, changes):
    assert main([str(clips), str(one_frame(golden, tmp_path, **changes))]) == 1
    assert json.loads(capsys.readouterr().out)["within"] is False


def half_a_pixel_beside(frame, region, size, *, replicate):
    step = region.width / size / 2
    return sample(frame, replace(region, cx=region.cx + step), size, replicate=replicate)


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        ("trackers.mesh.landmarks", "_GROWTH", 1.6),
        ("trackers.mesh.landmarks", "sample", half_a_pixel_beside),
        ("trackers.mesh.detector", "SCORE_MIN", 1.0),
        ("trackers.mesh.landmarks", "BLENDSHAPE_POINTS", np.arange(146)),
        ("faces.head_pose", "_NEAR_HEIGHT", 1.0),
    ],
)
def test_another_recipe_fails(clips, golden, tmp_path, monkeypatch, module, name, value):
    monkeypatch.setattr(f"engines.{module}.{name}", value)
    assert main([str(clips), str(one_frame(golden, tmp_path))]) == 1


def test_a_small_rotation_is_measured_exactly():
    angle = np.radians(0.001)
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    assert rotation_between_deg(np.eye(4) * 2.0, turn) == pytest.approx(0.001, rel=1e-6)
    assert np.allclose(rotation_of(turn * 3.0), turn[:3, :3])


def stderr_line(capsys) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("mesh_parity: ")
    return line


def test_wrong_calls_exit_with_2_and_one_line(clips, golden, tmp_path, capsys):
    assert main([]) == 2
    assert "CLIPS_DIR MESH_NPZ" in stderr_line(capsys)
    assert main([str(clips), str(tmp_path / "none.npz")]) == 2
    assert "no such file" in stderr_line(capsys)
    assert main([str(tmp_path), str(golden)]) == 2
    assert "no clip d10.mp4" in stderr_line(capsys)
    (tmp_path / "d18.mp4").write_bytes(b"not a video")
    assert main([str(tmp_path), str(one_frame(golden, tmp_path))]) == 2
    assert "cannot be read" in stderr_line(capsys)


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"d18_0000.landmarks_px": np.zeros((1, 478, 3))},
        {"what": np.zeros(3)},
        {
            "d18_0000.landmarks_px": np.zeros((1, 468, 3)),
            "d18_0000.blendshapes": np.zeros((1, 52)),
            "d18_0000.matrix": np.zeros((1, 4, 4)),
        },
        {
            "d18_0000.landmarks_px": np.full((1, 478, 3), np.nan),
            "d18_0000.blendshapes": np.zeros((1, 52)),
            "d18_0000.matrix": np.zeros((1, 4, 4)),
        },
    ],
    ids=["empty", "parts missing", "other names", "other shapes", "not numbers"],
)
def test_a_file_that_is_no_witness_is_refused(tmp_path, arrays):
    path = tmp_path / "w.npz"
    np.savez(path, **arrays)
    with pytest.raises(EngineError, match=r"w\.npz"):
        read_witness(path)


def test_a_frame_after_the_end_is_refused(clips, golden, tmp_path):
    with np.load(golden) as arrays:
        late = {f"d18_9999.{part}": arrays[f"d18_0000.{part}"] for part in mesh_parity._PARTS}
    np.savez(tmp_path / "late.npz", **late)
    with pytest.raises(EngineError, match="got 216 frames; expected frame 9999 too"):
        list(mesh_parity.frame_errors(clips, tmp_path / "late.npz"))
