"""Metrics of ranked candidates: one row a listener, one column a candidate.

Candidates with equal scores have no order. All metrics here are therefore expectations over all
orders of the tied, computed exactly: they depend neither on the place of a candidate in
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


def _groups(scores: Tensor, relevant: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """Of the candidate at each of the k places: what it is tied with.

    Returns:
        (B, k) float64 each: the relevance of all that are tied with it, summed up; how many they
        are, those beyond place k included; how many places they begin before it.
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
    place = torch.arange(k, device=scores.device).expand_as(group)
    begin = place.masked_fill(~first, 0).cummax(dim=1).values
    # The last group may go on beyond place k: count all who are tied with it.
    tied = scores == best[:, -1:]
    last = group[:, -1:]
    size.scatter_(1, last, tied.sum(dim=1, keepdim=True).double())
    reached = relevant.masked_fill(~tied, 0).sum(dim=1, keepdim=True, dtype=torch.float64)
    total.scatter_(1, last, reached.masked_fill(best[:, -1:] == -torch.inf, 0))
    return total.gather(1, group), size.gather(1, group), (place - begin).double()


def _expected(scores: Tensor, relevant: Tensor, k: int) -> Tensor:
    """(B, k) float64: mean relevance of the candidates that may stand at each of k places.

    Tied candidates share the places that they take up together: each of these places has the mean
    of their relevance.
    """
    total, size, _ = _groups(scores, relevant, k)
    return total / size


def _binary(relevant: Tensor, metric: str) -> None:
    """Refuse graded relevance where only 0 and 1 have a meaning."""
    if (relevant != relevant.bool()).any():
        raise MetricError(
            f"{metric} needs relevance of 0 or 1, and this is graded; say from which grade on a "
            "candidate is relevant, e.g. relevant >= 3, or use ndcg_at_k"
        )


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
    _binary(relevant, "recall")
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


def average_precision_at_k(scores: Tensor, relevant: Tensor, k: int) -> Tensor:
    """Precision at each hit among the k best, summed up, over all relevant: (B, N) twice → (B,).

    AP = Σ_places relevant · (hits so far / place) / number of relevant candidates; its mean over
    listeners is MAP (Voorhees & Harman 2005, "TREC", chapter 3; trec_eval's `map_cut`). The
    expectation over all orders of tied candidates (McSherry & Najork 2008, section 3.3): of n that
    are tied, r of them relevant, the one that stands at the j-th of their places (from 0) is
    relevant with chance r / n, and has then j (r − 1) / (n − 1) hits of its group before it.

    >>> ranked, loved = torch.tensor([[3.0, 2.0, 1.0]]), torch.tensor([[False, True, True]])
    >>> average_precision_at_k(ranked, loved, k=3)
    tensor([0.5833], dtype=torch.float64)

    Raises:
        MetricError: a score is NaN or +∞, a row has no relevant candidate, relevance is graded,
            the shapes do not fit, or k is no whole number from 1 on.
    """
    k = _ranked(scores, k)
    _relevant(scores, relevant)
    _binary(relevant, "average precision")
    total, size, within = _groups(scores, relevant, k)
    chance = total / size
    before = chance.cumsum(dim=1) - (within + 1) * chance  # hits of the groups above
    beside = within * (total - 1) / (size - 1).clamp(min=1)
    place = torch.arange(1, k + 1, device=scores.device)
    precision = chance * (before + beside + 1) / place
    return precision.sum(dim=1) / relevant.sum(dim=1, dtype=torch.float64)


def novelty_at_k(scores: Tensor, known: Tensor, k: int) -> Tensor:
    """Mean self-information, −log₂ p, of the k best, in bits: (B, N), (N,) → (B,).

    A track that half of the listeners know brings one bit, one that a thousandth knows brings ten.
    The expectation over all orders of tied candidates; a score of −∞ excludes a candidate, and a
    list that is shorter for it is averaged over the places that it has.

    Args:
        scores: of candidates. known: p of each candidate, the share of the listeners who know it,
            above 0: count one listener more than there are.

    Raises:
        MetricError: a score is NaN or +∞, a row excludes all candidates, a share is not in (0, 1],
            the shapes do not fit, or k is no whole number from 1 on.

    Source: Zhou et al. (2010), "Solving the apparent diversity-accuracy dilemma of recommender
    systems", PNAS, "surprisal".
    """
    k = _ranked(scores, k)
    tensor(known, "known")
    if known.shape != scores.shape[1:] or not ((known > 0) & (known <= 1)).all():
        raise MetricError(
            f"known must be one share in (0, 1] for each of {scores.shape[1]:,} candidates, got "
            f"the shape {tuple(known.shape)}; a track that nobody knows has no finite surprise"
        )
    places = (scores > -torch.inf).sum(dim=1).clamp(max=k)
    if not places.all():
        raise MetricError("every row needs a candidate that is not excluded; drop the others")
    bits = -known.double().log2().expand(scores.shape)
    return _expected(scores, bits, k).sum(dim=1) / places


def serendipity_at_k(scores: Tensor, relevant: Tensor, obvious: Tensor, k: int) -> Tensor:
    """Share of the k best that are relevant and not obvious: (B, N) three times → (B,).

    What is obvious is what a primitive recommender lists: here, say, the k most popular. The
    expectation over all orders of tied candidates; a score of −∞ excludes a candidate.

    Args:
        scores: of candidates. relevant: bool, or 0 and 1. obvious: bool.

    Raises:
        MetricError: a score is NaN or +∞, a row has no relevant candidate, relevance is graded,
            the shapes do not fit, or k is no whole number from 1 on.

    Source: Ge, Delgado-Battenfeld & Jannach (2010), "Beyond accuracy: evaluating recommender
    systems by coverage and serendipity", RecSys, section 2.2.
    """
    k = _ranked(scores, k)
    _relevant(scores, relevant)
    _binary(relevant, "serendipity")
    tensor(obvious, "obvious")
    if obvious.shape != scores.shape or obvious.dtype != torch.bool:
        raise MetricError(
            f"obvious must be bool of the shape {tuple(scores.shape)}, got {obvious.dtype} of "
            f"{tuple(obvious.shape)}"
        )
    return _expected(scores, relevant.bool() & ~obvious, k).mean(dim=1)


def gini(counts: Tensor) -> float:
    """How unequal counts (N,) are: 0 where all are equal, near 1 where one has everything.

    G = Σ_i (2 i − N − 1) x_i / (N Σ x), x sorted upwards, i from 1.

    >>> gini(torch.tensor([0, 0, 0, 8]))
    0.75

    Raises:
        MetricError: a count is negative or not finite, there is none, or all are 0.

    Source: Gini (1912); as a metric of recommendations Fleder & Hosanagar (2009), "Blockbuster
    culture's next rise or fall", Management Science, section 4.
    """
    tensor(counts, "counts")
    if counts.ndim != 1 or not ((counts >= 0) & (counts < torch.inf)).all() or not counts.any():
        raise MetricError(
            f"counts must be flat, finite, not negative and not all 0, got {tuple(counts.shape)}"
        )
    x = counts.double().sort().values
    place = torch.arange(1, len(x) + 1, device=x.device)
    return float(((2 * place - len(x) - 1) * x).sum() / (len(x) * x.sum()))
