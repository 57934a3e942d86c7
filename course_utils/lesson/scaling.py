"""Scaling: what a model loses above the oracle, against listens and against its size.

The seminar's network with all counters, and a sequence model of tracks and actions without any.
The larger points are measured by `make scaling` and kept in `notebooks/assets/scaling.json`;
notebook 19 shows them beside those that it measures itself.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from course_utils import train
from course_utils.data.log import Log, open_log
from course_utils.data.tasks.plays import N_ACTIONS, Plays, Windows
from course_utils.data.tasks.ranking import RankingTask, ranking_task
from course_utils.evaluation.contest import Contest
from course_utils.evaluation.intervals import Interval, percentile_interval
from course_utils.evaluation.rivals import count_parameters
from course_utils.evaluation.tuning import CENTRE, best
from course_utils.models.mlp import MLP
from course_utils.models.ranking.dcn_v2 import DCNv2
from course_utils.models.ranking.ple import PiecewiseLinearEncoding, quantile_bins
from course_utils.models.ranking.unified_embeddings import UnifiedEmbedding
from course_utils.models.retrieval.losses import SampledSoftmax
from course_utils.models.sequence.hstu import INPUTS, FeedbackLoss, Interleaved, TwoPredictions
from course_utils.settings import ASSETS

KEPT = ASSETS / "scaling.json"
MEASURED = "from course_utils.lesson.scaling import measure"
"""The code whose hash is kept beside the measurements."""
NOTEBOOK = "19_bitter_lesson"

STEPS = 200
"""Steps of a pass over the training rows, whatever their number: a batch is 1/200 of them."""
LENGTH, STRIDE = 64, 32
"""Plays in a window, and how many of the last ones count: each has at least 32 before it."""
SHARE, NEGATIVES = 0.1, 512
"""What the loss of the next track counts, and how many tracks it draws."""
DIM, WIDTH = 48, 96
"""Width of the sequence model, and of the network on counters."""
JUDGED = {"validation": 0.2, "test": 0.3}
"""Share of the listeners of a period whose rows judge the models."""
STEP = 3.0
"""To the next rate, and to the next decay of tables, that a size tries."""
LARGEST = 1_000_000
"""Training rows at most: a log may have more."""


def sizes(n: int) -> list[int]:
    """Training rows along the curve: two decades in steps of √10, up to all n or `LARGEST`.

    >>> sizes(789_626)
    [7896, 24970, 78963, 249702, 789626]
    """
    return [round(min(n, LARGEST) / 10**k) for k in (2, 1.5, 1, 0.5, 0)]


def judged(task: RankingTask) -> RankingTask:
    """The task with some listeners alone in validation and in test: always the same ones."""
    positions, batches, oracle = dict(task.positions), dict(task.batches), task.oracle
    for part, share in JUDGED.items():
        uid = task.frame(part)["uid"].to_numpy()
        listeners = np.unique(uid)
        drawn = np.random.default_rng(0).permutation(listeners)[: round(share * len(listeners))]
        kept = torch.from_numpy(np.isin(uid, drawn))
        positions[part] = positions[part][kept]
        batches[part] = {name: values[kept] for name, values in batches[part].items()}
        if part == "test" and oracle is not None:
            oracle = oracle[kept]
    return replace(task, positions=positions, batches=batches, oracle=oracle)


class Study(Contest):
    """Both families, trained on the latest n listens of one log and judged on the same rows.

    Args:
        log: to learn from. task: its whole ranking task, as `judged` made it. seed: of `Contest`.
        model, loss: of the sequence family, classes that are called as these are.
        tune: run the trials here and now.
    """

    def __init__(
        self,
        log: Log,
        task: RankingTask,
        seed: int,
        model: type[nn.Module] = Interleaved,
        loss: type[TwoPredictions] = TwoPredictions,
        tune: bool = False,
    ) -> None:
        super().__init__(task, seed, NOTEBOOK, tune)
        self.model, self.loss = model, loss
        self.seconds: dict[str, float] = {}
        self.settings: dict[str, tuple[float, float]] = {}
        self.plays = Plays(log, task)
        self.windows = {
            part: self.plays.windows(task.positions[part], LENGTH, STRIDE) for part in JUDGED
        }

    def fit(self, name: str, *args: Any, **options: Any) -> nn.Module:
        """Train as `Rivals.fit` does, and take the seconds of the processor, on all threads."""
        start = time.process_time()
        model = super().fit(name, *args, **options)
        self.seconds[name] = time.process_time() - start
        chosen = best(self.used[name]) if self.used[name] else CENTRE
        self.settings[name] = (
            options.get("lr", chosen.lr),
            options.get("embedding_decay", chosen.embedding_decay),
        )
        return model

    def counters(
        self, name: str, n: int, like: str | None = None, width: int = WIDTH, **options: Any
    ) -> None:
        """Enter the seminar's network: ids in one table, and all counters.

        Args:
            name, like: of `Rivals.fit`. n: training rows. width: of its hidden layers.
            options: of `train.fit`, in the place of what trials chose.
        """
        rows = self.task.recent(n)
        edges = quantile_bins(rows["train"]["numbers"], n_bins=16)

        def make() -> DCNv2:
            return DCNv2(
                UnifiedEmbedding(
                    2_048, 8, len(self.task.fields), n_hashes=2, dropout=0.5, seed=self.seed
                ),
                PiecewiseLinearEncoding(edges, bounded=True, missing=True),
                projection=width,
                deep=lambda dim: MLP(dim, [2 * width, width]),
            )

        self.enter(name, make, rows, like, True, **{"batch_size": batch_of(n), **options})

    def sequence(
        self,
        name: str,
        n: int,
        like: str | None = None,
        dim: int = DIM,
        softmax: bool = False,
        share: float = SHARE,
        **options: Any,
    ) -> None:
        """Enter HSTU over tracks and actions: the same ids, and no counter.

        Args:
            name, like, n, options: of `counters`. dim: of all vectors. softmax: of `HSTULayer`.
            share: of `TwoPredictions`.
        """
        task, tensors = self.task, {p: self.windows[p].tensors for p in JUDGED}
        learned = self.learned(n).tensors
        counts = learned["track"][learned["counts"]].bincount(minlength=len(task.artist_of))
        self.fit(
            name,
            lambda: self.model(task.artist_of, N_ACTIONS, dim, LENGTH, softmax=softmax),
            {**tensors, "train": learned},
            like,
            True,
            loss=self.loss(SampledSoftmax(counts, NEGATIVES), share),
            criterion=FeedbackLoss(tensors["validation"]),
            **{"batch_size": batch_of(len(learned["mask"])), **options},
        )
        asked = {key: tensors["test"][key] for key in INPUTS}
        logits = train.predict(self.models[name], asked, batch_size=64)
        self.scores[name] = self.windows["test"].of(logits, task.positions["test"]).double()

    def learned(self, n: int) -> Windows:
        """What the sequence family learns from: windows of the latest n training rows."""
        return self.plays.windows(self.task.positions["train"][-n:], LENGTH, STRIDE)

    def lost(self, name: str) -> Tensor:
        """(N,) what a model loses on each test row above the oracle, in nats, without chance.

        It is the Kullback–Leibler divergence KL(p ‖ q) of its probability q from the true one, p:
        its expected log loss minus the entropy of p. Where no truth is known, the log loss itself.
        """
        own, target = self.scores[name], self.task.target.double()
        if self.task.oracle is None:
            return -torch.where(target > 0, logsigmoid(own), logsigmoid(-own))
        true = self.task.oracle
        yes = true.sigmoid() * (logsigmoid(true) - logsigmoid(own))
        return yes + (-true).sigmoid() * (logsigmoid(-true) - logsigmoid(-own))

    def point(self, name: str, family: str, n: int) -> Point:
        """What was measured of a model."""
        history, (_, listener) = self.histories[name], np.unique(self.groups, return_inverse=True)
        return Point(
            model=name,
            family=family,
            n=n,
            lr=self.settings[name][0],
            embedding_decay=self.settings[name][1],
            parameters=count_parameters(self.models[name]),
            steps=history.steps,
            seconds=round(self.seconds[name], 1),
            valid_loss=[round(loss, 5) for loss in history.valid_loss],
            lost=np.bincount(listener, self.lost(name).numpy()).round(4).tolist(),
        )

    def measured(
        self, name: str, family: str, n: int, setting: tuple[float, float], width: int
    ) -> Point:
        """Train a model with a rate and a decay of tables, and say what was measured."""
        options: dict[str, Any] = dict(zip(("lr", "embedding_decay"), setting, strict=True))
        if family == "counters":
            self.counters(name, n, family, width, **options)
        else:
            self.sequence(name, n, family, width, **options)
        return self.point(name, family, n)

    def near(self, family: str, n: int, setting: tuple[float, float], step: float) -> Point:
        """The best of three trainings on validation.

        The first has the rate and the decay of `setting`; the second its decay divided by `step`;
        the third the better decay of both, and the rate times `step`.
        """
        name, (lr, decay) = usual(family, n), setting
        found = [
            self.measured(name, family, n, (lr, wanted), USUAL[family])
            for wanted in (decay, decay / step)
        ]
        decay = min(found, key=Point.lowest).embedding_decay
        found.append(self.measured(name, family, n, (lr * step, decay), USUAL[family]))
        return min(found, key=Point.lowest)

    def rows_of_groups(self) -> np.ndarray:
        """(U,) test rows of each listener."""
        return np.unique(self.groups, return_counts=True)[1]


def batch_of(n: int) -> int:
    """Rows of a batch, such that a pass over n has about `STEPS` steps."""
    return max(1, round(n / STEPS))


@dataclass(frozen=True)
class Point:
    """One trained model on the curves.

    Attributes:
        model: its name. family: `counters` or `sequence`. n: training rows.
        lr, embedding_decay: rate, and decay of tables, that it was trained with.
        parameters, steps: of the model and of its training. seconds: of the processor, for all of
            it, validation included.
        valid_loss: after each pass. lost: (U,) sum over the rows of each test listener.
    """

    model: str
    family: str
    n: int
    lr: float
    embedding_decay: float
    parameters: int
    steps: int
    seconds: float
    valid_loss: list[float]
    lost: list[float]

    def lowest(self) -> float:
        """The lowest validation loss."""
        return min(self.valid_loss)


def draws(points: list[Point], rows: np.ndarray, n: int = 1_000, seed: int = 0) -> np.ndarray:
    """(1 + n, P) mean of what each point loses: on all listeners, then on n resamples of them.

    Args:
        points: P models, judged on the same U listeners. rows: (U,) test rows of each.
    """
    lost = np.array([point.lost for point in points])
    weight = np.random.default_rng(seed).multinomial(len(rows), [1 / len(rows)] * len(rows), n)
    weight = np.concatenate([np.ones((1, len(rows))), weight])
    return weight @ lost.T / (weight @ rows)[:, None]


def interval(drawn: np.ndarray) -> Interval:
    """The first value with the central 95 % of the others: (1 + n,)."""
    return percentile_interval(float(drawn[0]), drawn[1:])


Law = tuple[np.ndarray, np.ndarray]
"""a and b of excess = a n^(−b), of any number of fits."""


def power_law(n: np.ndarray, excess: np.ndarray) -> Law:
    """a, b of excess = a n^(−b): the least-squares line between logarithms.

    Args:
        n: (P,) sizes. excess: (…, P) above the floor.

    >>> a, b = power_law(np.array([1e2, 1e4, 1e6]), np.array([0.3, 0.03, 0.003]))
    >>> round(float(a), 6), round(float(b), 6)
    (3.0, 0.5)
    """
    x, y = np.log(n), np.log(excess)
    centred = x - x.mean()
    slope = (y * centred).sum(-1) / (centred**2).sum()
    return np.exp(y.mean(-1) - slope * x.mean()), -slope


def crossing(one: Law, other: Law) -> np.ndarray:
    """Logarithm (base 10) of the n at which two power laws (a, b) meet; ±∞ for parallel ones."""
    (a, b), (c, d) = one, other
    with np.errstate(divide="ignore", invalid="ignore"):
        return (np.log10(a) - np.log10(c)) / (b - d)


# What is measured once


def measure(code: str) -> None:
    """Train what notebook 19 does not train itself, and keep each point as soon as it is there.

    A size begins with the rate and the decay of tables that its smaller neighbour chose, and tries
    two more: a weaker decay, then a higher rate. Validation chooses. (From where the trials were
    made to the smallest size the ways are the opposite ones.) Other widths use what the usual one
    chose. What this code has measured before is not measured again.
    """
    log = open_log("sim")
    task = judged(ranking_task(log, whole=True))
    study = Study(log, task, 0)
    points = kept(code)
    small, tried, middle, large, whole = sizes(len(task.positions["train"]))
    for family in USUAL:
        trials = study.tuned.trials.get(family)
        first = best(trials) if trials else CENTRE
        chosen = {tried: (first.lr, first.embedding_decay)}
        for n, neighbour, step in (
            (small, tried, 1 / STEP),
            (middle, tried, STEP),
            (large, middle, STEP),
            (whole, large, STEP),
        ):
            done = [p for p in points if (p.family, p.n, p.model) == (family, n, usual(family, n))]
            if not done:
                done = [study.near(family, n, chosen[neighbour], step)]
                points += done
                keep(code, points, study.rows_of_groups())
            chosen[n] = done[0].lr, done[0].embedding_decay
        for width in OTHERS[family]:
            name = f"{usual(family, middle)}, {width}"
            if name not in [point.model for point in points]:
                points.append(study.measured(name, family, middle, chosen[middle], width))
                keep(code, points, study.rows_of_groups())


def usual(family: str, n: int) -> str:
    """Name of a family's model on n rows, of the usual width."""
    return f"{family}, {n:,}"


USUAL = {"counters": WIDTH, "sequence": DIM}
OTHERS = {"counters": (24, 384), "sequence": (16, 96)}
"""Widths beside the usual ones."""


def keep(code: str, points: list[Point], rows: np.ndarray) -> None:
    """Write the points, with the machine and the date."""
    threads = torch.get_num_threads()
    kept = {
        "hash": code,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {threads} threads",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "rows": rows.tolist(),
        "points": [vars(point) for point in points],
    }
    text = json.dumps(kept, ensure_ascii=False).replace('{"model"', '\n{"model"') + "\n"
    KEPT.write_text(text, encoding="utf-8", newline="\n")


def kept(code: str | None = None) -> list[Point]:
    """The points that `measure` kept; those of some code alone, if it is named."""
    whole = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {"points": []}
    if code and whole.get("hash") != code:
        return []
    return [Point(**point) for point in whole["points"]]
