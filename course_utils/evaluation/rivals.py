"""Rivals: models that are trained alike, each as its own trials on validation chose."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import polars as pl
import torch
from torch import nn

from course_utils import train
from course_utils.evaluation.tuning import CENTRE, LADDER, Trial, Tuned, best, edges, search
from course_utils.settings import EVERY, tunes


class Rivals:
    """The models of one notebook, trained on the rows of one log.

    Args:
        log: the name of the log. seed: of every model's start and order of rows.
        notebook: the name under which trials are kept. tune: run the trials here and now.

    Attributes:
        models: the trained modules. histories: of their training.
    """

    judged_by = "validation loss"
    """What trials are compared by, in words; the lowest counts."""

    def __init__(self, log: str, seed: int, notebook: str = "", tune: bool = False) -> None:
        self.seed, self.tune = seed, tune
        self.tuned, self.ladder = Tuned(notebook, log), Tuned(LADDER, log)
        self.used: dict[str, list[Trial]] = {}
        if tune or tunes(EVERY):
            self.tuned.forget()
        self.models: dict[str, nn.Module] = {}
        self.histories: dict[str, train.History] = {}

    def fit(
        self,
        name: str,
        make: Callable[[], nn.Module],
        batches: dict[str, train.Batch],
        like: str | None,
        quiet: bool,
        **options: Any,
    ) -> nn.Module:
        """Build a model with the seed and train it with `train.fit`.

        It is trained with the rate and the decay of tables that its trials chose on validation.
        Where trials are run (`settings.tunes`), every model gets as many of them.

        Args:
            name: of the model. make: builds it. batches: tensors of `train` and `validation`.
            like: the model of this notebook, or of the ladder, whose trials count for this one,
                too: for a sweep within a family, and for a model that the ladder has tuned.
            quiet: print nothing, for sweeps of many models.
            options: of `train.fit`, for experiments on training itself.
        """
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
                    self.judged_by: round(min(losses), 4),
                    "… of the worst trial": round(max(losses), 4),
                    "at the edge": edges(tried),
                }
            )
        return pl.DataFrame(rows)

    def cost(self, names: Iterable[str]) -> dict[str, list[float | None]]:
        """Parameters and seconds of training of each model; None for those not trained here."""
        cost: dict[str, list[float | None]] = {"parameters": [], "training (s)": []}
        for name in names:
            model, history = self.models.get(name), self.histories.get(name)
            cost["parameters"].append(None if model is None else count_parameters(model))
            cost["training (s)"].append(None if history is None else round(history.seconds, 1))
        return cost


def count_parameters(model: nn.Module) -> int:
    """Number of trainable numbers in a model."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
