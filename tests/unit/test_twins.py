"""Twins: which runs there are, and what the table tells of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_notebook

from course_utils.authoring import repeats, twins
from course_utils.authoring.source import PublishError
from course_utils.lesson.syllabus import Lesson, Syllabus

RESTS = Lesson("91_tiny", 1, "tiny", "written", rests=("mood", "taste"))
LEAVES = Lesson("90_toy", 1, "toy", "written")
CODES = {"90_toy": "code", "91_tiny": "code"}


@pytest.fixture
def course(monkeypatch, tmp_path):
    claims = [
        {"claim": "order | helps", "holds": True, "measured": "0.02"},
        {"claim": "the sum is the product", "holds": True, "measured": "1e-16"},
        {"claim": "age helps", "holds": False, "measured": "-0.01", "open": True},
    ]
    kept = repeats.Repeats(tmp_path / "twins.json")
    monkeypatch.setattr(twins, "KEPT", kept)
    monkeypatch.setattr(twins, "read_syllabus", lambda: Syllabus(["a"], [LEAVES, RESTS]))
    monkeypatch.setattr(twins.publish, "read_built", lambda name: name)
    monkeypatch.setattr(twins, "claims_of", lambda built: claims)
    return kept, claims


def found(claims, *measured):
    told = zip(claims, measured, strict=False)
    return [c | {"holds": text > "0.005", "measured": text} for c, text in told]


def test_the_table(course):
    kept, claims = course
    assert twins.table(CODES).splitlines()[0] == "| notebook | claim | `sim` | without |"
    kept.keep("91_tiny", "sim:without=mood", "code", found(claims, "0.00", "1e-16", "0.01"))
    kept.keep("91_tiny", "sim:without=taste", "code", found(claims, "0.03", "1e-16", "0.00"))
    kept.keep("91_tiny", "grocery", "code", found(claims, "0.00 | none"))
    link = "[91](../notebooks/91_tiny.ipynb)"
    assert twins.table(CODES).splitlines() == [
        "| notebook | claim | `sim` | without | `grocery` |",
        "| --- | --- | --- | --- | --- |",
        f"| {link} | order \\| helps | ✔ | `mood` ✘ 0.00; `taste` ✔ | ✘ 0.00 \\| none |",
        "",
        "Alike wherever they were tried: 0 further claims.",
    ]


def test_a_sample_stands_in_the_column_of_its_log(course, monkeypatch):
    kept, claims = course
    some = replace(RESTS, grocery=500)
    monkeypatch.setattr(twins, "read_syllabus", lambda: Syllabus(["a"], [some]))
    assert twins.logs_of(some)[-1] == "grocery:n_listeners=500"
    kept.keep("91_tiny", "movielens", "code", found(claims, "0.02"))
    kept.keep("91_tiny", "grocery", "code", found(claims, "0.03"))
    kept.keep("91_tiny", "grocery:n_listeners=500", "code", found(claims, "0.00"))
    assert twins.table(CODES).splitlines()[2].endswith("| ✔ | – | – | ✘¹ 0.00 |")


def test_a_claim_that_does_not_look_at_a_log_has_no_mark_there(course):
    kept, claims = course
    kept.keep("91_tiny", "sim:without=mood", "code", found(claims, "0.00"))
    kept.keep("91_tiny", "movielens", "code", found(claims, "0.02"))
    assert twins.table(CODES).splitlines()[2].endswith("| ✔ | `mood` ✘ 0.00 | – |")


def test_what_comes_out_alike_is_counted(course):
    kept, claims = course
    kept.keep("91_tiny", "movielens", "code", found(claims, "0.04", "2e-16", "0.03"))
    table = twins.table(CODES).splitlines()
    assert table[0].endswith("| without | `movielens` |") and len(table) == 4
    assert table[-1] == "Alike wherever they were tried: 2 further claims."


def test_what_other_code_measured_is_not_shown(course):
    kept, claims = course
    kept.keep("91_tiny", "movielens", "other code", found(claims, "0.00"))
    assert len(twins.table(CODES).splitlines()) == 4


def test_the_runs(course, monkeypatch):
    asked = []
    monkeypatch.setattr(repeats.Repeats, "measure", lambda self, *given: asked.append(given))
    twins.measure([], 1)
    (runs, workers), logs = asked[0], ["sim:without=mood", "sim:without=taste", *twins.REAL]
    assert workers == 1 and runs == {("91_tiny", log): {"COURSE_LOG": log} for log in logs}
    twins.measure(["90_toy"])
    assert asked[1] == ({}, None)


def test_a_notebook_that_cannot_use_a_log_is_left_out(course, monkeypatch):
    kept, claims = course

    def stops(notebook, folder, COURSE_LOG, **variables):
        ename = {"grocery": "LogError", "movielens": "KeyError"}.get(COURSE_LOG)
        if ename:
            raise PublishError("it stopped") from CellExecutionError("...", ename, "...")

    monkeypatch.setattr(repeats, "execute", stops)
    monkeypatch.setattr(repeats, "ProcessPoolExecutor", ThreadPoolExecutor)
    monkeypatch.setattr(repeats.source, "read_source", lambda name: new_notebook())
    monkeypatch.setattr(repeats, "claims_of", lambda notebook: claims)
    logs = {("91_tiny", log): {"COURSE_LOG": log} for log in ("sim:without=mood", "grocery")}
    kept.measure(logs)
    code = repeats.measured_by(new_notebook())
    assert list(kept.of("91_tiny", code)["order | helps"]) == ["sim:without=mood"]
    with pytest.raises(PublishError, match="91_tiny, movielens: it stopped"):
        kept.measure({("91_tiny", "movielens"): {"COURSE_LOG": "movielens"}})


def test_a_long_complaint_keeps_its_beginning_and_its_end():
    told = repeats.shorten("time is up " + "x" * 900 + " in this cell")
    assert told.startswith("time is up") and told.endswith("in this cell") and len(told) < 420
    assert repeats.shorten("it stopped") == "it stopped"
