"""Checks that tell a student whether an exercise is solved, and where to look if not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from course_utils import metrics
from course_utils.models import CrossNetwork, PiecewiseLinearEncoding


class CheckFailed(AssertionError):
    """An answer that is not right yet, with a hint."""


def _require(holds: bool, hint: str) -> None:
    if not holds:
        raise CheckFailed(hint)


def _close(found: object, expected: object, hint: str, tolerance: float = 1e-5) -> None:
    found, expected = torch.as_tensor(found), torch.as_tensor(expected)
    _require(
        found.shape == expected.shape,
        f"the answer has shape {tuple(found.shape)}, expected {tuple(expected.shape)}",
    )
    same = torch.allclose(found.double(), expected.double(), atol=tolerance, rtol=tolerance)
    _require(same, f"{hint}\nfound    {found.tolist()}\nexpected {expected.tolist()}")


def _done() -> None:
    print("✔ well done")


# 01 introduction


def check_recall(recall: Callable[[list, set, int], float]) -> None:
    """`recall(ranked, relevant, k)`: the share of the relevant items among the first k."""
    _close(recall(["x", "a"], {"a"}, 1), 0.0, "only the first k places count")
    _close(recall(["a", "b", "c"], {"a", "c"}, 1), 0.5, "one of two relevant items is first")
    _close(
        recall(["a", "b", "c", "d"], {"a", "b", "c"}, 2),
        2 / 3,
        "divide by the number of relevant items, not by k (that would be precision)",
    )
    _done()


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
        expected = metrics.ndcg_at_k(scores, row, k)[0]
        _close(ndcg(items, relevant, k), expected, hint)
    _done()


def check_split(split: Callable[[np.ndarray, float], np.ndarray]) -> None:
    """`split(timestamps, share)`: a mask of the training rows, nothing of the future in it."""
    rng = np.random.default_rng(0)
    times = rng.integers(0, 40, 400)
    mask = np.asarray(split(times, 0.8))
    _require(mask.dtype == bool and mask.shape == times.shape, "return one bool for each row")
    _require(
        0.7 <= mask.mean() <= 0.85, f"about 80 % of the rows should train, got {mask.mean():.0%}"
    )
    _require(
        times[mask].max() < times[~mask].min(),
        "a training row is as late as a test row: choose one moment and cut there; rows of that "
        "very moment belong to the test",
    )
    _done()


# 18 seminar


def check_ple(encode: Callable[[float, list[float]], list[float]]) -> None:
    """`encode(x, edges)`: piecewise linear encoding of one number, cut off to [0, 1]."""
    edges = [0.0, 1.0, 3.0, 7.0]
    reference = PiecewiseLinearEncoding([torch.tensor(edges)], bounded=True)
    for x, hint in [
        (5.0, "x has passed the first two bins (1, 1) and is half-way through the third"),
        (2.0, "divide by the width of the bin, b_t − b_{t−1}; bins differ in width"),
        (9.0, "beyond the last edge every bin is full: cut off at 1"),
        (-2.0, "below the first edge every bin is empty: cut off at 0"),
    ]:
        _close(encode(x, edges), reference(torch.tensor([[x]]))[0], hint)
    _done()


def check_cross_layer(layer: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> None:
    """`layer(x0, x, W, b)`: one cross layer of DCN-v2."""
    torch.manual_seed(0)
    x0, x = torch.randn(4, 3), torch.randn(4, 3)
    reference = CrossNetwork(3, n_layers=1)
    weight, bias = reference.weights[0].weight.detach(), reference.weights[0].bias.detach()
    expected = x0 * (x @ weight.T + bias) + x
    zero = torch.zeros_like(weight)
    _close(
        layer(x0, x, zero, torch.zeros(3)),
        x,
        "with W = 0 and b = 0 the layer must pass x through: do not forget “+ x”",
    )
    first = layer(x0, x, zero, torch.ones(3))
    _close(first, x0 + x, "the product is with the *input* x₀, and the bias is inside of it")
    _close(layer(x0, x, weight, bias), expected, "compute x₀ ⊙ (W x + b) + x; is W transposed?")
    _done()


def check_collisions(count: Callable[[Tensor, Tensor], int]) -> None:
    """`count(first, second)`: pairs of values that collide under both hashes."""
    _close(count(torch.tensor([0, 0, 1]), torch.tensor([2, 2, 2])), 1, "only values 0 and 1 do")
    _close(
        count(torch.tensor([0, 0, 1]), torch.tensor([1, 2, 1])),
        0,
        "a pair counts only if it collides under the first hash *and* under the second",
    )
    _close(
        count(torch.tensor([3, 3, 3, 3]), torch.tensor([5, 5, 5, 5])),
        6,
        "four values in one row make 4·3/2 = 6 pairs; count pairs, not values, and each once",
    )
    _done()
