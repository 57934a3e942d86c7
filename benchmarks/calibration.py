"""Calibration table of the simulated world against Yambda's published figures.

`python benchmarks/calibration.py` prints it and exits with an error that names every shape outside
of its range; `--write` also puts the table into data/README.md.
Published, all of Yambda-50M unless said: counts from the dataset card of yandex/yambda and Ploshkin
et al. (2025); medians, shares and sessions (which end after 30 minutes of silence) as computed
from its file in the notebooks of github.com/shvnkq/yambda-product-analytics (August 2026).
"""

from __future__ import annotations

import sys
from typing import NamedTuple

import numpy as np
import polars as pl
import torch

from course_utils.authoring.publish import write_whole
from course_utils.authoring.readme import fill
from course_utils.data.log import Log, open_log
from course_utils.evaluation.pointwise import roc_auc
from course_utils.evaluation.ranking import gini
from course_utils.schema import FINISHED_PCT, SECONDS_PER_DAY, SESSION_GAP
from course_utils.settings import ROOT
from course_utils.world.catalogue import build_catalogue

TEST_DAYS = 28


class Figure(NamedTuple):
    """A line of the table: how it is printed, what Yambda has, what the world may have."""

    name: str
    form: str
    published: str
    low: float = -np.inf
    high: float = np.inf

    def range(self) -> str:
        if np.isinf(self.low) and np.isinf(self.high):
            return ""
        ends = [format(x, self.form) for x in (self.low, self.high) if np.isfinite(x)]
        return "–".join(ends) if len(ends) == 2 else f"≤ {ends[0]}"


YAMBDA_LISTENS, YAMBDA_TRACKS = 46_467_212, 934_057

FIGURES = (
    Figure("listeners", ",.0f", "10,000"),
    Figure("days", ".0f", "301"),
    Figure("tracks in the log", ",.0f", f"{YAMBDA_TRACKS:,}"),
    Figure("listens", ",.0f", f"{YAMBDA_LISTENS:,}", 1_000_000, 1_300_000),
    Figure("listens per track, mean", ".0f", f"{YAMBDA_LISTENS / YAMBDA_TRACKS:.0f}"),
    Figure("… median", ".0f", "2", high=4),
    Figure("plays of the top 1 % of the tracks", ".0%", "50%", 0.42, 0.58),
    Figure("plays of the top 10 % of the tracks", ".0%", "89%", 0.84, 0.93),
    Figure("listens per listener, mean", ",.0f", f"{YAMBDA_LISTENS / 10_000:,.0f}"),
    Figure("… median", ",.0f", "2,572"),
    Figure("listens per session, mean", ".1f", f"{YAMBDA_LISTENS / 2_529_801:.1f}", 15, 22),
    Figure("likes per listen", ".4f", f"{881_456 / YAMBDA_LISTENS:.4f}", 0.017, 0.021),
    Figure("dislikes per listen", ".4f", f"{107_776 / YAMBDA_LISTENS:.4f}", 0.0018, 0.0029),
    Figure("share of organic listens", ".2f", "0.52", 0.48, 0.56),
    Figure("played more than half", ".2f", "0.63", 0.58, 0.68),
    Figure("played more than once through (> 100 %)", ".3f", "0.005", 0.002, 0.008),
    Figure("tracks without a content vector", ".0%", f"{1 - 7.72 / 9.39:.0%} (5B)", 0.15, 0.21),
    Figure("width of the bins of the stamps, seconds", ".0f", "5", 5, 5),
    Figure("listeners whose first listen lies in the last 28 days", ".0%", ""),
    Figure("plays of the last 28 days by such a listener", ".1%", ""),
    Figure("… of a track not played before", ".1%", ""),
    Figure("… of a track released in these days", ".1%", ""),
    Figure("Gini coefficient of the tracks", ".2f", ""),
    Figure("played to the end (≥ 95 %)", ".2f", ""),
    Figure("oracle's AUC in the last 28 days", ".3f", ""),
)


def share_of_top(counts: np.ndarray, share: float) -> float:
    """Share of all plays that the most played `share` of the tracks take; counts descending."""
    return float(counts[: round(share * len(counts))].sum() / counts.sum())


def sessions(listens: pl.DataFrame) -> int:
    """Number of sessions: stretches of a listener without a silence of more than SESSION_GAP."""
    silence = pl.col("timestamp").cast(pl.Int64).diff().over("uid")
    ordered = listens.sort("uid", "timestamp")
    return ordered.select((silence.is_null() | (silence > SESSION_GAP)).sum()).item()


def measure(log: Log) -> list[float]:
    """The simulated log's value of each of `FIGURES`, in their order."""
    events = log.events.collect()
    listens = events.filter(pl.col("event_type") == "listen")
    n, ratio = len(listens), listens["played_ratio_pct"].to_numpy()
    users = listens["uid"].value_counts()["count"].to_numpy()
    counts = listens["item_id"].value_counts(sort=True)["count"].to_numpy()
    stamps = events["timestamp"].to_numpy().astype(np.int64)
    days = int(stamps.max()) // SECONDS_PER_DAY + 1
    kinds = dict(events["event_type"].cast(pl.String).value_counts().iter_rows())
    assert log.world is not None and log.vectors is not None and log.truth is not None
    catalogue = build_catalogue(log.world)
    release = pl.DataFrame({"item_id": catalogue.item_id, "release": catalogue.release})
    truth = torch.tensor(log.truth.collect()["probability"].to_numpy())

    first = (days - TEST_DAYS) * SECONDS_PER_DAY
    test = listens["timestamp"].to_numpy() >= first
    late = listens.filter(test).join(release, on="item_id", how="left")
    before = listens.filter(~test)
    new_listener = ~late["uid"].is_in(before["uid"].unique().implode())
    new_track = ~late["item_id"].is_in(before["item_id"].unique().implode())
    newcomers = late.filter(new_listener)["uid"].n_unique()
    values = [
        len(users),
        days,
        len(counts),
        n,
        n / len(counts),
        np.median(counts),
        share_of_top(counts, 0.01),
        share_of_top(counts, 0.1),
        users.mean(),
        np.median(users),
        n / sessions(listens),
        kinds["like"] / n,
        kinds["dislike"] / n,
        listens["is_organic"].mean(),
        (ratio > 50).mean(),
        (ratio > 100).mean(),
        1 - log.vectors.select(pl.len()).collect().item() / len(release),
        np.gcd.reduce(stamps),
        newcomers / len(users),
        new_listener.mean(),
        new_track.mean(),
        (late["release"] >= first).mean(),
        gini(torch.tensor(counts, dtype=torch.float64)),
        (ratio >= FINISHED_PCT).mean(),
        roc_auc(truth[torch.from_numpy(test)], torch.from_numpy(ratio[test] >= FINISHED_PCT)),
    ]
    return [float(value) for value in values]


def outside(values: list[float]) -> list[str]:
    """A sentence on each value that is not in its range."""
    return [
        f"{figure.name}: {value:{figure.form}} ({value:.5g}) is not in {figure.range()}"
        for figure, value in zip(FIGURES, values, strict=True)
        if not figure.low <= value <= figure.high
    ]


def table(values: list[float]) -> str:
    """Markdown table of published and simulated figures and the ranges."""
    lines = [
        f"| {f.name} | {f.published} | {value:{f.form}} | {f.range()} |"
        for f, value in zip(FIGURES, values, strict=True)
    ]
    head = "| figure | Yambda-50M | `sim` | `sim` must have |"
    return "\n".join([head, "|---|---|---|---|", *lines])


if __name__ == "__main__":
    figures = measure(open_log("sim"))
    print(table(figures))
    if "--write" in sys.argv:
        page = ROOT / "data" / "README.md"
        text = fill(page.read_text(encoding="utf-8"), "calibration", table(figures))
        write_whole({page: text.encode()})
    if wrong := outside(figures):
        sys.exit("\n".join(["outside of their ranges:", *wrong]))
