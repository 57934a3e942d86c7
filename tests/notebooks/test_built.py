"""Built notebooks: they agree with their sources and are fit to be opened."""

from __future__ import annotations

import nbformat
import pytest

from course_utils.authoring import publish

SLIDES = {"slide", "subslide", "fragment", "skip", "notes"}


def built(name):
    return nbformat.read(publish.NOTEBOOKS / f"{name}.ipynb", as_version=4)


def code_cells(notebook):
    return [c for c in notebook.cells if c.cell_type == "code"]


@pytest.mark.parametrize("name", publish.names())
class TestBuilt:
    def test_it_is_current(self, name):
        assert publish.is_current(name), "run `make notebooks`"
        assert publish.edited_cells(name) == [], f"run `make pull NB={name}`"

    def test_its_cells_are_those_of_the_source(self, name):
        source = publish.read_source(name)
        assert [c.source for c in built(name).cells] == [c.source for c in source.cells]
        blank = nbformat.read(publish.EXERCISES / f"{name}.ipynb", as_version=4)
        expected = publish.without_solutions(source)
        assert [c.source for c in blank.cells] == [c.source for c in expected.cells]

    def test_it_was_executed_in_order_without_complaints(self, name):
        cells = code_cells(built(name))
        assert [c.execution_count for c in cells] == list(range(1, len(cells) + 1))
        for cell in cells:
            for output in cell.outputs:
                assert output.output_type != "error"
                assert output.get("name") != "stderr"
                assert "image/svg+xml" not in output.get("data", {})

    def test_marked_cells_have_outputs_that_any_machine_repeats(self, name):
        marked = [c for c in code_cells(built(name)) if "NBVAL_CHECK_OUTPUT" in c.source]
        assert marked
        for cell in marked:
            assert "# NBVAL_CHECK_OUTPUT" in cell.source.splitlines()
            assert cell.outputs, cell.source

    def test_every_claim_is_marked_and_every_marked_claim_holds(self, name):
        for cell in code_cells(built(name)):
            if "claim(" in cell.source and "def " not in cell.source:
                assert "NBVAL_CHECK_OUTPUT" in cell.source, cell.source
        assert all(c["measured"] for c in publish.claims_of(built(name)))

    def test_it_can_be_presented(self, name):
        assert built(name).metadata["rise"] == publish.RISE
        assert publish.read_source(name).metadata["rise"] == publish.RISE

    def test_every_cell_has_its_slide_type(self, name):
        for cell in publish.read_source(name).cells:
            assert cell.metadata.get("slideshow", {}).get("slide_type") in SLIDES, cell.source[:80]

    def test_cells_are_short_and_the_file_is_small(self, name):
        assert (publish.NOTEBOOKS / f"{name}.ipynb").stat().st_size < 1_000_000
        assert "widgets" not in built(name).metadata, "the state of widgets is not kept"
        for cell in code_cells(built(name)):
            if "inline" not in cell.metadata.get("tags", []):
                lines = [line for line in cell.source.splitlines() if line.strip()]
                assert len(lines) <= 30, cell.source.splitlines()[0]

    def test_it_is_within_its_budget(self, name):
        """Seconds when it was published; generous, because machines differ."""
        limit = 240 if name == "18_seminar_ranking" else 120
        assert built(name).metadata["course"]["seconds"] <= limit
