"""Patches change what they mean to and nothing else: laws over hand-written and random files."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keyframes.checked_yaml.located import read_yaml
from keyframes.errors import KeyframeError
from keyframes.load import parse_sheet
from keyframes.sheet_file.patch import (
    add_layer,
    insert_item,
    remove,
    remove_key,
    set_key,
    set_value,
)

BLOCK = """# a smile, by hand
version: 1   # the format
name: "it's a smile"

channels:
  AU12:            # corners
    keys:
      - [0.5s, 0]          # rest
      # the smile itself
      - [1s, 3, sine]      # up
      - {time: 2s, value: 3, handles: vector}  # stays

      - time: 4s           # long form
        value: 0
    after: hold
  AU6: [[0.5s, 0], [1s, 1.5], [4s, 0]]   # cheeks
layers:
  # first
  - use: surprise
    start: 0.5s   # early
    weight: 60%
  - {use: brow_raise, start: 3s}  # second
# the end
"""
FLOW = "{version: 1, channels: {AU1: [[0, 1], [1s, 2]], AU2: [[0, 'C']]}, layers: [{pose: 12C}]}"
NESTED = """version: 1
channels:
    AU1:
    -   - 0s
        - 1
    - - 1s
      - 2   # two
    AU4: &k
    - [0s, 1]
    AU5: *k
description: |
  two lines
  of text
"""
TEXTS = [BLOCK, FLOW, NESTED, BLOCK.replace("\n", "\r\n"), BLOCK.removesuffix("\n# the end\n")]
LAW = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

WORDS = [
    "smile", "a b", "true", "null", "12:30", "it's", 'say "x"', "é: ü", "- a", "", "1.5s", "50%",
    "#no", "*x", "&y", "00:00:01:00", "01:00:02;12", "x,y", "[", "1e5", "0x1f", "~", "= x",
]  # fmt: skip
KEYS = ["time", "value", "AU 12", "a"]
scalars = (
    st.sampled_from(WORDS)
    | st.integers(-9, 9)
    | st.floats(-9, 9).map(lambda x: round(x, 3))
    | st.booleans()
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)
    ),
    max_leaves=5,
)


def plain(text: str) -> Any:
    return read_yaml(text, "text").plain()


def paths_of(data: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [path] if path else []
    steps: Any = ()
    if isinstance(data, dict | list):
        steps = data.items() if isinstance(data, dict) else enumerate(data)
    for step, inner in steps:
        found += paths_of(inner, (*path, step))
    return found


def at(data: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        data = data[step]
    return data


def changed_part(old: str, new: str) -> str:
    """The shortest stretch of the old text outside which both are the same."""
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    return old[start : len(old) - end]


@LAW
@given(st.sampled_from(TEXTS), st.data())
def test_a_value_is_set_and_nothing_else_moves(text: str, data: st.DataObject) -> None:
    before = plain(text)
    path = data.draw(st.sampled_from(paths_of(before)))
    value = data.draw(values)
    expected = copy.deepcopy(before)
    at(expected, path[:-1])[path[-1]] = json.loads(json.dumps(value))
    if "AU5" in path and len(path) > 2 and "AU5: *k" in text:
        with pytest.raises(KeyframeError, match="is an alias"):
            set_value(text, path, value)
        return
    if "AU4" in path and "AU5: *k" in text:
        return  # what others stand for changes with it, or is refused
    patched = set_value(text, path, value)
    assert plain(patched) == expected
    if not isinstance(at(before, path), list | dict):
        assert "#" not in changed_part(text, patched) or "#" in str(at(before, path))
        assert re.findall(r"  #.*", text) == re.findall(r"  #.*", patched) or "#" in str(value)


@LAW
@given(st.sampled_from(TEXTS), st.data())
def test_an_item_or_entry_is_added_and_nothing_else_moves(text: str, data: st.DataObject) -> None:
    before = plain(text)
    path = data.draw(st.sampled_from([(), *paths_of(before)]))
    if any(au in path for au in ("AU4", "AU5")) and "AU5: *k" in text:
        return
    value = data.draw(values)
    expected, holder = copy.deepcopy(before), at(before, path)
    if isinstance(holder, dict):
        at(expected, path)["added"] = json.loads(json.dumps(value))
        patched = set_value(text, (*path, "added"), value)
    elif isinstance(holder, list):
        index = data.draw(st.integers(0, len(holder)))
        at(expected, path).insert(index, json.loads(json.dumps(value)))
        patched = insert_item(text, path, index, value)
    else:
        return
    assert plain(patched) == expected
    assert len(changed_part(text, patched)) <= 2 or not holder


@LAW
@given(st.sampled_from(TEXTS), st.data())
def test_an_item_or_entry_is_removed_and_nothing_else_moves(text: str, data: st.DataObject) -> None:
    before = plain(text)
    path = data.draw(st.sampled_from(paths_of(before)))
    holder = at(before, path[:-1])
    if any(au in path for au in ("AU4", "AU5")) and "AU5: *k" in text:
        return
    if len(holder) < 2:
        with pytest.raises(KeyframeError, match="the only one there"):
            remove(text, path)
        return
    expected = copy.deepcopy(before)
    del at(expected, path[:-1])[path[-1]]
    patched = remove(text, path)
    assert plain(patched) == expected
    assert set(patched.split("\n")) - {""} <= set(text.split("\n")) or len(patched) < len(text)


def test_a_key_is_changed_where_its_time_stands_and_added_in_order() -> None:
    channel = ("channels", "AU12")
    moved = set_key(BLOCK, channel, "1s", 2.5)
    assert moved == BLOCK.replace("[1s, 3, sine]", "[1s, 2.5, sine]")
    assert set_key(BLOCK, channel, "1000ms", 2.5) == moved
    held = BLOCK.replace("value: 3, handles", "value: 1, handles")
    assert set_key(BLOCK, channel, "2s", 1) == held
    added = set_key(BLOCK, channel, "1.5s", "D", "linear")
    line = "      - [1s, 3, sine]      # up\n"
    assert added.replace("\n      - [1.5s, D, linear]", "", 1) == BLOCK
    assert added.index("1.5s, D") > added.index("[1s, 3, sine]") < added.index("time: 2s")
    assert remove_key(BLOCK, channel, 1) == BLOCK.replace(line, "")
    cheeks = set_key(BLOCK, ("channels", "AU6"), "2s", 1)
    assert cheeks == BLOCK.replace("[1s, 1.5], [4s", "[1s, 1.5], [2s, 1], [4s")
    for text in (moved, added, cheeks):
        parse_sheet(text, "patched.yaml")


def test_a_layer_goes_on_top_or_below_and_comments_stay() -> None:
    layer = {"use": "smile", "start": "2s", "weight": "50%"}
    top = add_layer(BLOCK, layer)
    line = "  - {use: smile, start: 2s, weight: 50%}\n"
    assert top == BLOCK.replace("# second\n", "# second\n" + line)
    below = add_layer(BLOCK, layer, 0)
    assert [entry.name for entry in parse_sheet(below, "b.yaml").layers][-3:] == [
        "smile", "surprise", "brow_raise",
    ]  # fmt: skip
    alone = add_layer("version: 1\nuse: smile\n", layer)
    assert alone == "version: 1\nuse: smile\nlayers: [{use: smile, start: 2s, weight: 50%}]\n"


def test_a_place_that_is_not_there_is_refused() -> None:
    for path in (("layers", 7), ("channels", "AU12", "keys", 0, 9), ("nosuch", "x")):
        with pytest.raises(KeyframeError, match="nothing there"):
            set_value(BLOCK, path, 1)
    with pytest.raises(KeyframeError, match="no place 9"):
        insert_item(BLOCK, ("layers",), 9, {})
