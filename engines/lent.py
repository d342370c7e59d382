"""What other frames of the same shot lend to a crop, for editors that borrow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LentMouth:
    """A mouth that another frame of the same shot shows, for an editor that borrows.

    Attributes:
        frame: number of that frame.
        image: `(P, P, 3)`, dtype and scale as the crops', around its mouth.
        landmarks_px: `(68, 2)` float32 of its face, patch pixels.
        crop_from_patch: `(2, 3)` float64: a place on the skull, patch → crop.
        weight: how much of it shows, 0…1.
    """

    frame: int
    image: NDArray[Any]
    landmarks_px: NDArray[np.float32]
    crop_from_patch: NDArray[np.float64]
    weight: float


FOLD_GROUPS: tuple[tuple[int, ...], ...] = ((1, 2), (4,), (9,), (12,), (15,), (17,), (20,))
"""Action units that fold skin, those together that fold the same."""
PERSONAL_GROUPS: tuple[tuple[int, ...], ...] = ((1, 2), (12,), (25, 26))
"""Action units that a shot can show a person to have of their own; those that come together move
as one, for nothing tells them apart. The others are the rig's: AU6, AU9 and AU20 are hardly read, a
smile reads as AU17, trackers see a known AU4 bent as far as a person could, AU5 is mostly a lid's,
and AU15 is weak."""
OWN, RIG = "own", "rig"
"""Whose units an editor that borrows moves a face by."""
LID_LEVELS = 4
"""Frames of a shot that lend their eyes, from open to shut, at most."""


@dataclass(frozen=True)
class LentEyes:
    """Eyes that another frame of the same shot shows more shut, for an editor that borrows.

    Attributes:
        frame: number of that frame.
        image: `(P, P, 3)`, dtype and scale as the crops', around its eyes and brows.
        landmarks_px: `(68, 2)` float32 of its face, patch pixels.
        pose: `(3,)` float32 yaw, pitch, roll in degrees.
        eyes_open: `(2,)` float32 0…1 of wide awake, in the order of LID_NAMES.
    """

    frame: int
    image: NDArray[Any]
    landmarks_px: NDArray[np.float32]
    pose: NDArray[np.float32]
    eyes_open: NDArray[np.float32]


@dataclass(frozen=True)
class Lent:
    """What other frames of the same shot lend to one crop.

    Attributes:
        mouth: the inside of a mouth, or None.
        folds: `(352, 352)` float32 on the skin's own chart (engines/editors/plate/skin.py): the
            log of how much lighter a fold makes the skin, or None.
        eyes: frames that show them more shut, from open to shut.
        eyes_open: `(2,)` float32, as in LentEyes, of the crop itself.
        person: `(3, P, 2)` float32, how the person's own units differ from the rig's, per group of
            PERSONAL_GROUPS and point (engines/editors/rig/person.py), or None.
    """

    mouth: LentMouth | None = None
    folds: NDArray[np.float32] | None = None
    eyes: tuple[LentEyes, ...] = ()
    eyes_open: NDArray[np.float32] | None = None
    person: NDArray[np.float32] | None = None
