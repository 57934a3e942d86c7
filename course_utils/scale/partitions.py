"""The counters of a log of any size: the laptop's own expressions, a partition at a time.

A counter of a track or an artist needs all events of that track or artist and no others; a counter
of a listener needs all events of that listener and no others. So the log is dealt out twice: first
by artist (by track, where there are no artists), then by listener. Whoever holds a partition counts
it alone, with `count_catalogue` and then with `count_listeners`, the halves of `add_counters`. What
deals the rows out is exchangeable: Polars on one machine here, Ray Data on many in `with_ray`.

All tracks without an artist share one counter, "no artist", and so they share one partition: with
very many of them it is the largest one and says how much memory a worker needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import polars as pl
import polars.selectors as cs

from course_utils.data.counters import count_catalogue, count_listeners, numbered
from course_utils.data.log import Log
from course_utils.schema import LogError
from course_utils.settings import exists, polars_path, written_whole

Engine = Literal["polars", "ray"]

EVENTS_A_PARTITION = 500_000
MOST_EVENTS = 2 ** (32 if pl.get_index_type() == pl.UInt32 else 64) - 2
"""Rows that the installed Polars can number."""
NEEDED = (
    "_row",
    "uid",
    "timestamp",
    "item_id",
    "is_organic",
    "event_type",
    "played_ratio_pct",
    "track_length_seconds",
    "artist_id",
)
"""What travels of `numbered` events."""


def write_counters(
    log: Log,
    target: Path,
    n_partitions: int | None = None,
    engine: Engine = "polars",
) -> int:
    """Write `add_counters` of a log as Parquet, a file a partition of listeners.

    Args:
        log: any. target: a folder that is not there yet; it appears when everything is written.
        n_partitions: of listeners, and of artists or tracks; by default one for each half million
            events. engine: `polars` on this machine, or `ray` on the cluster that `ray.init()`
            finds, by default this machine's cores.

    Returns:
        Number of rows written. The files `part-….parquet` hold the columns of `add_counters` and
        `_row`, the listen's number among the events of the log: sort by it to have its order. A
        partition without events has no file.

    Raises:
        LogError: the target is there, a number of partitions cannot be, or the log has more events
            than the installed Polars can number: 2³² − 2, unless its 64-bit runtime is there.
    """
    if exists(target):
        raise LogError(f"{target}: this is there already; name a folder that is not")
    events = n_events(log)
    if events > MOST_EVENTS:
        raise LogError(
            f"{log.name}: {events:,} events, and this Polars numbers {MOST_EVENTS:,} rows at most; "
            "install its 64-bit runtime: pip install 'polars[rt64]' -c constraints.txt"
        )
    if n_partitions is None:
        n_partitions = 1 + events // EVENTS_A_PARTITION
    if n_partitions < 1:
        raise LogError(f"a log is dealt out into at least 1 partition, not {n_partitions}")
    rows = numbered(log.events, log.artists)
    rows = rows.select(cs.by_name(*NEEDED, require_all=False))
    with written_whole(target) as folder:
        if engine == "ray":
            from course_utils.scale import with_ray

            with_ray.write_counters(rows, folder, n_partitions)
        else:
            _write_counters(rows, folder, n_partitions)
        written = pl.scan_parquet(polars_path(folder / "part-*.parquet"))
        return written.select(pl.len()).collect().item()


def n_events(log: Log) -> int:
    """Events of a log, counted in 64 bits whatever Polars numbers rows with."""
    one = pl.col("timestamp").is_not_null().cast(pl.Int64)
    return log.events.select(one.sum()).collect(engine="streaming").item()


def _write_counters(rows: pl.LazyFrame, folder: Path, n_partitions: int) -> None:
    """Count on this machine; in memory are the rows twice and the counters of one partition."""
    of_listeners: dict[int, list[pl.DataFrame]] = {}
    for _, part in dealt_out(rows.collect(), catalogue_key(rows), n_partitions):
        for number, piece in dealt_out(count_catalogue(part), "uid", n_partitions):
            of_listeners.setdefault(number, []).append(piece)
    for number in sorted(of_listeners):
        whole = pl.concat(of_listeners.pop(number)).sort("_row")
        count_listeners(whole).write_parquet(folder / part_name(number))


def catalogue_key(rows: pl.LazyFrame) -> str:
    """By what the rows are dealt out first: all tracks of an artist go together."""
    return "artist_id" if "artist_id" in rows.collect_schema() else "item_id"


def part_name(number: int) -> str:
    """The file of a partition."""
    return f"part-{number:05}.parquet"


def partition(key: str, n_partitions: int) -> pl.Expr:
    """The partition of each row, 0 … n − 1: rows with one key, or without any, go together."""
    return (pl.col(key).hash(seed=0) % n_partitions).cast(pl.UInt32)


def dealt_out(
    rows: pl.DataFrame, key: str, n_partitions: int
) -> Iterator[tuple[int, pl.DataFrame]]:
    """The partitions that have rows, each with its number and its rows in their order."""
    parts = rows.with_columns(_part=partition(key, n_partitions)).partition_by(
        "_part", as_dict=True, include_key=False, maintain_order=True
    )
    del rows
    while parts:
        (number,), part = parts.popitem()
        yield number, part
