"""Counters: seconds and peak memory of our expressions, of pandas, and of DuckDB's windows.

Each runs in a process of its own over one generated log. `--full` adds our expressions on a log
of Yambda-50M's size: 46 copies of the same log, each with listeners and tracks of its own.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time

WORLD = "sim:n_listeners=2200,listens_per_listener=450"
"""About 1 M events."""
COPIES = 46
"""Copies of this log, each with its own listeners and tracks, make one of Yambda-50M's size."""

DUCKDB = """
with e as (
  select *, event_type = 'listen' as listen,
    case when event_type = 'listen' then played_ratio_pct else 0 end as r
  from events),
s as (
  select *, listen and r >= 95 as fin, listen and r < 50 as skip, listen and is_organic = 0 as radio
  from e)
select
  sum(skip::int) over u as user_skip, sum(listen::int) over u as user_plays,
  sum((skip and radio)::int) over u as user_radio_skip, sum(radio::int) over u as user_radio,
  sum((event_type = 'like')::int) over u as user_like, sum(fin::int) over u as user_fin,
  max(timestamp) over u as user_last, min(timestamp) over u as user_first,
  sum(r) over i as item_ratio, sum(listen::int) over i as item_plays,
  sum(fin::int) over i as item_fin,
  sum(listen::int) over p as pair_plays, sum(r) over p as pair_ratio,
  sum(skip::int) over p as pair_skip,
  sum(fin::int) over p as pair_fin, max(timestamp) over p as pair_last,
  min(timestamp) over p as pair_first, sum((event_type = 'like')::int) over p as pair_like
from s
window
  u as (partition by uid order by timestamp
    range between unbounded preceding and 1 preceding),
  i as (partition by item_id order by timestamp
    range between unbounded preceding and 1 preceding),
  p as (partition by uid, item_id order by timestamp
    range between unbounded preceding and 1 preceding)
"""


def ours(events) -> int:
    """All 27 counters."""
    from course_utils.data import add_counters

    return len(add_counters(events.lazy()))


def pandas(events) -> int:
    """The user, item and pair sums (18 of the 27) with groupby, cumsum and transforms."""
    frame = events.to_pandas()
    listen = frame["event_type"].astype(str) == "listen"
    ratio = frame["played_ratio_pct"].where(listen, 0).fillna(0)
    columns = {
        "plays": listen.astype(int),
        "ratio": ratio,
        "finished": (listen & (ratio >= 95)).astype(int),
        "skip": (listen & (ratio < 50)).astype(int),
        "like": (frame["event_type"].astype(str) == "like").astype(int),
    }
    for keys in (["uid"], ["item_id"], ["uid", "item_id"]):
        groups = [frame[k] for k in keys]
        for name, values in columns.items():
            before = values.groupby(groups).cumsum() - values
            frame["_".join([*keys, name])] = before.groupby(
                [*groups, frame["timestamp"]]
            ).transform("first")
        frame["_".join([*keys, "last"])] = frame["timestamp"].groupby(groups).shift(1)
    return len(frame)


def duckdb(events) -> int:
    """The user, item and pair sums (18 columns) with window functions."""
    import duckdb

    connection = duckdb.connect()
    connection.execute("set threads = 2")
    connection.register("events", events.to_arrow())
    connection.execute(f"create table result as {DUCKDB}")
    return connection.execute("select count(*) from result").fetchone()[0]


def copied(events, copies: int):
    """`copies` of a log side by side, sorted by time."""
    import polars as pl

    parts = [
        events.with_columns(pl.col("uid") + 10_000 * i, pl.col("item_id") + 20_000 * i)
        for i in range(copies)
    ]
    return pl.concat(parts).sort("timestamp")


def measure(way: str, copies: int) -> str:
    """Seconds and peak megabytes of one way, in this process."""
    import polars as pl

    from course_utils.data import open_log

    events = open_log(WORLD).events.collect()
    events = copied(events, copies) if copies > 1 else events
    events = events.with_columns(pl.col("event_type").cast(pl.String)) if way != "ours" else events
    start = time.perf_counter()
    rows = {"ours": ours, "pandas": pandas, "duckdb": duckdb}[way](events)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
    return f"{way:8} {rows:>12,} rows  {seconds:8.1f} s  {peak:8,.0f} MB peak"


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(measure(sys.argv[1], int(sys.argv[2])))
        sys.exit()
    jobs = [(way, 1) for way in ("ours", "duckdb", "pandas")]
    if "--full" in sys.argv:
        jobs.append(("ours", COPIES))
    for way, copies in jobs:
        subprocess.run([sys.executable, __file__, way, str(copies)], check=True)
