"""Metrics of ranked candidates: one row a listener, one column a candidate.

Candidates with equal scores have no order. Recall, NDCG and coverage are therefore expectations
over all orders of the tied, computed exactly: they depend neither on the place of a candidate in
the catalogue nor on chance. A score of −∞ takes a candidate out of the ranking: it is never a hit,
and if it is relevant it counts as missed.
"""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.evaluation.pointwise import MetricError, tensor, whole


def _ranked(scores: Tensor, k: int) -> int:
    """How many places are looked at: k, or all candidates if there are fewer."""
    tensor(scores, "scores")
    if scores.ndim != 2 or not scores.numel():
        raise MetricError(
            f"scores must be (listeners, candidates) with at least one of both, got "
            f"{tuple(scores.shape)}"
        )
    bad = ~(scores < torch.inf)  # true for NaN and +∞
    if bad.any():
        raise MetricError(
            f"{int(bad.sum()):,} of {scores.numel():,} scores are NaN or infinite, the first in "
            f"row {bad.nonzero()[0, 0]}, candidate {bad.nonzero()[0, 1]}; find out where the model "
            "made them (−∞ alone may be used: it excludes a candidate)"
        )
    return min(whole(k, "k"), scores.shape[1])


def _relevant(scores: Tensor, relevant: Tensor) -> None:
    """Refuse gains that do not fit the scores, are negative or not finite, or are all zero."""
    tensor(relevant, "relevant")
    if scores.shape != relevant.shape:
        raise MetricError(
            f"scores and relevant differ in shape: {tuple(scores.shape)}, {tuple(relevant.shape)}"
        )
    if scores.device != relevant.device:
        raise MetricError(
            f"scores are on {scores.device}, relevant on {relevant.device}; move one with .to()"
        )
    if not ((relevant >= 0) & (relevant < torch.inf)).all():
        raise MetricError("relevance must be finite and not negative; 0 is not relevant")
    if not relevant.any(dim=1).all():
        raise MetricError("every row needs at least one relevant candidate; drop the others")


def _expected(scores: Tensor, relevant: Tensor, k: int) -> Tensor:
    """(B, k) float64: mean relevance of the candidates that may stand at each of k places.

    Tied candidates share the places that they take up together: each of these places has the mean
    of their relevance.
    """
    best, at = scores.topk(k, dim=1)
    gains = relevant.gather(1, at).double().masked_fill(best == -torch.inf, 0)
    first = torch.ones_like(best, dtype=torch.bool)
    first[:, 1:] = best[:, 1:] != best[:, :-1]
    group = first.cumsum(dim=1) - 1
    total, size = (
        torch.zeros_like(gains).scatter_add_(1, group, values)
        for values in (gains, torch.ones_like(gains))
    )
    # The last group may go on beyond place k: count all who are tied with it.
    tied = scores == best[:, -1:]
    last = group[:, -1:]
    size.scatter_(1, last, tied.sum(dim=1, keepdim=True).double())
    reached = relevant.masked_fill(~tied, 0).sum(dim=1, keepdim=True, dtype=torch.float64)
    total.scatter_(1, last, reached.masked_fill(best[:, -1:] == -torch.inf, 0))
    return (total / size.clamp(min=1)).gather(1, group)


def recall_at_k(scores: Tensor, relevant: Tensor, k: int) -> Tensor:
    """Share of the relevant candidates among the k best: (B, N), (B, N) of 0 and 1 → (B,).

    The expectation over all orders of tied candidates; a score of −∞ excludes a candidate. With k
    beyond N every candidate that is not excluded is among the best.

    >>> tied, loved = torch.tensor([[2.0, 1.0, 1.0]]), torch.tensor([[False, True, False]])
    >>> recall_at_k(tied, loved, k=2)
    tensor([0.5000], dtype=torch.float64)

    Raises:
        MetricError: a score is NaN or +∞, a row has no relevant candidate, relevance is graded,
            the shapes do not fit, or k is no whole number from 1 on.
    """
    k = _ranked(scores, k)
    _relevant(scores, relevant)
    if (relevant != relevant.bool()).any():
        raise MetricError(
            "recall needs relevance of 0 or 1, and this is graded; say from which grade on a "
            "candidate is relevant, e.g. relevant >= 3, or use ndcg_at_k"
        )
    return _expected(scores, relevant, k).sum(dim=1) / relevant.sum(dim=1, dtype=torch.float64)


def ndcg_at_k(scores: Tensor, relevant: Tensor, k: int) -> Tensor:
    """Normalised discounted cumulative gain: (B, N), (B, N) bool or gains → (B,).

    DCG = Σ_places gain / log₂(place + 1), divided by the DCG of the ideal ranking (Järvelin &
    Kekäläinen 2002, "Cumulated gain-based evaluation of IR techniques"). Graded relevance is the
    gain itself, as in trec_eval; for the exponential form pass 2^grade − 1. The expectation over
    all orders of tied candidates (McSherry & Najork 2008, "Computing information retrieval
    performance measures efficiently in the presence of tied scores"); a score of −∞ excludes.

    Raises:
        MetricError: a score is NaN or +∞, a gain negative or not finite, a row has no relevant
            candidate, the shapes do not fit, or k is no whole number from 1 on.
    """
    k = _ranked(scores, k)
    _relevant(scores, relevant)
    discount = 1 / torch.arange(2, k + 2, device=scores.device).double().log2()
    if relevant.dtype == torch.bool:
        ideal = discount.cumsum(0)[relevant.sum(dim=1).clamp(max=k) - 1]
    else:
        ideal = (relevant.topk(k, dim=1).values * discount).sum(dim=1)
    return (_expected(scores, relevant, k) * discount).sum(dim=1) / ideal


def coverage_at_k(scores: Tensor, k: int) -> float:
    """Share of the catalogue that stands in somebody's k best: scores (B, N).

    Where the k-th best is tied, each of the tied has an equal chance of the places that are left,
    drawn for every listener anew; coverage is then the expectation: the mean over the catalogue of
    1 − Π_listeners (1 − chance to be listed). A score of −∞ excludes a candidate.

    Raises:
        MetricError: a score is NaN or +∞, there are none, or k is no whole number from 1 on.
    """
    k = _ranked(scores, k)
    missed = torch.ones(scores.shape[1], dtype=torch.float64, device=scores.device)
    for some in scores.split(256):
        border = some.topk(k, dim=1).values[:, -1:]
        above, tied = some > border, (some == border) & (border > -torch.inf)
        left = k - above.sum(dim=1, keepdim=True)
        chance = left.double() / tied.sum(dim=1, keepdim=True).clamp(min=1)
        missed *= torch.where(tied, 1 - chance, 1.0).masked_fill_(above, 0).prod(dim=0)
    return float((1 - missed).mean())
