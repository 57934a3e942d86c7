# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown] slideshow={"slide_type": "slide"}
# # 11 · Unified embeddings
#
# *Lecture: frontier, part 3. Runs in about a minute on two CPU cores.*
#
# In a production ranker almost all parameters sit in one place: the tables that turn ids into vectors.
# Millions of tracks, listeners, queries, devices, hundreds of features with a table each, sized by hand.
# Coleman et al. (2023) threw the tables away but one. All features share it, rows collide all the time,
# and it works better. Why?
#

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What you will be able to do
#
# - do the arithmetic of an embedding table, optimiser included;
# - predict how many values will collide when N values are hashed into M rows;
# - compare separate tables with one unified table at equal memory;
# - explain, and watch in training, how a network tells the features of a shared table apart.
#

# %% [markdown] slideshow={"slide_type": "notes"}
# **For the speaker.** Ask for a guess at the size of the model before the arithmetic: most of the room will name the MLP. And
# let them predict the angle in the last experiment.
#

# %% slideshow={"slide_type": "skip"}
import itertools
import math

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
import torch
from IPython.display import Markdown
from torch import Tensor, nn

from course_utils import train
from course_utils.data.counters import SESSION_COUNTERS
from course_utils.data.log import open_log
from course_utils.data.tasks.ranking import ranking_task
from course_utils.evaluation import pointwise
from course_utils.evaluation.contest import Contest
from course_utils.lesson import ladder, plots
from course_utils.lesson.claims import Claims
from course_utils.lesson.ladder import table
from course_utils.lesson.widgets import interactive
from course_utils.models.ranking.dcn_v2 import DCNv2
from course_utils.models.ranking.ple import Standardized

plots.use_style()
SEED = train.seed_everything(11)
log = open_log()
claim = Claims(log)
task = ranking_task(log)
contest = Contest(task, SEED)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The largest part of the model
#
# A row of 64 numbers takes 256 bytes. The optimiser (Adam) keeps two more numbers for each. So:
#


# %% slideshow={"slide_type": "fragment"}
def gigabytes(n_values, dim=64, numbers_each=3):
    """Memory of a table with its Adam state: weight, mean and mean square of the gradient."""
    return n_values * dim * 4 * numbers_each / 2**30


sizes = {
    "this log's tracks": task.n_values["track"],
    "Yambda-50M's tracks": 934_057,
    "Yambda-5B's tracks": 9_390_623,
    "10 million rows": 10_000_000,
}
pl.DataFrame(
    {
        "table": list(sizes),
        "rows": [f"{n:,}" for n in sizes.values()],
        "weights (GiB)": [round(gigabytes(n, numbers_each=1), 3) for n in sizes.values()],
        "with Adam (GiB)": [round(gigabytes(n), 3) for n in sizes.values()],
        "seminar's MLP in such rows": [
            f"{(240 * 192 + 192 * 96) / 64 / n:.3%}" for n in sizes.values()
        ],
    }
)

# %% [markdown] slideshow={"slide_type": "skip"}
# (Track counts of Yambda from its dataset card.) One feature of ten million values fills a laptop. A service
# has hundreds of features.
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Hashing
#
# Do not keep a row for each value: keep $M$ rows, and let a hash function send value $v$ to row $h(v)$.
# Some values will share a row. How many?
#
# A given row is missed by one value with probability $1 - 1/M$, and by all $N$ with $(1 - 1/M)^N$. So the
# expected number of rows in use is
#
# $$M\left(1 - (1 - 1/M)^N\right).$$
#
# By hand: 2 values into 2 rows: $2\,(1 - ¼) = 1.5$. Indeed: half of the time they share.
#

# %% slideshow={"slide_type": "subslide"} tags=["inline"]
from course_utils.models.ranking.unified_embeddings import UnifiedEmbedding


# %% slideshow={"slide_type": "fragment"}
def expected_rows(n_values, n_rows):
    """Expected number of rows in use when `n_values` are hashed into `n_rows`."""
    return n_rows * -math.expm1(n_values * math.log1p(-1 / n_rows))


n_values, hashed = 20_000, {}
for n_rows in [1_000, 3_000, 10_000, 30_000, 100_000]:
    counted = []
    for seed in range(5):
        table = UnifiedEmbedding(n_rows, 1, n_features=1, n_hashes=1, seed=SEED + seed)
        counted.append(len(table.rows(torch.arange(1, n_values + 1)[:, None]).unique()))
    hashed[n_rows] = (np.mean(counted), expected_rows(n_values, n_rows))
pl.DataFrame(
    [(f"{m:,}", round(c), round(e), 1 - e / n_values) for m, (c, e) in hashed.items()],
    schema=["rows M", "in use, counted", "in use, formula", "values left over"],
    orient="row",
).with_columns(pl.last().round(3))

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
worst = max(abs(c / e - 1) for c, e in hashed.values())
claim(
    "The number of rows in use is what the formula expects",
    worst < 0.01,
    f"largest relative difference {worst:.2%} over five table sizes, five hashes each",
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Collisions within a feature, and between features
#
# With one table for all features there are two kinds of collisions: two tracks in one row (*within* a
# feature), or a track and a listener in one row (*between* features). Count both in our log, for a table of
# 2,048 rows.
#


# %% slideshow={"slide_type": "fragment"}
def collisions(n_rows):
    """Pairs of values of our log that share a row, within and between features."""
    table = UnifiedEmbedding(n_rows, 1, len(task.fields), n_hashes=1, seed=SEED)
    load = []
    for f, n in enumerate(task.n_values.values()):
        ids = torch.zeros(n - 1, len(task.fields), dtype=torch.long)
        ids[:, f] = torch.arange(1, n)
        load.append(torch.bincount(table.rows(ids)[:, f, 0], minlength=n_rows).double())
    within = sum((rows * (rows - 1) / 2).sum() for rows in load)
    total = sum(load)
    return int(within), int((total * (total - 1) / 2).sum() - within)


VALUES = sum(n - 1 for n in task.n_values.values())
within, between = collisions(2_048)
print(f"{VALUES:,} values in 2,048 rows:")
print(f"{within:,} pairs collide within a feature, {between:,} between features")

# %% [markdown] slideshow={"slide_type": "skip"}
# Separate tables avoid the second kind, and pay for it with smaller tables, that is, with more of the first
# kind. Which is the better bargain? That depends on which kind does more harm.
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The bargain, measured
#
# The same ranker with four kinds of embeddings, always of **equal memory** and equal width (16 numbers a
# value):
#
# - **separate, by size**: three tables, with rows in proportion to the number of values, one hash;
# - **separate, evenly**: the same share for each feature, but no more than it has values; what is left goes
#   to the tracks;
# - **unified, 1 hash**: one table, rows of 16 numbers;
# - **unified, 2 and 4 hashes**: rows of 8 and of 4 numbers, and twice and four times as many of them;
#   a value's vector is what it finds in 2 or 4 places, side by side.
#
# To let the ids speak, the numbers are only those of the session; who likes what must come from the ids.
#

# %% slideshow={"slide_type": "skip"} tags=["inline"]
from course_utils.models.ranking.unified_embeddings import SeparateEmbeddings

# %% slideshow={"slide_type": "fragment"}
batches = task.with_numbers(list(SESSION_COUNTERS), n=150_000)
session = batches["train"]["numbers"]
WIDTH, ALL = 16, sum(task.n_values.values())


def by_size(memory):
    """Tables with together `memory` numbers, rows in proportion to the values."""
    return [max(1, memory // WIDTH * n // ALL) for n in task.n_values.values()]


def evenly(memory):
    """The same rows for all, none more than its values; the tracks get the rest."""
    rows = memory // WIDTH
    share = {field: min(n, rows // len(task.fields)) for field, n in task.n_values.items()}
    share["track"] += rows - sum(share.values())
    return list(share.values())


def separate(rows):
    return SeparateEmbeddings(rows, WIDTH, dropout=0.3, seed=SEED)


def unified(memory, n_hashes, seed=SEED):
    """One table of `memory` numbers, read in `n_hashes` places."""
    dim = WIDTH // n_hashes
    return UnifiedEmbedding(memory // dim, dim, len(task.fields), n_hashes, dropout=0.3, seed=seed)


def enter(name, embedding):
    make = lambda: DCNv2(embedding(), Standardized(session), 16)  # noqa: E731
    return contest.enter(name, make, batches, epochs=3, decays=(2.0,), quiet=True)


# %% slideshow={"slide_type": "fragment"}
WAYS = {
    "separate, by size": lambda m: separate(by_size(m)),
    "separate, evenly": lambda m: separate(evenly(m)),
    "1 hash": lambda m: unified(m, 1),
    "2 hashes": lambda m: unified(m, 2),
    "4 hashes": lambda m: unified(m, 4),
}
FULL = ALL * WIDTH
BUDGETS = [FULL // 40, FULL // 10, FULL // 2]
for memory in BUDGETS:
    for name, make in WAYS.items():
        enter(f"{name}, {memory}", lambda make=make, memory=memory: make(memory))

# %% slideshow={"slide_type": "fragment"}
aucs = {n: pointwise.roc_auc(contest.scores[n], task.target) for n in contest.models}
RIVAL = {
    m: max([f"separate, by size, {m}", f"separate, evenly, {m}"], key=aucs.get) for m in BUDGETS
}  # the better of the two ways to cut
pairs = [(f"2 hashes, {m}", rival) for m in BUDGETS for rival in (RIVAL[m], f"1 hash, {m}")]
auc = contest.intervals([f"{way}, {m}" for m in BUDGETS for way in WAYS], pairs)
figure, ax = plt.subplots(figsize=(9, 4.2))
colors = [plots.COLORS["muted"], plots.COLORS["mlp"], *[plots.PALETTE[i] for i in (9, 0, 3)]]
for (way, _), color in zip(WAYS.items(), colors, strict=True):
    values = [auc[f"{way}, {m}"].value for m in BUDGETS]
    label = way if "separate" in way else f"unified, {way}"
    ax.plot(BUDGETS, values, "o-", color=color, label=label)
ax.set(xscale="log", xlabel="numbers in the tables", ylabel="ROC AUC")
ax.set_xticks(BUDGETS, [f"{m:,}\n({100 * m / FULL:.3g} % of full)" for m in BUDGETS])
ax.minorticks_off()
ax.legend(bbox_to_anchor=(1.01, 1), loc="upper left")
plt.show()

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
gaps = {f"{m / FULL:.1%}": auc[f"2 hashes, {m}", RIVAL[m]] for m in BUDGETS}
told = ", ".join(f"at {m} of full {gap}" for m, gap in gaps.items())
claim(
    "At equal memory one unified table is no worse than the better of two ways to cut it",
    all(gap.low > -0.002 for gap in gaps.values()),
    f"ΔAUC {told}; margin 0.002",
)
tenth = gaps[f"{BUDGETS[1] / FULL:.1%}"]
claim("At a tenth of the memory the unified table is better", tenth.positive, f"ΔAUC {tenth}")

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
more = {f"{m / FULL:.1%}": auc[f"2 hashes, {m}", f"1 hash, {m}"] for m in BUDGETS}
claim(
    "At a tenth of the memory two hashes beat one",
    more[f"{BUDGETS[1] / FULL:.1%}"].positive,
    ", ".join(f"at {m} of full {gap}" for m, gap in more.items()),
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Play with the size
#
# How small may the table be? On the left, from the formula: the share of values that share all their rows with
# another value. On the right, from the experiment above: what this costs. The ring is the table that you chose;
# between the sizes that were measured its height is read off the line.
#


# %% slideshow={"slide_type": "fragment"}
def sharing(n_rows, n_hashes):
    """Share of the log's values that agree in all rows with some other value."""
    others = VALUES - 1
    return 1 - (1 - 1.0 / n_rows**n_hashes) ** others


measured = {m // (WIDTH // 2): auc[f"2 hashes, {m}"].value for m in BUDGETS}


def auc_at(n_rows):
    """AUC of a table of this size, by the line between the measured sizes."""
    return np.interp(np.log(n_rows), np.log(list(measured)), list(measured.values()))


# %% slideshow={"slide_type": "fragment"}
def draw_size(n_rows):
    """Collisions and AUC of a unified table with `n_rows` rows of 8 numbers."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 3.9), sharex=True)
    sizes = np.geomspace(min(measured), max(measured), 60)
    for k, color in [(1, plots.PALETTE[9]), (2, plots.PALETTE[0])]:
        left.plot(sizes, 100 * sharing(sizes, k), color=color, label=f"{k} hash{'es' * (k > 1)}")
        left.plot(n_rows, 100 * sharing(n_rows, k), "o", ms=13, mec=color, mfc="white", mew=3)
    left.set(xscale="log", xlabel="rows of 8 numbers", ylabel="values that are not alone (%)")
    left.legend(loc="center left")
    right.plot(measured.keys(), measured.values(), "o-", color=plots.PALETTE[0])
    right.plot(n_rows, auc_at(n_rows), "o", ms=13, mec=plots.PALETTE[0], mfc="white", mew=3)
    right.set(xlabel="rows of 8 numbers", ylabel="ROC AUC, 2 hashes")
    right.set_xticks([*measured], [f"{n:,}" for n in measured])
    right.minorticks_off()
    figure.suptitle(f"{n_rows:,} rows: {n_rows * 8 / FULL:.0%} of the memory of full tables")
    plt.show()


draw_size(2_048)

# %% slideshow={"slide_type": "skip"}
interactive(draw_size, n_rows=(640, 10_240, 128))

# %% [markdown] slideshow={"slide_type": "skip"}
# At a tenth of the memory nearly every value shares each of its rows with another, and yet hardly any shares
# *both*: two rows side by side are a name of one's own. That is why the curve on the right falls so late.
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Why does it work?
#
# Two values in one row want to pull it in two directions. Take the simplest model with a shared table: the
# logit is $\sum_f \langle w_f, e_{h(v_f)}\rangle$, with one weight vector $w_f$ for each *feature*. The
# gradient that a value of feature $f$ sends into its row is a multiple of $w_f$:
#
# $$\frac{\partial\, \mathrm{loss}}{\partial e_{h(v)}} = \sum_{\text{rows with } v} (p - y)\, w_f .$$
#
# - Two values of the **same** feature send gradients along the *same* $w_f$. They fight for one direction.
# - Values of **different** features send them along $w_f$ and $w_g$. If the two are orthogonal, each owns a
#   direction of the row, and the collision does no harm.
#
# Nobody tells the network to make them orthogonal. Does it? *(Coleman et al. 2023, section 4.)*
#


# %% slideshow={"slide_type": "fragment"}
class SharedLinear(nn.Module):
    """Logistic regression on one shared table: a weight vector for each feature, all equal at first."""

    def __init__(self, n_rows, dim, n_features):
        super().__init__()
        self.embedding = UnifiedEmbedding(n_rows, dim, n_features, n_hashes=1, seed=SEED)
        self.weights = nn.Parameter(torch.ones(n_features, dim) / math.sqrt(dim))
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, ids, numbers):
        return self.bias + (self.embedding(ids) * self.weights).sum(dim=(1, 2))

    def angles(self):
        """Degrees between the weight vectors of each pair of features."""
        unit = nn.functional.normalize(self.weights.detach(), dim=1)
        first, second = zip(*itertools.combinations(range(len(unit)), 2), strict=True)
        cosines = (unit @ unit.T)[list(first), list(second)].clamp(-1, 1)
        return torch.rad2deg(torch.acos(cosines)).tolist()


# %% slideshow={"slide_type": "fragment"}
torch.manual_seed(SEED)
shared = SharedLinear(n_rows=1_024, dim=8, n_features=len(task.fields))
path = []


def watched(model, batch):
    """The log loss, and on the way the angles before each step."""
    if model.training:
        path.append(model.angles())
    return train.log_loss(model, batch)


train.fit(
    shared, task.batches["train"], task.batches["validation"], loss=watched, schedule="constant",
    lr=3e-3, batch_size=4_096, epochs=4, patience=4, weight_decay=0.0, embedding_decay=0.0,
    seed=SEED,
)  # fmt: skip
path = np.array(path)

# %% slideshow={"slide_type": "fragment"}
figure, ax = plt.subplots(figsize=(8.5, 3.9))
NAMES = [f"{one} – {other}" for one, other in itertools.combinations(task.fields, 2)]
for k, name in enumerate(NAMES):
    ax.plot(path[:, k], label=name, color=plots.PALETTE[k])
ax.axhline(90, color=plots.COLORS["muted"], linestyle=":")
ax.set(xlabel="training steps", ylabel="angle (degrees)", ylim=(0, 100))
ax.legend(loc="lower right")
plt.show()

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
claim(
    "The weight vectors of features that share a table turn apart: from 0° to beyond 50°",
    path[0].max() < 1 and path[-1].min() > 50,
    ", ".join(f"{name} {angle:.0f}°" for name, angle in zip(NAMES, path[-1], strict=True)),
)

# %% [markdown] slideshow={"slide_type": "skip"}
# Nobody asked for it: the loss alone turns them. A row that two features share has eight numbers, and each
# feature claims a direction of its own in them.
#

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The two parts of a gradient
#
# Take every row that is shared, and split what the training data send into it: from one value of a feature,
# from another value of the *same* feature, and from values of *other* features. How parallel are they?
#

# %% slideshow={"slide_type": "fragment"}
rows = shared.embedding.rows(task.batches["train"]["ids"])[:, :, 0]
with torch.no_grad():
    residual = (
        torch.sigmoid(train.predict(shared, task.batches["train"]))
        - task.batches["train"]["target"]
    )
by_row = {}
for f, (field, n) in enumerate(task.n_values.items()):
    ids = task.ids(field, "train")
    strength = torch.zeros(n).index_add(0, ids, residual)
    place = torch.zeros(n, dtype=torch.long).index_copy(0, ids, rows[:, f])
    for value in range(1, n):
        gradient = strength[value] * shared.weights[f].detach()
        by_row.setdefault(int(place[value]), []).append((f, gradient))
same, other = [], []
for gradients in by_row.values():
    for i, (f, a) in enumerate(gradients[:12]):
        for g, b in gradients[:i]:
            cosine = nn.functional.cosine_similarity(a, b, dim=0).abs().item()
            (same if f == g else other).append(cosine)
print(f"within a feature  |cos| {np.mean(same):.2f}   ({len(same):,} pairs)")
print(f"between features  |cos| {np.mean(other):.2f}   ({len(other):,} pairs)")

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
claim(
    "Collisions between features push far less in the same direction than those within one",
    np.mean(same) > 0.99 and np.mean(other) < 0.7,
    f"mean |cos| between gradients: within {np.mean(same):.2f}, between {np.mean(other):.2f}",
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A failure: the start matters
#
# PyTorch fills a new embedding with N(0, 1). For a table whose rows are mostly seen a few times that is a
# loud noise that training never gets rid of. `UnifiedEmbedding` starts with small uniform numbers.
#


# %% slideshow={"slide_type": "fragment"}
def loud():
    embedding = unified(BUDGETS[1], 2)
    nn.init.normal_(embedding.table.weight)
    return embedding


enter("N(0, 1) at the start", loud)
quiet = f"2 hashes, {BUDGETS[1]}"
pl.DataFrame(
    {
        "start": ["uniform in ±0.05", "N(0, 1)"],
        "ROC AUC": [
            round(pointwise.roc_auc(contest.scores[n], task.target), 4)
            for n in (quiet, "N(0, 1) at the start")
        ],
    }
)

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
gap = contest.gap(quiet, "N(0, 1) at the start")
claim("A small start beats N(0, 1)", gap.positive, f"ΔAUC {gap}")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Where we are on the ladder
#
# Every ranker of the track on all ids and counters, the same rows for all: on the simulated log, and on real
# film ratings. What this notebook taught is in colour. (Measured once by `make ladder`; a test makes sure
# that it was measured on the code you see.)
#
# The last two rungs differ in the table alone.
#

# %% slideshow={"slide_type": "fragment"}
HERE = ["DCN-v2", "DCN-v2, unified"]
ladder.draw(HERE)

# %% slideshow={"slide_type": "skip"}
Markdown(ladder.table(HERE))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercises
#
# ### 1 · Who sits alone? (easy)
#
# What is the chance that a given value shares its row with nobody, when `n_values` values are hashed into
# `n_rows` rows?
#


# %% slideshow={"slide_type": "skip"}
def alone(n_values: int, n_rows: int) -> float:
    """Probability that no other value falls into the row of a given value."""
    ### BEGIN SOLUTION
    return (1 - 1 / n_rows) ** (n_values - 1)
    ### END SOLUTION


alone(2, 2)

# %% slideshow={"slide_type": "skip"}
from course_utils.checks.unified_embeddings import check_alone

check_alone(alone)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 2 · A multiplexed lookup (medium)
#
# Write the lookup of a unified table. `table` is (M, d), `rows` is (B, F, k): the rows that each value reads.
# Return (B, F, k · d), the k rows of a value side by side.
#

# %% slideshow={"slide_type": "skip"}
import torch
from torch import Tensor


def look_up(table: Tensor, rows: Tensor) -> Tensor:
    """(M, d), (B, F, k) → (B, F, k · d)."""
    ### BEGIN SOLUTION
    return table[rows].flatten(-2)
    ### END SOLUTION


look_up(torch.arange(6.0).view(3, 2), torch.tensor([[[0, 2]]]))

# %% slideshow={"slide_type": "skip"}
from course_utils.checks.unified_embeddings import check_look_up

check_look_up(look_up)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 3 · Twins (medium)
#
# With k independent hashes into M rows each, two values are twins if they share *all* k rows. How many pairs
# of twins do you expect among N values?
#


# %% slideshow={"slide_type": "skip"}
def expected_twins(n_values: int, n_rows: int, n_hashes: int) -> float:
    """Expected number of pairs of values that share all their rows."""
    ### BEGIN SOLUTION
    return n_values * (n_values - 1) / 2 / n_rows**n_hashes
    ### END SOLUTION


expected_twins(3_000, 1_000, 2)

# %% slideshow={"slide_type": "skip"}
from course_utils.checks.unified_embeddings import check_expected_twins

check_expected_twins(expected_twins)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 4 · The heavy ones deserve a row (open)
#
# A hundred tracks take a tenth of the plays. Give the most frequent values rows of their own, and hash only
# the rest into what memory is left. At which budget does it pay?
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#

# %% slideshow={"slide_type": "fragment"}
claim.recap()

# %% [markdown] slideshow={"slide_type": "skip"}
# ## References
#
# - B. Coleman, W.-C. Kang, M. Fahrbach et al. (2023). *Unified Embedding: Battle-Tested Feature
#   Representations for Web-Scale ML Systems.* NeurIPS.
# - K. Weinberger, A. Dasgupta, J. Langford, A. Smola, J. Attenberg (2009). *Feature Hashing for Large Scale
#   Multitask Learning.* ICML.
# - J. L. Carter, M. N. Wegman (1979). *Universal Classes of Hash Functions.* JCSS.
# - A. Ploshkin, V. Tytskiy, A. Pismenny et al. (2025). *Yambda-5B: A Large-Scale Multi-modal Dataset for
#   Ranking and Retrieval.* RecSys.
#
