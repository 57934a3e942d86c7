"""Retrieval: Recall@100, coverage@100 and seconds, our towers beside what a user would pick.

    python benchmarks/bench_retrieval.py [--log sim movielens grocery]

The task of notebooks 03 and 04 on each log: a new track (film, product) that is chosen next, among
all of the catalogue. `implicit`'s ALS and BPR are fitted on the plays of training and asked with
what was played last, and so is item kNN. `torch-rechub`'s DSSM sees the examples of our towers,
epoch by epoch until Recall@100 on validation no longer rises, as they do. Each has its own defaults
where it has some; none is tuned here (the notebooks' trials are). One seed, one thread.
"""

from __future__ import annotations

import argparse
import functools
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import torch
from implicit.cpu.bpr import BayesianPersonalizedRanking
from scipy.sparse import csr_matrix
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy

from course_utils import train
from course_utils.data.log import open_log
from course_utils.data.tasks.retrieval import RetrievalTask, retrieval_task
from course_utils.evaluation.retrieval import FromPlays, RetrievalContest
from course_utils.models.retrieval.classics import ALS, ItemKNN, Popular, binary
from course_utils.models.retrieval.losses import InBatchSoftmax, SampledSoftmax
from course_utils.models.retrieval.two_tower import IdTower, TwoTower
from course_utils.models.retrieval.youtube_dnn import YouTubeDNN

LENGTH, LAST, JUDGED, DIM, BATCH, EPOCHS = 10, 20, 3_000, 32, 512, 15


class BPR:
    """`implicit`'s BPR: it knows listeners by id, so a listener is asked by the mean of tracks."""

    def __init__(self, plays: csr_matrix) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.model = BayesianPersonalizedRanking(factors=DIM, random_state=0, num_threads=1)
            self.model.fit(binary(plays), show_progress=False)

    def __call__(self, plays: csr_matrix) -> Tensor:
        items = self.model.item_factors
        played = binary(plays)
        total = np.maximum(np.asarray(played.sum(axis=1)), 1)
        return torch.from_numpy((played @ items / total) @ items.T).float()


class RechubDSSM(nn.Module):
    """torch-rechub's DSSM: history pooled by it, and a cosine of two MLPs."""

    def __init__(self, n_tracks: int) -> None:
        super().__init__()
        from torch_rechub.basic.features import SequenceFeature, SparseFeature
        from torch_rechub.models.matching import DSSM

        item = SparseFeature("item", n_tracks, embed_dim=DIM)
        history = SequenceFeature("history", n_tracks, embed_dim=DIM, shared_with="item")
        tower = {"dims": [64, DIM], "activation": "prelu"}
        self.model, self.n_tracks = DSSM([history], [item], tower, dict(tower)), n_tracks

    def forward(self, history: Tensor, mask: Tensor) -> Tensor:
        return self.model.user_tower({"history": history})

    def tracks(self, numbers: Tensor | None = None) -> Tensor:
        numbers = torch.arange(self.n_tracks) if numbers is None else numbers
        return self.model.item_tower({"item": numbers})


def rechub_loss(model: Any, batch: train.Batch) -> Tensor:
    """As in the library's example: a sigmoid of the cosine, three random negatives a positive."""
    target = batch["target"]
    user = model(batch["history"], batch["mask"])
    others = torch.randint(1, model.n_tracks, (3 * len(target),))
    items = model.tracks(torch.cat([target, others]))
    chance = torch.sigmoid((user.repeat(4, 1) * items).sum(dim=1))
    return binary_cross_entropy(chance, (torch.arange(len(chance)) < len(target)).float())


def timed(seconds: dict[str, float], name: str, make: Callable[[], FromPlays]) -> FromPlays:
    """A rival, and how long it took to fit it."""
    start = time.perf_counter()
    fitted = make()
    seconds[name] = time.perf_counter() - start
    return fitted


def task_of(log_name: str) -> RetrievalTask:
    log = open_log(log_name)
    chosen = pl.col("is_organic") == 1
    return retrieval_task(
        log, LENGTH, repeats=False, organic=True, history=chosen, judged=JUDGED, seed=0
    )


def compare(log_name: str) -> None:
    """All models on one log."""
    task = task_of(log_name)
    contest, plays, n = RetrievalContest(task, 0), task.plays(), task.n_values["track"]
    inputs = {
        part: {name: batch[name] for name in ("history", "mask", "target")}
        for part, batch in task.batches.items()
    }
    examples = torch.bincount(inputs["train"]["target"], minlength=n)
    seconds: dict[str, float] = {}
    classics: dict[str, Callable[[], FromPlays]] = {
        "popular": lambda: Popular(task.popularity()),
        "item kNN": lambda: ItemKNN(plays),
        "implicit ALS": lambda: ALS(plays, decay=30.0, weight=3.0),
        "implicit BPR": lambda: BPR(plays),
    }
    for name, make in classics.items():
        contest.choose(name, functools.partial(timed, seconds, name, make), [{"last": LAST}])
    networks: dict[str, tuple[Callable[[], nn.Module], train.Loss]] = {
        "YouTube DNN": (lambda: YouTubeDNN(n, DIM, ages=False), SampledSoftmax(task.popularity())),
        "two towers": (
            lambda: TwoTower(IdTower(n, DIM), IdTower(n, DIM), n, DIM),
            InBatchSoftmax(examples, "negatives"),
        ),
        "torch-rechub DSSM": (lambda: RechubDSSM(n), rechub_loss),
    }
    for name, (build, loss) in networks.items():
        options: dict[str, Any] = {"epochs": EPOCHS, "batch_size": BATCH, "patience": 2}
        options |= {"lr": 1e-3} if "rechub" in name else {"lr": 9e-3, "embedding_decay": 0.4}
        contest.enter(name, build, loss, inputs, quiet=True, **options)
        seconds[name] = contest.histories[name].seconds
    recall = contest.intervals(list(contest.places))
    print(f"\n{log_name}: {len(inputs['train']['target']):,} examples, {n - 1:,} tracks\n")
    print("| model | Recall@100 | coverage@100 | seconds |\n|---|---|---|---|")
    for name, places in contest.places.items():
        share = places.coverage(100, n - 1)
        print(f"| {name} | {recall[name]} | {share:.1%} | {seconds[name]:.1f} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--log", nargs="+", default=["sim", "movielens", "grocery"])
    torch.set_num_threads(1)
    for one in parser.parse_args().log:
        compare(one)
