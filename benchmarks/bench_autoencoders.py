"""Autoencoders: Recall@20, Recall@50, NDCG@100 and seconds; ours beside Cornac's.

    python benchmarks/bench_autoencoders.py [--log movielens] [--epochs 60] [--dim 64]
        [--hidden 128] [--batch 100] [--held-out 0.1] [--all] [--known]

Strong generalisation (Liang et al. 2018, section 4.1): a tenth of the listeners is validation and a
tenth the test; models are trained on the others alone. Of each held-out listener four fifths of the
tracks, drawn at random, are given (fold-in) and the rest is to be found among all tracks but those
that were given. Recall@k is divided by min(k, tracks to be found). Plays are sets; only tracks that
were played in full count (on MovieLens: four stars and more) unless `--all`; listeners with fewer
than five, and tracks that no listener of training has, are left out.

Ours keep the epoch that is best on validation, Cornac's models the last one; width, batch, rate and
epochs are the same, and `--known` adds Cornac's own defaults. EASE's λ and kNN's K are the best of
five on validation, for Cornac's EASE, too, and CFGAN's weight of zeros is the best of four. Cornac
gets an environment of its own, built once in build/. Seconds are those of training, without
validation. One thread each.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from environments import PeerFailed, python_of, run_peer
from scipy.sparse import csr_matrix, save_npz
from timing import Timed
from torch import Tensor, nn

from course_utils import train
from course_utils.data.ids import number_ids, vocabulary
from course_utils.data.log import Log, open_log
from course_utils.data.tasks.retrieval import tensor
from course_utils.evaluation.ranking import ndcg_at_k, recall_at_k
from course_utils.models.generative.gan import CFGAN, CFGANLoss
from course_utils.models.generative.vae import (
    Batch,
    MultDAE,
    Multinomial,
    MultVAE,
    NegativeELBO,
    Reconstruction,
    RecVAE,
    take_turns,
)
from course_utils.models.retrieval.classics import EASE, ItemKNN, Popular
from course_utils.schema import FINISHED_PCT

LEAST, GIVEN = 5, 0.8
RATE, BETA, WARM, GAMMA = 1e-3, 0.2, 20, 0.005
ZEROS = (0.03, 0.1, 0.3, 1.0)
"""What CFGAN's zero reconstruction may count."""
DECAYS, NEIGHBOURS = (50.0, 100.0, 200.0, 500.0, 1_000.0), (20, 50, 100, 200, 500)
NEEDS = ["torch==2.13.0", "cornac==3.0.1", "transformers==5.24.0"]


@dataclass
class Part:
    """Listeners with what is known of them and what is to be found, (listeners, tracks) 0 and 1."""

    given: csr_matrix
    hidden: csr_matrix


@dataclass
class Split:
    """The listeners of training, and those held out; track 0 is nobody's."""

    train: csr_matrix
    valid: Part
    test: Part


def split_of(log: Log, held_out: float, everything: bool, seed: int = 0) -> Split:
    """Who is held out, and what of theirs is hidden."""
    wanted = pl.col("event_type") == "listen"
    if not everything:
        wanted &= pl.col("played_ratio_pct") >= FINISHED_PCT
    events = log.events.filter(wanted).select("uid", "item_id").unique().sort("uid", "item_id")
    pairs = events.filter(pl.len().over("uid") >= LEAST).collect()
    rng = np.random.default_rng(seed)
    people = rng.permutation(pairs["uid"].unique().sort().to_numpy())
    n, uid = int(held_out * len(people)), pl.col("uid")
    valid, test = (uid.is_in(some.tolist()) for some in (people[:n], people[n : 2 * n]))
    part = pl.when(valid).then(1).when(test).then(2).otherwise(0)
    pairs = pairs.with_columns(part=part, drawn=pl.Series(rng.random(len(pairs))))
    tracks = vocabulary(pairs.filter(pl.col("part") == 0)["item_id"])
    pairs = pairs.with_columns(
        track=pl.Series(number_ids(tensor(pairs["item_id"]), tracks).numpy())
    ).filter(pl.col("track") > 0)
    pairs = pairs.with_columns(
        given=(pl.col("drawn").rank("ordinal") / pl.len()).over("uid") <= GIVEN,
        row=uid.rank("dense").over("part") - 1,
    )

    def matrix(rows: pl.DataFrame, height: int) -> csr_matrix:
        where = (rows["row"].to_numpy().astype(np.int64), rows["track"].to_numpy())
        return csr_matrix((np.ones(len(rows), np.float32), where), (height, len(tracks) + 1))

    def held(part: int) -> Part:
        rows = pairs.filter(pl.col("part") == part)
        height = rows["uid"].n_unique()
        known = matrix(rows.filter(pl.col("given")), height)
        hidden = matrix(rows.filter(~pl.col("given")), height)
        asked = np.flatnonzero(hidden.getnnz(axis=1))
        return Part(known[asked], hidden[asked])

    own = pairs.filter(pl.col("part") == 0)
    return Split(matrix(own, own["uid"].n_unique()), held(1), held(2))


def as_bags(x: csr_matrix) -> Batch:
    """Rows of a matrix as `history` and `plays`, both (B, L)."""
    rows = [torch.from_numpy(x[row].indices.astype(np.int64)) for row in range(x.shape[0])]
    history = nn.utils.rnn.pad_sequence(rows, batch_first=True)
    return {"history": history, "plays": (history > 0).float()}


def metrics(scores: Tensor, part: Part) -> dict[str, Tensor]:
    """Recall@20, Recall@50 and NDCG@100 of each listener; what was given is left out."""
    row, column = part.given.nonzero()
    scores = scores.float().clone()
    scores[torch.from_numpy(row).long(), torch.from_numpy(column).long()] = -torch.inf
    scores[:, 0] = -torch.inf
    hidden = torch.from_numpy(part.hidden.toarray() > 0)
    n = hidden.sum(dim=1)
    found = {f"Recall@{k}": recall_at_k(scores, hidden, k) * n / n.clamp(max=k) for k in (20, 50)}
    return found | {"NDCG@100": ndcg_at_k(scores, hidden, 100)}


def told(name: str, scores: Tensor, part: Part, seconds: float, note: str = "") -> None:
    """One line of the table, with the standard error of the last metric."""
    found = metrics(scores, part)
    error = found["NDCG@100"].std() / len(scores) ** 0.5
    means = " | ".join(f"{values.mean():.4f}" for values in found.values())
    print(f"| {name} | {means} ± {error:.4f} | {seconds:.1f} | {note} |", flush=True)


def classics(split: Split) -> None:
    """Popularity, item kNN and EASE, each with what validation chose."""
    popularity = torch.from_numpy(np.asarray(split.train.sum(axis=0))[0])
    families: dict[str, list[tuple[str, Callable[[], Any]]]] = {
        "popular": [("", lambda: Popular(popularity))],
        "item kNN": [(f"K {k}", partial(ItemKNN, split.train, k)) for k in NEIGHBOURS],
        "EASE": [(f"λ {decay:g}", partial(EASE, split.train, decay)) for decay in DECAYS],
    }
    for name, makes in families.items():
        tried = []
        for note, make in makes:
            start = time.perf_counter()
            fitted = make()
            seconds = time.perf_counter() - start
            ndcg = metrics(fitted(split.valid.given), split.valid)["NDCG@100"].mean().item()
            tried.append((ndcg, note, fitted, seconds))
        _, note, fitted, seconds = max(tried, key=lambda one: one[0])
        told(name, fitted(split.test.given), split.test, seconds, note)


def ours(split: Split, options: argparse.Namespace) -> None:
    """Mult-DAE, Mult-VAE and RecVAE with the whole softmax, and CFGAN with zeros of either kind."""
    n = split.train.shape[1]
    bags, known = as_bags(split.train), as_bags(split.valid.given)
    known["row"] = torch.arange(len(known["history"]))
    size = {"dim": options.dim, "hidden": options.hidden}

    def missed(model: Any, batch: Batch) -> Tensor:
        rows = batch["row"].numpy()
        scores = model(batch["history"], batch["plays"]) @ model.tracks().T
        part = Part(split.valid.given[rows], split.valid.hidden[rows])
        return 1 - metrics(scores, part)["NDCG@100"].mean()

    def anneal(model: Any, epoch: int) -> None:
        model.beta = BETA * min(1, epoch / WARM)

    def turns(model: Any, epoch: int) -> None:
        take_turns(model, epoch)
        if epoch % 4 == 3:
            model.remember()

    softmax = Multinomial()
    families: dict[str, dict[str, tuple[Any, Any, Any]]] = {
        "Mult-DAE": {"": (MultDAE, Reconstruction(softmax), None)},
        "Mult-VAE": {"": (MultVAE, NegativeELBO(softmax), anneal)},
        "RecVAE": {"": (RecVAE, NegativeELBO(softmax, per_play=GAMMA), turns)},
        "CFGAN, ZP": {f", α {zero:g}": (CFGAN, CFGANLoss(n, zero, True), None) for zero in ZEROS},
    }
    for name, tried in families.items():
        done = []
        for setting, (kind, loss, hook) in tried.items():
            torch.manual_seed(0)
            model, criterion = kind(n, **size), Timed(missed)
            history = train.fit(
                model, bags, known, loss=loss, criterion=criterion, lr=RATE, epochs=options.epochs,
                batch_size=options.batch, patience=options.epochs, weight_decay=0,
                embedding_decay=0, before_epoch=hook, progress=False,
            )  # fmt: skip
            spent = history.seconds - criterion.seconds
            done.append((min(history.valid_loss), setting, model, history.best_epoch, spent))
        _, setting, model, epoch, seconds = min(done, key=lambda one: one[0])
        with torch.no_grad():
            scores = model(**as_bags(split.test.given)) @ model.tracks().T
        note = f"best epoch {epoch + 1} of {options.epochs}{setting}"
        told(name, scores, split.test, seconds, note)


def theirs(split: Split, options: argparse.Namespace) -> None:
    """Cornac's EASE, VAECF and RecVAE at equal settings, and with their own defaults."""
    python = python_of("cornac", NEEDS)
    equal = {"batch_size": options.batch, "n_epochs": options.epochs, "learning_rate": RATE}
    vaecf = {"k": options.dim, "autoencoder_structure": [options.hidden], "beta": BETA}
    recvae = {"hidden_dim": options.hidden, "latent_dim": options.dim, "gamma": GAMMA}
    rounds = {"n_epochs": options.epochs // 4}  # of three epochs for the encoder and one
    runs: dict[str, list[tuple[str, dict[str, Any]]]] = {
        "EASE": [("EASE", {"lamb": decay, "posB": False}) for decay in DECAYS],
        "VAECF": [("VAECF", equal | vaecf)],
        "RecVAE": [("RecVAE", recvae | rounds | {"batch_size": options.batch, "lr": RATE})],
    }
    if options.known:
        runs |= {f"{name}, its defaults": [(name, {})] for name in ("EASE", "VAECF", "RecVAE")}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        parts = {"train": split.train, "valid": split.valid.given, "test": split.test.given}
        for part, x in parts.items():
            save_npz(root / f"{part}.npz", x)
        for name, settings in runs.items():
            tried = []
            for model, setting in settings:
                asked = {"model": model, "setting": setting}
                try:
                    seconds = run_peer(python, "cornac_autoencoders.py", root, asked)["fit"]
                except PeerFailed as failed:
                    print(f"| Cornac, {name} | failed: {failed} |")
                    continue
                scores = {
                    p: torch.from_numpy(np.load(root / f"{p}.npy")) for p in ("valid", "test")
                }
                ndcg = metrics(scores["valid"], split.valid)["NDCG@100"].mean().item()
                tried.append((ndcg, scores["test"], seconds, setting))
            if tried:
                _, scores_of_best, seconds, setting = max(tried, key=lambda one: one[0])
                note = f"λ {setting['lamb']:g}" if "lamb" in setting else ""
                told(f"Cornac, {name}", scores_of_best, split.test, seconds, note)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--log", default="movielens")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--held-out", type=float, default=0.1)
    parser.add_argument("--all", action="store_true", help="all plays, not only those in full")
    parser.add_argument("--known", action="store_true", help="Cornac with its own defaults, too")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    divided = split_of(open_log(chosen.log), chosen.held_out, chosen.all)
    rows, columns = divided.train.shape
    asked = len(divided.test.given.indptr) - 1
    print(f"\n{chosen.log}: {rows:,} listeners, {columns - 1:,} tracks; {asked:,} are asked\n")
    print("| model | Recall@20 | Recall@50 | NDCG@100 | seconds | |\n|---|---|---|---|---|---|")
    classics(divided)
    ours(divided, chosen)
    theirs(divided, chosen)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"\npeak memory of ours: {peak:.2f} GiB")
