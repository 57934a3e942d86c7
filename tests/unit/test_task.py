"""The ranking task and the contest: what is numbered, what is split, what is compared."""

from __future__ import annotations

import polars as pl
import pytest
import torch

from course_utils.data.counters import TARGET, counters_of_pairs
from course_utils.data.histories import histories
from course_utils.data.log import Log
from course_utils.data.tasks.ranking import PARTS, inputs_of, ranking_task
from course_utils.evaluation.contest import Contest
from course_utils.evaluation.rivals import count_parameters
from course_utils.models.ranking.dcn_v2 import DCNv2
from course_utils.models.ranking.ple import Standardized
from course_utils.schema import LogError


@pytest.fixture(scope="module")
def task(tiny_log):
    return ranking_task(tiny_log)


def test_parts_follow_each_other_and_lose_nothing(task):
    ends = [(part["timestamp"][0], part["timestamp"][-1]) for part in map(task.frame, PARTS)]
    assert ends[0][1] < ends[1][0] <= ends[1][1] < ends[2][0]
    assert sum(map(len, task.positions.values())) == len(task.rows)
    for name, part in ((name, task.frame(name)) for name in PARTS):
        assert task.batches[name]["numbers"].shape == (len(part), len(task.numbers))
        assert torch.equal(task.batches[name]["target"], part[TARGET].cast(pl.Float32).to_torch())


def test_ids_are_numbered_by_training_and_strangers_are_unknown(task):
    assert task.fields == ["listener", "track", "artist"]
    known = set(task.frame("train")["item_id"].to_list())
    track, items = task.ids("track"), task.frame("test")["item_id"].to_list()
    for number, item in zip(track.tolist(), items, strict=True):
        assert (number > 0) == (item in known)
        assert not number or task.tracks[number - 1] == item
    assert torch.equal(task.ids("artist"), task.artist_of[track])
    for name in PARTS:
        for field, n in task.n_values.items():
            assert task.ids(field, name).min() >= 0 and task.ids(field, name).max() < n


def test_positions_are_the_rows_of_the_parts(task):
    assert torch.equal(torch.cat(list(task.positions.values())), torch.arange(len(task.rows)))
    for name in PARTS:
        target = task.rows[TARGET].to_torch()[task.positions[name]]
        assert torch.equal(target.float(), task.batches[name]["target"])


@pytest.mark.parametrize("bare", [False, True])
def test_rows_of_ones_own_get_the_tensors_of_the_task(tiny_log, bare):
    log = own(tiny_log) if bare else tiny_log
    task = ranking_task(log)
    for part in PARTS:
        pairs = counters_of_pairs(log.events, task.rows, task.frame(part), log.artists)
        for name, values in inputs_of(task, pairs).items():
            assert torch.equal(values.nan_to_num(-7), task.batches[part][name].nan_to_num(-7))
    strangers = pairs.with_columns(uid=pl.lit(4_000_000), item_id=pl.lit(4_000_000))
    assert not inputs_of(task, strangers)["ids"].any()


def test_columns_are_asked_for_by_name(task):
    wanted = ["user_hist_skip_before", "no such column", "timestamp"]
    some = task.with_numbers(wanted, n=20)["train"]
    whole = task.batches["train"]
    for place, name in enumerate(["user_hist_skip_before", "timestamp"]):
        column = whole["numbers"][-20:, task.numbers.index(name)]
        assert torch.equal(some["numbers"][:, place].nan_to_num(-1), column.nan_to_num(-1))
    assert len(some["target"]) == 20 and some["numbers"].shape[1] == 2
    with pytest.raises(LogError, match="knows no album of its tracks; the fields are"):
        task.ids("album")


def own(tiny_log, **tables):
    """The tiny log as somebody's own: events, and the tables that are given."""
    return Log("own", tiny_log.events, **tables)


def test_a_log_without_artists_has_no_artist_field(tiny_log, task):
    bare = ranking_task(own(tiny_log))
    assert bare.fields == ["listener", "track"] and bare.oracle is None
    assert bare.artist_of.max() == 0
    assert not [name for name in bare.numbers if "artist" in name]
    for name in PARTS:
        assert torch.equal(bare.batches[name]["ids"], task.batches[name]["ids"][:, :2])


def test_artist_zero_is_an_artist_and_no_artist_is_none(tiny_log):
    tracks = tiny_log.artists.collect()["item_id"].unique().sort()
    table = pl.DataFrame({"item_id": tracks, "artist_id": tracks % 3})
    log = own(tiny_log, artists=table.filter(pl.col("item_id") > 100).lazy())
    task = ranking_task(log)
    assert task.n_values["artist"] == 4
    found = task.artist_of[1:]
    expected = torch.where(task.tracks > 100, task.tracks % 3 + 1, 0)
    assert torch.equal(found, expected)


def test_times_keep_their_seconds_whatever_they_count_from(tiny_log, task):
    """Seconds since 1970 have no place in float32; the task counts from the log's first day."""
    days = 20_000 * 86_400
    later = tiny_log.events.with_columns(pl.col("timestamp") + days)
    moved = ranking_task(Log("own", later, artists=tiny_log.artists))
    assert moved.numbers == task.numbers
    for name in PARTS:
        same = moved.batches[name]["numbers"].nan_to_num(-1)
        assert torch.equal(same, task.batches[name]["numbers"].nan_to_num(-1))


def test_a_period_with_one_outcome_is_refused(tiny_log):
    listens = pl.col("event_type") == "listen"
    last = tiny_log.events.collect()["timestamp"].max()
    full = pl.when(listens & (pl.col("timestamp") > last - 28 * 86_400)).then(100)
    events = tiny_log.events.with_columns(
        played_ratio_pct=full.otherwise(pl.col("played_ratio_pct")).cast(pl.UInt16)
    )
    with pytest.raises(LogError, match=r"all of the .* listens of its (validation|test) period"):
        ranking_task(Log("own", events))


def test_the_truth_belongs_to_the_test_rows(task, tiny_log):
    truth = tiny_log.truth.collect()
    last = truth.tail(len(task.frame("test")))
    assert last["item_id"].to_list() == task.frame("test")["item_id"].to_list()
    assert torch.allclose(task.oracle.sigmoid(), last["probability"].to_torch().double())


def test_pairs_are_counted_in_training(task):
    frame = task.frame("train")
    counts = {row[:2]: row[2] for row in frame.group_by("uid", "item_id").len().rows()}
    pairs = task.frame("test").select("uid", "item_id").rows()
    wanted = [counts.get(pair, 0) for pair in pairs]
    known = task.known()
    assert torch.equal(task.seen("listener", "track")[known], torch.tensor(wanted)[known])
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
