"""Settings, where weights are named, and what a fingerprint depends on."""

import json
import shutil

import pytest

from engines.editors.magicface import folders
from engines.editors.magicface.settings import MagicFaceSettings, fingerprint, resolved
from engines.editors.magicface.traits import QUALITIES
from engines.errors import EngineError, EngineUnavailableError


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUREEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")


def test_qualities_give_steps_and_guidance_that_can_be_overridden():
    for quality, (steps, guidance) in QUALITIES.items():
        settings = resolved(quality)
        assert (settings.steps, settings.guidance) == (steps, guidance)
    assert resolved().steps == 20
    assert resolved().guidance == 3.0
    assert resolved("draft", steps=5).steps == 5
    assert resolved("final", guidance=1.0).guidance == 1.0
    assert resolved(scheduler="lcm").steps == 8
    assert resolved(scheduler="lcm", steps=4, guidance=1.5).guidance == 1.5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"quality": "best"}, "no quality 'best'; known: draft, standard, final, distilled"),
        ({"scheduler": "pndm"}, "no scheduler 'pndm'; known: unipc, dpm"),
        ({"noise": "white"}, "no noise mode 'white'; known: shared, per-frame"),
        ({"mask": "hair"}, "no mask mode 'hair'; known: person, face"),
        ({"dtype": "int8"}, "no dtype 'int8'; known: auto, fp32, fp16, bf16"),
        ({"backend": "jax"}, "no backend 'jax'; known: auto, eager, compile"),
        ({"device": "tpu"}, "no device 'tpu'; known: auto, cpu, cuda"),
        ({"steps": 0}, "got 0 steps; expected 1…1000"),
        ({"scheduler": "lcm", "steps": 60}, "got 60 steps; expected 1…50"),
        ({"guidance": -1.0}, r"guidance: got -1\.0; expected 0…30"),
        ({"guidance": float("nan")}, "guidance: got nan"),
        ({"batch": 3}, "batch: got 3; expected 1, 2, 4, … or 64"),
        ({"batch": 0}, "batch: got 0"),
        ({"batch": 128}, "batch: got 128"),
        ({"size": 100}, "size: got 100; expected a multiple of 8"),
        ({"colour": 1}, "editor 'magicface' has no setting 'colour'; known: weights, base, steps"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(EngineError, match=message) as error:
        resolved(**settings)
    assert "\n" not in str(error.value)


def test_a_description_tells_what_shapes_the_picture():
    assert MagicFaceSettings().describe() == (
        "magicface unipc 20 steps, guidance 3, shared noise, mask person"
    )
    assert "no guidance" in MagicFaceSettings(guidance=1.0).describe()


def test_no_weights_given_says_what_is_expected():
    with pytest.raises(EngineUnavailableError) as error:
        folders.locate_weights("")
    message = str(error.value)
    assert "no weights given" in message
    assert "denoising_unet" in message
    assert "'hub' to download mengtingwei/magicface" in message
    assert "\n" not in message


@pytest.mark.parametrize("named", ["hub", "someone/finetuned"])
def test_a_hub_is_asked_only_when_named_and_offline_is_one_line(named):
    with pytest.raises(EngineUnavailableError) as error:
        folders.locate_weights(named)
    message = str(error.value)
    assert "ID_enc, denoising_unet not in" in message
    assert "hf download" in message
    assert "\n" not in message


def test_a_folder_that_is_not_there_is_named_and_no_hub_asked(tmp_path):
    for named in (tmp_path / "absent", "./relative/absent", "absent"):
        with pytest.raises(EngineUnavailableError, match=r"no weights folder .*absent"):
            folders.locate_weights(named)


def test_base_weights_are_found_beside_or_where_named(tiny_weights, tmp_path):
    own, base = tmp_path / "own", tmp_path / "base"
    for name in folders.OWN_FOLDERS:
        shutil.copytree(tiny_weights / name, own / name)
    for name in folders.BASE_FOLDERS:
        shutil.copytree(tiny_weights / name, base / name)
    assert folders.locate_weights(tiny_weights).vae == tiny_weights / "vae"
    assert folders.locate_weights(own, base).vae == base / "vae"
    with pytest.raises(EngineUnavailableError, match="no vae, text_encoder"):
        folders.locate_weights(own)


def test_the_native_size_is_read_without_loading_a_network(tiny_weights):
    assert folders.native_size(folders.locate_weights(tiny_weights)) == 64


def test_a_fingerprint_follows_settings_and_weights_and_nothing_else(tiny_weights, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(tiny_weights, elsewhere)
    one = fingerprint(MagicFaceSettings(weights=str(tiny_weights)))
    assert one == fingerprint(MagicFaceSettings(weights=str(elsewhere)))
    assert one != fingerprint(MagicFaceSettings(weights=str(tiny_weights), steps=21))
    assert one != fingerprint(MagicFaceSettings(weights=str(tiny_weights), noise="per-frame"))
    config = elsewhere / "scheduler" / "scheduler_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"beta_end": 0.013}))
    assert one != fingerprint(MagicFaceSettings(weights=str(elsewhere)))


def test_a_fingerprint_needs_the_weights(tmp_path):
    with pytest.raises(EngineUnavailableError, match="no weights folder"):
        fingerprint(MagicFaceSettings(weights=str(tmp_path / "absent")))


def test_a_fingerprint_imports_no_torch(tiny_weights):
    import subprocess
    import sys

    code = (
        "import sys; from engines.editors.magicface.settings import fingerprint, resolved; "
        f"fingerprint(resolved(weights={str(tiny_weights)!r})); "
        "assert 'torch' not in sys.modules and 'diffusers' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
