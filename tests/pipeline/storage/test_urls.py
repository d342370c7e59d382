from pathlib import Path

import pytest

from pipeline.errors import StorageError
from pipeline.storage.urls import path_of, told, url_of


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AUREEL_CACHE", str(tmp_path / "a cache"))


@pytest.mark.parametrize("url", ["s3://b/shots/a b.mp4", "gs://b/ä.mov", "memory://x/y.mp4"])
def test_an_object_and_the_path_of_its_copy_tell_each_other(url: str):
    path = path_of(url)
    assert path.is_absolute()
    assert url_of(path) == url
    assert url_of(path.with_suffix(".curves.csv")) == url.rpartition(".")[0] + ".curves.csv"


def test_a_file_stays_a_file():
    assert path_of("file:///footage/a.mp4") == Path("/footage/a.mp4")
    assert path_of("a.mp4") == Path("a.mp4").absolute()
    assert url_of("/footage/a.mp4") is None


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://me:hunter2@host/a.mp4", "holds a password"),
        ("https://host/a.mp4?X-Amz-Signature=hunter2", "holds a query"),
        ("s3://b//a.mp4", "empty part"),
        ("s3://b/../a.mp4", "empty part or dots"),
    ],
)
def test_a_url_that_cannot_be_kept_is_refused_without_its_secret(url: str, why: str):
    with pytest.raises(StorageError, match=why) as error:
        path_of(url)
    assert "hunter2" not in str(error.value)


def test_several_objects_in_a_row_of_a_table_are_told_each():
    row = f"{path_of('s3://b/a.mp4')},{path_of('s3://b/o.mp4')},/tmp/c.mp4"
    assert told(row) == "s3://b/a.mp4,s3://b/o.mp4,/tmp/c.mp4"
    elsewhere = "/home/other/.cache/aureel-stores/gs/b/a.mp4,/mnt/aureel-stores/s3/b/o.mp4"
    assert told(elsewhere) == "gs://b/a.mp4,s3://b/o.mp4"


def test_a_text_tells_objects_by_their_urls_and_no_secret():
    path = path_of("s3://b/a b/c.mp4")
    line = f"{path}: cannot be opened; see {path.parent}, https://u:pw@h/x and https://h/y?sig=z"
    assert told(line) == (
        "s3://b/a b/c.mp4: cannot be opened; see s3://b/a b, https://…@h/x and https://h/y?…"
    )
