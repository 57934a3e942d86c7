"""Vocabularies: public ids as numbers without gaps, and what is known of each item."""

from __future__ import annotations

import polars as pl
import torch
from torch import Tensor


def vocabulary(values: pl.Series) -> Tensor:
    """(n,) sorted distinct ids, the table for `number_ids`."""
    return torch.from_numpy(values.unique().sort().cast(pl.Int64).to_numpy().copy())


def number_ids(ids: Tensor, known: Tensor) -> Tensor:
    """Number ids from 1 by their place in `known` (sorted); 0 for ids that are not there.

    Shapes: ids (…), known (n,) → (…) integers in 0 … n. An id may be any integer, 0 too.

    >>> number_ids(torch.tensor([30, 10, 99]), torch.tensor([10, 20, 30])).tolist()
    [3, 1, 0]
    """
    if not len(known):
        return torch.zeros_like(ids)
    place = torch.searchsorted(known, ids.contiguous()).clamp(max=len(known) - 1)
    return torch.where(known[place] == ids, place + 1, 0)


def lookup(table: pl.LazyFrame | None, column: str, known: Tensor) -> Tensor:
    """The content vector of each numbered item: (n + 1, d) float32, zeros where there is none.

    Args:
        table: `item_id` and `column`, which holds vectors of one length d; None gives d = 1.
        column: its name. known: (n,) sorted item ids (`vocabulary`).
    """
    if table is None:
        return torch.zeros(len(known) + 1, 1)
    items = pl.LazyFrame({"item_id": known.numpy()})
    rows = table.select(pl.col("item_id").cast(pl.Int64), column)
    found = rows.join(items, on="item_id", how="semi").collect(engine="streaming")
    lengths = found[column].cast(pl.List(pl.Float32)).list.len()
    width = int(lengths[0]) if len(lengths) else 1
    vectors = found[column].cast(pl.Array(pl.Float32, width))
    out = torch.zeros(len(known) + 1, width)
    place = number_ids(torch.from_numpy(found["item_id"].to_numpy().copy()), known)
    out[place] = torch.from_numpy(vectors.to_numpy().copy())
    return out
