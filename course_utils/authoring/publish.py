"""From the sources in `notebooks/src` to lectures, exercises and the README's tables.

A source is a jupytext py:percent file. Publishing replaces imports in cells tagged `inline` by the
source of what they import, executes the notebook on a fresh kernel, and writes
`notebooks/NAME.ipynb` and, without solutions, `notebooks/exercises/NAME.ipynb`.
"""

from __future__ import annotations

import ast
import base64
import copy
import hashlib
import importlib
import inspect
import os
import re
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from traitlets.config import Config

from course_utils.settings import ASSETS, HEADLESS, NOTEBOOKS, ROOT
from course_utils.world.config import WORLD_VERSION

SOURCES = NOTEBOOKS / "src"


EXERCISES = NOTEBOOKS / "exercises"


RISE = {"scroll": True, "center": False}
"""Settings of the presentation: a slide that is longer than the screen can be scrolled."""


BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"


CELL_SECONDS = 600


WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


class PublishError(RuntimeError):
    """A notebook that cannot be published, with the reason and the remedy."""


def names() -> list[str]:
    """Names of all notebooks that have a source, in the order of the course."""
    return sorted(path.stem for path in SOURCES.glob("*.py"))


# Reading a source


def inlined(source: str) -> str:
    """The source code of everything that the imports in `source` name.

    Raises:
        PublishError: the cell holds more than `from course_utils… import …` lines.
    """
    parts = []
    for node in ast.parse(source).body:
        if not isinstance(node, ast.ImportFrom) or not node.module.startswith("course_utils"):
            raise PublishError(
                f"an inline cell may only import from course_utils, found: {ast.unparse(node)}"
            )
        module = importlib.import_module(node.module)
        parts += [inspect.getsource(getattr(module, alias.name)).rstrip() for alias in node.names]
    return "\n\n\n".join(parts)


def read_source(name: str) -> NotebookNode:
    """The notebook of a source: inline cells filled in, ids and nbgrader's marks added."""
    path = SOURCES / f"{name}.py"
    if not path.exists():
        raise PublishError(f"no source {path}; there are {names()}")
    notebook = jupytext.read(path)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "rise": RISE,
    }
    after_exercise = None
    for number, cell in enumerate(notebook.cells):
        cell.id = f"{name.split('_')[0]}-{number:03d}"
        if cell.cell_type != "code":
            continue
        if not cell.source.strip():
            raise PublishError(f"{path.name}: cell {number} is empty; remove it or fill it")
        if "inline" in cell.metadata.get("tags", []):
            cell.metadata["course"] = {"inline": cell.source}
            cell.source = inlined(cell.source)
        if BEGIN in cell.source:
            after_exercise = f"{name}-{number}"
            cell.metadata["nbgrader"] = _nbgrader(after_exercise, solution=True)
        elif after_exercise:
            cell.metadata["nbgrader"] = _nbgrader(f"{after_exercise}-check", solution=False)
            after_exercise = None
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def _nbgrader(grade_id: str, solution: bool) -> dict:
    marks = {"grade_id": grade_id, "schema_version": 3, "task": False, "solution": solution}
    return marks | ({"grade": False, "locked": False} if solution else CHECK_MARKS)


CHECK_MARKS = {"grade": True, "locked": True, "points": 1}


def without_solutions(notebook: NotebookNode) -> NotebookNode:
    """The exercise notebook: nbgrader clears the solutions, outputs are dropped."""
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


# What a built notebook depends on


def _modules_of(source: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.ImportFrom) and node.level:
            found |= {"." * node.level + (node.module or "")}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def _file_of(module: str) -> Path | None:
    base = ROOT.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.exists():
            return path
    return None


def dependencies(source: str) -> list[Path]:
    """Files of `course_utils` that the source imports, directly or not."""
    waiting = [m for m in _modules_of(source) if m.startswith("course_utils")]
    files: set[Path] = set()
    while waiting:
        module = waiting.pop()
        path = _file_of(module)
        if path is None or path in files:
            continue
        files.add(path)
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        for found in _modules_of(path.read_text()):
            if found.startswith("."):
                waiting.append(f"{package}.{found.lstrip('.')}".rstrip("."))
            elif found.startswith("course_utils"):
                waiting.append(found)
    return sorted(files)


def code_hash(source: str, of: str = "") -> str:
    """Hash of what the source imports from `course_utils`, of the log's version, and of `of`."""
    digest = hashlib.sha256(f"{WORLD_VERSION}\n{of}".encode())
    for path in dependencies(source):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def fingerprint(name: str) -> str:
    """Hash of the source, of what it imports and shows, and of the log's version."""
    source = (SOURCES / f"{name}.py").read_text()
    cells, shown = jupytext.writes(jupytext.reads(source, "py:percent"), "py"), ""
    if "course_utils.lesson.ladder" in _modules_of(cells):
        from course_utils.lesson.ladder import KEPT

        shown = KEPT.read_text(encoding="utf-8")
    return code_hash(cells, of=source + shown)


def edited_cells(name: str) -> list[int]:
    """Numbers of the built notebook's cells that no longer are as `publish` wrote them."""
    path = NOTEBOOKS / f"{name}.ipynb"
    if not path.exists():
        return []
    built = nbformat.read(path, as_version=4)
    written = built.metadata.get("course", {}).get("cells", [])
    now = [_cell_hash(cell) for cell in built.cells]
    if len(now) != len(written):
        return [i for i, (a, b) in enumerate(zip(now, written, strict=False)) if a != b] or [
            min(len(now), len(written))
        ]
    return [i for i, (a, b) in enumerate(zip(now, written, strict=True)) if a != b]


def _cell_hash(cell: NotebookNode) -> str:
    return hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:8]


def is_current(name: str) -> bool:
    """Whether the built notebook agrees with its source and what that imports."""
    path = NOTEBOOKS / f"{name}.ipynb"
    if not path.exists() or not (EXERCISES / f"{name}.ipynb").exists():
        return False
    built = nbformat.read(path, as_version=4)
    return built.metadata.get("course", {}).get("hash") == fingerprint(name)


# Executing


def execute(notebook: NotebookNode, folder: Path, **variables: str) -> float:
    """Run all cells on a fresh kernel, in place; returns the seconds it took.

    Args:
        notebook: what to run. folder: where it runs. variables: of the kernel's environment.

    Raises:
        PublishError: a cell failed or wrote to stderr; says which.
    """
    environment = {**os.environ, "TQDM_DISABLE": "1", HEADLESS: "1", **variables}
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        extra_arguments=["--log-level=ERROR"],
    )
    start = time.perf_counter()
    try:
        client.execute(env=environment)
    except Exception as error:
        raise PublishError(str(error)) from error
    seconds = time.perf_counter() - start
    _drop_progress_bars(notebook)
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                raise PublishError(f"cell {number} wrote to stderr: {output.text[:2_000]}")
    return seconds


def _drop_progress_bars(notebook: NotebookNode) -> None:
    """Remove the frozen bars of finished training and their state, a third of some files."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if "outputs" in cell:
            cell.outputs = [o for o in cell.outputs if WIDGET_VIEW not in o.get("data", {})]


def _write(path: Path, notebook: NotebookNode) -> None:
    """Write a notebook whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    nbformat.write(notebook, partial)
    partial.replace(path)


def pictures(notebook: NotebookNode) -> list[bytes]:
    """PNG figures of the cells tagged `picture`, which the README shows."""
    return [
        base64.b64decode(output.data["image/png"])
        for cell in notebook.cells
        if "picture" in cell.metadata.get("tags", [])
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]


def publish(name: str, force: bool = False) -> bool:
    """Build a lecture and its exercises if they are not current.

    Returns:
        Whether anything was built.

    Raises:
        PublishError: the built notebook was edited since, or a cell failed.
    """
    edited = edited_cells(name)
    if edited and not force:
        raise PublishError(
            f"notebooks/{name}.ipynb was edited in cells {edited}; carry the edits into the source "
            f"with `make pull NB={name}`, or drop them: `git checkout notebooks/{name}.ipynb`"
        )
    if is_current(name) and not force:
        return False
    notebook = read_source(name)
    seconds = execute(notebook, NOTEBOOKS)
    notebook.metadata["course"] = {
        "hash": fingerprint(name),
        "seconds": round(seconds),
        "cells": [_cell_hash(cell) for cell in notebook.cells],
    }
    for picture in pictures(notebook):
        (ASSETS / f"{name}.png").write_bytes(picture)
    _write(NOTEBOOKS / f"{name}.ipynb", notebook)
    _write(EXERCISES / f"{name}.ipynb", without_solutions(notebook))
    return True


def pull(name: str) -> Path:
    """Carry edits made in the built notebook back into its source.

    Raises:
        PublishError: an inlined class was edited (that belongs into `course_utils`).
    """
    built = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    kept = nbformat.v4.new_notebook()
    for number, cell in enumerate(built.cells):
        cell = copy.deepcopy(cell)
        marks = cell.metadata.pop("course", {})
        cell.metadata.pop("nbgrader", None)
        if "inline" in marks:
            if cell.source != inlined(marks["inline"]):
                raise PublishError(
                    f"cell {number} holds inlined code that was edited; make this change in the "
                    f"file that `{marks['inline']}` names"
                )
            cell.source = marks["inline"]
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        kept.cells.append(cell)
    path = SOURCES / f"{name}.py"
    head = re.match(r"(?s)# ---\n.*?\n# ---\n\n?", path.read_text())
    text = jupytext.writes(kept, "py:percent")
    body = re.sub(r"(?s)\A# ---\n.*?\n# ---\n\n?", "", text)
    path.write_text((head.group(0) if head else "") + body)
    built.metadata["course"]["cells"] = [_cell_hash(cell) for cell in built.cells]
    _write(NOTEBOOKS / f"{name}.ipynb", built)
    return path


def run(name: str, log: str | None, folder: Path) -> tuple[Path, Path]:
    """Execute one notebook on a log; the copy and its HTML go into `folder`."""
    from nbconvert import HTMLExporter

    notebook = read_source(name)
    error = None
    try:
        execute(notebook, NOTEBOOKS, **({"COURSE_LOG": log} if log else {}))
    except PublishError as failed:
        error = failed
    stem = f"{name}-{re.sub(r'[^A-Za-z0-9.-]+', '_', log or 'sim')}"
    copy_path = folder / f"{stem}.ipynb"
    _write(copy_path, notebook)
    html, _ = HTMLExporter().from_notebook_node(notebook)
    html_path = folder / f"{stem}.html"
    html_path.write_text(html, encoding="utf-8")
    if error:
        raise PublishError(f"{error}\n\nThe notebook as far as it came: {copy_path}")
    return copy_path, html_path


# The README's tables


def claims_of(notebook: NotebookNode) -> list[dict]:
    """Claims of an executed notebook in their order: `claim`, `holds`, `measured`."""
    return [
        output.metadata["course"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "claim" in output.get("metadata", {}).get("course", {})
    ]


def results_table() -> str:
    """Markdown table of all claims with what was measured."""
    rows = ["| notebook | claim | | measured |", "|---|---|---|---|"]
    for name in names():
        path = NOTEBOOKS / f"{name}.ipynb"
        if not path.exists():
            raise PublishError(f"{path} has not been built; run `make notebooks`")
        for c in claims_of(nbformat.read(path, as_version=4)):
            mark = "✔" if c["holds"] else "✘"
            link = f"[{name.split('_')[0]}](notebooks/{name}.ipynb)"
            rows.append(f"| {link} | {c['claim']} | {mark} | {c['measured']} |")
    return "\n".join(rows)


def claims_by_seed(names: list[str], seeds: list[int]) -> str:
    """Markdown table of claim × `COURSE_SEED`, from fresh runs of the notebooks."""
    table: dict[tuple[str, str], dict[int, str]] = {}
    for seed in seeds:
        for name in names:
            notebook = read_source(name)
            try:
                execute(notebook, NOTEBOOKS, COURSE_SEED=str(seed))
            except PublishError as error:
                print(f"{name}, seed {seed}: {str(error)[-300:]}")
            for c in claims_of(notebook):
                cell = f"{'✔' if c['holds'] else '✘'} {c['measured']}"
                table.setdefault((name, c["claim"]), {})[seed] = cell
    rows = [
        "| claim | " + " | ".join(map(str, seeds)) + " |",
        "|---|" + "---|" * len(seeds),
    ]
    for (name, text), cells in table.items():
        values = " | ".join(cells.get(seed, "not reached") for seed in seeds)
        rows.append(f"| {name.split('_')[0]}: {text} | {values} |")
    return "\n".join(rows)


def fill(text: str, marker: str, content: str) -> str:
    """Replace what stands between `<!-- MARKER -->` and `<!-- /MARKER -->`."""
    pattern = rf"(?s)(<!-- {marker} -->\n).*?(<!-- /{marker} -->)"
    filled, n = re.subn(pattern, lambda m: f"{m.group(1)}{content}\n{m.group(2)}", text)
    if n != 1:
        raise PublishError(f"README.md needs exactly one pair of marks <!-- {marker} -->")
    return filled


def readme_text() -> str:
    """The README as it should be, with its generated parts filled in."""
    from course_utils.lesson import ladder

    text = fill((ROOT / "README.md").read_text(), "results", results_table())
    return fill(text, "ladder", ladder.table())


def write_readme() -> None:
    """Bring the README's generated parts up to date."""
    (ROOT / "README.md").write_text(readme_text())
