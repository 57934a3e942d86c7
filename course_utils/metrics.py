"""Metrics of ranking and retrieval, calibration, and the paired bootstrap over users."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


class MetricError(ValueError):
    """Scores or targets that a metric must not be computed on."""


def _finite(scores: Tensor) -> Tensor:
    """The scores themselves; a NaN or an infinity is an error, never a hit."""
    bad = ~torch.isfinite(scores)
    if bad.any():
        raise MetricError(
            f"{int(bad.sum()):,} of {scores.numel():,} scores are NaN or infinite, the first at "
            f"{tuple(bad.nonzero()[0].tolist())}; find out where the model made them"
        )
    return scores


def _binary(target: Tensor) -> Tensor:
    if not ((target == 0) | (target == 1)).all():
        raise MetricError("targets must be 0 or 1")
    return target.double()


class RocAuc:
    """ROC AUC of fixed scores for any weights of the rows; the sorting is done once.

    The chance that a random positive scores above a random negative, ties counting one half.

    Args:
        scores: (N,) finite. target: (N,) of 0 and 1.
    """

    def __init__(self, scores: Tensor, target: Tensor) -> None:
        self.target = _binary(target)
        self.levels, self.level = torch.unique(_finite(scores), return_inverse=True)

    def __call__(self, weight: Tensor | None = None) -> float:
        """AUC with these row weights (N,), all ones by default."""
        weight = torch.ones_like(self.target) if weight is None else weight.double()
        n = len(self.levels)
        positive = torch.bincount(self.level, weight * self.target, minlength=n)
        negative = torch.bincount(self.level, weight * (1 - self.target), minlength=n)
        total = positive.sum() * negative.sum()
        if total == 0:
            raise MetricError("ROC AUC needs at least one positive and one negative")
        below = negative.cumsum(0) - negative
        return float((positive * (below + negative / 2)).sum() / total)


class LogLoss:
    """Mean log loss in nats of fixed logits for any weights of the rows.

    Args:
        logits: (N,) finite. target: (N,) of 0 and 1.
    """

    def __init__(self, logits: Tensor, target: Tensor) -> None:
        self.losses = torch.nn.functional.binary_cross_entropy_with_logits(
            _finite(logits).double(), _binary(target), reduction="none"
        )

    def __call__(self, weight: Tensor | None = None) -> float:
        """Log loss with these row weights (N,), all ones by default."""
        if weight is None:
            return float(self.losses.mean())
        return float((self.losses * weight).sum() / weight.sum())


def roc_auc(scores: Tensor, target: Tensor) -> float:
    """ROC AUC: scores (N,), target (N,) of 0 and 1. See `RocAuc`."""
    return RocAuc(scores, target)()


def log_loss(logits: Tensor, target: Tensor) -> float:
    """Mean log loss in nats: logits (N,), target (N,) of 0 and 1."""
    return LogLoss(logits, target)()


def share_of_the_way(value: float, trivial: float, best: float) -> float:
    """How far a metric has come from the trivial model (0) to the best possible one (1)."""
    return (value - trivial) / (best - trivial)


def calibration(logits: Tensor, target: Tensor, n_bins: int = 10) -> dict[str, Tensor]:
    """Reliability curve over bins of equally many rows.

    Returns:
        (n_bins,) tensors `predicted` and `observed` (mean probability and share of positives), and
        `error`, the standard error of `observed`.
    """
    probability = torch.sigmoid(_finite(logits).double())
    order = probability.argsort()
    predicted, observed, error = [], [], []
    for rows in order.tensor_split(n_bins):
        share = _binary(target[rows]).mean()
        predicted.append(probability[rows].mean())
        observed.append(share)
        error.append((share * (1 - share) / len(rows)).sqrt())
    return {
        "predicted": torch.stack(predicted),
        "observed": torch.stack(observed),
        "error": torch.stack(error),
    }


def calibration_error(logits: Tensor, target: Tensor, n_bins: int = 10) -> float:
    """Expected calibration error: mean |predicted − observed| over bins of equal size."""
    curve = calibration(logits, target, n_bins)
    return float((curve["predicted"] - curve["observed"]).abs().mean())


# Retrieval: one row a user, one column a candidate


def _top(scores: Tensor, relevant: Tensor, k: int) -> Tensor:
    """(B, min(k, N)) 1.0 where the candidate at that place of the ranking is relevant."""
    if scores.shape != relevant.shape:
        raise MetricError(
            f"scores and relevant differ in shape: {tuple(scores.shape)}, {tuple(relevant.shape)}"
        )
    _finite(scores[scores != -torch.inf])
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
    _finite(scores[scores != -torch.inf])
    return len(scores.topk(k, dim=1).indices.unique()) / scores.shape[1]


# Uncertainty


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"

    @property
    def positive(self) -> bool:
        """Whether the whole interval lies above zero."""
        return self.low > 0


def _interval(value: float, draws: np.ndarray) -> Interval:
    low, high = np.quantile(draws, [0.025, 0.975])
    return Interval(value, float(low), float(high))


def bootstrap(
    metrics: dict[str, RocAuc | LogLoss],
    groups: np.ndarray | Tensor,
    pairs: list[tuple[str, str]] = (),
    n: int = 200,
    seed: int = 0,
) -> dict[str | tuple[str, str], Interval]:
    """Intervals for metrics and for their differences, resampling whole users (or days).

    Every draw uses the same resampled users for all metrics, so that differences are paired.

    Args:
        metrics: by name, all over the same N rows. groups: (N,) the user of each row.
        pairs: names (a, b) whose difference a − b is wanted. n: draws. seed: of the draws.

    Returns:
        `Interval` by name and by pair.

    Source: Efron & Tibshirani (1993), "An Introduction to the Bootstrap", chapter 13.
    """
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    n_groups = int(group.max()) + 1
    rng = np.random.default_rng(seed)
    draws: dict[str, list[float]] = {name: [] for name in metrics}
    for _ in range(n):
        counts = np.bincount(rng.integers(0, n_groups, n_groups), minlength=n_groups)
        weight = torch.from_numpy(counts[group].astype(np.float64))
        for name, metric in metrics.items():
            draws[name].append(metric(weight))
    values = {name: metric() for name, metric in metrics.items()}
    result: dict = {name: _interval(values[name], np.array(draws[name])) for name in metrics}
    for a, b in pairs:
        difference = np.array(draws[a]) - np.array(draws[b])
        result[(a, b)] = _interval(values[a] - values[b], difference)
    return result


def mean_difference(a: Tensor, b: Tensor, n: int = 1_000, seed: int = 0) -> Interval:
    """Mean of a − b over users with its bootstrap interval: a, b (B,), one value a user."""
    difference = (a - b).double().numpy()
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, len(difference), (n, len(difference)))
    return _interval(float(difference.mean()), difference[rows].mean(axis=1))
