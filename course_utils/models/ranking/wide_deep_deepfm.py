"""Wide & Deep, DeepFM and DLRM: deep rankers over field vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_utils.models.interfaces import Encoder
from course_utils.models.mlp import MLP
from course_utils.models.ranking.fm_ffm import (
    FieldEmbedding,
    FieldRanker,
    LogisticRegression,
    pairwise_products,
)
from course_utils.models.ranking.unified_embeddings import UnifiedEmbedding


class Crosses(nn.Module):
    """One weight for every *pair* of values of the chosen ids: crosses made by hand.

    The pair (u, v) is one value of a new feature, hashed into a table of `n_rows` weights. A pair
    with an unknown member has the weight 0.

    Args:
        fields: names of the columns of the ids. pairs: names of those that are crossed.
        n_rows: weights in the table.

    Shapes: ids (B, F) → (B,).

    Source: Cheng et al. (2016), "Wide & Deep Learning for Recommender Systems", section 3.1.
    """

    def __init__(
        self, fields: list[str], pairs: list[tuple[str, str]], n_rows: int = 2**17
    ) -> None:
        super().__init__()
        self.columns = [(fields.index(one), fields.index(other)) for one, other in pairs]
        self.weights = UnifiedEmbedding(n_rows, 1, len(pairs), n_hashes=1)
        nn.init.zeros_(self.weights.table.weight)

    def forward(self, ids: Tensor) -> Tensor:
        crossed = []
        for one, other in self.columns:
            u, v = ids[:, one], ids[:, other]
            key = (u * 1_000_003 + v) % (UnifiedEmbedding.PRIME - 1) + 1
            crossed.append(torch.where((u > 0) & (v > 0), key, 0))
        return self.weights(torch.stack(crossed, dim=1)).sum(dim=(1, 2))


class CrossedLogisticRegression(FieldRanker):
    """Logistic regression with hand-made crosses of ids; the "wide" half of Wide & Deep.

    Args:
        n_values, encoder: as for `FieldEmbedding`. pairs, n_rows: as for `Crosses`.

    Shapes: ids (B, F), numbers (B, D) → logits (B,).
    """

    def __init__(
        self,
        n_values: dict[str, int],
        encoder: Encoder | None,
        pairs: list[tuple[str, str]],
        n_rows: int = 2**17,
    ) -> None:
        super().__init__(encoder)
        self.linear = LogisticRegression(n_values, encoder)
        self.crosses = Crosses(list(n_values), pairs, n_rows)

    def score(self, ids: Tensor, codes: Tensor | None) -> Tensor:
        return self.linear.score(ids, codes) + self.crosses(ids)


class MLPRanker(FieldRanker):
    """The "deep" half alone: field vectors side by side, through an MLP.

    Args:
        n_values, encoder, dim: as for `FieldEmbedding`. hidden, dropout: of the MLP.

    Shapes: ids (B, F), numbers (B, D) → logits (B,).
    """

    def __init__(
        self,
        n_values: dict[str, int],
        encoder: Encoder | None,
        dim: int = 8,
        hidden: tuple[int, ...] = (192, 96),
        dropout: float = 0.0,
    ) -> None:
        super().__init__(encoder)
        self.vectors = FieldEmbedding(n_values, encoder, dim)
        self.mlp = MLP(self.vectors.n_fields * dim, list(hidden), dropout)
        self.head = nn.Linear(hidden[-1], 1)

    def read(self, fields: Tensor) -> Tensor:
        """Logits of field vectors: (B, n, dim) → (B,)."""
        return self.head(self.mlp(fields.flatten(1))).squeeze(1)

    def score(self, ids: Tensor, codes: Tensor | None) -> Tensor:
        return self.read(self.vectors(ids, codes))


class WideAndDeep(FieldRanker):
    """A wide linear model with hand-made crosses plus a deep one, trained together.

    Args:
        n_values, encoder, dim, hidden, dropout: as for `MLPRanker`.
        pairs, n_rows: as for `CrossedLogisticRegression`.

    Shapes: ids (B, F), numbers (B, D) → logits (B,).

    Source: Cheng et al. (2016), "Wide & Deep Learning for Recommender Systems", section 3.
    """

    def __init__(
        self,
        n_values: dict[str, int],
        encoder: Encoder | None,
        pairs: list[tuple[str, str]],
        n_rows: int = 2**17,
        dim: int = 8,
        hidden: tuple[int, ...] = (192, 96),
        dropout: float = 0.0,
    ) -> None:
        super().__init__(encoder)
        self.wide = CrossedLogisticRegression(n_values, encoder, pairs, n_rows)
        self.deep = MLPRanker(n_values, encoder, dim, hidden, dropout)

    def score(self, ids: Tensor, codes: Tensor | None) -> Tensor:
        return self.wide.score(ids, codes) + self.deep.score(ids, codes)


class DeepFM(FieldRanker):
    """An FM and an MLP over *the same* field vectors: no cross is made by hand.

    Args:
        n_values, encoder, dim, hidden, dropout: as for `MLPRanker`.

    Shapes: ids (B, F), numbers (B, D) → logits (B,).

    Source: Guo et al. (2017), "DeepFM: A Factorization-Machine based Neural Network for CTR
    Prediction", section 2.1.
    """

    def __init__(
        self,
        n_values: dict[str, int],
        encoder: Encoder | None,
        dim: int = 8,
        hidden: tuple[int, ...] = (192, 96),
        dropout: float = 0.0,
    ) -> None:
        super().__init__(encoder)
        self.linear = LogisticRegression(n_values, encoder)
        self.deep = MLPRanker(n_values, encoder, dim, hidden, dropout)

    def score(self, ids: Tensor, codes: Tensor | None) -> Tensor:
        fields = self.deep.vectors(ids, codes)
        pairs = pairwise_products(fields)
        return self.linear.score(ids, codes) + pairs + self.deep.read(fields)


class DLRM(nn.Module):
    """DLRM: the numbers become one vector, all pairs of vectors are multiplied, an MLP decides.

    z = bottom(encoded numbers); the top MLP reads z and the dot products of all pairs among z and
    the id vectors.

    Args:
        n_values: values of each id, by its name. encoder: of the numbers. dim: length of the
            vectors.
        bottom, top: hidden widths. dropout: in the top MLP.

    Shapes: ids (B, F), numbers (B, D) → logits (B,).

    Source: Naumov et al. (2019), "Deep Learning Recommendation Model for Personalization and
    Recommendation Systems", section 2.
    """

    pairs: Tensor

    def __init__(
        self,
        n_values: dict[str, int],
        encoder: Encoder,
        dim: int = 16,
        bottom: tuple[int, ...] = (192,),
        top: tuple[int, ...] = (192, 96),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.tables = FieldEmbedding(n_values, None, dim)
        self.bottom = nn.Sequential(
            MLP(encoder.out_features, list(bottom)), nn.Linear(bottom[-1], dim)
        )
        n = len(n_values) + 1
        self.register_buffer("pairs", torch.tril_indices(n, n, offset=-1))
        self.top = MLP(dim + n * (n - 1) // 2, list(top), dropout)
        self.head = nn.Linear(top[-1], 1)

    def interact(self, vectors: Tensor) -> Tensor:
        """Dot products of all pairs: (B, n, d) → (B, n (n − 1) / 2)."""
        products = vectors @ vectors.transpose(1, 2)
        return products[:, self.pairs[0], self.pairs[1]]

    def forward(self, ids: Tensor, numbers: Tensor) -> Tensor:
        dense = self.bottom(self.encoder(numbers))
        vectors = torch.cat([dense.unsqueeze(1), self.tables(ids)], dim=1)
        return self.head(self.top(torch.cat([dense, self.interact(vectors)], dim=1))).squeeze(1)
