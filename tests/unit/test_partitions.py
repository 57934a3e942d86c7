"""Counters a partition at a time: the same rows as at once, whoever deals them out."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import ray

from course_utils import __main__ as command_line
from course_utils.data.counters import add_counters
from course_utils.data.log import Log, open_log
from course_utils.scale import with_ray
from course_utils.scale.partitions import MOST_EVENTS, dealt_out, write_counters
from course_utils.schema import LogError


def written(folder) -> pl.DataFrame:
    rows = pl.read_parquet(folder / "part-*.parquet").sort("_row")
    return rows.drop("_row")


def test_the_parts_are_the_whole(tmp_path, tiny_log):
    whole = add_counters(tiny_log.events, tiny_log.artists)
    for n_partitions in (1, 3, 400):
        target = tmp_path / str(n_partitions)
        assert write_counters(tiny_log, target, n_partitions) == len(whole)
        assert written(target).equals(whole)
    files = list((tmp_path / "400").iterdir())
    assert len(files) <= tiny_log.events.select(pl.col("uid").n_unique()).collect().item()


def test_without_artists_the_tracks_are_dealt_out(tmp_path, tiny_log):
    bare = Log("bare", tiny_log.events)
    write_counters(bare, tmp_path / "counters", 5)
    assert written(tmp_path / "counters").equals(add_counters(bare.events))


def test_tracks_without_an_artist_stay_together(tmp_path, tiny_log):
    some = tiny_log.artists.filter(pl.col("artist_id") % 3 > 0)
    log = Log("some", tiny_log.events, artists=some)
    write_counters(log, tmp_path / "counters", 7)
    assert written(tmp_path / "counters").equals(add_counters(log.events, some))


def test_listeners_who_never_listen_have_no_rows(tmp_path, tiny_log):
    likes = tiny_log.events.filter((pl.col("event_type") != "listen") | (pl.col("uid") % 2 == 0))
    log = Log("likes", likes)
    assert write_counters(log, tmp_path / "counters", 50) == len(add_counters(likes))
    assert written(tmp_path / "counters").equals(add_counters(likes))


def test_rows_keep_their_order_and_their_company():
    rows = pl.DataFrame({"uid": [3, None, 3, 5, None, 7], "n": range(6)})
    parts = [part for _, part in dealt_out(rows, "uid", 4)]
    assert sum(map(len, parts)) == len(rows)
    assert all(part["n"].is_sorted() for part in parts)
    assert all(
        part.filter(pl.col("uid").eq_missing(uid)).height in (0, rows["uid"].eq_missing(uid).sum())
        for part in parts
        for uid in (3, 5, 7, None)
    )


def test_what_cannot_be_is_said(tmp_path, tiny_log):
    with pytest.raises(LogError, match="at least 1 partition, not 0"):
        write_counters(tiny_log, tmp_path / "counters", 0)
    (tmp_path / "full").mkdir()
    with pytest.raises(LogError, match="name a folder that is not"):
        write_counters(tiny_log, tmp_path / "full")
    assert list(tmp_path.iterdir()) == [tmp_path / "full"]


def test_more_events_than_polars_numbers_are_refused(tmp_path, tiny_log, monkeypatch):
    n = tiny_log.events.select(pl.len()).collect().item()
    monkeypatch.setattr("course_utils.scale.partitions.MOST_EVENTS", n - 1)
    with pytest.raises(LogError, match=rf"{n:,} events, .* {n - 1:,} rows at most.*polars\[rt64\]"):
        write_counters(tiny_log, tmp_path / "counters")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("course_utils.scale.partitions.MOST_EVENTS", n)
    write_counters(tiny_log, tmp_path / "counters", 3)


def test_the_limit_is_that_of_the_installed_polars():
    numbers = pl.DataFrame({"a": [0]}).with_row_index("_row")["_row"].dtype
    assert {pl.UInt32: 2**32 - 2, pl.UInt64: 2**64 - 2}[numbers] == MOST_EVENTS


def test_nothing_appears_before_all_is_written(tmp_path, tiny_log, monkeypatch):
    def fails(rows):
        raise OSError("no space left")

    monkeypatch.setattr("course_utils.scale.partitions.count_listeners", fails)
    with pytest.raises(OSError, match="no space left"):
        write_counters(tiny_log, tmp_path / "counters", 3)
    assert list(tmp_path.iterdir()) == []


def test_the_command_line(tmp_path, capsys):
    asked = ["counters", "movielens", "--to", str(tmp_path / "counters")]
    assert command_line.main(asked) == 0
    log = open_log("movielens")
    assert f"{len(add_counters(log.events)):,} listens" in capsys.readouterr().out
    assert command_line.main(asked) == 1
    assert "this is there already" in capsys.readouterr().err


def test_without_ray_the_command_says_what_to_install(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    monkeypatch.delitem(__import__("sys").modules, "course_utils.scale.with_ray", raising=False)
    asked = ["counters", "movielens", "--to", str(tmp_path / "counters")]
    assert command_line.main([*asked, "--engine", "ray"]) == 1
    assert "pip install -e '.[scale]'" in capsys.readouterr().err


# Ray


@pytest.fixture(scope="module")
def cluster():
    """Two workers, no less urgent than the other tests beside them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_worker_niceness", "0")
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        yield
        ray.shutdown()


@pytest.mark.usefixtures("cluster")
def test_ray_deals_out_what_polars_does(tmp_path, tiny_log):
    whole = add_counters(tiny_log.events, tiny_log.artists)
    assert write_counters(tiny_log, tmp_path / "counters", 3, engine="ray") == len(whole)
    assert written(tmp_path / "counters").equals(whole)
    assert {path.suffix for path in (tmp_path / "counters").iterdir()} == {".parquet"}


def dying_once(count: Callable, marker: Path) -> Callable:
    """The same function; the first process that calls it is killed before it has begun."""

    def counted(*arguments: Any) -> Any:
        try:
            marker.touch(exist_ok=False)
        except FileExistsError:
            return count(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    return counted


@pytest.mark.usefixtures("cluster")
def test_workers_that_die_cost_time_and_no_rows(tmp_path, tiny_log, monkeypatch):
    killed = {name: tmp_path / name for name in ("count_catalogue", "count_listeners")}
    for name, marker in killed.items():
        monkeypatch.setattr(with_ray, name, dying_once(getattr(with_ray, name), marker))
    write_counters(tiny_log, tmp_path / "counters", 3, engine="ray")
    assert all(marker.exists() for marker in killed.values())
    assert written(tmp_path / "counters").equals(add_counters(tiny_log.events, tiny_log.artists))
