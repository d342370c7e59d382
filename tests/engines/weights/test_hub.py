"""Weights of a hub: fetched only when asked, verified, whole or not at all, then without a hub."""

import itertools
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from engines.errors import EngineError, EngineUnavailableError
from engines.weights import hub as weights
from engines.weights.hub import COMPLETE, download_hub_folder, hub_folder
from tests.engines.weights.fake_hub import COMMIT, REPO, FakeHub

pytest.importorskip("huggingface_hub")
CONTENT = bytes(range(256)) * 4000
LARGE = "ID_enc/diffusion_pytorch_model.safetensors"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("AUREEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def hub(monkeypatch):
    with FakeHub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        server.files = {
            "ID_enc/config.json": b'{"in_channels": 4}',
            LARGE: CONTENT,
            "ID_enc/diffusion_pytorch_model.fp16.safetensors": b"half",
            "ID_enc/diffusion_pytorch_model.bin": b"pickle",
            "vae/config.json": b"{}",
            "README.md": b"hello",
        }
        yield server


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def fetched(hub: FakeHub) -> list[str]:
    return [path.rpartition("/")[2] for method, path, _ in hub.asked if method == "GET"]


def test_a_folder_is_downloaded_whole_and_then_needs_no_hub(hub):
    folder = download_hub_folder(REPO, ["ID_enc", "vae"])
    assert names_in(folder / "ID_enc") == {"config.json", Path(LARGE).name, COMPLETE}
    assert (folder / LARGE).read_bytes() == CONTENT
    assert (folder / "vae" / COMPLETE).read_text() == f"{REPO}@{COMMIT}\n"
    asked = len(hub.asked)
    assert download_hub_folder(REPO, ["ID_enc"]) == folder == hub_folder(REPO)
    assert len(hub.asked) == asked


def test_a_second_folder_does_not_fetch_the_first_again(hub):
    download_hub_folder(REPO, ["vae"])
    hub.asked.clear()
    download_hub_folder(REPO, ["vae", "ID_enc"])
    assert not [path for _, path, _ in hub.asked if "/vae/" in path]


def test_another_content_than_the_hub_lists_is_refused_and_thrown_away(hub):
    hub.sent[LARGE] = CONTENT[:-1] + b"!"
    with pytest.raises(EngineError, match=r"sha256 is \w+; the hub lists \w+; thrown away"):
        download_hub_folder(REPO, ["ID_enc"])
    assert not (hub_folder(REPO) / LARGE).exists()
    assert not (hub_folder(REPO) / "ID_enc" / COMPLETE).exists()
    hub.sent.clear()
    assert (download_hub_folder(REPO, ["ID_enc"]) / LARGE).read_bytes() == CONTENT


def test_a_small_file_is_checked_too(hub):
    hub.sent["vae/config.json"] = b"[]"
    with pytest.raises(EngineError, match="git blob sha1 is"):
        download_hub_folder(REPO, ["vae"])
    assert not (hub_folder(REPO) / "vae" / "config.json").exists()


def test_a_broken_connection_is_taken_up_where_it_broke_off(hub):
    hub.files[LARGE] = 26 * CONTENT  # the library keeps whole chunks of 10 MiB
    hub.break_after = 11 << 20
    folder = download_hub_folder(REPO, ["ID_enc"])
    assert (folder / LARGE).read_bytes() == hub.files[LARGE]
    ranges = [h.get("Range") for method, p, h in hub.asked if method == "GET" and LARGE in p]
    starts = [int(r.removeprefix("bytes=").rstrip("-")) for r in ranges if r]
    assert len(starts) >= 2, ranges
    assert all(0 < one < two for one, two in itertools.pairwise(starts))


def test_two_at_once_download_once(hub):
    threads = [
        threading.Thread(target=download_hub_folder, args=(REPO, ["ID_enc", "vae"]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fetched(hub).count(Path(LARGE).name) == 1


def test_a_token_goes_to_the_hub_and_not_to_where_it_redirects(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with FakeHub() as elsewhere:
        elsewhere.files = hub.files
        host = elsewhere.url.replace("127.0.0.1", "localhost")
        hub.moved[LARGE] = f"{host}/{REPO}/resolve/{COMMIT}/{LARGE}"
        folder = download_hub_folder(REPO, ["ID_enc"])
        assert (folder / LARGE).read_bytes() == CONTENT
        there = [headers.get("authorization") for *_, headers in elsewhere.asked]
        there += [headers.get("Authorization") for *_, headers in elsewhere.asked]
    assert elsewhere.asked
    assert not any(there)
    sent = [{k.lower(): v for k, v in headers.items()} for *_, headers in hub.asked]
    assert all(headers.get("authorization") == "Bearer hf_secret" for headers in sent)


def test_the_hub_is_told_nothing_about_the_machine(hub):
    """In a new process: the library reads its switches when it is first imported."""
    code = f"from engines.weights.hub import *; download_hub_folder({REPO!r}, ['vae'])"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    agents = {k.lower(): v for *_, headers in hub.asked for k, v in headers.items()}
    assert "hf_hub" in agents["user-agent"]
    assert "torch" not in agents["user-agent"]
    wanted = (f"/api/models/{REPO}/", f"/{REPO}/resolve/")
    assert [path for _, path, _ in hub.asked if not path.startswith(wanted)] == []


def test_without_a_hub_one_line_says_what_to_do(monkeypatch, cache):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(EngineUnavailableError) as error:
        download_hub_folder(REPO, ["ID_enc", "vae"])
    message = str(error.value)
    assert f"weights {REPO}: ID_enc, vae not in {cache}" in message
    assert "cannot fetch from http://127.0.0.1:1 (" in message
    assert f"hf download {REPO} --include 'ID_enc/*'" in message
    assert "\n" not in message


def test_a_hub_that_breaks_off_for_good_is_not_taken_for_a_whole_folder(hub, monkeypatch):
    download_hub_folder(REPO, ["vae"])  # so that something lies in the folder
    listing = weights._listing
    monkeypatch.setattr(weights, "_listing", lambda *a: (listing(*a), hub.files.pop(LARGE))[0])
    with pytest.raises(EngineUnavailableError, match=r"did not send|answered 404"):
        download_hub_folder(REPO, ["ID_enc"])
    assert not (hub_folder(REPO) / "ID_enc" / COMPLETE).exists()


def test_a_full_disk_is_told_before_the_download(hub, monkeypatch):
    full = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(weights.shutil, "disk_usage", lambda _: full)
    with pytest.raises(EngineUnavailableError, match=r"0\.0 GB free; 0\.0 GB are needed"):
        download_hub_folder(REPO, ["ID_enc"])
    assert Path(LARGE).name not in fetched(hub)


@pytest.mark.parametrize(
    ("repo", "folders", "message"),
    [
        ("face", ["vae"], "got hub id 'face'; expected owner/name"),
        ("some/fa--ce", ["vae"], "got hub id 'some/fa--ce'"),
        (REPO, ["denoising_unet"], "has no folder denoising_unet"),
        ("other/face", ["vae"], r"answered 404; elsewhere: `hf download other/face"),
    ],
)
def test_what_the_hub_does_not_have_is_named(hub, repo, folders, message):
    with pytest.raises(EngineError, match=message) as error:
        download_hub_folder(repo, folders)
    assert "\n" not in str(error.value)


def test_a_machine_without_the_library_is_told_which_extra_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(EngineUnavailableError, match=r"pip install 'aureel\[magicface\]'"):
        download_hub_folder(REPO, ["vae"])


def test_a_revision_is_named_and_served_by_the_folder_that_holds_it(hub, cache):
    folder = download_hub_folder(REPO, ["vae"])
    assert weights.held_commit(folder) == COMMIT
    asked = len(hub.asked)
    assert download_hub_folder(REPO, ["vae"], COMMIT) == folder
    assert len(hub.asked) == asked
    other = hub_folder(REPO, "another")
    assert other == folder.with_name(f"{folder.name}@another")
    assert not weights.has_hub_folder(REPO, ["vae"], "another")


def test_names_with_and_without_a_revision_are_told_apart_from_folders():
    assert weights.parse_hub_id("some/face") == ("some/face", "main")
    assert weights.parse_hub_id("some/face@c0ffee") == ("some/face", "c0ffee")
    assert weights.parse_hub_id("/some/face") is None
    assert weights.parse_hub_id("face") is None


def test_a_folder_without_safetensors_is_named_before_anything_is_fetched(hub):
    del hub.files[LARGE]
    del hub.files["ID_enc/diffusion_pytorch_model.fp16.safetensors"]
    with pytest.raises(EngineError) as caught:
        download_hub_folder(REPO, ["vae", "ID_enc"])
    assert str(caught.value) == (
        "hub repository some/face: folder ID_enc has no safetensors file, only "
        "ID_enc/diffusion_pytorch_model.bin, a pickle; convert it to safetensors and give the "
        "folder instead"
    )
    assert not any(name.endswith((".json", ".bin")) for name in fetched(hub))
