"""Checks of notebook 11: who sits alone, a multiplexed lookup, twins."""

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
            (lambda n, m: 1 - (n - 1) / m, f"chances do not add up so: {multiply}"),
            (lambda n, m: 1 - n / m, f"{others}, and chances do not add up so: {multiply}"),
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


def check_look_up(look_up: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`look_up(table, rows)`: (M, d), (B, F, k) → (B, F, k · d)."""
    rows = torch.tensor([[[0, 4, 7], [2, 2, 8]], [[5, 1, 0], [8, 3, 6]]])
    side = "the k rows of a value come side by side: (B, F, k · d)"
    order = "all numbers of the first row come first, then all of the second"
    judge(
        look_up,
        _look_up,
        cases=[
            ({"table": drawn(9, 4), "rows": rows}, f"{side}; {order}"),
            ({"table": drawn(9, 2, seed=1), "rows": rows[:, :, :1]}, side),
        ],
        mistakes=[
            (lambda table, rows: table[rows].sum(dim=2), f"not added up: {side}"),
            (lambda table, rows: table[rows].mean(dim=2), f"not averaged: {side}"),
            (lambda table, rows: table[rows], f"k and d are still apart: {side}"),
            (
                lambda table, rows: table[rows].flatten(1),
                f"the fields stay apart, only k and d become one: {side}",
            ),
            (lambda table, rows: table[rows].flatten(), f"batch and fields stay apart: {side}"),
            (
                lambda table, rows: table[rows].flatten(0, 1).flatten(1),
                f"batch and fields stay apart: {side}",
            ),
            (
                lambda table, rows: table[rows].flatten(1, 2),
                f"fields and rows became one, the rows and their numbers should: {side}",
            ),
            (lambda table, rows: table[rows].transpose(2, 3).flatten(-2), order),
            (lambda table, rows: table[rows.flip(2)].flatten(-2), "the rows keep their order"),
            (
                lambda table, rows: table[rows].permute(2, 0, 1, 3).reshape(*rows.shape[:2], -1),
                "a reshape does not move numbers to their place: which axes must stand last?",
            ),
            (
                lambda table, rows: table[rows].transpose(0, 1).reshape(*rows.shape[:2], -1),
                "batch and fields have changed places",
            ),
            (
                lambda table, rows: table[rows[:, :, 0]].repeat(1, 1, rows.shape[2]),
                "each of the k rows is read once; here the first is read k times",
            ),
            (
                lambda table, rows: table[rows[:, :, -1]].repeat(1, 1, rows.shape[2]),
                "each of the k rows is read once; here the last is read k times",
            ),
            (
                lambda table, rows: table[rows].max(dim=2).values,
                f"all k rows are kept, not the largest numbers of them: {side}",
            ),
            (
                lambda table, rows: table[rows].movedim(2, 0),
                f"the k rows of a value are apart: {side}",
            ),
            (
                lambda table, rows: table[rows].transpose(1, 2).flatten(1, 2),
                f"put the rows side by side along the last axis, not along the fields: {side}",
            ),
            (lambda table, rows: table[rows[:, :, 0]], f"all k rows are read: {side}"),
        ],
    )


def _look_up(table: Tensor, rows: Tensor) -> Tensor:
    return torch.stack(
        [torch.stack([torch.cat([table[r] for r in value]) for value in each]) for each in rows]
    )


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
