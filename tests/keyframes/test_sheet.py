"""Sheets on clips: modes, layers, presets, clamps, and the laws of evaluation."""

import json
import pickle
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyframes.au import AU_COLUMN, AUIntensity
from keyframes.clock.timeline import Timeline
from keyframes.errors import KeyframeError
from keyframes.load import known_presets, load_sheet, parse_sheet


def clip(duration_s: float = 6.0, fps: int = 25) -> Timeline:
    return Timeline(np.arange(round(duration_s * fps)) / fps, duration_s, Fraction(fps))


def unknown(timeline: Timeline) -> AUIntensity:
    return AUIntensity(np.full((len(timeline.times_s), 12), np.nan, np.float32))


def level(timeline: Timeline, value: float) -> AUIntensity:
    return AUIntensity(np.full((len(timeline.times_s), 12), value, np.float32))


def smile_of(text: str, timeline: Timeline, measured: AUIntensity) -> np.ndarray:
    sheet = parse_sheet("version: 1\n" + text, "test.yaml")
    return sheet.deltas(timeline, measured).values[:, AU_COLUMN[12]]


@pytest.mark.parametrize("preset", known_presets())
@pytest.mark.parametrize("duration_s", [0.08, 1.0, 6.0, 600.0])
def test_a_preset_fits_a_clip_of_any_length(preset: str, duration_s: float) -> None:
    timeline = clip(duration_s)
    evaluation = load_sheet(f"{preset}.yaml").evaluate(timeline, level(timeline, 1.0))
    assert np.isfinite(evaluation.delta.values).all()
    if duration_s >= 1:
        assert evaluation.delta.active.any()


def test_a_smile_is_there_by_0_6_s_and_gone_at_the_end() -> None:
    timeline = clip()
    values = load_sheet("smile").deltas(timeline, unknown(timeline)).values
    smile, cheeks = values[:, AU_COLUMN[12]], values[:, AU_COLUMN[6]]
    assert smile[0] == 0.0
    assert smile[15] == pytest.approx(3.0)
    assert smile[100] == pytest.approx(3.0)
    assert smile[-1] < 0.05
    assert cheeks.max() == pytest.approx(1.5)
    assert (np.delete(values, [AU_COLUMN[12], AU_COLUMN[6]], axis=1) == 0).all()


def test_neutralising_leaves_the_lids_to_the_actor() -> None:
    timeline = clip()
    values = load_sheet("neutralise").deltas(timeline, level(timeline, 2.0)).values
    assert (values[:, AU_COLUMN[5]] == 0).all()
    others = np.delete(values, AU_COLUMN[5], axis=1)
    assert others[75] == pytest.approx(-2.0)


def test_modes_mean_what_they_say() -> None:
    timeline = clip(1.0)
    measured = level(timeline, 2.0)
    for mode, value, expected in (
        ("delta", 1.5, 1.5),
        ("absolute", 3.0, 1.0),
        ("scale", 1.5, 1.0),
        ("neutralise", 0.25, -0.5),
    ):
        asked = smile_of(f"mode: {mode}\nchannels: {{AU12: [[0, {value}]]}}", timeline, measured)
        assert asked == pytest.approx(expected), mode


@pytest.mark.parametrize("mode", ["absolute", "scale", "neutralise"])
def test_frames_without_a_measurement_are_asked_for_nothing(mode: str) -> None:
    timeline = clip(1.0)
    asked = smile_of(f"mode: {mode}\nchannels: {{AU12: [[0, 0.5]]}}", timeline, unknown(timeline))
    assert (asked == 0).all()


def test_layers_build_on_the_picture_below_them() -> None:
    text = """
layers:
  - channels: {AU12: [[0, 2]]}
  - {mode: absolute, channels: {AU12: [[0, 4]]}}
  - {blend: scale, weight: 50%, channels: {AU12: [[0, 2]]}}
"""
    timeline = clip(1.0)
    asked = smile_of(text, timeline, level(timeline, 1.0))
    # 1 measured; 2 more; set to 4; doubled by half: 6 in the picture.
    assert asked == pytest.approx(5.0)


def test_an_override_takes_the_place_of_the_layers_below() -> None:
    text = """
channels: {AU12: [[0, 4]]}
layers:
  - {blend: override, weight: 75%, channels: {AU12: [[0, 0]]}}
"""
    timeline = clip(1.0)
    assert smile_of(text, timeline, unknown(timeline)) == pytest.approx(1.0)


def test_a_layer_speaks_only_in_its_range_and_fades_at_its_ends() -> None:
    text = "range: [1s, 3s]\nfade: [0.5s, 0]\nchannels: {AU12: [[0, 2]]}"
    timeline = clip(6.0)
    asked = smile_of(text, timeline, unknown(timeline))
    times = timeline.times_s
    assert (asked[(times < 1) | (times > 3)] == 0).all()
    assert asked[(times >= 1.5) & (times <= 3)] == pytest.approx(2.0)
    assert asked[31] == pytest.approx(2 * (1 - np.cos(np.pi * 0.24 / 0.5)) / 2)


def test_a_clamp_is_reported_with_au_and_time() -> None:
    sheet = parse_sheet(
        "version: 1\nchannels: {AU12: [[0, 0, linear], [2, 20, hold], [3, 0]]}", "big.yaml"
    )
    timeline = clip()
    evaluation = sheet.evaluate(timeline, unknown(timeline))
    assert evaluation.delta.values.max() == 10
    assert evaluation.warnings == ("AU12: 20 asked for, clamped to 10 at 1.04–2.96 s",)


def test_keys_outside_the_clip_are_reported() -> None:
    sheet = parse_sheet("version: 1\nchannels: {AU12: [[0, 0], [01:00:02:00, 3]]}", "tc.yaml")
    timeline = clip()
    warnings = sheet.evaluate(timeline, unknown(timeline)).warnings
    assert warnings == ("AU12: 1 of 2 keys lie after its end (clip to 6 s, keys 0 to 3602 s)",)


def test_timecode_counts_from_the_clips_own_first_label() -> None:
    sheet = parse_sheet("version: 1\nchannels: {AU12: [[01:00:01:00, 3]]}\nsmooth: none", "tc.yaml")
    times = np.arange(50) / 25
    timeline = Timeline(times, 2.0, Fraction(25), "01:00:00:00")
    assert sheet.evaluate(timeline, unknown(timeline)).warnings == ()


def test_a_timecode_that_the_clips_rate_lacks_is_refused_with_its_place() -> None:
    sheet = parse_sheet("version: 1\nchannels: {AU12: [[0, 0], [00:00:02;12, 3]]}", "tc.yaml")
    with pytest.raises(KeyframeError, match=r"^tc\.yaml:2:27: channels\.AU12\[1\]: drop-frame"):
        sheet.deltas(clip(), unknown(clip()))


def test_only_the_largest_face_is_meant_unless_the_sheet_says_otherwise() -> None:
    plain = load_sheet("smile")
    timeline = clip()
    assert plain.targets() == (0,)
    assert not plain.deltas(timeline, unknown(timeline), face=1).active.any()
    everyone = parse_sheet("version: 1\nfaces: all\nuse: smile", "all.yaml")
    assert everyone.targets(3) == (0, 1, 2)
    second = parse_sheet("version: 1\nlayers: [{use: smile, faces: 1}, {use: sad}]", "two.yaml")
    assert second.targets() == (0, 1)
    assert second.deltas(timeline, unknown(timeline), face=1).active.any()


def test_a_layer_for_a_name_speaks_only_where_the_face_is_that_person(tmp_path: Path) -> None:
    (tmp_path / "lead.jpg").write_bytes(b"a picture")
    text = "version: 1\nfaces: {lead: lead.jpg}\nchannels: {AU12: [[0, 2], [end, 2]]}"
    sheet = parse_sheet(text, "lead.yaml", folder=tmp_path)
    timeline = clip()
    there = timeline.times_s < 1.0
    assert sheet.targets(3) == ("lead",)
    everywhere = sheet.deltas(timeline, unknown(timeline), face="lead")
    assert everywhere.active.all()
    assert not sheet.deltas(timeline, unknown(timeline), face=0).active.any()
    here = sheet.evaluate(timeline, unknown(timeline), face=1, known={"lead": there})
    assert (here.delta.active == there).all()
    other = sheet.evaluate(timeline, unknown(timeline), face=1, known={"guest": there})
    assert not other.delta.active.any()


def test_a_curve_is_another_one_when_a_picture_in_it_shows_somebody_else(tmp_path: Path) -> None:
    text = "version: 1\nlayers: [{use: smile, faces: {lead: lead.jpg}}, {use: sad, faces: lead}]"
    digests = set()
    for content in (b"one", b"other", b"one"):
        (tmp_path / "lead.jpg").write_bytes(content)
        digests.add(parse_sheet(text, "lead.yaml", folder=tmp_path).digest)
    assert len(digests) == 2


UNHURRIED = settings(max_examples=60, deadline=None)  # the machine may be busy
SHEETS = st.sampled_from(
    [
        "use: happiness\napex: C\nonset: 400ms",
        "mode: absolute\nsmooth: {gaussian: 120ms}\nchannels: {AU4: [[10%, 0], [50%, 4, bounce]]}",
        "smooth: {one_euro: 1.5}\nchannels: {AU12: [[0.5s, 0, hold], [20f, 2.5], [end-1s, 0]]}",
        "smooth: {savgol: 300ms}\nchannels: {AU1: {keys: [[1, 0], [2, 3, elastic]], after: cycle}}",
        "smooth: {spring: 200ms}\nchannels: {AU1: {keys: [[1, 0], [2, 3, back]], after: linear}}",
    ]
)


@UNHURRIED
@given(SHEETS, st.integers(1, 148), st.integers(0, 2**32 - 1))
def test_splitting_a_clip_at_any_frame_changes_nothing(text: str, cut: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.01, 0.07, 150))
    measured = rng.uniform(0, 5, (150, 12)).astype(np.float32)
    sheet = parse_sheet("version: 1\n" + text, "test.yaml")

    def deltas(rows: slice) -> np.ndarray:
        timeline = Timeline(times[rows], float(times[-1]), Fraction(25))
        return sheet.deltas(timeline, AUIntensity(measured[rows])).values

    pieces = np.concatenate([deltas(slice(None, cut)), deltas(slice(cut, None))])
    assert np.array_equal(pieces, deltas(slice(None)))


def test_the_digest_follows_what_is_asked_for_and_nothing_else() -> None:
    one = parse_sheet("version: 1\nchannels: {AU12: [[0, 1], [1, 3]]}", "a.yaml")
    same = parse_sheet(
        "# a comment\nversion: 1\ninput: x.mp4\nchannels: {AU12: [[0s, A], [1000ms, C]]}",
        "b.yaml",
    )
    other = parse_sheet("version: 1\nchannels: {AU12: [[0, 1], [1, 3.1]]}", "a.yaml")
    assert one.digest == same.digest
    assert one.digest != other.digest


def test_a_sheet_travels_to_other_processes_unchanged() -> None:
    sheet = load_sheet("smile")
    again = pickle.loads(pickle.dumps(sheet))
    timeline = clip()
    assert again.digest == sheet.digest
    assert np.array_equal(
        again.deltas(timeline, unknown(timeline)).values,
        sheet.deltas(timeline, unknown(timeline)).values,
    )


def test_the_resolved_sheet_is_plain_json_with_presets_written_out() -> None:
    sheet = parse_sheet(
        "version: 1\nuse: anger\napex: D\nrange: [1s, end]\nweight: [[0, 0], [1, 1]]", "x.yaml"
    )
    resolved = json.loads(json.dumps(sheet.resolved()))
    assert resolved["digest"] == sheet.digest
    layer = resolved["layers"][0]
    assert layer["pose"] == {"AU4": 4.0, "AU5": 4.0}
    assert layer["range"] == ["1s", "100%"]
    warnings = sheet.evaluate(clip(), unknown(clip())).warnings
    assert "AU7, AU23 would belong to this expression but are not in the model" in warnings


def test_apex_is_a_level_or_a_length() -> None:
    timeline = clip()
    level_d = parse_sheet("version: 1\nuse: happiness\napex: D\nonset: 400ms", "a.yaml")
    smile = level_d.deltas(timeline, unknown(timeline)).values[:, AU_COLUMN[12]]
    assert smile[10] == pytest.approx(4.0)
    short = parse_sheet("version: 1\nuse: happiness\napex: 1s\nonset: 400ms", "b.yaml")
    smile = short.deltas(timeline, unknown(timeline)).values[:, AU_COLUMN[12]]
    assert smile[30] == pytest.approx(3.0)
    assert smile[60] == 0
