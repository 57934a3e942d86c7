"""Encodings of numerical features, piecewise linear encoding (PLE) among them."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from sklearn.tree import DecisionTreeClassifier
from torch import Tensor, nn


def quantile_bins(values: Tensor, n_bins: int) -> list[Tensor]:
    """Bin edges of each feature at its quantiles.

    Args:
        values: (N, D) training values; NaN means unknown and is left out.
        n_bins: wanted number of bins; equal quantiles are merged, so a feature with few
            different values gets fewer bins, and a constant feature gets one.

    Returns:
        D sorted tensors of edges, each with at least two.

    Raises:
        ValueError: a value is infinite, or a feature has no known value.

    Source: Gorishniy et al. (2022), "On Embeddings for Numerical Features in Tabular Deep
    Learning", section 3.2.1.
    """
    if torch.isinf(values).any():
        column = int(torch.isinf(values).any(dim=0).nonzero()[0])
        raise ValueError(f"feature {column} has an infinite value; clip it or make it NaN")
    edges = []
    for column, x in enumerate(values.T):
        known = x[~torch.isnan(x)].sort().values
        if not len(known):
            raise ValueError(f"feature {column} has no known value to take quantiles of; drop it")
        position = torch.linspace(0, len(known) - 1, n_bins + 1).round().long()
        unique = known[position].unique()
        edges.append(unique if len(unique) > 1 else torch.stack([unique[0] - 1, unique[0]]))
    return edges


def tree_bins(values: Tensor, target: Tensor, n_bins: int, min_leaf: int = 64) -> list[Tensor]:
    """Bin edges of each feature where a decision tree on this feature alone splits the target.

    Args:
        values: (N, D) training values; NaN means unknown and is left out.
        target: (N,) of 0 and 1. n_bins: leaves of the tree, at most.
        min_leaf: rows that a bin holds at least.

    Returns:
        D sorted tensors of edges, each with at least two: the extremes and the tree's thresholds.

    Raises:
        ValueError: a value is infinite, or a feature has no known value.

    Source: Gorishniy et al. (2022), section 3.2.2.
    """
    edges = []
    for x, ends in zip(values.T, quantile_bins(values, 1), strict=True):
        known = ~torch.isnan(x)
        tree = DecisionTreeClassifier(
            max_leaf_nodes=max(2, n_bins), min_samples_leaf=min_leaf, random_state=0
        )
        tree.fit(x[known].unsqueeze(1).numpy(), target[known].numpy())
        inner = tree.tree_.feature >= 0
        thresholds = torch.from_numpy(tree.tree_.threshold[inner].copy()).to(x.dtype)
        edges.append(torch.cat([ends, thresholds if n_bins > 1 else thresholds[:0]]).unique())
    return edges


class PiecewiseLinearEncoding(nn.Module):
    """Piecewise linear encoding (PLE) of numerical features.

    Feature x with edges b₀ < … < b_T becomes T numbers: e_t = (x − b_{t−1}) / (b_t − b_{t−1}),
    cut off to [0, 1]: 1 in the bins that x has passed, 0 in those it has not reached, a fraction
    in its own. As in the paper the first number may fall below 0 and the last may exceed 1 when x
    leaves the training range, unless `bounded`.

    A NaN encodes as zeros; with `missing` every feature has one more number that is 1 for NaN
    and 0 otherwise, so that "unknown" differs from "smallest".

    Args:
        edges: sorted edges of each feature (`quantile_bins`); lengths may differ.
        bounded: cut off outside the training range too.
        missing: add the D indicator numbers at the end.

    Shapes: (B, D) → (B, ΣT) or, with `missing`, (B, ΣT + D).

    Raises:
        ValueError: fewer than two edges, or edges that do not grow.

    Source: Gorishniy et al. (2022), section 3.2, equation 1.
    """

    def __init__(self, edges: list[Tensor], bounded: bool = False, missing: bool = False) -> None:
        super().__init__()
        for column, e in enumerate(edges):
            if len(e) < 2 or not (e.diff() > 0).all():
                raise ValueError(f"feature {column} needs at least two growing edges, got {e}")
        self.missing = missing
        counts = torch.tensor([len(e) - 1 for e in edges])
        low = torch.zeros(int(counts.sum()))
        high = torch.ones(int(counts.sum()))
        if not bounded:
            last = counts.cumsum(0) - 1
            low[last - counts + 1] = -torch.inf
            high[last] = torch.inf
        self.register_buffer("feature", torch.arange(len(edges)).repeat_interleave(counts))
        extra = torch.arange(len(edges) if missing else 0)
        self.register_buffer("owner", torch.cat([self.feature, extra]))
        self.register_buffer("first", torch.stack([e[0] for e in edges]))
        self.register_buffer("left", torch.cat([e[:-1] for e in edges]))
        self.register_buffer("width", torch.cat([e.diff() for e in edges]))
        self.register_buffer("low", low)
        self.register_buffer("high", high)
        self.out_features = len(self.owner)

    def forward(self, x: Tensor) -> Tensor:
        unknown = torch.isnan(x)
        known = torch.where(unknown, self.first, x)  # the first edge has the code 0, …, 0
        progress = (known.index_select(1, self.feature) - self.left) / self.width
        encoded = progress.clamp(self.low, self.high)
        return torch.cat([encoded, unknown.to(x.dtype)], dim=1) if self.missing else encoded


class Standardized(nn.Module):
    """Each feature minus its mean, over its standard deviation, cut off at ±10.

    A NaN becomes 0, the mean, and D further numbers say where the NaNs were.

    Args:
        values: (N, D) training values.
        before: applied to the values first, such as `signed_log1p`.
        after: applied to the scaled numbers, such as `torch.sigmoid`.

    Shapes: (B, D) → (B, 2 D).
    """

    def __init__(
        self,
        values: Tensor,
        before: Callable[[Tensor], Tensor] | None = None,
        after: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.before, self.after = before or nn.Identity(), after or nn.Identity()
        values = self.before(values)
        mean = values.nanmean(dim=0).nan_to_num()
        deviation = (values - mean).square().nanmean(dim=0).nan_to_num().sqrt()
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation.clamp(min=1e-6))
        self.register_buffer("owner", torch.arange(len(mean)).repeat(2))
        self.out_features = len(self.owner)

    def forward(self, x: Tensor) -> Tensor:
        scaled = ((self.before(x) - self.mean) / self.deviation).clamp(-10, 10)
        scaled = self.after(scaled.nan_to_num(nan=0.0))
        return torch.cat([scaled, torch.isnan(x).to(x.dtype)], dim=1)


def signed_log1p(x: Tensor) -> Tensor:
    """sign(x) · ln(1 + |x|): squeezes large counts, keeps the sign and the order."""
    return x.sign() * torch.log1p(x.abs())


class QuantileTransform(nn.Module):
    """Each feature's place among the training values: 0 the smallest, 1 the largest.

    Between the edges the place is interpolated: it is the mean of the bounded piecewise linear
    code. A NaN becomes ½, and D further numbers say where the NaNs were.

    Args:
        edges: sorted edges of each feature at its quantiles (`quantile_bins`).

    Shapes: (B, D) → (B, 2 D).
    """

    def __init__(self, edges: list[Tensor]) -> None:
        super().__init__()
        self.codes = PiecewiseLinearEncoding(edges, bounded=True)
        counts = torch.bincount(self.codes.feature)
        self.register_buffer("share", 1.0 / counts[self.codes.feature])
        self.register_buffer("owner", torch.arange(len(edges)).repeat(2))
        self.out_features = len(self.owner)

    def forward(self, x: Tensor) -> Tensor:
        unknown = torch.isnan(x).to(x.dtype)
        place = torch.zeros_like(x).index_add(1, self.codes.feature, self.codes(x) * self.share)
        return torch.cat([place + 0.5 * unknown, unknown], dim=1)


class OneHotBins(nn.Module):
    """One-hot code of the bin that a number falls into; what lies outside counts for the end bins.

    A NaN is a bin of its own.

    Args:
        edges: sorted edges of each feature (`quantile_bins`).

    Shapes: (B, D) → (B, ΣT + D).
    """

    def __init__(self, edges: list[Tensor]) -> None:
        super().__init__()
        self.codes = PiecewiseLinearEncoding(edges, bounded=True)
        owner = self.codes.feature
        self.register_buffer("first", torch.cat([torch.ones(1), owner.diff()]) > 0)
        last = torch.cat([owner.diff(), torch.ones(1)]) > 0
        right = self.codes.left + self.codes.width
        self.register_buffer("low", torch.where(self.first, -torch.inf, self.codes.left))
        self.register_buffer("high", torch.where(last, torch.inf, right))
        self.register_buffer("owner", torch.cat([owner, torch.arange(len(edges))]))
        self.out_features = len(self.owner)

    def forward(self, x: Tensor) -> Tensor:
        each = x[:, self.codes.feature]
        inside = (each >= self.low) & (each < self.high)
        return torch.cat([inside, torch.isnan(x)], dim=1).to(x.dtype)


class Periodic(nn.Module):
    """Periodic features: cos(2π c x) and sin(2π c x) with learned frequencies c.

    The numbers are standardised first. A NaN becomes zeros, and D further numbers say where.

    Args:
        values: (N, D) training values. n_frequencies: k for each feature.
        sigma: standard deviation of the frequencies at the start; matters a lot.

    Shapes: (B, D) → (B, 2 k D + D).

    Source: Gorishniy et al. (2022), section 3.3, equation 2.
    """

    def __init__(self, values: Tensor, n_frequencies: int = 8, sigma: float = 0.3) -> None:
        super().__init__()
        self.scale = Standardized(values)
        n = values.shape[1]
        self.frequencies = nn.Parameter(sigma * torch.randn(n, n_frequencies))
        codes = torch.arange(n).repeat_interleave(2 * n_frequencies)
        self.register_buffer("owner", torch.cat([codes, torch.arange(n)]))
        self.out_features = len(self.owner)

    def forward(self, x: Tensor) -> Tensor:
        scaled, unknown = self.scale(x).chunk(2, dim=1)
        angle = 2 * math.pi * self.frequencies * scaled.unsqueeze(-1)
        waves = torch.cat([angle.cos(), angle.sin()], dim=-1)
        return torch.cat([(waves * (1 - unknown).unsqueeze(-1)).flatten(1), unknown], dim=1)
