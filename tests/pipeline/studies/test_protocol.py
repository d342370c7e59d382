"""Stills of the protocol: made on the pipeline's own way, measured, kept by shares."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from engines.choice import resolve
from engines.editors.identity import IdentityEditor
from engines.editors.previz.editor import PrevizEditor
from engines.estimators.mesh.estimator import MeshAUEstimator
from engines.trackers.mesh.tracker import MeshTracker
from keyframes.au import AU_COLUMN, AU_ORDER
from pipeline.errors import PipelineError
from pipeline.settings import AnalysisSettings
from pipeline.studies.design import Cell
from pipeline.studies.identities import find_identities, picture_of, plate_of
from pipeline.studies.protocol import ProtocolSettings, StillRuler
from pipeline.studies.results import figures, summary, write_csv
from pipeline.studies.shares import rows_of
from pipeline.studies.sitter import Sitter

SMILE = np.zeros((1, 12), np.float32)
SMILE[0, AU_COLUMN[12]] = 4.0


@pytest.fixture(scope="module")
def sitter(drawn_plate: Path) -> Sitter:
    return Sitter(drawn_plate, MeshTracker(), MeshAUEstimator())


def test_an_editor_that_does_nothing_gives_the_picture_back_to_the_bit(sitter: Sitter):
    (drawn,) = find_identities("synthetic", 1)
    assert np.array_equal(sitter.picture, picture_of(drawn)), "the plate is lossless"
    made = list(sitter.made(IdentityEditor(size=512, batch=4), np.repeat(SMILE, 5, axis=0), 0))
    assert len(made) == 5
    assert all(np.array_equal(picture, sitter.picture) for picture in made)
    still = StillRuler(sitter).measured(made[0], SMILE[0])
    assert (still["identity"], still["background"], still["rotation"]) == (0.0, 0.0, 0.0)
    assert still["au_mse"] == pytest.approx(16.0, abs=0.5), "asked for 4, read 0"
    assert still["read"] == pytest.approx(0.0, abs=0.05)


def test_a_smile_by_the_preview_is_read_moves_its_points_and_leaves_the_wall_alone(sitter: Sitter):
    (made,) = sitter.made(PrevizEditor(), SMILE, 0)
    still = StillRuler(sitter).measured(made, SMILE[0])
    assert still["read"] > 0.5
    assert still["moved"] > 0.4
    assert still["au_mse"] < 6.0
    assert 0.0 < still["identity"] < 0.5
    assert still["background"] < 0.002
    (other,) = sitter.made(PrevizEditor(), SMILE, 0)
    assert np.array_equal(made, other), "and leaves no trace on the next one"


def test_a_share_holds_a_row_per_person_cell_and_mode_and_keeps_its_stills(
    sitter: Sitter, tmp_path: Path, work: Path
):
    engines = [resolve(kind, name) for kind, name in
               (("tracker", "mesh"), ("AU estimator", "mesh"), ("editor", "identity"))]  # fmt: skip
    asked = (Cell.of({12: 3}), Cell.of({1: 2, 4: 5}))
    settings = ProtocolSettings(
        AnalysisSettings(*engines[:2]), engines[2], asked, ("delta", "target"),
        keep=str(tmp_path / "stills"),
    )  # fmt: skip
    (drawn,) = find_identities("synthetic", 1)
    (share,) = settings.shares(drawn, work)
    assert rows_of(share) is None
    assert settings.run(share, *(engine.make() for engine in engines))["frames"] == 4
    rows = rows_of(share)
    assert rows is not None
    assert [(row["cell"], row["mode"]) for row in rows] == [
        ("AU12=C", "delta"), ("AU1=B+AU4=E", "delta"),
        ("AU12=C", "target"), ("AU1=B+AU4=E", "target"),
    ]  # fmt: skip
    assert rows[0]["asked"][AU_COLUMN[12]] == 3.0
    kept = cv2.imread(str(tmp_path / "stills/drawn00/AU12=C.delta.png"))
    assert np.array_equal(kept[..., ::-1], sitter.picture)
    told = summary([row for row in rows if row["mode"] == "delta"])
    assert told["all"]["stills"] == 2
    assert list(told["by_unit"]) == ["AU12"]
    assert list(told["by_level"]) == ["C"]
    write_csv(tmp_path / "t.csv", [{"guidance": None, "checkpoint": "", **row} for row in rows])
    lines = (tmp_path / "t.csv").read_text().splitlines()
    assert len(lines) == 5
    assert len(lines[0].split(",")) == len(lines[1].split(","))
    other = ProtocolSettings(settings.judge, settings.editor, asked, settings.modes, seed=1)
    assert other.shares(drawn, work)[0]["digest"] != share["digest"]


def test_means_leave_out_what_could_not_be_measured():
    blank = {"found": False, **dict.fromkeys(
        ("au_mse", "au_mse_12", "identity", "background", "read", "moved", "rotation", "pitch")
    )}  # fmt: skip
    seen = dict.fromkeys(blank, 3.0) | {"found": True}
    told = figures([blank, seen, {**seen, "rotation": 4.0, "au_mse": 1.0}])
    assert (told["stills"], told["faceless"]) == (3, 1)
    assert told["au_mse"] == 2.0
    assert told["rotation"] == pytest.approx(np.sqrt((9 + 16) / 2), abs=1e-4)
    assert figures([blank])["identity"] is None


def test_people_are_found_in_a_folder_and_wrong_ones_are_named(tmp_path: Path):
    grey = np.full((41, 33, 3), 90, np.uint8)
    for name in ("b.png", "a.jpg", "notes.txt"):
        cv2.imwrite(str(tmp_path / name), grey) if name != "notes.txt" else (
            tmp_path / name
        ).write_text("x")
    people = find_identities(str(tmp_path), 9)
    assert [one.name for one in people] == ["a", "b"]
    assert picture_of(people[1]).shape == (40, 32, 3)
    with pytest.raises(PipelineError, match=r"b-.*: no face was found"):
        Sitter(plate_of(people[1], tmp_path / "plates"), MeshTracker(), MeshAUEstimator())
    (tmp_path / "b.jpg").write_bytes(b"no picture")
    with pytest.raises(PipelineError, match="two files are called b"):
        find_identities(str(tmp_path), 9)
    (tmp_path / "b.png").unlink()
    with pytest.raises(PipelineError, match="cannot be read as a picture"):
        picture_of(find_identities(str(tmp_path), 9)[1])
    with pytest.raises(PipelineError, match="no such folder"):
        find_identities(str(tmp_path / "gone"), 9)
    (tmp_path / "empty").mkdir()
    with pytest.raises(PipelineError, match="got no pictures"):
        find_identities(str(tmp_path / "empty"), 9)
    assert len(AU_ORDER) == 12
