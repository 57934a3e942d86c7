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
# # 01 · Introduction: what a recommender does, and how to tell a good one
#
# *Lecture: introduction. Runs in about a minute on two CPU cores.*
#
# A music service has more tracks than anyone can hear in a lifetime, and one listener with three
# minutes to spare. Something has to choose. This notebook looks at the log of such choices, builds
# the simplest recommenders, and asks how we would know that one is better than another. The second
# question is the harder one.
#

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What you will be able to do
#
# - read an event log: who, what, when, and what came of it;
# - compute Recall, NDCG, coverage, ROC AUC and log loss by hand, and then for a thousand listeners;
# - split a log without looking into the future;
# - build a funnel: cheap candidates first, a careful ranking after;
# - distrust two popular shortcuts, the random split and sampled negatives.
#

# %% [markdown] slideshow={"slide_type": "notes"}
# **For the speaker.** Ask the room before the first figure: what share of all plays do the most popular one per cent of the
# tracks take? Collect guesses on the board.
#

# %% slideshow={"slide_type": "skip"}
import time

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
import torch
from torch import nn

from course_utils import train
from course_utils.data.ids import number_ids, vocabulary
from course_utils.data.log import open_log
from course_utils.data.splits import split_for
from course_utils.data.tasks.ranking import artist_numbers
from course_utils.evaluation import intervals, pointwise, ranking
from course_utils.lesson import plots
from course_utils.lesson.claims import Claims
from course_utils.lesson.widgets import interactive
from course_utils.models.mlp import MLP
from course_utils.schema import FINISHED_PCT, SESSION_GAP

plots.use_style()
SEED = train.seed_everything(1)
rng = np.random.default_rng(SEED)
log = open_log()
claim = Claims(log)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The log
#
# Everything starts from a table of events. A row says who (`uid`) did what (`event_type`) with which
# track (`item_id`), when (`timestamp`, seconds), whose idea it was (`is_organic`: 1 the listener's
# own, 0 the radio's), and how much of the track was played.
#

# %% slideshow={"slide_type": "fragment"}
events = log.events.collect()
listens = events.filter(pl.col("event_type") == "listen").with_columns(
    finished=pl.col("played_ratio_pct") >= FINISHED_PCT
)
events.head(5)

# %% slideshow={"slide_type": "fragment"}
days = (listens["timestamp"].max() - listens["timestamp"].min()) / 86_400
print(f"{len(listens):,} listens of {listens['item_id'].n_unique():,} tracks by ", end="")
print(f"{listens['uid'].n_unique():,} listeners in {days:.0f} days")
print(f"{listens['finished'].mean():.0%} were played to the end, ", end="")
print(f"{listens['is_organic'].mean():.0%} were the listener's own choice")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The heavy tail
#
# Sort the tracks by the number of their plays. Few tracks take most of the plays, and most tracks get
# almost none. On log axes the curve is nearly a straight line: Zipf's law.
#

# %% slideshow={"slide_type": "fragment"}
counts = listens["item_id"].value_counts(sort=True)["count"].to_numpy()
share = counts.cumsum() / counts.sum()
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4))
left.loglog(np.arange(1, len(counts) + 1), counts, color=plots.COLORS["data"])
left.set(xlabel="rank of the track", ylabel="plays", title="popularity")
right.plot(
    np.arange(1, len(counts) + 1) / len(counts) * 100, share * 100, color=plots.COLORS["data"]
)
right.set(xlabel="most played tracks (%)", ylabel="share of all plays (%)", title="concentration")
right.axhline(80, color=plots.COLORS["muted"], linestyle=":")
plt.show()

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
head = share[len(counts) // 5]
claim("A fifth of the tracks takes more than 60 % of the plays", head > 0.6, f"{head:.0%}")

# %% [markdown] slideshow={"slide_type": "skip"}
# This tail is the reason for recommenders. A chart of hits serves the head. The rest of the catalogue
# is found only by those who are led to it.
#

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### When people listen
#

# %% slideshow={"slide_type": "fragment"}
hours = (listens["timestamp"] // 3_600 % 24).value_counts().sort("timestamp")
ordered = listens.sort("uid", "timestamp").with_columns(
    silence=pl.col("timestamp").cast(pl.Int64).diff().over("uid").fill_null(10**9)
)
ordered = ordered.with_columns(session=(pl.col("silence") > SESSION_GAP).cum_sum())
lengths = ordered.group_by("session").len()["len"]
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 3.8))
left.bar(hours["timestamp"], hours["count"] / 1_000, color=plots.COLORS["data"])
left.set(xlabel="hour of the day", ylabel="listens (thousands)", title="daily rhythm")
right.hist(lengths, bins=np.arange(1, 50), color=plots.COLORS["data"])
right.set(xlabel="listens in a session", ylabel="sessions", title="session length")
plt.show()

# %% [markdown] slideshow={"slide_type": "skip"}
# A *session* ends after half an hour of silence. Most are short; a few go on for hours.
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Retention: what the service lives from
#
# A single play is not the goal. The goal is that the listener comes back. Let us look: do sessions
# that went well bring the listener back sooner?
#

# %% slideshow={"slide_type": "fragment"}
sessions = (
    ordered.group_by("session")
    .agg(
        pl.col("uid").first(),
        pl.col("finished").mean(),
        start=pl.col("timestamp").min(),
        end=pl.col("timestamp").max(),
        n=pl.len(),
    )
    .sort("uid", "start")
    .with_columns(
        gap=(pl.col("start").shift(-1).over("uid").cast(pl.Int64) - pl.col("end")) / 86_400
    )
    .drop_nulls("gap")
)
usual = sessions.with_columns(
    better=pl.col("finished") - pl.col("finished").mean().over("uid"),
    sooner=pl.col("gap") / pl.col("gap").mean().over("uid"),
)

# %% slideshow={"slide_type": "fragment"}
sixth = pl.col("better").rank("ordinal") * 6 // (pl.len() + 1)
bins = (
    usual.with_columns(bin=sixth)
    .group_by("bin")
    .agg(
        pl.col("better").mean(),
        pl.col("sooner").mean(),
        error=pl.col("sooner").std() / pl.len().sqrt(),
    )
)
bins = bins.sort("better")
figure, ax = plt.subplots(figsize=(8, 3.8))
ax.errorbar(bins["better"], bins["sooner"], yerr=1.96 * bins["error"], marker="o", capsize=3)
ax.axhline(1, color=plots.COLORS["muted"], linestyle=":")
ax.set(xlabel="share played to the end, above the listener's own mean")
ax.set(ylabel="time until the next session\n(listener's mean = 1)")
plt.show()

# %% [markdown] slideshow={"slide_type": "skip"}
# Each session is compared with the same listener's other sessions, so that busy and idle people do not
# blur the picture. The later notebook on reinforcement learning takes this up: a track that pleases
# now and one that brings people back need not be the same.
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The feedback loop
#
# The log was not made by nature. A part of it was chosen by a recommender, and what is shown gets
# played, and what gets played is shown. Compare what listeners chose themselves with what the radio
# chose.
#

# %% slideshow={"slide_type": "fragment"}
figure, ax = plt.subplots(figsize=(8, 4))
for organic, name in [(1, "own choice"), (0, "radio")]:
    chosen = listens.filter(pl.col("is_organic") == organic)
    if len(chosen):
        c = chosen["item_id"].value_counts(sort=True)["count"].to_numpy()
        finished = chosen["finished"].mean()
        x = np.arange(1, len(c) + 1) / len(counts) * 100
        ax.plot(x, c.cumsum() / c.sum() * 100, label=f"{name}: {finished:.0%} played to the end")
ax.set(xlabel="most played tracks (% of the catalogue)", ylabel="share of plays (%)", xscale="log")
ax.legend()
plt.show()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Metrics, by hand first
#
# Someone loves tracks **b** and **d**. A model ranks: a, **b**, c, **d**, e.
#
# - **Recall@k**: what share of the loved tracks is among the first k? At k = 3 one of two: 0.5.
# - **NDCG@k**: the same, but a hit lower down is worth less, $1/\log_2(\text{place}+1)$. At k = 5:
#   $(1/\log_2 3 + 1/\log_2 5) / (1/\log_2 2 + 1/\log_2 3) = 1.062 / 1.631 = 0.651$. The denominator is
#   the best that can be had.
# - **Coverage@k**: what share of the catalogue is in *somebody's* first k?
#

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
scores = torch.tensor([[5.0, 4, 3, 2, 1]])
loved = torch.tensor([[False, True, False, True, False]])
print(f"Recall@3   {ranking.recall_at_k(scores, loved, 3).item():.3f}")
print(f"NDCG@5     {ranking.ndcg_at_k(scores, loved, 5).item():.3f}")
print(f"Coverage@3 {ranking.coverage_at_k(scores, 3):.3f}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### For probabilities
#
# - **ROC AUC**: the chance that a random positive scores above a random negative. Of the 2 × 3 pairs
#   above, b beats c and e, d beats e: 3 of 6, so 0.5.
# - **Log loss**: $-\log p$ of what happened, averaged. A confident mistake is expensive: $p = 0.9$ for
#   something that does not happen costs $-\ln 0.1 = 2.303$ nats.
#

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
print(f"ROC AUC  {pointwise.roc_auc(scores[0], loved[0].float()):.3f}")
wrong = torch.logit(torch.tensor([0.9]))
print(f"log loss {pointwise.log_loss(wrong, torch.tensor([0.0])):.3f}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Check against brute force
#
# Formulas that are used everywhere deserve a second opinion: all pairs, one by one.
#

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
random_scores, labels = torch.rand(300).round(decimals=1), (torch.rand(300) < 0.3).float()
positive, negative = random_scores[labels == 1], random_scores[labels == 0]
pairs = positive[:, None] - negative[None, :]
slow = ((pairs > 0).float() + 0.5 * (pairs == 0).float()).mean().item()
print("equal:", abs(slow - pointwise.roc_auc(random_scores, labels)) < 1e-6)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The task: what will be played next?
#
# Four weeks at the end are the test. Everything before is known. For each listener we rank the
# catalogue, and count as relevant the tracks that the listener played to the end in the test period
# **for the first time**. Repeats are a service too, but they are no discovery.
#

# %% slideshow={"slide_type": "fragment"}
kept = listens["item_id"].value_counts(sort=True)["item_id"][:20_000].sort()
users = listens["uid"].unique().sort()[:3_000]
catalogue, people = vocabulary(kept), vocabulary(users)


def matrix(table):
    """(listeners, tracks) number of finished plays."""
    table = table.filter("finished")
    row = number_ids(table["uid"].cast(pl.Int64).to_torch(), people) - 1
    column = number_ids(table["item_id"].cast(pl.Int64).to_torch(), catalogue) - 1
    known = (row >= 0) & (column >= 0)
    full = torch.zeros(len(people), len(catalogue))
    return full.index_put_(
        (row[known], column[known]), torch.ones(int(known.sum())), accumulate=True
    )


# %% slideshow={"slide_type": "fragment"}
def task(past, future):
    """Known plays, relevant new tracks, and the rows of the listeners that have both."""
    known, wanted = matrix(past), matrix(future) > 0
    wanted &= known == 0
    rows = torch.nonzero(wanted.any(dim=1) & (known > 0).any(dim=1)).flatten()
    return known, wanted, rows


split = split_for(listens["timestamp"])
before = listens.filter(pl.col("timestamp") < split.test_start)
after = listens.filter(pl.col("timestamp") >= split.test_start)
known, wanted, rows = task(before, after)
print(f"{len(rows):,} listeners, {wanted[rows].sum(dim=1).float().mean():.1f} new tracks each")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Four simple recommenders
#
# 1. **random**: the floor.
# 2. **popular**: the same list for everyone.
# 3. **item kNN**: tracks that were liked by those who like what you like (cosine of the columns).
# 4. **PureSVD**: a low-rank approximation of the whole matrix (Cremonesi et al. 2010).
#
# All take the matrix of known plays and return a score for every listener and track.
#


# %% slideshow={"slide_type": "fragment"}
def random_scores_for(known):
    return torch.rand(known.shape, generator=torch.Generator().manual_seed(SEED))


def popular(known):
    return (known > 0).float().sum(dim=0).expand_as(known) + 1e-6 * random_scores_for(known)


def item_knn(known):
    x = torch.log1p(known)
    columns = x / (x.norm(dim=0) + 3)  # the 3 shrinks tracks with few plays
    return (x @ columns.T) @ columns


def factors(known, rank=24):
    torch.manual_seed(SEED)
    return torch.svd_lowrank(torch.log1p(known), q=rank, niter=4)[2]


def pure_svd(known, rank=24):
    v = factors(known, rank)
    return torch.log1p(known) @ v @ v.T


# %% slideshow={"slide_type": "fragment"}
MODELS = {
    "random": random_scores_for,
    "popular": popular,
    "item kNN": item_knn,
    "PureSVD": pure_svd,
}


def new_only(scores, known):
    return scores.masked_fill(known > 0, -torch.inf)


def evaluate(known, wanted, rows, k=20):
    """NDCG@k of each listener for each model, and the score matrices."""
    ranked = {name: new_only(model(known), known)[rows] for name, model in MODELS.items()}
    return {name: ranking.ndcg_at_k(s, wanted[rows], k) for name, s in ranked.items()}, ranked


ndcg, ranked = evaluate(known, wanted, rows)
pl.DataFrame(
    {
        "model": list(MODELS),
        "NDCG@20": [round(ndcg[m].mean().item(), 4) for m in MODELS],
        "Recall@100": [
            round(ranking.recall_at_k(ranked[m], wanted[rows], 100).mean().item(), 4)
            for m in MODELS
        ],
        "Coverage@20": [round(ranking.coverage_at_k(ranked[m], 20), 3) for m in MODELS],
    }
)

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
best = max(["item kNN", "PureSVD"], key=lambda name: ndcg[name].mean())
if len(rows) >= intervals.LEAST_GROUPS:
    gap = intervals.mean_difference(ndcg[best], ndcg["popular"])
    claim("Personalised beats popular", gap.positive, f"ΔNDCG@20 {gap}")
else:
    print(f"{len(rows)} listeners are too few to compare models here and below.")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Trap 1: the random split
#
# It is tempting to hide plays at random. But then the model has seen what came *after* a hidden play:
# the album that the listener went on with, the hit that was not out yet. In production nobody will
# show it the future.
#
# To see only this effect, both splits are judged on the same hidden plays: a random third of the test
# period's new tracks. With the split in time the model knows what came before the test period. With
# the random split it knows everything that is not hidden.
#

# %% slideshow={"slide_type": "fragment"}
cell = torch.rand(wanted.shape, generator=torch.Generator().manual_seed(SEED))
hidden = wanted & (cell < 1 / 3)
everything_else = known + matrix(after) * ~hidden
judged = torch.nonzero(hidden.any(dim=1) & (known > 0).any(dim=1)).flatten()


def judge(seen):
    """NDCG@20 of each model that has seen `seen`; tracks seen in either split are left out."""
    return {
        name: ranking.ndcg_at_k(new_only(model(seen), everything_else)[judged], hidden[judged], 20)
        for name, model in MODELS.items()
    }


ndcg_random, ndcg_time = judge(everything_else), judge(known)

# %% slideshow={"slide_type": "fragment"}
figure, ax = plt.subplots(figsize=(8, 3.8))
place = np.arange(len(MODELS))
for offset, name, result, color in [
    (-0.2, "random split", ndcg_random, plots.COLORS["muted"]),
    (0.2, "split in time", ndcg_time, plots.COLORS["data"]),
]:
    ax.bar(place + offset, [result[m].mean() for m in MODELS], width=0.38, label=name, color=color)
ax.set_xticks(place, list(MODELS))
ax.set(ylabel="NDCG@20")
ax.legend()
plt.show()

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
if len(judged) >= intervals.LEAST_GROUPS:
    flattery = {m: intervals.mean_difference(ndcg_random[m], ndcg_time[m]) for m in MODELS}
    ratios = {m: (ndcg_random[m].mean() / ndcg_time[m].mean()).item() for m in MODELS}
    told = ", ".join(f"{m} ×{ratios[m]:.2f}" for m in ["popular", "item kNN", "PureSVD"])
    flattered = flattery["item kNN"].positive and flattery["PureSVD"].positive
    claim("A random split flatters every personalised model", flattered, told)

# %% [markdown] slideshow={"slide_type": "skip"}
# The chart of hits gains next to nothing: it has little to learn from one listener's future. The models
# that look at the person gain a lot, and so the random split also changes the *comparison*. A team
# that trusts it will be disappointed on the first day in production.
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Trap 2: sampled negatives
#
# Ranking the whole catalogue is slow, so many papers rank each relevant track against 100 random
# others. A random track is nearly always an easy rival. The numbers become larger, and the *distances*
# between models change (Krichene & Rendle 2020).
#


# %% slideshow={"slide_type": "fragment"}
def sampled_ndcg(scores, relevant, n_negatives=100, k=20):
    """NDCG@k of one relevant track against random others, a value a listener."""
    noise = torch.rand(scores.shape, generator=torch.Generator().manual_seed(SEED))
    positive = noise.masked_fill(~relevant, -1).argmax(dim=1, keepdim=True)
    allowed = ~relevant & torch.isfinite(scores)
    negative = noise.masked_fill(~allowed, -1)
    negative = negative.topk(min(n_negatives, len(catalogue)), dim=1).indices
    some = scores.gather(1, torch.cat([positive, negative], dim=1))
    truth = torch.zeros(some.shape, dtype=torch.bool)
    truth[:, 0] = True
    return ranking.ndcg_at_k(some, truth, k)


sampled = {m: sampled_ndcg(ranked[m], wanted[rows]) for m in MODELS}
table = pl.DataFrame(
    {
        "model": list(MODELS),
        "NDCG@20, all tracks": [round(ndcg[m].mean().item(), 4) for m in MODELS],
        "NDCG@20, 100 sampled": [round(sampled[m].mean().item(), 4) for m in MODELS],
    }
)
table

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
full_ratio = (ndcg[best].mean() / ndcg["popular"].mean()).item()
sampled_ratio = (sampled[best].mean() / sampled["popular"].mean()).item()
order = [sorted(MODELS, key=lambda m: result[m].mean()) for result in (ndcg, sampled)]
distorted = order[0] != order[1] or abs(np.log(full_ratio / sampled_ratio)) > 0.1
claim(
    "Sampled negatives distort how much better one model is than another",
    distorted,
    f"{best} ÷ popular: ×{full_ratio:.2f} on all tracks, ×{sampled_ratio:.2f} on 100 sampled",
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The funnel
#
# A careful model looks at many signals of a listener and a track. It is too slow to run on the whole
# catalogue for every request. So services work in stages: **candidate generation** picks some hundred
# tracks with something cheap, and the **ranker** orders only those.
#
# Here the ranker is a small network over seven signals. It learns from the validation weeks: which of
# the tracks were then really played for the first time?
#

# %% slideshow={"slide_type": "fragment"}
artist = artist_numbers(log, catalogue)[1:]  # 0: none is known


def signals(known, recent):
    """(listeners, tracks, 7): what is known of each pair at one moment."""
    by_artist = torch.zeros(len(known), int(artist.max()) + 1).index_add_(1, artist, known)
    by_artist[:, 0] = 0
    raw = [
        item_knn(known), pure_svd(known), pure_svd(known, rank=96), torch.log1p(popular(known)),
        torch.log1p((recent > 0).float().sum(dim=0)).expand_as(known),
        torch.log1p(by_artist[:, artist]), torch.log1p(item_knn(recent)),
    ]  # fmt: skip
    return torch.stack(raw, dim=-1)


# %% slideshow={"slide_type": "fragment"}
def at(moment, weeks=4):
    """Known plays, and those of the last weeks, before a moment."""
    past = listens.filter(pl.col("timestamp") < moment)
    recent = past.filter(pl.col("timestamp") >= moment - weeks * 7 * 86_400)
    return matrix(past), matrix(recent if len(recent) else past)


known_v, recent_v = at(split.valid_start)
valid = listens.filter(pl.col("timestamp").is_between(split.valid_start, split.valid_end))
wanted_v = (matrix(valid) > 0) & (known_v == 0)
pairs = signals(known_v, recent_v)
mean, deviation = pairs.flatten(0, 1).mean(dim=0), pairs.flatten(0, 1).std(dim=0) + 1e-6

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The ranker, with its training loop written out
#
# Later notebooks call `fit`. This once we write the loop by hand: forward, loss, backward, step.
# Each track that was played for the first time competes with a hundred others, drawn from the whole
# catalogue; the loss is the cross-entropy of picking the right one.
#

# %% slideshow={"slide_type": "fragment"}
positive = wanted_v.nonzero()
others = torch.randint(len(catalogue), (len(positive), 100))
played = wanted_v[positive[:, :1], others]


def examples(batch):
    """Signals (b, 101, 7) of a played track, first, and of 100 others of the same listener."""
    columns = torch.cat([positive[batch, 1:], others[batch]], dim=1)
    return (pairs[positive[batch, :1], columns] - mean) / deviation


# %% [markdown] slideshow={"slide_type": "skip"}
# It is tempting to draw the others from the candidates, where the ranker will have to work. Try it: the
# ranking falls apart. Candidates are then over-represented among the negatives, and the ranker learns
# that to be a candidate is a bad sign. How negatives are drawn is a part of the model; the notebook on
# two-tower models corrects for it.
#

# %% slideshow={"slide_type": "fragment"}
ranker = nn.Sequential(MLP(pairs.shape[-1], [256, 128]), nn.Linear(128, 1))
optimizer = torch.optim.AdamW(ranker.parameters(), lr=1e-3)
losses = []
for _ in range(2):
    for batch in torch.randperm(len(positive)).split(64):
        logits = ranker(examples(batch)).squeeze(2)
        logits[:, 1:] = logits[:, 1:].masked_fill(played[batch], -torch.inf)
        first_is_right = torch.zeros(len(batch), dtype=torch.long)
        loss = nn.functional.cross_entropy(logits, first_is_right)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
print(f"{len(losses)} steps, loss {np.mean(losses[:20]):.3f} → {np.mean(losses[-20:]):.3f}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Two ways to serve
#
# Once with the ranker on the whole catalogue, once in the funnel, whose first stage takes the 300 best
# new tracks of PureSVD: one product with the factors of the catalogue, which are known beforehand.
#

# %% slideshow={"slide_type": "fragment"}
known_t, recent_t = at(split.test_start)
pairs_t = (signals(known_t, recent_t) - mean) / deviation
relevant, v = wanted[rows], factors(known_t)


def candidates(n=300):
    """(listeners, n) the best new tracks by PureSVD: one matrix product and a top-k."""
    scores = torch.log1p(known_t[rows]) @ v @ v.T
    return new_only(scores, known_t[rows]).topk(min(n, len(catalogue)), dim=1).indices


@torch.no_grad()
def rank_all():
    scores = torch.stack([ranker(pairs_t[row]).squeeze(1) for row in rows])
    return new_only(scores, known_t[rows])


@torch.no_grad()
def rank_candidates(chosen):
    picked = torch.stack([pairs_t[row][c] for row, c in zip(rows, chosen, strict=True)])
    scores = torch.full((len(rows), len(catalogue)), -torch.inf)
    return scores.scatter_(1, chosen, ranker(picked).squeeze(2))


# %% slideshow={"slide_type": "fragment"}
def timed(work, *inputs):
    start = time.perf_counter()
    result = work(*inputs)
    return result, (time.perf_counter() - start) / len(rows) * 1_000


chosen, ms_candidates = timed(candidates)
funnel, ms_funnel = timed(rank_candidates, chosen)
everything, ms_all = timed(rank_all)
ndcg_funnel = ranking.ndcg_at_k(funnel, relevant, 20)
ndcg_all = ranking.ndcg_at_k(everything, relevant, 20)
pl.DataFrame(
    {
        "way": ["ranker on everything", "funnel", "first stage alone"],
        "NDCG@20": [round(x.mean().item(), 4) for x in (ndcg_all, ndcg_funnel, ndcg["PureSVD"])],
        "tracks ranked": [len(catalogue), chosen.shape[1], 0],
        "ms a listener": [
            round(ms, 2) for ms in (ms_all, ms_candidates + ms_funnel, ms_candidates)
        ],
    }
)

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
quality = (ndcg_funnel.mean() / ndcg_all.mean()).item()
work = chosen.shape[1] / len(catalogue)
claim(
    "The funnel keeps almost all of the quality at a small part of the ranker's work",
    quality > 0.9 and work < 0.1,
    f"{quality:.0%} of the NDCG@20 with {work:.1%} of the pairs",
)

# %% slideshow={"slide_type": "fragment"}
stages = {"catalogue": len(catalogue), "candidates": chosen.shape[1], "shown": 20}
cost = ["", f"{ms_candidates:.2f} ms", f"{ms_funnel:.2f} ms"]
figure, ax = plt.subplots(figsize=(9, 3.4))
shades = [plots.COLORS["muted"], plots.COLORS["personal"], plots.COLORS["neural"]]
for place, ((name, n), ms, color) in enumerate(zip(stages.items(), cost, shades, strict=True)):
    width = np.log10(n) + 0.4
    ax.barh(place, width, left=-width / 2, height=0.82, color=color)
    ax.text(0, place, f"{name}: {n:,}", ha="center", va="center", color="white", weight="bold")
    ax.text(2.4, place, ms and f"{ms} a listener", va="center")
ax.set(xlim=(-2.5, 3.6), title="the funnel (widths on a log scale)")
ax.invert_yaxis()
ax.axis("off")
plt.show()

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### See it work
#
# Pick a listener: what was played last, which candidates came out of the cheap stage, and what the
# ranker made of them. Tracks that the listener did go on to play are marked.
#

# %% slideshow={"slide_type": "fragment"}
names = (
    dict(log.texts.select("item_id", "title").collect().iter_rows())
    if log.texts is not None
    else {}
)


def title(column):
    item = int(catalogue[column])
    return names.get(item, f"track {item}")


def look(number, n=8):
    """History, candidates and final list of one test listener, side by side."""
    row = rows[number]
    uid = int(people[row])
    last = before.filter((pl.col("uid") == uid) & pl.col("finished"))["item_id"].tail(n).to_list()
    final = funnel[number].topk(min(n, len(catalogue))).indices
    hit = {c for c in range(len(catalogue)) if relevant[number, c]}
    mark = [title(c) + (" ●" if int(c) in hit else "") for c in final]
    return pl.DataFrame(
        {
            "played last": [names.get(i, f"track {i}") for i in reversed(last)]
            + [""] * (n - len(last)),
            "first candidates": [title(c) for c in chosen[number][:n]],
            "ranked (● played later)": mark,
        }
    )


look(min(5, len(rows) - 1))

# %% slideshow={"slide_type": "skip"}
interactive(look, number=(0, min(len(rows) - 1, 200)), n=(3, 20))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercises
#
# ### 1 · Recall (easy)
#
# `ranked` is a list of tracks, best first; `relevant` is a set.
#


# %% slideshow={"slide_type": "skip"}
def recall(ranked: list, relevant: set, k: int) -> float:
    """Share of the relevant tracks that are among the first k."""
    ### BEGIN SOLUTION
    return len(set(ranked[:k]) & relevant) / len(relevant)
    ### END SOLUTION


recall(["a", "b", "c", "d", "e"], {"b", "d"}, 3)

# %% slideshow={"slide_type": "skip"}
from course_utils.checks.introduction import check_recall

check_recall(recall)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 2 · NDCG (medium)
#
# Use the discount $1/\log_2(\text{place}+1)$ with places counted from 1, and divide by the best that
# can be had within k places.
#

# %% slideshow={"slide_type": "skip"}
import numpy as np


def ndcg_by_hand(ranked: list, relevant: set, k: int) -> float:
    """Normalised discounted cumulative gain with binary relevance."""
    ### BEGIN SOLUTION
    gains = [1 / np.log2(place + 2) for place, item in enumerate(ranked[:k]) if item in relevant]
    ideal = [1 / np.log2(place + 2) for place in range(min(k, len(relevant)))]
    return float(sum(gains) / sum(ideal))
    ### END SOLUTION


ndcg_by_hand(["a", "b", "c", "d", "e"], {"b", "d"}, 5)

# %% slideshow={"slide_type": "skip"}
from course_utils.checks.introduction import check_ndcg

check_ndcg(ndcg_by_hand)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 3 · A split in time (medium)
#
# Return a mask of the training rows: about `share` of all, and none as late as any test row. Mind rows
# with equal timestamps.
#

# %% slideshow={"slide_type": "skip"}
import numpy as np


def split_in_time(timestamps: np.ndarray, share: float) -> np.ndarray:
    """(N,) bool, True for training rows."""
    ### BEGIN SOLUTION
    border = np.quantile(timestamps, share, method="lower")
    return timestamps < border
    ### END SOLUTION


split_in_time(np.array([3, 1, 2, 5, 4]), 0.8)

# %% slideshow={"slide_type": "skip"}
from course_utils.checks.introduction import check_split

check_split(split_in_time)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 4 · A better first stage (open)
#
# The funnel can only be as good as its candidates. Compute the Recall@300 of PureSVD, of item kNN, and
# of half of each, and find out how the NDCG of the whole funnel follows. Where does the time go?
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#

# %% slideshow={"slide_type": "fragment"}
claim.recap()

# %% [markdown] slideshow={"slide_type": "skip"}
# ## References
#
# - P. Cremonesi, Y. Koren, R. Turrin (2010). *Performance of recommender algorithms on top-N
#   recommendation tasks.* RecSys.
# - K. Järvelin, J. Kekäläinen (2002). *Cumulated gain-based evaluation of IR techniques.* ACM TOIS.
# - W. Krichene, S. Rendle (2020). *On Sampled Metrics for Item Recommendation.* KDD.
# - P. Covington, J. Adams, E. Sargin (2016). *Deep Neural Networks for YouTube Recommendations.* RecSys
#   (the two-stage funnel).
# - A. Chaney, B. Stewart, B. Engelhardt (2018). *How algorithmic confounding in recommendation systems
#   increases homogeneity and decreases utility.* RecSys (the feedback loop).
