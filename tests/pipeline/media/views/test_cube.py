"""Tables (.cube) as views."""

import numpy as np
import pytest

from pipeline.errors import MediaError
from pipeline.media.views.choice import checked_view
from pipeline.media.views.cube import cube_view
from pipeline.media.views.view import log_view

SLOG3 = log_view("slog3", full_range=False)
RNG = np.random.default_rng(5)


def written(path, values, head):
    rows = "\n".join(" ".join(f"{v:.6f}" for v in row) for row in values.reshape(-1, 3))
    path.write_text(f'TITLE "made"\n# a comment\n{head}\n{rows}\n')
    return path


def solid(path, size=17):
    """S-Log3's own view as a table; red changes fastest in the file."""
    blue, green, red = np.meshgrid(*[np.linspace(0, 1, size)] * 3, indexing="ij")
    code = np.rint(np.stack([red, green, blue], axis=-1) * 65535).astype(np.uint16)
    return written(path, SLOG3.shown(code) / 65535, f"LUT_3D_SIZE {size}")


def line(path, values):
    return written(path, np.repeat(values[:, None], 3, axis=1), f"LUT_1D_SIZE {len(values)}")


def test_a_table_of_three_dimensions_shows_what_it_was_made_from(tmp_path):
    view = cube_view(solid(tmp_path / "slog3.cube", 33))
    code = RNG.integers(16000, 36000, (30, 30, 3)).astype(np.uint16)
    code[..., 1:] = (code[..., :1] * 0.8 + code[..., 1:] * 0.2).astype(np.uint16)
    off = np.abs(view.shown(code).astype(float) - SLOG3.shown(code)) / 65535
    assert off.max() < 0.03
    eight = (code >> 8).astype(np.uint8)
    assert np.abs(view.picture(eight).astype(int) - view.shown(eight)).max() <= 6


@pytest.mark.parametrize("kind", ["solid", "line"])
def test_changes_of_a_tables_view_come_back_and_none_is_exactly_none(kind, tmp_path):
    path = tmp_path / "a.cube"
    ramp = np.clip(np.linspace(-0.2, 1.4, 64), 0, 1) ** 1.5
    view = cube_view(solid(path) if kind == "solid" else line(path, ramp))
    code = np.repeat(RNG.integers(20000, 34000, (20, 20, 1)), 3, axis=2).astype(np.uint16)
    change = RNG.uniform(-0.05, 0.05, code.shape).astype(np.float32)
    change[:5] = 0
    back = view.coded(code, change)
    assert not back[:5].any()
    after = np.rint(code + back * 65535).clip(0, 65535).astype(np.uint16)
    got = view.shown(after) / 65535 - view.shown(code) / 65535
    assert np.abs(got - change).max() < 4e-3


def test_where_a_table_is_flat_a_change_stays_small_and_finite(tmp_path):
    view = cube_view(line(tmp_path / "a.cube", np.clip(np.linspace(-0.5, 1.5, 33), 0, 1)))
    dark = np.zeros((4, 4, 3), np.uint16)
    back = view.coded(dark, np.full(dark.shape, 0.01, np.float32))
    assert np.isfinite(back).all()
    assert (back >= 0).all()
    assert back.max() <= 0.27


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("LUT_1D_SIZE 3\n0 0 0\n1 1 1\n.5 1 1\n", r"its red falls by 0\.500"),
        ("LUT_1D_SIZE 3\n0 0 0\n.5 .5 .5\n1 1\n", r"no \.cube table"),
        ("LUT_3D_SIZE 2\n0 0 0\n1 1 1\n", r"no \.cube table"),
        ("0 0 0\n1 1 1\n", r"no \.cube table"),
        ("LUT_1D_SIZE 2\n.5 0 0\n.5 1 1\n", "red hardly changes"),
    ],
)
def test_a_table_without_a_way_back_is_refused_in_a_line(text, why, tmp_path):
    path = tmp_path / "bad.cube"
    path.write_text(text)
    with pytest.raises(MediaError, match=why):
        checked_view(str(path))


def test_a_tables_content_is_part_of_what_a_run_is_known_by(tmp_path):
    path = line(tmp_path / "a.cube", np.linspace(0, 1, 5))
    before = checked_view(str(path))
    assert before.startswith(f"{path}#")
    line(path, np.linspace(0, 1, 6))
    assert checked_view(str(path)) != before
