"""Packets of H.264 and HEVC as NAL units, and back.

Sources: ITU-T H.264 §7.3.1 and annex B, ITU-T H.265 §7.3.1 and annex B, ISO/IEC 14496-15 §5.3.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

START_CODE = b"\0\0\0\1"
H264_SEI, H264_SPS, H264_PPS = 6, 7, 8
HEVC_VPS, HEVC_SPS, HEVC_PPS, HEVC_PREFIX_SEI, HEVC_DOVI_RPU, HEVC_DOVI_EL = 32, 33, 34, 39, 62, 63
IDR_KINDS = {"h264": (5,), "hevc": (19, 20)}
HEVC_EL_LAYER_SHIFT = 3
MARKS = {name: head + b"aureel: the source's own" for name, head in
         (("h264", b"\x0c"), ("hevc", b"\x4c\x01"))}  # fmt: skip
"""A unit of filler data, alone in a packet of a piece: the source's own packet goes there."""


@dataclass(frozen=True)
class UnitFormat:
    """How a stream's packets hold their units.

    Attributes:
        codec: `h264` or `hevc`.
        length_bytes: of the length before each unit; 0 where start codes stand there.
    """

    codec: str
    length_bytes: int

    def kind(self, unit: bytes) -> int:
        """nal_unit_type."""
        if not unit:
            return -1
        return unit[0] & 0x1F if self.codec == "h264" else unit[0] >> 1 & 0x3F

    def units_of(self, packet: bytes | memoryview, kinds: Set[int]) -> list[bytes]:
        """A packet's units of some kinds (nal_unit_type), in order; all others are passed over."""
        if not self.length_bytes:
            return [u for u in _by_start_code(bytes(packet)) if self.kind(u) in kinds]
        found: list[bytes] = []
        at, size, end, is_h264 = 0, self.length_bytes, len(packet), self.codec == "h264"
        while at + size < end:
            length, at = int.from_bytes(packet[at : at + size], "big"), at + size
            head = packet[at]
            if length and (head & 0x1F if is_h264 else head >> 1 & 0x3F) in kinds:
                found.append(bytes(packet[at : at + length]))
            at += length
        return found

    def is_slice(self, unit: bytes) -> bool:
        """Whether a unit holds picture samples."""
        kind = self.kind(unit)
        return 1 <= kind <= 5 if self.codec == "h264" else 0 <= kind <= 31

    def is_sei(self, unit: bytes) -> bool:
        """Whether a unit holds messages about the picture that follows."""
        return self.kind(unit) == (H264_SEI if self.codec == "h264" else HEVC_PREFIX_SEI)

    @property
    def header_bytes(self) -> int:
        return 1 if self.codec == "h264" else 2

    def split(self, packet: bytes) -> list[bytes]:
        """The units of a packet, without lengths or start codes."""
        return _by_start_code(packet) if not self.length_bytes else self._by_length(packet)

    def opens_sequence(self, packet: bytes | memoryview) -> bool:
        """Whether a packet's first picture is one that nothing after it looks back beyond (IDR)."""
        at, size = 0, self.length_bytes
        while size and at + size < len(packet):
            length = int.from_bytes(packet[at : at + size], "big")
            head = bytes(packet[at + size : at + size + 1])
            if self.is_slice(head):
                return self.kind(head) in IDR_KINDS[self.codec]
            at += size + length
        return False

    def is_mark(self, packet: bytes) -> bool:
        """Whether a packet stands for the source's own."""
        mark = MARKS[self.codec]
        return len(packet) < 2 * len(mark) and self.split(packet) == [mark]

    def _by_length(self, packet: bytes) -> list[bytes]:
        units: list[bytes] = []
        at = 0
        while at + self.length_bytes <= len(packet):
            length = int.from_bytes(packet[at : at + self.length_bytes], "big")
            at += self.length_bytes
            units.append(packet[at : at + length])
            at += length
        return units

    def join(self, units: list[bytes]) -> bytes:
        """A packet of these units."""
        if not self.length_bytes:
            return b"".join(START_CODE + unit for unit in units)
        return b"".join(len(unit).to_bytes(self.length_bytes, "big") + unit for unit in units)


def unit_format(codec: str, extradata: bytes | None) -> UnitFormat | None:
    """How packets of a stream hold units, by its parameter sets; None for other codecs."""
    if codec not in ("h264", "hevc"):
        return None
    record = extradata or b""
    length_at = 4 if codec == "h264" else 21
    in_record = len(record) > length_at + 1 and record[0] == 1 and record[:3] != b"\0\0\1"
    return UnitFormat(codec, (record[length_at] & 3) + 1 if in_record else 0)


def parameter_units(codec: str, extradata: bytes | None) -> list[bytes]:
    """The parameter sets a stream's header holds."""
    form = unit_format(codec, extradata)
    record = extradata or b""
    if form is None or not record:
        return []
    if not form.length_bytes:
        return _by_start_code(record)
    return _avcc_units(record) if codec == "h264" else _hvcc_units(record)


def _avcc_units(record: bytes) -> list[bytes]:
    units: list[bytes] = []
    at = 5
    for mask in (0x1F, 0xFF):
        if at >= len(record):
            break
        count, at = record[at] & mask, at + 1
        for _ in range(count):
            length = int.from_bytes(record[at : at + 2], "big")
            units.append(record[at + 2 : at + 2 + length])
            at += 2 + length
    return units


def _hvcc_units(record: bytes) -> list[bytes]:
    units: list[bytes] = []
    at = 23
    for _ in range(record[22] if len(record) > 22 else 0):
        count, at = int.from_bytes(record[at + 1 : at + 3], "big"), at + 3
        for _ in range(count):
            length = int.from_bytes(record[at : at + 2], "big")
            units.append(record[at + 2 : at + 2 + length])
            at += 2 + length
    return units


def _by_start_code(data: bytes) -> list[bytes]:
    units: list[bytes] = []
    start = data.find(b"\0\0\1")
    while start >= 0:
        following = data.find(b"\0\0\1", start + 3)
        unit = data[start + 3 : following if following >= 0 else len(data)]
        unit = unit.rstrip(b"\0")
        if unit:
            units.append(unit)
        start = following
    return units


def unescaped(unit: bytes) -> bytes:
    """A unit's bytes without emulation prevention (H.264 §7.4.1.1)."""
    if b"\0\0\3" not in unit:
        return unit
    clean = bytearray()
    zeros = 0
    for byte in unit:
        if zeros >= 2 and byte == 3:
            zeros = 0
            continue
        clean.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(clean)


def escaped(unit: bytes) -> bytes:
    """A unit's bytes with emulation prevention."""
    safe = bytearray()
    zeros = 0
    for byte in unit:
        if zeros >= 2 and byte <= 3:
            safe.append(3)
            zeros = 0
        safe.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(safe)
