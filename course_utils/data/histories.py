"""Histories: the last events of a listener before each listen, gathered a batch at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from course_utils.schema import FINISHED_PCT, LogError


@dataclass(frozen=True)
class Histories:
    """All listens of a log, sorted by listener and time, and where each row's past ends.

    Attributes:
        item: (N,) item ids. finished: (N,) 1.0 if played at least 95 %, else 0.0.
        time: (N,) seconds.
        start, end: (M,) for each row that was asked for, by default the listens in the order of
            the log: its listener's past is `item[start:end]`, all of it strictly earlier.

    Memory: 5 numbers a listen, whatever the length of the histories asked for.
    """

    item: Tensor
    finished: Tensor
    time: Tensor
    start: Tensor
    end: Tensor

    def last(self, rows: Tensor, length: int) -> dict[str, Tensor]:
        """The last `length` listens before each row, latest first.

        Args:
            rows: (B,) numbers of the rows that were asked for. length: L.

        Returns:
            (B, L) tensors: `item`, `finished`, `time`, and `mask`, true where there is a listen;
            elsewhere the others hold zeros.
        """
        at = self.end[rows].unsqueeze(1) - 1 - torch.arange(length)
        mask = at >= self.start[rows].unsqueeze(1)
        at = at.clamp(min=0)

        def shown(values: Tensor) -> Tensor:
            return values[at] * mask if len(values) else values.new_zeros(mask.shape)

        return {
            "item": shown(self.item),
            "finished": shown(self.finished),
            "time": shown(self.time),
            "mask": mask,
        }

    def counts(self, rows: Tensor, n_items: int, last: int | None = None) -> csr_matrix:
        """(B, n_items) how often each item is in the past of each row.

        Args:
            rows: (B,) numbers of the rows that were asked for. n_items: more than any item.
            last: how many of the latest listens count; default all.
        """
        row, item = self.pairs(rows, last)
        ones = np.ones(len(item), np.float32)
        return csr_matrix((ones, (row.numpy(), item.numpy())), (len(rows), n_items))

    def pairs(self, rows: Tensor, last: int | None = None) -> tuple[Tensor, Tensor]:
        """The past of each row (B,): places in `rows` and items, an entry a listen, (M,) each."""
        start, end = self.start[rows], self.end[rows]
        start = start if last is None else torch.maximum(start, end - last)
        count = end - start
        row = torch.arange(len(rows)).repeat_interleave(count)
        first = start - (count.cumsum(0) - count)
        return row, self.item[first[row] + torch.arange(len(row))]

    def only(self, kept: Tensor) -> Histories:
        """The histories with some of the listens alone: kept (N,) bool."""
        before = torch.cat([torch.zeros(1, dtype=torch.int64), kept.cumsum(0)])
        return Histories(
            item=self.item[kept],
            finished=self.finished[kept],
            time=self.time[kept],
            start=before[self.start],
            end=before[self.end],
        )


def histories(events: pl.LazyFrame, rows: pl.DataFrame | None = None) -> Histories:
    """Index the listens of a log (sorted by time) for `Histories.last`.

    Args:
        events: the log. rows: the listens whose past will be asked for (`uid`, `timestamp`);
            default: all of the log, in its order.

    Raises:
        LogError: a row is no listen of the log.
    """
    listens = (
        events.filter(pl.col("event_type") == "listen")
        .select("uid", "timestamp", "item_id", "played_ratio_pct")
        .with_row_index("row")
        .sort(["uid", "timestamp"], maintain_order=True)
        .collect()
    )
    new_user = pl.col("uid") != pl.col("uid").shift(1)
    new_time = new_user | (pl.col("timestamp") != pl.col("timestamp").shift(1))
    position = pl.int_range(pl.len())
    borders = listens.select(
        "row",
        "uid",
        "timestamp",
        start=pl.when(new_user.fill_null(True)).then(position).forward_fill(),
        end=pl.when(new_time.fill_null(True)).then(position).forward_fill(),
    ).sort("row")
    if rows is not None:
        borders = rows.select(pl.col("uid", "timestamp").cast(pl.UInt32)).join(
            borders.unique(["uid", "timestamp"]),
            on=["uid", "timestamp"],
            how="left",
            maintain_order="left",
        )
        if lost := borders["start"].null_count():
            first = borders.filter(pl.col("start").is_null()).row(0, named=True)
            raise LogError(
                f"{lost:,} of {len(rows):,} rows are no listens of this log, the first: uid "
                f"{first['uid']} at {first['timestamp']} s; take rows and log from one source"
            )

    def tensor(values: pl.Series, kind: type = np.int64) -> Tensor:
        return torch.from_numpy(values.to_numpy().astype(kind))

    return Histories(
        item=tensor(listens["item_id"]),
        finished=tensor(listens["played_ratio_pct"] >= FINISHED_PCT, np.float32),
        time=tensor(listens["timestamp"]),
        start=tensor(borders["start"]),
        end=tensor(borders["end"]),
    )
