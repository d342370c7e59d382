"""The verdict's page: whole in itself, in order, and alive in a real browser."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.figures.verdict_page.charts import MOST_POINTS, Line, chart
from pipeline.figures.verdict_page.index import write_index
from pipeline.figures.verdict_page.page import write_verdict_page
from pipeline.figures.verdict_page.stage import summary_of
from pipeline.quality.clip import Clip
from pipeline.quality.evaluate import ShotVerdict

WIDTHS = (1280, 420)


@pytest.fixture(scope="module")
def page(
    smile: ShotVerdict, plate: Clip, smiling: Clip, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("page") / "shot <1>.qa.html"
    return write_verdict_page(path, smile, plate.inspection, smiling.inspection)


def test_the_page_asks_no_network_for_anything(page: Path):
    text = page.read_text("utf-8")
    assert "default-src 'none'" in text
    assert not re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?(?!data:|\$|\{)(?:https?:)?//", text)
    sources = re.findall(r'<img src="([^"]{5})', text)
    assert sources
    assert set(sources) == {"data:"}
    assert len(text) < 6_000_000


def test_every_finding_stands_on_the_page_and_warnings_come_first(page: Path, smile: ShotVerdict):
    text = page.read_text("utf-8")
    signs = re.findall(r'class="sign (\w+)"', text)
    assert len(signs) == len(smile.findings)
    assert signs == sorted(signs, key=lambda mark: mark != "warn")
    assert "Self-measured" in text
    assert "smiling.mp4" in text
    assert 'class="usual"' in text, "as much as previz is known to make"
    assert "Known gain of previz on drawn faces" in text


def test_a_long_curve_keeps_its_peaks_and_breaks_where_nothing_is_known():
    times = np.arange(20_000) / 25
    values = np.zeros(20_000)
    values[12_345] = 7.0
    values[15_000:16_000] = np.nan
    drawn = chart(times, [Line(values, "achieved")], low=0, high=10, label="x")
    runs = re.findall(r'points="([^"]+)"', drawn)
    assert len(runs) == 2
    assert sum(run.count(",") for run in runs) <= 2 * MOST_POINTS + 4
    assert ",30.0" in drawn, "the peak at 7 of 10"


def test_a_sampled_curve_stays_in_one_piece():
    values = np.full(100, np.nan)
    values[::5] = 1.0
    drawn = chart(np.arange(100) / 25, [Line(values, "x")], low=0, high=2, label="x")
    assert drawn.count("<polyline") == 1


def test_an_index_begins_with_the_shot_that_went_worst(tmp_path: Path):
    """Not with most warnings: one that is eight times beyond its limit comes first."""
    pages = []
    for name, excesses in (("fine", [0.3]), ("three", [1.2, 1.1, 1.3]), ("one", [8.0])):
        found = [
            {"key": "flicker", "mark": "warn" if excess > 1 else "pass", "excess": excess,
             "text": f"{name} & {excess}. Much more of it."}
            for excess in excesses
        ]  # fmt: skip
        warnings = sum(excess > 1 for excess in excesses)
        told = {"warnings": warnings, "findings": found, "worst": max(excesses),
                "identity": {"mean": 0.2}, "au_mse": None}  # fmt: skip
        pages.append(tmp_path / f"{name}.qa.html")
        pages[-1].with_suffix(".json").write_text(json.dumps(told))
    pages.append(tmp_path / "gone.qa.html")
    text = write_index(tmp_path / "qa.html", pages).read_text("utf-8")
    order = re.findall(r'<a href="([\w-]+)\.qa\.html"', text)
    assert order == ["gone", "one", "three", "fine"]
    assert "<b>Flicker</b> · 8.0 × its limit · one &amp; 8.0" in text
    assert text.index("three &amp; 1.3") < text.index("three &amp; 1.2")
    assert "2 want a look" in text
    assert "Much more" not in text, "that is for the shot's own page"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium, driven by Playwright; skipped with a word where either is not here."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright installed")
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no Chromium here; Debian's package `chromium` has one")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def test_an_index_fits_a_telephone_and_shows_each_shot(
    browser: Any, smile: ShotVerdict, page: Path, tmp_path: Path
):
    judged = tmp_path / "a shot of a rather long name, take twelve.qa.html"
    judged.write_text(page.read_text("utf-8"), "utf-8")
    judged.with_suffix(".json").write_text(json.dumps(summary_of(smile, judged)))
    index = write_index(tmp_path / "qa.html", [judged, judged])
    for width in WIDTHS:
        tab = browser.new_page(viewport={"width": width, "height": 900})
        tab.goto(index.as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.evaluate("[...document.images].map(image => image.naturalWidth)") == [224, 224]
        tab.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_a_browser_shows_the_page_without_an_error_a_request_or_a_sideways_scroll(
    browser: Any, page: Path, width: int
):
    tab = browser.new_page(viewport={"width": width, "height": 900})
    told: list[str] = []
    asked: list[str] = []
    tab.on("console", lambda message: told.append(message.text))
    tab.on("pageerror", lambda error: told.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(page.as_uri())
    tab.wait_for_function("() => document.querySelector('.pair img').naturalWidth > 0")
    assert told == []
    assert [url for url in asked if not url.startswith("data:")] == [page.as_uri()]
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    tab.close()


def test_a_moment_that_is_clicked_is_shown(browser: Any, page: Path):
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    tab.goto(page.as_uri())
    jump = tab.locator("[data-frame]").first
    frame = int(jump.get_attribute("data-frame"))
    other = tab.evaluate(
        "f => { const n = shot.stills.findIndex(s => Math.abs(s.frame - f) > 4); show(n);"
        " return shot.stills[n].before; }",
        frame,
    )
    jump.click()
    shown = tab.evaluate("before.src")
    assert shown != other
    nearest = tab.evaluate("f => shot.stills[nearest(f)].before", frame)
    assert shown == nearest
    tab.keyboard.press("ArrowRight")
    tab.locator("[data-mode=wipe]").click()
    assert tab.locator(".pair.wipe").count() == 1
    tab.locator("#play").click()
    before = tab.evaluate("+scrub.value")
    tab.wait_for_function("was => +scrub.value !== was", arg=before)
    tab.close()
