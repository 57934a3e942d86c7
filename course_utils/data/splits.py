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


def split_for(timestamps: pl.Series) -> TimeSplit:
    """The course's split of a log: four weeks of test, two of validation before them.

    A log that is not a year or less of daily use (MovieLens covers two decades) is cut by shares
    instead: the last 15 % of the rows for the test, the 7.5 % before them for validation.

    Args:
        timestamps: of all rows, sorted.
    """
    first, last = int(timestamps[0]), int(timestamps[-1])
    if last - first <= 400 * SECONDS_PER_DAY:
        return time_split(last, first=first)
    test = int(timestamps[int(0.85 * len(timestamps))])
    valid = int(timestamps[int(0.775 * len(timestamps))])
    return TimeSplit(train_end=valid, valid_start=valid, valid_end=test, test_start=test)
