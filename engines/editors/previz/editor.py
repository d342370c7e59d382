"""The preview editor: a warp of the crop on a CPU that shows timing and direction of all units.

A preview, not a result: it has no wrinkles, no teeth and no skin of its own.
"""

from __future__ import annotations

from typing import ClassVar

from engines.editors.rig.editor import RigEditor


class PrevizEditor(RigEditor):
    """The rig and nothing else; engines/editors/rig/ has what moves where."""

    name: ClassVar[str] = "previz"
