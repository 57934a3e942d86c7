"""Retrieval: Recall@100, coverage@100 and seconds, our towers beside what a user would pick.

    python benchmarks/bench_retrieval.py [--log sim movielens grocery] [--models popular ...]

The task of notebooks 03 and 04 on each log: a new track (film, product) that is chosen next, among
all of the catalogue. `implicit`'s ALS and BPR are fitted on the plays of training and asked with
what was played last, and so is item kNN. `torch-rechub`'s DSSM sees the examples of our towers,
epoch by epoch until Recall@100 on validation no longer rises, as they do: once with the loss of its
example, once with our loss and a temperature. On each log the networks have the seven trials of the
notebooks, the others a grid; what is best on validation is judged, and the seconds are those of its
one fit. One seed, one thread.
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
from sklearn.model_selection import ParameterGrid
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy

from course_utils import train
from course_utils.data.log import open_log
from course_utils.data.tasks.retrieval import RetrievalTask, retrieval_task
from course_utils.evaluation.retrieval import ROW, FromPlays, Places, RetrievalContest, Score
from course_utils.evaluation.tuning import Trial, best, search
from course_utils.models.retrieval.classics import ALS, ItemKNN, Popular, binary
from course_utils.models.retrieval.losses import InBatchSoftmax, SampledSoftmax
from course_utils.models.retrieval.two_tower import IdTower, TwoTower
from course_utils.models.retrieval.youtube_dnn import YouTubeDNN

LENGTH, LAST, JUDGED, DIM, BATCH, EPOCHS = 10, 20, 3_000, 32, 512, 15


class BPR:
    """`implicit`'s BPR: it knows listeners by id, so a listener is asked by the mean of tracks."""

    def __init__(self, plays: csr_matrix, **setting: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.model = BayesianPersonalizedRanking(
                factors=DIM, random_state=0, num_threads=1, **setting
            )
            self.model.fit(binary(plays), show_progress=False)

    def __call__(self, plays: csr_matrix) -> Tensor:
        items = self.model.item_factors
        played = binary(plays)
        total = np.maximum(np.asarray(played.sum(axis=1)), 1)
        return torch.from_numpy((played @ items / total) @ items.T).float()


class RechubDSSM(nn.Module):
    """torch-rechub's DSSM: history pooled by it, and a cosine of two MLPs, over a temperature."""

    def __init__(self, n_tracks: int, temperature: float = 1.0) -> None:
        super().__init__()
        from torch_rechub.basic.features import SequenceFeature, SparseFeature
        from torch_rechub.models.matching import DSSM

        item = SparseFeature("item", n_tracks, embed_dim=DIM)
        history = SequenceFeature("history", n_tracks, embed_dim=DIM, shared_with="item")
        tower = {"dims": [64, DIM], "activation": "prelu"}
        self.model, self.n_tracks = DSSM([history], [item], tower, dict(tower)), n_tracks
        self.temperature = temperature  # the library's own is not used by it

    def forward(self, history: Tensor, mask: Tensor) -> Tensor:
        return self.model.user_tower({"history": history}) / self.temperature

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


def task_of(log_name: str) -> RetrievalTask:
    log = open_log(log_name)
    chosen = pl.col("is_organic") == 1
    return retrieval_task(
        log, LENGTH, repeats=False, organic=True, history=chosen, judged=JUDGED, seed=0
    )


def by_plays(task: RetrievalTask, part: str, fitted: FromPlays) -> Score:
    """Scores by a model that is asked with what was played last."""
    return lambda batch: fitted(task.profiles(part, batch[ROW], LAST))


def tuned(
    task: RetrievalTask,
    inputs: dict[str, train.Batch],
    build: Callable[[], nn.Module],
    loss: train.Loss,
) -> tuple[Trial, Places]:
    """The best of a network's trials, and where it places the test's targets."""
    places: dict[Trial, Places] = {}

    def attempt(lr: float, decay: float) -> Trial:
        one = RetrievalContest(task, 0)
        one.enter(
            "network", build, loss, inputs, quiet=True, epochs=EPOCHS, batch_size=BATCH, patience=2,
            lr=lr, embedding_decay=decay, progress=False,
        )  # fmt: skip
        history = one.histories["network"]
        lowest, epoch = min(history.valid_loss), history.best_epoch + 1
        trial = Trial(lr, decay, lowest, epoch, history.seconds)
        places[trial] = one.places["network"]
        return trial

    chosen = best(search(attempt, has_tables=True))
    return chosen, places[chosen]


def compare(log_name: str, models: list[str] | None) -> None:
    """Models, by default all, on one log."""
    task = task_of(log_name)
    contest, plays, n = RetrievalContest(task, 0), task.plays(), task.n_values["track"]
    inputs = {
        part: {name: batch[name] for name in ("history", "mask", "target")}
        for part, batch in task.batches.items()
    }
    examples = torch.bincount(inputs["train"]["target"], minlength=n)
    seconds: dict[str, float] = {}
    notes: dict[str, str] = {}
    in_batch = InBatchSoftmax(examples, "negatives")
    classics: dict[str, tuple[Callable[..., FromPlays], ParameterGrid]] = {
        "popular": (lambda: Popular(task.popularity()), ParameterGrid({})),
        "item kNN": (functools.partial(ItemKNN, plays), ParameterGrid({"k": [20, 50, 100, 500]})),
        "implicit ALS": (
            functools.partial(ALS, plays, DIM),
            ParameterGrid({"decay": [3.0, 30.0], "weight": [3.0, 10.0]}),
        ),
        "implicit BPR": (
            functools.partial(BPR, plays),
            ParameterGrid({"regularization": [0.01, 0.03], "iterations": [100, 300]}),
        ),
    }
    networks: dict[str, tuple[Callable[[], nn.Module], train.Loss]] = {
        "YouTube DNN": (lambda: YouTubeDNN(n, DIM, ages=False), SampledSoftmax(task.popularity())),
        "two towers": (lambda: TwoTower(IdTower(n, DIM), IdTower(n, DIM), n, DIM), in_batch),
        "two towers, cosine": (
            lambda: TwoTower(
                IdTower(n, DIM), IdTower(n, DIM), n, DIM, cosine=True, temperature=0.1
            ),
            in_batch,
        ),
        "torch-rechub DSSM": (lambda: RechubDSSM(n), rechub_loss),
        "its towers, our loss": (lambda: RechubDSSM(n, 0.1), in_batch),
    }
    models = models or [*classics, *networks]
    if unknown := set(models) - classics.keys() - networks.keys():
        raise SystemExit(f"no model {sorted(unknown)}; known: {[*classics, *networks]}")
    for name, (make, settings) in classics.items():
        if name not in models:
            continue
        fitted = []
        for setting in settings:
            start = time.perf_counter()
            model = make(**setting)
            took = time.perf_counter() - start
            found = contest.rank_all("validation", by_plays(task, "validation", model))
            note = ", ".join(f"{key} {value:g}" for key, value in setting.items())
            fitted.append((found.recall(contest.k).mean().item(), took, note, model))
        _, seconds[name], notes[name], best_of = max(fitted, key=lambda one: one[0])
        contest.judge(name, by_plays(task, "test", best_of))
    for name, (build, loss) in networks.items():
        if name not in models:
            continue
        chosen, contest.places[name] = tuned(task, inputs, build, loss)
        seconds[name] = chosen.seconds
        rate, decay = f"rate {chosen.lr:.1g}", f"decay {chosen.embedding_decay:g}"
        notes[name] = f"{rate}, {decay}, epoch {chosen.best_epoch}"
    recall = contest.intervals(list(contest.places))
    print(f"\n{log_name}: {len(inputs['train']['target']):,} examples, {n - 1:,} tracks\n")
    print("| model | Recall@100 | coverage@100 | seconds | |\n|---|---|---|---|---|")
    for name, places in contest.places.items():
        share = places.coverage(100, n - 1)
        line = f"{recall[name]} | {share:.1%} | {seconds[name]:.1f} | {notes[name]}"
        print(f"| {name} | {line} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--log", nargs="+", default=["sim", "movielens", "grocery"])
    parser.add_argument("--models", nargs="+", help="by their names in the table; default: all")
    torch.set_num_threads(1)
    arguments = parser.parse_args()
    for one in arguments.log:
        compare(one, arguments.models)
