"""The world: deterministic, true to its own probabilities, every effect switchable."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
import torch
from gymnasium.utils.env_checker import check_env

from course_utils.data.counters import TARGET, add_counters
from course_utils.data.log import open_log
from course_utils.data.sources.files import read_table
from course_utils.evaluation import pointwise
from course_utils.schema import EVENT_SCHEMA
from course_utils.world import simulate
from course_utils.world.catalogue import build_catalogue
from course_utils.world.config import EFFECTS, WORLD_VERSION, WorldConfig, WorldError
from course_utils.world.dynamics import Dynamics, familiarity, satiation
from course_utils.world.env import RadioEnv, play_episode, popularity_policy, random_policy
from course_utils.world.listeners import build_listeners
from course_utils.world.simulate import write_world

SMALL = WorldConfig(n_listeners=60, n_tracks=600, days=42, listens_per_listener=60)


def written(config: WorldConfig, folder) -> tuple[pl.DataFrame, pl.DataFrame]:
    folder.mkdir()
    write_world(config, folder, progress=False)
    return tuple(pl.read_parquet(folder / name / "*.parquet") for name in ("log", "truth"))


@pytest.fixture(scope="module")
def on(tmp_path_factory) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Log and truth of the small world with all effects."""
    return written(SMALL, tmp_path_factory.mktemp("world") / "on")


GOLDEN = {1: "cf77f17f31c0f73f"}
"""Digest of the log of `SMALL` by `WORLD_VERSION`: another digest needs another version."""


def test_the_version_stands_for_a_log(on):
    whole = on[0].with_columns(pl.col("event_type").to_physical()).cast(pl.Int64).fill_null(-1)
    digest = hashlib.sha256(whole.to_numpy().astype("<i8").tobytes()).hexdigest()[:16]
    assert digest == GOLDEN[WORLD_VERSION]


class Bar:
    """Stands in for tqdm and notes what it is told."""

    def __init__(self, total, **kwargs):
        self.total, self.at = total, [0.0]
        Bar.last = self

    def update(self, n):
        self.at.append(self.at[-1] + n)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


@pytest.mark.parametrize("cells", [1, 3_000_000])
def test_progress_follows_simulated_time(tmp_path, monkeypatch, cells):
    """Many blocks or one: the bar moves in small steps from the beginning to the end."""
    monkeypatch.setattr(simulate, "tqdm", Bar)
    monkeypatch.setattr(simulate, "CELLS_PER_BLOCK", cells)
    write_world(dataclasses.replace(SMALL, n_listeners=150, listens_per_listener=200), tmp_path)
    steps = np.diff(Bar.last.at)
    assert (steps >= 0).all() and steps.max() < 0.05 * Bar.last.total
    assert Bar.last.at[-1] == pytest.approx(Bar.last.total)


IMPORTS = """
import sys
import course_utils.schema
print(sorted(m for m in sys.modules if m.startswith("course_utils.")))
from course_utils.data.log import open_log
open_log(sys.argv[1])
heavy = {"gymnasium", "torch", "catboost", "matplotlib", "huggingface_hub", "pandas"}
print(sorted(heavy & set(sys.modules)))
"""


def test_what_is_imported_to_open_a_log(tiny_log):
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, tiny_log.name], capture_output=True, text=True, check=True
    )
    assert done.stdout == "['course_utils.schema']\n[]\n"


def test_the_same_seed_writes_the_same_log(on, tmp_path):
    one, two = on, written(SMALL, tmp_path / "2")
    other = written(dataclasses.replace(SMALL, seed=1), tmp_path / "3")
    assert one[0].equals(two[0]) and one[1].equals(two[1])
    assert not one[0].equals(other[0])


def test_the_log_keeps_the_schema_and_the_truth_stays_beside_it(tiny_log):
    log, truth = tiny_log.events.collect(), tiny_log.truth.collect()
    assert dict(log.schema) == EVENT_SCHEMA
    assert log["timestamp"].is_sorted()
    assert not {"probability", "propensity"} & set(log.columns)
    listens = log.filter(pl.col("event_type") == "listen")
    keys = ["uid", "timestamp", "item_id"]
    assert listens.select(keys).equals(truth.select(keys))
    assert listens["played_ratio_pct"].null_count() == 0
    assert not listens.select("uid", "timestamp").is_duplicated().any()
    radio = listens["is_organic"] == 0
    assert (truth["propensity"].is_not_null() == radio).all()
    assert truth["propensity"].drop_nulls().is_between(0, 1, closed="right").all()


def test_parts_of_a_large_log_are_in_order_of_time(on, tmp_path, monkeypatch):
    monkeypatch.setattr("course_utils.world.simulate.EVENTS_PER_PART", 1_000)
    parts, _ = written(SMALL, tmp_path / "parts")
    assert len(list((tmp_path / "parts" / "log").iterdir())) == 4
    assert parts.equals(on[0])


def test_names_of_a_thousand_parts_sort_in_order_of_time(tmp_path):
    table = pl.DataFrame({"timestamp": [10_010, 20, 9_990], "uid": 1, "item_id": 1})
    simulate._scatter(table, tmp_path / "pieces", 0, width=10, n_parts=1_002)
    simulate._gather(tmp_path / "pieces", tmp_path / "log")
    assert read_table(tmp_path / "log").collect()["timestamp"].is_sorted()


def test_outcomes_match_the_true_probabilities_in_every_decile(tiny_log):
    listens = tiny_log.events.filter(pl.col("event_type") == "listen").collect()
    p = torch.from_numpy(tiny_log.truth.collect()["probability"].to_numpy().copy()).double()
    full = torch.from_numpy((listens["played_ratio_pct"] >= 95).to_numpy().copy()).float()
    curve = pointwise.calibration(torch.logit(p.clamp(1e-6, 1 - 1e-6)), full)
    assert ((curve["observed"] - curve["predicted"]).abs() < 4 * curve["error"] + 0.005).all()


def test_no_model_beats_the_oracle(tiny_log):
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows = add_counters(tiny_log.events, tiny_log.artists)
    p = tiny_log.truth.collect()["probability"].to_numpy()
    x, y = rows.drop("uid", "item_id", TARGET).to_numpy(), rows[TARGET].to_numpy()
    border = int(0.8 * len(y))
    model = HistGradientBoostingClassifier(max_iter=100).fit(x[:border], y[:border])
    guess = torch.from_numpy(model.predict_proba(x[border:])[:, 1])
    target = torch.from_numpy(y[border:].astype(np.float32))
    oracle = pointwise.roc_auc(torch.from_numpy(p[border:].copy()), target)
    assert 0.6 < pointwise.roc_auc(guess, target) < oracle


@pytest.mark.parametrize("effect", EFFECTS)
def test_every_effect_can_be_switched_off_and_matters(effect, on, tmp_path):
    off, _ = written(SMALL.switch_off(effect), tmp_path / "off")
    assert not on[0].equals(off)


def test_effects_do_what_they_say(tmp_path):
    """Each switched-off effect removes its trace from the true probabilities or the log."""
    assert familiarity(np.array([0.0])) == 0
    curve = familiarity(np.arange(0, 60))
    assert 2 <= curve.argmax() <= 6 and curve[-1] < 0, "an inverted U"
    assert satiation(np.array([np.inf])) == 0
    assert (np.diff(satiation(np.arange(0, 10**6, 10**4))) > 0).all()


def _respond(config: WorldConfig, prepare) -> np.ndarray:
    catalogue = build_catalogue(config)
    dynamics = Dynamics(
        config, catalogue, build_listeners(config, catalogue), np.random.default_rng(0)
    )
    track = np.arange(len(dynamics))
    prepare(dynamics)
    return dynamics.full_play_probability(track, np.zeros(len(dynamics), bool))[0]


@pytest.mark.parametrize(
    ("effect", "change"),
    [
        ("skip_momentum", lambda d: d.skipping.fill(1.0)),
        ("mood", lambda d: d.target_energy.fill(5.0)),
        ("daily_rhythm", lambda d: d.now.__iadd__(6 * 3_600)),
        ("drift", lambda d: d.now.__iadd__(24 * 3_600 * 30)),
    ],
)
def test_an_effect_that_is_off_leaves_no_trace_in_the_truth(effect, change):
    """The state that carries the effect moves the probability only while the effect is on."""
    quiet = {"drift", "daily_rhythm"} - {effect}
    base = SMALL.switch_off(*quiet)
    for config, moves in [(base, True), (base.switch_off(effect), False)]:
        still, moved = _respond(config, lambda d: None), _respond(config, change)
        assert np.allclose(still, moved) is not moves


def test_a_wrong_configuration_is_refused():
    for bad in [
        {"days": 0},
        {"n_tracks": 5},
        {"without": ("x",)},
        {"listens_per_listener": 0},
        {"seed": -1},
        {"days": 10**6},
        {"listens_per_listener": float("inf")},
    ]:
        with pytest.raises(WorldError):
            WorldConfig(**bad)
    with pytest.raises(WorldError, match="unknown effect"):
        WorldConfig().has("gravity")


def test_the_tables_of_tracks(tiny_log, tiny_config):
    events = tiny_log.events.collect()
    texts, vectors = tiny_log.texts.collect(), tiny_log.vectors.collect()
    assert texts.height == tiny_config.n_tracks
    assert set(events["item_id"]) <= set(texts["item_id"])
    assert 0.85 < vectors.height / tiny_config.n_tracks < 0.97, "some tracks have no vector"
    assert np.isfinite(vectors["embed"].to_numpy()).all()
    assert texts["text"].str.contains("bpm").all()
    release = dict(
        zip(build_catalogue(tiny_config).item_id, build_catalogue(tiny_config).release, strict=True)
    )
    first = events.group_by("item_id").agg(pl.col("timestamp").min())
    assert all(time >= release[item] for item, time in first.iter_rows())


def test_propensities_are_those_of_the_policy(tiny_config):
    """Draw many radio choices for one state: frequencies of styles match the stated chances."""
    catalogue = build_catalogue(tiny_config)
    one = build_listeners(tiny_config, catalogue).take(np.zeros(20_000, int))
    one.organic[:] = 0.0
    dynamics = Dynamics(tiny_config, catalogue, one, np.random.default_rng(0))
    dynamics.now[:] = 40 * 86_400
    dynamics.profile[:] = catalogue.style_vector[3]
    dynamics.in_own_library[:] = False
    track, organic, propensity = dynamics.choose()
    assert not organic.any()
    chances = dynamics.policy_styles()[0]
    seen = np.bincount(catalogue.style[track], minlength=catalogue.n_styles) / len(track)
    assert np.abs(seen - chances).max() < 5 * np.sqrt(chances.max() / len(track))
    # Σ over tracks of 1 / propensity × indicator estimates the number of tracks that can be played.
    possible = (catalogue.weekly_popularity(40 * 86_400) > 0).sum()
    assert np.unique(track).size <= possible
    best, counts = np.unique(track, return_counts=True)
    top = best[counts.argmax()]
    stated = propensity[track == top][0]
    assert abs(counts.max() / len(track) - stated) < 5 * np.sqrt(stated / len(track))


def test_the_environment_follows_gymnasium():
    env = RadioEnv(SMALL)
    check_env(env, skip_render_check=True)
    with pytest.raises(WorldError, match="reset"):
        RadioEnv(SMALL).step(0)
    env.reset(seed=0)
    with pytest.raises(WorldError, match="not a track"):
        env.step(SMALL.n_tracks)
    with pytest.raises(WorldError, match="not among"):
        env.reset(options={"listener": 999})


def test_policies_in_the_environment():
    env = RadioEnv(dataclasses.replace(SMALL, n_listeners=200, n_tracks=2_000))
    rates = {}
    for policy in (random_policy, popularity_policy):
        results = [play_episode(env, policy, seed, steps=200) for seed in range(40)]
        rates[policy] = sum(r for r, _ in results) / sum(n for _, n in results)
    assert 0.05 < rates[random_policy] < rates[popularity_policy] < 0.9
    assert play_episode(env, random_policy, 7, 100) == play_episode(env, random_policy, 7, 100)


def test_the_oracle_of_the_environment_is_true():
    env = RadioEnv(SMALL)
    rng, expected, got = np.random.default_rng(0), [], []
    for seed in range(30):
        env.reset(seed=seed)
        for _ in range(60):
            track = int(rng.choice(np.flatnonzero(env.catalogue.release < 0)))
            _, reward, over, _, info = env.step(track)
            expected.append(info["probability"])
            got.append(reward)
            if over:
                break
    error = np.sqrt(np.mean(np.array(expected) * (1 - np.array(expected))) / len(got))
    assert abs(np.mean(expected) - np.mean(got)) < 4 * error


def test_a_log_with_an_effect_off_opens_by_name():
    log = open_log("sim:n_listeners=20,listens_per_listener=20,n_tracks=400,days=28,without=mood")
    assert log.world.without == ("mood",)
