"""TODO."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from course_utils.checks._answers import close, done, require


def check_hill(hill: Callable[[Tensor, float, float, float], Tensor]) -> None:
    """`hill(x, left, top, right)`: 0, up to 1 at the top, down to 0, made of three kinks."""
    for at, value, hint in [
        ([-3.0, 1.0], [0.0, 0.0], "left of the hill all kinks are silent: the value is 0"),
        ([2.0, 3.0], [0.5, 1.0], "the first kink rises with slope 1 / (top − left)"),
        (
            [5.0, 7.0],
            [0.5, 0.0],
            "the second kink must undo the rise *and* go down: its slope is the sum of both",
        ),
        ([9.0, 100.0], [0.0, 0.0], "the third kink stops the fall: right of the hill all is 0"),
    ]:
        close(hill(torch.tensor(at), 1.0, 3.0, 7.0), torch.tensor(value), hint)
    done()


def check_power_law(power_law: Callable[[Tensor, Tensor], tuple[float, float]]) -> None:
    """`power_law(n, gap)`: a and b of gap = a · n^(−b), by least squares on the logarithms."""
    n = torch.tensor([1e3, 1e4, 1e5])
    a, b = power_law(n, 2.0 * n**-0.5)
    close(b, 0.5, "the slope of log gap over log n is −b: mind the sign", 1e-3)
    close(a, 2.0, "the intercept is log a: take it back with exp", 1e-3)
    gap = torch.tensor([0.2, 0.02, 0.01])
    slope, intercept = np.polyfit(np.log(n.numpy()), np.log(gap.numpy()), 1)
    a, b = power_law(n, gap)
    close(b, -slope, "least squares over all points, not a line through two of them", 1e-3)
    close(a, np.exp(intercept), "the line goes through the means of both logarithms", 1e-2)
    done()


def check_prepare(prepare: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`prepare(train, new)`: standardised by `train`, cut at ±3, unknowns as 0 and a flag."""
    nan = float("nan")
    train = torch.tensor([[0.0, 5.0], [2.0, nan], [4.0, 9.0]])
    found = prepare(train, torch.tensor([[2.0, 7.0]]))
    require(found.shape == (1, 4), "return the D numbers and, beside them, D flags: (B, 2 · D)")
    close(
        found,
        torch.zeros(1, 4),
        "the mean of the *training* rows, unknown ones left out, becomes 0",
    )
    unit = train[:, 0].std(correction=0).item()
    close(
        prepare(train, torch.tensor([[2 + unit, 7.0]]))[0, 0],
        1.0,
        "one standard deviation of the training rows above their mean is 1",
        0.3,
    )
    close(
        prepare(train, torch.tensor([[1e9, -1e9]])),
        torch.tensor([[3.0, -3.0, 0.0, 0.0]]),
        "an outlier is cut at three standard deviations",
    )
    close(
        prepare(train, torch.tensor([[nan, 7.0]])),
        torch.tensor([[0.0, 0.0, 1.0, 0.0]]),
        "an unknown value is 0, and its flag is 1",
    )
    done()
