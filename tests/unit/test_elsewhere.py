"""What brings the course elsewhere: the cell that fetches it, Binder's and a container's files."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import nbformat
import pytest

from course_utils.authoring import elsewhere, source
from course_utils.settings import ROOT

PIP = 'import sys\n\nopen("installed", "w").write(" ".join(sys.argv[1:]))\n'


@pytest.fixture
def repository(tmp_path):
    """A Git repository with a package of the course's name."""
    made = tmp_path / "the repository"
    (made / "course_utils").mkdir(parents=True)
    (made / "course_utils" / "__init__.py").write_text("here = True\n", encoding="utf-8")
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "a"]):
        subprocess.run(["git", *command], cwd=made, check=True)
    return made


def run_cell(code, folder, *options):
    """Run a cell in a folder where the only `pip` writes down what it is asked."""
    (folder / "stub" / "pip").mkdir(parents=True, exist_ok=True)
    (folder / "stub" / "pip" / "__init__.py").touch()
    (folder / "stub" / "pip" / "__main__.py").write_text(PIP, encoding="utf-8")
    code += "\nimport course_utils\nprint(course_utils.__file__)\n"
    done = subprocess.run(
        [sys.executable, *options, "-c", code],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(folder / "stub")},
        capture_output=True, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_cell_fetches_the_course_where_it_is_missing(tmp_path, repository):
    code, folder = elsewhere.fetching(repository.as_uri()), tmp_path / elsewhere.FOLDER
    for _ in range(2):  # the second time the clone is there already
        found = run_cell(code, tmp_path, "-S")  # without what is installed
        assert found == str(folder / "course_utils" / "__init__.py")
    asked = (tmp_path / "installed").read_text(encoding="utf-8")
    assert asked == f"install --quiet --editable {folder}[real]"


def test_the_cell_does_nothing_where_the_course_is(tmp_path):
    found = run_cell(elsewhere.fetching("https://example.org/none"), tmp_path)
    assert found.endswith("__init__.py") and not found.startswith(str(tmp_path))
    assert not (tmp_path / "installed").exists() and not (tmp_path / elsewhere.FOLDER).exists()


def test_every_notebook_is_written_with_it(tmp_path):
    paths = elsewhere.build("https://example.org/course.git", tmp_path)
    assert len(paths) == 2 * len(source.names())
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        assert "https://example.org/course.git" in notebook.cells[0].source


def test_the_files_of_binder_and_containers():
    told = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    target = told["postCreateCommand"].split()[1]
    assert f"$(VENV)/{target.rpartition('/')[2]}:" in (ROOT / "Makefile").read_text("utf-8")
    assert os.access(ROOT / "postBuild", os.X_OK) or os.name == "nt"
