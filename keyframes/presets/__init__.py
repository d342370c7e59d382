"""Ready-made expressions, one curve file each."""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def known_presets() -> tuple[str, ...]:
    """Names of the packaged curve files, in alphabetical order."""
    files = resources.files(__name__).iterdir()
    return tuple(sorted(f.name[:-5] for f in files if f.name.endswith(".yaml")))


def preset_text(name: str) -> str:
    """The YAML of a preset that is known."""
    return resources.files(__name__).joinpath(f"{name}.yaml").read_text("utf-8")
