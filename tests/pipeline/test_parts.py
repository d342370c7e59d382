"""A curve that speaks for a part of a clip has only the shots that it touches analysed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.choice import resolve
from engines.estimators.mesh.estimator import MeshAUEstimator
from keyframes.load import parse_sheet
from pipeline import stages
from pipeline.edit import segments
from pipeline.faces.chunks import Chunk, write_chunk
from pipeline.faces.cuts import SIGNATURE_VALUES
from pipeline.faces.faces import Analysis
from pipeline.faces.stretches import whole_stretches
from pipeline.media.read.inspection import inspect_video
from pipeline.media.write.repeated import repeat_packets, with_a_cut
from pipeline.rows import StageRow, VideoRow
from pipeline.run_folder.store import VideoFolder, video_row
from pipeline.settings import AnalysisSettings, RenderSettings
from pipeline.stages import forecast

ANALYSIS = AnalysisSettings(resolve("tracker", "mesh"), resolve("AU estimator", "mesh"))
ESTIMATOR = MeshAUEstimator()
SHOT, TURNS = 19, 10
FRAMES = 2 * SHOT * TURNS


@pytest.fixture(scope="module")
def long_clip(talk, tmp_path_factory) -> Path:
    """Two shots of 19 frames, ten times."""
    folder = tmp_path_factory.mktemp("long")
    return repeat_packets(
        with_a_cut(talk.path, folder / "two.mp4", "h264"), folder / "l.mp4", TURNS
    )


@pytest.fixture
def row(long_clip, tmp_path, monkeypatch) -> VideoRow:
    monkeypatch.setattr(segments, "CHUNK_FRAMES", 24)
    source = Path(shutil.copy2(long_clip, tmp_path / "l.mp4"))
    return {**video_row(source, tmp_path / "out.mp4", tmp_path / "_work"), "request": "asked"}


def smile(first: int, last: int) -> RenderSettings:
    sheet = f"version: 1\nchannels: {{AU12: [[{first}f, 0], [{first + 1}f, 3], [{last}f, 0]]}}\n"
    return RenderSettings(parse_sheet(sheet, "smile"), resolve("editor", "identity"))


def seen(first: int, last: int) -> Chunk:
    """What a tracker would see: one face, whose features depend on the frame and the shot."""
    frame = np.arange(first, last + 1)
    count, draws = len(frame), np.random.default_rng(0)
    pictures = draws.integers(0, 255, (FRAMES // SHOT, SIGNATURE_VALUES)).astype(np.uint8)
    face, features = draws.uniform(20, 80, (68, 2)), draws.normal(size=len(ESTIMATOR.feature_names))
    along = np.stack([np.sin(0.3 * frame), np.cos(0.7 * frame)], axis=1)
    return Chunk(
        frame,
        np.zeros(count, np.int8),
        np.ones(count, np.float32),
        np.zeros((count, 3), np.float32),
        np.tile(np.array([20, 20, 80, 80], np.float32), (count, 1)),
        (face + 0.5 * along[:, None]).astype(np.float32),
        np.full((count, 2, 21, 2), np.nan, np.float32),
        (features * (1 + 0.2 * along[:, :1]) + frame[:, None] // SHOT * 0.05).astype(np.float32),
        pictures[frame // SHOT],
        np.zeros(0, np.int64),
        np.zeros(0, np.float32),
    )


def analysed(row: VideoRow, render: RenderSettings | None) -> tuple[Analysis, list[int]]:
    """All stages up to the table; and the numbers of the chunks that were asked for on the way."""
    asked: list[int] = []
    rows: list[StageRow] = stages.inspect_stage(row, ANALYSIS, render)[1:]
    while rows:
        for chunk in rows:
            place = VideoFolder.of(row).chunk(ANALYSIS.digest, chunk["first"], chunk["last"])
            assert not place.is_file()
            write_chunk(place, seen(chunk["first"], chunk["last"]))
            asked.append(chunk["number"])
        rows = stages.lacking_stage(row, ANALYSIS, render)
    return stages.assemble_stage(row, ANALYSIS, ESTIMATOR, render)[1], asked


def of_frames(analysis: Analysis, kept: np.ndarray) -> list[Any]:
    rows = np.flatnonzero(kept[analysis.frame])
    names = ("frame", "track", "intensity", "lids", "box", "landmarks_px")
    return [getattr(analysis, name)[rows] for name in names] + [analysis.cut[kept]]


def test_only_the_touched_shots_are_analysed_and_as_in_the_whole(row) -> None:
    part, asked = analysed(row, smile(100, 120))
    shots = np.zeros(FRAMES, bool)
    shots[5 * SHOT : 7 * SHOT] = True
    assert np.array_equal(part.covered, shots)
    assert 3 <= len(asked) <= 5, "of 16 chunks"
    whole, rest = analysed(row, None)
    assert len(rest) == 16 - len(asked), "what is there is not analysed again"
    assert whole.covered.all()
    assert all(map(np.array_equal, of_frames(part, shots), of_frames(whole, shots)))


def test_what_a_curve_sees_does_not_depend_on_what_others_asked_for_before(row, tmp_path) -> None:
    alone, _ = analysed(row, smile(200, 205))
    other: VideoRow = {**row, "work": str(tmp_path / "other")}
    for settings in (smile(10, 12), smile(230, 260), smile(150, 190)):
        analysed(other, settings)
    later, _ = analysed(other, smile(200, 205))
    assert np.array_equal(alone.covered, later.covered)
    assert all(
        map(np.array_equal, of_frames(alone, alone.covered), of_frames(later, later.covered))
    )
    analysed(other, None)
    last, asked = analysed(other, smile(200, 205))
    assert not asked
    assert all(map(np.array_equal, of_frames(alone, alone.covered), of_frames(last, last.covered)))


def test_a_curve_that_asks_for_nothing_has_nothing_analysed(row) -> None:
    settings = RenderSettings(
        parse_sheet("version: 1\nchannels: {AU12: [[0s, 0]]}\n", "nothing"),
        resolve("editor", "identity"),
    )
    part, asked = analysed(row, settings)
    assert not asked
    assert not part.covered.any()
    assert len(stages.plan_stage(row, part, settings)) >= 1


def test_a_face_is_at_rest_shot_by_shot(row) -> None:
    whole, _ = analysed(row, None)
    assert {first for first, _ in whole.neutral} == set(range(0, FRAMES, SHOT))
    assert np.array_equal(np.flatnonzero(whole.cut), np.arange(0, FRAMES, SHOT))
    assert whole_stretches(whole.cut, whole.cut).all()


def test_repeated_packets_are_the_same_pictures_again(long_clip) -> None:
    made = inspect_video(str(long_clip))
    assert made.frames == FRAMES
    assert np.allclose(np.diff(made.times_s), 0.04)


def test_what_will_be_analysed_is_known_before_by_looking_at_the_ends_of_shots(
    row, monkeypatch
) -> None:
    looks = list[Any]()

    def shown(_: Any, chunk: Any) -> np.ndarray:
        looks.append(chunk)
        return seen(chunk.first, chunk.last).signatures

    monkeypatch.setattr(forecast, "_signatures", shown)
    inspection = inspect_video(row["source"])

    def expected(render: RenderSettings, until: float = np.inf) -> tuple[int, bool]:
        wanted = stages.wanted_frames(row, inspection, render)
        folder = VideoFolder.of(row)
        return forecast.frames_to_measure(inspection, wanted, folder, ANALYSIS.digest, until)

    def made(render: RenderSettings) -> int:
        chunks = segments.plan_chunks(inspection.index.is_key)
        return sum(chunks[number].frames for number in analysed(row, render)[1])

    edit, longer = smile(100, 120), smile(90, 200)
    touched, is_all = expected(edit, until=0.0)
    assert not is_all
    before = expected(edit)
    assert 2 * SHOT < touched < before[0], "the chunks that the curve touches are known at once"
    assert before == (made(edit), True)
    assert before[0] < FRAMES / 3
    assert expected(edit) == (0, True)
    assert expected(longer) == (made(longer), True), "what is kept is not counted again"
    looks.clear()
    whole = RenderSettings(
        parse_sheet("version: 1\nchannels: {AU12: [[0s, 3]]}\n", "all"), edit.editor
    )
    left = expected(whole)
    assert not looks, "of a whole clip nothing is to be found out"
    assert left == (made(whole), True)
