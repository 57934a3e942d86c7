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
# # 15 · GAN
#
# *Lecture: frontier, generative models, part 2. Runs in about two minutes on two CPU cores.*
#
# Two networks play against each other. One writes, the other tells what is written from what is real. If the second
# can do no better than a coin, the first writes like the data. No formula of the data is needed, and that is the charm.
# With faces it works wonders. Here the question is what it does for *lists of tracks*, and what people found who looked
# twice.
#

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What you will be able to do
#
# - play the minimax game to its end on a toy, and say what both sides answer there;
# - see why the loss of the paper's first page is not the one that is trained with;
# - make a generator collapse, and measure it;
# - let a generator draw *tracks*, which cannot be differentiated, and choose a baseline;
# - tell a generator that recommends from one that copies its input;
# - judge CFGAN against a popular list, a linear model and a VAE under one protocol.
#

# %% [markdown] slideshow={"slide_type": "notes"}
# **For the speaker.** The toy is the lecture's theory in ten minutes: let the room guess the value at the end before
# the curve is shown. Then the turn: two replication studies, repeated. Ask what a writer does who is shown the answer.
# About sixty minutes.
#

# %% slideshow={"slide_type": "skip"}
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
import torch
from IPython.display import display
from scipy.sparse import csr_matrix
from scipy.spatial.distance import jensenshannon
from torch import Tensor, nn
from torch.nn.functional import softplus

from course_utils import train
from course_utils.data.ids import number_ids
from course_utils.data.log import open_log
from course_utils.data.tasks.retrieval import has_choices, retrieval_task, tensor, windows
from course_utils.evaluation.intervals import LEAST_GROUPS, bootstrap
from course_utils.evaluation.pointwise import Mean
from course_utils.evaluation.ranking import coverage_at_k
from course_utils.evaluation.retrieval import RetrievalContest
from course_utils.lesson import plots
from course_utils.lesson.claims import Claims
from course_utils.lesson.widgets import interactive
from course_utils.models.generative.vae import (
    Batch,
    Multinomial,
    MultDAE,
    MultVAE,
    NegativeELBO,
    bags,
)
from course_utils.models.retrieval.classics import EASE, Popular
from course_utils.models.retrieval.losses import log_popularity

# %% slideshow={"slide_type": "skip"}
plots.use_style()
SEED = train.seed_everything(15)
log = open_log()
claim = Claims(log)
MORE, FOOLED = 0.05, 0.05  # of a correlation, that we call more; nats from log 4
QUIET = 1.1  # times the squared error of a gradient, that we call as quiet
WINDOW, JUDGED = 20, 2_000  # plays of a profile; requests of the test
TOP, PLACES, PASSES = 300, 20, 60  # tracks of the small catalogue, places of its lists, epochs
RATE, DRAWS = 0.01, 512  # of IRGAN; tracks drawn
ZERO, ZERO_LOG, ZERO_ALONE = 0.03, 0.3, 0.1  # α of ZR: small catalogue, log, log without a judge
MOST, EPOCHS, BATCH = (
    2_000,
    10,
    256,
)  # tracks of the larger catalogue; epochs at most; profiles of a step

# %% [markdown] slideshow={"slide_type": "skip"}
# `QUIET` stood there before any result; `MORE` and `FOOLED` were written after single runs had been seen.
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The game
#
# Eight things can happen, with chances $p$. A **generator** has chances $p_g$ of its own. A **discriminator** looks at
# one thing that happened and says with which chance $D$ it is real:
#
# $$\min_{p_g}\, \max_D\; V = \sum_i p_i \log D_i + \sum_i p_{g,i} \log (1 - D_i)$$
#
# (*Goodfellow et al. 2014, equation 1*.) For a fixed $p_g$ each $D_i$ can be found by itself. Set the derivative to 0,
# $p_i / D_i = p_{g,i} / (1 - D_i)$, and you have the best discriminator:
#
# $$D^*_i = \frac{p_i}{p_i + p_{g,i}}$$
#

# %% slideshow={"slide_type": "subslide"} tags=["inline"]
from course_utils.models.generative.gan import best_discriminator, value

# %% [markdown] slideshow={"slide_type": "subslide"}
# By hand, two things: $p = (\tfrac34, \tfrac14)$, and a generator that has it the wrong way round.
#

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
real, wrong = torch.tensor([0.75, 0.25]).double(), torch.tensor([0.25, 0.75]).double()
answer = best_discriminator(real, wrong)
answer.tolist(), round(value(real, wrong, answer).item(), 3), round(-math.log(4), 3)

# %% [markdown] slideshow={"slide_type": "skip"}
# $V = \tfrac34 \log \tfrac34 + \tfrac14 \log \tfrac14$, twice: −1.125. If the generator had it right, D* would be ½
# everywhere and $V = 2 \log \tfrac12 = -\log 4 = -1.386$. In general $V(D^*) = 2\,\mathrm{JSD}(p, p_g) - \log 4$: what
# the generator makes small is the Jensen–Shannon divergence (*theorem 1*).
#

# %% slideshow={"slide_type": "subslide"}
p = torch.tensor([0.30, 0.20, 0.15, 0.12, 0.10, 0.07, 0.04, 0.02], dtype=torch.float64)
START = torch.linspace(
    -1, 1, len(p), dtype=torch.float64
)  # the generator's logits: the wrong way round


def step(weights: Tensor, loss: Tensor, rate: float) -> None:
    """One step of gradient descent, in place."""
    (slope,) = torch.autograd.grad(loss, weights)
    weights.data.sub_(rate * slope)


def judge_step(phi: Tensor, p_g: Tensor, rate: float = 1.0) -> None:
    """The discriminator, a logit for each thing, goes up V."""
    step(phi, -value(p, p_g, phi.sigmoid()), rate)


def write_step(theta: Tensor, phi: Tensor, rate: float) -> None:
    """The generator goes down V: of what it writes, the mean of log(1 − D)."""
    step(theta, -(theta.softmax(dim=0) * softplus(phi.detach())).sum(), rate)


# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
p_g = START.softmax(dim=0)
phi = torch.zeros_like(p).requires_grad_()
for _ in range(4_000):
    judge_step(phi, p_g, rate=4.0)
found, exact = phi.detach().sigmoid(), best_discriminator(p, p_g)
off = (found - exact).abs().max().item()
divergence = jensenshannon(p, p_g) ** 2
off_value = abs(value(p, p_g, exact).item() - (2 * divergence - math.log(4)))
claim("Gradient ascent finds the discriminator of the formula", off < 1e-3, f"off by {off:.0e}")
claim(
    "Its value is twice the Jensen–Shannon divergence, as SciPy has it, minus log 4",
    off_value < 1e-10,
    f"off by {off_value:.0e}",
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### To the end
#
# Now both learn, in turns: one step of the discriminator, one of the generator.
#


# %% slideshow={"slide_type": "fragment"}
def play(per_turn: int = 1, rate: float = 1.0, rounds: int = 400) -> dict[str, Tensor]:
    """The game: in each round a step of the discriminator and `per_turn` of the generator."""
    theta, phi = START.clone().requires_grad_(), torch.zeros_like(p).requires_grad_()
    seen: dict[str, list[Tensor]] = {"p_g": [], "D": []}
    for _ in range(rounds):
        judge_step(phi, theta.detach().softmax(dim=0))
        for _ in range(per_turn):
            write_step(theta, phi, rate)
        seen["p_g"].append(theta.detach().softmax(dim=0))
        seen["D"].append(phi.detach().sigmoid())
    return {name: torch.stack(values) for name, values in seen.items()}


fair = play(rounds=1_500)
values = torch.stack([value(p, p_g, d) for p_g, d in zip(fair["p_g"], fair["D"], strict=True)])

# %% slideshow={"slide_type": "subslide"}
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.2))
rounds = range(1, len(values) + 1)
left.plot(rounds, values, color=plots.COLORS["neural"])
left.axhline(-math.log(4), color=plots.COLORS["oracle"], linestyle=":")
left.annotate(
    "−log 4", (len(values), -math.log(4)), xytext=(-4, 6), textcoords="offset points", ha="right"
)
left.set(xlabel="round", ylabel="V (nats)", xscale="log")
for name, far, color in (
    ("largest |D − ½|", (fair["D"] - 0.5).abs().amax(dim=1), "crosses"),
    ("largest |p − p_g|", (fair["p_g"] - p).abs().amax(dim=1), "neural"),
):
    right.plot(rounds, far, color=plots.COLORS[color], label=name)
right.set(xlabel="round", yscale="log", xscale="log", ylim=(1e-6, 1))
right.legend(loc="lower left")
plt.show()

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
ends = {
    "D − ½": (fair["D"][-1] - 0.5).abs().max().item(),
    "V + log 4": abs(values[-1].item() + math.log(4)),
    "p − p_g": (fair["p_g"][-1] - p).abs().max().item(),
}
claim(
    "In the end the generator has the data's chances, D is ½ everywhere, and the value −log 4",
    max(ends.values()) < 1e-3,
    ", ".join(f"{name} {far:.0e}" for name, far in ends.items()),
)

# %% [markdown] slideshow={"slide_type": "skip"}
# They do not walk there straight. They chase each other round the end and come closer: what one side does well is what the
# other must answer next. That is not a matter of course. With a rate too large, or with real networks, the chase may
# go on for ever.
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The loss that is not trained with
#
# The generator is to make $\log(1 - D)$ small. But at the start the discriminator has an easy life: $D \approx 0$ for all
# that is written, and $\log(1 - D)$ is flat there. So *Goodfellow et al. (section 3)* train with $-\log D$: the same
# wish, the same end, another slope.
#
# Take data from $N(0, 1)$, a generator that writes $N(\mu, 1)$, and its best discriminator. Everything is known:
#
# $$\text{logit } D^*(x) = \log \frac{p(x)}{p_g(x)} = \frac{\mu^2}{2} - \mu x$$
#

# %% slideshow={"slide_type": "fragment"}
nodes, weights = np.polynomial.hermite_e.hermegauss(80)  # means over N(0, 1), as sums over nodes
noise = torch.from_numpy(nodes)
density = torch.from_numpy(weights / math.sqrt(2 * math.pi))


def slope(mu: float, saturating: bool) -> float:
    """Derivative of the generator's loss by its μ, against the best discriminator of this μ."""
    place = torch.tensor(mu, dtype=torch.float64, requires_grad=True)
    logits = mu**2 / 2 - mu * (place + noise)  # the discriminator stays, what is written moves
    losses = -softplus(logits) if saturating else softplus(-logits)  # log(1 − D), −log D
    return torch.autograd.grad((density * losses).sum(), place)[0].item()


def way_of(mu: float, saturating: bool, steps: int = 300, rate: float = 0.1) -> list[float]:
    """The way of μ, the discriminator being the best one at every step."""
    way = [mu]
    for _ in range(steps):
        way.append(way[-1] - rate * slope(way[-1], saturating))
    return way


distances = np.linspace(0.25, 8, 32)
slopes = {flat: [slope(mu, flat) for mu in distances] for flat in (True, False)}
ways = {flat: way_of(5.0, flat) for flat in (True, False)}

# %% slideshow={"slide_type": "subslide"}
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.2))
LOSSES = [(True, "log(1 − D)", "crosses", (18, 8), 200), (False, "−log D", "neural", (24, -22), 20)]
for flat, name, color, (at, up), then in LOSSES:
    near = {"textcoords": "offset points", "color": plots.COLORS[color]}
    left.plot(distances, slopes[flat], color=plots.COLORS[color])
    left.annotate(name, (distances[at], slopes[flat][at]), xytext=(8, up), **near)
    right.plot(ways[flat], color=plots.COLORS[color])
    right.annotate(name, (then, ways[flat][then]), xytext=(12, 6), **near)
left.set(xlabel="distance μ of the generator from the data", ylabel="slope", yscale="log")
left.set_ylim(1e-5, 20)
right.set(xlabel="step", ylabel="distance μ", ylim=(-0.2, 5.4))
plt.show()

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
far = {name: slopes[flat][-1] for flat, name in ((True, "log(1 − D)"), (False, "−log D"))}
claim(
    "Far from the data the loss as written has a slope of next to nothing",
    far["log(1 − D)"] < 1e-3,
    f"{far['log(1 − D)']:.0e} at a distance of 8",
)
claim(
    "The slope of −log D grows with the distance",
    bool((np.diff(slopes[False]) > 0).all()) and far["−log D"] > 1,
    f"{far['−log D']:.2f} at a distance of 8",
)
claim(
    "From afar −log D arrives while the loss as written has hardly moved",
    abs(ways[False][-1]) < 0.1 and ways[True][100] > 4,
    f"after 100 steps {ways[True][100]:.2f} and {ways[False][100]:.2f}, after 300 {ways[True][-1]:.2f} and {ways[False][-1]:.3f}",
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Mode collapse
#
# What is the generator's best answer to a discriminator that *stands still*? Whatever $D$ says, $V$ is linear in
# $p_g$. So the best answer is all on one thing, the one with the largest $D$.
#


# %% slideshow={"slide_type": "fragment"}
def different(p_g: Tensor) -> Tensor:
    """exp of the entropy: among how many equally likely things one would be as unsure. (…, K) → (…)."""
    return torch.special.entr(p_g).sum(dim=-1).exp()


still = best_discriminator(p, START.softmax(dim=0)).logit()
theta = START.clone().requires_grad_()
for _ in range(600):
    write_step(theta, still, rate=1.0)
alone = theta.detach().softmax(dim=0)
greedy = play(per_turn=50, rate=3.0, rounds=60)

# %% slideshow={"slide_type": "subslide"}
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.2), width_ratios=[2, 3])
place = np.arange(1, len(p) + 1)
left.bar(place - 0.2, p, 0.4, color=plots.COLORS["data"], label="data")
left.bar(place + 0.2, alone, 0.4, color=plots.COLORS["neural"], label="generator")
left.set(xlabel="what happens", ylabel="chance", title="D stands still")
left.legend()
for run, name, color in ((fair, "1 step", "neural"), (greedy, "50 large steps", "crosses")):
    right.plot(different(run["p_g"])[:60], color=plots.COLORS[color], label=f"{name} for each of D")
right.axhline(different(p), color=plots.COLORS["oracle"], linestyle=":")
right.annotate("data", (59, different(p)), xytext=(0, -18), textcoords="offset points", ha="right")
right.set(
    xlabel="round", ylabel="different things, exp(entropy)", ylim=(0.8, 8.6), title="both learn"
)
right.legend(loc="upper center", ncols=2, bbox_to_anchor=(0.5, -0.2))
plt.show()

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
claim(
    "Against a discriminator that stands still the generator ends with one thing",
    different(alone).item() < 1.05 and int(alone.argmax()) == int(still.argmax()),
    f"{different(alone):.2f} of {len(p)}",
)
lowest = different(greedy["p_g"][10:])
claim(
    "A generator that runs far ahead of the discriminator comes near that, and does not stay there",
    lowest.min().item() < 2 < 4 < lowest.max().item(),
    f"between {lowest.min():.2f} and {lowest.max():.2f}, the data {different(p):.2f}",
)


# %% slideshow={"slide_type": "skip"}
def chase(steps: int, rate: float) -> None:
    """The widget's figure: how many different things, round by round."""
    _, ax = plt.subplots(figsize=(8, 3.6))
    ax.plot(different(play(steps, rate, rounds=60)["p_g"]), color=plots.COLORS["neural"])
    ax.axhline(different(p), color=plots.COLORS["oracle"], linestyle=":")
    ax.set(xlabel="round", ylabel="different things", ylim=(0.8, 8.6))
    plt.show()


interactive(chase, steps=(1, 60), rate=(0.5, 4.0, 0.5))

# %% [markdown] slideshow={"slide_type": "skip"}
# Each round the generator throws itself on what the discriminator trusts most. The discriminator takes its trust away,
# and the generator moves on. In a recommender the one thing would be the tracks that everybody plays. So we will
# measure it: how much of the catalogue stands in somebody's list.
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Writing tracks
#
# A generator of pictures writes numbers, and the discriminator's gradient flows back through them. A recommender
# *draws a track*. There is nothing to differentiate: a track is drawn or it is not.
#
# *IRGAN* (*Wang et al. 2017*) takes the way out of notebook 13. Call the discriminator's answer a reward $R$, and push up
# the log chance of what earned more than a baseline $b$:
#
# $$\nabla\, \mathbb E_{i \sim \pi} R_i = \mathbb E_{i \sim \pi} \big[(R_i - b)\, \nabla \log \pi_i\big]$$
#

# %% slideshow={"slide_type": "subslide"} tags=["inline"]
from course_utils.models.generative.gan import (
    discriminator_loss,
    generator_loss,
    likeness,
    reinforce_loss,
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### A small catalogue
#
# The 300 tracks that most listeners have chosen, and for each listener which of them were played in training. Later,
# in the weeks of validation and test, they choose some of the others. Small enough to write whole profiles.
#


# %% slideshow={"slide_type": "fragment"}
chose, OWN = pl.col("is_organic") == 1, has_choices(log)
ASKED = {"repeats": False, "organic": OWN, "history": chose if OWN else None, "judged": JUDGED}
task = retrieval_task(log, WINDOW, **ASKED, seed=SEED)
N = task.n_values["track"]
heard = (task.plays() > 0)[1:, 1:]
top = np.argsort(-heard.sum(axis=0).A1, kind="stable")[:TOP]
top = torch.from_numpy(np.sort(top))  # the tracks of the small catalogue
given = torch.from_numpy(heard[:, top.numpy()].toarray()).float()
later = {}
for part, rows in zip(
    ("validation", "test"),
    task.split.parts(task.rows[task.order.sort().values.numpy()])[1:],
    strict=True,
):
    who = number_ids(tensor(rows["uid"]), task.listeners) - 1
    what = number_ids(tensor(rows["item_id"]), task.tracks[top]) - 1
    both = (who >= 0) & (what >= 0)
    later[part] = torch.zeros_like(given)
    later[part][who[both], what[both]] = 1
some = given.sum(dim=1) > 0
given, later = given[some], {part: (found * (1 - given))[some] for part, found in later.items()}
print(f"{len(given):,} listeners, {given.sum(dim=1).mean():.0f} of {len(top)} tracks played by one")


# %% slideshow={"slide_type": "fragment"}
def recall(scores: Tensor, part: str) -> Tensor:
    """(listeners,) share of the tracks played later that stand in the first places; NaN where none was."""
    listed = scores.masked_fill(given > 0, -torch.inf).topk(min(PLACES, len(top)), dim=1).indices
    wanted = later[part].sum(dim=1)
    found = later[part].gather(1, listed).sum(dim=1) / wanted.clamp(max=PLACES)
    return found.where(wanted > 0, torch.nan)


class Best:
    """The scores of a training run: those at its end, and those that validation liked best.

    `way` holds how alike scores and profiles are, of listeners held out, recall on validation, and
    the judge's loss.
    """

    def __init__(self) -> None:
        self.level, self.epoch, self.way = -1.0, 0, list[tuple[float, float, float]]()

    def look(self, epoch: int, scores: Tensor, loss: float = math.nan) -> None:
        """Judge scores (listeners, tracks) by what was played in the weeks of validation."""
        self.last = scores.detach()
        level = recall(self.last, "validation").nanmean().item()
        alike = likeness(self.last[held], given[held]).mean().item()
        self.way.append((alike, level, loss))
        if level > self.level:
            self.level, self.epoch, self.scores = level, epoch, self.last


def compare(scores: dict[str, Tensor], rows: Tensor, *pairs: tuple[str, str]) -> dict:
    """Recall@20 in the test's weeks, and differences of pairs, with intervals over listeners."""
    found = {name: recall(one, "test")[rows].double() for name, one in scores.items()}
    counted = ~next(iter(found.values())).isnan()
    groups = torch.arange(int(counted.sum()))
    return bootstrap({name: Mean(one[counted]) for name, one in found.items()}, groups, list(pairs))


everybody = torch.ones(len(given), dtype=torch.bool)
held = torch.rand(len(given), generator=torch.Generator().manual_seed(SEED)) < 0.25  # for later
popular = given.mean(dim=0).expand_as(given)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Three ways to train one model
#
# A vector for each listener and each track, as in the paper's experiment on recommendation. It can be trained
#
# 1. as a **generator, by likelihood**: the played tracks are to be likely. So the paper starts, too;
# 2. as a **discriminator, with uniform negatives**: a played track or any other?
# 3. in the **game**: the generator draws tracks, the discriminator tells them from played ones, and its answer is the
#    generator's reward.
#


# %% slideshow={"slide_type": "fragment"}
class Factors(nn.Module):
    """A score of every listener and track, u·v + b."""

    def __init__(self, dim: int = 16) -> None:
        super().__init__()
        self.u = nn.Parameter(0.1 * torch.randn(len(given), dim))
        self.v = nn.Parameter(0.1 * torch.randn(len(top), dim))
        self.b = nn.Parameter(torch.zeros(len(top)))
        self.optimizer = torch.optim.AdamW(self.parameters(), lr=RATE, weight_decay=1.0)

    def forward(self) -> Tensor:
        return self.u @ self.v.T + self.b

    def learn(self, loss: Tensor) -> None:
        """One step."""
        descend(self.optimizer, loss)


def descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """A step of an optimizer down a loss."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def tracks(chances: Tensor, n: int = 16) -> Tensor:
    """(listeners, n) tracks drawn by chances (listeners, tracks)."""
    return torch.multinomial(chances, n, replacement=True)


def told_apart(logits: Tensor, negatives: Tensor) -> Tensor:
    """The discriminator's loss: played tracks against others (listeners, n)."""
    return discriminator_loss(logits.gather(1, tracks(given)), logits.gather(1, negatives))


# %% slideshow={"slide_type": "fragment"}
torch.manual_seed(SEED)
writer, by_likelihood = Factors(), Best()
for number in range(150):
    writer.learn(-(given * writer().log_softmax(dim=1)).sum() / given.sum())
    if number % 10 == 9:
        by_likelihood.look(number, writer())
        if by_likelihood.epoch == number:
            start = {name: values.clone() for name, values in writer.state_dict().items()}

torch.manual_seed(SEED)
judge, with_uniform = Factors(), Best()
for number in range(200):
    judge.learn(told_apart(judge(), tracks(torch.ones_like(given))))
    if number % 10 == 9:
        with_uniform.look(number, judge())


# %% slideshow={"slide_type": "subslide"}
def irgan(baseline: str, rounds: int = 200) -> dict[str, Any]:
    """The game, from the generator that likelihood has trained."""
    torch.manual_seed(SEED)
    writer, judge = Factors(), Factors()
    writer.load_state_dict(start)
    seen: dict[str, Any] = {"writer": Best(), "judge": Best(), "models": (writer, judge)}
    for number in range(rounds):
        with torch.no_grad():
            chances = writer().softmax(dim=1)
        judge.learn(told_apart(judge(), tracks(chances)))
        drawn = tracks(chances)
        reward = judge().detach().sigmoid().gather(1, drawn)
        b = reward.mean(dim=1, keepdim=True) if baseline == "mean" else 0.5
        log_chance = writer().log_softmax(dim=1).gather(1, drawn)
        writer.learn(reinforce_loss(log_chance, reward, b))
        if number % 10 == 9:
            seen["writer"].look(number, writer())
            seen["judge"].look(number, judge())
    return seen


games = {baseline: irgan(baseline) for baseline in ("½", "mean")}

# %% slideshow={"slide_type": "subslide"}
with torch.no_grad():
    log_written = games["½"]["models"][0]().log_softmax(dim=1)
outcomes = {
    "popular": popular,
    "generator, by likelihood": by_likelihood.scores,
    "… after the game": games["½"]["writer"].last,
    "… after it, best on validation": games["½"]["writer"].scores,
    "… with the mean as baseline": games["mean"]["writer"].last,
    "discriminator, uniform negatives": with_uniform.scores,
    "discriminator, the generator's": games["½"]["judge"].scores,
    "… plus log π": games["½"]["judge"].last + log_written,
}
pairs = [
    ("generator, by likelihood", "… after the game"),
    ("… after it, best on validation", "generator, by likelihood"),
    ("… with the mean as baseline", "… after the game"),
    ("discriminator, uniform negatives", "discriminator, the generator's"),
    ("… plus log π", "discriminator, the generator's"),
]
enough = int((later["test"].sum(dim=1) > 0).sum()) >= LEAST_GROUPS
if enough:
    measured = compare(outcomes, everybody, *pairs)
    figure, ax = plt.subplots(figsize=(8.5, 4.6))
    roles = ["popular", "neural", "neural", "neural", "neural", "crosses", "crosses", "crosses"]
    plots.interval_plot(
        ax, {name: measured[name] for name in outcomes}, [plots.COLORS[role] for role in roles]
    )
    ax.set(xlabel=f"Recall@{PLACES} among {len(top)} tracks, 95 % interval", xlim=(0, None))
    plt.show()

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
if enough:
    for told, pair, expected in (
        ("The game makes the generator worse that likelihood had trained", pairs[0], True),
        ("Stopped where validation likes it best, the game has made it better", pairs[1], None),
        ("With the mean reward as baseline it ends better than with ½", pairs[2], None),
        ("Uniform negatives make a better recommender of the discriminator than the generator's", pairs[3], True),
        ("With log π added to its logit the discriminator recommends better", pairs[4], True),
    ):  # fmt: skip
        claim(
            told, measured[pair].positive, f"ΔRecall@{PLACES} {measured[pair]}", expected=expected
        )

# %% [markdown] slideshow={"slide_type": "skip"}
# *Deshpande & Khapra (2020)* looked into IRGAN and found two things: that its constant baseline is a problem, and that the
# generator *harms*. Ours is a small catalogue and a small model, and the second comes out. Why, the toy tells. The better
# the generator, the nearer $D^* = p / (p + \pi)$ is to ½ **for every track**: in the end the discriminator knows
# nothing of who likes what, because telling $p$ from $\pi$ no longer takes any such knowledge. Its logit is
# $\log p - \log \pi$. What is missing, $\log \pi$, stands in the generator.
#

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The baseline
#
# IRGAN's published code takes $2D - 1$ for a reward: a baseline of ½, always. No constant changes the gradient *on
# average*. How far a single draw strays from it depends on the constant. With logits for weights it can be written
# down: $\lVert \nabla \log \pi_i \rVert^2 = 1 - 2 \pi_i + \sum_j \pi_j^2$.
#


# %% slideshow={"slide_type": "fragment"}
def stray(chances: Tensor, reward: Tensor, baseline: Tensor | float) -> float:
    """Mean squared distance of one draw's gradient from the true one; chances, reward (listeners, K)."""
    squares = 1 - 2 * chances + chances.square().sum(dim=1, keepdim=True)
    mean = chances * (reward - (chances * reward).sum(dim=1, keepdim=True))
    one = (chances * (reward - baseline).square() * squares).sum(dim=1)
    return (one - mean.square().sum(dim=1)).mean().item()


rows = []
with torch.no_grad():
    fooled, even = games["½"]["models"], torch.full_like(given, 1 / len(top))
    for told, chances, says in (
        ("after the game", fooled[0]().softmax(dim=1), fooled[1]()),
        ("a generator that knows nothing, a judge that has learned", even, judge()),
    ):
        reward = says.sigmoid()
        mean = (chances * reward).sum(dim=1, keepdim=True)
        ways = {"none": 0.0, "½": 0.5, "mean reward": mean}
        rows.append({"": told, "mean reward": mean.mean().item(), **{f"baseline {name}": stray(chances, reward, b) for name, b in ways.items()}})  # fmt: skip
display(
    pl.DataFrame(
        [{key: one if key == "" else f"{one:.3f}" for key, one in row.items()} for row in rows]
    )
)

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
louder = [row["baseline ½"] / row["baseline mean reward"] for row in rows]
claim(
    "While the judge is fooled, ½ is as quiet a baseline as the mean reward",
    louder[0] < QUIET,
    f"{louder[0]:.2f} times the squared error",
    expected=None,
)
claim(
    "The more the judge wins, the louder it is",
    louder[1] > max(QUIET, louder[0]),
    f"{louder[1]:.2f} times the squared error",
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Whole profiles at once
#
# *CFGAN* (*Chae et al. 2018*) goes round the drawing. Its generator writes a *profile*, a number for every track, and
# the discriminator sees all of it: nothing is drawn, gradients flow. Both know the same condition $c_u$: what the
# listener has played. And what is the real profile $r_u$? What the listener has played.
#
# Stop here. What would *you* write, who is shown the answer?
#
# 1. **Mask nothing**: the discriminator compares $\hat r$ with $c$. Copy $c$, and nobody can tell.
# 2. **Mask** what was not played, as the paper does: $\hat r \odot e$. Write 1 everywhere, and nobody can tell.
# 3. The paper's cures of that: draw tracks that were not played, and pull $\hat r$ to 0 there (*zero
#    reconstruction*, ZR), or open the mask there (*partial masking*, PM), or both (ZP). Copy $c$, and nobody can tell.
#
# *Pérez Maurera et al. (2022)* said so, and repeated the paper's experiments: without noise, and with the real
# profile as its condition, the generator may learn the identity. Does it?
#

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The identity test
#
# How alike are what is written and what was given? Take the correlation of the two over all tracks, of listeners
# that training has not seen. 1 is a copy. But not every likeness is a copy: who likes the given tracks is *meant* to
# get a high number there. EASE, which is forbidden to copy, says how much likeness comes with recommending.
#

# %% slideshow={"slide_type": "fragment"}
seen, K = given[~held], len(top)


class Writer(nn.Module):
    """A profile from a profile, with as many hidden units as there are tracks.

    `random` numbers are drawn beside the condition, and a share `left_out` of it is lost in training.
    """

    def __init__(self, random: int = 0, left_out: float = 0.0) -> None:
        super().__init__()
        self.random, self.noise = random, nn.Dropout(left_out)
        self.layers = nn.Sequential(
            nn.Linear(K + random, K), nn.Tanh(), nn.Linear(K, K), nn.Sigmoid()
        )

    def forward(self, condition: Tensor) -> Tensor:
        z = torch.randn(len(condition), self.random)
        return self.layers(torch.cat([self.noise(condition), z], dim=1))


# %% slideshow={"slide_type": "subslide"}
def some_zeros(real: Tensor) -> Tensor:
    """Three tenths of the tracks that were not played: (B, K) of 0 and 1."""
    return (torch.rand_like(real) < 0.3) * (1 - real)


def cfgan(mask: str, zero: float = 0.0, game: bool = True, **noise: Any) -> Best:
    """Train a generator and a judge in turns; without a `game` by squared error instead."""
    torch.manual_seed(SEED)
    writer = Writer(**noise)
    judge = nn.Sequential(nn.Linear(2 * K, 64), nn.Tanh(), nn.Linear(64, 1))
    write = torch.optim.Adam(writer.parameters(), lr=1e-3)
    tell = torch.optim.Adam(judge.parameters(), lr=1e-4)
    kept = Best()
    for epoch in range(PASSES):
        writer.train()
        for rows in torch.randperm(len(seen)).split(64):
            real, written = seen[rows], writer(seen[rows])
            masked, pulled = some_zeros(real), some_zeros(real)
            fake = written * {"none": 1.0, "own": real, "own + drawn": real + masked}[mask]
            says = [judge(torch.cat([shown, real], dim=1)) for shown in (real, fake.detach())]
            of_judge = discriminator_loss(*says)
            descend(tell, of_judge)
            loss = generator_loss(judge(torch.cat([fake, real], dim=1)))
            if not game:
                loss = (real * (1 - written)).square().sum(dim=1).mean() / 2
            descend(write, loss + zero * (written * pulled).square().sum(dim=1).mean())
        if epoch % 10 == 9:
            with torch.no_grad():
                kept.look(epoch, writer.eval()(given), of_judge.item())
    return kept


# %% slideshow={"slide_type": "fragment"}
ZP = {"mask": "own + drawn", "zero": ZERO}
runs = {
    "nothing masked": cfgan("none"),
    "masked": cfgan("own"),
    "ZR": cfgan("own", ZERO),
    "PM": cfgan("own + drawn"),
    "ZP": cfgan(**ZP),
    "ZP, random input": cfgan(**ZP, random=100),
    "ZP, half left out": cfgan(**ZP, left_out=0.5),
    "ZR, no judge": cfgan("own", ZERO, game=False),
}


def sparse(rows: Tensor) -> csr_matrix:
    """Profiles as EASE takes them, the unknown track first."""
    return csr_matrix(torch.cat([torch.zeros(len(rows), 1), rows], dim=1).numpy())


linear = [EASE(sparse(seen), decay)(sparse(given))[:, 1:] for decay in (30, 100, 300, 1_000)]
linear = max(linear, key=lambda scores: recall(scores, "validation").nanmean())

# %% slideshow={"slide_type": "subslide"}
tests = {"popular": popular, "EASE": linear, **{name: run.scores for name, run in runs.items()}}
alike = {name: likeness(scores[held], given[held]).mean().item() for name, scores in tests.items()}


def covered(scores: Tensor) -> float:
    """Share of the small catalogue that stands in somebody's first twenty."""
    return coverage_at_k(scores.masked_fill(given > 0, -torch.inf).double(), PLACES)


coverage_small = {name: covered(scores) for name, scores in tests.items()}
tests["ZP, at the end"], alike["ZP, at the end"] = runs["ZP"].last, runs["ZP"].way[-1][0]
if enough:
    duels = [("ZP", name) for name in ("EASE", "popular", "ZR", "ZR, no judge", "ZP, at the end")]
    duels += [("ZR", "PM"), ("nothing masked", "popular"), ("masked", "popular")]
    found = compare(tests, everybody, *duels)
    rows = [
        {"model": name, "epochs": str(runs[name].epoch + 1) if name in runs else "–", "likeness": f"{alike[name]:.2f}",
         f"Recall@{PLACES} [95 %]": str(found[name]), f"coverage@{PLACES}": f"{coverage_small[name]:.0%}" if name in coverage_small else "–"}
        for name in tests
    ]  # fmt: skip
    display(pl.DataFrame(rows))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### On the way
#
# The table shows the epoch that validation liked best. What happens before and after?
#

# %% slideshow={"slide_type": "fragment"}
figure, ax = plt.subplots(figsize=(9, 5))
ways = {
    "ZP": "neural",
    "ZP, random input": "crosses",
    "ZP, half left out": "fm",
    "ZR, no judge": "mlp",
    "nothing masked": "history",
    "masked": "muted",
}
for name, color in ways.items():
    likenesses, levels, _ = zip(*runs[name].way, strict=True)
    ax.plot(likenesses, levels, "o-", color=plots.COLORS[color], markersize=5, label=name)
    ax.plot(likenesses[-1], levels[-1], "o", color=plots.COLORS[color], markersize=11)
ax.plot(
    alike["EASE"],
    recall(linear, "validation").nanmean(),
    "D",
    color=plots.COLORS["linear"],
    markersize=9,
    label="EASE",
)
ax.set(xlabel="likeness of what is written and what was given", ylabel=f"Recall@{PLACES} on validation", xlim=(-0.1, 1), ylim=(0, None))  # fmt: skip
ax.legend(loc="lower right")
plt.show()

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
end = {name: run.way[-1][0] for name, run in runs.items()}
told = ", ".join(f"{name} {alike[name]:.2f} → {end[name]:.2f}" for name in ("ZP", "ZP, random input", "ZP, half left out"))  # fmt: skip
claim(
    "With both tricks, and trained on, the generator comes nearer and nearer to a copy",
    end["ZP"] > alike["ZP"] + MORE,
    f"likeness at the best epoch and at the end: {told}",
)
claim(
    "From its best epoch on the judge is fooled: its loss is that of a coin",
    all(abs(loss - math.log(4)) < FOOLED for *_, loss in runs["ZP"].way[runs["ZP"].epoch // 10 :]),
    ", ".join(f"{loss:.3f}" for *_, loss in runs["ZP"].way) + f"; log 4 is {math.log(4):.3f}",
)

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
claim(
    "In the end it is more like its input than EASE's scores are, which may not copy",
    end["ZP"] > alike["EASE"] + MORE,
    f"{end['ZP']:.2f} against {alike['EASE']:.2f}",
)
claim(
    "A random input does not stop it",
    end["ZP, random input"] > alike["ZP, random input"] + MORE,
    f"likeness {alike['ZP, random input']:.2f} → {end['ZP, random input']:.2f}",
)
claim(
    "Without a judge, by squared error, it comes nearer to a copy as well",
    end["ZR, no judge"] > alike["ZR, no judge"] + MORE,
    f"likeness {alike['ZR, no judge']:.2f} → {end['ZR, no judge']:.2f}",
)
claim(
    "Leaving half of the condition out holds it back",
    end["ZP, half left out"] < end["ZP"] - MORE,
    f"likeness at the end {end['ZP, half left out']:.2f} against {end['ZP']:.2f}",
)

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
if enough:
    for sentence, pair, expected in (
        ("Trained to the end it finds less of what is played later than at the epoch that validation likes best", ("ZP", "ZP, at the end"), True),
        ("At that epoch it finds more than the most popular of the 300", ("ZP", "popular"), True),
        ("At that epoch it finds more than EASE", ("ZP", "EASE"), None),
        ("Zero reconstruction alone finds more than partial masking alone", ("ZR", "PM"), True),
        ("Both tricks together find more than zero reconstruction alone", ("ZP", "ZR"), None),
        ("Among the 300 the game finds more than squared error in its place", ("ZP", "ZR, no judge"), None),
    ):  # fmt: skip
        claim(sentence, found[pair].positive, f"ΔRecall@{PLACES} {found[pair]}", expected=expected)
    worse = [found[name, "popular"] for name in ("nothing masked", "masked")]
    claim(
        "With nothing masked, and with the mask alone, a generator finds no more than the popular list",
        not any(gap.positive for gap in worse),
        "ΔRecall@{} {} and {}".format(PLACES, *worse),
    )

# %% [markdown] slideshow={"slide_type": "skip"}
# Read the blue line from left to right. First the generator learns to recommend, nearly as well as EASE. Then it goes
# on: each epoch it writes more of what it was given, and finds less of what comes later. Validation is what stops it.
# The judge would not have: it has been fooled since long before.
#
# And look at the line without a judge: it goes the same way. So the copying is not the work of the *game*. Whoever is to write
# the profile that he is shown, and is punished for everything else, ends with a copy. What holds an autoencoder back
# is known from notebook 14: hide a part of what it is shown, or leave it no room. A random number beside the
# condition hides nothing. That is what the replication study says in a sentence: without noise, and with the real
# profile as the condition, CFGAN is an autoencoder.
#
# Without zero reconstruction none of the generators learns much. With the mask alone a profile of ones everywhere is
# perfect, as foretold. With nothing masked, and with the mask opened at drawn tracks, a copy would be perfect, and is
# not found: one answer of a judge says little about 300 numbers. (At these rates, in these epochs; another judge may be
# a better teacher.)
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A larger catalogue
#
# Now the protocol of notebook 14: a track that the listener chose and had not played before, found among all tracks. A
# profile is a bag of twenty plays in a row, and the model that serves reads the last twenty before the request. The
# generator is notebook 14's denoising autoencoder without the noise, layer for layer. So what differs from the
# rivals is how it is trained.
#
# But the catalogue is smaller than there: the 2,000 tracks that most listeners chose. With all of them an epoch of a
# CFGAN takes many times as long, and in six epochs it had learned little more than what is popular (tried once,
# outside this notebook). So no number here can be compared with one of notebook 14.
#

# %% slideshow={"slide_type": "subslide"} tags=["inline"]
from course_utils.models.generative.gan import CFGAN, CFGANLoss, ProfileJudge

# %% slideshow={"slide_type": "fragment"}
larger = task.tracks[np.sort(np.argsort(-heard.sum(axis=0).A1, kind="stable")[:MOST])]
among = replace(log, events=log.events.filter(pl.col("item_id").is_in(larger.tolist())))
task = retrieval_task(among, WINDOW, **ASKED, seed=SEED)
N = task.n_values["track"]
contest = RetrievalContest(task, SEED, "15_gan")
ended = windows(task, WINDOW)  # each window of twenty plays, once
inputs = {"train": bags(ended["item"], ended["mask"])}
for part in ("validation", "test"):
    batch = task.batches[part]
    inputs[part] = {**bags(batch["history"], batch["mask"]), "target": batch["target"]}
print(f"{len(inputs['train']['plays']):,} profiles, {N - 1:,} tracks")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The rivals
#
# The popular list and EASE with the trials of notebook 14, and its Mult-VAE.
#

# %% slideshow={"slide_type": "fragment"}
plays = task.plays()
settings = [(300, None), (1_000, None), (1_000, 50), (1_000, 20), (1_000, 10), (2_000, 20), (500, 20)]  # fmt: skip
days = [None, 3, 7, 14, 28, 56, 84]
contest.choose("popular", lambda days: Popular(task.popularity(days)), [{"days": d} for d in days])
contest.choose(
    "EASE", lambda decay: EASE(plays, decay), [{"decay": d, "last": last} for d, last in settings]
)
counts = torch.zeros(N).index_add_(
    0, inputs["train"]["history"].flatten(), inputs["train"]["plays"].flatten()
)
multinomial = Multinomial(log_popularity(counts.clamp(min=1), 0.5), 2 * DRAWS)


def anneal(model: Any, epoch: int) -> None:
    """Before each epoch: β grows evenly from 0 to .2."""
    model.beta = 0.2 * min(1, epoch / 5)


options = {"epochs": EPOCHS, "batch_size": BATCH, "patience": 2}
contest.enter(
    "Mult-VAE",
    lambda: MultVAE(N),
    NegativeELBO(multinomial),
    inputs,
    before_epoch=anneal,
    **options,
)
contest.chosen()

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### CFGAN, with its tricks and without, and without its judge
#
# Seven trials each, as for every rival. The last one asks what the *game* is good for: the same generator and the same pull
# to 0 at drawn tracks, but at the played ones plain squared error in place of the judge. (The weight α of the pull was
# chosen on validation outside this notebook, of .03, .1 and .3, at one rate, for either by itself: .3 and .1.)
#

# %% slideshow={"slide_type": "skip"} tags=["inline"]
from course_utils.models.generative.gan import ZeroReconstruction

# %% slideshow={"slide_type": "fragment"}
contest.enter("CFGAN, ZP", lambda: CFGAN(N), CFGANLoss(N, ZERO_LOG, True, DRAWS), inputs, **options)
contest.enter("CFGAN, masked", lambda: CFGAN(N), CFGANLoss(N), inputs, like="CFGAN, ZP", **options)
contest.enter(
    "ZR, no judge", lambda: CFGAN(N), ZeroReconstruction(N, ZERO_ALONE, DRAWS), inputs, **options
)
contest.table()

# %% slideshow={"slide_type": "skip"}
contest.trials()

# %% slideshow={"slide_type": "subslide"}
shown = ["popular", "CFGAN, masked", "CFGAN, ZP", "ZR, no judge", "Mult-VAE", "EASE"]
roles = ["popular", "crosses", "crosses", "mlp", "neural", "linear"]
figure, ax = plt.subplots(figsize=(8.5, 4.2))
plots.interval_plot(
    ax, contest.intervals(shown), [plots.COLORS[role] for role in roles[: len(shown)]]
)
ax.set(xlabel=f"Recall@100 among {N - 1:,} tracks, 95 % interval over listeners", xlim=(0, None))
plt.show()

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
for told, pair, expected in (
    ("CFGAN with both tricks finds more than the popular list", ("CFGAN, ZP", "popular"), True),
    ("CFGAN finds more with both tricks than without", ("CFGAN, ZP", "CFGAN, masked"), True),
    ("CFGAN finds more than Mult-VAE", ("CFGAN, ZP", "Mult-VAE"), False),
    ("CFGAN finds more than EASE", ("CFGAN, ZP", "EASE"), False),
    (
        "CFGAN finds more than the same generator by squared error, without a judge",
        ("CFGAN, ZP", "ZR, no judge"),
        None,
    ),
):
    gap = contest.gap(*pair)
    claim(told, gap.positive, f"ΔRecall@100 {gap}", expected=expected)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What is in the lists
#
# Mode collapse in a recommender: everybody is shown the same few tracks. Count over the *catalogue*, not over the
# listeners: which share of all tracks stands in somebody's hundred? And which share of the places goes to the hundred
# tracks that were played most?
#

# %% slideshow={"slide_type": "fragment"}
most_played = task.popularity().topk(min(100, N)).indices
rows = []
for name in shown:
    lists = contest.places[name].lists
    to_popular = torch.isin(lists, most_played).double().mean().item()
    rows.append({"model": name, "coverage@100": contest.places[name].coverage(100, N - 1), "places of the most played": to_popular})  # fmt: skip
pl.DataFrame(
    [{key: one if key == "model" else f"{one:.1%}" for key, one in row.items()} for row in rows]
)

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
covers = {row["model"]: row["coverage@100"] for row in rows}
claim(
    "With both tricks CFGAN's lists cover more of the catalogue than without",
    covers["CFGAN, ZP"] > covers["CFGAN, masked"],
    f"{covers['CFGAN, ZP']:.1%} against {covers['CFGAN, masked']:.1%}; EASE {covers['EASE']:.1%}",
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercises
#
# ### 1 · Two losses (medium)
#
# `write(known)` gives profiles (B, K), `judge(profiles, known)` a logit for each (B,): is the profile real? `real` and
# `known` are (B, K). Return the loss of the judge, $-\log D(\text{real}) - \log(1 - D(\text{written}))$, and that of the
# generator, $-\log D(\text{written})$, both means over the listeners. Each side will take a step by its own loss. See to
# it that the judge's loss does not reach the generator.
#

# %% slideshow={"slide_type": "skip"}
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import softplus


def two_losses(
    write: Callable[[Tensor], Tensor],
    judge: Callable[[Tensor, Tensor], Tensor],
    real: Tensor,
    known: Tensor,
) -> tuple[Tensor, Tensor]:
    """→ the judge's loss and the generator's, two numbers."""
    ### BEGIN SOLUTION
    written = write(known)
    says = judge(written.detach(), known)
    of_judge = softplus(-judge(real, known)).mean() + softplus(says).mean()
    return of_judge, softplus(-judge(written, known)).mean()
    ### END SOLUTION


two_losses(
    lambda c: c,
    lambda x, c: torch.zeros(len(x)).requires_grad_(),
    torch.ones(2, 3),
    torch.ones(2, 3),
)

# %% slideshow={"slide_type": "skip"}
from course_utils.checks.gan import check_two_losses

check_two_losses(two_losses)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 2 · What the judge is shown (easy)
#
# `real` (B, K) holds a 1 for all that a listener has played, `fake` (B, K) what the generator wrote. The judge is to see
# the tracks that are `known` (B, K) bool, and those that were `drawn` (B, K) bool for partial masking. What the
# listener played later stands in `real`, too, but it is not known and must be hidden. Return what is seen of the real
# profile and of the written one, 0 where nothing is seen.
#

# %% slideshow={"slide_type": "skip"}
import torch
from torch import Tensor


def shown(real: Tensor, fake: Tensor, known: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
    """(B, K) four times → (B, K) twice, the real profile and the written one as the judge sees them."""
    ### BEGIN SOLUTION
    mask = known | drawn
    return real * mask, fake * mask
    ### END SOLUTION


shown(
    torch.ones(1, 3),
    torch.rand(1, 3),
    torch.tensor([[True, False, False]]),
    torch.tensor([[False, True, False]]),
)

# %% slideshow={"slide_type": "skip"}
from course_utils.checks.gan import check_shown

check_shown(shown)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 3 · Coverage (easy)
#
# `lists` (B, k) holds the numbers of the tracks that each listener is shown, −1 where a list is shorter. Of the
# `n_tracks` of the catalogue, which share stands in somebody's list?
#

# %% slideshow={"slide_type": "skip"}
import torch
from torch import Tensor


def coverage(lists: Tensor, n_tracks: int) -> float:
    """(B, k) → a share of the catalogue."""
    ### BEGIN SOLUTION
    return len(lists[lists >= 0].unique()) / n_tracks
    ### END SOLUTION


coverage(torch.tensor([[3, 1], [3, -1]]), 10)

# %% slideshow={"slide_type": "skip"}
from course_utils.checks.gan import check_coverage

check_coverage(coverage)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 4 · A profile that is not the condition (open)
#
# The identity wins because the real profile *is* the condition. Cut each window in two: the generator and the judge know
# the first ten plays, and the real profile is the ten that came after. Now a copy is found out. Train both, with
# trials of their own, and take the identity test again. Does it find more than ZP? More than `no judge` trained on
# the same halves?
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#

# %% slideshow={"slide_type": "fragment"}
claim.recap()

# %% [markdown] slideshow={"slide_type": "skip"}
# ## References
#
# - I. Goodfellow et al. (2014). *Generative Adversarial Nets.* NIPS.
# - J. Wang et al. (2017). *IRGAN: A Minimax Game for Unifying Generative and Discriminative Information Retrieval
#   Models.* SIGIR.
# - A. Deshpande, M. Khapra (2020). *Evaluating a Generative Adversarial Framework for Information Retrieval.* arXiv.
# - D.-K. Chae, J.-S. Kang, S.-W. Kim, J.-T. Lee (2018). *CFGAN: A Generic Collaborative Filtering Framework based on
#   Generative Adversarial Networks.* CIKM.
# - F. Pérez Maurera, M. Ferrari Dacrema, P. Cremonesi (2022). *An Evaluation Study of Generative Adversarial Networks
#   for Collaborative Filtering.* ECIR.
# - R. Williams (1992). *Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning.*
#   Machine Learning.
# - D. Liang, R. Krishnan, M. Hoffman, T. Jebara (2018). *Variational Autoencoders for Collaborative Filtering.* WWW.
# - H. Steck (2019). *Embarrassingly Shallow Autoencoders for Sparse Data.* WWW.
#
