"""A contest of rankers: trained alike, judged on the same test rows."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import torch
from torch import Tensor, nn

from course_utils import train
from course_utils.data.tasks.ranking import RankingTask
from course_utils.evaluation import intervals, pointwise


class Contest:
    """Scores of several models on the test rows of one task.

    Attributes:
        scores: logits (N,) by model. models: the trained modules. histories: of their training.
    """

    def __init__(self, task: RankingTask, seed: int) -> None:
        self.task, self.seed = task, seed
        self.scores: dict[str, Tensor] = {}
        self.models: dict[str, nn.Module] = {}
        self.histories: dict[str, train.History] = {}
        if task.oracle is not None:
            self.scores["oracle"] = task.oracle

    def enter(
        self,
        name: str,
        make: Callable[[], nn.Module],
        batches: dict[str, train.Batch] | None = None,
        decays: tuple[float, ...] = (10.0,),
        quiet: bool = False,
        **options: object,
    ) -> nn.Module:
        """Build a model with the contest's seed, train it with `train.fit`, and score the test.

        Args:
            name: of the model. make: builds it. batches: other tensors than the task's.
            decays: weight decays of the embedding tables to try; validation chooses.
            quiet: print nothing, for sweeps of many models.
            options: of `fit`; four epochs unless told.
        """
        batches = batches or self.task.batches
        tried = []
        for decay in decays:
            torch.manual_seed(self.seed)
            model = make()
            chosen = {"epochs": 4, "seed": self.seed, "embedding_decay": decay} | options
            history = train.fit(model, batches["train"], batches["validation"], **chosen)
            tried.append((min(history.valid_loss), decay, model, history))
        _, decay, model, history = min(tried, key=lambda one: one[0])
        self.models[name], self.histories[name] = model, history
        self.scores[name] = train.predict(model, batches["test"]).double()
        told = f", decay {decay:g}" if len(decays) > 1 else ""
        if not quiet:
            print(f"{name}: best epoch {history.best_epoch + 1}{told}, {history.seconds:.0f} s")
        return model

    def intervals(
        self, names: list[str], pairs: list[tuple[str, str]] = (), metric: type = pointwise.RocAuc
    ) -> dict[str | tuple[str, str], intervals.Interval]:
        """Metric of each model, and differences of pairs, with intervals over listeners."""
        fixed = {name: metric(self.scores[name], self.task.target) for name in names}
        return intervals.bootstrap(fixed, self.task.listeners, pairs)

    def gap(self, better: str, worse: str) -> intervals.Interval:
        """AUC of one model minus AUC of another, paired, with its interval over listeners."""
        return self.intervals([better, worse], [(better, worse)])[better, worse]

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
                "way to the oracle": [f"{self.share(name):.1%}" for name in names],
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
