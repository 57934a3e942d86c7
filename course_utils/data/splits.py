"""Splits in time: nothing of the future in training."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from course_utils.schema import SECONDS_PER_DAY, LogError


@dataclass(frozen=True)
class TimeSplit:
    """Borders in seconds of the log; every period is half-open, [start, end).

    train: before `train_end`; validation: [`valid_start`, `valid_end`); test: from `test_start`.
    """

    train_end: int
    valid_start: int
    valid_end: int
    test_start: int

    def parts(self, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """Training, validation and test rows of a table with a `timestamp` column."""
        time = pl.col("timestamp")
        return (
            rows.filter(time < self.train_end),
            rows.filter((time >= self.valid_start) & (time < self.valid_end)),
            rows.filter(time >= self.test_start),
        )


def time_split(
    last: int, test_days: float = 28, valid_days: float = 14, gap_days: float = 0, first: int = 0
) -> TimeSplit:
    """The last `test_days` for the test, the `valid_days` before them for validation.

    Args:
        last: timestamp of the last event. test_days, valid_days: lengths in days.
        gap_days: days left out before validation and before the test, so that nothing just
            before the border (a session under way, say) is on both sides.
        first: timestamp of the first event.

    Raises:
        LogError: the log is too short for such a split.
    """
    gap = int(gap_days * SECONDS_PER_DAY)
    test_start = last + 1 - int(test_days * SECONDS_PER_DAY)
    valid_end = test_start - gap
    valid_start = valid_end - int(valid_days * SECONDS_PER_DAY)
    train_end = valid_start - gap
    if train_end <= first:
        days = (last - first) / SECONDS_PER_DAY
        raise LogError(
            f"the log covers {days:.1f} days, too few for {test_days} test, "
            f"{valid_days} validation and "
            f"twice {gap_days} gap days with something left to train on; ask for fewer"
        )
    return TimeSplit(train_end, valid_start, valid_end, test_start)


WEEKS = 42 * SECONDS_PER_DAY
"""Held out by weeks: two weeks of validation and four of test."""
LONGEST_BY_WEEKS = 400 * SECONDS_PER_DAY
VALID_SHARE, TEST_SHARE = 0.075, 0.15
LEAST_SHARE = 0.01
"""Of the rows; a validation or a test period with fewer is too thin to be read."""


def split_for(timestamps: pl.Series) -> TimeSplit:
    """The course's split of a log: by weeks if it has enough of them, else by shares of the rows.

    By weeks: the last four for the test, the two before them for validation. For that the log
    lasts at most 400 days, training keeps at least half of the time and of the rows, and neither
    period is nearly empty.

    By shares (MovieLens covers two decades, another log one day): the last 15 % of the rows for
    the test, the 7.5 % before them for validation, as nearly as the rows allow: those of one moment
    are never parted.

    Args:
        timestamps: of all rows.

    Raises:
        LogError: the rows have fewer than three different moments.
    """
    times = timestamps.cast(pl.Int64).sort()
    moments = times.unique(maintain_order=True)
    if len(moments) < 3:
        raise LogError(
            f"column 'timestamp': {len(times):,} rows at {len(moments)} different moments; to part "
            "them into training, validation and test takes at least three: take a longer log, or "
            "finer timestamps"
        )
    return _by_weeks(times) or _by_shares(times, moments)


def _by_weeks(times: pl.Series) -> TimeSplit | None:
    """The split by weeks, or None where it leaves too little to a part."""
    first, last, n = int(times[0]), int(times[-1]), len(times)
    if not 2 * WEEKS <= last - first <= LONGEST_BY_WEEKS:
        return None
    split = time_split(last, first=first)
    valid = times.search_sorted(split.valid_start, side="left")
    test = times.search_sorted(split.test_start, side="left")
    thinnest = min(test - valid, n - test)
    return split if valid >= n / 2 and thinnest >= LEAST_SHARE * n else None


def _by_shares(times: pl.Series, moments: pl.Series) -> TimeSplit:
    """The split whose borders are the moments nearest to the shares."""
    n, before = len(times), times.search_sorted(moments, side="left").cast(pl.Float64)
    from_test = (before - (1 - TEST_SHARE) * n).abs().to_numpy()
    from_valid = (before - (1 - TEST_SHARE - VALID_SHARE) * n).abs().to_numpy()
    test = max(2, int(from_test.argmin()))
    valid = min(max(1, int(from_valid.argmin())), len(moments) - 2)
    if valid == test:  # many rows at one moment: it begins validation, or it begins the test
        pairs = [(test - 1, test), (test, test + 1)]
        valid, test = min(pairs, key=lambda pair: from_valid[pair[0]] + from_test[pair[1]])
    valid, test = int(moments[valid]), int(moments[test])
    return TimeSplit(train_end=valid, valid_start=valid, valid_end=test, test_start=test)
