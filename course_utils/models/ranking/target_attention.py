"""The listener's last plays as input: attention from the candidate to the history."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from course_utils.models.interfaces import Layer
from course_utils.models.ranking.dcn_v2 import DCNv2
from course_utils.models.ranking.unified_embeddings import UnifiedEmbedding


class TargetAttention(nn.Module):
    """Read the history with the candidate as the question.

    Every past play is a vector: its track's embedding, plus one vector for finished plays and one
    for skips, plus one for its place. The candidate's embedding asks (query), the plays answer
    (keys, values); several heads read side by side. A play that does not exist is masked; a
    learned "nothing" takes its share, so that an empty history has an answer too.

    Args:
        dim: width of the vectors. length: L, plays in the history. n_heads: heads.

    Shapes: candidate (B, dim), plays (B, L, dim), finished (B, L), mask (B, L) → (B, dim).

    Source: Zhou et al. (2018), "Deep Interest Network for Click-Through Rate Prediction",
    section 4.3, with the softmax attention of Vaswani et al. (2017); Xia et al. (2023),
    "TransAct", section 3, for the action embeddings.

    A history without a play reads "nothing" alone:

    >>> read = TargetAttention(dim=8, length=3)
    >>> plays, finished, mask = torch.randn(1, 3, 8), torch.zeros(1, 3), torch.zeros(1, 3).bool()
    >>> read.weights(torch.randn(1, 8), read.memory(plays, finished), mask)[0, 0].tolist()
    [1.0, 0.0, 0.0, 0.0]
    """

    def __init__(self, dim: int, length: int, n_heads: int = 4) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.action = nn.Embedding(2, dim)
        self.place = nn.Embedding(length, dim)
        self.nothing = nn.Parameter(torch.zeros(1, 1, dim))
        self.query, self.key = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.value, self.out = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def weights(self, candidate: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        """Attention (B, heads, 1 + L): how much each play, and "nothing" first, is read."""
        query = self.query(candidate).unflatten(1, (self.n_heads, -1))
        key = self.key(memory).unflatten(2, (self.n_heads, -1))
        scores = torch.einsum("bhd,blhd->bhl", query, key) / math.sqrt(query.shape[-1])
        open_to = nn.functional.pad(mask, (1, 0), value=True).unsqueeze(1)
        return scores.masked_fill(~open_to, -torch.inf).softmax(dim=-1)

    def memory(self, plays: Tensor, finished: Tensor) -> Tensor:
        """What can be read: "nothing" first, then the plays with action and place (B, 1 + L, d)."""
        place = self.place(torch.arange(plays.shape[1], device=plays.device))
        told = plays + self.action(finished.long()) + place
        return torch.cat([self.nothing.expand(len(plays), -1, -1), told], dim=1)

    def forward(self, candidate: Tensor, plays: Tensor, finished: Tensor, mask: Tensor) -> Tensor:
        memory = self.memory(plays, finished)
        value = self.value(memory).unflatten(2, (self.n_heads, -1))
        weights = self.weights(candidate, memory, mask)
        return self.out(torch.einsum("bhl,blhd->bhd", weights, value).flatten(1))


class DCNv2WithHistory(nn.Module):
    """A `DCNv2` that also reads the last L plays with `TargetAttention`.

    Tracks of the history and the candidate share one vector: an embedding of (track, artist) plus
    a projection of the track's content vector.

    Args:
        embedding, numerical: as for `DCNv2`.
        artist: (n + 1,) the artist of each numbered track. content: (n + 1, c) its content vector,
            zeros where there is none.
        length: L. dim: width of the track vectors. n_rows: of the table of (track, artist).

    Shapes: ids (B, F), numbers (B, D), track (B,) the candidate's number, plays (B, L) track
        numbers, finished (B, L), mask (B, L) → logits (B,).
    """

    artist: Tensor
    content: Tensor

    def __init__(
        self,
        embedding: Layer | None,
        numerical: Layer,
        artist: Tensor,
        content: Tensor,
        length: int,
        dim: int = 32,
        n_rows: int = 16_384,
    ) -> None:
        super().__init__()
        self.table = UnifiedEmbedding(n_rows, dim // 2, n_features=2, n_hashes=1)
        self.register_buffer("artist", artist)
        self.register_buffer("content", content)
        self.heard = nn.Linear(content.shape[1], dim)
        self.attention = TargetAttention(dim, length)
        self.ranker = DCNv2(embedding, numerical, n_extra=2 * dim)

    def tracks(self, track: Tensor) -> Tensor:
        """Vectors of tracks: numbers (N,) → (N, dim)."""
        ids = torch.stack([track, self.artist[track]], dim=1)
        return self.table(ids).flatten(1) + self.heard(self.content[track])

    def forward(
        self,
        ids: Tensor,
        numbers: Tensor,
        track: Tensor,
        plays: Tensor,
        finished: Tensor,
        mask: Tensor,
    ) -> Tensor:
        candidate = self.tracks(track)
        past = self.tracks(plays.flatten()).unflatten(0, plays.shape)
        read = self.attention(candidate, past, finished, mask)
        return self.ranker(ids, numbers, torch.cat([read, read * candidate], dim=1))
