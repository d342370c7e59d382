"""One short clip with a real face, analysed once, and what three editors made of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engines.editors.identity import IdentityEditor
from engines.editors.previz.editor import PrevizEditor
from engines.estimators.mesh.estimator import MeshAUEstimator
from engines.trackers.mesh.tracker import MeshTracker
from keyframes.load import parse_sheet
from pipeline.demo.clip import make_demo_clip
from pipeline.edit.batcher import MicroBatcher
from pipeline.edit.plan import plan_edits
from pipeline.edit.render import Rendered, edited_frames
from pipeline.edit.segments import Span
from pipeline.faces.faces import Analysis
from pipeline.media.planes import plane_views
from pipeline.media.read.inspection import Inspection, inspect_video
from pipeline.media.write.encoding.encode import PieceWriter
from pipeline.media.write.encoding.mirror import mirror_settings
from pipeline.quality.clip import Clip, measure
from pipeline.quality.evaluate import ShotVerdict, evaluate_shot
from pipeline.quality.question import Question


@dataclass(frozen=True)
class Talk:
    """The demo clip's first second and a half: 38 frames."""

    path: Path
    inspection: Inspection
    analysis: Analysis


@pytest.fixture(scope="session")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Talk:
    path = make_demo_clip(tmp_path_factory.mktemp("talk") / "talk.mp4", seconds=1.5)
    inspection = inspect_video(str(path))
    return Talk(path, inspection, measure(inspection, MeshTracker(), MeshAUEstimator()))


SMILE = parse_sheet("version: 1\nchannels:\n  AU12: [[0s, 0], [0.4s, 4], [1.5s, 4]]\n", "smile")
Spoil = Callable[[int, list[Any]], None]


def rendered(talk: Talk, path: Path, editor: Any, spoil: Spoil | None = None) -> Clip:
    """The clip with the smile by an editor, encoded as an output is; `spoil` sees every frame."""
    inspection = talk.inspection
    plan = plan_edits(inspection, talk.analysis, SMILE, editor.crop_size).plan
    settings = mirror_settings(inspection.info, "veryfast", index=inspection.index)
    whole = Span(0, 0, inspection.frames - 1)
    with (
        MicroBatcher(editor, seed=0) as batcher,
        PieceWriter(str(path), inspection.info, settings) as writer,
    ):
        frames = edited_frames(inspection, whole, plan, batcher, Rendered())
        for number, frame in enumerate(frames):
            if spoil is not None:
                frame.make_writable()
                spoil(number, plane_views(frame))
            writer.write(frame)
    made = inspect_video(str(path))
    return Clip(made, measure(made, MeshTracker(), MeshAUEstimator(), talk.analysis))


@pytest.fixture(scope="session")
def plate(talk: Talk) -> Clip:
    return Clip(talk.inspection, talk.analysis)


@pytest.fixture(scope="session")
def untouched(talk: Talk, tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return rendered(talk, tmp_path_factory.mktemp("u") / "untouched.mp4", IdentityEditor())


@pytest.fixture(scope="session")
def smiling(talk: Talk, tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return rendered(talk, tmp_path_factory.mktemp("s") / "smiling.mp4", PrevizEditor())


@pytest.fixture(scope="session")
def spoiled(talk: Talk, tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """Every other frame's face is brighter under a hard border, and a corner of the picture is
    covered."""
    face = talk.analysis.box[0].astype(int)
    inside = (slice(face[1], face[3]), slice(face[0], face[2]))

    def spoil(number: int, planes: list[Any]) -> None:
        luma = planes[0]
        luma[:32, :32] = 128
        if number % 2:
            luma[inside] = luma[inside].clip(0, 215) + 20

    return rendered(talk, tmp_path_factory.mktemp("x") / "spoiled.mp4", IdentityEditor(), spoil)


@pytest.fixture(scope="session")
def smile(plate: Clip, smiling: Clip) -> ShotVerdict:
    question = Question(SMILE, editor="previz", encode_preset="veryfast")
    return evaluate_shot(plate, smiling, question)
