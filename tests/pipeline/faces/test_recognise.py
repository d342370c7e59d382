"""Two people side by side who change places at a cut, addressed by pictures of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engines.editors.previz.editor import PrevizEditor
from engines.estimators.mesh.estimator import MeshAUEstimator
from engines.trackers.mesh.tracker import MeshTracker
from keyframes.au import AU_COLUMN
from keyframes.load import parse_sheet
from keyframes.sheet import KeyframeSheet
from pipeline.edit.batcher import MicroBatcher
from pipeline.edit.plan import EditPlan, plan_edits
from pipeline.edit.render import Rendered, edited_frames
from pipeline.edit.segments import Span
from pipeline.errors import PipelineError
from pipeline.faces.faces import Analysis
from pipeline.faces.listing import Lineup
from pipeline.faces.recognise import check_people, recognise, refuse_doubts, told
from pipeline.figures.faces_sheet import write_pictures, write_sheet
from pipeline.files import read_json
from pipeline.media.read.decoding.decode import decode_range
from pipeline.media.read.inspection import Inspection, inspect_video
from pipeline.quality.clip import measure

SIDE, EACH = 320, 12


def frames_of(path: Path, first: int, count: int) -> Iterator[NDArray[np.uint8]]:
    with av.open(str(path)) as clip:
        for number, frame in enumerate(clip.decode(video=0)):
            if number >= first + count:
                return
            if number >= first:
                yield frame.to_ndarray(format="rgb24")


def square(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = SIDE / min(picture.shape[:2])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    y, x = (small.shape[0] - SIDE) // 2, (small.shape[1] - SIDE) // 2
    return np.asarray(small[y : y + SIDE, x : x + SIDE], np.uint8)


@dataclass(frozen=True)
class Pair:
    """The clip, and a folder with ann.jpg, later.jpg (ann as well) and bea.jpg."""

    inspection: Inspection
    analysis: Analysis
    folder: Path


@pytest.fixture(scope="module")
def pair(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("pair")
    ann, bea = shared / "media/clips/d10.mp4", shared / "media/clips/d18.mp4"
    for name, clip, at in (("ann", ann, 60), ("later", ann, 90), ("bea", bea, 60)):
        picture = next(frames_of(clip, at, 1))
        cv2.imwrite(str(folder / f"{name}.jpg"), picture[..., ::-1])
    left = [square(f) for f in frames_of(ann, 0, 2 * EACH)]
    right = [square(f) for f in frames_of(bea, 0, 2 * EACH)]
    pairs = [(left[n], right[n]) if n < EACH else (right[n], left[n]) for n in range(2 * EACH)]
    path = folder / "pair.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"preset": "ultrafast", "crf": "12"})
        stream.width, stream.height, stream.pix_fmt = 2 * SIDE, SIDE, "yuv420p"
        stream.time_base = Fraction(1, 25)
        for both in pairs:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.hstack(both), format="rgb24")))
        out.mux(stream.encode())
    inspection = inspect_video(str(path))
    return Pair(inspection, measure(inspection, MeshTracker(), MeshAUEstimator()), folder)


def sheet(pair: Pair, text: str) -> KeyframeSheet:
    return parse_sheet(f"version: 1\n{text}", "people.yaml", folder=pair.folder)


OWN_CURVES = """\
faces: {ann: ann.jpg, bea: bea.jpg}
layers:
  - {channels: {AU12: [[0, 4], [end, 4]]}, faces: ann}
  - {channels: {AU1: [[0, 4], [end, 4]], AU2: [[0, 4], [end, 4]]}, faces: bea}
"""


def test_two_people_have_their_own_curves_in_one_shot_and_after_the_cut(pair: Pair) -> None:
    curve = sheet(pair, OWN_CURVES)
    check_people(curve)
    who = recognise(pair.inspection, pair.analysis, curve)
    refuse_doubts(who, pair.inspection)
    assert len(told(who, pair.inspection)) == 4
    plan = plan_edits(pair.inspection, pair.analysis, curve, 512, who).plan
    assert len(plan) == 4 * EACH
    centre = plan.coded_from_crop[:, 0] @ np.array([256.0, 256.0, 1.0])
    is_ann = (centre < SIDE) == (plan.frame < EACH)  # she is left, and right after the cut
    smiles, raises = plan.delta[:, AU_COLUMN[12]], plan.delta[:, AU_COLUMN[1]]
    assert (smiles[is_ann] == 4).all()
    assert (raises[is_ann] == 0).all()
    assert (smiles[~is_ann] == 0).all()
    assert (raises[~is_ann] == 4).all()
    changed = changes(pair, plan)
    for frame, (left, right) in changed.items():
        mouth, brows = (left, right) if frame < EACH else (right, left)
        assert mouth > 0.5 > brows, frame


def changes(pair: Pair, plan: EditPlan) -> dict[int, tuple[float, float]]:
    """Of two frames, how low the change of each half lies in its face: 0 brows … 1 mouth."""
    found = {}
    info, index = pair.inspection.info, pair.inspection.index
    for number in (EACH // 2, EACH + EACH // 2):
        span = Span(0, number, number)
        before = next(iter(decode_range(info.path, info, index, number, number))).to_ndarray()
        with MicroBatcher(PrevizEditor(), seed=0) as batcher:
            (after,) = edited_frames(pair.inspection, span, plan.within(span), batcher, Rendered())
            change = np.abs(after.to_ndarray()[:SIDE].astype(int) - before[:SIDE])
        boxes = pair.analysis.box[pair.analysis.frame == number]
        halves = []
        for half in (0, 1):
            box = next(b for b in boxes if (b[0] + b[2] > 2 * SIDE) == half)
            rows = change[:, half * SIDE : (half + 1) * SIDE].sum(axis=1)
            low = (rows * np.arange(SIDE)).sum() / rows.sum()
            halves.append((low - box[1]) / (box[3] - box[1]))
        found[number] = (halves[0], halves[1])
    return found


def test_a_face_that_might_be_somebody_is_asked_for_and_never_guessed(pair: Pair) -> None:
    shutil.copy(pair.folder / "ann.jpg", pair.folder / "same.jpg")
    curve = sheet(pair, "faces: {ann: ann.jpg, bob: same.jpg}\nchannels: {AU12: [[0, 1]]}")
    who = recognise(pair.inspection, pair.analysis, curve)
    with pytest.raises(PipelineError, match="unsure") as refused:
        refuse_doubts(who, pair.inspection)
    line = str(refused.value)
    assert "of shot 1" in line
    assert "may be ann (0." in line
    assert "may be bob (0." in line
    assert f"aureel faces {pair.inspection.info.path}" in line
    answered = sheet(pair, "faces: {ann: [ann.jpg, later.jpg]}\nchannels: {AU12: [[0, 1]]}")
    who = recognise(pair.inspection, pair.analysis, answered)
    assert (len(who.sightings), who.doubts) == (2, ())


def test_only_shots_in_which_something_is_asked_are_looked_at(pair: Pair) -> None:
    curve = sheet(pair, "faces: {ann: ann.jpg}\nrange: [0, 0.3s]\nchannels: {AU12: [[0, 1]]}")
    assert {s.shot for s in recognise(pair.inspection, pair.analysis, curve).sightings} == {1}


def test_the_sheet_shows_each_face_of_each_shot_and_its_pictures_name_them(
    pair: Pair, tmp_path: Path
) -> None:
    curve = sheet(pair, OWN_CURVES)
    who = recognise(pair.inspection, pair.analysis, curve)
    listed = Lineup().faces_of(pair.inspection, pair.analysis)
    rows = write_pictures(tmp_path, "pair", pair.inspection, listed, who)
    page, data, table = write_sheet(tmp_path, rows)
    assert [(r.shot, r.frames, r.nameable) for r in rows] == [
        (1, EACH, True), (1, EACH, True), (2, EACH, True), (2, EACH, True),
    ]  # fmt: skip
    letters = {row.name: {r.person for r in rows if r.name == row.name} for row in rows}
    assert sorted(map(len, letters.values())) == [1, 1]
    assert letters["ann"] != letters["bea"]
    assert [entry["name"] for entry in read_json(data)["faces"]] == [row.name for row in rows]
    assert len(table.read_text().splitlines()) == 5
    assert page.read_text().count('<img src="data:image/jpeg') == 4
    row = rows[-1]
    text = f"version: 1\nfaces: {{you: {row.picture}}}\nuse: smile"
    own = parse_sheet(text, "own.yaml", folder=tmp_path)
    found = recognise(pair.inspection, pair.analysis, own).sightings
    assert [s.shot for s in found] == [1, 2]
    assert found[-1].face == row.face


@pytest.mark.parametrize("picture", ["none.jpg", "both.jpg", "text.jpg"])
def test_a_picture_without_exactly_one_face_is_refused_with_its_name(
    pair: Pair, picture: str
) -> None:
    cv2.imwrite(str(pair.folder / "none.jpg"), np.full((200, 200, 3), 90, np.uint8))
    whole = next(frames_of(Path(pair.inspection.info.path), 0, 1))
    cv2.imwrite(str(pair.folder / "both.jpg"), whole[..., ::-1])
    (pair.folder / "text.jpg").write_text("no picture")
    curve = sheet(pair, f"faces: {{ann: {picture}}}\nuse: smile")
    with pytest.raises(PipelineError, match=f"faces: ann: .*{picture}.*expected one"):
        check_people(curve)
