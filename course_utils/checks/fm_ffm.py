"""Checks of notebook 05: the sums over pairs of FM and FFM, and FM's gradient."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import torch
from torch import Tensor

from course_utils.checks._answers import drawn, judge


def check_fm_pairs(pairs: Callable[[Tensor], Tensor]) -> None:
    """`pairs(v)`: the sum over i < j of the inner products of the rows of v (n, d)."""
    squares = "a field is no pair with itself: take the squares away"
    components = "sum over the fields and square component by component; add the components last"
    judge(
        pairs,
        lambda v: sum((v[i] @ v[j] for i, j in combinations(range(len(v)), 2)), torch.tensor(0.0)),
        cases=[
            ({"v": torch.tensor([[1.0, 3.0], [4.0, 1.0], [2.0, 7.0]])}, components),
            ({"v": torch.tensor([[1.0], [2.0], [3.0]])}, "1·2 + 1·3 + 2·3 = 11"),
            ({"v": torch.tensor([[4.0, 1.0]])}, "a single field has no pair: 0"),
            ({"v": drawn(6, 4)}, components),
        ],
        mistakes=[
            (lambda v: 0.5 * v.sum(dim=0).square().sum(), squares),
            (lambda v: v.sum(dim=0).square().sum(), f"{squares}; and each pair counts once"),
            (
                lambda v: 0.5 * (v.sum(dim=0).square() + v.square().sum(dim=0)).sum(),
                f"{squares}, do not add them",
            ),
            (
                lambda v: (v.sum(dim=0).square() - v.square().sum(dim=0)).sum(),
                "every pair is in it twice, as (i, j) and as (j, i): each counts once, so halve",
            ),
            (
                lambda v: 0.5 * (v.square().sum(dim=0) - v.sum(dim=0).square()).sum(),
                "the sign is turned: which is larger, the square of the sum or the sum of squares?",
            ),
            (lambda v: 0.5 * (v.sum().square() - v.square().sum()), components),
            (lambda v: v.sum().square() - v.square().sum(), components),
            (
                lambda v: 0.5 * (v.sum(dim=1).square() - v.square().sum(dim=1)).sum(),
                "the fields are the rows: sum over them, not over the components of one",
            ),
            (
                lambda v: 0.5 * (v.sum(dim=1).square() - v.square().sum(dim=1)),
                "the fields are the rows: sum over them, not over the components of one",
            ),
            (
                lambda v: 0.5 * (v.sum(dim=0).square() - v.square().sum(dim=0)),
                "one number for each component is left: add the components last",
            ),
            (
                lambda v: 0.5 * (v.sum(dim=0).square() - v.square().sum(dim=0)).mean(),
                "an inner product adds the components, it does not average them",
            ),
            (lambda v: v @ v.T, "these are all inner products; add up those of pairs i < j"),
            (
                lambda v: (v @ v.T).triu(diagonal=1),
                "these are the inner products of the pairs; add them up",
            ),
            (
                lambda v: v.prod(dim=0).sum(),
                "this multiplies all fields at once: a pair is of two, and the pairs are added",
            ),
            (
                lambda v: 0.5 * (v.sum(dim=0).square() - v.square().sum(dim=0)).sum().sqrt(),
                "no root at the end: the products themselves are added",
            ),
            (
                lambda v: 0.5 * (v.sum(dim=0) - v.square().sum(dim=0)).sum(),
                "the sum of the vectors is squared too, component by component",
            ),
            (
                lambda v: (0.5 * v.sum(dim=0).square() - v.square().sum(dim=0)).sum(),
                "the half belongs to both, the square of the sum and the sum of squares",
            ),
            (
                lambda v: (v.sum(dim=0).square() - 0.5 * v.square().sum(dim=0)).sum(),
                "the half belongs to both, the square of the sum and the sum of squares",
            ),
            (
                lambda v: (v[1:] * v[:-1]).sum(),
                "neighbours are not the only pairs: every field meets every other one",
            ),
        ],
        tolerance=1e-4,
    )


def check_fm_gradient(gradient: Callable[[Tensor], Tensor]) -> None:
    """`gradient(v)`: derivative of the sum over pairs with respect to v (n, d)."""
    own = "v_i meets every *other* vector: the sum is without v_i itself"
    once = "v_i meets every *other* vector once: is a factor 2 or ½ left over?"
    judge(
        gradient,
        _gradient,
        cases=[
            ({"v": torch.tensor([[1.0, 2.0], [3.0, 1.0], [2.0, 5.0], [1.0, 4.0]])}, own),
            ({"v": torch.tensor([[4.0, 1.0]])}, "a single vector meets nobody: 0"),
            ({"v": drawn(5, 3)}, own),
        ],
        mistakes=[
            (lambda v: v.sum(dim=0).expand_as(v), own),
            (lambda v: v.sum(dim=0), f"one row for each vector, (n, d); {own}"),
            (lambda v: v.sum(dim=0) + v, own),
            (lambda v: 0.5 * (v.sum(dim=0) - v), once),
            (lambda v: 2 * (v.sum(dim=0) - v), once),
            (lambda v: 0.5 * v.sum(dim=0).expand_as(v), f"{own}; {once}"),
            (lambda v: v.sum(dim=0) - 2 * v, "the derivative of ½ v² is v: taken away twice here"),
            (lambda v: v.sum(dim=0) - 0.5 * v, "the derivative of ½ v² is v, not ½ v"),
            (lambda v: v - v.sum(dim=0), "the sign is turned: a larger partner, a larger slope"),
            (
                lambda v: v.sum(dim=1, keepdim=True) - v,
                "sum over the fields (the rows), not over the components of one",
            ),
            (
                lambda v: v.flip(0).cumsum(0).flip(0) - v,
                "v_i meets the vectors before it as well: each pair holds both",
            ),
            (
                lambda v: v.cumsum(0) - v,
                "v_i meets the vectors after it as well: each pair holds both",
            ),
            (
                lambda v: v.roll(1, 0) + v.roll(-1, 0),
                "v_i meets every other vector, not its neighbours alone",
            ),
            (
                lambda v: v @ v.T,
                "the derivative of ⟨v_i, v_j⟩ with respect to v_i is the vector v_j, not a number",
            ),
            (lambda v: (len(v) - 1) * v, "the slope of v_i is made of the others, not of v_i"),
            (lambda v: v, "the slope of v_i is made of the others, not of v_i"),
            (lambda v: v.mean(dim=0) - v, "the others are added up, not averaged"),
            (
                lambda v: (v.sum(dim=0) - v) / max(len(v) - 1, 1),
                "the others are added up, not averaged",
            ),
            (
                lambda v: (v.sum(dim=0) - v).sum(dim=1),
                "the gradient has the shape of v: one number for each component",
            ),
        ],
    )


def _gradient(v: Tensor) -> Tensor:
    """Of v_i: the vectors of all others, one after the other."""
    others = [[w for j, w in enumerate(v) if j != i] for i in range(len(v))]
    return torch.stack([sum(rest, torch.zeros(v.shape[1])) for rest in others])


def check_ffm_pairs(pairs: Callable[[Tensor], Tensor]) -> None:
    """`pairs(v)`: the sum over i < j of ⟨v[i, j], v[j, i]⟩ for v (n, n, d)."""
    answers = "field i meets field j with v[i, j], and j answers with v[j, i]"
    alone = "v[i, i] is never used: a field is no pair with itself"
    once = "every pair is in it twice, as (i, j) and as (j, i): count a pair once"
    judge(
        pairs,
        lambda v: _over_pairs(v, lambda i, j: (v[i, j] * v[j, i]).sum()),
        cases=[
            ({"v": drawn(4, 4, 3)}, f"{answers}; {alone}; each pair once"),
            ({"v": torch.ones(3, 3, 2)}, "three pairs of two ones each: 6"),
            ({"v": torch.ones(1, 1, 2)}, "a single field has no pair: 0"),
        ],
        mistakes=[
            (lambda v: 0.5 * (v * v.transpose(0, 1)).sum(), alone),
            (lambda v: (v * v.transpose(0, 1)).sum(), f"{alone}; and {once}"),
            (lambda v: _over_pairs(v, lambda i, j: (v[i, j] * v[j, i]).sum(), ordered=True), once),
            (
                lambda v: (
                    _over_pairs(v, lambda i, j: (v[i, j] * v[j, i]).sum())
                    + v.diagonal(dim1=0, dim2=1).square().sum()
                ),
                alone,
            ),
            (lambda v: _over_pairs(v, lambda i, j: v[i, j].square().sum()), answers),
            (lambda v: _over_pairs(v, lambda i, j: v[j, i].square().sum()), answers),
            (lambda v: 0.5 * v.square().sum(), answers),
            (
                lambda v: _over_pairs(v, lambda i, j: (v[i, i] * v[j, j]).sum()),
                f"{alone}; {answers}",
            ),
            (
                lambda v: _over_pairs(v, lambda i, j: (v[i, j] * v[j, j]).sum()),
                f"{alone}; {answers}",
            ),
            (
                lambda v: (
                    0.5 * (v * v.transpose(0, 1)).sum() - v.diagonal(dim1=0, dim2=1).square().sum()
                ),
                "each pair once and no v[i, i]: the half belongs to the diagonal as well",
            ),
            (
                lambda v: sum(
                    (v[i, i + 1] @ v[i + 1, i] for i in range(len(v) - 1)), v.new_zeros(())
                ),
                "neighbours are not the only pairs: every field meets every other one",
            ),
            (
                lambda v: _over_pairs(v, lambda i, j: (v[i] * v[j]).sum()),
                "this multiplies all vectors of i with all of j: a pair uses one of each",
            ),
            (
                lambda v: _over_pairs(v, lambda i, j: v[i, j].sum() * v[j, i].sum()),
                "multiply component by component, then add",
            ),
            (
                lambda v: _over_pairs(v, lambda i, j: v[i, j] * v[j, i]),
                "an inner product adds the components: one number is wanted",
            ),
            (
                lambda v: (v * v.transpose(0, 1)).triu(diagonal=1).sum(),
                "`triu` looks at the last two axes, (n, d): add up the components before it",
            ),
            (
                lambda v: (v * v.transpose(0, 1)).sum(dim=2),
                "these are the products of all i and j; add up those of pairs i < j",
            ),
            (
                lambda v: (v * v.transpose(0, 1)).sum(dim=2).triu(diagonal=1),
                "these are the products of the pairs; add them up",
            ),
        ],
        tolerance=1e-4,
    )


def _over_pairs(v: Tensor, product: Callable[[int, int], Tensor], ordered: bool = False) -> Tensor:
    pairs = list(combinations(range(len(v)), 2))
    pairs += [(j, i) for i, j in pairs] if ordered else []
    return sum((product(i, j) for i, j in pairs), torch.tensor(0.0))
