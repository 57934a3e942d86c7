"""Layers that rankers are built of."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class MLP(nn.Sequential):
    """Linear layers with ReLU between them, and after the last one.

    Args:
        in_features: input width. hidden: widths of the layers. dropout: after each ReLU.

    Shapes: (B, in_features) → (B, hidden[-1]).
    """

    def __init__(self, in_features: int, hidden: list[int], dropout: float = 0.0) -> None:
        layers: list[nn.Module] = []
        for width in hidden:
            layers += [nn.Linear(in_features, width), nn.ReLU()]
            if dropout:
                layers.append(nn.Dropout(dropout))
            in_features = width
        super().__init__(*layers)
        self.out_features = in_features


class CrossNetwork(nn.Module):
    """Cross layers of DCN-v2: x_{l+1} = x₀ ⊙ (W_l x_l + b_l) + x_l.

    Every layer multiplies by the input once more: after L layers the output holds products of up
    to L + 1 input features. With `rank` r, W = U Vᵀ with U, V of shape (d, r), which costs
    2·d·r multiplications instead of d².

    Args:
        dim: width d. n_layers: number of layers L. rank: r, or None for full matrices.

    Shapes: (B, d) → (B, d).

    Source: Wang et al. (2021), "DCN V2: Improved Deep & Cross Network and Practical Lessons for
    Web-scale Learning to Rank Systems", equations 1 and 2.
    """

    def __init__(self, dim: int, n_layers: int = 2, rank: int | None = None) -> None:
        super().__init__()
        if rank is None:
            weights = [nn.Linear(dim, dim) for _ in range(n_layers)]
        else:
            weights = [
                nn.Sequential(nn.Linear(dim, rank, bias=False), nn.Linear(rank, dim))
                for _ in range(n_layers)
            ]
        self.weights = nn.ModuleList(weights)

    def forward(self, x0: Tensor) -> Tensor:
        x = x0
        for weight in self.weights:
            x = torch.addcmul(x, x0, weight(x))
        return x
