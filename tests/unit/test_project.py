"""The project itself: pins agree, README's commands exist, nothing foreign is mentioned."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from course_utils.authoring import publish
from course_utils.lesson import doctor

ROOT = Path(__file__).parents[2]


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements() -> dict[str, str]:
    """Lower bounds by package, of the package itself and of all extras."""
    extras = project()["optional-dependencies"]
    listed = project()["dependencies"] + [r for rs in extras.values() for r in rs]
    return {normal(r.split(">=")[0]): r.split(">=")[1] for r in listed}


def version_tuple(text: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", text)[:3])


def test_every_requirement_is_pinned_above_its_lower_bound():
    pins = {normal(name): version for name, version in doctor.tested_versions().items()}
    for name, bound in requirements().items():
        assert name in pins, f"{name} is missing from constraints.txt"
        assert version_tuple(pins[name]) >= version_tuple(bound), name


def test_the_design_cards_packages_are_there():
    wanted = {"jupyterlab", "torch", "matplotlib", "seaborn", "polars", "catboost", "nbval"}
    assert wanted <= set(requirements())


def test_conda_installs_the_same_package_with_the_same_pins():
    text = (ROOT / "environment.yml").read_text()
    assert f"python{project()['requires-python']}" in text
    assert "-c constraints.txt" in text
    extras = ",".join(sorted(["test", "real"], reverse=True))
    assert f"-e .[{extras}]" in text
    assert set(project()["optional-dependencies"]) == {"test", "real"}


def test_installed_versions_are_the_pinned_ones():
    findings = doctor.check_versions(doctor.tested_versions(), doctor.CORE_PACKAGES)
    assert all(f.ok for f in findings), [str(f) for f in findings if not f.ok]


def test_make_help_lists_the_targets_that_the_readme_names():
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    targets = {line.split()[0] for line in listed.stdout.splitlines()}
    named = set(re.findall(r"\bmake ([a-z]+)", (ROOT / "README.md").read_text()))
    assert named and named <= targets, named - targets


def test_the_readme_is_what_it_should_be():
    assert publish.readme_text() == (ROOT / "README.md").read_text(), "run `make notebooks`"


def test_links_of_the_readme_lead_somewhere():
    for page in (ROOT / "README.md", ROOT / "data" / "README.md"):
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if not link.startswith("http"):
                assert (page.parent / link).exists(), link


def test_ci_runs_the_readmes_command():
    script = (ROOT / ".ci" / "run").read_text()
    assert script.rstrip().endswith("make test")
    assert "make test" in (ROOT / "README.md").read_text()


def test_doctor_says_what_to_do():
    found = doctor.check_versions({"torch": "0.0.1"}, ["torch", "surely-not-installed"])
    assert not any(f.ok for f in found)
    assert "pip install -c constraints.txt torch" in str(found[0])
    assert "not installed → run `make lab` again" in str(found[1])
    assert all(f.remedy for f in doctor.check_machine() if not f.ok)


def test_doctor_reports_a_wrong_log(monkeypatch):
    monkeypatch.setenv("COURSE_LOG", "sim:colour=red")
    assert any(not f.ok and "unknown option" in str(f) for f in doctor.check_logs())


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["log", "nowhere"], 1, "neither a known source"),
        (["publish", "99_nowhere"], 1, "no source"),
        (["claims", "--seeds", "0..x"], 2, "neither a seed nor a range of seeds"),
        (["log", "sim:n_listeners=20,listens_per_listener=20,n_tracks=400,days=28"], 0, "events"),
    ],
)
def test_the_command_line(arguments, status, words):
    done = subprocess.run(
        [sys.executable, "-m", "course_utils", *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == status
    assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
