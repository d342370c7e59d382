"""The verdict of one shot as one HTML file: it opens from disk and asks no network for anything."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from pipeline.figures.verdict_page.charts import Line, chart, labelled
from pipeline.figures.verdict_page.images import data_address, heat_jpeg, jpeg_of, picture_of
from pipeline.figures.verdict_page.unit_curves import units_section
from pipeline.files import published
from pipeline.media.read.inspection import Inspection
from pipeline.quality.clip import frame_at
from pipeline.quality.evaluate import ShotVerdict
from pipeline.quality.metric import BY_KEY, METRICS
from pipeline.quality.metrics.identity import MEDIAN_OTHER, NEAREST_OTHER, PAPER_MEAN
from pipeline.quality.question import Question, strongest_frame
from pipeline.quality.verdict import worst_first

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
"""The page itself forbids every request."""
SIGNS = {"pass": "● pass", "warn": "▲ look", "none": "○ said"}
MOST_MOMENTS = 4
STRIPS = (
    ("identity", "identity", None), ("background", "background", None),
    ("rotation", "rotation", None), ("flicker", "warp_after", "warp_before"),
    ("jitter", "jitter_after", "jitter_before"), ("sharpness", "sharpness", None),
    ("seam", "seam", None), ("outside", "outside", None),
)  # fmt: skip
"""Measure, its series, and the plate's own where there is one."""


@dataclass(frozen=True)
class Moment:
    """A frame worth a look, whole, before and after."""

    frame: int
    why: str
    before: bytes
    after: bytes


def page_part(name: str) -> str:
    """A file of this folder as text."""
    return (resources.files("pipeline.figures.verdict_page") / name).read_text("utf-8")


def write_verdict_page(
    path: Path, verdict: ShotVerdict, source: Inspection, output: Inspection
) -> Path:
    """Writes the page.

    Raises:
        MediaError: a frame that no longer decodes.
    """
    moments = worst_moments(verdict, source, output)
    with published(path) as partial:
        partial.write_text(verdict_html(verdict, moments), "utf-8")
    return path


def worst_moments(verdict: ShotVerdict, source: Inspection, output: Inspection) -> list[Moment]:
    """Where the curve asks most, and where the warnings point, each frame once."""
    wanted = {strongest_frame(verdict.requested): "Where most is asked for"}
    for finding in worst_first(verdict.findings):
        if finding.frame >= 0 and finding.mark == "warn":
            wanted.setdefault(finding.frame, f"Worst for: {title_of(finding.key)}")
    return [
        Moment(n, why, jpeg_of(frame_at(source, n)), jpeg_of(frame_at(output, n)))
        for n, why in list(wanted.items())[:MOST_MOMENTS]
    ]


def verdict_html(verdict: ShotVerdict, moments: list[Moment]) -> str:
    """The page's text."""
    name = Path(verdict.output).name
    body = "".join(
        (
            _head(verdict, name),
            _looks(verdict),
            _findings(verdict),
            units_section(verdict),
            _strips(verdict),
            _baselines(verdict),
            _moments(verdict, moments),
            _limits(),
        )
    )
    return document(name, body, _data(verdict))


def document(title: str, body: str, data: str = "") -> str:
    """A whole HTML file around a body; with data also the player's script."""
    script = f'<script id="shot" type="application/json">{data}</script>' if data else ""
    script += f"<script>{page_part('page.js')}</script>" if data else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{page_part('page.css')}</style></head>"
        f"<body><main>{body}</main>{script}</body></html>\n"
    )


def verdict_words(warnings: int, judged: int) -> str:
    """The verdict in a line."""
    if warnings == 0:
        return f"All {judged} checks pass"
    return f"{warnings} of {judged} checks want a look"


def _head(verdict: ShotVerdict, name: str) -> str:
    question = verdict.question
    judged = sum(f.mark != "none" for f in verdict.findings)
    sheet = question.sheet.name if question.sheet else "none (only the picture is judged)"
    badge = "badge warn" if verdict.warnings else "badge"
    caution = f'<p class="caution">{_judges(question)}</p>' if question.sheet else ""
    seconds = float(verdict.times_s[-1] - verdict.times_s[0])
    return (
        f"<header><h1>{html.escape(name)}</h1>"
        f'<span class="{badge}">{verdict_words(verdict.warnings, judged)}</span>'
        f'<p class="sub">Curve {html.escape(sheet)} · editor '
        f"{html.escape(question.editor or 'not known')} · estimator "
        f"{html.escape(question.estimator)} · face {question.face} · "
        f"{len(verdict.times_s)} frames, {seconds:.1f} s</p></header>{caution}"
    )


def _judges(question: Question) -> str:
    """Who judges, and how independent each of them is of the edit."""
    editor, estimator = html.escape(question.editor), html.escape(question.estimator)
    others = (
        "Beside it stand the movement of the points by geometry and a second network's reading of "
        "the expression, which knows no action units."
    )
    if question.is_self_measured:
        return (
            f"<b>Self-measured.</b> The editor {editor} moves the very points that the estimator "
            f"{estimator} reads, and geometry reads the same tracker's points. The second "
            "network's reading of the expression is independent of both."
        )
    planner = question.planner or "mesh"
    if planner == estimator:
        return f"<b>{estimator}</b> planned this edit and reads it as well. {others}"
    return (
        f"Judged by <b>{estimator}</b>; the edit was planned with {html.escape(planner)}. {others}"
    )


def _looks(verdict: ShotVerdict) -> str:
    stills = verdict.series.stills
    if not stills:
        return "<section><h2>Before and after</h2><p>No face was found in this shot.</p></section>"
    heat = data_address(heat_jpeg(verdict.series.heat, picture_of(stills[len(stills) // 2].before)))
    return (
        '<section><h2>Before and after</h2><div class="looks"><div><div class="pair">'
        '<figure><img alt="face before the edit"><figcaption>before</figcaption></figure>'
        '<figure><img alt="face after the edit"><figcaption>after</figcaption></figure></div>'
        '<div class="controls"><button id="play">Play</button>'
        f'<input id="scrub" type="range" min="0" max="{len(stills) - 1}" value="0" '
        'aria-label="moment"><output id="clock"></output>'
        '<button data-mode="side" aria-pressed="true">Side by side</button>'
        '<button data-mode="wipe" aria-pressed="false">Wipe</button></div></div>'
        f'<figure class="heat"><img src="{heat}" alt="where the face was changed">'
        "<figcaption>Where the face was changed, mean over the shot (bright: 24 of 255 levels)"
        "</figcaption></figure></div></section>"
    )


def title_of(key: str) -> str:
    """What a page calls a finding."""
    if key == "au_error":
        return "Other units"
    return BY_KEY[key].title if key in BY_KEY else key


def _findings(verdict: ShotVerdict) -> str:
    rows = ""
    for finding in worst_first(verdict.findings):
        jump = ""
        if finding.frame >= 0:
            time_s = verdict.times_s[finding.frame]
            jump = f'<button class="jump" data-frame="{finding.frame}">{time_s:.2f} s</button>'
        title = title_of(finding.key)
        rows += (
            f'<tr><td><span class="sign {finding.mark}">{SIGNS[finding.mark]}</span></td>'
            f'<td class="name">{title}</td><td class="figure">{html.escape(finding.figure)}</td>'
            f'<td class="text">{html.escape(finding.text)}</td><td>{jump}</td></tr>'
        )
    return f'<section><h2>Verdict</h2><table class="findings">{rows}</table></section>'


def _strips(verdict: ShotVerdict) -> str:
    rows = ""
    for key, after, before in STRIPS:
        lines = [Line(getattr(verdict.series, after), "achieved")]
        if before:
            lines.insert(0, Line(getattr(verdict.series, before), "plate"))
        known = np.concatenate([line.values[np.isfinite(line.values)] for line in lines])
        if not len(known):
            continue
        high = float(known.max()) * 1.1 or 1.0
        mark = {"identity": verdict.identity.own_mean, "sharpness": 1.0}.get(key)
        if mark is not None and np.isfinite(mark):
            high = max(high, 1.1 * mark)
        drawn = chart(verdict.times_s, lines, low=0.0, high=high, mark=mark,
                      label=f"{BY_KEY[key].title} over time")  # fmt: skip
        unit = "8-bit levels" if key == "flicker" else BY_KEY[key].unit
        unit = "outer-eye distances" if key == "jitter" else unit
        rows += labelled(BY_KEY[key].title, unit, drawn, high, 0.0, "strip")
    return (
        "<section><h2>Frame by frame</h2>"
        '<div class="legend"><span><i style="color:var(--after)"></i>edit</span>'
        '<span><i style="color:var(--before)"></i>plate (dashed: its own mean, or 1)</span></div>'
        f"{rows}</section>"
    )


def _baselines(verdict: ShotVerdict) -> str:
    own, floor = verdict.identity, verdict.floor
    nearest = own.nearest_other if np.isfinite(own.nearest_other) else NEAREST_OTHER
    whose = "other faces of this shot" if np.isfinite(own.nearest_other) else "17 people, 17 clips"
    rows = [
        ("Identity distance", f"{own.mean:.2f}", f"{own.own_mean:.2f} (≤ {own.own_worst:.2f})",
         f"{nearest:.2f} nearest ({whose}), {MEDIAN_OTHER} median; paper's mean {PAPER_MEAN}"),
        ("Background error", f"{np.nanmean(verdict.series.background):.4f}",
         f"{floor.background:.4f}" if floor else "not known", "—"),
        ("Worst block outside", f"{np.nanmax(verdict.series.outside):.1f}",
         f"{floor.worst_block:.1f}" if floor else "not known", "—"),
    ]  # fmt: skip
    if np.isfinite(verdict.au_mse):
        rows.append(("AU error, squared", f"{verdict.au_mse:.3f}", "0",
                     "0.261 in the paper, for MagicFace judged by LibreFace"))  # fmt: skip
    cells = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        "<section><h2>Beside two baselines</h2><table><tr><th>Measure</th><th>This edit</th>"
        "<th>The shot against itself</th><th>Somebody or something else</th></tr>"
        f"{cells}</table></section>"
    )


def _moments(verdict: ShotVerdict, moments: list[Moment]) -> str:
    parts = ""
    for moment in moments:
        time_s = verdict.times_s[moment.frame]
        pictures = "".join(
            f'<figure><img src="{data_address(jpeg)}" alt="{when} the edit, whole frame">'
            f"<figcaption>{when}</figcaption></figure>"
            for when, jpeg in (("before", moment.before), ("after", moment.after))
        )
        heading = f"{html.escape(moment.why)} · {time_s:.2f} s · frame {moment.frame}"
        parts += f'<div class="moment"><h3>{heading}</h3>{pictures}</div>'
    return f"<section><h2>Whole frames</h2>{parts}</section>"


def _limits() -> str:
    rows = "".join(
        f"<tr><td>{m.title}</td><td>{html.escape(m.unit)}</td><td>{html.escape(m.range)}</td>"
        f"<td>{html.escape(m.source)}</td><td>{html.escape(m.silent)}</td></tr>"
        for m in METRICS
    )
    return (
        "<section><details><summary>What each measure is, and what it can't say</summary><table>"
        "<tr><th>Measure</th><th>Unit</th><th>Range</th><th>Source</th><th>Can't say</th></tr>"
        f"{rows}</table></details></section>"
    )


def _data(verdict: ShotVerdict) -> str:
    stills = verdict.series.stills
    times = verdict.times_s
    step_s = (times[-1] - times[0]) / max(len(stills) - 1, 1)
    data = {
        "start": float(times[0]),
        "end": float(times[-1]),
        "step_ms": int(np.clip(1000 * step_s, 80, 400)),
        "strongest": strongest_frame(verdict.requested),
        "stills": [
            {
                "frame": still.frame,
                "time": float(times[still.frame]),
                "before": data_address(still.before),
                "after": data_address(still.after),
            }
            for still in stills
        ],
    }
    return json.dumps(data).replace("</", "<\\/") if stills else ""
