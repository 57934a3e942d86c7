"""Counters against a slow loop over events, and for leakage."""

from __future__ import annotations

import math
import random

import polars as pl
import pytest
from conftest import events_of

from course_utils.data.counters import (
    ARTIST_COUNTERS,
    SEMINAR_COUNTERS,
    TARGET,
    add_counters,
    counters_of_pairs,
)
from course_utils.schema import LogError

ARTIST = {1: 10, 2: 10, 3: 20, 4: 30}


def random_log(seed: int, n: int = 160) -> pl.DataFrame:
    """Few listeners and tracks, many ties, pauses around the session border."""
    rng = random.Random(seed)
    time, rows = 0, []
    for _ in range(n):
        time += rng.choice([0, 0, 1, 30, 900, 1_800, 1_801, 5_000])
        kind = rng.choice(["listen"] * 6 + ["like", "dislike", "unlike", "undislike"])
        played = kind == "listen"
        ratio = rng.choice([0, 49, 50, 94, 95, 100, 140]) if played else None
        length = rng.choice([100, 233, None]) if played else None
        rows.append(
            (rng.randint(1, 3), time, rng.randint(1, 4), rng.randint(0, 1), kind, ratio, length)
        )
    return events_of(rows)


def played_time(events: list[dict]) -> float | None:
    """Seconds; None if a length is unknown of what was played at all."""
    played = [e for e in events if e["played_ratio_pct"]]
    if any(e["track_length_seconds"] is None for e in played):
        return None
    return sum(e["played_ratio_pct"] * e["track_length_seconds"] / 100 for e in played)


def divide(top: float, bottom: float) -> float | None:
    return top / bottom if bottom else None


def slow_features(events: list[dict], at: int) -> dict:
    """The features of event `at`, from the definitions, one by one."""
    row = events[at]
    now = row["timestamp"]
    past = [e for e in events if e["timestamp"] < now]
    mine = [e for e in past if e["uid"] == row["uid"]]

    def listens(some):
        return [e for e in some if e["event_type"] == "listen"]

    def skips(some):
        return [e for e in listens(some) if e["played_ratio_pct"] < 50]

    def finished(some):
        return sum(e["played_ratio_pct"] >= 95 for e in listens(some))

    def likes(some):
        return sum(e["event_type"] == "like" for e in some)

    def mean_ratio(some):
        return divide(sum(e["played_ratio_pct"] for e in listens(some)), len(listens(some)))

    radio = [e for e in mine if e["is_organic"] == 0]
    session: list[dict] = []
    for e in reversed(mine):
        if (session[-1]["timestamp"] if session else now) - e["timestamp"] > 1_800:
            break
        session.append(e)
    start = session[-1]["timestamp"] if session else now
    pair = [e for e in mine if e["item_id"] == row["item_id"]]
    item = [e for e in past if e["item_id"] == row["item_id"]]
    artist = [e for e in past if ARTIST[e["item_id"]] == ARTIST[row["item_id"]]]
    both = [e for e in artist if e["uid"] == row["uid"]]
    last = mine[-1]["timestamp"] if mine else None
    pair_last = pair[-1]["timestamp"] if pair else None
    return {
        "timestamp": now,
        "user_hist_radio_skip_fraction_before": divide(len(skips(radio)), len(listens(radio))),
        "user_hist_skip_fraction_before": divide(len(skips(mine)), len(listens(mine))),
        "user_hist_radio_skip_before": len(skips(radio)),
        "user_hist_like_before": likes(mine),
        "user_hist_track_finished_before": finished(mine),
        "user_hist_last_ts_before": last,
        "user_hist_radio_play_fraction_before": divide(len(listens(radio)), len(listens(mine))),
        "user_hist_skip_frequency_before": divide(
            len(skips(mine)), (now - mine[0]["timestamp"]) / 86_400 if mine else 0
        ),
        "user_hist_skip_before": len(skips(mine)),
        "session_hist_duration_seconds_before": last - start if session else 0,
        "session_hist_skip_fraction_before": divide(len(skips(session)), len(listens(session))),
        "session_hist_played_time_seconds_before": played_time(listens(session)),
        "session_hist_skip_before": len(skips(session)),
        "session_hist_events_before": len(session),
        "session_hist_plays_before": len(listens(session)),
        "session_start_ts": start,
        "item_hist_avg_played_ratio_before": mean_ratio(item),
        "item_hist_track_finished_before": finished(item),
        "user_item_hist_track_finished_before": finished(pair),
        "user_item_hist_last_ts_before": pair_last,
        "user_item_hist_avg_played_ratio_before": mean_ratio(pair),
        "user_item_hist_time_since_last_event_seconds": now - pair_last if pair else None,
        "user_item_hist_time_span_seconds_before": pair_last - pair[0]["timestamp"]
        if pair
        else None,
        "user_item_hist_skip_before": len(skips(pair)),
        "user_item_hist_plays_before": len(listens(pair)),
        "user_item_hist_like_before": likes(pair),
        "artist_hist_avg_played_ratio_before": mean_ratio(artist),
        "artist_hist_track_finished_before": finished(artist),
        "user_artist_hist_plays_before": len(listens(both)),
        "user_artist_hist_track_finished_before": finished(both),
        "user_artist_hist_skip_before": len(skips(both)),
        "user_artist_hist_avg_played_ratio_before": mean_ratio(both),
    }


ARTISTS = pl.LazyFrame(
    {"artist_id": list(ARTIST.values()), "item_id": list(ARTIST)},
    schema={"artist_id": pl.UInt32, "item_id": pl.UInt32},
)


@pytest.mark.parametrize("seed", range(6))
def test_counters_equal_a_slow_loop(seed):
    log = random_log(seed)
    fast = add_counters(log.lazy(), ARTISTS).to_dicts()
    events = log.to_dicts()
    places = [i for i, e in enumerate(events) if e["event_type"] == "listen"]
    assert len(fast) == len(places)
    for row, at in zip(fast, places, strict=True):
        assert row[TARGET] == (events[at]["played_ratio_pct"] >= 95)
        for name, expected in slow_features(events, at).items():
            if expected is None:
                assert row[name] is None, (name, at, row[name])
            else:
                assert math.isclose(row[name], expected, rel_tol=1e-5, abs_tol=1e-5), (name, at)


def test_there_are_27_seminar_features_and_6_of_artists():
    assert len(SEMINAR_COUNTERS) == len(set(SEMINAR_COUNTERS)) == 27
    assert len(ARTIST_COUNTERS) == 6
    assert add_counters(random_log(0).lazy()).columns == [
        "uid",
        "item_id",
        TARGET,
        *SEMINAR_COUNTERS,
    ]


@pytest.mark.parametrize("seed", range(4))
def test_changing_the_future_changes_no_row(seed):
    """Everything from a moment on is replaced; rows before and at it stay as they are."""
    log = random_log(seed)
    border = log["timestamp"][len(log) // 2]
    other = random_log(seed + 100).with_columns(pl.col("timestamp") + border)
    mixed = pl.concat([log.filter(pl.col("timestamp") < border), other]).sort(
        "timestamp", maintain_order=True
    )
    early = pl.col("timestamp") < border
    before = add_counters(log.lazy(), ARTISTS).filter(early)
    after = add_counters(mixed.lazy(), ARTISTS).filter(early)
    assert before.equals(after)


def test_a_row_does_not_see_its_own_outcome():
    log = random_log(1)
    flipped = log.with_columns(
        played_ratio_pct=pl.when(pl.int_range(pl.len()) == len(log) - 1)
        .then(pl.lit(0, dtype=pl.UInt16))
        .otherwise("played_ratio_pct")
    )
    rows, changed = (add_counters(x.lazy(), ARTISTS).drop(TARGET) for x in (log, flipped))
    assert rows.equals(changed)


def all_pairs(rows: pl.DataFrame) -> pl.DataFrame:
    """Every track at every moment of a listen, in an order that is none."""
    moments = rows.select("uid", "timestamp").unique()
    pairs = moments.join(pl.DataFrame({"item_id": list(ARTIST)}), how="cross")
    return pairs.sample(fraction=1, shuffle=True, seed=0)


@pytest.mark.parametrize("seed", range(6))
def test_counters_of_pairs_equal_a_slow_loop(seed):
    """Each pair alone is put into the log as one more listen, and counted by the definitions."""
    log = random_log(seed, n=90)
    pairs = all_pairs(add_counters(log.lazy(), ARTISTS))
    found = counters_of_pairs(log.lazy(), add_counters(log.lazy(), ARTISTS), pairs, ARTISTS)
    assert found.select(pairs.columns).rows() == pairs.rows()
    events = log.to_dicts()
    for row in found.to_dicts():
        asked = {"uid": row["uid"], "timestamp": row["timestamp"], "item_id": row["item_id"]}
        for name, expected in slow_features([*events, asked], len(events)).items():
            if expected is None:
                assert row[name] is None, (name, asked, row[name])
            else:
                assert math.isclose(row[name], expected, rel_tol=1e-5, abs_tol=1e-5), (name, asked)


@pytest.mark.parametrize("artists", [ARTISTS, None])
def test_a_pair_that_was_played_gets_the_counters_of_its_listen(artists):
    log = random_log(3)
    rows = add_counters(log.lazy(), artists)
    pairs = rows.select("uid", "timestamp", "item_id")
    assert counters_of_pairs(log.lazy(), rows, pairs, artists).equals(rows.drop(TARGET))


def test_pairs_see_no_other_pair_and_none_is_no_error():
    log = random_log(4)
    rows = add_counters(log.lazy(), ARTISTS)
    pairs = all_pairs(rows)
    together = counters_of_pairs(log.lazy(), rows, pairs, ARTISTS)
    some = counters_of_pairs(log.lazy(), rows, pairs[5:7], ARTISTS)
    assert some.equals(together[5:7])
    assert counters_of_pairs(log.lazy(), rows, pairs[:0], ARTISTS).equals(together[:0])


def test_a_pair_at_a_moment_without_a_listen_is_refused():
    log = random_log(5)
    rows = add_counters(log.lazy())
    pairs = rows.select("uid", pl.col("timestamp") + 7, "item_id")
    with pytest.raises(LogError, match="at which their listener has no listen"):
        counters_of_pairs(log.lazy(), rows, pairs)
