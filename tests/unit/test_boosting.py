"""CatBoost as a rival: its search, its pools, and what its memory is measured with."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from course_utils import train
from course_utils.evaluation.boosting import (
    MOST_TRIALS,
    BoostTrial,
    Setting,
    boost,
    climb,
    enter,
    peak_memory,
)


@pytest.mark.parametrize(
    "best", [Setting(10, 0.025, 1.0, 0), Setting(4, 0.8, 3.0, 3), Setting(6, 0.1, 27.0, 1)]
)
def test_the_search_walks_beyond_its_first_steps(best):
    def attempt(one: Setting) -> BoostTrial:
        away = [
            abs(one.depth - best.depth),
            abs(np.log2(one.rate / best.rate)),
            abs(np.log(one.l2 / best.l2)),
            abs(one.ids - best.ids),
        ]
        return BoostTrial(one, float(sum(away)), 1, 0.0)

    trials = climb(attempt, Setting())
    found = min(trials, key=lambda trial: trial.valid_loss)
    assert found.valid_loss == pytest.approx(0) and len(trials) <= MOST_TRIALS
    settings = [trial.setting for trial in trials]
    assert len(set(settings)) == len(settings), "no setting is tried twice"


def test_the_search_leaves_alone_what_it_may_not_change():
    def attempt(one: Setting) -> BoostTrial:
        return BoostTrial(one, abs(one.rate - 0.2) + one.depth - one.ids, 1, 0.0)

    trials = climb(attempt, Setting(ids=0), ["rate", "depth"])
    assert {(trial.setting.ids, trial.setting.l2) for trial in trials} == {(0, Setting().l2)}
    assert len({trial.setting.depth for trial in trials}) > 1


@pytest.mark.parametrize("tune", [False, True])
@pytest.mark.parametrize("start", [None, Setting(4, 0.4, 9.0, 0)])
def test_the_trials_begin_where_they_are_told_to(tune, start):
    torch.manual_seed(0)
    batch = {"numbers": torch.randn(200, 2), "target": torch.randint(0, 2, (200,)).float()}
    kept: dict = {}
    tuned = SimpleNamespace(others=kept, keep_other=kept.__setitem__)
    contest = SimpleNamespace(tune=tune, tuned=tuned, seed=0, scores={})
    parts = dict.fromkeys(("train", "test"), batch)
    parts["validation"] = {**batch, "target": batch["target"].flip(0)}
    fitted = enter(contest, "one", parts, start=start)
    first = start or Setting(ids=0)
    assert kept["one"][0]["setting"] == vars(first) if tune else fitted.setting == first
    assert len(contest.scores["one"]) == 200


def test_boosting_needs_no_ids():
    torch.manual_seed(0)
    numbers = torch.randn(500, 2)
    batch = {"numbers": numbers, "target": (numbers[:, 0] > 0).float()}
    fitted = boost({"train": batch, "validation": batch}, Setting(4, 0.2, 3.0, 0), seed=0)
    assert fitted.predict(batch).shape == (500,)


def test_boosting_learns_scores_and_reads_more_numbers():
    torch.manual_seed(0)
    numbers, more = torch.randn(2_000, 2), torch.randn(2_000, 3)
    target = (numbers[:, 0] + 2 * more[:, 1] > 0).float()
    batch = {"ids": torch.randint(0, 9, (2_000, 2)), "numbers": numbers, "target": target}
    with_more = {**batch, "more": more}
    losses = {}
    for name, one in [("less", batch), ("more", with_more)]:
        for ids in (0, 1):
            fitted = boost({"train": one, "validation": one}, Setting(4, 0.2, 3.0, ids), seed=0)
            assert fitted.predict(one).shape == (2_000,) and fitted.megabytes > 0
            losses[name, ids] = fitted.valid_loss
    assert losses["more", 0] < losses["less", 0] - 0.1
    assert losses["more", 1] < losses["less", 1] - 0.1


def test_peak_memory_sees_what_a_block_takes_for_a_while():
    train.keep_freed_memory()
    old = [np.ones(2**20) for _ in range(8)]
    del old  # 64 MB, freed and kept
    with peak_memory(0.005) as peak:
        held = np.ones(40 * 2**20 // 8)
        for _ in range(20):
            held += 1
        del held
    assert peak["megabytes"] > 30
