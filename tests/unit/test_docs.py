"""Examples in docstrings are true, and what the project's texts and settings name is there."""

from __future__ import annotations

import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "course_utils"
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "data/README.md")
MEANT = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def workflow() -> dict:
    return yaml.safe_load(read(".github/workflows/ci.yml"))


# Examples


def with_examples() -> list[str]:
    """Modules of the package that show an example."""
    return [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sorted(PACKAGE.rglob("*.py"))
        if ">>> " in path.read_text(encoding="utf-8")
    ]


@pytest.mark.parametrize("name", with_examples())
def test_examples_of_docstrings_are_true(name):
    failed, tried = doctest.testmod(importlib.import_module(name), optionflags=MEANT)
    assert tried, f"{name}: the examples stand where doctest does not look"
    assert not failed


# Pages


def targets() -> set[str]:
    """What `make` can be asked for."""
    return set(re.findall(r"^([a-z]+):.*##", read("Makefile"), re.MULTILINE))


def commands() -> set[str]:
    """What `python -m course_utils` can be asked for."""
    told = subprocess.run(
        [sys.executable, "-m", "course_utils", "--help"],
        cwd=ROOT, capture_output=True, text=True, encoding="utf-8", errors="replace", check=True,
    )  # fmt: skip
    found = re.search(r"\{([a-z,]+)\}", told.stdout)
    assert found
    return set(found.group(1).split(","))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_targets_that_exist(page):
    named = set(re.findall(r"`make ([a-z]+)", read(page)))
    assert named <= targets(), f"{page}: no target {named - targets()}"


def test_pages_name_commands_that_exist():
    settings = [".pre-commit-config.yaml", ".github/workflows/ci.yml"]
    named = {
        name
        for path in [*PAGES, *settings]
        for name in re.findall(r"python -m course_utils ([a-z]+)", read(path))
    }
    assert {"doctor", "fresh", "test"} <= named <= commands()


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#\s]+)\)", read(page)):
        assert "://" in link or (ROOT / page).parent.joinpath(link).exists(), link


def test_contributing_knows_the_files_of_a_notebook():
    """Every place that it names exists, with the first notebook that has exercises for NN_topic."""
    text = read("CONTRIBUTING.md")
    named = set(re.findall(r"`([\w/.…]+/(?:NN_)?topic\.py)`", text))
    assert len(named) == 4
    for place in named:
        pattern = (
            place.replace("…", "**").replace("NN_topic", "05_fm_ffm").replace("topic", "fm_ffm")
        )
        assert list(ROOT.glob(pattern)), place


# Continuous integration and templates


def test_one_recipe_on_every_system():
    job = workflow()["jobs"]["test"]
    systems = {name.partition("-")[0] for name in job["strategy"]["matrix"]["os"]}
    assert systems == {"ubuntu", "macos", "windows"}
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert not any("if" in step for step in job["steps"])
    install, test = (step["run"] for step in job["steps"] if "run" in step)
    assert install == 'python -m pip install -e ".[test,real]" -c constraints.txt'
    assert test.startswith("python -m course_utils test")
    recipe = read("Makefile").partition("\ntest:")[2].partition("\n\n")[0]
    assert "$(RUN) test" in recipe


def test_the_real_log_is_tried_once_a_week():
    flow = workflow()
    triggers = flow[True]  # YAML reads the key `on` so
    assert triggers["schedule"][0]["cron"].endswith(" 1")
    assert any("yambda-50m" in step.get("run", "") for step in flow["jobs"]["yambda"]["steps"])


@pytest.mark.parametrize("path", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")))
def test_forms_can_be_filled_in(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.name == "config.yml":
        assert set(form) == {"blank_issues_enabled"}
        return
    assert {"name", "description", "labels", "body"} == set(form)
    ids = [field["id"] for field in form["body"]]
    assert len(ids) == len(set(ids))
    for field in form["body"]:
        assert field["type"] in {"input", "textarea"}
        assert field["attributes"]["label"]


def test_a_report_of_a_fault_says_where_it_was_seen():
    form = yaml.safe_load(read(".github/ISSUE_TEMPLATE/bug.yml"))
    assert {"log", "seed", "doctor"} <= {field["id"] for field in form["body"]}


def test_hooks_are_the_environments_own_tools():
    (repository,) = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        assert hook["language"] == "system"
    entries = {hook["entry"].split()[0] for hook in repository["hooks"]}
    assert entries == {"ruff", "mypy", "python"}


# Line ends


def test_git_keeps_one_line_end():
    """Text is LF in the repository and in every checkout, whatever the system."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "--eol"],
            cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    for line in listed.stdout.splitlines():
        told, _, path = line.partition("\t")
        index, tree, *attributes = told.split()
        assert "crlf" not in index + tree and "mixed" not in index + tree, path
        if index == "i/lf":
            assert "eol=lf" in attributes, path
