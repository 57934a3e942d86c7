"""Counters of logs from 1 M to 46 M events: seconds, peak memory and bytes dealt out.

    python benchmarks/bench_scale.py [--copies 1 4 16 46] [--ray]

Each size is so many copies of one generated log, with listeners and tracks of their own. `at once`
is `add_counters` and its result written as Parquet, `in parts` is `write_counters`. Each runs in a
process of its own, from a log that is a file to counters that are files. `--ray` adds Ray Data with
two workers, its start-up left out.
"""

from __future__ import annotations

import argparse
import logging
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl
from bench_counters import WORLD, copied

from course_utils.data.counters import add_counters, count_catalogue, numbered
from course_utils.data.log import Log, open_log
from course_utils.scale.partitions import write_counters

HEAD = """
| way | listens | s | s / M listens | computed s / M listens | peak GiB |
|---|---|---|---|---|---|"""


def opened(folder: Path) -> Log:
    """The log that `write` left there."""
    events, artists = (pl.scan_parquet(folder / name) for name in ("log", "artists"))
    return Log("copies", events, artists)


def write(copies: int, folder: Path) -> None:
    """Copies of the generated log, and of its artists."""
    log = open_log(WORLD)
    assert log.artists is not None
    copied(log.events.collect(), copies).write_parquet(folder / "log")
    artists = log.artists.collect()
    parts = [
        artists.with_columns(pl.col("artist_id") + 20_000 * i, pl.col("item_id") + 20_000 * i)
        for i in range(copies)
    ]
    pl.concat(parts).write_parquet(folder / "artists")


def measure(way: str, folder: Path) -> str:
    """A line of the table: seconds and peak memory of one way, in this process."""
    if way == "ray":
        import ray

        ray.init(num_cpus=2, include_dashboard=False, logging_level=logging.ERROR)
        ray.data.DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.WARNING)
    log, target = opened(folder), folder / way
    start, computed = time.perf_counter(), time.process_time()
    if way == "at once":
        counted = add_counters(log.events, log.artists)
        counted.write_parquet(target)
        rows = len(counted)
    else:
        rows = write_counters(log, target, engine="ray" if way == "ray" else "polars")
    seconds, computed = time.perf_counter() - start, time.process_time() - computed
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    cost = ["in workers"] * 2
    if way != "ray":
        cost = [f"{1e6 * computed / rows:.2f}", f"{peak:.1f}"]
    return f"| {way} | {rows:,} | {seconds:.1f} | {1e6 * seconds / rows:.2f} | {' | '.join(cost)} |"


def dealt(folder: Path) -> str:
    """Bytes an event, as it is dealt out first by artist and then by listener."""
    log = opened(folder)
    rows = numbered(log.events, log.artists).collect()
    first, second = rows.estimated_size(), count_catalogue(rows).estimated_size()
    return f"{first / len(rows):.0f} + {second / len(rows):.0f} bytes an event are dealt out"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", nargs="+", type=int, default=[1, 4, 16, 46])
    parser.add_argument("--ray", action="store_true")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--write", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(measure(args.measure[0], Path(args.measure[1])), flush=True)
        sys.exit()
    if args.write:
        write(int(args.write[0]), Path(args.write[1]))
        sys.exit()
    ways = ["at once", "in parts"] + ["ray"] * args.ray
    told = False
    for copies in args.copies:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, __file__, "--write", str(copies), folder], check=True)
            if not told:
                print(dealt(Path(folder)))
                print(HEAD)
                told = True
            for way in ways:
                asked = ["--measure", way, folder]
                subprocess.run([sys.executable, __file__, *asked], check=True)
