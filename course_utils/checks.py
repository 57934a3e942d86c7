"""Checks that tell a student whether an exercise is solved, and where to look if not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from course_utils import metrics
from course_utils.models import CrossNetwork, PiecewiseLinearEncoding, pairwise_products


class CheckFailed(AssertionError):
    """An answer that is not right yet, with a hint."""


def _require(holds: bool, hint: str) -> None:
    if not holds:
        raise CheckFailed(hint)


def _close(found: object, expected: object, hint: str, tolerance: float = 1e-5) -> None:
    found, expected = torch.as_tensor(found), torch.as_tensor(expected)
    _require(
        found.shape == expected.shape,
        f"the answer has shape {tuple(found.shape)}, expected {tuple(expected.shape)}",
    )
    same = torch.allclose(found.double(), expected.double(), atol=tolerance, rtol=tolerance)
    _require(same, f"{hint}\nfound    {found.tolist()}\nexpected {expected.tolist()}")


def _done() -> None:
    print("✔ well done")


# 01 introduction


def check_recall(recall: Callable[[list, set, int], float]) -> None:
    """`recall(ranked, relevant, k)`: the share of the relevant items among the first k."""
    _close(recall(["x", "a"], {"a"}, 1), 0.0, "only the first k places count")
    _close(recall(["a", "b", "c"], {"a", "c"}, 1), 0.5, "one of two relevant items is first")
    _close(
        recall(["a", "b", "c", "d"], {"a", "b", "c"}, 2),
        2 / 3,
        "divide by the number of relevant items, not by k (that would be precision)",
    )
    _done()


def check_ndcg(ndcg: Callable[[list, set, int], float]) -> None:
    """`ndcg(ranked, relevant, k)` with binary relevance."""
    scores = torch.tensor([[5.0, 4, 3, 2, 1]])
    items = ["a", "b", "c", "d", "e"]
    for relevant, k, hint in [
        ({"a"}, 5, "a single relevant item in the first place is a perfect ranking: 1"),
        ({"b"}, 5, "the second place is discounted by log₂(3): the first place has log₂(2) = 1"),
        ({"b", "d"}, 5, "divide by the DCG of the ideal ranking, which has both items in front"),
        ({"a", "b", "c"}, 2, "the ideal ranking is cut at k as well"),
    ]:
        row = torch.tensor([[item in relevant for item in items]])
        expected = metrics.ndcg_at_k(scores, row, k)[0]
        _close(ndcg(items, relevant, k), expected, hint)
    _done()


def check_split(split: Callable[[np.ndarray, float], np.ndarray]) -> None:
    """`split(timestamps, share)`: a mask of the training rows, nothing of the future in it."""
    rng = np.random.default_rng(0)
    times = rng.integers(0, 40, 400)
    mask = np.asarray(split(times, 0.8))
    _require(mask.dtype == bool and mask.shape == times.shape, "return one bool for each row")
    _require(
        0.7 <= mask.mean() <= 0.85, f"about 80 % of the rows should train, got {mask.mean():.0%}"
    )
    _require(
        times[mask].max() < times[~mask].min(),
        "a training row is as late as a test row: choose one moment and cut there; rows of that "
        "very moment belong to the test",
    )
    _done()


# 18 seminar


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
        _close(encode(x, edges), reference(torch.tensor([[x]]))[0], hint)
    _done()


def check_cross_layer(layer: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> None:
    """`layer(x0, x, W, b)`: one cross layer of DCN-v2."""
    torch.manual_seed(0)
    x0, x = torch.randn(4, 3), torch.randn(4, 3)
    reference = CrossNetwork(3, n_layers=1)
    weight, bias = reference.weights[0].weight.detach(), reference.weights[0].bias.detach()
    expected = x0 * (x @ weight.T + bias) + x
    zero = torch.zeros_like(weight)
    _close(
        layer(x0, x, zero, torch.zeros(3)),
        x,
        "with W = 0 and b = 0 the layer must pass x through: do not forget “+ x”",
    )
    first = layer(x0, x, zero, torch.ones(3))
    _close(first, x0 + x, "the product is with the *input* x₀, and the bias is inside of it")
    _close(layer(x0, x, weight, bias), expected, "compute x₀ ⊙ (W x + b) + x; is W transposed?")
    _done()


def check_collisions(count: Callable[[Tensor, Tensor], int]) -> None:
    """`count(first, second)`: pairs of values that collide under both hashes."""
    _close(count(torch.tensor([0, 0, 1]), torch.tensor([2, 2, 2])), 1, "only values 0 and 1 do")
    _close(
        count(torch.tensor([0, 0, 1]), torch.tensor([1, 2, 1])),
        0,
        "a pair counts only if it collides under the first hash *and* under the second",
    )
    _close(
        count(torch.tensor([3, 3, 3, 3]), torch.tensor([5, 5, 5, 5])),
        6,
        "four values in one row make 4·3/2 = 6 pairs; count pairs, not values, and each once",
    )
    _done()


# 02 why neural networks


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
        _close(hill(torch.tensor(at), 1.0, 3.0, 7.0), torch.tensor(value), hint)
    _done()


def check_power_law(power_law: Callable[[Tensor, Tensor], tuple[float, float]]) -> None:
    """`power_law(n, gap)`: a and b of gap = a · n^(−b), by least squares on the logarithms."""
    n = torch.tensor([1e3, 1e4, 1e5])
    a, b = power_law(n, 2.0 * n**-0.5)
    _close(b, 0.5, "the slope of log gap over log n is −b: mind the sign", 1e-3)
    _close(a, 2.0, "the intercept is log a: take it back with exp", 1e-3)
    gap = torch.tensor([0.2, 0.02, 0.01])
    slope, intercept = np.polyfit(np.log(n.numpy()), np.log(gap.numpy()), 1)
    a, b = power_law(n, gap)
    _close(b, -slope, "least squares over all points, not a line through two of them", 1e-3)
    _close(a, np.exp(intercept), "the line goes through the means of both logarithms", 1e-2)
    _done()


def check_prepare(prepare: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`prepare(train, new)`: standardised by `train`, cut at ±3, unknowns as 0 and a flag."""
    nan = float("nan")
    train = torch.tensor([[0.0, 5.0], [2.0, nan], [4.0, 9.0]])
    found = prepare(train, torch.tensor([[2.0, 7.0]]))
    _require(found.shape == (1, 4), "return the D numbers and, beside them, D flags: (B, 2 · D)")
    _close(
        found,
        torch.zeros(1, 4),
        "the mean of the *training* rows, unknown ones left out, becomes 0",
    )
    unit = train[:, 0].std(correction=0).item()
    _close(
        prepare(train, torch.tensor([[2 + unit, 7.0]]))[0, 0],
        1.0,
        "one standard deviation of the training rows above their mean is 1",
        0.3,
    )
    _close(
        prepare(train, torch.tensor([[1e9, -1e9]])),
        torch.tensor([[3.0, -3.0, 0.0, 0.0]]),
        "an outlier is cut at three standard deviations",
    )
    _close(
        prepare(train, torch.tensor([[nan, 7.0]])),
        torch.tensor([[0.0, 0.0, 1.0, 0.0]]),
        "an unknown value is 0, and its flag is 1",
    )
    _done()


# 05 factorization machines


def check_fm_pairs(pairs: Callable[[Tensor], Tensor]) -> None:
    """`pairs(v)`: the sum over i < j of the inner products of the rows of v (n, d)."""
    one = torch.tensor([[1.0], [2.0], [3.0]])
    _close(pairs(one[:1]), 0.0, "a single field has no pair: take the squares away")
    _close(pairs(one), 11.0, "1·2 + 1·3 + 2·3 = 11; each pair counts once, so halve")
    torch.manual_seed(0)
    v = torch.randn(6, 4)
    _close(
        pairs(v),
        pairwise_products(v.unsqueeze(0))[0],
        "sum over the fields first, square then, component by component; add components last",
        tolerance=1e-4,
    )
    _done()


def check_fm_gradient(gradient: Callable[[Tensor], Tensor]) -> None:
    """`gradient(v)`: derivative of the sum over pairs with respect to v (n, d)."""
    torch.manual_seed(0)
    v = torch.randn(5, 3, requires_grad=True)
    pairwise_products(v.unsqueeze(0)).sum().backward()
    _close(
        gradient(v.detach()),
        v.grad,
        "v_i meets every *other* vector once: the sum of all the others, without v_i itself",
    )
    _done()


def check_ffm_pairs(pairs: Callable[[Tensor], Tensor]) -> None:
    """`pairs(v)`: the sum over i < j of ⟨v[i, j], v[j, i]⟩ for v (n, n, d)."""
    _close(pairs(torch.ones(3, 3, 2)), 6.0, "three pairs of two ones each: 6; count a pair once")
    torch.manual_seed(0)
    v = torch.randn(4, 4, 3)
    expected = sum((v[i, j] * v[j, i]).sum() for i in range(4) for j in range(i + 1, 4))
    _close(
        pairs(v),
        expected,
        "field i meets field j with v[i, j], and j answers with v[j, i]; v[i, i] is never used",
    )
    _done()


# 07 DCN-v2


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
    _close(network(x0, [], []), x0, "without layers the input comes out as it is")
    one = x0 * (x0 @ weights[0].T + biases[0]) + x0
    _close(network(x0, weights[:1], biases[:1]), one, "compute x₀ ⊙ (W x + b) + x")
    _close(
        network(x0, weights, biases),
        reference(x0).detach(),
        "every layer multiplies by the *input* x₀ and adds what came out of the layer before",
    )
    _done()


def check_fm_as_cross(parts: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]) -> None:
    """`parts(v)`: weight, bias and top of a cross layer that computes an FM's pairs."""
    torch.manual_seed(0)
    v, x = torch.randn(5, 3), torch.randn(20, 5)
    weight, bias, top = parts(v)
    layer = CrossNetwork(5, n_layers=1)
    layer.weights[0].weight.data, layer.weights[0].bias.data = weight, bias
    found = layer(x).detach() @ top
    still = layer(torch.zeros(1, 5)).detach() @ top
    _close(still, torch.zeros(1), "at x = 0 the sum is 0")
    odd = found - layer(-x).detach() @ top
    _close(
        odd, torch.zeros(20), "a linear term is left: the bias must cancel “+ x”", tolerance=1e-4
    )
    _close(
        found,
        pairwise_products(x.unsqueeze(2) * v),
        "the weight of x_i x_j is ⟨v_i, v_j⟩, each pair once, nothing on the diagonal",
        tolerance=1e-4,
    )
    _done()


# 08 numerical features


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
        _close(encode(column, edges), reference(column[:, None]), hint)
    _done()


def check_decode(decode: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`decode(codes, edges)`: the inverse of the bounded encoding."""
    for edges, hint in [
        (torch.tensor([0.0, 1.0, 3.0, 7.0]), "a full bin is worth its width: sum code × width"),
        (torch.tensor([2.0, 3.0, 7.0]), "start at the first edge: it need not be 0"),
    ]:
        x = torch.linspace(edges[0], edges[-1], 20)
        codes = PiecewiseLinearEncoding([edges], bounded=True)(x[:, None])
        _close(decode(codes, edges), x, hint)
    _done()


def check_broken_line(line: Callable[[Tensor], tuple[Tensor, Tensor]]) -> None:
    """`line(heights)`: bias and weights on the code that draw the broken line."""
    edges, heights = torch.tensor([0.0, 1.0, 3.0, 7.0]), torch.tensor([1.0, 2.0, -1.0, 0.5])
    bias, weights = line(heights)
    codes = PiecewiseLinearEncoding([edges], bounded=True)(edges[:, None])
    _close(bias, heights[0], "at the first edge all bins are empty: only the bias is left")
    _close(
        codes @ weights + bias,
        heights,
        "a bin that is full adds its weight: the weight is the rise across the bin, not the height",
    )
    _done()


# 11 unified embeddings


def check_alone(alone: Callable[[int, int], float]) -> None:
    """`alone(n_values, n_rows)`: the chance to share the row with nobody."""
    _close(alone(1, 5), 1.0, "a single value has nobody to share with: only the *others* count")
    _close(alone(2, 2), 0.5, "the one other value misses your row with probability 1 − 1/M")
    _close(alone(11, 10), 0.9**10, "all ten others must miss: multiply their probabilities")
    _done()


def check_look_up(look_up: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`look_up(table, rows)`: (M, d), (B, F, k) → (B, F, k · d)."""
    torch.manual_seed(0)
    table, rows = torch.randn(9, 3), torch.randint(0, 9, (4, 2, 5))
    expected = torch.stack(
        [
            torch.stack([torch.cat([table[r] for r in field]) for field in example])
            for example in rows
        ]
    )
    _close(
        look_up(table, rows),
        expected,
        "the k rows of a value come one after the other: all of the first, then the second",
    )
    _done()


def check_expected_twins(twins: Callable[[int, int, int], float]) -> None:
    """`twins(n_values, n_rows, n_hashes)`: expected pairs that share all rows."""
    _close(twins(2, 10, 1), 0.1, "one pair, and it shares the row with probability 1/M")
    _close(twins(4, 10, 1), 0.6, "four values make 4·3/2 = 6 pairs; count each once")
    _close(twins(4, 10, 2), 0.06, "the second hash is independent: both must agree, 1/M times 1/M")
    _done()


# 06 Wide & Deep, DeepFM, DLRM


def check_pair_products(products: Callable[[Tensor], Tensor]) -> None:
    """`products(vectors)`: dot products of all pairs, (B, n, d) → (B, n (n − 1) / 2)."""
    torch.manual_seed(0)
    v = torch.randn(3, 4, 2)
    pairs = [(i, j) for i in range(4) for j in range(i)]
    expected = torch.stack([(v[:, i] * v[:, j]).sum(dim=1) for i, j in pairs], dim=1)
    found = products(v)
    _require(
        found.shape != (3, 4, 4) and found.numel() == expected.numel(),
        "each pair once and no vector with itself: n (n − 1) / 2 = 6 numbers for 4 vectors",
    )
    _close(found, expected, "the order is (1, 0), (2, 0), (2, 1), (3, 0), …: row by row")
    _done()


def check_deepfm_logit(logit: Callable) -> None:
    """`logit(fields, linear, mlp)`: linear + pairs + MLP."""
    torch.manual_seed(0)
    fields, linear = torch.randn(5, 3, 2), torch.randn(5)
    pairs = pairwise_products(fields)

    def mlp(x: Tensor) -> Tensor:
        _require(x.shape == (5, 6), f"the MLP takes (B, n · d) = (5, 6), it got {tuple(x.shape)}")
        return x.square().sum(dim=1)

    deep = mlp(fields.flatten(1))
    nothing = logit(fields, linear, lambda x: torch.zeros(len(x)))
    _close(
        nothing, linear + pairs, "without the MLP linear part and pairs are left; each pair once"
    )
    _close(logit(fields, linear, mlp), linear + pairs + deep, "add the three parts, nothing else")
    _done()


def check_cross_key(key: Callable[[Tensor, Tensor, int], Tensor]) -> None:
    """`key(a, b, n_b)`: different integers for different pairs."""
    a, b = torch.cartesian_prod(torch.arange(7), torch.arange(5)).T
    keys = key(a, b, 5)
    _require(not keys.is_floating_point(), "a key is an integer")
    _require(
        len(keys.unique()) == 35,
        "two pairs share a key: moving on by one in a must skip over all values of b",
    )
    _done()
