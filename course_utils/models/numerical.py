"""Encodings of numerical features."""

from __future__ import annotations

import torch
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
        self.register_buffer("left", torch.cat([e[:-1] for e in edges]))
        self.register_buffer("width", torch.cat([e.diff() for e in edges]))
        self.register_buffer("low", low)
        self.register_buffer("high", high)
        self.out_features = len(low) + (len(edges) if missing else 0)

    def forward(self, x: Tensor) -> Tensor:
        unknown = torch.isnan(x)
        progress = (x[:, self.feature] - self.left) / self.width
        encoded = progress.clamp(self.low, self.high).nan_to_num(nan=0.0)
        return torch.cat([encoded, unknown.to(x.dtype)], dim=1) if self.missing else encoded


class Standardized(nn.Module):
    """Each feature minus its mean, over its standard deviation, cut off at ±10.

    A NaN becomes 0, the mean, and D further numbers say where the NaNs were.

    Args:
        values: (N, D) training values.

    Shapes: (B, D) → (B, 2 D).
    """

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        mean = values.nanmean(dim=0).nan_to_num()
        deviation = (values - mean).square().nanmean(dim=0).nan_to_num().sqrt()
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation.clamp(min=1e-6))
        self.out_features = 2 * len(mean)

    def forward(self, x: Tensor) -> Tensor:
        scaled = ((x - self.mean) / self.deviation).clamp(-10, 10)
        return torch.cat([scaled.nan_to_num(nan=0.0), torch.isnan(x).to(x.dtype)], dim=1)
