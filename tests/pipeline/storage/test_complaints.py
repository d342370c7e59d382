"""What stores complain of, in one line that says what mends it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import StorageError, UnreachableError
from pipeline.storage import complaints, stores
from tests.pipeline.storage.refusing import mute, of_google, of_s3, refusing

S3_CODES = {
    "InvalidAccessKeyId": (403, "The AWS Access Key Id you provided does not exist", "check this"),
    "SignatureDoesNotMatch": (403, "The request signature does not match", "check this machine's"),
    "ExpiredToken": (400, "The provided token unsaid-token has expired.", "log in anew"),
    "RequestTimeTooSkewed": (403, "The difference is too large.", "set this machine's clock"),
    "AccessDenied": (403, "Access Denied", "these credentials may not: ask"),
    "NoSuchBucket": (404, "The specified bucket does not exist", "check its name"),
}
GOOGLES = {
    "anonymous": (401, "Anonymous caller does not have access", "check this machine's credentials"),
    "forbidden": (403, "me@p does not have storage.objects.create access.", "may not: ask the"),
    "no such bucket": (404, "The specified bucket does not exist.", "check its name"),
}
QUESTIONS: tuple[Callable[[str], Any], ...] = (
    lambda folder: stores.facts_of(f"{folder}/a.mp4"),
    stores.objects_in,
    lambda folder: stores.objects_in(f"{folder}/take*.mov"),
    lambda folder: stores.check_readable(f"{folder}/a.mp4"),
    lambda folder: stores.check_writable(folder, "probe"),
)


@pytest.fixture(autouse=True)
def _clients(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Of each test its own, since they keep their addresses."""
    monkeypatch.setenv(*stores.WITHOUT_ZONES)
    gcsfs, s3fs = pytest.importorskip("gcsfs"), pytest.importorskip("s3fs")
    for name, value in {
        "AWS_ACCESS_KEY_ID": "aureel",
        "AWS_SECRET_ACCESS_KEY": "unsaid-secret",
        "AWS_SESSION_TOKEN": "unsaid-token",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AUREEL_CACHE": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    forget = (
        gcsfs.GCSFileSystem.clear_instance_cache,
        s3fs.S3FileSystem.clear_instance_cache,
        stores._has_bucket.cache_clear,
    )
    for each in forget:
        each()
    yield
    for each in forget:
        each()


def complained(folder: str, capfd: pytest.CaptureFixture[str]) -> list[str]:
    lines: list[str] = []
    for ask in QUESTIONS:
        with pytest.raises(StorageError) as refused:
            ask(folder)
        lines.append(str(refused.value))
    assert "".join(capfd.readouterr()) == "", "a client told more than our line"
    assert not any("\n" in line or "unsaid" in line for line in lines)
    assert all(line.startswith(f"{folder}") for line in lines)
    return lines


@pytest.mark.parametrize("code", S3_CODES)
def test_what_s3_refuses_is_said_in_its_words_with_what_mends_it(
    code: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    status, message, way_out = S3_CODES[code]
    token = "<Token-0>unsaid-token</Token-0>"
    with refusing(of_s3(status, code, message, token)) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        for line in complained("s3://b/shots", capfd):
            assert message.replace("unsaid-token", "…").rstrip(".") in line
            assert way_out in line


@pytest.mark.parametrize("kind", GOOGLES)
def test_what_google_refuses_is_said_in_its_words_with_what_mends_it(
    kind: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    status, message, way_out = GOOGLES[kind]
    with refusing(of_google(status, message)) as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        for line in complained("gs://b/shots", capfd):
            assert ("the bucket b does not exist" if status == 404 else message.rstrip(".")) in line
            assert way_out in line
            assert address not in line


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_a_store_that_says_nothing_is_not_waited_for(
    scheme: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(complaints, "ANSWER_S", 0.2)
    with mute() as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        for line in complained(f"{scheme}://b/shots", capfd):
            assert "no answer (waited for 0.2 s); check the store's address" in line
        with pytest.raises(UnreachableError):
            stores.check_readable(f"{scheme}://b/shots/a.mp4")


def test_what_is_tried_in_vain_until_the_time_is_over_is_told(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(complaints, "ANSWER_S", 0.5)
    with refusing(of_google(401, "Invalid Credentials")) as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        for line in complained("gs://b/shots", capfd):
            assert "Invalid Credentials, 401 (tried for 0.5 s); check this machine's cred" in line


def test_who_debugs_a_client_still_hears_it(monkeypatch: pytest.MonkeyPatch):
    logger = logging.getLogger("gcsfs")
    monkeypatch.setattr(logger, "handlers", [logging.NullHandler()])
    monkeypatch.setattr(logger, "propagate", True)
    complaints._tries.cache_clear()
    complaints._tries()
    assert logger.propagate
    complaints._tries.cache_clear()
