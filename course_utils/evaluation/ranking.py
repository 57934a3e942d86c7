"""Metrics of ranked candidates: one row a listener, one column a candidate."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.evaluation.pointwise import MetricError, finite


def _top(scores: Tensor, relevant: Tensor, k: int) -> Tensor:
    """(B, min(k, N)) 1.0 where the candidate at that place of the ranking is relevant."""
    if scores.shape != relevant.shape:
        raise MetricError(
            f"scores and relevant differ in shape: {tuple(scores.shape)}, {tuple(relevant.shape)}"
        )
    finite(scores[scores != -torch.inf])
    if not relevant.any(dim=1).all():
        raise MetricError("every row needs at least one relevant candidate; drop the others")
    best = scores.topk(min(k, scores.shape[1]), dim=1).indices
    return relevant.gather(1, best).double()


def recall_at_k(scores: Tensor, relevant: Tensor, k: int) -> Tensor:
    """Share of the relevant candidates among the k best: (B, N), (B, N) bool → (B,).

    A score of −∞ takes a candidate out of the ranking; NaN and +∞ are errors.
    """
    return _top(scores, relevant, k).sum(dim=1) / relevant.sum(dim=1)


def ndcg_at_k(scores: Tensor, relevant: Tensor, k: int) -> Tensor:
    """Normalised discounted cumulative gain with binary relevance: (B, N), (B, N) bool → (B,).

    DCG = Σ_places relevant / log₂(place + 1), divided by the DCG of the ideal ranking (Järvelin &
    Kekäläinen 2002, "Cumulated gain-based evaluation of IR techniques").
    """
    hits = _top(scores, relevant, k)
    discount = 1 / torch.log2(torch.arange(2, hits.shape[1] + 2).double())
    ideal = discount.cumsum(0)[relevant.sum(dim=1).clamp(max=hits.shape[1]) - 1]
    return (hits * discount).sum(dim=1) / ideal


def coverage_at_k(scores: Tensor, k: int) -> float:
    """Share of the catalogue that stands in somebody's k best: scores (B, N)."""
    finite(scores[scores != -torch.inf])
    return len(scores.topk(k, dim=1).indices.unique()) / scores.shape[1]
