"""The contract of exercises: solved passes, blank raises in its own cell, wrong is told where.

An exercise stands on its own: its cell and the cell that checks it are run in an empty namespace,
as after a restart of the kernel. Beside that, every blank notebook is walked through once on a log
of one's own that has no tables beside it, and every widget's callback is called at both ends of its
controls.

Planted wrong answers lie in `wrong/NN_topic.py`: a cell defines the exercise's function wrongly,
and its head holds a part of the hint that must be told first. Cells without a hint are imports.
"""

from __future__ import annotations

import ast
import copy
import functools
import linecache
import re
from collections import defaultdict
from pathlib import Path

import jupytext
import nbformat
import pytest
from conftest import QUICK, has_widget
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from course_utils.authoring import source
from course_utils.authoring.freshness import as_python
from course_utils.checks._answers import CheckFailed
from course_utils.lesson.syllabus import read_syllabus
from course_utils.settings import HEADLESS

WRONG = Path(__file__).parent / "wrong"


class Exercise:
    """An exercise of a notebook: the solved cell, the blank one, and the cell that checks them."""

    def __init__(self, name: str, number: int) -> None:
        ids = [cell.id for cell in blank(name).cells]
        self.notebook, self.number = name, ids.index(solved(name).cells[number].id)
        self.solved = solved(name).cells[number].source
        self.check = solved(name).cells[number + 1].source
        self.function = functions(self.solved)[-1]

    @property
    def blank(self) -> str:
        return blank(self.notebook).cells[self.number].source

    def __str__(self) -> str:
        return f"{self.notebook}-{self.function}"


@functools.cache
def solved(name: str) -> nbformat.NotebookNode:
    return source.read_source(name)


@functools.cache
def blank(name: str) -> nbformat.NotebookNode:
    return nbformat.from_dict(source.exercises(solved(name)))


def functions(code: str) -> list[str]:
    return [node.name for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)]


def exercises(name: str) -> list[Exercise]:
    cells = enumerate(solved(name).cells)
    return [Exercise(name, number) for number, cell in cells if source.BEGIN in cell.source]


@functools.cache
def planted(name: str) -> dict[str, list[tuple[str, str]]]:
    """Wrong answers of a notebook: function → code and a part of the hint, for each."""
    text = (WRONG / f"{name}.py").read_text(encoding="utf-8")
    cells = jupytext.reads(text, "py:percent").cells
    imports = "\n".join(cell.source for cell in cells if "hint" not in cell.metadata)
    answers = defaultdict(list)
    for cell in cells:
        if "hint" in cell.metadata:
            (function,) = functions(cell.source)
            answers[function].append((cell.source, imports, cell.metadata["hint"]))
    return answers


ALL = [exercise for name in source.names() for exercise in exercises(name)]
WITH_EXERCISES = sorted({exercise.notebook for exercise in ALL})


def run(*cells: str) -> dict[str, object]:
    """Run cells in an empty namespace, one that knows its lines as a notebook's does."""
    names: dict[str, object] = {"__name__": "__main__"}
    for number, cell in enumerate(cells):
        file = f"<cell {number} of {hash(cell)}>"
        linecache.cache[file] = (len(cell), None, cell.splitlines(keepends=True), file)
        exec(compile(cell, file, "exec"), names)
    return names


def told(exercise: Exercise, *cells: str) -> str:
    """What the check says of the cells."""
    names = run(*cells)
    with pytest.raises(CheckFailed) as failed:
        run_check(exercise, names)
    return str(failed.value)


def run_check(exercise: Exercise, names: dict[str, object]) -> None:
    """Run the check's cell: it imports the check, and takes nothing but the function."""
    exec(exercise.check, {exercise.function: names[exercise.function], "__name__": "__main__"})


@pytest.mark.parametrize("exercise", ALL, ids=str)
class TestExercise:
    def test_the_solution_passes_after_a_restart(self, exercise, capsys):
        run_check(exercise, run(exercise.solved))
        assert capsys.readouterr().out.endswith("✔ well done\n")

    def test_the_blank_raises_in_its_own_cell_and_is_not_solved_yet(self, exercise):
        with pytest.raises(NotImplementedError):
            run(exercise.blank)
        defined = exercise.blank[: exercise.blank.index("raise NotImplementedError")]
        assert told(exercise, f"{defined}raise NotImplementedError").startswith("not solved yet")

    def test_its_solution_is_folded_in_the_text_before_it(self, exercise):
        texts = [c for c in blank(exercise.notebook).cells[: exercise.number] if source.is_text(c)]
        text, fold, code = texts[-1].source.partition("<details>")
        assert text and fold
        code = code.partition("```python\n")[2].partition("\n```")[0]
        assert functions(code)[-1] == exercise.function
        assert code.strip("\n") in exercise.solved.replace(f"    {source.BEGIN}\n", "")

    def test_wrong_answers_are_told_the_fitting_hint_first(self, exercise):
        answers = planted(exercise.notebook)[exercise.function]
        assert len(answers) >= 2
        for answer, imports, hint in answers:
            found = told(exercise, imports, answer)
            first = found.partition("\nasked ")[0].partition("\nfound ")[0]
            assert hint in first, f"{answer}\nis told: {found}\nand not: {hint}"


def test_every_written_notebook_but_the_first_has_two_to_four_exercises():
    written = [lesson.name for lesson in read_syllabus().lessons if lesson.state == "written"]
    for name in written[1:]:
        assert 2 <= len(exercises(name)) <= 4, name


@pytest.mark.parametrize("name", WITH_EXERCISES)
def test_wrong_answers_are_planted_for_exercises_that_exist(name):
    assert set(planted(name)) == {exercise.function for exercise in exercises(name)}


def test_every_file_of_wrong_answers_belongs_to_a_notebook():
    assert {path.stem for path in WRONG.glob("*.py")} <= set(WITH_EXERCISES)


# The walk


IN_PLACE_OF_A_WIDGET = '''
def interactive(callback, **controls):
    """Call the callback with the lowest and with the highest value of every control.

    Of a list these are its ends, of a text what stands there at the start, and nothing.
    """
    for end in (0, 1):
        ends = {}
        for name, control in controls.items():
            if hasattr(control, "options"):
                control = list(control.options)
            elif hasattr(control, "value"):
                control = [control.value, ""]
            ends[name] = control[-end] if isinstance(control, list) else control[end]
        callback(**ends)

'''


def test_the_notebooks_of_the_plan_have_their_widgets():
    with_widget = {
        name for name in source.names() if any(has_widget(c.source) for c in solved(name).cells)
    }
    assert with_widget >= {"01_introduction", "08_ple", "11_unified_embeddings"}


@pytest.fixture(scope="session")
def bare_log(tiny_log, tmp_path_factory) -> Path:
    """A log of one's own: events in a file, without artists, albums, vectors, texts and truth."""
    path = tmp_path_factory.mktemp("own log [of 2026]") / "events.parquet"
    tiny_log.events.collect().write_parquet(path)
    return path


NO_LOG = "no-log"
"""Tag of a cell that looks at no log and takes long, or shows what such a cell found.

It does on any log what nbval sees it do.
"""
WANTS = re.compile("NameError: name '(\\w+)' is not defined")


def bound(code: str) -> set[str]:
    """The names that a cell makes."""
    nodes = list(ast.walk(ast.parse(as_python(code))))
    named = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    stored = (n for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
    return named | {node.id for node in stored}


@pytest.mark.parametrize("name", source.names())
def test_the_blank_notebook_runs_on_a_bare_log_of_ones_own(name, monkeypatch, bare_log):
    """Every cell runs; only blank exercises raise, and their checks say that they are blank.

    Left out are cells with the tag `no-log`, and those that stop for want of what they make.
    """
    for variable, value in {"COURSE_LOG": str(bare_log), HEADLESS: "1"}.items():
        monkeypatch.setenv(variable, value)
    notebook = copy.deepcopy(blank(name))
    blanks = {exercise.number for exercise in exercises(name)}
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3",
        resources={"metadata": {"path": str(source.NOTEBOOKS)}},
    )  # fmt: skip
    missing: set[str] = set()
    with client.setup_kernel():
        notebook.cells.append(nbformat.v4.new_code_cell(QUICK))
        assert error_of(client, notebook.cells[-1], len(notebook.cells) - 1) == ""
        for number, cell in enumerate(notebook.cells[:-1]):
            if cell.cell_type != "code":
                continue
            makes = bound(cell.source)
            if NO_LOG in cell.metadata.get("tags", []):
                missing |= makes
                continue
            if has_widget(cell.source):
                cell.source = IN_PLACE_OF_A_WIDGET + cell.source
            error = error_of(client, cell, number)
            if (wants := WANTS.match(error)) and wants[1] in missing:
                missing |= makes
                continue
            missing -= makes
            where = f"cell {number} of {name} on a bare log:\n{cell.source[:400]}\n→ {error}"
            if number in blanks:
                assert error.startswith("NotImplementedError"), where
            elif number - 1 in blanks:
                assert error.startswith("CheckFailed: not solved yet"), where
            else:
                assert error == "", where


def error_of(client: NotebookClient, cell: nbformat.NotebookNode, number: int) -> str:
    """What a cell raises; the next ones run where "run all cells" would have gone on."""
    try:
        client.execute_cell(cell, number)
    except CellExecutionError as error:
        return f"{error.ename}: {error.evalue}"
    raised = [f"{o.ename}: {o.evalue}" for o in cell.outputs if o.output_type == "error"]
    return "".join(raised)
