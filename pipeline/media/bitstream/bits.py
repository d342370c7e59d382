"""Reading bit by bit."""

from __future__ import annotations


class OutOfBitsError(ValueError):
    """The bytes end before what is read."""


class BitReader:
    """Bits of bytes, most significant first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def position(self) -> int:
        return self._at

    def read(self, count: int) -> int:
        """The next `count` bits as a number.

        Raises:
            OutOfBitsError: there are fewer.
        """
        end = self._at + count
        if end > 8 * len(self._data):
            raise OutOfBitsError(f"bit {end} of {8 * len(self._data)}")
        first, last = self._at // 8, -(-end // 8)
        value = int.from_bytes(self._data[first:last], "big") >> (8 * last - end)
        self._at = end
        return value & ((1 << count) - 1)

    def flag(self) -> bool:
        return bool(self.read(1))

    def unsigned(self) -> int:
        """An Exp-Golomb number (H.264 §9.1)."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > 32:
                raise OutOfBitsError("no number")
        return (1 << zeros) - 1 + self.read(zeros)

    def signed(self) -> int:
        """A signed Exp-Golomb number (H.264 §9.1.1)."""
        value = self.unsigned()
        return (value + 1) // 2 if value & 1 else -(value // 2)
