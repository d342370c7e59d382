"""From a camera's primaries to BT.709's, both with the white of D65."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

D65 = (0.3127, 0.3290)
BT709 = "bt709"
PRIMARIES: dict[str, tuple[tuple[float, float], ...]] = {
    BT709: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    "bt2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    "s-gamut3": ((0.730, 0.280), (0.140, 0.855), (0.100, -0.050)),
    "s-gamut3.cine": ((0.766, 0.275), (0.225, 0.800), (0.089, -0.087)),
    "arri wide gamut 3": ((0.6840, 0.3130), (0.2210, 0.8480), (0.0861, -0.1020)),
    "arri wide gamut 4": ((0.7347, 0.2653), (0.1424, 0.8576), (0.0991, -0.0308)),
    "v-gamut": ((0.730, 0.280), (0.165, 0.840), (0.100, -0.030)),
    "cinema gamut": ((0.740, 0.270), (0.170, 1.140), (0.080, -0.100)),
    "redwidegamutrgb": ((0.780308, 0.304253), (0.121595, 1.493994), (0.095612, -0.084589)),
}
"""Red, green and blue as CIE x, y, of each maker's paper on its gamut (formulas: see `logs`)."""


@lru_cache(maxsize=16)
def to_709(gamut: str) -> NDArray[Any]:
    """`(3, 3)` float64: linear R, G, B of a gamut → of BT.709; white stays white.

    Source: SMPTE RP 177, derivation of basic television colour equations.
    """
    return np.linalg.inv(_xyz_from(BT709)) @ _xyz_from(gamut)


def _xyz_from(gamut: str) -> NDArray[Any]:
    columns = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in PRIMARIES[gamut]]).T
    x, y = D65
    return columns * np.linalg.solve(columns, np.array([x / y, 1.0, (1 - x - y) / y]))
