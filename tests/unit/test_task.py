"""The ranking task and the contest: what is numbered, what is split, what is compared."""

from __future__ import annotations

import polars as pl
import pytest
import torch

from course_utils.data.counters import TARGET
from course_utils.data.histories import histories
from course_utils.data.tasks.ranking import PARTS, ranking_task
from course_utils.evaluation.contest import Contest, count_parameters
from course_utils.models.ranking.dcn_v2 import DCNv2
from course_utils.models.ranking.ple import Standardized
from course_utils.schema import LogError


@pytest.fixture(scope="module")
def task(tiny_log):
    return ranking_task(tiny_log)


def test_parts_follow_each_other_and_lose_nothing(task):
    ends = [(part["timestamp"][0], part["timestamp"][-1]) for part in task.frames.values()]
    assert ends[0][1] < ends[1][0] <= ends[1][1] < ends[2][0]
    assert sum(map(len, task.frames.values())) == len(task.rows)
    for name, part in task.frames.items():
        assert task.batches[name]["numbers"].shape == (len(part), len(task.numbers))
        assert torch.equal(task.batches[name]["target"], part[TARGET].cast(pl.Float32).to_torch())


def test_ids_are_numbered_by_training_and_strangers_are_unknown(task):
    known = set(task.frames["train"]["item_id"].to_list())
    ids, items = task.batches["test"]["ids"], task.frames["test"]["item_id"].to_list()
    assert {int(i) for i, item in zip(ids[:, 1], items, strict=True) if item not in known} <= {0}
    assert all(i > 0 for i, item in zip(ids[:, 1], items, strict=True) if item in known)
    assert torch.equal(ids[:, 2], task.artist_of[ids[:, 1]])
    for name in PARTS:
        top = task.batches[name]["ids"].max(dim=0).values
        assert (top < torch.tensor(task.n_values)).all()


def test_the_truth_belongs_to_the_test_rows(task, tiny_log):
    truth = tiny_log.truth.collect()
    last = truth.tail(len(task.frames["test"]))
    assert last["item_id"].to_list() == task.frames["test"]["item_id"].to_list()
    assert torch.allclose(task.oracle.sigmoid(), last["probability"].to_torch().double())


def test_pairs_are_counted_in_training(task):
    frame = task.frames["train"]
    counts = {row[:2]: row[2] for row in frame.group_by("uid", "item_id").len().rows()}
    pairs = task.frames["test"].select("uid", "item_id").rows()
    wanted = [counts.get(pair, 0) for pair in pairs]
    known = task.batches["test"]["ids"].min(dim=1).values > 0
    assert torch.equal(task.seen(0, 1)[known], torch.tensor(wanted)[known])
    assert len(task.recent(50)["train"]["target"]) == 50


def test_rows_that_are_no_listens_of_the_log_are_refused(tiny_log):
    strange = pl.DataFrame({"uid": [1], "timestamp": [2**31]})
    with pytest.raises(LogError, match="1 of 1 rows are no listens of this log"):
        histories(tiny_log.events, strange)


def test_positive_only_logs_are_refused(tiny_log):
    from dataclasses import replace

    with pytest.raises(LogError, match="cannot be used for ranking: only likes"):
        ranking_task(replace(tiny_log, positive_only="only likes"))


def test_a_contest_trains_compares_and_tells(task, capsys):
    contest = Contest(task, seed=0)
    numbers = task.batches["train"]["numbers"]
    for width in (4, 16):
        contest.enter(
            f"width {width}",
            lambda width=width: DCNv2(None, Standardized(numbers), width, cross=None),
            epochs=1,
        )
    table = contest.table()
    assert table["model"].to_list() == ["oracle", "width 4", "width 16"]
    assert table["parameters"].to_list()[1:] == [
        count_parameters(contest.models[n]) for n in ("width 4", "width 16")
    ]
    assert 0 < contest.share("width 16") < 1 and contest.share("oracle") == 1
    gap = contest.gap("oracle", "width 4")
    assert gap.positive and gap.low < gap.value < gap.high
    assert "width 4: best epoch 1" in capsys.readouterr().out
