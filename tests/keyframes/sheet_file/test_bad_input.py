"""Bad curve files: refused with the place, all problems in one go, nothing executed."""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from keyframes.au import AUIntensity
from keyframes.checked_yaml.located import MAX_BYTES, read_yaml
from keyframes.clock.instant import parse_duration, parse_instant
from keyframes.clock.rates import parse_frame_rate
from keyframes.clock.timeline import even_timeline
from keyframes.errors import KeyframeError
from keyframes.facs import parse_au, parse_facs, parse_level
from keyframes.load import inspect_sheet, known_presets, load_sheet, parse_sheet
from keyframes.presets import preset_text
from keyframes.problems import SheetError
from keyframes.sheet_file.schema import schema_text

LAUGHS = "version: 1\na: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n"
    for old, new in zip("abcdefg", "bcdefgh", strict=True)
)


def problems_of(text: str) -> list[str]:
    sheet, problems = inspect_sheet(text, "bad.yaml")
    assert sheet is None
    return [str(problem) for problem in problems if problem.is_error]


def keyed(keys: str, more: str = "") -> str:
    return f"version: 1\n{more}channels:\n  AU12: {keys}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "bad.yaml:1:1: a curve file: got nothing; expected a map"),
        ("just words", "bad.yaml:1:1: a curve file: got other text; expected a map"),
        ("channels: {AU12: [[0, 1]]}", "bad.yaml:1:1: no version; expected version: 1"),
        ("version: 2\nuse: smile", "bad.yaml:1:10: version: version 2; known: 1"),
        ("version: 1", "nothing to do; expected one of channels, pose, use, import, layers"),
        ("version: 1\nuse: grin", "bad.yaml:2:6: use: no preset 'grin'; known: anger"),
        ("version: 1\nuse: smile\npose: 12C", "got pose, use"),
        ("version: 1\nlayers: [{}]", "layers[0]: a layer is made of one of"),
        (keyed("[]"), "bad.yaml:3:9: channels.AU12: an empty list; expected at least one key"),
        (keyed("3"), "channels.AU12: a channel: got 3; expected a map"),
        (keyed("[[0]]"), "channels.AU12[0]: a key without value"),
        (keyed("[[0, 1, linear, ease_in, 5]]"), "a row of 5; expected [time, value"),
        (keyed("[{time: 0}]"), "a key without value"),
        (keyed("[[0, 1], [0, 2]]"), "a second key at 0s, as in line 3"),
        (keyed("[[2s, 1], [1500ms, 2]]"), "time 1.5s is not after the key before it (2s)"),
        (keyed("[[00:00:02:00, 1], [00:00:01:00, 2]]"), "00:00:01:00 is not after the key"),
        (keyed("[[0, .nan]]"), ".nan is not a finite number"),
        (keyed("[[.inf, 1]]"), ".inf is not a finite number"),
        (keyed("[[0, 1e999]]"), "inf is not a finite number"),
        (keyed("[[0, nan]]"), "value 'nan'; expected a number, a FACS letter"),
        (keyed("[[12:30, 1]]"), "time '12:30' is not understood; known: 1.5, 1.5s"),
        (keyed("[[1 h, 1]]"), "time '1 h' is not understood"),
        (keyed("[[01:01:00;00, 1]]"), "does not exist in drop-frame"),
        (keyed("[[25:00:00:00, 1]]"), "does not exist; known: 00:00:00:00"),
        (keyed("[[0, L12C]]"), "one-sided code 'L12C'"),
        (keyed("[[0, 6C]]"), "value '6C' is of AU 6; expected AU 12"),
        (keyed("[[0, F]]"), "value 'F'; expected a number, a FACS letter A–E"),
        (keyed("[[0, C]]", "mode: scale\n"), "got 'C'; expected a number"),
        (keyed("[[0, 2]]", "mode: neutralise\n"), "got 2; expected 0 to 1"),
        (keyed("[[0, true]]"), "got True; expected a number"),
        (keyed("[[0, 1, smooth]]"), "got 'smooth'; known: constant, linear"),
        (keyed("[[0, 1, sine, ease]]"), "got 'ease'; known: auto, ease_in"),
        (keyed("[[0, 1, bezier, {right: [-100ms, 1]}]]"), "a right handle that runs backwards"),
        (keyed("[[0, 1, bezier, {left: [100ms, 1]}]]"), "a left handle that runs backwards"),
        (keyed("[[0, 1, bezier, {left: [1]}]]"), "expected [time, value] from the key"),
        (keyed("[[0, 1, bezier, {handles: curly}]]"), "known: auto_clamped, auto, vector"),
        (
            keyed("[[0, 1, bezier, {in: {speed: 1, influence: 200}}]]"),
            "got 200; expected 0.1 to 100",
        ),
        (keyed("[[0, 1, elastic, {amplitude: -1}]]"), "got -1; expected 0 to 100"),
        (keyed("{keys: [[0, 1]], after: forever}"), "known: hold, linear, cycle"),
        (keyed("{keys: [[0, 1]], smooth: {gauss: 1}}"), "unknown key 'gauss'; known: gaussian"),
        (keyed("{keys: [[0, 1]], smooth: {gaussian: -1s}}"), "length '-1s' is negative"),
        (keyed("{smooth: none}"), "a channel without keys"),
        (
            "version: 1\nchannels:\n  AU13: [[0, 1]]",
            "bad.yaml:3:3: channels.AU13: unknown AU 13; known: 1, 2",
        ),
        ("version: 1\nchannels: {AU12: [[0, 1]], 12: [[0, 1]]}", "AU 12 stands twice"),
        ("version: 1\nchannels: {L12: [[0, 1]]}", "one-sided code 'L12'"),
        ("version: 1\nchannels: []", "expected a map of AUs: AU1, AU2"),
        ("version: 1\npose: 6B+6C", "AU 6 stands twice"),
        ("version: 1\npose: 6+12", "FACS code '6'; expected codes like 6B+12C"),
        ("version: 1\npose: R12A", "one-sided code 'R12A'"),
        ("version: 1\nuse: smile\napex: 3", "apex 3 could be a level or seconds"),
        ("version: 1\nuse: smile\napex: 2s\nend: 4s", "apex and end both say"),
        ("version: 1\nuse: smile\nmode: scale", "holds intensities; mode scale has shares"),
        ("version: 1\nuse: neutralise\nmode: absolute", "is made for mode neutralise"),
        (keyed("[[0, 1]]", "onset: 1s\n"), "onset goes with pose and use; channels have keys"),
        (keyed("[[0, 1]]", "range: [3s, 1s]\n"), "range 3s to 1s ends before it starts"),
        (keyed("[[0, 1]]", "weight: 120%\n"), "got 1.2; expected 0 to 1"),
        (keyed("[[0, 1]]", "faces: [-1]\n"), "expected a track (0 is the largest)"),
        (keyed("[[0, 1]]", "faces: lead\n"), "got 'lead'; expected a track (0 is the largest)"),
        (keyed("[[0, 1]]", "faces: {lead: gone.jpg}\n"), "gone.jpg cannot be read: No such file"),
        (keyed("[[0, 1]]", "faces: {all: a.jpg}\n"), "a name that is no number and not all"),
        (keyed("[[0, 1]]", "faces: {1: a.jpg}\n"), "a name that is no number and not all"),
        (keyed("[[0, 1]]", "blend: mix\n"), "known: add, override, scale, neutralise"),
        (keyed("[[0, 1]]", "blend: scale\nmode: delta\n"), "mode delta with blend scale"),
        (
            keyed("[[0, 1]]", "colour: red\n"),
            "bad.yaml:2:1: colour: unknown key 'colour'; known: version",
        ),
        (keyed("[[0, 1]]", "<<: {mode: delta}\n"), "unknown key '<<'"),
        (
            keyed("[[0, 1]]", "mode: delta\nmode: scale\n"),
            "bad.yaml:3:1: mode: key 'mode' stands twice, first in line 2",
        ),
        (keyed("[[0, 1]]", "? [a, b]\n: c\n"), "a key must be a plain word"),
        ("version: 1\nuse: smile\n---\nversion: 1", "bad.yaml:3:1: a second document"),
        ("version: 1\nuse: [smile", "bad.yaml:2:"),
        ("version: 1\n\tuse: smile", "bad.yaml:2:1: not YAML"),
        ("version: 1\nuse: *nothing", "bad.yaml:2:6: use: alias *nothing of nothing"),
        ("version: 1\na: &a [*a]", "alias *a of nothing that stands complete before it"),
        (LAUGHS, "more than 500000 values, aliases counted as written out"),
        ("version: 1\nuse: " + "[" * 100 + "]" * 100, "nested deeper than 32 levels"),
        (
            "version: 1\nuse: !!python/object/apply:os.system ['touch owned']",
            "bad.yaml:2:6: use: tag 'tag:yaml.org,2002:python/object/apply:os",
        ),
        (
            "version: !!int 1\nuse: smile",
            "tag 'tag:yaml.org,2002:int'; a curve file holds plain values",
        ),
        ("version: 1\nuse: !smile smile", "tag '!smile'"),
        (
            "version: 1\nimport: {file: a.csv, video: b.mp4}",
            "an import is of one file or one video",
        ),
        ("version: 1\nimport: {gain: 2}", "an import is of one file or one video"),
        ("version: 1\nimport: nosuch.csv", "nosuch.csv: no such file"),
        ("version: 1\nimport: {video: a.mp4, gain: {AU7: 2}}", "unknown AU 7"),
        ("version: 1\nmode: scale\nimport: {video: a.mp4}", "an import holds intensities"),
    ],
)
def test_a_bad_file_is_refused_with_what_was_found_and_known(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = problems_of(text)
    assert any(said in line for line in found), found
    assert all("\n" not in line and line.startswith("bad.yaml") for line in found)
    assert not list(tmp_path.iterdir())


def test_all_problems_come_in_one_go_in_the_order_of_lines() -> None:
    text = keyed("[[0, 1, oops], [bad, Z], [2s, 1, sine, nope]]", "mode: odd\nsmooth: 3\n")
    lines = problems_of(text)
    assert len(lines) == 6
    assert [int(line.split(":")[1]) for line in lines] == [2, 3, 5, 5, 5, 5]
    with pytest.raises(SheetError, match=r"\(and 5 more\)$") as error:
        parse_sheet(text, "bad.yaml")
    assert "\n" not in str(error.value)
    assert len(error.value.problems) == 6


def test_errors_survive_the_way_between_processes() -> None:
    _, problems = inspect_sheet("version: 3", "bad.yaml")
    error = pickle.loads(pickle.dumps(SheetError(problems)))
    assert str(error) == str(SheetError(problems))


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    begun = time.process_time()
    with pytest.raises(SheetError, match=r"huge\.yaml: 100\.0 MB; a curve file may have 2 MB"):
        load_sheet(str(path))
    assert time.process_time() - begun < 1
    with pytest.raises(SheetError, match="a curve file may have 2 MB"):
        read_yaml("a" * (MAX_BYTES + 1), "big")


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"version: 1\x00", b"\x89PNG\r\n\x1a\n" * 50])
def test_a_file_that_is_not_text_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(data)
    with pytest.raises(SheetError) as error:
        load_sheet(str(path))
    assert "\n" not in str(error.value)


EXAMPLE = """version: 1
smooth: {gaussian: 80ms}
channels:
  AU12:
    keys: [[0s, 0, sine, ease_in_out], [12f, C], [end-1s, 0]]
    after: cycle
layers:
  - {use: surprise, apex: D, onset: 200ms, range: [1s, 50%], fade: 0.2s}
"""
PIECES = [*"-:[]{}\n '\"9%é\t#", "", "&a ", "*a", "!x ", "e9", ".nan", "AU7", ", "]
FUZZ = settings(
    max_examples=300, deadline=None, phases=[Phase.explicit, Phase.generate, Phase.shrink]
)


def complaint(call: Callable[[], object]) -> str | None:
    try:
        call()
    except KeyframeError as error:
        return str(error)
    return None


@FUZZ
@given(st.data())
def test_no_mangled_file_gets_past_or_crashes(data: st.DataObject) -> None:
    text = EXAMPLE
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 6))
        piece = data.draw(st.sampled_from(PIECES))
        text = text[:at] + piece + text[at + cut :]
    sheet, problems = inspect_sheet(text, "fuzz.yaml")
    assert (sheet is None) == any(problem.is_error for problem in problems)
    if sheet is not None:
        timeline = even_timeline(4, Fraction(25))
        measured = AUIntensity(np.ones((100, 12), np.float32))
        said = complaint(lambda: sheet.deltas(timeline, measured))
        assert said is None or said.startswith("fuzz.yaml:")


@FUZZ
@given(st.text(max_size=80))
def test_no_text_crashes_the_parsers(text: str) -> None:
    for parse in (
        parse_instant,
        parse_duration,
        parse_level,
        parse_au,
        parse_facs,
        parse_frame_rate,
    ):
        said = complaint(lambda parse=parse: parse(text))
        assert said is None or "\n" not in said or "\n" in text
    inspect_sheet(text, "fuzz.yaml")


def validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema_text()))


@pytest.mark.parametrize("preset", known_presets())
def test_presets_fit_the_published_schema(preset: str) -> None:
    assert not list(validator().iter_errors(read_yaml(preset_text(preset), preset).plain()))


@pytest.mark.parametrize(
    "text",
    [
        "version: 2\nuse: smile",
        "version: 1",
        "version: 1\nuse: smile\ncolour: red",
        keyed("[[0]]"),
        keyed("[]"),
        keyed("[[0, 1, smooth]]"),
        keyed("[[0, 1, sine, ease]]"),
        keyed("[{time: 0}]"),
        keyed("{keys: [[0, 1]], after: forever}"),
        keyed("{keys: [[0, 1]], smooth: {gauss: 1}}"),
        "version: 1\nchannels: {AU13: [[0, 1]]}",
        "version: 1\nlayers: [{use: smile, pose: 12C}]",
        "version: 1\nimport: {gain: 2}",
    ],
)
def test_what_the_reader_refuses_by_shape_the_schema_refuses_too(text: str) -> None:
    assert problems_of(text)
    assert list(validator().iter_errors(read_yaml(text, "bad.yaml").plain()))
