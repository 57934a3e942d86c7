"""Checks of notebook 07: reading a cross layer, and a factorization machine inside of one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks._answers import ask, done, drawn, judge, require


def check_read_layer(
    read: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]],
) -> None:
    """`read(weight, bias, top)`: linear and quadratic coefficients of top · (x ⊙ (W x + b) + x)."""
    both = "x_i x_j comes from W_ij, with top_i, and from W_ji, with top_j: both together"
    squares = "x_i² comes from W_ii alone, so it counts once"
    triangle = "each pair stands once, above the diagonal; below it there are zeros"
    plus = "“+ x” leaves a linear term as well: top_i more for each x_i"
    judge(
        read,
        lambda w, b, top: (top * (b + 1), _folded(top[:, None] * w)),
        cases=[
            (
                {"weight": drawn(3, 3), "bias": drawn(3, seed=1), "top": drawn(3, seed=2)},
                ["what stands before a single x_i? The bias and “+ x”, times top_i", both],
            ),
            ({"weight": drawn(1, 1), "bias": drawn(1, seed=1), "top": drawn(1, seed=2)}, squares),
        ],
        mistakes=[
            (lambda w, b, top: (top * b, _folded(top[:, None] * w)), plus),
            (
                lambda w, b, top: (top, _folded(top[:, None] * w)),
                "the bias is multiplied by x as well, and leaves a linear term",
            ),
            (lambda w, b, top: (b + 1, _folded(top[:, None] * w)), "`linear` lacks `top`"),
            (lambda w, b, top: (top * (b + 1), _folded(w)), "`products` lacks `top`"),
            (
                lambda w, b, top: (top * (b + 1), _folded(top[None, :] * w)),
                "`top` weighs the outputs, that is the rows of W, and here the columns",
            ),
            (lambda w, b, top: (top * (b + 1), top[:, None] * w), triangle),
            (lambda w, b, top: (top * (b + 1), (top[:, None] * w).triu()), both),
            (
                lambda w, b, top: (top * (b + 1), _twice(top[:, None] * w).triu()),
                squares,
            ),
            (lambda w, b, top: (top * (b + 1), _twice(top[:, None] * w)), f"{triangle}; {squares}"),
            (
                lambda w, b, top: (top * (b + 1), _folded(top[:, None] * w).T),
                "this is the other triangle: the pairs stand above the diagonal",
            ),
            (
                lambda w, b, top: (top * (b + 1), _twice(top[:, None] * w).triu(diagonal=1)),
                "the squares x_i² are missing: they stand on the diagonal",
            ),
            (
                lambda w, b, top: (top * (b + 1), _twice(top[:, None] * w).triu() / 2),
                f"not averaged, added up: {both}",
            ),
        ],
        parts=("linear", "products"),
    )


def _twice(each: Tensor) -> Tensor:
    """The matrix and its mirror image, added up: the diagonal is in it twice."""
    return each + each.T


def _folded(each: Tensor) -> Tensor:
    """The lower triangle, added to the upper one."""
    return _twice(each).triu(diagonal=1) + each.diag().diag()


def check_fm_as_cross(parts: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]) -> None:
    """`parts(v)`: weight, bias and top of a cross layer that computes an FM's pairs.

    top · (x ⊙ (W x + b) + x) is Σ_ij top_i W_ij x_i x_j + Σ_i top_i (b_i + 1) x_i: the second sum
    must vanish, and the first must hold ⟨v_i, v_j⟩ once for each pair.
    """
    for v in (drawn(5, 3), drawn(3, 4, seed=1)):
        _require_fm(parts, v)
    done()


def _require_fm(parts: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]], v: Tensor) -> None:
    n = len(v)
    read = []
    for part, shape in zip(
        ask(parts, v=v).unpack("weight", "bias", "top"), [(n, n), (n,), (n,)], strict=True
    ):
        value = part.tensor().double()
        require(
            value.shape == shape,
            f"{part.said} of shape {tuple(value.shape)}, expected is {shape} for n = {n} features",
        )
        require(bool(value.isfinite().all()), f"{part.said} NaN or infinity in a place")
        read.append(value)
    weight, bias, top = read
    products = top[:, None] * weight
    pairs, wanted = products + products.T, (v @ v.T).cpu().double()
    off = ~torch.eye(n, dtype=torch.bool)
    require(bool(top.any()), "with `top` = 0 nothing of the layer is left: it adds up its outputs")
    require(
        torch.allclose(top * (bias + 1), torch.zeros(n).double(), atol=1e-4),
        "a linear term is left: the bias must cancel “+ x”",
    )
    require(
        torch.allclose(products.diagonal(), torch.zeros(n).double(), atol=1e-4),
        "squares x_i² are left: a feature is no pair with itself, so nothing on the diagonal of W",
    )
    require(
        not torch.allclose(pairs[off], 2 * wanted[off], atol=1e-4),
        "x_i x_j comes from W_ij and from W_ji, so every pair is in it twice: each pair once",
    )
    require(
        not torch.allclose(pairs[off], wanted[off] / 2, atol=1e-4),
        "every pair is in it by half: x_i x_j comes from W_ij and from W_ji together",
    )
    require(
        torch.allclose(pairs[off], wanted[off], atol=1e-4),
        "x_i x_j comes from W_ij and from W_ji, times `top`: together they must be ⟨v_i, v_j⟩",
    )
