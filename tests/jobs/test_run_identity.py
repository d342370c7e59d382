"""What a run's state and its output are named by: what was shown, read and kept in front."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.animation.call import Call, checked, standing_output, with_request
from jobs.command_line.options.animate import AnimateOptions
from pipeline.demo.clip import make_demo_clip
from pipeline.run_folder.store import VideoFolder, write_done
from tests.engines.segmenters.drawn import things_are_dark
from tests.jobs.conftest import SMILE


@pytest.fixture(autouse=True)
def _footage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_demo_clip(tmp_path / "talk.mp4", seconds=0.2, size=(96, 96))
    (tmp_path / "smile2.yaml").write_text(SMILE)


def call_with(**changed: object) -> Call:
    given = {"curve": "smile2.yaml", "inputs": ("talk.mp4",), "editor": "identity"}
    return checked(AnimateOptions.model_validate(given | changed))


def names(call: Call) -> dict[str, object]:
    """What its analysis, its pieces and its output go by."""
    row = with_request(call, call.videos[0])
    folder = VideoFolder.of(row)
    return {
        "analysis": folder.analysis(call.analysis_digest),
        "pieces": (folder.job_folder, call.editor_digest),
        "request": row["request"],
    }


@pytest.mark.parametrize(
    ("option", "renamed"),
    [
        ("view", {"analysis", "pieces", "request"}),
        ("reader", {"analysis", "request"}),
        ("segmenter", {"pieces", "request"}),
    ],
)
def test_another_view_reader_or_segmenter_takes_up_nothing_of_the_first(
    option: str, renamed: set[str], tmp_path: Path
):
    if option == "reader":
        pytest.importorskip("decord")
    network = things_are_dark(tmp_path / "network.tflite", 0.5)
    first = call_with()
    row = with_request(first, first.videos[0])
    Path(row["output"]).write_bytes(b"made")
    write_done(VideoFolder.of(row), Path(row["output"]), row["request"])
    assert standing_output(first, first.videos[0]) == "", "the same again is up to date"

    said = {"view": "slog3", "reader": "decord", "segmenter": str(network)}
    other = call_with(**{option: said[option]})
    before, after = names(first), names(other)
    assert {name for name in before if before[name] != after[name]} == renamed
    assert "was not made by this curve and these settings" in str(
        standing_output(other, other.videos[0])
    )


def test_a_network_of_other_content_under_the_same_name_is_another(tmp_path: Path):
    network = tmp_path / "network.tflite"
    made = [call_with(segmenter=str(things_are_dark(network, below))) for below in (0.5, 0.3)]
    assert made[0].editor_digest != made[1].editor_digest
