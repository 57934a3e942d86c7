"""Drawings of part 3: models that order candidates."""

from __future__ import annotations

from itertools import pairwise

from course_utils.authoring.drawings.canvas import INK, SOFT, Box, Canvas, drawing


@drawing(
    "Two cross layers of DCN-v2", 420,
    "B listens · d numbers · by hand with d = 2, W = I and b = 0",
)  # fmt: skip
def cross_layers(c: Canvas) -> None:
    """Every layer multiplies by the input once more, and adds what it has read."""
    y = 214
    states = [c.box("data", f"$x_{n}$", (68 + 412 * n, y), (80, 58), "[B, d]") for n in range(3)]
    for n, (before, after) in enumerate(pairwise(states)):
        linear = c.box("learned", f"$W_{n}\\,x_{n} + b_{n}$", (before.x + 146, y), (124, 58))
        times, plus = c.sign("⊙", (before.x + 262, y)), c.sign("+", (before.x + 326, y))
        for one, other in zip(
            [before, linear, times, plus], [linear, times, plus, after], strict=True
        ):
            c.arrow(one.right(), other.left())
        c.arrow(states[0].top(), times.top(), "times the input $x_0$" if n == 0 else "", 112, 1)
        c.arrow(before.bottom(), plus.bottom(), f"plus what came in, $x_{n}$", 296, 1, "below")
    for state, example, degree in zip(states, ["(1, 2)", "(2, 6)", "(4, 18)"], "123", strict=True):
        c.text(example, state.x, 330, 15, weight="bold")
        c.text(f"degree {degree}", state.x, 354, color=SOFT)


@drawing(
    "Piecewise linear encoding: glasses filled one after the other", 410,
    "x the number · e its code, how full each bin is · edges from the quantiles of training",
)  # fmt: skip
def glasses(c: Canvas) -> None:
    """The number 5 poured into glasses between the edges 0, 1, 3 and 7; two more numbers."""
    edges, left, unit, floor = [0, 1, 3, 7], 60, 76, 274
    for t, full in enumerate([1, 1, 0.5], start=1):
        low, high = left + unit * edges[t - 1], left + unit * edges[t]
        glass = Box((low + high) / 2, floor - 70, high - low - 12, 140)
        c.glass(glass, full)
        c.text(f"$e_{t}$ = {'1' if full == 1 else '½'}", glass.x, floor - 164, 17)
    c.ax.plot([left - 16, left + 7 * unit + 24], [floor + 22] * 2, color=INK, linewidth=1.3)
    for edge in edges:
        x = left + unit * edge
        c.ax.plot([x, x], [floor + 17, floor + 27], color=INK, linewidth=1.3)
        c.text(f"{edge}", x, floor + 46, 15)
    x = left + 5 * unit
    c.ax.plot([x], [floor + 22], "o", color=INK, markersize=8)
    c.text("x = 5", x, floor + 46, 17, weight="bold")
    c.text("x", 704, 110, 17, weight="bold")
    c.text("code", 892, 110, 17, weight="bold")
    codes = {"0.5": (0.5, 0, 0), "5": (1, 1, 0.5), "100": (1, 1, 1)}
    for row, (number, fill) in enumerate(codes.items()):
        y = 160 + 76 * row
        c.text(number, 704, y, 15)
        for t, full in enumerate(fill):
            c.glass(Box(750 + 38 * t, y, 28, 46), full)
        c.text(f"({', '.join('½' if full == 0.5 else str(full) for full in fill)})", 892, y, 15)
