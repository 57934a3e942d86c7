"""YouTube's candidate generator: a pooled history, a small network, a softmax over all tracks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_utils.models.mlp import MLP


def pooled(vectors: Tensor, mask: Tensor) -> Tensor:
    """Mean of the vectors that the mask keeps: (B, L, d), (B, L) bool → (B, d); zeros if none.

    >>> pooled(torch.tensor([[[1.0], [3.0], [9.0]]]), torch.tensor([[True, True, False]]))
    tensor([[2.]])
    """
    kept = mask.unsqueeze(2)
    return (vectors * kept).sum(dim=1) / kept.sum(dim=1).clamp(min=1)


class YouTubeDNN(nn.Module):
    """A vector of the listener from what was played; the dot product with a track is its logit.

    The history's vectors are averaged, the example age is put beside them, and an MLP makes the
    listener's vector of it. The tracks have a second table of vectors, the decoder.

    Args:
        n_tracks: N, values of `track`, the unknown one (0) included. dim: d, of all vectors.
        hidden: widths of the layers before the last one, which is linear and d wide.
        ages: whether the model is told the example age.

    Shapes: history (B, L), mask (B, L) bool, age (B,) in weeks → (B, d). Without an age it is 0, as
    it must be when the model serves.

    Source: Covington, Adams & Sargin (2016), "Deep neural networks for YouTube recommendations",
    RecSys, section 3.
    """

    def __init__(
        self, n_tracks: int, dim: int = 32, hidden: tuple[int, ...] = (64,), ages: bool = True
    ) -> None:
        super().__init__()
        self.played = nn.Embedding(n_tracks, dim)
        self.decoder = nn.Embedding(n_tracks, dim)
        for table in (self.played, self.decoder):
            nn.init.normal_(table.weight, std=dim**-0.5)
        self.ages = ages
        layers = MLP(dim + 2 * ages, list(hidden))
        self.layers = nn.Sequential(layers, nn.Linear(layers.out_features, dim))

    def forward(self, history: Tensor, mask: Tensor, age: Tensor | None = None) -> Tensor:
        x = pooled(self.played(history), mask)
        if self.ages:
            weeks = x.new_zeros(len(x)) if age is None else age
            x = torch.cat([x, torch.stack([weeks, weeks.sqrt()], dim=1)], dim=1)
        return self.layers(x)

    def tracks(self, numbers: Tensor | None = None) -> Tensor:
        """(n, d) vectors of some tracks (n,), by default of all N."""
        return self.decoder.weight if numbers is None else self.decoder(numbers)
