"""How a fault of a foreign table is found and said: column, count, first bad row, remedy."""

from __future__ import annotations

from typing import NoReturn

import polars as pl

from course_utils.data import moments, remedies
from course_utils.data.remedies import column, is_text, with_column
from course_utils.schema import LARGEST, LogError

Tables = dict[str, pl.LazyFrame]
"""The log and what lies beside it, called as their files are: `log`, `tracks`, …"""

_MAY_BE_NULL = {"played_ratio_pct", "track_length_seconds"}
_IDS = {"uid", "item_id", "artist_id", "album_id"}
_ONE_ROW = {"are": "is", "have": "has", "stand": "stands", "differ": "differs"}
_LONGEST_SHOWN = 60
_FEW = 0.25
"""Of the rows of a log; more without a value are not dropped, for they may mean something."""
_LARGEST = {**LARGEST, "artist_id": 2**32 - 1, "album_id": 2**32 - 1}
_ONE_NUMBERING = "number the items of all tables in one way, from 0 or 1"


def first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200]


def answer(query: pl.LazyFrame) -> dict:
    """The one row of a query over all data."""
    try:
        return query.collect(engine="streaming").row(0, named=True)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise LogError(
            f"the data cannot be read to the end ({first_line(error)}); "
            "the file may be damaged: copy or download it again"
        ) from error


def bad_rows(frame: pl.LazyFrame, bad: dict[str, pl.Expr]) -> dict[str, tuple[int, int]]:
    """For each named condition: how many rows meet it, and the number of the first (from 0)."""
    if not bad:
        return {}
    row = pl.int_range(pl.len())
    # One pass each for count and first row, over all conditions together.
    query = frame.select(
        **{f"{name}/n": test.fill_null(False).sum() for name, test in bad.items()},
        **{f"{name}/at": row.filter(test.fill_null(False)).first() for name, test in bad.items()},
    )
    found = answer(query)
    return {name: (found[f"{name}/n"], found[f"{name}/at"]) for name in bad if found[f"{name}/n"]}


def complain(
    frame: pl.LazyFrame,
    source: str,
    name: str,
    found: tuple[int, int],
    what: str,
    remedy: str | None = None,
) -> NoReturn:
    """Raise the error: which rows of a column are bad, what they are, and the first of them.

    Args:
        frame, source: the table, and how to name it. name: of the column.
        found: how many rows, and the number of the first.
        what: they do, in the plural, and what is to be done. remedy: the line to paste.
    """
    n, at = found
    if remedy and not remedies.leaves_rows(frame, remedy):
        remedy, what = None, f"{what} (no row would be left; remove the file if it says nothing)"
    if n == 1:
        verb, _, rest = what.partition(" ")
        what = f"{_ONE_ROW[verb]} {rest}"
    bad = frame.slice(at, 1).collect().row(0, named=True)
    raise LogError(
        f"{source}: column {name!r}: {n:,} row{'s' if n > 1 else ''} {what}; "
        f"the first is row {at:,}: { ({key: _short(value) for key, value in bad.items()}) }",
        remedy,
    )


def _short(value: object) -> object:
    """A value, or the beginning of a long one."""
    text = repr(value)
    return value if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + " …"


# Columns and types


def need_columns(frame: pl.LazyFrame, source: str, table: str, wanted: list[str]) -> None:
    has = frame.collect_schema().names()
    missing = [name for name in wanted if name not in has]
    if missing:
        raise LogError(
            f"{source}: missing column{'s' if len(missing) > 1 else ''} {missing}; the table needs "
            f"{wanted}, the file has {has}: rename or add what is missing",
            remedies.rename_or_add(table, missing, has),
        )


def check_type(tables: Tables, source: str, table: str, name: str) -> None:
    """Complain of a numerical column that holds no whole numbers (or yes and no, or nothing)."""
    frame = tables[table]
    kind = frame.collect_schema()[name]
    if kind.is_integer() or (name == "is_organic" and kind == pl.Boolean):
        return
    if kind == pl.Null and (name in _MAY_BE_NULL or name in ("artist_id", "album_id")):
        return
    wanted = "0/1 or true/false" if name == "is_organic" else "whole numbers"
    what = f"{source}: column {name!r} has type {kind}, expected {wanted}"
    if kind == pl.Null:
        raise LogError(f"{what}; it has no value in any row", remedies.if_empty(table, name))
    _check_no_infinity(frame, source, table, name)
    if name in _IDS:
        _check_no_blank(frame, source, table, name)
        remedy = remedies.renumber(tables, table, name)
        raise LogError(what if remedy else f"{what}; {_ONE_NUMBERING}", remedy)
    remedy = remedies.of_type(frame, table, name)
    if remedy and ".filter(" in remedy:
        odd = {"odd": pl.col(name).cast(pl.Float64).fill_nan(None) > remedies.LARGEST_FRACTION}
        words = (
            f"are above {remedies.LARGEST_FRACTION}, the others from 0 to 1: correct or drop them"
        )
        complain(frame, source, name, bad_rows(frame, odd)["odd"], words, remedy)
    raise LogError(
        what if remedy else f"{what}; no cast fits all values: find out what they are, parse them",
        remedy,
    )


def _check_no_infinity(frame: pl.LazyFrame, source: str, table: str, name: str) -> None:
    """Complain of infinite floats: they come from a division by zero and are no value."""
    if not frame.collect_schema()[name].is_float():
        return
    for found in bad_rows(frame, {"infinite": pl.col(name).is_infinite()}).values():
        finite = f"~{column(name)}.is_infinite()"
        if name in _MAY_BE_NULL or name in ("artist_id", "album_id"):
            what = "are infinite, which is no value: say that they are unknown"
            remedy = with_column(table, name, f"pl.when({finite}).then({column(name)})")
        else:
            what = "are infinite, which is no value: drop the rows"
            remedy = f"{table} = {table}.filter(({finite}).fill_null(True))"
        complain(frame, source, name, found, what, remedy)


def _check_no_blank(frame: pl.LazyFrame, source: str, table: str, name: str) -> None:
    """Complain of ids of no characters: they are one unknown, and no listener or track."""
    if not is_text(frame.collect_schema()[name]):
        return
    blank = pl.col(name).cast(pl.String).str.strip_chars() == ""
    for found in bad_rows(frame, {"blank": blank}).values():
        full = f'({column(name)}.cast(pl.String).str.strip_chars() != "")'
        if name in ("artist_id", "album_id"):
            what = "are blank: say that they are unknown"
            remedy = with_column(table, name, f"pl.when{full}.then({column(name)})")
        else:
            what = "are blank: drop the rows"
            remedy = f"{table} = {table}.filter({full}.fill_null(True))"
        complain(frame, source, name, found, what, remedy)


def check_text(
    frame: pl.LazyFrame, source: str, table: str, name: str, among: tuple[str, ...] = ()
) -> None:
    kind = frame.collect_schema()[name]
    if not is_text(kind):
        one_of = f", one of {list(among)}" if among else ""
        cast = with_column(table, name, f"{column(name)}.cast(pl.String)")
        raise LogError(
            f"{source}: column {name!r} has type {kind}, expected text{one_of}",
            cast if kind == pl.Binary or (kind.is_numeric() and not among) else None,
        )


def value_faults(frame: pl.LazyFrame, names: list[str]) -> dict[str, pl.Expr]:
    """Conditions that no row of these numerical columns may meet, as `column|fault`."""
    schema = frame.collect_schema()
    bad = {}
    for name in names:
        if name not in _MAY_BE_NULL and name not in ("artist_id", "album_id"):
            bad[f"{name}|null"] = pl.col(name).is_null()
        if schema[name].is_integer():
            bad[f"{name}|negative"] = pl.col(name) < 0
            bad[f"{name}|large"] = pl.col(name) > _LARGEST[name]
    return bad


def complain_of_value(
    tables: Tables, source: str, table: str, name: str, fault: str, found: tuple[int, int]
) -> NoReturn:
    """Say what is wrong with a value that is missing, negative or too large."""
    frame, this = tables[table], column(name)
    remedy: str | None
    if fault == "null":
        _complain_of_nulls(frame, source, table, name, found)
    what = "are negative" if fault == "negative" else f"are above {_LARGEST[name]:,}"
    if name in _IDS:
        stand_in = remedies.stand_in(frame, name) if fault == "negative" else None
        if stand_in is not None:
            what += f": {stand_in} seems to stand for an unknown one"
            remedy = remedies.of_stand_in(table, name)
        else:
            remedy = remedies.renumber(tables, table, name)
            what += f": {'number the ids anew' if remedy else _ONE_NUMBERING}"
    elif name == "timestamp":
        seem, remedy = moments.of_times(frame)
        what += f": the times seem to be {seem}; a log counts seconds from its start"
    elif name == "is_organic":
        said, remedy = remedies.of_choices(frame)
        what += f": {said}"
    elif fault == "negative":
        what += ": say that they are unknown"
        remedy = with_column(table, name, f"pl.when({this} >= 0).then({this})")
    elif name == "played_ratio_pct":
        what += ": the share is in per cent; cut what is beyond"
        remedy = with_column(table, name, f"{this}.clip(0, {LARGEST[name]})")
    else:
        said, remedy = remedies.of_long_tracks(frame)
        what += f": {said}"
    complain(frame, source, name, found, what, remedy)


def _complain_of_nulls(
    frame: pl.LazyFrame, source: str, table: str, name: str, found: tuple[int, int]
) -> NoReturn:
    """Offer to drop rows without a value while they are few; else say what to find out."""
    rows = answer(frame.select(n=pl.len()))["n"]
    what = "have no value: fill or drop them"
    remedy: str | None = f'{table} = {table}.drop_nulls("{name}")'
    if found[0] == rows:
        what, remedy = "have no value, and no row has one", remedies.if_empty(table, name)
        what += "" if remedy or table == "log" else f": remove {table}.parquet"
    elif found[0] > _FEW * rows and table == "log":
        what, remedy = f"have no value, of {rows:,}: too many to drop; find out what it means", None
    complain(frame, source, name, found, what, remedy)
