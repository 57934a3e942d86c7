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
from course_utils.evaluation.intervals import LEAST_GROUPS, Interval, bootstrap
from course_utils.evaluation.tuning import CENTRE, LADDER, Trial, Tuned, best, edges, search
from course_utils.schema import SECONDS_PER_DAY
from course_utils.settings import EVERY, tunes

LEAST_ROWS = 300
"""A group of test rows with fewer is not judged by itself."""


class Contest:
    """Scores of several models on the test rows of one task.

    Args:
        task: its rows. seed: of every model's start and order of rows.
        notebook: the name under which trials are kept. tune: run the trials here and now.

    Attributes:
        scores: logits (N,) by model. models: the trained modules. histories: of their training.
        groups: (N,) what the bootstrap resamples: the listener of each test row; on a log whose
            test has too few listeners its day, or its hour, or the stretch of time it lies in.
    """

    def __init__(
        self, task: RankingTask, seed: int, notebook: str = "", tune: bool = False
    ) -> None:
        self.task, self.seed, self.tune = task, seed, tune
        self.tuned, self.ladder = Tuned(notebook, task.log), Tuned(LADDER, task.log)
        self.used: dict[str, list[Trial]] = {}
        if tune or tunes(EVERY):
            self.tuned.forget()
        self.scores: dict[str, Tensor] = {}
        self.models: dict[str, nn.Module] = {}
        self.histories: dict[str, train.History] = {}
        if task.oracle is not None:
            self.scores["oracle"] = task.oracle
        self.groups = self._groups()

    def on(self, task: RankingTask, seed: int | None = None) -> Contest:
        """A contest on other rows of the same log, or with another seed, that shares the trials.

        Args:
            task: its rows. seed: of the models; by default the same.
        """
        other = Contest(task, self.seed if seed is None else seed)
        other.tuned = self.tuned
        return other

    def _groups(self) -> np.ndarray:
        """The largest units of which the test has enough; says so if they are no listeners."""
        time = self.task.frame("test")["timestamp"].to_numpy().astype(np.int64)
        stretch = np.arange(len(time)) * 2 * LEAST_GROUPS // max(1, len(time))
        units = {
            "listeners": self.task.listeners,
            "days": time // SECONDS_PER_DAY,
            "hours": time // 3_600,
            "stretches of time": stretch,
        }
        enough = {name: u for name, u in units.items() if len(np.unique(u)) >= LEAST_GROUPS}
        name = next(iter(enough), "listeners")
        if name != "listeners":
            print(f"The test of this log has few listeners: intervals are over its {name}.")
        return units[name]

    def enter(
        self,
        name: str,
        make: Callable[[], nn.Module],
        batches: dict[str, train.Batch] | None = None,
        like: str | None = None,
        quiet: bool = False,
        **options: Any,
    ) -> nn.Module:
        """Build a model with the contest's seed, train it with `train.fit`, and score the test.

        It is trained with the rate and the decay of tables that its trials chose on validation.
        Where trials are run (`settings.tunes`), every model gets as many of them.

        Args:
            name: of the model. make: builds it. batches: other tensors than the task's.
            like: the model of this contest, or of the ladder, whose trials count for this one,
                too: for a sweep within a family, and for a model that the ladder has tuned.
            quiet: print nothing, for sweeps of many models.
            options: of `fit`, for experiments on training itself.
        """
        batches = batches or self.task.batches
        done: list[tuple[Trial, nn.Module, train.History]] = []

        def attempt(lr: float, decay: float) -> Trial:
            torch.manual_seed(self.seed)
            model = make()
            chosen: dict[str, Any] = {"lr": lr, "embedding_decay": decay, "seed": self.seed}
            chosen |= options
            history = train.fit(model, batches["train"], batches["validation"], **chosen)
            loss, epoch = min(history.valid_loss), history.best_epoch
            done.append((Trial(lr, decay, loss, epoch + 1, history.seconds), model, history))
            return done[-1][0]

        if like is None and (self.tune or tunes(name)):
            self.tuned.keep(name, search(attempt, bool(train.embedding_tables(make()))))
        trials = self.tuned.trials.get(like or name)
        if like and not trials:
            trials = self.ladder.trials.get(like)
        if not done:
            chosen = best(trials) if trials else CENTRE
            attempt(chosen.lr, chosen.embedding_decay)
        _, model, history = min(done, key=lambda one: one[0].valid_loss)
        self.models[name], self.histories[name] = model, history
        self.scores[name] = train.predict(model, batches["test"]).double()
        self.used[name] = trials or []
        if not quiet:
            told = "" if trials else " (not tuned)"
            print(f"{name}: best epoch {history.best_epoch + 1}, {history.seconds:.0f} s{told}")
        return model

    def trials(self, names: Iterable[str] | None = None) -> pl.DataFrame:
        """What the trials chose, a model a row, and what else they had tried.

        Args:
            names: of models; by default all that were entered and had trials, those with the same
                trials once.
        """
        if names is None:
            first = {id(tried): name for name, tried in reversed(self.used.items()) if tried}
            names = reversed(first.values())
        rows = []
        for name in names:
            tried = self.used[name]
            one = best(tried)
            losses = [trial.valid_loss for trial in tried]
            rows.append(
                {
                    "model": name,
                    "rate": f"{one.lr:.1g}",
                    "decay of tables": f"{one.embedding_decay:g}",
                    "epochs": one.best_epoch,
                    "validation loss": round(min(losses), 4),
                    "… of the worst trial": round(max(losses), 4),
                    "at the edge": edges(tried),
                }
            )
        return pl.DataFrame(rows)

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
        trained = [self.models.get(name) for name in names]
        return pl.DataFrame(
            {
                "model": names,
                "ROC AUC [95 %]": [str(auc[name]) for name in names],
                "log loss": [round(loss[name], 4) for name in names],
                "way to the oracle": [
                    f"{self.share(name):.1%}" if "oracle" in self.scores else "–" for name in names
                ],
                "parameters": [model and count_parameters(model) for model in trained],
                "training (s)": [
                    round(self.histories[name].seconds, 1) if name in self.histories else None
                    for name in names
                ],
            }
        )


def count_parameters(model: nn.Module) -> int:
    """Number of trainable numbers in a model."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
