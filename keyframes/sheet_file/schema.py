"""The published JSON Schema of curve files, for editors that complete and check YAML.

Loading does not use it: the reader knows more, and takes spellings that a schema would refuse. That
the two agree is a test.
"""

from __future__ import annotations

from importlib import resources

SCHEMA_FILE = "aureel-curve-1.schema.json"


def schema_text() -> str:
    """The schema, as editors want it."""
    return resources.files("keyframes.sheet_file").joinpath(SCHEMA_FILE).read_text("utf-8")
