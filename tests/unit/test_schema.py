"""Malformed logs: each gives one clear error that names the column and the remedy."""

from __future__ import annotations

import datetime
import re

import numpy as np
import polars as pl
import pytest

from course_utils.data.log import open_log
from course_utils.schema import EVENT_SCHEMA, LogError


def edit(**columns):
    return lambda frame: frame.with_columns(**columns)


FAULTS = {
    "missing column": (lambda f: f.drop("is_organic"), r"missing column \['is_organic'\]"),
    "wrong type": (edit(uid=pl.lit("a")), r"'uid' has type String, expected whole numbers"),
    "no values at all": (edit(uid=pl.lit(None)), r"'uid' has type Null.*no value in any row"),
    "numbers for events": (edit(event_type=pl.lit(1)), r"'event_type' has type Int32.*'listen'"),
    "dates nobody can read": (edit(timestamp=pl.lit("01/02/2024")), "'timestamp'.*parse them"),
    "times of day": (edit(timestamp=pl.lit(datetime.time(1))), "'timestamp' has type Time"),
    "words for organic": (edit(is_organic=pl.lit("maybe")), "'is_organic' has type String"),
    "fractional time": (edit(timestamp=pl.col("timestamp") + 0.5), r"'timestamp' has type Float64"),
    "null id": (
        edit(item_id=pl.when(pl.col("timestamp") == 300).then(None).otherwise("item_id")),
        r"'item_id': 1 row has no value.*first is row 3",
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
        r"'event_type': 1 row has an unknown event.*'love'",
    ),
    "huge id": (
        edit(uid=pl.col("uid").cast(pl.Int64) + 2**32),
        r"'uid': 5 rows are above 4,294,967,295",
    ),
    "time beyond the counters": (
        edit(timestamp=pl.col("timestamp").cast(pl.Int64) + 2**31 - 400),
        r"'timestamp': 1 row is above 2,147,483,647: the times seem to be seconds",
    ),
    "listen without a share": (
        edit(played_ratio_pct=pl.lit(None, dtype=pl.UInt16)),
        r"'played_ratio_pct': 4 rows are listens without a played share",
    ),
    "organic neither 0 nor 1": (
        edit(is_organic=pl.lit(2)),
        r"'is_organic': 5 rows are above 1",
    ),
    "shares from 0 to 1": (
        edit(played_ratio_pct=pl.col("played_ratio_pct").clip(0, 1)),
        r"'played_ratio_pct': no value is above 1",
    ),
    "lengths in milliseconds": (
        edit(track_length_seconds=pl.col("track_length_seconds") * 1_000),
        r"'track_length_seconds': half of the values are 200,000",
    ),
    "sixty years": (
        edit(timestamp=pl.col("timestamp") * 5_000_000),
        r"'timestamp': .* more than forty years",
    ),
    "likes only": (
        lambda f: f.filter(pl.col("event_type") == "like"),
        r"'event_type': the log has no listens",
    ),
    "dislikes only": (edit(event_type=pl.lit("dislike")), "the log has no listens"),
    "nothing played to the end": (
        edit(played_ratio_pct=pl.col("played_ratio_pct").clip(0, 90)),
        r"'played_ratio_pct': no listen reaches 95 %.*largest value is 90",
    ),
    "one listener": (edit(uid=pl.lit(1)), "'uid': all 4 listens are of one listener"),
    "one track": (edit(item_id=pl.lit(1)), "'item_id': all 4 listens are of one track"),
}


def test_a_log_of_full_plays_only_is_flagged_when_it_is_opened(good_events, tmp_path):
    good_events.with_columns(played_ratio_pct=pl.lit(95)).write_parquet(tmp_path / "log.parquet")
    for path in (tmp_path, tmp_path / "log.parquet"):
        log = open_log(path)
        assert log.positive_only == "every listen was played to the end (at least 95 %)"
        with pytest.raises(LogError, match="cannot be used for ranking: every listen"):
            log.need_negatives()
    good_events.write_parquet(tmp_path / "log.parquet")
    assert open_log(tmp_path).positive_only is None


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


TABLES = {
    "tracks": pl.DataFrame({"item_id": [7, 8], "artist_id": [0, 1], "album_id": [5, None]}),
    "embeddings": pl.DataFrame({"item_id": [7, 8], "embed": [[1.0, 2.0], [3.0, 4.0]]}),
    "texts": pl.DataFrame({"item_id": [7, 8], "title": ["a", "b"], "text": ["c", "d"]}),
}
"""Good tables beside the good events."""
EVERY_TABLE = {
    "no rows": (lambda f: f.clear(), "has no rows"),
    "no ids": (lambda f: f.drop("item_id"), r"missing column \['item_id'\]"),
    "text": (edit(item_id=pl.lit("a")), "'item_id' has type String"),
    "null": (edit(item_id=pl.Series([7, None])), "'item_id': 1 row has no value"),
    "negative": (edit(item_id=pl.Series([7, -1])), "'item_id': 1 row is negative"),
    "huge": (edit(item_id=pl.Series([7, 2**40])), "'item_id': 1 row is above"),
    "twice": (lambda f: pl.concat([f, f]), "'item_id': 4 rows (stand twice|are of an item with)"),
    "hashed": (
        edit(item_id=pl.Series([2**60, 2**61])),
        "'item_id': 2 rows are above .*: number the items of all tables in one way",
    ),
    "of other tracks": (edit(item_id=pl.Series([1, 2])), "no track of the log is in this table"),
}
ONE_TABLE = [
    ("tracks", lambda f: f.select("item_id"), r"missing column \['artist_id'\]"),
    ("tracks", edit(artist_id=pl.lit("a")), "'artist_id' has type String"),
    ("tracks", edit(artist_id=pl.lit(-1)), "'artist_id': 2 rows are negative"),
    ("tracks", edit(album_id=pl.lit(2**32)), "'album_id': 2 rows are above"),
    ("tracks", edit(album_id=pl.lit(None)), "'album_id' has no value in any row"),
    ("tracks", edit(album_id=pl.lit(None, dtype=pl.Int64)), "'album_id' has no value in any"),
    ("embeddings", lambda f: f.drop("embed"), r"missing column \['embed'\]"),
    ("embeddings", edit(embed=pl.lit("x")), "expected a list of floats"),
    ("embeddings", edit(embed=pl.lit([1, 2])), "expected a list of floats"),
    ("embeddings", edit(embed=pl.lit([1.0, np.nan])), "2 rows have a NaN"),
    ("embeddings", edit(embed=pl.Series([[1.0, np.inf], [1.0, 2.0]])), "1 row has a NaN, inf"),
    ("embeddings", edit(embed=pl.Series([[1.0, None], [1.0, 2.0]])), "1 row has a NaN, inf"),
    ("embeddings", edit(embed=pl.Series([[1.0, 2.0], [1.0]])), "1 row differs in length"),
    ("embeddings", edit(embed=pl.Series([[1.0, 2.0], None])), "1 row has no vector"),
    ("embeddings", edit(embed=pl.Series([[], []], dtype=pl.List(pl.Float32))), "of length 0"),
    ("texts", lambda f: f.drop("text"), r"missing column \['text'\]"),
    ("texts", edit(title=pl.lit(1)), "'title' has type Int32, expected text"),
    ("texts", edit(text=pl.lit(None)), "'text' has type Null, expected text"),
    ("texts", edit(text=pl.Series(["x", None])), "'text': 1 row has no value"),
]


@pytest.mark.parametrize(
    ("table", "spoil", "message"),
    [(t, *fault) for t in TABLES for fault in EVERY_TABLE.values()] + ONE_TABLE,
)
def test_tables_beside_the_log_are_checked_like_the_log(
    table, spoil, message, good_events, tmp_path
):
    good_events.write_parquet(tmp_path / "log.parquet")
    spoil(TABLES[table]).write_parquet(tmp_path / f"{table}.parquet")
    with pytest.raises(LogError, match=message) as caught:
        open_log(tmp_path)
    assert str(tmp_path / f"{table}.parquet") in str(caught.value)


def test_good_tables_beside_the_log(good_events, tmp_path):
    good_events.write_parquet(tmp_path / "log.parquet")
    several = pl.DataFrame({"item_id": [7, 7, 9], "artist_id": [0, 3, 4], "album_id": [5, 5, 6]})
    wide = TABLES["embeddings"].with_columns(pl.col("embed").cast(pl.Array(pl.Float64, 2)))
    for tables in (TABLES, {**TABLES, "tracks": several, "embeddings": wide}):
        for name, table in tables.items():
            table.write_parquet(tmp_path / f"{name}.parquet")
        log = open_log(tmp_path)
        assert log.texts.collect().rows() == TABLES["texts"].rows()
        assert log.vectors.collect()["item_id"].to_list() == [7, 8]
    assert sorted(log.artists.collect().rows()) == [(0, 7), (3, 7), (4, 9)], "artist 0 is one"
    assert sorted(log.albums.collect().rows()) == [(5, 7), (6, 9)], "a pair counts once"


@pytest.mark.parametrize("name", ["tracks.parquet", "log.parquet"])
@pytest.mark.parametrize("content", [b"", b"item_id,artist_id\n1,2\n", b"PAR1xxPAR1", b"PAR1"])
def test_an_unreadable_table_is_named(name, content, good_events, tmp_path):
    good_events.write_parquet(tmp_path / "log.parquet")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LogError, match=re.escape(str(tmp_path / name))):
        open_log(tmp_path)
