"""Checks of notebook 03: a decayed average, the softmax's gradient, watch time served."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks._answers import drawn, judge


def check_decayed_mean(mean: Callable[[Tensor, Tensor, float], Tensor]) -> None:
    """`decayed_mean(vectors, mask, decay)`: averages with weights decay ** place."""
    sum_to_one = "the weights of a history add up to 1: divide by their sum"
    there = "what the mask takes out has no weight, in the sum of the weights either"
    empty = "an empty history gives zeros: what is divided by what there?"
    place = "the weight belongs to the place in the tensor: the latest play, at place 0, has 1"
    judge(
        mean,
        _decayed,
        cases=[
            (
                {
                    "vectors": drawn(2, 4, 3),
                    "mask": torch.tensor([[True, True, False, False], [True, True, True, True]]),
                    "decay": 0.5,
                },
                f"{sum_to_one}; {there}",
            ),
            (
                {
                    "vectors": drawn(3, 3, 2, seed=1),
                    "mask": torch.tensor([[True, True, True], [True, False, False], [False] * 3]),
                    "decay": 0.8,
                },
                empty,
            ),
            (
                {"vectors": drawn(1, 3, 2), "mask": torch.ones(1, 3, dtype=torch.bool), "decay": 1},
                "without decay it is the plain average",
            ),
            (
                {
                    "vectors": drawn(1, 4, 2),
                    "mask": torch.tensor([[False, True, False, True]]),
                    "decay": 0.5,
                },
                place,
            ),
        ],
        mistakes=[
            (lambda v, m, d: (_weights(v, m, d)[:, :, None] * v).sum(dim=1), sum_to_one),
            (
                lambda v, m, d: (_weights(v, m, d)[:, :, None] * v).mean(dim=1),
                f"{sum_to_one}, not by the length of the padded tensor",
            ),
            (
                lambda v, m, d: _over(v, _weights(v, m, d), m.sum(dim=1, keepdim=True)),
                f"{sum_to_one}, not by how many plays there are",
            ),
            (
                lambda v, m, d: _over(
                    v,
                    _weights(v, m, d),
                    _weights(v, torch.ones_like(m), d).sum(dim=1, keepdim=True),
                ),
                there,
            ),
            (
                lambda v, m, d: _over(
                    v, _weights(v, m, d), _weights(v, m, d).sum(dim=1, keepdim=True).clamp(min=1)
                ),
                f"{sum_to_one}, also where that is less than 1",
            ),
            (lambda v, m, d: _decayed(v, torch.ones_like(m), d), "the mask is not used"),
            (lambda v, m, d: _decayed(v, m, 1.0), "the decay is not used"),
            (lambda v, m, d: _decayed(v, ~m, d), "the mask is true where there *is* a play"),
            (
                lambda v, m, d: _decayed(v.flip(1), m.flip(1), d),
                "the history is latest first: place 0 has the largest weight",
            ),
        ],
    )


def _weights(vectors: Tensor, mask: Tensor, decay: float) -> Tensor:
    """(B, L) decay to the power of the place, 0 where the mask takes out."""
    return torch.stack([decay**k * mask[:, k].float() for k in range(vectors.shape[1])], dim=1)


def _over(vectors: Tensor, weights: Tensor, total: Tensor) -> Tensor:
    """(B, d) weighted sums divided by totals (B, 1), zeros where the total is 0."""
    return (weights[:, :, None] * vectors).sum(dim=1) / torch.where(total > 0, total, 1)


def _decayed(vectors: Tensor, mask: Tensor, decay: float) -> Tensor:
    weights = _weights(vectors, mask, decay)
    return _over(vectors, weights, weights.sum(dim=1, keepdim=True))


def check_track_gradient(gradient: Callable[[Tensor, Tensor, int], Tensor]) -> None:
    """`track_gradient(u, v, p)`: gradient of −log P(p | u) with respect to v (N, d)."""
    own = "the track that was played has 1 − P left to learn: its row is (P − 1) u"
    sign = "the sign is turned: this is the step; the gradient has (P − 1) u for the track played"
    shape = "one row for each track, (N, d)"
    judge(
        gradient,
        _gradient,
        cases=[
            (
                {"u": drawn(2, seed=3), "v": drawn(4, 2), "p": 2},
                f"each track's row is P u; {own}",
            ),
            ({"u": drawn(3), "v": drawn(5, 3, seed=1), "p": 0}, own),
            (
                {"u": 0 * drawn(1) + 2, "v": 0 * drawn(2, 1), "p": 1},
                "two tracks, equally likely: half of u with both signs, [[1.0], [-1.0]]",
            ),
        ],
        mistakes=[
            (lambda u, v, p: (v @ u).softmax(0)[:, None] * u, own),
            (lambda u, v, p: -_gradient(u, v, p), sign),
            (lambda u, v, p: -(_one(v, p) * u), f"the others are pushed away, by P u each; {own}"),
            (
                lambda u, v, p: (torch.sigmoid(v @ u)[:, None] - _one(v, p)) * u,
                "a softmax, no sigmoid",
            ),
            (
                lambda u, v, p: ((v @ u).softmax(0)[:, None] - _one(v, p)) * v,
                "the derivative of ⟨u, v_i⟩ with respect to v_i is u",
            ),
            (
                lambda u, v, p: ((v @ u)[:, None] - _one(v, p)) * u,
                "chances are wanted: the softmax of the scores",
            ),
            (lambda u, v, p: _gradient(u, v, p).sum(dim=0), shape),
            (lambda u, v, p: _gradient(u, v, p)[p], shape),
            (lambda u, v, p: (v @ u).softmax(0) - _one(v, p)[:, 0], f"times the vector u; {shape}"),
            (
                lambda u, v, p: _gradient(u, v, p) / len(v),
                "the loss is of one example: nothing is averaged over the tracks",
            ),
        ],
    )


def _one(v: Tensor, p: int) -> Tensor:
    """(N, 1) 1 at the track that was played."""
    return (torch.arange(len(v)) == p).float()[:, None]


def _gradient(u: Tensor, v: Tensor, p: int) -> Tensor:
    """By autograd."""
    v = v.clone().requires_grad_()
    (-(v @ u).log_softmax(dim=0)[p]).backward()
    assert v.grad is not None
    return v.grad


def check_expected_watch_time(serve: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`expected_watch_time(logit, p)`: E[T] from weighted odds and the chance to be watched."""
    odds = "the weighted model's odds are e to the logit, not a probability: no sigmoid"
    rare = "the odds are E[T] / (1 − P), not E[T]: full plays of music are not rare"
    judge(
        serve,
        lambda logit, p: logit.exp() * (1 - p),
        cases=[
            (
                {"logit": torch.tensor([0.5, -1.0, 2.0]), "p": torch.tensor([0.2, 0.7, 0.5])},
                f"solve the formula for E[T]; {rare}",
            ),
            (
                {"logit": torch.tensor([1.5]), "p": torch.tensor([0.0])},
                "nearly never watched: the odds",
            ),
        ],
        mistakes=[
            (lambda logit, p: logit.exp(), rare),
            (lambda logit, p: torch.sigmoid(logit), odds),
            (lambda logit, p: torch.sigmoid(logit) * (1 - p), odds),
            (lambda logit, p: torch.sigmoid(logit) / (1 - p), odds),
            (lambda logit, p: logit.exp() / (1 - p), "E[T] = odds · (1 − P): multiply"),
            (lambda logit, p: logit.exp() * p, "times 1 − P, not P"),
            (lambda logit, p: logit * (1 - p), "the logit is the logarithm of the odds"),
            (lambda logit, p: logit.exp() * (1 - p) * p, "E[T] is per impression, watched or not"),
            (lambda logit, p: logit.exp() * (1 - p) / p, "E[T] is per impression, watched or not"),
        ],
    )
