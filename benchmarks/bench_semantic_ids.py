"""Semantic IDs: R@5, N@5, R@10, N@10 of spelling the next track, beside SASRec; leave one out.

    python benchmarks/bench_semantic_ids.py [--log movielens] [--vectors PATH] [--codes 64]
        [--depth 3] [--dim 64] [--length 20] [--batch 128] [--epochs 60] [--rates 1e-3 3e-3]

Of each listener the last play is asked, the one before it is validation, over the full catalogue
without what was played (`bench_sequences`). Content vectors come from a Parquet file with `item_id`
and `embed`, else from the log, else from a singular value decomposition of the plays. The speller
reads codes of residual k-means, of an RQ-VAE, and random ones; SASRec has the full softmax. Beside
them stands Cornac's TIGER, an encoder and a decoder with an RQ-VAE of its own; it needs an
environment of its own, built once in build/. All get the same plays, rates to try, epochs and
batch, and keep the epoch that is best on validation (Cornac looks every fifth one); SASRec's width
is `--dim`, the spellers are as wide as its parameters allow. Published for Amazon Beauty (Rajput et
al. 2023): TIGER R@10 .0648, N@10 .0384. One seed, one thread.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from bench_autoencoders import NEEDS
from bench_sequences import Asked, asked_of
from environments import PeerFailed, python_of, run_peer
from sklearn.decomposition import TruncatedSVD
from torch import Tensor, nn

from course_utils import train
from course_utils.data.ids import lookup
from course_utils.data.log import Log, open_log
from course_utils.evaluation.retrieval import Places
from course_utils.evaluation.rivals import count_parameters
from course_utils.models.generative.semantic_ids import (
    RQVAE,
    GenerativeRetriever,
    Trie,
    as_tokens,
    numbered,
    perplexity,
    quantise,
    residual_kmeans,
    spelling_loss,
)
from course_utils.models.retrieval.losses import full_softmax
from course_utils.models.sequence.sasrec import AtEveryPlace, SASRec

KS, DROPOUT, HEADS, LAYERS, BEAMS = (5, 10), 0.2, 2, 2, 30
Scores = Callable[[Any, train.Batch, int], Tensor]
"""Scores (B, N) from a model, a batch, and the part that it belongs to."""


def with_vectors(log: Log, path: Path | None) -> tuple[Log, pl.LazyFrame | None]:
    """The log with only those tracks that have a vector, and the vectors."""
    table = pl.scan_parquet(path) if path else log.vectors
    if table is None:
        return log, None
    have = table.select(pl.col("item_id").cast(pl.UInt32))
    events = log.events.join(have, on="item_id", how="semi", maintain_order="left")
    return Log(log.name, events), table


def vectors_of(asked: Asked, tracks: Tensor, table: pl.LazyFrame | None) -> Tensor:
    """(N − 1, c) standardised vectors of the numbered tracks."""
    if table is not None:
        raw = lookup(table, "embed", tracks)[1:]
    else:
        plays = asked.profiles(1, asked.before(1)["listener"].unique().sort()).log1p()[:, 1:]
        svd = TruncatedSVD(min(64, min(plays.shape) - 1), random_state=0).fit(plays)
        raw = torch.from_numpy((svd.components_.T * svd.singular_values_).astype(np.float32))
    return (raw - raw.mean(dim=0)) / raw.std()


def codes_of(vectors: Tensor, options: argparse.Namespace) -> dict[str, Tensor]:
    """Codes (N − 1, D) of each kind."""
    shape = (len(vectors), options.depth)
    books = residual_kmeans(vectors, options.codes, options.depth)
    torch.manual_seed(0)
    model = RQVAE(vectors.shape[1], options.codes, options.depth)
    model.start(vectors)
    generator = torch.Generator().manual_seed(0)

    def revive(_: nn.Module, epoch: int) -> None:
        model.revive(vectors, 1, generator)

    train.fit(
        model, {"x": vectors}, {"x": vectors}, loss=lambda _, batch: model.loss(batch["x"]),
        epochs=60, patience=60, batch_size=512, lr=1e-3, schedule="constant", weight_decay=0.0,
        progress=False, before_epoch=revive,
    )  # fmt: skip
    return {
        "residual k-means": quantise(vectors, books)[0],
        "RQ-VAE": model.codes(vectors),
        "random codes": torch.randint(options.codes, shape, generator=generator),
    }


class Bench:
    """The questions of a log, and models that answer them with equal trials."""

    def __init__(self, asked: Asked, options: argparse.Namespace) -> None:
        self.asked, self.options = asked, options
        self.batches = {part: asked.batch(part, options.length) for part in range(3)}
        for part in (1, 2):
            self.batches[part]["row"] = torch.arange(len(self.batches[part]["target"]))
        self.seen = {part: asked.profiles(part) for part in (1, 2)}

    def played(self, batch: train.Batch, part: int) -> tuple[Tensor, Tensor]:
        """Rows of the batch and tracks that their listeners have played."""
        row, column = self.seen[part][batch["row"].numpy()].nonzero()
        return torch.from_numpy(row).long(), torch.from_numpy(column).long()

    def places(self, model: Any, batch: train.Batch, part: int, scores: Scores) -> Places:
        found = scores(model, batch, part)
        found[self.played(batch, part)] = -torch.inf
        found[:, 0] = -torch.inf
        return Places.of(found, batch["target"], 0)

    def enter(self, name: str, make: Callable[[], nn.Module], loss: Any, scores: Scores) -> None:
        """Train with each rate, keep the one that is best on validation, print its line."""
        trials = []
        for rate in self.options.rates:
            torch.manual_seed(0)
            model = make()

            def missed(model: Any, batch: train.Batch) -> Tensor:
                return 1 - self.places(model, batch, 1, scores).ndcg(10).mean()

            history = train.fit(
                model, self.batches[0], self.batches[1], loss=loss, lr=rate, criterion=missed,
                batch_size=self.options.batch, epochs=self.options.epochs, patience=10,
                embedding_decay=0.01, progress=False,
            )  # fmt: skip
            trials.append((min(history.valid_loss), rate, history, model))
        _, rate, history, model = min(trials, key=lambda trial: trial[0])
        with torch.no_grad():
            parts = [
                self.places(model, batch, 2, scores)
                for batch in train.batches(self.batches[2], 256)
            ]
        note = f"{rate:g}, {history.best_epoch + 1}"
        told(name, parts, count_parameters(model), history.seconds, note)


def told(name: str, parts: list[Places], parameters: int, seconds: float, note: str) -> None:
    """One line of the table, from the places of all parts of the test."""
    values = [[metric(p, k) for p in parts] for k in KS for metric in (Places.recall, Places.ndcg)]
    means = " | ".join(f"{torch.cat(value).mean():.4f}" for value in values)
    print(f"| {name} | {means} | {parameters:,} | {seconds:.0f} | {note} |", flush=True)


def theirs(bench: Bench, vectors: Tensor, options: argparse.Namespace) -> None:
    """Cornac's TIGER with each rate, the best on validation."""
    python, asked = python_of("cornac", NEEDS), bench.asked
    setting = {
        "rqvae_codebook_size": options.codes,
        "rqvae_num_levels": options.depth,
        "d_model": options.dim,
        "d_ff": 4 * options.dim,
        "num_heads": HEADS,
        "d_kv": options.dim // HEADS,
        "num_enc_layers": LAYERS,
        "num_dec_layers": LAYERS,
        "dropout": DROPOUT,
        "max_len": options.length,
        "batch_size": options.batch,
        "n_epochs": options.epochs,
        "k": max(KS),
        "beams": 2 * BEAMS,  # it finds played tracks, too, which are then taken away
    }

    targets = {part: asked.questions(part)["track"].to_list() for part in (1, 2)}
    files = {
        "train": [past[-options.length - 1 :] for past in asked.pasts(0)],
        "valid": [[*past, one] for past, one in zip(asked.pasts(1), targets[1], strict=True)],
        "known": asked.pasts(2),
    }
    trials = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        np.save(root / "vectors.npy", vectors.numpy())
        for name, content in files.items():
            (root / f"{name}.json").write_text(json.dumps(content))
        for rate in options.rates:
            try:
                asked_with = setting | {"learning_rate": rate}
                trials.append((run_peer(python, "cornac_tiger.py", root, asked_with), rate))
            except PeerFailed as failed:
                print(f"| Cornac, TIGER | failed: {failed} |")
                return
    found, rate = max(trials, key=lambda trial: trial[0]["valid"])
    listed, target = torch.tensor(found["lists"]), torch.tensor(targets[2])
    at = listed == target.unsqueeze(1)
    above = torch.where(at.any(dim=1), at.long().argmax(dim=1), asked.n_tracks)
    places = Places(above, torch.ones_like(above), listed)
    told("Cornac, TIGER", [places], found["parameters"], found["fit"], f"{rate:g}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--log", default="movielens")
    parser.add_argument("--vectors", type=Path)
    defaults = {"codes": 64, "depth": 3, "dim": 64, "length": 20, "batch": 128, "epochs": 60}
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--rates", type=float, nargs="+", default=[1e-3, 3e-3])
    options = parser.parse_args()
    torch.set_num_threads(1)
    log, table = with_vectors(open_log(options.log), options.vectors)
    asked = asked_of(log, "leave-one-out")
    n, bench = asked.n_tracks, Bench(asked, options)
    print(f"{options.log}: {len(asked.questions(2)):,} questions, {n - 1:,} tracks\n")
    vectors = vectors_of(asked, asked.tracks, table)
    all_codes = codes_of(vectors, options)
    print("| codes | tuples | tracks that share theirs | most of one | perplexity ÷ K |")
    print("|---|---|---|---|---|")
    for name, codes in all_codes.items():
        sizes = codes.unique(dim=0, return_counts=True)[1]
        use = ", ".join(f"{u:.2f}" for u in (perplexity(codes, options.codes) / options.codes))
        print(
            f"| {name} | {len(sizes):,} | {int(sizes[sizes > 1].sum()):,} | {sizes.max()} | {use} |"
        )
    print("\n| model | R@5 | N@5 | R@10 | N@10 | parameters | training (s) | rate, best epoch |")
    print("|---|---|---|---|---|---|---|---|")
    sasrec = lambda: SASRec(n, options.dim, options.length, LAYERS, HEADS, DROPOUT)  # noqa: E731
    bench.enter(
        "SASRec, full softmax",
        sasrec,
        AtEveryPlace(lambda m, b: full_softmax(m() @ m.tracks().T, b["target"])),
        lambda m, b, part: m(b["track"], b["mask"]) @ m.tracks().T,
    )
    allowed = count_parameters(sasrec())
    for name, codes in all_codes.items():
        bench.enter(f"spelt, {name}", *speller_of(codes, n, allowed, options, bench))
    theirs(bench, vectors, options)


def speller_of(
    codes: Tensor, n: int, allowed: int, options: argparse.Namespace, bench: Bench
) -> tuple[Callable[[], nn.Module], Any, Scores]:
    """A speller of at most so many parameters, its loss, and its scores by a beam search."""
    tokens, n_tokens = as_tokens(numbered(codes))
    trie = Trie.of(tokens, torch.arange(1, n), n_tokens)
    rows = torch.cat([torch.zeros(1, tokens.shape[1], dtype=torch.int64), tokens])

    def make(dim: int) -> GenerativeRetriever:
        return GenerativeRetriever(
            rows, n_tokens, dim=dim, length=options.length, layers=LAYERS, heads=HEADS,
            dropout=DROPOUT,
        )  # fmt: skip

    dim = max(d for d in range(8, 257, 8) if d == 8 or count_parameters(make(d)) <= allowed)

    def scores(model: Any, batch: train.Batch, part: int) -> Tensor:
        state = model(batch["track"], batch["mask"])
        listed, log_p = model.generate(state, trie, BEAMS, bench.played(batch, part))
        found = torch.full((len(listed), n), -torch.inf)
        return found.scatter(1, listed.clamp(min=0), log_p)

    return lambda: make(dim), spelling_loss, scores


if __name__ == "__main__":
    main()
