"""The field flags of MPEG-2 pictures. Source: ITU-T H.262 §6.2.3.1, §6.3.10."""

from __future__ import annotations

from dataclasses import dataclass

PICTURE, EXTENSION = b"\0\0\1\0", b"\0\0\1\xb5"
SEQUENCE_EXTENSION, CODING_EXTENSION = 1, 8


@dataclass(frozen=True)
class FieldFlags:
    """How a picture is shown in fields.

    Attributes:
        top_first: its top field comes first.
        repeat_first: its first field is shown again (film in 60 fields).
        progressive: its fields are of one instant.
    """

    top_first: bool
    repeat_first: bool
    progressive: bool


def _coding_extension(packet: bytes) -> int:
    """Where the picture coding extension's content begins; -1 without one."""
    at = packet.find(EXTENSION)
    while at >= 0 and at + 9 <= len(packet):
        if packet[at + 4] >> 4 == CODING_EXTENSION:
            return at + 4
        at = packet.find(EXTENSION, at + 4)
    return -1


def field_flags(packet: bytes) -> FieldFlags | None:
    """The flags of a packet's picture; None where it has none."""
    at = _coding_extension(packet)
    if at < 0:
        return None
    return FieldFlags(
        bool(packet[at + 3] & 0x80), bool(packet[at + 3] & 0x02), bool(packet[at + 4] & 0x80)
    )


def repeats_field(packet: bytes) -> bool:
    """Whether a picture's first field is shown again."""
    flags = field_flags(packet)
    return flags is not None and flags.repeat_first


def shows_fields(packet: bytes) -> bool:
    """Whether the sequence that a packet begins is shown in fields, progressive frames or not."""
    at = packet.find(EXTENSION)
    while at >= 0 and at + 6 <= len(packet):
        if packet[at + 4] >> 4 == SEQUENCE_EXTENSION:
            return not packet[at + 5] & 0x08  # progressive_sequence
        at = packet.find(EXTENSION, at + 4)
    return False


def with_field_flags(packet: bytes, flags: FieldFlags) -> bytes:
    """The packet with other flags; its sequence must be one that is shown in fields."""
    at = _coding_extension(packet)
    if at < 0:
        return packet
    changed = bytearray(packet)
    chroma_420_type = flags.progressive
    changed[at + 3] = (
        changed[at + 3] & ~0x83 | flags.top_first << 7 | flags.repeat_first << 1 | chroma_420_type
    )
    changed[at + 4] = changed[at + 4] & ~0x80 | flags.progressive << 7
    return bytes(changed)
