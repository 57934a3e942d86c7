"""From a row to field vectors: the common ground of FM, FFM, DeepFM and DLRM."""

from __future__ import annotations

import torch
from torch import Tensor, nn


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
