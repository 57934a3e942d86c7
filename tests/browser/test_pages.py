"""The site in a browser, as wide as a laptop and as wide as a phone."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from course_utils.authoring import publish, readme, run, site

pytestmark = pytest.mark.filterwarnings("ignore:.*Check CHANGES for Sphinx API")  # myst-parser's

WIDE = """
() => [...document.querySelectorAll('body *')]
    .filter(e => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 1)
    .filter(e => {
        for (let p = e.parentElement; p; p = p.parentElement)
            if (['auto', 'scroll', 'hidden'].includes(getComputedStyle(p).overflowX)) return false;
        return true;
    })
    .map(e => `${e.tagName}.${e.className}`)
"""
"""What stands out of the window and is not in something that scrolls by itself."""
MATHEMATICS = """
() => ['span.math, div.math', 'mjx-container', 'mjx-merror']
    .map(found => document.querySelectorAll(found).length)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return site.build(tmp_path_factory.mktemp("site") / "made").parent


def opened(browser, folder: Path, name: str, width: int) -> Page:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto((folder / f"{name}.html").as_uri())
    page.wait_for_function(f"() => {{ const [a, b] = ({MATHEMATICS})(); return a === b }}")
    return page


@pytest.mark.parametrize("width", [1_280, 390])
@pytest.mark.parametrize("name", ["index", readme.RESULTS.stem, *readme.written()])
def test_a_page_is_whole_and_no_wider_than_the_window(browser, folder, name, width):
    asked: list[str] = []
    page = opened(browser, folder, name, width)
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    page.wait_for_function(f"() => {{ const [a, b] = ({MATHEMATICS})(); return a === b }}")
    assert page.evaluate(MATHEMATICS)[2] == 0
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(WIDE) == []
    assert all(address.startswith(("file:", "data:")) for address in asked)
    page.close()


def test_a_figure_grows_and_shrinks(browser, folder):
    page = opened(browser, folder, "08_ple", 1_280)
    figure = page.locator("div.cell_output img").first
    before = figure.bounding_box()["width"]
    figure.click()
    shown = page.locator("dialog.figure img")
    assert shown.bounding_box()["width"] > 1.3 * before
    shown.click()
    assert page.locator("dialog.figure").count() == 0
    page.close()


def test_the_search_finds_a_word(browser, folder):
    page = browser.new_page()
    page.goto((folder / "search.html").as_uri() + "?q=satiation")
    page.wait_for_selector("ul.search li a")
    page.close()


def test_the_page_of_a_run_needs_no_network(browser, tmp_path):
    asked: list[str] = []
    (tmp_path / "mathjax.js").write_bytes(run.mathjax() or b"")
    html = run.as_page(publish.read_built("07_dcn_v2"), "mathjax.js")
    (tmp_path / "page.html").write_text(html, encoding="utf-8")
    page = browser.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "page.html").as_uri())
    page.locator("mjx-container").nth(20).wait_for()
    assert page.locator("mjx-merror").count() == 0
    whole = "() => [...document.images].every(image => image.complete && image.naturalWidth > 0)"
    assert page.locator("img").count() > 5 and page.evaluate(whole)
    assert all(address.startswith(("file:", "data:")) for address in asked), asked
    assert page.evaluate("() => [...document.images].every(image => image.alt.length > 60)")
    page.close()
