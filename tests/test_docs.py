"""Pages name files that are there and options that commands take."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
ROOMS = ("keyframes/", "engines/", "pipeline/", "jobs/", "tests/", "docs/")


def named_files(page: Path) -> set[str]:
    """Paths below our rooms in a page's code words, and what its links lead to."""
    text = page.read_text("utf-8")
    words = {
        word.strip(".,;:()") for code in re.findall(r"`([^`\n]+)`", text) for word in code.split()
    }
    inside = {word for word in words if word.startswith(ROOMS) and "NAME" not in word}
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text)
    return inside | {str((page.parent / link).relative_to(ROOT)) for link in links}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_is_there(page: Path):
    lost = [name for name in sorted(named_files(page)) if not list(ROOT.glob(name.rstrip("/")))]
    assert lost == []


def test_the_pages_name_files_at_all():
    assert len(named_files(ROOT / "docs/architecture.md")) > 40


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_uses_the_old_name_of_an_option(page: Path):
    assert "--engine " not in page.read_text("utf-8")


def test_the_architecture_page_has_a_line_for_every_room():
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    rooms = {p.parent for room in ROOMS[:4] for p in (ROOT / room).glob("*/__init__.py")}
    absent = [str(room.relative_to(ROOT)) for room in rooms if f"`{room.name}/`" not in page]
    assert sorted(absent) == []
