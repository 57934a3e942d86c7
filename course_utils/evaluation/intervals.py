"""Uncertainty: the paired bootstrap over listeners (or days)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from course_utils.evaluation.pointwise import LogLoss, RocAuc


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


def percentile_interval(value: float, draws: np.ndarray) -> Interval:
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
    result: dict = {
        name: percentile_interval(values[name], np.array(draws[name])) for name in metrics
    }
    for a, b in pairs:
        difference = np.array(draws[a]) - np.array(draws[b])
        result[(a, b)] = percentile_interval(values[a] - values[b], difference)
    return result


def mean_difference(a: Tensor, b: Tensor, n: int = 1_000, seed: int = 0) -> Interval:
    """Mean of a − b over users with its bootstrap interval: a, b (B,), one value a user."""
    difference = (a - b).double().numpy()
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, len(difference), (n, len(difference)))
    return percentile_interval(float(difference.mean()), difference[rows].mean(axis=1))
