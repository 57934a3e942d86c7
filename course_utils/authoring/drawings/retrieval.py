"""Drawings of part 2: models that find candidates."""

from __future__ import annotations

from course_utils.authoring.drawings.canvas import SOFT, WATER, Box, Canvas, drawing


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
    for one, other in [(history, played), (played, mean), (mean, mlp), (target, track)]:
        c.arrow(one.right(), other.left())
    table = in_batch(c, (728, 174))
    loss = c.box("loss", "softmax\nof each row", (880, 174), (104, 58))
    c.arrow(mlp.right(), table.left(), "$u$ [B, d]")
    c.arrow(track.right(), table.bottom(), "$v$ [B, d]")
    c.arrow(table.right(), loss.left())
    for row, (sign, told) in enumerate(
        [("+", "was played"), ("−", "played by others"), ("=", "same track: left out")]
    ):
        c.text(sign, 752, 318 + 26 * row, 15, weight="bold")
        c.text(told, 768, 318 + 26 * row, ha="left", color=SOFT)


def in_batch(c: Canvas, at: tuple[float, float]) -> Box:
    """Products of five listeners and their five tracks, of which two are the same."""
    same = {(1, 3), (3, 1)}
    signs = [
        ["=" if (i, j) in same else "+" if i == j else "−" for j in range(5)] for i in range(5)
    ]
    colors = {"+": WATER, "−": "#f4f4f4", "=": "white"}
    table = c.cells("data", at, 5, 5, (24, 24), lambda i, j: colors[signs[i][j]])
    for i, line in enumerate(signs):
        for j, sign in enumerate(line):
            c.text(sign, table.x + 24 * (j - 2), table.y + 24 * (i - 2), weight="bold")
    c.text("logits [B, B]", table.x, table.y - 76, color=SOFT)
    return table
