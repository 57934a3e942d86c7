"""Checks of notebook 14: the KL, serving a listener, EASE."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks._answers import ask, drawn, judge, require


def check_kl(kl: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`kl(mu, log_var)`: ½ Σ (μ² + σ² − 1 − log σ²), (B,)."""
    half = "compare with a single component with μ = 2 and σ = 1: the KL is 2 nats; is the ½ there?"
    one = (
        "with μ = 0 and σ = 1 both distributions are the same, and their KL is 0: is the −1 there?"
    )
    variance = "`log_var` is log σ²: σ² = exp(log_var)"
    summed = "the KL of independent components is the sum of theirs"
    bag = "one number for each bag, (B,): sum over the components alone"
    judge(
        kl,
        lambda mu, log_var: torch.distributions.kl_divergence(
            torch.distributions.Normal(mu, (log_var / 2).exp()),
            torch.distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu)),
        ).sum(dim=1),
        cases=[
            (
                {"mu": drawn(3, 4), "log_var": drawn(3, 4, seed=1)},
                "take one component and its four terms one by one, then the sum over components",
            ),
            ({"mu": torch.zeros(2, 3), "log_var": torch.zeros(2, 3)}, one),
        ],
        mistakes=[
            (lambda m, v: _sum(m, v), half),
            (lambda m, v: (m**2 + v.exp() - v).sum(dim=1) / 2, one),
            (lambda m, v: (m**2 + v.exp() - v).sum(dim=1), f"{one} {half}"),
            (lambda m, v: (m**2 + v.exp() - v).sum(dim=1) / 2 - 0.5, "a −1 for each component"),
            (lambda m, v: _sum(m, v).mean() / 2, bag),
            (lambda m, v: _sum(m, v).sum() / 2, bag),
            (lambda m, v: _sum(m, v) / 2 / m.shape[1], summed),
            (lambda m, v: (m**2 + v.exp() - 1 - v) / 2, f"{summed}: return (B,)"),
            (lambda m, v: -_sum(m, v) / 2, "a KL is never negative: the sign"),
            (lambda m, v: (m**2 + (2 * v).exp() - 1 - 2 * v).sum(dim=1) / 2, variance),
            (lambda m, v: (m**2 + (2 * v).exp() - 1 - v).sum(dim=1) / 2, variance),
            (lambda m, v: (m**2 + (v / 2).exp() - 1 - v).sum(dim=1) / 2, variance),
            (lambda m, v: (m**2 + v**2 - 1 - v.abs().log()).sum(dim=1) / 2, variance),
            (lambda m, v: _sum(m, v) / 2 / math.log(2), "in nats, not in bits: natural logarithms"),
            (lambda m, v: (m**2 + v.exp() - 1 + v).sum(dim=1) / 2, "log σ² is taken away"),
            (lambda m, v: (m + v.exp() - 1 - v).sum(dim=1) / 2, "the mean is squared"),
            (
                lambda m, v: ((m**2 + 1) / v.exp() - 1 + v).sum(dim=1) / 2,
                "KL(q ‖ p) is not KL(p ‖ q): the mean is taken under q = N(μ, σ²)",
            ),
        ],
    )


def _sum(mu: Tensor, log_var: Tensor) -> Tensor:
    return (mu**2 + log_var.exp() - 1 - log_var).sum(dim=1)


def check_serve(serve: Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]) -> None:
    """`serve(mu, log_var, weight, bias, seen)`: chances by μ, 0 where seen, (B, N)."""
    seen = torch.tensor([[True, False, False, False], [False, False, True, True]])
    case = {
        "mu": drawn(2, 3),
        "log_var": drawn(2, 3, seed=1),
        "weight": drawn(4, 3, seed=2),
        "bias": drawn(4, seed=3),
        "seen": seen,
    }
    answers = [ask(serve, **case).tensor() for _ in range(3)]
    same = all(torch.equal(one, answers[0]) for one in answers)
    require(same, "asked twice, it gives two answers: nothing is drawn when a model serves, z is μ")
    batch = "the tracks compete for one listener: softmax over the tracks, not over the batch"
    known = "what was played is not recommended: 0 where `seen` is true"

    def right(m: Tensor, v: Tensor, w: Tensor, b: Tensor, s: Tensor) -> Tensor:
        scores = (m @ w.T + b).double().exp()
        return ~s * scores / scores.sum(dim=1, keepdim=True)

    judge(
        serve,
        right,
        cases=[
            (
                case,
                "nothing is drawn, z is μ itself: μ through the decoder, its bias, and a softmax "
                "over the tracks",
            ),
            (
                {**case, "seen": torch.zeros_like(seen)},
                "nothing was played: each row's chances add up to 1",
            ),
        ],
        mistakes=[
            (lambda m, v, w, b, s: right(m, v, w, b, torch.zeros_like(s)), known),
            (lambda m, v, w, b, s: right(m, v, w, b, ~s), "0 where a track *was* played"),
            (
                lambda m, v, w, b, s: right(m, v, w, b, torch.zeros_like(s)).masked_fill(
                    s, -torch.inf
                ),
                "these are chances, no scores: what was played has the chance 0, not −∞",
            ),
            (lambda m, v, w, b, s: ~s * (m @ w.T + b).softmax(dim=0), batch),
            (lambda m, v, w, b, s: (m @ w.T + b).softmax(dim=0), f"{batch}; {known}"),
            (
                lambda m, v, w, b, s: (m @ w.T + b).masked_fill(s, -torch.inf).softmax(dim=1),
                "the chances are those among all tracks: softmax first, then take out",
            ),
            (
                lambda m, v, w, b, s: (~s * (m @ w.T + b)).softmax(dim=1),
                "a score of 0 is no chance of 0: softmax first, then take out",
            ),
            (lambda m, v, w, b, s: right(m, v, w, 0 * b, s), "the decoder has a bias, too"),
            (lambda m, v, w, b, s: ~s * (m @ w.T + b), "chances are wanted: a softmax of them"),
            (
                lambda m, v, w, b, s: ~s * (m @ w.T + b).sigmoid(),
                f"a sigmoid lets every track have its own chance; {batch}",
            ),
            (
                lambda m, v, w, b, s: right(m + (v / 2).exp(), v, w, b, s),
                "the spread plays no part when a model serves: z is μ",
            ),
        ],
    )


def check_ease(ease: Callable[[Tensor, float], Tensor]) -> None:
    """`ease(x, decay)`: −P_ij / P_jj, 0 on the diagonal, (N, N)."""
    column = "column j speaks for track j and is divided by P_jj: the diagonal as a row"
    sign = "two tracks that are played together speak for each other: the minus sign"
    own = "no track explains itself: the diagonal is 0"
    gram = "P is the inverse of XᵀX + λI, (N, N)"
    x = torch.tensor(
        [
            [1.0, 1.0, 0.0, 0.0],
            [1.0, 0.0, 1.0, 0.0],
            [1.0, 1.0, 1.0, 0.0],
            [0.0, 1.0, 0.0, 1.0],
            [1.0, 0.0, 0.0, 0.0],
        ]
    )
    judge(
        ease,
        _ease,
        cases=[
            (
                {"x": x, "decay": 0.7},
                f"{gram}; by hand: the two tracks of the slide give 0.25 and 0.5",
            ),
            ({"x": torch.eye(3), "decay": 2.0}, "nothing was played together: all zeros"),
        ],
        mistakes=[
            (lambda x, decay: _ease(x, decay).T, column),
            (lambda x, decay: -_ease(x, decay), sign),
            (lambda x, decay: -_ease(x, decay).T, f"{sign}; {column}"),
            (lambda x, decay: _ease(x, decay) - torch.eye(x.shape[1]), own),
            (lambda x, decay: _ease(x, decay) + torch.eye(x.shape[1]), own),
            (lambda x, decay: _ease(x, decay**2), "λ as it is, not its square"),
            (lambda x, decay: _ease(x, decay / 2), "λ as it is, not half of it"),
            (lambda x, decay: _ease(x, 2 * decay), "λ as it is, not twice"),
            (
                lambda x, decay: _off(-_inverse(x, decay)),
                "each column is divided by its own diagonal entry",
            ),
            (
                lambda x, decay: _off(_inverse(x, decay)),
                f"{sign}; each column is divided by its own diagonal entry",
            ),
            (
                lambda x, decay: _off(
                    (x.T @ x + decay * torch.eye(x.shape[1])).inverse() @ x.T @ x
                ),
                "that is a ridge regression in which each track explains itself, its diagonal "
                "removed afterwards: the zeros must be part of the solution",
            ),
        ],
        tolerance=1e-4,
    )


def _ease(x: Tensor, decay: float) -> Tensor:
    """Column by column, the ridge regression of a track on all others."""
    x, n = x.double(), x.shape[1]
    weights = torch.zeros(n, n, dtype=torch.float64)
    for j in range(n):
        rest = [i for i in range(n) if i != j]
        gram = x[:, rest].T @ x[:, rest] + decay * torch.eye(n - 1, dtype=torch.float64)
        weights[rest, j] = torch.linalg.solve(gram, x[:, rest].T @ x[:, j])
    return weights


def _inverse(x: Tensor, decay: float) -> Tensor:
    return ((x.T @ x).double() + decay * torch.eye(x.shape[1], dtype=torch.float64)).inverse()


def _off(matrix: Tensor) -> Tensor:
    return matrix - matrix.diagonal().diag()
