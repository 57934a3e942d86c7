"""Splits in time: nothing of the future in training, whatever the log."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.data.splits import split_for, time_split
from course_utils.schema import LogError


@settings(deadline=None)
@given(
    times=st.lists(st.integers(0, 200 * 86_400), min_size=5, max_size=200).map(sorted),
    test=st.floats(0.5, 40),
    valid=st.floats(0.5, 20),
    gap=st.floats(0, 5),
)
def test_no_row_of_the_future_in_training(times, test, valid, gap):
    rows = pl.DataFrame({"timestamp": times})
    try:
        split = time_split(times[-1], test, valid, gap, first=times[0])
    except LogError:
        return
    train, validation, held = split.parts(rows)
    gap_seconds = int(gap * 86_400)
    assert len(held) > 0
    for early, late in [(train, validation), (validation, held), (train, held)]:
        if len(early) and len(late):
            assert early["timestamp"].max() + gap_seconds <= late["timestamp"].min()
            assert early["timestamp"].max() < late["timestamp"].min()
    if gap == 0:
        assert len(train) + len(validation) + len(held) == len(rows)


def test_a_short_log_is_refused():
    with pytest.raises(LogError, match=r"covers 20\.0 days, too few"):
        time_split(20 * 86_400)


def test_split_for_cuts_a_long_log_by_shares():
    times = pl.Series(range(0, 10**9, 10**6))
    train, validation, held = split_for(times).parts(pl.DataFrame({"timestamp": times}))
    assert (len(train), len(validation), len(held)) == (775, 75, 150)
    assert train["timestamp"].max() < validation["timestamp"].min() < held["timestamp"].min()
