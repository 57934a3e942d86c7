"""Publishing: inlining, clearing, pulling back, and never destroying work."""

from __future__ import annotations

import shutil

import nbformat
import pytest

from course_utils.authoring import publish
from course_utils.authoring.publish import PublishError

SOURCE = '''# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown] slideshow={"slide_type": "slide"}
# # A title
#
# Some text.

# %% slideshow={"slide_type": "skip"}
from torch import nn

from course_utils.claims import claim

# %% slideshow={"slide_type": "subslide"} tags=["inline"]
from course_utils.models import MLP

# %% slideshow={"slide_type": "skip"}
def double(x):
    """Twice x."""
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION


double(4)

# %% slideshow={"slide_type": "skip"}
assert double(4) == 8

# %% slideshow={"slide_type": "skip"}
# NBVAL_CHECK_OUTPUT
claim("Two is more than one", 2 > 1, "2 against 1")
'''


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course of one notebook in a folder of its own."""
    for name, folder in [("NOTEBOOKS", ""), ("SOURCES", "src"), ("EXERCISES", "exercises")]:
        monkeypatch.setattr(publish, name, tmp_path / folder)
        (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / "src" / "90_tiny.py").write_text(SOURCE)
    return tmp_path


@pytest.fixture
def built(course):
    assert publish.publish("90_tiny")
    return nbformat.read(course / "90_tiny.ipynb", as_version=4)


def test_a_built_notebook_shows_real_code_and_is_executed(built, course):
    code = [c for c in built.cells if c.cell_type == "code"]
    assert code[1].source.startswith("class MLP(nn.Sequential):")
    assert [c.execution_count for c in code] == [1, 2, 3, 4, 5]
    assert publish.claims_of(built) == [
        {"claim": "Two is more than one", "holds": True, "measured": "2 against 1"}
    ]
    assert "| ✔ | 2 against 1 |" in publish.results_table()
    assert not publish.publish("90_tiny"), "nothing changed, nothing is built"
    assert not list(course.glob(".*partial"))


def test_the_exercise_has_no_solution_and_no_outputs(built, course):
    blank = nbformat.read(course / "exercises" / "90_tiny.ipynb", as_version=4)
    text = "\n".join(c.source for c in blank.cells)
    assert "return 2 * x" not in text and "SOLUTION" not in text
    assert "raise NotImplementedError" in text
    assert all(not c.get("outputs") for c in blank.cells)
    exercise, check = (blank.cells[i].metadata["nbgrader"] for i in (3, 4))
    assert exercise["solution"] and check["grade"] and check["locked"]


def test_a_changed_source_is_built_again(built, course):
    path = course / "src" / "90_tiny.py"
    path.write_text(path.read_text().replace("Some text.", "Other text."))
    assert not publish.is_current("90_tiny")
    assert publish.publish("90_tiny")


def test_edits_are_never_destroyed_and_can_be_pulled(built, course):
    built.cells[0].source += "\n\nAn edit."
    nbformat.write(built, course / "90_tiny.ipynb")
    with pytest.raises(PublishError, match=r"edited in cells \[0\].*make pull NB=90_tiny"):
        publish.publish("90_tiny")
    publish.pull("90_tiny")
    text = (course / "src" / "90_tiny.py").read_text()
    assert text == SOURCE.replace("# Some text.\n", "# Some text.\n#\n# An edit.\n")
    assert publish.publish("90_tiny")


def test_an_edited_inlined_class_is_not_pulled(built, course):
    built.cells[2].source += "\n# an edit"
    nbformat.write(built, course / "90_tiny.ipynb")
    with pytest.raises(PublishError, match="cell 2 holds inlined code"):
        publish.pull("90_tiny")
    assert (course / "src" / "90_tiny.py").read_text() == SOURCE


def test_a_failing_cell_builds_nothing(course):
    path = course / "src" / "90_tiny.py"
    path.write_text(SOURCE.replace("assert double(4) == 8", "assert double(4) == 9"))
    with pytest.raises(PublishError, match="AssertionError"):
        publish.publish("90_tiny")
    assert not (course / "90_tiny.ipynb").exists()
    assert not (course / "exercises" / "90_tiny.ipynb").exists()


def test_stderr_is_an_error(course):
    path = course / "src" / "90_tiny.py"
    path.write_text(SOURCE + "\n# %%\nimport warnings\nwarnings.warn('mind this')\n")
    with pytest.raises(PublishError, match=r"wrote to stderr.*mind this"):
        publish.publish("90_tiny")


def test_running_leaves_a_copy_and_a_page(course, tmp_path):
    shutil.rmtree(course / "exercises")
    notebook, page = publish.run("90_tiny", "movielens", tmp_path / "build")
    assert notebook.name == "90_tiny-movielens.ipynb" and "A title" in page.read_text()
    assert not (course / "90_tiny.ipynb").exists()


def test_an_inline_cell_holds_imports_only():
    with pytest.raises(PublishError, match="may only import from course_utils"):
        publish.inlined("import torch")


def test_the_readme_marks_are_needed():
    assert publish.fill("a\n<!-- x -->\nold\n<!-- /x -->\nb", "x", "new") == (
        "a\n<!-- x -->\nnew\n<!-- /x -->\nb"
    )
    with pytest.raises(PublishError, match="marks"):
        publish.fill("nothing", "x", "new")


def test_unknown_notebook():
    with pytest.raises(PublishError, match="no source"):
        publish.read_source("99_nowhere")
