"""Uncertainty: the paired bootstrap over listeners (or days)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from course_utils.evaluation.pointwise import (
    Mean,
    MetricError,
    RocAuc,
    UndefinedMetric,
    finite,
    whole,
)
from course_utils.schema import SECONDS_PER_DAY

Metric = RocAuc | Mean

LEAST_GROUPS = 20
"""Fewer listeners (or days) than this say nothing of how much listeners differ."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % bootstrap interval.

    Attributes:
        value: on all groups. low, high: ends of the interval. undefined: draws that were left
            out because the metric had no value on them.

    >>> print(Interval(0.5, 0.4, 0.6))
    0.5000 [0.4000, 0.6000]
    """

    value: float
    low: float
    high: float
    undefined: int = 0

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"

    @property
    def positive(self) -> bool:
        """Whether the whole interval lies above zero."""
        return self.low > 0


def percentile_interval(value: float, draws: np.ndarray) -> Interval:
    """The central 95 % of the draws; NaN marks a draw on which the metric is undefined.

    Raises:
        MetricError: the metric is undefined on more than half of the draws.
    """
    defined = draws[~np.isnan(draws)]
    if 2 * len(defined) < len(draws):
        raise MetricError(
            f"the metric has no value on {len(draws) - len(defined):,} of {len(draws):,} draws; "
            "there are too few positives or negatives, or they are with too few listeners"
        )
    low, high = np.quantile(defined, [0.025, 0.975])
    return Interval(value, float(low), float(high), len(draws) - len(defined))


def _enough(n_groups: int, n: int) -> None:
    if n_groups < LEAST_GROUPS:
        raise MetricError(
            f"an interval needs at least {LEAST_GROUPS} listeners (or days), here are {n_groups}; "
            "give the number alone, or resample smaller units, such as days"
        )
    whole(n, "n")


def resampled(listeners: np.ndarray, time: np.ndarray) -> np.ndarray:
    """(N,) what the bootstrap resamples: the largest units of which the test has enough.

    They are the listener of each test row; on a log whose test has too few listeners its day, or
    its hour, or the stretch of time it lies in. Says so if they are no listeners.

    Args:
        listeners: (N,) ids. time: (N,) seconds.
    """
    time = time.astype(np.int64)
    stretch = np.arange(len(time)) * 2 * LEAST_GROUPS // max(1, len(time))
    units = {
        "listeners": listeners,
        "days": time // SECONDS_PER_DAY,
        "hours": time // 3_600,
        "stretches of time": stretch,
    }
    enough = {name: u for name, u in units.items() if len(np.unique(u)) >= LEAST_GROUPS}
    name = next(iter(enough), "listeners")
    if name != "listeners":
        print(f"The test of this log has few listeners: intervals are over its {name}.")
    return units[name]


def _draw(metric: Metric, weight: Tensor) -> float:
    try:
        return metric(weight)
    except UndefinedMetric:
        return float("nan")


def bootstrap(
    metrics: Mapping[str, Metric],
    groups: np.ndarray | Tensor,
    pairs: Sequence[tuple[str, str]] = (),
    n: int = 200,
    seed: int = 0,
) -> dict[str | tuple[str, str], Interval]:
    """Intervals for metrics and for their differences, resampling whole users (or days).

    Every draw uses the same resampled users for all metrics, so that differences are paired. A
    draw on which a metric is undefined (no positive, say) is left out and counted.

    Args:
        metrics: by name, all over the same N rows. groups: (N,) the user of each row.
        pairs: names (a, b) whose difference a − b is wanted. n: draws. seed: of the draws.

    Returns:
        `Interval` by name and by pair.

    Raises:
        MetricError: there are fewer than 20 groups, they do not fit the rows of a metric, a pair
            names no metric, or a metric is undefined on all rows or on most draws.

    Source: Efron & Tibshirani (1993), "An Introduction to the Bootstrap", chapter 13.
    """
    groups = np.asarray(groups)
    for name, metric in metrics.items():
        if groups.shape != (len(metric),):
            raise MetricError(
                f"{name!r} has {len(metric):,} rows, groups have the shape {groups.shape}; give "
                "the listener of each row"
            )
    if unknown := {name for pair in pairs for name in pair} - metrics.keys():
        raise MetricError(f"pairs name {sorted(unknown)}, the metrics are {list(metrics)}")
    distinct, group = np.unique(groups, return_inverse=True)
    n_groups = len(distinct)
    _enough(n_groups, n)
    values = {name: metric() for name, metric in metrics.items()}
    rng = np.random.default_rng(seed)
    draws: dict[str, list[float]] = {name: [] for name in metrics}
    for _ in range(n):
        counts = np.bincount(rng.integers(0, n_groups, n_groups), minlength=n_groups)
        weight = torch.from_numpy(counts[group].astype(np.float64))
        for name, metric in metrics.items():
            draws[name].append(_draw(metric, weight))
    result: dict[str | tuple[str, str], Interval] = {
        name: percentile_interval(values[name], np.array(draws[name])) for name in metrics
    }
    for a, b in pairs:
        difference = np.array(draws[a]) - np.array(draws[b])
        result[(a, b)] = percentile_interval(values[a] - values[b], difference)
    return result


def mean_difference(a: Tensor, b: Tensor, n: int = 1_000, seed: int = 0) -> Interval:
    """Mean of a − b over users with its bootstrap interval: a, b (B,), one value a user.

    Args:
        a, b: of the same users in the same order. n: draws. seed: of the draws.

    Raises:
        MetricError: a and b differ in shape or are not flat, a value is not finite, or there are
            fewer than 20 users.
    """
    if a.shape != b.shape or a.ndim != 1:
        raise MetricError(
            f"need one value a user from both, got {tuple(a.shape)} and {tuple(b.shape)}; take "
            "both from the same users"
        )
    difference = (finite(a).double() - finite(b).double()).cpu().numpy()
    _enough(len(difference), n)
    rng = np.random.default_rng(seed)
    draws = [difference[rng.integers(0, len(difference), len(difference))].mean() for _ in range(n)]
    return percentile_interval(float(difference.mean()), np.array(draws))
