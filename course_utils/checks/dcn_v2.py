"""Checks of notebook 07: a cross network, and a factorization machine inside of one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks._answers import ask, done, drawn, judge, require

Step = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def check_cross_network(network: Callable[[Tensor, list[Tensor], list[Tensor]], Tensor]) -> None:
    """`network(x0, weights, biases)`: cross layers, one after the other."""
    x0 = drawn(4, 3)
    weights, biases = [*drawn(3, 3, 3, seed=1)], [*drawn(3, 3, seed=2)]
    right: Step = lambda x0, x, w, b: x0 * (x @ w.T + b) + x  # noqa: E731
    general = "compute x₀ ⊙ (W x + b) + x, layer after layer"
    judge(
        network,
        _layers(right),
        cases=[
            ({"x0": x0, "weights": weights, "biases": biases}, general),
            ({"x0": x0, "weights": weights[:1], "biases": biases[:1]}, general),
            (
                {"x0": x0, "weights": [], "biases": []},
                "without layers the input comes out as it is",
            ),
        ],
        mistakes=[
            (
                _layers(lambda x0, x, w, b: x * (x @ w.T + b) + x),
                "every layer multiplies by the *input* x₀, not by what the last layer made of it",
            ),
            (
                _layers(lambda x0, x, w, b: x0 * (x @ w.T + b) + x0),
                "add what came out of the layer before; here it is the input x₀",
            ),
            (
                _layers(lambda x0, x, w, b: x0 * (x0 @ w.T + b) + x),
                "W is applied to what came out of the layer before; here it is the input x₀",
            ),
            (
                _layers(lambda x0, x, w, b: x0 * (x0 @ w.T + b) + x0),
                "a layer reads what came out of the layer before; here each starts from x₀",
            ),
            (
                _layers(lambda x0, x, w, b: x0 * (x @ w + b) + x),
                "W stands left of the vector: with the examples in rows, what must be done to W?",
            ),
            (
                _layers(lambda x0, x, w, b: x0 * (x @ w.T + b)),
                "do not forget “+ x”: a layer adds to what came out of the layer before",
            ),
            (
                _layers(lambda x0, x, w, b: x0 * (x @ w.T) + b + x),
                "the bias is inside of the bracket: it is multiplied by x₀ as well",
            ),
            (_layers(lambda x0, x, w, b: x0 * (x @ w.T) + x), "the bias is missing"),
            (_layers(lambda x0, x, w, b: x0 * (x @ w.T - b) + x), "the bias is added"),
            (_layers(lambda x0, x, w, b: x0 * (x @ w.T + b) + 2 * x), "“+ x” stands there once"),
            (
                _layers(lambda x0, x, w, b: x @ w.T + b + x),
                "the product with x₀ is missing: it is what crosses the features",
            ),
            (
                _layers(lambda x0, x, w, b: x @ w.T + b),
                "the product with x₀ is missing: it is what crosses the features",
            ),
            (
                _layers(lambda x0, x, w, b: torch.relu(x0 * (x @ w.T + b) + x)),
                "a cross layer has no relu: its products are the non-linearity",
            ),
            (
                lambda x0, weights, biases: _layers(right)(x0, weights[:1], biases[:1]),
                "only the first layer is computed: does the `return` stand inside of the loop?",
            ),
            (
                lambda x0, weights, biases: _layers(right)(x0, weights[:-1], biases[:-1]),
                "the last layer is missing",
            ),
            (
                lambda x0, weights, biases: _layers(right)(x0, weights[::-1], biases[::-1]),
                "the layers come in the order of the list",
            ),
            (
                lambda x0, weights, biases: _layers(right)(x0, weights, biases) + x0,
                "the input is in it once too often: it starts as x, and is not added at the end",
            ),
        ],
        tolerance=1e-4,
    )


def _layers(step: Step) -> Callable[[Tensor, list[Tensor], list[Tensor]], Tensor]:
    """The network whose layers compute `step(x0, x, weight, bias)`."""

    def network(x0: Tensor, weights: list[Tensor], biases: list[Tensor]) -> Tensor:
        x = x0
        for weight, bias in zip(weights, biases, strict=True):
            x = step(x0, x, weight, bias)
        return x

    return network


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
