"""Every remedy of a foreign log is pasted, as a user would, until the log opens."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest
from conftest import events_of
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.data import moments
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
    if last > LARGEST["timestamp"] and (start or (last - first) > moments.LONGEST_LOG):
        found = moments.unit_of_time(first, last)
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


# What a remedy must never do


def large_log(n: int = 400) -> pl.DataFrame:
    """A month of n rows: listens with shares in per cent, some likes without."""
    rows = []
    for i in range(n):
        kind = "like" if i % 12 == 11 else "listen"
        share, length = ((i * 37) % 141, 60 + (i * 53) % 340) if kind == "listen" else (None, None)
        rows.append((i % 30, i * 6_480, (i * 7) % 50, i % 2, kind, share, length))
    return events_of(rows)


def follow(log: pl.DataFrame, folder, most: int = 10) -> tuple[pl.DataFrame | None, list[str]]:
    """Paste remedies while there are any; the log once it opens (else None), and all messages."""
    told: list[str] = []
    for _ in range(most):
        write({"log": log}, folder)
        try:
            return open_log(str(folder)).events.collect(), told
        except LogError as error:
            assert str(error) not in told, f"no progress: {error}"
            told.append(str(error))
            if not error.remedy:
                return None, told
            space = {"pl": pl, "log": log}
            exec(error.remedy, space)
            log = space["log"]
    raise AssertionError("still not mended")


ROW = pl.int_range(pl.len())
LENGTH = pl.col("track_length_seconds")


def but(rows: pl.Expr, odd: pl.Expr, others: pl.Expr) -> pl.Expr:
    return pl.when(rows).then(odd).otherwise(others)


DATES = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    unit=st.sampled_from(list(DATES)),
    stray=st.sampled_from([0, -1, 40_000_000, 4_070_908_800, 9_000_000_000, -62_135_596_800]),
    n_strays=st.integers(0, 9),
    since=st.sampled_from([NOW, TIME.cast(pl.Int64)]),
)
def test_stray_times_never_scale_the_others(tmp_path_factory, unit, stray, n_strays, since):
    folder = tmp_path_factory.mktemp("logs")
    value = min(max(stray * DATES[unit], -(2**63)), 2**63 - 1)
    log = large_log().with_columns(timestamp=since * DATES[unit])
    log = log.with_columns(timestamp=but(n_strays > ROW, pl.lit(value, pl.Int64), TIME))
    found, told = follow(log, folder)
    if found is None:
        assert "find out" in told[-1]
    elif unit in ("microseconds", "nanoseconds") or since is NOW:
        steps = found["timestamp"].cast(pl.Int64).sort().diff().drop_nulls()
        assert steps.median() == 6_480, told
        assert len(found) >= 400 - n_strays


@pytest.mark.parametrize("part", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("since", [NOW, TIME.cast(pl.Int64)])
def test_times_of_two_units_have_no_remedy(tmp_path, part, since):
    log = large_log().with_columns(timestamp=but(30 * part > UID, since * 1_000, since))
    found, told = follow(log, tmp_path / "log")
    assert found is None and "find out" in told[-1]


@pytest.mark.parametrize("form", ["%Y%m%d%H%M%S", "%Y%m%d%H%M", "%Y%m%d"])
@pytest.mark.parametrize("kind", [pl.String, pl.Int64])
def test_dates_written_as_digits_are_parsed(tmp_path, form, kind):
    log = large_log().with_columns(timestamp=MOMENT.dt.strftime(form).cast(kind))
    found, _ = follow(log, tmp_path / "log")
    assert found is not None
    day = large_log()["timestamp"]
    span = int(found["timestamp"].max()) - int(found["timestamp"].min())
    assert abs(span - (day.max() - day.min())) <= DAY


@pytest.mark.parametrize("filler", [(1, 1, 1), (1900, 1, 1), (1970, 1, 1), (2099, 12, 31)])
def test_a_filler_date_does_not_move_the_others(tmp_path, filler):
    log = large_log().with_columns(timestamp=but(ROW == 0, pl.datetime(*filler), MOMENT))
    found, _ = follow(log, tmp_path / "log")
    assert found is not None and len(found) == 399
    assert found["timestamp"].diff().drop_nulls().unique().to_list() == [6_480]


@pytest.mark.parametrize("outlier", [1.0, 9.9, 15.0, 120.0, 99_999.0, float("inf"), float("nan")])
@pytest.mark.parametrize("n", [1, 5])
def test_an_outlier_among_fractions_does_not_make_the_others_zero(tmp_path, outlier, n):
    log = large_log().with_columns(played_ratio_pct=but(n > ROW, pl.lit(outlier), SHARE / 100))
    found, _ = follow(log, tmp_path / "log")
    assert found is not None and len(found) >= 400 - n
    both = found.join(large_log(), on=["uid", "timestamp", "item_id"])[n:]
    assert both["played_ratio_pct"].equals(both["played_ratio_pct_right"], null_equal=True)


@pytest.mark.parametrize("odd", [5e9, float("inf"), float("-inf"), float("nan"), -1.0])
@pytest.mark.parametrize("name", ["track_length_seconds", "played_ratio_pct", "uid", "timestamp"])
def test_a_few_odd_values_do_not_spoil_a_column(tmp_path, name, odd):
    log = large_log().with_columns(but(ROW == 3, pl.lit(odd), pl.col(name)).alias(name))
    found, _ = follow(log, tmp_path / "log")
    assert found is not None and len(found) >= 399
    good = large_log().filter(ROW != 3)
    found = found.join(good.select("uid", "item_id", "timestamp"), on="item_id", how="semi")
    if name in ("track_length_seconds", "played_ratio_pct"):
        both = found.join(good, on=["uid", "timestamp", "item_id"])
        assert both[name].equals(both[f"{name}_right"], null_equal=True)


@pytest.mark.parametrize(
    "lengths",
    [
        pl.format("{}:{}", LENGTH // 60, (LENGTH % 60).cast(pl.String).str.zfill(2)),
        pl.format("0:0{}:{}", LENGTH // 60, (LENGTH % 60).cast(pl.String).str.zfill(2)),
        pl.from_epoch(LENGTH.cast(pl.Int64)).dt.time(),
        LENGTH.cast(pl.String).fill_null("N/A"),
    ],
)
def test_lengths_in_other_forms_are_read(tmp_path, lengths):
    log = large_log().with_columns(track_length_seconds=lengths)
    found, _ = follow(log, tmp_path / "log")
    assert found is not None
    assert found["track_length_seconds"].equals(large_log()["track_length_seconds"])


UNSURE = {
    "lengths of both units": {"track_length_seconds": but(UID < 15, LENGTH * 1_000, LENGTH)},
    "lengths in minutes": {"track_length_seconds": LENGTH / 60},
    "codes of three kinds": {"is_organic": ROW % 3},
    "codes from one": {"is_organic": ROW % 2 + 1},
    "a half of choices is missing": {"is_organic": pl.when(ROW % 2 == 0).then(1)},
    "a half of kinds is missing": {"event_type": pl.when(ROW % 2 == 0).then("event_type")},
    "all kinds are missing": {"event_type": pl.lit(None, pl.String)},
    "shares of choices": {"is_organic": (ROW % 2) * 0.5 + 0.25},
    "days with a fraction": {"timestamp": NOW / DAY},
    "ids of structs": {"uid": pl.struct(a="uid")},
    "items of structs": {"item_id": pl.struct(a="uid", b="item_id")},
    "skips without a share": {
        "event_type": but(SHARE < 50, pl.lit("skip"), pl.col("event_type").cast(pl.String)),
        "played_ratio_pct": pl.when(SHARE >= 50).then(SHARE),
    },
    "two words with shares": {
        "event_type": but(UID < 15, pl.lit("foo"), pl.lit("bar")),
        "played_ratio_pct": SHARE.fill_null(0),
    },
}


@pytest.mark.parametrize("fault", UNSURE)
def test_where_two_readings_are_possible_there_is_no_remedy(tmp_path, fault):
    found, told = follow(large_log().with_columns(**UNSURE[fault]), tmp_path / "log")
    assert found is None, told


def test_words_for_events_are_taken_for_what_they_mean(tmp_path):
    kind = pl.col("event_type").cast(pl.String)
    skip = (kind == "listen") & (SHARE < 50)
    words = {"listen": "Track Play", "like": "Heart"}
    log = large_log().with_columns(event_type=but(skip, pl.lit("skip"), kind.replace(words)))
    found, _ = follow(log, tmp_path / "log")
    assert found is not None and found.equals(large_log())
    shown = large_log().with_columns(
        event_type=pl.lit("impression"), played_ratio_pct=None, item_id=ITEM + 1
    )
    log = large_log().with_columns(event_type=kind.replace({"listen": "play"}))
    both = pl.concat([log, *[shown] * 1], how="vertical_relaxed").sort("timestamp")
    found, _ = follow(both, tmp_path / "log")
    assert found is not None and found.equals(large_log())


NO_TABLE_LEFT = {
    "no artist": ("tracks", {"artist_id": pl.lit(None, pl.Int64)}),
    "no artist of any type": ("tracks", {"artist_id": pl.lit(None)}),
    "vectors of no length": ("embeddings", {"embed": pl.lit([], pl.List(pl.Float64))}),
    "arrays of no length": (
        "embeddings",
        {"embed": pl.lit([], pl.List(pl.Float64)).cast(pl.Array(pl.Float64, 0))},
    ),
    "vectors beyond float32": ("embeddings", {"embed": pl.lit([1e300, 0.0])}),
    "no vectors at all": ("embeddings", {"embed": pl.lit(None, pl.List(pl.Float64))}),
    "no texts at all": ("texts", {"text": pl.lit(None, pl.String)}),
    "structs of artists": ("tracks", {"artist_id": pl.struct("item_id")}),
    "tracks without ids": ("tracks", {"item_id": pl.lit(None, pl.Int64)}),
}


@pytest.mark.parametrize("fault", NO_TABLE_LEFT)
def test_no_remedy_leaves_an_empty_table(tmp_path, fault):
    name, columns = NO_TABLE_LEFT[fault]
    tables = {n: t for n, t in good_tables().items() if n in ("log", name)}
    tables[name] = tables[name].drop("album_id", strict=False).with_columns(**columns)
    write(tables, tmp_path / "log")
    with pytest.raises(LogError) as caught:
        open_log(tmp_path / "log")
    assert caught.value.remedy is None, caught.value


def test_a_few_vectors_beyond_float32_are_dropped(tmp_path):
    tables = {n: t for n, t in good_tables().items() if n in ("log", "embeddings")}
    huge = but(ITEM == 4, pl.lit([1e300, 0.0]), pl.col("embed"))
    tables["embeddings"] = tables["embeddings"].with_columns(embed=huge)
    assert len(mend(tables, tmp_path / "log").vectors.collect()) == 9


@pytest.mark.parametrize("blank", ["", "  "])
def test_blank_ids_are_unknown(tmp_path, blank):
    names = pl.format("u{}", UID)
    log = mend({"log": large_log().with_columns(uid=but(UID == 3, pl.lit(blank), names))}, tmp_path)
    assert log.events.collect()["uid"].n_unique() == 29
