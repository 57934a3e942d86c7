"""The world: deterministic, true to its own probabilities, every effect switchable."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.util
import os
import re
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
from course_utils.schema import EVENT_SCHEMA, SECONDS_PER_DAY
from course_utils.settings import ROOT
from course_utils.world import names, simulate
from course_utils.world.catalogue import build_catalogue, content_table
from course_utils.world.config import EFFECTS, WORLD_VERSION, WorldConfig, WorldError
from course_utils.world.dynamics import TIME_BIN, Dynamics
from course_utils.world.env import RadioEnv, play_episode, popularity_policy, random_policy
from course_utils.world.listeners import build_listeners
from course_utils.world.numeric import softmax
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


GOLDEN = {3: "cec0c2fce5b75fe5"}
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
    write_world(dataclasses.replace(SMALL, n_listeners=150, listens_per_listener=400), tmp_path)
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
    assert not listens.select(keys).is_duplicated().any()
    assert log.select("timestamp", "uid", "item_id").equals(
        log.select("timestamp", "uid", "item_id").sort(pl.all())
    ), "the order inside a bin tells nothing"
    assert (log["timestamp"] % TIME_BIN == 0).all()
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


@dataclasses.dataclass
class World:
    """A world at its first listens; that of another effect has the same draws."""

    config: WorldConfig

    def __post_init__(self):
        self.catalogue = build_catalogue(self.config)
        self.listeners = build_listeners(self.config, self.catalogue)

    def start(self) -> Dynamics:
        """Everybody before the first listen, on a day on which most tracks are out."""
        state = Dynamics(self.config, self.catalogue, self.listeners, np.random.default_rng(0))
        state.now[:] = 30 * SECONDS_PER_DAY + 12 * 3_600
        return state

    def logit(self, track=7, organic=False, **states) -> np.ndarray:
        """(B,) logit of a full play of `track` after these states were set."""
        state = self.start()
        for name, value in states.items():
            getattr(state, name)[:] = value
        tracks = np.broadcast_to(track, len(state))
        p = state.full_play_probability(tracks, np.full(len(state), organic))[0].clip(1e-6)
        return np.log(p / (1 - p))

    def heard(self, plays: int, ago: int = 10**6, track: int = 7) -> np.ndarray:
        """(B,) logit for a track heard `plays` times, the last time `ago` seconds ago."""
        state = self.start()
        state.item[:, 0], state.plays[:, 0], state.steps = track, plays, min(plays, 1)
        state.time[:, 0] = state.now - ago
        tracks = np.full(len(state), track)
        p = state.full_play_probability(tracks, np.zeros(len(state), bool))[0].clip(1e-6)
        return np.log(p / (1 - p))


def concentration(world: World) -> float:
    """Share of the choices that fall on the most chosen hundredth of the tracks."""
    state = world.start()
    track = np.concatenate([state.choose()[0] for _ in range(20)])
    counts = np.sort(np.bincount(track, minlength=world.catalogue.n_tracks))[::-1]
    return counts[: len(counts) // 100].sum() / counts.sum()


def liking_what_fits(world: World) -> float:
    """Logit of those whom a track fits best minus those whom it fits least, over 20 tracks."""
    state = world.start()
    gaps = []
    for track in range(0, world.catalogue.n_tracks, world.catalogue.n_tracks // 20):
        fit = state.affinity(np.full(len(state), track))
        rest = world.logit(track) - world.listeners.patience
        order, quarter = np.argsort(fit), len(state) // 4
        gaps.append(rest[order[-quarter:]].mean() - rest[order[:quarter]].mean())
    return float(np.mean(gaps))


def the_interest_of_the_session(world: World) -> float:
    """What it brings that a track fits the present interest rather than another of the same."""
    two = np.isfinite(world.listeners.weight_start[:, 1])
    near = (world.catalogue.vector @ world.listeners.interests[:, 0].T).argmax(axis=0)
    return float((world.logit(near, mood=0) - world.logit(near, mood=1))[two].mean())


def choices_of_the_session(world: World) -> float:
    """How much better what is chosen fits the present interest than another of the same people."""
    two = np.isfinite(world.listeners.weight_start[:, 1])
    fit = []
    for mood in (0, 1):
        state = world.start()
        state.mood[:], state.in_own_library[:] = mood, True
        chosen = [world.catalogue.vector[state.choose()[0]] for _ in range(20)]
        fit.append((np.mean(chosen, axis=0) * world.listeners.interests[:, 0]).sum(axis=1))
    return float((fit[0] - fit[1])[two].mean())


def the_energy_of_the_session(world: World) -> float:
    """What a track loses whose energy is two away from the session's."""
    energy = world.catalogue.energy[7]
    return float((world.logit(target_energy=energy) - world.logit(target_energy=energy + 2)).mean())


def rise_with_first_plays(world: World) -> float:
    """Where the best of 1 … 40 plays stands above a track never heard."""
    curve = [world.heard(plays).mean() for plays in range(41)]
    return max(curve) - curve[0]


def fall_with_many_plays(world: World) -> float:
    """How far a track heard 40 times has fallen below the best, which comes near the fourth."""
    curve = [world.heard(plays).mean() for plays in range(41)]
    assert np.ptp(curve) < 1e-6 or 2 <= int(np.argmax(curve)) <= 6
    return max(curve) - curve[40]


def an_early_replay(world: World) -> float:
    """What a replay after ten minutes loses against one after twelve days."""
    return float((world.heard(3) - world.heard(3, ago=600)).mean())


def after_a_skip(world: World) -> float:
    """What a skip takes from the next track of the session, against a full play."""
    logits, stayed = [], True
    for full in (True, False):
        state = world.start()
        b = len(state)
        memory = np.ones(b, int), np.zeros(b, np.int8)
        ended = state.advance(np.full(b, 3), np.full(b, full), np.full(b, 100), *memory)
        p = state.full_play_probability(np.full(b, 7), np.zeros(b, bool))[0]
        logits.append(np.log(p / (1 - p)))
        stayed = stayed & ~ended
    return float((logits[0] - logits[1])[stayed].mean())


def hours_kept(world: World) -> float:
    """Length, 0 to 1, of the mean vector of the hours at which people come, from their own peak."""
    state = Dynamics(world.config, world.catalogue, world.listeners, np.random.default_rng(0))
    hour = state.now % SECONDS_PER_DAY / 3_600 - world.listeners.peak_hour
    return float(abs(np.exp(2j * np.pi * hour / 24).mean()))


def _night(world: World) -> np.ndarray:
    """(B,) logit at one at night minus one by day."""
    night, day = (30 * SECONDS_PER_DAY + hour * 3_600 for hour in (1, 13))
    return world.logit(target_energy=0, now=night) - world.logit(target_energy=0, now=day)


def patience_at_night(world: World) -> float:
    """What the night adds to the logit."""
    return float(_night(world).mean())


def movement_of_popularity(world: World) -> float:
    """Share of the plays that would have to move to make the last week the first again."""
    old = world.catalogue.release < -14 * SECONDS_PER_DAY
    first, last = (world.catalogue.weekly_popularity(t)[old] for t in (0, 10**9))
    return float(np.abs(first / first.sum() - last / last.sum()).sum() / 2)


def movement_of_interests(world: World) -> float:
    """Mean share of a listener's interests that differ between the two ends of the log."""
    state, shares = world.start(), []
    for now in (0, state.horizon):
        state.now[:] = now
        shares.append(softmax(state._interest_logits(slice(None))))
    return float(np.abs(shares[0] - shares[1]).sum(axis=1).mean() / 2)


def radio_that_knows(world: World) -> float:
    """Mean product of what the radio plays with what it has learned, per unit of the latter."""
    state = world.start()
    state.profile[:] = 0.6 * world.listeners.interests[:, 0]
    state.in_own_library[:] = False
    fit = [
        (world.catalogue.vector[state.choose()[0]] * world.listeners.interests[:, 0]).sum(axis=1)
        for _ in range(20)
    ]
    return float(np.mean(fit)) - float(
        (world.catalogue.style_vector @ world.listeners.interests[:, 0].T).mean()
    )


def sooner_back(world: World) -> float:
    """Share of the time until the next session that the satisfied save against the others."""
    back = []
    for satisfaction in (0.9, 0.1):
        state = world.start()
        before = state.now.copy()
        state.satisfaction[:] = satisfaction
        state._end_sessions(np.ones(len(state), bool))
        back.append(float((state.now - before).mean()))
    return 1 - back[0] / back[1]


def staying(world: World) -> float:
    """Share who leave after nothing but skips minus those who leave after none."""
    shares = []
    for skipping, full in ((1.0, False), (0.0, True)):
        state = world.start()
        b = len(state)
        state.skipping[:] = skipping
        memory = np.ones(b, int), np.zeros(b, np.int8)
        ended = state.advance(np.full(b, 3), np.full(b, full), np.full(b, 100), *memory)
        shares.append(float(ended.mean()))
    return shares[0] - shares[1]


def _spread(difference: np.ndarray) -> float:
    """Standard deviation between listeners, the outermost hundredth left out at each end."""
    return float(np.sort(difference)[len(difference) // 100 : -(len(difference) // 100)].std())


def differences_in_tiring(world: World) -> float:
    """Spread of what a first play changes for the second."""
    return _spread(world.heard(1) - world.heard(0))


def differences_in_grudge(world: World) -> float:
    """Spread of what skips take."""
    return _spread(world.logit(skipping=0.0) - world.logit(skipping=0.5))


def differences_in_trust(world: World) -> float:
    """Spread of what one's own choice adds."""
    return _spread(world.logit(organic=True) - world.logit())


def differences_at_night(world: World) -> float:
    """Spread of what the night adds."""
    return _spread(_night(world))


DIRECTIONS = {
    "popularity": {concentration: (0.2, 0.12)},
    "taste": {liking_what_fits: (1.0, 0.05)},
    "mood": {
        the_interest_of_the_session: (0.3, 1e-6),
        choices_of_the_session: (0.3, 0.05),
        the_energy_of_the_session: (0.9, 1e-6),
    },
    "familiarity": {rise_with_first_plays: (0.5, 1e-6), fall_with_many_plays: (1.0, 1e-6)},
    "satiation": {an_early_replay: (1.0, 1e-6)},
    "skip_momentum": {after_a_skip: (0.5, 1e-6)},
    "daily_rhythm": {hours_kept: (0.3, 0.1), patience_at_night: (0.5, 1e-6)},
    "drift": {movement_of_popularity: (0.15, 1e-6), movement_of_interests: (0.05, 1e-6)},
    "policy": {radio_that_knows: (0.1, 0.03)},
    "retention": {sooner_back: (0.4, 1e-6), staying: (0.05, 1e-6)},
    "individuality": {
        differences_in_tiring: (0.5, 1e-4),
        differences_in_grudge: (0.3, 1e-4),
        differences_in_trust: (0.4, 1e-4),
        differences_at_night: (0.5, 1e-4),
    },
}
"""By effect: what is measured, its least value with the effect on, and its largest with it off."""

QUIET = {
    "familiarity": ("individuality",),  # curiosity, too, tells first plays from later ones
    "daily_rhythm": ("drift",),  # interests move in half a day, a little
    "individuality": ("drift",),
}
"""By effect: others that would blur the measure; they are off in both worlds of the pair."""

BUSY = WorldConfig(n_listeners=2_000, n_tracks=3_000, days=168, listens_per_listener=300)


@functools.cache
def world_without(*effects: str) -> World:
    return World(BUSY.switch_off(*effects))


@pytest.mark.parametrize("effect", EFFECTS)
def test_every_effect_does_what_it_says_and_nothing_when_off(effect):
    """The same listeners, tracks and draws, once with the effect and once without."""
    for measure, (least, most) in DIRECTIONS[effect].items():
        quiet = QUIET.get(effect, ())
        on, off = (measure(world_without(*quiet, *more)) for more in ((), (effect,)))
        assert on >= least and abs(off) <= most, f"{measure.__name__}: on {on:.4f}, off {off:.6f}"


def test_a_pair_of_worlds_differs_in_the_effect_only():
    """Catalogue and listeners are the same, but for the traits that carry the effect."""
    carried = {
        "popularity": {"popularity", "cumulative", "interests"},
        "drift": {"cumulative", "weight_end"},
        "individuality": {"curiosity", "wear", "grudge", "trust", "night"},
    }
    on = world_without()
    for effect in EFFECTS:
        off = world_without(effect)
        for one, two in ((on.catalogue, off.catalogue), (on.listeners, off.listeners)):
            for field in {f.name for f in dataclasses.fields(one)} - carried.get(effect, set()):
                assert np.array_equal(getattr(one, field), getattr(two, field)), (effect, field)


def test_the_log_of_a_processor_without_vector_units_is_the_same(on, tmp_path):
    """Other kernels of BLAS and numpy round the last bit otherwise; it must decide nothing."""
    from numpy._core._multiarray_umath import __cpu_dispatch__

    plain = {"OPENBLAS_CORETYPE": "Nehalem", "NPY_DISABLE_CPU_FEATURES": " ".join(__cpu_dispatch__)}
    code = (
        "import sys; from pathlib import Path; from course_utils.world.config import WorldConfig; "
        "from course_utils.world.simulate import write_world; "
        f"write_world({SMALL!r}, Path(sys.argv[1]), progress=False)"
    )
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(tmp_path)],
        check=True,
        env=os.environ | plain,
    )
    there = [pl.read_parquet(tmp_path / name / "*.parquet") for name in ("log", "truth")]
    assert there[0].equals(on[0]) and there[1].equals(on[1])
    vectors = content_table(SMALL, build_catalogue(SMALL))
    assert pl.read_parquet(tmp_path / "embeddings.parquet").equals(vectors)


def test_somebody_and_something_is_new_in_every_quarter(tiny_log, tiny_config):
    """Listeners arrive and tracks come out until the end, also in the last weeks."""
    listens = tiny_log.events.filter(pl.col("event_type") == "listen").collect()
    quarter = tiny_config.days * SECONDS_PER_DAY / 4
    listeners = build_listeners(tiny_config, build_catalogue(tiny_config))
    arrival = dict(zip(listeners.uid, listeners.arrival, strict=True))
    first = listens.group_by("uid").agg(pl.col("timestamp").min())
    assert all(time >= arrival[uid] // TIME_BIN * TIME_BIN for uid, time in first.iter_rows())
    assert np.bincount((first["timestamp"].to_numpy() // quarter).astype(int)).min() >= 8
    release = build_catalogue(tiny_config).release
    assert np.histogram(release[release >= 0], bins=4, range=(0, 4 * quarter))[0].min() >= 20


def test_feedback_comes_in_a_later_bin_than_its_listen(tiny_log):
    """Never in the same: a counter of likes would tell the outcome."""
    log = tiny_log.events.collect()
    listens = log.filter(pl.col("event_type") == "listen").with_columns(start="timestamp")
    told = log.filter(pl.col("event_type") != "listen").drop("track_length_seconds")
    pairs = told.join_asof(
        listens.select("uid", "item_id", "timestamp", "start", "track_length_seconds"),
        on="timestamp",
        by=["uid", "item_id"],
        allow_exact_matches=False,
        check_sortedness=False,
    )
    after = pairs["timestamp"].cast(pl.Int64) - pairs["start"]
    assert after.null_count() == 0 and after.min() >= TIME_BIN
    assert (after <= pairs["track_length_seconds"] + TIME_BIN).all()
    assert log["timestamp"].max() < tiny_log.world.days * SECONDS_PER_DAY


def test_no_listen_is_in_the_log_twice(tmp_path):
    """Two tracks for everybody: the same one is often started again within seconds."""
    few = WorldConfig(
        n_listeners=20,
        n_tracks=2,
        n_genres=1,
        styles_per_genre=1,
        days=28,
        listens_per_listener=300,
    )
    log, truth = written(few, tmp_path / "few")
    listens = log.filter(pl.col("event_type") == "listen")
    keys = ["timestamp", "uid", "item_id"]
    assert not listens.select(keys).is_duplicated().any()
    assert listens.select("timestamp", "uid").is_duplicated().any(), "ties there are, as in life"
    assert listens.select(keys).equals(truth.select(keys))


def test_the_datasheet_has_a_calibration_within_its_ranges():
    name = "calibration"
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    calibration = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(calibration)
    page = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    printed = page.partition("<!-- calibration -->")[2].partition("<!-- /calibration -->")[0]
    rows = [[c.strip() for c in row.split("|")[1:-1]] for row in printed.strip().splitlines()[2:]]
    assert [(r[0], r[1], r[3]) for r in rows] == [
        (f.name, f.published, f.range()) for f in calibration.FIGURES
    ]
    values = [float(r[2].strip("%").replace(",", "")) / (100 if "%" in r[2] else 1) for r in rows]
    assert not calibration.outside(values)
    broken = calibration.outside([0.0] * len(values))
    assert any(sentence.startswith("listens per session, mean: 0.0") for sentence in broken)


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
    assert 0.77 < vectors.height / tiny_config.n_tracks < 0.87, "some tracks have no vector"
    assert np.isfinite(vectors["embed"].to_numpy()).all()
    assert texts["text"].str.contains("bpm").all()
    release = dict(
        zip(build_catalogue(tiny_config).item_id, build_catalogue(tiny_config).release, strict=True)
    )
    first = events.group_by("item_id").agg(pl.col("timestamp").min())
    assert all(time >= release[item] for item, time in first.iter_rows())


def test_what_a_sentence_says_of_a_track_can_be_read_from_it():
    told = {"artist": "Nova & the Kites", "style": "dub techno", "genre": "hip-hop"}
    text = names.describe(title="By Now: a Song", energy=1.0, valence=-1.0, bpm=98, **told)
    read = {what: re.search(how, text)[1] for what, how in names.TEXT_PATTERNS.items()}
    assert read == told | {"style": "dub techno hip-hop"}


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
