"""Drawings of models that read plays one after the other, and of memories."""

from __future__ import annotations

from course_utils.authoring.drawings.canvas import SOFT, Box, Canvas, Point, drawing


@drawing(
    "SASRec and one of its blocks", 480,
    "x one vector a play · B listeners · L = 30 plays · d = 32 · N tracks",
)  # fmt: skip
def sasrec(c: Canvas) -> None:
    """From plays to a softmax at every place; below, attention and a network that add to x."""
    y = 146
    plays = c.box("data", "plays", (80, y), (104, 58), "[B, L]")
    vectors = c.box("learned", "vectors", (222, y), (128, 58), "track + place")
    blocks = [c.box("learned", f"block {n}", (366 + 124 * (n - 1), y), (92, 58)) for n in (1, 2)]
    norm = c.box("learned", "norm", (604, y), (80, 58))
    products = c.box("step", "products", (728, y), (108, 58), "[B, L, N]")
    loss = c.box("loss", "softmax", (872, y), (120, 58), "at every place")
    c.chain(plays, vectors, *blocks, norm, products, loss)
    c.arrow(vectors.top(), products.top(), "the same vectors of tracks", 92, 1)
    c.frame(Box(363, 320, 670, 176), "a block")
    inside(c, 338)
    grid = c.cells("step", (822, 338), 5, 5, words=lambda i, j: "•" if j <= i else "")
    c.text("place t sees 1 … t", grid.x, 262, color=SOFT)
    for n in range(5):
        c.text(f"{n + 1}", grid.left().x - 12, grid.y + 24 * (n - 2))


def inside(c: Canvas, y: float) -> None:
    """Both halves of a block, each added to what it reads."""
    names = {"attention": "causal, 2 heads", "network": "d → 4d → d"}
    start = Point(48, y)
    c.text("x", 40, y, 17, weight="bold")
    for half, (name, note) in enumerate(names.items()):
        left = 60 + 310 * half
        norm = c.box("learned", "norm", (left + 84, y), (68, 58))
        work = c.box("learned", name, (left + 196, y), (122, 58), note)
        plus = c.sign("+", (left + 296, y))
        c.arrow(start, norm.left())
        c.chain(norm, work, plus)
        c.arrow(Point(left + 22, y, False), plus.top(), "plus x", 276, 1)
        start = plus.right()
    c.arrow(start, Point(724, y))


@drawing(
    "A memory for each listener", 450,
    "B listeners · x a play, d numbers · N slots of v numbers · w shares of slots, softmax of K x",
)  # fmt: skip
def user_memory(c: Canvas) -> None:
    """A play addresses slots, rewrites them, and is handed on with what they hold."""
    y = 226
    play = c.box("data", "play $x_t$", (86, y), (116, 58), "[B, d]")
    address = c.box("learned", "address w", (254, 126), (132, 58), "keys of all")
    change = c.box("learned", "erase, add", (254, 326), (132, 58), "what to write")
    meant = (1, 4)
    memory = c.cells("data", (456, y), 6, 4, words=lambda i, j: "•" if i in meant else "")
    c.text("contents M\n[B, N, v]", 352, y, color=SOFT)
    read = c.box("step", "read", (622, y), (92, 58), "Σ w M")
    layer = c.box("learned", "layer", (754, y), (92, 58), "→ d")
    state = c.box("data", "state", (886, y), (92, 58), "[B, d]")
    c.arrow(play.right(), address.left())
    c.arrow(play.right(), change.left())
    c.arrow(address.right(), memory.top(), "where [B, N]")
    c.arrow(address.right(), read.top())
    c.arrow(change.right(), memory.bottom(), "[B, v]")
    c.chain(memory, read, layer, state)
    c.arrow(play.bottom(), layer.bottom(), "the play itself", 386, 1)


@drawing(
    "A memory with product keys", 430,
    "B inputs · h = 16 · n = 64 sub-keys a side, n² slots · the k = 8 best are read",
)  # fmt: skip
def product_keys(c: Canvas) -> None:
    """Two halves of a query, the best sub-keys of each side, the best of their sums, k rows."""
    y = 216
    x = c.box("data", "input", (74, y), (92, 58), "[B, d]")
    query = c.box("learned", "query", (204, y), (104, 58), "2 × [B, h]")
    sides = []
    for name, at in (("left", 120), ("right", 312)):
        keys = c.box("learned", f"{name} keys", (354, at), (116, 58), "[n, h]")
        best = c.box("step", "best k", (488, at), (88, 44))
        c.arrow(query.right(), keys.left())
        c.chain(keys, best)
        sides.append(best)
    sums = c.cells("step", (616, y), 5, 5, words=lambda i, j: "•" if i + j < 2 else "")
    c.arrow(sides[0].right(), sums.top())
    c.arrow(sides[1].right(), sums.bottom())
    weights = c.box("step", "softmax", (746, y), (92, 58), "of the k")
    slots = c.box("learned", "slots", (880, y), (104, 58), "[n², out]")
    out = c.box("data", "output", (880, 336), (104, 58), "[B, out]")
    c.chain(x, query)
    c.chain(sums, weights, slots)
    c.arrow(slots.bottom(), out.top(), "k rows", side="left")
    c.text("all k² sums; the k best", 700, 120, color=SOFT)


@drawing(
    "One layer of HSTU", 500,
    "B listeners · T = 2L tokens: track, action, track, action, … · d numbers each · N a constant",
)  # fmt: skip
def hstu_layer(c: Canvas) -> None:
    """Four parts of a token, weights without a softmax, and a gate."""
    y = 262
    x = c.box("data", "$x$", (62, y), (68, 58), "[B, T, d]")
    norm = c.box("learned", "norm", (150, y), (68, 58))
    four = c.box("learned", "$W_1$, SiLU", (256, y), (100, 58), "d → 4d")
    weights = c.box("step", "SiLU($s\\,QK^\\top$ + rab) / N", (442, y), (190, 58), "who sees whom")
    bias = c.box("learned", "rab", (442, 366), (130, 58), "places, times")
    read, after = c.sign("×", (580, y)), c.box("learned", "norm", (654, y), (68, 58))
    gate, out = c.sign("⊙", (728, y)), c.box("learned", "$W_2$", (796, y), (60, 58))
    plus = c.sign("+", (862, y))
    c.chain(x, norm, four)
    c.arrow(four.right(), weights.left(), "Q, K")
    c.chain(weights, read, after, gate, out, plus)
    c.arrow(four.top(-16), gate.top(), "U, the gate [B, T, d]", 108, 1)
    c.arrow(four.top(16), read.top(), "V, what is said", 168, 1)
    c.arrow(bias.top(), weights.bottom())
    c.arrow(x.bottom(), plus.bottom(), "plus x", 424, 1)
    c.arrow(plus.right(), Point(926, y))


@drawing(
    "A past of tracks and actions", 450,
    "a = action, t = track · • is seen · the two plays at 5 s do not see each other",
)  # fmt: skip
def interleaved(c: Canvas) -> None:
    """Six tokens of three plays, what the state at each predicts, and who sees whom."""
    seconds, size = (5, 5, 20), 40
    tokens = [(seconds[n // 2], ("track", "action")[n % 2]) for n in range(6)]
    layers = c.box("learned", "layers of HSTU", (268, 226), (472, 58))
    for n, (moment, kind) in enumerate(tokens):
        at = 80 * n - 200
        token = c.box("data", kind, (268 + at, 333), (70, 58), f"{moment} s")
        answer = c.box("loss", ("action?", "track?")[n % 2], (268 + at, 126), (70, 44))
        c.arrow(token.top(), layers.bottom(at))
        c.arrow(layers.top(at), answer.bottom())

    def seen(i: int, j: int) -> bool:
        return tokens[j][0] < tokens[i][0] or (i // 2 == j // 2 and j <= i)

    grid = c.cells("step", (784, 242), 6, 6, (size, size), lambda i, j: "•" if seen(i, j) else "")
    for n, (_, kind) in enumerate(tokens):
        c.text(kind, grid.left().x - 10, grid.y + size * (n - 2.5), ha="right")
        c.text(kind[0], grid.x + size * (n - 2.5), grid.top().y - 14)
    c.text("a token sees …", grid.x, 84, color=SOFT, weight="bold")
