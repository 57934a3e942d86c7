"""Reading a source: a jupytext py:percent file becomes the cells of a notebook.

Cells tagged `inline` hold imports from `course_utils`; reading replaces them by the source of what
they import, so that the notebook shows real code that is written once.
"""

from __future__ import annotations

import ast
import copy
import importlib
import inspect
import re
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode
from traitlets.config import Config

from course_utils.settings import NOTEBOOKS, ROOT

SOURCES = NOTEBOOKS / "src"
EXERCISES = NOTEBOOKS / "exercises"
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
FOLD = """

<details><summary>A solution, for after your own try</summary>

```python
{code}
```
</details>
"""
RISE = {"scroll": True, "center": False}
"""Settings of the presentation: a slide that is longer than the screen can be scrolled."""
MARKS = re.compile(r"(?m)  # (?:fmt: skip|noqa|type: ignore)\b.*$")
"""Comments to tools, which readers are spared."""
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
"""As ipykernel calls itself, so that opening a notebook does not change it."""
KEPT_METADATA = ("slideshow", "tags", "nbgrader", "alt", "headlines")
"""Metadata of cells that belong to the source; JupyterLab adds others of its own. `alt` says in
words what a cell's figure shows, `headlines` are those of its claims that the README tells."""


class PublishError(RuntimeError):
    """A notebook that cannot be published, with the reason and the remedy."""


def names() -> list[str]:
    """Names of all notebooks that have a source, in the order of the course."""
    return sorted(path.stem for path in SOURCES.glob("*.py"))


def source_path(name: str) -> Path:
    """The source of a notebook.

    Raises:
        PublishError: there is none of this name.
    """
    path = SOURCES / f"{name}.py"
    if not name or path.parent != SOURCES or not path.exists():
        raise PublishError(f"no source of a notebook {name!r}; there are {', '.join(names())}")
    return path


def inlined(source: str) -> str:
    """What an inline cell shows: the files it stands for, and the code of what it imports.

    Raises:
        PublishError: the cell holds more than `from course_utils… import …` lines, or a name that
            is not there.
    """
    parts, files = [], []
    for node in ast.parse(source).body:
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith(
            "course_utils"
        ):
            raise PublishError(
                f"an inline cell may only import from course_utils, found: {ast.unparse(node)}"
            )
        module = importlib.import_module(node.module or "")
        for alias in node.names:
            if not hasattr(module, alias.name):
                raise PublishError(f"{node.module} has no {alias.name}; found in: {source.strip()}")
            defined = getattr(module, alias.name)
            files.append(Path(inspect.getfile(defined)).relative_to(ROOT).as_posix())
            parts.append(inspect.getsource(defined).rstrip())
    where = ", ".join(dict.fromkeys(files))
    return MARKS.sub("", f"# This code stands in {where}\n" + "\n\n\n".join(parts))


def read_source(name: str, inline: bool = True) -> NotebookNode:
    """The notebook of a source: inline cells filled in, ids and nbgrader's marks added.

    Args:
        name: of the notebook. inline: False leaves the imports of inline cells, and comments to
            tools, as they are.

    Raises:
        PublishError: there is no such source, a cell is empty, or an exercise has no check.
    """
    path = source_path(name)
    notebook = jupytext.reads(path.read_text(encoding="utf-8"), "py:percent")
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": KERNEL, "language_info": {"name": "python"}, "rise": RISE}
    )
    after_exercise = None
    for number, cell in enumerate(notebook.cells):
        cell.id = f"{name.split('_')[0]}-{number:03d}"
        if cell.cell_type != "code":
            if after_exercise:
                raise PublishError(
                    f"{path.name}: cell {number} must be the code that checks the exercise before"
                )
            continue
        if not cell.source.strip():
            raise PublishError(f"{path.name}: cell {number} is empty; remove it or fill it")
        if inline and "inline" in cell.metadata.get("tags", []):
            cell.metadata["course"] = {"inline": cell.source}
            cell.source = inlined(cell.source)
        elif inline and MARKS.search(cell.source):
            cell.metadata["course"] = {"source": cell.source}
            cell.source = MARKS.sub("", cell.source)
        if BEGIN in cell.source:
            after_exercise = f"{name}-{number}"
            _mark(cell, grading(after_exercise, solution=True))
        elif after_exercise:
            _mark(cell, grading(f"{after_exercise}-check", solution=False))
            after_exercise = None
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def _mark(cell: NotebookNode, marks: dict) -> None:
    """nbgrader's marks; what the source itself says of grading (points, say) goes before them."""
    cell.metadata["nbgrader"] = marks | cell.metadata.get("nbgrader", {})


def grading(grade_id: str, solution: bool) -> dict:
    """nbgrader's metadata of an exercise (`solution`) or of the cell that checks it."""
    marks = {"grade_id": grade_id, "schema_version": 3, "task": False, "solution": solution}
    if solution:
        return marks | {"grade": False, "locked": False}
    return marks | {"grade": True, "locked": True, "points": 1}


def slide_type(cell: NotebookNode) -> str:
    """What a cell is in a presentation: `slide`, `notes`, …; empty if it says nothing."""
    return cell.metadata.get("slideshow", {}).get("slide_type", "")


def code_of(notebook: NotebookNode) -> list[str]:
    """The code cells as the source has them: inlined classes as the imports that name them."""
    return [
        cell.metadata.get("course", {}).get("inline", cell.source)
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def exercises(notebook: NotebookNode) -> NotebookNode:
    """The notebook for students: exercises are blank, and their solutions folded.

    "Run all cells" goes past an exercise that is not solved yet. The solution stands behind a fold
    at the end of the text before the exercise. What is said to a speaker, answers included, is not
    there.
    """
    blank, text = without_solutions(notebook), None
    for cell, solved in zip(blank.cells, notebook.cells, strict=True):
        if cell.cell_type == "markdown":  # exercises lie a folder deeper
            cell.source = re.sub(r"\]\((assets|\.\.)/", r"](../\1/", cell.source)
        if is_text(cell):
            text = cell
        elif text and BEGIN in solved.source:
            text.source += FOLD.format(code=solution(solved.source))
        if is_graded(cell):
            cell.metadata["tags"] = [*cell.metadata.get("tags", []), "raises-exception"]
    blank.cells = [cell for cell in blank.cells if slide_type(cell) != "notes"]
    return blank


def is_text(cell: NotebookNode) -> bool:
    """Whether a cell is text for the reader: the speaker's notes are not."""
    return cell.cell_type == "markdown" and slide_type(cell) != "notes"


def is_graded(cell: NotebookNode) -> bool:
    """Whether a cell is an exercise, or checks one."""
    return cell.cell_type == "code" and "nbgrader" in cell.metadata


def solution(code: str) -> str:
    """The function of a solved exercise, without imports, marks, and what calls it below."""
    lines = code[: code.index(END)].rstrip().splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith(("def ", "class ", "@")))
    return "\n".join(line for line in lines[first:] if line.strip() != BEGIN)


def assignment(notebook: NotebookNode) -> NotebookNode:
    """What nbgrader takes as the source of an assignment: the exercises, solved, and their text.

    They need nothing of the cells above them, so that a submission is graded in seconds.
    """
    short = copy.deepcopy(notebook)
    cells = [cell for cell in short.cells if is_text(cell) or is_graded(cell)]
    after = [*cells[1:], None]
    short.cells = [
        cell
        for cell, next_one in zip(cells, after, strict=True)
        if is_graded(cell) or (next_one is not None and is_graded(next_one))
    ]
    return short


def without_solutions(notebook: NotebookNode) -> NotebookNode:
    """The notebook as nbgrader hands it out: solutions cleared, outputs dropped."""
    from nbgrader.preprocessors import ClearSolutions

    config = Config()
    config.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
    blank, _ = ClearSolutions(config=config).preprocess(copy.deepcopy(notebook), {})
    for cell in blank.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    blank.metadata.pop("course", None)
    blank.metadata.pop("celltoolbar", None)
    return blank
