"""Retrieval judged over the whole catalogue: one target an example, and models that meet on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import polars as pl
import torch
from scipy.sparse import csr_matrix
from torch import Tensor, nn

from course_utils import train
from course_utils.data.tasks.retrieval import RetrievalTask
from course_utils.evaluation.intervals import LEAST_GROUPS, Interval, bootstrap, resampled
from course_utils.evaluation.pointwise import Mean, MetricError, whole
from course_utils.evaluation.rivals import Rivals
from course_utils.models.interfaces import Retriever
from course_utils.settings import tunes

ROW = "row"
"""The tensor of a batch that holds each example's number within its part."""

FromPlays = Callable[[csr_matrix], Tensor]
"""Scores (B, N) of all tracks, from how often each listener has played each track, (B, N)."""

Score = Callable[[train.Batch], Tensor]
"""Scores (B, N) of all tracks, from a batch that holds the numbers of its examples, too."""

LEAST_ROWS = 100
"""A group of test examples with fewer is not judged by itself."""


@dataclass(frozen=True)
class Places:
    """Where the target of each example stands among all tracks.

    Tracks with equal scores have no order: what follows from the places is an expectation over all
    orders of the tied, as in `evaluation.ranking`.

    Attributes:
        above: (N,) tracks that score higher than the target. tied: (N,) tracks that score the same,
            itself included; 0 where it cannot be found at all.
        lists: (N, K) the best tracks of each example, −1 where there are fewer.
    """

    above: Tensor
    tied: Tensor
    lists: Tensor

    @staticmethod
    def of(scores: Tensor, target: Tensor, k: int) -> Places:
        """Places by scores (B, N); target (B,), 0 for one that no score is for.

        Args:
            scores: −∞ takes a track out of the ranking. k: length of the lists; 0 makes none.

        Raises:
            MetricError: a score is NaN or +∞.
        """
        if not (scores.amax(dim=1) < torch.inf).all():  # a NaN is the largest of its row
            raise MetricError("scores of tracks must be numbers or −∞; find where NaN came from")
        own = scores.gather(1, target.unsqueeze(1))
        findable = (target > 0) & (own[:, 0] > -torch.inf)
        best = scores.topk(min(k, scores.shape[1]), dim=1) if k else scores[:, :0].topk(0)
        return Places(
            above=(scores > own).sum(dim=1, dtype=torch.int32).long(),  # in int64: half as fast
            tied=(scores == own).sum(dim=1, dtype=torch.int32).long() * findable,
            lists=best.indices.masked_fill(best.values == -torch.inf, -1),
        )

    def recall(self, k: int) -> Tensor:
        """(N,) chance that the target is among the k best."""
        within = (whole(k, "k") - self.above).clamp(min=0).double()
        return (within / self.tied.clamp(min=1)).clamp(max=1) * (self.tied > 0)

    def ndcg(self, k: int) -> Tensor:
        """(N,) 1 / log₂(place + 1) of a target among the k best, else 0; the ideal is 1."""
        place = torch.arange(1, whole(k, "k") + 1).double()
        gained = torch.cat([torch.zeros(1).double(), (1 / (place + 1).log2()).cumsum(0)])
        first, last = self.above.clamp(max=k), (self.above + self.tied).clamp(max=k)
        return (gained[last] - gained[first]) / self.tied.clamp(min=1)

    def coverage(self, k: int, n_tracks: int) -> float:
        """Share of `n_tracks` that stand in somebody's k best.

        Raises:
            MetricError: the lists are shorter than k.
        """
        if whole(k, "k") > self.lists.shape[1]:
            raise MetricError(f"lists of {self.lists.shape[1]} tracks have no best {k}")
        listed = self.lists[:, :k].unique()
        return int((listed >= 0).sum()) / n_tracks


class RetrievalContest(Rivals):
    """Several models on one retrieval task, each scoring the whole catalogue.

    A model maps an example's tensors to a vector of the listener, `model(**inputs)` (B, d), and
    gives `tracks()` (N, d); the score is their dot product. Recall@k on validation says when
    training ends and which trial counts, whatever the loss. The unknown track (0) is never listed,
    and on a task without repeats neither is what the listener had played before.

    Args:
        task: its rows. seed: of every model's start and order of rows. k: length of the lists.
        notebook: the name under which trials are kept. tune: run the trials here and now.

    Attributes:
        places: of the test's targets, by model.
        groups: (N,) what the bootstrap resamples, see `resampled`.
    """

    judged_by = "1 − recall on validation"

    def __init__(
        self, task: RetrievalTask, seed: int, notebook: str = "", tune: bool = False, k: int = 100
    ) -> None:
        super().__init__(task.log, seed, notebook, tune)
        self.task, self.k = task, k
        self.places: dict[str, Places] = {}
        time = task.frame("test")["timestamp"].to_numpy()
        self.groups = resampled(task.groups(), time)

    def enter(
        self,
        name: str,
        make: Callable[[], nn.Module],
        loss: train.Loss,
        batches: dict[str, train.Batch] | None = None,
        like: str | None = None,
        quiet: bool = False,
        scores: Callable[[nn.Module, str], Score] = lambda model, part: dot_scores(model),
        **options: Any,
    ) -> nn.Module:
        """Train a model as `Rivals.fit` does, and rank the catalogue for every test example.

        Args:
            name: of the model. make: builds it. loss: of a training batch.
            batches: other tensors than the task's, with the same rows in validation and test.
            like, quiet, options: of `Rivals.fit`.
            scores: from the model and the name of a part; by default of a model of two vectors.
        """
        batches = batches or self.task.batches
        valid = batches["validation"]
        valid = {**valid, ROW: torch.arange(len(valid["target"]))}

        def missed(model: nn.Module, batch: train.Batch) -> Tensor:
            ranked = self._rank("validation", scores(model, "validation"), batch, 0)
            return 1 - ranked.recall(self.k).mean()

        parts = {"train": batches["train"], "validation": valid}
        model = self.fit(name, make, parts, like, quiet, loss=loss, criterion=missed, **options)
        self.judge(name, scores(model, "test"), batches["test"])
        return model

    def judge(self, name: str, score: Score, batch: train.Batch | None = None) -> None:
        """Rank the catalogue for every test example.

        Args:
            name: of the model. score: of all tracks. batch: of the test, by default the task's.
        """
        self.places[name] = self.rank_all("test", score, batch, self.k)

    def rank_all(
        self, part: str, score: Score, batch: train.Batch | None = None, k: int = 0
    ) -> Places:
        """Where a score places all targets of a part, and its lists of length k.

        Args:
            part: of the task. score: of all tracks. batch: by default the task's. k: of the lists.
        """
        data = batch or self.task.batches[part]
        data = {**data, ROW: torch.arange(len(data["target"]))}
        parts = [self._rank(part, score, some, k) for some in train.batches(data, 512)]
        joined = zip(*((p.above, p.tied, p.lists) for p in parts), strict=True)
        return Places(*(torch.cat(values) for values in joined))

    def choose(
        self, name: str, make: Callable[..., FromPlays], settings: Sequence[dict[str, Any]]
    ) -> None:
        """Judge a rival that needs no gradient, with the best of its settings on validation.

        Where trials are run (`settings.tunes`), all settings are tried, and what came out is kept.

        Args:
            name: of the rival. make: fits it with a setting on the plays of training.
            settings: to try; the first one is taken where nothing was tried. `last` is none of
                the rival's own: how many of the latest listens of a history count.
        """

        def ranked(part: str, setting: dict[str, Any], k: int) -> Places:
            fitted = make(**{key: value for key, value in setting.items() if key != "last"})
            last = setting.get("last")
            return self.rank_all(
                part, lambda batch: fitted(self.task.profiles(part, batch[ROW], last)), k=k
            )

        if self.tune or tunes(name):
            tried = []
            for setting in settings:
                missed = 1 - float(ranked("validation", setting, 0).recall(self.k).mean())
                tried.append({"setting": setting, "valid_loss": missed})
            self.tuned.keep_other(name, tried)
        kept = self.tuned.others.get(name, [{"setting": settings[0], "valid_loss": float("nan")}])
        chosen = min(kept, key=lambda one: one["valid_loss"])["setting"]
        self.places[name] = ranked("test", chosen, self.k)

    def chosen(self) -> pl.DataFrame:
        """What validation chose for the rivals without gradients, a rival a row."""
        rows = []
        for name, tried in self.tuned.others.items():
            losses = [one["valid_loss"] for one in tried]
            best = tried[losses.index(min(losses))]["setting"]
            rows.append(
                {
                    "rival": name,
                    "chosen": ", ".join(f"{key} {value or 'all'}" for key, value in best.items()),
                    "tried": len(tried),
                    self.judged_by: round(min(losses), 4),
                    "… of the worst": round(max(losses), 4),
                }
            )
        return pl.DataFrame(rows)

    @torch.no_grad()
    def _rank(self, part: str, score: Score, batch: train.Batch, k: int) -> Places:
        """Places in one batch, with what must not be listed left out, and lists of length k."""
        scores = score(batch).cpu().float().clone()
        if not self.task.repeats:
            scores[self.task.played(part, batch[ROW].cpu())] = -torch.inf
        scores[:, 0] = -torch.inf
        return Places.of(scores, batch["target"].cpu(), k)

    def intervals(
        self,
        names: Iterable[str],
        pairs: Iterable[tuple[str, str]] = (),
        k: int | None = None,
        ndcg: bool = False,
        rows: Tensor | None = None,
    ) -> dict[str | tuple[str, str], Interval]:
        """Recall@k of each model, and differences of pairs, with intervals over listeners.

        Args:
            names: of models. pairs: (a, b) whose difference a − b is wanted. k: by default the
                contest's. ndcg: NDCG@k instead. rows: (N,) bool, the examples that count.
        """
        k = self.k if k is None else k
        chosen = torch.ones(len(self.groups), dtype=torch.bool) if rows is None else rows
        metrics = {}
        for name in names:
            found = self.places[name]
            metrics[name] = Mean((found.ndcg(k) if ndcg else found.recall(k))[chosen])
        return bootstrap(metrics, self.groups[chosen.numpy()], list(pairs))

    def gap(self, better: str, worse: str, **options: Any) -> Interval:
        """Recall@k of one model minus that of another, paired; options of `intervals`."""
        return self.intervals([better, worse], [(better, worse)], **options)[better, worse]

    def can_judge(self, rows: Tensor) -> bool:
        """Whether these test examples (N,) bool are enough for an interval."""
        n_groups = len(set(self.groups[rows.numpy()].tolist()))
        return int(rows.sum()) >= LEAST_ROWS and n_groups >= LEAST_GROUPS

    def table(self, names: list[str] | None = None) -> pl.DataFrame:
        """Recall, NDCG, coverage, parameters and seconds, a model a row, the best first."""
        names = names or list(self.places)
        recall = self.intervals(names)
        names = sorted(names, key=lambda name: -recall[name].value)
        found = [self.places[name] for name in names]
        n_tracks = self.task.n_values["track"] - 1
        return pl.DataFrame(
            {
                "model": names,
                f"Recall@{self.k} [95 %]": [str(recall[name]) for name in names],
                "NDCG@10": [round(float(one.ndcg(10).mean()), 4) for one in found],
                f"coverage@{self.k}": [f"{one.coverage(self.k, n_tracks):.0%}" for one in found],
                **self.cost(names),
            }
        )


def dot_scores(model: nn.Module) -> Score:
    """Scores by a `Retriever`: `model(**inputs)` times its `tracks()`."""
    retriever = cast(Retriever, model)
    where = next((p.device for p in model.parameters()), torch.device("cpu"))

    def score(batch: train.Batch) -> Tensor:
        names = [name for name in batch if name not in ("target", ROW)]
        inputs = {name: batch[name].to(where) for name in names}
        return retriever(**inputs) @ retriever.tracks().T

    return score
