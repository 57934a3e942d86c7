"""Checks of notebook 01: recall, NDCG, a split in time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np

from course_utils.checks._answers import CheckFailed, ask, done, judge, require

Metric = Callable[[list, set, int], float]


def check_recall(recall: Metric) -> None:
    """`recall(ranked, relevant, k)`: the share of the relevant items among the first k."""
    precision = "divide by the number of relevant items, not by k (that would be precision)"
    cut = "only the first k places count, and the k-th is one of them"
    judge(
        recall,
        lambda ranked, relevant, k: _hits(ranked[:k], relevant) / len(relevant),
        cases=[
            (
                {"ranked": list("abcdefghijk"), "relevant": set("efijwxyz"), "k": 9},
                "which share of the relevant items stands among the first k?",
            ),
            (
                {"ranked": list("abcdefgh"), "relevant": set("abdfgh"), "k": 2},
                "two of six relevant items are among the first two",
            ),
            (
                {"ranked": list("abc"), "relevant": set("bvwxyz"), "k": 10},
                "a list may be shorter than k: all of it counts, and it may miss relevant items",
            ),
            (
                {"ranked": list("abcd"), "relevant": set("d"), "k": 2},
                "nothing relevant among the first k is a recall of 0",
            ),
        ],
        mistakes=[
            (lambda r, s, k: _hits(r[:k], s) / k, precision),
            (lambda r, s, k: _hits(r[:k], s) / len(r[:k]), precision),
            (
                lambda r, s, k: _hits(r[:k], s) / min(k, len(s)),
                "divide by all relevant items, also where k places cannot hold them all",
            ),
            (lambda r, s, k: _hits(r, s) / len(s), cut),
            (lambda r, s, k: _hits(r[: k + 1], s) / len(s), cut),
            (lambda r, s, k: _hits(r[: k - 1], s) / len(s), cut),
            (
                lambda r, s, k: _hits(r[:k], s) / _hits(r, s),
                "divide by *all* relevant items, also by those that the list missed",
            ),
            (
                lambda r, s, k: _hits(r[:k], s) / len(r),
                "divide by the number of relevant items, not by the length of the list",
            ),
            (
                lambda r, s, k: _hits(r[:k], s) / min(len(r), len(s)),
                "divide by all relevant items, also where the list is too short to hold them all",
            ),
            (
                lambda r, s, k: _hits(r[:k], s) / len(s.union(r[:k])),
                "divide by the number of relevant items alone (this is the Jaccard index)",
            ),
            (
                lambda r, s, k: max(_discounts(r[:k], s, lambda place: 1 / place), default=0),
                "all hits count, wherever they stand (this is the reciprocal rank of the first)",
            ),
            (
                lambda r, s, k: 2 * _hits(r[:k], s) / (k + len(s)),
                "divide by the number of relevant items alone (this is the F₁ measure)",
            ),
            (
                lambda r, s, k: 100 * _hits(r[:k], s) / len(s),
                "a share lies between 0 and 1; these are per cent",
            ),
            (lambda r, s, k: _hits(r[:k], s), "this is the number of hits; a share is wanted"),
            (
                lambda r, s, k: float(_hits(r[:k], s) > 0),
                "one hit is not enough for a recall of 1 (that would be the hit rate)",
            ),
            (
                lambda r, s, k: 1 - _hits(r[:k], s) / len(s),
                "this is the share of the relevant items that the list missed",
            ),
            (lambda r, s, k: 0, "no hit was counted, or `//` cut the fraction off"),
        ],
    )


def _hits(ranked: Iterable, relevant: set) -> int:
    return sum(item in relevant for item in ranked)


def check_ndcg(ndcg: Metric) -> None:
    """`ndcg(ranked, relevant, k)` with binary relevance."""
    ranked = list("abcdefgh")
    ideal = "divide by the DCG of the ideal ranking"
    as_many = "the ideal ranking has only as many hits as there are relevant items"
    discount = "the discount is the logarithm 1/log₂(place + 1)"
    first = "places are counted from 1: the first place is discounted by log₂(2) = 1"
    judge(
        ndcg,
        _dcg_over(_ideal),
        cases=[
            (
                {"ranked": ranked, "relevant": set("behz"), "k": 5},
                f"add the discounts of the places where hits stand; {ideal}, which has every "
                "relevant item in front",
            ),
            (
                {"ranked": ranked, "relevant": set("abc"), "k": 2},
                "a list of k relevant items cannot be better: 1",
            ),
            (
                {"ranked": ranked, "relevant": set("a"), "k": 5},
                "a single relevant item in the first place is a perfect ranking: 1",
            ),
            (
                {"ranked": ranked[:3], "relevant": set("bwxyz"), "k": 4},
                "a list may be shorter than k; the ideal ranking is as long as k and the relevant "
                "items allow",
            ),
            (
                {"ranked": ranked, "relevant": set("g"), "k": 3},
                "nothing relevant among the first k is an NDCG of 0",
            ),
        ],
        mistakes=[
            (_dcg_over(lambda r, s, k: 1), ideal),
            (_dcg_over(lambda r, s, k: len(s)), f"{ideal}, not by the number of relevant items"),
            (_dcg_over(lambda r, s, k: k), f"{ideal}, not by k"),
            (_dcg_over(lambda r, s, k: _hits(r[:k], s)), f"{ideal}, not by the number of hits"),
            (_dcg_over(lambda r, s, k: _best(k)), as_many),
            (_dcg_over(lambda r, s, k: _best(len(r[:k]))), as_many),
            (
                _dcg_over(lambda r, s, k: _best(_hits(r[:k], s))),
                "the ideal ranking has all relevant items, also those that the list missed",
            ),
            (
                _dcg_over(lambda r, s, k: _best(min(k, _hits(r, s)))),
                "the ideal ranking has all relevant items, also those that `ranked` does not hold",
            ),
            (
                _dcg_over(lambda r, s, k: _best(min(k, len(r), len(s)))),
                "the ideal ranking is cut at k, not at the length of `ranked`",
            ),
            (_dcg_over(lambda r, s, k: _best(len(r))), as_many),
            (
                lambda r, s, k: _best(_hits(r[:k], s)) / _ideal(r, s, k),
                "a hit is discounted by its place in `ranked`, not by its number among the hits",
            ),
            (_dcg_over(lambda r, s, k: _best(len(s))), "the ideal ranking is cut at k as well"),
            (lambda r, s, k: _dcg(r, s) / _ideal(r, s, k), "only the first k places count"),
            (_with(lambda place: 1 / place), f"{discount}, not 1/place"),
            (_with(lambda place: 1), f"every hit counts the same here; {discount}"),
            (
                _with(lambda place: 1 / max(1, math.log2(place))),
                f"{discount}, also for the second place",
            ),
            (_with(lambda place: math.log2(place + 1)), f"divide by the logarithm: {discount}"),
            (_dcg_over(_ideal, lambda place: math.log2(place + 1)), f"divide by it: {discount}"),
            (
                _dcg_over(_ideal, lambda place: 1 / math.log(place + 1)),
                "the same logarithm, log₂, belongs into the DCG and into the ideal one",
            ),
            (
                _dcg_over(lambda r, s, k: _ideal(r, s, k) / math.log(2)),
                "the same logarithm, log₂, belongs into the DCG and into the ideal one",
            ),
            (_with(_early), first),
            (_with(_late), first),
            (_dcg_over(_ideal, _early), first),
            (_dcg_over(_ideal, _late), first),
            (
                lambda r, s, k: 1 - _with(_discount)(r, s, k),
                "a better ranking has a larger NDCG: 1 is perfect",
            ),
        ],
    )


def _discount(place: int) -> float:
    """1/log₂(place + 1), places from 1."""
    return 1 / math.log2(place + 1)


def _early(place: int) -> float:
    """The discount one place too early: the first is divided by log₂(1) = 0."""
    return _discount(place - 1) if place > 1 else math.inf


def _late(place: int) -> float:
    return _discount(place + 1)


def _dcg(ranked: Iterable, relevant: set, discount: Callable = _discount) -> float:
    return sum(_discounts(ranked, relevant, discount))


def _discounts(ranked: Iterable, relevant: set, discount: Callable) -> list[float]:
    """The discounts of the places where hits stand."""
    return [discount(place) for place, item in enumerate(ranked, start=1) if item in relevant]


def _best(hits: int, discount: Callable = _discount) -> float:
    """The DCG of a ranking that starts with so many hits."""
    return sum(discount(place) for place in range(1, hits + 1))


def _ideal(ranked: list, relevant: set, k: int) -> float:
    return _best(min(k, len(relevant)))


def _dcg_over(divisor: Metric, discount: Callable = _discount) -> Metric:
    return lambda r, s, k: _dcg(r[:k], s, discount) / (divisor(r, s, k) or math.nan)


def _with(discount: Callable) -> Metric:
    """NDCG with another discount."""
    return _dcg_over(lambda r, s, k: _best(min(k, len(s)), discount), discount)


def check_split(split: Callable[[np.ndarray, float], np.ndarray]) -> None:
    """`split(timestamps, share)`: a mask of the training rows, nothing of the future in it."""
    rng = np.random.default_rng(2_718)
    for share in (0.8, 0.5):
        times = (60 * rng.random(600) ** 0.5).astype(np.int64)  # more events as time goes on
        mask = ask(split, timestamps=times, share=share).tensor().numpy()
        require(
            mask.shape == times.shape,
            f"return one bool for each row: shape {times.shape} is expected, not {mask.shape}",
        )
        require(
            mask.dtype == bool, f"return one bool for each row, True or False, not {mask.dtype}"
        )
        _require_cut_in_time(times, mask, share)
    done()


def _require_cut_in_time(times: np.ndarray, mask: np.ndarray, share: float) -> None:
    """Raise unless the mask cuts the rows in time, and at about this share."""
    require(bool(mask.any()), "no row is left for training")
    require(not mask.all(), "no row is left for the test")
    train, test = times[mask], times[~mask]
    if train.max() >= test.min():
        order = np.arange(len(times)) < share * len(times)
        require(
            not np.array_equal(mask, order),
            "the rows do not come sorted by time: look at the timestamps, not at the row numbers",
        )
        require(
            train.min() < test.max(),
            "True marks the rows of the training, the early ones; this is the other way round",
        )
        require(
            train.max() > test.min(),
            "rows of one moment stand on both sides: rows of that very moment belong to the test",
        )
        raise CheckFailed(
            "a training row is later than a test row: choose one moment and cut there"
        )
    span = times.min() + share * (times.max() - times.min())
    require(
        not np.array_equal(mask, times < span) and not np.array_equal(mask, times <= span),
        f"about {share:.0%} of the *rows* should train; this cuts at {share:.0%} of the time, when "
        f"only {mask.mean():.0%} of the rows have come",
    )
    require(
        abs(mask.mean() - share) <= 0.06,
        f"about {share:.0%} of the rows should train, here it is {mask.mean():.0%}",
    )
