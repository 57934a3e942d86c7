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


class PairKeys(nn.Module):
    """A whole number for every pair of values of the chosen ids: different pairs, different keys.

    Args:
        n_values: values of each id, the unknown one included, by the id's name.
        pairs: names of the ids that are paired.

    Shapes: ids (B, F) → (B, P), a column a pair; 0 where a member of the pair is unknown.

    Raises:
        ValueError: a pair names an id that there is not.

    >>> PairKeys({"listener": 4, "track": 7}, [("listener", "track")])(torch.tensor([[3, 5]]))
    tensor([[26]])
    """

    def __init__(self, n_values: dict[str, int], pairs: list[tuple[str, str]]) -> None:
        super().__init__()
        names = list(n_values)
        self.columns = [(names.index(one), names.index(other)) for one, other in pairs]
        sizes = [(n_values[one], n_values[other]) for one, other in pairs]
        self.widths = [width for _, width in sizes]
        self.starts = [sum(a * b for a, b in sizes[:place]) for place in range(len(pairs))]

    def forward(self, ids: Tensor) -> Tensor:
        keys = []
        for (one, other), width, start in zip(self.columns, self.widths, self.starts, strict=True):
            u, v = ids[:, one], ids[:, other]
            keys.append(torch.where((u > 0) & (v > 0), start + u * width + v, 0))
        return torch.stack(keys, dim=1)


class Crosses(nn.Module):
    """One weight for every *pair* of values that training saw: crosses made by hand.

    A pair is one value of a new feature with a vocabulary of its own, the distinct pairs of the
    training rows. A pair that is not among them, or has an unknown member, weighs exactly 0.

    Args:
        n_values, pairs: as for `PairKeys`. ids: (N, F) of the training rows.

    Shapes: ids (B, F) → (B,).

    Source: Cheng et al. (2016), "Wide & Deep Learning for Recommender Systems", section 3.1.
    """

    known: Tensor

    def __init__(self, n_values: dict[str, int], pairs: list[tuple[str, str]], ids: Tensor) -> None:
        super().__init__()
        self.keys = PairKeys(n_values, pairs)
        keys = self.keys(ids).flatten()
        self.register_buffer("known", torch.cat([keys.new_zeros(1), keys[keys > 0].unique()]))
        self.weights = nn.Embedding(len(self.known), 1, padding_idx=0)
        nn.init.zeros_(self.weights.weight)

    def rows(self, ids: Tensor) -> Tensor:
        """Rows of the table that the pairs read: ids (B, F) → (B, P); 0 for a new pair."""
        keys = self.keys(ids)
        place = torch.searchsorted(self.known, keys).clamp(max=len(self.known) - 1)
        return torch.where(self.known[place] == keys, place, 0)

    def forward(self, ids: Tensor) -> Tensor:
        return self.weights(self.rows(ids)).sum(dim=(1, 2))


class HashedCrosses(nn.Module):
    """Crosses without a vocabulary: every pair is hashed to one of `n_rows` weights.

    No list of pairs need be kept, and new pairs need no place. The price: a pair that training
    never saw reads the weight of whatever pairs share its row. An unknown member means 0 here too.

    Args:
        n_values, pairs: as for `PairKeys`. n_rows: weights in the table.

    Shapes: ids (B, F) → (B,).

    Source: Weinberger et al. (2009), "Feature Hashing for Large Scale Multitask Learning".
    """

    def __init__(self, n_values: dict[str, int], pairs: list[tuple[str, str]], n_rows: int) -> None:
        super().__init__()
        self.keys = PairKeys(n_values, pairs)
        self.weights = UnifiedEmbedding(n_rows, 1, len(pairs), n_hashes=1)
        nn.init.zeros_(self.weights.table.weight)

    def hashable(self, ids: Tensor) -> Tensor:
        """Keys within the range of the hash, 0 still unknown: ids (B, F) → (B, P)."""
        keys = self.keys(ids)
        return torch.where(keys > 0, keys % (UnifiedEmbedding.PRIME - 1) + 1, 0)

    def rows(self, ids: Tensor) -> Tensor:
        """Rows of the table that the pairs read, unknown ones too: ids (B, F) → (B, P)."""
        return self.weights.rows(self.hashable(ids)).squeeze(2)

    def forward(self, ids: Tensor) -> Tensor:
        return self.weights(self.hashable(ids)).sum(dim=(1, 2))


class CrossedLogisticRegression(FieldRanker):
    """Logistic regression with hand-made crosses of ids; the "wide" half of Wide & Deep.

    Args:
        n_values, encoder: as for `FieldEmbedding`.
        crosses: ids (B, F) → (B,), `Crosses` or `HashedCrosses`.

    Shapes: ids (B, F), numbers (B, D) → logits (B,).
    """

    def __init__(
        self, n_values: dict[str, int], encoder: Encoder | None, crosses: nn.Module
    ) -> None:
        super().__init__(encoder)
        self.linear = LogisticRegression(n_values, encoder)
        self.crosses = crosses

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
        crosses: as for `CrossedLogisticRegression`.

    Shapes: ids (B, F), numbers (B, D) → logits (B,).

    Source: Cheng et al. (2016), "Wide & Deep Learning for Recommender Systems", section 3.
    """

    def __init__(
        self,
        n_values: dict[str, int],
        encoder: Encoder | None,
        crosses: nn.Module,
        dim: int = 8,
        hidden: tuple[int, ...] = (192, 96),
        dropout: float = 0.0,
    ) -> None:
        super().__init__(encoder)
        self.wide = CrossedLogisticRegression(n_values, encoder, crosses)
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
