"""Checks of notebook 19: who sees whom, a pointwise read, a power law above its floor."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks._answers import ask, drawn, judge, require


def check_seen(seen: Callable[[Tensor], Tensor]) -> None:
    """`seen(time)`: (L,) → (2L, 2L) bool, token i may look at token j."""
    strict = "an earlier play is one whose time is strictly smaller: both of its tokens are seen"
    own = "a token sees itself, and what came of a play sees the track of that play"
    hidden = "the track of a play must not see what came of it: that is what it predicts"
    time = torch.tensor([3, 3, 8])
    found, wanted = ask(seen, time=time).tensor(), _seen(time)
    require(
        found.dtype == torch.bool or not torch.equal(found.double(), wanted.double()),
        "the places are right; return them as bool: of integers `~` makes −1 and −2, and an index "
        f"picks rows. This is {found.dtype}",
    )
    judge(
        seen,
        _seen,
        cases=[
            ({"time": torch.tensor([3, 3, 8])}, f"{strict}; {own}; {hidden}"),
            ({"time": torch.tensor([1, 2])}, f"no play shares its moment here; {own}; {hidden}"),
            ({"time": torch.tensor([5])}, f"a single play: {own}; {hidden}"),
        ],
        mistakes=[
            (
                lambda t: _each(t)[None] <= _each(t)[:, None],
                f"with ≤ a track sees its own action, and learns to copy it; {strict}",
            ),
            (
                lambda t: _earlier(t) | (_play(t)[:, None] == _play(t)),
                f"both tokens of a play see each other here; {hidden}",
            ),
            (
                lambda t: torch.ones(2 * len(t), 2 * len(t)).tril().bool(),
                "a triangle lets plays of one moment see each other: their order is chance, "
                f"and no counter sees them; {strict}",
            ),
            (lambda t: _earlier(t), own),
            (lambda t: _earlier(t) | torch.eye(2 * len(t)).bool(), own),
            (lambda t: _seen(t).T, "row i looks, column j is looked at"),
            (lambda t: ~_seen(t), "true where a token *may* look; yours is the other way round"),
            (
                lambda t: (t[None] < t[:, None]) | torch.eye(len(t)).bool(),
                "every play has two tokens: the answer is (2L, 2L)",
            ),
        ],
    )


def _play(time: Tensor) -> Tensor:
    return torch.arange(2 * len(time)) // 2


def _each(time: Tensor) -> Tensor:
    return time.repeat_interleave(2)


def _earlier(time: Tensor) -> Tensor:
    return _each(time)[None] < _each(time)[:, None]


def _seen(time: Tensor) -> Tensor:
    tokens = range(2 * len(time))
    rows = [
        [bool(time[j // 2] < time[i // 2]) or (i // 2 == j // 2 and j <= i) for j in tokens]
        for i in tokens
    ]
    return torch.tensor(rows)


def check_pointwise(pointwise: Callable[[Tensor, Tensor, Tensor, Tensor, int], Tensor]) -> None:
    """`pointwise(q, k, v, seen, n)`: SiLU(QKᵀ / √d) / n where seen, times V, (T, d)."""
    constant = (
        "N is a constant of the model, given as `n`: not how long this sequence happens to be"
    )
    after = "hide with a product after SiLU: SiLU(−∞) is −∞ · 0, which is NaN"
    scale = "the scale is 1/√d with d = q.shape[1]"
    triangle = torch.ones(4, 4).tril().bool()

    def answer(
        weight: Callable[[Tensor], Tensor], root: bool = True
    ) -> Callable[[Tensor, Tensor, Tensor, Tensor, int], Tensor]:
        def mistaken(q: Tensor, k: Tensor, v: Tensor, seen: Tensor, n: int) -> Tensor:
            logits = q @ k.T / (math.sqrt(q.shape[1]) if root else 1)
            return weight(logits) * seen / n @ v

        return mistaken

    judge(
        pointwise,
        _pointwise,
        cases=[
            (
                {
                    "q": drawn(4, 3, seed=1),
                    "k": drawn(4, 3, seed=2),
                    "v": drawn(4, 3, seed=3),
                    "seen": triangle,
                    "n": 16,
                },
                f"SiLU(QKᵀ/√d)/N, zero where nothing is seen, times V; {scale}; {constant}",
            ),
            (
                {
                    "q": torch.ones(4, 1),
                    "k": torch.ones(4, 1),
                    "v": torch.ones(4, 1),
                    "seen": triangle,
                    "n": 8,
                },
                "four tokens that are alike: what is read must grow with their number",
            ),
        ],
        mistakes=[
            (lambda q, k, v, s, n: _pointwise(q, k, v, s, len(k)), constant),
            (
                lambda q, k, v, s, n: _pointwise(q, k, v, s, 1) / s.sum(dim=1, keepdim=True),
                f"this is a mean over what is seen, and forgets how much there was; {constant}",
            ),
            (
                lambda q, k, v, s, n: (
                    torch.nn.functional.silu(
                        (q @ k.T / math.sqrt(q.shape[1])).masked_fill(~s, -torch.inf)
                    )
                    / n
                    @ v
                ),
                after,
            ),
            (
                lambda q, k, v, s, n: (
                    (q @ k.T / math.sqrt(q.shape[1])).masked_fill(~s, -torch.inf).softmax(dim=1) @ v
                ),
                "this is the softmax: its weights add up to 1, however much there is to read",
            ),
            (
                lambda q, k, v, s, n: _pointwise(q, k, v, torch.ones_like(s), n),
                "the mask is not used: the future is read",
            ),
            (answer(torch.nn.functional.silu, root=False), scale),
            (answer(torch.relu), "SiLU is x σ(x): it lets a little below zero through"),
            (answer(torch.sigmoid), "SiLU is x σ(x), not σ(x)"),
            (
                lambda q, k, v, s, n: _pointwise(q, k, v, s, 1),
                "divide by N, or the sums grow with the length that the model is made for",
            ),
        ],
    )


def _pointwise(q: Tensor, k: Tensor, v: Tensor, seen: Tensor, n: int) -> Tensor:
    rows = []
    for i in range(len(q)):
        total = torch.zeros(v.shape[1], dtype=v.dtype)
        for j in range(len(k)):
            if seen[i, j]:
                x = (q[i] * k[j]).sum() / math.sqrt(q.shape[1])
                total = total + x * torch.sigmoid(x) / n * v[j]
        rows.append(total)
    return torch.stack(rows)


def check_power_law(power_law: Callable[[Tensor, Tensor, float], tuple[float, float]]) -> None:
    """`power_law(sizes, losses, floor)`: a, b of the least-squares line log(loss − floor)."""
    floor = "the floor is what no model can go below: take it away before the logarithm"
    sign = "b is positive where the loss falls: loss − floor = a n^(−b)"
    sizes = torch.tensor([1e4, 1e5, 1e6])
    judge(
        power_law,
        _power_law,
        cases=[
            (
                {"sizes": sizes, "losses": torch.tensor([0.9, 0.6, 0.5]), "floor": 0.4},
                [f"a is exp of the intercept of natural logarithms; {floor}", f"{sign}; {floor}"],
            ),
            (
                {"sizes": sizes, "losses": 3.0 * sizes**-0.25 + 0.2, "floor": 0.2},
                "this one is exact: a = 3, b = 0.25",
            ),
            (
                {"sizes": sizes, "losses": 3.0 * sizes**-0.25, "floor": 0.0},
                "with a floor of 0 the loss itself is the power law",
            ),
        ],
        mistakes=[
            (lambda n, x, f: _power_law(n, x, 0.0), f"this is fitted to the raw loss: {floor}"),
            (lambda n, x, f: _power_law(n, x, float(x.min()) * 0.999), floor),
            (lambda n, x, f: _changed(n, x, f, lambda a, b: (a, -b)), sign),
            (
                lambda n, x, f: _changed(n, x, f, lambda a, b: (math.log(a), b)),
                "a is not yet a: the line gives its logarithm",
            ),
            (
                lambda n, x, f: _changed(n, x, f, lambda a, b: (math.exp(math.log10(a)), b)),
                "with logarithms to the base 10 it is 10 to the intercept, not e to it",
            ),
            (
                lambda n, x, f: _changed(n, x, f, lambda a, b: (b, a)),
                "first a, then b: they are swapped",
            ),
            (
                _exponential,
                "a law of powers is a line between two logarithms: log of the sizes, too",
            ),
            (
                lambda n, x, f: _changed(n, x, f, lambda a, b: (a + f, b)),
                "a belongs to the loss above the floor: the floor is not added to it",
            ),
            (
                _ends,
                "a line through the first and the last point: all points count, least squares",
            ),
        ],
        parts=("a", "b"),
        tolerance=1e-3,
    )


def _power_law(sizes: Tensor, losses: Tensor, floor: float) -> tuple[float, float]:
    xs = [math.log(float(n)) for n in sizes]
    ys = [math.log(float(loss) - floor) for loss in losses]
    x_mean, y_mean = sum(xs) / len(xs), sum(ys) / len(ys)
    up = sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True))
    slope = up / sum((x - x_mean) ** 2 for x in xs)
    return math.exp(y_mean - slope * x_mean), -slope


def _changed(
    sizes: Tensor,
    losses: Tensor,
    floor: float,
    change: Callable[[float, float], tuple[float, float]],
) -> tuple[float, float]:
    return change(*_power_law(sizes, losses, floor))


def _exponential(sizes: Tensor, losses: Tensor, floor: float) -> tuple[float, float]:
    """The line of log(loss − floor) against the sizes themselves."""
    x, y = sizes.double(), (losses.double() - floor).log()
    slope = ((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()
    return float((y.mean() - slope * x.mean()).exp()), -float(slope)


def _ends(sizes: Tensor, losses: Tensor, floor: float) -> tuple[float, float]:
    return _power_law(sizes[[0, -1]], losses[[0, -1]], floor)
