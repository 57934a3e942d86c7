"""TODO."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks._answers import close, done
from course_utils.models.ranking.dcn_v2 import CrossNetwork
from course_utils.models.ranking.fm_ffm import pairwise_products


def check_cross_network(
    network: Callable[[Tensor, list[Tensor], list[Tensor]], Tensor],
) -> None:
    """`network(x0, weights, biases)`: cross layers, one after the other."""
    torch.manual_seed(0)
    x0 = torch.randn(4, 3)
    reference = CrossNetwork(3, n_layers=3)
    weights = [layer.weight.detach() for layer in reference.weights]
    biases = [layer.bias.detach() + 0.3 for layer in reference.weights]
    for layer, bias in zip(reference.weights, biases, strict=True):
        layer.bias.data = bias
    close(network(x0, [], []), x0, "without layers the input comes out as it is")
    one = x0 * (x0 @ weights[0].T + biases[0]) + x0
    close(network(x0, weights[:1], biases[:1]), one, "compute x₀ ⊙ (W x + b) + x")
    close(
        network(x0, weights, biases),
        reference(x0).detach(),
        "every layer multiplies by the *input* x₀ and adds what came out of the layer before",
    )
    done()


def check_fm_as_cross(parts: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]) -> None:
    """`parts(v)`: weight, bias and top of a cross layer that computes an FM's pairs."""
    torch.manual_seed(0)
    v, x = torch.randn(5, 3), torch.randn(20, 5)
    weight, bias, top = parts(v)
    layer = CrossNetwork(5, n_layers=1)
    layer.weights[0].weight.data, layer.weights[0].bias.data = weight, bias
    found = layer(x).detach() @ top
    still = layer(torch.zeros(1, 5)).detach() @ top
    close(still, torch.zeros(1), "at x = 0 the sum is 0")
    odd = found - layer(-x).detach() @ top
    close(odd, torch.zeros(20), "a linear term is left: the bias must cancel “+ x”", tolerance=1e-4)
    close(
        found,
        pairwise_products(x.unsqueeze(2) * v),
        "the weight of x_i x_j is ⟨v_i, v_j⟩, each pair once, nothing on the diagonal",
        tolerance=1e-4,
    )
    done()
