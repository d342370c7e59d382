"""The index of a batch: its shots by what went worst, each linked to its page."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipeline.figures.verdict_page.page import document, title_of, verdict_words
from pipeline.files import published, read_json

SHOWN = 3
"""Warnings named in a row."""


def write_index(path: Path, pages: Sequence[Path]) -> Path:
    """Writes the index of verdict pages, the shot that went worst first; of each warning its first
    sentence, the rest is on the shot's own page.

    Worst is what is furthest beyond its own limit, by a shot's worst finding.

    Args:
        path: the index; the pages are linked relative to its folder where they lie within it.
        pages: `.html`, each with its `.json` beside it; one that is not readable is listed as such.
    """
    rows = sorted(
        ((page, read_json(page.with_suffix(".json"))) for page in pages), key=_worst_first
    )
    warned = sum(bool(found and found["warnings"]) for _, found in rows)
    body = (
        f"<header><h1>{len(rows)} shots</h1>"
        f'<span class="badge{" warn" if warned else ""}">{warned} want a look</span></header>'
        '<section><table class="shots"><tr class="hide"><th>Shot</th><th></th><th>Verdict</th>'
        "<th>What went worst</th><th>Identity</th><th>AU error²</th></tr>"
        f"{''.join(_row(path.parent, page, found) for page, found in rows)}</table></section>"
    )
    with published(path) as partial:
        partial.write_text(document(f"{len(rows)} shots", body), "utf-8")
    return path


def _worst_first(row: tuple[Path, Any]) -> tuple[float, float, str]:
    page, found = row
    if not found:
        return (-float("inf"), 0.0, page.name)
    return (-found["worst"], -found["warnings"], page.name)


def _row(folder: Path, page: Path, found: Any) -> str:
    inside = page.parent == folder or folder in page.parents
    link = quote(str(page.relative_to(folder))) if inside else page.as_uri()
    name = f'<a href="{link}">{html.escape(page.name.removesuffix(".qa.html"))}</a>'
    if not found:
        return f"<tr><td>{name}</td><td></td><td>no verdict</td><td></td></tr>"
    judged = sum(f["mark"] != "none" for f in found["findings"])
    kind = "warn" if found["warnings"] else "pass"
    warned = [f for f in found["findings"] if f["mark"] == "warn"]
    worst = sorted(warned, key=lambda f: -f["excess"])[:SHOWN]
    mse = found["au_mse"]
    return (
        f'<tr><td class="name">{name}</td><td>{_thumb(found)}</td><td><span class="sign {kind}">'
        f"{verdict_words(found['warnings'], judged)}</span></td>"
        f'<td class="text">{"".join(map(_finding, worst)) or "—"}</td>'
        f'<td class="hide">{_number(found["identity"]["mean"], 2)}</td>'
        f'<td class="hide">{_number(mse, 2)}</td></tr>'
    )


def _finding(finding: Any) -> str:
    far = f"{finding['excess']:.1f} × its limit"
    return (
        f'<p class="worst"><b>{html.escape(title_of(finding["key"]))}</b> · {far} · '
        f"{html.escape(finding['text'].partition('. ')[0].rstrip('.'))}.</p>"
    )


def _thumb(found: Any) -> str:
    """Before and after, small, where most is asked for."""
    address = found.get("thumb")
    return f'<img class="thumb" src="{address}" alt="before and after">' if address else ""


def _number(value: float | None, digits: int) -> str:
    return "—" if value is None else f"{value:.{digits}f}"
