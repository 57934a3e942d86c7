"""The seminar's ranker: embeddings and encoded numbers, crossed and mixed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .layers import MLP, CrossNetwork


class Ranker(nn.Module):
    """DCN-v2 over embedded ids and encoded numbers, in the parallel form.

    x₀ = [embedding(ids), W · numerical(numbers)] goes through a cross network and, beside it,
    through an MLP; one linear layer turns both into a logit.

    Args:
        embedding: ids (B, F) → (B, F, e), with `out_features`; None leaves the ids out.
        numerical: numbers (B, D) → (B, m), with `out_features`.
        projection: width to which the encoded numbers are brought.
        n_cross: cross layers; 0 leaves the MLP alone. rank: of the cross layers, None for full.
        hidden: widths of the MLP. dropout: in the MLP.
        n_extra: width of further inputs, such as an encoded history.

    Shapes: ids (B, F), numbers (B, D), extra (B, n_extra) if there is → logits (B,).

    Source: Wang et al. (2021), "DCN V2", section 3 and figure 1.
    """

    def __init__(
        self,
        embedding: nn.Module | None,
        numerical: nn.Module,
        projection: int = 96,
        n_cross: int = 2,
        rank: int | None = None,
        hidden: tuple[int, ...] = (192, 96),
        dropout: float = 0.0,
        n_extra: int = 0,
    ) -> None:
        super().__init__()
        self.embedding, self.numerical = embedding, numerical
        self.project = nn.Linear(numerical.out_features, projection)
        dim = projection + (embedding.out_features if embedding is not None else 0) + n_extra
        self.cross = CrossNetwork(dim, n_cross, rank) if n_cross else None
        self.mlp = MLP(dim, list(hidden), dropout)
        self.head = nn.Linear(self.mlp.out_features + (dim if n_cross else 0), 1)

    def forward(self, ids: Tensor, numbers: Tensor, extra: Tensor | None = None) -> Tensor:
        inputs = [self.project(self.numerical(numbers))]
        if self.embedding is not None:
            inputs.append(self.embedding(ids).flatten(1))
        if extra is not None:
            inputs.append(extra)
        x0 = torch.cat(inputs, dim=1)
        mixed = [self.mlp(x0)]
        if self.cross is not None:
            mixed.append(self.cross(x0))
        return self.head(torch.cat(mixed, dim=1)).squeeze(1)
