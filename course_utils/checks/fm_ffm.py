"""TODO."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks._answers import close, done
from course_utils.models.ranking.fm_ffm import pairwise_products


def check_fm_pairs(pairs: Callable[[Tensor], Tensor]) -> None:
    """`pairs(v)`: the sum over i < j of the inner products of the rows of v (n, d)."""
    one = torch.tensor([[1.0], [2.0], [3.0]])
    close(pairs(one[:1]), 0.0, "a single field has no pair: take the squares away")
    close(pairs(one), 11.0, "1·2 + 1·3 + 2·3 = 11; each pair counts once, so halve")
    torch.manual_seed(0)
    v = torch.randn(6, 4)
    close(
        pairs(v),
        pairwise_products(v.unsqueeze(0))[0],
        "sum over the fields first, square then, component by component; add components last",
        tolerance=1e-4,
    )
    done()


def check_fm_gradient(gradient: Callable[[Tensor], Tensor]) -> None:
    """`gradient(v)`: derivative of the sum over pairs with respect to v (n, d)."""
    torch.manual_seed(0)
    v = torch.randn(5, 3, requires_grad=True)
    pairwise_products(v.unsqueeze(0)).sum().backward()
    close(
        gradient(v.detach()),
        v.grad,
        "v_i meets every *other* vector once: the sum of all the others, without v_i itself",
    )
    done()


def check_ffm_pairs(pairs: Callable[[Tensor], Tensor]) -> None:
    """`pairs(v)`: the sum over i < j of ⟨v[i, j], v[j, i]⟩ for v (n, n, d)."""
    close(pairs(torch.ones(3, 3, 2)), 6.0, "three pairs of two ones each: 6; count a pair once")
    torch.manual_seed(0)
    v = torch.randn(4, 4, 3)
    expected = sum((v[i, j] * v[j, i]).sum() for i in range(4) for j in range(i + 1, 4))
    close(
        pairs(v),
        expected,
        "field i meets field j with v[i, j], and j answers with v[j, i]; v[i, i] is never used",
    )
    done()
