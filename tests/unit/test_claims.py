"""Claims: bound to the log that was opened, and told whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from course_utils.data.log import Log
from course_utils.lesson import claims
from course_utils.lesson.claims import ClaimFailed, Claims, cell_of_table
from course_utils.world.config import WorldConfig

EVENTS = pl.LazyFrame()
DEFAULT = Log("sim", EVENTS, *[EVENTS] * 5, world=WorldConfig())


@pytest.fixture
def shown(monkeypatch):
    """What is displayed, as the bundles that a notebook would store."""
    bundles = []

    def display(data, raw=False, metadata=None):
        bundles.append(data if raw else {"text/markdown": data.data})

    monkeypatch.setattr(claims, "display", display)
    return bundles


def lines(shown):
    return [bundle["text/plain"] for bundle in shown if "text/plain" in bundle]


def test_on_the_default_log_a_false_claim_raises(shown):
    claim = Claims(DEFAULT)
    claim("it holds", True, "3")
    with pytest.raises(ClaimFailed, match=r"it fails.*measured: 3.*expected to hold"):
        claim("it fails", False, "3")
    with pytest.raises(ClaimFailed, match=r"a surprise.*expected to fail"):
        claim("a surprise", True, expected=False)
    claim("known to be false here", False, "0.1", expected=False)
    for outcome in (True, False):
        claim("seeds do not agree", outcome, "0.2", expected=None)
    assert lines(shown) == [
        "✔ it holds",
        "✘ it fails  (measured: 3)",
        "✔ a surprise",
        "✘ known to be false here  (measured: 0.1)",
        "◦ seeds do not agree  (measured: 0.2)",
        "◦ seeds do not agree  (measured: 0.2)",
    ]


@pytest.mark.parametrize(
    "log",
    [
        replace(DEFAULT, world=WorldConfig(seed=1)),
        replace(DEFAULT, world=WorldConfig(without=("mood",))),
        Log("movielens", EVENTS),
        Log("sim", EVENTS),  # an own folder of that name
    ],
)
def test_on_any_other_log_it_is_reported_whatever_the_environment_says(log, shown, monkeypatch):
    monkeypatch.setenv("COURSE_LOG", "sim")
    Claims(log)("it fails", False, "0.1 [0.0, 0.2]")
    assert lines(shown) == ["✘ it fails  (measured: 0.1 [0.0, 0.2])"]


def test_the_environment_does_not_switch_a_claim_off(shown, monkeypatch):
    monkeypatch.setenv("COURSE_LOG", "movielens")
    with pytest.raises(ClaimFailed):
        Claims(DEFAULT)("it fails", False)


def test_a_cell_run_twice_replaces_its_line(shown):
    claim = Claims(Log("other", EVENTS))
    claim("one", False, "first")
    claim("two", True, "x")
    claim("one", True, "second")
    claim.recap()
    table = shown[-1]["text/markdown"].splitlines()
    assert table[2:] == ["| ✔ | one | second |", "| ✔ | two | x |"]


@pytest.mark.parametrize(
    "text", ["a | b", "a \\| b", "a\nb", "|", "a\r\n\n b", "mean |cos| = 1", ""]
)
def test_tables_stay_tables(text, shown):
    claim = Claims(Log("other", EVENTS))
    claim(f"claim {text}", True, text)
    claim.recap()
    row = shown[-1]["text/markdown"].splitlines()
    assert len(row) == 3
    bars = row[2].replace("\\|", "").count("|")
    assert bars == 4 and "\n" not in cell_of_table(text)


@pytest.mark.parametrize(
    ("holds", "expected"),
    [
        (np.bool_(True), True),
        (torch.tensor(False), False),
        (torch.tensor(1) > 0, True),
        (np.array(False), False),
        (pl.Series([True]).all(), True),
    ],
)
def test_truth_values_of_all_libraries_are_taken(holds, expected, shown):
    claim = Claims(Log("other", EVENTS))
    claim("it holds", holds)
    assert claim.records["it holds"].holds is expected


MANY = [[True], np.array([True] * 2), torch.ones(2)]


@pytest.mark.parametrize("holds", [float("nan"), 1, 0.0, None, "False", lambda: False, *MANY])
def test_anything_else_is_no_answer(holds, shown):
    with pytest.raises(ClaimFailed, match="give True or False"):
        Claims(Log("other", EVENTS))("it holds", holds)
    assert shown == []


def test_what_a_log_does_not_have_is_said_once(capsys):
    Claims(DEFAULT)
    assert capsys.readouterr().out == ""
    Claims(Log("own", EVENTS, artists=EVENTS))
    said = capsys.readouterr().out
    assert said == (
        "This log has no albums, no content vectors, no texts, no true probabilities: "
        "what rests on them is left out.\n"
    )


def test_a_failed_claim_is_one_line_in_a_notebook():
    """No traceback through the package: the sentence says it all."""
    notebook = new_notebook(
        cells=[
            new_code_cell(
                "from course_utils.data.log import open_log\n"
                "from course_utils.lesson.claims import ClaimFailed\n"
                "raise ClaimFailed('✘ it fails')"
            )
        ]
    )
    NotebookClient(notebook, kernel_name="python3", allow_errors=True).execute()
    (error,) = notebook.cells[0].outputs
    assert error.ename == "ClaimFailed" and error.traceback == ["✘ it fails"]
