"""The tables of an adopted log: the events, and what is known of items."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from course_utils.data.adopt import reading, times, values
from course_utils.data.adopt.numbering import Numbering, number
from course_utils.data.adopt.options import Options
from course_utils.data.adopt.reading import Cut
from course_utils.data.adopt.report import Report
from course_utils.data.complaints import answer
from course_utils.data.sources.files import read_table
from course_utils.schema import EVENT_SCHEMA, LogError
from course_utils.settings import polars_path

_ITEM_COLUMNS = ("title", "text", "artist", "album")


# Events


def write_log(events: pl.LazyFrame, moments: times.Times, report: Report, work: Path) -> None:
    """Sort the events by time, count seconds from the first, drop what stands twice, and write."""
    events.sink_parquet(polars_path(work / "events.parquet"), compression="lz4")
    events = read_table(work / "events.parquet")
    found = answer(events.select(first=pl.col("micros").min(), last=pl.col("micros").max()))
    start = found["first"]
    second = (pl.col("micros") - start) // 10**6
    events = events.with_columns(timestamp=second.cast(pl.UInt32))
    columns = list(EVENT_SCHEMA)
    n = answer(events.select(rows=pl.len(), different=pl.struct(columns).hash().n_unique()))
    if n["rows"] > n["different"]:
        events = _once(events, columns, report, work)
    path = polars_path(work.parent / "log.parquet")
    events.sort("micros", "row").select(columns).sink_parquet(path)
    report.kept = answer(read_table(work.parent / "log.parquet").select(n=pl.len()))["n"]
    if moments.dated:
        report.start = start
        report.told.append(f"from {times.said(start)} to {times.said(found['last'])} (UTC)")


def _once(events: pl.LazyFrame, columns: list[str], report: Report, work: Path) -> pl.LazyFrame:
    """One of each event that stands several times."""
    place = pl.col("micros", "row").min()
    groups = events.group_by(columns).agg(place, rows=pl.len(), again=pl.col("row").max())
    groups.sink_parquet(polars_path(work / "once.parquet"), compression="lz4")
    once = read_table(work / "once.parquet")
    twice = once.filter(pl.col("rows") > 1).select("again", *columns, extra=pl.col("rows") - 1)
    found = answer(twice.select(extra=pl.col("extra").sum(), at=pl.col("again").min()))
    if found["extra"]:
        shown = twice.filter(pl.col("again") == found["at"]).select(columns).collect()
        value = str(tuple(shown.row(0)))
        why = "the same event in every column and second: one of each is kept"
        report.dropped.append((why, found["extra"], found["at"], value))
    return once


# Items


def of_items(options: Options) -> dict[str, pl.Expr]:
    """What columns of a table say of an item, as text."""
    texts = [pl.col(name).cast(pl.String).str.strip_chars() for name in options.text]
    texts = [pl.when(text != "").then(text) for text in texts]
    said = {}
    if texts:
        said["title"] = pl.coalesce(texts)
        said["text"] = pl.concat_str(texts, separator=" · ", ignore_nulls=True)
    for role in ("artist", "album"):
        if name := getattr(options, role):
            value = pl.col(name).cast(pl.String)
            said[role] = pl.when(value.str.strip_chars() != "").then(value)
    return said


def known_items(
    rows: pl.LazyFrame,
    beside: tuple[pl.LazyFrame, str] | None,
    options: Options,
    report: Report,
    work: Path,
) -> pl.LazyFrame | None:
    """What is known of items, with `item` and some of `title`, `text`, `artist`, `album`."""
    if beside is not None:
        report.told.append(f"texts and artists: of {beside[1]}, which lies beside")
        return beside[0]
    if options.items is None:
        has = [name for name in _ITEM_COLUMNS if name in rows.collect_schema()]
        return rows.select(*has, item=values.plain_id(rows, "item")) if has else None
    files = reading.find_files([str(options.items)])
    table = reading.open_foreign(files, Cut(encoding=options.cut.encoding), work)
    key = options.items_id or str(options.item)
    wanted = list(dict.fromkeys((key, *options.of_items())))
    if len(wanted) == 1:
        raise LogError(f"{options.items}: say what to take of it: --text, --artist or --album")
    reading.need_columns(table, [key], str(files[0]), "the item; called otherwise? --items-id")
    reading.need_columns(table, wanted, str(files[0]), "of --text, --artist or --album")
    said = table.take(wanted).select(pl.col(key).alias("item"), **of_items(options))
    return said.with_columns(item=values.plain_id(said, "item"))


def write_items(
    items: pl.LazyFrame | None, tracks: Numbering, report: Report, folder: Path
) -> None:
    """Write `texts.parquet` and `tracks.parquet`, as far as anything is known."""
    if items is None:
        return
    known = tracks.apply(items, "item", "item_id")
    has = items.collect_schema().names()
    if "title" in has:
        _write_texts(known, report, folder)
    groups = [name for name in ("artist", "album") if name in has]
    numbered = []
    for name in groups:
        ids = number(known, name)
        if not len(ids.table):
            report.told.append(f"{name}s: none of the tracks has one")
            continue
        table = ids.table.rename({"number": f"{name}_id", "public": name})
        table.write_parquet(folder / f"{name}s.parquet")
        report.told.append(ids.told(f"{name}s", f"{name}s.parquet"))
        known = ids.apply(known, name, f"{name}_id", unknown=True)
        numbered.append(f"{name}_id")
    if numbered:
        pairs = known.select("item_id", *numbered).unique().sort("item_id", *numbered)
        pairs.sink_parquet(polars_path(folder / "tracks.parquet"))


def _write_texts(known: pl.LazyFrame, report: Report, folder: Path) -> None:
    said = known.select("item_id", "title", "text").drop_nulls().unique(maintain_order=True)
    texts = said.unique("item_id", keep="first", maintain_order=True).sort("item_id")
    n = answer(said.select(different=pl.len(), tracks=pl.col("item_id").n_unique()))
    if not n["tracks"]:
        report.told.append("texts: none of the tracks has one")
        return
    texts.sink_parquet(polars_path(folder / "texts.parquet"))
    more = n["different"] - n["tracks"]
    report.told.append(
        f"{n['tracks']:,} texts of tracks"
        + (f"; {more:,} others of the same tracks are left out, the first stays" if more else "")
    )
