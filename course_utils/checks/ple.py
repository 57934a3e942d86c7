"""TODO."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks._answers import close, done
from course_utils.models.ranking.ple import PiecewiseLinearEncoding


def check_encode_column(encode: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`encode(x, edges)`: bounded piecewise linear encoding, (N,), (T + 1,) → (N, T)."""
    edges = torch.tensor([0.0, 1.0, 3.0, 7.0])
    reference = PiecewiseLinearEncoding([edges], bounded=True)
    for x, hint in [
        ([5.0, 0.5], "5 has passed two bins and half of the third; divide by the bin's own width"),
        ([9.0], "beyond the last edge every bin is full: cut off at 1"),
        ([-2.0], "below the first edge every bin is empty: cut off at 0"),
    ]:
        column = torch.tensor(x)
        close(encode(column, edges), reference(column[:, None]), hint)
    done()


def check_decode(decode: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`decode(codes, edges)`: the inverse of the bounded encoding."""
    for edges, hint in [
        (torch.tensor([0.0, 1.0, 3.0, 7.0]), "a full bin is worth its width: sum code × width"),
        (torch.tensor([2.0, 3.0, 7.0]), "start at the first edge: it need not be 0"),
    ]:
        x = torch.linspace(edges[0], edges[-1], 20)
        codes = PiecewiseLinearEncoding([edges], bounded=True)(x[:, None])
        close(decode(codes, edges), x, hint)
    done()


def check_broken_line(line: Callable[[Tensor], tuple[Tensor, Tensor]]) -> None:
    """`line(heights)`: bias and weights on the code that draw the broken line."""
    edges, heights = torch.tensor([0.0, 1.0, 3.0, 7.0]), torch.tensor([1.0, 2.0, -1.0, 0.5])
    bias, weights = line(heights)
    codes = PiecewiseLinearEncoding([edges], bounded=True)(edges[:, None])
    close(bias, heights[0], "at the first edge all bins are empty: only the bias is left")
    close(
        codes @ weights + bias,
        heights,
        "a bin that is full adds its weight: the weight is the rise across the bin, not the height",
    )
    done()
