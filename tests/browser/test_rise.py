"""Slides in RISE, on a small projector and on a large one: `notebooks/rise.css` does it.

A notebook is gone through key by key, as a speaker does. What is wrong at a step is printed.
"""

from __future__ import annotations

import shutil

import pytest
from conftest import jupyterlab

from course_utils.settings import NOTEBOOKS

SCREENS = [(1_280, 720), (1_920, 1_080)]
SHOWN = ["07_dcn_v2", "13_reinforcement_learning", "18_seminar_ranking"]
STEPS = 400
"""More than any notebook has."""
MEASURE = """
() => {
    const faults = [], seen = new Set();
    const body = 1 / 30, code = 1 / 36, table = 1 / 40;
    const slide = [...document.querySelectorAll('.slides section.present')].at(-1);
    const tell = (fault, e) => {
        const told = `${fault}: ${e.tagName} ${(e.textContent || '').trim().slice(0, 50)}`;
        if (!seen.has(told)) faults.push(told);
        seen.add(told);
    };
    const shown = e => e.checkVisibility({ visibilityProperty: true });
    if (slide.scrollWidth > slide.clientWidth + 1) tell('a horizontal scroll bar', slide);
    const texts = document.createTreeWalker(slide, NodeFilter.SHOW_TEXT);
    for (let text; text = texts.nextNode();) {
        const e = text.parentElement;
        if (!text.data.trim() || !shown(e) || e.closest('mjx-container, svg')) continue;
        const least = e.closest('table') ? table : e.closest('pre, code, .cm-editor') ? code : body;
        const size = parseFloat(getComputedStyle(e).fontSize) / innerHeight;
        if (size < least - 1e-6) tell(`text of 1/${(1 / size).toFixed(1)}`, e);
    }
    for (const e of slide.querySelectorAll('.jp-OutputArea img, .jp-RenderedMarkdown img')) {
        if (!shown(e)) continue;
        const box = e.getBoundingClientRect();
        if (!e.naturalWidth) tell('not loaded', e);
        else if (Math.max(box.width / innerWidth, box.height / innerHeight) < 0.5)
            tell('small figure', e);
    }
    for (const e of document.querySelectorAll('.jp-Notebook-footer, .jp-InputPrompt'))
        if (shown(e)) tell('in the way', e);
    const current = slide.querySelector('.current-fragment');
    const box = current && current.getBoundingClientRect();
    const tall = box && box.height > 0.88 * innerHeight && Math.abs(box.top) < 0.1 * innerHeight;
    if (box && !tall && (box.bottom > 0.97 * innerHeight || box.bottom < 0))
        tell(`ends at ${(box.bottom / innerHeight).toFixed(2)} of the screen`, current);
    return [location.hash, faults];
}
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rise")
    for name in SHOWN:
        shutil.copy(NOTEBOOKS / f"{name}.ipynb", folder)
    shutil.copy(NOTEBOOKS / "rise.css", folder)
    shutil.copytree(NOTEBOOKS / "assets" / "drawings", folder / "assets" / "drawings")
    with jupyterlab(folder) as found:
        yield found


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize(("width", "height"), SCREENS)
def test_every_step_can_be_read_from_the_last_row(browser, address, name, width, height):
    page = browser.new_page(viewport={"width": width, "height": height})
    page.goto(f"{address}/rise/{name}.ipynb")
    page.wait_for_selector(".reveal .slides section.present .jp-Cell", timeout=60_000)
    page.wait_for_selector("#rise-custom-css", state="attached")
    page.wait_for_timeout(2_000)
    faults, last = [], ""
    for _ in range(STEPS):
        page.wait_for_timeout(150)
        where, found = page.evaluate(MEASURE)
        if found:  # something may still move
            page.wait_for_timeout(800)
            where, found = page.evaluate(MEASURE)
        faults += [f"{where}: {fault}" for fault in found]
        if where == last:
            break
        last = where
        page.keyboard.press("Space")
    print("\n".join(faults))
    to_come = page.locator(".reveal .slides > section.future").count()
    page.close()
    assert last != "" and not to_come, f"the walk ended at {last}"
    assert not faults
