"""SASRec and its rivals: what comes next, read off a sequence of plays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from course_utils.models.mlp import MLP

LAGS = 26
"""Buckets of time that a relative bias tells apart: 0, 1, 2–3, 4–7, … seconds, up to a year."""


def lag_buckets(seconds: Tensor) -> Tensor:
    """Buckets of some lags (…): 0 up to `LAGS` − 1; a negative lag counts as none.

    >>> lag_buckets(torch.tensor([0, 1, 2, 3, 4, 10**9]))
    tensor([ 0,  1,  2,  2,  3, 25])
    """
    return ((seconds.clamp(min=0) + 0.5).log2().floor().long() + 1).clamp(max=LAGS - 1)


class NextTrack(nn.Module):
    """A vector of the listener after each play; its dot product with a track's is that one's logit.

    Inputs and candidates have one table of vectors together: it is *tied*. What a subclass adds is
    `states`.

    Args:
        n_tracks: N, the unknown one (0) included. dim: d, of all vectors.

    Shapes: track (B, L), in the order of time and filled up on either side, mask (B, L) bool, true
    where there is a play → (B, d), the state after the last play.
    """

    def __init__(self, n_tracks: int, dim: int = 32) -> None:
        super().__init__()
        self.items = nn.Embedding(n_tracks, dim)
        nn.init.normal_(self.items.weight, std=dim**-0.5)

    def embedded(self, track: Tensor) -> Tensor:
        """(B, L) → (B, L, d) vectors of plays, times √d: Vaswani et al. (2017), section 3.4."""
        return self.items(track) * self.items.embedding_dim**0.5

    def states(self, track: Tensor, mask: Tensor, **context: Tensor) -> Tensor:
        """(B, L, d) states after each play, each of it and those before it alone."""
        raise NotImplementedError

    def forward(self, track: Tensor, mask: Tensor, **context: Tensor) -> Tensor:
        states = self.states(track, mask, **context)
        return states[torch.arange(len(states)), last_place(mask)]

    def tracks(self, numbers: Tensor | None = None) -> Tensor:
        """(n, d) vectors of some tracks (n,), by default of all N."""
        return self.items.weight if numbers is None else self.items(numbers)


def last_place(mask: Tensor) -> Tensor:
    """(B,) place of the last true in each row (B, L); the last place of all if there is none.

    >>> last_place(torch.tensor([[True, True, False], [False, True, True], [False] * 3]))
    tensor([1, 2, 2])
    """
    return mask.shape[1] - 1 - mask.flip(1).int().argmax(dim=1) * mask.any(dim=1)


def causal(mask: Tensor) -> Tensor:
    """(B, 1, L, L) which places (last) each place (third) may look at: plays up to its own.

    A place without a play may look at itself alone: a softmax over nothing would be NaN.

    >>> causal(torch.tensor([[False, True, True]])).int()[0, 0]
    tensor([[1, 0, 0],
            [0, 1, 0],
            [0, 1, 1]], dtype=torch.int32)
    """
    n = mask.shape[1]
    past = torch.ones(n, n, dtype=torch.bool, device=mask.device).tril()
    itself = torch.eye(n, dtype=torch.bool, device=mask.device)
    return ((past & mask.unsqueeze(1)) | itself).unsqueeze(1)


class Block(nn.Module):
    """Attention, then a small network at each place, each added to what it reads.

    The layer norms stand before them (*pre-norm*), so that the sum itself runs through untouched.

    Args:
        dim: d. heads: of the attention, each d / heads wide. dropout: share of numbers set to 0.

    Shapes: x (B, L, d), allowed (B, 1 or heads, L, L): bool, or numbers added to the attention's
    logits → (B, L, d). Each place reads from x itself, or from other vectors `source` (B, L, d).

    Source: Vaswani et al. (2017), "Attention is all you need", section 3; the norms as in Xiong et
    al. (2020), "On layer normalization in the transformer architecture", ICML.
    """

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_network = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.query, self.key, self.value = (nn.Linear(dim, dim) for _ in range(3))
        self.out = nn.Linear(dim, dim)
        self.network = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))
        self.dropout = nn.Dropout(dropout)

    def split(self, x: Tensor) -> Tensor:
        """(B, L, d) → (B, heads, L, d / heads)."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def forward(self, x: Tensor, allowed: Tensor, source: Tensor | None = None) -> Tensor:
        read = self.before_attention(x)
        source = read if source is None else self.before_attention(source)
        q = self.split(self.query(read))
        k, v = self.split(self.key(source)), self.split(self.value(source))
        seen = scaled_dot_product_attention(q, k, v, attn_mask=allowed)
        x = x + self.dropout(self.out(seen.transpose(1, 2).flatten(2)))
        return x + self.dropout(self.network(self.before_network(x)))

    def weights(self, x: Tensor, allowed: Tensor) -> Tensor:
        """(B, heads, L, L) how much each place (third) reads from each place (last)."""
        read = self.before_attention(x)
        q, k = self.split(self.query(read)), self.split(self.key(read))
        logits = q @ k.transpose(2, 3) / q.shape[3] ** 0.5
        if allowed.dtype == torch.bool:
            return logits.masked_fill(~allowed, -torch.inf).softmax(dim=3)
        return (logits + allowed).softmax(dim=3)


class SASRec(NextTrack):
    """Self-attention over the plays so far.

    Args:
        n_tracks, dim: of `NextTrack`. length: L, plays at most. layers: blocks. heads, dropout: of
            `Block`. order: how the model learns what came when. `place`, a vector for each place,
            counted from the first play; `time`, a bias of the attention of each head, which depends
            on how long before the next request a play was (in powers of two); `none`, not at all.

    Shapes: of `NextTrack`; with `time` also time (B, L) and asked (B, L), seconds of each play and
    of the request after it.

    Source: Kang & McAuley (2018), "Self-attentive sequential recommendation", ICDM, section III,
    but for the norms, see `Block`, and the √d. Times: in the manner of Zhai et al. (2024), "Actions
    speak louder than words", ICML, section 3.
    """

    def __init__(
        self,
        n_tracks: int,
        dim: int = 32,
        length: int = 50,
        layers: int = 2,
        heads: int = 2,
        dropout: float = 0.1,
        order: str = "place",
    ) -> None:
        super().__init__(n_tracks, dim)
        if order not in ("place", "time", "none"):
            raise ValueError(f"order must be 'place', 'time' or 'none', got {order!r}")
        self.order = order
        if order == "place":
            self.place = nn.Parameter(torch.randn(length, dim) * dim**-0.5)
        if order == "time":
            self.bias = nn.Parameter(torch.zeros(heads, LAGS))
        self.blocks = nn.ModuleList(Block(dim, heads, dropout) for _ in range(layers))
        self.norm, self.dropout = nn.LayerNorm(dim), nn.Dropout(dropout)

    def visible(self, mask: Tensor) -> Tensor:
        """(B, 1, L, L) which places each place may look at."""
        return causal(mask)

    def read(self, track: Tensor, mask: Tensor, **context: Tensor) -> tuple[Tensor, Tensor]:
        """What goes into the blocks: (B, L, d), and what the attention is allowed."""
        x = self.embedded(track)
        if self.order == "place":
            x = x + self.place[(mask.cumsum(dim=1) - 1).clamp(min=0)]
        allowed = self.visible(mask)
        if self.order == "time":
            lag = context["asked"].unsqueeze(2) - context["time"].unsqueeze(1)
            bias = self.bias[:, lag_buckets(lag)].transpose(0, 1)
            allowed = bias.masked_fill(~allowed, -torch.inf)
        return self.dropout(x), allowed

    def states(self, track: Tensor, mask: Tensor, **context: Tensor) -> Tensor:
        x, allowed = self.read(track, mask, **context)
        for block in self.blocks:
            x = block(x, allowed)
        return self.norm(x)

    @torch.no_grad()
    def attention(self, track: Tensor, mask: Tensor, **context: Tensor) -> list[Tensor]:
        """Of each block (B, heads, L, L): how much each place (third) reads from each (last)."""
        x, allowed = self.read(track, mask, **context)
        maps = []
        for block in cast(list[Block], self.blocks):
            maps.append(block.weights(x, allowed))
            x = block(x, allowed)
        return maps


class Unordered(SASRec):
    """The same blocks, reading the plays so far as a set: in whichever order, the same state.

    No place is told, and what asks is not the last play but a learned vector, the same after each.

    Args: of `SASRec`, without `order`.

    Source: pooling by attention, Lee et al. (2019), "Set Transformer", ICML, section 3.2.
    """

    def __init__(self, n_tracks: int, **options: Any) -> None:
        super().__init__(n_tracks, **options, order="none")
        self.start = nn.Parameter(torch.randn(self.items.embedding_dim))

    def states(self, track: Tensor, mask: Tensor, **context: Tensor) -> Tensor:
        plays, allowed = self.dropout(self.embedded(track)), self.visible(mask)
        x = self.start.expand_as(plays)
        for block in self.blocks:
            x = block(x, allowed, plays)
        return self.norm(x)


class BERT4Rec(SASRec):
    """Attention in both directions: plays are hidden and guessed from what is on both sides.

    The track −1 is a hidden one. To serve, such a play is put after the last one.

    Args: of `SASRec`; the length is L + 1, since the hidden play takes a place.

    Source: Sun et al. (2019), "BERT4Rec: sequential recommendation with bidirectional encoder
    representations from transformer", CIKM, section 3.
    """

    def __init__(self, n_tracks: int, **options: Any) -> None:
        super().__init__(n_tracks, **options)
        self.hidden = nn.Parameter(torch.randn(self.items.embedding_dim))

    def embedded(self, track: Tensor) -> Tensor:
        return torch.where((track < 0).unsqueeze(2), self.hidden, super().embedded(track.clamp(0)))

    def visible(self, mask: Tensor) -> Tensor:
        itself = torch.eye(mask.shape[1], dtype=torch.bool, device=mask.device)
        return (mask.unsqueeze(1) | itself).unsqueeze(1)

    def forward(self, track: Tensor, mask: Tensor, **context: Tensor) -> Tensor:
        asked = torch.full_like(track[:, :1], -1)
        whole = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        return self.states(torch.cat([track, asked], dim=1), whole)[:, -1]


class GRU(NextTrack):
    """A recurrent network: one state, rewritten at each play.

    Args:
        n_tracks, dim: of `NextTrack`. hidden: width of the state.

    Source: Hidasi et al. (2016), "Session-based recommendations with recurrent neural networks",
    ICLR, section 3; the cell is Cho et al. (2014).
    """

    def __init__(
        self, n_tracks: int, dim: int = 32, hidden: int = 64, dropout: float = 0.1
    ) -> None:
        super().__init__(n_tracks, dim)
        self.dropout = nn.Dropout(dropout)
        self.cell = nn.GRU(dim, hidden, batch_first=True)
        self.out = nn.Linear(hidden, dim)

    def states(self, track: Tensor, mask: Tensor, **context: Tensor) -> Tensor:
        first = (~mask).int().argsort(dim=1, stable=True)  # plays to the front, as they came
        back = first.argsort(dim=1)
        states, _ = self.cell(self.dropout(self.embedded(track.gather(1, first))))
        return self.out(states.gather(1, back.unsqueeze(2).expand_as(states)))


class AveragePooling(NextTrack):
    """The mean of the latest plays, and a small network: it does not know their order.

    Args:
        n_tracks, dim: of `NextTrack`. latest: plays that count. hidden: width of the network.

    Source: Covington, Adams & Sargin (2016), "Deep neural networks for YouTube recommendations",
    RecSys, section 3, asked after each play.
    """

    def __init__(
        self, n_tracks: int, dim: int = 32, latest: int = 50, hidden: int = 64, dropout: float = 0.1
    ) -> None:
        super().__init__(n_tracks, dim)
        self.latest, self.dropout = latest, nn.Dropout(dropout)
        layers = MLP(dim, [hidden])
        self.layers = nn.Sequential(layers, nn.Linear(layers.out_features, dim))

    def states(self, track: Tensor, mask: Tensor, **context: Tensor) -> Tensor:
        x = self.dropout(self.embedded(track)) * mask.unsqueeze(2)
        total = sum_of_latest(x, self.latest)
        n = sum_of_latest(mask.unsqueeze(2), self.latest)
        return self.layers(total / n.clamp(min=1))


def sum_of_latest(x: Tensor, n: int) -> Tensor:
    """(B, L, d) at each place the sum over it and the n − 1 places before it."""
    total = x.cumsum(dim=1)
    return total - nn.functional.pad(total, (0, 0, n, 0))[:, : x.shape[1]]


class AtPlaces:
    """States at some places, in the guise of a model of two vectors."""

    def __init__(self, states: Tensor, tracks: Callable[..., Tensor]) -> None:
        self.states, self.tracks = states, tracks

    def __call__(self) -> Tensor:
        return self.states


class AtEveryPlace:
    """A loss of retrieval at every place of the sequences that counts, as if each were an example.

    Args:
        loss: takes a model of two vectors and a batch with `target` (B,).

    Called with a `NextTrack` and a batch of `next_item_task` it gives the mean over the places.
    """

    def __init__(self, loss: Callable[[Any, dict[str, Tensor]], Tensor]) -> None:
        self.loss = loss

    def __call__(self, model: Any, batch: dict[str, Tensor]) -> Tensor:
        inputs = {name: batch[name] for name in batch if name not in ("target", "counts")}
        states = model.states(**inputs)[batch["counts"]]
        return self.loss(
            AtPlaces(states, model.tracks), {"target": batch["target"][batch["counts"]]}
        )


class HiddenPlays:
    """A loss of retrieval at plays that are hidden at random, for `BERT4Rec`.

    Args:
        loss: as in `AtEveryPlace`. share: of the plays that could be guessed, hidden at random.

    Called with a model and a batch of `next_item_task`, filled up on the left, it gives the mean
    over the hidden plays.
    """

    def __init__(
        self, loss: Callable[[Any, dict[str, Tensor]], Tensor], share: float = 0.3
    ) -> None:
        self.loss, self.share = loss, share

    def __call__(self, model: Any, batch: dict[str, Tensor]) -> Tensor:
        counts, target = batch["counts"], batch["target"]
        track = torch.cat([batch["track"], target[:, -1:]], dim=1)
        mask = torch.cat([batch["mask"], counts[:, -1:]], dim=1)
        known = torch.cat([torch.zeros_like(counts[:, :1]), counts], dim=1)
        hidden = known & (torch.rand(known.shape, device=known.device) < self.share)
        states = model.states(track.masked_fill(hidden, -1), mask)[hidden]
        return self.loss(AtPlaces(states, model.tracks), {"target": track[hidden]})
