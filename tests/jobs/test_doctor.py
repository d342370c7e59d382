"""What a machine can do, said without starting, fetching or writing anything."""

from __future__ import annotations

import inspect
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from engines.devices.cuda_fault import driver_version
from engines.devices.torch_facts import TorchFacts, torch_facts
from jobs.checkup import checkup
from jobs.checkup.checkup import check, next_step
from jobs.checkup.finding import Finding
from jobs.checkup.gpu import Gpus, findings, mend, video_findings
from jobs.command_line.command import run_command
from jobs.doctor import app
from pipeline.media.write.encoding.encoders import ENCODERS, missing_encoders
from pipeline.media.write.encoding.mirror import MIRRORS

ROOT = Path(__file__).resolve().parents[2]
CU13 = TorchFacts("2.13.0+cu130", "13.0", ("NVIDIA H100",))
GOOD = Gpus("580.65.06", 1.0, CU13)
BLIND = replace(GOOD, torch=replace(CU13, gpus=(), refusal="The NVIDIA driver is too old"))
NONE = Gpus("", 0.0, TorchFacts("2.13.0+cpu", "", ()))


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUREEL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_it_says_of_every_engine_whether_it_runs_and_ends_with_a_command(capsys, empty_cache):
    assert run_command(app, []) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "✓ editor previz: can run" in lines
    (magicface,) = [line for line in lines if " editor magicface: " in line]
    assert magicface.startswith("✗ editor magicface: ")
    assert "editor auto takes: plate" in lines
    assert lines[-2].startswith("next, since ")
    assert lines[-1].startswith(("  aureel animate --curve smile --editor magicface", "  pip ins"))
    assert not empty_cache.exists(), "it writes nothing"


def test_it_says_of_the_gpus_coders_what_they_do_or_why_not():
    encodes, decodes = video_findings()
    assert (encodes.name, decodes.name) == ("NVENC", "NVDEC")
    for found in (encodes, decodes):
        if found.state == "limited":
            assert "does not work here" in found.told
            assert found.advice.endswith("is the default")


def test_its_json_holds_the_same(capsys):
    assert run_command(app, ["--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["takes"]["tracker"] in ("mesh", "fan")
    areas = {finding["area"] for finding in told["findings"]}
    assert areas == {"tracker", "AU estimator", "editor", "GPU", "packages", "footage", "disk"}
    assert told["next_step"]


def test_it_starts_no_ray_and_reaches_nobody(tmp_path: Path):
    code = (
        "import socket, sys\n"
        "def refuse(event, arguments):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo'): raise SystemExit(event)\n"
        "sys.addaudithook(refuse)\n"
        "from jobs.doctor import app\n"
        "from jobs.command_line.command import run_command\n"
        "status = run_command(app, ['--weights', 'hub'])\n"
        "ray = sys.modules.get('ray')\n"
        "assert ray is None or not ray.is_initialized()\n"
        "sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "not fetched yet: mengtingwei/magicface, stable" in done.stdout
        or "not installed" in done.stdout
    )


def test_a_machine_that_cannot_make_a_run_ends_with_status_1(capsys, monkeypatch):
    monkeypatch.setattr(checkup, "missing_encoders", lambda: {"h264": "libx264"})
    assert run_command(app, []) == 1
    assert "✗ footage codecs: cannot write h264 (libx264)" in capsys.readouterr().out


def test_options_of_engines_are_looked_at_as_a_run_would(shared: Path, capsys):
    pytest.importorskip("diffusers")
    golden = shared / "golden/magicface"
    assert run_command(app, ["--weights", str(golden)]) == 0
    out = capsys.readouterr().out
    assert "editor magicface: can run" in out
    assert f"--editor magicface --weights {golden}" in out.splitlines()[-1]
    assert run_command(app, ["--weights", "no/such/folder"]) == 0
    assert "✗ editor magicface: no weights folder no/such/folder" in capsys.readouterr().out
    assert run_command(app, ["--steps", "0"]) == 2


def test_ray_and_torch_disagreeing_is_named_with_the_command_that_mends_it():
    seen, _ = findings(BLIND)
    assert seen.state == "no"
    assert "driver 580.65.06; Ray counts 1, torch sees none (The NVIDIA driver" in seen.told
    assert seen.advice == mend(BLIND)
    assert "https://download.pytorch.org/whl/cu130" in mend(BLIND)
    assert "https://download.pytorch.org/whl/cu126" in mend(replace(BLIND, driver="535.104"))
    assert mend(replace(BLIND, driver="470.1")) == "update the NVIDIA driver to 525 or later"
    assert "--gpus all" in mend(replace(BLIND, driver=""))
    assert "pip install 'aureel[magicface]'" in mend(replace(BLIND, torch=None))
    assert findings(GOOD)[0].line() == "✓ GPU NVIDIA H100: driver 580.65.06, Ray counts 1"
    assert findings(NONE)[0].state == "limited"


def test_the_next_step_leads_on_from_wherever_a_machine_is(shared: Path, tmp_path: Path):
    pytest.importorskip("diffusers")
    golden = {"weights": str(shared / "golden/magicface")}
    assert next_step(BLIND, golden)[1].startswith("pip install --force-reinstall torch")
    why, step = next_step(GOOD, {})
    assert "fetches them once" in why
    assert step == "aureel animate --curve smile --editor magicface --weights hub --quality draft"
    assert next_step(NONE, golden)[1].endswith("--quality draft")
    why, step = next_step(GOOD, golden)
    assert why.startswith("everything is here")
    assert step == f"aureel animate --curve smile --editor magicface --weights {golden['weights']}"
    broken = tmp_path / "broken"
    shutil.copytree(shared / "golden/magicface", broken)
    (broken / "vae/config.json").unlink()
    for weights in (broken / "vae").glob("*.safetensors"):
        weights.unlink()
    why, _ = next_step(GOOD, {"weights": str(broken)})
    assert why.startswith("these weights cannot be used: ")


def test_little_room_is_told_before_it_is_a_full_disk(monkeypatch):
    def almost_full(_: object) -> object:
        return shutil._ntuple_diskusage(10**12, 10**12 - 10**9, 10**9)  # 1 GB

    monkeypatch.setattr(checkup.shutil, "disk_usage", almost_full)
    found = check({})
    rooms = [finding for finding in found.findings if finding.area == "disk"]
    assert {finding.state for finding in rooms} == {"no"}
    assert not found.is_ready


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19", "535.104.05"),
        (
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build",
            "580.65.06",
        ),
        ("nonsense", ""),
    ],
)
def test_the_drivers_version_is_read_from_the_kernel(tmp_path: Path, text, version):
    (tmp_path / "version").write_text(text)
    assert driver_version(tmp_path / "version") == version
    assert driver_version(tmp_path / "absent") == ""


def test_the_encoders_looked_for_are_those_that_mirror_a_source():
    assert set(ENCODERS) == set(MIRRORS)
    for codec, name in ENCODERS.items():
        plain = MIRRORS[codec].__qualname__.startswith("_plain.")  # named by its codec
        assert name == codec if plain else f'"{name}"' in inspect.getsource(MIRRORS[codec])
    assert missing_encoders() == {}


def test_torchs_facts_are_torchs_own():
    torch = pytest.importorskip("torch")
    facts = torch_facts()
    assert facts is not None
    assert facts.version == torch.__version__
    assert len(facts.gpus) == (torch.cuda.device_count() if torch.cuda.is_available() else 0)


def test_a_line_is_one_line():
    finding = Finding(area="disk", name="here", state="no", told="1 GB free", advice="make room")
    assert finding.line() == "✗ disk here: 1 GB free; make room"
