import hashlib
import json

import pytest

from engines.weights import file_hash


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUREEL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_hashes_are_remembered_until_a_file_changes(tmp_path, cache):
    path = tmp_path / "file"
    path.write_bytes(b"one")
    assert file_hash.file_sha256(path) == hashlib.sha256(b"one").hexdigest()
    (key,) = json.loads((cache / "hashes.json").read_text())
    assert key == str(path)
    path.write_bytes(b"other")
    assert file_hash.file_sha256(path) == hashlib.sha256(b"other").hexdigest()


def test_hashes_work_where_nothing_can_be_remembered(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"three")
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder should be")
    monkeypatch.setenv("AUREEL_CACHE", str(blocked))
    assert file_hash.file_sha256(path) == hashlib.sha256(b"three").hexdigest()
