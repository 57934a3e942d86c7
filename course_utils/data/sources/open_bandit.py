"""The Open Bandit data that the package `obp` carries (extra `real`): no log of listeners."""

from __future__ import annotations

from typing import Literal

import polars as pl

from course_utils.data.sources.packaged import _package_file
from course_utils.settings import polars_path


def open_bandit(policy: Literal["random", "bts"]) -> pl.DataFrame:
    """10,000 times that a fashion shop showed an item on one of three places, and the clicks.

    Args:
        policy: that chose the items: `random`, or `bts` (Bernoulli Thompson sampling).

    Returns:
        `item_id` (0 … 79), `position` (1 … 3), `click` (0, 1), `propensity` of the item on this
        place at that time.

    Raises:
        LogError: the package that carries them is missing.

    Source: Saito et al. (2021), "Open Bandit Dataset and Pipeline: towards realistic and
    reproducible off-policy evaluation", NeurIPS; campaign "all", the small version of `obp` 0.4.
    """
    path = _package_file("obp", "dataset", "obd", policy, "all", "all.csv")
    columns = ["item_id", "position", "click", "propensity_score"]
    table = pl.read_csv(polars_path(path), columns=columns)
    return table.rename({"propensity_score": "propensity"})
