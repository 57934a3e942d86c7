"""Fields with several values: a track by three artists, on two albums."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_utils.models.ranking.unified_embeddings import UnifiedEmbedding


class MultiValuedEmbedding(nn.Module):
    """A unified table whose fields may have several values, or none: the mean of their vectors.

    Args:
        table: a `UnifiedEmbedding` for F + G features.
        values: (n + 1, K, G) the values of each numbered item in the G fields of several values,
            padded with 0, which stands for "no value".

    Shapes: ids (B, F + 1), the last column the item's number → (B, F + G, e). A field without a
        value has the zero vector.

    Source: Covington et al. (2016), "Deep Neural Networks for YouTube Recommendations", section
    4.2: embeddings of multivalent features are averaged.
    """

    values: Tensor

    def __init__(self, table: UnifiedEmbedding, values: Tensor) -> None:
        super().__init__()
        self.table = table
        self.register_buffer("values", values)
        self.out_features = table.out_features

    def forward(self, ids: Tensor) -> Tensor:
        single, several = ids[:, :-1], self.values[ids[:, -1]]
        total = self.table(torch.cat([single, several[:, 0]], dim=1))
        for more in several[:, 1:].unbind(dim=1):
            total = total + self.table(torch.cat([torch.zeros_like(single), more], dim=1))
        count = (several > 0).sum(dim=1).clamp(min=1)
        return total / torch.cat([torch.ones_like(single), count], dim=1).unsqueeze(-1)
