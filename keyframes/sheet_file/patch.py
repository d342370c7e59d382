"""Changes to a curve file's text that touch nothing but what they change.

A patch replaces the characters of one value, or adds or removes one entry with what belongs to it,
and leaves every other character where it was: comments, spacing, order, quotes. Two laws hold, and
are tested: what the patched text says is what the patched values say, and all text before and
behind the patch is the same.

A path leads from the top of the file to a value: names of keys and numbers of items, such as
`("channels", "AU12", "keys", 2, 1)`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keyframes.checked_yaml.located import Node, read_yaml
from keyframes.errors import KeyframeError
from keyframes.problems import SheetError
from keyframes.sheet_file.flow import Value, flow, word

Path = Sequence[str | int]


@dataclass(frozen=True)
class _Splice:
    """New characters for those from `start` to `end`."""

    start: int
    end: int
    text: str

    def into(self, text: str) -> str:
        return text[: self.start] + self.text + text[self.end :]


def set_value(text: str, path: Path, value: Value) -> str:
    """The text with another value at a path; an entry that is not there yet is added.

    Args:
        text: a curve file.
        path: to the value.
        value: plain numbers, words, lists and maps; words with a meaning in YAML are quoted.

    Raises:
        KeyframeError: no such place, or one that an alias stands for.
    """
    *parents, last = path
    holder = _node(text, parents)
    if isinstance(last, str) and isinstance(holder.value, dict) and last not in holder.value:
        return _applied(text, _added_entry(text, holder, last, value), path, value)
    node = _node(text, path)
    splice = _replaced(text, node, value)
    if isinstance(last, str) and not holder.extent.is_flow:
        splice = _indented(text, splice, holder.key_extents[last].start)
    return _applied(text, splice, path, value)


def insert_item(text: str, path: Path, index: int, value: Value) -> str:
    """The text with an item put into the list at a path, before item `index` (or at its end).

    Raises:
        KeyframeError: no list there, or no such place in it.
    """
    node = _node(text, path)
    items = node.items()
    if not isinstance(node.value, tuple) or not 0 <= index <= len(items):
        raise KeyframeError(f"{_shown(path)}: {node.kind()} of {len(items)}; no place {index}")
    if not items:
        return _applied(text, _replaced(text, node, [value]), path, [value])
    if node.extent.is_flow:
        splice = _flow_item(node, index, value)
    else:
        splice = _block_item(text, node, index, value)
    return _applied(text, splice, (*path, index), value, inserts=True)


def remove(text: str, path: Path) -> str:
    """The text without the item or entry at a path, and without its line if it has its own.

    Raises:
        KeyframeError: no such place, or the only one of its list or map.
    """
    *parents, last = path
    _node(text, path)
    holder = _node(text, parents)
    count = len(holder.value) if isinstance(holder.value, tuple | dict) else 0
    if count < 2:
        raise KeyframeError(f"{_shown(path)}: the only one there; remove {_shown(parents)} instead")
    own = [_own_extent(text, holder, step) for step in _steps(holder)]
    index = _steps(holder).index(last)
    if holder.extent.is_flow:
        splice = _without_comma(text, *own[index])
    else:
        splice = _without_lines(text, own, index)
    return _applied(text, splice, path, _GONE)


def set_key(text: str, channel: Path, time: Value, value: Value, *more: Value) -> str:
    """The text with a key in a channel: the key of that time changed, or a new one in order.

    Args:
        text: a curve file.
        channel: path to the channel, a list of keys or a map with `keys`.
        time: as it is to be written; a key whose time is written or means the same is changed.
        value: of the key.
        more: what else a row may have: interpolation, easing, a map. A key that is there keeps its
            own unless it is given.

    Raises:
        KeyframeError: no such channel, or a time that is none.
    """
    from keyframes.clock.instant import parse_instant

    node = _node(text, channel)
    keys = (*channel, "keys") if isinstance(node.value, dict) else tuple(channel)
    wanted = parse_instant(time if isinstance(time, str | int | float) else str(time))
    place = 0
    for index, key in enumerate(_node(text, keys).items()):
        entry = key.items()[0] if key.items() else key.entries().get("time")
        at = None if entry is None else entry.scalar()
        if at is None or isinstance(at, bool):
            continue
        there = parse_instant(at)
        if there == wanted:
            return _set_row(text, (*keys, index), key, (value, *more))
        if wanted.is_after(there):
            place = index + 1
    return insert_item(text, keys, place, [time, value, *more])


def _set_row(text: str, path: Path, key: Node, values: Sequence[Value]) -> str:
    fields = ("value", "interpolation", "easing")
    for number, (field, value) in enumerate(zip(fields, values, strict=False), 1):
        if isinstance(key.value, dict):
            text = set_value(text, (*path, field), value)
        elif number < len(key.items()):
            text = set_value(text, (*path, number), value)
        else:
            text = insert_item(text, path, number, value)
    return text


def remove_key(text: str, channel: Path, index: int) -> str:
    """The text without a key of a channel.

    Raises:
        KeyframeError: no such key, or the channel's only one.
    """
    node = _node(text, channel)
    keys = (*channel, "keys") if isinstance(node.value, dict) else tuple(channel)
    return remove(text, (*keys, index))


def add_layer(text: str, layer: Mapping[str, Value], index: int | None = None) -> str:
    """The text with one more layer: on top, or before the layer of that number.

    Raises:
        KeyframeError: no such place.
    """
    root = read_yaml(text, "text")
    layers = root.entries().get("layers")
    if layers is None or not layers.items():
        return set_value(text, ("layers",), [layer])
    return insert_item(text, ("layers",), len(layers.items()) if index is None else index, layer)


# Finding places


def _node(text: str, path: Path) -> Node:
    node = read_yaml(text, "text")
    for depth, step in enumerate(path):
        if node.extent.is_alias:
            raise KeyframeError(
                f"{_shown(path[:depth])} is an alias; change what it stands for, or write it out"
            )
        if isinstance(step, int) and 0 <= step < len(node.items()):
            node = node.items()[step]
        elif isinstance(step, str) and step in node.entries():
            node = node.entries()[step]
        else:
            raise KeyframeError(f"{_shown(path)}: nothing there; {_shown(path[:depth])} is "
                                f"{node.kind()}")  # fmt: skip
    return node


def _shown(path: Path) -> str:
    parts = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in path]
    return "".join(parts).removeprefix(".") or "the file"


def _steps(holder: Node) -> list[str | int]:
    return [*holder.entries()] if isinstance(holder.value, dict) else [*range(len(holder.items()))]


def _own_extent(text: str, holder: Node, step: str | int) -> tuple[int, int]:
    """All of an item or entry, with its key or dash."""
    if isinstance(step, str):
        return holder.key_extents[step].start, _end_of(text, holder.entries()[step])
    node = holder.items()[step]
    start = node.extent.start if holder.extent.is_flow else _dash(text, node)
    return start, _end_of(text, node)


_GONE = object()


def _applied(
    text: str, splice: _Splice, path: Path, value: object, *, inserts: bool = False
) -> str:
    """The patched text, if it says what was meant; a patch never changes anything else.

    Raises:
        KeyframeError: the text is written in a way that this patch cannot follow.
    """
    patched = splice.into(text)
    expected = _changed(read_yaml(text, "text").plain(), path, value, inserts)
    try:
        found: object = read_yaml(patched, "patched text").plain()
    except SheetError as error:
        found = error
    if found != expected:
        raise KeyframeError(
            f"{_shown(path)}: the text is written so that this cannot be changed in place; "
            "write that part out in lines of its own"
        )
    return patched


def _changed(data: Any, path: Path, value: object, inserts: bool) -> Any:
    """The same change to plain values: what a patched text must say."""
    *parents, last = path
    holder: Any = data
    for step in parents:
        holder = holder[step]
    if value is _GONE:
        del holder[last]
    elif inserts:
        holder.insert(last, _plain(value))
    elif path:
        holder[last] = _plain(value)
    return data


def _plain(value: object) -> object:
    return json.loads(json.dumps(value))


# Writing values


def _end_of(text: str, node: Node) -> int:
    """Behind the last character of a value; block collections end where their last value does."""
    if isinstance(node.value, tuple | dict) and not (node.extent.is_flow or node.extent.is_alias):
        children = node.items() or tuple(node.entries().values())
        return _end_of(text, children[-1]) if children else node.extent.start
    return node.extent.end


def _replaced(text: str, node: Node, value: Value) -> _Splice:
    start, end = node.extent.start, _end_of(text, node)
    written = flow(value)
    if end == start and text[start - 1 : start] not in (" ", "\n", ""):
        written = " " + written  # a key without a value
    block = text[start:end]
    if block[:1] in ("|", ">"):
        trailing = len(block) - len(block.rstrip("\r\n"))
        end -= trailing
    return _Splice(start, end, written)


def _indented(text: str, splice: _Splice, key: int) -> _Splice:
    """Further in than the key it belongs to: a list may stand below its key, a value may not."""
    short = _indent(text, key) - _indent(text, splice.start)
    is_below = "\n" in text[key : splice.start]
    if not is_below or short < 0:
        return splice
    return _Splice(splice.start, splice.end, " " * (short + 2) + splice.text)


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _indent(text: str, at: int) -> int:
    return at - (text.rfind("\n", 0, at) + 1)


def _line_end(text: str, at: int) -> int:
    """Behind the line that a position is in, its comment and its line break."""
    found = text.find("\n", at)
    return len(text) if found < 0 else found + 1


def _added_entry(text: str, holder: Node, key: str, value: Value) -> _Splice:
    written = f"{word(key)}: {flow(value)}"
    if holder.extent.is_flow:
        if not holder.entries():
            return _Splice(holder.extent.start, holder.extent.end, "{" + written + "}")
        last = _end_of(text, list(holder.entries().values())[-1])
        return _Splice(last, last, f", {written}")
    if not holder.entries():
        raise KeyframeError("the file is empty; expected version: 1 at the top")
    first = next(iter(holder.key_extents.values())).start
    return _new_line(text, holder, " " * _indent(text, first) + written)


def _new_line(text: str, holder: Node, line: str) -> _Splice:
    """A line behind all lines of a block."""
    end = _end_of(text, holder)
    if end and text[end - 1] == "\n":
        return _Splice(end, end, line + _newline(text))  # behind a block of text
    at = _line_end(text, end)
    if at == len(text) and not text.endswith("\n"):
        return _Splice(at, at, _newline(text) + line)
    return _Splice(at, at, line + _newline(text))


def _flow_item(node: Node, index: int, value: Value) -> _Splice:
    items = node.items()
    if index < len(items):
        at = items[index].extent.start
        return _Splice(at, at, f"{flow(value)}, ")
    at = items[-1].extent.end
    return _Splice(at, at, f", {flow(value)}")


def _dash(text: str, item: Node) -> int:
    """Where the dash of a block's item stands."""
    at = item.extent.start - 1
    while text[at] != "-" or text[at + 1 : at + 2] not in (" ", "\n", "\r", "\t"):
        at -= 1
    return at


def _block_item(text: str, node: Node, index: int, value: Value) -> _Splice:
    items = node.items()
    dash = _dash(text, items[min(index, len(items) - 1)])
    line = " " * _indent(text, dash) + f"- {flow(value)}"
    if index == len(items):
        return _new_line(text, node, line)
    begin = text.rfind("\n", 0, dash) + 1
    if text[begin:dash].strip():  # `- - 1`: the list begins within another's line
        return _Splice(dash, dash, f"- {flow(value)}{_newline(text)}{' ' * _indent(text, dash)}")
    return _Splice(begin, begin, line + _newline(text))


def _without_comma(text: str, start: int, end: int) -> _Splice:
    """An item of a flow collection with the comma and the spaces that belong to it."""
    behind = re.compile(r"\s*,[ \t]*").match(text, end)
    if behind is not None:
        return _Splice(start, behind.end(), "")
    before = re.compile(r",\s*$").search(text[:start])
    return _Splice(before.start() if before else start, end, "")


def _without_lines(text: str, own: Sequence[tuple[int, int]], index: int) -> _Splice:
    """An item or entry of a block with its lines."""
    start, end = own[index]
    end = start + len(text[start:end].rstrip())
    begin = text.rfind("\n", 0, start) + 1
    if not text[begin:start].strip():
        return _Splice(begin, _line_end(text, end), "")
    if index + 1 < len(own):  # it shares its line with a dash that the next one needs
        return _Splice(start, own[index + 1][0], "")
    return _Splice(start, end, "")
