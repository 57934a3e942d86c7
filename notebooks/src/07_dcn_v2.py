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
# # 07 · DCN-v2: products by construction
#
# *Lecture: ranking, part 3. Runs in about a minute and a half on two CPU cores.*
#
# "This listener, at night, in a session that is going badly." Such sentences are products of features. An
# MLP can approximate a product, but it has to learn every one of them from sums and kinks. A cross layer
# multiplies *by construction*: one matrix, one elementwise product, and all pairs of features are there.
#

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What you will be able to do
#
# - write the cross layer from memory, and say which products L layers hold;
# - see a product that one layer has exactly, and an MLP of hundreds of times the size only nearly;
# - make the layer cheap: low rank, the right order of multiplication, a mixture of experts;
# - choose between stacked and parallel, with numbers.
#

# %% [markdown] slideshow={"slide_type": "notes"}
# **For the speaker.** Ask before the experiment with six coefficients: how many neurons does an MLP need for
# one product of two numbers? Let the room bet.
#

# %% slideshow={"slide_type": "skip"}
import bisect
import itertools
import math
import time
from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
import sympy
import torch
from IPython.display import Markdown
from torch import Tensor, nn

from course_utils import train
from course_utils.data.log import open_log
from course_utils.data.tasks.ranking import ranking_task
from course_utils.evaluation.contest import Contest, count_parameters
from course_utils.lesson import ladder, plots
from course_utils.lesson.claims import Claims
from course_utils.lesson.ladder import draw
from course_utils.models.interfaces import Layer
from course_utils.models.mlp import MLP
from course_utils.models.ranking.dcn_v2 import DenseNet, ResNet
from course_utils.models.ranking.ple import PiecewiseLinearEncoding, quantile_bins
from course_utils.models.ranking.unified_embeddings import SeparateEmbeddings
from course_utils.models.ranking.wide_deep_deepfm import DeepFM

plots.use_style()
SEED = train.seed_everything(7)
log = open_log()
claim = Claims(log)
task = ranking_task(log)
contest = Contest(task, SEED)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The cross layer
#
# $$x_{l+1} = x_0 \odot (W_l\, x_l + b_l) + x_l$$
#
# *Wang et al. (2021), equation 1.* Read it from the inside. $W_l x_l + b_l$ is a linear layer: every
# component is a weighted sum of all features. The elementwise product with the *input* $x_0$ turns the
# sums into sums of products. And $+\,x_l$ keeps what was there before.
#
# By hand: $x_0 = (1, 2)$, $W = I$, $b = 0$ gives $(1, 2) \odot (1, 2) + (1, 2) = (2, 6)$. The same layer
# once more, still multiplied by the *input*: $(1, 2) \odot (2, 6) + (2, 6) = (4, 18)$.
#

# %% slideshow={"slide_type": "subslide"} tags=["inline"]
from course_utils.models.ranking.dcn_v2 import CrossNetwork

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
by_hand = CrossNetwork(dim=2, n_layers=2)
for weight in by_hand.weights:
    weight.weight.data, weight.bias.data = torch.eye(2), torch.zeros(2)
by_hand(torch.tensor([[1.0, 2.0]])).detach()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Which products are in there?
#
# Let a computer algebra system do it: two layers, two features, letters in place of numbers. We ask only
# *which* monomials appear.
#


# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
def monomials(d, n_layers):
    """All monomials (without coefficients) that the outputs of a cross network hold."""
    inputs = sympy.symbols(f"x1:{d + 1}")
    x = list(inputs)
    for layer in range(n_layers):
        w = sympy.MatrixSymbol(f"W{layer}", d, d)
        b = sympy.symbols(f"b{layer}_1:{d + 1}")
        inner = [sum(w[i, j] * x[j] for j in range(d)) + b[i] for i in range(d)]
        x = [sympy.expand(inputs[i] * inner[i] + x[i]) for i in range(d)]
    powers = {p for out in x for p in sympy.Poly(out, *inputs).monoms()}
    return {sympy.prod(v**e for v, e in zip(inputs, p, strict=True)) for p in powers}


print(sorted(map(str, monomials(2, 1))))
print(sorted(map(str, monomials(2, 2))))


# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
def all_up_to(d, degree):
    letters = sympy.symbols(f"x1:{d + 1}")
    grid = itertools.product(range(degree + 1), repeat=d)
    powers = [p for p in grid if 0 < sum(p) <= degree]
    return {sympy.prod(v**e for v, e in zip(letters, p, strict=True)) for p in powers}


cases = [(2, 1), (2, 2), (2, 3), (3, 1), (3, 2)]
exact = [monomials(d, n_layers) == all_up_to(d, n_layers + 1) for d, n_layers in cases]
claim(
    "L cross layers hold every monomial up to degree L + 1, and none beyond",
    all(exact),
    f"equal as sets for (features, layers) in {cases}",
)

# %% [markdown] slideshow={"slide_type": "skip"}
# They *hold* every monomial; the coefficients are not free. A polynomial of degree $L+1$ in $d$ features
# has far more coefficients than $L$ matrices have entries. That is the point: like the factorization
# machine, the cross network shares its parameters between the products.
#

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### And can it learn them?
#
# Take products of one to four different features. Fit each with networks of one to three layers and a
# linear layer on top. What is left of the variance?
#


# %% slideshow={"slide_type": "fragment"}
def fit_function(model, function, d, epochs=44, lr=4e-2):
    """Regression on uniform inputs in [−1, 1]; the share of variance left on new ones."""
    random = torch.Generator().manual_seed(SEED)
    drawn = [2 * torch.rand(4_096, d, generator=random) - 1 for _ in range(3)]
    training, validation, test = ({"input": x, "target": function(x)} for x in drawn)
    train.fit(
        model, training, validation, loss=train.squared_error, lr=lr, weight_decay=0.0,
        batch_size=256, epochs=epochs, patience=epochs, seed=SEED, progress=False,
    )  # fmt: skip
    error = train.predict(model, test) - test["target"]
    return (error.square().mean() / test["target"].var()).item()


def crosses(d, n_layers):
    torch.manual_seed(SEED)
    return nn.Sequential(CrossNetwork(d, n_layers), nn.Linear(d, 1), nn.Flatten(0))


# %% slideshow={"slide_type": "fragment"}
LAYERS, DEGREES = [1, 2, 3], [1, 2, 3, 4]


def product_left(n_layers, k):
    """Share of the variance of x₁ ⋯ x_k that `n_layers` cross layers leave."""
    return fit_function(crosses(4, n_layers), lambda x: x[:, :k].prod(dim=1), d=4)


left = np.array([[product_left(n, k) for k in DEGREES] for n in LAYERS])

# %% slideshow={"slide_type": "fragment"}
figure, ax = plt.subplots(figsize=(7.5, 3.6))
ax.imshow(np.clip(left, 0, 1), cmap="Blues", vmin=0, vmax=1.4, aspect="auto")
for row, column in itertools.product(range(3), range(4)):
    share = left[row, column]
    ink = "white" if share > 0.5 else "black"
    ax.text(column, row, f"{min(share, 1):.1%}", ha="center", va="center", fontsize=14, color=ink)
ax.set_xticks(range(4), ["x₁", "x₁x₂", "x₁x₂x₃", "x₁x₂x₃x₄"])
ax.set_yticks(range(3), ["1 layer", "2 layers", "3 layers"])
ax.set(title="share of the variance that is left after fitting")
ax.grid(visible=False)
plt.show()

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
within = np.array([[k <= n + 1 for k in DEGREES] for n in LAYERS])
claim(
    "A product of k features is learned by k − 1 cross layers, and not by fewer",
    left[within].max() < 0.1 and left[~within].min() > 0.5,
    f"variance left: at most {left[within].max():.1%} with enough layers, "
    f"at least {min(left[~within].min(), 1):.0%} with too few",
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Six coefficients
#
# A well-known demonstration (TensorFlow Recommenders, tutorial on DCN): the chance of a purchase is
#
# $$y = 0.1x_1 + 0.4x_2 + 0.7x_3 + 0.1x_1x_2 + 3.1x_2x_3 + 0.1x_3^2 .$$
#
# One cross layer on three numbers has 16 parameters with the layer on top. Against it: MLPs of up to nearly
# seven thousand.
#


# %% slideshow={"slide_type": "fragment"}
def purchase(x):
    a, b, c = x.T
    return 0.1 * a + 0.4 * b + 0.7 * c + 0.1 * a * b + 3.1 * b * c + 0.1 * c * c


rivals = {"one cross layer": crosses(3, 1)}
for hidden in ([8], [32], [32, 32], [96, 64]):
    torch.manual_seed(SEED)
    rivals[f"MLP {'–'.join(map(str, hidden))}"] = nn.Sequential(
        MLP(3, hidden), nn.Linear(hidden[-1], 1), nn.Flatten(0)
    )
sizes = {name: count_parameters(model) for name, model in rivals.items()}
errors = {name: fit_function(model, purchase, d=3, epochs=125) for name, model in rivals.items()}

# %% slideshow={"slide_type": "fragment"}
figure, ax = plt.subplots(figsize=(8, 4))
for name in rivals:
    is_cross = name == "one cross layer"
    color = plots.COLORS["neural" if is_cross else "mlp"]
    ax.loglog(sizes[name], max(errors[name], 1e-9), "o", color=color, markersize=10)
    offset = (10, -4) if is_cross else (0, 10)
    place = {
        "xytext": offset,
        "textcoords": "offset points",
        "ha": "left" if is_cross else "center",
    }
    ax.annotate(name, (sizes[name], max(errors[name], 1e-9)), **place, fontsize=11.5)
ax.set(xlabel="parameters", ylabel="share of the variance left", xlim=(10, 20_000))
ax.set_ylim(1e-10, 1)
plt.show()

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
best_mlp = min(value for name, value in errors.items() if name != "one cross layer")
largest = max(sizes.values())
claim(
    "One cross layer fits the polynomial far better than an MLP hundreds of times its size",
    errors["one cross layer"] < best_mlp / 10 and largest > 300 * sizes["one cross layer"],
    f"variance left: cross {errors['one cross layer']:.0e} with {sizes['one cross layer']} "
    f"parameters, best MLP {best_mlp:.0e}, up to {largest:,} parameters",
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What the matrix says
#
# The layer can be read. Entry $(i, j)$ of $W$ (times the weight of output $i$ on top) is the weight of
# $x_i x_j$. Each product has two entries, $(i, j)$ and $(j, i)$, and only their sum counts. The figure shows the
# sum in both places: the layer has found $3.1\,x_2x_3$, and the two small products as well.
#

# %% slideshow={"slide_type": "fragment"}
layer, top = rivals["one cross layer"][0].weights[0], rivals["one cross layer"][1]
read = (top.weight.detach().T * layer.weight.detach()).numpy()
figure, ax = plt.subplots(figsize=(4.6, 3.8))
ax.imshow(np.abs(read + read.T) / 2, cmap="Blues")
for row, column in itertools.product(range(3), range(3)):
    value = (read + read.T)[row, column] / (2 if row == column else 1)
    value = round(float(value), 2) + 0.0  # no "−0.00"
    ink = "white" if abs(value) > 2 else "black"
    ax.text(column, row, f"{value:+.2f}", ha="center", va="center", fontsize=13, color=ink)
names = ["x₁", "x₂", "x₃"]
ax.set_xticks(range(3), names)
ax.set_yticks(range(3), names)
ax.set_title("learned coefficient of each product")
ax.grid(visible=False)
plt.show()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## On the log
#
# Now the ranking task: three ids and all counters, encoded piecewise linearly (notebook 08). To keep the
# sweeps short, they train on the last 80,000 listens before the validation slice.
#

# %% slideshow={"slide_type": "subslide"} tags=["inline"]
from course_utils.models.ranking.dcn_v2 import DCNv2

# %% slideshow={"slide_type": "fragment"}
batches = task.recent(80_000)
edges = quantile_bins(batches["train"]["numbers"], n_bins=16)


def inputs():
    """Embedding of the ids and encoding of the numbers, new for each model."""
    embedding = SeparateEmbeddings([1_024] * len(task.fields), dim=16, dropout=0.5, seed=SEED)
    return embedding, PiecewiseLinearEncoding(edges, bounded=True, missing=True)


def enter(name, **options):
    return contest.enter(name, lambda: DCNv2(*inputs(), **options), batches, epochs=3)


# %% [markdown] slideshow={"slide_type": "subslide"}
# ### How many layers?
#
# Cross layers alone, without an MLP beside them: the head reads the crossed features directly. Zero
# layers are a linear model.
#


# %% slideshow={"slide_type": "fragment"}
class Nothing(nn.Identity):
    """No deep half: what comes in goes out."""

    def __init__(self, dim):
        super().__init__()
        self.out_features = dim


depths = [0, 1, 2, 4]
for n in depths:
    enter(f"{n} cross layers", cross=lambda d, n=n: CrossNetwork(d, n), deep=Nothing, stacked=True)
none = f"{depths[0]} cross layers"
against = [(f"{n} cross layers", none) for n in depths[1:]]
by_depth = contest.intervals(
    [f"{n} cross layers" for n in depths], [*against, ("4 cross layers", "2 cross layers")]
)

# %% slideshow={"slide_type": "fragment"}
figure, ax = plt.subplots(figsize=(7.5, 3.8))
gains = [by_depth[pair] for pair in against]
error = [[g.value - g.low for g in gains], [g.high - g.value for g in gains]]
ax.errorbar(
    depths[1:], [g.value for g in gains], error, fmt="o-", capsize=4, color=plots.COLORS["neural"]
)
ax.plot(0, 0, "o", color=plots.COLORS["neural"])
ax.axhline(0, color=plots.COLORS["muted"])
ax.set(xlabel="cross layers", ylabel="AUC minus that of\nno cross layer", xticks=depths)
plt.show()

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
first = by_depth["2 cross layers", "0 cross layers"]
later = by_depth["4 cross layers", "2 cross layers"]
claim(
    "Returns diminish: layers three and four bring less than half of what one and two brought",
    first.positive and later.value < first.value / 2,
    f"ΔAUC 0 → 2 layers {first}, 2 → 4 layers {later}",
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Cheaper: low rank
#
# With $d$ inputs a layer has $d^2$ weights. Wang et al. (2021), equation 2, write $W = U V^\top$ with
# $U, V \in \mathbb R^{d \times r}$: $2dr$ weights.
#
# ### The order of multiplication
#
# $U(V^\top x)$ costs $2dr$ multiplications. $(UV^\top)x$ first builds the whole matrix again. Same
# result, different bill.
#

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
d, r, rows = 768, 32, 1_024
u, v, x = torch.randn(d, r), torch.randn(d, r), torch.randn(rows, d)


def milliseconds(work, times=15):
    measured = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        measured.append((time.perf_counter() - start) * 1_000)
    return min(measured)


thin, thick = milliseconds(lambda: (x @ v) @ u.T), milliseconds(lambda: x @ (v @ u.T))
same = torch.allclose((x @ v) @ u.T, x @ (v @ u.T), rtol=1e-3, atol=1e-2)
claim(
    "Two thin products give the same as one thick one, several times faster",
    same and thick / thin > 2,
    f"d = {d}, r = {r}: {thick / thin:.0f} times, by arithmetic {d / (2 * r):.0f}",
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What rank is needed?
#
# Two cross layers beside an MLP, as in the seminar, at several ranks. Multiplications are those of the
# cross layers for one row.
#

# %% slideshow={"slide_type": "fragment"}
ranks = {"rank 8": 8, "rank 32": 32, "full": None}
for name, rank in ranks.items():
    enter(name, cross=lambda dim, rank=rank: CrossNetwork(dim, 2, rank))
width = contest.models["full"].cross.weights[0].in_features
by_rank = contest.intervals([*ranks], [(name, "full") for name in ranks if name != "full"])
sample = torch.randn(2_048, width)
layers = {name: contest.models[name].cross.cpu().eval() for name in ranks}
with torch.no_grad():
    spent = {name: milliseconds(lambda c=cross: c(sample)) for name, cross in layers.items()}
pl.DataFrame(
    {
        "cross layers": [*ranks],
        "ROC AUC [95 %]": [str(by_rank[name]) for name in ranks],
        "multiplications": [2 * (2 * width * r if r else width**2) for r in ranks.values()],
        "ms for 2,048 rows": [round(ms, 2) for ms in spent.values()],
    }
)

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
gap = by_rank["rank 32", "full"]
claim(
    "A rank far below the width keeps the quality",
    gap.low > -0.002,
    f"rank 32 of {width} against full: ΔAUC {gap}, "
    f"{(2 * width * 32) / width**2:.0%} of the multiplications",
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A mixture of experts
#
# One thin matrix must serve all rows. Equation 3 of the paper takes several and lets a gate choose, row
# by row; equation 4 puts a nonlinearity into the thin space.
#

# %% slideshow={"slide_type": "subslide"} tags=["inline"]
from course_utils.models.ranking.dcn_v2 import CrossMixture

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Stacked or parallel, and which deep half?
#
# In the **parallel** form the cross network and the deep network both read $x_0$. In the **stacked** form
# the deep network reads the crossed features. The deep half may be an MLP, a ResNet, a DenseNet. All of
# these are options of one class, `DCNv2` (shown in the seminar, notebook 18).
#

# %% slideshow={"slide_type": "fragment"}
variants = {
    "MLP alone": {"cross": None},
    "stacked, MLP": {"stacked": True},
    "parallel, ResNet": {"deep": lambda d: ResNet(d, [96, 96])},
    "parallel, DenseNet": {"deep": lambda d: DenseNet(d, [96, 96])},
    "4 experts of rank 8, MLP": {"cross": lambda d: CrossMixture(d, 2, rank=8, n_experts=4)},
}
for name, options in variants.items():
    enter(name, **options)
contest.scores["parallel, MLP"] = contest.scores["full"]  # of the last experiment: the same model

# %% slideshow={"slide_type": "fragment"}
forms = ["parallel, MLP", *(name for name in variants if name != "MLP alone")]
by_form = contest.intervals(["MLP alone", *forms], [(name, "MLP alone") for name in forms])
gains = {name: by_form[name, "MLP alone"] for name in forms}
figure, ax = plt.subplots(figsize=(9, 3.4))
plots.interval_plot(ax, gains, [plots.COLORS["neural"]] * len(forms))
ax.axvline(0, color=plots.COLORS["mlp"])
ax.set(xlabel="AUC minus that of the MLP alone, with 95 % intervals over listeners")
plt.show()

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
values = {name: by_form[name].value for name in forms}
spread = max(values.values()) - min(values.values())
claim(
    "Which form and which deep half matters little: less than 0.002 of AUC",
    spread < 0.002,
    f"best minus worst form {spread:.4f}",
)

# %% [markdown] slideshow={"slide_type": "skip"}
# "Little" depends on the sample. On five seeds the spread was 0.0007 to 0.0014; with 60,000 listens instead of
# 80,000 it was once 0.0042. So few listens cannot tell the forms apart, and neither can we.
#
# And beside the MLP alone? On these few listens none of the forms is clearly better than it, and one is a
# little worse. A product that is rare has to be seen before its weight can be learned. So the next
# experiment takes all listens.
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## At equal parameters
#
# DCN-v2 in its parallel form against an MLP on the same inputs, and against DeepFM. The rivals are
# widened until all have as many parameters. This time all training listens count, two epochs each.
#

# %% slideshow={"slide_type": "fragment"}
goal = count_parameters(DCNv2(*inputs()))


def widened(make, widths=range(32, 1_025, 8)):
    """The first width at which the model has at least as many parameters as DCN-v2."""
    return widths[bisect.bisect_left(widths, goal, key=lambda w: count_parameters(make(w)))]


def mlp(w):
    return DCNv2(*inputs(), cross=None, deep=lambda d: MLP(d, [w, 96]))


def deepfm(w):
    return DeepFM(task.n_values, inputs()[1], dim=4, hidden=(w, 96), dropout=0.2)


contest.enter("DCN-v2", lambda: DCNv2(*inputs()), epochs=2)
for name, make in {"MLP": mlp, "DeepFM": deepfm}.items():
    contest.enter(name, lambda make=make: make(widened(make)), epochs=2)
contest.table(["DCN-v2", "MLP", "DeepFM"])

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
gap = contest.gap("DCN-v2", "MLP")
claim("DCN-v2 beats an MLP at equal parameters", gap.positive, f"ΔAUC {gap}")
gap = contest.gap("DCN-v2", "DeepFM")
claim("DCN-v2 is no worse than DeepFM at equal parameters", gap.low > -0.001, f"ΔAUC {gap}")

# %% [markdown] slideshow={"slide_type": "skip"}
# Against DeepFM we claim no win. With two epochs DCN-v2 was ahead on each of five seeds, by 0.0011 to 0.0018.
# But with four epochs, on the ladder below, the two are level. DeepFM multiplies too: its FM half holds a
# product for each pair of fields. DCN-v2 has more to say where products of three matter, and our log has few.
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Where we are on the ladder
#
# Every ranker of the track on all ids and counters, the same rows for all: on the simulated log, and on real
# film ratings. What this notebook taught is in colour. (Measured once by `make ladder`; a test makes sure
# that it was measured on the code you see.)
#

# %% slideshow={"slide_type": "fragment"}
HERE = ["DCN-v2", "DCN-v2, unified"]
ladder.draw(HERE)

# %% slideshow={"slide_type": "skip"}
Markdown(ladder.table(HERE))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercises
#
# ### 1 · Two layers (easy)
#
# Write a cross network of any number of layers as a function. `weights` and `biases` are lists.
#

# %% slideshow={"slide_type": "skip"}
import torch
from torch import Tensor


def cross_network(x0: Tensor, weights: list[Tensor], biases: list[Tensor]) -> Tensor:
    """x0 (B, d), weights (d, d), biases (d,) → (B, d)."""
    ### BEGIN SOLUTION
    x = x0
    for weight, bias in zip(weights, biases, strict=True):
        x = x0 * (x @ weight.T + bias) + x
    return x
    ### END SOLUTION


cross_network(torch.tensor([[1.0, 2.0]]), [torch.eye(2)] * 2, [torch.zeros(2)] * 2)

# %% slideshow={"slide_type": "skip"}
from course_utils.checks.dcn_v2 import check_cross_network

check_cross_network(cross_network)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 2 · A factorization machine inside (medium)
#
# Choose $W$, $b$ and the layer on top so that one cross layer computes a factorization machine's sum over
# pairs, $\sum_{i<j} \langle v_i, v_j\rangle x_i x_j$, for given $v$ (n, d). Return `weight`, `bias`, `top`, so
# that the sum is `top · cross(x)`. (Mind the $+x$ and the diagonal.)
#

# %% slideshow={"slide_type": "skip"}
import torch
from torch import Tensor


def fm_as_cross(v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """weight (n, n), bias (n,), top (n,) of a cross layer that computes the FM's pairs."""
    ### BEGIN SOLUTION
    n = len(v)
    weight = (v @ v.T).triu(diagonal=1)
    return weight, -torch.ones(n), torch.ones(n)
    ### END SOLUTION


fm_as_cross(torch.tensor([[1.0], [2.0]]))

# %% slideshow={"slide_type": "skip"}
from course_utils.checks.dcn_v2 import check_fm_as_cross

check_fm_as_cross(fm_as_cross)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 3 · What did the layer learn? (open)
#
# Take the first cross layer of a trained ranker and the blocks of $W$ that belong to the listener, the
# track, the artist and the numbers. The Frobenius norm of a block says how much two fields interact. Draw
# the block norms as in the paper's figure 8, and switch off an effect of the world
# (`COURSE_LOG=sim:without=taste`): which block fades?
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#

# %% slideshow={"slide_type": "fragment"}
claim.recap()

# %% [markdown] slideshow={"slide_type": "skip"}
# ## References
#
# - R. Wang, R. Shivanna, D. Cheng et al. (2021). *DCN V2: Improved Deep & Cross Network and Practical
#   Lessons for Web-scale Learning to Rank Systems.* WWW.
# - R. Wang, B. Fu, G. Fu, M. Wang (2017). *Deep & Cross Network for Ad Click Predictions.* ADKDD.
# - TensorFlow Recommenders, tutorial *Deep & Cross Network (DCN)* (the polynomial).
# - Y. Shan, T. R. Hoens, J. Jiao et al. (2016). *Deep Crossing.* KDD (residual units).
# - G. Huang, Z. Liu, L. van der Maaten, K. Weinberger (2017). *Densely Connected Convolutional Networks.*
#   CVPR.
#
