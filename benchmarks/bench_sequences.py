"""Sequences: HR@10, NDCG@10, coverage@10, seconds and memory; ours beside RecTools' SASRec.

    python benchmarks/bench_sequences.py [--log movielens] [--protocol leave-one-out|time]
        [--epochs 30] [--batch 128] [--dim 64] [--length 50] [--known]

Leave one out: of each listener the last play is asked, the one before it is validation. `time`: of
each listener the first play after the course's split, and before it. All rank the whole catalogue
without what the listener has played. Plays of one moment are put in a random order. Ours keeps the
epoch that is best on validation, RecTools the last one; width, layers, heads, length, dropout,
batch, rate and epochs are the same, and `--known` adds RecTools with its own defaults. A small log
wants a small batch: six hundred listeners are five steps of 128. Seconds are those of training,
without validation. RecTools needs NumPy 1: it gets an environment of its own, built once in build/.
One thread each.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from environments import PeerFailed, python_of, run_peer
from scipy.sparse import csr_matrix
from timing import Timed
from torch import Tensor, nn

from course_utils import train
from course_utils.data.ids import number_ids, vocabulary
from course_utils.data.log import Log, open_log
from course_utils.data.splits import split_for
from course_utils.data.tasks.next_item import ties_at_random
from course_utils.data.tasks.retrieval import listens_of, tensor
from course_utils.evaluation.retrieval import FromPlays, Places
from course_utils.models.retrieval.classics import EASE, ItemKNN, Popular
from course_utils.models.retrieval.losses import SampledSoftmax, UniformBCE, full_softmax
from course_utils.models.sequence.sasrec import AtEveryPlace, SASRec

K, RATE, DROPOUT, HEADS, LAYERS = 10, 1e-3, 0.2, 2, 2
NEEDS = ["torch==2.13.0", "numpy<2", "rectools[torch]==0.19.0"]


@dataclass
class Asked:
    """Plays numbered from 1, and one question a listener in each part."""

    plays: pl.DataFrame
    """listener, track, and `part`: 0 training, 1 validation's question, 2 the test's, 3 unused."""
    n_tracks: int
    tracks: Tensor
    """(n_tracks − 1,) public ids of the numbered tracks."""

    def before(self, part: int) -> pl.DataFrame:
        return self.plays.filter(pl.col("part") < part)

    def profiles(self, part: int, listeners: pl.Series | None = None) -> csr_matrix:
        """(listeners, n_tracks) plays before a part's questions, by default of those asked."""
        wanted = self.questions(part)["listener"] if listeners is None else listeners
        place = wanted.to_frame("listener").with_row_index("at")
        rows = self.before(part).join(place, on="listener")
        at, ones = (rows["at"].to_numpy(), rows["track"].to_numpy()), np.ones(len(rows), np.float32)
        return csr_matrix((ones, at), (len(wanted), self.n_tracks))

    def questions(self, part: int) -> pl.DataFrame:
        return self.plays.filter(pl.col("part") == part)

    def pasts(self, part: int) -> list[list[int]]:
        """Tracks played before each question of a part; of training, each listener's own."""
        past = self.before(max(1, part)).group_by("listener", maintain_order=True).agg("track")
        if part:
            asked = self.questions(part).select("listener")
            past = asked.join(past, on="listener", how="left", maintain_order="left")
        return past["track"].to_list()

    def batch(self, part: int, length: int) -> train.Batch:
        """Sequences, filled up on the left: of training all places count, else the question."""
        pasts = self.pasts(part)
        if part == 0:
            pasts = [plays for plays in pasts if len(plays) > 1]
            track = filled([plays[:-1] for plays in pasts], length)
            target = filled([plays[1:] for plays in pasts], length)
            return {"track": track, "mask": track > 0, "target": target, "counts": target > 0}
        track = filled(pasts, length)
        target = torch.tensor(self.questions(part)["track"].to_list())
        return {"track": track, "mask": track > 0, "target": target}


def filled(sequences: list[list[int]], length: int) -> Tensor:
    """(N, length) the latest of each sequence, zeros on the left."""
    rows = [torch.tensor(sequence[-length:]) for sequence in sequences]
    return torch.stack([nn.functional.pad(row, (length - len(row), 0)) for row in rows])


def asked_of(log: Log, protocol: str) -> Asked:
    """Who is asked what, by protocol."""
    rows = ties_at_random(listens_of(log), seed=0).filter(~pl.col("repeat"))
    place = pl.int_range(pl.len()).over("uid")
    if protocol == "leave-one-out":
        back = pl.len().over("uid") - 1 - place
        part = pl.when(pl.len().over("uid") < 3).then(0).otherwise((2 - back).clip(0, 2))
    else:
        split = split_for(rows["timestamp"])
        period = (pl.col("timestamp") >= split.train_end).cast(pl.Int64) + (
            pl.col("timestamp") >= split.test_start
        )
        first = pl.int_range(pl.len()).over("uid", period) == 0
        known = (pl.col("timestamp") < split.train_end).any().over("uid")
        part = pl.when(period == 0).then(0).when(first & known).then(period).otherwise(3)
    rows = rows.with_columns(part=part)
    tracks = vocabulary(rows.filter(pl.col("part") == 0)["item_id"])
    number = number_ids(tensor(rows["item_id"]), tracks).numpy()
    plays = rows.select(listener="uid", track=pl.Series(number), part="part").filter(
        pl.col("track") > 0
    )
    return Asked(plays, len(tracks) + 1, tracks)


def places_of(scores: Tensor, seen: csr_matrix, target: Tensor) -> Places:
    """Places among all tracks but those that were played."""
    row, column = seen.nonzero()
    scores = scores.clone()
    scores[torch.from_numpy(row).long(), torch.from_numpy(column).long()] = -torch.inf
    scores[:, 0] = -torch.inf
    return Places.of(scores, target, K)


def told(name: str, hits: Tensor, gains: Tensor, covered: float, seconds: float, note: str) -> None:
    """One line of the table."""
    means = f"{hits.mean():.4f} | {gains.mean():.4f}"
    print(f"| {name} | {means} | {covered:.1%} | {seconds:.1f} | {note} |", flush=True)


def ours(asked: Asked, options: argparse.Namespace) -> None:
    """Popularity, item kNN, EASE, and SASRec with each loss."""
    n, seen, target = asked.n_tracks, asked.profiles(2), asked.batch(2, 1)["target"]

    def report(name: str, scores: Tensor, seconds: float, note: str = "") -> None:
        found = places_of(scores, seen, target)
        told(name, found.recall(K), found.ndcg(K), found.coverage(K, n - 1), seconds, note)

    plays = asked.profiles(1, asked.before(1)["listener"].unique().sort())
    popularity = torch.from_numpy(np.asarray(plays.sum(axis=0))[0]).long()
    classics: dict[str, Callable[[], FromPlays]] = {
        "popular": lambda: Popular(popularity),
        "item kNN": lambda: ItemKNN(plays, 100),
        "EASE": lambda: EASE(plays, 300.0),
    }
    for name, make in classics.items():
        start = time.perf_counter()
        fitted = make()
        report(name, fitted(seen), time.perf_counter() - start)
    batches = {part: asked.batch(part, options.length) for part in range(3)}
    before = asked.profiles(1)
    batches[1]["row"] = torch.arange(len(batches[1]["target"]))

    def missed(model: Any, batch: train.Batch) -> Tensor:
        scores = model(batch["track"], batch["mask"]) @ model.tracks().T
        return 1 - places_of(scores, before[batch["row"].numpy()], batch["target"]).ndcg(K).mean()

    losses: dict[str, Callable[[Any, train.Batch], Tensor]] = {
        "BCE": UniformBCE(n, 1),
        "gBCE, 256 negatives, t .75": UniformBCE(n, 256, t=0.75),
        "full softmax": lambda model, batch: full_softmax(
            model() @ model.tracks().T, batch["target"]
        ),
        "sampled softmax, 1,024, log Q": SampledSoftmax(popularity),
    }
    for name, loss in losses.items():
        torch.manual_seed(0)
        criterion = Timed(missed)
        model = SASRec(n, options.dim, options.length, LAYERS, HEADS, DROPOUT)
        history = train.fit(
            model, batches[0], batches[1], loss=AtEveryPlace(loss), criterion=criterion, lr=RATE,
            epochs=options.epochs, batch_size=options.batch, patience=options.epochs,
            embedding_decay=0.01, progress=False,
        )  # fmt: skip
        with torch.no_grad():
            scores = model(batches[2]["track"], batches[2]["mask"]) @ model.tracks().T
        spent = history.seconds - criterion.seconds
        epoch = spent / len(history.valid_loss)
        report(
            f"SASRec, {name}",
            scores,
            spent,
            f"{epoch:.2f} s an epoch, best {history.best_epoch + 1}",
        )


def theirs(asked: Asked, options: argparse.Namespace) -> None:
    """RecTools' SASRec, at equal settings and with its own defaults."""
    equal = {
        "n_blocks": LAYERS,
        "n_heads": HEADS,
        "n_factors": options.dim,
        "dropout_rate": DROPOUT,
        "session_max_len": options.length,
        "lr": RATE,
        "batch_size": options.batch,
        "epochs": options.epochs,
        "k": K,
    }
    runs = {
        "BCE": equal | {"loss": "BCE", "n_negatives": 1},
        "gBCE, 256 negatives, t .75": equal | {"loss": "gBCE", "n_negatives": 256, "gbce_t": 0.75},
        "full softmax": equal | {"loss": "softmax"},
    }
    if options.known:
        runs["its own defaults"] = {"epochs": options.epochs, "k": K}
    target, python = asked.questions(2), python_of("rectools", NEEDS)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for part, file in ((1, "train"), (2, "known")):
            plays = asked.before(part).select(uid="listener", item_id="track")
            order = pl.int_range(pl.len()).alias("order")
            plays.with_columns(order).write_csv(root / f"{file}.csv")
        for name, setting in runs.items():
            try:
                seconds = run_peer(python, "rectools_sasrec.py", root, setting)["fit"]
            except PeerFailed as failed:
                print(f"| RecTools, {name} | failed: {failed} |||||")
                continue
            lists = pl.read_csv(root / "lists.csv")
            lists = lists.rename({"uid": "listener", "item_id": "track"})
            lists = lists.cast({key: target.schema[key] for key in ("listener", "track")})
            joined = target.join(lists, on=["listener", "track"], how="left")
            rank = torch.tensor(joined["rank"].fill_null(10**9).to_numpy().astype(np.float64))
            hits = (rank <= K).double()
            covered = lists.filter(pl.col("rank") <= K)["track"].n_unique() / (asked.n_tracks - 1)
            told(f"RecTools, {name}", hits, hits / (rank + 1).log2(), covered, seconds,
                 f"{seconds / options.epochs:.2f} s an epoch")  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--log", default="movielens")
    parser.add_argument("--protocol", choices=["leave-one-out", "time"], default="leave-one-out")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--length", type=int, default=50)
    parser.add_argument("--known", action="store_true", help="RecTools with its own defaults, too")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    questions = asked_of(open_log(chosen.log), chosen.protocol)
    sizes = f"{len(questions.questions(2)):,} listeners asked, {questions.n_tracks - 1:,} tracks"
    print(f"\n{chosen.log}, {chosen.protocol}: {sizes}\n")
    print(f"| model | HR@{K} | NDCG@{K} | coverage@{K} | seconds | |\n|---|---|---|---|---|---|")
    ours(questions, chosen)
    theirs(questions, chosen)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"\npeak memory of ours: {peak:.2f} GiB")
