"""The leaderboard: what a submission is told, what becomes of it, and that none stops the rest."""

from __future__ import annotations

import io
import os
import pickle
import re
import sys
from dataclasses import replace

import polars as pl
import pytest
import torch

from course_utils import __main__ as command_line
from course_utils import train
from course_utils.data.counters import TARGET
from course_utils.data.sources.sim import parse_world
from course_utils.evaluation import boosting
from course_utils.lesson import leaderboard as lb
from course_utils.settings import LARGEST_SEED, ROOT

WORLD = parse_world("n_listeners=120,listens_per_listener=80,n_tracks=800,days=84")
COUNTER = "user_item_hist_avg_played_ratio_before"

GOOD = f"""
print("not for the table", flush=True)

def scores(task):
    return task.batches["test"]["numbers"][:, task.numbers.index({COUNTER!r})].nan_to_num(50)
"""
SUBMISSIONS = {
    "good": GOOD,
    "hangs": "import time\ndef scores(task):\n    time.sleep(600)\n",
    "leaves": "import os\ndef scores(task):\n    os._exit(3)\n",
    "crashes": "import faulthandler\ndef scores(task):\n    faulthandler._sigsegv()\n",
    "swells": "import torch\ndef scores(task):\n    return torch.ones(2**31, 8)\n",
    "peeks": """
import polars as pl

def scores(task):
    try:
        return pl.read_parquet("sim/truth/part-000.parquet")["probability"].to_torch()
    except Exception:
        return task.batches["test"]["ids"][:, 0]
""",
    "builds": "try:\n    import course_utils.world.simulate\nexcept BaseException:\n    pass\n",
    "_helper": "raise ValueError",
}


@pytest.fixture(scope="module")
def task():
    return lb.hidden_task(replace(WORLD, seed=7))


@pytest.fixture(scope="module")
def told(task):
    return lb.without_answers(task)


@pytest.fixture(scope="module", autouse=True)
def few_trees():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boosting, "MOST_TREES", 20)
        yield


# What a submission is told


class Bare(pickle.Pickler):
    """Writes of a tensor all that its storage holds, and not where in memory that lies."""

    def reducer_override(self, one):
        if not isinstance(one, torch.Tensor):
            return NotImplemented
        whole = torch.empty(0, dtype=torch.uint8).set_(one.untyped_storage())
        return bytes, (whole.numpy().tobytes(),)


def all_bytes(task):
    Bare(written := io.BytesIO()).dump(lb.without_answers(task))
    return written.getvalue()


def test_what_is_told_does_not_depend_on_the_answers(task):
    """Not in one byte, so that nothing is left in a corner of a table."""
    answers = pl.int_range(pl.len()) >= int(task.positions["test"][0])
    flipped = pl.when(answers).then(1 - pl.col(TARGET)).otherwise(TARGET)
    batch = {**task.batches["test"], "target": 1 - task.target}
    other = replace(
        task,
        log="sim:seed=8",
        rows=task.rows.with_columns(flipped.cast(pl.Int8).alias(TARGET)),
        batches={**task.batches, "test": batch},
        oracle=-task.oracle,
    )
    assert not torch.equal(other.target, task.target) and other.rows.schema == task.rows.schema
    assert (all_bytes(task) == all_bytes(other)) is True


def test_the_rest_of_the_task_is_whole(task, told):
    assert told.oracle is None and told.log == "sim"
    assert told.target.isnan().all() and told.frame("test")[TARGET].null_count() == len(told.target)
    for part in ("train", "validation", "test"):
        assert told.frame(part).drop(TARGET).equals(task.frame(part).drop(TARGET))
        assert torch.equal(told.batches[part]["ids"], task.batches[part]["ids"])
    for part in ("train", "validation"):
        assert torch.equal(told.batches[part]["target"], task.batches[part]["target"])
        assert told.frame(part)[TARGET].equals(task.frame(part)[TARGET])


def test_rows_of_the_test_that_are_not_asked_for_are_left_out(task):
    few = replace(task, positions={**task.positions, "test": task.positions["test"][::3]})
    few = replace(few, batches={**few.batches, "test": {"target": few.target[::3]}})
    told = lb.without_answers(few)
    assert told.frame("test").drop(TARGET).equals(few.frame("test").drop(TARGET))
    assert told.rows[TARGET].null_count() == len(few.target)
    assert len(told.rows) == int(few.positions["test"][0]) + len(few.target)


def test_no_file_of_the_hidden_world_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    lb.hidden_task(replace(WORLD, seed=9))
    assert not list(tmp_path.iterdir())


# What becomes of it


def submitted(folder, text):
    path = folder / "submission.py"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x = 1\n\ndef scores(task):\n    return {}['a']\n", r"KeyError: 'a' \(line 4\)"),
        ("def scores(task):\n    raise ValueError('a\\nb')\n", r"ValueError: a b \(line 2\)"),
        ("x = 1\ndef scores(task)\n    pass\n", r"SyntaxError: expected ':' \(line 2\)"),
        ("import sys\nsys.exit(2)\n", r"SystemExit: 2 \(line 2\)"),
        ("def scores(task):\n    raise ValueError('a' * 999)\n", r"ValueError: a+… \(line 2\)"),
        ("x = 1\n", r"has no function scores\(task\)"),
        ("scores = 1\n", r"has no function scores\(task\)"),
        ("def scores():\n    pass\n", r"TypeError: .*argument"),
        ("def scores(task):\n    return [0.0]\n", "no tensor, but list"),
        ("def scores(task):\n    return task.target[:, None]\n", r"the shape \(\d+, 1\).*\(\d+,\)"),
        ("def scores(task):\n    return task.target\n", r"[\d,]+ of [\d,]+ scores are NaN"),
        ("def scores(task):\n    return task.target * 1j\n", "complex"),
        (
            "from course_utils.evaluation.pointwise import roc_auc\n"
            "def scores(task):\n    return roc_auc(task.target.nan_to_num(), task.target)\n",
            r"MetricError: targets must be 0 or 1.* \(line 3\)",
        ),
    ],
)
def test_a_submission_that_gives_no_scores_is_told_why(told, tmp_path, text, why):
    with pytest.raises(lb.Refused) as caught:
        lb.judge(submitted(tmp_path, text), told)
    assert re.fullmatch(f".*{why}.*", str(caught.value)), str(caught.value)


@pytest.mark.parametrize(
    "line", ["return [0] * 2**62", "raise RuntimeError('DefaultCPUAllocator: not enough memory')"]
)
def test_want_of_memory_is_told_from_other_errors(told, tmp_path, line):
    with pytest.raises(MemoryError):
        lb.judge(submitted(tmp_path, f"def scores(task):\n    {line}\n"), told)


def test_the_readmes_submission(told, tmp_path, monkeypatch):
    fit = train.fit
    monkeypatch.setattr(train, "fit", lambda *parts: fit(*parts, epochs=1))
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"<!-- submission -->\s*```python\n(.*?)```", text, re.DOTALL)
    scores = lb.judge(submitted(tmp_path, code), told)
    assert scores.shape == told.target.shape and scores.dtype == torch.float64


@pytest.mark.parametrize(
    ("event", "path", "found"),
    [
        ("open", "data/sim/truth/part-000.parquet", True),
        ("open", b"/tmp/x/Truth.parquet", True),
        ("os.listdir", ROOT / "data" / "sim" / "truth", True),
        ("glob.glob", "data/*/truth/*", True),
        ("os.chdir", "truth", True),
        ("open", str(lb.WORLD / "dynamics.py"), True),
        ("open", str(lb.WORLD / "__pycache__" / "simulate.cpython-312.pyc"), True),
        ("open", "/proc/{parent}/cmdline", True),
        ("open", str(lb.WORLD / "config.py"), False),
        ("open", "dynamics.py", False),
        ("open", "/home/truth/course/notebooks/notes.txt", False),
        ("open", "/proc/{own}/status", False),
        ("open", 3, False),
        ("open", None, False),
        ("compile", "truth", False),
    ],
)
def test_what_is_forbidden(event, path, found):
    if isinstance(path, str):  # processes differ between workers, names of tests may not
        path = path.format(parent=os.getppid(), own=os.getpid())
    assert bool(lb.forbidden(event, (path, "r", 0))) is found


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    folder = tmp_path_factory.mktemp("submissions")
    for name, text in SUBMISSIONS.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return lb.leaderboard(folder, seed=7, seconds=4, memory=2.5, world=WORLD)


def test_the_table(board, task):
    names = board.table["name"].to_list()
    assert sorted(names) == ["CatBoost (baseline)", "good"]
    assert board.table["place"].to_list() == [1, 2]
    assert board.table["minus the best [95 %]"][0] == "–"
    assert board.table["minus the best [95 %]"][1].startswith("-")
    auc = [float(text.split()[0]) for text in board.table["ROC AUC [95 %]"]]
    column = task.batches["test"]["numbers"][:, task.numbers.index(COUNTER)].nan_to_num(50)
    assert auc == sorted(auc, reverse=True) and auc[0] < board.oracle
    assert auc[names.index("good")] == pytest.approx(lb.roc_auc(column, task.target), abs=1e-4)
    text = str(board)
    assert "| 1 " in text and "Seed of the world: 7 " in text and "not for the table" not in text


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("hangs", "too slow: stopped after 4 s"),
        ("leaves", "status 3 before there were scores"),
        ("crashes", "crashed (SIGSEGV)" if sys.platform != "win32" else "ended with status"),
        ("swells", "too much memory: more than 2.5 GiB"),
        ("peeks", "tried to read the truth: truth/part-000.parquet"),
        ("builds", "tried to read the truth: "),
    ],
)
def test_one_that_fails_is_named_and_stops_no_other(board, name, why):
    assert why in board.failed[name]
    assert f"  {name}: {board.failed[name]}\n" in str(board)
    assert set(board.failed) == set(SUBMISSIONS) - {"good", "_helper"}


def test_one_that_is_better_than_the_truth_has_seen_it(task, tmp_path, monkeypatch):
    monkeypatch.setattr(lb, "hidden_task", lambda world: task)
    monkeypatch.setattr(lb, "run", lambda *args: (task.target.double(), 1.0))
    board = lb.leaderboard(submitted(tmp_path, GOOD).parent, seed=7)
    assert board.table["name"].to_list() == ["CatBoost (baseline)"]
    assert "it saw outcomes of the test" in board.failed["submission"]


@pytest.mark.parametrize("values", [b"", b"12345678"])
def test_an_answer_of_another_length_does_not_count(task, tmp_path, monkeypatch, values):
    def forge(process, answer, seconds, memory):
        process.kill()
        answer.write(b'begun\n{"seconds": 1.0}\n' + values)

    monkeypatch.setattr(lb, "_wait", forge)
    with pytest.raises(lb.Refused, match=f"{len(values) // 8} scores for"):
        lb.run(submitted(tmp_path, GOOD), b"", task, 1, 1)


# What it is asked for


def test_what_cannot_be_ranked_is_a_clear_error(tmp_path, capsys):
    for folder, words in ((tmp_path, "no submission"), (tmp_path / "nowhere", "no such folder")):
        assert command_line.main(["leaderboard", str(folder)]) == 1
        assert words in capsys.readouterr().err
    submitted(tmp_path, GOOD)
    for option in (["--seconds", "0"], ["--memory", "nan"], ["--seed", str(LARGEST_SEED + 1)]):
        assert command_line.main(["leaderboard", str(tmp_path), *option]) == 1
        assert "error: " in capsys.readouterr().err
