"""Checks of notebook 05: scoring a catalogue with an FM, FM's gradient, sums over triples."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import torch
from torch import Tensor

from course_utils.checks._answers import drawn, judge


def check_item_scores(scores: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    """`scores(context, items, weights)`: what of an FM's logit depends on the item.

    Shapes: context (n, d), items (m, d), weights (m,) → (m,).
    """
    added = "the context's vectors are added up: an item meets every one of them"
    own = "an item meets the context, not itself and not the other items"
    number = "one number for each item, (m,)"
    judge(
        scores,
        lambda c, v, w: torch.stack([w[i] + sum(f @ v[i] for f in c) for i in range(len(v))]),
        cases=[
            (
                {"context": drawn(3, 2), "items": drawn(5, 2, seed=1), "weights": drawn(5, seed=2)},
                f"the item's own weight, and its product with each vector of the context; {own}",
            ),
            (
                {"context": drawn(1, 4), "items": drawn(2, 4, seed=1), "weights": 0 * drawn(2)},
                "one vector in the context: a plain inner product with each item",
            ),
            (
                {"context": 0 * drawn(2, 3), "items": drawn(4, 3), "weights": drawn(4, seed=2)},
                "where the context says nothing the items' own weights are left",
            ),
        ],
        mistakes=[
            (lambda c, v, w: v @ c.sum(dim=0), "the item's own weight is missing"),
            (lambda c, v, w: w + v @ c.mean(dim=0), f"{added}, not averaged"),
            (lambda c, v, w: w + v @ c.prod(dim=0), f"{added}, not multiplied"),
            (lambda c, v, w: w + v @ c[0], added),
            (lambda c, v, w: w + v @ c[-1], added),
            (lambda c, v, w: w + (v @ c.T).amax(dim=1), f"{added}: no maximum is taken"),
            (lambda c, v, w: w + v @ c.sum(dim=0) + v.square().sum(dim=1), own),
            (lambda c, v, w: w + v @ c.sum(dim=0) + 0.5 * v.square().sum(dim=1), own),
            (lambda c, v, w: w + v @ (c.sum(dim=0) + v.sum(dim=0)), own),
            (lambda c, v, w: w + v @ (c.sum(dim=0) + v.sum(dim=0)) - v.square().sum(dim=1), own),
            (lambda c, v, w: w + 0.5 * (v @ c.sum(dim=0)), "each pair counts once: no half here"),
            (lambda c, v, w: w - v @ c.sum(dim=0), "the products are added, not taken away"),
            (lambda c, v, w: w * (v @ c.sum(dim=0)), "the weight is added, not multiplied"),
            (
                lambda c, v, w: w + v @ c.sum(dim=0) + _pairs(c),
                "the pairs inside the context are the same for all items: leave them out",
            ),
            (
                lambda c, v, w: torch.sigmoid(w + v @ c.sum(dim=0)),
                "a part of the logit is wanted, before the sigmoid",
            ),
            (lambda c, v, w: v @ c.T, f"these are all products; {added}; {number}"),
            (lambda c, v, w: w[:, None] + v @ c.T, f"{added}; {number}"),
            (lambda c, v, w: v * c.sum(dim=0), f"an inner product adds the components; {number}"),
            (
                lambda c, v, w: (w + v @ c.sum(dim=0))[:, None],
                f"{number}: a column, (m, 1), is not that",
            ),
            (
                lambda c, v, w: (w + v @ c.sum(dim=0)).sum(),
                f"{number}: the items are rivals, they are not added up",
            ),
            (
                lambda c, v, w: (w + v @ c.sum(dim=0)).argsort(descending=True),
                "the scores themselves are wanted, not their order",
            ),
        ],
        tolerance=1e-4,
    )


def _pairs(v: Tensor) -> Tensor:
    """Σ_{i<j} ⟨v_i, v_j⟩, one pair after the other."""
    return sum((v[i] @ v[j] for i, j in combinations(range(len(v)), 2)), v.new_zeros(()))


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


def check_fm_triples(triples: Callable[[Tensor], Tensor]) -> None:
    """`triples(v)`: Σ_{i<j<k} Σ_f v_if · v_jf · v_kf for v (n, d)."""
    components = "power sums go over the fields, component by component; add the components last"
    twice = "a field twice in one product is no triple: what must be taken away, what given back?"
    six = "every triple is in the cube of the sum in six orders, and counts once"
    judge(
        triples,
        lambda v: sum(
            (torch.stack(chosen).prod(dim=0).sum() for chosen in combinations(v, 3)),
            torch.tensor(0.0),
        ),
        cases=[
            (
                {"v": torch.tensor([[1.0, 3.0], [4.0, 1.0], [2.0, 7.0], [5.0, 2.0]])},
                f"{six}; {twice}",
            ),
            ({"v": torch.tensor([[1.0], [2.0], [3.0], [4.0]])}, "6 + 8 + 12 + 24 = 50"),
            ({"v": torch.tensor([[4.0, 1.0], [2.0, 3.0]])}, "two fields make no triple: 0"),
            ({"v": drawn(7, 3)}, twice),
        ],
        mistakes=[
            (lambda v: _triples(v, 1, 0, 0) / 6, twice),
            (lambda v: _triples(v, 1, 0, 0), f"{twice} And {six}"),
            (lambda v: _triples(v, 1, -3, 2), six),
            (lambda v: _triples(v, 1, -3, 2) / 3, f"{six}: are there three orders?"),
            (lambda v: _triples(v, 1, -3, 2) / 2, f"{six}: are there two orders?"),
            (lambda v: _triples(v, 1, -3, 0) / 6, "the cubes were taken away too often: give back"),
            (lambda v: _triples(v, 1, -3, 1) / 6, "the cubes were taken away too often: give back"),
            (lambda v: _triples(v, 1, -3, 3) / 6, "the cubes are given back once too often"),
            (lambda v: _triples(v, 1, -3, -2) / 6, "the sign of the cubes: give back, not away"),
            (lambda v: _triples(v, 1, 3, 2) / 6, "the sign of the squares: they are taken away"),
            (lambda v: _triples(v, 1, -1, 0) / 6, twice),
            (
                lambda v: _triples(v, 1, -2, 1) / 6,
                "a square and another field stand in three orders: how often is it in the cube?",
            ),
            (
                lambda v: _triples(v, 1, -1, 2) / 6,
                "a square and another field stand in three orders: how often is it in the cube?",
            ),
            (lambda v: _triples(v, 1, 0, -1) / 6, twice),
            (lambda v: _triples(v, -1, 3, -2) / 6, "the sign is turned"),
            (lambda v: _triples(v.flatten()[:, None], 1, -3, 2) / 6, components),
            (lambda v: _triples(v.sum(dim=1, keepdim=True), 1, -3, 2) / 6, components),
            (
                lambda v: _pairs(v),
                "these are the pairs: a triple multiplies three fields",
            ),
            (
                lambda v: v.prod(dim=0).sum(),
                "this multiplies all fields at once: a triple is of three, and they are added",
            ),
            (
                lambda v: (v[2:] * v[1:-1] * v[:-2]).sum(),
                "neighbours are not the only triples: every field meets any two others",
            ),
            (
                lambda v: (
                    (v.sum(0) ** 3 - 3 * v.sum(0) * v.square().sum(0) + 2 * (v**3).sum(0)) / 6
                ),
                "one number for each component is left: add the components last",
            ),
        ],
        tolerance=1e-4,
    )


def _triples(v: Tensor, cube: float, mixed: float, cubes: float) -> Tensor:
    """So much of s³, of s · s₂ and of s₃, where s_p is the sum of the p-th powers over fields."""
    first, second, third = v.sum(dim=0), v.square().sum(dim=0), v.pow(3).sum(dim=0)
    return (cube * first.pow(3) + mixed * first * second + cubes * third).sum()
