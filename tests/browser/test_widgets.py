"""Widgets, live: a control is moved in JupyterLab, and the picture changes as a hand expects it.

Needs `playwright` and a Chromium; `make test-browser` runs it, `make test` does not. The cells
before a widget run on a tiny log with one epoch a training. Then its control is moved: the output
must change within half a second, must not collapse in between, and the browser's console must hold
no error.
"""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from conftest import QUICK, has_widget, jupyterlab
from playwright.sync_api import Page

from course_utils.authoring import source
from course_utils.settings import NOTEBOOKS

SECONDS = float(os.environ.get("WIDGET_SECONDS", "0.5"))
"""From a key pressed to a new picture, at most; more on a machine of unknown speed."""
LEAST_HEIGHT = 0.6
"""Of the height that the output had before, at any moment in between."""
SETUP_SECONDS = 600
"""For all cells before a widget, at most: their time is not what is tested."""
WATCH = """
() => {
    const output = document.querySelector('.jp-Cell:last-of-type .jp-OutputArea');
    const look = () => [performance.now(), output.getBoundingClientRect().height,
                        [...output.querySelectorAll('img')].map(i => i.src).join()
                        + output.innerText];
    window.seen = [look()];
    window.watching = setInterval(() => window.seen.push(look()), 10);
}
"""


def widgets() -> list[tuple[str, int]]:
    """Notebook and number of the cell of each widget."""
    found = []
    for path in sorted((NOTEBOOKS / "src").glob("*.py")):
        for number, cell in enumerate(source.read_source(path.stem).cells):
            if cell.cell_type == "code" and has_widget(cell.source):
                found.append((path.stem, number))
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """JupyterLab on a folder of its own, on the tiny log."""
    folder = tmp_path_factory.mktemp("lab")
    with jupyterlab(folder) as address:
        yield folder, address


def short(name: str, number: int, folder: Path) -> str:
    """A notebook of two cells: all code before the widget, and the widget."""
    cells = source.read_source(name).cells
    before = [cell.source for cell in cells[:number] if cell.cell_type == "code"]
    notebook = nbformat.v4.new_notebook()
    setup = nbformat.v4.new_code_cell(QUICK + "\n\n".join(before) + "\nprint('set up')")
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    notebook.cells = [setup, nbformat.v4.new_code_cell(cells[number].source)]
    path = folder / f"{name}_{number}.ipynb"
    nbformat.write(notebook, path)
    return path.name


def run_all(page: Page) -> None:
    """Run all cells, by the menu, as soon as the kernel takes them.

    Not before the status bar has heard of the kernel: JupyterLab would ask which one to start.
    """
    page.locator(".jp-StatusBar-Widget", has_text="| Idle").first.wait_for(timeout=120_000)
    for _ in range(20):
        page.click('.lm-MenuBar-item:has-text("Run")')
        page.click('.lm-Menu-item:has-text("Run All Cells")')
        page.wait_for_timeout(1_000)
        if page.locator(".jp-Cell .jp-InputPrompt").first.inner_text().strip() != "[ ]:":
            return
    raise AssertionError("the kernel took no cell")


@pytest.mark.parametrize(("name", "number"), widgets())
def test_a_control_is_moved(server, browser, name, number):
    folder, address = server
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    complaints: list[str] = []
    page.goto(f"{address}/lab/tree/{short(name, number, folder)}?reset")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    last = page.locator(".jp-Cell").last
    control = last.locator(".noUi-handle, input[type=text], select").first
    run_all(page)
    control.wait_for(timeout=1_000 * SETUP_SECONDS)
    last.locator(".jp-OutputArea-output").last.wait_for(timeout=60_000)
    page.wait_for_timeout(2_000)
    control.scroll_into_view_if_needed()
    page.evaluate(WATCH)
    begin = page.evaluate("performance.now()")
    if control.evaluate("e => e.tagName") == "INPUT":
        control.fill("1")
        control.press("Enter")
    elif control.evaluate("e => e.tagName") == "SELECT":
        control.select_option(index=1)
    else:
        control.focus()
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(2_500)
    page.evaluate("clearInterval(window.watching)")
    seen = page.evaluate("window.seen")
    page.close()
    first = seen[0]
    changed = [moment for moment, _, picture in seen if picture != first[2]]
    assert changed, "nothing changed"
    settled = next(moment for moment, _, picture in seen if picture == seen[-1][2])
    lowest = min(height for _, height, _ in seen) / first[1]
    told = f"settled after {settled - begin:.0f} ms, lowest {lowest:.0%} of its height"
    print(f"{name}, cell {number}: {told}")
    assert settled - begin < 1_000 * SECONDS, told
    assert lowest >= min(LEAST_HEIGHT, seen[-1][1] / first[1]), told
    assert not complaints, complaints
