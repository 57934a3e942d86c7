"""HSTU over interleaved tracks and actions, and ARGUS's two predictions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, embedding, silu

from course_utils.models.sequence.sasrec import LAGS, AtPlaces, lag_buckets

INPUTS = ("track", "action", "time", "mask")
"""Tensors of a window that `Interleaved` reads."""


def visible(time: Tensor, mask: Tensor) -> Tensor:
    """(B, 1, 2L, 2L) which tokens (last) each token (third) may look at.

    Play i has two tokens: 2i, its track, and 2i + 1, what came of it. Both see the two tokens of
    every strictly earlier play and the track of their own; what came of a play is seen by its own
    token alone, so that no prediction of it can look at it. Plays of one moment do not see each
    other.

    Args:
        time: (B, L) seconds, in their order. mask: (B, L) bool, true where there is a play.

    >>> visible(torch.tensor([[3, 5]]), torch.ones(1, 2, dtype=torch.bool)).int()[0, 0]
    tensor([[1, 0, 0, 0],
            [1, 1, 0, 0],
            [1, 1, 1, 0],
            [1, 1, 1, 1]], dtype=torch.int32)
    """
    earlier = (time.unsqueeze(1) < time.unsqueeze(2)) & mask.unsqueeze(1)
    earlier = earlier.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)
    play = torch.arange(2 * time.shape[1], device=time.device) // 2
    own = (play.unsqueeze(1) == play).tril()
    return (earlier | own).unsqueeze(1)


class HSTULayer(nn.Module):
    """One layer of HSTU: U, V, Q, K = SiLU(W·LN x), A = SiLU(s QKᵀ + rab) / N, x + f₂(LN(AV) ⊙ U).

    There is no feed-forward network. What a token reads is a sum, not a mean: ten tokens that fit
    weigh ten times as much as one. `softmax` in the place of SiLU / N makes it a mean, for
    comparison.

    Args:
        dim: d. heads: H, each d / H wide. n: N, a constant of the model (the most tokens that it
            is made for), never the padded length of a batch.
        scale: s; the paper's research code has 1, what is in production 1/√(d / H), the default.
        softmax: whether the weights of a token are a softmax. dropout: of what is added to x.

    Shapes: x (B, T, d), seen (B, 1, T, T) bool, rab (B or 1, H, T, T) → (B, T, d).

    Source: Zhai et al. (2024), "Actions speak louder than words: trillion-parameter sequential
    transducers for generative recommendations", ICML, section 3, equations 1 to 3.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        n: int,
        scale: float | None = None,
        softmax: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.heads, self.n, self.softmax = heads, n, softmax
        self.scale = (dim // heads) ** -0.5 if scale is None else scale
        self.before, self.after = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.f1, self.f2 = nn.Linear(dim, 4 * dim), nn.Linear(dim, dim)
        self.dropout = nn.Dropout(dropout)

    def weights(self, q: Tensor, k: Tensor, seen: Tensor, rab: Tensor) -> Tensor:
        """(B, H, T, T) how much each token (third) reads of each token (last)."""
        logits = self.scale * (q @ k.transpose(2, 3)) + rab
        if self.softmax:
            return logits.masked_fill(~seen, -torch.inf).softmax(dim=3)
        return silu(logits) * (seen / self.n)

    def read(self, x: Tensor, seen: Tensor, rab: Tensor) -> tuple[Tensor, Tensor]:
        """AV, the heads side by side, and U: (B, T, d) each."""
        u, v, q, k = silu(self.f1(self.before(x))).chunk(4, dim=2)
        v, q, k = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in (v, q, k))
        return (self.weights(q, k, seen, rab) @ v).transpose(1, 2).flatten(2), u

    def forward(self, x: Tensor, seen: Tensor, rab: Tensor) -> Tensor:
        av, u = self.read(x, seen, rab)
        return x + self.dropout(self.f2(self.after(av) * u))


class RelativeBias(nn.Module):
    """rab: of each head a number for how many tokens, and one for how much time, lie between two.

    Args:
        heads: H. length: L, plays at most.

    Shapes: lag (B, L, L), the bucket of the time between two plays → (B, H, 2L, 2L).

    Source: Zhai et al. (2024), section 3; the buckets are powers of two seconds.
    """

    def __init__(self, heads: int, length: int) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.zeros(heads, 2 * length))
        self.time = nn.Parameter(torch.zeros(LAGS, heads))

    def forward(self, lag: Tensor) -> Tensor:
        token = torch.arange(2 * lag.shape[1], device=lag.device)
        back = (token.unsqueeze(1) - token).clamp(min=0)
        between = embedding(lag, self.time).permute(0, 3, 1, 2)
        between = between.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        return between + self.place[:, back]


def lags(time: Tensor) -> Tensor:
    """(B, L) seconds → (B, L, L) buckets of how long before a play (second) another (third) was.

    >>> lags(torch.tensor([[0, 1, 5]]))[0, 2]
    tensor([3, 3, 0])
    """
    return lag_buckets(time.unsqueeze(2) - time.unsqueeze(1))


class Interleaved(nn.Module):
    """A sequence model of tracks and actions: what comes next, and what will come of it.

    A listener's plays are told as track, action, track, action, … A token of an action also tells
    which track it is of. The state at a track, which knows all strictly earlier plays with what
    came of them, predicts what will come of it. The state at an action predicts the next track.

    Args:
        artist_of: (n,) the artist of each numbered track, 0 for unknown. n_actions: kinds of
            actions. dim: d, of all vectors. length: L, plays at most. layers, heads: of HSTU.
        softmax, scale: of `HSTULayer`. dropout: of inputs and layers.

    Shapes: track, action, time (B, L) int64, mask (B, L) bool → logits (B, L) that each play goes
    to its end.

    Source: the layers are Zhai et al. (2024); that feedback and next item are predicted together,
    Khrylchenko et al. (2025), "Scaling recommender transformers to one billion parameters".
    """

    artist_of: Tensor

    def __init__(
        self,
        artist_of: Tensor,
        n_actions: int,
        dim: int = 48,
        length: int = 64,
        layers: int = 2,
        heads: int = 2,
        softmax: bool = False,
        scale: float | None = None,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.register_buffer("artist_of", artist_of)
        self.items = nn.Embedding(len(artist_of), dim)
        self.artists = nn.Embedding(int(artist_of.max()) + 1, dim)
        for table in (self.items, self.artists):
            nn.init.normal_(table.weight, std=dim**-0.5)
        self.asked = nn.Parameter(torch.randn(dim))
        self.came = nn.Parameter(torch.randn(n_actions, dim))
        self.biases = nn.ModuleList(RelativeBias(heads, length) for _ in range(layers))
        self.layers = nn.ModuleList(
            HSTULayer(dim, heads, 2 * length, scale, softmax, dropout) for _ in range(layers)
        )
        self.norm, self.dropout = nn.LayerNorm(dim), nn.Dropout(dropout)
        self.finished = nn.Linear(dim, 1)

    def tracks(self, numbers: Tensor) -> Tensor:
        """(…, d) vectors of tracks (…)."""
        return self.items(numbers) + self.artists(self.artist_of[numbers])

    def tokens(self, track: Tensor, action: Tensor) -> Tensor:
        """(B, L), (B, L) → (B, 2L, d): track, action, track, action, …"""
        vectors = self.tracks(track) * self.items.embedding_dim**0.5
        came = vectors + embedding(action, self.came)
        return torch.stack([vectors + self.asked, came], dim=2).flatten(1, 2)

    def states(
        self, track: Tensor, action: Tensor, time: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(B, L, d) states at the tracks, and at the actions."""
        x, seen, lag = self.dropout(self.tokens(track, action)), visible(time, mask), lags(time)
        for layer, bias in zip(self.layers, self.biases, strict=True):
            x = layer(x, seen, bias(lag))
        x = self.norm(x)
        return x[:, 0::2], x[:, 1::2]

    def forward(self, track: Tensor, action: Tensor, time: Tensor, mask: Tensor) -> Tensor:
        return self.finished(self.states(track, action, time, mask)[0]).squeeze(2)


class TwoPredictions:
    """The loss of what will come of a play, plus a share of the loss of which play comes next.

    Args:
        next_track: takes a model of two vectors and a batch with `target` (B,), such as
            `SampledSoftmax`. share: what its loss counts; 0 leaves it out.

    Called with an `Interleaved` and a batch of windows (`INPUTS`, `target` (B, L) of 0 and 1,
    `counts` (B, L) bool) it gives a mean over the places that count. The next track is asked at the
    action before it, where that is strictly earlier.

    Source: Khrylchenko et al. (2025), "Scaling recommender transformers to one billion parameters",
    the two tasks of pre-training.
    """

    def __init__(
        self, next_track: Callable[[Any, dict[str, Tensor]], Tensor], share: float
    ) -> None:
        self.next_track, self.share = next_track, share

    def __call__(self, model: Any, batch: dict[str, Tensor]) -> Tensor:
        asked, came = model.states(*(batch[name] for name in INPUTS))
        counts = batch["counts"]
        logits = model.finished(asked[counts]).squeeze(1)
        feedback = binary_cross_entropy_with_logits(logits, batch["target"][counts].to(logits))
        if not self.share:
            return feedback
        follows = counts[:, 1:] & batch["mask"][:, :-1]
        follows &= batch["time"][:, 1:] > batch["time"][:, :-1]
        if not follows.any():
            return feedback
        pair = AtPlaces(came[:, :-1][follows], model.tracks)
        target = {"target": batch["track"][:, 1:][follows]}
        return feedback + self.share * self.next_track(pair, target)


class FeedbackLoss:
    """Log loss over all places that count in a part, whichever batches its windows are cut into.

    Args:
        part: windows, with `counts` (W, L). A mean over windows of what this gives for their
            batches is then the mean over the places.
    """

    def __init__(self, part: dict[str, Tensor]) -> None:
        self.windows_a_place = len(part["counts"]) / int(part["counts"].sum())

    def __call__(self, model: Any, batch: dict[str, Tensor]) -> Tensor:
        counts = batch["counts"]
        logits = cast(Tensor, model(*(batch[name] for name in INPUTS)))[counts]
        lost = binary_cross_entropy_with_logits(
            logits, batch["target"][counts].to(logits), reduction="sum"
        )
        return lost * self.windows_a_place / len(counts)
