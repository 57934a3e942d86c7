"""Memory that a network reads and writes: soft addresses, a listener's memory, product keys."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_utils.models.sequence.sasrec import NextTrack


def soft_read(
    query: Tensor, keys: Tensor, values: Tensor, temperature: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Read a memory by similarity: r = Σ w_i v_i with w = softmax(K q / τ).

    Args:
        query: (…, d). keys: (N, d), of the slots. values: (N, v), what is in them.
        temperature: τ > 0.

    Returns:
        r (…, v), and the weights w (…, N).

    Source: Graves, Wayne & Danihelka (2014), "Neural Turing machines", section 3.1, addressed as in
    3.3.1, with a product in place of their cosine and 1/τ in place of their β.

    >>> soft_read(torch.tensor([0.0]), torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [8.0]]))
    (tensor([4.]), tensor([0.5000, 0.5000]))
    """
    weights = (query @ keys.T / temperature).softmax(dim=-1)
    return weights @ values, weights


def write(memory: Tensor, weights: Tensor, erase: Tensor, add: Tensor) -> Tensor:
    """Erase, then add, both as much as each slot is meant: M ⊙ (1 − w eᵀ) + w aᵀ.

    Shapes: memory (…, N, v), weights (…, N) in [0, 1], erase (…, v) in [0, 1], add (…, v) →
    (…, N, v), a new tensor.

    Source: Graves, Wayne & Danihelka (2014), section 3.2.

    >>> half = torch.tensor([0.5, 0.0])
    >>> write(torch.ones(2, 1), half, erase=torch.ones(1), add=torch.tensor([4.0]))
    tensor([[2.5000],
            [1.0000]])
    """
    weights = weights.unsqueeze(-1)
    return memory * (1 - weights * erase.unsqueeze(-2)) + weights * add.unsqueeze(-2)


class UserMemory(NextTrack):
    """A memory of each listener: slots with learned keys, whose contents the plays rewrite.

    After play x_t, with w_t = softmax(K x_t), e_t = σ(E x_t), a_t = tanh(D x_t), the contents are
    M_t = M_{t−1} ⊙ (1 − w_t e_tᵀ) + w_t a_tᵀ, and the state is a layer over x_t and what is read
    with the same address, r_t = Σ_i w_ti M_ti.
    Keys are the same for all listeners. Addresses depend on the play alone, never on the contents,
    so M_t is linear in M_{t−1}: nothing that is written goes through a squashing function again.

    Args:
        n_tracks, dim: of `NextTrack`. slots: N. width: v, numbers in a slot.

    Source: Zhang, Shi, King & Yeung (2017), "Dynamic key-value memory networks for knowledge
    tracing", WWW, section 3. There the next question is known and read with; here what is read with
    is the latest play, after it was written.
    """

    def __init__(
        self, n_tracks: int, dim: int = 32, slots: int = 16, width: int = 32, dropout: float = 0.1
    ) -> None:
        super().__init__(n_tracks, dim)
        self.dropout = nn.Dropout(dropout)
        self.keys = nn.Linear(dim, slots, bias=False)
        self.erase, self.add = nn.Linear(dim, width), nn.Linear(dim, width)
        self.start = nn.Parameter(torch.zeros(slots, width))
        self.out = nn.Linear(width + dim, dim)

    def addresses(self, x: Tensor) -> Tensor:
        """(…, d) → (…, N): how much each slot is meant."""
        return self.keys(x).softmax(dim=-1)

    def states(self, track: Tensor, mask: Tensor, **context: Tensor) -> Tensor:
        x = self.dropout(self.embedded(track))
        w, erase, add = self.addresses(x), self.erase(x).sigmoid(), self.add(x).tanh()
        written = (w * mask.unsqueeze(2)).unsqueeze(3)  # where there is no play nothing changes
        kept, added = 1 - written * erase.unsqueeze(2), written * add.unsqueeze(2)
        memory, contents = self.start, []
        for keep, put in zip(kept.unbind(dim=1), added.unbind(dim=1), strict=True):
            memory = memory * keep + put
            contents.append(memory)
        read = (torch.stack(contents, dim=1) * w.unsqueeze(3)).sum(dim=2)
        return self.out(torch.cat([read, x], dim=2))


def product_top_k(
    query: Tensor, keys: Tensor, k: int, candidates: int | None = None
) -> tuple[Tensor, Tensor]:
    """The k best of n² keys, each a pair of one sub-key of the left half and one of the right.

    The score of slot i·n + j is the sum of two, ⟨left, keys[0, i]⟩ + ⟨right, keys[1, j]⟩. A pair
    among the k best has both its halves among the k best of their side, so 2 n products and k²
    sums are enough.

    Args:
        query: (…, 2 h). keys: (2, n, h), sub-keys. k: at most n.
        candidates: kept of each half; k by default. With fewer the answer may be wrong.

    Returns:
        Scores (…, k), the best first, and slots (…, k) in 0 … n² − 1.

    Raises:
        ValueError: there are not as many candidates, or not as many pairs of them.

    Source: Lample et al. (2019), "Large memory layers with product keys", NeurIPS, section 3.
    """
    candidates = k if candidates is None else candidates
    n = keys.shape[1]
    if not 1 <= candidates <= n or not 1 <= k <= candidates**2:
        raise ValueError(
            f"the best {k} of {candidates} × {candidates} pairs of {n} × {n} sub-keys?"
        )
    left, right = query.chunk(2, dim=-1)
    best_i, best_j = (left @ keys[0].T).topk(candidates), (right @ keys[1].T).topk(candidates)
    sums = best_i.values.unsqueeze(-1) + best_j.values.unsqueeze(-2)
    best = sums.flatten(-2).topk(k)
    i = best_i.indices.gather(-1, best.indices // candidates)
    j = best_j.indices.gather(-1, best.indices % candidates)
    return best.values, i * n + j


class ProductKeyMemory(nn.Module):
    """A layer with n² slots of which each input reads k, found by products with 2 n sub-keys.

    Args:
        dim: d. out: width of a slot. n: sub-keys of a half. half: h, width of a sub-key.
        k: slots that are read. norm: of the query, `layer`, each example by itself; or `batch`, as
            in the paper, which lets the examples of a batch see each other.
        sparse: whether the slots' gradient holds the rows that were read alone; `SparseAdam` or
            SGD can use it.

    Shapes: x (B, d) → (B, out).

    Raises:
        ValueError: an unknown norm.

    Source: Lample et al. (2019), section 3, with one head.
    """

    def __init__(
        self,
        dim: int,
        out: int,
        n: int = 64,
        half: int = 16,
        k: int = 8,
        norm: str = "layer",
        sparse: bool = True,
    ) -> None:
        super().__init__()
        if norm not in ("layer", "batch"):
            raise ValueError(f"norm must be 'layer' or 'batch', got {norm!r}")
        self.k = k
        self.query = nn.Linear(dim, 2 * half, bias=False)
        self.norm = nn.LayerNorm(2 * half) if norm == "layer" else nn.BatchNorm1d(2 * half)
        self.keys = nn.Parameter(torch.randn(2, n, half) * half**-0.5)
        self.values = nn.EmbeddingBag(n * n, out, mode="sum", sparse=sparse)
        nn.init.normal_(self.values.weight, std=out**-0.5)

    def address(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, d) → weights (B, k), a softmax over the k alone, and slots (B, k)."""
        scores, slots = product_top_k(self.norm(self.query(x)), self.keys, self.k)
        return scores.softmax(dim=-1), slots

    def forward(self, x: Tensor) -> Tensor:
        weights, slots = self.address(x)
        return self.values(slots, per_sample_weights=weights)
