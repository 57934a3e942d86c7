"""Drawings of generative models."""

from __future__ import annotations

from course_utils.authoring.drawings.canvas import (
    EDGE,
    LEARNED,
    SOFT,
    Box,
    Canvas,
    Point,
    drawing,
)


@drawing(
    "A variational autoencoder of bags", 470,
    "B bags · N tracks · d = 32 numbers of a code · π the chances of all tracks",
)  # fmt: skip
def vae(c: Canvas) -> None:
    """A bag with holes, a distribution of codes, one draw from it, and the whole bag again."""
    y = 200
    bag = c.box("data", "bag x", (74, y), (92, 58), "[B, N]")
    noise = c.box("step", "to length 1", (202, y), (108, 58), "drop half")
    encoder = c.box("learned", "encoder", (338, y), (108, 58), "N → 32 → 2d")
    c.frame(Box(478, 200, 104, 182), "q(z | x)")
    mean = c.box("data", "μ", (478, 166), (76, 54), "[B, d]")
    width = c.box("data", "log σ²", (478, 246), (76, 54), "[B, d]")
    z = c.box("step", "z = μ + σ ε", (622, y), (124, 44))
    decoder = c.box("learned", "decoder", (758, y), (92, 58), "d → N")
    loss = c.box("loss", "−Σ x log π", (876, y), (112, 58), "multinomial")
    pull = c.box("loss", "β KL", (478, 362), (132, 58), "to N(0, I)")
    draw = c.box("data", "ε", (622, 362), (92, 58), "N(0, I)")
    c.chain(bag, noise, encoder)
    for part in (mean, width):
        c.arrow(encoder.right(), part.left(), via=408)
        c.arrow(part.right(), z.left(), via=546)
    c.chain(z, decoder, loss)
    c.arrow(Point(478, 291, False), pull.top())
    c.arrow(draw.top(), z.bottom(), "in training", side="right")
    c.arrow(bag.top(), loss.top(), "the whole bag is to come back", 96, 1)


@drawing(
    "CFGAN: a generator and its judge", 486,
    "B listeners · N tracks, 1 for what was played · each loss moves its own side alone",
)  # fmt: skip
def cfgan(c: Canvas) -> None:
    """A written profile and the real one before the same judge; two losses, one for each side."""
    condition = c.box("data", "condition", (86, 278), (116, 58), "[B, N]")
    generator = c.box("learned", "generator", (250, 184), (116, 58), "N → N")
    written = c.box("data", "written", (406, 184), (92, 58), "[B, N]")
    real = c.box("data", "real", (406, 278), (92, 58), "[B, N]")
    masks = [c.box("step", "mask", (534, y), (104, 58), "PM: + drawn") for y in (184, 278)]
    judge = c.box("learned", "judge", (674, 278), (104, 246), "one logit")
    zero = c.box("loss", "ZR: α Σ x̂²", (622, 96), (188, 58), "pull to 0, at drawn tracks")
    fool = c.box("loss", "−log D(written)", (856, 204), (164, 58), "is it taken for real?")
    tell = c.box("loss", "log loss", (856, 330), (164, 58), "real or written?")
    c.arrow(condition.right(), generator.left())
    c.arrow(condition.right(), real.left(), "the same")
    c.chain(generator, written, masks[0])
    c.chain(real, masks[1], judge)
    c.arrow(masks[0].right(), judge.left(-94))
    c.arrow(written.top(), zero.left())
    c.arrow(condition.bottom(), judge.left(94), "what is known of the listener", 0, 1)
    c.arrow(judge.right(-74), fool.left())
    c.arrow(judge.right(52), tell.left())
    c.text("the generator's losses", 850, 96, color=SOFT)
    c.text("the judge's loss", 856, 378, color=SOFT)


@drawing(
    "RQ-VAE: a vector becomes three codes", 500,
    "B tracks · K = 64 codes at each of 3 depths · d = 32 · sg stops the gradient",
)  # fmt: skip
def rq_vae(c: Canvas) -> None:
    """What is left is quantised again and again; the decoder sees the chosen vectors alone."""
    x = c.box("data", "vector x", (78, 124), (100, 58), "[B, 64]")
    encoder = c.box("learned", "encoder", (206, 124), (108, 58), "64 → 128 → d")
    total = c.box("step", "sum", (692, 412), (144, 58), "straight-through")
    rests = [c.box("data", f"$r_{n}$", (190 + 134 * n, 124), (76, 58), "[B, d]") for n in (1, 2, 3)]
    c.chain(x, encoder, rests[0])
    for one, other, sign in zip(rests, rests[1:], "₁₂", strict=False):
        c.arrow(one.right(), other.left(), f"− e{sign}")
    for n, rest in enumerate(rests, start=1):
        book = c.box("learned", f"book {n}", (rest.x, 228), (92, 58), "[K, d]")
        code = c.box("data", f"code $c_{n}$", (rest.x, 332), (92, 58), f"vector e{'₁₂₃'[n - 1]}")
        c.arrow(rest.bottom(), book.top(), "nearest", side="left")
        c.arrow(book.bottom(), code.top())
        c.arrow(code.bottom(), total.left())
    told = "‖sg r − e‖² + ¼ ‖r − sg e‖²"
    pull = c.box("loss", "pull both, at each depth", (794, 228), (236, 58), told)
    c.arrow(book.right(), pull.left())
    decoder = c.box("learned", "decoder", (862, 412), (108, 58), "d → 128 → 64")
    rebuilt = c.box("loss", "rebuild", (862, 322), (108, 58), "‖x − x̂‖²")
    c.chain(total, decoder)
    c.arrow(decoder.top(), rebuilt.bottom())


@drawing(
    "A retriever that spells, and its trie", 500,
    "B listeners · L = 30 plays of 4 codes · V = 211 words · softmax first, then the trie's mask",
)  # fmt: skip
def speller(c: Canvas) -> None:
    """A state of the plays is the first word; every code is guessed from those before it."""
    plays = c.box("data", "plays", (90, 112), (124, 58), "[B, L, 4]")
    words = c.box("learned", "words", (90, 208), (124, 58), "[V, d], summed")
    blocks = c.box("learned", "2 blocks", (90, 304), (124, 58), "of SASRec")
    block = c.box("learned", "a block that spells", (382, 304), (392, 58), "causal")
    c.arrow(plays.bottom(), words.top())
    c.arrow(words.bottom(), blocks.top())
    names = ["state", "$c_1$", "$c_2$", "$c_3$", "extra"]
    for n in range(4):
        at = 100 * n - 150
        read = c.box("data", names[n], (382 + at, 402), (84, 44))
        said = c.box("data", names[n + 1], (382 + at, 206), (84, 44))
        c.arrow(read.top(), block.bottom(at))
        c.arrow(block.top(at), said.bottom())
        if n == 0:
            c.arrow(blocks.bottom(), read.left())
    c.text("what is said: the best that the trie has", 382, 162, color=SOFT)
    trie(c, 660, 304)
    c.arrow(Point(632, 206), said.right())


def trie(c: Canvas, x: float, y: float) -> None:
    """A tree of the tuples that exist, one of them spelt."""
    c.frame(Box(x + 122, y - 20, 300, 296), "the trie: what exists")
    spelt = (0, 0, -24, -24)
    others = [(-76, -112, -112, -112), (-76, -68, -68, -68), (0, 0, 24, 24), (80, 80, 80, 80)]
    for path in [*others, spelt]:
        across, down = [x + 50 * n for n in range(5)], [y, *(y + shift for shift in path)]
        color, wide = (LEARNED, 3.5) if path == spelt else (EDGE, 1.5)
        c.ax.plot(across, down, "o-", color=color, linewidth=wide, markersize=8)
        c.text(
            "track", across[-1] + 12, down[-1], ha="left", weight="bold" if wide > 2 else "normal"
        )


@drawing(
    "New words in the table of a language model", 490,
    "B questions with their answers · T tokens · d = 64 · 600 old words and 76 new ones",
)  # fmt: skip
def token_table(c: Canvas) -> None:
    """Each code is a token and a row; the table is read at both ends."""
    size, top = 28, 112
    rows = ["Played", ":", "…", "", "⋮", "<a_3>", "⋮", "<b_17>", "⋮", "<c_0>", "⋮"]
    table = c.cells(
        "learned", (304, top + 5.5 * size), 11, 1, (128, size),
        lambda i, j: rows[i], plain=tuple(rows[:4]),
    )  # fmt: skip
    for row, name in enumerate(rows):
        if name not in ("", "…", "⋮"):
            y = top + size * (row + 0.5)
            token = c.box("data", name, (80, y), (104, 24))
            c.arrow(token.right(), table.left(y - table.y))
    model = c.box("learned", "2 blocks", (540, 182), (108, 58), "causal")
    products = c.box("step", "products", (700, 182), (108, 58), "[B, T, 676]")
    loss = c.box("loss", "next token", (868, 182), (124, 58), "in answers only")
    c.arrow(table.right(182 - table.y), model.left())
    c.chain(model, products, loss)
    c.arrow(table.top(), products.top(), "the same table", 88, 1)
    c.text("600 old words", 384, 138, ha="left", color=SOFT)
    c.text("76 new ones", 384, 334, ha="left", color=SOFT)
    c.frame(Box(726, 342, 412, 148), "where may a new row start?")
    for n, place in enumerate(
        ["next to the mean of the old rows: the library", "anywhere, spread as the old rows are",
         "where the words lie that tell of its tracks"]
    ):  # fmt: skip
        c.text(place, 542, 318 + 32 * n, ha="left")
