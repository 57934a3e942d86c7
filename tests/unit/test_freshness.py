"""Freshness: what makes a notebook stale, and what does not."""

from __future__ import annotations

import re
import shutil
from functools import cache

import pytest

from course_utils.authoring import freshness, publish, source
from course_utils.authoring.freshness import code_hash, dump, normal, parse, reach
from course_utils.authoring.source import PublishError
from course_utils.settings import ASSETS, ROOT


@pytest.fixture
def package(tmp_path):
    """A copy of the package that a test may change."""
    shutil.copytree(
        ROOT / "course_utils",
        tmp_path / "course_utils",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    shutil.copy(ROOT / "course.toml", tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def cells():
    """The code of every notebook, by name."""
    return {name: publish.code_of(source.read_source(name)) for name in source.names()}


@cache
def hash_now(code):
    """Of the package as it is."""
    return code_hash(code)


def stale(cells, package, assets=ASSETS):
    """Notebooks whose hash differs between the package as it is and the changed copy."""
    return {
        name for name, code in cells.items()
        if hash_now(tuple(code)) != code_hash(code, package, assets)
    }  # fmt: skip


def change(package, file, old, new):
    path = package / "course_utils" / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def append(package, file, text):
    path = package / "course_utils" / file
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def test_a_copy_is_as_fresh_as_the_original(cells, package):
    assert stale(cells, package) == set()


def test_a_new_model_a_new_check_and_a_new_colour_make_nothing_stale(cells, package):
    append(package, "models/ranking/dcn_v2.py", "\n\nclass NewModel(DCNv2):\n    pass\n")
    append(package, "checks/fm_ffm.py", "\n\ndef check_new(answer):\n    return answer\n")
    change(package, "lesson/plots.py", '    "muted":', '    "new model": "#123456",\n    "muted":')
    (package / "course_utils" / "models" / "new_family.py").write_text("X = 1\n", encoding="utf-8")
    assert stale(cells, package) == set()


def test_comments_docstrings_annotations_and_layout_make_nothing_stale(cells, package):
    for path in (package / "course_utils").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        text = re.sub(r"^( *)return ", r"\1# a comment\n\1return ", text, flags=re.MULTILINE)
        path.write_text("# first\n" + text.replace("-> Tensor:", "-> object:"), encoding="utf-8")
    assert stale(cells, package) == set()


def test_a_changed_check_makes_its_notebook_stale(cells, package):
    change(package, "checks/ple.py", "def check_decode", "def check_decode_")
    append(package, "checks/ple.py", "\n\ndef check_decode(decode):\n    raise ValueError\n")
    assert stale(cells, package) == {"08_ple"}


def test_a_changed_colour_makes_stale_who_uses_it(cells, package):
    change(package, "lesson/plots.py", '"catboost": PALETTE[1]', '"catboost": PALETTE[3]')
    found = stale(cells, package)
    uses = {n for n, code in cells.items() if '"catboost"' in "\n".join(code)}
    assert found == uses and found != set(cells)


def test_a_changed_model_makes_stale_who_builds_it(cells, package):
    change(
        package, "models/ranking/target_attention.py", "masked_fill(~open_to", "masked_fill(open_to"
    )
    assert stale(cells, package) == {"02_why_neural_networks", "18_seminar_ranking"}


def test_a_changed_world_makes_all_stale(cells, package):
    change(package, "world/dynamics.py", "BASE_LOGIT = ", "BASE_LOGIT = 0.1 + ")
    assert stale(cells, package) == set(cells)


def test_sources_that_the_default_log_does_not_use_make_nothing_stale(cells, package):
    append(package, "data/sources/hub.py", "\n\nYAMBDA_SIZES = ('50m',)\n")
    append(package, "world/env.py", "\n\nNEW = 1\n")
    assert stale(cells, package) == set()


def test_assets_count_where_they_are_named(cells, package, tmp_path):
    assets = tmp_path / "assets"
    shutil.copytree(ASSETS, assets)
    (assets / ".tuned.lock").touch()  # left behind by a run of trials
    assert stale(cells, package, assets) == set()
    (assets / "ladder.json").write_text("{}", encoding="utf-8")
    reads = re.compile(r"ladder\.(draw|kept)")
    shows = {n for n, code in cells.items() if reads.search("\n".join(code))}
    assert stale(cells, package, assets) == shows and shows


def test_the_hash_does_not_depend_on_the_machine(tmp_path):
    code = "def f(x: int) -> int:\n    '''Text.'''\n    return f'{x!r:>{3}}' + 'a'  # why\n"
    same = "def f(x):\n\n    return   f\"{x!r:>{3}}\" + 'a'\n"
    assert normal(code) == normal(same)
    assert "lineno" not in normal(code) and "type_params" not in normal(code)
    assert dump([1, None]) == "[1,None]"


@pytest.mark.parametrize(
    "code",
    [
        "from pkg import tools\ntools.used()",
        "import course_utils.a as m\nm.used()",
        "from course_utils.a import used as u\nu()",
        "from course_utils import a\nf = a.used",
        "from course_utils import a\ndef f(x=a.used):\n    pass",
        "from course_utils.b import again\nagain()",
        "def f():\n    from course_utils.a import used\n    return used",
        "from course_utils import a\nhand_on(a)",
    ],
)
def test_symbols_are_followed_through_every_kind_of_import(tmp_path, code):
    package = tmp_path / "course_utils"
    package.mkdir()
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "a.py").write_text("def used():\n    return deep\n\n\ndeep = 1\n", encoding="utf-8")
    (package / "b.py").write_text(
        "from .a import used\n\n\ndef again():\n    return used()\n", encoding="utf-8"
    )
    code = code.replace("from pkg", "from course_utils").replace("tools", "a")
    names = {symbol.name for symbol in reach([code], tmp_path).symbols}
    assert {"used", "deep"} <= names


@pytest.mark.parametrize(
    ("cell", "other"),
    [
        ("plot()", "plot();"),
        ("1\n'hello'", "1\n'world'"),
        ("41", "42"),
        ("%matplotlib inline", "%matplotlib widget"),
        ("x = !ls", "x = !ls -l"),
        ("%%time\nf(1)", "%%time\nf(2)"),
    ],
)
def test_what_a_cell_shows_counts(cell, other):
    assert normal(cell) != normal(other) and normal(cell) == normal(cell + "\n")


def test_magics_are_read_and_no_line_that_begins_with_a_per_cent_sign_is_lost(tmp_path):
    package = tmp_path / "course_utils"
    package.mkdir()
    (package / "a.py").write_text("used = 1\n", encoding="utf-8")
    code = "from course_utils import a\nfiles = !ls\nprint?\nx = ('a%s'\n  % a.used)\n%time x"
    assert {symbol.name for symbol in reach([code], tmp_path).symbols} == {"used"}
    with pytest.raises(PublishError, match=r"a cell is no Python .*x = = 1"):
        reach(["x = = 1"], tmp_path)


@pytest.mark.parametrize(
    ("module", "old", "new", "code"),
    [
        ("T = {1: 10, 2: 20}", "10", "11", "from course_utils.a import T\nn = 1\nT[n]"),
        ("T = {'ab': 1}", "1", "2", "from course_utils.a import T\nx = 'a'\nT[f'{x}b']"),
        ("T = {'ab': 1}", "1", "2", "from course_utils.a import T\nx = 'AB'\nT[x.lower()]"),
        ("T = {'ab': 1}", "1", "2", "from course_utils.a import T\nd=dict(ab=0)\n[T[k]for k in d]"),
        ("T = {'ab': 1}\nT.update(c=1)", "c=1", "ab=2", "from course_utils.a import T\nT['ab']"),
        ("import json\njson.x = 1\ny = 2", "x = 1", "x = 3", "from course_utils.a import y"),
        ("class A:\n    x = 1\nA.x = 2", "A.x = 2", "A.x = 3", "from course_utils.a import A"),
        ("a, *b = 1, 2", "2", "3", "from course_utils.a import b"),
        ("x = 1", "1", "2", "from course_utils.a import *\nx"),
        ("x = 1", "1", "2", "from course_utils.c import x\ny = x\nfrom course_utils.a import x"),
        ("x = 1", "1", "2", "def f():\n    from course_utils.a import x\n    return x\nx = 0"),
    ],
)  # fmt: skip
def test_changes_that_hide(tmp_path, module, old, new, code):
    package = tmp_path / "course_utils"
    package.mkdir()
    (package / "c.py").write_text("x = 5\n", encoding="utf-8")
    (package / "a.py").write_text(module, encoding="utf-8")
    before = code_hash([code], tmp_path)
    (package / "a.py").write_text(module.replace(old, new), encoding="utf-8")
    (package / "a.py").touch()
    freshness._read.cache_clear()
    assert code_hash([code], tmp_path) != before


@pytest.mark.parametrize("name", ["a.json", "b c.csv", "d.jpg", "e.parquet"])
@pytest.mark.parametrize("spelled", ["{}", "assets/{}", "../assets/{}"])
def test_assets_of_any_kind_count_however_they_are_spelled(tmp_path, name, spelled):
    code = f"open({spelled.format(name)!r})"
    assets = tmp_path / "assets"
    assets.mkdir()
    hashes = set()
    for content in (b"1", b"2"):
        (assets / name).write_bytes(content)
        hashes.add(code_hash([code], tmp_path, assets))
    assert len(hashes) == 2


def test_statements_beside_definitions_count(tmp_path):
    package = tmp_path / "course_utils"
    package.mkdir()
    (package / "a.py").write_text(
        "x = 1\nx += 1\nfor y in range(3):\n    x = y\n", encoding="utf-8"
    )
    found = reach(["from course_utils.a import x"], tmp_path)
    assert {symbol.name for symbol in found.symbols} == {"x", ""}
    assert parse("m", "def f(): pass\nprint(1)").loose
