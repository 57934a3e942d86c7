"""In what unit the times of a foreign log count, which rows are stray, and the line for both.

A wrong factor would spoil every row and the log would open all the same. So the unit is told by
the middle of the times, strays are dropped before anything is subtracted or divided, and where
two readings are possible there is no line at all.
"""

from __future__ import annotations

import polars as pl

LONGEST_LOG = 40 * 366 * 86_400
"""Seconds; the times of a log that seems longer count in a smaller unit, or are stray."""

_UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
_SINCE_1970 = (10**9, 10**10)
"""Seconds since 1970 in the years 2001 to 2286."""
_FORMATS = {14: "%Y%m%d%H%M%S", 12: "%Y%m%d%H%M", 8: "%Y%m%d"}
"""Moments written as one number, by its digits."""
_MOST_STRAYS = 0.1
"""Of the rows; if more are elsewhere, nobody can say which of them are stray."""
_BEYOND = 2**62
"""Where a time stands that is too large for Int64; no date is."""
_EVEN = 500
"""If one row in twenty lies in this part of a span, two units may be mixed."""
_THIS = 'pl.col("timestamp")'


def since_1970(first: int, last: int) -> str | None:
    """The unit in which these moments are dates of our time, if there is one."""
    fits = (
        u for u, n in _UNITS.items() if _SINCE_1970[0] * n <= first <= last < _SINCE_1970[1] * n
    )
    return next(fits, None)


def unit_of_time(first: int, last: int) -> str:
    """In what a log counts its times, by their size: since 1970, or since its own start."""
    spans = (unit for unit, size in _UNITS.items() if (last - first) / size <= LONGEST_LOG)
    return since_1970(first, last) or next(spans, "nanoseconds")


def calendar_format(values: pl.Series) -> str | None:
    """The format of moments written as digits (20250131235959), if nine in ten rows are some."""
    digits = values.cast(pl.String).str.strip_chars().drop_nulls()
    if not len(digits):
        return None
    length = digits.str.len_chars().mode().sort()[0]
    pattern = _FORMATS.get(length)
    if pattern is None:
        return None
    dates = _dates(digits.to_frame("t"), pattern)
    return pattern if len(dates) - dates.null_count() >= (1 - _MOST_STRAYS) * len(dates) else None


def _dates(frame: pl.DataFrame, pattern: str) -> pl.Series:
    """Moments of a text column `t`, null where the text is none."""
    date = pl.col("t").str.to_datetime(pattern, strict=False)
    fits = pl.col("t").str.len_chars() == next(n for n, p in _FORMATS.items() if p == pattern)
    return frame.select(pl.when(fits & date.dt.year().is_between(1900, 2099)).then(date))["t"]


def of_calendar(pattern: str) -> str:
    """The expression that parses moments written as digits; null where a value is none."""
    text = f"{_THIS}.cast(pl.String).str.strip_chars()"
    return f'{text}.str.to_datetime("{pattern}", strict=False).dt.epoch("s")'


def of_times(frame: pl.LazyFrame) -> tuple[str, str | None]:
    """What seems to be wrong with times that are no seconds of a log, and the line for it.

    Args:
        frame: the log, its times whole numbers.
    """
    times = frame.select(pl.col("timestamp").drop_nulls()).collect()["timestamp"]
    pattern = calendar_format(times)
    if pattern:
        return (
            f"dates written as {pattern}",
            f"log = log.with_columns(timestamp={of_calendar(pattern)})",
        )
    times = times.cast(pl.Int64, strict=False).fill_null(_BEYOND).sort()
    census = _census(times)
    if sum(n > len(times) / 20 for n in census.values()) > 1:
        told = "; ".join(f"{n:,} rows as if {unit} since 1970" for unit, n in census.items() if n)
        return f"of several units ({told}): find out which, and write all in one", None
    middle = int(times[len(times) // 2])
    unit, dates = since_1970(middle, middle), True
    if unit is None or _core(times, unit) is None:
        unit, dates = next((u for u in _UNITS if _core(times, u) is not None), None), False
    core = None if unit is None else _core(times, unit)
    if unit is None or core is None:
        return "in no unit that fits all rows: find out what they count", None
    if strays := len(times) - len(core):
        first, last = int(core[0]), int(core[-1])
        what = f"{unit}, but for {strays:,} stray row{'s' if strays > 1 else ''}"
        what += f" far outside {first:,} … {last:,}"
        return what, f"log = log.filter({_THIS}.is_between({first}, {last}))"
    return _counted_from_start(times, unit, dates)


def _core(times: pl.Series, unit: str) -> pl.Series | None:
    """Those of sorted times that make a log in this unit: all, or all but a few far away."""
    longest = LONGEST_LOG * _UNITS[unit]
    if int(times[-1]) - int(times[0]) <= longest:
        return times
    low, high = int(times[len(times) // 10]), int(times[len(times) - 1 - len(times) // 10])
    if high - low > longest // 4:
        return None
    center = (low + high) // 2
    core = times.filter(times.is_between(center - longest // 2, center + longest // 2))
    below, above = times.filter(times < core[0]), times.filter(times > core[-1])
    gaps = [int(core[0]) - int(below[-1])] if len(below) else []
    gaps += [int(above[0]) - int(core[-1])] if len(above) else []
    few = len(core) >= (1 - _MOST_STRAYS) * len(times)
    return core if few and min(gaps) > longest // 8 else None


def _counted_from_start(times: pl.Series, unit: str, dates: bool) -> tuple[str, str | None]:
    """The line that subtracts the first time and divides, where it keeps the times apart."""
    size, first, span = _UNITS[unit], int(times[0]), int(times[-1]) - int(times[0])
    from_start = f"{_THIS} - {_THIS}.min()"
    if size > 1:
        crowded = not dates and int(times[len(times) // 20]) - first < span / _EVEN
        after = ((times.cast(pl.Float64) - first) / size).floor()
        most = len(times.filter(after == after.mode()[0]))
        if crowded or 2 * most > len(times) > 2:
            return f"{unit}, but then too many fall together: find out what they count", None
        from_start = f"({from_start}) // {size:_}"
    return unit, f"log = log.with_columns(timestamp={from_start})"


def _census(times: pl.Series) -> dict[str, int]:
    """How many rows would be dates of our time in each unit."""
    return {
        unit: int(
            times.is_between(_SINCE_1970[0] * n, min(_SINCE_1970[1] * n, 2 * _BEYOND) - 1).sum()
        )
        for unit, n in _UNITS.items()
        if _SINCE_1970[0] * n < _BEYOND
    }
