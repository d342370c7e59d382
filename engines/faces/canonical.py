"""The canonical face of MediaPipe's geometry metadata, and what the trackers share about poses."""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.devices.litert import packaged_task
from engines.errors import EngineError

TASK = "face_landmarker.task"
_METADATA = "geometry_pipeline_metadata_landmarks.binarypb"


@dataclass(frozen=True)
class CanonicalFace:
    """A face at rest.

    Attributes:
        points_cm: `(468, 3)` float64, x to the viewer's right, y up, the nose towards +z.
        weights: `(468,)` float64, how much a point counts when a pose is fitted; 33 are not 0.
    """

    points_cm: NDArray[np.float64]
    weights: NDArray[np.float64]


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
        if key & 7 == 2:
            size, at = _varint(message, at)
        elif key & 7 == 5:
            size = 4
        else:
            raise EngineError(f"{TASK}: {_METADATA} holds wire type {key & 7}; expected 0, 2 or 5")
        yield key >> 3, message[at : at + size]
        at += size


def _floats(message: bytes, number: int) -> list[float]:
    """An unpacked repeated float field."""
    parts = [v for n, v in _fields(message) if n == number and isinstance(v, bytes)]
    return [struct.unpack("<f", part)[0] for part in parts]


@functools.cache
def canonical_face() -> CanonicalFace:
    """Read from the packaged task file, once per process."""
    with packaged_task(TASK) as task:
        message = task.read(_METADATA)
    weights = np.zeros(468)
    points = np.zeros((0, 3))
    for number, value in _fields(message):
        if number == 1 and isinstance(value, bytes):
            points = np.array(_floats(value, 3)).reshape(468, 5)[:, :3]
        elif number == 2 and isinstance(value, bytes):
            entry = dict(_fields(value))
            (weights[int(entry[1])],) = _floats(value, 2)
    return CanonicalFace(points, weights)
