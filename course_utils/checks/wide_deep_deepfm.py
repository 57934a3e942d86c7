"""TODO."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks._answers import close, done, require
from course_utils.models.ranking.fm_ffm import pairwise_products


def check_pair_products(products: Callable[[Tensor], Tensor]) -> None:
    """`products(vectors)`: dot products of all pairs, (B, n, d) → (B, n (n − 1) / 2)."""
    torch.manual_seed(0)
    v = torch.randn(3, 4, 2)
    pairs = [(i, j) for i in range(4) for j in range(i)]
    expected = torch.stack([(v[:, i] * v[:, j]).sum(dim=1) for i, j in pairs], dim=1)
    found = products(v)
    require(
        found.shape != (3, 4, 4) and found.numel() == expected.numel(),
        "each pair once and no vector with itself: n (n − 1) / 2 = 6 numbers for 4 vectors",
    )
    close(found, expected, "the order is (1, 0), (2, 0), (2, 1), (3, 0), …: row by row")
    done()


def check_deepfm_logit(logit: Callable) -> None:
    """`logit(fields, linear, mlp)`: linear + pairs + MLP."""
    torch.manual_seed(0)
    fields, linear = torch.randn(5, 3, 2), torch.randn(5)
    pairs = pairwise_products(fields)

    def mlp(x: Tensor) -> Tensor:
        require(x.shape == (5, 6), f"the MLP takes (B, n · d) = (5, 6), it got {tuple(x.shape)}")
        return x.square().sum(dim=1)

    deep = mlp(fields.flatten(1))
    nothing = logit(fields, linear, lambda x: torch.zeros(len(x)))
    close(nothing, linear + pairs, "without the MLP linear part and pairs are left; each pair once")
    close(logit(fields, linear, mlp), linear + pairs + deep, "add the three parts, nothing else")
    done()


def check_cross_key(key: Callable[[Tensor, Tensor, int], Tensor]) -> None:
    """`key(a, b, n_b)`: different integers for different pairs."""
    a, b = torch.cartesian_prod(torch.arange(7), torch.arange(5)).T
    keys = key(a, b, 5)
    require(not keys.is_floating_point(), "a key is an integer")
    require(
        len(keys.unique()) == 35,
        "two pairs share a key: moving on by one in a must skip over all values of b",
    )
    done()
