"""What is known of each face in each frame: the one list of the face table's columns."""

from __future__ import annotations

import numpy as np

from engines.hands.finder import HANDS_MAX, POINTS
from keyframes.au import AU_NAMES, LID_NAMES
from pipeline.columns import Column, Columns
from pipeline.faces.cuts import SIGNATURE_VALUES

FACE_COLUMNS: Columns = {
    "frame": Column((), np.int64),
    "field": Column((), np.int8),
    "track": Column((), np.int64),
    "score": Column((), np.float32),
    "pose": Column((3,), np.float32, ("yaw", "pitch", "roll")),
    "intensity": Column((len(AU_NAMES),), np.float32, AU_NAMES),
    "lids": Column((len(LID_NAMES),), np.float32, LID_NAMES),
    "box": Column((4,), np.float32, ("x0", "y0", "x1", "y1")),
    "bridged": Column((), np.bool_),
    "landmarks_px": Column((68, 2), np.float32),
    "hands_px": Column((HANDS_MAX, POINTS, 2), np.float32),
}
"""In the order of the public table (table.py); `Analysis` has an attribute for each."""
SEEN = ("frame", "field", "score", "pose", "box", "landmarks_px", "hands_px")
"""Those a tracker sees in a frame; linking and measuring over the whole video give the others."""
CARRIED = (*SEEN[2:], "features")
"""What is carried over short gaps."""
SIGNATURE = Column((SIGNATURE_VALUES,), np.uint8)
"""A frame's thumbnail."""
CHUNK_ARRAYS = (*SEEN, "features", "signatures", "in_fields", "steps")
"""What lies in a chunk file; the width of `features` is the AU estimator's own."""
