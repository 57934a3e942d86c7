"""A contest of rankers: trained alike, judged on the same test rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from course_utils import train
from course_utils.data.tasks.ranking import RankingTask
from course_utils.evaluation import pointwise
from course_utils.evaluation.intervals import LEAST_GROUPS, Interval, bootstrap, resampled
from course_utils.evaluation.rivals import Rivals

LEAST_ROWS = 300
"""A group of test rows with fewer is not judged by itself."""


class Contest(Rivals):
    """Scores of several models on the test rows of one task.

    Args:
        task: its rows. seed: of every model's start and order of rows.
        notebook: the name under which trials are kept. tune: run the trials here and now.

    Attributes:
        scores: logits (N,) by model.
        groups: (N,) what the bootstrap resamples: the listener of each test row; on a log whose
            test has too few listeners its day, or its hour, or the stretch of time it lies in.
    """

    def __init__(
        self, task: RankingTask, seed: int, notebook: str = "", tune: bool = False
    ) -> None:
        super().__init__(task.log, seed, notebook, tune)
        self.task = task
        self.scores: dict[str, Tensor] = {}
        if task.oracle is not None:
            self.scores["oracle"] = task.oracle
        time = task.frame("test")["timestamp"].to_numpy()
        self.groups = resampled(task.listeners, time)

    def on(self, task: RankingTask, seed: int | None = None) -> Contest:
        """A contest on other rows of the same log, or with another seed, that shares the trials.

        Args:
            task: its rows. seed: of the models; by default the same.
        """
        other = Contest(task, self.seed if seed is None else seed)
        other.tuned = self.tuned
        return other

    def enter(
        self,
        name: str,
        make: Callable[[], nn.Module],
        batches: dict[str, train.Batch] | None = None,
        like: str | None = None,
        quiet: bool = False,
        **options: Any,
    ) -> nn.Module:
        """Train a model as `Rivals.fit` does, and score the test.

        Args:
            name: of the model. make: builds it. batches: other tensors than the task's.
            like, quiet, options: of `Rivals.fit`.
        """
        batches = batches or self.task.batches
        model = self.fit(name, make, batches, like, quiet, **options)
        self.scores[name] = train.predict(model, batches["test"]).double()
        return model

    def intervals(
        self,
        names: Iterable[str],
        pairs: Sequence[tuple[str, str]] = (),
        metric: type[pointwise.RocAuc | pointwise.LogLoss] = pointwise.RocAuc,
        rows: Tensor | None = None,
    ) -> dict[str | tuple[str, str], Interval]:
        """Metric of each model, and differences of pairs, with intervals over listeners.

        Args:
            names: of models. pairs: (a, b) whose difference a − b is wanted. metric: its class.
            rows: (N,) bool, the test rows that count; all by default.
        """
        chosen = torch.ones(len(self.task.target), dtype=torch.bool) if rows is None else rows
        target = self.task.target[chosen]
        fixed = {name: metric(self.scores[name][chosen], target) for name in names}
        return bootstrap(fixed, self.groups[chosen.numpy()], pairs)

    def gap(self, better: str, worse: str, rows: Tensor | None = None) -> Interval:
        """AUC of one model minus AUC of another, paired, with its interval over listeners.

        Args:
            better, worse: names of models. rows: (N,) bool, the test rows that count.
        """
        return self.intervals([better, worse], [(better, worse)], rows=rows)[better, worse]

    def can_judge(self, rows: Tensor) -> bool:
        """Whether these test rows (N,) bool are enough for an interval of the AUC."""
        n_groups = len(np.unique(self.groups[rows.numpy()]))
        both = len(self.task.target[rows].unique()) == 2
        return bool(rows.sum() > LEAST_ROWS and n_groups >= LEAST_GROUPS and both)

    def share(self, name: str) -> float:
        """Share of the way from a coin (AUC 0.5) to the oracle, NaN where there is none."""
        if "oracle" not in self.scores:
            return float("nan")
        best, own = (pointwise.roc_auc(self.scores[n], self.task.target) for n in ("oracle", name))
        return pointwise.share_of_the_way(own, 0.5, best)

    def table(self, names: list[str] | None = None) -> pl.DataFrame:
        """AUC, log loss, parameters, seconds, and the way to the oracle, a model a row."""
        names = names or list(self.scores)
        auc = self.intervals(names)
        loss = {name: pointwise.log_loss(self.scores[name], self.task.target) for name in names}
        return pl.DataFrame(
            {
                "model": names,
                "ROC AUC [95 %]": [str(auc[name]) for name in names],
                "log loss": [round(loss[name], 4) for name in names],
                "way to the oracle": [
                    f"{self.share(name):.1%}" if "oracle" in self.scores else "–" for name in names
                ],
                **self.cost(names),
            }
        )
