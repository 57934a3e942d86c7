"""The seminar's ranker: embeddings and encoded numbers, crossed and mixed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .layers import MLP, CrossNetwork


class Ranker(nn.Module):
    """DCN-v2 over embedded ids and encoded numbers.

    x₀ = [embedding(ids), W · numerical(numbers)]. In the parallel form a cross network and, beside
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
        embedding: nn.Module | None,
        numerical: nn.Module,
        projection: int = 96,
        cross: Callable[[int], nn.Module] | None = CrossNetwork,
        deep: Callable[[int], nn.Module] | None = None,
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
