"""Validation of foreign tables.

Nothing is repaired in silence: a column of another integer type whose values fit is cast, and
everything else that is wrong is one clear `LogError`.
"""

from __future__ import annotations

import polars as pl

from course_utils.schema import EVENT_SCHEMA, EVENT_TYPES, LogError

_UPPER = {pl.UInt32: 2**32 - 1, pl.UInt16: 2**16 - 1, pl.UInt8: 1}


_MAY_BE_NULL = {"played_ratio_pct", "track_length_seconds"}


def first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200]


def _bad_rows(frame: pl.LazyFrame, bad: dict[str, pl.Expr]) -> dict[str, tuple[int, int]]:
    """For each named condition: how many rows meet it, and the number of the first (from 0)."""
    if not bad:
        return {}
    row = pl.int_range(pl.len())
    # One pass each for count and first row, over all conditions together.
    query = frame.select(
        **{f"{name}/n": test.fill_null(False).sum() for name, test in bad.items()},
        **{f"{name}/at": row.filter(test.fill_null(False)).first() for name, test in bad.items()},
    )
    try:
        found = query.collect(engine="streaming").row(0, named=True)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise LogError(
            f"the data cannot be read to the end ({first_line(error)}); "
            "the file may be damaged: copy or download it again"
        ) from error
    return {name: (found[f"{name}/n"], found[f"{name}/at"]) for name in bad if found[f"{name}/n"]}


def _complain(frame: pl.LazyFrame, source: str, column: str, n: int, at: int, what: str) -> None:
    bad = frame.slice(at, 1).collect().to_dicts()[0]
    raise LogError(
        f"{source}: column {column!r}: {n:,} row{'s' if n > 1 else ''} {what}; "
        f"the first is row {at:,}: {bad}"
    )


def _check_types(frame: pl.LazyFrame, source: str) -> dict[str, pl.DataType]:
    schema = dict(frame.collect_schema())
    missing = [name for name in EVENT_SCHEMA if name not in schema]
    if missing:
        raise LogError(
            f"{source}: missing column{'s' if len(missing) > 1 else ''} {missing}; the log needs "
            f"{list(EVENT_SCHEMA)}, the file has {list(schema)}: rename or add what is missing"
        )
    for name in EVENT_SCHEMA:
        found = schema[name]
        if name == "event_type":
            good = found == pl.String or found == pl.Categorical or isinstance(found, pl.Enum)
            wanted = "text"
        elif name == "is_organic":
            good, wanted = found.is_integer() or found == pl.Boolean, "0/1 or true/false"
        else:
            good, wanted = found.is_integer(), "whole numbers"
        if not good:
            raise LogError(
                f"{source}: column {name!r} has type {found}, expected {wanted}; "
                f"cast it, e.g. pl.col({name!r}).cast(pl.{EVENT_SCHEMA[name]!s})"
                if name != "event_type"
                else f"{source}: column 'event_type' has type {found}, expected text, "
                f"one of {list(EVENT_TYPES)}"
            )
    return schema


def check_events(frame: pl.LazyFrame, source: str) -> pl.LazyFrame:
    """Validate a foreign event table and cast it to `EVENT_SCHEMA`.

    Args:
        frame: the table. source: how to name it in messages.

    Returns:
        The same rows with the schema's columns (other columns are dropped).

    Raises:
        LogError: a column is missing or mistyped; a value is null, negative, too large or
            unknown; a listen has no `played_ratio_pct`; the rows are not in order of time; a row
            stands twice; there are no rows.
    """
    schema = _check_types(frame, source)
    numeric = [name for name in EVENT_SCHEMA if name != "event_type"]
    kind = pl.col("event_type").cast(pl.String)
    bad: dict[str, pl.Expr] = {
        f"{name}|null": pl.col(name).is_null() for name in EVENT_SCHEMA if name not in _MAY_BE_NULL
    }
    for name in numeric:
        if schema[name] == pl.Boolean:
            continue
        upper = _UPPER[EVENT_SCHEMA[name]]
        bad[f"{name}|negative"] = pl.col(name) < 0
        bad[f"{name}|above {upper:,}"] = pl.col(name) > upper
    bad["event_type|unknown"] = ~kind.is_in(EVENT_TYPES)
    bad["played_ratio_pct|unplayed"] = (kind == "listen") & pl.col("played_ratio_pct").is_null()
    bad["timestamp|unsorted"] = pl.col("timestamp") < pl.col("timestamp").shift(1)
    words = {
        "null": "have no value: fill or drop them",
        "negative": "are negative: shift or drop them (times count from the start of the log)",
        "unknown": f"have an unknown event: only {list(EVENT_TYPES)} are known",
        "unplayed": "are listens without a played share: fill it (0 … 100) or drop the row",
        "unsorted": "are earlier than the row before: sort the log by 'timestamp' first",
    }
    for name, (n, at) in _bad_rows(frame, bad).items():
        column, what = name.split("|")
        _complain(frame, source, column, n, at, words.get(what, f"are {what}: renumber the ids"))
    _check_duplicates(frame, source)
    rows = frame.select(pl.len()).collect().item()
    if rows == 0:
        raise LogError(f"{source}: the log has no rows")
    return frame.select(
        pl.col(name).cast(pl.String).cast(kind) if name == "event_type" else pl.col(name).cast(kind)
        for name, kind in EVENT_SCHEMA.items()
    )


def _check_duplicates(frame: pl.LazyFrame, source: str) -> None:
    """Complain of rows that are equal in every column of the schema."""
    same = pl.struct(list(EVENT_SCHEMA)).is_duplicated()
    found = frame.select(n=same.sum(), at=pl.int_range(pl.len()).filter(same).first()).collect()
    n, at = found.row(0)
    if n:
        _complain(
            frame, source, "uid … track_length_seconds", n, at, "stand twice: frame.unique() them"
        )


def check_vectors(frame: pl.LazyFrame, source: str) -> pl.LazyFrame:
    """Validate a table of content vectors (`item_id`, `embed`).

    Raises:
        LogError: a column is missing, vectors differ in length, or hold NaN, infinity or null.
    """
    schema = frame.collect_schema()
    missing = [name for name in ("item_id", "embed") if name not in schema]
    if missing:
        raise LogError(f"{source}: missing columns {missing}; the table needs item_id and embed")
    kind = schema["embed"]
    if not isinstance(kind, pl.List | pl.Array) or not kind.inner.is_float():
        raise LogError(f"{source}: column 'embed' has type {kind}, expected a list of floats")
    vectors = pl.col("embed").cast(pl.List(kind.inner))
    bad = {
        "NaN": vectors.list.eval(~pl.element().is_finite() | pl.element().is_null()).list.any(),
        "length": vectors.list.len() != vectors.list.len().first(),
        "null": pl.col("embed").is_null(),
    }
    words = {
        "NaN": "have a NaN, infinite or missing component: drop these vectors",
        "length": "differ in length from the first: all vectors need one length",
        "null": "have no vector: drop the row (a track without a vector is simply left out)",
    }
    for name, (n, at) in _bad_rows(frame, bad).items():
        _complain(frame, source, "embed", n, at, words[name])
    return frame
