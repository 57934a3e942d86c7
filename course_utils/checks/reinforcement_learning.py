"""Checks of notebook 13: SNIPS, the doubly robust estimate, the top-K policy gradient."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks._answers import judge


def check_self_normalised(estimate: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    """`self_normalised(pi, beta, reward)`: Σ w r / Σ w with w = π/β, ()."""
    by_n = "that is IPS: SNIPS divides by the sum of the weights, not by the number of rows"
    upside = "a reward counts more if π takes the action more often than β did: w = π/β, not β/π"
    clipped = "SNIPS clips no weight, however large"
    judge(
        estimate,
        lambda pi, beta, reward: (pi / beta * reward).sum() / (pi / beta).sum(),
        cases=[
            (
                {
                    "pi": torch.tensor([0.5, 0.2, 0.9, 0.4]),
                    "beta": torch.tensor([0.25, 0.8, 0.3, 0.5]),
                    "reward": torch.tensor([1.0, 0.0, 0.5, 1.0]),
                },
                f"Σ w r / Σ w with w = π/β; {by_n}",
            ),
            (
                {
                    "pi": torch.tensor([0.5, 0.1]),
                    "beta": torch.tensor([0.1, 0.1]),
                    "reward": torch.tensor([1.0, 1.0]),
                },
                "if all rewards are 1, so is the estimate",
            ),
            (
                {
                    "pi": torch.tensor([0.8, 0.2, 0.1]),
                    "beta": torch.tensor([0.04, 0.4, 0.2]),
                    "reward": torch.tensor([0.2, 1.0, 0.4]),
                },
                f"a row that β hardly ever takes counts in full: {clipped}",
            ),
        ],
        mistakes=[
            (lambda pi, beta, r: (pi / beta * r).mean(), by_n),
            (lambda pi, beta, r: (beta / pi * r).sum() / (beta / pi).sum(), upside),
            (lambda pi, beta, r: (beta / pi * r).mean(), f"{upside}; {by_n}"),
            (
                lambda pi, beta, r: (
                    ((pi / beta).clamp(max=10) * r).sum() / (pi / beta).clamp(max=10).sum()
                ),
                clipped,
            ),
            (lambda pi, beta, r: r.mean(), "the weights are missing: that is what β earned"),
            (
                lambda pi, beta, r: (pi / beta).mean() * r.mean(),
                "each reward has a weight of its own: multiply first, then add up",
            ),
            (lambda pi, beta, r: (pi * r).sum() / pi.sum(), "divide by the propensity β"),
            (
                lambda pi, beta, r: (pi / beta * r).sum() / r.sum(),
                "normalise by the weights, not by the rewards",
            ),
            (lambda pi, beta, r: (pi / beta * r).sum(), f"a sum grows with the log; {by_n}"),
        ],
    )


Robust = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


def check_robust(estimate: Robust) -> None:
    """`robust(target, model, action, propensity, reward)`: mean(Σ π q̂ + w (r − q̂(a))), ()."""
    over_pi = (
        "the residual compares the reward with what the model says of the action that was "
        "*logged*, not with its average over π"
    )
    plain = "the residual is weighted by w = π/β of the logged action"
    upside = "w is π/β, not β/π"
    judge(
        estimate,
        lambda target, model, action, propensity, reward: (
            (target * model).sum(dim=1)
            + _weight(target, action, propensity) * (reward - _of(model, action))
        ).mean(),
        cases=[
            (
                {
                    "target": torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3], [0.2, 0.2, 0.6]]),
                    "model": torch.tensor([[0.9, 0.2, 0.4], [0.1, 0.7, 0.3], [0.5, 0.6, 0.2]]),
                    "action": torch.tensor([0, 2, 1]),
                    "propensity": torch.tensor([0.2, 0.6, 0.5]),
                    "reward": torch.tensor([1.0, 0.0, 1.0]),
                },
                f"mean of Σ_a π q̂ + w (r − q̂(x, a)); {over_pi}; {plain}",
            ),
            (
                {
                    "target": torch.tensor([[0.5, 0.5]]),
                    "model": torch.tensor([[0.0, 0.0]]),
                    "action": torch.tensor([1]),
                    "propensity": torch.tensor([0.25]),
                    "reward": torch.tensor([1.0]),
                },
                "a model that says 0 leaves IPS",
            ),
        ],
        mistakes=[
            (
                lambda t, q, a, b, r: (
                    (t * q).sum(dim=1) + _weight(t, a, b) * (r - (t * q).sum(dim=1))
                ).mean(),
                over_pi,
            ),
            (
                lambda t, q, a, b, r: (t * q).sum(dim=1).mean(),
                "that is DM: the residual is missing",
            ),
            (
                lambda t, q, a, b, r: (_weight(t, a, b) * (r - _of(q, a))).mean(),
                "the model's part is missing: Σ_a π q̂ over all actions",
            ),
            (
                lambda t, q, a, b, r: (_of(q, a) + _weight(t, a, b) * (r - _of(q, a))).mean(),
                "the model's part is an average over π of *all* actions, not of the logged one",
            ),
            (lambda t, q, a, b, r: ((t * q).sum(dim=1) + r - _of(q, a)).mean(), plain),
            (
                lambda t, q, a, b, r: ((t * q).sum(dim=1) + b / _of(t, a) * (r - _of(q, a))).mean(),
                upside,
            ),
            (
                lambda t, q, a, b, r: ((t * q).sum(dim=1) + _weight(t, a, b) * r).mean(),
                "only what the model got wrong is left to the weights: r − q̂(x, a)",
            ),
            (lambda t, q, a, b, r: (_weight(t, a, b) * r).mean(), "that is IPS, without the model"),
            (
                lambda t, q, a, b, r: (
                    (t * q).sum(dim=1) - _weight(t, a, b) * (r - _of(q, a))
                ).mean(),
                "the residual r − q̂ is added",
            ),
            (
                lambda t, q, a, b, r: (q.mean(dim=1) + _weight(t, a, b) * (r - _of(q, a))).mean(),
                "the model is averaged by the chances of π, not evenly",
            ),
        ],
    )


def _of(table: Tensor, action: Tensor) -> Tensor:
    return table.gather(1, action[:, None])[:, 0]


def _weight(target: Tensor, action: Tensor, propensity: Tensor) -> Tensor:
    return _of(target, action) / propensity


def check_step(step: Callable[[Tensor, int, float, float, int], Tensor]) -> None:
    """`step(logits, action, beta, reward, k)`: w λ_K r (1[a] − π), (A,)."""
    no_k = "λ_K has the factor K: it is the slope of 1 − (1 − π)^K"
    through = (
        "no gradient runs through the weight: π/β and λ_K are numbers; only log π is differentiated"
    )
    upside = "the weight is π/β, not β/π"
    judge(
        step,
        lambda logits, action, beta, reward, k: _step(logits, action, beta, reward, k),
        cases=[
            (
                {
                    "logits": torch.tensor([0.5, -0.2, 0.1, 0.0]),
                    "action": 2,
                    "beta": 0.1,
                    "reward": 2.0,
                    "k": 3,
                },
                f"(π/β) λ_K r ∇ log π(a), with ∇ log π(a) = 1[a] − π; {no_k}; {through}",
            ),
            (
                {
                    "logits": torch.tensor([0.0, 0.0]),
                    "action": 0,
                    "beta": 0.5,
                    "reward": 1.0,
                    "k": 1,
                },
                "K = 1, π = β = ½: the gradient of log π alone, ½ and −½",
            ),
        ],
        mistakes=[
            (lambda z, a, b, r, k: _step(z, a, b, r, k) / k, no_k),
            (_through_the_weight, through),
            (lambda z, a, b, r, k: _step(z, a, b, r, k) * (b / z.softmax(0)[a]) ** 2, upside),
            (
                lambda z, a, b, r, k: _step(z, a, b, r, k) * (1 - z.softmax(0)[a]),
                "the exponent of λ_K is K − 1",
            ),
            (lambda z, a, b, r, k: _step(z, a, b, r, 1), "λ_K is missing"),
            (lambda z, a, b, r, k: _step(z, a, b, r, k) * b / z.softmax(0)[a], "π/β is missing"),
            (lambda z, a, b, r, k: -_step(z, a, b, r, k), "a reward is to be climbed: no minus"),
            (
                lambda z, a, b, r, k: _step(z, a, b, r, k) * torch.eye(len(z))[a],
                "the other actions' logits have a gradient too: −π",
            ),
            (lambda z, a, b, r, k: _step(z, a, b, 1.0, k), "the reward is missing"),
        ],
    )


def _step(logits: Tensor, action: int, beta: float, reward: float, k: int) -> Tensor:
    pi = logits.softmax(dim=0)
    weight = pi[action] / beta * k * (1 - pi[action]) ** (k - 1) * reward
    return weight * (torch.eye(len(logits)).to(pi)[action] - pi)


def _through_the_weight(logits: Tensor, action: int, beta: float, reward: float, k: int) -> Tensor:
    leaf = logits.detach().clone().requires_grad_()
    pi = leaf.softmax(dim=0)[action]
    (pi / beta * k * (1 - pi) ** (k - 1) * reward * pi.log()).backward()
    assert leaf.grad is not None
    return leaf.grad
