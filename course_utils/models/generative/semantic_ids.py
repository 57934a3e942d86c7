"""Semantic IDs: vectors as tuples of codes, a trie of them, and a decoder that spells tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import faiss
import torch
from torch import Tensor, nn

from course_utils.models.mlp import MLP
from course_utils.models.sequence.sasrec import Block, SASRec, causal

UNKNOWN = 0
"""The token of tracks without a tuple, in every place of theirs."""


def checked(vectors: Tensor) -> Tensor:
    """Vectors (N, d) as they are.

    Raises:
        ValueError: there is none, or one of them holds NaN or infinity.
    """
    if vectors.ndim != 2 or not len(vectors):
        raise ValueError(f"need vectors (N, d), N ≥ 1, got {tuple(vectors.shape)}")
    if bad := int((~vectors.isfinite()).any(dim=1).sum()):
        raise ValueError(
            f"{bad:,} of {len(vectors):,} vectors hold NaN or infinity; leave these tracks out"
        )
    return vectors


def residual_kmeans(vectors: Tensor, n_codes: int, depth: int, seed: int = 0) -> Tensor:
    """Codebooks (D, K, d): k-means of the vectors, then of what is left of them, and so on.

    Where no more than K different vectors are left each is a code of its own, and the codes that
    remain repeat one of them: nobody uses those.

    Args:
        vectors: (N, d). n_codes: K. depth: D. seed: of the starts of k-means.

    Raises:
        ValueError: there is no vector, one is not finite, or K or D is below 1.

    Source: Chen, Guan & Wang (2010), "Approximate nearest neighbor search by residual vector
    quantization", Sensors, section 3; k-means by `faiss`.
    """
    residual = checked(vectors).float()
    if n_codes < 1 or depth < 1:
        raise ValueError(f"need at least one code and one depth, got {n_codes} and {depth}")
    books = []
    for level in range(depth):
        distinct = residual.unique(dim=0)
        if len(distinct) <= n_codes:
            book = torch.cat([distinct, distinct[:1].expand(n_codes - len(distinct), -1)])
        else:
            means = faiss.Kmeans(
                residual.shape[1], n_codes, niter=20, seed=seed + level, min_points_per_centroid=1
            )
            means.train(residual.numpy())
            assert means.centroids is not None
            book = torch.from_numpy(means.centroids.copy())
        books.append(book)
        residual = residual - book[nearest(residual, book)]
    return torch.stack(books)


def nearest(vectors: Tensor, book: Tensor) -> Tensor:
    """(N,) number of the code nearest to each vector: (N, d), (K, d); the first one of equals."""
    return torch.cdist(vectors, book).argmin(dim=1)


def quantise(vectors: Tensor, books: Tensor) -> tuple[Tensor, Tensor]:
    """Each vector as a sum of codes, one a depth, each the nearest to what is left.

    Args:
        vectors: (N, d). books: (D, K, d).

    Returns:
        codes (N, D) and what they stand for, (N, D, d).

    Source: Lee et al. (2022), "Autoregressive image generation using residual quantization", CVPR,
    section 3.1.

    >>> books = torch.tensor([[[0.0], [10.0]], [[-1.0], [1.0]]])
    >>> quantise(torch.tensor([[9.5], [1.2]]), books)[0]
    tensor([[1, 0],
            [0, 1]])
    """
    residual, codes, chosen = vectors, [], []
    for book in books:
        code = nearest(residual.detach(), book.detach())
        codes.append(code)
        chosen.append(book[code])
        residual = residual - chosen[-1].detach()
    return torch.stack(codes, dim=1), torch.stack(chosen, dim=1)


def perplexity(codes: Tensor, n_codes: int) -> Tensor:
    """How many codes are in use, as (D,) numbers from 1 to K: exp of the entropy of their shares.

    Args:
        codes: (N, D). n_codes: K, all there are.

    >>> perplexity(torch.tensor([[0, 1], [1, 1]]), 4)
    tensor([2., 1.])
    """
    share = torch.nn.functional.one_hot(codes, n_codes).float().mean(dim=0)
    return torch.special.entr(share).sum(dim=1).exp()


def numbered(codes: Tensor) -> Tensor:
    """(N, D) → (N, D + 1): an extra code tells apart those with equal tuples, in their order.

    >>> numbered(torch.tensor([[3, 1], [2, 2], [3, 1]])).tolist()
    [[3, 1, 0], [2, 2, 0], [3, 1, 1]]
    """
    _, group, size = codes.unique(dim=0, return_inverse=True, return_counts=True)
    order = group.argsort(stable=True)
    first = (size.cumsum(0) - size)[group[order]]
    extra = torch.empty_like(group)
    extra[order] = torch.arange(len(codes)) - first
    return torch.cat([codes, extra.unsqueeze(1)], dim=1)


class RQVAE(nn.Module):
    """An autoencoder whose code is a tuple: encoder, residual quantisation, decoder.

    Args:
        in_features: c, of the vectors. n_codes: K. depth: D. dim: d, of the codes. hidden: widths
            of the encoder's layers, and turned round of the decoder's. beta: weight of the
            commitment. mean: whether the reconstruction's error is averaged over its c numbers; it
            should be their sum, as that of the codes is.

    Shapes: x (B, c) → (B, c), what is rebuilt from the codes alone.

    Source: Rajput et al. (2023), "Recommender systems with generative retrieval", NeurIPS, section
    3.1; the straight-through gradient is van den Oord et al. (2017), "Neural discrete
    representation learning", section 3.2.
    """

    def __init__(
        self,
        in_features: int,
        n_codes: int = 64,
        depth: int = 3,
        dim: int = 32,
        hidden: tuple[int, ...] = (128,),
        beta: float = 0.25,
        mean: bool = False,
    ) -> None:
        super().__init__()
        down, up = MLP(in_features, list(hidden)), MLP(dim, list(hidden[::-1]))
        self.encoder = nn.Sequential(down, nn.Linear(down.out_features, dim))
        self.decoder = nn.Sequential(up, nn.Linear(up.out_features, in_features))
        self.books = nn.Parameter(torch.randn(depth, n_codes, dim) * dim**-0.5)
        self.beta, self.mean = beta, mean

    def forward(self, x: Tensor) -> Tensor:
        z = self.encoder(x)
        return self.decoder(self.through(z, quantise(z, self.books)[1]))

    @staticmethod
    def through(z: Tensor, chosen: Tensor) -> Tensor:
        """The sum of the chosen codes in value, z in gradient (*straight-through*)."""
        return z + (chosen.sum(dim=1) - z).detach()

    def loss(self, x: Tensor) -> Tensor:
        """‖x − x̂‖² + Σ_d (‖sg r_d − e_d‖² + β ‖r_d − sg e_d‖²), a mean over the rows (B, c)."""
        z = self.encoder(x)
        chosen = quantise(z, self.books)[1]
        rebuilt = self.decoder(self.through(z, chosen))
        before = chosen.detach().cumsum(dim=1) - chosen.detach()
        residual = z.unsqueeze(1) - before  # r_d, (B, D, d)
        codebook = (residual.detach() - chosen).square().sum(dim=(1, 2))
        commitment = (residual - chosen.detach()).square().sum(dim=(1, 2))
        error = (x - rebuilt).square()
        error = error.mean(dim=1) if self.mean else error.sum(dim=1)
        return (error + codebook + self.beta * commitment).mean()

    @torch.no_grad()
    def codes(self, x: Tensor) -> Tensor:
        """(B, D) codes of vectors (B, c)."""
        return quantise(self.encoder(checked(x)), self.books)[0]

    @torch.no_grad()
    def start(self, x: Tensor, seed: int = 0) -> None:
        """Put the codes where k-means of the encoded vectors (N, c) puts them."""
        z = self.encoder(x).cpu()
        depth, n_codes, _ = self.books.shape
        self.books.copy_(residual_kmeans(z, n_codes, depth, seed))

    @torch.no_grad()
    def revive(self, x: Tensor, least: float, generator: torch.Generator | None = None) -> int:
        """Put codes that hardly any vector (N, c) uses where some vectors are; says how many.

        Args:
            x: vectors to count on. least: uses below which a code counts as dead.
            generator: of the draw.

        Source: Zeghidour et al. (2021), "SoundStream", section III-C, once before an epoch.
        """
        residual, revived = self.encoder(x), 0
        for book in self.books:
            uses = torch.bincount(nearest(residual, book), minlength=len(book))
            dead = torch.nonzero(uses < least)[:, 0]
            drawn = torch.randperm(len(x), generator=generator)[: len(dead)].to(x.device)
            book[dead[: len(drawn)]] = residual[drawn]
            revived += len(drawn)
            residual = residual - book[nearest(residual, book)]
        return revived


# Tuples as words


def as_tokens(codes: Tensor) -> tuple[Tensor, int]:
    """Codes (N, D) as words of one vocabulary, each depth with its own: tokens (N, D), and V.

    The token 0 is nobody's, see `UNKNOWN`.

    >>> as_tokens(torch.tensor([[0, 1], [2, 0]]))
    (tensor([[1, 5],
            [3, 4]]), 6)
    """
    sizes = codes.max(dim=0).values + 1
    return codes + 1 + sizes.cumsum(0) - sizes, int(sizes.sum()) + 1


@dataclass(frozen=True)
class Trie:
    """Which token may follow which, and which track a whole tuple is.

    Attributes:
        children: of each depth (n nodes, V): the node that a token leads to, −1 where no track has
            that prefix. The root is the one node of depth 0; nodes of depth D are tracks.
        tracks: (N,) the track of each last node.
    """

    children: list[Tensor]
    tracks: Tensor

    @classmethod
    def of(cls, tokens: Tensor, tracks: Tensor, n_tokens: int) -> Self:
        """The trie of some tracks.

        Args:
            tokens: (N, D), their tuples. tracks: (N,) their numbers. n_tokens: V.

        Raises:
            ValueError: there is no track, or two have one tuple.
        """
        if not len(tokens):
            raise ValueError("a trie without tracks has nothing to generate")
        children, node = [], torch.zeros(len(tokens), dtype=torch.int64)
        for depth in range(tokens.shape[1]):
            key = node * n_tokens + tokens[:, depth]
            keys, after = key.unique(return_inverse=True)
            table = torch.full((int(node.max()) + 1, n_tokens), -1)
            table[node, tokens[:, depth]] = after
            children.append(table)
            node = after
        if len(keys) < len(tokens):
            raise ValueError(
                f"{len(tokens) - len(keys):,} of {len(tokens):,} tracks share their tuple with an "
                "earlier one; give them an extra code (`numbered`)"
            )
        return cls(children, torch.empty_like(tracks).index_copy(0, node, tracks))

    def to(self, device: torch.device) -> Self:
        """The same trie on a device."""
        return type(self)([table.to(device) for table in self.children], self.tracks.to(device))

    def find(self, tuples: Tensor) -> Tensor:
        """(N, D) whole tuples → (N,) their tracks, −1 for a tuple that is none."""
        node = torch.zeros(len(tuples), dtype=torch.int64)
        for depth, table in enumerate(self.children):
            node = torch.where(node < 0, -1, table[node.clamp(min=0), tuples[:, depth]])
        return torch.where(node < 0, -1, self.tracks[node.clamp(min=0)])

    def without(self, child: Tensor, rows: Tensor, tracks: Tensor) -> Tensor:
        """Last nodes (B, n, V) with −1 in the place of tracks that must not come, (M,) each."""
        most = max(int(self.tracks.max()), int(tracks.max()) if len(tracks) else 0)
        out = torch.zeros(len(child), most + 1, dtype=torch.bool, device=child.device)
        out[rows, tracks] = True
        track = self.tracks[child.clamp(min=0)]
        return child.masked_fill(out.gather(1, track.flatten(1)).view_as(child), -1)


def best_children(
    logits: Tensor, allowed: Tensor, score: Tensor, k: int
) -> tuple[Tensor, Tensor, Tensor]:
    """One step of a beam search: the k best ways to go on from some prefixes.

    The logarithm of the softmax comes first, over all tokens, and the mask after it: the other way
    round a prefix with one child would hand its whole chance to it, however unlikely it is.

    Args:
        logits: (B, n, V) of what follows each prefix. allowed: (B, n, V) bool. score: (B, n) log
            probability of each prefix; −∞ for one that is none.

    Returns:
        score, prefix number and token of the best, (B, min(k, n V)) each, the best first; −∞ where
        there are fewer.
    """
    total = score.unsqueeze(2) + logits.log_softmax(dim=2).masked_fill(~allowed, -torch.inf)
    best = total.flatten(1).topk(min(k, total[0].numel()), dim=1)
    return best.values, best.indices // logits.shape[2], best.indices % logits.shape[2]


class GenerativeRetriever(SASRec):
    """SASRec that reads tracks by their codes, and blocks that spell the code of the next one.

    A play is read as the sum of the vectors of its tokens. The state after the last play is the
    first word of a sequence; the tokens of the next track follow it, and each is guessed from
    those before it.

    Args:
        tokens: (N, D) the tuple of each track, row 0 of the unknown one. n_tokens: V.
        speller: blocks that spell. dim, heads, dropout, options: of `SASRec`; its table holds the
            words.

    Source: Rajput et al. (2023), section 3.2. The paper's transformer reads the tokens of all
    tracks one by one; that a track is read as the sum of its codes, and spelt by blocks of its own,
    is Lee et al. (2022), section 3.2.
    """

    tokens: Tensor

    def __init__(
        self,
        tokens: Tensor,
        n_tokens: int,
        speller: int = 1,
        dim: int = 32,
        heads: int = 2,
        dropout: float = 0.1,
        **options: Any,
    ) -> None:
        super().__init__(n_tokens, dim, heads=heads, dropout=dropout, **options)
        self.register_buffer("tokens", tokens, persistent=False)
        self.depth = nn.Parameter(torch.randn(tokens.shape[1], dim) * dim**-0.5)
        self.speller = nn.ModuleList(Block(dim, heads, dropout) for _ in range(speller))
        self.last_norm = nn.LayerNorm(dim)

    def embedded(self, track: Tensor) -> Tensor:
        return super().embedded(self.tokens[track]).sum(dim=2)

    def logits(self, states: Tensor) -> Tensor:
        """(…, d) → (…, V); the words' table is tied."""
        return self.last_norm(states) @ self.items.weight.T

    def begin(self, state: Tensor) -> Tensor:
        """(…, d) the first word of a sequence."""
        return state + self.depth[0]

    def word(self, token: Tensor, depth: int | Tensor) -> Tensor:
        """(…) tokens of one depth, or of several → (…, d)."""
        return super().embedded(token) + self.depth[depth]

    def log_probability(self, state: Tensor, target: Tensor) -> Tensor:
        """(M,) log probability of the tuples of tracks (M,) after states (M, d)."""
        told = self.tokens[target]
        depth = torch.arange(1, told.shape[1], device=told.device)
        x = torch.cat([self.begin(state).unsqueeze(1), self.word(told[:, :-1], depth)], dim=1)
        allowed = causal(torch.ones_like(told[:1], dtype=torch.bool))
        for block in self.speller:
            x = block(x, allowed)
        return self.logits(x).log_softmax(dim=2).gather(2, told.unsqueeze(2)).sum(dim=(1, 2))

    @torch.no_grad()
    def generate(
        self,
        state: Tensor,
        trie: Trie,
        beams: int,
        left_out: Sequence[Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The tracks that a beam search spells, by their log probability.

        Args:
            state: (B, d) after the last play. trie: of the tracks that may be spelt. beams:
                prefixes that are kept. left_out: rows and tracks that must not come, (M,) each.

        Returns:
            tracks and log probabilities (B, at most `beams`), the best first, no track twice; −1
            and −∞ where there are fewer.
        """
        row = torch.arange(len(state), device=state.device).unsqueeze(1)
        score, node = torch.zeros(len(state), 1, device=state.device), torch.zeros_like(row)
        x = self.begin(state).unsqueeze(1)
        read = self.nothing_read(len(state))
        for depth, table in enumerate(trie.children):
            x, read = self.spell(x, read)
            child = table[node]
            if left_out is not None and depth == len(trie.children) - 1:
                child = trie.without(child, *left_out)
            score, prefix, token = best_children(self.logits(x), child >= 0, score, beams)
            node = child[row, prefix, token].clamp(min=0)
            if depth < len(trie.children) - 1:
                x, read = self.word(token, depth + 1), [seen[row, prefix] for seen in read]
        return trie.tracks[node].masked_fill(score == -torch.inf, -1), score

    def nothing_read(self, n: int) -> list[Tensor]:
        """What the blocks have read before the first word of n sequences."""
        return [self.depth.new_zeros(n, 1, 0, self.depth.shape[1]) for _ in self.speller]

    def spell(self, x: Tensor, read: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One more word x (B, n, d) of n sequences, of which each block has read (B, n, t, d)."""
        read = [*read]
        for number, block in enumerate(self.speller):
            read[number] = torch.cat([read[number], x.unsqueeze(2)], dim=2)
            source = read[number].flatten(0, 1)
            allowed = torch.ones(1, 1, 1, source.shape[1], dtype=torch.bool, device=x.device)
            x = block(x.flatten(0, 1).unsqueeze(1), allowed, source).view_as(x)
        return x, read


def spelling_loss(model: GenerativeRetriever, batch: dict[str, Tensor]) -> Tensor:
    """Mean −log probability of the tuples of what is played next, in nats a track.

    Args:
        batch: of `next_item_task`; every place that counts is asked.
    """
    counts = batch["counts"]
    states = model.states(batch["track"], batch["mask"])[counts]
    return -model.log_probability(states, batch["target"][counts]).mean()
