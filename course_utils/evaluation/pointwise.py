"""Metrics of predicted probabilities: ROC AUC, log loss, calibration."""

from __future__ import annotations

import operator

import torch
from torch import Tensor


class MetricError(ValueError):
    """Scores or targets that a metric must not be computed on."""


class UndefinedMetric(MetricError):
    """A metric that has no value on these rows, such as an AUC without a positive."""


def whole(value: int, name: str) -> int:
    """The value itself, if it is a whole number from 1 on.

    Raises:
        MetricError: it is not; the text calls it `name`.
    """
    try:
        number = 0 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = 0
    if number < 1:
        raise MetricError(f"{name} must be a whole number of at least 1, got {value!r}")
    return number


def tensor(values: object, name: str) -> None:
    """Refuse an array or a list where a tensor is needed.

    Raises:
        MetricError: it is no tensor; the text calls it `name`.
    """
    if not isinstance(values, Tensor):
        kind = type(values).__name__
        raise MetricError(f"{name} must be a tensor, got {kind}; use torch.as_tensor({name})")


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
    """Targets in float64.

    Raises:
        MetricError: one is neither 0 nor 1.
    """
    bad = (target != 0) & (target != 1)  # true for NaN
    if bad.any():
        place = tuple(bad.nonzero()[0].tolist())
        raise MetricError(
            f"targets must be 0 or 1: {int(bad.sum()):,} of {target.numel():,} are not, the first "
            f"at {place} is {target[place].item()}; drop rows whose outcome is unknown, and cut "
            "other outcomes at a threshold"
        )
    return target.double()


def aligned(scores: Tensor, target: Tensor) -> None:
    """Refuse scores and targets that are not (N,) and (N,), N > 0, in one place.

    Raises:
        MetricError: they differ in shape or device, are not flat, or there are none.
    """
    tensor(scores, "scores")
    tensor(target, "target")
    if scores.shape != target.shape or scores.ndim != 1:
        raise MetricError(
            f"scores and target must be (N,) and (N,), got {tuple(scores.shape)} and "
            f"{tuple(target.shape)}; flatten both, and take both from the same rows"
        )
    if scores.device != target.device:
        raise MetricError(
            f"scores are on {scores.device}, target on {target.device}; move one with .to()"
        )
    if not len(scores):
        raise MetricError("no rows to compute a metric on; check what was selected")


def weights(weight: Tensor | None, rows: Tensor) -> Tensor:
    """Row weights in float64, all ones by default.

    Raises:
        MetricError: they are not one number for each row, or one is negative or not finite.
    """
    if weight is None:
        return torch.ones_like(rows)
    if weight.shape != rows.shape:
        raise MetricError(f"{tuple(weight.shape)} weights for {tuple(rows.shape)} rows")
    if not ((weight >= 0) & (weight < torch.inf)).all():
        raise MetricError("weights must be finite and not negative")
    return weight.to(rows)


class RocAuc:
    """ROC AUC of fixed scores for any weights of the rows; the sorting is done once.

    The chance that a random positive scores above a random negative, ties counting one half.

    Args:
        scores: (N,) finite. target: (N,) of 0 and 1.

    Raises:
        MetricError: a score is not finite, a target neither 0 nor 1, or they do not fit.
    """

    def __init__(self, scores: Tensor, target: Tensor) -> None:
        aligned(scores, target)
        self.target = binary(target)
        self.levels, self.level = torch.unique(finite(scores), return_inverse=True)

    def __len__(self) -> int:
        return len(self.target)

    def __call__(self, weight: Tensor | None = None) -> float:
        """AUC with these row weights (N,), all ones by default.

        Raises:
            UndefinedMetric: no positive or no negative has a weight.
        """
        weight = weights(weight, self.target)
        n = len(self.levels)
        positive = torch.bincount(self.level, weight * self.target, minlength=n)
        negative = torch.bincount(self.level, weight * (1 - self.target), minlength=n)
        total = positive.sum() * negative.sum()
        if total == 0:
            raise UndefinedMetric("ROC AUC needs at least one positive and one negative")
        below = negative.cumsum(0) - negative
        return float((positive * (below + negative / 2)).sum() / total)


class Mean:
    """Mean of fixed values for any weights of the rows.

    Args:
        values: (N,) finite.

    Raises:
        MetricError: a value is not finite, or there is none.
    """

    def __init__(self, values: Tensor) -> None:
        tensor(values, "values")
        if values.ndim != 1 or not len(values):
            raise MetricError(f"values must be (N,) with N > 0, got {tuple(values.shape)}")
        self.values = finite(values).double()

    def __len__(self) -> int:
        return len(self.values)

    def __call__(self, weight: Tensor | None = None) -> float:
        """Mean with these row weights (N,), all ones by default.

        Raises:
            UndefinedMetric: no row has a weight.
        """
        weight = weights(weight, self.values)
        if not weight.any():
            raise UndefinedMetric("a mean needs at least one row with a weight")
        return float((self.values * weight).sum() / weight.sum())


class LogLoss(Mean):
    """Mean log loss in nats of fixed logits for any weights of the rows.

    Args:
        logits: (N,) finite. target: (N,) of 0 and 1.

    Raises:
        MetricError: a logit is not finite, a target neither 0 nor 1, or they do not fit.
    """

    def __init__(self, logits: Tensor, target: Tensor) -> None:
        aligned(logits, target)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            finite(logits).double(), binary(target), reduction="none"
        )
        super().__init__(loss)


def roc_auc(scores: Tensor, target: Tensor) -> float:
    """ROC AUC: scores (N,), target (N,) of 0 and 1. See `RocAuc`.

    >>> roc_auc(torch.tensor([0.1, 0.4, 0.35, 0.8]), torch.tensor([0.0, 0.0, 1.0, 1.0]))
    0.75
    """
    return RocAuc(scores, target)()


def log_loss(logits: Tensor, target: Tensor) -> float:
    """Mean log loss in nats: logits (N,), target (N,) of 0 and 1. See `LogLoss`."""
    return LogLoss(logits, target)()


def share_of_the_way(value: float, trivial: float, best: float) -> float:
    """How far a metric has come from the trivial model (0) to the best possible one (1).

    Raises:
        UndefinedMetric: the best possible model is no better than the trivial one.

    >>> share_of_the_way(0.75, 0.5, 1.0)
    0.5
    """
    if best == trivial:
        raise UndefinedMetric(f"the trivial and the best model both have {best}: there is no way")
    return (value - trivial) / (best - trivial)


def calibration(logits: Tensor, target: Tensor, n_bins: int = 10) -> dict[str, Tensor]:
    """Reliability curve over bins of about equally many rows.

    Rows with the same prediction share a bin, so bins may differ in size, and there are fewer
    than `n_bins` where predictions repeat or rows are few.

    Args:
        logits: (N,) finite. target: (N,) of 0 and 1. n_bins: at most so many bins.

    Returns:
        Tensors with a number for each bin: `predicted` and `observed` (mean probability and share
        of positives), `error`, the standard error of `observed`, and `count`, its rows.

    Raises:
        MetricError: a logit is not finite, a target neither 0 nor 1, they do not fit, or there is
            no bin.
    """
    aligned(logits, target)
    target = binary(target)
    probability = torch.sigmoid(finite(logits).double())
    n_rows, n_bins = len(target), whole(n_bins, "n_bins")
    _, level, rows = probability.unique(return_inverse=True, return_counts=True)
    middle = rows.cumsum(0) - rows + rows // 2  # place of each level's middle row in the order
    parts = torch.arange(min(n_bins, n_rows), device=rows.device)
    ends = (parts + 1) * (n_rows // len(parts)) + (parts + 1).clamp(max=n_rows % len(parts))
    used, part = torch.searchsorted(ends, middle, right=True).unique(return_inverse=True)
    part = part[level]
    count = part.bincount(minlength=len(used))
    predicted = part.bincount(probability, minlength=len(used)) / count
    observed = part.bincount(target, minlength=len(used)) / count
    error = (observed * (1 - observed) / count).sqrt()
    return {"predicted": predicted, "observed": observed, "error": error, "count": count}


def calibration_error(logits: Tensor, target: Tensor, n_bins: int = 10) -> float:
    """Expected calibration error: |predicted − observed| over the bins, weighted by their rows.

    See `calibration`. Source: Naeini et al. (2015), "Obtaining Well Calibrated Probabilities Using
    Bayesian Binning", with bins of about equally many rows.
    """
    curve = calibration(logits, target, n_bins)
    distance = (curve["predicted"] - curve["observed"]).abs()
    return float((distance * curve["count"]).sum() / curve["count"].sum())
