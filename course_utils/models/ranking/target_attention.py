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
    for skips, plus one for its place and, if `n_ages`, one for how long ago it was. The candidate's
    embedding asks (query), the plays answer (keys, values); several heads read side by side. A play
    that does not exist is masked; a learned "nothing" takes its share, so that an empty history has
    an answer too.

    The vectors of action, place and age are plain parameters, no embedding tables: there are few of
    them, each listen trains them, and the strong decay that keeps tables of ids from learning by
    heart (`train.fit`) would only shrink them.

    Args:
        dim: width of the vectors. length: L, plays in the history. n_heads: heads.
        n_ages: steps of a play's age; 0 leaves it out.

    Shapes: candidate (B, dim), plays (B, L, dim), finished (B, L), mask (B, L), ago (B, L) seconds
        since each play, needed if there are `n_ages` → (B, dim).

    Source: Zhou et al. (2018), "Deep Interest Network for Click-Through Rate Prediction",
    section 4.3, with the softmax attention of Vaswani et al. (2017); Chen et al. (2019), "Behavior
    Sequence Transformer", section 2.1, for the age; Xia et al. (2023), "TransAct", section 3, for
    the action embeddings.

    A history without a play reads "nothing" alone:

    >>> read = TargetAttention(dim=8, length=3)
    >>> plays, finished, mask = torch.randn(1, 3, 8), torch.zeros(1, 3), torch.zeros(1, 3).bool()
    >>> read.weights(torch.randn(1, 8), read.memory(plays, finished), mask)[0, 0].tolist()
    [1.0, 0.0, 0.0, 0.0]
    """

    def __init__(self, dim: int, length: int, n_heads: int = 4, n_ages: int = 0) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.action = nn.Parameter(torch.randn(2, dim))
        self.place = nn.Parameter(torch.randn(length, dim))
        self.age = nn.Parameter(torch.randn(n_ages, dim)) if n_ages else None
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

    def memory(self, plays: Tensor, finished: Tensor, ago: Tensor | None = None) -> Tensor:
        """What can be read: "nothing" first, then the plays with all that is told of them.

        Returns:
            (B, 1 + L, dim).
        """
        told = plays + self.action[finished.long()] + self.place[: plays.shape[1]]
        if self.age is not None and ago is not None:
            told = told + self.age[age_step(ago, len(self.age))]
        return torch.cat([self.nothing.expand(len(plays), -1, -1), told], dim=1)

    def forward(
        self,
        candidate: Tensor,
        plays: Tensor,
        finished: Tensor,
        mask: Tensor,
        ago: Tensor | None = None,
    ) -> Tensor:
        memory = self.memory(plays, finished, ago)
        value = self.value(memory).unflatten(2, (self.n_heads, -1))
        weights = self.weights(candidate, memory, mask)
        return self.out(torch.einsum("bhl,blhd->bhd", weights, value).flatten(1))


def age_step(seconds: Tensor, n: int) -> Tensor:
    """Step 0 … n − 1 of an age: two for each doubling of 30 s + age, the last for all beyond.

    >>> age_step(torch.tensor([0, 60, 1_800, 10**9]), 40).tolist()
    [0, 3, 11, 39]
    """
    return (2 * torch.log2(1 + seconds.float() / 30)).long().clamp(0, n - 1)


class DCNv2WithHistory(nn.Module):
    """A `DCNv2` that also reads what the candidate sounds like, or the last L plays, or both.

    The candidate and the tracks of the history share one kind of vector: with `known`, an embedding
    of what training knows of the track (its number, its artist), plus, with `content`, a projection
    of its content vector. Without a history the ranker reads the candidate's own vector, too; with
    one it reads the candidate's vector, what `TargetAttention` found with it, and the product of
    both.

    Args:
        embedding, numerical: as for `DCNv2`.
        known: (n + 1, F) values of each numbered track in the F fields of the table, 0 for what
            training never saw; None: no table, the content alone.
        content: (n + 1, c) content vector of each track, zeros where there is none; None: no
            content.
        length: L, 0 for no history. dim: width of the track vectors. n_rows: of their table.
        n_ages: steps of a play's age. dropout: share of the numbers of a track vector that are
            zeroed in training; without it tracks are learned by heart, by their content, too.

    Shapes: ids (B, F), numbers (B, D), track (B,) the candidate's number, plays (B, L) track
        numbers, finished (B, L), mask (B, L), ago (B, L) seconds → logits (B,).
    """

    known: Tensor
    content: Tensor

    def __init__(
        self,
        embedding: Layer | None,
        numerical: Layer,
        known: Tensor | None,
        content: Tensor | None = None,
        length: int = 0,
        dim: int = 32,
        n_rows: int = 16_384,
        n_ages: int = 40,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if known is None and content is None:
            raise ValueError("a track needs a vector: give `known`, or `content`, or both")
        n_fields = 0 if known is None else known.shape[1]
        self.table = UnifiedEmbedding(n_rows, dim // n_fields, n_fields, 1) if n_fields else None
        self.register_buffer("known", torch.zeros(0) if known is None else known)
        self.register_buffer("content", torch.zeros(0) if content is None else content)
        self.heard = nn.Linear(content.shape[1], dim) if content is not None else None
        self.dropout = nn.Dropout(dropout)
        self.attention = TargetAttention(dim, length, n_ages=n_ages) if length else None
        self.ranker = DCNv2(embedding, numerical, n_extra=3 * dim if length else dim)

    def tracks(self, track: Tensor) -> Tensor:
        """Vectors of tracks: numbers (N,) → (N, dim)."""
        parts = []
        if self.table is not None:
            parts.append(self.table(self.known[track]).flatten(1))
        if self.heard is not None:
            parts.append(self.heard(self.content[track]))
        return self.dropout(torch.stack(parts).sum(dim=0))

    def forward(
        self,
        ids: Tensor,
        numbers: Tensor,
        track: Tensor,
        plays: Tensor,
        finished: Tensor,
        mask: Tensor,
        ago: Tensor,
    ) -> Tensor:
        candidate = self.tracks(track)
        if self.attention is None:
            return self.ranker(ids, numbers, candidate)
        past = self.tracks(plays.flatten()).unflatten(0, plays.shape)
        read = self.attention(candidate, past, finished, mask, ago)
        return self.ranker(ids, numbers, torch.cat([candidate, read, read * candidate], dim=1))
