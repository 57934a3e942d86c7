"""Checks of notebook 06: products of pairs, DeepFM's logit, a key for each pair."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, product

import torch
from torch import Tensor

from course_utils.checks._answers import CheckFailed, ask, done, drawn, judge, require


def check_pair_products(products: Callable[[Tensor], Tensor]) -> None:
    """`products(vectors)`: dot products of all pairs, (B, n, d) → (B, n (n − 1) / 2)."""
    itself = "no vector with itself: n (n − 1) / 2 = 6 numbers for 4 vectors"
    once = "each pair once: n (n − 1) / 2 = 6 numbers for 4 vectors"
    order = "the order is (1, 0), (2, 0), (2, 1), (3, 0), …: row by row below the diagonal"
    all_of_them = f"these are all n · n products; {once}"
    zeros = "zeros on the other side of the diagonal are no answer: pick the numbers of the pairs"
    judge(
        products,
        _of(lambda i, j: j < i),
        cases=[({"vectors": drawn(3, 4, 2)}, order), ({"vectors": drawn(1, 3, 5)}, order)],
        mistakes=[
            (lambda v: v @ v.transpose(1, 2), all_of_them),
            (lambda v: (v @ v.transpose(1, 2)).flatten(1), all_of_them),
            (lambda v: (v @ v.transpose(1, 2)).tril(diagonal=-1), zeros),
            (lambda v: (v @ v.transpose(1, 2)).triu(diagonal=1), zeros),
            (_of(lambda i, j: i != j), once),
            (_of(lambda i, j: j <= i), itself),
            (_of(lambda i, j: i <= j), itself),
            (_of(lambda i, j: i < j), order),
            (lambda v: _of(lambda i, j: j < i)(v).T, "the batch comes first: (B, pairs)"),
            (
                lambda v: _of(lambda i, j: j < i)(v).sum(dim=1),
                "keep the products apart, one number for each pair: here they are added up",
            ),
            (
                lambda v: _of(lambda i, j: j < i)(v).mean(dim=0),
                "the examples of a batch never meet: keep them apart",
            ),
            (
                lambda v: _of(lambda i, j: j < i)(v)[0],
                "only the first example of the batch is answered",
            ),
            (
                lambda v: torch.stack(
                    [v[:, i] * v[:, j] for i in range(v.shape[1]) for j in range(i)], dim=1
                ),
                "a dot product adds the components of the product",
            ),
            (
                lambda v: _of(lambda i, j: j < i)(v / v.norm(dim=2, keepdim=True)),
                "dot products, not cosines: the lengths stay in",
            ),
        ],
    )


def _of(chosen: Callable[[int, int], bool]) -> Callable[[Tensor], Tensor]:
    """The dot products of the chosen pairs (i, j), row by row."""

    def products(v: Tensor) -> Tensor:
        places = product(range(v.shape[1]), repeat=2)
        pairs = [(v[:, i] * v[:, j]).sum(dim=1) for i, j in places if chosen(i, j)]
        return torch.stack(pairs, dim=1)

    return products


def check_deepfm_logit(logit: Callable[[Tensor, Tensor, Callable], Tensor]) -> None:
    """`logit(fields, linear, mlp)`: linear + pairs + MLP."""
    once = "each pair once, and no vector with itself"
    column = "one part is a column, (B, 1), and made a table (B, B) of the sum"
    judge(
        logit,
        _logit(),
        cases=[
            (
                {"fields": drawn(5, 3, 2), "linear": drawn(5, seed=1), "mlp": mlp},
                "add the linear part, the pairs and the MLP's number, nothing else",
            )
        ],
        mistakes=[
            (_logit(linear=0), "the linear part is missing"),
            (_logit(pairs=0), "the pairs are missing: the products of the field vectors"),
            (_logit(deep=0), "the MLP is missing"),
            (_logit(linear=2), "the linear part is in it twice"),
            (_logit(pairs=2), once),
            (_logit(itself=1), once),
            (_logit(itself=0.5), once),
            (_logit(pairs=2, itself=1), once),
            (
                lambda f, l1, mlp: l1 + _pairs(f) + mlp(f.transpose(1, 2).flatten(1)),
                "the MLP reads the vectors one after the other: first all of field 0, then field 1",
            ),
            (
                lambda f, l1, mlp: _logit()(f, l1, mlp).sigmoid(),
                "the logit is wanted, before the sigmoid",
            ),
            (
                lambda f, l1, mlp: l1 + _pairs(f) * mlp(f.flatten(1)),
                "the three parts are added, not multiplied",
            ),
            (
                lambda f, l1, mlp: _logit()(f, l1, mlp) / 3,
                "the three parts are added, not averaged",
            ),
            (
                lambda f, l1, mlp: _logit()(f, l1, mlp).sum(),
                "one logit for each example: the batch is not summed",
            ),
            *((_table(columns), column) for columns in ("l", "p", "d", "lp", "ld", "pd")),
        ],
    )


def mlp(x: object) -> Tensor:
    """Stands for an MLP: tells what it is given in the wrong shape, and the order of its inputs."""
    if not isinstance(x, Tensor):
        raise CheckFailed("the MLP takes a tensor, (B, n · d)")
    require(
        x.shape == (5, 6),
        "the MLP takes (B, n · d) = (5, 6), the vectors of the fields side by side; it got "
        f"{tuple(x.shape)}",
    )
    return x @ torch.tensor([0.3, -1.0, 0.7, 2.0, -0.4, 1.1]).to(x)


def _logit(
    linear: float = 1, pairs: float = 1, deep: float = 1, itself: float = 0
) -> Callable[[Tensor, Tensor, Callable], Tensor]:
    """The logit with so much of each part, and of the vectors' squares."""
    return lambda fields, first, mlp: (
        linear * first
        + pairs * _pairs(fields)
        + itself * fields.square().sum(dim=(1, 2))
        + deep * mlp(fields.flatten(1))
    )


def _table(columns: str) -> Callable[[Tensor, Tensor, Callable], Tensor]:
    """What broadcasting makes of the sum if some of the parts l, p, d are columns."""

    def logit(fields: Tensor, linear: Tensor, mlp: Callable) -> Tensor:
        parts = {"l": linear, "p": _pairs(fields), "d": mlp(fields.flatten(1))}
        return sum(p[:, None] if part in columns else p for part, p in parts.items())

    return logit


def _pairs(fields: Tensor) -> Tensor:
    """Σ_{i<j} ⟨v_i, v_j⟩ as the double sum says it."""
    both = combinations(fields.unbind(dim=1), 2)
    return torch.stack([(one * other).sum(dim=1) for one, other in both]).sum(dim=0)


COLLISIONS: list[tuple[Callable[[Tensor, Tensor, int], Tensor], str]] = [
    (lambda a, b, n_b: a + b, "(0, 1) and (1, 0) have the same sum: one id must weigh more"),
    (lambda a, b, n_b: a * b, "all pairs with a zero have the product 0"),
    (lambda a, b, n_b: b * n_b + a, "b takes n_b values, so that many must fit between two of a"),
    (lambda a, b, n_b: a * n_b, "b must be in the key too"),
    (lambda a, b, n_b: a, "b must be in the key too"),
    (lambda a, b, n_b: b, "a must be in the key too"),
]


def check_cross_key(key: Callable[[Tensor, Tensor, int], Tensor]) -> None:
    """`key(a, b, n_b)`: different integers for different pairs."""
    for n_a, n_b in [(7, 5), (4, 11), (3, 2_000)]:
        a, b = torch.cartesian_prod(torch.arange(n_a), torch.arange(n_b)).T.contiguous()
        _require_keys(key, a, b, n_b, "moving on by one in a must skip over all values of b")
    a, b = torch.tensor([4_000_000, 4_000_000, 4_000_001]), torch.tensor([5_999_998, 5_999_999, 0])
    large = "keys of large ids collide: a float32 counts only to 2²⁴, and an int64 ends at 2⁶³"
    _require_keys(key, a, b, 6_000_000, large)
    done()


def _require_keys(key: Callable, a: Tensor, b: Tensor, n_b: int, hint: str) -> None:
    keys = ask(key, a=a, b=b, n_b=n_b).tensor()
    a, b = a.cpu(), b.cpu()
    require(
        keys.shape == a.shape,
        f"one number for each pair: shape {tuple(a.shape)} is expected, not {tuple(keys.shape)}",
    )
    whole = not keys.is_floating_point() and keys.dtype != torch.bool
    require(whole, f"a key is an integer, not {str(keys.dtype).removeprefix('torch.')}")
    first: dict[int, int] = {}
    for place, found in enumerate(keys.tolist()):
        other = first.setdefault(found, place)
        if other != place:
            known = [told for wrong, told in COLLISIONS if torch.equal(wrong(a, b, n_b), keys)]
            same = f"({a[other]}, {b[other]}) and ({a[place]}, {b[place]})"
            raise CheckFailed(
                f"{known[0] if known else hint}\n{same} share the key {found}, with n_b = {n_b:,}"
            )
