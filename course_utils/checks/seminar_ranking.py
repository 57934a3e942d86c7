"""Checks of notebook 18: PLE by hand, one cross layer, pairs that collide twice."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import torch
from torch import Tensor

from course_utils.checks import _encoding
from course_utils.checks._answers import drawn, judge


def check_ple(encode: Callable[[float, list[float]], list[float]]) -> None:
    """`encode(x, edges)`: piecewise linear encoding of one number, cut off to [0, 1]."""
    edges = [1.0, 2.0, 4.0, 8.0]
    judge(
        encode,
        _encoding.right,
        cases=[
            ({"x": 2.5, "edges": edges}, "one bin is full, a quarter of the second, and no more"),
            ({"x": 5.0, "edges": edges}, "two bins are full, and a quarter of the third"),
            ({"x": 9.0, "edges": edges}, "beyond the last edge every bin is full: cut off at 1"),
            ({"x": -2.0, "edges": edges}, "below the first edge every bin is empty: cut off at 0"),
            ({"x": 3.0, "edges": [-1.0, 7.0]}, "any number of bins, and edges may be negative"),
        ],
        mistakes=_encoding.MISTAKES,
    )


def check_cross_layer(layer: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> None:
    """`layer(x0, x, weight, bias)`: one cross layer of DCN-v2."""
    judge(
        layer,
        lambda x0, x, w, b: torch.stack(
            [first * (w @ row + b) + row for first, row in zip(x0, x, strict=True)]
        ),
        cases=[
            (
                {
                    "x0": drawn(4, 3),
                    "x": drawn(4, 3, seed=1),
                    "weight": drawn(3, 3, seed=2),
                    "bias": drawn(3, seed=3),
                },
                "compute x₀ ⊙ (W x + b) + x for every example: ⊙ goes component by component",
            )
        ],
        mistakes=[
            (
                lambda x0, x, w, b: x0 * (x @ w + b) + x,
                "W stands left of the vector: with the examples in rows, what must be done to W?",
            ),
            (
                lambda x0, x, w, b: x0 * (x @ w.T + b),
                "do not forget “+ x”: with W = 0 and b = 0 the layer passes x through",
            ),
            (
                lambda x0, x, w, b: x * (x @ w.T + b) + x,
                "the product is with the *input* x₀, not with x",
            ),
            (
                lambda x0, x, w, b: x0 * (x0 @ w.T + b) + x,
                "inside of the bracket W is applied to x, not to x₀",
            ),
            (
                lambda x0, x, w, b: x0 * (x0 @ w.T + b) + x0,
                "x and x₀ are not the same: the bracket and the sum at the end take x",
            ),
            (
                lambda x0, x, w, b: x * (x0 @ w.T + b) + x,
                "x and x₀ are exchanged: the product is with x₀, the bracket holds x",
            ),
            (lambda x0, x, w, b: x0 * (x @ w.T + b) + x0, "what is added at the end is x, not x₀"),
            (
                lambda x0, x, w, b: x0 * (x @ w.T) + b + x,
                "the bias is inside of the bracket: it is multiplied by x₀ as well",
            ),
            (lambda x0, x, w, b: x0 * (x @ w.T) + x, "the bias is missing"),
            (lambda x0, x, w, b: x0 * (x @ w.T - b) + x, "the bias is added"),
            (
                lambda x0, x, w, b: x0 * (x @ w.T + b) - x,
                "x is added at the end, not taken away",
            ),
            (lambda x0, x, w, b: x0 * (x @ w.T + b) + x + x0, "x₀ is not added, only x"),
            (
                lambda x0, x, w, b: x @ w.T + b + x,
                "the product with x₀ is missing: it is what crosses the features",
            ),
            (
                lambda x0, x, w, b: x0 + (x @ w.T + b) + x,
                "x₀ is multiplied with the bracket, not added",
            ),
            (
                lambda x0, x, w, b: x0 * (x @ w.T + b + x),
                "“+ x” stands outside of the bracket: it is not multiplied by x₀",
            ),
            (
                lambda x0, x, w, b: (x0 * (x @ w.T + b)).sum(1, keepdim=True) + x,
                "⊙ goes component by component: the products are not added up",
            ),
            (
                lambda x0, x, w, b: torch.relu(x0 * (x @ w.T + b) + x),
                "a cross layer has no relu: its products are the non-linearity",
            ),
        ],
        tolerance=1e-4,
    )


def check_collisions(count: Callable[[Tensor, Tensor], int]) -> None:
    """`count(first, second)`: pairs of values that collide under both hashes."""
    both = "a pair counts only if it collides under the first hash *and* under the second"
    numbers = (
        "one number made of both rows, such as their sum or 10 · first + second, may be the same "
        "for two different pairs of rows"
    )
    few, many = _apart()
    pairs = "four values in one row make 4·3/2 = 6 pairs: count pairs, not values"
    judge(
        count,
        lambda f, s: _pairs(f, s),
        cases=[
            (
                {
                    "first": torch.tensor([2, 2, 2, 1, 1, 1, 1, 1, 2, 0, 1, 2]),
                    "second": torch.tensor([0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1]),
                },
                f"{both}; {pairs}",
            ),
            ({"first": torch.tensor([3, 3, 3, 3]), "second": torch.tensor([5, 5, 5, 5])}, pairs),
            ({"first": torch.tensor([0, 0, 1]), "second": torch.tensor([1, 2, 1])}, both),
            ({"first": torch.tensor([0, 1, 2]), "second": torch.tensor([2, 1, 0])}, numbers),
            ({"first": few, "second": many}, numbers),
            ({"first": many, "second": few}, numbers),
        ],
        mistakes=[
            (lambda f, s: _pairs(f), f"only the first hash is looked at: {both}"),
            (lambda f, s: _pairs(s), f"only the second hash is looked at: {both}"),
            (
                lambda f, s: _pairs(f) + _pairs(s) - _pairs(f, s),
                f"this counts pairs that collide under either hash: {both}",
            ),
            (
                lambda f, s: _pairs(f) + _pairs(s),
                f"this adds the collisions of the two hashes: {both}",
            ),
            (lambda f, s: 2 * _pairs(f, s), "(a, b) and (b, a) are one pair: count each once"),
            (
                lambda f, s: 2 * _pairs(f, s) + len(f),
                "a value is no pair with itself, and (a, b) and (b, a) are one pair",
            ),
            (lambda f, s: _pairs(f, s) + len(f), "a value is no pair with itself"),
            (
                lambda f, s: len(f) - len(_groups(f, s)),
                f"this counts values too many for their rows: {pairs}",
            ),
            (
                lambda f, s: sum(n for n in _groups(f, s) if n > 1),
                f"this counts values that collide: {pairs}",
            ),
            (
                lambda f, s: sum(n > 1 for n in _groups(f, s)),
                f"this counts the rows that hold several values: {pairs}",
            ),
            (lambda f, s: len(_groups(f, s)), f"this counts the different rows: {pairs}"),
            (
                lambda f, s: len(f) - len(f.unique()),
                f"only the first hash is looked at: {both}; {pairs}",
            ),
            (
                lambda f, s: _pairs(f + s),
                "two pairs of rows may have the same sum and yet be different",
            ),
            (
                lambda f, s: sum(n * n for n in _groups(f, s)) // 2,
                f"n · n / 2 counts a value's pair with itself, too, by half: {pairs}",
            ),
            (
                lambda f, s: sum(n * n // 2 for n in _groups(f, s)),
                f"n · n / 2 counts a value's pair with itself, too, by half: {pairs}",
            ),
            (
                lambda f, s: int(((f == f.flip(0)) & (s == s.flip(0))).sum()),
                "compare each value with every other one, not with the one at the other end",
            ),
            (
                lambda f, s: sum(int((f[:i] == s[i]).sum()) for i in range(len(f))),
                "compare first hash with first hash, and second with second",
            ),
            (
                lambda f, s: int((f == s).sum()),
                "compare two values under one hash, not the two hashes of one value",
            ),
            (
                lambda f, s: sum(
                    int(a == b) for a, b in zip(_rows(f, s)[1:], _rows(f, s), strict=False)
                ),
                "values that collide need not be neighbours",
            ),
        ],
    )


def _apart() -> tuple[Tensor, Tensor]:
    """Rows of values of which no two share both, and K · first + second is shared for many K.

    That is, for every K to 1024, and for powers of 2 and 10 beyond.
    """
    near, far = torch.arange(32), 32 * torch.arange(1, 33)
    powers = torch.tensor([2**i for i in range(11, 41)] + [10**i for i in range(4, 13)])
    many = torch.cat([near, far, powers])
    few = torch.ones_like(many)
    few[len(near) :] = 0
    return few, many


def _rows(*hashes: Tensor) -> list[tuple[int, ...]]:
    return list(zip(*(h.tolist() for h in hashes), strict=True))


def _groups(*hashes: Tensor) -> list[int]:
    """How many values each occupied row (or tuple of rows) holds."""
    rows = _rows(*hashes)
    return [rows.count(row) for row in set(rows)]


def _pairs(*hashes: Tensor) -> int:
    return sum(one == other for one, other in combinations(_rows(*hashes), 2))
