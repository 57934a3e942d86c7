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
        D sorted tensors of edges, each with at least two; float64 for integers, else as the values.

    Raises:
        ValueError: a value is infinite, a feature has no known value, or there is no feature or
            no whole number of bins.

    Source: Gorishniy et al. (2022), "On Embeddings for Numerical Features in Tabular Deep
    Learning", section 3.2.1.

    >>> quantile_bins(torch.tensor([[1.0], [2.0], [3.0], [4.0], [5.0]]), 2)
    [tensor([1., 3., 5.])]
    """
    if not (values.ndim == 2 and values.shape[1] and isinstance(n_bins, int) and n_bins >= 1):
        shape = tuple(values.shape)
        raise ValueError(f"need (N, D) values, D ≥ 1, and whole bins, got {shape}, {n_bins} bins")
    values = values if values.is_floating_point() else values.double()
    edges = []
    for column, x in enumerate(values.T):
        known = x[~torch.isnan(x)].sort().values
        if not len(known):
            raise ValueError(f"feature {column} has no known value to take quantiles of; drop it")
        if torch.isinf(known[[0, -1]]).any():
            raise ValueError(f"feature {column} has an infinite value; clip it or make it NaN")
        steps = torch.arange(n_bins + 1) * (len(known) - 1)  # in integers: float32 ends at 2²⁴
        place, rest = steps // n_bins, steps % n_bins
        place += 2 * rest + place % 2 > n_bins  # rounded, halves to the even neighbour
        unique = known[place].unique()
        if len(unique) == 1:  # a constant: the edge below it differs however large it is
            below = torch.nextafter(unique, torch.full_like(unique, -torch.inf))
            unique = torch.cat([torch.minimum(unique - 1, below), unique])
        edges.append(unique)
    return edges


def tree_bins(values: Tensor, target: Tensor, n_bins: int, min_leaf: int = 64) -> list[Tensor]:
    """Bin edges of each feature where a decision tree on this feature alone splits the target.

    The tree sees the ranks of the values, so that no scale is too small or too large for it. As
    in any tree a value at or below the middle of two neighbours goes with the lower one.

    Args:
        values: (N, D) training values; NaN means unknown and is left out.
        target: (N,) of 0 and 1. n_bins: leaves of the tree, at most.
        min_leaf: rows that a bin holds at least.

    Returns:
        D sorted tensors of edges, each with at least two: the extremes and the tree's thresholds.

    Raises:
        ValueError: a value is infinite, a feature has no known value, or there is no bin.

    Source: Gorishniy et al. (2022), section 3.2.2.
    """
    edges = []
    for x, ends in zip(values.T, quantile_bins(values, min(n_bins, 1)), strict=True):
        known = ~torch.isnan(x)
        levels, rank = x[known].to(ends.dtype).unique(return_inverse=True)
        tree = DecisionTreeClassifier(
            max_leaf_nodes=max(2, n_bins), min_samples_leaf=min_leaf, random_state=0
        )
        tree.fit(rank.unsqueeze(1).numpy(), target[known].numpy())
        cuts = tree.tree_.threshold[tree.tree_.feature >= 0] if n_bins > 1 else []
        lower = torch.as_tensor(cuts).long().clamp(max=len(levels) - 2)
        low, high = levels[lower], levels[lower + 1]
        middle = low.double() / 2 + high.double() / 2
        edge = middle.to(low.dtype)  # then the smallest number above the middle
        edge = torch.where(edge > middle, edge, torch.nextafter(edge, high))
        edges.append(torch.cat([ends, edge.clamp(max=high)]).unique())
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
        before: applied to the numbers first, such as `signed_log1p`; the edges are then those of
            the results.

    Shapes: (B, D) → (B, ΣT) or, with `missing`, (B, ΣT + D), finite and of the module's dtype.

    Raises:
        ValueError: fewer than two edges, or edges that do not grow or are not finite.

    Source: Gorishniy et al. (2022), section 3.2, equation 1.

    >>> encode = PiecewiseLinearEncoding([torch.tensor([0.0, 1.0, 3.0, 7.0])], bounded=True)
    >>> encode(torch.tensor([[5.0]]))
    tensor([[1.0000, 1.0000, 0.5000]])
    """

    feature: Tensor
    owner: Tensor
    first: Tensor
    left: Tensor
    width: Tensor
    low: Tensor
    high: Tensor

    def __init__(
        self,
        edges: list[Tensor],
        bounded: bool = False,
        missing: bool = False,
        before: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.before = before or nn.Identity()
        if not edges:
            raise ValueError("there is no feature: give the edges of at least one")
        for column, e in enumerate(edges):
            if len(e) < 2 or not (e.diff() > 0).all() or torch.isinf(e).any():
                raise ValueError(f"feature {column} needs at least two growing edges, got {e}")
        if any(torch.isinf(e.diff()).any() for e in edges):
            edges = [e.double() for e in edges]  # too far apart for a difference in float32
        self.missing = missing
        counts = torch.tensor([len(e) - 1 for e in edges])
        low = torch.zeros(int(counts.sum()))
        high = torch.ones(int(counts.sum()))
        if not bounded:
            last = counts.cumsum(0) - 1
            low[last - counts + 1] = torch.finfo(low.dtype).min
            high[last] = torch.finfo(high.dtype).max
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
        x = self.before(x if x.is_floating_point() else x.double())
        unknown = torch.isnan(x)
        known = torch.where(unknown, self.first, x)  # the first edge has the code 0, …, 0
        progress = (known.index_select(1, self.feature) - self.left) / self.width
        encoded = progress.to(self.low.dtype).clamp(self.low, self.high)
        return torch.cat([encoded, unknown.to(encoded)], dim=1) if self.missing else encoded


class Standardized(nn.Module):
    """Each feature minus its mean, over its standard deviation, cut off at ±10.

    A NaN becomes 0, the mean, and D further numbers say where the NaNs were. The statistics are
    taken in float64, and the mean is kept as two float32 numbers: with one alone a timestamp
    would be off by up to 64 s.

    Args:
        values: (N, D) training values.
        before: applied to the values first, such as `signed_log1p`.
        after: applied to the scaled numbers, such as `torch.sigmoid`.

    Shapes: (B, D) → (B, 2 D), finite and of the module's dtype.

    Raises:
        ValueError: a training value is infinite, or too large for float32.
    """

    mean: Tensor
    rest: Tensor
    deviation: Tensor
    owner: Tensor

    def __init__(
        self,
        values: Tensor,
        before: Callable[[Tensor], Tensor] | None = None,
        after: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        if values.ndim != 2 or not values.shape[1]:
            raise ValueError(f"need (N, D) values, D ≥ 1, got {tuple(values.shape)}")
        self.before, self.after = before or nn.Identity(), after or nn.Identity()
        means, deviations = [], []
        for column, x in enumerate(self.before(values).T):
            if torch.isinf(x.float()).any():
                raise ValueError(f"feature {column} has an infinite value; clip it or make it NaN")
            known = x[~torch.isnan(x)].double()
            means.append(known.mean().nan_to_num())
            deviations.append((known - means[-1]).square().mean().sqrt().nan_to_num())
        mean, deviation = torch.stack(means), torch.stack(deviations)
        tiny = torch.finfo(torch.float32).tiny
        least = (1e-12 * mean.abs()).clamp(min=tiny)  # less is the rounding of a constant
        self.register_buffer("mean", mean.float())
        self.register_buffer("rest", (mean - mean.float()).float())
        self.register_buffer("deviation", deviation.maximum(least).float())
        self.register_buffer("owner", torch.arange(len(mean)).repeat(2))
        self.out_features = len(self.owner)

    def forward(self, x: Tensor) -> Tensor:
        x = self.before(x if x.is_floating_point() else x.double())
        scaled = ((x - self.mean - self.rest) / self.deviation).clamp(-10, 10)
        unknown = torch.isnan(scaled)
        scaled = self.after(scaled.nan_to_num(nan=0.0).to(self.mean.dtype))
        return torch.cat([scaled, unknown.to(scaled)], dim=1)


def signed_log1p(x: Tensor) -> Tensor:
    """sign(x) · ln(1 + |x|): squeezes large counts, keeps the sign and the order."""
    return x.sign() * torch.log1p(x.abs())


class QuantileTransform(nn.Module):
    """Each feature's place among its bins: 0 the smallest training value, 1 the largest.

    Between the edges the place is interpolated: it is the mean of the bounded piecewise linear
    code. Where equal quantiles were merged, it is not quite the share of smaller values. A NaN
    becomes ½, and D further numbers say where the NaNs were.

    Args:
        edges: sorted edges of each feature at its quantiles (`quantile_bins`).

    Shapes: (B, D) → (B, 2 D).
    """

    n_bins: Tensor
    owner: Tensor

    def __init__(self, edges: list[Tensor]) -> None:
        super().__init__()
        self.codes = PiecewiseLinearEncoding(edges, bounded=True)
        self.register_buffer("n_bins", torch.bincount(self.codes.feature))
        self.register_buffer("owner", torch.arange(len(edges)).repeat(2))
        self.out_features = len(self.owner)

    def forward(self, x: Tensor) -> Tensor:
        codes = self.codes(x)
        unknown = torch.isnan(x).to(codes)
        passed = torch.zeros_like(unknown).index_add(1, self.codes.feature, codes)
        return torch.cat([passed / self.n_bins + 0.5 * unknown, unknown], dim=1)


class OneHotBins(nn.Module):
    """One-hot code of the bin that a number falls into; what lies outside counts for the end bins.

    A bin holds its left edge and not its right one. A NaN is a bin of its own.

    Args:
        edges: sorted edges of each feature (`quantile_bins`).

    Shapes: (B, D) → (B, ΣT + D).

    Raises:
        ValueError: fewer than two edges, or edges that do not grow or are not finite.
    """

    left: Tensor
    right: Tensor
    owner: Tensor

    def __init__(self, edges: list[Tensor]) -> None:
        super().__init__()
        self.codes = PiecewiseLinearEncoding(edges, bounded=True)
        end = torch.full((1,), torch.inf)
        self.register_buffer("left", torch.cat([torch.cat([-end, e[1:-1]]) for e in edges]))
        self.register_buffer("right", torch.cat([torch.cat([e[1:-1], end]) for e in edges]))
        self.register_buffer("owner", torch.cat([self.codes.feature, torch.arange(len(edges))]))
        self.out_features = len(self.owner)

    def forward(self, x: Tensor) -> Tensor:
        x = x if x.is_floating_point() else x.double()
        finite = x.nan_to_num(nan=torch.nan)  # an infinity becomes the largest number
        each = finite.index_select(1, self.codes.feature)
        inside = (each >= self.left) & (each < self.right)
        return torch.cat([inside, torch.isnan(x)], dim=1).to(self.codes.low.dtype)


class Periodic(nn.Module):
    """Periodic features: cos(2π c x) and sin(2π c x) with learned frequencies c.

    The numbers are standardised first. A NaN becomes zeros, and D further numbers say where.

    Args:
        values: (N, D) training values. n_frequencies: k for each feature.
        sigma: standard deviation of the frequencies at the start; matters a lot.

    Shapes: (B, D) → (B, 2 k D + D).

    Source: Gorishniy et al. (2022), section 3.3, equation 2.
    """

    owner: Tensor

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
