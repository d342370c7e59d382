"""How much of a layer is there, and when: weight, range and fade."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from keyframes.checked_yaml.located import Node
from keyframes.checked_yaml.reader import Reader
from keyframes.curves.channel import Channel
from keyframes.layer import SoftRange
from keyframes.sheet_file.read_keys import Defaults, read_channel


def read_weight(reader: Reader, node: Node, defaults: Defaults) -> float | Channel:
    """A fixed share, or keys of one."""
    if isinstance(node.value, (tuple, dict)):
        own = replace(defaults, mode="neutralise", smoothing=None)
        return read_channel(reader, node, own, None)
    return reader.number(node, 0.0, 1.0)


def read_span(reader: Reader, entries: Mapping[str, Node]) -> SoftRange:
    """`range` and `fade` of a layer."""
    span = SoftRange()
    if "range" in entries:
        ends = entries["range"].items()
        if len(ends) == 2:
            start, end = (reader.instant(end) for end in ends)
            span = replace(span, start=start, end=end)
            if end.is_after(start) is False:
                message = f"range {start} to {end} ends before it starts"
                reader.error(entries["range"].place, message)
        else:
            reader.error(entries["range"].place, "expected [start, end]")
    if "fade" in entries:
        fades = entries["fade"].items() or (entries["fade"],) * 2
        if len(fades) == 2:
            fade_in, fade_out = (reader.duration(fade) for fade in fades)
            span = replace(span, fade_in=fade_in, fade_out=fade_out)
        else:
            reader.error(entries["fade"].place, "expected a length, or [in, out]")
    return span
