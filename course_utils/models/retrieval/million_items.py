"""A catalogue of millions: sparse steps, small state, short codes, several processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import faiss
import torch
from torch import Tensor, distributed, nn
from torch.multiprocessing.spawn import start_processes

from course_utils.models.retrieval.index import Index
from course_utils.models.retrieval.losses import log_popularity, sampled_softmax
from course_utils.models.retrieval.youtube_dnn import pooled


class TrackTable(nn.Module):
    """One vector a track; a listener is the mean of the tracks played.

    Args:
        n_tracks: N, the unknown one (0) included. dim: d. sparse: whether the gradient of the table
            holds only the rows that were looked up.

    Shapes: history (B, L), mask (B, L) bool → (B, d).
    """

    def __init__(self, n_tracks: int, dim: int = 32, sparse: bool = True) -> None:
        super().__init__()
        self.table = nn.Embedding(n_tracks, dim, sparse=sparse)
        nn.init.normal_(self.table.weight, std=dim**-0.5)

    def forward(self, history: Tensor, mask: Tensor) -> Tensor:
        return pooled(self.table(history), mask)

    def tracks(self, numbers: Tensor | None = None) -> Tensor:
        """(n, d) vectors of some tracks (n,), by default of all N."""
        return self.table.weight if numbers is None else self.table(numbers)


class Sampler:
    """Draws tracks with replacement, each in O(log N): where does a uniform number fall?

    Args:
        counts: (N,) plays of each track. power: Q is proportional to counts to it.

    The running sum of Q cuts the interval from 0 to 1 into a piece for each track, as long as the
    track is likely; a binary search finds the piece (inversion of the distribution function:
    Devroye 1986, "Non-uniform random variate generation", section III.2).
    """

    def __init__(self, counts: Tensor, power: float = 1.0) -> None:
        self.log_q = log_popularity(counts.double(), power)
        self.upto = self.log_q.exp().cumsum(dim=0)

    def draw(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """(n,) numbers of tracks."""
        uniform = torch.rand(n, dtype=torch.float64, generator=generator)
        return torch.searchsorted(self.upto, uniform * self.upto[-1], right=True)


class RowwiseAdagrad(torch.optim.Optimizer):
    """Adagrad with one number of state a row: the sum of its mean squared gradients.

    For a row w with the gradient g, both of length d:

        s ← s + ‖g‖² / d,   w ← w − lr · g / (√s + ε).

    Rows without a gradient stay as they are, and of a sparse gradient no other row is touched. With
    d = 1 this is Adagrad.

    Args:
        params: tables (N, d), with dense or with sparse gradients. lr: the rate. eps: ε.

    Source: Duchi, Hazan & Singer (2011), "Adaptive subgradient methods for online learning and
    stochastic optimization", JMLR, section 1; the mean over a row: Mudigere et al. (2022),
    "Software-hardware co-design for fast and scalable training of deep learning recommendation
    models", ISCA, on sparse optimizers.
    """

    def __init__(self, params: Iterable[Tensor], lr: float = 0.1, eps: float = 1e-10) -> None:
        super().__init__(params, {"lr": lr, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move every table by its gradient once; a closure is not supported."""
        for group in self.param_groups:
            for table in group["params"]:
                if table.grad is None:
                    continue
                if "sum" not in self.state[table]:
                    self.state[table]["sum"] = table.new_zeros(len(table))
                total, gradient = self.state[table]["sum"], table.grad
                rows: Any = slice(None)
                if gradient.is_sparse:
                    gradient = gradient.coalesce()  # a row that was looked up twice has one sum
                    rows, gradient = gradient.indices()[0], gradient.values()
                total[rows] += gradient.square().mean(dim=1)
                size = group["lr"] / (total[rows].sqrt() + group["eps"])
                table[rows] -= size.unsqueeze(1) * gradient


def state_bytes(optimizer: torch.optim.Optimizer) -> int:
    """Bytes of the optimiser's tensors that grow with the tables: all but single numbers."""
    tensors = (value for state in optimizer.state.values() for value in state.values())
    return sum(
        value.numel() * value.element_size()
        for value in tensors
        if isinstance(value, Tensor) and value.ndim
    )


def quantize_rows(table: Tensor, bits: int = 8) -> tuple[Tensor, Tensor]:
    """Codes (N, d) int8 and scales (N, 1) with table ≈ codes · scales, a scale for each row.

    The largest number of a row becomes ±(2^(bits − 1) − 1), and no error exceeds half a scale.

    Args:
        table: (N, d). bits: a number, 2 to 8; fewer than 8 are not packed here.

    >>> quantize_rows(torch.tensor([[0.5, -1.0]]))[0]
    tensor([[  64, -127]], dtype=torch.int8)
    """
    largest = 2 ** (bits - 1) - 1
    scale = table.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / largest
    return (table / scale).round().to(torch.int8), scale


class ProductQuantizer:
    """Vectors as M codes of a byte: each of M pieces is replaced by the nearest of K centres.

    Args:
        vectors: (n, d) to learn the centres from, by k-means. pieces: M, a divisor of d.
        centres: K, 256 at most. rounds: of k-means. seed: of its start.

    Attributes:
        centres: (M, K, d / M).

    Source: Jégou, Douze & Schmid (2011), "Product quantization for nearest neighbor search", IEEE
    TPAMI, sections 2.2 and 3 (the asymmetric distance, here of inner products).
    """

    def __init__(
        self, vectors: Tensor, pieces: int, centres: int = 256, rounds: int = 8, seed: int = 0
    ) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.pieces = pieces
        parts = self._cut(vectors)
        start = torch.randperm(len(vectors), generator=generator)[:centres]
        self.centres = parts[:, start].clone()
        for _ in range(rounds):
            nearest = self._nearest(parts)
            for m in range(pieces):
                total = torch.zeros_like(self.centres[m]).index_add_(0, nearest[m], parts[m])
                n = nearest[m].bincount(minlength=len(start)).unsqueeze(1)
                self.centres[m] = torch.where(n > 0, total / n.clamp(min=1), self.centres[m])

    def _cut(self, vectors: Tensor) -> Tensor:
        """(n, d) → (M, n, d / M)."""
        return vectors.view(len(vectors), self.pieces, -1).transpose(0, 1).contiguous()

    def _nearest(self, parts: Tensor) -> Tensor:
        """(M, n, d / M) → (M, n): ‖x − c‖² without ‖x‖², which is the same for all c."""
        lengths = self.centres.square().sum(dim=2).unsqueeze(1)
        return (lengths - 2 * parts @ self.centres.transpose(1, 2)).argmin(dim=2)

    def encode(self, vectors: Tensor, at_once: int = 10_000) -> Tensor:
        """(N, d) → (N, M) uint8."""
        codes = [self._nearest(self._cut(part)).T for part in vectors.split(at_once)]
        return torch.cat(codes).to(torch.uint8)

    def products(self, query: Tensor, codes: Tensor) -> Tensor:
        """(d,), (N, M) → (N,): M numbers are looked up and added; no vector is rebuilt."""
        pieces = query.view(self.pieces, -1, 1)
        tables = (self.centres @ pieces)[:, :, 0]  # (M, K): LUT_m[k] = ⟨query's piece m, centre k⟩
        return sum(tables[m][codes[:, m].int()] for m in range(self.pieces))  # type: ignore[return-value]


class IVFPQ(Index):
    """An inverted file whose cells hold codes of product quantisation in place of vectors.

    Args:
        vectors: (N, d). n_cells: how many cells. pieces: M, bytes a vector.

    Source: Jégou, Douze & Schmid (2011), section 4 (IVFADC).
    """

    def __init__(self, vectors: Tensor, n_cells: int, pieces: int) -> None:
        dim = vectors.shape[1]
        self.centres = faiss.IndexFlatIP(dim)
        self.ivf = faiss.IndexIVFPQ(
            self.centres, dim, n_cells, pieces, 8, faiss.METRIC_INNER_PRODUCT
        )
        super().__init__(self.ivf, vectors)

    def probe(self, cells: int) -> None:
        """Look at so many cells from now on."""
        self.ivf.nprobe = cells


# Several processes


def train_share(
    table: Tensor, batches: list[tuple[Tensor, Tensor, Tensor]], rank: int = 0, world: int = 1
) -> Tensor:
    """Gradient descent on a process's share of every batch: the table (N, d) after all of them.

    With one process this is ordinary training. With several, each computes the gradient of its
    rows, `all_reduce` adds them up, and every process takes the same step.

    Args:
        table: (N, d) at the start, the same in all processes. batches: tuples of the tracks
            played (B,), those played next (B,), and the negatives (n,) that a batch shares.
        rank: of this process. world: how many there are; they must divide B.
    """
    table = table.clone().requires_grad_()
    for played, target, drawn in batches:
        user, positive = table[played[rank::world]], table[target[rank::world]]
        loss = sampled_softmax((user * positive).sum(dim=1), user @ table[drawn].T)
        (gradient,) = torch.autograd.grad(loss, table)
        if world > 1:
            distributed.all_reduce(gradient)
        with torch.no_grad():
            table -= gradient / world
    return table.detach()


SECONDS_TO_MEET = 300


def train_in_processes(
    table: Tensor, batches: list[tuple[Tensor, Tensor, Tensor]], world: int = 2
) -> Tensor:
    """`train_share` in several processes of this machine: the table that they agree on.

    They meet through a file, so that no port is needed, and are ended if they take too long.

    Raises:
        TimeoutError: they did not finish in time.
    """
    with TemporaryDirectory() as folder:
        torch.save((table, batches), Path(folder) / "given.pt")
        run = start_processes(_one_process, (world, folder), world, join=False)
        try:
            for _ in range(2 * SECONDS_TO_MEET):
                if run.join(timeout=0.5):
                    return torch.load(Path(folder) / "learned.pt")
        finally:
            for process in run.processes:
                process.kill()
                process.join()
    raise TimeoutError(f"{world} processes did not finish within {SECONDS_TO_MEET} seconds")


def _one_process(rank: int, world: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo",
        store=distributed.FileStore(str(Path(folder) / "meeting"), world),
        rank=rank,
        world_size=world,
        timeout=timedelta(seconds=SECONDS_TO_MEET),
    )
    table, batches = torch.load(Path(folder) / "given.pt")
    learned = train_share(table, batches, rank, world)
    if rank == 0:
        torch.save(learned, Path(folder) / "learned.pt")
    distributed.barrier()
    distributed.destroy_process_group()
