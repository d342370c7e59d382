"""Which metadata of a container speaks of the footage, and which of the program that wrote it."""

from __future__ import annotations

STALE_TAGS = {
    "ENCODER",
    "SOFTWARE",
    "DURATION",
    "BPS",
    "NUMBER_OF_FRAMES",
    "NUMBER_OF_BYTES",
    "_STATISTICS_WRITING_APP",
    "_STATISTICS_WRITING_DATE_UTC",
    "_STATISTICS_TAGS",
}
"""What the source's muxer or encoder said of its own output; the new muxer says its own."""
BRAND_TAGS = {"MAJOR_BRAND", "MINOR_VERSION", "COMPATIBLE_BRANDS"}
STRUCTURE_TAGS = {"VENDOR_ID", "OPERATIONAL_PATTERN_UL", "UID", "GENERATION_UID", "COMPANY_NAME",
                  "PRODUCT_NAME", "PRODUCT_VERSION_NUM", "PRODUCT_VERSION", "APPLICATION_PLATFORM",
                  "PRODUCT_UID", "TOOLKIT_VERSION_NUM", "MATERIAL_PACKAGE_UMID",
                  "FILE_PACKAGE_UMID", "ALPHA_MODE"}  # fmt: skip
"""How a container is built and by whose library; not what it shows."""
COMPARED_ELSEWHERE = {"TIMECODE", "LANGUAGE"}


def kept_tags(tags: dict[str, str]) -> dict[str, str]:
    """Metadata that is still true of the output."""
    gone = STALE_TAGS | BRAND_TAGS | STRUCTURE_TAGS
    return {k: v for k, v in tags.items() if k.upper() not in gone}


def compared_tags(tags: dict[str, str]) -> dict[str, str]:
    """Of lower-case tags those that two files are compared by."""
    return {k: v for k, v in tags.items() if k.upper() not in COMPARED_ELSEWHERE}
