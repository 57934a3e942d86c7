"""Drawings of models that order candidates."""

from __future__ import annotations

from itertools import pairwise

from course_utils.authoring.drawings.canvas import INK, SOFT, Box, Canvas, Point, drawing


@drawing(
    "Factorization machine", 450,
    "w one weight and v a vector of d numbers for every value · b one number for all",
)  # fmt: skip
def factorization_machine(c: Canvas) -> None:
    """Four fields, their weights and vectors, and the products of all pairs."""
    names = ["listener", "track", "artist", "a counter"]
    top, step = 134, 58
    for row, name in enumerate(names):
        y = top + step * row
        one = c.box("data", name, (86, y), (116, 42))
        weight = c.cells("learned", (213, y), 1, 1)
        c.cells("learned", (310, y), 1, 6)
        c.arrow(one.right(), weight.left())
        c.text(f"{row + 1}", 394, y, weight="bold")
    c.text("$w_i$", 213, 92, 17)
    c.text("$v_i$", 310, 92, 17)
    middle = top + 1.5 * step
    pairs = c.cells(
        "step", (560, middle), 4, 4, (44, 44), lambda i, j: f"{i + 1}·{j + 1}" if i < j else ""
    )
    c.text("products $\\langle v_i, v_j \\rangle$, each pair once", pairs.x, 92, color=SOFT)
    total, plus = c.box("step", "sum", (716, middle), (72, 44)), c.sign("+", (808, middle))
    logit = c.box("data", "logit", (894, middle), (76, 58), "[B]")
    c.arrow(Point(408, middle), pairs.left())
    c.chain(pairs, total, plus, logit)
    c.arrow(
        Point(213, top + 3 * step + 11, False), plus.bottom(), "sum of the weights, and $b$", 364, 1
    )


@drawing("Wide & Deep", 430, "B listens · n fields · d numbers of a vector · one loss for both")
def wide_and_deep(c: Canvas) -> None:
    """Weights and hand-made crosses beside an MLP over field vectors; one sum, one loss."""
    c.frame(Box(373, 158, 350, 172), "wide: facts")
    c.frame(Box(373, 318, 350, 112), "deep: rules")
    fields = c.box("data", "fields", (86, 202), (116, 58), "[B, n]")
    weights = c.box("learned", "weights", (430, 122), (190, 50), "one for each value")
    crosses = c.box("learned", "crosses", (430, 202), (190, 50), "one for each pair seen")
    vectors = c.box("learned", "vectors", (290, 328), (112, 58), "[B, n, d]")
    mlp = c.box("learned", "MLP", (456, 328), (112, 58), "192, 96, 1")
    plus = c.sign("+", (656, 202))
    loss = c.box("loss", "log loss", (862, 202), (140, 58), "finished?")
    for part in (weights, crosses, vectors):
        c.arrow(fields.right(), part.left(), via=172)
    c.arrow(weights.right(), plus.top())
    c.chain(crosses, plus)
    c.chain(vectors, mlp)
    c.arrow(mlp.right(), plus.bottom())
    c.arrow(plus.right(), loss.left(), "logit [B]")


@drawing("DeepFM", 430, "B listens · n fields · d numbers of a vector · no cross is made by hand")
def deepfm(c: Canvas) -> None:
    """An FM and an MLP that read the same vectors."""
    fields = c.box("data", "fields", (86, 230), (116, 58), "[B, n]")
    weights = c.box("learned", "weights", (290, 118), (170, 58), "one for each value")
    vectors = c.box("learned", "vectors", (290, 286), (170, 58), "[B, n, d], shared")
    pairs = c.box("step", "products", (520, 230), (140, 58), "of all pairs")
    mlp = c.box("learned", "MLP", (520, 342), (140, 58), "192, 96, 1")
    plus = c.sign("+", (680, 230))
    loss = c.box("loss", "log loss", (862, 230), (140, 58), "finished?")
    for part in (weights, vectors):
        c.arrow(fields.right(), part.left(), via=172)
    for part in (pairs, mlp):
        c.arrow(vectors.right(), part.left(), via=412)
    c.arrow(weights.right(), plus.top())
    c.chain(pairs, plus)
    c.arrow(mlp.right(), plus.bottom())
    c.arrow(plus.right(), loss.left(), "logit [B]")


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
        c.chain(before, linear, times, plus, after)
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
    edges, left, unit, floor = (0.0, 1.0, 3.0, 7.0), 60, 76, 274
    for t, full in enumerate([1.0, 1.0, 0.5], start=1):
        low, high = left + unit * edges[t - 1], left + unit * edges[t]
        glass = Box((low + high) / 2, floor - 70, high - low - 12, 140)
        c.glass(glass, full)
        c.text(f"$e_{t}$ = {'1' if full == 1 else '½'}", glass.x, floor - 164, 17)
    c.ax.plot([left - 16, left + 7 * unit + 24], [floor + 22] * 2, color=INK, linewidth=1.3)
    for edge in edges:
        x = left + unit * edge
        c.ax.plot([x, x], [floor + 17, floor + 27], color=INK, linewidth=1.3)
        c.text(f"{edge:g}", x, floor + 46, 15)
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


@drawing(
    "One table for all features", 490,
    "B listens · 3 features · two rows of 8 numbers a value: vectors [B, 3, 16], as in the seminar",
)  # fmt: skip
def unified_table(c: Canvas) -> None:
    """Three values, two hashed rows each, one row shared by chance."""
    size, top = 26, 108
    told = {
        0: "h₁ of listener",
        3: "h₂ of listener",
        5: "h₁ of track",
        8: "shared",
        11: "h₂ of artist",
    }
    c.text("one table [2,048, 8]", 440, 86, color=SOFT)
    table = c.cells(
        "learned", (440, top + 6 * size), 12, 1, (150, size),
        lambda i, j: told.get(i, ""),
    )  # fmt: skip
    values = {"listener": (148, (0, 3)), "track": (278, (5, 8)), "artist": (382, (8, 11))}
    for name, (y, pair) in values.items():
        value = c.box("data", name, (92, y), (128, 58), "one value")
        vector = c.cells("data", (800, y), 1, 2, (128, 34), lambda i, j: f"row h{'₁₂'[j]}")
        for half, row in enumerate(pair):
            meet = top + size * (row + 0.5) - table.y + (row == 8) * (6 if name == "artist" else -6)
            c.arrow(value.right(28 * half - 14), table.left(meet), via=260)
            c.arrow(table.right(meet), vector.left(14 * half - 7), via=595)


@drawing(
    "The seminar's network", 420,
    "B listens · 3 ids: listener, track, artist · 33 counters · PLE cuts each into at most 16 bins",
)  # fmt: skip
def seminar_network(c: Canvas) -> None:
    """Ids through one table, numbers through bins, and two readers side by side."""
    up, middle, down = 132, 210, 288
    ids = c.box("data", "ids", (78, up), (100, 58), "[B, 3]")
    table = c.box("learned", "one table", (232, up), (128, 58), "two rows each")
    numbers = c.box("data", "numbers", (78, down), (100, 58), "[B, 33]")
    bins = c.box("step", "PLE", (208, down), (80, 44))
    linear = c.box("learned", "linear", (330, down), (92, 58), "→ 96")
    x0 = c.box("data", "$x_0$", (466, middle), (92, 58), "[B, 144]")
    cross = c.box("learned", "2 cross layers", (622, up), (132, 58), "144 → 144")
    mlp = c.box("learned", "MLP", (622, down), (132, 58), "144 → 192 → 96")
    head = c.box("learned", "linear", (764, middle), (92, 58), "240 → 1")
    loss = c.box("loss", "log loss", (885, middle), (94, 58), "finished?")
    c.chain(ids, table)
    c.chain(numbers, bins, linear)
    c.arrow(table.right(), x0.top(), "[B, 48]")
    c.arrow(linear.right(), x0.bottom())
    for part in (cross, mlp):
        c.arrow(x0.right(), part.left())
    c.arrow(cross.right(), head.top())
    c.arrow(mlp.right(), head.bottom())
    c.chain(head, loss)


@drawing(
    "Target attention: the candidate asks the last plays", 430,
    "B listens · L = 20 plays · d = 32 · product: of the candidate's vector and what was read",
)  # fmt: skip
def target_attention(c: Canvas) -> None:
    """The candidate's vector is the query, the plays with what came of them keys and values."""
    up, down = 132, 254
    candidate = c.box("data", "candidate", (86, up), (116, 58), "[B]")
    plays = c.box("data", "last plays", (86, down), (116, 58), "[B, L]")
    tracks = c.box("learned", "vectors\nof tracks", (242, (up + down) / 2), (112, down - up + 58))
    told = c.box("learned", "plus", (412, down), (156, 58), "finished, place, age")
    nothing = c.box("learned", "nothing", (412, 340), (156, 50), "for an empty past")
    read = c.box("learned", "attention", (588, down), (112, 58), "4 heads")
    beside = c.box("data", "candidate\nread\nproduct", (746, tracks.y), (112, tracks.height))
    network = c.box("learned", "network", (880, tracks.y), (104, 58), "the seminar's")
    shift = down - tracks.y
    c.arrow(candidate.right(), tracks.left(-shift))
    c.arrow(plays.right(), tracks.left(shift))
    c.arrow(tracks.right(-shift), beside.left(-shift), "[B, d]")
    c.arrow(tracks.right(-shift), read.top(), "query", at=1, side="right")
    c.arrow(tracks.right(shift), told.left())
    c.chain(told, read)
    c.arrow(nothing.right(), read.bottom())
    c.arrow(read.right(), beside.left(shift))
    c.chain(beside, network)
