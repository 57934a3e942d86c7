"""Malformed logs: each gives one clear error that names the column and the remedy."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
import pytest

from course_utils.data.log import open_log
from course_utils.data.validation import check_vectors
from course_utils.schema import EVENT_SCHEMA, LogError


def edit(**columns):
    return lambda frame: frame.with_columns(**columns)


FAULTS = {
    "missing column": (lambda f: f.drop("is_organic"), r"missing column \['is_organic'\]"),
    "wrong type": (edit(uid=pl.lit("a")), r"'uid' has type String.*cast"),
    "fractional time": (edit(timestamp=pl.col("timestamp") + 0.5), r"'timestamp' has type Float64"),
    "null id": (
        edit(item_id=pl.when(pl.col("timestamp") == 300).then(None).otherwise("item_id")),
        r"'item_id': 1 row have no value.*first is row 3",
    ),
    "negative time": (
        edit(timestamp=pl.col("timestamp").cast(pl.Int64) - 20),
        r"'timestamp': 3 rows are negative.*first is row 0",
    ),
    "unsorted": (lambda f: f.reverse(), r"'timestamp': 3 rows are earlier.*sort the log"),
    "duplicates": (lambda f: pl.concat([f, f.tail(1)]), r"2 rows stand twice.*row 4.*"),
    "empty": (lambda f: f.clear(), r"the log has no rows"),
    "unknown event": (
        edit(event_type=pl.col("event_type").cast(pl.String).replace("like", "love")),
        r"'event_type': 1 row have an unknown event.*'love'",
    ),
    "huge id": (
        edit(uid=pl.col("uid").cast(pl.Int64) + 2**32),
        r"'uid': 5 rows are above 4,294,967,295",
    ),
    "listen without a share": (
        edit(played_ratio_pct=pl.lit(None, dtype=pl.UInt16)),
        r"'played_ratio_pct': 4 rows are listens without a played share",
    ),
    "organic neither 0 nor 1": (
        edit(is_organic=pl.lit(2)),
        r"'is_organic': 5 rows are above 1",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_malformed_log_is_refused(fault, good_events, tmp_path):
    spoil, message = FAULTS[fault]
    path = tmp_path / "log.parquet"
    frame = spoil(good_events)
    frame.write_parquet(path)
    with pytest.raises(LogError, match=f"(?s){message}") as caught:
        open_log(str(path))
    assert str(path) in str(caught.value)
    assert pl.read_parquet(path).equals(frame), "a refused file stays as it is"


def test_a_csv_named_parquet(good_events, tmp_path):
    path = tmp_path / "log.parquet"
    good_events.write_csv(path)
    with pytest.raises(LogError, match=r"not a Parquet file.*scan_csv"):
        open_log(str(path))


def test_an_empty_file(tmp_path):
    path = tmp_path / "log.parquet"
    path.touch()
    with pytest.raises(LogError, match="0 bytes"):
        open_log(str(path))


def test_a_truncated_file(good_events, tmp_path):
    path = tmp_path / "log.parquet"
    good_events.write_parquet(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(LogError, match="cut short"):
        open_log(str(path))


def test_a_damaged_file(good_events, tmp_path):
    path = tmp_path / "log.parquet"
    pl.concat([good_events] * 1).write_parquet(path, compression="zstd")
    content = bytearray(path.read_bytes())
    content[8:60] = bytes(52)
    path.write_bytes(content)
    with pytest.raises(LogError, match=r"damaged|cut short"):
        open_log(str(path))


def test_an_empty_folder_and_a_missing_path(tmp_path):
    with pytest.raises(LogError, match=r"no \.parquet files"):
        open_log(str(tmp_path))
    with pytest.raises(LogError, match="neither a known source"):
        open_log(str(tmp_path / "nowhere"))


def test_good_logs_of_other_integer_types_are_cast(good_events, tmp_path):
    path = tmp_path / "log.parquet"
    wide = good_events.with_columns(
        pl.col("uid", "item_id", "timestamp").cast(pl.Int64),
        pl.col("is_organic").cast(pl.Boolean),
        pl.col("event_type").cast(pl.String),
    )
    wide.write_parquet(path)
    events = open_log(str(path)).events.collect()
    assert dict(events.schema) == EVENT_SCHEMA
    assert events.equals(good_events)


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ([[1.0, np.nan], [1.0, 2.0]], "1 row have a NaN"),
        ([[1.0, np.inf], [1.0, 2.0]], "1 row have a NaN, infinite"),
        ([[1.0, 2.0], [1.0]], "differ in length"),
        ([[1.0, 2.0], None], "have no vector"),
    ],
)
def test_bad_vectors_are_refused(vectors, message):
    frame = pl.LazyFrame({"item_id": [1, 2], "embed": vectors})
    with pytest.raises(LogError, match=re.escape(message)):
        check_vectors(frame, "mine")


def test_vectors_need_their_columns_and_floats():
    with pytest.raises(LogError, match=r"missing columns \['embed'\]"):
        check_vectors(pl.LazyFrame({"item_id": [1]}), "mine")
    with pytest.raises(LogError, match="expected a list of floats"):
        check_vectors(pl.LazyFrame({"item_id": [1], "embed": ["x"]}), "mine")
