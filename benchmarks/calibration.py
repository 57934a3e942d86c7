"""Calibration table of the simulated world against Yambda's published figures.

`python benchmarks/calibration.py` prints it; `--write` puts it into data/README.md.
Published: dataset card of yandex/yambda and Ploshkin et al. (2025), Yambda-50M unless said.
"""

from __future__ import annotations

import sys

import numpy as np
import polars as pl

from course_utils.data import open_log
from course_utils.publish import ROOT, fill


def zipf_exponent(counts: np.ndarray) -> float:
    """Slope of log plays over log rank for ranks 10 … 1000."""
    rank = np.arange(1, len(counts) + 1)
    part = (rank >= 10) & (rank <= 1_000)
    return -float(np.polyfit(np.log(rank[part]), np.log(counts[part]), 1)[0])


def table() -> str:
    """Markdown table of published and simulated figures."""
    events = open_log("sim").events.collect()
    listens = events.filter(pl.col("event_type") == "listen")
    n, ratio = len(listens), listens["played_ratio_pct"]
    users = listens.group_by("uid").len()["len"]
    counts = listens["item_id"].value_counts(sort=True)["count"].to_numpy()
    kinds = dict(events["event_type"].cast(pl.String).value_counts().iter_rows())
    unknown = "not in the sources we could read"
    rows = [
        ("listeners", "10,000", f"{users.len():,}"),
        ("tracks that were played", "934,057", f"{len(counts):,}"),
        ("listens", "46,467,212", f"{n:,}"),
        ("listens for a track, mean", f"{46_467_212 / 934_057:.0f}", f"{n / len(counts):.0f}"),
        ("listens for a listener, mean", f"{46_467_212 / 10_000:,.0f}", f"{users.mean():.0f}"),
        ("… median", unknown, f"{users.median():.0f}"),
        ("likes for a listen", f"{881_456 / 46_467_212:.4f}", f"{kinds['like'] / n:.4f}"),
        ("dislikes for a listen", f"{107_776 / 46_467_212:.4f}", f"{kinds['dislike'] / n:.4f}"),
        ("share of organic listens", unknown, f"{listens['is_organic'].mean():.2f}"),
        (
            "slope of log plays over log rank, ranks 10–1000",
            unknown,
            f"{zipf_exponent(counts):.2f}",
        ),
        ("played ratio: ≥ 95 %", unknown, f"{(ratio >= 95).mean():.2f}"),
        ("played ratio: < 10 %", unknown, f"{(ratio < 10).mean():.2f}"),
        ("played ratio: > 100 %", "exists (replayed passages)", f"{(ratio > 100).mean():.3f}"),
        ("tracks without a content vector", f"{1 - 7.72 / 9.39:.0%} (5B)", "8%"),
    ]
    lines = [f"| {name} | {published} | {found} |" for name, published, found in rows]
    return "\n".join(["| figure | Yambda-50M | `sim` |", "|---|---|---|", *lines])


if __name__ == "__main__":
    print(table())
    if "--write" in sys.argv:
        page = ROOT / "data" / "README.md"
        page.write_text(fill(page.read_text(), "calibration", table()))
