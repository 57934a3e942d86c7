"""Notebooks that bring the course with them, for a machine that has nothing but Jupyter."""

from __future__ import annotations

from pathlib import Path

import nbformat

from course_utils.authoring import publish, readme
from course_utils.authoring.source import EXERCISES

FETCH = """\
# Fetches and installs the course in Colab, Kaggle or wherever it is missing; else does nothing
import importlib.util
import subprocess
import sys
from pathlib import Path

if importlib.util.find_spec("course_utils") is None:
    folder = Path("{folder}").resolve()
    if not folder.exists():
        clone = ["git", "clone", "--quiet", "--depth=1", {address!r}, str(folder)]
        subprocess.run(clone, check=True)
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--editable", f"{{folder}}[real]"]
    subprocess.run(install, check=True)
    sys.path.insert(0, str(folder))  # this kernel began before there was anything to import
"""
FOLDER = "neural-recsys-course"


def fetching(address: str) -> str:
    """The code of a first cell that fetches the course.

    Args:
        address: of a Git repository, as `git clone` takes it.
    """
    return FETCH.format(folder=FOLDER, address=address)


def build(address: str, target: Path) -> list[Path]:
    """Write every built notebook, and its exercises, with a first cell that fetches the course.

    Args:
        address: of a Git repository that holds the course. target: the folder they go into.

    Raises:
        PublishError: a notebook has not been built.
    """
    written = {}
    for name in readme.written():
        blank = nbformat.read(EXERCISES / f"{name}.ipynb", as_version=4)
        for place, notebook in ((target, publish.read_built(name)), (target / "exercises", blank)):
            cell = nbformat.v4.new_code_cell(fetching(address), id="fetch")
            notebook.cells.insert(0, cell)
            written[place / f"{name}.ipynb"] = publish.as_text(notebook)
    publish.write_whole(written)
    return list(written)
