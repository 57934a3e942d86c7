"""Checks of notebook 11: who sits alone, what a row receives, twins."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks._answers import drawn, judge


def check_alone(alone: Callable[[int, int], float]) -> None:
    """`alone(n_values, n_rows)`: the chance to share the row with nobody."""
    multiply = "all three others must miss your row, each for itself: multiply their chances"
    others = "a value cannot collide with itself: only the *others* count"
    added = f"chances do not add up so: {multiply}"
    judge(
        alone,
        lambda n, m: math.prod([(m - 1) / m] * (n - 1)),
        cases=[
            ({"n_values": 4, "n_rows": 10}, multiply),
            ({"n_values": 1, "n_rows": 5}, "a single value has nobody to share with: 1"),
            ({"n_values": 2, "n_rows": 2}, "one other value misses one of two rows half the time"),
            ({"n_values": 3, "n_rows": 1}, "in a single row nobody sits alone: 0"),
            ({"n_values": 5_001, "n_rows": 1_000}, "five values a row: hardly anybody sits alone"),
        ],
        mistakes=[
            (lambda n, m: (1 - 1 / m) ** n, others),
            (lambda n, m: 1 - (n - 1) / m, added),
            (lambda n, m: max(0.0, 1 - (n - 1) / m), added),
            (lambda n, m: 1 - n / m, f"{others}, and {added}"),
            (lambda n, m: max(0.0, 1 - n / m), f"{others}, and {added}"),
            (
                lambda n, m: (1 / m) ** (n - 1),
                "this is the chance that all others *hit* your row; they must miss it",
            ),
            (
                lambda n, m: 1 - (1 / m) ** (n - 1),
                "this is the chance that not *all* of the others hit your row; none may",
            ),
            (
                lambda n, m: 1 - (1 - 1 / m) ** (n - 1),
                "this is the chance of company; sitting alone is the opposite",
            ),
            (lambda n, m: 1 - 1 / m, f"this is one other value; {multiply}"),
            (lambda n, m: (1 - 1 / m) * (n - 1), f"not added up: {multiply}"),
            (
                lambda n, m: (1 - 1 / n) ** (m - 1),
                "values and rows are exchanged: one row of `n_rows` is yours",
            ),
            (
                lambda n, m: math.exp(-(n - 1) / m),
                "this is the limit for large tables; the exact chance is asked",
            ),
            (
                lambda n, m: math.exp(-n / m),
                "this is the limit for large tables; the exact chance is asked",
            ),
            (
                lambda n, m: (1 - 1 / m) ** m,
                "the others are n_values − 1, not n_rows",
            ),
            (
                lambda n, m: m * (1 - (1 - 1 / m) ** n) / n,
                "these are rows in use for each value; a row in use may hold several values",
            ),
            (
                lambda n, m: n * (1 - 1 / m) ** (n - 1),
                "this is how many values sit alone; asked is the chance of one",
            ),
            (
                lambda n, m: math.prod(1 - i / m for i in range(n)),
                "this asks that *nobody* collides with anybody; asked is one given value",
            ),
        ],
    )


def check_received(received: Callable[[Tensor, Tensor, int], Tensor]) -> None:
    """`received(rows, gradient, n_rows)`: (B, F, k), (B, F, k · d) → (M, d)."""
    rows = torch.tensor([[[0, 4], [2, 2]], [[5, 1], [4, 0]], [[2, 5], [4, 1]]])
    add = "a row that is read several times receives the *sum* of what is sent to it"
    pieces = "the first d numbers of a value belong to its first row, the next d to its second"
    judge(
        received,
        _received,
        cases=[
            ({"rows": rows, "gradient": drawn(3, 2, 6), "n_rows": 7}, f"{add}; {pieces}"),
            ({"rows": rows[..., :1], "gradient": drawn(3, 2, 4, seed=1), "n_rows": 6}, add),
            (
                {"rows": rows[:1], "gradient": drawn(1, 2, 2, seed=2), "n_rows": 9},
                f"{pieces}; what nobody reads receives zeros",
            ),
        ],
        mistakes=[
            (_overwritten, f"only what came last is kept: {add}"),
            (lambda rows, sent, m: _received(rows, sent, m) / _times(rows, m), f"no mean: {add}"),
            (
                lambda rows, sent, m: _received(rows, sent, m) / len(rows),
                "not divided by the number of rows of the batch: the mean is in the loss already",
            ),
            (
                lambda rows, sent, m: _received(
                    rows, sent.unflatten(2, (-1, rows.shape[2])).transpose(2, 3).flatten(2), m
                ),
                pieces,
            ),
            (
                lambda rows, sent, m: _received(rows.flip(2), sent, m),
                f"the pieces went to the rows in the wrong order: {pieces}",
            ),
            (
                lambda rows, sent, m: _received(
                    rows[..., :1], sent[..., : sent.shape[2] // rows.shape[2]], m
                ),
                "only the first of the k rows of a value receives something: all k do",
            ),
            (
                lambda rows, sent, m: _received(rows[:, :1], sent[:, :1], m),
                "only the first feature is in it: all of them read the same table",
            ),
            (
                lambda rows, sent, m: _received(rows, sent, m)[: int(rows.max()) + 1],
                "the table has `n_rows` rows, also those that nobody reads",
            ),
            (lambda rows, sent, m: -_received(rows, sent, m), "the gradient itself, not the step"),
        ],
    )


def _received(rows: Tensor, gradient: Tensor, n_rows: int) -> Tensor:
    k = rows.shape[2]
    total = torch.zeros(n_rows, gradient.shape[2] // k)
    for row, sent in zip(rows.reshape(-1, k), gradient.reshape(-1, gradient.shape[2]), strict=True):
        for place, piece in zip(row.tolist(), sent.chunk(k), strict=True):
            total[place] += piece
    return total


def _overwritten(rows: Tensor, gradient: Tensor, n_rows: int) -> Tensor:
    """Each row keeps the last piece that is sent to it."""
    pieces = gradient.reshape(rows.numel(), -1)
    total = torch.zeros(n_rows, pieces.shape[1])
    for place, piece in zip(rows.flatten().tolist(), pieces, strict=True):
        total[place] = piece
    return total


def _times(rows: Tensor, n_rows: int) -> Tensor:
    """How often each row is read, at least 1: (M, 1)."""
    return torch.bincount(rows.flatten(), minlength=n_rows).clamp(min=1)[:, None]


def check_expected_twins(twins: Callable[[int, int, int], float]) -> None:
    """`twins(n_values, n_rows, n_hashes)`: expected pairs that share all rows."""
    pairs = "how many pairs do N values make? A value is no pair with itself"
    both = "the hashes are independent: *all* of them must agree, each with chance 1/M"
    judge(
        twins,
        lambda n, m, k: sum(i for i in range(n)) * math.prod([1 / m] * k),
        cases=[
            (
                {"n_values": 7, "n_rows": 10, "n_hashes": 3},
                "count the pairs, and multiply by the chance that one pair agrees everywhere",
            ),
            ({"n_values": 2, "n_rows": 10, "n_hashes": 1}, "one pair, one row in ten: 0.1"),
            ({"n_values": 1, "n_rows": 10, "n_hashes": 1}, "a single value makes no pair: 0"),
            ({"n_values": 4, "n_rows": 5, "n_hashes": 2}, both),
        ],
        mistakes=[
            (lambda n, m, k: n**2 / 2 / m**k, pairs),
            (lambda n, m, k: n**2 / m**k, f"{pairs}, and each counts once"),
            (lambda n, m, k: n / m**k, f"these are values, not pairs: {pairs}"),
            (lambda n, m, k: n * (n + 1) / 2 / m**k, pairs),
            (lambda n, m, k: n * (n - 1) / m**k, "(a, b) and (b, a) are one pair: count each once"),
            (
                lambda n, m, k: (n - 1) / m**k,
                "these are the twins of one value; asked are the pairs among all",
            ),
            (lambda n, m, k: 1 / m**k, "this is the chance of one pair; asked is how many pairs"),
            (lambda n, m, k: n * (n - 1) / 2, "these are all pairs; which share of them agrees?"),
            (lambda n, m, k: n * (n - 1) / 2 / m, f"only one hash is in it; {both}"),
            (
                lambda n, m, k: n * (n - 1) / m,
                f"each pair once; and only one hash is in it; {both}",
            ),
            (lambda n, m, k: n * (n - 1) / 2 / (m * k), f"multiply, do not add; {both}"),
            (lambda n, m, k: n * (n - 1) / 2 * k / m, f"one agreement is not enough; {both}"),
            (
                lambda n, m, k: n * (n - 1) / 2 * (1 - (1 - 1 / m) ** k),
                f"one agreement is not enough; {both}",
            ),
            (lambda n, m, k: n * (n - 1) / 2 / k**m, "M and k are exchanged in the power"),
            (
                lambda n, m, k: n * (n - 1) / 2 * (1 - 1 / m**k),
                "these are the pairs that are *no* twins",
            ),
            (
                lambda n, m, k: (n * (n - 1) / 2 / m) ** k,
                "only the chance is raised to the power k; there are as many pairs as before",
            ),
            (
                lambda n, m, k: math.comb(n, k) / m**k,
                "a pair is made of two values, whatever the number of hashes",
            ),
            (lambda n, m, k: 0, "0 pairs: does `//` cut the fraction off?"),
        ],
    )
