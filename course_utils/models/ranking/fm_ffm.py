"""Field vectors, logistic regression and factorization machines."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_utils.models.interfaces import Encoder


class FieldRanker(nn.Module):
    """A ranker over the fields of a row: some ids, and numbers that are encoded once.

    What a ranker makes of ids and codes, it says in `score`.

    Args:
        encoder: of the numbers, (B, D) → (B, codes); None: ids only.

    Shapes: ids (B, F), numbers (B, D) → logits (B,).
    """

    def __init__(self, encoder: Encoder | None) -> None:
        super().__init__()
        self.encoder = encoder

    def score(self, ids: Tensor, codes: Tensor | None) -> Tensor:
        """Logits (B,) of ids (B, F) and the encoded numbers (B, codes), None if there are none."""
        raise NotImplementedError

    def forward(self, ids: Tensor, numbers: Tensor) -> Tensor:
        return self.score(ids, None if self.encoder is None else self.encoder(numbers))


class FieldEmbedding(nn.Module):
    """One vector for each field of a row: F ids and D numbers.

    An id looks its vector up in a table of its own; the id 0, "unknown", has the zero vector. A
    number j that is encoded as e_1, …, e_T has the vector Σ_t e_t · v_{j,t}: with one-hot bins a
    lookup, with a single scaled number x · v_j as in the FM paper, with PLE a broken line.

    Args:
        n_values: values of each id, the unknown one included, by the id's name.
        encoder: makes the codes, and has `owner` (which number each code comes from); None: ids
            only.
        dim: length of the vectors.

    Shapes: ids (B, F), codes (B, codes) → (B, F + D, dim).
    """

    order: Tensor

    def __init__(self, n_values: dict[str, int], encoder: Encoder | None, dim: int) -> None:
        super().__init__()
        tables = [nn.Embedding(n, dim, padding_idx=0) for n in n_values.values()]
        for table in tables:
            nn.init.uniform_(table.weight, -0.05, 0.05)
            table.weight.data[0] = 0
        self.tables = nn.ModuleList(tables)
        self.counts: list[int] = []
        if encoder is not None:
            owner = encoder.owner
            self.counts = torch.bincount(owner).tolist()
            self.register_buffer("order", owner.argsort(stable=True))
            self.vectors = nn.Parameter(0.05 * torch.randn(len(owner), dim))
        self.n_fields = len(n_values) + len(self.counts)

    def forward(self, ids: Tensor, codes: Tensor | None = None) -> Tensor:
        fields = [table(column) for table, column in zip(self.tables, ids.T, strict=True)]
        if codes is not None:
            each = codes.index_select(1, self.order).split(self.counts, dim=1)
            vectors = self.vectors.split(self.counts)
            fields += [e @ v for e, v in zip(each, vectors, strict=True)]
        return torch.stack(fields, dim=1)


def pairwise_products(fields: Tensor) -> Tensor:
    """Σ_{i<j} ⟨v_i, v_j⟩ in O(n·d): half of (square of the sum − sum of the squares).

    Shapes: fields (B, n, d) → (B,).

    Source: Rendle (2010), "Factorization Machines", lemma 3.1.

    >>> pairwise_products(torch.tensor([[[1.0], [2.0], [3.0]]]))
    tensor([11.])
    """
    return 0.5 * (fields.sum(dim=1).square() - fields.square().sum(dim=1)).sum(dim=1)


class LogisticRegression(FieldRanker):
    """One weight for every value of every field: logit = b + Σ_i w_i.

    Args:
        n_values, encoder: as for `FieldEmbedding`.

    Shapes: ids (B, F), numbers (B, D) → logits (B,).
    """

    def __init__(self, n_values: dict[str, int], encoder: Encoder | None) -> None:
        super().__init__(encoder)
        self.bias = nn.Parameter(torch.zeros(()))
        self.weights = FieldEmbedding(n_values, encoder, dim=1)

    def score(self, ids: Tensor, codes: Tensor | None) -> Tensor:
        return self.bias + self.weights(ids, codes).sum(dim=(1, 2))


class FactorizationMachine(FieldRanker):
    """FM of degree two: logit = b + Σ_i w_i + Σ_{i<j} ⟨v_i, v_j⟩.

    Args:
        n_values, encoder: as for `FieldEmbedding`. dim: length d of the vectors v.

    Shapes: ids (B, F), numbers (B, D) → logits (B,).

    Source: Rendle (2010), "Factorization Machines", equation 1.
    """

    def __init__(self, n_values: dict[str, int], encoder: Encoder | None, dim: int = 8) -> None:
        super().__init__(encoder)
        self.linear = LogisticRegression(n_values, encoder)
        self.vectors = FieldEmbedding(n_values, encoder, dim)

    def score(self, ids: Tensor, codes: Tensor | None) -> Tensor:
        return self.linear.score(ids, codes) + pairwise_products(self.vectors(ids, codes))


class FieldAwareFM(FieldRanker):
    """FFM: every value has one vector for each field that it may meet.

    logit = b + Σ_i w_i + Σ_{i<j} ⟨v_{i,f(j)}, v_{j,f(i)}⟩.

    Args:
        n_values, encoder: as for `FieldEmbedding`. dim: length of each of the n vectors of a value;
            the value's parameters are n · dim, so `dim` is chosen smaller than for an FM.

    Shapes: ids (B, F), numbers (B, D) → logits (B,).

    Source: Juan et al. (2016), "Field-aware Factorization Machines for CTR Prediction", equation 4.
    """

    def __init__(self, n_values: dict[str, int], encoder: Encoder | None, dim: int = 2) -> None:
        super().__init__(encoder)
        self.linear = LogisticRegression(n_values, encoder)
        self.vectors = FieldEmbedding(n_values, encoder, self.linear.weights.n_fields * dim)

    def score(self, ids: Tensor, codes: Tensor | None) -> Tensor:
        vectors = self.vectors(ids, codes)
        meets = vectors.unflatten(2, (vectors.shape[1], -1))  # (B, n, n, dim): v_{i,f(j)}
        every = (meets * meets.transpose(1, 2)).sum(dim=(1, 2, 3))  # all i, j, each pair twice
        alone = torch.diagonal(meets, dim1=1, dim2=2).square().sum(dim=(1, 2))
        return self.linear.score(ids, codes) + 0.5 * (every - alone)
