"""Splits in time: nothing of the future in training, whatever the log."""

from __future__ import annotations

import itertools

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


DAY = 86_400
SPANS = {"a minute": 60, "a day": DAY, "thirty days": 30 * DAY, "the weeks": 84 * DAY,
         "half a year": 168 * DAY, "three years": 1_096 * DAY, "since 1970": 2**31 - 1}  # fmt: skip


@st.composite
def logs(draw) -> list[int]:
    """Moments of a log: of any length, many at one moment, thick and thin stretches."""
    span = draw(st.sampled_from(list(SPANS.values())))
    first = draw(st.sampled_from([0, 1_000, 2**31 - 1 - span]))
    moments = draw(st.lists(st.integers(0, span), min_size=1, max_size=30, unique=True))
    ties = draw(st.lists(st.sampled_from([1, 1, 2, 50, 400]), min_size=30, max_size=30))
    return sorted(first + t for t, n in zip(moments, ties, strict=False) for _ in range(n))


def shares_off(sizes: tuple[int, ...]) -> float:
    """How far the two borders lie from 77.5 % and 85 % of the rows, together."""
    train, valid, n = sizes[0], sizes[1], sum(sizes)
    return abs(train - 0.775 * n) + abs(train + valid - 0.85 * n)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(times=logs())
def test_every_log_is_parted_sensibly_or_refused(times):
    series = pl.Series("timestamp", times, dtype=pl.UInt32)
    moments = sorted(set(times))
    if len(moments) < 3:
        with pytest.raises(LogError, match=f"{len(moments)} different moments"):
            split_for(series)
        return
    split = split_for(series)
    parts = split.parts(series.to_frame())
    sizes = tuple(map(len, parts))
    assert min(sizes) > 0 and sum(sizes) == len(times), "each row is in one part"
    for early, late in itertools.pairwise(parts):
        assert early["timestamp"].max() < late["timestamp"].min(), "no moment is parted"
    n, span = len(times), times[-1] - times[0]
    by_weeks = split.test_start == times[-1] + 1 - 28 * DAY
    if by_weeks:
        assert span <= 400 * DAY and 2 * (split.train_end - times[0]) >= span
        assert 2 * sizes[0] >= n and min(sizes) >= 0.01 * n
        assert split.test_start - split.valid_start == 14 * DAY
    else:
        before = [sum(t < moment for t in times) for moment in moments]
        every = [
            (before[i], before[j] - before[i], n - before[j])
            for i in range(1, len(moments) - 1)
            for j in range(i + 1, len(moments))
        ]
        assert shares_off(sizes) <= min(map(shares_off, every)) + 1e-6, "as near as ties allow"


@pytest.mark.parametrize(("days", "weeks"), [(83.9, False), (84, True), (400, True), (401, False)])
def test_weeks_need_enough_of_them_and_not_too_many(days, weeks):
    split = split_for(pl.Series([int(i * days * DAY / 999) for i in range(1_000)]))
    assert (split.test_start - split.valid_start == 14 * DAY) is weeks


def test_a_service_that_grew_late_is_parted_by_shares():
    thin, thick = range(0, 160 * DAY, DAY), range(160 * DAY, 168 * DAY, 60)
    times = pl.Series([*thin, *thick])
    sizes = [len(part) for part in split_for(times).parts(pl.DataFrame({"timestamp": times}))]
    assert sizes == [round(share * len(times)) for share in (0.775, 0.075, 0.15)]


def test_rows_need_not_be_sorted():
    times = pl.Series([5, 1, 9, 7, 3] * 7)
    assert split_for(times) == split_for(times.sort())


def test_the_split_of_the_default_log():
    """Four weeks and two, to the second: published numbers rest on it."""
    last = 168 * DAY - 2
    split = split_for(pl.Series([0, *range(100, last, 50), last]))
    assert split == time_split(last)
    assert (split.valid_start, split.test_start) == (last + 1 - 42 * DAY, last + 1 - 28 * DAY)


def test_split_for_cuts_a_long_log_by_shares():
    times = pl.Series(range(0, 10**9, 10**6))
    train, validation, held = split_for(times).parts(pl.DataFrame({"timestamp": times}))
    assert (len(train), len(validation), len(held)) == (775, 75, 150)
    assert train["timestamp"].max() < validation["timestamp"].min() < held["timestamp"].min()
