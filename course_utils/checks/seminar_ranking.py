"""TODO."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks._answers import close, done
from course_utils.models.ranking.dcn_v2 import CrossNetwork
from course_utils.models.ranking.ple import PiecewiseLinearEncoding


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
        close(encode(x, edges), reference(torch.tensor([[x]]))[0], hint)
    done()


def check_cross_layer(layer: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> None:
    """`layer(x0, x, W, b)`: one cross layer of DCN-v2."""
    torch.manual_seed(0)
    x0, x = torch.randn(4, 3), torch.randn(4, 3)
    reference = CrossNetwork(3, n_layers=1)
    weight, bias = reference.weights[0].weight.detach(), reference.weights[0].bias.detach()
    expected = x0 * (x @ weight.T + bias) + x
    zero = torch.zeros_like(weight)
    close(
        layer(x0, x, zero, torch.zeros(3)),
        x,
        "with W = 0 and b = 0 the layer must pass x through: do not forget “+ x”",
    )
    first = layer(x0, x, zero, torch.ones(3))
    close(first, x0 + x, "the product is with the *input* x₀, and the bias is inside of it")
    close(layer(x0, x, weight, bias), expected, "compute x₀ ⊙ (W x + b) + x; is W transposed?")
    done()


def check_collisions(count: Callable[[Tensor, Tensor], int]) -> None:
    """`count(first, second)`: pairs of values that collide under both hashes."""
    close(count(torch.tensor([0, 0, 1]), torch.tensor([2, 2, 2])), 1, "only values 0 and 1 do")
    close(
        count(torch.tensor([0, 0, 1]), torch.tensor([1, 2, 1])),
        0,
        "a pair counts only if it collides under the first hash *and* under the second",
    )
    close(
        count(torch.tensor([3, 3, 3, 3]), torch.tensor([5, 5, 5, 5])),
        6,
        "four values in one row make 4·3/2 = 6 pairs; count pairs, not values, and each once",
    )
    done()
