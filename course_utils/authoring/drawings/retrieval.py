"""Drawings of models that find candidates."""

from __future__ import annotations

from course_utils.authoring.drawings.canvas import SOFT, Box, Canvas, drawing


@drawing(
    "The funnel",
    440,
    "every stage sees fewer tracks and spends more on each of them",
)
def funnel(c: Canvas) -> None:
    """Ten thousand tracks, three hundred, twenty; and what is computed before anybody asks."""
    y = 192
    catalogue = c.box("data", "10,000", (86, y), (116, 230), "the catalogue")
    first = c.box("step", "first stage", (235, y), (124, 58), "24 numbers")
    candidates = c.box("data", "300", (377, y), (104, 158), "candidates")
    signals = c.box("step", "signals", (504, y), (94, 58), "[300, 10]")
    ranker = c.box("learned", "ranker", (635, y), (112, 58), "MLP, a score")
    rerank = c.box("step", "re-ranking", (772, y), (110, 58), "as a whole")
    shown = c.box("data", "20", (894, y), (76, 86), "shown")
    c.chain(catalogue, first, candidates, signals, ranker, rerank, shown)
    night = c.box(
        "data", "computed overnight", (370, 356), (394, 58), "vectors of all tracks, and counts"
    )
    c.arrow(night.top(-135), first.bottom())
    c.arrow(night.top(134), signals.bottom())


@drawing(
    "YouTube DNN", 390,
    "u, v vectors · B listeners · L = 10 plays · d = 32 · N tracks, 1,024 drawn in training",
)  # fmt: skip
def youtube_dnn(c: Canvas) -> None:
    """A mean of vectors, an MLP, and a softmax over a second table."""
    y = 140
    history = c.box("data", "last plays", (86, y), (116, 58), "[B, L]")
    played = c.box("learned", "vectors", (242, y), (116, 58), "[N, d]")
    mean = c.box("step", "mean", (380, y), (80, 44))
    mlp = c.box("learned", "MLP", (514, y), (116, 58), "d → 64 → d")
    products = c.box("step", "products", (706, y), (108, 58), "[B, N]")
    loss = c.box("loss", "softmax", (872, y), (120, 58), "next track")
    tracks = c.box("learned", "vectors", (706, 276), (116, 58), "[N, d]")
    age = c.box("data", "example age", (514, 276), (116, 58), "[B, 2]")
    c.chain(history, played, mean, mlp)
    c.arrow(mlp.right(), products.left(), "$u$ [B, d]")
    c.arrow(tracks.top(), products.bottom(), "$v$", side="right")
    c.arrow(age.top(), mlp.bottom(), "if told", side="right", dashed=True)
    c.chain(products, loss)
    c.text("for having been played", played.x, y + 46, color=SOFT)
    c.text("for being found", tracks.x, 276 + 46, color=SOFT)


@drawing(
    "Two towers with in-batch negatives", 450,
    "u, v vectors · B = 512 listeners of a batch · L = 10 plays · d = 32 · N tracks",
)  # fmt: skip
def two_towers(c: Canvas) -> None:
    """Both towers, and the table of their products in which the others' tracks are negatives."""
    c.frame(Box(315, 162, 570, 132), "listener's tower")
    history = c.box("data", "last plays", (104, 174), (112, 58), "[B, L]")
    played = c.box("learned", "vectors", (264, 174), (112, 58), "[N, d]")
    mean = c.box("step", "mean", (408, 174), (80, 44))
    mlp = c.box("learned", "MLP", (536, 174), (112, 58), "d → 64 → d")
    c.frame(Box(185, 330, 310, 132), "track's tower")
    target = c.box("data", "next track", (104, 342), (112, 58), "[B]")
    track = c.box("learned", "vectors", (264, 342), (112, 58), "[N, d]")
    c.chain(history, played, mean, mlp)
    c.chain(target, track)
    table = in_batch(c, (728, 174))
    loss = c.box("loss", "softmax\nof each row", (880, 174), (104, 58))
    c.arrow(mlp.right(), table.left(), "$u$ [B, d]")
    c.arrow(track.right(), table.bottom(), "$v$ [B, d]")
    c.chain(table, loss)
    for row, (sign, told) in enumerate(
        [("+", "was played"), ("−", "played by others"), ("=", "same track: left out")]
    ):
        c.text(sign, 752, 318 + 26 * row, 15, weight="bold")
        c.text(told, 768, 318 + 26 * row, ha="left", color=SOFT)


def in_batch(c: Canvas, at: tuple[float, float]) -> Box:
    """Products of five listeners and their five tracks, of which two are the same."""
    same = {(1, 3), (3, 1)}
    table = c.cells(
        "data", at, 5, 5, words=lambda i, j: "=" if (i, j) in same else "+" if i == j else "−",
        plain=("=", "−"),
    )  # fmt: skip
    c.text("logits [B, B]", table.x, table.y - 76, color=SOFT)
    return table
