"""Histories hold the strict past, latest first."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch
from conftest import events_of
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.data.histories import histories

quick = settings(max_examples=60, deadline=None, derandomize=True)


def test_histories_hold_only_the_strict_past(tiny_log):
    past = histories(tiny_log.events)
    listens = tiny_log.events.filter(pl.col("event_type") == "listen").collect()
    rows = torch.arange(0, len(listens), 97)
    seen = past.last(rows, 5)
    for row, items, mask in zip(rows.tolist(), seen["item"], seen["mask"], strict=True):
        now = listens.row(row, named=True)
        before = listens.filter(
            (pl.col("uid") == now["uid"]) & (pl.col("timestamp") < now["timestamp"])
        )
        assert items[mask].tolist() == before["item_id"].tail(5).reverse().to_list()


listens = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 6), st.integers(0, 4), st.sampled_from([20, 100])),
    min_size=1,
    max_size=25,
)
"""Listener, time, track and ratio: few of each, so that ties, repeats and empty pasts abound."""


@quick
@given(rows=listens, seed=st.integers(0, 99), kept_share=st.sampled_from([0.0, 0.5, 1.0]))
def test_some_of_the_listens_alone_are_counted_and_gathered(rows, seed, kept_share):
    rows = sorted(rows, key=lambda row: row[1])
    events = events_of([(u, t, i, 1, "listen", ratio, 200) for u, t, i, ratio in rows])
    past = histories(events.lazy())
    order = sorted(range(len(rows)), key=lambda k: (rows[k][0], rows[k][1], k))
    rng = np.random.default_rng(seed)
    kept = rng.random(len(rows)) < kept_share
    asked = torch.from_numpy(rng.integers(0, len(rows), 7))
    some = past.only(torch.from_numpy(kept))
    counts, seen = some.counts(asked, 6).toarray(), some.last(asked, 3)
    latest = some.counts(asked, 6, last=2).toarray()
    for b, row in enumerate(asked.tolist()):
        mine = [
            rows[k]
            for k, there in zip(order, kept, strict=True)
            if there and rows[k][0] == rows[row][0] and rows[k][1] < rows[row][1]
        ]
        items = [item for _, _, item, _ in mine]
        assert counts[b].tolist() == [items.count(item) for item in range(6)]
        assert latest[b].tolist() == [items[-2:].count(item) for item in range(6)]
        mask = seen["mask"][b]
        assert seen["item"][b][mask].tolist() == items[::-1][:3]
        assert seen["finished"][b][mask].tolist() == [r[3] >= 95 for r in mine[::-1][:3]]
        assert seen["time"][b][mask].tolist() == [r[1] for r in mine[::-1][:3]]
    again = past.only(torch.ones(len(rows), dtype=torch.bool))
    assert all(
        torch.equal(getattr(again, name), getattr(past, name))
        for name in ("item", "finished", "time", "start", "end")
    )


def test_nobody_asked_and_nothing_kept(good_events):
    past = histories(good_events.lazy())
    nobody = torch.zeros(0, dtype=torch.int64)
    assert past.counts(nobody, 9).shape == (0, 9)
    none = past.only(torch.zeros(len(past.item), dtype=torch.bool))
    everyone = torch.arange(len(past.start))
    assert none.counts(everyone, 9).nnz == 0
    with pytest.raises(IndexError):
        past.only(torch.ones(len(past.item) + 1, dtype=torch.bool))


def test_what_was_played_at_one_moment_is_in_nobodys_past():
    rows = [(1, 10, 5, 1, "listen", 100, 200), (1, 10, 6, 1, "listen", 100, 200)]
    past = histories(events_of([*rows, (1, 20, 5, 1, "listen", 100, 200)]).lazy())
    assert past.counts(torch.arange(3), 7).toarray()[:, 5:].tolist() == [[0, 0], [0, 0], [1, 1]]
