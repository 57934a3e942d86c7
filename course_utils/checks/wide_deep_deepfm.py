"""Checks of notebook 06: a column of DLRM, a product made of ReLUs, rows against collisions."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from course_utils.checks._answers import drawn, judge


def check_product_column(column: Callable[[int, int], int]) -> None:
    """`column(i, j)`: where DLRM's products (1, 0), (2, 0), (2, 1), (3, 0), … hold i times j."""
    larger = "the larger of the two numbers says which row of the triangle it is, in either order"
    before = "row i of the triangle has i entries: how many stand before it?"
    judge(
        column,
        lambda i, j: sum(range(max(i, j))) + min(i, j),
        cases=[
            ({"i": 2, "j": 5}, f"{before} {larger}"),
            ({"i": 5, "j": 2}, larger),
            ({"i": 1, "j": 0}, "the first product of all: column 0"),
            ({"i": 0, "j": 3}, "(1, 0), (2, 0), (2, 1) stand before (3, 0)"),
            ({"i": 40, "j": 39}, before),
        ],
        mistakes=[
            (lambda i, j: i * (i - 1) // 2 + j, larger),
            (lambda i, j: j * (j - 1) // 2 + i + 1, "columns are counted from 0"),
            (
                lambda i, j: max(i, j) * (max(i, j) - 1) // 2 + min(i, j) + 1,
                "columns are counted from 0",
            ),
            (
                lambda i, j: max(i, j) * (max(i, j) + 1) // 2 + min(i, j),
                "the diagonal is not there: no vector is multiplied by itself",
            ),
            (
                lambda i, j: max(i, j) * (max(i, j) - 1) + min(i, j),
                "1 + 2 + … + (i − 1) is half of i (i − 1)",
            ),
            (
                lambda i, j: max(i, j) * (max(i, j) - 1) // 2,
                "this is where the row begins: walk on to the other number",
            ),
            (
                lambda i, j: max(i, j) ** 2 + min(i, j),
                "only the triangle below the diagonal is kept, not the whole square",
            ),
            (lambda i, j: i + j, "(3, 0) and (2, 1) have the same sum, and columns of their own"),
            (
                lambda i, j: max(i, j) * (max(i, j) - 1) // 2 + max(i, j) - min(i, j) - 1,
                "a row begins with vector 0: (2, 0) stands before (2, 1)",
            ),
        ],
    )


def check_relu_product(product: Callable[[Tensor, Tensor, int], Tensor]) -> None:
    """`product(x, y, n)`: (square(x + y) − square(x − y)) / 4 with squares of n straight pieces."""
    knots = "n pieces have n + 1 knots, equally far apart, from −2 to 2"
    slopes = "the slope of (t, t²) grows by twice the distance of the knots at every inner knot"
    quarter = "(x + y)² − (x − y)² = 4 x y: divide by 4"
    judge(
        product,
        lambda x, y, n: (_square(x + y, n) - _square(x - y, n)) / 4,
        cases=[
            (
                {
                    "x": torch.tensor([0.7, -0.9, 0.35, 0.8]),
                    "y": torch.tensor([0.6, 0.5, -0.8, 0.9]),
                    "n": 5,
                },
                f"{knots}; {slopes}",
            ),
            ({"x": drawn(6) / 3, "y": drawn(6, seed=1) / 3, "n": 16}, slopes),
            (
                {"x": torch.tensor([1.0, -0.5]), "y": torch.tensor([0.0, 0.0]), "n": 2},
                "a product with 0 is 0, however coarse the line: both squares are the same",
            ),
        ],
        mistakes=[
            (
                lambda x, y, n: x * y,
                "this multiplies: a network of ReLUs cannot, it has straight pieces only",
            ),
            (lambda x, y, n: _square(x + y, n) - _square(x - y, n), quarter),
            (lambda x, y, n: (_square(x + y, n) - _square(x - y, n)) / 2, quarter),
            (
                lambda x, y, n: (_square(x - y, n) - _square(x + y, n)) / 4,
                "the sign is turned: (x + y)² comes first",
            ),
            (
                lambda x, y, n: (_square(x + y, n) + _square(x - y, n)) / 4,
                "the second square is taken away: x² and y² must cancel",
            ),
            (
                lambda x, y, n: _square(x + y, n) / 4,
                "take (x − y)² away: x² and y² are still in it",
            ),
            (
                lambda x, y, n: (_square(x + y, n) - _square(x, n) - _square(y, n)) / 2,
                "a product too, but the one that is asked is made of x + y and x − y",
            ),
            (
                lambda x, y, n: (_square(x + y, n + 1) - _square(x - y, n + 1)) / 4,
                f"{knots}: here is one piece too many",
            ),
            (
                lambda x, y, n: (_square(x + y, n - 1) - _square(x - y, n - 1)) / 4,
                f"{knots}: here is one piece too few",
            ),
            (
                lambda x, y, n: (_square(x + y, n, 1.0) - _square(x - y, n, 1.0)) / 4,
                "x + y reaches from −2 to 2: these knots end at −1 and 1",
            ),
            (
                lambda x, y, n: (_relus(x + y, n, 1, True) - _relus(x - y, n, 1, True)) / 4,
                slopes,
            ),
            (
                lambda x, y, n: (_relus(x + y, n, 2, False) - _relus(x - y, n, 2, False)) / 4,
                "the line starts at (−2, 4) and falls: what is the slope of its first piece?",
            ),
        ],
        tolerance=1e-4,
    )


def _square(z: Tensor, n: int, end: float = 2.0) -> Tensor:
    """The broken line through (t, t²) at n + 1 knots from −end to end."""
    knots = np.linspace(-end, end, n + 1)
    return torch.from_numpy(np.interp(z.cpu().double().numpy(), knots, knots**2))


def _relus(z: Tensor, n: int, growth: float, falls: bool) -> Tensor:
    """A sum of ReLUs at the knots; the slope grows by `growth` distances of them at each."""
    step = 4 / n
    slopes = torch.full((n,), growth * step, dtype=torch.float64)
    slopes[0] = step - 4 if falls else growth * step
    knots = -2 + step * torch.arange(n, dtype=torch.float64)
    return 4 + torch.relu(z.cpu().double()[:, None] - knots) @ slopes


def check_rows_needed(rows: Callable[[int, float], int]) -> None:
    """`rows(n_pairs, share)`: fewest rows of which at most this share is expected to be taken."""
    miss = "a row stays untrained if all pairs miss it: multiply their chances, 1 − 1 / rows each"
    whole = "rows come whole, and one too few is not enough: round up"
    judge(
        rows,
        lambda n, q: math.ceil(1 / -math.expm1(math.log1p(-q) / n)),
        cases=[
            ({"n_pairs": 5, "share": 0.3}, miss),
            ({"n_pairs": 1, "share": 0.3}, "one pair takes one row: at most 3 of 10 means 4 rows"),
            ({"n_pairs": 100, "share": 0.9}, miss),
            ({"n_pairs": 150_000, "share": 0.01}, miss),
        ],
        mistakes=[
            (lambda n, q: _rows(n, q), whole),
            (lambda n, q: math.floor(_rows(n, q)), whole),
            (
                lambda n, q: math.ceil(n / q),
                f"trained pairs share rows with each other too; {miss}",
            ),
            (lambda n, q: n / q, f"trained pairs share rows with each other too; {miss}"),
            (
                lambda n, q: math.ceil(_rows(n, 1 - q)),
                "the share is of rows that *are* trained; the chance to miss is the rest",
            ),
            (
                lambda n, q: math.ceil(1 / q),
                f"this is one pair; {miss}",
            ),
            (
                lambda n, q: math.ceil(n * (n - 1) / 2 / q),
                "whether two trained pairs meet is not asked: a new pair must miss all of them",
            ),
            (
                lambda n, q: -(n / math.log1p(-q)),
                f"this is the limit for many pairs; {whole}",
            ),
            (lambda n, q: n * q, "more rows, fewer collisions: the share belongs below"),
        ],
    )


def _rows(n: int, q: float) -> float:
    """The number of rows, not yet whole, of which n pairs leave 1 − q alone."""
    return 1 / -math.expm1(math.log1p(-q) / n)
