"""The slides: every shown cell once, notes for the speaker once, nothing fetched from the web."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import nbformat
import pytest
from test_site import Page

from course_utils.__main__ import main
from course_utils.authoring import publish, readme, slides, source
from course_utils.authoring.source import PublishError

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)
FIGURE = nbformat.v4.new_output("display_data", {"image/png": PIXEL, "text/plain": "<Figure>"})
WIDGET = nbformat.v4.new_output(
    "display_data",
    {"application/vnd.jupyter.widget-view+json": {"model_id": "0"}, "text/plain": "interactive()"},
)


@pytest.fixture(scope="module")
def decks(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("slides")
    return {name: slides.build(name, folder / name) for name in readme.written()}


def cells_of(notebook: nbformat.NotebookNode) -> list[slides.Cell]:
    return [cell for stack in slides.stacks_of(notebook) for slide in stack for cell in slide.cells]


def markdown(text: str, kind: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_markdown_cell(text, metadata={"slideshow": {"slide_type": kind}})


def code(text: str, *outputs: nbformat.NotebookNode) -> nbformat.NotebookNode:
    metadata = {"slideshow": {"slide_type": "fragment"}}
    return nbformat.v4.new_code_cell(text, metadata=metadata, outputs=list(outputs))


def notebook_of(*cells: nbformat.NotebookNode) -> nbformat.NotebookNode:
    return nbformat.v4.new_notebook(cells=list(cells))


@pytest.mark.parametrize("name", readme.written())
def test_every_shown_cell_stands_there_once(decks, name):
    cells = publish.read_built(name).cells
    wanted = [cell.id for cell in cells if source.slide_type(cell) not in ("skip", "notes")]
    shown = cells_of(publish.read_built(name))
    assert [cell.name for cell in shown] == wanted
    page = decks[name].read_text(encoding="utf-8")
    assert page.count('<div class="cell') == len(wanted)
    place = 0
    for cell in shown:
        place = page.index(cell.code or cell.text, place) + 1
    figures = [output for cell in shown for output in cell.outputs if output.kind == "figure"]
    drawings = sum(cell.text.count("<img ") for cell in shown)
    assert page.count("<img ") == len(figures) + drawings


@pytest.mark.parametrize("name", readme.written())
def test_every_note_is_for_the_speaker_once(decks, name):
    notes = [c.source for c in publish.read_built(name).cells if source.slide_type(c) == "notes"]
    page = decks[name].read_text(encoding="utf-8")
    told = re.findall(r'(?s)<aside class="notes">(.*?)</aside>', page)
    assert notes
    assert len(told) == len(notes)
    assert "**" not in "".join(told)
    words = [re.sub(r"\W", "", unescape(re.sub("<[^>]*>", "", note))) for note in told]
    assert words == [re.sub(r"\W", "", note) for note in notes]


@pytest.mark.parametrize("name", readme.written())
def test_nothing_is_fetched_from_the_web(decks, name):
    for address in Page(decks[name]).fetched:
        assert address.startswith("data:") or (decks[name].parent / address).exists(), address
    for sheet in decks[name].parent.glob("*.css"):
        assert not re.search(r"url\((?![\"']?data:)|@import", sheet.read_text(encoding="utf-8"))


def test_types_of_cells_make_stacks_of_slides():
    kinds = ["slide", "notes", "subslide", "fragment", "skip", "", "slide"]
    stacks = slides.stacks_of(
        notebook_of(*(markdown(f"{i}", kind) for i, kind in enumerate(kinds)))
    )
    told = [[[cell.text for cell in slide.cells] for slide in stack] for stack in stacks]
    assert told == [
        [["<p>0</p>\n"], ["<p>2</p>\n", "<p>3</p>\n", "<p>5</p>\n"]],
        [["<p>6</p>\n"]],
    ]
    assert stacks[0][0].notes == ["<p>1</p>\n"]
    assert [cell.fragment for cell in stacks[0][1].cells] == [False, True, False]


def test_a_figure_comes_first_and_folds_its_code():
    printed = nbformat.v4.new_output("stream", name="stdout", text="drawn\n")
    drawing, plain = cells_of(notebook_of(code("draw()", printed, FIGURE), code("add()", printed)))
    assert [output.kind for output in drawing.outputs] == ["figure", "text"]
    assert drawing.folded
    assert not plain.folded


def test_what_has_no_kernel_or_nobody_needs_is_left_out():
    warning = nbformat.v4.new_output("stream", name="stderr", text="careful\n")
    (cell,) = cells_of(notebook_of(code("x = [1]\n", WIDGET, warning)))
    assert cell.outputs == []
    assert re.sub("<[^>]*>", "", cell.code) == "x = [1]"


def test_lines_printed_one_by_one_stand_together():
    lines = [nbformat.v4.new_output("stream", name="stdout", text=f"{i} < 3\n") for i in range(3)]
    (cell,) = cells_of(notebook_of(code("print()", *lines)))
    assert [output.content for output in cell.outputs] == ["0 &lt; 3\n1 &lt; 3\n2 &lt; 3\n"]


def test_a_link_to_another_notebook_is_words_only():
    assert slides.as_html("see [FM](05_fm_ffm.ipynb)") == "<p>see FM</p>\n"
    assert slides.as_html("see [RESULTS.md](RESULTS.md)") == "<p>see RESULTS.md</p>\n"


def test_a_fault_is_told_and_leaves_what_was_there(tmp_path, monkeypatch, capsys):
    (tmp_path / "kept.html").touch()
    with pytest.raises(PublishError, match="no source of a notebook 'nowhere'; there are 00_start"):
        slides.build("nowhere", tmp_path)
    monkeypatch.setattr(publish, "NOTEBOOKS", tmp_path)
    assert main(["slides", "07_dcn_v2", "--to", str(tmp_path)]) == 1
    assert "has not been built; run `make notebooks`" in capsys.readouterr().err
    assert (tmp_path / "kept.html").exists()
