"""The published schema and the reader agree: what one takes, the other takes."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from keyframes.checked_yaml.located import read_yaml
from keyframes.load import inspect_sheet
from keyframes.sheet_file.read_import import IMPORT_FIELDS
from keyframes.sheet_file.read_keys import CHANNEL_FIELDS, KEY_FIELDS
from keyframes.sheet_file.read_layer import LAYER_FIELDS
from keyframes.sheet_file.read_sheet import SHEET_FIELDS
from keyframes.sheet_file.schema import schema_text

SCHEMA = json.loads(schema_text())
VALIDATOR = Draft202012Validator(SCHEMA)
EXAMPLES: list[dict[str, Any]] = [
    {"version": 1, "channels": {"AU01": [["0s", 1]], "AU 12": [["12frames", "C", "sine"]]}},
    {"version": 1, "channels": {"12": {"keys": [{"time": "1s", "value": 2, "back": "50%"}]}}},
    {"version": 1, "pose": {"au06": 2}, "intensity": "D", "start": "00:00:01.500"},
    {"version": 1, "use": "smile", "apex": "800ms", "fade": ["10%", "1s"], "faces": [0, 1]},
    {
        "version": 1,
        "import": {"video": "a.mp4", "gain": {"AU1": "70%", "AU12": 1.5}, "speed": "50%"},
        "weight": "70 %",
    },
    {
        "version": 1,
        "import": {
            "video": "a.mp4", "aus": [1, "AU2"], "fps": "29.97", "scale": 100,
            "confidence": "80%", "clip": "a.mp4", "person": "Ann",
        },
    },
    {
        "version": 1, "name": "a", "description": "b", "input": ["c.mp4"], "output": "d.mp4",
        "pose": "6B+12C", "not_in_model": [7], "ease": "quad", "mode": "absolute", "faces": "all",
        "blend": "override", "range": ["1s", "end"], "end": "50%+6f", "auto_smoothing": "none",
        "onset": "200ms", "offset": "5%",
    },
    {
        "version": 1, "interpolation": "hold", "easing": "ease_in",
        "smooth": {"savgol": {"window": "300ms", "order": 3}},
        "channels": {
            "AU1": {
                "keys": [[0, 1], {"time": 1, "value": 2, "in": {"speed": 1, "influence": "80%"}}],
                "smooth": {"one_euro": {"cutoff_hz": 1, "beta": 0.5}}, "before": "ping-pong",
            },
        },
    },
    {
        "version": 1,
        "smooth": {"gaussian": "80ms"},
        "layers": [{"use": "fear", "weight": [["0s", 0]]}],
    },
    {
        "version": 1,
        "channels": {"AU4": [["1s", 0, "bezier", {"right": ["0.5s", "20%"], "left": "auto"}]]},
    },
]  # fmt: skip
ODD: list[Any] = [None, True, [], {}, "", 1.5, -1, "x", "50%", [1], {"a": 1}, "AU12", 3]


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    inner: Any = ()
    if isinstance(data, dict | list):
        inner = data.items() if isinstance(data, dict) else enumerate(data)
    for step, value in inner:
        found += places(value, (*path, step))
    return found


def takes(data: Any) -> tuple[bool, bool]:
    """Whether the reader and the schema take a document."""
    text = json.dumps(data)
    sheet, _ = inspect_sheet(text, "x.yaml")
    return sheet is not None, VALIDATOR.is_valid(read_yaml(text, "x").plain())


@pytest.mark.parametrize("example", EXAMPLES)
def test_what_people_write_is_taken_by_both(example: dict[str, Any]) -> None:
    assert takes(example) == (True, True), inspect_sheet(json.dumps(example), "x")[1]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(EXAMPLES), st.data())
def test_whatever_the_reader_takes_the_schema_takes(example: dict[str, Any], data: Any) -> None:
    changed = copy.deepcopy(example)
    path = data.draw(st.sampled_from(places(changed)))
    holder: Any = changed
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = data.draw(st.sampled_from(ODD))
    by_reader, by_schema = takes(changed)
    assert by_schema or not by_reader, changed


@pytest.mark.parametrize(("fields", "properties"), [
    (SHEET_FIELDS, SCHEMA["properties"]),
    (LAYER_FIELDS, SCHEMA["$defs"]["layer"]["properties"]),
    (CHANNEL_FIELDS, SCHEMA["$defs"]["channel"]["properties"]),
    (IMPORT_FIELDS, SCHEMA["$defs"]["import"]["properties"]),
    (KEY_FIELDS, SCHEMA["$defs"]["key"]["properties"]),
], ids=["file", "layer", "channel", "import", "key"])  # fmt: skip
def test_every_field_is_in_the_schema_and_no_other(fields: Any, properties: Any) -> None:
    assert set(fields) == set(properties)
