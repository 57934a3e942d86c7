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
# # 08 · Numerical features and piecewise linear encoding
#
# *Lecture: ranking, part 4. Runs in about a minute and a quarter on two CPU cores.*
#
# "Played 3 times." "Last heard 6,400,000 seconds ago." "Skips 0.02 per day." A tree asks whether a number
# is larger than a threshold, and any scale will do. A network *multiplies*. Feed it these numbers as they
# are, and one outlier shouts down everything else. How numbers are encoded is worth more than most
# architectures, and it was ignored for years.
#
# In this course **PLE means piecewise linear encoding** (Gorishniy et al. 2022). The same letters also
# stand for *Progressive Layered Extraction*, a multi-task model. There is a small experiment on that one
# at the end.
#

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What you will be able to do
#
# - encode numbers in nine ways, and say what each keeps and loses;
# - write piecewise linear encoding, and choose its bins by quantiles or by a tree;
# - show the curve that a linear model draws from one bin, from eight, from twenty;
# - know which encoding to reach for, and by how much it matters.
#

# %% [markdown] slideshow={"slide_type": "notes"}
# **For the speaker.** Begin with the picture of raw counters and let the room say what a linear layer does to the largest
# value. Keep the widget for the discussion of "how many bins?".
#

# %% slideshow={"slide_type": "skip"}
import itertools
import math
from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
import torch
from IPython.display import Markdown
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.tree import DecisionTreeClassifier
from torch import Tensor, nn

from course_utils import train
from course_utils.data.log import open_log
from course_utils.data.tasks.ranking import ranking_task
from course_utils.evaluation import pointwise
from course_utils.evaluation.contest import Contest
from course_utils.evaluation.intervals import bootstrap
from course_utils.lesson import ladder, plots
from course_utils.lesson.claims import Claims
from course_utils.lesson.ladder import table
from course_utils.lesson.widgets import interactive
from course_utils.models.interfaces import Layer
from course_utils.models.mlp import MLP
from course_utils.models.ranking.dcn_v2 import DCNv2
from course_utils.models.ranking.ple import signed_log1p

plots.use_style()
SEED = train.seed_everything(8)
log = open_log()
claim = Claims(log)
MARGIN = 0.002  # ΔAUC below which we call two models equal
task = ranking_task(log)
contest = Contest(task, SEED, "08_ple")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## One curve that no straight line can draw
#
# How does the chance of a full play depend on how often the listener has played the track before? At first
# every play helps. Then comes boredom. In the log, and on the simulated log also in truth:
#

# %% slideshow={"slide_type": "fragment"}
NAME, LABEL = "user_item_hist_plays_before", "earlier plays of the track by the listener"
if task.frame("train")[NAME].max() == 0:  # ratings: nobody rates a film twice
    NAME, LABEL = "item_hist_track_finished_before", "earlier full plays of the track by anyone"
one = task.with_numbers([NAME])
train_x, test_x = one["train"]["numbers"], one["test"]["numbers"]
train_y, test_y = task.batches["train"]["target"], task.target
grid = torch.arange(0, 41.0)[:, None]


def share_by(x, y, least=200):
    """Mean of y for each value of x that occurs at least `least` times."""
    table = pl.DataFrame({"x": x.flatten().numpy(), "y": y.numpy()}).group_by("x")
    table = table.agg(pl.col("y").mean(), n=pl.len()).filter(pl.col("n") >= least)
    return table.sort("x").filter(pl.col("x") <= 40)


observed = share_by(train_x, train_y)
truth = share_by(test_x, torch.sigmoid(task.oracle)) if task.oracle is not None else None


def draw_shares(ax):
    """The log's shares, and the truth where it is known."""
    ax.plot(
        observed["x"], observed["y"], "o", color=plots.COLORS["muted"], label="share in the log"
    )
    if truth is not None:
        ax.plot(
            truth["x"], truth["y"], "--", color=plots.COLORS["oracle"], label="mean true chance"
        )
    ax.set(xlabel=LABEL, xlim=(-0.5, 40))


figure, ax = plt.subplots(figsize=(8.5, 4))
draw_shares(ax)
ax.set_ylabel("played to the end")
ax.legend()
plt.show()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Piecewise linear encoding
#
# Cut the range at edges $b_0 < b_1 < \dots < b_T$. The number becomes $T$ numbers: how full each bin is,
#
# $$e_t(x) = \begin{cases} 0 & x < b_{t-1},\ t > 1\\ 1 & x \ge b_t,\ t < T\\
# \dfrac{x - b_{t-1}}{b_t - b_{t-1}} & \text{otherwise.}\end{cases}$$
#
# *Gorishniy et al. (2022), equation 1.* Like a row of glasses that are filled one after the other. By hand,
# with edges 0, 1, 3, 7: the number 5 fills two glasses and half of the third, $(1, 1, ½)$.
#

# %% slideshow={"slide_type": "subslide"} tags=["inline"]
from course_utils.models.ranking.ple import PiecewiseLinearEncoding

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
tiny = PiecewiseLinearEncoding([torch.tensor([0.0, 1.0, 3.0, 7.0])], bounded=True)
tiny(torch.tensor([[5.0], [0.5], [100.0]]))

# %% slideshow={"slide_type": "subslide"} tags=["inline"]
from course_utils.models.ranking.ple import quantile_bins

# %% slideshow={"slide_type": "skip"} tags=["inline"]
from course_utils.models.ranking.ple import OneHotBins

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Three properties, checked
#
# **One bin is the scaled number.** With $T=1$ the code is $(x - b_0)/(b_1 - b_0)$, nothing else.
# **It is continuous and keeps the order.** A little more $x$ means a little more of one component, and never
# less of another. A one-hot code jumps at the edges, and forgets that bin 3 lies between 2 and 4.
# **Outliers cannot hurt.** Cut off at the ends, the code of a million is the code of the largest value.
#

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
x = torch.linspace(0, 40, 4_001)[:, None]
edges = quantile_bins(train_x, 16)
one = PiecewiseLinearEncoding([torch.tensor([0.0, 40.0])])(x)
many, onehot = PiecewiseLinearEncoding(edges, bounded=True)(x), OneHotBins(edges)(x)
jump = {
    "PLE": many.diff(dim=0).abs().max().item(),
    "one-hot": onehot.diff(dim=0).abs().max().item(),
}
claim("With one bin PLE is the scaled number", torch.allclose(one, x / 40), "T = 1, 4,001 points")
claim(
    "PLE is continuous and keeps the order; one-hot bins jump and do not",
    jump["PLE"] < 0.02
    and (many.diff(dim=0) >= 0).all()
    and jump["one-hot"] == 1
    and (onehot.diff(dim=0) < 0).any(),
    f"largest jump for a step of 0.01: PLE {jump['PLE']:.3f}, one-hot {jump['one-hot']:.0f}",
)

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
huge = PiecewiseLinearEncoding(edges, bounded=True)(torch.tensor([[1e6]]))
largest = PiecewiseLinearEncoding(edges, bounded=True)(train_x.max().view(1, 1))
claim("An outlier has the code of the largest value seen", torch.equal(huge, largest), "x = 10⁶")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A curve, from one bin to twenty
#
# A *linear* model on the code: one weight a bin. The weight of bin $t$ is how much the logit rises or
# falls across it, so the fit is a broken line with its corners at the edges.
#


# %% slideshow={"slide_type": "fragment"}
class OneNumber(nn.Module):
    """Logistic regression on the code of a single number."""

    def __init__(self, encoding):
        super().__init__()
        self.encoding, self.linear = encoding, nn.Linear(encoding.out_features, 1)

    def forward(self, numbers):
        return self.linear(self.encoding(numbers)).squeeze(1)


def fit_curve(encoding):
    """Fit on the training listens; the curve over the grid, and the log loss on the test."""
    torch.manual_seed(SEED)
    model = OneNumber(encoding)
    batch = {"numbers": train_x, "target": train_y}
    train.fit(
        model, batch, batch, schedule="cycle", epochs=2, batch_size=4_096, lr=0.03,
        weight_decay=0.0,
    )  # fmt: skip
    loss = pointwise.log_loss(train.predict(model, {"numbers": test_x, "target": test_y}), test_y)
    return torch.sigmoid(train.predict(model, {"numbers": grid, "target": grid[:, 0]})), loss


# %% slideshow={"slide_type": "fragment"}
def draw_bins(asked, ax):
    """The fitted curve for a number of bins that was asked for, over the shares and the truth."""
    edges = quantile_bins(train_x, asked)
    curve, loss = fit_curve(PiecewiseLinearEncoding(edges, bounded=True))
    draw_shares(ax)
    ax.plot(grid, curve, color=plots.COLORS["neural"], label="fitted")
    ax.vlines(edges[0], *ax.get_ylim(), color="#dddddd", linewidth=1, zorder=0)
    n = len(edges[0]) - 1
    ax.set(title=f"{n} bin{'s' * (n > 1)}, log loss {loss:.4f}", xlim=(-0.5, 40))


figure, axes = plt.subplots(1, 3, figsize=(13, 3.8), sharey=True)
for ax, asked in zip(axes, [1, 30, 200], strict=True):
    draw_bins(asked, ax)
axes[0].set_ylabel("played to the end")
axes[0].legend(loc="lower right")
for ax in axes:
    ax.set_xlabel("earlier plays")
plt.show()


# %% slideshow={"slide_type": "skip"}
def explore(asked):
    """The widget's figure: one panel, as large as the slide."""
    _, ax = plt.subplots(figsize=(8.5, 4))
    draw_bins(asked, ax)
    ax.set_ylabel("played to the end")
    ax.legend()
    plt.show()


interactive(explore, asked=(1, 200))

# %% [markdown] slideshow={"slide_type": "skip"}
# Quantile edges put the bins where the listens are: many for the first plays, few beyond the twentieth. Six in
# ten listens are of tracks never played before, so many quantiles are the same number, 0. Equal quantiles are
# merged: a number with few different values gets fewer bins than were asked for. The loss on the test hardly
# changes from eight bins to twenty. What the first bin cannot do, and eight can, is to go up *and* down.
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Nine encodings
#
# | encoding | a number becomes | keeps order | outliers | kinks |
# |---|---|---|---|---|
# | raw | itself | yes | deadly | none |
# | standardised | $(x-\mu)/\sigma$ | yes | cut off at ±10 | none |
# | log1p | $\pm\ln(1+\lvert x\rvert)$, standardised | yes | tamed | none |
# | sigmoid | $\sigma((x-\mu)/\sigma)$ | yes | tamed | none |
# | quantile | its place among all values, 0 to 1 | yes | harmless | fixed |
# | one-hot bins | 1 in its bin | **no** | harmless | jumps |
# | periodic | sines and cosines of learned frequencies | no | wrap around | smooth |
# | **PLE** | how full each bin is | yes | harmless | one an edge, learned |
# | PLE of log1p | how full each bin is, on a log scale inside of it | yes | harmless | one an edge, learned |
#
# The quantile transform is the *mean* of the PLE code: PLE gives the network the parts, and lets it
# weigh them itself.
#

# %% slideshow={"slide_type": "subslide"} tags=["inline"]
from course_utils.models.ranking.ple import Standardized

# %% slideshow={"slide_type": "skip"} tags=["inline"]
from course_utils.models.ranking.ple import Periodic, QuantileTransform

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### One network, nine inputs
#
# The same MLP on all counters, without ids, so that nothing but the encoding differs. Each encoding is
# brought to 96 numbers by a linear layer, and the MLP follows.
#

# %% slideshow={"slide_type": "fragment"}
batches = task.recent(120_000)
numbers, target = batches["train"]["numbers"], batches["train"]["target"]
edges = quantile_bins(numbers, 16)


class Raw(nn.Module):
    """The numbers themselves, 0 for unknown."""

    out_features = len(task.numbers)

    def forward(self, x):
        return x.nan_to_num(nan=0.0)


ENCODINGS = {
    "raw": lambda: Raw(),
    "standardised": lambda: Standardized(numbers),
    "log1p": lambda: Standardized(numbers, before=signed_log1p),
    "sigmoid": lambda: Standardized(numbers, after=torch.sigmoid),
    "quantile": lambda: QuantileTransform(edges),
    "one-hot bins": lambda: OneHotBins(edges),
    "periodic": lambda: Periodic(numbers),
    "PLE": lambda: PiecewiseLinearEncoding(edges, bounded=True, missing=True),
    "PLE of log1p": lambda: PiecewiseLinearEncoding(
        quantile_bins(signed_log1p(numbers), 16), bounded=True, missing=True, before=signed_log1p
    ),
}
for name, make in ENCODINGS.items():
    contest.enter(name, lambda make=make: DCNv2(None, make(), cross=None), batches)

# %% slideshow={"slide_type": "fragment"}
names = list(ENCODINGS)
auc = contest.intervals(names, [("PLE", name) for name in names if name != "PLE"])
figure, ax = plt.subplots(figsize=(9, 4.4))
colors = [plots.COLORS["neural" if name == "PLE" else "muted"] for name in names]
plots.interval_plot(ax, {name: auc[name] for name in names}, colors)
ax.set(xlabel="ROC AUC with 95 % intervals over listeners")
plt.show()

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
for name in ("raw", "standardised", "sigmoid"):
    gap = auc["PLE", name]
    claim(f"An MLP on PLE beats the same MLP on {name} inputs", gap.positive, f"ΔAUC {gap}")

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
gap = auc["PLE", "log1p"]
text = "An MLP on PLE beats the same MLP on log1p inputs"
claim(text, gap.positive, f"ΔAUC {gap}", expected=False)

# %% [markdown] slideshow={"slide_type": "skip"}
# Raw times in seconds swamp everything: the network hardly learns. Standardising helps. And then a surprise
# that we did not smooth over: **the plain logarithm is better than PLE on this log.** The paper's data sets are
# of many kinds. Ours is of one: nearly all our numbers are counts and waiting times, and for those the logarithm
# happens to be the right scale. It also keeps every difference, while sixteen bins blur what lies within a bin.
# If that is the reason, more bins and more listens should close the gap.
#

# %% slideshow={"slide_type": "subslide"}
everything = task.batches["train"]["numbers"]
fine = quantile_bins(everything, 48)
FINER = {
    "log1p, all listens": lambda: Standardized(everything, before=signed_log1p),
    "PLE, 48 bins, all listens": lambda: PiecewiseLinearEncoding(fine, bounded=True, missing=True),
}
for name, make in FINER.items():
    contest.enter(
        name,
        lambda make=make: DCNv2(None, make(), cross=None),
        like="PLE" if "PLE" in name else "log1p",
    )
contest.table(["log1p", "PLE", *FINER])

# %% [markdown] slideshow={"slide_type": "skip"}
# They do: with three times the bins and nearly three times the listens most of the difference is gone. But the
# logarithm needed neither. So what are bins for?
#

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Counted from the other end
#
# Suppose that somebody stored each number the other way round: not "seconds since", but "seconds left until
# the largest value". The information is the same. The logarithm now squeezes the wrong end. Quantile bins
# go where the data are, whichever end that is: **nobody has to know the shape.**
#

# %% slideshow={"slide_type": "fragment"}
top = numbers.nan_to_num(nan=-torch.inf).amax(dim=0)
turned = {name: {**batch, "numbers": top - batch["numbers"]} for name, batch in batches.items()}
turned_numbers = turned["train"]["numbers"]
turned_edges = quantile_bins(turned_numbers, 16)
OTHER_END = {
    "log1p, other end": lambda: Standardized(turned_numbers, before=signed_log1p),
    "PLE, other end": lambda: PiecewiseLinearEncoding(turned_edges, bounded=True, missing=True),
}
for name, make in OTHER_END.items():
    contest.enter(name, lambda make=make: DCNv2(None, make(), cross=None), turned)
contest.table(["log1p", "PLE", *OTHER_END])

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
gap = contest.gap("PLE, other end", "log1p, other end")
claim("Counted from the other end, PLE beats the logarithm", gap.positive, f"ΔAUC {gap}")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Where to cut: quantiles or a tree
#
# Quantile bins do not know the target. Section 3.2.2 of the paper grows a small decision tree on each
# feature alone, and takes its thresholds as edges: many where the target changes, none where it does
# not.
#
# First one feature at a time: a logistic regression on the code of this feature alone, for every feature.
#

# %% slideshow={"slide_type": "subslide"} tags=["inline"]
from course_utils.models.ranking.ple import tree_bins

# %% slideshow={"slide_type": "fragment"}
ways = {
    "quantile bins": lambda n: quantile_bins(numbers, n),
    "tree bins": lambda n: tree_bins(numbers[-60_000:], target[-60_000:], n),
}
fit_on, judge_on = slice(-20_000, None), slice(0, 20_000)


def single_losses(edges):
    """Log loss of one logistic regression a feature, on the code of this feature alone."""
    losses = []
    for j in range(len(task.numbers)):
        code = PiecewiseLinearEncoding([edges[j]], bounded=True, missing=True)
        model = LogisticRegression(max_iter=300)
        model.fit(code(numbers[fit_on, j : j + 1]).numpy(), target[fit_on].numpy())
        shown = code(batches["test"]["numbers"][judge_on, j : j + 1]).numpy()
        losses.append(log_loss(task.target[judge_on].numpy(), model.predict_proba(shown)[:, 1]))
    return np.array(losses)


single = {(way, n): single_losses(bins(n)) for way, bins in ways.items() for n in (2, 4)}
pl.DataFrame(
    {
        "bins": [2, 4],
        **{
            f"{way}: mean log loss": [single[way, n].mean().round(4) for n in (2, 4)]
            for way in ways
        },
    }
)

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
two = (single["quantile bins", 2] - single["tree bins", 2]).mean()
four = (single["quantile bins", 4] - single["tree bins", 4]).mean()
claim(
    "One feature at a time, two bins of a tree say more than two bins of quantiles",
    two > 0.001,
    f"mean gain in log loss {two:.4f} with two bins, {four:.4f} with four",
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### In the network
#
# Now all features together, through the MLP.
#

# %% slideshow={"slide_type": "fragment"}
asked = [2, 4, 8, 16]
contest.scores["quantile bins, 16"] = contest.scores["PLE"]  # trained above
for way, n in itertools.product(ways, asked):
    if f"{way}, {n}" not in contest.scores:
        code = PiecewiseLinearEncoding(ways[way](n), bounded=True, missing=True)
        make = lambda code=code: DCNv2(None, code, cross=None)  # noqa: E731
        contest.enter(f"{way}, {n}", make, batches, like="PLE", quiet=True)

# %% slideshow={"slide_type": "fragment"}
by_bins = contest.intervals(
    [f"{way}, {n}" for way in ways for n in asked],
    [(f"tree bins, {n}", f"quantile bins, {n}") for n in asked],
)
figure, ax = plt.subplots(figsize=(8, 4))
for way, color in zip(ways, [plots.COLORS["neural"], plots.COLORS["catboost"]], strict=True):
    ax.plot(asked, [by_bins[f"{way}, {n}"].value for n in asked], "o-", color=color, label=way)
ax.axhline(auc["standardised"].value, color=plots.COLORS["muted"], linestyle=":")
ax.annotate("standardised", (2, auc["standardised"].value), xytext=(0, 6),
            textcoords="offset points", color=plots.COLORS["muted"])  # fmt: skip
ax.set(xscale="log", xlabel="bins a feature", ylabel="ROC AUC")
ax.set_xticks(asked, asked)
ax.minorticks_off()
ax.legend(loc="lower right")
plt.show()

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
gap = by_bins["tree bins, 4", "quantile bins, 4"]
text = "In the network, four bins of a tree beat four bins of quantiles"
claim(text, gap.positive, f"ΔAUC {gap}", expected=False)

# %% [markdown] slideshow={"slide_type": "skip"}
# The promise of target-aware bins, fewer bins for the same quality, holds for a feature on its own and with
# very few bins. In the network it does not hold here. The tree cuts where the feature matters *by itself*;
# the network looks for what it says *together with others*, and there an even resolution serves better.
# With sixteen bins the difference is gone.
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The other PLE: learning two things at once
#
# Shown once, so that nobody is confused: *Progressive Layered Extraction* (Tang et al. 2020) shares
# layers between several targets. Its ancestor MMoE (Ma et al. 2018) has experts that all tasks share, and
# a gate for each task. The paper adds experts that belong to one task alone, so that tasks which disagree
# need not fight: with one level it calls this CGC. PLE stacks such levels, and from level to level the tasks
# part further.
#
# Targets here: full play, and "the listener likes this track within ten minutes", a rare one.
#

# %% slideshow={"slide_type": "fragment"}
SECONDS = 600
likes = log.events.filter(pl.col("event_type") == "like").select(
    "uid", "item_id", liked_at=pl.col("timestamp").cast(pl.Int64)
)
timed = task.rows.select("uid", "item_id", pl.col("timestamp").cast(pl.Int64)).with_row_index()
soon = (
    timed.lazy()
    .join(likes, on=["uid", "item_id"])
    .filter((pl.col("liked_at") - pl.col("timestamp")).is_between(0, SECONDS))
    .select("index")
    .unique()
    .collect()["index"]
)
liked = torch.zeros(len(task.rows))
liked[torch.from_numpy(soon.to_numpy().astype(np.int64))] = 1
liked_enough = bool(liked[task.positions["test"]].sum() > 100)
print(f"{liked.mean():.2%} of the listens are followed by a like")


# %% slideshow={"slide_type": "skip"} tags=["inline"]
from course_utils.models.ranking.multi_task import ExtractionLevel, ProgressiveExtraction

# %% slideshow={"slide_type": "fragment"}
both = {
    part: {
        "numbers": batch["numbers"],
        "target": torch.stack(
            [batch["target"], liked[task.positions[part][-len(batch["target"]) :]]], dim=1
        ),
    }
    for part, batch in batches.items()
}


# %% slideshow={"slide_type": "fragment"}
def weighted(weights):
    """The log losses of the two targets, weighted."""
    weight = torch.tensor(weights)

    def loss(model, batch):
        losses = nn.functional.binary_cross_entropy_with_logits(
            model(batch["numbers"]), batch["target"], reduction="none"
        )
        return (losses.mean(dim=0) * weight.to(losses)).sum()

    return loss


ONE, TWO = [[96, 48]], [[96, 48], [48]]
MODELS = {  # shared experts, own experts, levels, weights of the two losses
    "full play alone": (1, 0, ONE, (1.0, 0.0)),
    "like alone": (1, 0, ONE, (0.0, 1.0)),
    "MMoE": (3, 0, ONE, (1.0, 1.0)),
    "CGC": (1, 1, ONE, (1.0, 1.0)),
    "PLE (extraction)": (1, 1, TWO, (1.0, 1.0)),
}
for name, (n_shared, n_own, levels, weights) in MODELS.items():
    make = lambda s=n_shared, o=n_own, v=levels: ProgressiveExtraction(  # noqa: E731
        ENCODINGS["PLE"](), 2, s, o, v
    )
    contest.enter(name, make, both, loss=weighted(weights), quiet=True)


# %% slideshow={"slide_type": "fragment"}
def gap_to_alone(name, alone, column):
    """AUC of one target: of the model for both, minus that of the model for it alone."""
    y = both["test"]["target"][:, column]
    metrics = {n: pointwise.RocAuc(contest.scores[n][:, column], y) for n in (name, alone)}
    return bootstrap(metrics, contest.groups, [(name, alone)])[name, alone]


rows = {}
for name in list(MODELS)[2:]:
    rows[name] = [str(gap_to_alone(name, "full play alone", 0))]
    rows[name] += [str(gap_to_alone(name, "like alone", 1)) if liked_enough else "–"]
pl.DataFrame(
    {
        "model for both": list(rows),
        "ΔAUC, full play, to its own model": [row[0] for row in rows.values()],
        "ΔAUC, like, to its own model": [row[1] for row in rows.values()],
    }
)

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
gap = gap_to_alone("PLE (extraction)", "full play alone", 0)
text = "One extraction network for both targets ranks full plays no worse than one for them alone"
claim(text, gap.low > -MARGIN, f"ΔAUC {gap}, margin {MARGIN}")

# %% [markdown] slideshow={"slide_type": "skip"}
# The intervals say how far this can be told: likes are rare, so theirs are wide.
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Where we are on the ladder
#
# Every ranker of the track on all ids and counters, the same rows for all: on the simulated log, and on real
# film ratings. What this notebook taught is in colour. (Measured once by `make ladder`; a test makes sure
# that it was measured on the code you see.)
#

# %% slideshow={"slide_type": "fragment"}
HERE = ["logistic regression", "… on binned numbers", "DCN-v2, unified"]
ladder.draw(HERE)

# %% slideshow={"slide_type": "skip"}
Markdown(ladder.table(HERE))

# %% [markdown] slideshow={"slide_type": "skip"}
# The two lowest rungs differ in nothing but the encoding of the numbers.
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercises
#
# ### 1 · A whole column (easy)
#
# Encode a column of numbers, cut off to [0, 1] on both sides, without a loop over the rows. `x` is (N,),
# `edges` is (T + 1,).
#

# %% slideshow={"slide_type": "skip"}
import torch
from torch import Tensor


def encode_column(x: Tensor, edges: Tensor) -> Tensor:
    """Piecewise linear encoding: (N,), (T + 1,) → (N, T)."""
    ### BEGIN SOLUTION
    return ((x[:, None] - edges[:-1]) / edges.diff()).clamp(0, 1)
    ### END SOLUTION


encode_column(torch.tensor([5.0, 0.5]), torch.tensor([0.0, 1.0, 3.0, 7.0]))

# %% slideshow={"slide_type": "skip"}
from course_utils.checks.ple import check_encode_column

check_encode_column(encode_column)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 2 · And back (medium)
#
# Nothing is lost inside the range: write the inverse. From the code (N, T) of a bounded encoding and the
# edges, return the numbers.
#

# %% slideshow={"slide_type": "skip"}
import torch
from torch import Tensor


def decode(codes: Tensor, edges: Tensor) -> Tensor:
    """The numbers that have these codes: (N, T), (T + 1,) → (N,)."""
    ### BEGIN SOLUTION
    return edges[0] + (codes * edges.diff()).sum(dim=1)
    ### END SOLUTION


decode(torch.tensor([[1.0, 1.0, 0.5]]), torch.tensor([0.0, 1.0, 3.0, 7.0]))

# %% slideshow={"slide_type": "skip"}
from course_utils.checks.ple import check_decode

check_decode(decode)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 3 · Draw a broken line (medium)
#
# Given the heights $h_0, \dots, h_T$ that a curve should have at the edges, return the bias and the weights
# of the linear model on the code that draws it.
#

# %% slideshow={"slide_type": "skip"}
import torch
from torch import Tensor


def broken_line(heights: Tensor) -> tuple[Tensor, Tensor]:
    """Bias and weights (T,) of the broken line through (T + 1,) heights."""
    ### BEGIN SOLUTION
    return heights[0], heights.diff()
    ### END SOLUTION


broken_line(torch.tensor([0.0, 2.0, 1.0]))

# %% slideshow={"slide_type": "skip"}
from course_utils.checks.ple import check_broken_line

check_broken_line(broken_line)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 4 · Which features deserve bins? (open)
#
# Thirty-three features with sixteen bins each is a lot. Give each feature the number of bins that a tree
# with a minimal gain would grow, and see how few numbers reach the same AUC.
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#

# %% slideshow={"slide_type": "fragment"}
claim.recap()

# %% [markdown] slideshow={"slide_type": "skip"}
# ## References
#
# - Y. Gorishniy, I. Rubachev, A. Babenko (2022). *On Embeddings for Numerical Features in Tabular Deep
#   Learning.* NeurIPS.
# - H. Tang, J. Liu, M. Zhao, X. Gong (2020). *Progressive Layered Extraction (PLE): A Novel Multi-Task
#   Learning Model for Personalized Recommendations.* RecSys.
# - J. Ma, Z. Zhao, X. Yi et al. (2018). *Modeling Task Relationships in Multi-task Learning with Multi-gate
#   Mixture-of-Experts.* KDD.
# - B. Sguerra, V.-A. Tran, R. Hennequin (2022). *Discovery Dynamics: Leveraging Repeated Exposure for User
#   and Music Characterization.* RecSys (the inverted U of familiarity).
#
