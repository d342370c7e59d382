"""The protocol's result as one page: the published figures beside ours, and what differs."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.figures.verdict_page.page import document
from pipeline.files import published
from pipeline.studies.paper import TABLE_4, beside

COLUMNS = (
    ("stills", "stills", 0), ("au_mse", "AU error²", 3), ("au_mse_12", "of all 12", 3),
    ("read", "read", 2), ("moved", "moved", 2), ("identity", "identity", 3),
    ("background", "background", 4), ("rotation", "rotation °", 2), ("pitch", "pitch °", 2),
)  # fmt: skip
GROUPS = (
    ("by_kind", "Single units and combinations"),
    ("by_unit", "Each unit alone"),
    ("by_level", "By level, single units"),
    ("by_person", "By person"),
)


def write_protocol_page(path: Path, manifest: Mapping[str, Any]) -> Path:
    """Writes the page of a manifest (jobs/studies/protocol.py)."""
    body = "".join((_head(manifest), _table_1(manifest), _table_4(manifest), _differences(manifest),
                    *(_groups(manifest, key, title) for key, title in GROUPS)))  # fmt: skip
    with published(path) as partial:
        partial.write_text(document("Protocol", body), "utf-8")
    return path


def _head(manifest: Mapping[str, Any]) -> str:
    engines = manifest["engines"]
    first = manifest["results"][0]
    return (
        f"<header><h1>{manifest['identities_count']} people × {manifest['cells']} edits</h1>"
        f'<p class="sub">Editor {html.escape(engines["editor"]["name"])} · judge '
        f"{html.escape(engines['AU estimator']['name'])} · seed {manifest['seed']} · "
        f"{first['summary']['all']['stills']} stills a row · combinations "
        f"{html.escape(manifest['combinations']['name'])} "
        f"<code>{manifest['combinations']['sha256'][:12]}</code></p></header>"
    )


def _label(result: Mapping[str, Any]) -> str:
    guidance = result["guidance"]
    step = result.get("checkpoint")
    trained = "" if step is None else f", checkpoint {step}"
    guided = "" if guidance is None else f", guidance {guidance:g}"
    return f"level as {result['mode']}{guided}{trained}"


def _table_1(manifest: Mapping[str, Any]) -> str:
    results = manifest["results"]
    names = [(name, unit, paper) for name, unit, paper, _ in beside(results[0]["summary"]["all"])]
    rows = ""
    for number, (name, unit, paper) in enumerate(names):
        ours = [beside(result["summary"]["all"])[number][3] for result in results]
        rows += _cells([name, unit, f"{paper:.3f}", *(_number(value, 4) for value in ours)])
    heads = ["Table I", "unit of ours", "paper", *map(_label, results)]
    return _section("Beside the paper", _table(heads, rows))


def _table_4(manifest: Mapping[str, Any]) -> str:
    results = [r for r in manifest["results"] if r["guidance"] is not None]
    if not results:
        return ""
    rows = "".join(
        _cells([
            f"{r['guidance']:g}", r["mode"],
            _number(TABLE_4.get(r["guidance"]), 3), _number(r["summary"]["all"]["au_mse"], 3),
            _number(r["summary"]["all"]["identity"], 3),
        ])
        for r in results
    )  # fmt: skip
    heads = ["Guidance", "level as", "paper's AU error²", "ours", "identity"]
    return _section("Table IV: guidance", _table(heads, rows))


def _differences(manifest: Mapping[str, Any]) -> str:
    told = "".join(f"<li>{html.escape(line)}</li>" for line in manifest["differences"])
    return _section("What differs", f"<ul>{told}</ul>")


def _groups(manifest: Mapping[str, Any], key: str, title: str) -> str:
    heads = [_label(manifest["results"][0]), *(heading for _, heading, _ in COLUMNS)]
    rows = "".join(
        _cells([name, *(_number(found[column], digits) for column, _, digits in COLUMNS)])
        for name, found in manifest["results"][0]["summary"][key].items()
    )
    return _section(title, _table(heads, rows))


def _section(title: str, inner: str) -> str:
    return f'<section class="wide"><h2>{html.escape(title)}</h2>{inner}</section>'


def _table(heads: Sequence[str], rows: str) -> str:
    head = "".join(f"<th>{html.escape(text)}</th>" for text in heads)
    return f"<table><tr>{head}</tr>{rows}</table>"


def _cells(texts: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in texts) + "</tr>"


def _number(value: float | None, digits: int) -> str:
    return "—" if value is None else f"{value:,.{digits}f}"
