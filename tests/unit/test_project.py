"""The project itself: README's commands exist, its generated parts are current."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from course_utils import __main__ as command_line
from course_utils.authoring import readme, suite
from course_utils.lesson.syllabus import SyllabusError, read_syllabus
from course_utils.settings import ROOT


def test_make_help_lists_the_targets_that_the_readme_names():
    listed = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )
    targets = {line.split()[0] for line in listed.stdout.splitlines()}
    text = readme.fill(readme.README.read_text(encoding="utf-8"), "headlines", "")  # they are prose
    named = set(re.findall(r"\bmake ([a-z]+)", text))
    assert named and named <= targets, named - targets


def test_the_readme_is_what_it_should_be():
    for path, text in readme.texts().items():
        assert text == path.read_text(encoding="utf-8"), f"{path}: run `make notebooks`"


def test_ci_runs_the_readmes_command():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    commands = [line for line in script.splitlines() if "make test" in line]
    on_all_cores = 'WIDGET_SECONDS=3 make test-browser WORKERS="$(nproc)"'
    assert commands == ["make test MINUTES=55", on_all_cores]
    assert script.rstrip().endswith(commands[-1])
    assert "make test" in readme.README.read_text(encoding="utf-8")


def test_the_longest_notebook_is_tested_first():
    first, *_, last = suite.longest_first()
    assert first.name == "18_seminar_ranking.ipynb" and last != first
    assert all((ROOT / path).exists() for path in suite.longest_first())


def test_where_time_is_short_the_newest_notebooks_come_first(monkeypatch, tmp_path):
    files = [Path(f"{letter}.ipynb") for letter in "abcd"]  # the last is never committed
    monkeypatch.setattr(suite, "longest_first", lambda: files)
    monkeypatch.setattr(suite, "ROOT", tmp_path)
    assert suite.newest_first() == files  # no repository: the longest first
    days = {"a.ipynb": "2026-01-01", "b.ipynb": "2026-03-01", "c.ipynb": "2026-03-01"}
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run([*git, "init", "-q"], cwd=tmp_path, check=True)
    for name, day in days.items():
        (tmp_path / name).write_text("{}", encoding="utf-8")
        subprocess.run([*git, "add", name], cwd=tmp_path, check=True)
        dated = os.environ | {"GIT_COMMITTER_DATE": f"{day}T12:00:00"}
        subprocess.run([*git, "commit", "-qm", name], cwd=tmp_path, check=True, env=dated)
    assert [path.stem for path in suite.newest_first()] == ["d", "b", "c", "a"]


@pytest.mark.parametrize(("left", "runs"), [(600, True), (-1, False)])
def test_a_notebook_that_would_end_too_late_is_left_out_and_named(tmp_path, left, runs):
    path = tmp_path / "07_x.ipynb"
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("1 + 1"), nbformat.v4.new_code_cell("2 + 2")],
        metadata={"course": {"seconds": 100}},
    )
    nbformat.write(notebook, path)
    command = [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider"]
    command += ["--nbval-lax", "--nbval-current-env", f"--confcutdir={ROOT}"]
    command += [f"--notebooks-until={time.time() + left:.0f}", "-c", str(ROOT / "pyproject.toml")]
    command += [str(path), "tests/unit/test_project.py::test_the_longest_notebook_is_tested_first"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert done.stdout.split()[0] == ("..." if runs else "ss."), done.stdout
    assert ("07_x left out: it takes about 200 s, 0 are left" in done.stdout) is not runs


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ('{ part = 1, title = "x" }', "01_x: .*state"),
        ('{ part = 3, title = "x", state = "written" }', "01_x: part 3"),
        ('{ part = 1, title = "x", state = "finished" }', "planned, draft, written"),
        ('{ part = 1, title = "x", state = "draft", hours = 1 }', "01_x: .*hours"),
        ('{ part = 1, title = "x", state = "draft", rests = ["luck"] }', "01_x rests on .*luck"),
    ],
)
def test_a_wrong_line_of_the_map_is_named(tmp_path, entry, words):
    path = tmp_path / "course.toml"
    path.write_text(f'parts = ["One"]\n[notebooks]\n01_x = {entry}\n', encoding="utf-8")
    with pytest.raises(SyllabusError, match=words):
        read_syllabus(path)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["log", "nowhere"], 1, "neither a known source"),
        (["publish", "99_nowhere"], 1, "no source"),
        (["fresh", "99_nowhere"], 1, "no source"),
        (["pull", "99_nowhere"], 1, "no source"),
        (["pull", ""], 1, "no source"),
        (["run", "99_nowhere"], 1, "no source"),
        (["preview", "99_nowhere", "--no-open"], 1, "no source"),
        (["new", "nowhere"], 1, "not of the form NN_topic"),
        (["log", "sim:n_listeners=20,listens_per_listener=20,n_tracks=400,days=28"], 0, "events"),
    ],
)
def test_the_command_line(arguments, status, words, capsys):
    assert command_line.main(arguments) == status
    said = capsys.readouterr()
    assert words in said.out + said.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["claims", "--seeds", "0..x"],
        ["claims", "--seeds", "4..0"],
        ["claims", "--seeds", "99999999999"],
        ["pull"],
        ["nonsense"],
        [],
    ],
)
def test_wrong_usage_exits_with_two(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        command_line.main(arguments)
    assert stopped.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_the_package_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "course_utils", "log", "nowhere"],
        cwd=ROOT, capture_output=True, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 1 and "Traceback" not in done.stderr


def test_without_the_authors_tools_a_student_is_told_what_is_missing(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "jupytext", None)
    for name in [n for n in sys.modules if n.startswith("course_utils.authoring")]:
        monkeypatch.delitem(sys.modules, name)
    assert command_line.main(["fresh"]) == 1
    assert "needs jupytext: pip install -e '.[authoring]'" in capsys.readouterr().err
