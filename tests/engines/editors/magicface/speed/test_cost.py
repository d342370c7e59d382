"""The count at real size against the figures of the specification, within 1 %."""

import pytest
from safetensors.torch import load_file

from engines.editors.magicface.folders import find_folders
from engines.editors.magicface.settings import resolved
from engines.editors.magicface.speed import cost, cpu_needs

PARTS = {
    "encode": 1.117,
    "decode": 2.515,
    "id_encoder_whole": 0.803,
    "id_kv": 0.026,
    "step_official": 2.444,
    "step_guided": 1.852,
    "step": 0.926,
}
FRAMES = {
    ("official", 3.0): (128.6, 55.2, 30.8, 16.1),
    ("ours", 3.0): (98.1, 42.6, 24.1, 12.9),
    ("ours", 1.0): (51.8, 24.1, 14.8, 9.2),
}


@pytest.fixture(scope="module")
def costs():
    return cost.network_costs()


@pytest.mark.parametrize("part", PARTS)
def test_a_part_costs_what_the_specification_says(costs, part):
    # The specification rounds the ID keys and values to 0.026; 0.0256 is 1.6 % below that.
    expected = pytest.approx(PARTS[part], rel=0.01, abs=0.0005)
    assert getattr(costs, part) == expected


@pytest.mark.parametrize(("way", "guidance"), FRAMES)
def test_a_whole_frame_costs_what_the_specification_says(costs, way, guidance):
    for steps, expected in zip(cost.STEPS, FRAMES[way, guidance], strict=True):
        assert getattr(costs, way)(steps, guidance) == pytest.approx(expected, rel=0.01)


def test_the_cut_id_encoder_is_cheaper_than_the_whole_one(costs):
    assert costs.id_encoder < 0.96 * costs.id_encoder_whole


def test_the_reference_to_paste_against_is_one_more_decode(costs):
    more = costs.ours(20, 3.0, reference=True) - costs.ours(20, 3.0)
    assert more == pytest.approx(costs.decode)


def test_without_guidance_the_official_way_drops_its_copies(costs):
    single, guided = costs.official(10, 0.9), costs.official(10, 1.0)
    assert 0.5 < single / guided < 0.65


def test_the_command_prints_the_table(capsys):
    assert cost.main() == 0
    told = capsys.readouterr().out
    assert "1.117" in told
    assert "(124)" in told
    assert "at 788 TFLOP/s" in told


def test_a_process_without_a_gpu_takes_its_weights_and_what_its_frames_take(tiny_weights, costs):
    folders = find_folders(tiny_weights)
    small = cpu_needs.cpu_needs(resolved(weights=str(tiny_weights), batch=1), folders)
    assert small.tflop == 0, "nobody waits for it"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cpu_needs, "parameters_in", lambda _: 1_802_800_000 / 3)
        patch.setattr(cpu_needs, "network_costs", lambda _: costs)
        patch.setattr(cpu_needs, "native_size", lambda _: 512)
        one = cpu_needs.cpu_needs(resolved(weights="w", batch=1), folders)
        four = cpu_needs.cpu_needs(resolved(weights="w", batch=4, dtype="bf16"), folders)
    assert one.memory == pytest.approx(9.1e9, rel=0.01), "what was measured: docs/performance.md"
    assert four.memory == pytest.approx(0.84e9 + 3.6e9 + 2.2e9, rel=0.01)
    assert one.tflop == pytest.approx(45.0, rel=0.01)


def test_parameters_are_counted_from_a_files_header(tiny_weights):
    file = tiny_weights / "vae" / "diffusion_pytorch_model.safetensors"
    assert cpu_needs.parameters_in(file) == sum(t.numel() for t in load_file(file).values())


def test_reused_deep_features_and_less_guidance_save_what_is_said(costs):
    whole = costs.ours(20, 3.0, reference=True)
    assert whole == pytest.approx(45.0, rel=0.01)
    assert costs.ours(20, 3.0, reference=True, cache_steps=1, guidance_steps=20) == whole
    assert costs.ours(20, 3.0, reference=True, cache_steps=2) == pytest.approx(30.0, rel=0.02)
    assert costs.ours(20, 3.0, reference=True, cache_steps=3) == pytest.approx(24.5, rel=0.04)
    half = costs.ours(20, 3.0, reference=True, guidance_steps=10)
    assert half == pytest.approx(whole - 10 * (costs.step_guided - costs.step))
