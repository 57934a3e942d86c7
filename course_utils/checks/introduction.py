"""TODO."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from course_utils.checks._answers import close, done, require
from course_utils.evaluation import ranking


def check_recall(recall: Callable[[list, set, int], float]) -> None:
    """`recall(ranked, relevant, k)`: the share of the relevant items among the first k."""
    close(recall(["x", "a"], {"a"}, 1), 0.0, "only the first k places count")
    close(recall(["a", "b", "c"], {"a", "c"}, 1), 0.5, "one of two relevant items is first")
    close(
        recall(["a", "b", "c", "d"], {"a", "b", "c"}, 2),
        2 / 3,
        "divide by the number of relevant items, not by k (that would be precision)",
    )
    done()


def check_ndcg(ndcg: Callable[[list, set, int], float]) -> None:
    """`ndcg(ranked, relevant, k)` with binary relevance."""
    scores = torch.tensor([[5.0, 4, 3, 2, 1]])
    items = ["a", "b", "c", "d", "e"]
    for relevant, k, hint in [
        ({"a"}, 5, "a single relevant item in the first place is a perfect ranking: 1"),
        ({"b"}, 5, "the second place is discounted by log₂(3): the first place has log₂(2) = 1"),
        ({"b", "d"}, 5, "divide by the DCG of the ideal ranking, which has both items in front"),
        ({"a", "b", "c"}, 2, "the ideal ranking is cut at k as well"),
    ]:
        row = torch.tensor([[item in relevant for item in items]])
        expected = ranking.ndcg_at_k(scores, row, k)[0]
        close(ndcg(items, relevant, k), expected, hint)
    done()


def check_split(split: Callable[[np.ndarray, float], np.ndarray]) -> None:
    """`split(timestamps, share)`: a mask of the training rows, nothing of the future in it."""
    rng = np.random.default_rng(0)
    times = rng.integers(0, 40, 400)
    mask = np.asarray(split(times, 0.8))
    require(mask.dtype == bool and mask.shape == times.shape, "return one bool for each row")
    require(
        0.7 <= mask.mean() <= 0.85, f"about 80 % of the rows should train, got {mask.mean():.0%}"
    )
    require(
        times[mask].max() < times[~mask].min(),
        "a training row is as late as a test row: choose one moment and cut there; rows of that "
        "very moment belong to the test",
    )
    done()
