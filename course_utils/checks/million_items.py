"""Checks of notebook 12: memory of training, a row-wise step, products by lookup."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks._answers import drawn, judge


def check_training_memory(memory: Callable[[int, int], float]) -> None:
    """`training_memory(n, d)`: 16 n d bytes in GiB."""
    what = "table, gradient, and the two means of Adam: four numbers for each of the table"
    unit = "a GiB has 2³⁰ bytes; 10⁹ are a GB"

    def gib(numbers: float) -> Callable[[int, int], float]:
        return lambda n, d: numbers * 4 * n * d / 2**30

    judge(
        memory,
        lambda n, d: 16 * n * d / 2**30,
        cases=[
            ({"n": 10_000_000, "d": 48}, f"{what}, each of 4 bytes; {unit}"),
            ({"n": 2**20, "d": 64}, f"exactly one: {what}; {unit}"),
        ],
        mistakes=[
            (lambda n, d: 16 * n * d / 1e9, unit),
            (gib(3), f"the gradient is as large as the table, or one mean is missing: {what}"),
            (gib(2), f"something is missing: {what}"),
            (gib(1), f"that is the table alone: {what}"),
            (lambda n, d: 12 * n * d / 1e9, f"{unit}; and {what}"),
            (gib(8), "float32 takes 4 bytes, not 8"),
            (gib(6), "what a step holds for a moment, two tables more, is not asked for"),
            (gib(32), "those are bits: a byte has 8"),
            (gib(1 / 2), "bits are no bytes: float32 takes 4 bytes"),
            (lambda n, d: 16 * n * d / 2**20, "those are MiB"),
            (lambda n, d: 16 * n * d, "those are bytes"),
            (
                lambda n, d: 4 * (2 * n * d + n) / 2**30,
                "Adam keeps two numbers for each, not a row",
            ),
        ],
    )


def check_rowwise_step(step: Callable[[Tensor, Tensor, Tensor, float], tuple]) -> None:
    """`rowwise_step(weight, gradient, state, lr)`: weights (N, d) and state (N,)."""
    one = "a row has one number: the mean over dim=1 of the squared gradient"

    def update(w: Tensor, g: Tensor, s: Tensor, lr: float) -> tuple[Tensor, Tensor]:
        s = torch.stack([a + (row**2).sum() / len(row) for a, row in zip(s, g, strict=True)])
        return w - lr * g / s.sqrt().unsqueeze(1), s

    def each(w: Tensor, g: Tensor, s: Tensor, lr: float) -> tuple[Tensor, Tensor]:
        full = s[:, None] + g**2
        return w - lr * g / full.sqrt(), full

    def summed(w: Tensor, g: Tensor, s: Tensor, lr: float) -> tuple[Tensor, Tensor]:
        s = s + (g**2).sum(dim=1)
        return w - lr * g / s.sqrt()[:, None], s

    def no_root(w: Tensor, g: Tensor, s: Tensor, lr: float) -> tuple[Tensor, Tensor]:
        s = s + (g**2).mean(dim=1)
        return w - lr * g / s[:, None], s

    def length(w: Tensor, g: Tensor, s: Tensor, lr: float) -> tuple[Tensor, Tensor]:
        s = s + g.norm(dim=1)
        return w - lr * g / s.sqrt()[:, None], s

    def rooted(w: Tensor, g: Tensor, s: Tensor, lr: float) -> tuple[Tensor, Tensor]:
        s = s + (g**2).mean(dim=1).sqrt()
        return w - lr * g / s.sqrt()[:, None], s

    def over_all(w: Tensor, g: Tensor, s: Tensor, lr: float) -> tuple[Tensor, Tensor]:
        s = s + (g**2).mean()
        return w - lr * g / s.sqrt()[:, None], s

    def late(w: Tensor, g: Tensor, s: Tensor, lr: float) -> tuple[Tensor, Tensor]:
        return w - lr * g / s.sqrt()[:, None], s + (g**2).mean(dim=1)

    def first(w: Tensor, g: Tensor, s: Tensor, lr: float) -> tuple[Tensor, Tensor]:
        s = s + g.mean(dim=1) ** 2
        return w - lr * g / s.sqrt()[:, None], s

    def uphill(w: Tensor, g: Tensor, s: Tensor, lr: float) -> tuple[Tensor, Tensor]:
        return 2 * w - update(w, g, s, lr)[0], update(w, g, s, lr)[1]

    def forgetful(w: Tensor, g: Tensor, s: Tensor, lr: float) -> tuple[Tensor, Tensor]:
        return update(w, g, torch.zeros_like(s), lr)

    judge(
        step,
        update,
        cases=[
            (
                {
                    "weight": drawn(3, 4),
                    "gradient": drawn(3, 4, seed=1) + 0.05,
                    "state": torch.tensor([0.5, 2.0, 1.0]),
                    "lr": 0.3,
                },
                ["w − lr · g / √s, with the s of after the update", f"s + ‖g‖²/d; {one}"],
            ),
            (
                {
                    "weight": torch.zeros(1, 2),
                    "gradient": torch.tensor([[3.0, -1.0]]),
                    "state": torch.tensor([4.0]),
                    "lr": 3.0,
                },
                ["s becomes 9, and the step is −3 · (3, −1)/3", "4 + (9 + 1)/2 = 9"],
            ),
        ],
        mistakes=[
            (each, f"this is Adagrad with d numbers a row; {one}"),
            (summed, "the mean of the squares over the row, not their sum"),
            (no_root, "divide by the root of the state: else the step has the wrong unit"),
            (length, "add ‖g‖²/d: the square, not the length"),
            (rooted, "no root before adding: the state is the sum of mean squares"),
            (over_all, one),
            (late, "update the state first: the step uses the new one"),
            (first, "the mean of the squares, not the square of the mean: (1, −1) has a size"),
            (uphill, "down the gradient: the step is taken away"),
            (forgetful, "the state adds up over the steps: what is there is kept"),
            (lambda w, g, s, lr: (update(w, g, s, lr)[0], s), "return the new state, not the old"),
        ],
        parts=("weight", "state"),
    )


def check_lookup_products(products: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`lookup_products(tables, codes)`: Σ_m tables[m, codes[:, m]], (N,)."""
    own = "code m of a track is looked up in table m, no other"
    added = "the pieces' products are added up: a number a track"
    codes = torch.tensor([[0, 3, 1], [2, 2, 0], [1, 0, 3], [3, 1, 2], [2, 0, 1]])

    def looked_up(tables: Tensor, codes: Tensor) -> Tensor:
        return torch.stack([tables[m, codes[:, m]] for m in range(len(tables))], dim=1)

    judge(
        products,
        lambda tables, codes: torch.tensor(
            [sum(float(tables[m][c]) for m, c in enumerate(row)) for row in codes.tolist()]
        ),
        cases=[
            ({"tables": drawn(3, 4), "codes": codes}, f"{own}; {added}"),
            (
                {
                    "tables": torch.tensor([[1.0, 2.0], [10.0, 20.0]]),
                    "codes": torch.tensor([[0, 1], [1, 1]]),
                },
                "the first track: 1 + 20, the second: 2 + 20",
            ),
        ],
        mistakes=[
            (looked_up, added),
            (lambda t, c: looked_up(t, c).mean(dim=1), "the sum over pieces, not their mean"),
            (lambda t, c: looked_up(t, c).prod(dim=1), "the pieces' products are added"),
            (lambda t, c: looked_up(t, c).amax(dim=1), "all pieces count, not the best one"),
            (lambda t, c: looked_up(t, c.flip(1)).sum(dim=1), own),
            (lambda t, c: looked_up(t, c.roll(1, 1)).sum(dim=1), own),
            (lambda t, c: looked_up(t.roll(1, 0), c).sum(dim=1), own),
            (lambda t, c: t[0][c].sum(dim=1), f"only the first table is read; {own}"),
            (lambda t, c: t[:, c[:, 0]].sum(dim=0), f"only the first code is read; {own}"),
            (lambda t, c: t[:, c].sum(dim=(0, 2)), f"each code is looked up in all tables; {own}"),
            (lambda t, c: t[:, c].sum(dim=0), f"each code is looked up in all tables; {own}"),
            (lambda t, c: looked_up(t, c).sum(dim=0), "a number a track: add over dim=1"),
        ],
    )
