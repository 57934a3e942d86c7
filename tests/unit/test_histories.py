"""Histories hold the strict past, latest first."""

from __future__ import annotations

import polars as pl
import torch

from course_utils.data.histories import histories


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
