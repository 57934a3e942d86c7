"""Retrieval and next item against brute force: no future in an input, nothing lost, fair ties."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from conftest import events_of
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.data.log import Log
from course_utils.data.tasks.next_item import next_item_task, ties_at_random
from course_utils.data.tasks.ranking import PARTS
from course_utils.data.tasks.retrieval import listens_of, retrieval_task, windows
from course_utils.schema import LogError

quick = settings(max_examples=60, deadline=None, derandomize=True)


def log_of(listens):
    """A log of listens (listener, time, track), in the order of time."""
    rows = [(u, t, i, 1, "listen", 100, 200) for u, t, i in sorted(listens, key=lambda x: x[1])]
    rows.append((0, max(t for _, t, _ in listens), 0, 1, "like", None, None))
    return Log("small", events_of(rows).lazy())


logs = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 12), st.integers(0, 5)), min_size=12, max_size=60
).filter(lambda rows: len({t for _, t, _ in rows}) > 5).map(log_of)  # fmt: skip
"""Few listeners, moments and tracks, so that ties and repeats abound."""


def numbers(public, known):
    return [known.tolist().index(i) + 1 if i in known else 0 for i in public]


def earlier(rows, row):
    """Listens of the row's listener before its moment, as the log has them."""
    now = rows.row(row, named=True)
    before = (pl.col("uid") == now["uid"]) & (pl.col("timestamp") < now["timestamp"])
    return rows.filter(before)


@quick
@given(log=logs, length=st.integers(1, 4), repeats=st.booleans())
def test_retrieval_equals_brute_force(log, length, repeats):
    try:
        task = retrieval_task(log, length, repeats)
    except LogError as error:
        assert not repeats and "let more kinds" in str(error)
        return
    ends = [task.split.train_end, task.split.test_start]
    assert sorted(task.frame("train")["item_id"].unique()) <= task.tracks.tolist()
    examples = 0
    for part in PARTS:
        batch, frame = task.batches[part], task.frame(part)
        examples += len(frame)
        assert np.searchsorted(ends, frame["timestamp"], side="right").tolist() == [
            PARTS.index(part)
        ] * len(frame)
        assert batch["listener"].tolist() == numbers(frame["uid"], task.listeners)
        assert batch["target"].tolist() == numbers(frame["item_id"], task.tracks)
        assert task.new_listeners(part).tolist() == (batch["listener"] == 0).tolist()
        assert task.new_tracks(part).tolist() == (batch["target"] == 0).tolist()
        played = torch.zeros(len(frame), task.n_values["track"], dtype=torch.bool)
        played[task.played(part)] = True
        for k, row in enumerate(task.positions[part].tolist()):
            past = earlier(task.rows, row)
            known = numbers(past["item_id"], task.tracks)
            assert batch["history"][k][batch["mask"][k]].tolist() == known[::-1][:length]
            assert batch["mask"][k].sum() == min(length, len(past))
            assert (batch["history"][k][~batch["mask"][k]] == 0).all()
            assert set(played[k].nonzero().flatten().tolist()) == set(known)
            again = frame["item_id"][k] in past["item_id"].to_list()
            assert frame["repeat"][k] == again and (repeats or not again)
    if repeats:
        assert examples == len(task.rows) == log.events.collect().height - 1


@quick
@given(
    log=logs,
    length=st.integers(1, 4),
    repeats=st.booleans(),
    padding=st.sampled_from(["left", "right"]),
)
def test_next_item_equals_brute_force(log, length, repeats, padding):
    try:
        task = next_item_task(log, length, padding, repeats)
    except LogError as error:
        assert "let more kinds" in str(error) or "no listen follows" in str(error)
        return
    sequences = {  # of each listener: in the order of time, ties as the task has drawn them
        uid[0]: frame for uid, frame in task.rows.group_by("uid", maintain_order=True)
    }
    judged = dict.fromkeys(PARTS, 0)
    for part in PARTS:
        batch, frame = task.batches[part], task.frame(part)
        track, mask, target = (batch[n] for n in ("track", "mask", "target"))
        counts = batch.get("counts")
        judged[part] = len(target) if counts is None else int(counts.sum())
        assert batch["listener"].tolist() == numbers(frame["uid"], task.listeners)
        assert track.shape == mask.shape == batch["time"].shape == batch["asked"].shape
        assert track.shape == (len(frame), length) and (track[~mask] == 0).all()
        assert (batch["time"][~mask] == 0).all()
        side = mask if padding == "right" else mask.flip(1)
        assert (side.int().diff(dim=1) <= 0).all(), "filled up on one side"
        for k, row in enumerate(task.positions[part].tolist()):
            own = sequences[frame["uid"][k]]
            times = batch["time"][k][mask[k]].tolist()
            asked = batch["asked"][k][mask[k]].tolist()
            assert asked[:-1] == times[1:] and all(
                a >= t for a, t in zip(asked, times, strict=True)
            )
            if part == "train":
                assert target.shape == counts.shape == track.shape and (target[~counts] == 0).all()
                moment = frame["timestamp"][k], frame["item_id"][k]
                rows = own.select("timestamp", "item_id").rows()
                places = [p for p, r in enumerate(rows) if r == moment]
                shown = track[k][mask[k]].tolist()
                known = numbers(own["item_id"], task.tracks)
                places = [
                    p for p in places if known[max(0, p - length) : p][-len(shown) :] == shown
                ]
                assert places, "the inputs are what comes before the last target"
                place, n = places[0], len(shown)
                wanted = known[place - n + 1 : place + 1]
                repeated = own["repeat"][place - n + 1 : place + 1].to_list()
                assert counts[k][mask[k]].tolist() == [repeats or not r for r in repeated]
                assert target[k][counts[k]].tolist() == [
                    w for w, r in zip(wanted, repeated, strict=True) if repeats or not r
                ]
                assert own["timestamp"][place] < task.split.train_end
            else:
                past = earlier(task.rows, row)
                known = numbers(past["item_id"], task.tracks)
                assert track[k][mask[k]].tolist() == known[-length:]
                last = length - 1 if padding == "left" else max(0, int(mask[k].sum()) - 1)
                assert batch["asked"][k, last] == frame["timestamp"][k]
                assert target[k] == numbers([frame["item_id"][k]], task.tracks)[0]
    rows = task.rows if repeats else task.rows.filter(~pl.col("repeat"))
    training = task.rows.filter(pl.col("timestamp") < task.split.train_end)
    openings = training.unique("uid", keep="first", maintain_order=True)
    wanted = training.filter(~pl.col("repeat")) if not repeats else training
    assert judged["train"] == len(wanted) - len(openings), "each but a listener's first is a target"
    assert judged["test"] == len(rows.filter(pl.col("timestamp") >= task.split.test_start))


def chosen_log_of(listens):
    """A log of listens (listener, time, track, whether chosen, ratio), in the order of time."""
    rows = [(u, t, i, o, "listen", r, 200) for u, t, i, o, r in sorted(listens, key=lambda x: x[1])]
    return Log("small", events_of(rows).lazy())


chosen_logs = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 12),
        st.integers(0, 11),
        st.integers(0, 1),
        st.sampled_from([10, 95]),
    ),
    min_size=30,
    max_size=70,
).filter(lambda rows: len({row[1] for row in rows}) > 5).map(chosen_log_of)  # fmt: skip

KEPT = {
    "all": (None, lambda row: True),
    "chosen": (pl.col("is_organic") == 1, lambda row: row["is_organic"] == 1),
    "finished": (pl.col("played_ratio_pct") >= 95, lambda row: row["played_ratio_pct"] >= 95),
    "recommended and new": (
        (pl.col("is_organic") == 0) & ~pl.col("repeat"),
        lambda row: row["is_organic"] == 0 and not row["repeat"],
    ),
    "none": (pl.lit(False), lambda row: False),
}
"""What histories hold: as an expression, and as a function of a row."""


@pytest.mark.parametrize("organic", [False, True])
@settings(quick, max_examples=25)
@given(
    log=chosen_logs,
    length=st.integers(1, 4),
    repeats=st.booleans(),
    kind=st.sampled_from(list(KEPT)),
)
def test_what_is_a_target_and_what_a_history_holds(organic, log, length, repeats, kind):
    history, holds = KEPT[kind]
    try:
        task = retrieval_task(log, length, repeats, organic, history)
    except LogError as error:
        assert "let more kinds of listens be targets" in str(error)
        assert ("'is_organic' is 1" in str(error)) == organic
        return
    whole = retrieval_task(log, length)
    assert torch.equal(task.tracks, whole.tracks) and torch.equal(task.listeners, whole.listeners)
    assert torch.equal(task.popularity(), whole.popularity()), "the catalogue is that of all"
    n_tracks = task.n_values["track"]
    for part in PARTS:
        batch, frame = task.batches[part], task.frame(part)
        wanted = whole.frame(part)
        wanted = wanted if repeats else wanted.filter(~pl.col("repeat"))
        assert frame.equals(wanted.filter(pl.col("is_organic") == 1) if organic else wanted)
        profiles = task.profiles(part, torch.arange(len(frame)))
        assert profiles.shape == (len(frame), n_tracks)
        played = torch.zeros(len(frame), n_tracks, dtype=torch.bool)
        played[task.played(part)] = True
        for k, row in enumerate(task.positions[part].tolist()):
            past = earlier(task.rows, row)
            known = numbers(past["item_id"], task.tracks)
            held = [n for n, r in zip(known, past.rows(named=True), strict=True) if holds(r)]
            assert batch["history"][k][batch["mask"][k]].tolist() == held[::-1][:length]
            counted = np.bincount(held, minlength=n_tracks)
            assert profiles[[k]].toarray()[0].tolist() == counted.tolist()
            assert set(played[k].nonzero().flatten().tolist()) - {0} == set(known) - {0}
        some = torch.tensor([len(frame) - 1, 0])
        assert (task.profiles(part, some) != profiles[some.numpy()]).nnz == 0
        cut, shown = task.profiles(part, some, last=length), batch["mask"][some]
        assert cut.sum(axis=1).A1.tolist() == shown.sum(dim=1).tolist(), "as the history itself"
    plays = np.zeros((task.n_values["listener"], n_tracks))
    for row in task.rows.filter(pl.col("timestamp") < task.split.train_end).rows(named=True):
        if holds(row):
            who = numbers([row["uid"]], task.listeners)[0]
            plays[who, numbers([row["item_id"]], task.tracks)[0]] += 1
    assert np.array_equal(task.plays().toarray(), plays)
    assert plays[0].sum() == plays[:, 0].sum() == 0, "training knows everyone in it"


@quick
@given(log=chosen_logs, length=st.integers(1, 4), repeats=st.booleans())
def test_what_was_recommended_is_an_input_and_no_target(log, length, repeats):
    try:
        task = next_item_task(log, length, repeats=repeats, organic=True)
    except LogError as error:
        assert "let more kinds" in str(error) or "no listen follows" in str(error)
        return
    whole = next_item_task(log, length)
    chosen = whole.rows.filter(pl.col("is_organic") == 1)
    chosen = chosen if repeats else chosen.filter(~pl.col("repeat"))
    assert task.rows.equals(whole.rows)
    first = task.rows.filter(pl.col("timestamp") < task.split.train_end).unique(
        "uid", keep="first", maintain_order=True
    )
    openings = first.filter(pl.col("is_organic") == 1)  # a first listen is never a repeat
    n_training = len(chosen.filter(pl.col("timestamp") < task.split.train_end))
    assert task.batches["train"]["counts"].sum() == n_training - len(openings)
    assert task.batches["train"]["counts"].any(dim=1).all(), "no sequence without a target"
    place = {row: k for k, row in enumerate(whole.positions["train"].tolist())}
    same = torch.tensor([place[row] for row in task.positions["train"].tolist()])
    ours, theirs = task.batches["train"], whole.batches["train"]
    for name in ("listener", "track", "mask"):
        assert torch.equal(ours[name], theirs[name][same]), "what was recommended is an input"
    assert not (ours["counts"] & ~theirs["counts"][same]).any()
    assert torch.equal(ours["target"], theirs["target"][same] * ours["counts"])
    for part in ("validation", "test"):
        ends = task.split.train_end, task.split.test_start
        when = np.searchsorted(ends, chosen["timestamp"], side="right")
        assert task.frame(part).equals(chosen.filter(when == PARTS.index(part)))


@pytest.mark.parametrize(
    ("history", "told"),
    [
        (pl.col("is_organic"), "it gave UInt8 with 0 nulls"),
        (pl.col("played_ratio_pct") > 50, "it gave Boolean with 1 nulls"),
        (pl.lit(None), "it gave Null"),
        (pl.lit("yes"), "it gave String"),
    ],
)
def test_a_history_must_be_true_or_false_for_every_listen(history, told):
    rows = [(1, 10 * t, t % 5, 1, None if t == 3 else 80) for t in range(40)]
    with pytest.raises(LogError, match=f"must be true or false for every listen, {told}"):
        retrieval_task(chosen_log_of(rows), 3, history=history)


def test_the_age_is_in_weeks_before_the_end_of_training():
    listens = [(1, 86_400 * t, t % 4) for t in range(100)]
    task = retrieval_task(log_of(listens), 3)
    age, time = task.age("train"), task.frame("train")["timestamp"].to_numpy()
    assert age.dtype == torch.float32 and age.shape == (len(time),)
    assert age.tolist() == pytest.approx(((task.split.train_end - time) / 604_800).tolist())
    assert (age > 0).all() and (age.diff() < 0).all()
    for part in ("validation", "test"):
        assert (task.age(part) == 0).all() and len(task.age(part)) == len(task.frame(part))


@quick
@given(log=logs, length=st.integers(1, 4))
def test_what_comes_later_changes_no_input(log, length):
    """Another future, the same past: the inputs up to the border stay what they are."""
    one = next_item_task(log, length)
    border = one.split.test_start
    rows = log.events.collect()
    moved = rows.with_columns(
        item_id=pl.when(pl.col("timestamp") >= border).then(99).otherwise("item_id").cast(pl.UInt32)
    )
    other = next_item_task(replace(log, events=moved.lazy()), length)
    first, second = (
        retrieval_task(log, length),
        retrieval_task(replace(log, events=moved.lazy()), length),
    )
    for part in ("train", "validation"):
        for name, values in one.batches[part].items():
            assert torch.equal(values, other.batches[part][name])
        for name, values in first.batches[part].items():
            assert torch.equal(values, second.batches[part][name])
    assert torch.equal(one.popularity(), other.popularity())


def test_ties_are_counted_and_drawn_by_the_seed():
    listens = [(u, 10 * t, 5 * t + i) for u in (1, 2) for t in range(30) for i in range(3)]
    listens += [(3, 10 * t + 1, t) for t in range(30)]
    task = next_item_task(log_of(listens), 10)
    assert task.ties == 180
    orders = {tuple(next_item_task(log_of(listens), 10, seed=s).rows["item_id"]) for s in (0, 0, 1)}
    assert len(orders) == 2
    rows = listens_of(log_of(listens))
    first = [
        ties_at_random(rows, seed).filter(uid=1, timestamp=100)["item_id"][0] for seed in range(300)
    ]
    counts = np.unique(first, return_counts=True)[1]
    assert len(counts) == 3 and counts.min() > 70, "each of three tied comes first a third of times"
    for part in ("validation", "test"):
        frame, batch = task.frame(part), task.batches[part]
        tied = frame.filter(pl.col("uid") < 3).group_by("uid", "timestamp").len()
        assert (tied["len"] == 3).all()
        for k in range(len(frame)):
            same = frame["timestamp"][k] // 10 * 5
            shown = task.tracks[batch["track"][k][batch["mask"][k]] - 1]
            if frame["uid"][k] < 3:
                assert not set(shown.tolist()) & set(range(same, same + 3)), "no tied input"


def test_new_listeners_and_new_tracks_stay_in_the_test():
    listens = [(1, 10 * t, t % 5) for t in range(100)] + [(7, 960, 1), (7, 970, 77), (7, 980, 2)]
    for task in (retrieval_task(log_of(listens), 3), next_item_task(log_of(listens), 3)):
        frame = task.frame("test")
        assert task.new_listeners().tolist() == (frame["uid"] == 7).to_list()
        assert task.new_tracks().tolist() == (frame["item_id"] == 77).to_list()
        assert task.new_listeners().sum() == 3 and task.new_tracks().sum() == 1
        assert not task.new_listeners("train").any() and not task.new_tracks("train").any()
        assert task.n_values == {"listener": 2, "track": 6}
        assert task.groups().tolist() == frame["uid"].to_list()
        own = torch.from_numpy((frame["uid"] == 7).to_numpy().copy())
        mask = task.batches["test"]["mask"][own]
        assert mask.sum(dim=1).tolist() == [0, 1, 2], "unknown tracks are inputs, of number 0"


def test_popularity_is_that_of_training():
    listens = [(1, 86_400 * t, t % 4) for t in range(100)]
    task = retrieval_task(log_of(listens), 3)
    training = [t % 4 for t in range(100) if 86_400 * t < task.split.train_end]
    assert task.popularity().tolist() == [0, *np.bincount(training)]
    assert task.popularity(days=4).tolist() == [0, 1, 1, 1, 1]


def test_at_most_so_many_examples():
    listens = [(u, 100 * t + u, (t * u) % 7) for u in range(4) for t in range(100)]
    whole = retrieval_task(log_of(listens), 3)
    some = retrieval_task(log_of(listens), 3, most=30, judged=30, seed=1)
    assert [len(some.frame(part)) for part in PARTS] == [30, 30, 30]
    assert torch.equal(some.positions["train"], whole.positions["train"][-30:])
    drawn = some.positions["test"]
    assert (drawn.diff() > 0).all() and torch.isin(drawn, whole.positions["test"]).all()
    again = retrieval_task(log_of(listens), 3, most=30, judged=30, seed=1)
    assert torch.equal(drawn, again.positions["test"])
    assert some.popularity().equal(whole.popularity()), "popularity knows all of training"
    assert len(next_item_task(log_of(listens), 3, most=5).frame("train")) == 5
    example, track = some.played("test")
    again = some.played("test", torch.tensor([3]))[1]
    assert again.equal(track[example == 3])


def test_the_simulated_log(tiny_log):
    task = next_item_task(tiny_log, 8)
    retrieval = retrieval_task(tiny_log, 8)
    listens = tiny_log.events.filter(pl.col("event_type") == "listen").collect()
    assert sum(len(retrieval.frame(part)) for part in PARTS) == len(listens)
    assert retrieval.n_values == task.n_values
    assert torch.equal(retrieval.popularity(), task.popularity())
    assert task.batches["train"]["counts"].sum() == (
        len(retrieval.frame("train")) - retrieval.n_values["listener"] + 1
    )
    assert 0 < retrieval.new_tracks().float().mean() < 0.3


def test_what_cannot_be_a_task():
    log = log_of([(1, t, 3) for t in range(50)])
    for task in (retrieval_task, next_item_task):
        with pytest.raises(LogError, match="validation period has no listen that its"):
            task(log, repeats=False)
        with pytest.raises(ValueError, match="length of at least 1"):
            task(log, length=0)
        likes = log.events.filter(pl.col("event_type") == "like")
        with pytest.raises(LogError, match=r"column 'event_type': .* has no 'listen'"):
            task(replace(log, events=likes))
    with pytest.raises(ValueError, match="padding 'left' or 'right'"):
        next_item_task(log, padding="middle")
    strangers = log_of([(t, t, t) for t in range(50)])
    with pytest.raises(LogError, match="no listen follows another"):
        next_item_task(strangers)


def test_windows_are_histories_of_training_cut_up(tiny_log):
    chosen = pl.col("is_organic") == 1
    task = retrieval_task(tiny_log, length=5, history=chosen)
    found = windows(task, 7)
    expected = {}
    for (uid,), rows in task.rows.group_by(["uid"]):
        held = rows.filter(chosen).sort("timestamp", maintain_order=True)
        items = numbers(held["item_id"], task.tracks)
        for moment in rows.filter(pl.col("timestamp") < task.split.train_end)["timestamp"]:
            n = int((held["timestamp"] < moment).sum())
            if n and n % 7 == 0:
                expected[uid, n] = items[n - 7 : n][::-1]
    assert expected and found["mask"].all()
    assert sorted(found["item"].tolist()) == sorted(expected.values())
