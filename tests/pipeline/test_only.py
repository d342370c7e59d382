"""A part of a clip made alone is what the whole run makes of it, and costs only its own shots."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from engines.choice import resolve
from keyframes.clock.part import parse_part
from keyframes.errors import KeyframeError
from keyframes.load import parse_sheet
from pipeline import stages
from pipeline.edit import segments
from pipeline.edit.batcher import MicroBatcher
from pipeline.edit.plan import read_plan
from pipeline.edit.segments import Span
from pipeline.faces.table import read_covered
from pipeline.media.compare.witness import compare_files
from pipeline.media.planes import all_plane_views
from pipeline.media.read.inspection import inspect_video
from pipeline.media.write.repeated import with_a_cut
from pipeline.rows import VideoRow
from pipeline.run_folder.store import VideoFolder, video_row
from pipeline.settings import AnalysisSettings, EncodeWish, RenderSettings

ANALYSIS = AnalysisSettings(resolve("tracker", "mesh"), resolve("AU estimator", "mesh"))
TRACKER, ESTIMATOR = ANALYSIS.tracker.make(), ANALYSIS.estimator.make()
CURVE = "version: 1\nchannels: {AU12: [[0.1s, 0], [50%, 4], [1.2s, 0]], AU25: [[0s, 2, hold]]}\n"
WHOLE = RenderSettings(
    parse_sheet(CURVE, "smile"),
    replace(resolve("editor", "previz"), seconds_per_edit=5.0),  # makes several segments
    encode_preset="ultrafast",
    encode=EncodeWish("lossless"),
)
CUT = 19
"""The first frame of the second shot, of 38."""


@pytest.fixture(scope="module")
def clip(talk, tmp_path_factory) -> Path:
    return with_a_cut(talk.path, tmp_path_factory.mktemp("only") / "two.mp4", "h264")


def row_of(clip: Path, name: str) -> VideoRow:
    folder = clip.parent
    return {**video_row(clip, folder / name, folder / "_work"), "request": name}


def only(text: str) -> RenderSettings:
    return replace(WHOLE, only=parse_part(text))


def analysed(row: VideoRow, settings: RenderSettings) -> tuple[list[Any], int]:
    """The rows of a plan, and how many chunks were analysed for it."""
    asked, rows = 0, stages.inspect_stage(row, ANALYSIS, settings)[1:]
    while rows:
        for chunk in rows:
            stages.analyse_stage(spanned(row, chunk), ANALYSIS, TRACKER, ESTIMATOR)
        asked += len(rows)
        rows = stages.lacking_stage(row, ANALYSIS, settings)
    _, faces = stages.assemble_stage(row, ANALYSIS, ESTIMATOR, settings)
    return stages.plan_stage(row, faces, settings), asked


def spanned(row: VideoRow, work: Any) -> Any:
    return {**row, **{name: work[name] for name in ("number", "first", "last", "digest")}}


def rendered(row: VideoRow, planned: list[Any], settings: RenderSettings) -> list[int]:
    """The numbers of the segments that were still to be made."""
    todo = [work for work in planned[1:] if work["stage"] == "plan"]
    with MicroBatcher(settings.editor.make(), seed=1) as batcher:
        for work in todo:
            stages.render_stage(spanned(row, work), settings, batcher)
    return [work["number"] for work in todo]


def planes(path: Path) -> list[list[np.ndarray]]:
    with av.open(str(path)) as container:
        return [[v.copy() for v in all_plane_views(f)] for f in container.decode(video=0)]


@pytest.fixture(scope="module")
def whole(clip) -> list[list[np.ndarray]]:
    row = row_of(clip, "whole.mp4")
    rendered(row, analysed(row, WHOLE)[0], WHOLE)
    stages.finish_stage(row, WHOLE)
    return planes(clip.parent / "whole.mp4")


@pytest.mark.parametrize(("text", "first", "last"), [("15f..23f", 15, 22), ("1.4s..9s", 35, 37)])
def test_a_part_has_the_samples_of_the_whole_run(whole, clip, text, first, last):
    row, settings = row_of(clip, f"part{first}.mp4"), only(text)
    planned, asked = analysed(row, settings)
    assert asked == 0, "the whole run has analysed it"
    assert planned[0]["frames"] == last - first + 1
    rendered(row, planned, settings)
    made = stages.finish_stage(row, settings)
    assert made["frames"] == last - first + 1
    part = planes(Path(row["output"]))
    assert len(part) == last - first + 1
    for one, other in zip(part, whole[first : last + 1], strict=True):
        assert all(map(np.array_equal, one, other))
    assert compare_files(row["source"], row["output"], only=settings.only).exit_status == 0


@pytest.mark.parametrize("text", ["19f..30f", "5f..19f", "37f..end"])
def test_a_part_borrows_from_its_shot_what_the_whole_run_does(whole, clip, text):
    """Of shots wholly left out, nothing may matter; of those shown in part, all does."""
    plate = replace(WHOLE, editor=resolve("editor", "plate"))
    plans = []
    for name, settings in (("all", plate), ("some", replace(plate, only=parse_part(text)))):
        row = row_of(clip, f"{name}.mp4")
        analysed(row, settings)
        plans.append(read_plan(VideoFolder.of(row).plan(row["request"])))
    first, last = parse_part(text).frames(inspect_video(str(clip)).timeline)
    assert len(plans[1]) == last - first + 1
    assert (plans[1].donor >= 0).any(), "else nothing is proved"
    assert plans[1].digest() == plans[0].within(Span(0, first, last)).digest()


def test_a_part_alone_is_analysed_by_its_own_shots_and_is_the_same(
    whole, clip, tmp_path, monkeypatch
):
    whole_row = row_of(clip, "whole.mp4")
    analysed(whole_row, WHOLE)
    monkeypatch.setattr(segments, "CHUNK_FRAMES", 6)
    settings = only("24f..27f")
    row: VideoRow = {**row_of(clip, "alone.mp4"), "work": str(tmp_path)}
    _, asked = analysed(row, settings)
    assert 3 <= asked < len(segments.plan_chunks(np.ones(38, bool)))
    covered = read_covered(VideoFolder.of(row).analysis(ANALYSIS.digest))
    assert covered is not None
    assert np.flatnonzero(covered).tolist() == list(range(CUT, 38))
    made, all_of_it = (read_plan(VideoFolder.of(r).plan(r["request"])) for r in (row, whole_row))
    assert made.digest() == all_of_it.within(Span(0, 24, 26)).digest()


def test_a_part_that_was_stopped_goes_on_from_its_pieces(whole, clip):
    row, settings = row_of(clip, "stopped.mp4"), only("14f..34f")
    planned, _ = analysed(row, settings)
    assert len(planned) > 3
    rendered(row, planned[:3], settings)
    again, asked = analysed(row, settings)
    assert asked == 0
    assert rendered(row, again, settings) == [work["number"] for work in planned[3:]]
    stages.finish_stage(row, settings)
    for one, other in zip(planes(Path(row["output"])), whole[14:34], strict=True):
        assert all(map(np.array_equal, one, other))


def test_a_part_outside_its_clip_is_refused_before_any_work(clip):
    with pytest.raises(KeyframeError, match="outside the clip, which goes from 0 to 1"):
        stages.inspect_stage(row_of(clip, "out.mp4"), ANALYSIS, only("12s..15s"))


def test_a_part_that_ends_after_its_clip_says_so(clip):
    summary, *_ = stages.inspect_stage(row_of(clip, "out.mp4"), ANALYSIS, only("1s..15s"))
    assert "part 1s..15s: the clip ends at 1.520 s already" in summary["notes"]
    assert summary["frames"] == 13
