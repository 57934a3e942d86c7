"""Checks of notebook 06: products of pairs, DeepFM's logit, a key for each pair."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, product

import numpy as np
import torch
from torch import Tensor

from course_utils.checks._answers import CheckFailed, Place, ask, done, drawn, judge, require


def check_pair_products(products: Callable[[Tensor], Tensor]) -> None:
    """`products(vectors)`: dot products of all pairs, (B, n, d) → (B, n (n − 1) / 2)."""
    itself = "no vector with itself: n (n − 1) / 2 = 6 numbers for 4 vectors"
    once = "each pair once: n (n − 1) / 2 = 6 numbers for 4 vectors"
    order = "the order is (1, 0), (2, 0), (2, 1), (3, 0), …: row by row below the diagonal"
    all_of_them = f"these are all n · n products; {once}"
    zeros = "zeros on the other side of the diagonal are no answer: pick the numbers of the pairs"

    def hint(place: Place | None) -> str:
        return order if place else "a row for each example, in it a number for each pair of vectors"

    judge(
        products,
        _of(lambda i, j: j < i),
        cases=[({"vectors": drawn(3, 4, 2)}, hint), ({"vectors": drawn(1, 3, 5)}, hint)],
        mistakes=[
            (lambda v: v @ v.transpose(1, 2), all_of_them),
            (lambda v: (v @ v.transpose(1, 2)).flatten(1), all_of_them),
            (lambda v: (v @ v.transpose(1, 2)).tril(diagonal=-1), zeros),
            (lambda v: (v @ v.transpose(1, 2)).triu(diagonal=1), zeros),
            (_of(lambda i, j: i != j), once),
            (_of(lambda i, j: j <= i), itself),
            (_of(lambda i, j: i <= j), itself),
            (_of(lambda i, j: i < j), order),
            (
                lambda v: _of(lambda i, j: j < i)(v).flatten(),
                "the examples stay apart, (B, pairs): a mask of (B, n, n) runs them into one row",
            ),
            (_of(lambda i, j: j < i, by_columns=True), order),
            (
                lambda v: _of(lambda i, j: j < i)(v.transpose(0, 1)),
                "pairs are made of the vectors of one example, not of those of two",
            ),
            (
                lambda v: _of(lambda i, j: j < i)(v.transpose(1, 2)),
                "pairs are made of vectors, (n, d) of each example, not of their components",
            ),
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


def _of(chosen: Callable[[int, int], bool], by_columns: bool = False) -> Callable[[Tensor], Tensor]:
    """The dot products of the chosen pairs (i, j), row by row."""

    def products(v: Tensor) -> Tensor:
        places = list(product(range(v.shape[1]), repeat=2))
        places = [(i, j) for j, i in places] if by_columns else places
        pairs = [(v[:, i] * v[:, j]).sum(dim=1) for i, j in places if chosen(i, j)]
        return torch.stack(pairs, dim=1) if pairs else v.new_zeros(len(v), 0)

    return products


def check_deepfm_logit(logit: Callable[[Tensor, Tensor, Callable], Tensor]) -> None:
    """`logit(fields, linear, mlp)`: linear + pairs + MLP."""
    once = "each pair once, and no vector with itself"
    batch = "one logit for each example: no part is summed or averaged over the batch"
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
            (_logit(deep=2), "the MLP is in it twice"),
            (_logit(linear=-1), "the three parts are added: one is taken away"),
            (_logit(pairs=-1), "the three parts are added: one is taken away"),
            (_logit(deep=-1), "the three parts are added: one is taken away"),
            (_logit(pairs=1 / 3), "the products of the pairs are added, not averaged"),
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
                batch,
            ),
            (lambda f, l1, mlp: l1.sum() + _logit(linear=0)(f, l1, mlp), batch),
            (lambda f, l1, mlp: _pairs(f).sum() + _logit(pairs=0)(f, l1, mlp), batch),
            (lambda f, l1, mlp: mlp(f.flatten(1)).sum() + _logit(deep=0)(f, l1, mlp), batch),
            (lambda f, l1, mlp: l1.mean() + _logit(linear=0)(f, l1, mlp), batch),
            (lambda f, l1, mlp: _pairs(f).mean() + _logit(pairs=0)(f, l1, mlp), batch),
            (
                lambda f, l1, mlp: torch.relu(_logit()(f, l1, mlp)),
                "a logit may be negative: no relu at the end",
            ),
            (
                lambda f, l1, mlp: torch.stack([l1, _pairs(f), mlp(f.flatten(1))], dim=1),
                "the three parts are added: one logit for each example, (B,)",
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


WRONG_KEYS: list[tuple[Callable[[Tensor, Tensor, int], Tensor], str]] = [
    (lambda a, b, n_b: a + b, "(0, 1) and (1, 0) have the same sum: one id must weigh more"),
    (lambda a, b, n_b: a * b, "all pairs with a zero have the product 0"),
    (lambda a, b, n_b: b * n_b + a, "b takes n_b values, so that many must fit between two of a"),
    (lambda a, b, n_b: a * n_b, "b must be in the key too"),
    (lambda a, b, n_b: a, "b must be in the key too"),
    (lambda a, b, n_b: b, "a must be in the key too"),
    (
        lambda a, b, n_b: (a.float() * n_b + b).long(),
        "keys of large ids collide: a float32 counts only to 2²⁴",
    ),
    (
        lambda a, b, n_b: (a.double() * n_b + b).long(),
        "keys of large ids collide: a float64 counts only to 2⁵³",
    ),
    (
        lambda a, b, n_b: (a * n_b + b).int(),
        "keys of large ids collide: an int32 ends at 2³¹",
    ),
]

LARGE = 1_000_000_007
"""So many values of b that no round constant holds them."""


def check_cross_key(key: Callable[[Tensor, Tensor, int], Tensor]) -> None:
    """`key(a, b, n_b)`: different integers for different pairs, the same for the same pair."""
    rng = np.random.default_rng(0)
    for n_a, n_b in [(7, 5), (4, 11), (3, 2_000)]:
        a, b = torch.cartesian_prod(torch.arange(n_a), torch.arange(n_b)).T
        _require_keys(key, a, b, n_b, rng)
    _require_keys(key, *_large_pairs(), LARGE, rng)
    done()


def _large_pairs() -> tuple[Tensor, Tensor]:
    """Pairs that collide under K · a + b and under (a · n_b + b) mod K for many a constant K.

    That is, for every K to 2²⁴, and beyond for powers of 2 and multiples of powers of 10.
    """
    near, far = torch.arange(2**12), 2**12 * torch.arange(1, 2**12 + 1)
    round_numbers = [digit * 10**i for i in range(7, 16) for digit in range(1, 10)]
    powers = torch.tensor([2**i for i in range(24, 55)] + round_numbers)
    b = torch.cat([near, far, near, powers[powers < LARGE], powers % LARGE])
    a = torch.zeros_like(b)
    a[len(near) + len(far) :][: len(near)] = 1
    a[-len(powers) :] = powers // LARGE
    last = torch.arange(LARGE - 9, LARGE)  # the largest ids of all
    return torch.cat([a, torch.full_like(last, 50_000_000)]), torch.cat([b, last])


def _require_keys(key: Callable, a: Tensor, b: Tensor, n_b: int, rng: np.random.Generator) -> None:
    """Ask for keys of shuffled pairs, some of them twice; then for some of them again."""
    order = np.concatenate([rng.permutation(len(a)), rng.integers(len(a), size=5)])
    a, b = a.cpu()[order], b.cpu()[order]
    keys = _keys(key, a, b, n_b)
    holders: dict[int, tuple[int, int]] = {}
    for pair, found in zip(zip(a.tolist(), b.tolist(), strict=True), keys.tolist(), strict=True):
        other = holders.setdefault(found, pair)
        if other != pair:
            raise CheckFailed(
                f"{_why_shared(a, b, n_b, keys, other, pair)}\n{other} and {pair} share the key "
                f"{found}, with n_b = {n_b:,}"
            )
    known = {pair: found for found, pair in holders.items()}
    few = ((a < a.max()) & (b < b.max())).nonzero()[:, 0].flip(0)
    for rows in (torch.arange(len(a)), few):
        for row, found in zip(
            rows.tolist(), _keys(key, a[rows], b[rows], n_b).tolist(), strict=True
        ):
            pair = int(a[row]), int(b[row])
            require(
                found == known[pair],
                f"{pair} has two keys, {known[pair]} and {found}: a key is made of a, b and n_b "
                "alone, whatever the place of the pair and the other pairs of the batch",
            )


def _keys(key: Callable, a: Tensor, b: Tensor, n_b: int) -> Tensor:
    keys = ask(key, a=a, b=b, n_b=n_b).tensor()
    require(
        keys.shape == a.shape,
        f"one number for each pair: shape {tuple(a.shape)} is expected, not {tuple(keys.shape)}",
    )
    whole = not keys.is_floating_point() and keys.dtype != torch.bool
    require(whole, f"a key is an integer, not {str(keys.dtype).removeprefix('torch.')}")
    return keys


def _why_shared(
    a: Tensor, b: Tensor, n_b: int, keys: Tensor, one: tuple[int, int], other: tuple[int, int]
) -> str:
    """A hint for two pairs of the batch that share a key."""
    for wrong, told in WRONG_KEYS:
        if torch.equal(wrong(a, b, n_b).long(), keys.long()):
            return told
    right = (a * n_b + b).numpy()
    order = np.lexsort((right, keys.numpy()))
    gaps = np.diff(right[order])[np.diff(keys.numpy()[order]) == 0]
    size = int(gaps[gaps > 0].min())
    if np.array_equal(right % size, keys.numpy()):
        return f"a remainder takes {size:,} values, and there are more pairs than that"
    if one[0] != other[0]:
        step, rest = divmod(one[1] - other[1], other[0] - one[0])
        if not rest and torch.equal(a * step + b, keys.long()):
            return (
                f"here one step in a moves the key on by {step:,}: it must skip over all values "
                "of b, and there are n_b of them"
            )
    return "different pairs need different keys: how many values of b must fit between two of a?"
