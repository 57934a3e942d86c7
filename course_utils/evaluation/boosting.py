"""CatBoost as a rival: the same tensors, trials of its own, seconds counted alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from threading import Event, Thread

import numpy as np
import polars as pl
import psutil
import torch
from catboost import CatBoostClassifier, FeaturesData, Pool
from torch import Tensor

from course_utils import train
from course_utils.evaluation.contest import Contest
from course_utils.settings import tunes

MOST_TREES, PATIENCE = 3_000, 50
"""Trees at most, and how many may follow the best one on validation before CatBoost stops."""
MOST_TRIALS = 20
RESPECTS = ("rate", "depth", "ids", "l2")
"""What of a setting the trials change, in this order."""


@dataclass(frozen=True)
class Setting:
    """What is tried of CatBoost.

    Attributes:
        depth: of the trees. rate: learning rate. l2: regularisation of the leaves.
        ids: how many ids may be combined into one feature (`max_ctr_complexity`); 0: no ids.
    """

    depth: int = 6
    rate: float = 0.1
    l2: float = 3.0
    ids: int = 1

    def stepped(self, what: str, up: bool) -> Setting | None:
        """The setting one step up or down in one respect; None where it can go no further."""
        if what == "rate":
            return replace(self, rate=self.rate * (2.0 if up else 0.5))
        if what == "l2":
            return replace(self, l2=self.l2 * (3.0 if up else 1 / 3))
        if what == "depth":
            depth = self.depth + (2 if up else -2)
            return replace(self, depth=depth) if 2 <= depth <= 16 else None
        ids = self.ids + (1 if up else -1)
        return replace(self, ids=ids) if 0 <= ids <= 4 else None


@dataclass(frozen=True)
class BoostTrial:
    """One fit: the setting, the lowest validation log loss, trees up to it, and seconds."""

    setting: Setting
    valid_loss: float
    trees: int
    seconds: float


@dataclass(frozen=True)
class Boosted:
    """A fitted CatBoost.

    Attributes:
        model: CatBoost's own. setting: with which it was fitted. valid_loss: its lowest log loss.
        seconds: from the tensors to the fitted model.
    """

    model: CatBoostClassifier
    setting: Setting
    valid_loss: float
    seconds: float

    @property
    def megabytes(self) -> float:
        """Size of the stored model."""
        return len(self.model._serialize_model()) / 2**20

    def predict(self, batch: train.Batch) -> Tensor:
        """Logits (N,) float64 of a batch."""
        raw = self.model.predict(pool(batch, self.setting.ids > 0), "RawFormulaVal")
        return torch.from_numpy(raw).double()


def pool(batch: train.Batch, with_ids: bool = True) -> Pool:
    """A batch as CatBoost takes it: `numbers` and `more` are numerical, `ids` categorical.

    Args:
        batch: `numbers` (N, D), `target` (N,); if there are, `ids` (N, F) from 0, and `more`
            (N, E), further numbers. with_ids: give it the ids.
    """
    numbers = torch.cat([batch["numbers"], *([batch["more"]] if "more" in batch else [])], dim=1)
    ids = None
    if with_ids:
        words = np.array([str(i).encode() for i in range(int(batch["ids"].max()) + 1)], object)
        ids = words[batch["ids"].numpy()]
    features = FeaturesData(num_feature_data=numbers.numpy(), cat_feature_data=ids)
    return Pool(features, batch["target"].numpy())


def boost(batches: dict[str, train.Batch], setting: Setting, seed: int) -> Boosted:
    """Fit CatBoost until validation stops improving; the trees up to the best one are kept.

    Args:
        batches: of the parts `train` and `validation` (`pool`). setting: what was chosen, or is
            tried. seed: of CatBoost's random numbers.
    """
    start = time.perf_counter()
    pools = [pool(batches[part], setting.ids > 0) for part in ("train", "validation")]
    model = CatBoostClassifier(
        iterations=MOST_TREES,
        early_stopping_rounds=PATIENCE,
        thread_count=torch.get_num_threads(),
        depth=setting.depth,
        learning_rate=setting.rate,
        l2_leaf_reg=setting.l2,
        max_ctr_complexity=max(1, setting.ids),
        random_seed=seed,
        verbose=0,
        allow_writing_files=False,
    )
    model.fit(pools[0], eval_set=pools[1])
    seconds = time.perf_counter() - start
    return Boosted(model, setting, model.best_score_["validation"]["Logloss"], seconds)


def climb(
    attempt: Callable[[Setting], BoostTrial], start: Setting, respects: Sequence[str] = RESPECTS
) -> list[BoostTrial]:
    """Coordinate search: a step that lowers the validation loss is taken, and the next one tried.

    It ends where no neighbour is better, so that the best setting lies at no edge of what was
    tried (but where a setting can go no further), or after `MOST_TRIALS`.

    Args:
        attempt: fits with a setting. start: the first one. respects: what may change.

    Returns:
        The trials in their order.
    """
    trials = [attempt(start)]
    best, moved = trials[0], True
    while moved:
        moved = False
        for what in respects:
            for up in (True, False):
                while (candidate := best.setting.stepped(what, up)) is not None:
                    if candidate in [t.setting for t in trials] or len(trials) == MOST_TRIALS:
                        break
                    trials.append(attempt(candidate))
                    if trials[-1].valid_loss >= best.valid_loss:
                        break
                    best, moved = trials[-1], True
    return trials


def enter(
    contest: Contest,
    name: str,
    batches: dict[str, train.Batch],
    like: str | None = None,
    start: Setting | None = None,
) -> Boosted:
    """Fit CatBoost with the setting that its trials chose on validation, and score the test.

    Where trials are run (`settings.tunes`), `climb` makes them, and they are kept.

    Args:
        contest: to which the scores are added. name: of the model. batches: see `boost`; without
            `ids`, no trial asks for them.
        like: the CatBoost of this contest whose trials count for this one, too.
        start: where the trials begin; by default `Setting()`, without ids where there are none.
    """

    done: list[Boosted] = []

    def attempt(setting: Setting) -> BoostTrial:
        fitted = boost(batches, setting, contest.seed)
        done.append(fitted)
        trees = int(fitted.model.tree_count_)
        return BoostTrial(setting, fitted.valid_loss, trees, fitted.seconds)

    has_ids = "ids" in batches["train"]
    start = start or (Setting() if has_ids else Setting(ids=0))
    if like is None and (contest.tune or tunes(name)):
        trials = climb(attempt, start, [what for what in RESPECTS if has_ids or what != "ids"])
        contest.tuned.keep_other(name, [asdict(trial) for trial in trials])
    kept = contest.tuned.others.get(like or name)
    if not done:
        attempt(best_of(kept).setting if kept else start)
    fitted = min(done, key=lambda one: one.valid_loss)
    contest.scores[name] = fitted.predict(batches["test"])
    told = "" if kept else " (not tuned)"
    print(f"{name}: {fitted.model.tree_count_} trees, {fitted.seconds:.0f} s{told}")
    return fitted


def _read(one: dict) -> BoostTrial:
    return BoostTrial(**one | {"setting": Setting(**one["setting"])})


def best_of(kept: list[dict]) -> BoostTrial:
    """The kept trial with the lowest validation loss."""
    return min(map(_read, kept), key=lambda trial: trial.valid_loss)


def trials(contest: Contest, names: list[str]) -> pl.DataFrame:
    """What CatBoost's trials chose, a model a row.

    Args:
        contest: in which the models were entered. names: of those that had trials.
    """
    rows = []
    for name in names:
        kept = contest.tuned.others.get(name, [])
        if not kept:
            continue
        one, losses = best_of(kept), [trial["valid_loss"] for trial in kept]
        rows.append(
            {
                "model": name,
                "trials": len(kept),
                "depth": one.setting.depth,
                "rate": f"{one.setting.rate:g}",
                "l2 of leaves": f"{one.setting.l2:.2g}",
                "ids combined": one.setting.ids,
                "trees": one.trees,
                "validation loss": round(min(losses), 4),
                "… of the worst trial": round(max(losses), 4),
            }
        )
    return pl.DataFrame(rows)


@contextmanager
def peak_memory(every: float = 0.02) -> Iterator[dict[str, float]]:
    """Measure how much memory a block takes at most beyond what the process had before.

    Args:
        every: seconds between two looks.

    Yields:
        A dictionary whose `megabytes` is set when the block ends.
    """
    train.hand_back_freed_memory()
    process, done, seen = psutil.Process(), Event(), {"megabytes": 0.0}
    before = process.memory_info().rss

    def watch() -> None:
        while not done.wait(every):
            more = (process.memory_info().rss - before) / 2**20
            seen["megabytes"] = max(seen["megabytes"], more)

    watcher = Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()
