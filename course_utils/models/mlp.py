"""The multilayer perceptron that all parts of the course share."""

from __future__ import annotations

from torch import nn


class MLP(nn.Sequential):
    """Linear layers with ReLU between them, and after the last one.

    Args:
        in_features: input width. hidden: widths of the layers. dropout: after each ReLU.

    Shapes: (B, in_features) → (B, hidden[-1]).

    >>> import torch
    >>> MLP(3, [8, 4])(torch.zeros(2, 3)).shape
    torch.Size([2, 4])
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
