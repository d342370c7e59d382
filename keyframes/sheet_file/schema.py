"""The published JSON Schema of curve files, and the check against it."""

# jsonschema's own types are partial: what comes out of it is checked by the annotations here.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from keyframes.checked_yaml.located import Node
from keyframes.problems import Problem

SCHEMA_FILE = "aureel-curve-1.schema.json"


def schema_text() -> str:
    """The schema, as editors want it."""
    return resources.files("keyframes.sheet_file").joinpath(SCHEMA_FILE).read_text("utf-8")


@cache
def _validator() -> Any:
    return Draft202012Validator(json.loads(schema_text()))


def schema_problems(root: Node) -> list[Problem]:
    """Where a document departs from the schema."""
    problems: list[Problem] = []
    for error in _validator().iter_errors(root.plain()):
        leaf: Any = best_match([error]) or error
        place = _place(root, list(leaf.absolute_path))
        problems.append(Problem(place.place, f"against the schema: {leaf.message[:200]}"))
    return problems


def _place(node: Node, path: list[str | int]) -> Node:
    for step in path:
        if isinstance(step, int) and isinstance(node.value, tuple):
            node = node.value[step]
        elif isinstance(step, str) and step in node.entries():
            node = node.entries()[step]
    return node
