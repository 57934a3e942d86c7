"""Built notebooks: they agree with their sources and are fit to be opened."""

from __future__ import annotations

import ast

import pytest

from course_utils.authoring import freshness, publish, readme, repeats, source
from course_utils.lesson.syllabus import read_syllabus
from course_utils.settings import NOTEBOOKS

SLIDES = {"slide", "subslide", "fragment", "skip", "notes"}
CHECKED = "nbval-check-output"
BUDGET = {lesson.name: lesson.seconds for lesson in read_syllabus().lessons}

built = publish.read_built


def code_cells(notebook):
    return [c for c in notebook.cells if c.cell_type == "code"]


def named(code):
    """The symbols that import lines name."""
    return {
        freshness.Symbol(node.module, alias.name)
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if node.module.startswith("course_utils")
    }


def imports_of(notebook):
    """One import a line: what a notebook takes from the package without showing it.

    Exercises are left out: they stand on their own, and come after everything else.
    """
    own = (
        cell
        for cell in code_cells(notebook)
        if "inline" not in cell.metadata.get("course", {}) and "nbgrader" not in cell.metadata
    )
    symbols = set().union(*(named(cell.source) for cell in own))
    return [f"from {symbol.module} import {symbol.name}" for symbol in symbols]


def test_the_map_of_the_course_names_what_is_written():
    begun = [lesson.name for lesson in read_syllabus().lessons if lesson.state != "planned"]
    assert begun == source.names(), "course.toml and notebooks/src disagree"


@pytest.mark.parametrize("name", readme.written())
class TestBuilt:
    def test_it_is_current(self, name):
        assert publish.state(name) == "current", "run `make notebooks`"
        assert publish.edited_cells(name) == [], f"run `make pull NB={name}`"

    def test_no_model_was_compared_that_nobody_tuned(self, name):
        printed = [
            line
            for cell in code_cells(built(name))
            for output in cell.outputs
            for line in output.get("text", "").splitlines()
        ]
        untuned = [line for line in printed if line.endswith("(not tuned)")]
        assert not untuned, "give it trials of its own, or name with `like` whose trials count"

    def test_what_is_edited_in_an_inlined_class_is_what_runs(self, name):
        """No imported class builds one that the notebook shows: it would build the package's."""
        notebook = source.read_source(name)
        inline = (cell.metadata.get("course", {}).get("inline", "") for cell in notebook.cells)
        shown = {symbol for code in inline for symbol in named(code)}
        for line in imports_of(notebook):
            if ".lesson" not in line and ".checks" not in line:
                assert not shown & set(freshness.reach([line]).symbols), line

    def test_it_was_executed_in_order_without_complaints(self, name):
        cells = code_cells(built(name))
        assert [c.execution_count for c in cells] == list(range(1, len(cells) + 1))
        for cell in cells:
            for output in cell.outputs:
                assert output.output_type != "error"
                assert output.get("name") != "stderr"
                assert "image/svg+xml" not in output.get("data", {})

    def test_marked_cells_have_outputs_that_any_machine_repeats(self, name):
        marked = [c for c in code_cells(built(name)) if CHECKED in c.metadata.get("tags", [])]
        assert marked
        assert all(cell.outputs for cell in marked)

    def test_readers_see_no_comments_to_tools(self, name):
        for cell in built(name).cells:
            assert "NBVAL" not in cell.source and "# fmt:" not in cell.source, cell.source

    def test_every_figure_says_in_words_what_it_shows(self, name):
        for cell in code_cells(built(name)):
            for output in cell.outputs:
                for kind in publish.PICTURES & set(output.get("data", {})):
                    assert len(output.metadata[kind]["alt"]) >= 60, cell.source

    def test_every_claim_is_marked_and_every_marked_claim_holds(self, name):
        for cell in code_cells(built(name)):
            if "claim(" in cell.source and "def " not in cell.source:
                assert CHECKED in cell.metadata.get("tags", []), cell.source
        assert all(c["measured"] for c in repeats.claims_of(built(name)))

    def test_the_readmes_claims_are_claims_of_their_cell(self, name):
        for cell in code_cells(built(name)):
            told = {o.get("metadata", {}).get("course", {}).get("claim") for o in cell.outputs}
            assert set(cell.metadata.get("headlines", [])) <= told

    def test_it_can_be_presented(self, name):
        assert built(name).metadata["rise"] == source.RISE
        assert source.read_source(name).metadata["rise"] == source.RISE

    def test_every_cell_has_its_slide_type(self, name):
        for cell in source.read_source(name).cells:
            assert cell.metadata.get("slideshow", {}).get("slide_type") in SLIDES, cell.source[:80]

    def test_cells_are_short_and_the_file_is_small(self, name):
        assert (NOTEBOOKS / f"{name}.ipynb").stat().st_size < 1_000_000
        assert "widgets" not in built(name).metadata, "the state of widgets is not kept"
        for cell in code_cells(built(name)):
            if "inline" not in cell.metadata.get("tags", []):
                lines = {n for n, line in enumerate(cell.source.splitlines(), 1) if line.strip()}
                for node in ast.parse(freshness.as_python(cell.source)).body:
                    if isinstance(node, ast.Import | ast.ImportFrom):
                        lines -= set(range(node.lineno, (node.end_lineno or 0) + 1))
                assert len(lines) <= 30, cell.source.splitlines()[0]

    def test_it_is_within_its_budget(self, name):
        """Seconds when it was published; generous, because machines differ."""
        assert built(name).metadata["course"]["seconds"] <= BUDGET[name] * 4 / 3
