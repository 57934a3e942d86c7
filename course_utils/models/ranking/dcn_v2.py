"""DCN and DCN-v2: cross networks, the deep networks beside them, and the ranker of both."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from course_utils.models.interfaces import Layer
from course_utils.models.mlp import MLP


class CrossVector(nn.Module):
    """Cross layers of DCN, the first version: x_{l+1} = x₀ · (w_lᵀ x_l) + b_l + x_l.

    A layer weighs all features into one number, and multiplies the whole input by it. It is a
    layer of DCN-v2 whose matrix has the vector w_l in every row, up to the place of the bias.

    Args:
        dim: width d. n_layers: number of layers L.

    Shapes: (B, d) → (B, d).

    Source: Wang et al. (2017), "Deep & Cross Network for Ad Click Predictions", equation 3.

    >>> CrossVector(4)(torch.zeros(2, 4)).shape
    torch.Size([2, 4])
    """

    def __init__(self, dim: int, n_layers: int = 2) -> None:
        super().__init__()
        self.weights = nn.ModuleList(nn.Linear(dim, 1, bias=False) for _ in range(n_layers))
        self.biases = nn.Parameter(torch.zeros(n_layers, dim))

    def forward(self, x0: Tensor) -> Tensor:
        x = x0
        for weight, bias in zip(self.weights, self.biases, strict=True):
            x = torch.addcmul(x, x0, weight(x)) + bias
        return x


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

    >>> CrossNetwork(4)(torch.zeros(2, 4)).shape
    torch.Size([2, 4])
    """

    def __init__(self, dim: int, n_layers: int = 2, rank: int | None = None) -> None:
        super().__init__()

        def matrix() -> nn.Module:
            if rank is None:
                return nn.Linear(dim, dim)
            return nn.Sequential(nn.Linear(dim, rank, bias=False), nn.Linear(rank, dim))

        self.weights = nn.ModuleList(matrix() for _ in range(n_layers))

    def forward(self, x0: Tensor) -> Tensor:
        x = x0
        for weight in self.weights:
            x = torch.addcmul(x, x0, weight(x))
        return x


class CrossMixture(nn.Module):
    """Cross layers of DCN-v2 with a mixture of low-rank experts.

    x_{l+1} = Σ_i G_i(x_l) · E_i(x_l) + x_l, where an expert works in a space of `rank` dimensions,
    E_i(x) = x₀ ⊙ (U_i · g(C_i · g(V_iᵀ x)) + b), g = tanh, and the gates G are a softmax of
    linear scores of x_l.

    Args:
        dim: width d. n_layers: L. rank: r of each expert. n_experts: experts a layer.

    Shapes: (B, d) → (B, d).

    Source: Wang et al. (2021), "DCN V2", equations 3 and 4.
    """

    def __init__(self, dim: int, n_layers: int = 2, rank: int = 16, n_experts: int = 4) -> None:
        super().__init__()

        def matrices(rows: int, columns: int) -> nn.Parameter:
            drawn = torch.randn(n_layers, n_experts, rows, columns)
            return nn.Parameter(drawn * math.sqrt(2 / (rows + columns)))

        self.v, self.c, self.u = matrices(dim, rank), matrices(rank, rank), matrices(rank, dim)
        self.bias = nn.Parameter(torch.zeros(n_layers, dim))
        self.gates = nn.ModuleList(nn.Linear(dim, n_experts, bias=False) for _ in range(n_layers))

    def forward(self, x0: Tensor) -> Tensor:
        x = x0
        for v, c, u, bias, gate in zip(self.v, self.c, self.u, self.bias, self.gates, strict=True):
            inner = torch.einsum("bd,edr->ber", x, v).tanh()
            inner = torch.einsum("ber,ers->bes", inner, c).tanh()
            inner = inner * gate(x).softmax(dim=1).unsqueeze(2)
            x = torch.addcmul(x, x0, torch.einsum("ber,erd->bd", inner, u) + bias)
        return x


class ResNet(nn.Module):
    """Residual blocks: x ← ReLU(x + W₂ · ReLU(W₁ x)).

    Args:
        dim: width of input and output. hidden: width inside of each block.

    Shapes: (B, dim) → (B, dim).

    Source: Shan et al. (2016), "Deep Crossing", section 4.3 (residual units).
    """

    def __init__(self, dim: int, hidden: list[int]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(dim, width), nn.ReLU(), nn.Linear(width, dim))
            for width in hidden
        )
        self.out_features = dim

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = torch.relu(x + block(x))
        return x


class DenseNet(nn.Module):
    """Dense blocks: each layer reads everything before it, x ← [x, ReLU(W x)].

    Args:
        in_features: input width. growth: widths that the layers add.

    Shapes: (B, in_features) → (B, in_features + Σ growth).

    Source: Huang et al. (2017), "Densely Connected Convolutional Networks", equation 2.
    """

    def __init__(self, in_features: int, growth: list[int]) -> None:
        super().__init__()
        layers = []
        for width in growth:
            layers.append(nn.Sequential(nn.Linear(in_features, width), nn.ReLU()))
            in_features += width
        self.layers = nn.ModuleList(layers)
        self.out_features = in_features

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.cat([x, layer(x)], dim=1)
        return x


class DCNv2(nn.Module):
    """DCN-v2 over embedded ids and encoded numbers.

    x₀ = [W · numerical(numbers), embedding(ids)]. In the parallel form a cross network and, beside
    it, a deep network read x₀, and one linear layer turns both into a logit; in the stacked form
    the deep network reads what the cross network makes of x₀.

    Args:
        embedding: ids (B, F) → (B, F, e), with `out_features`; None leaves the ids out.
        numerical: numbers (B, D) → (B, m), with `out_features`.
        projection: width to which the encoded numbers are brought.
        cross: makes the cross network for a width; None leaves the deep network alone.
        deep: makes the deep network, with `out_features`, for a width; default: an MLP of 192, 96.
        stacked: the deep network after the cross network, not beside it.
        n_extra: width of further inputs, such as an encoded history.

    Shapes: ids (B, F), numbers (B, D), extra (B, n_extra) if there is → logits (B,).

    Source: Wang et al. (2021), "DCN V2", section 3 and figure 1.
    """

    def __init__(
        self,
        embedding: Layer | None,
        numerical: Layer,
        projection: int = 96,
        cross: Callable[[int], nn.Module] | None = CrossNetwork,
        deep: Callable[[int], Layer] | None = None,
        stacked: bool = False,
        n_extra: int = 0,
    ) -> None:
        super().__init__()
        self.embedding, self.numerical = embedding, numerical
        self.project = nn.Linear(numerical.out_features, projection)
        dim = projection + (embedding.out_features if embedding is not None else 0) + n_extra
        self.cross = cross(dim) if cross else None
        self.deep = deep(dim) if deep else MLP(dim, [192, 96])
        self.stacked = stacked
        beside = dim if cross and not stacked else 0
        self.head = nn.Linear(self.deep.out_features + beside, 1)

    def forward(self, ids: Tensor, numbers: Tensor, extra: Tensor | None = None) -> Tensor:
        inputs = [self.project(self.numerical(numbers))]
        if self.embedding is not None:
            inputs.append(self.embedding(ids).flatten(1))
        if extra is not None:
            inputs.append(extra)
        x0 = torch.cat(inputs, dim=1)
        crossed = self.cross(x0) if self.cross is not None else x0
        mixed = [self.deep(crossed if self.stacked else x0)]
        if self.cross is not None and not self.stacked:
            mixed.append(crossed)
        return self.head(torch.cat(mixed, dim=1)).squeeze(1)
