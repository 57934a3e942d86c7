"""Calibration table of the simulated world against Yambda's published figures.

`python benchmarks/calibration.py` prints it; `--write` puts it into data/README.md.
Published, all of Yambda-50M unless said: counts from the dataset card of yandex/yambda and Ploshkin
et al. (2025); medians, shares and sessions (which end after 30 minutes of silence) as computed
from its file in the notebooks of github.com/shvnkq/yambda-product-analytics (August 2026).
"""

from __future__ import annotations

import sys

import numpy as np
import polars as pl

from course_utils.authoring.publish import write_whole
from course_utils.authoring.readme import fill
from course_utils.data.log import open_log
from course_utils.schema import SECONDS_PER_DAY, SESSION_GAP
from course_utils.settings import ROOT


def share_of_top(counts: np.ndarray, share: float) -> float:
    """Share of all plays that the most played `share` of the tracks take; counts descending."""
    return float(counts[: round(share * len(counts))].sum() / counts.sum())


def sessions(listens: pl.DataFrame) -> int:
    """Number of sessions: stretches of a listener without a silence of more than SESSION_GAP."""
    silence = pl.col("timestamp").cast(pl.Int64).diff().over("uid")
    ordered = listens.sort("uid", "timestamp")
    return ordered.select((silence.is_null() | (silence > SESSION_GAP)).sum()).item()


def table() -> str:
    """Markdown table of published and simulated figures."""
    events = open_log("sim").events.collect()
    listens = events.filter(pl.col("event_type") == "listen")
    n, ratio = len(listens), listens["played_ratio_pct"].drop_nulls().to_numpy()
    users = listens["uid"].value_counts()["count"].to_numpy()
    counts = listens["item_id"].value_counts(sort=True)["count"].to_numpy()
    days = int(listens["timestamp"].to_numpy().max()) // SECONDS_PER_DAY + 1
    organic = listens["is_organic"].to_numpy()
    kinds = dict(events["event_type"].cast(pl.String).value_counts().iter_rows())
    real = 46_467_212
    rows = [
        ("listeners", "10,000", f"{len(users):,}"),
        ("days", "301", f"{days}"),
        ("tracks in the log", "934,057", f"{len(counts):,}"),
        ("listens", f"{real:,}", f"{n:,}"),
        ("listens for a track, mean", f"{real / 934_057:.0f}", f"{n / len(counts):.0f}"),
        ("… median", "2", f"{np.median(counts):.0f}"),
        ("plays of the top 1 % of the tracks", "50%", f"{share_of_top(counts, 0.01):.0%}"),
        ("plays of the top 10 % of the tracks", "89%", f"{share_of_top(counts, 0.1):.0%}"),
        ("listens for a listener, mean", f"{real / 10_000:,.0f}", f"{users.mean():.0f}"),
        ("… median", "2,572", f"{np.median(users):.0f}"),
        ("listens in a session, mean", f"{real / 2_529_801:.1f}", f"{n / sessions(listens):.1f}"),
        ("likes for a listen", f"{881_456 / real:.4f}", f"{kinds['like'] / n:.4f}"),
        ("dislikes for a listen", f"{107_776 / real:.4f}", f"{kinds['dislike'] / n:.4f}"),
        ("share of organic listens", "0.52", f"{organic.mean():.2f}"),
        ("played more than half", "0.63", f"{(ratio > 50).mean():.2f}"),
        ("played more than once through (> 100 %)", "0.005", f"{(ratio > 100).mean():.3f}"),
        ("tracks without a content vector", f"{1 - 7.72 / 9.39:.0%} (5B)", "8%"),
    ]
    lines = [f"| {name} | {published} | {found} |" for name, published, found in rows]
    return "\n".join(["| figure | Yambda-50M | `sim` |", "|---|---|---|", *lines])


if __name__ == "__main__":
    print(table())
    if "--write" in sys.argv:
        page = ROOT / "data" / "README.md"
        text = fill(page.read_text(encoding="utf-8"), "calibration", table())
        write_whole({page: text.encode()})
