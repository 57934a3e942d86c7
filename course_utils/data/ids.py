"""Vocabularies: public ids as numbers without gaps, and what is known of each item."""

from __future__ import annotations

import polars as pl
import torch
from torch import Tensor


def vocabulary(values: pl.Series) -> Tensor:
    """Sorted distinct ids, the table for `number`."""
    return torch.from_numpy(values.unique().sort().cast(pl.Int64).to_numpy().copy())


def number_ids(ids: Tensor, known: Tensor) -> Tensor:
    """Number ids from 1 by their place in `known` (sorted); 0 for ids that are not there.

    Shapes: ids (…), known (n,) → (…) integers in 0 … n.
    """
    place = torch.searchsorted(known, ids.contiguous()).clamp(max=len(known) - 1)
    return torch.where(known[place] == ids, place + 1, 0)


def lookup(table: pl.LazyFrame | None, value: str, known: Tensor) -> Tensor:
    """A value for each numbered item: (n + 1, …), zeros where the table has none.

    Args:
        table: `item_id` and the column `value`, a number or a vector; None gives zeros (n + 1,).
            If an item has several rows, its smallest value counts.
        known: (n,) sorted item ids (`vocabulary`).
    """
    if table is None:
        return torch.zeros(len(known) + 1, dtype=torch.int64)
    wanted = pl.Series(known.numpy())
    rows = table.select(pl.col("item_id").cast(pl.Int64), value)
    rows = rows.filter(pl.col("item_id").is_in(wanted.implode())).collect(engine="streaming")
    kind = rows[value].dtype
    if not kind.is_nested():
        rows = rows.group_by("item_id").agg(pl.col(value).min())
    elif isinstance(kind, pl.List):
        width = rows[value].list.len().max() or 1
        rows = rows.with_columns(pl.col(value).cast(pl.Array(kind.inner, width)))
    place = number_ids(torch.from_numpy(rows["item_id"].to_numpy().copy()), known)
    values = torch.from_numpy(rows[value].to_numpy().copy())
    values = values.float() if values.is_floating_point() else values.long()
    out = torch.zeros(len(known) + 1, *values.shape[1:], dtype=values.dtype)
    out[place] = values
    out[0] = 0
    return out
