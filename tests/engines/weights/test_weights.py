"""Weights: found where they lie, downloaded only when asked, whole or not at all."""

import hashlib
import http.server
import json
import re
import threading
from pathlib import Path

import pytest

from engines.errors import EngineError, EngineUnavailableError
from engines.weights import download, file_hash
from engines.weights import find as weights
from engines.weights.find import WeightFile
from engines.weights.hub import download_hub_folder, hub_folder

CONTENT = bytes(range(256)) * 4000


class _Server(http.server.ThreadingHTTPServer):
    """A file server that can break off, refuse ranges, or fail, and notes what it was asked."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.break_after: int | None = None
        self.ranges = True
        self.redirect: dict[str, str] = {}
        self.fail_times = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """Connections break here on purpose."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        server.asked.append((self.path, dict(self.headers)))
        if server.fail_times:
            server.fail_times -= 1
            return self._answer(503, b"busy")
        if self.path in server.redirect:
            self.send_response(302)
            self.send_header("Location", server.redirect[self.path])
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if self.path not in server.files:
            return self._answer(404, b"")
        body, status = server.files[self.path], 200
        if server.ranges and (asked := self.headers.get("Range")):
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            if start >= len(body):
                return self._answer(416, b"")
            body, status = body[start:], 206
        return self._answer(status, body)

    def _answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.server.break_after is not None and len(body) > self.server.break_after:
            self.wfile.write(body[: self.server.break_after])
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()
            return
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = _Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("AUREEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "PAUSE_S", 0.0)
    return tmp_path / "cache"


@pytest.fixture
def weight(server) -> WeightFile:
    server.files["/net.bin"] = CONTENT
    digest = hashlib.sha256(CONTENT).hexdigest()
    return WeightFile("net/net.bin", f"{server.url}/net.bin", digest, size=len(CONTENT))


def _part(weight):
    return weight.cached_path.with_name("net.bin.part")


def test_nothing_is_downloaded_without_being_asked(server, weight, cache):
    with pytest.raises(EngineUnavailableError) as error:
        weights.require(weight)
    message = str(error.value)
    assert server.asked == []
    assert "\n" not in message
    assert "weights net/net.bin: not in" in message
    assert f"curl -L -o net.bin {weight.url}" in message
    assert str(cache / "weights" / "net" / "net.bin") in message


def test_a_download_is_verified_and_then_found_without_the_network(server, weight):
    path = weights.require(weight, ask_network=True)
    assert path == weight.cached_path
    assert path.read_bytes() == CONTENT
    assert not _part(weight).exists()
    asked = len(server.asked)
    assert weights.require(weight) == weights.require(weight, ask_network=True) == path
    assert len(server.asked) == asked


def test_a_given_path_comes_before_the_cache(weight, tmp_path):
    weights.require(weight, ask_network=True)
    own = tmp_path / "own.bin"
    own.write_bytes(b"my own")
    assert weights.require(weight, own) == own
    with pytest.raises(EngineUnavailableError, match=r"weights net/net\.bin: no file .*absent"):
        weights.require(weight, tmp_path / "absent")


def test_packaged_files_are_found():
    packaged = WeightFile("selfie_segmentation.tflite", "http://127.0.0.1/x", sha256="0" * 64)
    assert weights.require(packaged).name == "selfie_segmentation.tflite"


def test_a_spoiled_cached_file_counts_as_absent(weight):
    path = weights.require(weight, ask_network=True)
    path.write_bytes(b"something else")
    with pytest.raises(EngineUnavailableError, match="not in"):
        weights.require(weight)
    assert weights.require(weight, ask_network=True).read_bytes() == CONTENT


def test_a_broken_connection_is_taken_up_where_it_broke_off(server, weight):
    server.break_after = 300_000
    weights.require(weight, ask_network=True)
    ranges = [headers.get("Range") for _, headers in server.asked]
    assert ranges == [None, "bytes=300000-", "bytes=600000-", "bytes=900000-"]
    assert weight.cached_path.read_bytes() == CONTENT


def test_an_interrupted_download_goes_on_in_the_next_process(server, weight):
    weight.cached_path.parent.mkdir(parents=True)
    _part(weight).write_bytes(CONTENT[:123_456])
    told = []
    weights.download(weight, on_bytes=told.append)
    assert server.asked[0][1]["Range"] == "bytes=123456-"
    assert told[0] == 123_456
    assert sum(told) == len(CONTENT)
    assert weight.cached_path.read_bytes() == CONTENT


def test_a_partial_file_that_is_already_whole_is_taken(weight):
    weight.cached_path.parent.mkdir(parents=True)
    _part(weight).write_bytes(CONTENT)
    assert weights.download(weight).read_bytes() == CONTENT


def test_a_server_without_ranges_is_read_from_the_start(server, weight):
    server.ranges = False
    weight.cached_path.parent.mkdir(parents=True)
    _part(weight).write_bytes(b"x" * 1000)
    told = []
    weights.download(weight, on_bytes=told.append)
    assert weight.cached_path.read_bytes() == CONTENT
    assert sum(told) == len(CONTENT)


def test_a_partial_file_of_other_content_is_thrown_away_and_named(weight):
    weight.cached_path.parent.mkdir(parents=True)
    _part(weight).write_bytes(b"x" * 1000)
    with pytest.raises(EngineError, match=r"sha256 is \w+; expected \w+; thrown away"):
        weights.require(weight, ask_network=True)
    assert not _part(weight).exists()
    assert not weight.cached_path.exists()
    assert weights.require(weight, ask_network=True).read_bytes() == CONTENT


def test_a_busy_server_is_asked_again(server, weight):
    server.fail_times = 2
    assert weights.require(weight, ask_network=True).read_bytes() == CONTENT


def test_a_server_that_stays_busy_is_given_up_in_one_line(server, weight):
    server.fail_times = 100
    with pytest.raises(EngineUnavailableError, match="it answered 503") as error:
        weights.require(weight, ask_network=True)
    assert len(server.asked) == download.ATTEMPTS
    assert "elsewhere: `curl" in str(error.value)


def test_a_refusal_is_not_asked_again(server, weight):
    del server.files["/net.bin"]
    with pytest.raises(EngineUnavailableError, match="answered 404") as error:
        weights.require(weight, ask_network=True)
    assert len(server.asked) == 1
    assert "\n" not in str(error.value)


def test_without_a_network_one_line_says_what_to_do(weight, cache):
    offline = WeightFile(weight.name, "http://127.0.0.1:1/net.bin", weight.sha256)
    with pytest.raises(EngineUnavailableError) as error:
        weights.require(offline, ask_network=True)
    message = str(error.value)
    assert "cannot download from http://127.0.0.1:1 (" in message
    assert "curl -L -o net.bin http://127.0.0.1:1/net.bin" in message
    assert str(cache) in message
    assert "\n" not in message


def test_a_full_disk_is_told_before_the_download(server, weight, monkeypatch):
    full = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: full)
    with pytest.raises(EngineUnavailableError, match=r"0\.0 GB free"):
        weights.require(weight, ask_network=True)
    assert server.asked == []


def test_two_at_once_download_once(server, weight):
    threads = [threading.Thread(target=weights.download, args=(weight,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("../x", "http://h/x", "0"), "expected a relative path"),
        (("/x", "http://h/x", "0"), "expected a relative path"),
        (("x", "ftp://h/x", "0"), r"expected http\(s\)"),
        (("x", "http://h/x"), "neither sha256 nor blob_sha1"),
    ],
)
def test_impossible_weight_files_are_refused(settings, message):
    with pytest.raises(EngineError, match=message):
        WeightFile(*settings)


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


def _blob_sha1(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@pytest.fixture
def hub(server, monkeypatch):
    """A hub with one repository: two folders, one large file stored elsewhere."""
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    files = {
        "ID_enc/config.json": b'{"in_channels": 4}',
        "ID_enc/diffusion_pytorch_model.safetensors": CONTENT,
        "ID_enc/diffusion_pytorch_model.fp16.safetensors": b"half",
        "ID_enc/diffusion_pytorch_model.bin": b"pickle",
        "vae/config.json": b"{}",
        "README.md": b"hello",
    }
    listing = []
    for path, content in files.items():
        entry = {"type": "file", "path": path, "size": len(content), "oid": _blob_sha1(content)}
        if path.endswith(".safetensors"):
            entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content)}
            entry["oid"] = "0" * 40
        listing.append(entry)
        server.files[f"/some/face/resolve/main/{path}"] = content
    listing.append({"type": "directory", "path": "ID_enc", "oid": "1"})
    tree = "/api/models/some/face/tree/main?recursive=true"
    server.files[tree] = json.dumps(listing).encode()
    return server


def test_a_hub_folder_is_downloaded_whole_and_then_needs_no_hub(hub):
    folder = download_hub_folder("some/face", ["ID_enc", "vae"])
    names = {path.name for path in (folder / "ID_enc").iterdir() if path.suffix != ".lock"}
    assert names == {"config.json", "diffusion_pytorch_model.safetensors", ".complete"}
    assert (folder / "ID_enc/diffusion_pytorch_model.safetensors").read_bytes() == CONTENT
    asked = len(hub.asked)
    assert download_hub_folder("some/face", ["ID_enc"]) == folder == hub_folder("some/face")
    assert len(hub.asked) == asked


def test_a_hub_listing_may_come_in_pages(hub, monkeypatch):
    real = download.read_json
    first = "/api/models/some/face/tree/main?recursive=true"
    pages = json.loads(hub.files[first])

    def paged(url, headers=None):
        if url.endswith(first):
            return pages[:2], {"Link": f'<{hub.url}/next>; rel="next"'}
        return (pages[2:], {}) if url.endswith("/next") else real(url, headers)

    monkeypatch.setattr("engines.weights.hub.read_json", paged)
    assert (download_hub_folder("some/face", ["vae"]) / "vae" / "config.json").is_file()


def test_a_file_that_is_not_what_the_hub_lists_is_refused(hub):
    hub.files["/some/face/resolve/main/vae/config.json"] = b"[]"
    with pytest.raises(EngineError, match="git blob sha1 is"):
        download_hub_folder("some/face", ["vae"])
    assert not (hub_folder("some/face") / "vae" / ".complete").exists()


def test_a_token_goes_to_the_hub_and_not_to_where_it_redirects(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "secret")
    path = "/some/face/resolve/main/vae/config.json"
    hub.files["/elsewhere"] = hub.files[path]
    hub.redirect[path] = f"{hub.url}/elsewhere"
    download_hub_folder("some/face", ["vae"])
    sent = {asked: headers.get("Authorization") for asked, headers in hub.asked}
    assert sent[path] == "Bearer secret"
    assert sent["/elsewhere"] is None


def test_a_hub_out_of_reach_is_one_line_that_says_what_to_do(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(EngineUnavailableError) as error:
        download_hub_folder("some/face", ["ID_enc", "vae"])
    message = str(error.value)
    assert "weights some/face: ID_enc, vae not in" in message
    assert "cannot reach http://127.0.0.1:1 (" in message
    assert "hf download some/face --include 'ID_enc/*'" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("repo", "folders", "message"),
    [
        ("face", ["vae"], "got hub id 'face'; expected owner/name"),
        ("some/face", ["denoising_unet"], "has no folder denoising_unet"),
        ("other/face", ["vae"], "answered 404"),
    ],
)
def test_what_the_hub_does_not_have_is_named(hub, repo, folders, message):
    with pytest.raises(EngineError, match=message):
        download_hub_folder(repo, folders)
