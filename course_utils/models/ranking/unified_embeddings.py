"""Embedding tables for categorical features: one for each feature, or one for all."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class UnifiedEmbedding(nn.Module):
    """One table of `n_rows` vectors for all features; each value looks up several rows.

    Value v of feature f reads the rows h_{f,1}(v), …, h_{f,k}(v), which are concatenated. Each hash
    is a random cubic polynomial modulo the prime p, and then modulo n_rows (Wegman & Carter 1981):
    any four values are spread as by chance, and the hashes are drawn independently, so that two
    values that collide under one are separated by the next. (A random line a·v + b would not do:
    it sends ids that are numbered without gaps to a pattern, not to random rows.)
    The value 0 stands for "unknown" and has the zero vector.

    Args:
        n_rows: rows of the table (M).
        dim: length of a row.
        n_features: number of categorical features (F).
        n_hashes: lookups per value (k).
        dropout: share of the looked-up numbers that are zeroed in training.
        seed: of the hash functions.

    Shapes: ids (B, F) integers in [0, 2³¹ − 1) → (B, F, k · dim).

    Raises:
        ValueError: an id is negative or too large.

    Source: Coleman et al. (2023), "Unified Embedding: Battle-Tested Feature Representations for
    Web-Scale ML Systems", section 3 (feature multiplexing).
    """

    PRIME = 2**31 - 1
    cubic: Tensor

    def __init__(
        self,
        n_rows: int,
        dim: int,
        n_features: int,
        n_hashes: int = 2,
        dropout: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.n_rows = n_rows
        self.table = nn.Embedding(n_rows, dim)
        nn.init.uniform_(self.table.weight, -0.05, 0.05)
        self.dropout = nn.Dropout(dropout)
        self.out_features = n_features * n_hashes * dim
        random = torch.Generator().manual_seed(seed)
        size = (4, n_features, n_hashes)
        self.register_buffer("cubic", torch.randint(1, self.PRIME, size, generator=random))

    def rows(self, ids: Tensor) -> Tensor:
        """Table rows that the values read: ids (B, F) → (B, F, k)."""
        if ids.numel() and (ids.min() < 0 or ids.max() >= self.PRIME):
            raise ValueError(
                f"ids must lie in [0, {self.PRIME}), found {int(ids.min())} … {int(ids.max())}; "
                "number your values from 0 first"
            )
        hashed = self.cubic[0]
        for coefficient in self.cubic[1:]:
            hashed = (hashed * ids.unsqueeze(-1) + coefficient) % self.PRIME
        return hashed % self.n_rows

    def forward(self, ids: Tensor) -> Tensor:
        vectors = self.table(self.rows(ids)).flatten(-2)
        return self.dropout(vectors * (ids > 0).unsqueeze(-1))


class SeparateEmbeddings(nn.Module):
    """Hashed tables, one for each feature: the usual way, and the rival of `UnifiedEmbedding`.

    Value v of feature f reads the rows h_{f,1}(v), …, h_{f,k}(v) of table f.

    Args:
        n_rows: rows of each feature's table. dim: length of a row.
        dropout: share of the looked-up numbers that are zeroed in training.
        seed: of the hash functions. n_hashes: lookups per value (k).

    Shapes: ids (B, F) → (B, F, k · dim).
    """

    def __init__(
        self, n_rows: list[int], dim: int, dropout: float = 0.0, seed: int = 0, n_hashes: int = 1
    ) -> None:
        super().__init__()
        self.tables = nn.ModuleList(
            UnifiedEmbedding(n, dim, 1, n_hashes, dropout, seed + f) for f, n in enumerate(n_rows)
        )
        self.out_features = len(n_rows) * n_hashes * dim

    def forward(self, ids: Tensor) -> Tensor:
        columns = [table(ids[:, f : f + 1]) for f, table in enumerate(self.tables)]
        return torch.cat(columns, dim=1)
