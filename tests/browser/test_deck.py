"""Every slide of every deck in a browser, on a small projector and on a large one.

A deck is loaded once for each size, and all its slides are measured at once. What is wrong with
one is printed: the number of the slide, the fault, and where.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from course_utils.authoring import readme, slides

SCREENS = [(1_280, 720), (1_920, 1_080)]
FOOT = 0.955
"""Of the height: below stand the title and the number of the slide."""
MEASURE = """
(foot) => {
    const faults = [];
    const body = 1 / 30, code = 1 / 36, table = 1 / 40, figure = 1 / 2;
    const plain = 'pre, code, .html, .text, .claim, mjx-container';
    for (const [number, slide] of Reveal.getSlides().entries()) {
        const tell = (fault, e) => faults.push(
            `${number + 1}: ${fault}: ${e.tagName} ${(e.textContent || '').trim().slice(0, 50)}`);
        for (const e of [slide.parentElement, slide]) e.style.display = 'block';
        for (const e of slide.querySelectorAll('.fragment')) e.classList.add('visible');
        const scale = slide.getBoundingClientRect().width / slide.offsetWidth;
        const content = slide.querySelector('.content');
        const outside = '[popover], [popover] *, mjx-container *, .table *';
        for (const e of content.querySelectorAll(`*:not(${outside})`)) {
            const box = e.getBoundingClientRect();
            if (box.left < -1 || box.right > innerWidth + 1) tell('beyond the side', e);
            if (box.top < -1 || box.bottom > foot * innerHeight) tell('below the screen', e);
            if (e.scrollWidth > e.clientWidth + 1 && e.matches('pre, p, li, .claim'))
                tell('cut', e);
        }
        const texts = document.createTreeWalker(content, NodeFilter.SHOW_TEXT);
        for (let text; text = texts.nextNode();) {
            const e = text.parentElement;
            if (!text.data.trim() || e.closest('[popover], mjx-assistive-mml, .fold')) continue;
            const least = e.closest('table') ? table : e.closest('pre, code') ? code : body;
            const size = parseFloat(getComputedStyle(e).fontSize) * scale / innerHeight;
            if (size < least - 1e-6) tell(`text of 1/${(1 / size).toFixed(1)}`, e);
            if (text.data.includes('$') && !e.closest(plain)) tell('not typeset', e);
        }
        for (const e of content.querySelectorAll('mjx-merror, [data-mjx-error]'))
            tell('wrong mathematics', e);
        for (const e of content.querySelectorAll('img')) {
            if (!e.complete || !e.naturalWidth) tell('not loaded', e);
            else if (e.getBoundingClientRect().width < figure * innerWidth - 1)
                tell('small figure', e);
        }
        if (!content.innerText.trim() && !content.querySelector('img')) tell('empty', content);
    }
    if (document.documentElement.scrollWidth > innerWidth) faults.push('a horizontal scroll bar');
    return faults;
}
"""
LETTERS = """
(html) => {
    const letters = (page) => {
        const parts = [...page.querySelectorAll('.content')].map(part => part.cloneNode(true));
        const added = '.again, thead, mjx-container';
        parts.forEach(part => part.querySelectorAll(added).forEach(e => e.remove()));
        const code = parts.flatMap(part => [...part.querySelectorAll('pre')]);
        const told = code.map(e => (e.remove(), e.textContent));
        const words = parts.map(part => part.textContent).join('');
        const mathematics = /[$][$][^$]+[$][$]|[$][^$]+[$]/g;
        return [words.replace(mathematics, ''), told.join('')].map(t => t.replace(/\\s/g, ''));
    };
    return [new DOMParser().parseFromString(html, 'text/html'), document].map(letters);
}
"""
"""Words and code as they were written, and as they stand on the slides."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("slides")
    for name in readme.written():
        slides.build(name, made / name)
    return made


def opened(
    browser: Browser, folder: Path, name: str, width: int = 1_280, height: int = 720
) -> Page:
    page = browser.new_page(viewport={"width": width, "height": height})
    page.set_default_timeout(60_000)
    page.asked, page.complaints = [], []  # type: ignore[attr-defined]
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto((folder / name / "index.html").as_uri())
    page.wait_for_function("() => window.Reveal?.isReady()")
    return page


@pytest.mark.parametrize(("width", "height"), SCREENS)
@pytest.mark.parametrize("name", readme.written())
def test_every_slide_can_be_read_from_the_last_row(browser, folder, name, width, height):
    page = opened(browser, folder, name, width, height)
    faults = page.evaluate(MEASURE, FOOT)
    print(
        f"\n{name}, {width} × {height}: {page.evaluate('Reveal.getTotalSlides()')} slides",
        *faults,
        sep="\n  ",
    )
    assert not faults
    assert not page.complaints
    assert all(address.startswith(("file:", "data:")) for address in page.asked)
    page.close()


@pytest.mark.parametrize("name", readme.written())
def test_nothing_is_lost_where_a_slide_is_cut(browser, folder, name):
    page = opened(browser, folder, name)
    written = (folder / name / "index.html").read_text(encoding="utf-8")
    before, after = page.evaluate(LETTERS, written)
    assert before == after
    page.close()


def test_the_code_of_a_figure_opens_over_the_slide_and_scrolls(browser, folder):
    page = opened(browser, folder, "13_reinforcement_learning")
    page.evaluate("""() => {
        const long = (e) => e.textContent.split('\\n').length;
        const found = [...document.querySelectorAll('[popover]')];
        const slide = found.sort((a, b) => long(b) - long(a))[0].closest('section');
        const place = Reveal.getIndices(slide);
        Reveal.slide(place.h, place.v, 99);
    }""")
    before = page.evaluate("Reveal.getIndices()")
    page.locator("section.present section.present .fold").click()
    code = page.locator(":popover-open")
    box = code.bounding_box()
    assert box["y"] > 0 and box["y"] + box["height"] < 720
    assert code.evaluate("e => getComputedStyle(e).overflowY") == "auto"
    page.keyboard.press("ArrowRight")  # it is the code that keys move now
    assert page.evaluate("Reveal.getIndices()") == before
    page.keyboard.press("Escape")
    assert code.count() == 0
    assert not page.evaluate("Reveal.isOverview()")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("Reveal.getIndices()") != before
    page.close()


def test_the_speaker_sees_notes_with_mathematics(browser, folder):
    page = opened(browser, folder, "07_dcn_v2")
    page.evaluate("""() => {
        const place = Reveal.getIndices(document.querySelector('.notes svg').closest('section'));
        Reveal.slide(place.h, place.v);
    }""")
    with page.expect_popup() as window:
        page.keyboard.press("s")
    notes = window.value.locator(".speaker-controls-notes .value")
    notes.locator("svg").first.wait_for()
    text = notes.inner_text()
    assert "Say:" in text
    assert "$" not in text
    assert "*" not in text
    window.value.close()
    page.close()


@pytest.mark.parametrize(("width", "height"), SCREENS)
def test_a_fragment_appears_on_the_screen(browser, folder, width, height):
    page = opened(browser, folder, "18_seminar_ranking", width, height)
    page.evaluate("Reveal.slide(5)")
    for _ in range(8):
        page.keyboard.press("ArrowRight")
        shown = page.locator("section.present section.present")
        assert shown.locator(".current-fragment, .content").first.is_visible()
        box = shown.locator(".current-fragment, .content").last.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] < height
    page.close()
