"""Messages that travel with coded pictures (SEI): captions, dynamic HDR, time codes, user data.

Sources: ITU-T H.264 annex D, ITU-T H.265 annex D (numbers of payload types), ATSC A/53 part 4
(captions), SMPTE ST 2094-40 (HDR10+), Dolby's Vision Bitstreams in ISO BMFF (NAL type 62).
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.media.bitstream.units import (
    H264_SEI,
    HEVC_DOVI_RPU,
    HEVC_PREFIX_SEI,
    UnitFormat,
    escaped,
    unescaped,
)

REGISTERED, UNREGISTERED, TIME_CODE = 4, 5, 136
PER_PICTURE = frozenset((REGISTERED, UNREGISTERED, TIME_CODE))
"""Types that speak of one picture; H.264's picture timing is the encoder's own."""
LASTING = frozenset((45, 47, 147, 148, 149))
"""Types that hold until the next of their kind: stereo packing, orientation, preferred transfer,
ambient light, content colour volume. Mastering display and light level (137, 144) are written by
the encoders."""
X264, X265 = (bytes.fromhex("dc45e9bde6d948b7962cd820d923eeef"),
              bytes.fromhex("2ca2de09b51747dbbb55a4fe7fc2fc4e"))  # fmt: skip
"""What encoders write of themselves; the new encoder says its own."""
ATSC, ATSC_USER_DATA, CAPTIONS, BAR_DATA = b"\xb5\x00\x31", b"GA94", 3, 6
SAMSUNG_HDR = b"\xb5\x00\x3c\x00\x01\x04"
HDR_VIVID = b"\x26\x00\x04\x00\x05"
SPEAKING = {"h264": {H264_SEI}, "hevc": {HEVC_PREFIX_SEI, HEVC_DOVI_RPU}}
"""Kinds of units that hold messages, by codec."""
DOVI_RPU = "Dolby Vision metadata"


@dataclass(frozen=True)
class Message:
    """One message.

    Attributes:
        type: payload type; -1 for a Dolby Vision unit, which is no SEI.
        payload: its bytes, without emulation prevention.
    """

    type: int
    payload: bytes

    @property
    def name(self) -> str:
        """What it is to people."""
        if self.type == -1:
            return DOVI_RPU
        if self.type == REGISTERED:
            return _registered_name(self.payload)
        return NAMES.get(self.type, f"SEI message {self.type}")


NAMES = {
    UNREGISTERED: "user data", TIME_CODE: "time code (SEI)", 45: "stereo packing",
    47: "display orientation", 137: "mastering display", 144: "light level",
    147: "preferred transfer", 148: "ambient light", 149: "content colour volume",
}  # fmt: skip


def _registered_name(payload: bytes) -> str:
    if payload.startswith(ATSC) and payload[3:7] == ATSC_USER_DATA:
        return "closed captions" if payload[7:8] == bytes([CAPTIONS]) else "ATSC user data"
    if payload.startswith(ATSC) and payload[3:7] == b"DTG1":
        return "active format"
    if payload.startswith(SAMSUNG_HDR[:4]):
        return "HDR10+"
    if payload.startswith(HDR_VIVID[:3]):
        return "HDR Vivid"
    return "registered user data"


def messages_of(packet: bytes | memoryview, form: UnitFormat) -> list[Message]:
    """All messages of a packet but what encoders write of themselves, in order."""
    found: list[Message] = []
    for unit in form.units_of(packet, SPEAKING[form.codec]):
        if form.is_sei(unit):
            found += _parse(unescaped(unit)[form.header_bytes :])
        else:
            found.append(Message(-1, unit))
    return [m for m in found if not _is_encoders_own(m)]


def _is_encoders_own(message: Message) -> bool:
    return message.type == UNREGISTERED and message.payload[:16] in (X264, X265)


def _parse(body: bytes) -> list[Message]:
    found: list[Message] = []
    at = 0
    while at + 2 <= len(body) and body[at:] != b"\x80":
        kind, at = _stretched(body, at)
        size, at = _stretched(body, at)
        if at + size > len(body):
            break
        found.append(Message(kind, body[at : at + size]))
        at += size
    return found


def _stretched(body: bytes, at: int) -> tuple[int, int]:
    value = 0
    while at < len(body) and body[at] == 0xFF:
        value, at = value + 255, at + 1
    return (value + body[at], at + 1) if at < len(body) else (value, at)


def with_messages(packet: bytes, form: UnitFormat, messages: list[Message]) -> bytes:
    """A packet that holds these messages before its first slice.

    Messages of per-picture kinds that it held already are replaced, but for the encoder's own.
    """
    units = [u for u in form.split(packet) if not _is_replaced(u, form)]
    first = next((n for n, unit in enumerate(units) if form.is_slice(unit)), len(units))
    added = [_unit(m, form) for m in messages if m.type >= 0]
    rpus = [m.payload for m in messages if m.type == -1]
    return form.join([*units[:first], *added, *units[first:], *rpus])


def _is_replaced(unit: bytes, form: UnitFormat) -> bool:
    if form.codec == "hevc" and form.kind(unit) == HEVC_DOVI_RPU:
        return True
    if not form.is_sei(unit):
        return False
    messages = _parse(unescaped(unit)[form.header_bytes :])
    return bool(messages) and all(
        m.type in PER_PICTURE and not _is_encoders_own(m) for m in messages
    )


def _unit(message: Message, form: UnitFormat) -> bytes:
    head = b"\x06" if form.codec == "h264" else b"\x4e\x01"
    body = _stretch(message.type) + _stretch(len(message.payload)) + message.payload
    return head + escaped(body + b"\x80")


def _stretch(value: int) -> bytes:
    return b"\xff" * (value // 255) + bytes([value % 255])
