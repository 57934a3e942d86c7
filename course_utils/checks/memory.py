"""Checks of notebook 10: a soft read, a write that erases first, the best slots by product keys."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks._answers import drawn, judge


def check_read(read: Callable[[Tensor, Tensor, Tensor, float], Tensor]) -> None:
    """`read(query, keys, values, temperature)`: softmax(q Kᵀ / τ) V, (B, v)."""
    divide = "a low temperature makes the read sharper: divide the products by it"
    axis = "the weights of one query over all slots add up to 1: softmax over the slots"
    judge(
        read,
        _read,
        cases=[
            (
                {
                    "query": drawn(3, 5, seed=1),
                    "keys": drawn(4, 5, seed=2),
                    "values": drawn(4, 2, seed=3),
                    "temperature": 0.5,
                },
                f"products of queries and keys, softmax, weighted values; {axis}; {divide}",
            ),
            (
                {
                    "query": torch.tensor([[0.0, 0.0]]),
                    "keys": torch.eye(2),
                    "values": torch.tensor([[4.0], [8.0]]),
                    "temperature": 0.1,
                },
                "a query that is as near to both slots reads the mean of their values",
            ),
        ],
        mistakes=[
            (lambda q, k, v, t: (q @ k.T * t).softmax(dim=1) @ v, divide),
            (lambda q, k, v, t: (q @ k.T).softmax(dim=1) @ v, f"τ is not used; {divide}"),
            (lambda q, k, v, t: (q @ k.T).softmax(dim=1) @ v / t, "τ divides products, not values"),
            (lambda q, k, v, t: (q @ k.T / t).softmax(dim=0) @ v, axis),
            (lambda q, k, v, t: (q @ k.T / t) @ v, "the softmax is missing"),
            (
                lambda q, k, v, t: v[(q @ k.T).argmax(dim=1)],
                "this is the exact lookup: a soft read mixes the values of all slots",
            ),
            (
                lambda q, k, v, t: (q @ k.T / t).softmax(dim=1),
                "these are the weights: what is wanted is the values that they weigh",
            ),
            (
                lambda q, k, v, t: (q @ k.T / q.shape[1] ** 0.5 / t).softmax(dim=1) @ v,
                "here τ is the only scale: no further root of d",
            ),
        ],
    )


def _read(query: Tensor, keys: Tensor, values: Tensor, temperature: float) -> Tensor:
    rows = []
    for one in query:
        strength = torch.stack([torch.exp((one * key).sum() / temperature) for key in keys])
        rows.append((strength[:, None] * values).sum(dim=0) / strength.sum())
    return torch.stack(rows)


def check_write_once(write: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> None:
    """`write_once(memory, weights, erase, add)`: M ⊙ (1 − w eᵀ) + w aᵀ."""
    order = "erase first, then add: else a part of what was just written is erased"
    weight = "a slot is erased as much as it is meant: w eᵀ, not e alone"
    judge(
        write,
        _write,
        cases=[
            (
                {
                    "memory": drawn(3, 2, seed=4),
                    "weights": torch.tensor([0.75, 0.25, 0.0]),
                    "erase": torch.tensor([1.0, 0.5]),
                    "add": torch.tensor([2.0, -3.0]),
                },
                f"M ⊙ (1 − w eᵀ) + w aᵀ; {order}",
            ),
            (
                {
                    "memory": torch.ones(2, 2),
                    "weights": torch.tensor([1.0, 0.0]),
                    "erase": torch.ones(2),
                    "add": torch.tensor([5.0, 7.0]),
                },
                "the first slot is meant alone, and wholly: it holds 5 7, the other one stays",
            ),
        ],
        mistakes=[
            (
                lambda m, w, e, a: (m + torch.outer(w, a)) * (1 - torch.outer(w, e)),
                order,
            ),
            (lambda m, w, e, a: m * (1 - e) + torch.outer(w, a), weight),
            (
                lambda m, w, e, a: m * (1 - torch.outer(w, e)) + a,
                "a slot is added to as much as it is meant: w aᵀ, not a alone",
            ),
            (lambda m, w, e, a: m + torch.outer(w, a), "nothing is erased"),
            (lambda m, w, e, a: m * (1 - torch.outer(w, e)), "nothing is added"),
            (
                lambda m, w, e, a: m * torch.outer(w, e) + torch.outer(w, a),
                "w eᵀ is what goes: 1 − w eᵀ stays",
            ),
            (
                lambda m, w, e, a: m - torch.outer(w, e) + torch.outer(w, a),
                "erasing multiplies what is there by 1 − w eᵀ, it does not subtract",
            ),
            (
                lambda m, w, e, a: m * (1 - w[:, None]) + torch.outer(w, a),
                "`erase` says which numbers of a slot go",
            ),
        ],
    )


def _write(memory: Tensor, weights: Tensor, erase: Tensor, add: Tensor) -> Tensor:
    out = memory.clone()
    for slot, weight in enumerate(weights):
        for number in range(len(add)):
            left = out[slot, number] * (1 - weight * erase[number])
            out[slot, number] = left + weight * add[number]
    return out


def check_best_slots(best: Callable[[Tensor, Tensor, Tensor, int], tuple[Tensor, Tensor]]) -> None:
    """`best_slots(query, left, right, k)`: weights (k,) and slots (k,) of the best k of n² keys."""
    halves = "the first half of the query meets the left sub-keys, the second half the right ones"
    number = "the slot of left sub-key i and right sub-key j is i·n + j"
    few = (
        "keep k candidates on each side: one half of the best pair may be only the k-th of its side"
    )
    alone = "the softmax is over the k slots that are read, alone: their weights add up to 1"
    judge(
        best,
        lambda q, left, right, k: _best_slots(q, left, right, k),
        parts=("weights", "slots"),
        cases=[
            (
                {
                    "query": _irregular(6, seed=5),
                    "left": _irregular(7, 3, seed=6),
                    "right": _irregular(7, 3, seed=7),
                    "k": 4,
                },
                (f"the best k of the sums, a softmax of them; {alone}", f"{number}; {halves}"),
            ),
            (
                {
                    "query": torch.tensor([1.0, 1.0]),
                    "left": torch.tensor([[9.0], [0.0], [-5.0], [-6.0]]),
                    "right": torch.tensor([[1.0], [2.5], [4.0], [5.5]]),
                    "k": 4,
                },
                (few, f"{few}; {number}"),
            ),
        ],
        mistakes=[
            (
                _by_position,
                "these are places among the k candidates: look up which sub-keys they are "
                "(`.indices`) before i·n + j",
            ),
            (lambda *inputs: _best_slots(*inputs)[::-1], "weights first, then slots"),
            (lambda q, left, right, k: _best_slots(q, left, right, k, candidates=k // 2), few),
            (lambda q, left, right, k: _best_slots(q, left, right, k, other_layout=True), number),
            (lambda q, left, right, k: _best_slots(q, left, right, k, over_all=True), alone),
            (lambda q, left, right, k: _best_slots(q.roll(len(q) // 2), left, right, k), halves),
            (
                lambda *inputs: (_best_slots(*inputs)[0].log(), _best_slots(*inputs)[1]),
                "weights are wanted, not their logarithms",
            ),
            (
                lambda q, left, right, k: _best_slots(q, left, right, k, scores=True),
                "the softmax is missing",
            ),
        ],
    )


def _irregular(*shape: int, seed: int) -> Tensor:
    """Numbers whose products and sums do not tie."""
    return drawn(*shape, seed=seed) + 0.037 * drawn(*shape, seed=seed + 100)


def _best_slots(
    query: Tensor,
    left: Tensor,
    right: Tensor,
    k: int,
    candidates: int | None = None,
    other_layout: bool = False,
    over_all: bool = False,
    scores: bool = False,
) -> tuple[Tensor, Tensor]:
    """All n² scores written down; the options make mistakes."""
    h, n = left.shape[1], len(left)
    a, b = left @ query[:h], right @ query[h:]
    total = a[:, None] + b
    if candidates is not None:
        shown = (a >= a.topk(candidates).values[-1])[:, None] & (b >= b.topk(candidates).values[-1])
        total = total.masked_fill(~shown, -torch.inf)
    found = total.flatten().topk(k)
    i, j = found.indices // n, found.indices % n
    weights = total.flatten().softmax(dim=0)[found.indices]
    if not over_all:
        weights = found.values if scores else found.values.softmax(dim=0)
    return weights, i + j * n if other_layout else i * n + j


def _by_position(query: Tensor, left: Tensor, right: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The candidates' own places in place of the sub-keys' numbers."""
    half = len(query) // 2
    sums = (left @ query[:half]).topk(k).values[:, None] + (right @ query[half:]).topk(k).values
    best = sums.flatten().topk(k)
    return best.values.softmax(dim=0), best.indices // k * len(left) + best.indices % k
