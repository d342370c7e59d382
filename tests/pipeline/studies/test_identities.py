"""Who sits for a study: of a clip, the frame that shows least and looks straightest ahead."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from keyframes.au import AU_COLUMN
from pipeline.errors import PipelineError
from pipeline.heads.people import person
from pipeline.heads.render import render_person
from pipeline.media.write.pictures import PictureWriter
from pipeline.studies.identities import VIEW, find_identities, picture_of, what_they_are


def written(path: Path, pictures: list[np.ndarray]) -> None:
    writer = PictureWriter(path, (VIEW.size, VIEW.size), Fraction(1, 25), Fraction(25), crf=10)
    with writer:
        for number, picture in enumerate(pictures):
            writer.show(picture, number)


def test_a_clip_sits_by_its_calmest_frame(tmp_path: Path):
    smile = np.zeros(12)
    smile[[AU_COLUMN[12], AU_COLUMN[26]]] = 4.0
    rest, smiling = (render_person(person(0), units, VIEW) for units in (None, smile))
    written(tmp_path / "somebody.mp4", [smiling, smiling, rest, rest, rest, smiling])
    cv2.imwrite(str(tmp_path / "other.png"), rest[..., ::-1])
    other, somebody = find_identities(str(tmp_path), 9)
    assert (other.name, somebody.name) == ("other", "somebody")
    shown = picture_of(somebody).astype(int)
    assert np.abs(shown - rest).mean() < 0.5 * np.abs(shown - smiling).mean()
    assert what_they_are([other, somebody]) == "photographs and calm frames of clips"
    assert "drawn people" in what_they_are(find_identities("synthetic", 2))


def test_a_clip_without_a_face_is_named(tmp_path: Path):
    written(tmp_path / "wall.mp4", [np.full((VIEW.size, VIEW.size, 3), 90, np.uint8)] * 3)
    with pytest.raises(PipelineError, match=r"wall\.mp4: no face was found in 3 of its frames"):
        picture_of(find_identities(str(tmp_path), 1)[0])
