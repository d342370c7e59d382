"""Two encoders' pictures in one stream: parameter sets under numbers of their own, in one header.

Pictures name their parameter sets by number, and every encoder begins at 0. So one of the two takes
other numbers, and the stream's header holds the sets of both: no picture of the other is touched,
and a player may begin at any key frame. A number of 15…30 takes nine bits where 0 takes one (H.264
§9.1): a slice's header then grows by exactly a byte, and all that follows stays as it is.

Sources: ITU-T H.264 §7.3.2.1, §7.3.2.2, §7.3.3; ITU-T H.265 §7.3.2.1–§7.3.2.3, §7.3.3, §7.3.6.1;
ISO/IEC 14496-15 §5.3.3.1, §8.3.3.1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.media.bitstream.bits import BitReader, OutOfBitsError
from pipeline.media.bitstream.units import (
    H264_PPS,
    H264_SPS,
    HEVC_PPS,
    HEVC_SPS,
    HEVC_VPS,
    UnitFormat,
    escaped,
    parameter_units,
    unescaped,
    unit_format,
)

A_BYTE_LONGER = range(15, 31)
"""Picture parameter sets whose number is eight bits longer than 0."""
FEW = range(1, 16)
HEVC_PROFILE_BITS, HEVC_LEVEL_AT, HEVC_ARRAYS_AT = 96, 12, 22
COMPLETE = 0x80
"""Of an hvcC's array: no more such sets lie in the packets."""
HEVC_IRAP = range(16, 24)
PLAIN_PROFILES = frozenset((66, 77, 88))
"""Of an avcC: profiles whose record does not end with chroma format and depths."""
HEAD_BYTES = 24
"""Of a slice: its first numbers lie well within."""


class NoNumberError(ValueError):
    """No number is free, or sets that are not as they are written here."""


@dataclass(frozen=True)
class Numbers:
    """What one encoder's parameter sets are to be called; `video` is HEVC's own kind."""

    video: int
    sequence: int
    picture: int


def _kinds(codec: str) -> tuple[int, int, int]:
    return (-1, H264_SPS, H264_PPS) if codec == "h264" else (HEVC_VPS, HEVC_SPS, HEVC_PPS)


PARAMETER_SETS = {codec: frozenset(_kinds(codec)) for codec in ("h264", "hevc")}
"""Kinds of units that are parameter sets."""


def free_numbers(form: UnitFormat, units: Iterable[bytes]) -> Numbers:
    """Numbers that none of these parameter sets has.

    Raises:
        NoNumberError: all are taken, or a set ends before its number.
    """
    video, sequence, picture = _kinds(form.codec)
    taken: dict[int, set[int]] = {video: set(), sequence: set(), picture: set()}
    try:
        for unit in units:
            kind = form.kind(unit)
            if kind in taken:
                taken[kind].add(_number(form, unit))
        return Numbers(
            next(n for n in FEW if n not in taken[video]),
            next(n for n in FEW if n not in taken[sequence]),
            next(n for n in A_BYTE_LONGER if n not in taken[picture]),
        )
    except (OutOfBitsError, StopIteration) as error:
        raise NoNumberError("no number is free for other parameter sets") from error


def has_number(unit: bytes, form: UnitFormat, numbers: Numbers) -> bool:
    """Whether a unit is a parameter set of one of these numbers."""
    kinds = dict(zip(_kinds(form.codec), (numbers.video, numbers.sequence, numbers.picture),
                     strict=True))  # fmt: skip
    kind = form.kind(unit)
    try:
        return kind in kinds and _number(form, unit) == kinds[kind]
    except OutOfBitsError:
        return False


def _number(form: UnitFormat, unit: bytes) -> int:
    bits = BitReader(unescaped(unit)[form.header_bytes :])
    kind = form.kind(unit)
    if kind == HEVC_VPS and form.codec == "hevc":
        return bits.read(4)
    if kind == HEVC_SPS and form.codec == "hevc":
        _skip_profile(bits)
    elif kind == H264_SPS and form.codec == "h264":
        bits.read(24)
    return bits.unsigned()


def _skip_profile(bits: BitReader) -> None:
    """An HEVC sequence's bits before its number, for one sub-layer."""
    bits.read(4)
    sub_layers = bits.read(3)
    bits.read(1 + HEVC_PROFILE_BITS)
    if sub_layers:
        flags = [(bits.flag(), bits.flag()) for _ in range(8)][:sub_layers]
        for profile, level in flags:
            bits.read(88 * profile + 8 * level)


def renumbered(packet: bytes, form: UnitFormat, numbers: Numbers) -> bytes:
    """A packet whose pictures and parameter sets use other numbers; they must have been 0.

    Raises:
        NoNumberError: they were not 0.
    """
    return form.join([renumbered_unit(unit, form, numbers) for unit in form.split(packet)])


def renumbered_unit(unit: bytes, form: UnitFormat, numbers: Numbers) -> bytes:
    """One unit with other numbers; itself where it holds none."""
    try:
        if form.is_slice(unit):
            return _slice(unit, form, numbers)
        if form.kind(unit) in _kinds(form.codec):
            return _set(unit, form, numbers)
    except OutOfBitsError as error:
        raise NoNumberError("a unit ends before its number") from error
    return unit


def _slice(unit: bytes, form: UnitFormat, numbers: Numbers) -> bytes:
    """Only the head is written anew: behind a byte that is neither 0 nor an escape, no byte depends
    on those before it."""
    cut = HEAD_BYTES
    while cut < len(unit) and unit[cut - 1] in (0, 3):
        cut += 1
    head, tail = unescaped(unit[:cut]), unit[cut:]
    bits = BitReader(head[form.header_bytes :])
    if form.codec == "h264":
        bits.unsigned()
        bits.unsigned()
    else:
        bits.read(1 + (form.kind(unit) in HEVC_IRAP))
    at = 8 * form.header_bytes + bits.position
    if bits.unsigned():
        raise NoNumberError("pictures of another parameter set than 0")
    text = _text(head)
    changed = text[:at] + _unsigned(numbers.picture) + text[at + 1 :]
    return escaped(_bytes(changed)) + tail


def _set(unit: bytes, form: UnitFormat, numbers: Numbers) -> bytes:
    raw = unescaped(unit)
    head, body = raw[: form.header_bytes], raw[form.header_bytes :]
    text = _text(body).rstrip("0")[:-1]  # without the bit that ends it
    bits = BitReader(body)
    kind, (video, sequence, _) = form.kind(unit), _kinds(form.codec)
    if kind == video:
        changed = f"{numbers.video:04b}" + text[4:]
    elif kind == sequence:
        changed = _sequence(text, bits, form, numbers)
    else:
        first = bits.unsigned()
        second = bits.unsigned()
        if first or second:
            raise NoNumberError("a parameter set of another number than 0")
        both = _unsigned(numbers.picture) + _unsigned(numbers.sequence)
        changed = both + text[bits.position :]
    return escaped(head + _bytes(changed + "1"))


def _sequence(text: str, bits: BitReader, form: UnitFormat, numbers: Numbers) -> str:
    if form.codec == "h264":
        bits.read(24)
    else:
        _skip_profile(bits)
        text = f"{numbers.video:04b}" + text[4:]
    at = bits.position
    if bits.unsigned():
        raise NoNumberError("a parameter set of another number than 0")
    return text[:at] + _unsigned(numbers.sequence) + text[at + 1 :]


def _text(data: bytes) -> str:
    return f"{int.from_bytes(data, 'big'):0{8 * len(data)}b}"


def _bytes(text: str) -> bytes:
    padded = text + "0" * (-len(text) % 8)
    return int(padded, 2).to_bytes(len(padded) // 8, "big")


def _unsigned(value: int) -> str:
    """An Exp-Golomb number (H.264 §9.1)."""
    digits = f"{value + 1:b}"
    return "0" * (len(digits) - 1) + digits


def merged_header(codec: str, source: bytes, added: bytes, numbers: Numbers) -> bytes:
    """A stream's header (avcC, hvcC) with the source's sets, and another encoder's renumbered.

    Args:
        source: the source's, whose word on profile counts.
        added: of the encoder whose packets are renumbered.
    Raises:
        NoNumberError: it is no such record, or the encoder's sets are not numbered 0.
    """
    form = unit_format(codec, added)
    if form is None or not form.length_bytes or len(source) < HEVC_ARRAYS_AT // 3:
        raise NoNumberError("no record of parameter sets")
    ours = [renumbered_unit(u, form, numbers) for u in parameter_units(codec, added)]
    theirs = parameter_units(codec, source)
    if codec == "h264":
        return _avcc(source, added, form, [*theirs, *ours])
    return _hvcc(source, added, form, [*theirs, *ours])


def _avcc(source: bytes, added: bytes, form: UnitFormat, units: list[bytes]) -> bytes:
    level = max(source[3], added[3])
    lengths = 0xFC | (form.length_bytes - 1)
    record = bytearray((1, source[1], source[2] & added[2], level, lengths))
    for kind, mask in ((H264_SPS, 0xE0), (H264_PPS, 0)):
        sets = [u for u in units if form.kind(u) == kind]
        record.append(mask | len(sets))
        record += b"".join(len(u).to_bytes(2, "big") + u for u in sets)
    return bytes(record) + _depths(source, added)


def _depths(source: bytes, added: bytes) -> bytes:
    """Chroma format and depths, where the source's profile is one that tells them."""
    if source[1] in PLAIN_PROFILES:
        return b""
    for record in (source, added):
        at = 5
        for mask in (0x1F, 0xFF):
            count, at = record[at] & mask, at + 1
            for _ in range(count):
                at += 2 + int.from_bytes(record[at : at + 2], "big")
        if record[1] not in PLAIN_PROFILES and len(record) >= at + 4:
            return record[at : at + 3] + b"\0"
    return b""


def _hvcc(source: bytes, added: bytes, form: UnitFormat, units: list[bytes]) -> bytes:
    record = bytearray(source[:HEVC_ARRAYS_AT])
    record[HEVC_LEVEL_AT] = max(source[HEVC_LEVEL_AT], added[HEVC_LEVEL_AT])
    record[21] = record[21] & ~3 | form.length_bytes - 1
    sets = {kind: [u for u in units if form.kind(u) == kind] for kind in _kinds("hevc")}
    record.append(len(sets))
    for kind, found in sets.items():
        record += bytes((COMPLETE | kind,)) + len(found).to_bytes(2, "big")
        record += b"".join(len(u).to_bytes(2, "big") + u for u in found)
    return bytes(record)
