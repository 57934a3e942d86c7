"""Vocabularies and content vectors: what is numbered, and what is unknown."""

from __future__ import annotations

import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.data.ids import lookup, number_ids, vocabulary

ids = st.lists(st.integers(-5, 2**40), max_size=20)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(known=ids, asked=ids)
def test_ids_are_numbered_by_their_place_and_strangers_are_0(known, asked):
    table = vocabulary(pl.Series(known, dtype=pl.Int64))
    assert table.tolist() == sorted(set(known))
    numbers = number_ids(torch.tensor(asked, dtype=torch.int64), table)
    place = {value: n for n, value in enumerate(sorted(set(known)), start=1)}
    assert numbers.tolist() == [place.get(value, 0) for value in asked]


def test_numbers_keep_the_shape():
    known = vocabulary(pl.Series([9, 4, 4]))
    assert number_ids(torch.tensor([[4, 9], [5, 100]]), known).tolist() == [[1, 2], [0, 0]]


@pytest.mark.parametrize("kind", [pl.Array(pl.Float32, 2), pl.List(pl.Float64)])
def test_vectors_are_looked_up_from_arrays_and_from_lists_as_yambda_has_them(kind):
    vectors = pl.LazyFrame(
        {"item_id": [4, 7], "embed": [[1.0, 2.0], [3.0, 4.0]]}, schema_overrides={"embed": kind}
    )
    found = lookup(vectors, "embed", torch.tensor([4, 9]))
    assert found.tolist() == [[0, 0], [1, 2], [0, 0]] and found.dtype == torch.float32
    assert not lookup(vectors, "embed", torch.tensor([1])).any(), "nothing known: zeros"
    assert lookup(None, "embed", torch.tensor([1])).shape == (2, 1)
