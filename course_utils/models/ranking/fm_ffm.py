"""Field vectors, logistic regression and factorization machines."""

from __future__ import annotations

import torch
from torch import Tensor, nn


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


class FieldEmbedding(nn.Module):
    """One vector for each field of a row: F ids and D numbers.

    An id looks its vector up in a table of its own; the id 0, "unknown", has the zero vector. A
    number j that is encoded as e_1, …, e_T has the vector Σ_t e_t · v_{j,t}: with one-hot bins a
    lookup, with a single scaled number x · v_j as in the FM paper, with PLE a broken line.

    Args:
        n_values: values of each id, the unknown one included.
        encoder: of the numbers, with `owner` (which number each code comes from); None: ids only.
        dim: length of the vectors.

    Shapes: ids (B, F), numbers (B, D) → (B, F + D, dim).
    """

    def __init__(self, n_values: list[int], encoder: nn.Module | None, dim: int) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(n, dim, padding_idx=0) for n in n_values)
        for table in self.tables:
            nn.init.uniform_(table.weight, -0.05, 0.05)
            table.weight.data[0] = 0
        self.encoder, self.counts = encoder, []
        if encoder is not None:
            self.counts = torch.bincount(encoder.owner).tolist()
            self.register_buffer("order", encoder.owner.argsort(stable=True))
            self.vectors = nn.Parameter(0.05 * torch.randn(len(encoder.owner), dim))
        self.n_fields = len(n_values) + len(self.counts)

    def forward(self, ids: Tensor, numbers: Tensor) -> Tensor:
        fields = [table(ids[:, f]) for f, table in enumerate(self.tables)]
        if self.encoder is not None:
            codes = self.encoder(numbers).index_select(1, self.order).split(self.counts, dim=1)
            vectors = self.vectors.split(self.counts)
            fields += [e @ v for e, v in zip(codes, vectors, strict=True)]
        return torch.stack(fields, dim=1)
