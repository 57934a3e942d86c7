"""Linear models and factorization machines: from single features to all their pairs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .embeddings import UnifiedEmbedding
from .fields import FieldEmbedding


def pairwise_products(fields: Tensor) -> Tensor:
    """Σ_{i<j} ⟨v_i, v_j⟩ in O(n·d): half of (square of the sum − sum of the squares).

    Shapes: fields (B, n, d) → (B,).

    Source: Rendle (2010), "Factorization Machines", lemma 3.1.
    """
    return 0.5 * (fields.sum(dim=1).square() - fields.square().sum(dim=1)).sum(dim=1)


class LogisticRegression(nn.Module):
    """One weight for every value of every field: logit = b + Σ_i w_i.

    Args:
        n_values, encoder: as for `FieldEmbedding`.

    Shapes: ids (B, F), numbers (B, D) → logits (B,).
    """

    def __init__(self, n_values: list[int], encoder: nn.Module | None) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(()))
        self.weights = FieldEmbedding(n_values, encoder, dim=1)

    def forward(self, ids: Tensor, numbers: Tensor) -> Tensor:
        return self.bias + self.weights(ids, numbers).sum(dim=(1, 2))


class Crosses(nn.Module):
    """One weight for every *pair* of values of the chosen ids: crosses made by hand.

    The pair (u, v) is one value of a new feature, hashed into a table of `n_rows` weights. A pair
    with an unknown member has the weight 0.

    Args:
        pairs: which columns of the ids are crossed. n_rows: weights in the table.

    Shapes: ids (B, F) → (B,).

    Source: Cheng et al. (2016), "Wide & Deep Learning for Recommender Systems", section 3.1.
    """

    def __init__(self, pairs: list[tuple[int, int]], n_rows: int = 2**17) -> None:
        super().__init__()
        self.pairs = pairs
        self.weights = UnifiedEmbedding(n_rows, 1, len(pairs), n_hashes=1)
        nn.init.zeros_(self.weights.table.weight)

    def forward(self, ids: Tensor) -> Tensor:
        crossed = []
        for i, j in self.pairs:
            key = (ids[:, i] * 1_000_003 + ids[:, j]) % (UnifiedEmbedding.PRIME - 1) + 1
            crossed.append(torch.where((ids[:, i] > 0) & (ids[:, j] > 0), key, 0))
        return self.weights(torch.stack(crossed, dim=1)).sum(dim=(1, 2))


class CrossedLogisticRegression(nn.Module):
    """Logistic regression with hand-made crosses of ids; the "wide" half of Wide & Deep.

    Args:
        n_values, encoder: as for `FieldEmbedding`. pairs, n_rows: as for `Crosses`.

    Shapes: ids (B, F), numbers (B, D) → logits (B,).
    """

    def __init__(
        self,
        n_values: list[int],
        encoder: nn.Module | None,
        pairs: list[tuple[int, int]],
        n_rows: int = 2**17,
    ) -> None:
        super().__init__()
        self.linear = LogisticRegression(n_values, encoder)
        self.crosses = Crosses(pairs, n_rows)

    def forward(self, ids: Tensor, numbers: Tensor) -> Tensor:
        return self.linear(ids, numbers) + self.crosses(ids)


class FactorizationMachine(nn.Module):
    """FM of degree two: logit = b + Σ_i w_i + Σ_{i<j} ⟨v_i, v_j⟩.

    Args:
        n_values, encoder: as for `FieldEmbedding`. dim: length d of the vectors v.

    Shapes: ids (B, F), numbers (B, D) → logits (B,).

    Source: Rendle (2010), "Factorization Machines", equation 1.
    """

    def __init__(self, n_values: list[int], encoder: nn.Module | None, dim: int = 8) -> None:
        super().__init__()
        self.linear = LogisticRegression(n_values, encoder)
        self.vectors = FieldEmbedding(n_values, encoder, dim)

    def forward(self, ids: Tensor, numbers: Tensor) -> Tensor:
        return self.linear(ids, numbers) + pairwise_products(self.vectors(ids, numbers))


class FieldAwareFM(nn.Module):
    """FFM: every value has one vector for each field that it may meet.

    logit = b + Σ_i w_i + Σ_{i<j} ⟨v_{i,f(j)}, v_{j,f(i)}⟩.

    Args:
        n_values, encoder: as for `FieldEmbedding`. dim: length of each of the n vectors of a value;
            the value's parameters are n · dim, so `dim` is chosen smaller than for an FM.

    Shapes: ids (B, F), numbers (B, D) → logits (B,).

    Source: Juan et al. (2016), "Field-aware Factorization Machines for CTR Prediction", equation 4.
    """

    def __init__(self, n_values: list[int], encoder: nn.Module | None, dim: int = 2) -> None:
        super().__init__()
        self.linear = LogisticRegression(n_values, encoder)
        self.vectors = FieldEmbedding(n_values, encoder, self.linear.weights.n_fields * dim)

    def forward(self, ids: Tensor, numbers: Tensor) -> Tensor:
        vectors = self.vectors(ids, numbers)
        meets = vectors.unflatten(2, (vectors.shape[1], -1))  # (B, n, n, dim): v_{i,f(j)}
        every = (meets * meets.transpose(1, 2)).sum(dim=(1, 2, 3))  # all i, j, each pair twice
        alone = torch.diagonal(meets, dim1=1, dim2=2).square().sum(dim=(1, 2))
        return self.linear(ids, numbers) + 0.5 * (every - alone)
