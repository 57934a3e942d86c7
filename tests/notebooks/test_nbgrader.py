"""nbgrader takes a lecture as its source, hands out the blanks, and grades what comes back.

The course is made with the configuration that the README gives, in an environment that nobody has
activated, from the exercises of a lecture.
"""

from __future__ import annotations

import copy
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook
from nbgrader.preprocessors import Execute
from traitlets.config import PyFileConfigLoader

from course_utils.authoring import source
from course_utils.authoring.execute import CELL_SECONDS
from course_utils.settings import ROOT

NAME = "05_fm_ffm"
ASSIGNMENT = "ps1"
COURSE_ID = "neural-recsys"

CONFIGURATION = re.findall(
    r"<!-- nbgrader -->\s*```python\n(.*?)```",
    (ROOT / "README.md").read_text(encoding="utf-8"),
    re.DOTALL,
)[0]
"""What README tells an instructor to write."""


@pytest.fixture(scope="module")
def lecture() -> nbformat.NotebookNode:
    """The exercises of a lecture, solved, with their text and the cells that check them."""
    return source.assignment(source.read_source(NAME))


def nbgrader(course: Path, *arguments: str) -> None:
    """Run nbgrader as the environment's Python finds it, with nothing of it on the PATH."""
    scripts = Path(sys.executable).parent
    elsewhere = [p for p in os.environ["PATH"].split(os.pathsep) if p and Path(p) != scripts]
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=course,
        env={**os.environ, "PATH": os.pathsep.join(elsewhere)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    assert done.returncode == 0, done.stdout + done.stderr


def graded(notebook: nbformat.NotebookNode) -> list[tuple[nbformat.NotebookNode, ...]]:
    """Pairs of an exercise and the cell that checks it."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    answers = [cell for cell in cells if cell.metadata["nbgrader"]["solution"]]
    checks = [cell for cell in cells if cell.metadata["nbgrader"]["grade"]]
    return list(zip(answers, checks, strict=True))


@pytest.fixture(scope="module")
def course(tmp_path_factory, lecture) -> Path:
    """A course with one assignment, as it is after `generate_assignment`."""
    folder = tmp_path_factory.mktemp("nbgrader")
    (folder / "nbgrader_config.py").write_text(CONFIGURATION, encoding="utf-8", newline="\n")
    path = folder / "source" / ASSIGNMENT / f"{NAME}.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(lecture, path)
    nbgrader(folder, "generate_assignment", ASSIGNMENT)
    return folder


@pytest.fixture(scope="module")
def released(course) -> nbformat.NotebookNode:
    return nbformat.read(course / "release" / ASSIGNMENT / f"{NAME}.ipynb", as_version=4)


def test_what_is_handed_out_holds_no_solution(released, lecture):
    blank = source.without_solutions(lecture)
    assert [cell.source for cell in released.cells] == [cell.source for cell in blank.cells]
    assert source.BEGIN not in nbformat.writes(released)
    assert [cell.cell_type for cell in released.cells] == ["markdown", "code", "code"] * 3
    for cell in (cell for cell in released.cells if cell.cell_type == "code"):
        assert not cell.outputs
        assert cell.metadata["nbgrader"]["locked"] == cell.metadata["nbgrader"]["grade"]


@pytest.fixture(scope="module")
def scores(course, released, lecture) -> dict[str, list[float]]:
    """Points by student and exercise, after `autograde`.

    One has solved all. The other has solved the first, answers the second wrongly, and has left the
    third blank but emptied the cell that checks it.
    """
    solved, mixed = copy.deepcopy(released), copy.deepcopy(released)
    solutions = [answer.source for answer, _ in graded(lecture)]
    for (answer, _), solution in zip(graded(solved), solutions, strict=True):
        answer.source = solution
    (first, _), (second, _), (_, emptied) = graded(mixed)
    first.source = solutions[0]
    second.source = solutions[1].replace(source.BEGIN, "return 2 * v")
    emptied.source = "pass"
    for student, notebook in {"solved": solved, "mixed": mixed}.items():
        path = course / "submitted" / student / ASSIGNMENT / f"{NAME}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(notebook, path)
    nbgrader(course, "autograde", ASSIGNMENT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
        with Gradebook(f"sqlite:///{(course / 'gradebook.db').as_posix()}", COURSE_ID) as book:
            return {student: points(book, student, lecture) for student in ("solved", "mixed")}


def points(book: Gradebook, student: str, lecture: nbformat.NotebookNode) -> list[float]:
    """What each check of the lecture gave, in its order."""
    given = book.find_submission_notebook(NAME, ASSIGNMENT, student).grades
    by_name = {grade.name: grade.auto_score for grade in given}
    return [by_name[check.metadata["nbgrader"]["grade_id"]] for _, check in graded(lecture)]


def test_scores(scores):
    assert scores == {"solved": [1, 1, 1], "mixed": [1, 0, 0]}


def test_a_wrong_answer_is_graded_with_its_hint(course, scores):
    path = course / "autograded" / "mixed" / ASSIGNMENT / f"{NAME}.ipynb"
    checks = [check for _, check in graded(nbformat.read(path, as_version=4))]
    errors = [[o.ename for o in check.outputs if o.output_type == "error"] for check in checks]
    assert errors == [[], ["CheckFailed"], ["CheckFailed"]]


def test_the_timeout_is_that_of_publishing(tmp_path, monkeypatch):
    """A cell that may be published may be graded."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    (tmp_path / "nbgrader_config.py").write_text(CONFIGURATION, encoding="utf-8", newline="\n")
    config = PyFileConfigLoader("nbgrader_config.py", path=str(tmp_path)).load_config()
    assert Execute(config=config).timeout >= CELL_SECONDS
