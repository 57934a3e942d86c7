"""Metrics of predicted probabilities: ROC AUC, log loss, calibration."""

from __future__ import annotations

import torch
from torch import Tensor


class MetricError(ValueError):
    """Scores or targets that a metric must not be computed on."""


def finite(scores: Tensor) -> Tensor:
    """The scores themselves; a NaN or an infinity is an error, never a hit."""
    bad = ~torch.isfinite(scores)
    if bad.any():
        raise MetricError(
            f"{int(bad.sum()):,} of {scores.numel():,} scores are NaN or infinite, the first at "
            f"{tuple(bad.nonzero()[0].tolist())}; find out where the model made them"
        )
    return scores


def binary(target: Tensor) -> Tensor:
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
        self.target = binary(target)
        self.levels, self.level = torch.unique(finite(scores), return_inverse=True)

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
            finite(logits).double(), binary(target), reduction="none"
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
    probability = torch.sigmoid(finite(logits).double())
    order = probability.argsort()
    predicted, observed, error = [], [], []
    for rows in order.tensor_split(n_bins):
        share = binary(target[rows]).mean()
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
