"""One frame under any curve: the run's picture before encoding, without a run."""

from __future__ import annotations

import threading
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from engines.editors.identity import IdentityEditor
from engines.editors.previz.editor import PrevizEditor
from engines.errors import EngineError
from engines.estimators.mesh.estimator import MeshAUEstimator
from engines.hands.finder import HandFinder
from engines.segmenters.multiclass import chosen_segmenter, open_segmenter
from engines.trackers.mesh.tracker import MeshTracker
from keyframes.errors import KeyframeError
from keyframes.load import load_sheet, parse_sheet
from keyframes.sheet import KeyframeSheet
from pipeline.demo.clip import make_demo_clip
from pipeline.edit.batcher import MicroBatcher
from pipeline.edit.plan import plan_edits
from pipeline.edit.render import Rendered, edited_frames
from pipeline.edit.segments import Span
from pipeline.errors import PipelineError
from pipeline.media.read.decoding.decode import decode_range, display_rgb
from pipeline.media.read.inspection import inspect_video
from pipeline.preview import FramePreview, Picture, frame_shown_at
from pipeline.quality.clip import measure
from tests.engines.segmenters.drawn import things_are_dark
from tests.fakes import BatchEditor, FailingEditor
from tests.pipeline.conftest import Talk
from tests.pipeline.weaving import pictures_of, woven, write_woven

RAISED = parse_sheet("version: 1\nchannels: {AU12: [[0s, 3]], AU1: [[0s, 2]]}\n", "raised")
REST = parse_sheet("version: 1\nchannels: {AU12: [[0s, 0]]}\n", "rest")


@pytest.fixture(scope="session")
def clip(talk: Talk) -> Path:
    return talk.path


def opened(clip: Path, editor, at="50%") -> FramePreview:
    return FramePreview(clip, at, MeshTracker(), MeshAUEstimator(), editor)


@pytest.fixture(scope="session")
def frame(clip: Path) -> FramePreview:
    return opened(clip, PrevizEditor())


def test_it_shows_the_frame_itself_where_the_curve_asks_for_nothing(clip: Path, frame):
    seen = inspect_video(str(clip))
    (decoded,) = decode_range(str(clip), seen.info, seen.index, frame.number, frame.number)
    assert np.array_equal(frame.original, display_rgb(decoded, seen.info))
    assert np.array_equal(frame.under(REST), frame.original)
    assert frame.faces == 1


def test_curves_on_one_frame_leave_no_trace_on_each_other(frame):
    first = frame.under(RAISED)
    moved = np.abs(first.astype(int) - frame.original).max(axis=2) > 16
    assert 0.002 < moved.mean() < 0.4
    frame.under(load_sheet("sad"))
    assert np.array_equal(frame.under(RAISED), first)
    assert np.array_equal(frame.under(REST), frame.original)


def test_only_the_face_changes(frame):
    height, width = frame.original.shape[:2]
    changed = (frame.under(RAISED) != frame.original).any(axis=2)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    assert rows[0] > 0
    assert rows[-1] < height - 1
    assert columns[-1] - columns[0] < 0.9 * width


def test_what_a_curve_takes_back_is_measured_against_the_face_at_rest(clip: Path):
    talking = opened(clip, PrevizEditor(), at="0.6s")
    assert (talking.under(load_sheet("neutralise")) != talking.original).any()


def run(talk: Talk, number: int, sheet: KeyframeSheet, segmenter=None) -> np.ndarray:
    """The frame as a run edits it, before encoding."""
    plan = plan_edits(talk.inspection, talk.analysis, sheet, 512, any_size=True).plan
    span = Span(0, number, number)
    with MicroBatcher(PrevizEditor(), seed=424) as batcher:
        parts = talk.inspection, span, plan, batcher, Rendered()
        (made,) = edited_frames(*parts, border="replicate", segmenter=segmenter)
    return display_rgb(made, talk.inspection.info).astype(int)


def off(made: np.ndarray, shown: np.ndarray, original: np.ndarray) -> float:
    """Of the edit of a run, which share a preview is off."""
    return float(np.abs(made - shown).mean() / np.abs(made - original).mean())


def test_it_is_the_picture_of_a_run_before_encoding_but_for_the_crops_own_way(talk: Talk, frame):
    assert off(run(talk, frame.number, RAISED), frame.under(RAISED), frame.original) < 0.02


def test_things_before_the_face_hide_the_edit_as_in_a_run(talk: Talk, frame, tmp_path: Path):
    """Dark pixels count as things, mouth and nostrils among them."""
    network = open_segmenter(chosen_segmenter(str(things_are_dark(tmp_path / "n.tflite", 0.5))))
    engines = MeshTracker(), MeshAUEstimator(), PrevizEditor()
    behind = FramePreview(talk.path, "50%", *engines, segmenter=network)
    made = run(talk, frame.number, RAISED, network)
    assert off(made, behind.under(RAISED), frame.original) < 0.02
    assert off(made, frame.under(RAISED), frame.original) > 0.15


def test_a_hand_before_the_face_hides_the_edit_as_in_a_run(talk: Talk, frame, monkeypatch):
    def find(_, picture, square):
        """A hand that lies over the mouth."""
        fan = np.stack([np.tile(np.linspace(-0.09, 0.09, 7), 3), np.repeat([0, 0.06, 0.12], 7)], 1)
        hand = square.width * (fan + np.array([0, 0.08])) + [square.cx, square.cy]
        return hand[None].astype(np.float32)

    monkeypatch.setattr(HandFinder, "find", find)
    covered = opened(talk.path, PrevizEditor())
    measured = measure(talk.inspection, MeshTracker(), MeshAUEstimator())
    made = run(replace(talk, analysis=measured), frame.number, RAISED)
    assert off(made, covered.under(RAISED), frame.original) < 0.02
    assert off(made, frame.under(RAISED), frame.original) > 0.15


def test_fields_are_edited_one_by_one_as_in_a_run(tmp_path: Path):
    make_demo_clip(tmp_path / "fast.mp4", seconds=0.6, rate=50, size=(320, 320))
    source = inspect_video(str(tmp_path / "fast.mp4"))
    path = write_woven(tmp_path / "w.mkv", woven(pictures_of(source, 16, 10)), Fraction(25))
    seen = inspect_video(str(path))
    fields = Talk(path, seen, measure(seen, MeshTracker(), MeshAUEstimator()))
    ramp = parse_sheet("version: 1\nchannels: {AU26: [[0s, 0], [0.2s, 5]]}\n", "ramp")
    shown = opened(path, PrevizEditor(), at="2f")
    made = run(fields, 2, ramp)
    assert off(made, shown.under(ramp), shown.original) < 0.1
    assert np.array_equal(shown.under(REST), shown.original)


def test_an_editor_with_a_batch_gets_it_full(clip: Path):
    shown = opened(clip, BatchEditor()).under(RAISED)
    assert isinstance(shown, Picture)


def test_threads_that_ask_at_once_get_their_own_pictures(frame):
    alone = [frame.under(sheet).copy() for sheet in (RAISED, REST)]
    got: dict[int, np.ndarray] = {}

    def ask(place: int) -> None:
        got[place] = frame.under((RAISED, REST)[place % 2])

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(picture, alone[place % 2]) for place, picture in got.items())


def test_an_error_of_the_editor_arrives_and_the_frame_stays_as_it_was(clip: Path):
    failing = opened(clip, FailingEditor(), at="7f")
    assert failing.number == 7
    with pytest.raises(EngineError, match="cannot edit frame 7"):
        failing.under(RAISED)
    assert np.array_equal(failing.under(REST), failing.original)


@pytest.mark.parametrize(
    ("at", "number"), [(0, 0), ("0.039s", 0), ("0.04s", 1), ("1s", 25), ("7f", 7), ("end", 37)]
)
def test_the_frame_is_the_one_that_is_shown_then(clip: Path, at, number):
    assert frame_shown_at(inspect_video(str(clip)), at) == number


def test_times_that_are_none_or_outside_are_refused(clip: Path):
    seen = inspect_video(str(clip))
    with pytest.raises(KeyframeError, match="'soon' is not understood"):
        frame_shown_at(seen, "soon")
    for outside in (-1, "3s"):
        with pytest.raises(PipelineError, match=r"expected 0 to 1\.520 s"):
            frame_shown_at(seen, outside)


def test_a_picture_shows_itself_and_a_part_of_it_that_is_none_does_not(frame):
    shown = frame.under(RAISED)
    decoded = cv2.imdecode(np.frombuffer(shown._repr_png_(), np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(decoded[..., ::-1], shown)
    assert shown[..., 0]._repr_png_() is None


def test_a_frame_without_a_face_stays_as_it_is(tmp_path: Path):
    path = tmp_path / "blank.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        grey = av.VideoFrame.from_ndarray(np.full((96, 128, 3), 90, np.uint8), format="rgb24")
        for _ in range(3):
            container.mux(stream.encode(grey))
        container.mux(stream.encode(None))
    blank = opened(path, IdentityEditor())
    assert blank.faces == 0
    assert np.array_equal(blank.under(RAISED), blank.original)


def test_a_person_is_known_by_a_picture(frame, tmp_path: Path):
    cv2.imwrite(str(tmp_path / "lead.png"), frame.original[..., ::-1])
    text = "version: 1\nfaces: {lead: lead.png}\nchannels: {AU12: [[0s, 3]], AU1: [[0s, 2]]}\n"
    named = parse_sheet(text, "raised", folder=tmp_path)
    assert np.array_equal(frame.under(named), frame.under(RAISED))
