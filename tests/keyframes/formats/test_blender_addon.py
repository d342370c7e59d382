"""Action F-curves of Blender as curve files and back (recorded; see golden/README.md)."""

from __future__ import annotations

import importlib.util
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from jobs.curves.convert import Conversion, convert
from keyframes.clock.timeline import even_timeline
from keyframes.errors import KeyframeError
from keyframes.load import load_sheet
from keyframes.sources.keyed import Keyed

GOLDEN = Path(__file__).parent / "golden"
CLIP = even_timeline(8.0, Fraction(24))
Array = NDArray[np.float64]


def ours(name: str, times_s: Array) -> dict[str, Array]:
    (layer,) = load_sheet(str(GOLDEN / name)).layers
    assert isinstance(layer.source, Keyed)
    return {f"AU{au}": c.curve(CLIP).at(times_s) for au, c in layer.source.channels.items()}


@pytest.mark.parametrize(("name", "prefix"), [
    ("blender_export.yaml", "out"),
    ("blender_export.yaml", "again"),
    ("addon_source.yaml", "in"),
    ("addon_input.yaml", "in"),
])  # fmt: skip
def test_curves_are_the_same_in_blender_and_here(name: str, prefix: str) -> None:
    recorded = np.load(GOLDEN / "blender_export.npz")
    found = ours(name, recorded["times_s"])
    assert {f"{prefix}_{au}" for au in found} == {k for k in recorded if k.startswith(f"{prefix}_")}
    for au, values in found.items():
        # A jump may fall on either side of a frame that 32 bits cannot hold.
        apart = np.abs(values - recorded[f"{prefix}_{au}"]) > 1e-4 * np.maximum(1, np.abs(values))
        assert apart.sum() <= 2, (au, np.abs(values - recorded[f"{prefix}_{au}"]).max())


def test_what_blender_has_no_place_for_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "a.yaml"
    for text, said in (
        ("use: smile", "one layer of keyed channels"),
        ("channels: {AU1: {keys: [[0, 1]], smooth: {gaussian: 1s}}}", "is smoothed"),
        ("channels: {AU1: [[0, 1]]}\nweight: 50%", "one layer of keyed channels"),
    ):
        source.write_text(f"version: 1\n{text}\n")
        with pytest.raises(KeyframeError, match=said):
            convert(str(source), Conversion(output=tmp_path / "b.yaml", to="blender"))


def addon() -> Any:
    pytest.importorskip("bpy", reason="runs inside Blender, or with its wheel")
    path = Path(__file__).parents[3] / "keyframes" / "formats" / "blender_addon.py"
    spec = importlib.util.spec_from_file_location("blender_addon", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_add_on_reads_what_it_writes() -> None:
    made = addon()
    data = made.read(str(GOLDEN / "blender_export.yaml"))
    assert made.written(data) == (GOLDEN / "blender_export.yaml").read_text("utf-8")
    with pytest.raises(ValueError, match="convert it for Blender first"):
        made.read(str(GOLDEN / "addon_source.yaml"))
