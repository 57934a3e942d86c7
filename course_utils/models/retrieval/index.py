"""Indexes for maximum inner product search, through `faiss`: exact, IVF and HNSW."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
import torch
from torch import Tensor


class Index:
    """An index of vectors that answers: which k have the largest products with a query?

    Args:
        index: a faiss index of inner products, or one that orders vectors as they do.
        vectors: (N, d + zeros), to train it on and to put into it.
        zeros: how many of them a query (d) gets at its end.
    """

    def __init__(self, index: faiss.Index, vectors: Tensor, zeros: int = 0) -> None:
        array = np.ascontiguousarray(vectors.detach().cpu().numpy(), np.float32)
        if not np.isfinite(array).all():
            raise ValueError("an index holds finite vectors only; find out where NaN came from")
        self.index, self.dim, self.zeros = index, array.shape[1] - zeros, zeros
        if not index.is_trained:
            index.train(array)
        index.add(array)

    def search(self, queries: Tensor, k: int) -> Tensor:
        """Numbers of the k best vectors, best first: (B, d) → (B, k); −1 where fewer were found.

        Raises:
            ValueError: k is more than the index holds, or the queries are of another width.
        """
        if not 1 <= k <= self.index.ntotal:
            raise ValueError(f"k must lie in 1 … {self.index.ntotal:,}, the vectors held, got {k}")
        array = np.ascontiguousarray(queries.detach().cpu().numpy(), np.float32)
        if array.ndim != 2 or array.shape[1] != self.dim:
            raise ValueError(f"queries must be (B, {self.dim}), got {array.shape}")
        return torch.from_numpy(self.index.search(np.pad(array, ((0, 0), (0, self.zeros))), k)[1])

    @property
    def megabytes(self) -> float:
        """Size of the stored index."""
        return len(faiss.serialize_index(self.index)) / 2**20


def exact(vectors: Tensor) -> Index:
    """All products: (N, d)."""
    return Index(faiss.IndexFlatIP(vectors.shape[1]), vectors)


class IVF(Index):
    """Vectors in cells around centres; only the cells nearest to the query are looked at.

    Args:
        vectors: (N, d). n_cells: how many.

    Source: Jégou, Douze & Schmid (2011), "Product quantization for nearest neighbor search", IEEE
    TPAMI, section 4 (the inverted file).
    """

    def __init__(self, vectors: Tensor, n_cells: int) -> None:
        dim = vectors.shape[1]
        self.centres = faiss.IndexFlatIP(dim)
        self.ivf = faiss.IndexIVFFlat(self.centres, dim, n_cells, faiss.METRIC_INNER_PRODUCT)
        super().__init__(self.ivf, vectors)

    def probe(self, cells: int) -> None:
        """Look at so many cells from now on."""
        self.ivf.nprobe = cells

    def looked_at(self, queries: Tensor) -> float:
        """Mean number of vectors that are compared with a query, the centres included."""
        array = np.ascontiguousarray(queries.detach().cpu().numpy(), np.float32)
        cells = self.centres.search(array, self.ivf.nprobe)[1]
        lists = self.ivf.invlists
        assert lists is not None
        sizes = np.array([lists.list_size(i) for i in range(self.ivf.nlist)])
        return float(sizes[cells].sum(axis=1).mean()) + self.ivf.nlist


class HNSW(Index):
    """A graph of neighbours in layers, walked greedily from the top.

    Args:
        vectors: (N, d). links: of a vector in each layer. construction: candidates that are
            kept while the graph is built.

    Source: Malkov & Yashunin (2020), "Efficient and robust approximate nearest neighbor search
    using hierarchical navigable small world graphs", IEEE TPAMI, section 4.
    """

    def __init__(self, vectors: Tensor, links: int = 32, construction: int = 200) -> None:
        self.graph = faiss.IndexHNSWFlat(vectors.shape[1], links, faiss.METRIC_INNER_PRODUCT)
        self.graph.hnsw.efConstruction = construction
        super().__init__(self.graph, vectors)

    def probe(self, candidates: int) -> None:
        """Keep so many candidates during a walk from now on; at least k are needed for k."""
        self.graph.hnsw.efSearch = candidates

    def looked_at(self, queries: Tensor, k: int) -> float:
        """Mean number of vectors that are compared with a query in a search for k."""
        seen: Any = faiss.cvar
        seen.hnsw_stats.reset()
        self.search(queries, k)
        return float(seen.hnsw_stats.ndis) / len(queries)


def augmented(vectors: Tensor) -> Tensor:
    """(N, d) → (N, d + 1), all of one length: the nearest of them has the largest product.

    With the largest length R, x becomes x′ = (x, √(R² − ‖x‖²)); then
    ‖(q, 0) − x′‖² = ‖q‖² + R² − 2⟨q, x⟩.

    Source: Bachrach et al. (2014), "Speeding up the Xbox recommender system using a Euclidean
    transformation for inner-product spaces", RecSys, section 3.
    """
    squares = vectors.square().sum(dim=1, keepdim=True)
    return torch.cat([vectors, (squares.max() - squares).clamp(min=0).sqrt()], dim=1)


class AugmentedHNSW(HNSW):
    """A graph of `augmented` vectors under the Euclidean distance; options of `HNSW`."""

    def __init__(self, vectors: Tensor, links: int = 32, construction: int = 200) -> None:
        self.graph = faiss.IndexHNSWFlat(vectors.shape[1] + 1, links, faiss.METRIC_L2)
        self.graph.hnsw.efConstruction = construction
        Index.__init__(self, self.graph, augmented(vectors), zeros=1)
