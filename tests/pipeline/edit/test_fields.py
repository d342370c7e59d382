"""Interlaced footage edited as fields: a talking face at 50 pictures per second, woven into 25
frames, so that what each field should become is known."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.editors.identity import IdentityEditor
from engines.editors.previz.editor import PrevizEditor
from engines.estimators.mesh.estimator import MeshAUEstimator
from engines.trackers.mesh.tracker import MeshTracker
from keyframes.load import parse_sheet
from pipeline.demo.clip import make_demo_clip
from pipeline.edit.batcher import MicroBatcher
from pipeline.edit.plan import EditPlan, plan_edits
from pipeline.edit.render import Rendered, edited_frames
from pipeline.edit.segments import Span
from pipeline.faces.faces import Analysis
from pipeline.faces.table import read_analysis, write_analysis
from pipeline.media.fields import Field
from pipeline.media.planes import plane_views
from pipeline.media.read.decoding.pictures import PictureReader
from pipeline.media.read.inspection import Inspection, inspect_video
from pipeline.pictures import FIRST, SECOND, WHOLE
from pipeline.quality.clip import measure
from tests.pipeline.weaving import pictures_of, woven, write_woven

COUNT = 12
RATE = Fraction(50)
RAMP = parse_sheet("version: 1\nchannels: {AU12: [[0s, 0], [0.25s, 5]]}\n", "ramp")
WHOLE_FRAMES = (2, 3)
Planes = list[np.ndarray]


@dataclass(frozen=True)
class Footage:
    """A clip, its faces, and what the ramp makes of it."""

    seen: Inspection
    analysis: Analysis
    plan: EditPlan
    plate: list[Planes]
    edited: list[Planes]


def planes_of(frames: Any) -> list[Planes]:
    return [[view.copy() for view in plane_views(frame)] for frame in frames]


def edited(seen: Inspection, plan: EditPlan, spans: list[Span], editor: Any = None) -> list[Planes]:
    made: list[Planes] = []
    with MicroBatcher(editor or PrevizEditor(), seed=0) as batcher:
        for span in spans:
            made += planes_of(edited_frames(seen, span, plan, batcher, Rendered()))
    return made


def footage(path: Path) -> Footage:
    seen = inspect_video(str(path))
    analysis = measure(seen, MeshTracker(), MeshAUEstimator())
    plan = plan_edits(seen, analysis, RAMP, 512).plan
    made = edited(seen, plan, [Span(0, 0, seen.frames - 1)])
    return Footage(seen, analysis, plan, planes_of(pictures_of(seen, 0, seen.frames)), made)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("fields")
    make_demo_clip(folder / "talk.mp4", seconds=0.6, rate=50, size=(320, 320))
    source = inspect_video(str(folder / "talk.mp4"))
    moving = 16  # the camera pans and the mouth opens
    every = tuple(range(COUNT))
    write_woven(folder / "p.mkv", pictures_of(source, moving, COUNT), RATE, whole=every)
    write_woven(folder / "tff.mkv", woven(pictures_of(source, moving, COUNT)), RATE / 2)
    return folder


@pytest.fixture(scope="module")
def progressive(folder) -> Footage:
    return footage(folder / "p.mkv")


@pytest.fixture(scope="module")
def fields(folder) -> Footage:
    return footage(folder / "tff.mkv")


def weave(pictures: list[Planes]) -> list[Planes]:
    whole: list[Planes] = []
    for one, other in zip(pictures[::2], pictures[1::2], strict=True):
        whole.append([view.copy() for view in one])
        for into, lines in zip(whole[-1], other, strict=True):
            into[1::2] = lines[1::2]
    return whole


def test_each_field_is_found_measured_and_edited_at_its_own_time(progressive, fields):
    """Half a frame after the first field the second stands where the next picture did."""
    analysis, plan = fields.analysis, fields.plan
    assert analysis.frames == COUNT // 2
    assert analysis.field.tolist() == [FIRST, SECOND] * (COUNT // 2)
    there, truth = analysis.landmarks_px, progressive.analysis.landmarks_px
    assert np.linalg.norm(there - truth, axis=2).mean() < 1.2
    number = 2 * plan.frame + (plan.field == SECOND)
    asked = dict(zip(progressive.plan.frame.tolist(), progressive.plan.delta[:, 6], strict=True))
    assert len(plan) == len(progressive.plan)
    for n, delta in zip(number.tolist(), plan.delta[:, 6], strict=True):
        assert delta == pytest.approx(asked[n], abs=1e-5)  # a linear ramp: the middle value


def test_edited_fields_are_the_pictures_that_progressive_footage_would_show(progressive, fields):
    """Against the same edit of the progressive clip, woven: a quarter of what an edit of whole
    frames is off by, and no comb that this has not."""
    truth = weave(progressive.edited)
    combed, errors, edits = [], [], []  # grey levels
    for made, wanted, plate in zip(fields.edited, truth, fields.plate, strict=True):
        changed = np.abs(wanted[0].astype(int) - plate[0]) > 3
        if changed.sum() < 300:
            continue
        off = made[0].astype(np.float32) - wanted[0]
        errors.append((off[changed] ** 2).mean())
        edits.append(((wanted[0].astype(np.float32) - plate[0])[changed] ** 2).mean())
        combed.append(comb(made[0])[changed[1:-1]].mean() - comb(wanted[0])[changed[1:-1]].mean())
    assert len(errors) > 3
    assert np.sqrt(np.mean(errors)) < 0.25 * np.sqrt(np.mean(edits))
    assert np.mean(combed) < 0.25


def comb(luma: np.ndarray) -> np.ndarray:
    """How far each line is from the mean of its neighbours, which are of the other field."""
    y = luma.astype(np.float32)
    return np.abs(y[1:-1] - (y[:-2] + y[2:]) / 2)


def test_a_field_knows_nothing_of_the_other(fields, folder, tmp_path):
    """The other field's lines are noise in another clip: this field's samples stay equal."""

    def spoilt(frames):
        random = np.random.default_rng(1)
        for frame in frames:
            frame.make_writable()
            for view in plane_views(frame):
                view[1::2] = random.integers(90, 160, view[1::2].shape)
            yield frame

    seen = fields.seen
    path = write_woven(tmp_path / "n.mkv", spoilt(pictures_of(seen, 0, seen.frames)), RATE / 2)
    noisy = inspect_video(str(path))
    rows = np.flatnonzero(fields.plan.field == FIRST)
    plan = EditPlan(**{name: values[rows] for name, values in fields.plan.arrays.items()})
    made = edited(noisy, plan, [Span(0, 0, noisy.frames - 1)])
    for there, here in zip(made, fields.edited, strict=True):
        for one, other in zip(there, here, strict=True):
            np.testing.assert_array_equal(one[::2], other[::2])
    measured = measure(noisy, MeshTracker(), MeshAUEstimator())
    first = measured.field == FIRST
    alike = fields.analysis.landmarks_px[fields.analysis.field == FIRST]
    np.testing.assert_array_equal(measured.landmarks_px[first & (measured.track == 0)], alike)


def test_pieces_do_not_change_a_sample_and_nothing_asked_changes_nothing(fields):
    seen, last = fields.seen, fields.seen.frames - 1
    pieces = edited(seen, fields.plan, [Span(0, 0, 2), Span(1, 3, 3), Span(2, 4, last)])
    same = edited(seen, fields.plan, [Span(0, 0, last)], IdentityEditor())
    for one, other in zip(pieces + same, fields.edited + fields.plate, strict=True):
        for there, here in zip(one, other, strict=True):
            np.testing.assert_array_equal(there, here)


def test_fields_of_hevc_come_one_by_one_and_are_tracked_in_their_own_shape(
    progressive, folder, tmp_path
):
    """Its decoder gives each field as a frame of half the lines; none of it is split again."""

    def fields():
        for number, frame in enumerate(pictures_of(progressive.seen, 0, COUNT)):
            yield Field(frame, number % 2).alone()

    quiet = {"x265-params": "interlace=tff:log-level=none", "crf": "4", "preset": "ultrafast"}
    path = write_woven(tmp_path / "h.mkv", fields(), RATE, codec="libx265", **quiet)
    made = footage(path)
    info = made.seen.info
    assert (info.height, info.display_size, info.sar) == (160, (320, 320), 1)
    assert made.analysis.field.tolist() == [WHOLE] * COUNT
    off = made.analysis.landmarks_px - progressive.analysis.landmarks_px
    assert np.linalg.norm(off, axis=2).mean() < 1.2
    errors, edits = [], []  # grey levels
    for number in np.unique(made.plan.frame).tolist():
        (plate, edited), lines = (made.plate, made.edited), slice(number % 2, None, 2)
        wanted = progressive.edited[number][0][lines].astype(float)
        wanted -= progressive.plate[number][0][lines]
        errors.append(edited[number][0].astype(float) - plate[number][0] - wanted)
        edits.append(wanted)
    assert np.square(errors).mean() < 0.4**2 * np.square(edits).mean()


@pytest.mark.parametrize(
    ("codec", "kept"),
    [
        ("ffv1", {}),
        ("libx264", {}),
        ("mpeg2video", {}),
        ("prores_ks", {"format": "yuv422p10le"}),
        ("dvvideo", {"format": "yuv420p", "width": 720, "height": 576}),
        ("dnxhd", {"format": "yuv422p", "width": 1920, "height": 1080}),
    ],
)
def test_frames_say_which_field_comes_first(codec, kept, fields, tmp_path):
    options = {"libx264": {"x264-params": "bff=1"}, "dnxhd": {"b": "120M"}}.get(codec, {})
    frames = (f.reformat(**kept) if kept else f for f in pictures_of(fields.seen, 0, 4))
    name = tmp_path / ("b.mov" if kept else "b.mkv")
    write_woven(name, frames, RATE / 2, codec=codec, top_first=False, **options)
    seen = inspect_video(str(name))
    told = PictureReader(seen.info)
    for frame in pictures_of(seen, 0, 4):
        shown = told.pictures(frame)
        assert [picture.parity for picture in shown if isinstance(picture, Field)] == [1, 0]


def test_whole_frames_amid_fields_go_on_as_frames(fields, tmp_path):
    source = fields.seen
    frames = pictures_of(source, 0, 6)
    path = write_woven(tmp_path / "m.mkv", frames, RATE / 2, whole=WHOLE_FRAMES)
    seen = inspect_video(str(path))
    analysis = measure(seen, MeshTracker(), MeshAUEstimator())
    places = [*zip(analysis.frame.tolist(), analysis.field.tolist(), strict=True)]
    expected = [
        (n, field)
        for n in range(6)
        for field in ((WHOLE,) if n in WHOLE_FRAMES else (FIRST, SECOND))
    ]
    assert places == expected
    assert not analysis.restarts(analysis.rows_of(0))[1:].any()
    plan = plan_edits(seen, analysis, RAMP, 512).plan
    assert set(plan.field[plan.frame == WHOLE_FRAMES[0]]) == {WHOLE}
    made = edited(seen, plan, [Span(0, 0, 5)])
    for number in WHOLE_FRAMES:
        changed = made[number][0] != fields.plate[number][0]
        assert changed[::2].any()
        assert changed[1::2].any()
    write_analysis(tmp_path / "a.parquet", analysis, seen)
    again = read_analysis(tmp_path / "a.parquet")
    for name in ("frame", "field", "landmarks_px", "in_fields"):
        np.testing.assert_array_equal(getattr(again, name), getattr(analysis, name))
    assert analysis.by_frame.frame.tolist() == list(range(6))
