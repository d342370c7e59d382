"""A face of one shot as numbers, without any picture: what donors are chosen from."""

import numpy as np

from keyframes.au import AU_COLUMN
from pipeline.edit.lending.track import FaceTrack, ShotEdits
from pipeline.edit.plan import nothing_lent

FRAMES = 100


def face(frames=FRAMES, **columns):
    """At rest, eyes open, seen from the front."""
    known = {
        "track": 0,
        "frame": np.arange(frames),
        "field": np.zeros(frames, np.int8),
        "shot": np.zeros(frames, np.int64),
        "size": np.full(frames, 512),
        "landmarks_px": np.zeros((frames, 68, 2)),
        "skull_px": np.zeros((frames, 13, 2)),
        "pose": np.zeros((frames, 3), np.float32),
        "intensity": np.zeros((frames, 12), np.float32),
        "eyes_open": np.ones((frames, 2), np.float32),
        "is_measured": np.ones(frames, bool),
        "lends": np.ones(frames, bool),
        "is_covered": np.zeros(frames, bool),
        "mouth_is_covered": np.zeros(frames, bool),
        "display_from_crop": np.zeros((frames, 2, 3)),
    }
    return FaceTrack(**known | columns)


def edits(face, lids=0.0, **units):
    """The same change asked of every frame."""
    count = len(face.frame)
    delta = np.zeros((count, 12), np.float32)
    for name, value in units.items():
        delta[:, AU_COLUMN[int(name[2:])]] = value
    rows = np.arange(count)
    shut = np.full((count, 2), lids, np.float32)
    return ShotEdits(face, rows, rows, delta, shut, rows / 25, face.lends & (face.shot == 0))


def columns(face):
    return nothing_lent(len(face.frame))
