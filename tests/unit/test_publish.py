"""Publishing: inlining, clearing, pulling back, and never destroying work."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from urllib.parse import quote

import nbformat
import pytest

from course_utils.authoring import new, publish, pull, readme, repeats, run, source
from course_utils.authoring.execute import execute
from course_utils.authoring.source import PublishError

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

from course_utils.data.log import open_log
from course_utils.lesson.claims import Claims

claim = Claims(open_log("sim:n_listeners=20,listens_per_listener=20,n_tracks=400,days=28"))

# %% slideshow={"slide_type": "subslide"} tags=["inline"]
from course_utils.models.mlp import MLP


# %% slideshow={"slide_type": "skip"}
def double(x):
    """Twice x."""
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION


double(4)

# %% slideshow={"slide_type": "skip"}
assert double(4) == 8

# %% slideshow={"slide_type": "skip"} tags=["nbval-check-output"]
claim("Two is more than one", 2 > 1, "2 against 1")
'''


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course of one notebook in a folder of its own, whose name is none of the easy ones."""
    root = tmp_path / "My course [2026] курс"
    places = {
        "NOTEBOOKS": root,
        "SOURCES": root / "src",
        "EXERCISES": root / "exercises",
        "ASSETS": root / "assets",
        "ROOT": root,
    }
    for module in (source, publish, pull, run):
        for name, place in places.items():
            if hasattr(module, name) and not (module is source and name == "ROOT"):
                monkeypatch.setattr(module, name, place)
    (root / "src").mkdir(parents=True)
    (root / "src" / "90_tiny.py").write_text(SOURCE, encoding="utf-8", newline="\n")
    return root


@pytest.fixture
def pretend(course):
    """The notebook as published, without the seconds that a kernel takes."""
    notebook = source.read_source("90_tiny")
    for number, cell in enumerate(c for c in notebook.cells if c.cell_type == "code"):
        cell.execution_count = number + 1
        cell.outputs = [nbformat.v4.new_output("stream", text=f"output {number}\n")]
    notebook.metadata["course"] = {
        "hash": publish.code_hash(publish.code_of(notebook)),
        "seconds": 1,
        "cells": [publish.cell_hash(cell) for cell in notebook.cells],
        "source": [publish.cell_hash(c) for c in source.read_source("90_tiny", inline=False).cells],
    }
    save(notebook, course)
    blank = source.exercises(notebook)
    publish.write_whole({course / "exercises" / "90_tiny.ipynb": publish.as_text(blank)})
    assert publish.state("90_tiny") == "current"
    return notebook


def save(notebook, course):
    publish.write_whole({course / "90_tiny.ipynb": publish.as_text(notebook)})


def text_of(course):
    return (course / "src" / "90_tiny.py").read_text(encoding="utf-8")


def rewrite(course, old, new_text):
    assert old in text_of(course)
    path = course / "src" / "90_tiny.py"
    path.write_text(text_of(course).replace(old, new_text), encoding="utf-8", newline="\n")


# Building


def test_a_figure_says_in_words_what_it_shows(course, pretend):
    cell = next(c for c in pretend.cells if "inline" in c.metadata.get("tags", []))
    cell.outputs = [nbformat.v4.new_output("display_data", {"image/png": "QQ=="})]
    save(pretend, course)
    tags = 'tags=["inline"]'
    for said in ("A line that rises with x", "A line that falls"):
        rewrite(course, tags, tags + f' alt="{said}"')
        assert publish.publish("90_tiny") == "text"
        built = publish.read_built("90_tiny")
        (about,) = (o.metadata for c in built.cells for o in c.get("outputs", []) if "data" in o)
        assert about == {"image/png": {"alt": said}}
        rewrite(course, f' alt="{said}"', "")
    assert publish.publish("90_tiny") == "text"
    text = (course / "90_tiny.ipynb").read_text(encoding="utf-8")
    assert '"alt"' not in text and text.count("image/png") == 1


def test_a_page_tells_its_figures_and_can_do_without_a_network(pretend):
    cell = next(c for c in pretend.cells if "inline" in c.metadata.get("tags", []))
    cell.outputs = [nbformat.v4.new_output("display_data", {"image/png": "QQ=="})] * 2
    cell.metadata["alt"] = 'A "line" that rises'
    page = run.as_page(pretend, "mathjax.js")
    assert page.count('alt="A &quot;line&quot; that rises"') == 2
    assert '<script src="http' not in page and '<script src="mathjax.js" defer></script>' in page
    assert '<script src="http' in run.as_page(pretend)


def test_readers_are_spared_comments_to_tools(pretend, course):
    line = 'claim("Two is more than one", 2 > 1, "2 against 1")'
    marked = text_of(course).replace(line, f"x = (1,\n     2)  # fmt: skip\n{line}")
    rewrite(course, line, f"x = (1,\n     2)  # fmt: skip\n{line}")
    assert publish.state("90_tiny") == "stale", "x is new"
    built = source.read_source("90_tiny")
    assert built.cells[-1].source == f"x = (1,\n     2)\n{line}"
    built.metadata["course"] = {"cells": [publish.cell_hash(cell) for cell in built.cells]}
    built.cells[0].source += " more"
    save(built, course)
    pull.pull("90_tiny")
    assert text_of(course) == marked.replace("Some text.", "Some text. more")


def test_exercises_hold_nothing_that_is_said_to_the_speaker(pretend, course):
    note = '# %% [markdown] slideshow={"slide_type": "notes"}\n# The answer is 42.\n\n'
    line = '# %% slideshow={"slide_type": "skip"}\nfrom torch'
    rewrite(course, line, note + line)
    assert publish.publish("90_tiny") == "text"
    blank = nbformat.read(course / "exercises" / "90_tiny.ipynb", as_version=4)
    assert len(blank.cells) == len(source.read_source("90_tiny").cells) - 1
    assert not any("42" in cell.source for cell in blank.cells)


def test_exercises_find_the_pictures_of_the_text(course, pretend):
    rewrite(
        course, "# Some text.", "# ![a drawing](assets/drawings/two.svg) [data](../data/README.md)"
    )
    assert publish.publish("90_tiny") == "text"
    blank = (course / "exercises" / "90_tiny.ipynb").read_text(encoding="utf-8")
    assert "](../assets/drawings/two.svg)" in blank and "](assets/" not in blank
    assert "](../../data/README.md)" in blank


def test_a_built_notebook_shows_real_code_and_is_executed(course):
    assert publish.publish("90_tiny") == "executed"
    built = publish.read_built("90_tiny")
    code = [c for c in built.cells if c.cell_type == "code"]
    first, second = code[1].source.splitlines()[:2]
    assert first == "# This code stands in course_utils/models/mlp.py"
    assert second == "class MLP(nn.Sequential):"
    assert [c.execution_count for c in code] == [1, 2, 3, 4, 5]
    assert repeats.claims_of(built) == [
        {"claim": "Two is more than one", "holds": True, "measured": "2 against 1"}
    ]
    assert publish.publish("90_tiny") == "current", "nothing changed, nothing is built"
    assert not list(course.rglob("*.partial"))
    blank = nbformat.read(course / "exercises" / "90_tiny.ipynb", as_version=4)
    text = "\n".join(c.source for c in blank.cells if c.cell_type == "code")
    assert "return 2 * x" not in text and "SOLUTION" not in text
    assert "raise NotImplementedError" in text
    folded = '```python\ndef double(x):\n    """Twice x."""\n    return 2 * x\n```\n</details>'
    assert folded in blank.cells[0].source
    assert [c.metadata.get("tags") for c in blank.cells[3:5]] == [["raises-exception"]] * 2
    assert all(not c.get("outputs") for c in blank.cells)
    exercise, check = (blank.cells[i].metadata["nbgrader"] for i in (3, 4))
    assert exercise["solution"] and check["grade"] and check["locked"]


def test_figures_stay_whatever_backend_the_caller_has(tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    draws = nbformat.v4.new_code_cell("import matplotlib.pyplot as plt\nplt.plot([1])\nplt.show()")
    execute(nbformat.v4.new_notebook(cells=[draws]), tmp_path)
    assert ["image/png" in output.get("data", {}) for output in draws.outputs] == [True]


def test_new_words_keep_the_outputs(pretend, course):
    rewrite(course, "Some text.", "Other text.")
    rewrite(course, '"""Twice x."""', '"""Two times x."""')
    rewrite(course, '"slide_type": "subslide"', '"slide_type": "slide"')
    assert publish.state("90_tiny") == "prose"
    assert publish.publish("90_tiny") == "text"
    built = publish.read_built("90_tiny")
    assert "Other text." in built.cells[0].source
    assert built.cells[2].metadata["slideshow"]["slide_type"] == "slide"
    outputs = [c.outputs for c in built.cells if c.cell_type == "code"]
    assert outputs == [c.outputs for c in pretend.cells if c.cell_type == "code"]
    assert publish.state("90_tiny") == "current" and publish.edited_cells("90_tiny") == []


@pytest.mark.parametrize(
    ("old", "new_text"),
    [
        ("double(4)\n\n# %%", "double(5)\n\n# %%"),
        ("2 > 1", "2 > 0"),
        ("return 2 * x", "return x + x"),
    ],
)
def test_new_code_makes_it_stale(pretend, course, old, new_text):
    rewrite(course, old, new_text)
    assert publish.state("90_tiny") == "stale"


def test_windows_line_ends_change_nothing(pretend, course):
    path = course / "src" / "90_tiny.py"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    built = course / "90_tiny.ipynb"
    built.write_bytes(built.read_bytes().replace(b"\n", b"\r\n"))
    assert publish.state("90_tiny") == "current" and publish.edited_cells("90_tiny") == []


def test_opening_a_notebook_is_no_edit(pretend, course):
    pretend.metadata["kernelspec"]["display_name"] = "Python 3.12 (my laptop)"
    pretend.metadata["language_info"] = {"name": "python", "version": "3.12.9"}
    pretend.cells[0].metadata["editable"] = True
    pretend.cells[1].metadata["jp-MarkdownHeadingCollapsed"] = True
    save(pretend, course)
    assert publish.edited_cells("90_tiny") == [] and publish.publish("90_tiny") == "current"


def test_a_failing_cell_builds_nothing(course):
    rewrite(course, "assert double(4) == 8", "assert double(4) == 9")
    with pytest.raises(PublishError, match="AssertionError"):
        publish.publish("90_tiny")
    assert not (course / "90_tiny.ipynb").exists()
    assert not (course / "exercises").exists()


def test_stderr_is_an_error(course):
    added = "\n# %%\nimport warnings\nwarnings.warn('mind this')\n"
    (course / "src" / "90_tiny.py").write_text(SOURCE + added, encoding="utf-8")
    with pytest.raises(PublishError, match=r"wrote to stderr.*mind this"):
        publish.publish("90_tiny")


def test_all_files_are_written_or_none(tmp_path):
    good, bad = tmp_path / "good", tmp_path / "folder" / "bad"
    (tmp_path / "folder").write_text("in the way", encoding="utf-8")
    with pytest.raises(OSError, match="folder"):
        publish.write_whole({good: b"1", bad: b"2"})
    assert not good.exists() and not list(tmp_path.glob(".*"))


# Carrying edits back


def test_edits_are_never_destroyed_and_can_be_pulled(pretend, course):
    pretend.cells[0].source += "\n\nAn edit."
    save(pretend, course)
    with pytest.raises(PublishError, match=r"edited in cells \[0\].*make pull NB=90_tiny"):
        publish.publish("90_tiny")
    pull.pull("90_tiny")
    assert text_of(course) == SOURCE.replace("# Some text.\n", "# Some text.\n#\n# An edit.\n")
    assert publish.publish("90_tiny") == "text"


def test_edits_can_be_pulled_again_before_anything_is_built(pretend, course):
    for edit in ("One edit.", "Another edit."):
        pretend.cells[0].source += f"\n\n{edit}"
        built = publish.read_built("90_tiny")
        built.cells[0].source = pretend.cells[0].source
        save(built, course)
        pull.pull("90_tiny")
        assert edit in text_of(course)


def test_a_pull_without_edits_leaves_the_source_as_it_is(pretend, course):
    pull.pull("90_tiny")
    assert text_of(course) == SOURCE


def test_a_pull_keeps_the_words_about_a_figure_readable(pretend, course):
    rewrite(course, 'tags=["inline"]', 'tags=["inline"] alt="Δ falls by −0.01"')
    assert publish.publish("90_tiny") == "text"
    before = text_of(course)
    built = publish.read_built("90_tiny")
    built.cells[0].source += " more"
    save(built, course)
    pull.pull("90_tiny")
    assert text_of(course) == before.replace("Some text.", "Some text. more")


def test_slide_types_tags_and_points_are_pulled(pretend, course):
    pretend.cells[0].metadata["slideshow"]["slide_type"] = "subslide"
    pretend.cells[1].metadata["tags"] = ["picture"]
    pretend.cells[4].metadata["nbgrader"]["points"] = 3
    save(pretend, course)
    assert publish.edited_cells("90_tiny") == [0, 1, 4]
    pull.pull("90_tiny")
    again = source.read_source("90_tiny")
    assert again.cells[0].metadata["slideshow"]["slide_type"] == "subslide"
    assert again.cells[1].metadata["tags"] == ["picture"]
    assert again.cells[4].metadata["nbgrader"] == pretend.cells[4].metadata["nbgrader"]
    assert "grade_id" not in text_of(course), "only what was changed stands in the source"
    assert publish.state("90_tiny") == "prose" or publish.state("90_tiny") == "current"
    assert publish.edited_cells("90_tiny") == []


def test_a_pasted_picture_becomes_an_asset(pretend, course):
    pretend.cells[0].source += "\n\n![a cat](attachment:my cat.png)"
    picture = base64.b64encode(b"a picture").decode()
    pretend.cells[0]["attachments"] = {"my cat.png": {"image/png": picture}}
    save(pretend, course)
    _, asset = pull.pull("90_tiny")
    assert asset.parent == course / "assets" and asset.read_bytes() == b"a picture"
    assert f"![a cat](assets/{asset.name})" in text_of(course)
    assert publish.publish("90_tiny") == "text"


def test_a_pasted_file_of_another_kind_is_refused(pretend, course):
    pretend.cells[0]["attachments"] = {"film.mp4": {"video/mp4": "AAAA"}}
    pretend.cells[0].source += "\n![a film](attachment:film.mp4)"
    save(pretend, course)
    with pytest.raises(PublishError, match=r"cell 0: the pasted file 'film.mp4' is of type video"):
        pull.pull("90_tiny")
    assert text_of(course) == SOURCE


def test_pasted_pictures_never_take_each_others_place(pretend, course):
    """Every paste is called image.png; links are percent-encoded; a name may begin another."""
    names = ["image.png", "a b.png", "a-b.png", "кот.png", "пёс.png", "a.png", "a.png2"]
    for number, name in enumerate(names):
        content = base64.b64encode(f"picture {number}".encode()).decode()
        pretend.cells[0].setdefault("attachments", {})[name] = {"image/png": content}
        pretend.cells[0].source += f"\n\n![{number}](attachment:{quote(name)})"
    save(pretend, course)
    pull.pull("90_tiny")
    linked = re.findall(r"!\[(\d)\]\((assets/[^)]*)\)", text_of(course))
    assert [int(number) for number, _ in linked] == list(range(len(names)))
    for number, link in linked:
        assert (course / link).read_bytes() == f"picture {number}".encode()
    publish.publish("90_tiny")
    again = publish.read_built("90_tiny")
    again.cells[0].source += "\n\n![new](attachment:image.png)"
    again.cells[0]["attachments"] = {"image.png": {"image/png": base64.b64encode(b"new").decode()}}
    save(again, course)
    pull.pull("90_tiny")
    for number, link in linked:
        assert (course / link).read_bytes() == f"picture {number}".encode()


@pytest.mark.parametrize("shown", ["", "![x](attachment:other.png)"])
def test_a_picture_that_is_not_shown_is_not_dropped_in_silence(pretend, course, shown):
    pretend.cells[0]["attachments"] = {"image.png": {"image/png": "AAAA"}}
    pretend.cells[0].source += "\n\n" + shown
    save(pretend, course)
    with pytest.raises(PublishError, match=r"cell 0: .* is pasted but not shown, or shown but not"):
        pull.pull("90_tiny")
    assert text_of(course) == SOURCE


def test_a_source_that_moved_on_is_not_overwritten(pretend, course):
    rewrite(course, "Some text.", "Newer text.")
    for _ in range(2):
        with pytest.raises(PublishError, match=r"edited since .* was built, first in cell 0"):
            pull.pull("90_tiny")
        pretend.cells[1].source += "\n# an edit in JupyterLab"
        save(pretend, course)
    assert "Newer text." in text_of(course)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("code", "# %% [markdown]\n# hello"),
        ("code", "x = 1\n# %% section\ny = 2"),
        ("code", "%%writefile a.py\n# %%\nx = 1"),
        ("markdown", "text\n%% more\ntext"),
        ("raw", "---\na: 1\n---"),
        ("code", "x = 'a\u2028b'"),
        ("code", "x = 'a\x85b'"),
        ("markdown", "one\ftwo"),
        ("code", ""),
        ("code", "x = 'é — ✔ 漢字'  # %%"),
        ("markdown", "# %% not a cell, <!-- a comment -->"),
        ("code", "x = 1" + "1" * 20_000),
        ("code", "%time x = !ls"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", [0, 3, 6])
def test_a_pulled_cell_reads_back_as_it_was_or_is_refused(pretend, course, kind, text, place):
    make = getattr(nbformat.v4, f"new_{kind}_cell")
    cell = make(text, metadata={"slideshow": {"slide_type": "skip"}})
    pretend.cells.insert(place, cell)
    save(pretend, course)
    try:
        pull.pull("90_tiny")
    except PublishError as error:
        assert f"cell {place}" in str(error)
        assert text_of(course) == SOURCE
        return
    again = source.read_source("90_tiny").cells
    kept = [c.source for c in pretend.cells if c is not cell or text]
    assert [c.source for c in again] == kept


def test_marks_of_nbgraders_toolbar_are_kept(pretend, course):
    own = {"grade_id": "mine", "schema_version": 3, "task": False, "solution": False,
           "grade": False, "locked": True}  # fmt: skip
    pretend.cells[0].metadata["nbgrader"] = own
    save(pretend, course)
    pull.pull("90_tiny")
    assert source.read_source("90_tiny").cells[0].metadata["nbgrader"] == own


def test_the_cell_after_an_exercise_is_its_check(pretend, course):
    pretend.cells[4] = nbformat.v4.new_markdown_cell("no check any more")
    save(pretend, course)
    with pytest.raises(PublishError, match="cell 4 must be the code that checks"):
        pull.pull("90_tiny")
    rewrite(course, "assert double(4) == 8", "")
    with pytest.raises(PublishError, match="cell 4"):
        source.read_source("90_tiny")


@pytest.mark.parametrize("change", ["tag", "kind"])
def test_an_inlined_cell_stays_one(pretend, course, change):
    if change == "tag":
        pretend.cells[2].metadata["tags"] = []
    else:
        pretend.cells[2] = nbformat.from_dict({**pretend.cells[2], "cell_type": "markdown"})
        pretend.cells[2].pop("outputs"), pretend.cells[2].pop("execution_count")
    save(pretend, course)
    with pytest.raises(PublishError, match="cell 2 "):
        pull.pull("90_tiny")
    assert text_of(course) == SOURCE


def test_a_change_of_the_package_is_no_edit_of_the_inlined_cell(pretend, course, monkeypatch):
    pretend.cells[0].source += "\n\nAn edit."
    save(pretend, course)
    monkeypatch.setattr(source, "inlined", lambda code: "# changed since")
    pull.pull("90_tiny")
    assert "An edit." in text_of(course) and "import MLP" in text_of(course)


def test_an_edited_inlined_class_is_not_pulled(pretend, course):
    pretend.cells[2].source += "\n# an edit"
    save(pretend, course)
    with pytest.raises(PublishError, match="cell 2 holds inlined code"):
        pull.pull("90_tiny")
    assert text_of(course) == SOURCE


@pytest.mark.parametrize(
    "name", ["99_nowhere", "", "..", "../90_tiny", "src/90_tiny", "90_tiny.py"]
)
@pytest.mark.parametrize("action", [publish.publish, pull.pull, source.read_source, publish.state])
def test_unknown_names(course, action, name):
    with pytest.raises(PublishError, match=r"no source of a notebook .*90_tiny"):
        action(name)


def test_a_notebook_that_was_never_built_cannot_be_pulled(course):
    with pytest.raises(PublishError, match="has not been built; run `make notebooks`"):
        pull.pull("90_tiny")


# Reading sources


def test_an_inline_cell_holds_imports_only():
    with pytest.raises(PublishError, match="may only import from course_utils"):
        source.inlined("import torch")
    with pytest.raises(PublishError, match=r"course_utils\.models\.mlp has no Perceptron"):
        source.inlined("from course_utils.models.mlp import Perceptron")


def test_an_empty_cell_is_refused(course):
    (course / "src" / "90_tiny.py").write_text(SOURCE + "\n# %%\n\n# %%\n1\n", encoding="utf-8")
    with pytest.raises(PublishError, match=r"90_tiny.py: cell 6 is empty"):
        source.read_source("90_tiny")


# Copies


def test_running_leaves_a_copy_and_a_page_and_follows_the_variable(course, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_LOG", "movielens")
    monkeypatch.setattr(
        run, "execute", lambda notebook, folder, **variables: seen.append(variables)
    )
    seen = []
    copy, page = run.run("90_tiny", None, tmp_path / "build")
    assert copy.name == "90_tiny-movielens.ipynb"
    assert "A title" in page.read_text(encoding="utf-8")
    copy, _ = run.run("90_tiny", "grocery", tmp_path / "build")
    assert copy.name == "90_tiny-grocery.ipynb"
    monkeypatch.chdir(tmp_path)
    one, _ = run.run("90_tiny", "a b.parquet", tmp_path / "build")
    two, _ = run.run("90_tiny", "a-b.parquet", tmp_path / "build")
    assert one != two, "two logs never share a copy"
    assert [v["COURSE_LOG"] for v in seen][:2] == ["movielens", "grocery"]
    assert seen[2]["COURSE_LOG"] == str(tmp_path / "a b.parquet")
    assert not (course / "90_tiny.ipynb").exists()


# A new notebook


def test_a_new_notebook_runs_and_touches_no_list(tmp_path, monkeypatch):
    for folder in ("notebooks/src", "course_utils/checks", "tests/notebooks/wrong"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "course.toml").write_text(
        'parts = ["One"]\n[notebooks]\n03_planned = { part = 1, title = "x", state = "planned" }\n'
        '05_later = { part = 1, title = "y", state = "written" }\n',
        encoding="utf-8",
    )
    monkeypatch.setattr(new, "ROOT", tmp_path)
    monkeypatch.setattr(source, "SOURCES", tmp_path / "notebooks" / "src")
    assert len(new.new("03_planned")) == 4 and new.new("04_fresh")
    course = (tmp_path / "course.toml").read_text(encoding="utf-8").splitlines()
    assert course[2] == '03_planned = { part = 1, title = "x", state = "draft" }'
    assert course[3].startswith('04_fresh = { part = 1, title = "fresh"')
    notebook = source.read_source("04_fresh")
    assert any(source.BEGIN in cell.source for cell in notebook.cells)
    with pytest.raises(PublishError, match="exists; choose another name"):
        new.new("04_fresh")
    for name, words in {
        "05_import": "a word of Python",
        "13_lambda": "a word of Python",
        "05_other": "number 05 is taken by 05_later",
        "04_other": "number 04 is taken by 04_fresh",
    }.items():
        with pytest.raises(PublishError, match=words):
            new.new(name)
    for name in ("fresh", "4_fresh", "04-fresh", "04_Fresh", "../04_fresh", ""):
        with pytest.raises(PublishError, match="not of the form NN_topic"):
            new.new(name)


# README and console


def test_the_readme_marks_are_needed():
    assert readme.fill("a\n<!-- x -->\nold\n<!-- /x -->\nb", "x", "new") == (
        "a\n<!-- x -->\nnew\n<!-- /x -->\nb"
    )
    with pytest.raises(PublishError, match="marks"):
        readme.fill("nothing", "x", "new")


@pytest.mark.parametrize("encoding", ["cp1251", "ascii", "utf-8"])
def test_any_console_can_show_what_is_said(encoding):
    done = subprocess.run(
        [sys.executable, "-m", "course_utils", "doctor"],
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
        cwd=source.ROOT, capture_output=True, check=False,
    )  # fmt: skip
    assert b"Traceback" not in done.stderr
    said = done.stdout.decode(encoding)
    assert ("✔ Python" if encoding == "utf-8" else "[ok] Python") in said
