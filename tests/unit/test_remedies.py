"""Every remedy of a foreign log is pasted, as a user would, until the log opens."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest
from conftest import events_of
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.data import remedies
from course_utils.data.log import Log, open_log
from course_utils.data.tasks.ranking import ranking_rows
from course_utils.schema import EVENT_SCHEMA, LARGEST, LogError

Tables = dict[str, pl.DataFrame]
DAY = 86_400
TIME, UID, ITEM, SHARE = (pl.col(c) for c in ("timestamp", "uid", "item_id", "played_ratio_pct"))


def good_tables() -> Tables:
    """A valid log of three weeks and the tables beside it; artist 0 and track 0 are real."""
    kinds = ["listen", "listen", "listen", "like", "listen", "dislike"]
    rows = []
    for i in range(48):
        kind = kinds[i % 6]
        played = (0, 30, 49, 94, 95, 100, 140)[i % 7] if kind == "listen" else None
        length = (180, 241, None)[i % 3] if kind == "listen" else None
        rows.append((i % 5, i * 37_801, (i * 3) % 11, i % 2, kind, played, length))
    items = list(range(11))
    return {
        "log": events_of(rows),
        "tracks": pl.DataFrame(
            {"item_id": items, "artist_id": [i // 3 for i in items], "album_id": items}
        ),
        "embeddings": pl.DataFrame({"item_id": items[1:], "embed": [[0.5, i] for i in items[1:]]}),
        "texts": pl.DataFrame(
            {"item_id": items, "title": [f"t{i}" for i in items], "text": ["words"] * 11}
        ),
    }


def write(tables: Tables, folder) -> None:
    folder.mkdir(exist_ok=True)
    for name, table in tables.items():
        table.write_parquet(folder / f"{name}.parquet")


def mend(tables: Tables, folder, most: int = 10) -> Log:
    """Open, paste the remedy, write, and open again, until nothing is wrong any more."""
    for _ in range(most):
        write(tables, folder)
        try:
            return open_log(str(folder))
        except LogError as error:
            assert error.remedy, f"no remedy for: {error}"
            assert str(error).endswith(error.remedy)
            space = {"pl": pl, **tables}
            exec(error.remedy, space)
            tables = {name: space[name] for name in tables}
    raise AssertionError("still not mended")


def by_appearance(log: Log) -> pl.DataFrame:
    """Events and what is known of their tracks; ids numbered and times counted from the first."""
    events = log.events.collect()
    for table in (log.artists, log.albums, log.vectors):
        if table is not None:
            value = next(n for n in table.collect_schema().names() if n != "item_id")
            events = events.join(
                table.collect(), on="item_id", how="left", maintain_order="left"
            ).sort("timestamp", "uid", "item_id", value, maintain_order=True)
    ids = [name for name in ("uid", "item_id", "artist_id", "album_id") if name in events]
    number = {
        name: {v: i for i, v in enumerate(events[name].drop_nulls().unique(maintain_order=True))}
        for name in ids
    }
    return events.with_columns(
        TIME - TIME.min(),
        *(pl.col(name).replace_strict(number[name], return_dtype=pl.Int64) for name in ids),
    )


NOW = TIME.cast(pl.Int64) + 1_750_000_000
MOMENT = pl.from_epoch(NOW)
WORDS = {
    "timestamp": {
        "milliseconds": NOW * 1_000,
        "microseconds": NOW * 1_000_000,
        "nanoseconds": NOW * 1_000_000_000,
        "milliseconds from the start": TIME.cast(pl.Int64) * 1_000 * 30,
        "microseconds from the start": TIME.cast(pl.Int64) * 1_000_000,
        "float seconds": NOW.cast(pl.Float64) + 0.25,
        "float milliseconds": NOW.cast(pl.Float64) * 1_000,
        "seconds far in the future": NOW + 2**31,
        "before the start": TIME.cast(pl.Int64) - 5_000,
        "datetime": MOMENT.cast(pl.Datetime("us")),
        "datetime in ms with a zone": MOMENT.cast(pl.Datetime("ms")).dt.replace_time_zone("UTC"),
        "duration": pl.duration(seconds=TIME),
        "text of numbers": NOW.cast(pl.String),
        "text of milliseconds": (NOW * 1_000).cast(pl.String),
        "text of floats": (NOW.cast(pl.Float64) + 0.5).cast(pl.String),
        "ISO text": MOMENT.dt.strftime("%Y-%m-%d %H:%M:%S"),
        "ISO text with a zone": MOMENT.dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "decimal": NOW.cast(pl.Decimal(20, 2)),
    },
    "uid": {
        "text": pl.format("user-{}", UID),
        "text of numbers": UID.cast(pl.String),
        "padded text": pl.format("00{}", UID),
        "categories": pl.format("user-{}", UID).cast(pl.Categorical),
        "64-bit hashes": UID.hash(1),
        "signed hashes": UID.hash(1).reinterpret(signed=True),
        "beyond 2³²": UID.cast(pl.Int64) + 2**32,
        "negative": -UID.cast(pl.Int64) - 1,
        "floats": UID.cast(pl.Float64),
        "bytes": pl.format("user-{}", UID).cast(pl.Binary),
        "booleans": (UID > 2),
    },
    "item_id": {
        "text": pl.format("track-{}", ITEM),
        "text of numbers": ITEM.cast(pl.String),
        "64-bit hashes": ITEM.cast(pl.UInt64).hash(2),
        "signed hashes": ITEM.cast(pl.UInt64).hash(2).reinterpret(signed=True),
        "negative": -ITEM.cast(pl.Int64) - 1,
        "floats": ITEM.cast(pl.Float64),
    },
    "is_organic": {
        "text": pl.when(pl.col("is_organic") == 1).then(pl.lit("True")).otherwise(pl.lit("False")),
        "yes and no": pl.when(pl.col("is_organic") == 1)
        .then(pl.lit("yes "))
        .otherwise(pl.lit("NO")),
        "text of numbers": pl.col("is_organic").cast(pl.String),
        "floats": pl.col("is_organic").cast(pl.Float64),
        "one and minus one": pl.col("is_organic").cast(pl.Int8) * 2 - 1,
    },
    "event_type": {
        "capitals": pl.col("event_type").cast(pl.String).str.to_uppercase(),
        "titles with blanks": pl.format(
            " {} ", pl.col("event_type").cast(pl.String).str.to_titlecase()
        ),
        "bytes": pl.col("event_type").cast(pl.String).cast(pl.Binary),
        "another word": pl.col("event_type").cast(pl.String).replace({"listen": "play"}),
        "categories": pl.col("event_type").cast(pl.String).str.to_uppercase().cast(pl.Categorical),
    },
    "played_ratio_pct": {
        "fraction": SHARE / 100,
        "fraction in float32": (SHARE / 100).cast(pl.Float32),
        "floats": SHARE + 0.5,
        "floats with NaN": SHARE.cast(pl.Float64).fill_null(float("nan")),
        "text": SHARE.cast(pl.String),
        "text with a sign": pl.format("{} %", SHARE),
        "text of fractions": (SHARE / 100).cast(pl.String),
        "minus one for unknown": SHARE.cast(pl.Int64).fill_null(-1),
    },
    "track_length_seconds": {
        "milliseconds": pl.col("track_length_seconds") * 1_000,
        "floats": pl.col("track_length_seconds") + 0.5,
        "floats with NaN": pl.col("track_length_seconds").cast(pl.Float64).fill_null(float("nan")),
        "text": pl.col("track_length_seconds").cast(pl.String),
        "minus one for unknown": pl.col("track_length_seconds").cast(pl.Int64).fill_null(-1),
        "duration": pl.duration(seconds=pl.col("track_length_seconds")),
    },
}
"""Faults by column that a remedy undoes to the last value."""


def spoil(tables: Tables, faults: dict[str, str | None]) -> Tables:
    """Tables with one fault in each of some columns; item ids are spoiled in all tables alike."""
    columns = {column: WORDS[column][fault] for column, fault in faults.items() if fault}
    return {
        name: table.with_columns(
            **{c: values for c, values in columns.items() if name == "log" or c == "item_id"}
        )
        for name, table in tables.items()
    }


def expected(tables: Tables, faults: dict[str, str | None], folder) -> pl.DataFrame:
    """What opens where nothing is wrong."""
    write(tables, folder)
    good = by_appearance(open_log(folder))
    if faults.get("timestamp") == "milliseconds from the start":
        good = good.with_columns(TIME * 30)
    return good.drop("uid") if faults.get("uid") == "booleans" else good


@pytest.mark.parametrize(
    ("column", "fault"), [(column, fault) for column in WORDS for fault in WORDS[column]]
)
def test_a_column_of_another_kind_is_mended(column, fault, tmp_path):
    tables = good_tables()
    if column != "item_id":
        tables = {"log": tables["log"]}
    spoiled = spoil(tables, {column: fault})
    write(spoiled, tmp_path / "bad")
    with pytest.raises(LogError, match=f"'{column}'"):
        open_log(tmp_path / "bad")
    mended = by_appearance(mend(spoiled, tmp_path / "bad"))
    good = expected(tables, {column: fault}, tmp_path / "good")
    assert mended.select(good.columns).equals(good)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(st.fixed_dictionaries({c: st.sampled_from([None, *faults]) for c, faults in WORDS.items()}))
def test_any_faults_together_are_mended_one_by_one(tmp_path_factory, faults):
    folder = tmp_path_factory.mktemp("logs")
    mended = by_appearance(mend(spoil(good_tables(), faults), folder / "bad", most=20))
    good = expected(good_tables(), faults, folder / "good")
    assert mended.select(good.columns).equals(good)


def on(name: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Callable[[Tables], Tables]:
    """Spoil one table; the log stands alone where it is spoiled."""
    if name == "log":
        return lambda tables: {"log": change(tables["log"])}
    return lambda tables: {"log": tables["log"], name: change(tables[name])}


def log_with(**columns) -> Callable[[Tables], Tables]:
    """Spoil columns of the log."""
    return on("log", lambda frame: frame.with_columns(**columns))


LISTEN = pl.col("event_type") == "listen"
OTHER_FAULTS = {
    "columns of other names": on(
        "log", lambda f: f.rename({"uid": "User ID", "item_id": "trackId", "timestamp": "ts"})
    ),
    "columns that say nothing": on("log", lambda f: f.drop("is_organic", "track_length_seconds")),
    "only who, when and what": on(
        "log", lambda f: f.filter(LISTEN).select("uid", "timestamp", "item_id")
    ),
    "missing ids": log_with(uid=pl.when(TIME > 100_000).then("uid")),
    "missing times": log_with(timestamp=pl.when(UID > 0).then("timestamp")),
    "missing kinds": log_with(event_type=pl.when(UID > 0).then("event_type")),
    "missing choices": log_with(is_organic=pl.when(UID > 0).then("is_organic")),
    "some shares are missing": log_with(played_ratio_pct=pl.when(UID > 0).then(SHARE)),
    "all shares are missing": log_with(played_ratio_pct=pl.lit(None)),
    "all lengths are missing": log_with(
        track_length_seconds=pl.lit("?"), is_organic=pl.lit("true")
    ),
    "a few words among the numbers": log_with(
        uid=UID.cast(pl.String), played_ratio_pct=SHARE.cast(pl.String).replace({"140": "NA"})
    ),
    "shares of flags": log_with(played_ratio_pct=(SHARE >= 95).cast(pl.UInt8)),
    "shares of yes and no": log_with(played_ratio_pct=SHARE >= 95),
    "huge shares": log_with(played_ratio_pct=SHARE.cast(pl.Int64) * 1_000),
    "the order is lost": on("log", lambda f: f.sort("uid", "timestamp", descending=[False, True])),
    "rows twice": on("log", lambda f: pl.concat([f, f]).sort("timestamp")),
    "rows twice but for another column": on(
        "log",
        lambda f: pl.concat([f, f]).with_row_index("n").sort("timestamp"),
    ),
    "unknown events": log_with(
        event_type=pl.col("event_type").cast(pl.String).replace({"dislike": "shared"})
    ),
    "only likes": on("log", lambda f: f.filter(pl.col("event_type") == "like")),
    "dates": log_with(timestamp=MOMENT.dt.date()),
    "a few times are zero": on(
        "log",
        lambda f: f.with_columns(timestamp=pl.when(TIME > 0).then(NOW).otherwise(0)),
    ),
    "a few times are minus one, the others milliseconds": on(
        "log",
        lambda f: f.with_columns(timestamp=pl.when(TIME > 0).then(NOW * 1_000).otherwise(-1)),
    ),
    "milliseconds of less than 2³¹": log_with(timestamp=TIME.cast(pl.Int64) * 1_000),
    "artists of text": on(
        "tracks", lambda f: f.with_columns(artist_id=pl.format("a{}", "artist_id"))
    ),
    "artists as lists": on(
        "tracks", lambda f: f.with_columns(artist_id=pl.concat_list("artist_id", "album_id"))
    ),
    "artists of floats": on(
        "tracks",
        lambda f: f.with_columns(artist_id=pl.when(ITEM > 2).then("artist_id").cast(pl.Float64)),
    ),
    "anonymous listeners": log_with(uid=pl.when(UID > 1).then(UID.cast(pl.Int64)).otherwise(-1)),
    "negative artists": on("tracks", lambda f: f.with_columns(artist_id=pl.col("artist_id") - 1)),
    "no artist at all": on("tracks", lambda f: f.with_columns(artist_id=pl.lit(None))),
    "tracks twice": on("tracks", lambda f: pl.concat([f, f])),
    "tracks without an id": on(
        "tracks", lambda f: f.with_columns(item_id=pl.when(ITEM > 2).then("item_id"))
    ),
    "tracks of minus one": on(
        "tracks", lambda f: f.with_columns(item_id=pl.when(ITEM > 2).then("item_id").otherwise(-1))
    ),
    "tracks of text": on("tracks", lambda f: f.with_columns(ITEM.cast(pl.String))),
    "artists of another name": on(
        "tracks", lambda f: f.rename({"artist_id": "Artist"}).drop("album_id")
    ),
    "vectors twice": on("embeddings", lambda f: pl.concat([f, f])),
    "vectors of integers": on(
        "embeddings", lambda f: f.with_columns(pl.col("embed").cast(pl.List(pl.Int64)))
    ),
    "vectors of two lengths": on(
        "embeddings",
        lambda f: f.with_columns(embed=pl.when(ITEM > 2).then("embed").otherwise(pl.lit([0.5]))),
    ),
    "no vectors": on("embeddings", lambda f: f.with_columns(embed=pl.when(ITEM > 2).then("embed"))),
    "NaN in vectors": on(
        "embeddings",
        lambda f: f.with_columns(
            embed=pl.when(ITEM > 2).then("embed").otherwise(pl.lit([float("nan"), 1.0]))
        ),
    ),
    "vectors of another name": on("embeddings", lambda f: f.rename({"embed": "vector"})),
    "texts twice": on("texts", lambda f: pl.concat([f, f.head(2)])),
    "no text": on("texts", lambda f: f.with_columns(text=pl.when(ITEM > 2).then("text"))),
    "titles of numbers": on("texts", lambda f: f.with_columns(title=ITEM)),
    "texts of another name": on("texts", lambda f: f.rename({"text": "Description"})),
}


@pytest.mark.parametrize("fault", OTHER_FAULTS)
def test_other_faults_are_mended_too(fault, tmp_path):
    spoiled = OTHER_FAULTS[fault](good_tables())
    write(spoiled, tmp_path / "bad")
    with pytest.raises(LogError):
        open_log(tmp_path / "bad")
    log = mend(spoiled, tmp_path / "bad")
    assert log.events.collect().height
    assert dict(log.events.collect_schema()) == EVENT_SCHEMA


def test_stray_moments_are_dropped_and_real_milliseconds_divided(tmp_path):
    for fault, rows, last in [
        ("a few times are zero", 47, 46 * 37_801),
        ("a few times are minus one, the others milliseconds", 47, 46 * 37_801),
        ("milliseconds of less than 2³¹", 48, 47 * 37_801),
    ]:
        events = mend(OTHER_FAULTS[fault](good_tables()), tmp_path / fault).events.collect()
        assert len(events) == rows
        assert events["timestamp"][-1] - events["timestamp"][0] == last


def test_minus_one_is_no_artist_and_no_listener(tmp_path):
    good = good_tables()
    log = mend(OTHER_FAULTS["negative artists"](good), tmp_path / "artists")
    assert log.artists.collect()["artist_id"].unique().sort().to_list() == [0, 1, 2]
    log = mend(OTHER_FAULTS["anonymous listeners"](good), tmp_path / "listeners")
    assert log.events.collect()["uid"].unique().sort().to_list() == [2, 3, 4]


def test_a_log_of_likes_only_becomes_one_of_full_plays(tmp_path):
    log = mend(OTHER_FAULTS["only likes"](good_tables()), tmp_path / "log")
    assert "every listen was played to the end" in log.positive_only
    with pytest.raises(LogError, match="cannot be used for ranking"):
        log.need_negatives()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    unit=st.sampled_from(["milliseconds", "microseconds", "nanoseconds"]),
    start=st.just(0) | st.integers(10**9, 4 * 10**9),
    days=st.floats(0.5, 10_000),
)
def test_the_unit_of_times_is_told_by_their_size(unit, start, days):
    size = {"milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}[unit]
    first, last = start * size, int((start + days * DAY) * size)
    if last > LARGEST["timestamp"] and (start or (last - first) > remedies.LONGEST_LOG):
        found = remedies.unit_of_time(first, last)
        assert found == unit or start == 0  # a day of microseconds is years of milliseconds


@pytest.mark.parametrize("largest", [2**31 - 2, 2**31, 2**32 - 1])
def test_the_largest_ids_and_times_work(largest, tmp_path):
    tables = good_tables()
    top = pl.lit(largest, pl.Int64)
    tables = {
        name: table.with_columns(
            **{c: top - pl.col(c) for c in table.columns if c in ("uid", "item_id", "artist_id")}
        )
        for name, table in tables.items()
    }
    late = LARGEST["timestamp"] - int(tables["log"]["timestamp"].max())
    tables["log"] = tables["log"].with_columns(TIME.cast(pl.Int64) + late)
    write(tables, tmp_path / "log")
    log = open_log(tmp_path / "log")
    rows, plain = ranking_rows(log), good_tables()
    write(plain, tmp_path / "plain")
    times = [c for c in rows.columns if c.endswith("_ts_before") or c.endswith("start_ts")]
    expected = ranking_rows(open_log(tmp_path / "plain"))
    drop = ["uid", "item_id", "timestamp", *times]
    assert (
        rows.drop(drop)
        .drop(pl.selectors.starts_with("artist", "user_artist"))
        .equals(expected.drop(drop).drop(pl.selectors.starts_with("artist", "user_artist")))
    )
    for name in times:
        assert (rows[name].cast(pl.Int64) - late).equals(expected[name].cast(pl.Int64)), name
