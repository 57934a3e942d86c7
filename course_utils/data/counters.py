"""Counters: what was known of a listener, a track and their past before each listen.

These are the 27 numerical features of the original Yambda seminar under their original names, and
six artist counters. One row is one listen. Every feature is computed from strictly earlier events:
events with the same timestamp do not see each other.

Definitions used throughout:

* *listen*: an event of type `listen`; *finished*: played at least 95 %; *skip*: played less than
  50 %; *radio*: a listen that is not organic; *event*: a row of the log of any type.
* A session of a listener ends after 30 minutes of silence (more than 1,800 s between two events).
* A quantity that cannot be known yet (a mean or a fraction of nothing, the time of an event that
  never was) is null, not zero. So is the time played in a session if a length that it needs is
  unknown.

How: one sort per key, then running sums over the whole sorted table from which the sum at the
start of the group is taken away. No group is ever visited on its own, so the cost is that of the
sorts.
"""

from __future__ import annotations

import polars as pl
import polars.selectors as cs

from course_utils.schema import (
    EVENT_SCHEMA,
    FINISHED_PCT,
    SECONDS_PER_DAY,
    SESSION_GAP,
    SKIPPED_PCT,
    LogError,
)

USER_COUNTERS = (
    "user_hist_radio_skip_fraction_before",
    "user_hist_skip_fraction_before",
    "user_hist_radio_skip_before",
    "user_hist_like_before",
    "user_hist_track_finished_before",
    "user_hist_last_ts_before",
    "user_hist_radio_play_fraction_before",
    "user_hist_skip_frequency_before",
    "user_hist_skip_before",
)


SESSION_COUNTERS = (
    "session_hist_duration_seconds_before",
    "session_hist_skip_fraction_before",
    "session_hist_played_time_seconds_before",
    "session_hist_skip_before",
    "session_hist_events_before",
    "session_hist_plays_before",
    "session_start_ts",
)


ITEM_COUNTERS = ("item_hist_avg_played_ratio_before", "item_hist_track_finished_before")


USER_ITEM_COUNTERS = (
    "user_item_hist_track_finished_before",
    "user_item_hist_last_ts_before",
    "user_item_hist_avg_played_ratio_before",
    "user_item_hist_time_since_last_event_seconds",
    "user_item_hist_time_span_seconds_before",
    "user_item_hist_skip_before",
    "user_item_hist_plays_before",
    "user_item_hist_like_before",
)


SEMINAR_COUNTERS = (
    "timestamp",
    *USER_COUNTERS,
    *SESSION_COUNTERS,
    *ITEM_COUNTERS,
    *USER_ITEM_COUNTERS,
)
"""The 27 numerical features of the original seminar."""

TIMES = (
    "timestamp",
    "user_hist_last_ts_before",
    "session_start_ts",
    "user_item_hist_last_ts_before",
)
"""Those that are moments, in seconds of the log; the others are counts, lengths and shares."""


ARTIST_COUNTERS = (
    "artist_hist_avg_played_ratio_before",
    "artist_hist_track_finished_before",
    "user_artist_hist_plays_before",
    "user_artist_hist_track_finished_before",
    "user_artist_hist_skip_before",
    "user_artist_hist_avg_played_ratio_before",
)


TARGET = "target_full_play"


_new, _tie = pl.col("_new"), pl.col("_tie")


def _strictly_earlier(value: pl.Expr) -> pl.Expr:
    """`value` (never null) as the first row of each tie group has it."""
    return pl.when(_tie).then(None).otherwise(value).forward_fill()


def _sum_before(name: str, start: pl.Expr = _new) -> pl.Expr:
    """Sum of `name` over the strictly earlier rows since the last row where `start` holds."""
    exclusive = pl.col(name).cast(pl.Int64).cum_sum() - pl.col(name)
    at_start = pl.when(start).then(exclusive).forward_fill()
    return _strictly_earlier(exclusive - at_start)


def _last_time_before() -> pl.Expr:
    """Timestamp of the last strictly earlier row of the group; null if there is none."""
    previous = pl.when(_new).then(-1).otherwise(pl.col("timestamp").cast(pl.Int64).shift(1))
    value = _strictly_earlier(previous)
    return pl.when(value >= 0).then(value)


def _first_time(start: pl.Expr = _new) -> pl.Expr:
    """Timestamp of the row that opened the group, carried to all its rows."""
    return pl.when(start).then(pl.col("timestamp").cast(pl.Int64)).forward_fill()


def _ratio(top: pl.Expr, bottom: pl.Expr) -> pl.Expr:
    return pl.when(bottom > 0).then(top / bottom).cast(pl.Float32)


def _grouped(base: pl.DataFrame, keys: list[str]) -> pl.LazyFrame:
    """Rows sorted by group and time, with `_new` (first row of a group) and `_tie` flags.

    `base` is sorted by time, so a stable sort by the keys is enough. It is done at once, not
    lazily: the optimiser would push the later selection below it and take three times as long.
    """
    changed = pl.any_horizontal(pl.col(k).ne_missing(pl.col(k).shift(1)) for k in keys)
    same_time = pl.col("timestamp") == pl.col("timestamp").shift(1)
    return (
        base.sort(keys, maintain_order=True)
        .lazy()
        .with_columns(_new=changed | (pl.int_range(pl.len()) == 0))
        .with_columns(_tie=(same_time & ~_new).fill_null(False))
    )


def _user_features(base: pl.DataFrame) -> pl.LazyFrame:
    gap = pl.col("timestamp").cast(pl.Int64).diff().fill_null(0) > SESSION_GAP
    now = pl.col("timestamp").cast(pl.Int64)
    session = pl.col("_session")
    plays, skips = _sum_before("listen"), _sum_before("skip")
    radio, radio_skips = _sum_before("radio"), _sum_before("radio_skip")
    last, days = _last_time_before(), (now - _first_time()) / SECONDS_PER_DAY
    session_plays = _sum_before("listen", session)
    session_skips = _sum_before("skip", session)
    session_start = _first_time(session)
    session_events = _sum_before("one", session)
    session_time = _sum_before("played_centiseconds", session) / 100
    if base["unknown_time"].any():
        session_time = pl.when(_sum_before("unknown_time", session) == 0).then(session_time)
    return (
        _grouped(base, ["uid"])
        .with_columns(_session=_new | gap)
        .select(
            "_row",
            "listen",
            _ratio(radio_skips, radio).alias("user_hist_radio_skip_fraction_before"),
            _ratio(skips, plays).alias("user_hist_skip_fraction_before"),
            radio_skips.cast(pl.Int32).alias("user_hist_radio_skip_before"),
            _sum_before("like").cast(pl.Int32).alias("user_hist_like_before"),
            _sum_before("finished").cast(pl.Int32).alias("user_hist_track_finished_before"),
            last.cast(pl.Int32).alias("user_hist_last_ts_before"),
            _ratio(radio, plays).alias("user_hist_radio_play_fraction_before"),
            _ratio(skips, days).alias("user_hist_skip_frequency_before"),
            skips.cast(pl.Int32).alias("user_hist_skip_before"),
            pl.when(session_events > 0)
            .then(last - session_start)
            .otherwise(0)
            .cast(pl.Int32)
            .alias("session_hist_duration_seconds_before"),
            _ratio(session_skips, session_plays).alias("session_hist_skip_fraction_before"),
            session_time.cast(pl.Float32).alias("session_hist_played_time_seconds_before"),
            session_skips.cast(pl.Int32).alias("session_hist_skip_before"),
            session_events.cast(pl.Int32).alias("session_hist_events_before"),
            session_plays.cast(pl.Int32).alias("session_hist_plays_before"),
            session_start.cast(pl.Int32).alias("session_start_ts"),
        )
    )


def _popularity_features(prefix: str, keys: list[str], base: pl.DataFrame) -> pl.LazyFrame:
    return _grouped(base, keys).select(
        "_row",
        "listen",
        _ratio(_sum_before("ratio"), _sum_before("listen")).alias(
            f"{prefix}_hist_avg_played_ratio_before"
        ),
        _sum_before("finished").cast(pl.Int32).alias(f"{prefix}_hist_track_finished_before"),
    )


def _user_item_features(base: pl.DataFrame) -> pl.LazyFrame:
    now, last = pl.col("timestamp").cast(pl.Int64), _last_time_before()
    plays = _sum_before("listen")
    return _grouped(base, ["uid", "item_id"]).select(
        "_row",
        "listen",
        _sum_before("finished").cast(pl.Int32).alias("user_item_hist_track_finished_before"),
        last.cast(pl.Int32).alias("user_item_hist_last_ts_before"),
        _ratio(_sum_before("ratio"), plays).alias("user_item_hist_avg_played_ratio_before"),
        (now - last).cast(pl.Int32).alias("user_item_hist_time_since_last_event_seconds"),
        (last - _first_time()).cast(pl.Int32).alias("user_item_hist_time_span_seconds_before"),
        _sum_before("skip").cast(pl.Int32).alias("user_item_hist_skip_before"),
        plays.cast(pl.Int32).alias("user_item_hist_plays_before"),
        _sum_before("like").cast(pl.Int32).alias("user_item_hist_like_before"),
    )


def _user_artist_features(base: pl.DataFrame) -> pl.LazyFrame:
    plays = _sum_before("listen")
    return _grouped(base, ["uid", "artist_id"]).select(
        "_row",
        "listen",
        plays.cast(pl.Int32).alias("user_artist_hist_plays_before"),
        _sum_before("finished").cast(pl.Int32).alias("user_artist_hist_track_finished_before"),
        _sum_before("skip").cast(pl.Int32).alias("user_artist_hist_skip_before"),
        _ratio(_sum_before("ratio"), plays).alias("user_artist_hist_avg_played_ratio_before"),
    )


def numbered(events: pl.LazyFrame, artists: pl.LazyFrame | None = None) -> pl.LazyFrame:
    """Events with their number in the log, `_row`, and the `artist_id` of their track.

    Args:
        events: the log, sorted by time (schema of `course_utils.schema`).
        artists: pairs `artist_id`, `item_id`. A track of several artists counts for the one with
            the smallest id; a track without one counts for "no artist", null. Without this table
            there is no such column.
    """
    rows = events.with_row_index("_row")
    if artists is None:
        return rows
    first_artist = artists.group_by("item_id").agg(pl.col("artist_id").min())
    return rows.join(first_artist, on="item_id", how="left", maintain_order="left")


def _base(rows: pl.LazyFrame) -> pl.DataFrame:
    """`numbered` events with the small integer columns that every sum needs."""
    listen = pl.col("event_type") == "listen"
    ratio = pl.when(listen).then(pl.col("played_ratio_pct")).fill_null(0)
    skip = listen & (ratio < SKIPPED_PCT)
    radio = listen & (pl.col("is_organic") == 0)
    length = pl.col("track_length_seconds")
    return rows.select(
        cs.by_name("_row", "uid", "timestamp", "item_id"),
        cs.by_name("artist_id", require_all=False),
        one=pl.lit(1, dtype=pl.Int8),
        listen=listen,
        ratio=ratio.cast(pl.Int32),
        finished=listen & (ratio >= FINISHED_PCT),
        skip=skip,
        radio=radio,
        radio_skip=radio & skip,
        like=pl.col("event_type") == "like",
        played_centiseconds=pl.when(listen)
        .then(ratio.cast(pl.Int64) * length.fill_null(0))
        .otherwise(0),
        unknown_time=listen & (ratio > 0) & length.is_null(),
    ).collect()


def _of_catalogue(base: pl.DataFrame) -> list[pl.LazyFrame]:
    """The families of counters whose keys are a track or an artist."""
    families = [_popularity_features("item", ["item_id"], base)]
    if "artist_id" in base.columns:
        families.append(_popularity_features("artist", ["artist_id"], base))
    return families


def _of_listeners(base: pl.DataFrame) -> list[pl.LazyFrame]:
    """The families of counters whose keys hold the listener."""
    families = [_user_features(base), _user_item_features(base)]
    if "artist_id" in base.columns:
        families.append(_user_artist_features(base))
    return families


def _listens(base: pl.DataFrame, families: list[pl.LazyFrame]) -> pl.DataFrame:
    """The listens in the order of the log, with the counters of some families beside them."""
    result = base.filter("listen").select(
        "_row", "uid", "item_id", pl.col("finished").cast(pl.Int8).alias(TARGET), "timestamp"
    )
    for family in families:
        rows = family.filter("listen").drop("listen").sort("_row").drop("_row").collect()
        result = result.hstack(rows)
    return result


def _named(rows: pl.DataFrame) -> pl.DataFrame:
    """The columns of `add_counters` in their order."""
    return rows.select(
        cs.by_name("_row", require_all=False),
        cs.by_name("uid", "item_id", TARGET, *SEMINAR_COUNTERS),
        cs.by_name(*ARTIST_COUNTERS, require_all=False),
    )


def add_counters(events: pl.LazyFrame, artists: pl.LazyFrame | None = None) -> pl.DataFrame:
    """All counters of every listen.

    Args:
        events, artists: as for `numbered`. Without artists the six artist counters are left out.

    Returns:
        One row a listen in the order of the log: `uid`, `item_id`, `target_full_play` (Int8, 1 if
        played at least 95 %), then `SEMINAR_COUNTERS`: times in seconds, ratios in per cent,
        fractions from 0 to 1, `user_hist_skip_frequency_before` in skips per day since the
        listener's first event; then `ARTIST_COUNTERS`.
    """
    base = _base(numbered(events, artists))
    return _named(_listens(base, _of_catalogue(base) + _of_listeners(base)).drop("_row"))


def count_catalogue(rows: pl.DataFrame) -> pl.DataFrame:
    """The counters of tracks and artists, for a part of a log.

    Args:
        rows: of `numbered`, in their order: all events of some artists, or, without artists, of
            some tracks.

    Returns:
        These rows with the counters beside them.
    """
    for family in _of_catalogue(_base(rows.lazy())):
        rows = rows.hstack(family.sort("_row").drop("_row", "listen").collect())
    return rows


def count_listeners(rows: pl.DataFrame) -> pl.DataFrame:
    """The other counters, for a part of a log.

    Args:
        rows: of `count_catalogue`, in the order of the log: all events of some listeners.

    Returns:
        Their listens as `add_counters` has them, and `_row`, where they stand in the log.
    """
    base = _base(rows.lazy())
    known = rows.filter(pl.col("event_type") == "listen").select(
        cs.by_name(*ITEM_COUNTERS, *ARTIST_COUNTERS, require_all=False)
    )
    return _named(_listens(base, _of_listeners(base)).hstack(known))


def counters_of_pairs(
    events: pl.LazyFrame,
    rows: pl.DataFrame,
    pairs: pl.DataFrame,
    artists: pl.LazyFrame | None = None,
) -> pl.DataFrame:
    """What would be known before listens that never were: the candidates of requests.

    A request is made at the moment of a listen of the log. What was known of the listener and the
    session then stands beside that listen. The track, its artist and their past with the listener
    are counted by the expressions of `add_counters`, from strictly earlier events. Pairs are no
    events: none sees another one.

    Args:
        events: the log. rows: its `add_counters`. artists: as they were given to it.
        pairs: M rows `uid`, `timestamp`, `item_id`: who asks, when, and one candidate.

    Returns:
        The pairs in their order with the columns of `rows`, but for the target: nobody knows it.

    Raises:
        LogError: at the moment of a pair its listener has no listen in this log.
    """
    moment = ["uid", "timestamp"]
    columns = ("uid", "timestamp", "item_id")
    pairs = pairs.select(pl.col(name).cast(EVENT_SCHEMA[name]) for name in columns)
    told = rows.select("uid", "timestamp", *USER_COUNTERS, *SESSION_COUNTERS, known=True)
    known = pairs.join(told.unique(moment), on=moment, how="left", maintain_order="left")
    if lost := known["known"].null_count():
        raise LogError(
            f"{lost:,} of {len(pairs):,} pairs belong to a moment at which their listener has no "
            "listen in this log; take both from one source"
        )
    base, places = _with_pairs(events, pairs, artists)
    families = _of_catalogue(base)
    if artists is not None:
        families.append(_user_artist_features(base))
    result = known.hstack(_of_pairs(places, families))
    # a pair has a time, and times are counters of this family: a request gets a past of its own
    numbered = pairs.with_columns(request=pl.struct(moment).rank("dense"))
    candidates = numbered.select("uid", "item_id", "request").unique()
    past = events.join(candidates.lazy(), on=["uid", "item_id"]).with_columns(uid="request")
    base, places = _with_pairs(past, numbered.with_columns(uid="request"), None)
    result = result.hstack(_of_pairs(places, [_user_item_features(base)]))
    return result.select(name for name in rows.columns if name != TARGET)


def _with_pairs(
    events: pl.LazyFrame, pairs: pl.DataFrame, artists: pl.LazyFrame | None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`_base` of the events and the pairs, these as events that no sum counts, and their places."""
    no_listen = pl.lit("unlike", dtype=EVENT_SCHEMA["event_type"])
    asked = pairs.select("uid", "timestamp", "item_id", event_type=no_listen)
    both = pl.concat([events, asked.lazy().with_row_index("pair")], how="diagonal")
    both = both.sort("timestamp", maintain_order=True).collect().lazy()
    places = both.select("pair").with_row_index("_row").drop_nulls().collect()
    return _base(numbered(both, artists)), places


def _of_pairs(places: pl.DataFrame, families: list[pl.LazyFrame]) -> pl.DataFrame:
    """The counters of the pairs, in their order, side by side."""
    found = [places.lazy().join(family, on="_row", how="left").sort("pair") for family in families]
    return pl.concat(
        [one.drop("_row", "pair", "listen").collect() for one in found], how="horizontal"
    )
