"""Makes engines/faces/canonical_face.npz of the geometry metadata in MediaPipe's face task.

    python -m tests.engines.faces.make_canonical_face

The metadata is a protobuf message; its few fields are read here, so that nothing at run time needs
protobuf or a reader of its own. The same task file gives the same bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.devices.litert import packaged_task

TASK = "face_landmarker.task"
METADATA = "geometry_pipeline_metadata_landmarks.binarypb"
POINTS = 468


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers and values of a protobuf message: varints, 32 bits, or bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        if key & 7 == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if key & 7 not in (2, 5):
            raise ValueError(f"{METADATA} holds wire type {key & 7}; expected 0, 2 or 5")
        size, at = _varint(message, at) if key & 7 == 2 else (4, at)
        yield key >> 3, message[at : at + size]
        at += size


def _floats(message: bytes, number: int) -> list[float]:
    """An unpacked repeated float field."""
    parts = [v for n, v in _fields(message) if n == number and isinstance(v, bytes)]
    return [struct.unpack("<f", part)[0] for part in parts]


def canonical_arrays() -> dict[str, NDArray[np.float32]]:
    """`points_cm` `(468, 3)` and `weights` `(468,)`: the mesh at rest and the pose's weights."""
    with packaged_task(TASK) as task:
        message = task.read(METADATA)
    weights = np.zeros(POINTS, np.float32)
    points = np.zeros((0, 3), np.float32)
    for number, value in _fields(message):
        if number == 1 and isinstance(value, bytes):  # x, y, z, u, v of each vertex
            points = np.array(_floats(value, 3), np.float32).reshape(POINTS, 5)[:, :3]
        elif number == 2 and isinstance(value, bytes):
            entry = dict(_fields(value))
            (weights[int(entry[1])],) = _floats(value, 2)
    return {"points_cm": points, "weights": weights}


if __name__ == "__main__":
    target = Path(str(resources.files("engines.faces"))) / "canonical_face.npz"
    np.savez_compressed(target, **canonical_arrays())
