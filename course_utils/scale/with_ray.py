"""Ray Data deals the rows out, to as many machines as it knows; the counting is the laptop's."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pyarrow as pa
import ray

from course_utils.data.counters import count_catalogue, count_listeners
from course_utils.scale.partitions import EVENTS_A_PARTITION, catalogue_key, part_name, partition
from course_utils.settings import make_folder, polars_path

PART = "_part"


def write_counters(rows: pl.LazyFrame, folder: Path, n_partitions: int) -> None:
    """`partitions.write_counters` on a Ray cluster, whose machines all see the folder.

    The rows are written once as Parquet, in pieces, as they stream by. From there on no machine
    ever holds more than its partitions. A task whose worker dies is run again by Ray; each writes a
    file of its own and under its own name, so that nothing is there twice.

    Args:
        rows: what `count_catalogue` needs, with their number `_row`. folder: empty.
        n_partitions: of artists or tracks, and of listeners.
    """
    pieces = make_folder(folder / "rows")
    told = pl.col("event_type").cast(pl.String)  # Arrow has no such thing as an Enum
    by = pl.PartitionBy(polars_path(pieces), max_rows_per_file=EVENTS_A_PARTITION)
    rows.with_columns(told).sink_parquet(by)
    key = catalogue_key(rows)

    def dealt(by: str, table: pa.Table) -> pa.Table:
        part = partition(by, n_partitions)
        return _frame(table).with_columns(part.alias(PART)).to_arrow()

    def catalogue(table: pa.Table) -> pa.Table:
        return dealt("uid", count_catalogue(_in_order(table)).to_arrow())

    def listeners(table: pa.Table) -> pa.Table:
        number = table[PART][0].as_py()
        counted = count_listeners(_in_order(table))
        counted.write_parquet(folder / part_name(number))
        return pa.table({PART: [number], "rows": [len(counted)]})

    groups = (
        ray.data.read_parquet(str(pieces))
        .map_batches(lambda table: dealt(key, table), batch_format="pyarrow")
        .groupby(PART, num_partitions=n_partitions)
        .map_groups(catalogue, batch_format="pyarrow")
        .groupby(PART, num_partitions=n_partitions)
        .map_groups(listeners, batch_format="pyarrow")
    )
    groups.materialize()
    shutil.rmtree(pieces)


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _in_order(table: pa.Table) -> pl.DataFrame:
    """The rows of a partition in the order of the log."""
    return _frame(table).drop(PART).sort("_row")
