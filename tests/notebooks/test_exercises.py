"""The contract of exercises: solved passes, blank raises in its own cell, wrong is told where.

In the same pass every widget's callback is called at both ends of its controls.
"""

from __future__ import annotations

import re

import nbformat
import pytest
from conftest import TINY
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from wrong_answers import WRONG

from course_utils.authoring import publish

WITH_EXERCISES = [
    n for n in publish.names() if publish.BEGIN in (publish.SOURCES / f"{n}.py").read_text()
]

IN_PLACE_OF_A_WIDGET = '''
def interactive(callback, **controls):
    """Call the callback with the lowest and with the highest value of every control."""
    for end in (0, 1):
        ends = {n: c[-end] if isinstance(c, list) else c[end] for n, c in controls.items()}
        callback(**ends)

'''


def test_the_notebooks_of_the_plan_have_their_widgets():
    with_widget = {
        name
        for name in publish.names()
        if any(
            re.search(r"^interactive\(", c.source, re.M) for c in publish.read_source(name).cells
        )
    }
    assert with_widget >= {"01_introduction", "08_ple", "11_unified_embeddings"}


def test_every_notebook_but_the_first_has_two_to_four_exercises():
    for name in publish.names()[1:]:
        solved = [c for c in publish.read_source(name).cells if publish.BEGIN in c.source]
        assert 2 <= len(solved) <= 4, name
        assert len(solved) == len(WRONG[name])


@pytest.mark.parametrize("name", WITH_EXERCISES)
def test_exercises(name, monkeypatch, tiny_log):
    """One pass over the blank notebook on a small log; every exercise is tried in all ways."""
    for variable, value in {"COURSE_LOG": TINY, "COURSE_HEADLESS": "1"}.items():
        monkeypatch.setenv(variable, value)
    solved = publish.read_source(name)
    blank = nbformat.from_dict(publish.without_solutions(solved))
    solutions = {i: c.source for i, c in enumerate(solved.cells) if publish.BEGIN in c.source}
    wrong = iter(WRONG[name])
    client = NotebookClient(
        blank, timeout=300, kernel_name="python3",
        resources={"metadata": {"path": str(publish.NOTEBOOKS)}},
    )  # fmt: skip

    def run(number: int, source: str | None = None) -> str:
        """Execute a cell, or other source in its place; returns the error's name and text."""
        cell = blank.cells[number]
        if source is not None:
            cell = nbformat.v4.new_code_cell(source)
            blank.cells[number] = cell
        try:
            client.execute_cell(cell, number)
        except CellExecutionError as error:
            return f"{error.ename}: {error.evalue}"
        return ""

    with client.setup_kernel():
        for number, cell in enumerate(blank.cells):
            if cell.cell_type != "code" or number - 1 in solutions:
                continue
            if number not in solutions:
                widget = re.search(r"^interactive\(", cell.source, re.M)
                told = run(number, IN_PLACE_OF_A_WIDGET + cell.source if widget else None)
                assert told == "", f"cell {number} of the blank notebook fails: {told}"
                continue
            assert run(number).startswith("NotImplementedError"), f"blank cell {number}"
            check = number + 1
            answers = next(wrong)
            assert 2 <= len(answers) <= 3
            for answer, hint in answers:
                run(number, answer)
                told = run(check)
                assert told.startswith("CheckFailed"), f"accepted: {answer}\n{told}"
                assert hint in told, told
            assert run(number, solutions[number]) == ""
            assert run(check) == ""
