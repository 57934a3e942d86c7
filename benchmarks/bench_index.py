"""Indexes: recall of the exact hundred, queries a second, bytes a vector and seconds to build.

    python benchmarks/bench_index.py [--vectors 100000 1000000] [--hnswlib]

Vectors like those that towers learn: 256 groups, lengths that vary, 32 components; queries are
drawn likewise. One thread. `--hnswlib` adds that library, which is built from source
(`pip install hnswlib`, with a C++ compiler).
"""

from __future__ import annotations

import argparse
import importlib
import time
from collections.abc import Callable

import faiss
import numpy as np
import torch
from torch import Tensor

from course_utils.models.retrieval.index import HNSW, IVF, exact

DIM, K, QUERIES = 32, 100, 1_000
Search = Callable[[Tensor], Tensor]


def drawn(n: int, rng: np.random.Generator) -> Tensor:
    """(n, DIM) vectors in groups, with lengths that vary as popularity makes them vary."""
    centres = rng.standard_normal((256, DIM))
    vectors = centres[rng.integers(0, 256, n)] + 0.7 * rng.standard_normal((n, DIM))
    vectors *= rng.lognormal(0, 0.3, (n, 1)) / np.sqrt(DIM)
    return torch.from_numpy(vectors.astype(np.float32))


def told(
    name: str, search: Search, queries: Tensor, right: Tensor, size: float, built: float
) -> None:
    """Print one line of the table."""
    start = time.perf_counter()
    found = search(queries)
    seconds = time.perf_counter() - start
    hits = [len(set(a) & set(b)) for a, b in zip(found.tolist(), right.tolist(), strict=True)]
    print(
        f"| {name} | {np.mean(hits) / K:.3f} | {len(queries) / seconds:,.0f} | {size:.0f} | "
        f"{built:.1f} |",
        flush=True,
    )


def compare(n: int, with_hnswlib: bool) -> None:
    """All indexes on n vectors."""
    rng = np.random.default_rng(0)
    vectors, queries = drawn(n, rng), drawn(QUERIES, rng)
    flat = exact(vectors)
    right = flat.search(queries, K)
    print(f"\n{n:,} vectors\n\n| index | recall@100 | queries/s | bytes/vector | build (s) |")
    print("|---|---|---|---|---|")
    told("exact", lambda q: flat.search(q, K), queries, right, 4 * DIM, 0.0)
    start = time.perf_counter()
    ivf = IVF(vectors, int(4 * n**0.5))
    built = time.perf_counter() - start
    for cells in (8, 32, 128):
        ivf.probe(cells)
        size = ivf.megabytes * 2**20 / n
        told(f"IVF, {cells} cells", lambda q: ivf.search(q, K), queries, right, size, built)
    start = time.perf_counter()
    graph = HNSW(vectors)
    built = time.perf_counter() - start
    for candidates in (100, 200, 400):
        graph.probe(candidates)
        size = graph.megabytes * 2**20 / n
        told(f"HNSW, {candidates}", lambda q: graph.search(q, K), queries, right, size, built)
    if with_hnswlib:
        _hnswlib(vectors, queries, right)


def _hnswlib(vectors: Tensor, queries: Tensor, right: Tensor) -> None:
    hnswlib = importlib.import_module("hnswlib")
    start = time.perf_counter()
    index = hnswlib.Index(space="ip", dim=DIM)
    index.init_index(max_elements=len(vectors), ef_construction=200, M=32)
    index.set_num_threads(1)
    index.add_items(vectors.numpy())
    built = time.perf_counter() - start
    for candidates in (100, 200, 400):
        index.set_ef(candidates)
        size = index.index_file_size() / len(vectors)
        told(
            f"hnswlib, {candidates}",
            lambda q: torch.from_numpy(index.knn_query(q.numpy(), K)[0].astype(np.int64)),
            queries,
            right,
            size,
            built,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vectors", type=int, nargs="+", default=[100_000])
    parser.add_argument("--hnswlib", action="store_true", help="compare with hnswlib, too")
    given = parser.parse_args()
    faiss.omp_set_num_threads(1)
    for n_vectors in given.vectors:
        compare(n_vectors, given.hnswlib)
