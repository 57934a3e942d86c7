"""Independent witnesses of bandits and off-policy estimators: `obp` and `mabwiser`."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mabwiser.mab import MAB, LearningPolicy
from obp.ope import (
    DirectMethod,
    DoublyRobust,
    InverseProbabilityWeighting,
    SelfNormalizedInverseProbabilityWeighting,
)

from course_utils.evaluation.off_policy import LoggedRewards, estimate
from course_utils.models.policies.bandits import UCB1, LinUCB


@pytest.mark.parametrize("seed", range(3))
def test_estimators_equal_those_of_obp(seed):
    rng = np.random.default_rng(seed)
    n, actions = 200, 6
    target = rng.dirichlet(np.ones(actions), n)
    action, reward = rng.integers(0, actions, n), rng.random(n)
    propensity, model = rng.uniform(0.05, 1, n), rng.random((n, actions))
    ours = LoggedRewards(*map(torch.from_numpy, (target, action, propensity, reward)))
    found = estimate(ours, torch.from_numpy(model))
    given = {
        "reward": reward,
        "action": action,
        "pscore": propensity,
        "action_dist": target[:, :, None],
        "position": np.zeros(n, int),
        "estimated_rewards_by_reg_model": model[:, :, None],
    }
    theirs = {
        "DM": DirectMethod(),
        "IPS": InverseProbabilityWeighting(),
        "SNIPS": SelfNormalizedInverseProbabilityWeighting(),
        "DR": DoublyRobust(),
    }
    for name, estimator in theirs.items():
        wanted = estimator.estimate_policy_value(**given)
        assert found[name].item() == pytest.approx(wanted, rel=1e-12), name


def test_linucb_equals_that_of_mabwiser():
    rng = np.random.default_rng(0)
    arms, dim, n = 4, 5, 300
    x, arm, reward = rng.standard_normal((n, dim)), rng.integers(0, arms, n), rng.random(n)
    theirs = MAB(list(range(arms)), LearningPolicy.LinUCB(alpha=0.8, l2_lambda=1.5))
    theirs.fit(arm, reward, x)
    ours = LinUCB(arms, dim, alpha=0.8, ridge=1.5)
    ours.learn(*map(torch.from_numpy, (x, arm, reward)))
    new = rng.standard_normal((50, dim))
    wanted = [[row[a] for a in range(arms)] for row in theirs.predict_expectations(new)]
    assert np.allclose(ours.index(torch.from_numpy(new)), wanted)


def test_ucb1_equals_that_of_mabwiser():
    rng = np.random.default_rng(1)
    arm, reward = rng.integers(0, 3, 60), rng.integers(0, 2, 60)
    theirs = MAB([0, 1, 2], LearningPolicy.UCB1(alpha=1.0))  # √(2 ln t / n), times alpha
    theirs.fit(arm, reward)
    ours = UCB1(1, 3, rng)
    for a, r in zip(arm, reward, strict=True):
        ours.learn(np.array([a]), np.array([r]))
    wanted = theirs.predict_expectations()
    assert ours.index()[0] == pytest.approx([wanted[a] for a in range(3)])
