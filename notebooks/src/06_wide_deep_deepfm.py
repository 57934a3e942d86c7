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
# # 06 · Wide & Deep, DeepFM, DLRM
#
# *Lecture: ranking, part 2. Runs in about two and a half minutes on two CPU cores.*
#
# Two kinds of knowledge make a good recommender. *This listener finishes everything by that artist*: a fact, to be
# **memorised**. *People who like such music at such an hour go on listening*: a rule, to be **generalised**. Linear
# models with crosses are good at facts, deep networks at rules. In 2016 somebody simply added the two together, and
# much of the industry has built on it since.
#

# %% [markdown] slideshow={"slide_type": "notes"}
# For the speaker, 3 minutes.
#
# - Say: facts and rules: keep the two words on the board for the whole hour. Every model today is a way to have both.
# - Ask: name a fact and a rule about your own listening. Which of the two would a new song profit from?
# - Trap: people file "memorise" under bad habits. A fact about a pair that comes every week is worth having.
#

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What you will be able to do
#
# - tell memorisation from generalisation in numbers, by how often a pair was seen;
# - build Wide & Deep, DeepFM and DLRM from the same field vectors;
# - say how near an MLP comes to a dot product, by examples and by units;
# - recognise the overfit of ID embeddings by its tail, and cure it.
#

# %% [markdown] slideshow={"slide_type": "notes"}
# **For the speaker.** The dot-product experiment is the heart of the hour. Let the room bet on the number of
# examples, and then on the number of units, before you show the curves.
#
# About 73 minutes in all. If time is short, leave out hashed crosses and DLRM; the dot product must stay.
#

# %% slideshow={"slide_type": "skip"}
import matplotlib.pyplot as plt
import numpy as np
import polars as pl
import torch
from IPython.display import Markdown
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from course_utils import train
from course_utils.data.log import open_log
from course_utils.data.tasks.ranking import ranking_task
from course_utils.evaluation.contest import Contest
from course_utils.evaluation.tuning import RATE
from course_utils.lesson import ladder, plots
from course_utils.lesson.claims import Claims
from course_utils.models.interfaces import Encoder
from course_utils.models.mlp import MLP
from course_utils.models.ranking.fm_ffm import (
    FactorizationMachine,
    FieldEmbedding,
    FieldRanker,
    LogisticRegression,
    pairwise_products,
)
from course_utils.models.ranking.unified_embeddings import UnifiedEmbedding

plots.use_style()
SEED = train.seed_everything(6)
log = open_log()
claim = Claims(log)
task = ranking_task(log)
contest = Contest(task, SEED, "06_wide_deep_deepfm")
MARGIN = 0.001  # ΔAUC that we call a difference
NO_WORSE = 0.003  # ΔAUC that we call no worse
LOWER = 0.001  # nats that we call a lower validation loss
TAIL_GAP = 0.05  # nats by which the tail must overfit more than the head
FAR = 0.05  # error that we call far from the product; its targets have a standard deviation of 1

# %% [markdown] slideshow={"slide_type": "skip"}
# The claims below are judged by these margins. `MARGIN` stood there before any result; the other four were set after
# a first look at results. (The first claim on the dot product has limits of its own, 0.05 and 0.1.)
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The wide half: facts
#
# A weight for each listener, track and artist, and one for each *pair* listener × track and
# listener × artist that somebody thought worth crossing. By hand: Ann × R was finished nine times out of ten.
# Its weight says so. Ann × Q was never seen. Its weight says nothing.
#

# %% [markdown] slideshow={"slide_type": "notes"}
# For the speaker, 8 minutes.
#
# - Say: a cross is a lookup and nothing else. Row 0 stays zero for ever: of strangers it says nothing.
# - Ask: what should a model say about a pair that it never saw: nothing, or something about somebody else?
# - Trap: "collisions are rare". In a table about as large as the list of pairs they are the rule.
#

# %% slideshow={"slide_type": "subslide"} tags=["inline"]
from course_utils.models.ranking.wide_deep_deepfm import Crosses, PairKeys

# %% [markdown] slideshow={"slide_type": "skip"}
# Two pairs were seen in training, (3, 5) and (1, 2). Which row of the table does a pair read? Row 0, whose weight
# is 0 for ever, is for pairs never seen and for strangers (id 0).
#

# %% slideshow={"slide_type": "fragment"} tags=["nbval-check-output"]
seen = torch.tensor([[3, 5], [1, 2], [3, 5]])
hand_made = Crosses({"listener": 4, "track": 6}, [("listener", "track")], seen)
hand_made.rows(torch.tensor([[3, 5], [1, 5], [0, 5]])).tolist()

# %% slideshow={"slide_type": "skip"} tags=["inline"]
from course_utils.models.ranking.wide_deep_deepfm import CrossedLogisticRegression

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Hashed crosses
#
# Real systems often keep no list of pairs: they *hash* each pair to a row (Weinberger et al. 2009). Then a pair
# that nobody has seen reads the weight of some other pair: a fact about somebody else. How often that happens
# depends on the size of the table.
#

# %% [markdown] slideshow={"slide_type": "fragment"}
# Before you run the next cell, write down a guess. Training has about 150,000 pairs. In a table of 131,072 rows, what
# share of the *new* pairs will read a weight that some other pair has trained? And in one of 16 million rows?
#

# %% slideshow={"slide_type": "skip"} tags=["inline"]
from course_utils.models.ranking.wide_deep_deepfm import HashedCrosses

# %% slideshow={"slide_type": "fragment"}
PAIRS = [pair for pair in ladder.CROSSES if set(pair) <= set(task.fields)]
exact = ladder.crosses(task)
train_ids, test_ids = (task.batches[part]["ids"] for part in ("train", "test"))
new = (exact.rows(test_ids) == 0) & (exact.keys(test_ids) > 0)
read = {}
for power in (14, 17, 20, 24):
    hashed = HashedCrosses(task.n_values, PAIRS, 2**power)
    taken = torch.zeros(2**power, dtype=torch.bool)
    taken[hashed.rows(train_ids)[exact.keys(train_ids) > 0]] = True
    read[2**power] = taken[hashed.rows(test_ids)[new]].float().mean().item()
print(f"{len(exact.known) - 1:,} pairs in training")
pl.DataFrame(
    {"rows": [f"{r:,}" for r in read], "new pairs that read a trained weight": [
        f"{share:.0%}" for share in read.values()]}
)  # fmt: skip

# %% [markdown] slideshow={"slide_type": "fragment"}
# With about as many pairs as rows it is 69 %, neither all nor none. Pairs fall into rows like rain: some rows get
# several, and about a third stay dry. To be nearly free of it takes a hundred rows for a pair, the last line.
# (Exercise 3 says why.)
#

# %% [markdown] slideshow={"slide_type": "skip"}
# The smallest of these tables, nine pairs to a row, takes part in the contest below, beside the exact index: what the
# claim says of "a hash" it says of one that small.
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The deep half: rules
#
# Every field becomes a vector (notebook 05), the vectors stand side by side, an MLP reads them. Listeners
# with similar vectors are treated alike, so what was learned from one serves the other.
#

# %% [markdown] slideshow={"slide_type": "notes"}
# For the speaker, 2 minutes.
#
# - Say: the MLP gets the vectors side by side, adds them up with weights, and bends the sums.
# - Ask: where in an MLP are two of its inputs multiplied? (Nowhere.)
# - Trap: "deep" is heard as "better". Wait for the next figure.
#

# %% slideshow={"slide_type": "subslide"} tags=["inline"]
from course_utils.models.ranking.wide_deep_deepfm import MLPRanker

# %% slideshow={"slide_type": "fragment"} tags=["nbval-check-output"]
deep_alone = MLPRanker(task.n_values, None, dim=8, hidden=(16,))
deep_alone(torch.ones(1, len(task.fields), dtype=torch.int64), torch.empty(1, 0)).shape

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Together
#
# $$\mathrm{logit} = \underbrace{b + \sum_i w_i x_i + \sum_{\text{crosses}} w_{ij}\, x_i x_j}_{\text{wide}}
# + \underbrace{\mathrm{MLP}([v_1, \dots, v_n])}_{\text{deep}}$$
#
# trained together, so that each half corrects the other. *Cheng et al. (2016), section 3.3*; there each half has an
# optimizer of its own.
#

# %% [markdown] slideshow={"slide_type": "notes"}
# For the speaker, 11 minutes.
#
# - Say: one logit, one loss, one gradient into both halves. It is not the mean of two models that were trained apart.
# - Ask: the listener has never met the artist. Which half do you ask?
# - Trap: a ✘ is taken for a bug of the notebook. It is a measurement: on ids alone the famous half of the story did
#   not come out here. With counters, later in the hour, deep does beat wide.
#

# %% [markdown] slideshow={"slide_type": "subslide"}
# ![Wide & Deep: the fields go to a weight for each value and one for each pair seen, the wide half, and through vectors and an MLP, the deep half; the sum is one logit with one loss](assets/drawings/wide_and_deep.svg)
#
# Above facts, each with a weight of its own; below rules, made of vectors. They meet in one sum.
#

# %% slideshow={"slide_type": "subslide"} tags=["inline"]
from course_utils.models.ranking.wide_deep_deepfm import WideAndDeep

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Facts and rules, measured
#
# Ids alone, so that nothing else helps. Each model had seven trials of learning rate and decay of its tables
# (the hashed one takes over those of `wide`); validation chose, and says when to stop. The linear ones chose the
# lowest decay that was tried. Then cut the test listens by how often training saw the listener with this artist.
#

# %% [markdown] slideshow={"slide_type": "fragment"}
# Before you run the next cells, draw three curves by hand over "never, 1–9, 10 and more": what will crosses ("wide"),
# an MLP ("deep") and an FM gain over logistic regression?
#

# %% slideshow={"slide_type": "fragment"}
n = task.n_values
halves = {
    "logistic regression": lambda: LogisticRegression(n, None),
    "wide": lambda: CrossedLogisticRegression(n, None, ladder.crosses(task)),
    "wide, hashed": lambda: CrossedLogisticRegression(n, None, HashedCrosses(n, PAIRS, 2**14)),
    "deep": lambda: MLPRanker(n, None, dim=16, hidden=(96, 48)),
    "FM": lambda: FactorizationMachine(n, None, dim=16),
}
for name, make in halves.items():
    contest.enter(name, make, like="wide" if name == "wide, hashed" else None)
contest.table([*halves])

# %% slideshow={"slide_type": "fragment"}
OTHER = "artist" if "artist" in task.fields else "track"
met, known = task.seen("listener", OTHER), task.known()
if (known & (met == 0)).sum() < 1_000:  # a log whose test listeners are nearly all new
    known = torch.ones_like(known)
groups = {
    "never": known & (met == 0), "1–9": (met > 0) & (met < 10), "10 and more": met > 9,
}  # fmt: skip
groups = {name: mask for name, mask in groups.items() if contest.can_judge(mask)}
VERSUS = [(m, "logistic regression") for m in halves if m != "logistic regression"]
VERSUS += [("deep", "wide"), ("FM", "wide"), ("wide", "wide, hashed")]
by_group = {name: contest.intervals(halves, VERSUS, rows=mask) for name, mask in groups.items()}

# %% slideshow={"slide_type": "fragment"} alt="Three lines with intervals: AUC gained over logistic regression, by how often training saw the listener with the artist. Never: FM 0.011, wide 0.003, deep −0.001. 1–9 times: 0.021, 0.017 and −0.002. 10 times and more: 0.023, 0.022 and −0.010, with wide intervals."
figure, ax = plt.subplots(figsize=(9, 4))
styles = {"wide": "crosses", "deep": "mlp", "FM": "fm"}
for (name, key), shift in zip(styles.items(), [-0.08, 0, 0.08], strict=True):
    values = [by_group[group][name, "logistic regression"] for group in groups]
    error = [[v.value - v.low for v in values], [v.high - v.value for v in values]]
    place = np.arange(len(groups)) + shift
    ax.errorbar(
        place, [v.value for v in values], error, fmt="o-", capsize=3, label=name,
        color=plots.COLORS[key],
    )  # fmt: skip
ax.axhline(0, color=plots.COLORS["linear"])
ax.set_xticks(range(len(groups)), groups)
ax.set(xlabel=f"how often training saw the listener with the {OTHER}")
ax.set_ylabel("AUC minus that of\nlogistic regression")
ax.legend()
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# The crosses gain most where the pair was seen, as the story goes. They gain a little where it was not, though all of
# them weigh 0 there: probably, what a cross explains no longer spoils the other weights (not tested). That the MLP
# gains on new pairs is what the books let one expect, and here it gains nowhere; the FM does. What carries over to a
# new pair is the *product* of two vectors, and an MLP has nothing that multiplies.
#

# %% slideshow={"slide_type": "fragment"} tags=["nbval-check-output"]
seen = met > 0
if "never" in by_group and contest.can_judge(seen):
    never = by_group["never"]
    known_pair = contest.gap("wide", "logistic regression", seen)
    unknown_pair = never["wide", "logistic regression"]
    claim(
        "Crosses gain more on pairs that training saw than on pairs it never saw",
        known_pair.low > unknown_pair.high,
        f"ΔAUC {known_pair} against {unknown_pair}",
    )
    gap = never["wide", "wide, hashed"]
    claim("On pairs never seen an exact index beats a hash", gap.low > MARGIN, f"ΔAUC {gap}")
    gap = never["FM", "wide"]
    claim("On pairs never seen FM beats wide", gap.low > MARGIN, f"ΔAUC {gap}")
    gap = never["deep", "wide"]
    told = f"ΔAUC {gap}"
    claim("On pairs never seen deep beats wide", gap.low > MARGIN, told, expected=False)
else:
    print("This log has too few test rows in these groups.")

# %% [markdown] slideshow={"slide_type": "skip"}
# The last line is what one reads of Wide & Deep: wide memorises, deep generalises. The first half is what crosses do.
# The second was expected here too, and a first run on the default log showed the opposite; since then the cell marks
# it as expected to fail. On ids alone an MLP has two ways to go: learn the vectors of rare ids by heart, or, where
# the decay of the tables forbids that, add up its fields like a linear model. With counters, below, it has rules to
# learn.
#
# Notebook 05 asks the third line of the same two models, and has it open (◦): there, with other seeds and at a rate
# of 0.009 instead of 0.003, one run of five stayed below the margin. Here none does.
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## DeepFM: no cross by hand
#
# Somebody has to choose the crosses of the wide half. Guo et al. (2017) let a factorization machine do it,
# on **the same vectors** that the MLP reads:
#
# $$\mathrm{logit} = \mathrm{linear} + \sum_{i<j}\langle v_i, v_j\rangle + \mathrm{MLP}([v_1, \dots, v_n]).$$
#

# %% [markdown] slideshow={"slide_type": "notes"}
# For the speaker, 10 minutes.
#
# - Say: one table of vectors and two readers of it, which both send gradients into the same rows.
# - Ask: DeepFM contains an FM. Can it be worse than that FM?
# - Trap: what a model *can* express is taken for what training finds. The second mistake is to throw DeepFM away
#   after this slide: in its paper it wins, on hundreds of times as many rows.
#

# %% [markdown] slideshow={"slide_type": "fragment"}
# Before you run the next cells, write down a guess: on ids alone, how many thousandths of AUC is DeepFM ahead of, or
# behind, the FM that it contains?
#

# %% [markdown] slideshow={"slide_type": "subslide"}
# ![DeepFM: one set of vectors is read twice, by the products of all pairs and by an MLP; both and the weights of the values are added to one logit](assets/drawings/deepfm.svg)
#
# Look at the fork in the middle: the products and the MLP read the same vectors, and both send gradients back
# into them.
#

# %% slideshow={"slide_type": "subslide"} tags=["inline"]
from course_utils.models.ranking.wide_deep_deepfm import DeepFM

# %% slideshow={"slide_type": "fragment"}
contest.enter("DeepFM on ids", lambda: DeepFM(n, None, dim=16, hidden=(96, 48)))
contest.table(["FM", "deep", "DeepFM on ids"])

# %% [markdown] slideshow={"slide_type": "fragment"}
# Twelve thousandths *behind*, level with the MLP alone. A model that contains another one can be at least as good, so
# the opposite guess was sensible. But it is trained as one piece, with one set of doses for both halves.
#

# %% slideshow={"slide_type": "fragment"} tags=["nbval-check-output"]
gap = contest.gap("DeepFM on ids", "FM")
claim("On ids alone DeepFM beats the FM inside it", gap.low > MARGIN, f"ΔAUC {gap}", expected=False)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Why not?
#
# In the paper it does, on hundreds of times as many rows. (This claim, too, is marked as expected to fail since
# we saw it fail.) The trials tell what happened. Here is the validation loss of each by the decay of the tables,
# at the rate with which trials begin.
#

# %% slideshow={"slide_type": "fragment"} alt="Line chart: lowest validation loss in nats against the decay of the tables, on a log scale. FM is best at a decay of 0.4 with 0.600, and at 50 it has 0.670. The deep model falls from 0.616 at a decay of 2 to 0.608 at 50 and stays there up to 333. DeepFM lies on nearly the same line."
figure, ax = plt.subplots(figsize=(8, 4))
styles = {"FM": ("fm", "o-"), "deep": ("mlp", "o-"), "DeepFM on ids": ("deepfm", "s:")}
for name, (key, style) in styles.items():
    tried = [trial for trial in contest.used[name] if trial.lr == RATE]
    line = sorted((trial.embedding_decay, trial.valid_loss) for trial in tried)
    if line:
        ax.plot(*zip(*line, strict=True), style, color=plots.COLORS[key], label=name)
ax.set(xscale="log", xlabel="decay of tables", ylabel="lowest validation loss (nats)")
ax.legend()
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# The FM is best with little decay and ruined by a decay of 50, where the MLP is near its best. DeepFM has one dose
# for all its tables, and its curve lies on that of the MLP: what is right for one half is wrong for the other. (To
# the left of 2, where its trials did not go, it does not help either: at 0.4 DeepFM has 0.615, after a pass or two.)
#

# %% [markdown] slideshow={"slide_type": "skip"}
# Decay keeps every entry of a table small, and in an FM nothing makes up for that. A single weight enters the logit
# as it is, and under much decay a product of two small vectors is smaller still. (The single weights suffer first: at
# a decay of 2 the validation loss of logistic regression, which has nothing else, is .030 above its lowest, that of
# the FM .004.) An MLP makes up for small inputs with larger weights of its own: to be held it needs a hundred times
# as much. DeepFM has *one* decay for all its tables. With little of it the MLP learns by heart, and training stops
# after two passes; with much of it weights and products vanish, and the curve lies on that of the MLP alone.
#

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The suspect, tried
#
# Then two sets of tables, each with its own decay, must mend it. Decay is nothing but a factor below 1 at every
# step, so we write the MLP's into its forward pass: 15 % off, what a decay of 50 does at the rate where trials
# begin. (This size was chosen on validation, out of four. Rate and common decay then had seven trials, as the
# others had.) As a control, two sets of tables *without* it, with DeepFM's rate and decay.
#

# %% slideshow={"slide_type": "fragment"}
SHRINK = 0.15  # what a step takes off the MLP's tables, beside the decay of all tables


def take_off(tables, share):
    """What a decay of their own does to tables at every step."""
    with torch.no_grad():
        for table in tables:
            table.weight.mul_(1 - share)


class TwoTables(FieldRanker):
    """An FM beside an MLP, each with vectors of its own."""

    def __init__(self, shrink):
        super().__init__(None)
        self.shrink = shrink
        self.fm = FactorizationMachine(n, None, dim=16)
        self.deep = MLPRanker(n, None, dim=16, hidden=(96, 48))

    def score(self, ids, codes):
        if self.training:
            take_off(self.deep.vectors.tables, self.shrink)
        return self.fm.score(ids, codes) + self.deep.score(ids, codes)


contest.enter("FM beside an MLP", lambda: TwoTables(SHRINK))
contest.enter("… with one decay", lambda: TwoTables(0), like="DeepFM on ids")
contest.table(["FM", "DeepFM on ids", "… with one decay", "FM beside an MLP"])

# %% [markdown] slideshow={"slide_type": "fragment"}
# With a dose of its own the MLP adds to the FM. The same two sets of tables with one dose stay where DeepFM was, with
# less decay, 0.4 or 2, too (AUC 0.688 to 0.691): the cure is the second dose, not the second table.
#

# %% slideshow={"slide_type": "fragment"} tags=["nbval-check-output"]
gap = contest.gap("FM beside an MLP", "… with one decay")
claim("With two sets of tables, two decays beat one", gap.low > MARGIN, f"ΔAUC {gap}")
gap = contest.gap("FM beside an MLP", "FM")
claim("With tables and a decay of its own an MLP adds to the FM", gap.low > MARGIN, f"ΔAUC {gap}")

# %% [markdown] slideshow={"slide_type": "skip"}
# It takes listens to see this. On half as many, with trials of their own, two decays were ahead of one by 0.0016
# [0.0004, 0.0029] and, with another training seed, by 0.0030 [0.0017, 0.0043]; what the MLP added to the FM could not
# be told from nothing: -0.0016 [-0.0051, 0.0015] and 0.0021 [-0.0008, 0.0045] (measured outside this notebook, with
# the 15 % of above).
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## DLRM: the industrial cousin
#
# Facebook's DLRM (Naumov et al. 2019) makes **one** vector of all numbers with a bottom MLP, multiplies
# all pairs of vectors, and lets a top MLP decide. With many ids and few numbers this is cheap: the pairs
# of a thousand numbers never arise.
#

# %% [markdown] slideshow={"slide_type": "notes"}
# For the speaker, 9 minutes.
#
# - Say: count the pairs: with three ids and one vector of all numbers there are six products. With a field for each
#   number there would be hundreds.
# - Ask: which facts about *this* listener and *this* track do our counters hold already?
# - Trap: the room reads these claims as "Wide & Deep is useless". On ids alone the crosses had much to say; beside
#   counters that know the same facts they have little to say, even with a dose of their own.
#

# %% slideshow={"slide_type": "fragment"} tags=["nbval-check-output"]
tiny = torch.tensor([[[1.0, 0.0], [2.0, 1.0], [0.0, 3.0]]])
products = tiny @ tiny.transpose(1, 2)
print(products[0].tolist())
print("pairs:", [products[0, i, j].item() for i, j in [(1, 0), (2, 0), (2, 1)]])

# %% slideshow={"slide_type": "subslide"} tags=["inline"]
from course_utils.models.ranking.wide_deep_deepfm import DLRM

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### With everything
#
# All ids and counters, encoded piecewise linearly (notebook 08). These are models of the ladder, trained with what
# its trials chose; DLRM stands on the ladder below.
#

# %% slideshow={"slide_type": "fragment"}
rungs = ladder.rungs(task, SEED)
WHOLE = ["… with crosses", "MLP", "Wide & Deep", "DeepFM"]
for name in WHOLE:
    contest.enter(name, rungs[name], like=name)
contest.table(WHOLE)

# %% [markdown] slideshow={"slide_type": "fragment"}
# The MLP passes the crosses, and Wide & Deep does not pass the MLP. Look at the doses before you tell a story: like
# DeepFM, Wide & Deep has one decay for all tables, and its trials chose 250. That takes three quarters off each cross
# at every step: its wide half is switched off.
#

# %% [markdown] slideshow={"slide_type": "skip"}
# The judge is AUC; log loss stands beside it.
#

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The wide half, with a dose of its own
#
# So it gets the same chance as the FM beside an MLP: a decay of its own for each half. The MLP's tables lose a share
# of their own at every step, of a size chosen on validation, out of four. The rate, and the decay of the other
# tables, had seven trials.
#


# %% slideshow={"slide_type": "fragment"}
class TwoDecays(nn.Module):
    """The ladder's Wide & Deep, with a decay of its own for the tables of the deep half."""

    def __init__(self, shrink):
        super().__init__()
        self.both, self.shrink = rungs["Wide & Deep"](), shrink

    def forward(self, ids, numbers):
        if self.training:
            take_off(self.both.deep.vectors.tables, self.shrink)
        return self.both(ids, numbers)


TWO, SHARE = "Wide & Deep, two decays", 0.45  # of 0.05, 0.15, 0.45, 0.75, at rate 0.003, decay 4.5
contest.enter(TWO, lambda: TwoDecays(SHARE))
contest.table(["… with crosses", "MLP", "Wide & Deep", TWO])

# %% slideshow={"slide_type": "fragment"}
both = {"Wide & Deep": contest.models["Wide & Deep"], TWO: contest.models[TWO].both}
with torch.no_grad():
    for name, model in both.items():
        added = model.wide.crosses.cpu()(test_ids)
        print(f"{name}: its crosses move the logit by {added.std():.1g} (standard deviation)")

# %% [markdown] slideshow={"slide_type": "fragment"}
# Now the crosses are free to speak, and say little: less decay was tried, and validation did not want it. Wide & Deep
# still stands where the MLP stands, 0.0004 [−0.0001, 0.0009] apart. "Together better" was our guess, too. But the
# facts that crosses memorise stand in the counters already: how often this listener played this track, and how much
# of it.
#

# %% slideshow={"slide_type": "fragment"} tags=["nbval-check-output"] headlines=["With counters Wide & Deep beats its wide half", "With a decay for each half Wide & Deep beats its deep half"]
wide_alone = "… with crosses"
gap = contest.gap("MLP", wide_alone)
claim("With counters deep beats wide", gap.low > MARGIN, f"ΔAUC {gap}")
gap = contest.gap("Wide & Deep", wide_alone)
claim("With counters Wide & Deep beats its wide half", gap.low > MARGIN, f"ΔAUC {gap}")
gap = contest.gap("Wide & Deep", "MLP")
told = f"ΔAUC {gap}"
claim("With one decay Wide & Deep beats its deep half", gap.low > MARGIN, told, expected=False)
gap = contest.gap(TWO, "MLP")
told = f"ΔAUC {gap}"
claim(
    "With a decay for each half Wide & Deep beats its deep half",
    gap.low > MARGIN,
    told,
    expected=False,
)
gap = contest.gap("DeepFM", "Wide & Deep")
told = f"ΔAUC {gap}, margin {NO_WORSE}"
claim("DeepFM, without a cross by hand, is no worse than Wide & Deep", gap.low > -NO_WORSE, told)

# %% [markdown] slideshow={"slide_type": "skip"}
# With counters the deep half has rules to learn. The third claim was expected to hold, "together better", and was
# found not to; but with one decay for both halves nothing is left of the crosses, so it does not judge them. The
# fourth does, and fails, too. (Compare on the ladder below "… with crosses" with "… on binned numbers", the same
# model without crosses: level.) DeepFM stands a little behind the Wide & Deep of the ladder, by 0.0009 [0.0002,
# 0.0015]: "no worse" in the claim means by less than 0.003, which is generous.
#

# %% slideshow={"slide_type": "skip"}
pl.Config.set_tbl_rows(20)
contest.trials()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## How hard is one multiplication?
#
# Could the MLP not learn the products by itself? Rendle et al. (2020) asked: give an MLP two vectors and let it learn
# their dot product, the simplest interaction there is. Our version: vectors of 16 normal numbers, dot product of
# variance 1, seen through noise of half that standard deviation; the test is on *new* users and items. The dot
# product itself makes no error. Predicting 0 makes an error of 1.
#

# %% [markdown] slideshow={"slide_type": "notes"}
# For the speaker, 12 minutes.
#
# - Say: fix the ends of the scale first: 0 is the dot product itself, 1 is a model that always says 0.
# - Ask: how many users, fifty examples each, until the error is below 0.1? Take bets in powers of ten. (4,000 are not
#   enough.)
# - Trap: somebody says "universal approximation". The theorem promises that good weights exist. The second figure
#   shows that they do, and that training does not find them.
#

# %% slideshow={"slide_type": "fragment"}
D, N_ITEMS, EACH = 16, 2_000, 50


def dot_examples(n_users, generator):
    """`EACH` noisy dot products of every user: (users · EACH, 2 D) inputs and targets."""
    users = torch.randn(n_users, D, generator=generator) / D**0.25
    items = torch.randn(N_ITEMS, D, generator=generator) / D**0.25
    u = torch.arange(n_users).repeat_interleave(EACH)
    i = torch.randint(N_ITEMS, (len(u),), generator=generator)
    exact = (users[u] * items[i]).sum(dim=1)
    noisy = exact + 0.5 * torch.randn(len(u), generator=generator)
    return torch.cat([users[u], items[i]], dim=1), noisy, exact


def dot_error(n_users, hidden, steps=1_000):
    """RMSE of an MLP on the dot products of new users and items."""
    torch.manual_seed(SEED)
    random = torch.Generator().manual_seed(SEED)
    parts = [dot_examples(size, random) for size in (n_users, 100, 100)]
    training, validation = ({"input": x, "target": noisy} for x, noisy, _ in parts[:2])
    model = nn.Sequential(MLP(2 * D, hidden), nn.Linear(hidden[-1], 1), nn.Flatten(0))
    epochs = -(-steps * 512 // len(training["target"]))
    train.fit(
        model, training, validation, loss=train.squared_error, lr=3e-3, batch_size=512,
        epochs=epochs, patience=epochs, seed=SEED, schedule="averaged",
    )  # fmt: skip
    fresh, _, exact = parts[2]
    error = train.predict(model, {"input": fresh}) - exact
    return error.square().mean().sqrt().item()


# %% [markdown] slideshow={"slide_type": "fragment"}
# Before you run the next cells, write down a guess: with 4,000 users, that is 200,000 noisy examples, how large will
# the error of the better MLP be? (Predicting 0 has an error of 1.)
#

# %% slideshow={"slide_type": "fragment"}
USERS = [60, 250, 1_000, 4_000]
WIDTHS = {"MLP 32–16": [32, 16], "MLP 128–64": [128, 64]}
rmse = {name: [dot_error(users, hidden) for users in USERS] for name, hidden in WIDTHS.items()}

# %% slideshow={"slide_type": "fragment"} alt="Line chart: error on new pairs, as RMSE, against 60 to 4,000 training users with 50 examples each, on a log scale. The MLP 128–64 falls from 0.54 to 0.21, the MLP 32–16 from 0.85 to 0.57; both change little after 1,000 users. The dot product lies at 0, predicting 0 at 1."
figure, ax = plt.subplots(figsize=(8, 4))
for (name, values), style in zip(rmse.items(), ["o--", "o-"], strict=True):
    ax.plot(USERS, values, style, color=plots.COLORS["mlp"])
    ax.annotate(name, (USERS[-1], values[-1]), xytext=(8, -4), textcoords="offset points")
ax.axhline(1, color=plots.COLORS["muted"], linestyle=":")
ax.annotate("predict 0", (USERS[0], 1), xytext=(0, 5), textcoords="offset points")
ax.axhline(0, color=plots.COLORS["fm"])
ax.annotate("dot product", (USERS[0], 0), xytext=(0, 5), textcoords="offset points")
ax.set(
    xscale="log",
    xlabel=f"training users ({EACH} examples each)",
    ylabel="error on new pairs (RMSE)",
)
ax.set_xticks(USERS, [f"{u:,}" for u in USERS])
ax.set_xlim(50, 12_000)
ax.minorticks_off()
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# The better MLP comes down from 0.54 to 0.21, and has made most of that way with the first thousand users; the
# smaller one stops above a half. Sixteen multiplications look like nothing, so a guess near zero was sensible. But to
# an MLP each of them is a surface that it has to build from bent planes. (Every point had about a thousand steps.
# With six times as many, 4,000 users come to 0.19.)
#

# %% slideshow={"slide_type": "fragment"} tags=["nbval-check-output"]
best = min(values[-1] for values in rmse.values())
falls = all(values[-1] < values[0] - 0.05 for values in rmse.values())
claim(
    "An MLP's error on a dot product falls with data, and is far from zero at 4,000 users",
    falls and best > 0.1,
    "RMSE at "
    + ", ".join(f"{u}: {min(v[k] for v in rmse.values()):.2f}" for k, u in enumerate(USERS)),
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### And how wide?
#
# Now nothing is noisy: 400,000 exact examples, all of new vectors, each seen once, and one hidden layer. Is the *form*
# of the MLP the limit, or finding the weights? To tell, we also set weights by hand:
#
# $$xy = \tfrac14\bigl[(x+y)^2 - (x-y)^2\bigr],$$
#
# and a ReLU network can draw each square as a broken line, one unit for each piece (exercise 2). Sixteen
# products take 32 squares, so 256 units are 8 pieces a square.
#

# %% [markdown] slideshow={"slide_type": "fragment"}
# Before you run the next cells, write down a guess: with 64 units, who is better, training or the weights set by
# hand? And with 1,024?
#


# %% slideshow={"slide_type": "fragment"}
def exact_pairs(size, generator):
    x = torch.randn(size, 2 * D, generator=generator) / D**0.25
    return {"input": x, "target": (x[:, :D] * x[:, D:]).sum(dim=1)}


def trained(units, training, validation):
    torch.manual_seed(SEED)
    model = nn.Sequential(MLP(2 * D, [units]), nn.Linear(units, 1), nn.Flatten(0))
    train.fit(
        model, training, validation, loss=train.squared_error, lr=3e-3, batch_size=256, epochs=1,
        seed=SEED, schedule="averaged",
    )  # fmt: skip
    return lambda inputs: train.predict(model, {"input": inputs})


def set_by_hand(units, end=3.0):
    """Broken lines through the squares, knots from −end to end: what `units` ReLUs can draw."""
    knots = np.linspace(-end, end, units // (2 * D) + 1)

    def product(inputs):
        x, y = inputs.double().numpy()[:, :D], inputs.double().numpy()[:, D:]
        plus, minus = (np.interp(z, knots, knots**2) for z in (x + y, x - y))
        return torch.from_numpy((plus - minus).sum(axis=1) / 4)

    return product


# %% slideshow={"slide_type": "fragment"}
random = torch.Generator().manual_seed(SEED)
training, validation, fresh = (exact_pairs(size, random) for size in (400_000, 5_000, 20_000))
UNITS = [64, 256, 1_024]
by_width = {"trained": [], "set by hand": []}
for units in UNITS:
    both = trained(units, training, validation), set_by_hand(units)
    for values, product in zip(by_width.values(), both, strict=True):
        error = product(fresh["input"]) - fresh["target"]
        values.append(error.square().mean().sqrt().item())

# %% slideshow={"slide_type": "fragment"} alt="Line chart, both axes logarithmic: error on new pairs, as RMSE, with 64, 256 and 1,024 ReLU units in one hidden layer. Trained weights make 0.27, 0.17 and 0.11; weights set by hand make 0.95, 0.06 and 0.009. The lines cross between 64 and 256 units."
figure, ax = plt.subplots(figsize=(8, 4))
for (name, values), key in zip(by_width.items(), ["mlp", "data"], strict=True):
    ax.loglog(UNITS, values, "o-", color=plots.COLORS[key])
    ax.annotate(name, (UNITS[-1], values[-1]), xytext=(8, -4), textcoords="offset points")
ax.set(xlabel="ReLU units in one hidden layer", ylabel="error on new pairs (RMSE)")
ax.set_xticks(UNITS, [f"{u:,}" for u in UNITS])
ticks = [0.01, 0.03, 0.1, 0.3, 1]
ax.set_yticks(ticks, [f"{t:g}" for t in ticks])
ax.set_xlim(55, 2_200)
ax.minorticks_off()
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# With 64 units training is ahead: two pieces a square are a poor drawing. With 1,024 the weights set by hand make
# less than a tenth of the error that training makes. So the good weights are there, and 400,000 exact examples did
# not lead to them at this rate (with a cycle up to 0.03 the error is 0.07). Form is not the limit; finding is.
#

# %% slideshow={"slide_type": "fragment"} tags=["nbval-check-output"]
found, possible = by_width["trained"], by_width["set by hand"]
told = ", ".join(f"{u} units: {v:.2f}" for u, v in zip(UNITS, found, strict=True))
claim(
    "A trained MLP's error on a dot product falls with its width, and is far from zero at the widest",
    found[-1] < found[0] / 2 and found[-1] > FAR,
    f"RMSE at {told}",
)
claim(
    "At the widest, weights set by hand make less than half of the trained network's error",
    possible[-1] < found[-1] / 2,
    f"RMSE {possible[-1]:.3f} against {found[-1]:.3f}",
)

# %% [markdown] slideshow={"slide_type": "skip"}
# So a wide MLP *can* multiply well, and still does not find out how from 400,000 exact examples. A product costs 16
# multiplications and is exact. (The 0.05 of the first claim stands at the top. That both ask for less than half was
# set after a first run with other sizes.) That is why rankers multiply by construction: in an FM, in DLRM's pairs, in
# the cross layers of the next notebook.
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A failure: the overfit of ID embeddings
#
# Practitioners know it as the *one-epoch phenomenon*: with large id tables the model is best after the first
# pass or two over the data, and then collapses (Zhang et al. 2022). The rows of rare ids are learned by heart.
# To see it, take the MLP on ids alone and switch off the decay of its tables. Beside it, the same with the decay
# that held it above.
#
# How much a group of rows is overfitted, its log loss says: that in the test minus that in training. We group by
# how often the row's track occurs in training.
#

# %% [markdown] slideshow={"slide_type": "notes"}
# For the speaker, 9 minutes.
#
# - Say: the rows of a table are the only weights that see a handful of examples each. All others see every row.
# - Ask: which ids are learned by heart first?
# - Trap: the gap is read as overfit to the last digit. The test is later in time, too, so that a small gap is left
#   even where nothing is learned by heart. Compare the groups and the panels, not the number with zero.
#

# %% slideshow={"slide_type": "fragment"}
EPOCHS = 7
times = torch.bincount(task.ids("track", "train"), minlength=n["track"])
TAIL = {"1–2 times": (1, 2), "3–9": (3, 9), "10 and more": (10, np.inf)}


def overfit(model):
    """Log loss in the test minus in training, by how often training has the track."""
    losses = {}
    for part in ("train", "test"):
        batch, known = task.batches[part], task.known(part)
        logits = train.predict(model, batch)
        loss = binary_cross_entropy_with_logits(logits, batch["target"], reduction="none")
        often = times[task.ids("track", part)]
        rows = [known & (often >= low) & (often <= high) for low, high in TAIL.values()]
        losses[part] = [loss[chosen].mean().item() for chosen in rows]
    return np.subtract(losses["test"], losses["train"])


def by_epoch(make, decay=0.0, reset=False):
    """Validation loss and overfit after each epoch; `reset` draws the tables anew before each."""
    torch.manual_seed(SEED)
    overfits = []

    def before_epoch(model, epoch):
        if epoch:
            overfits.append(overfit(model))
        for module in model.modules():
            if reset and epoch and isinstance(module, nn.Embedding):
                nn.init.uniform_(module.weight, -0.05, 0.05)
                module.weight.data[0] = 0  # "unknown" stays zero

    history = train.fit(
        make(), task.batches["train"], task.batches["validation"], schedule="averaged",
        epochs=EPOCHS, patience=EPOCHS, embedding_decay=decay, seed=SEED, before_epoch=before_epoch,
    )  # fmt: skip
    return history.valid_loss, overfits


# %% slideshow={"slide_type": "fragment"}
wild, wild_overfit = by_epoch(halves["deep"])
held, held_overfit = by_epoch(halves["deep"], decay=50.0)

# %% slideshow={"slide_type": "fragment"} alt="Two line charts over six epochs: log loss in the test minus in training, in nats, by how often training has the track. With nothing to hold the tables the gap grows to 0.87 for tracks that occur once or twice, to 0.44 for 3–9 times, to 0.11 for 10 and more. With decay 50 all three stay at about 0.1 or below."
figure, axes = plt.subplots(1, 2, figsize=(11, 4), sharey=True)
shades = plt.cm.viridis(np.linspace(0.05, 0.8, len(TAIL)))
titles = ["nothing holds the tables", "decay 50 on the tables"]
for ax, overfits, title in zip(axes, (wild_overfit, held_overfit), titles, strict=True):
    for name, values, color in zip(TAIL, np.transpose(overfits), shades, strict=True):
        ax.plot(range(1, EPOCHS), values, "o-", color=color, label=name)
    ax.set(title=title, xlabel="epochs of training", xticks=range(1, EPOCHS))
axes[0].set_ylabel("log loss in the test\nminus in training (nats)")
axes[0].legend(title="track in training", title_fontsize=12.5)
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# Left: for tracks that occur once or twice the gap grows with every pass, to nearly 0.9 nats, while the frequent ones
# stay near 0.1. Right: with decay all three stay near 0.1. It was the tail that had been learned by heart.
#

# %% slideshow={"slide_type": "fragment"} tags=["nbval-check-output"]
rare, middle, head = wild_overfit[-1]
claim(
    "With nothing to hold the tables, tracks heard once or twice overfit most",
    rare > middle and rare > head + TAIL_GAP,
    f"{rare:.3f}, against {middle:.3f} at 3–9 times and {head:.3f} at 10 and more",
)
claim(
    "Weight decay on the tables takes away more than half of the tail's overfit",
    held_overfit[-1][0] < rare / 2,
    f"{held_overfit[-1][0]:.3f} instead of {rare:.3f}",
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Three cures
#
# - **Regularise**: strong weight decay on the tables, and on nothing else.
# - **Draw anew**: before every epoch forget the tables, keep the rest (Fan et al. 2024).
# - **Hash**: fewer rows, each shared by several ids and therefore seen more often. Here the remainder of the
#   id's number does for a hash; notebook 11 has better ones.
#

# %% [markdown] slideshow={"slide_type": "fragment"}
# Before you run the next cells, write down a guess: which of the three cures ends with the lowest validation loss,
# and which with the highest?
#


# %% slideshow={"slide_type": "fragment"}
class Hashed(nn.Module):
    """The same model, its ids hashed into `n_rows` rows a table; 0 stays "unknown"."""

    def __init__(self, n_rows=256):
        super().__init__()
        self.n_rows = n_rows
        self.model = MLPRanker(dict.fromkeys(n, n_rows + 1), None, dim=16, hidden=(96, 48))

    def forward(self, ids, numbers):
        return self.model(torch.where(ids > 0, 1 + ids % self.n_rows, 0), numbers)


cures = {
    "nothing holds the tables": wild,
    "decay 50 on the tables": held,
    "tables drawn anew each epoch": by_epoch(halves["deep"], reset=True)[0],
    "ids hashed into 256 rows": by_epoch(Hashed)[0],
}

# %% slideshow={"slide_type": "fragment"} alt="Line chart of validation log loss in nats over seven epochs. With nothing to hold the tables it rises from 0.617 to 0.680. With decay 50 it falls from 0.630 to 0.608 and ends lowest. With tables drawn anew it stays between 0.612 and 0.617, with ids hashed into 256 rows it is flat at 0.652."
figure, ax = plt.subplots(figsize=(9, 4))
shades = plt.cm.viridis(np.linspace(0.05, 0.85, len(cures)))
for (name, losses), color in zip(cures.items(), shades, strict=True):
    ax.plot(range(1, len(losses) + 1), losses, "o-", color=color, label=name)
ax.set(xlabel="epoch", ylabel="validation log loss (nats)", xticks=range(1, EPOCHS + 1))
ax.legend(bbox_to_anchor=(1.01, 1), loc="upper left")
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# Decay ends lowest. Hashing stops the rise almost completely, which looks like the perfect cure, and ends far above
# both others: in so few rows an id no longer knows who it is, so nothing is learned by heart and little is learned at
# all. Judge a cure by the height of its curve, not by its slope alone.
#

# %% slideshow={"slide_type": "fragment"} tags=["nbval-check-output"]
_, held, drawn, hashed = cures.values()
wild_rise = wild[-1] - min(wild)
claim(
    "With nothing to hold the id tables, the best epoch is the first or the second",
    min(wild) in wild[:2] and wild_rise > LOWER,
    f"validation loss by epoch {', '.join(f'{v:.4f}' for v in wild)}",
)
for cure, losses in (("decay", held), ("drawing anew", drawn), ("hashing", hashed)):
    claim(
        f"With {cure} the validation loss rises less than half as far from its lowest",
        losses[-1] - min(losses) < wild_rise / 2,
        f"by {losses[-1] - min(losses):.4f} instead of {wild_rise:.4f}",
    )
for cure, losses in (("Decay", held), ("Drawing anew", drawn)):
    claim(
        f"{cure} also brings the lowest validation loss down",
        min(losses) < min(wild) - LOWER,
        f"{min(losses):.4f} instead of {min(wild):.4f}",
        expected=True if cure == "Decay" else None,
    )
told = f"{min(hashed):.4f} instead of {min(wild):.4f}"
claim("So does hashing", min(hashed) < min(wild) - LOWER, told, expected=False)

# %% [markdown] slideshow={"slide_type": "skip"}
# The last line was expected to hold; a first run on the default log showed that it does not. In so few rows strangers
# share a vector. (With more rows the height comes down, and the overfit comes back: try 1,024.) The line above it is
# open (◦): drawing anew brings the lowest loss down with every training seed that we tried, but with one of five by
# less than the margin asks for.
#
# This is why `fit` decays embedding tables a thousand times more strongly than other weights.
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Where we are on the ladder
#
# Every ranker of the track on all ids and counters, the same rows for all: on the simulated log, and on real
# film ratings. What this notebook taught is in colour. (Measured once by `make ladder`; a test makes sure
# that it was measured on the code you see.)
#

# %% [markdown] slideshow={"slide_type": "notes"}
# For the speaker, 3 minutes.
#
# - Say: find the four of this hour, and look at the two panels one after the other.
# - Ask: the MLP leads these four on the right and is level with two of them on the left. What would you ship?
# - Trap: a rung further down in the list is taken for a better one. The order is the order of the course.
#

# %% slideshow={"slide_type": "fragment"} alt="Two panels of intervals: difference in AUC of ten rankers to the linear model on bins. On the simulated log the MLP has 0.0038, DLRM 0.0037, Wide & Deep 0.0036, DeepFM 0.0026, all above zero. On MovieLens the MLP has 0.0046, clearly above zero; the intervals of DLRM, 0.0005, DeepFM, −0.0019, and Wide & Deep, −0.0021, contain it."
HERE = ["MLP", "Wide & Deep", "DeepFM", "DLRM"]
ladder.draw(HERE)

# %% [markdown] slideshow={"slide_type": "fragment"}
# On the simulated log the MLP, Wide & Deep and DLRM stand level, and DeepFM a little lower. On the film ratings only
# the MLP is clearly above the linear model on bins.
#

# %% slideshow={"slide_type": "skip"}
Markdown(ladder.table(HERE))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercises
#
# ### 1 · Which column? (easy)
#
# DLRM's top MLP reads the vector of all numbers and, after it, the products in the order (1, 0), (2, 0), (2, 1), (3,
# 0), … To see what it makes of the vectors i and j, one needs the column of their product. Write it, counted from 0
# among the products, for i ≠ j in either order.
#

# %% [markdown] slideshow={"slide_type": "notes"}
# For the speaker, 3 minutes.
#
# - Say: 1 takes two minutes at the board. 2 is the one to do in pairs: whoever draws the square understands the hour.
#   3 is for home, 4 for the curious.
# - Ask: before exercise 2: how many slopes does a broken line of n pieces have, and how many kinks?
# - Trap: the first slope, which is negative, is forgotten.
#


# %% slideshow={"slide_type": "skip"}
def product_column(i: int, j: int) -> int:
    """The column, from 0, of the product of the vectors i and j."""
    ### BEGIN SOLUTION
    i, j = max(i, j), min(i, j)
    return i * (i - 1) // 2 + j
    ### END SOLUTION


product_column(2, 5)

# %% slideshow={"slide_type": "skip"}
from course_utils.checks.wide_deep_deepfm import check_product_column

check_product_column(product_column)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 2 · A product made of ReLUs (medium)
#
# A ReLU network has no product, but $xy = \tfrac14[(x+y)^2 - (x-y)^2]$, and a square can be drawn as a broken
# line. Take the line of n pieces through the points $(t, t^2)$ at n + 1 equally spaced knots from −2 to 2, written
# with n ReLUs, and return the product of x and y (B,), both in [−1, 1], that it gives.
#

# %% slideshow={"slide_type": "skip"}
import torch
from torch import Tensor


def relu_product(x: Tensor, y: Tensor, n: int) -> Tensor:
    """(B,), (B,) → (B,), nearly x · y."""
    ### BEGIN SOLUTION
    step = 4 / n
    knots = -2 + step * torch.arange(n)
    slopes = torch.full((n,), 2 * step)
    slopes[0] = step - 4

    def square(z: Tensor) -> Tensor:
        return 4 + torch.relu(z[:, None] - knots) @ slopes

    return (square(x + y) - square(x - y)) / 4
    ### END SOLUTION


relu_product(torch.tensor([0.5]), torch.tensor([0.5]), n=16)

# %% slideshow={"slide_type": "skip"}
from course_utils.checks.wide_deep_deepfm import check_relu_product

check_relu_product(relu_product)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 3 · How many rows? (medium)
#
# Training saw `n_pairs` pairs, a hash sends each to a row at random. How many rows are needed so that a new pair
# reads a trained row with a chance of at most `share`?
#


# %% slideshow={"slide_type": "skip"}
def rows_needed(n_pairs: int, share: float) -> int:
    """Fewest rows of which at most this share is expected to be taken."""
    ### BEGIN SOLUTION
    exactly = 1 / (1 - (1 - share) ** (1 / n_pairs))
    return int(-(-exactly // 1))
    ### END SOLUTION


rows_needed(150_000, 0.01)

# %% slideshow={"slide_type": "skip"}
from course_utils.checks.wide_deep_deepfm import check_rows_needed

check_rows_needed(rows_needed)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 4 · Give the MLP its product (open)
#
# In the dot-product experiment feed the MLP one more input of your choice, made of the two vectors. Which single
# input makes it perfect at once? Which halves the examples it needs?
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#
# ✔ holds here. ✘ was expected, and does not hold here. ◦: left open: training seeds do not agree, or the comparison does
# not settle it.
#

# %% [markdown] slideshow={"slide_type": "notes"}
# For the speaker, 3 minutes.
#
# - Say: five lines have a ✘. Each of them was expected to hold by the people who wrote it down, and fell when it was
#   measured.
# - Ask: which ✘ surprised you most, and what would you change to turn it?
# - Trap: people go home with "Wide & Deep does not work". What they should take home is: know where your facts stand.
#

# %% slideshow={"slide_type": "fragment"}
claim.recap()

# %% [markdown] slideshow={"slide_type": "fragment"}
# **Run again elsewhere.** Without the effect `familiarity` every settled line comes out alike: none of them rests on
# that effect. On the real ratings of MovieLens, with the doses chosen on `sim`, deep beats wide with counters, too,
# and all three cures hold the rise; there even hashing lowers the loss, 0.692 against 0.695. What does not come out
# again: that DeepFM is behind its FM (0.000 [−0.010, 0.010]), that two decays beat one, that the MLP adds to the FM,
# and that DeepFM keeps up with Wide & Deep. None of these can be told from chance there. (On the ladder, with doses
# of their own, DeepFM and Wide & Deep stand side by side.)
# (`make twins`; the [datasheet](../data/README.md) has every settled line that came out otherwise.)
#

# %% [markdown] slideshow={"slide_type": "skip"}
# ## References
#
# - H.-T. Cheng, L. Koc, J. Harmsen et al. (2016). *Wide & Deep Learning for Recommender Systems.* DLRS.
# - H. Guo, R. Tang, Y. Ye, Z. Li, X. He (2017). *DeepFM: A Factorization-Machine based Neural Network for CTR
#   Prediction.* IJCAI.
# - M. Naumov, D. Mudigere, H.-J. M. Shi et al. (2019). *Deep Learning Recommendation Model for
#   Personalization and Recommendation Systems.* arXiv:1906.00091.
# - S. Rendle, W. Krichene, L. Zhang, J. Anderson (2020). *Neural Collaborative Filtering vs. Matrix
#   Factorization Revisited.* RecSys.
# - K. Weinberger, A. Dasgupta, J. Langford, A. Smola, J. Attenberg (2009). *Feature Hashing for Large Scale Multitask
#   Learning.* ICML.
# - Z.-Y. Zhang, X.-R. Sheng, Y. Zhang et al. (2022). *Towards Understanding the Overfitting Phenomenon of Deep
#   Click-Through Rate Models.* CIKM.
# - Z. Fan, Z. Liu, J. Liang et al. (2024). *Multi-Epoch Learning with Data Augmentation for Deep Click-Through Rate Prediction.*
#   arXiv:2407.01607 (drawing the tables anew).
#
