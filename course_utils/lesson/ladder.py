"""The ladder: every ranker of the track on one task, from logistic regression to the seminar's.

Measured by `make ladder` on each of `LOGS` and kept in `notebooks/assets/ladder.json`;
the notebooks and the README show what is kept there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import torch
from torch import nn

from course_utils import train
from course_utils.data.log import open_log
from course_utils.data.tasks.ranking import RankingTask, ranking_task
from course_utils.evaluation.contest import Contest
from course_utils.evaluation.intervals import Interval
from course_utils.evaluation.rivals import count_parameters
from course_utils.evaluation.tuning import LADDER
from course_utils.lesson import plots
from course_utils.models.ranking.dcn_v2 import DCNv2
from course_utils.models.ranking.fm_ffm import (
    FactorizationMachine,
    FieldAwareFM,
    LogisticRegression,
)
from course_utils.models.ranking.ple import PiecewiseLinearEncoding, Standardized, quantile_bins
from course_utils.models.ranking.unified_embeddings import SeparateEmbeddings, UnifiedEmbedding
from course_utils.models.ranking.wide_deep_deepfm import (
    DLRM,
    CrossedLogisticRegression,
    Crosses,
    DeepFM,
    MLPRanker,
    WideAndDeep,
)
from course_utils.settings import ASSETS

LOGS = ("sim", "movielens")


KEPT = ASSETS / "ladder.json"


CROSSES = [("listener", "track"), ("listener", "artist")]
"""Crosses made by hand."""
FOOT = "… on binned numbers"
"""The model to which the others are compared: linear, on the same inputs as all above it."""
MEASURED = "from course_utils.lesson.ladder import measure"
"""The code whose hash is kept beside the measurements."""


def rungs(task: RankingTask, seed: int = 0) -> dict[str, Callable[[], nn.Module]]:
    """The models of the ladder, from the lowest rung up, by name."""
    numbers, n = task.batches["train"]["numbers"], task.n_values
    edges = quantile_bins(numbers, n_bins=16)

    def ple() -> PiecewiseLinearEncoding:
        return PiecewiseLinearEncoding(edges, bounded=True, missing=True)

    def separate() -> SeparateEmbeddings:
        return SeparateEmbeddings([2_048] * len(n), dim=16, dropout=0.5, seed=seed)

    def unified() -> UnifiedEmbedding:
        return UnifiedEmbedding(2_048, 8, len(n), n_hashes=2, dropout=0.5, seed=seed)

    return {
        "logistic regression": lambda: LogisticRegression(n, Standardized(numbers)),
        "… on binned numbers": lambda: LogisticRegression(n, ple()),
        "… with crosses": lambda: CrossedLogisticRegression(n, ple(), crosses(task)),
        "FM": lambda: FactorizationMachine(n, ple()),
        "FFM": lambda: FieldAwareFM(n, ple()),
        "MLP": lambda: MLPRanker(n, ple()),
        "Wide & Deep": lambda: WideAndDeep(n, ple(), crosses(task)),
        "DeepFM": lambda: DeepFM(n, ple()),
        "DLRM": lambda: DLRM(n, ple()),
        "DCN-v2": lambda: DCNv2(separate(), ple()),
        "DCN-v2, unified": lambda: DCNv2(unified(), ple()),
    }


def crosses(task: RankingTask) -> Crosses:
    """The crosses made by hand of whose fields the log knows both, of the pairs in training."""
    pairs = [pair for pair in CROSSES if set(pair) <= set(task.fields)]
    return Crosses(task.n_values, pairs, task.batches["train"]["ids"])


def milliseconds(model: nn.Module, batch: train.Batch, n: int = 1_000, times: int = 9) -> float:
    """Median milliseconds that a trained model takes for `n` rows, on the CPU."""
    rows = {name: values[:n] for name, values in batch.items()}
    measured = []
    for _ in range(times):
        start = time.perf_counter()
        train.predict(model.cpu(), rows)
        measured.append((time.perf_counter() - start) * 1_000)
    return sorted(measured)[times // 2] * n / len(rows["target"])


def climb(task: RankingTask, seed: int = 0) -> list[dict]:
    """Train every rung; returns a record a model, ready for JSON."""
    contest = Contest(task, seed, LADDER, tune=True)
    for name, make in rungs(task, seed).items():
        contest.enter(name, make)
    others = [name for name in contest.scores if name != FOOT]
    auc = contest.intervals(contest.scores, [(name, FOOT) for name in others])
    records = []
    for name in contest.scores:
        model = contest.models.get(name)  # the oracle has none
        records.append(
            {
                "model": name,
                "auc": _numbers(auc[name]),
                "gap": _numbers(auc[name, FOOT]) if name in others else None,
                "way": contest.share(name) if task.oracle is not None else None,
                "parameters": count_parameters(model) if model else 0,
                "seconds": contest.histories[name].seconds if model else 0,
                "ms": milliseconds(model, task.batches["test"]) if model else 0,
            }
        )
    return records


def _numbers(interval: Interval) -> list[float]:
    return [interval.value, interval.low, interval.high]


def measure(code: str) -> None:
    """Climb the ladder on every log and keep what was measured, with the hash of the code."""
    threads = torch.get_num_threads()
    climbed = {name: climb(ranking_task(open_log(name))) for name in LOGS}
    kept = {"hash": code, "threads": threads, "logs": climbed}
    text = json.dumps(kept, indent=1, ensure_ascii=False) + "\n"
    KEPT.write_text(text, encoding="utf-8", newline="\n")


def kept() -> dict:
    """What `measure` kept."""
    return json.loads(KEPT.read_text(encoding="utf-8"))


def draw(here: Sequence[str]) -> None:
    """Figure of the ladder, a panel a log; the models named in `here` stand out.

    Drawn are the differences from `FOOT`, each paired over listeners.
    """
    measured = kept()["logs"]
    names = [row["model"] for row in measured[LOGS[0]] if row["model"] not in ("oracle", FOOT)]
    roles = ["neural" if name in here else "muted" for name in names]
    _, axes = plt.subplots(1, len(LOGS), figsize=(12, 0.52 * len(names) + 1), sharey=True)
    for ax, log in zip(axes, LOGS, strict=True):
        found = {row["model"]: row["gap"] for row in measured[log]}
        rows = {name: Interval(*found[name]) if name in found else None for name in names}
        ax.axvline(0, color="#222222", linewidth=1)
        plots.interval_plot(ax, rows, [plots.COLORS[role] for role in roles])
        ax.set(title=log, xlabel="ΔAUC to the linear model on binned numbers")
    plt.show()


def table(here: Sequence[str] = ()) -> str:
    """The ladder as a Markdown table, all logs side by side; the models in `here` in bold."""
    measured = {log: {row["model"]: row for row in rows} for log, rows in kept()["logs"].items()}
    head = " | ".join(f"AUC on `{log}`" for log in LOGS)
    lines = [
        f"| model | {head} | way to the oracle | parameters | ms / 1,000 rows |",
        "|---|" + "---|" * (len(LOGS) + 3),
    ]
    for name, first in measured[LOGS[0]].items():
        found = [measured[log].get(name) for log in LOGS]
        auc = " | ".join(str(Interval(*row["auc"])) if row else "–" for row in found)
        size = f"{first['parameters']:,} | {first['ms']:.1f}" if first["ms"] else "– | –"
        told = f"**{name}**" if name in here else name
        lines.append(f"| {told} | {auc} | {first['way']:.1%} | {size} |")
    return "\n".join(lines)
