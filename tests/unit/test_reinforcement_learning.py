"""Bandits, off-policy estimators, policy gradients, and the radio of many listeners."""

from __future__ import annotations

import math
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.data.sources import open_bandit, packaged
from course_utils.evaluation.off_policy import (
    LoggedRewards,
    OffPolicyError,
    direct,
    doubly_robust,
    effective_sample_size,
    estimate,
    ips,
    snips,
    unsupported,
)
from course_utils.models.policies.bandits import (
    UCB1,
    EpsilonGreedy,
    LinUCB,
    NeuralLinear,
    Thompson,
)
from course_utils.models.policies.reinforcement_learning import (
    OffPolicyReinforce,
    expected_gradient,
    leave_one_out,
    natural_step,
    returns,
    top_k_weight,
)
from course_utils.schema import LogError
from course_utils.world.config import WorldConfig, WorldError
from course_utils.world.env import RadioEnv, RadioVectorEnv, chances

SMALL = WorldConfig(n_listeners=30, n_tracks=400, days=28, listens_per_listener=100)


def rng(seed=0):
    return np.random.default_rng(seed)


def draws(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# Bandits


def test_indices_by_hand():
    bandit = UCB1(1, 3, rng())
    for arm, reward in [(0, 1), (0, 0), (0, 0), (0, 0), (1, 1)]:
        bandit.learn(np.array([arm]), np.array([reward]))
    index = bandit.index()[0]
    wide = math.sqrt(2 * math.log(5))
    assert index[:2] == pytest.approx([0.25 + wide / 2, 1 + wide])
    assert index[2] == math.inf and bandit.choose() == [2], "each arm is pulled once first"


def test_thompson_draws_from_its_beliefs():
    bandit = Thompson(20_000, 2, rng())
    bandit.pulls[:], bandit.wins[:] = [8, 2], [6, 0]
    drawn = bandit.index()
    assert drawn.mean(axis=0) == pytest.approx([7 / 10, 1 / 4], abs=0.01)
    assert drawn.var(axis=0) == pytest.approx([21 / 1_100, 3 / 80], rel=0.05)


def test_epsilon_greedy_explores_as_often_as_it_says():
    bandit = EpsilonGreedy(40_000, 4, rng(), np.repeat([0.0, 0.2], 20_000))
    bandit.pulls[:], bandit.wins[:] = 10, [1, 9, 2, 3]
    chosen = bandit.choose()
    assert (chosen[:20_000] == 1).all()
    assert (chosen[20_000:] == 1).mean() == pytest.approx(0.8 + 0.2 / 4, abs=0.01)


@pytest.mark.parametrize("make", [UCB1, Thompson, lambda *a: EpsilonGreedy(*a, 0.5)])
def test_an_arm_that_is_not_there_is_never_pulled(make):
    bandit = make(50, 4, rng())
    there = np.array([True, False, True, False])
    for _ in range(30):
        arm = bandit.choose(there)
        assert there[arm].all()
        bandit.learn(arm, np.zeros(50))
    with pytest.raises(ValueError, match="no arm"):
        bandit.choose(np.zeros(4, bool))


@pytest.mark.parametrize("epsilon", [-0.1, 1.1, math.nan])
def test_a_chance_that_is_none_is_refused(epsilon):
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        EpsilonGreedy(1, 2, rng(), epsilon)


def test_a_bandit_needs_arms():
    with pytest.raises(ValueError, match="a run and an arm"):
        UCB1(1, 0, rng())


def test_linucb_is_ridge_regression_and_its_width():
    x, arm, reward = draws(40, 3), torch.arange(40) % 2, draws(40, seed=1)
    policy = LinUCB(3, 3, alpha=0.7, ridge=2.0)
    for part in (slice(0, 15), slice(15, 40)):
        policy.learn(x[part], arm[part], reward[part])
    for k in range(3):
        mine = x[arm == k]
        a = 2 * torch.eye(3).double() + sum(
            (torch.outer(one, one) for one in mine), torch.zeros(3, 3)
        )
        theta = torch.linalg.solve(a, mine.T @ reward[arm == k])
        for one, index in zip(x, policy.index(x)[:, k], strict=True):
            width = (one @ torch.linalg.inv(a) @ one).sqrt()
            assert index == pytest.approx((theta @ one + 0.7 * width).item())
    assert (policy.predict(x)[:, 2] == 0).all(), "an arm never pulled: nothing is known of it"


def test_neural_linear_finds_what_is_not_linear():
    x, where = draws(4_000, 2), torch.Generator().manual_seed(1)
    chance = torch.stack([(x[:, 0] * x[:, 1] > 0), (x[:, 0] * x[:, 1] <= 0)], dim=1).double()
    values = {}
    for policy in (LinUCB(2, 2, 0.3), NeuralLinear(2, 2, 0.3, every=1_000, epochs=20)):
        got = []
        for rows in torch.arange(4_000).split(100):
            arm = policy.choose(x[rows])
            reward = chance[rows].gather(1, arm[:, None])[:, 0]
            flipped = torch.rand(len(rows), generator=where) < 0.1
            policy.learn(x[rows], arm, torch.where(flipped, 1 - reward, reward))
            got.append(reward.mean().item())
        values[type(policy)] = np.mean(got[-10:])
    assert values[NeuralLinear] > 0.8 > 0.65 > values[LinUCB]


# Off-policy evaluation


def a_log(n=60, actions=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    target, logging = (torch.rand(n, actions, generator=generator).double() for _ in range(2))
    target, logging = target / target.sum(1, True), logging / logging.sum(1, True)
    action = torch.multinomial(logging, 1, generator=generator)[:, 0]
    reward = torch.rand(n, generator=generator).double()
    model = torch.rand(n, actions, generator=generator).double()
    return LoggedRewards(target, action, logging[torch.arange(n), action], reward), model, logging


@given(seed=st.integers(0, 1_000))
@settings(max_examples=20, deadline=None)
def test_estimators_are_what_loops_make_of_them(seed):
    log, model, _ = a_log(seed=seed)
    total = {"DM": 0.0, "IPS": 0.0, "clipped": 0.0, "weighted": 0.0, "weights": 0.0, "DR": 0.0}
    for i in range(len(log)):
        a = int(log.action[i])
        w = (log.target[i, a] / log.propensity[i]).item()
        r, expected = log.reward[i].item(), sum((log.target[i] * model[i]).tolist())
        total["DM"] += expected
        total["IPS"] += w * r
        total["clipped"] += min(w, 1.5) * r
        total["weighted"] += w * r
        total["weights"] += w
        total["DR"] += expected + w * (r - model[i, a].item())
    wanted = {name: total[name] / len(log) for name in ("DM", "IPS", "clipped", "DR")}
    wanted["SNIPS"] = total["weighted"] / total["weights"]
    found = {name: value.item() for name, value in estimate(log, model, clip=1.5).items()}
    assert found == pytest.approx(wanted)


def test_over_all_possible_logs_ips_and_dr_are_right():
    """One context, three actions: the mean over all draws is Σ β · estimate, exactly."""
    target, logging = (
        torch.tensor([[0.2, 0.5, 0.3]]).double(),
        torch.tensor([0.6, 0.1, 0.3]).double(),
    )
    reward, model = torch.tensor([0.3, 0.9, 0.5]).double(), torch.tensor([[0.1, 0.2, 0.9]]).double()
    value = (target[0] * reward).sum()
    logs = [LoggedRewards(target, torch.tensor([a]), logging[[a]], reward[[a]]) for a in range(3)]
    for estimator in (ips, lambda log: doubly_robust(log, model)):
        mean = sum(chance * estimator(log) for chance, log in zip(logging, logs, strict=True))
        assert mean.item() == pytest.approx(value.item())
    clipped = sum(chance * ips(log, 1.0) for chance, log in zip(logging, logs, strict=True))
    assert clipped < value, "clipping is a bias"


def test_a_right_model_makes_dm_and_dr_right_and_equal_policies_make_ips_the_mean():
    log, model, _ = a_log()
    exact = LoggedRewards(
        log.target, log.action, log.propensity, model.gather(1, log.action[:, None])[:, 0]
    )
    assert doubly_robust(exact, model).item() == pytest.approx(direct(exact, model).item())
    own = log.target.gather(1, log.action[:, None])[:, 0]
    same = LoggedRewards(log.target, log.action, own, log.reward)
    assert ips(same).item() == pytest.approx(log.reward.mean().item())
    assert effective_sample_size(same.weights).item() == pytest.approx(len(same))


def test_snips_stays_within_the_rewards_and_moves_with_them():
    log, _, _ = a_log()
    shifted = LoggedRewards(log.target, log.action, log.propensity, log.reward + 10)
    assert log.reward.min() <= snips(log) <= log.reward.max()
    assert snips(shifted).item() == pytest.approx(snips(log).item() + 10)


def test_an_action_that_is_never_logged():
    log, _, logging = a_log(actions=3)
    never = logging.clone()
    never[:, 2] = 0
    never /= never.sum(1, True)
    assert unsupported(log.target, never).item() == pytest.approx(log.target[:, 2].mean().item())
    assert unsupported(log.target, logging) == 0
    only = torch.tensor([[0.0, 0.0, 1.0]]).double().expand(len(log), 3)
    blind = LoggedRewards(only, log.action.clamp(max=1), log.propensity, log.reward)
    assert ips(blind) == 0 and effective_sample_size(blind.weights) == 0
    with pytest.raises(OffPolicyError, match="none of the logged actions"):
        snips(blind)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"target": torch.tensor([[0.5, 0.4], [0.5, 0.5]])}, r"target\[0\] add up to 0.9000"),
        ({"target": torch.tensor([[1.5, -0.5], [0.5, 0.5]])}, r"target\[0, 1\] is -0.5"),
        ({"target": torch.tensor([[0.5, math.nan], [0.5, 0.5]])}, r"target\[0, 1\] is nan"),
        ({"target": torch.tensor([0.5, 0.5])}, r"must be \(n, A\)"),
        ({"propensity": torch.tensor([0.5, 0.0])}, r"propensity\[1\] is 0: .* had a chance"),
        ({"propensity": torch.tensor([0.5, 1.5])}, r"propensity\[1\] is 1.5"),
        ({"propensity": torch.tensor([0.5, math.nan])}, r"propensity\[1\] is nan"),
        ({"action": torch.tensor([0, 2])}, r"action\[1\] is 2, the target has 2"),
        ({"action": torch.tensor([0])}, "action has the shape"),
        ({"reward": torch.tensor([math.inf, 0.0])}, r"reward\[0\] is inf"),
    ],
)
def test_a_log_that_cannot_be_is_refused(change, words):
    good = {
        "target": torch.tensor([[0.5, 0.5], [0.5, 0.5]]),
        "action": torch.tensor([0, 1]),
        "propensity": torch.tensor([0.5, 0.5]),
        "reward": torch.tensor([1.0, 0.0]),
    }
    LoggedRewards(**good)
    with pytest.raises(OffPolicyError, match=words):
        LoggedRewards(**(good | change))


def test_an_empty_log_and_a_model_of_other_actions_are_refused():
    none = torch.zeros(0)
    with pytest.raises(OffPolicyError, match="no row"):
        LoggedRewards(torch.zeros(0, 2), none.long(), none, none)
    log, model, _ = a_log()
    for estimator in (direct, doubly_robust):
        with pytest.raises(OffPolicyError, match="reward model has the shape"):
            estimator(log, model[:, :2])


# Policy gradients


@pytest.mark.parametrize("k", [1, 2, 5])
def test_lambda_is_the_slope_of_being_in_the_list(k):
    pi = torch.linspace(0, 1, 11, dtype=torch.float64, requires_grad=True)
    (1 - (1 - pi) ** k).sum().backward()
    assert torch.allclose(top_k_weight(pi.detach(), k), pi.grad)


def test_a_list_has_a_place():
    with pytest.raises(ValueError, match="at least one place"):
        top_k_weight(torch.tensor([0.5]), 0)


@pytest.mark.parametrize("corrected", [True, False])
@pytest.mark.parametrize("k", [1, 3])
def test_the_expected_gradient_is_the_mean_of_the_losses_gradients(corrected, k):
    logits, reward = draws(5), draws(5, seed=1).abs()
    logging = draws(5, seed=2).softmax(dim=0)
    loss, mean = OffPolicyReinforce(corrected, k), torch.zeros(5).double()
    for a in range(5):
        leaf = logits.clone().requires_grad_()
        rows = {
            "x": torch.zeros(1, 1),
            "action": torch.tensor([a]),
            "propensity": logging[[a]],
            "reward": reward[[a]],
        }
        loss(lambda x, leaf=leaf: leaf[None], rows).backward()
        mean -= logging[a] * leaf.grad
    assert torch.allclose(expected_gradient(logits, logging, reward, corrected, k), mean)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_the_corrected_gradient_climbs_the_value_of_the_list(k):
    logits, reward, logging = draws(6), draws(6, seed=1), draws(6, seed=2).softmax(dim=0)
    leaf = logits.clone().requires_grad_()
    ((1 - (1 - leaf.softmax(dim=0)) ** k) * reward).sum().backward()
    assert torch.allclose(expected_gradient(logits, logging, reward, k=k), leaf.grad)


def test_a_weight_is_clipped_and_a_propensity_of_zero_refused():
    loss = OffPolicyReinforce(clip=2.0)
    assert loss.weight(torch.tensor([0.9, 0.1]), torch.tensor([0.1, 0.1])).tolist() == [2.0, 1.0]
    with pytest.raises(ValueError, match="above 0"):
        loss.weight(torch.tensor([0.5]), torch.tensor([0.0]))


@given(seed=st.integers(0, 1_000), discount=st.sampled_from([0.0, 0.5, 0.99, 1.0]))
@settings(max_examples=20, deadline=None)
def test_returns_are_sums(seed, discount):
    reward = draws(7, 3, seed=seed)
    wanted = [
        sum(discount ** (k - t) * reward[k] for k in range(t, 7) if discount or k == t)
        for t in range(7)
    ]
    assert torch.allclose(returns(reward, discount), torch.stack(wanted))


def test_an_episode_of_length_0_has_no_return_and_a_discount_lies_in_its_range():
    none = torch.zeros(0, 6)
    assert returns(none, 0.9).shape == (0, 6)
    assert leave_one_out(none, none.bool(), 3).shape == (0, 6)
    with pytest.raises(ValueError, match="discount"):
        returns(none, 1.1)


def test_the_baseline_is_the_mean_of_the_others():
    value, alive = draws(4, 6), torch.rand(4, 6, generator=torch.Generator().manual_seed(3)) < 0.6
    found = leave_one_out(value, alive, 3)
    for t in range(4):
        for b in range(6):
            group = range(b // 3 * 3, b // 3 * 3 + 3)
            others = [value[t, j] for j in group if j != b and alive[t, j]]
            wanted = value[t, b] - sum(others) / len(others) if others and alive[t, b] else 0
            assert found[t, b] == pytest.approx(float(wanted))
    with pytest.raises(ValueError, match="no multiple"):
        leave_one_out(value, alive, 4)


def test_the_natural_gradient_of_a_table_is_the_gain_of_each_action():
    """For a softmax over a table Kakade's step is the advantage, up to a constant."""
    pi, reward = draws(5).softmax(dim=0), draws(5, seed=1)
    counts = (pi * 100_000).round().long()
    score = (torch.eye(5).double() - pi).repeat_interleave(counts, dim=0)
    gain = (reward - (pi * reward).sum()).repeat_interleave(counts)
    step = natural_step(score, gain, ridge=1e-12)
    wanted = reward - (pi * reward).sum()
    assert torch.allclose(step - (pi * step).sum(), wanted, atol=1e-3)


def test_gains_that_say_nothing_move_nothing_and_none_are_refused():
    assert (natural_step(draws(8, 3), torch.zeros(8).double()) == 0).all()
    for score, gain in ((torch.zeros(0, 3), torch.zeros(0)), (draws(4, 3), draws(3))):
        with pytest.raises(ValueError, match="a gain for each action"):
            natural_step(score, gain)


# The radio of many


def test_one_listener_of_many_hears_what_the_single_radio_plays():
    one, many = RadioEnv(SMALL), RadioVectorEnv(SMALL, 1)
    seen, _ = one.reset(seed=3, options={"listener": 5})
    rows, _ = many.reset(seed=3, options={"listeners": np.array([5])})
    assert np.array_equal(seen, rows[0])
    out, numbers = np.flatnonzero(one.catalogue.release < 0), rng()
    for _ in range(200):
        track = int(numbers.choice(out))
        single, vector = one.step(track), many.step(np.array([track]))
        assert np.array_equal(single[0], vector[0][0])
        assert [single[1], single[2], single[3]] == [part[0] for part in vector[1:4]]
        assert single[4]["probability"] == vector[4]["probability"][0]
        if single[2]:
            break
    else:
        pytest.fail("the episode did not end")
    _, reward, over, _, info = many.step(np.array([track]))
    assert reward == [0] and over.all() and info["probability"] == [0], "it stays over"


def test_the_radio_runs_vectorised_in_gymnasiums_own_way():
    envs = gym.vector.SyncVectorEnv([lambda: RadioEnv(SMALL)] * 3)
    envs.reset(seed=0)
    track = np.flatnonzero(envs.envs[0].unwrapped.catalogue.release < 0)[:3]
    for _ in range(5):
        seen, reward, *_ = envs.step(track)
    assert envs.observation_space.contains(seen) and reward.shape == (3,)
    radio, late = RadioEnv(replace(SMALL, listens_per_listener=20)), 0
    for seed in range(30):  # some listeners come after the horizon for the first time
        seen, _ = radio.reset(seed=seed)
        late += radio.dynamics.now[0] > 1.5 * radio.dynamics.horizon
        assert seen in radio.observation_space
    assert late
    check_env(radio, skip_render_check=True)


def test_spaces_and_true_chances_of_many():
    env = RadioVectorEnv(SMALL, 8)
    seen, info = env.reset(seed=1)
    assert env.observation_space.contains(seen) and info["listeners"].shape == (8,)
    out = np.flatnonzero(env.catalogue.release < 0)[:5]
    table = chances(env.dynamics, out)
    assert table.shape == (8, 5) and ((table > 0) & (table < 1)).all()
    _, reward, over, cut, told = env.step(np.full(8, out[2]))
    assert np.array_equal(told["probability"], table[:, 2])
    assert reward.shape == over.shape == cut.shape == (8,) and not cut.any()


def test_what_the_radio_of_many_refuses():
    env = RadioVectorEnv(SMALL, 4)
    with pytest.raises(WorldError, match="reset"):
        env.step(np.zeros(4, int))
    with pytest.raises(WorldError, match="need 4 listeners"):
        env.reset(options={"listeners": np.array([1])})
    with pytest.raises(WorldError, match="0 … 29"):
        env.reset(options={"listeners": np.array([1, 2, 3, 30])})
    with pytest.raises(WorldError, match="one seed"):
        env.reset(seed=[1, 2, 3, 4])
    env.reset(seed=0)
    for actions in (np.zeros(3, int), np.full(4, SMALL.n_tracks), np.zeros(4)):
        with pytest.raises(WorldError, match="actions must be 4 whole numbers"):
            env.step(actions)
    late = int(env.catalogue.release.argmax())
    with pytest.raises(WorldError, match=f"track {late} is not out yet"):
        env.step(np.full(4, late))
    with pytest.raises(WorldError, match="at least 1"):
        RadioVectorEnv(SMALL, 0)


# The Open Bandit data


def test_open_bandit_is_read_as_its_package_describes_it():
    rows = open_bandit.open_bandit("random")
    assert len(rows) == 10_000 and set(rows["position"]) == {1, 2, 3}
    assert rows["propensity"].to_numpy() == pytest.approx(1 / 80)
    assert set(rows["click"]) == {0, 1} and rows["item_id"].max() == 79
    other = open_bandit.open_bandit("bts")
    assert (other["propensity"] > 0).all() and other["propensity"].n_unique() > 100


def test_without_its_package_the_open_bandit_data_are_missed(monkeypatch):
    def absent(package):
        raise ModuleNotFoundError(package)

    monkeypatch.setattr(packaged.resources, "files", absent)
    with pytest.raises(LogError, match="needs the package 'obp'"):
        open_bandit.open_bandit("bts")
