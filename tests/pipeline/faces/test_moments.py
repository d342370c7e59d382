"""Whether the fields of a frame show one moment or two: told by motion, shot by shot."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.editors.previz.editor import PrevizEditor
from engines.estimators.mesh.estimator import MeshAUEstimator
from engines.trackers.mesh.tracker import MeshTracker
from keyframes.load import parse_sheet
from pipeline.demo.clip import make_demo_clip
from pipeline.edit.batcher import MicroBatcher
from pipeline.edit.lending.lend import Donors
from pipeline.edit.lending.making import make_library
from pipeline.edit.lending.track import face_track
from pipeline.edit.plan import crops_of, plan_edits
from pipeline.edit.render import Rendered, edited_frames
from pipeline.edit.segments import Span
from pipeline.faces.chunks import Chunk, analyse_frames
from pipeline.faces.faces import assemble
from pipeline.faces.moments import FieldSteps, moments_told, of_one_moment
from pipeline.faces.table import read_analysis, write_analysis
from pipeline.media.fields import Field
from pipeline.media.planes import plane_views
from pipeline.media.read.decoding.reader import shown_pictures
from pipeline.media.read.inspection import Inspection, inspect_video
from pipeline.pictures import FIRST, SECOND, WHOLE
from pipeline.preview import FramePreview
from pipeline.quality.clip import measure
from tests.pipeline.weaving import pictures_of, segmented, woven, write_woven

COUNT = 12
RAMP = parse_sheet("version: 1\nchannels: {AU12: [[0s, 0], [0.3s, 5]]}\n", "ramp")
CLIPS = {"d14": (60, (90, 90, 400, 440)), "d18": (40, (110, 110, 370, 400)),
         "s18": (30, (450, 120, 850, 620)), "s20": (10, (110, 200, 380, 540))}  # fmt: skip
"""Where a face moves, and its box there."""


def steps_of(frames: Iterable[Any], source: Inspection, box: tuple[int, ...]) -> np.ndarray:
    between, count = FieldSteps(), 0
    for number, frame in enumerate(frames):
        for picture in shown_pictures(number, (Field(frame, 0), Field(frame, 1)), source.info):
            between.see(picture, [np.array(box, np.float32)])
        count += 1
    return np.array([between.steps.get(n, np.nan) for n in range(count)], np.float32)


@pytest.mark.parametrize("name", CLIPS)
def test_fields_and_segmented_frames_of_a_clip_are_told_apart(name: str, shared: Path):
    first, box = CLIPS[name]
    source = inspect_video(str(shared / f"media/clips/{name}.mp4"))
    fields, single = (
        steps_of(made(pictures_of(source, first, 40)), source, box) for made in (woven, segmented)
    )
    starts = np.arange(20) == 0
    assert of_one_moment(single, starts).all()
    assert not of_one_moment(fields, starts).any()
    assert np.nanmedian(fields) == pytest.approx(0.5, abs=0.12)
    assert np.nanmedian(single) == pytest.approx(0.0, abs=0.02)


def test_each_shot_is_told_by_its_own_motion_and_in_doubt_its_fields_stay():
    """A shot of one moment, one at rest, one of film in which one frame in five is of two."""
    steps = np.full(60, np.nan, np.float32)
    steps[:8], steps[40:], steps[44::5] = 0.02, 0.02, 0.5
    steps[7] = 0.9  # to the next shot's first frame
    starts = np.isin(np.arange(60), (0, 8, 40))
    assert np.flatnonzero(of_one_moment(steps, starts)).tolist() == list(range(8))
    steps[25:28] = 0.0  # three frames are too few to go by
    assert not of_one_moment(steps, starts)[8:].any()


@dataclass(frozen=True)
class Footage:
    """Frames of one moment, coded as fields, what was seen in them; and the frames as they are."""

    seen: Inspection
    chunk: Chunk
    plain: Inspection


@pytest.fixture(scope="module")
def psf(tmp_path_factory) -> Footage:
    folder = tmp_path_factory.mktemp("psf")
    make_demo_clip(folder / "talk.mp4", seconds=1.2, size=(320, 320))
    source, rate = inspect_video(str(folder / "talk.mp4")), Fraction(25)
    every = tuple(range(COUNT))
    paths = [
        write_woven(folder / f"{n}.mkv", pictures_of(source, 12, COUNT), rate, whole=whole)
        for n, whole in enumerate(((), every))
    ]
    seen, plain = (inspect_video(str(path)) for path in paths)
    chunk = analyse_frames(seen, 0, COUNT - 1, MeshTracker(), MeshAUEstimator())
    return Footage(seen, chunk, plain)


def test_frames_of_one_moment_are_measured_in_both_fields_and_edited_as_frames(psf, tmp_path):
    analysis = assemble(psf.seen.times_s, [psf.chunk], MeshAUEstimator())
    assert set(psf.chunk.field) == {FIRST, SECOND}
    assert analysis.field.tolist() == [WHOLE] * COUNT
    assert analysis.one_moment.all()
    assert not len(analysis.in_fields)
    truth = measure(psf.plain, MeshTracker(), MeshAUEstimator())
    off = np.linalg.norm(analysis.landmarks_px - truth.landmarks_px, axis=2).mean()
    alone = psf.chunk.landmarks_px[psf.chunk.field == FIRST]
    assert off < 0.9 * np.linalg.norm(alone - truth.landmarks_px, axis=2).mean()
    one_by_one = assemble(psf.seen.times_s, [psf.chunk], MeshAUEstimator(), moments="two")
    wanted = edited(psf.plain, truth)
    error, fields = (
        np.abs(edited(psf.seen, faces) - wanted).mean() for faces in (analysis, one_by_one)
    )
    assert error < 0.5 * fields
    write_analysis(tmp_path / "a.parquet", analysis, psf.seen)
    again = read_analysis(tmp_path / "a.parquet")
    for field in ("frame", "field", "landmarks_px", "in_fields", "one_moment"):
        np.testing.assert_array_equal(getattr(again, field), getattr(analysis, field))
    assert "both fields of 12 frames show one moment" in moments_told(again.one_moment, "auto")


def edited(seen: Inspection, faces) -> np.ndarray:
    """`(N, H, W)` luma of an edit, before encoding."""
    plan = plan_edits(seen, faces, RAMP, 512, any_size=True).plan
    with MicroBatcher(PrevizEditor(), seed=0) as batcher:
        frames = edited_frames(seen, Span(0, 0, COUNT - 1), plan, batcher, Rendered())
        return np.stack([plane_views(frame)[0].astype(np.float32) for frame in frames])


def test_such_a_frame_lends_all_its_lines(psf):
    seen = assemble(psf.seen.times_s, [psf.chunk], MeshAUEstimator())
    crops = crops_of(psf.seen.times_s, seen, 0, 512, any_size=True)
    donor = face_track(seen, 0, *crops).donor(5)
    lent = [make_library(clip, Donors(mouths=[donor])) for clip in (psf.seen, psf.plain)]
    images = [library.mouths.of(0, 5).image for library in lent]
    assert np.array_equal(*images)


def test_what_was_asked_for_goes_before_what_is_found(psf):
    parts = psf.seen.times_s, [psf.chunk], MeshAUEstimator()
    as_fields = assemble(*parts, moments="two")
    assert as_fields.field.tolist() == [FIRST, SECOND] * COUNT
    assert not len(as_fields.one_moment)
    still = dataclasses.replace(psf.chunk, steps=np.full_like(psf.chunk.steps, np.nan))
    at_rest = psf.seen.times_s, [still], MeshAUEstimator()
    assert assemble(*at_rest).in_fields.all()
    assert assemble(*at_rest, moments="one").one_moment.all()
    alike = assemble(*at_rest, moments=np.arange(COUNT) < 4)
    assert alike.field.tolist() == [WHOLE] * 4 + [FIRST, SECOND] * (COUNT - 4)
    assert not alike.restarts(alike.rows_of(0))[1:].any()


def test_a_preview_asks_the_frames_beside_it(psf):
    engines = MeshTracker(), MeshAUEstimator(), PrevizEditor()
    shown = [
        FramePreview(Path(psf.seen.info.path), "6f", *engines, moments=moments).under(RAMP)
        for moments in ("auto", "one", "two")
    ]
    assert np.array_equal(shown[0], shown[1])
    assert not np.array_equal(shown[0], shown[2])
