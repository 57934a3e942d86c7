"""Checks of notebook 18: a draw of listeners, a fair width, pairs that collide twice."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import torch
from torch import Tensor

from course_utils.checks._answers import judge


def check_row_weights(weigh: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`weigh(listeners, drawn)`: how often each row counts when these listeners were drawn."""
    twice = "a listener who was drawn twice brings all rows twice"
    judge(
        weigh,
        lambda listeners, drawn: torch.tensor(
            [float(drawn.tolist().count(one)) for one in listeners.tolist()]
        ),
        cases=[
            (
                {
                    "listeners": torch.tensor([7, 7, 7, 2, 2, 9, 5, 7]),
                    "drawn": torch.tensor([7, 2, 7, 9, 7]),
                },
                f"count, for each row, how often its listener was drawn; {twice}",
            ),
            (
                {"listeners": torch.tensor([3, 1, 3, 1]), "drawn": torch.tensor([3, 3])},
                "a listener who was not drawn has the weight 0 in every row",
            ),
            (
                {"listeners": torch.tensor([1, 0, 2]), "drawn": torch.tensor([2, 2, 2, 0])},
                "rows need not be sorted by listener, and a listener may have the number 0",
            ),
            (
                {"listeners": torch.tensor([1, 5, 5]), "drawn": torch.tensor([3, 5])},
                "a drawn listener without any row counts for nobody else",
            ),
        ],
        mistakes=[
            (lambda listeners, drawn: torch.isin(listeners, drawn), twice),
            (
                lambda listeners, drawn: _times(listeners, drawn) / len(drawn),
                "these are shares of the draw: leave them as counts, a row drawn twice weighs 2",
            ),
            (
                lambda listeners, drawn: (
                    _times(listeners, drawn) / _times(listeners, listeners).clamp(min=1)
                ),
                "a listener with more rows has more weight in all: each row counts in full",
            ),
            (
                lambda listeners, drawn: _times(listeners, drawn) * _times(listeners, listeners),
                "how many rows a listener has must not be counted again in each row",
            ),
            (
                lambda listeners, drawn: _times(listeners, listeners),
                "this counts the rows of each listener: count how often the listener was drawn",
            ),
            (
                lambda listeners, drawn: _times(drawn, listeners),
                "one weight for each row of the log, not for each listener of the draw",
            ),
            (
                lambda listeners, drawn: _times(drawn, drawn),
                "one weight for each row of the log, not for each listener of the draw",
            ),
            (
                lambda listeners, drawn: _times(torch.arange(len(listeners)), drawn),
                "what was drawn are listeners, not numbers of rows",
            ),
        ],
    )


def _times(rows: Tensor, drawn: Tensor) -> Tensor:
    """(N,) how often the value of each row is in `drawn`."""
    return (rows.unsqueeze(1) == drawn).sum(dim=1).float()


def check_fair_width(width: Callable[[int, int, int, int], int]) -> None:
    """`width(d, n_layers, hidden, last)`: of an MLP alone with no fewer parameters than both."""
    fewer = "try your width: has the MLP alone as many parameters as both, and one less too few?"
    judge(
        width,
        lambda d, n, h, m: _smallest(d, m, _cross(d, n) + _deep(d, h, m) + d),
        cases=[
            ({"d": 144, "n_layers": 6, "hidden": 192, "last": 48}, fewer),
            ({"d": 10, "n_layers": 1, "hidden": 8, "last": 4}, fewer),
            ({"d": 64, "n_layers": 5, "hidden": 16, "last": 32}, fewer),
            (
                {"d": 2, "n_layers": 1, "hidden": 3, "last": 1},
                f"the width is a whole number, rounded up; {fewer}",
            ),
            ({"d": 30, "n_layers": 0, "hidden": 20, "last": 10}, "no layers, no cross matrices"),
        ],
        mistakes=[
            (
                lambda d, n, h, m: _smallest(d, m, n * d * d + _deep(d, h, m) + d),
                "a cross layer has a bias, too: d² + d numbers",
            ),
            (
                lambda d, n, h, m: _smallest(d, m, _cross(d, n) + _deep(d, h, m)),
                "the last linear layer reads the d outputs of the cross network, too",
            ),
            (
                lambda d, n, h, m: _smallest(d, m, n * d * d + _deep(d, h, m)),
                "count the biases of the cross layers, and the d weights with which the last "
                "linear layer reads the cross network",
            ),
            (
                lambda d, n, h, m: _smallest(d, m, _cross(d, 1) + _deep(d, h, m) + d),
                "there are n_layers cross layers, each with a matrix of its own",
            ),
            (
                lambda d, n, h, m: _smallest(d, m, _cross(d, n) + _deep(d, h, m) + d) - 1,
                "one too narrow: round up, so that the MLP alone has no fewer parameters",
            ),
            (
                lambda d, n, h, m: _smallest(d, m, _cross(d, n) + _deep(d, h, m) + d) + 1,
                "one too wide: the smallest width that is enough is wanted (and the MLP alone has "
                "the `last` biases of its second layer in any case)",
            ),
            (
                lambda d, n, h, m: -(-(_cross(d, n) + h * (d + 1) + d) // (d + 1)),
                "a wider first layer makes the second one larger, too: it reads more numbers",
            ),
            (
                lambda d, n, h, m: h + -(-(_cross(d, n) + d) // (d + 1)),
                "a wider first layer makes the second one larger, too: it reads more numbers",
            ),
            (
                lambda d, n, h, m: _smallest(d, m, _cross(d, n) + d),
                "the new MLP stands for both: count the parameters of the old MLP, too",
            ),
            (
                lambda d, n, h, m: _cross(d, n) + _deep(d, h, m) + d,
                "this is the number of parameters: which width has as many?",
            ),
            (
                lambda d, n, h, m: (_cross(d, n) + _deep(d, h, m) + d - m) / (d + 1 + m),
                "the width is a whole number, rounded up",
            ),
        ],
    )


def _cross(d: int, n_layers: int) -> int:
    """Parameters of a cross network."""
    return n_layers * (d * d + d)


def _deep(d: int, hidden: int, last: int) -> int:
    """Parameters of an MLP of two layers."""
    return hidden * (d + 1) + last * (hidden + 1)


def _smallest(d: int, last: int, wanted: int) -> int:
    """The smallest width of the first layer at which the MLP has as many parameters as wanted."""
    return -(-(wanted - last) // (d + 1 + last))


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
