"""Validation of foreign tables: the log, and the tables beside it.

Nothing is repaired in silence: a column of another integer type whose values fit is cast, and
everything else that is wrong is one clear `LogError`, with a line to paste where one helps.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from course_utils.data import moments, remedies
from course_utils.data.complaints import (
    Tables,
    answer,
    bad_rows,
    check_text,
    check_type,
    complain,
    complain_of_value,
    need_columns,
    value_faults,
)
from course_utils.data.remedies import column, with_column
from course_utils.schema import EVENT_SCHEMA, EVENT_TYPES, FINISHED_PCT, LogError

_FIRST_DATE, _LAST_DATE = 19_700_101, 20_991_231
_MOST_AT_ONE = 0.01
"""Of the shares; if fewer are above 1 and some are 1, the others are yes and no."""


def check_events(frame: pl.LazyFrame, source: str, beside: Tables | None = None) -> pl.LazyFrame:
    """Validate a foreign event table and cast it to `EVENT_SCHEMA`.

    Args:
        frame: the table. source: how to name it in messages.
        beside: the tables that share its `item_id`, by name.

    Returns:
        The same rows with the schema's columns (other columns are dropped).

    Raises:
        LogError: a column is missing or mistyped; a value is null, negative, too large or
            unknown; shares or times are in another unit; a listen has no `played_ratio_pct`; the
            rows are not in order of time; a row stands twice; there are no rows, or no listens of
            at least two listeners and two tracks, or none of them was played to the end.
    """
    tables = {"log": frame, **(beside or {})}
    need_columns(frame, source, "log", list(EVENT_SCHEMA))
    if not answer(frame.select(n=pl.len()))["n"]:
        raise LogError(f"{source}: the log has no rows")
    for name in EVENT_SCHEMA:
        if name == "event_type":
            check_text(frame, source, "log", name, EVENT_TYPES)
        else:
            check_type(tables, source, "log", name)
    _check_values(tables, source)
    _check_units(frame, source)
    _check_order(frame, source)
    _check_contents(frame, source)
    return frame.select(
        pl.col(name).cast(pl.String).cast(kind) if name == "event_type" else pl.col(name).cast(kind)
        for name, kind in EVENT_SCHEMA.items()
    )


def _check_values(tables: Tables, source: str) -> None:
    frame, kind = tables["log"], pl.col("event_type").cast(pl.String)
    bad = value_faults(frame, [name for name in EVENT_SCHEMA if name != "event_type"])
    bad["event_type|null"] = pl.col("event_type").is_null()
    bad["event_type|unknown"] = ~kind.is_in(EVENT_TYPES)
    bad["played_ratio_pct|unplayed"] = (kind == "listen") & pl.col("played_ratio_pct").is_null()
    for condition, found in bad_rows(frame, bad).items():
        name, fault = condition.split("|")
        if fault == "unknown":
            counts = remedies.count_events(frame)
            told = [f"{e!r} {n:,} ({s:,} with a share)" for e, n, s in counts.head(10).rows()]
            what = f"have an unknown event: only {list(EVENT_TYPES)} are known; the log has "
            remedy = remedies.of_events(counts)
            what += ", ".join(told) + ("" if remedy else ": find out what each means")
            complain(frame, source, name, found, what, remedy)
        if fault == "unplayed":
            what = "are listens without a played share: fill it (0 … 100) or drop the row"
            complain(frame, source, name, found, what, _remedy_for_unplayed(frame))
        complain_of_value(tables, source, "log", name, fault, found)


def _remedy_for_unplayed(frame: pl.LazyFrame) -> str:
    share = column("played_ratio_pct")
    kind = 'pl.col("event_type").cast(pl.String)'
    if answer(frame.select(n=pl.col("played_ratio_pct").count()))["n"]:
        return f'log = log.filter(({kind} != "listen") | {share}.is_not_null())'
    return with_column("log", "played_ratio_pct", f'pl.when({kind} == "listen").then(100)')


def _check_units(frame: pl.LazyFrame, source: str) -> None:
    """Complain of values that fit the types but can hardly be seconds or per cent."""
    found = answer(
        frame.select(
            share=pl.col("played_ratio_pct").max(),
            above=(pl.col("played_ratio_pct") > 1).mean(),
            ones=(pl.col("played_ratio_pct") == 1).mean(),
            length=pl.col("track_length_seconds").median(),
            first=pl.col("timestamp").min(),
            last=pl.col("timestamp").max(),
        )
    )
    if found["share"] == 1:
        raise LogError(
            f"{source}: column 'played_ratio_pct': no value is above 1, as if it were a share from "
            "0 to 1; the share is in per cent",
            with_column("log", "played_ratio_pct", f"{column('played_ratio_pct')} * 100"),
        )
    if (found["ones"] or 0) > 5 * _MOST_AT_ONE > 5 * found["above"]:
        above = {"odd": pl.col("played_ratio_pct") > 1}
        what = "are above 1 and all others 0 or 1, as if those were yes and no: correct them"
        complain(frame, source, "played_ratio_pct", bad_rows(frame, above).get("odd", (0, 0)), what)
    if (found["length"] or 0) > remedies.LONGEST_TRACK:
        said, remedy = remedies.of_long_tracks(frame)
        raise LogError(
            f"{source}: column 'track_length_seconds': half of the values are {found['length']:,} "
            f"and more, as if they were milliseconds; {said}",
            remedy,
        )
    in_digits = _FIRST_DATE <= found["first"] <= found["last"] <= _LAST_DATE
    times = frame.select(pl.col("timestamp").unique()) if in_digits else None
    if times is not None and moments.calendar_format(times.collect()["timestamp"]):
        raise LogError(
            f"{source}: column 'timestamp': from {found['first']} to {found['last']}, all values "
            "are dates written as digits; a log counts seconds from its start",
            f"log = log.with_columns(timestamp={moments.of_calendar('%Y%m%d')})",
        )
    if found["last"] - found["first"] > moments.LONGEST_LOG:
        seem, remedy = moments.of_times(frame)
        raise LogError(
            f"{source}: column 'timestamp': from {found['first']:,} to {found['last']:,} seconds "
            f"are more than forty years: the times seem to be {seem}; a log counts seconds from "
            "its start",
            remedy,
        )


def _check_order(frame: pl.LazyFrame, source: str) -> None:
    """Complain of rows earlier than the one before, and of rows that stand twice."""
    earlier = {"timestamp": pl.col("timestamp") < pl.col("timestamp").shift(1)}
    for name, found in bad_rows(frame, earlier).items():
        what = "are earlier than the row before: sort the log by 'timestamp' first"
        complain(
            frame, source, name, found, what, 'log = log.sort("timestamp", maintain_order=True)'
        )
    columns = list(EVENT_SCHEMA)
    n = answer(frame.select(rows=pl.len(), different=pl.struct(columns).hash().n_unique()))
    if n["rows"] == n["different"]:  # a fifth of the time and of the memory of the exact answer
        return
    twice = {"uid … track_length_seconds": pl.struct(columns).is_duplicated()}
    for name, found in bad_rows(frame, twice).items():
        remedy = f"log = log.unique({columns}, maintain_order=True)"
        complain(frame, source, name, found, "stand twice: keep one of each", remedy)


def _listens(frame: pl.LazyFrame) -> pl.LazyFrame:
    return frame.filter(pl.col("event_type").cast(pl.String) == "listen")


def _check_contents(frame: pl.LazyFrame, source: str) -> None:
    """Complain of a log from which nothing can be learned."""
    found = answer(
        _listens(frame).select(
            n=pl.len(),
            listeners=pl.col("uid").n_unique(),
            tracks=pl.col("item_id").n_unique(),
            top=pl.col("played_ratio_pct").max(),
        )
    )
    if not found["n"]:
        likes = frame.filter(pl.col("event_type").cast(pl.String) == "like")
        full = 'with_columns(event_type=pl.lit("listen"), played_ratio_pct=pl.lit(100))'
        remedy = f'log = log.filter({column("event_type")}.cast(pl.String) == "like").{full}'
        raise LogError(
            f"{source}: column 'event_type': the log has no listens, and every notebook is about "
            "listens; a like may stand for a full play",
            remedy if answer(likes.select(n=pl.len()))["n"] else None,
        )
    for name, n, what in [
        ("uid", found["listeners"], "listener"),
        ("item_id", found["tracks"], "track"),
    ]:
        if n < 2:
            raise LogError(
                f"{source}: column {name!r}: all {found['n']:,} listens are of one {what}; to rank "
                f"and to compare, a log needs at least two {what}s"
            )
    if found["top"] < FINISHED_PCT:
        raise LogError(
            f"{source}: column 'played_ratio_pct': no listen reaches {FINISHED_PCT} %, from which "
            f"on it counts as played to the end (the largest value is {found['top']}): write 100 "
            "for what your service counts as a full play"
        )


def why_positive_only(events: pl.LazyFrame) -> str | None:
    """The reason why a valid log knows no negative response, or None if it does."""
    least = answer(_listens(events).select(least=pl.col("played_ratio_pct").min()))["least"]
    if least >= FINISHED_PCT:
        return f"every listen was played to the end (at least {FINISHED_PCT} %)"
    return None


# Tables beside the log


def _check_items(
    tables: Tables, source: str, table: str, columns: list[str], one_row_an_item: bool
) -> None:
    """What all tables beside the log must be: not empty, with good ids, of the log's tracks."""
    frame = tables[table]
    need_columns(frame, source, table, columns)
    if not answer(frame.select(n=pl.len()))["n"]:
        raise LogError(f"{source}: the table has no rows; remove the file if there is nothing")
    check_type(tables, source, table, "item_id")
    for condition, found in bad_rows(frame, value_faults(frame, ["item_id"])).items():
        complain_of_value(tables, source, table, "item_id", condition.split("|")[1], found)
    twice = pl.col("item_id").is_duplicated()
    if not one_row_an_item:
        twice = pl.struct(columns).is_duplicated()
    for found in bad_rows(frame, {"twice": twice}).values():
        what = "are of an item with several rows" if one_row_an_item else "stand twice"
        keys = ["item_id"] if one_row_an_item else columns
        remedy = f'{table} = {table}.unique({keys}, keep="first", maintain_order=True)'
        complain(frame, source, "item_id", found, f"{what}: keep one of each", remedy)
    if "log" in tables:
        _check_overlap(tables, source, table)


def _check_overlap(tables: Tables, source: str, table: str) -> None:
    ids = {
        name: tables[name].select(pl.col("item_id").cast(pl.Int64)).unique()
        for name in ("log", table)
    }
    both = ids["log"].join(ids[table], on="item_id", how="semi")
    if not answer(both.select(n=pl.len()))["n"]:
        some = {name: each.sort("item_id").head(3).collect() for name, each in ids.items()}
        log, other = (some[name]["item_id"].to_list() for name in ("log", table))
        raise LogError(
            f"{source}: column 'item_id': no track of the log is in this table (the log begins "
            f"with {log}, the table with {other}): number the items of both in the same way"
        )


def check_tracks(frame: pl.LazyFrame, source: str, log: pl.LazyFrame | None = None) -> pl.LazyFrame:
    """Validate a table of tracks: `item_id`, and `artist_id` or `album_id` or both.

    A track of several artists has several rows; one without an artist has null.

    Args:
        frame: the table. source: how to name it. log: the events, whose items it should know.

    Raises:
        LogError: a column is missing, mistyped or without any value; an id is null, negative or
            too large; a row stands twice; no track of the log is there.
    """
    tables = {"tracks": frame, **({} if log is None else {"log": log})}
    has = frame.collect_schema().names()
    groups = [name for name in ("artist_id", "album_id") if name in has]
    _check_items(
        tables, source, "tracks", ["item_id", *(groups or ["artist_id"])], one_row_an_item=False
    )
    for name in groups:
        check_type(tables, source, "tracks", name)
        for condition, found in bad_rows(frame, value_faults(frame, [name])).items():
            complain_of_value(tables, source, "tracks", name, condition.split("|")[1], found)
        if not answer(frame.select(n=pl.col(name).count()))["n"]:
            alone = len(groups) == 1
            raise LogError(
                f"{source}: column {name!r} has no value in any row: "
                + ("remove the file, it says nothing" if alone else "leave it out"),
                None if alone else f'tracks = tracks.drop("{name}")',
            )
    return frame.with_columns(pl.col("item_id", *groups).cast(pl.UInt32))


def check_vectors(
    frame: pl.LazyFrame, source: str, log: pl.LazyFrame | None = None
) -> pl.LazyFrame:
    """Validate a table of content vectors (`item_id`, `embed`), one row an item.

    Args:
        frame: the table. source: how to name it. log: the events, whose items it should know.

    Raises:
        LogError: a column is missing or mistyped; an id is null, negative, too large or stands
            twice; vectors differ in length, are empty, or hold NaN, infinity or null; no track of
            the log is there.
    """
    tables = {"embeddings": frame, **({} if log is None else {"log": log})}
    _check_items(tables, source, "embeddings", ["item_id", "embed"], one_row_an_item=True)
    kind = frame.collect_schema()["embed"]
    inner = getattr(kind, "inner", pl.Null())
    if not isinstance(kind, pl.List | pl.Array) or not inner.is_float():
        cast = with_column("embeddings", "embed", f"{column('embed')}.cast(pl.List(pl.Float32))")
        raise LogError(
            f"{source}: column 'embed' has type {kind}, expected a list of floats",
            cast if inner.is_numeric() else None,
        )
    vectors = pl.col("embed").cast(pl.List(pl.Float32))  # as models see them
    bad = {
        "null": pl.col("embed").is_null(),
        "length": vectors.list.len() != vectors.list.len().drop_nulls().first(),
        "empty": vectors.list.len() == 0,
        "NaN": ~vectors.list.eval(pl.element().is_finite().fill_null(False)).list.all(),
    }
    remedy_for = {
        "null": lambda: 'embeddings = embeddings.drop_nulls("embed")',
        "length": lambda: _keep_usual_length(frame, vectors),
        "empty": lambda: 'embeddings = embeddings.filter(pl.col("embed").list.len() > 0)',
        "NaN": lambda: (
            'embeddings = embeddings.filter(pl.col("embed").cast(pl.List(pl.Float32))'
            ".list.eval(pl.element().is_finite().fill_null(False)).list.all())"
        ),
    }
    words = {
        "null": "have no vector: drop the row (a track without a vector is simply left out)",
        "length": "differ in length from the first: all vectors need one length",
        "empty": "have a vector of length 0: drop the row",
        "NaN": "have a NaN, infinite (in float32) or missing component: drop these vectors",
    }
    for name, found in bad_rows(frame, bad).items():
        complain(frame, source, "embed", found, words[name], remedy_for[name]())
    return frame.with_columns(pl.col("item_id").cast(pl.UInt32))


def _keep_usual_length(frame: pl.LazyFrame, vectors: pl.Expr) -> str:
    lengths = frame.select(length=vectors.list.len()).drop_nulls()
    usual = lengths.group_by("length").len().sort("len", "length").last().collect().item(0, 0)
    return f'embeddings = embeddings.filter(pl.col("embed").list.len() == {usual})'


def check_texts(frame: pl.LazyFrame, source: str, log: pl.LazyFrame | None = None) -> pl.LazyFrame:
    """Validate a table of texts (`item_id`, `title`, `text`), one row an item.

    Args:
        frame: the table. source: how to name it. log: the events, whose items it should know.

    Raises:
        LogError: a column is missing, mistyped or null; an id is null, negative, too large or
            stands twice; no track of the log is there.
    """
    tables = {"texts": frame, **({} if log is None else {"log": log})}
    _check_items(tables, source, "texts", ["item_id", "title", "text"], one_row_an_item=True)
    for name in ("title", "text"):
        check_text(frame, source, "texts", name)
        for found in bad_rows(frame, {"null": pl.col(name).is_null()}).values():
            what = "have no value: drop the row (a track without a text is simply left out)"
            complain(frame, source, name, found, what, f'texts = texts.drop_nulls("{name}")')
    return frame.with_columns(pl.col("item_id").cast(pl.UInt32))


CHECKS: dict[str, Callable[..., pl.LazyFrame]] = {
    "tracks": check_tracks,
    "embeddings": check_vectors,
    "texts": check_texts,
}
"""The tables that may lie beside a log, and what each must be."""
