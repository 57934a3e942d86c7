"""Checks of notebook 08: encoding a column, decoding it, and a broken line."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks import _encoding
from course_utils.checks._answers import judge


def check_encode_column(encode: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`encode(x, edges)`: bounded piecewise linear encoding, (N,), (T + 1,) → (N, T)."""
    judge(
        encode,
        _column(_encoding.right),
        cases=[
            (
                {
                    "x": torch.tensor([5.0, 2.5, 9.0, -2.0, 6.0]),
                    "edges": torch.tensor([1.0, 2.0, 4.0, 8.0]),
                },
                "1 in the bins that x has passed, 0 in those that it has not reached, and in its "
                "own bin the share that it has passed",
            ),
            (
                {"x": torch.tensor([-1.5, -1.0, 0.0]), "edges": torch.tensor([-2.0, -1.0, 3.0])},
                "at an edge the bin before is full and the bin after is empty; edges may be "
                "negative",
            ),
        ],
        mistakes=[
            *((_column(wrong), told) for wrong, told in _encoding.MISTAKES),
            (
                lambda x, edges: _column(_encoding.right)(x, edges).T,
                "one row for each number, one column for each bin: (N, T)",
            ),
            (
                lambda x, edges: _column(_encoding.right)(x, edges).sum(dim=1),
                "one number for each bin: keep them apart",
            ),
        ],
    )


def _column(code: _encoding.Code) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda x, edges: torch.tensor([code(number, edges.tolist()) for number in x.tolist()])


def check_decode(decode: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`decode(codes, edges)`: the inverse of the bounded encoding."""
    start = "start at the first edge: where all bins are empty, x is there, and it need not be 0"
    width = "a full bin is worth its width, and a part of it that part of the width"
    cases = []
    for edges, x, hint in [
        ([2.0, 3.0, 5.0, 9.0], [2.25, 4.0, 8.0, 9.0], f"{start}; {width}"),
        ([-4.0, -1.0, 6.0], [-4.0, -2.0, 1.0], f"{start}; {width}"),
    ]:
        codes = torch.tensor([_encoding.right(number, edges) for number in x])
        cases.append(({"codes": codes, "edges": torch.tensor(edges)}, hint))
    judge(
        decode,
        _decode,
        cases,
        mistakes=[
            (lambda codes, edges: (codes * edges.diff()).sum(dim=1), start),
            (lambda codes, edges: edges[0] + codes.sum(dim=1), f"bins differ in width: {width}"),
            (lambda codes, edges: codes.sum(dim=1), f"{start}; {width}"),
            (
                lambda codes, edges: (codes * edges[1:]).sum(dim=1),
                f"the edges themselves are too much: {width}",
            ),
            (
                lambda codes, edges: (codes * edges[:-1]).sum(dim=1),
                f"the edges themselves are too much: {width}",
            ),
            (
                lambda codes, edges: edges[0] + (codes * edges[1:]).sum(dim=1),
                f"the edges themselves are too much: {width}",
            ),
            (
                lambda codes, edges: (edges[:-1] + codes * edges.diff()).sum(dim=1),
                "the first edge is the start once, not that of every bin",
            ),
            (
                lambda codes, edges: edges[1] + (codes * edges.diff()).sum(dim=1),
                f"start at the first edge, edges[0]: {width}",
            ),
            (
                lambda codes, edges: (codes * edges.diff()).sum(dim=1) - edges[0],
                "the first edge is added, not taken away",
            ),
            (
                lambda codes, edges: edges[-1] - (codes * edges.diff()).sum(dim=1),
                "the walk starts at the first edge and goes up",
            ),
            (
                lambda codes, edges: edges[0] + (codes * edges.diff()).mean(dim=1),
                "what the bins are worth is added up, not averaged",
            ),
            (
                lambda codes, edges: edges[(codes >= 1).sum(dim=1)],
                "this is the edge below x: add the part of the bin that x has passed",
            ),
            (
                lambda codes, edges: edges[0] + codes.mean(dim=1) * (edges[-1] - edges[0]),
                f"bins differ in width: {width}",
            ),
            (
                lambda codes, edges: edges[0] + codes * edges.diff(),
                "one number for each row: add up what the bins are worth",
            ),
            (
                lambda codes, edges: codes * edges.diff(),
                f"one number for each row: add up what the bins are worth; {start}",
            ),
            (
                lambda codes, edges: edges[0] + (codes * edges.diff()).sum(dim=0),
                "one number for each row: sum over the bins, not over the rows",
            ),
            (
                lambda codes, edges: edges[0] + (codes * edges.diff()).sum(),
                "one number for each row: sum over the bins, not over the rows",
            ),
            (
                lambda codes, edges: _decode(codes, edges)[:, None],
                "one number for each row, (N,), not a column (N, 1)",
            ),
        ],
    )


def _decode(codes: Tensor, edges: Tensor) -> Tensor:
    """Walk from the first edge through the bins."""
    x = edges[0].repeat(len(codes))
    for code, width in zip(codes.T, edges.diff(), strict=True):
        x = x + code * width
    return x


def check_broken_line(line: Callable[[Tensor], tuple[Tensor, Tensor]]) -> None:
    """`line(heights)`: bias and weights on the code that draw the broken line."""
    bias = "at the first edge all bins are empty: only the bias is left"
    rise = "a full bin adds its weight to the line: how much does the line rise across that bin?"
    judge(
        line,
        lambda heights: (heights[0], heights[1:] - heights[:-1]),
        cases=[
            ({"heights": torch.tensor([1.0, 2.5, -1.0, 0.5])}, (bias, rise)),
            ({"heights": torch.tensor([3.0, 3.0])}, (bias, rise)),
        ],
        mistakes=[
            (lambda heights: (heights[0], heights[1:]), f"the weight is not the height: {rise}"),
            (lambda heights: (0.0, heights[1:]), f"{bias}; the weight is not the height: {rise}"),
            (lambda heights: (0.0, heights.diff()), bias),
            (lambda heights: (heights[-1], heights.diff()), bias),
            (lambda heights: (heights.mean(), heights.diff()), bias),
            (
                lambda heights: (heights[0], heights[1:] - heights[0]),
                "earlier bins are full too and have added theirs: only the rise across this bin",
            ),
            (
                lambda heights: (heights[0], -heights.diff()),
                "the sign is turned: a line that rises has a positive weight",
            ),
            (
                lambda heights: (heights[0], heights.diff().abs()),
                "a line that falls has a negative weight",
            ),
            (
                lambda heights: (heights[0], heights.diff().cumsum(0)),
                "earlier bins are full too and have added theirs: only the rise across this bin",
            ),
            (
                lambda heights: (heights.diff(), heights[0]),
                "return the bias first, then the weights",
            ),
            (
                lambda heights: (heights[0], (heights[1:] + heights[:-1]) / 2),
                f"this is the middle of the two heights: {rise}",
            ),
            (
                lambda heights: (heights[0], heights.diff() / heights[:-1]),
                "a rise is a difference; it is not divided by the height",
            ),
            (
                lambda heights: (
                    heights[0],
                    torch.cat([heights.diff()[:1], heights.diff().diff()]),
                ),
                "these are changes of the slope, as kinks need them; a bin needs its own rise",
            ),
            (lambda heights: (heights[0], heights), "one weight for each bin: T, not T + 1"),
        ],
        parts=("bias", "weights"),
    )
