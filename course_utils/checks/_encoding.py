"""Piecewise linear encoding of one number, right and in the ways that go wrong."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

Code = Callable[[float, list[float]], list[float]]


def each_bin(value: Callable[[float, float, float], float]) -> Code:
    """The code whose numbers are `value(x, left, right)` of the bins."""
    return lambda x, edges: [float(value(x, left, right)) for left, right in pairwise(edges)]


def cut(share: float) -> float:
    """Cut off to [0, 1]."""
    return min(1.0, max(0.0, share))


right: Code = each_bin(lambda x, left, right: cut((x - left) / (right - left)))
"""Bounded piecewise linear encoding: Gorishniy et al. (2022), section 3.2, equation 1."""

_ABOVE = "beyond the right edge of a bin it is full: cut off at 1"
_BELOW = "before the left edge of a bin it is empty: cut off at 0"
_START = "a bin starts at its left edge: subtract that one"

MISTAKES: list[tuple[Code, str]] = [
    (
        each_bin(lambda x, left, right: cut(x - left)),
        "bins differ in width: divide by the bin's own width",
    ),
    (
        each_bin(lambda x, left, right: x - left),
        f"bins differ in width: divide by the bin's own width; {_ABOVE}; {_BELOW}",
    ),
    (each_bin(lambda x, left, right: max(0.0, (x - left) / (right - left))), _ABOVE),
    (each_bin(lambda x, left, right: min(1.0, (x - left) / (right - left))), _BELOW),
    (each_bin(lambda x, left, right: (x - left) / (right - left)), f"{_ABOVE}; {_BELOW}"),
    (
        lambda x, edges: each_bin(lambda x, left, right: (x - left) / (right - left))(
            min(max(x, edges[0]), edges[-1]), edges
        ),
        f"{_ABOVE}; {_BELOW}",
    ),
    (
        lambda x, edges: [cut((x - edges[0]) / (edges[-1] - edges[0]))] * (len(edges) - 1),
        "each bin has its own share: subtract its own left edge, divide by its own width",
    ),
    (
        each_bin(lambda x, left, right: (x - left) / (right - left) if left <= x < right else 0.0),
        "bins that x has passed stay full: 1, not 0",
    ),
    (
        each_bin(lambda x, left, right: x >= right),
        "the bin in which x lies is full by a share, not all or nothing",
    ),
    (
        each_bin(lambda x, left, right: x >= left),
        "the bin in which x lies is full by a share, not all or nothing",
    ),
    (
        each_bin(lambda x, left, right: left <= x < right),
        "this is the one-hot code: passed bins are full, and the bin of x is full by a share",
    ),
    (each_bin(lambda x, left, right: cut((x - right) / (right - left))), _START),
    (
        each_bin(lambda x, left, right: cut((right - x) / (right - left))),
        "this says how much of a bin is still empty",
    ),
    (
        each_bin(lambda x, left, right: cut((x - left) / right)),
        "divide by the bin's own width, not by its right edge",
    ),
    (
        lambda x, edges: [cut((x - left) / (edges[-1] - edges[0])) for left in edges[:-1]],
        "divide by the bin's own width, not by the width of all bins",
    ),
    (lambda x, edges: [cut(x / (b - a)) for a, b in pairwise(edges)], _START),
    (lambda x, edges: right(x, edges)[::-1], "the first number belongs to the first bin"),
    (
        lambda x, edges: [sum(right(x, edges)) / (len(edges) - 1)],
        "one number for each bin: keep them apart",
    ),
    (lambda x, edges: [sum(right(x, edges))], "one number for each bin: keep them apart"),
]
