from pathlib import Path

import pytest

from engines.choice import resolve
from keyframes.load import load_sheet, parse_sheet
from pipeline.errors import PipelineError
from pipeline.run_folder.own_curve import curve_of, keep_curve
from pipeline.run_folder.store import video_row
from pipeline.settings import RenderSettings

ANY = RenderSettings(load_sheet("smile"), resolve("editor", "identity"))


@pytest.fixture
def row(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"clip")
    return video_row(tmp_path / "a.mp4", tmp_path / "b.mp4", tmp_path / "_work")


def test_a_row_with_a_curve_of_its_own_gets_that_and_any_other_the_jobs(row, tmp_path):
    sad = load_sheet("sad")
    assert curve_of(row, ANY).digest == ANY.sheet.digest
    own = {**row, "curve": keep_curve(sad, tmp_path / "_work")}
    assert curve_of(own, ANY) == sad
    assert keep_curve(load_sheet("sad"), tmp_path / "_work") == own["curve"], "kept once"


def test_a_kept_curve_that_is_not_what_the_run_wrote_is_not_even_read(row, tmp_path):
    sheet = parse_sheet("version: 1\nchannels: {AU12: [[0s, 1]]}\n", "other")
    place = Path(keep_curve(sheet, tmp_path / "_work"))
    place.write_bytes(b"cos\nsystem\n(S'touch " + bytes(tmp_path / "struck") + b"'\ntR.")
    with pytest.raises(PipelineError, match="is not the curve that this run kept"):
        curve_of({**row, "curve": str(place)}, ANY)
    assert not (tmp_path / "struck").exists()
    place.unlink()
    with pytest.raises(PipelineError, match="is not the curve that this run kept"):
        curve_of({**row, "curve": str(place)}, ANY)
