"""When a row happened: the unit or the format of a column of times, told by its values."""

from __future__ import annotations

import time as clock_of_machine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from course_utils.data.complaints import answer
from course_utils.data.moments import LONGEST_LOG, calendar_format
from course_utils.data.remedies import is_text
from course_utils.schema import LogError

UNITS = {
    "s": ("seconds", 10**6),
    "ms": ("milliseconds", 10**3),
    "us": ("microseconds", 1),
    "ns": ("nanoseconds", 10**-3),
    "min": ("minutes", 60 * 10**6),
    "h": ("hours", 3_600 * 10**6),
    "d": ("days", 86_400 * 10**6),
}
"""Short name → name, and microseconds in one."""

_SINCE_1970 = ("s", "ms", "us", "ns")
_FIRST_DATE = 631_152_000
"""Seconds from 1970 to 1990: no log of a service is older, and a date before it stands for none."""
_AHEAD = 366 * 86_400
"""Seconds; a date farther in the future than this is none."""
_FORMATS = {
    "%Y-%m-%dT%H:%M:%S%.f%#z": "ISO dates with a zone",
    "%Y-%m-%dT%H:%M:%S%.f": "ISO dates without a zone, taken as UTC",
    "%Y-%m-%dT%H:%M": "ISO dates to the minute, taken as UTC",
    "%Y-%m-%d": "days without an hour (events of a day keep the order of the file)",
}
_SAMPLE = 10_000
_SHORTEST = timedelta(minutes=1)
"""Of a log; a unit that makes it shorter is not offered."""
_MOST_OTHERS = 0.05
"""Of the rows; if more seem to be dates in a second unit, two are mixed."""


@dataclass(frozen=True)
class Times:
    """How a column `time` is read.

    Attributes:
        micros: microseconds since 1970, or since the log's own start; null where there is none.
        told: what it was recognised as. dated: whether these are dates.
    """

    micros: pl.Expr
    told: str
    dated: bool = True

    def strange(self) -> pl.Expr:
        """Whether a time is no moment of a log: before 1990, in the future, or negative."""
        if not self.dated:
            return pl.col("micros") < 0
        return ~pl.col("micros").is_between(_FIRST_DATE * 10**6, _latest() * 10**6)


def _latest() -> int:
    return int(clock_of_machine.time()) + _AHEAD


def read_times(frame: pl.LazyFrame, name: str, unit: str | None, pattern: str | None) -> Times:
    """Recognise a column of times.

    Args:
        frame: holds it as `time`. name: what it is called in the file.
        unit: of `UNITS`, or None to tell it by the values. pattern: of dates in text (strftime).

    Raises:
        LogError: the type cannot be a time; the unit is ambiguous or mixed; no format fits.
    """
    kind = frame.collect_schema()["time"]
    if isinstance(kind, pl.Datetime):
        told = f"dates in the zone {kind.time_zone}" if kind.time_zone else "dates, taken as UTC"
        return Times(pl.col("time").dt.epoch("us"), told)
    if kind == pl.Date:
        return Times(pl.col("time").cast(pl.Datetime("us")).dt.epoch("us"), _FORMATS["%Y-%m-%d"])
    if is_text(kind):
        return _of_text(frame, name, unit, pattern)
    if not kind.is_numeric():
        raise LogError(f"column {name!r} has type {kind}, which is no time; name another: --time")
    return _of_numbers(frame, name, pl.col("time"), unit, whole=kind.is_integer())


# Text


def _of_text(frame: pl.LazyFrame, name: str, unit: str | None, pattern: str | None) -> Times:
    text = pl.col("time").cast(pl.String).str.strip_chars()
    if pattern:
        return Times(_from_format(text, pattern), f"dates written as {pattern!r}")
    whole = text.cast(pl.Int64, strict=False)
    number = text.cast(pl.Float64, strict=False)
    filled = text.str.len_chars() > 0
    found = answer(frame.select(n=filled.sum(), whole=whole.count(), number=number.count()))
    if not found["n"]:
        raise LogError(f"column {name!r} has no value in any row; name another: --time")
    if found["number"] >= (1 - _MOST_OTHERS) * found["n"]:
        return _of_numbers(
            frame, name, text, unit, whole=found["whole"] == found["number"], written=True
        )
    if found["number"] > _MOST_OTHERS * found["n"]:
        raise LogError(
            f"column {name!r}: {found['number']:,} of {found['n']:,} values are numbers and the "
            "others are not: write all times in one way"
        )
    return _of_dates(frame, name, text)


def _from_format(text: pl.Expr, pattern: str) -> pl.Expr:
    return text.str.to_datetime(pattern, strict=False, time_unit="us").dt.epoch("us")


def _of_dates(frame: pl.LazyFrame, name: str, text: pl.Expr) -> Times:
    """Dates that begin with the year; their formats are seen on some rows, else on all."""
    plain = (
        text.str.replace_all("/", "-", literal=True)
        .str.replace(" ", "T", literal=True)
        .str.replace(r"\s*UTC$", "Z")
    )
    filled = frame.filter(text.str.len_chars() > 0)
    for some in (filled.head(_SAMPLE), filled):
        counts = answer(
            some.select(
                pl.len().alias("n"), *(_from_format(plain, f).count().alias(f) for f in _FORMATS)
            )
        )
        used = [pattern for pattern in _FORMATS if counts[pattern]]
        if not used:
            continue
        micros = pl.coalesce(_from_format(plain, pattern) for pattern in used)
        read = answer(filled.select(n=pl.len(), read=micros.count()))
        if read["read"] == read["n"] or some is filled:
            return Times(micros, "; ".join(_FORMATS[pattern] for pattern in used))
    first = filled.select(text).first().collect().item()
    raise LogError(
        f"column {name!r}: {first!r} is no date that begins with the year, and no number; say how "
        "it is written, for example --time-format '%d.%m.%Y %H:%M:%S' (%H:%M with %S if there are "
        "seconds, %b for Jan, %I:%M %p for 01:30 PM, %z for +0200)"
    )


# Numbers


def _of_numbers(
    frame: pl.LazyFrame,
    name: str,
    column: pl.Expr,
    unit: str | None,
    whole: bool,
    written: bool = False,
) -> Times:
    """Numbers: dates if most of them are some in one unit, else what `unit` says they count.

    Args:
        frame: holds them. name: what the column is called. column: their expression.
        unit: or None. whole: whether all are whole numbers. written: whether they are text.
    """
    rough = column.cast(pl.Float64, strict=False)
    rough = pl.when(rough.is_finite()).then(rough)
    value = pl.col("value")
    spread = answer(
        frame.select(value=rough).select(
            n=value.count(),
            low=value.quantile(0.05, "nearest"),
            middle=value.quantile(0.5, "nearest"),
            first=value.min(),
            last=value.max(),
            **{each: _in_unit(value, each).sum() for each in _SINCE_1970},
        )
    )
    if not spread["n"]:
        raise LogError(f"column {name!r} has no number in any row; name another: --time")
    if unit is None:
        _need_one_unit(name, spread)
    since = next((u for u in _SINCE_1970 if _dated(spread, u)), None)
    chosen = unit or since
    if chosen is None:
        return _of_calendar(frame, name, column, spread)
    dated = _dated(spread, chosen)
    label, size = UNITS[chosen]
    if not dated and (spread["last"] - spread["low"]) * size > LONGEST_LOG * 10**6:
        raise LogError(
            f"column {name!r}: from {spread['first']:,.0f} to {spread['last']:,.0f} {label} are "
            "more than forty years: choose another --time-unit, or correct the stray values"
        )
    told = f"{label} since 1970" if dated else f"{label} since the start of the log"
    return Times(_micros(column, rough, size, whole, written), told, dated)


def _in_unit(number: pl.Expr, unit: str) -> pl.Expr:
    """Whether a number is a date in this unit, from 1990 to a year from now."""
    per_second = 10**6 / UNITS[unit][1]
    return number.is_between(_FIRST_DATE * per_second, _latest() * per_second)


def _dated(spread: dict, unit: str) -> bool:
    per_second = 10**6 / UNITS[unit][1]
    first, last = _FIRST_DATE * per_second, _latest() * per_second
    return first <= spread["low"] and first <= spread["middle"] <= last


def _need_one_unit(name: str, spread: dict) -> None:
    many = {unit: spread[unit] for unit in _SINCE_1970 if spread[unit]}
    if sum(n > _MOST_OTHERS * spread["n"] for n in many.values()) > 1:
        told = "; ".join(f"{n:,} rows as if {UNITS[unit][0]}" for unit, n in many.items())
        raise LogError(
            f"column {name!r}: times of several units since 1970 ({told}): write all in one"
        )


def _micros(column: pl.Expr, rough: pl.Expr, size: float, whole: bool, written: bool) -> pl.Expr:
    """Numbers of one unit as microseconds, exact where they are whole."""
    fits = rough.abs() < 2**62 / max(size, 1)
    exact = column.cast(pl.Int64, strict=False)
    exact = exact * int(size) if size >= 1 else exact // round(1 / size)
    parted = (rough * size).floor().cast(pl.Int64, strict=False)
    if not whole:
        exact = pl.coalesce(exact, parted) if written else parted
    return pl.when(fits).then(exact)


def _of_calendar(frame: pl.LazyFrame, name: str, column: pl.Expr, spread: dict) -> Times:
    """Digits of a calendar (20250131235959); if they are none, nobody can say what they count."""
    text = column.cast(pl.String)
    pattern = calendar_format(
        frame.select(text.alias("t")).drop_nulls().head(_SAMPLE).collect()["t"]
    )
    if pattern:
        return Times(_from_format(text, pattern), f"dates written in digits as {pattern}")
    spans = {
        unit: timedelta(microseconds=(spread["last"] - spread["first"]) * size)
        for unit, (_, size) in UNITS.items()
        if (spread["last"] - spread["first"]) * size <= LONGEST_LOG * 10**6
    }
    told = ", ".join(
        f"{unit} ({_lasting(span)})" for unit, span in spans.items() if span >= _SHORTEST
    )
    raise LogError(
        f"column {name!r}: from {spread['first']:,.0f} to {spread['last']:,.0f}, which are no "
        "dates since 1970 in any unit: say what one counts, and how long the log would last: "
        f"--time-unit {told or 'none fits: correct the stray values first'}"
    )


def _lasting(span: timedelta) -> str:
    seconds = span.total_seconds()
    for size, word in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {word}"
    return f"{seconds:.3g} seconds"


def said(micros: int) -> str:
    """A moment in words, in UTC.

    >>> said(828_124_615_000_000)
    '1996-03-29 18:36:55'
    """
    return str(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros))[:19]
