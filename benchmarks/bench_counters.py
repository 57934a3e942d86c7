"""Counters: seconds and peak memory of our expressions, of pandas, and of DuckDB's windows.

All three compute the same 27 features; before anything is timed their results are compared on a
small log. Each runs in a process of its own over one generated log, in turns. `--full` adds our
expressions on a log of Yambda-50M's size: 46 copies of the same log, each with listeners and tracks
of its own.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:  # at run time each way imports what it needs: its peak memory is its own
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    Table: TypeAlias = pl.DataFrame | pd.DataFrame | pa.Table

WORLD = "sim:n_listeners=2200,listens_per_listener=450"
"""About 1 M events."""
SMALL = "sim:n_listeners=150,listens_per_listener=120,n_tracks=1500,days=84"
COPIES = 46
"""Copies of this log, each with its own listeners and tracks, make one of Yambda-50M's size."""
TURNS = 3

DUCKDB = """
with raw as (
  select *, row_number() over () as row, event_type = 'listen' as listen,
    case when event_type = 'listen' then played_ratio_pct else 0 end as r,
    coalesce(timestamp - lag(timestamp) over (partition by uid order by timestamp) > 1800, true)
      as new_session
  from events),
s as (
  select *, listen and r >= 95 as fin, listen and r < 50 as skip,
    listen and is_organic = 0 as radio, event_type = 'like' as liked,
    r * coalesce(track_length_seconds, 0) as played,
    sum(new_session::int) over (partition by uid order by timestamp) as session
  from raw),
f as (
  select row, listen, timestamp,
    sum((skip and radio)::int) over u / nullif(sum(radio::int) over u, 0)
      as user_hist_radio_skip_fraction_before,
    sum(skip::int) over u / nullif(sum(listen::int) over u, 0) as user_hist_skip_fraction_before,
    coalesce(sum((skip and radio)::int) over u, 0) as user_hist_radio_skip_before,
    coalesce(sum(liked::int) over u, 0) as user_hist_like_before,
    coalesce(sum(fin::int) over u, 0) as user_hist_track_finished_before,
    max(timestamp) over u as user_hist_last_ts_before,
    sum(radio::int) over u / nullif(sum(listen::int) over u, 0)
      as user_hist_radio_play_fraction_before,
    sum(skip::int) over u / ((timestamp - min(timestamp) over u) / 86400.0)
      as user_hist_skip_frequency_before,
    coalesce(sum(skip::int) over u, 0) as user_hist_skip_before,
    coalesce(max(timestamp) over w - min(timestamp) over w, 0)
      as session_hist_duration_seconds_before,
    sum(skip::int) over w / nullif(sum(listen::int) over w, 0)
      as session_hist_skip_fraction_before,
    coalesce(sum(played) over w / 100, 0) as session_hist_played_time_seconds_before,
    coalesce(sum(skip::int) over w, 0) as session_hist_skip_before,
    count(*) over w as session_hist_events_before,
    coalesce(sum(listen::int) over w, 0) as session_hist_plays_before,
    coalesce(min(timestamp) over w, timestamp) as session_start_ts,
    sum(r) over i / nullif(sum(listen::int) over i, 0) as item_hist_avg_played_ratio_before,
    coalesce(sum(fin::int) over i, 0) as item_hist_track_finished_before,
    coalesce(sum(fin::int) over p, 0) as user_item_hist_track_finished_before,
    max(timestamp) over p as user_item_hist_last_ts_before,
    sum(r) over p / nullif(sum(listen::int) over p, 0) as user_item_hist_avg_played_ratio_before,
    timestamp - max(timestamp) over p as user_item_hist_time_since_last_event_seconds,
    max(timestamp) over p - min(timestamp) over p as user_item_hist_time_span_seconds_before,
    coalesce(sum(skip::int) over p, 0) as user_item_hist_skip_before,
    coalesce(sum(listen::int) over p, 0) as user_item_hist_plays_before,
    coalesce(sum(liked::int) over p, 0) as user_item_hist_like_before
  from s
  window
    u as (partition by uid order by timestamp
      range between unbounded preceding and 1 preceding),
    w as (partition by uid, session order by timestamp
      range between unbounded preceding and 1 preceding),
    i as (partition by item_id order by timestamp
      range between unbounded preceding and 1 preceding),
    p as (partition by uid, item_id order by timestamp
      range between unbounded preceding and 1 preceding))
select * exclude (row, listen) from f where listen order by row
"""


def ours(events: pl.DataFrame) -> pl.DataFrame:
    """Polars expressions of `course_utils.data`."""
    from course_utils.data.counters import SEMINAR_COUNTERS, add_counters

    return add_counters(events.lazy()).select(SEMINAR_COUNTERS)


def with_pandas(events: pl.DataFrame) -> pd.DataFrame:
    """`groupby`, `cumsum` and `transform`, every sum computed once."""
    import pandas as pd

    frame = events.to_pandas()
    time, kind = frame["timestamp"].astype("int64"), frame["event_type"].astype(str)
    listen = kind == "listen"
    ratio = frame["played_ratio_pct"].where(listen, 0).fillna(0).astype("int64")
    skip, radio = listen & (ratio < 50), listen & (frame["is_organic"] == 0)
    values = {
        "events": listen | True, "plays": listen, "ratio": ratio,
        "finished": listen & (ratio >= 95), "skip": skip, "radio": radio,
        "radio_skip": radio & skip, "like": kind == "like",
        "played": ratio * frame["track_length_seconds"].fillna(0).astype("int64"),
    }  # fmt: skip
    gap = time.groupby(frame["uid"]).diff() > 1_800
    keys = {"u": [frame["uid"]], "i": [frame["item_id"]], "p": [frame["uid"], frame["item_id"]]}
    keys["w"] = [frame["uid"], gap.groupby(frame["uid"]).cumsum()]
    wanted = {
        "u": ["plays", "finished", "skip", "radio", "radio_skip", "like"],
        "w": ["events", "plays", "skip", "played"],
        "i": ["plays", "ratio", "finished"],
        "p": ["plays", "ratio", "finished", "skip", "like"],
    }
    before, first, last = {}, {}, {}
    for key, groups in keys.items():
        some = pd.DataFrame({name: values[name].astype("int64") for name in wanted[key]})
        sums = some.groupby(groups).cumsum() - some
        if key != "i":
            first[key] = time.groupby(groups).transform("first")
            sums["last"] = time.groupby(groups).shift(1)
        sums = sums.groupby([*groups, time]).transform("first")
        if key != "i":
            last[key] = sums.pop("last")
        before[key] = sums
    u, w, i, p = (before[key] for key in "uwip")
    seen = last["w"].notna()
    out = pd.DataFrame({
        "timestamp": time,
        "user_hist_radio_skip_fraction_before": u["radio_skip"] / u["radio"],
        "user_hist_skip_fraction_before": u["skip"] / u["plays"],
        "user_hist_radio_skip_before": u["radio_skip"], "user_hist_like_before": u["like"],
        "user_hist_track_finished_before": u["finished"], "user_hist_last_ts_before": last["u"],
        "user_hist_radio_play_fraction_before": u["radio"] / u["plays"],
        "user_hist_skip_frequency_before": u["skip"] / ((time - first["u"]) / 86_400),
        "user_hist_skip_before": u["skip"],
        "session_hist_duration_seconds_before": (last["w"] - first["w"]).where(seen, 0),
        "session_hist_skip_fraction_before": w["skip"] / w["plays"],
        "session_hist_played_time_seconds_before": w["played"] / 100,
        "session_hist_skip_before": w["skip"], "session_hist_events_before": w["events"],
        "session_hist_plays_before": w["plays"], "session_start_ts": first["w"],
        "item_hist_avg_played_ratio_before": i["ratio"] / i["plays"],
        "item_hist_track_finished_before": i["finished"],
        "user_item_hist_track_finished_before": p["finished"],
        "user_item_hist_last_ts_before": last["p"],
        "user_item_hist_avg_played_ratio_before": p["ratio"] / p["plays"],
        "user_item_hist_time_since_last_event_seconds": time - last["p"],
        "user_item_hist_time_span_seconds_before": last["p"] - first["p"],
        "user_item_hist_skip_before": p["skip"], "user_item_hist_plays_before": p["plays"],
        "user_item_hist_like_before": p["like"],
    })  # fmt: skip
    return out[listen]


def with_duckdb(events: pl.DataFrame) -> pa.Table:
    """Window functions with a range that ends one second before."""
    import duckdb

    connection = duckdb.connect()
    connection.execute("set threads = 2")
    connection.register("events", events.to_arrow())
    return connection.sql(DUCKDB).to_arrow_table()


WAYS: dict[str, Callable[[pl.DataFrame], Table]] = {
    "ours": ours,
    "duckdb": with_duckdb,
    "pandas": with_pandas,
}


def as_matrix(result: Table, names: Sequence[str]) -> np.ndarray:
    """(rows, features) as float64 with NaN for unknown, whatever made the table."""
    import polars as pl

    if not isinstance(result, pl.DataFrame):
        result = pl.DataFrame(result) if hasattr(result, "schema") else pl.from_pandas(result)
    numbers = result.select(pl.col(names).cast(pl.Float64).fill_null(np.nan))
    return numbers.to_numpy()


def compare() -> None:
    """Stop if the three do not agree on the small log."""
    from course_utils.data.counters import SEMINAR_COUNTERS
    from course_utils.data.log import open_log

    events = open_log(SMALL).events.collect()
    ours_, *others = (as_matrix(way(plain(events)), SEMINAR_COUNTERS) for way in WAYS.values())
    for name, other in zip(list(WAYS)[1:], others, strict=True):
        for column, counter in enumerate(SEMINAR_COUNTERS):
            same = np.allclose(
                ours_[:, column], other[:, column], rtol=1e-5, atol=1e-6, equal_nan=True
            )
            if not same:
                raise SystemExit(f"{name} computes another {counter}")
    print(f"all three agree on {len(ours_):,} listens and {len(SEMINAR_COUNTERS)} features")


def plain(events: pl.DataFrame) -> pl.DataFrame:
    """The event type as text, which all three can read."""
    import polars as pl

    return events.with_columns(pl.col("event_type").cast(pl.String))


def copied(events: pl.DataFrame, copies: int) -> pl.DataFrame:
    """`copies` of a log side by side, sorted by time."""
    import polars as pl

    parts = [
        events.with_columns(pl.col("uid") + 10_000 * i, pl.col("item_id") + 20_000 * i)
        for i in range(copies)
    ]
    return pl.concat(parts).sort("timestamp")


def measure(way: str, copies: int) -> str:
    """Seconds and peak megabytes of one way, in this process."""
    from course_utils.data.log import open_log

    events = open_log(WORLD).events.collect()
    events = copied(events, copies) if copies > 1 else events
    events = events if way == "ours" else plain(events)
    start = time.perf_counter()
    rows = len(WAYS[way](events))
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
    return f"{way:8} {rows:>12,} listens  {seconds:8.2f} s  {peak:8,.0f} MB peak"


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(measure(sys.argv[1], int(sys.argv[2])))
        sys.exit()
    compare()
    jobs = [(way, 1) for _ in range(TURNS) for way in WAYS]
    if "--full" in sys.argv:
        jobs.append(("ours", COPIES))
    for way, copies in jobs:
        subprocess.run([sys.executable, __file__, way, str(copies)], check=True)
