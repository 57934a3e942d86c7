"""Independent witnesses of retrieval: brute force, closed forms, and the world's own chances."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from scipy.sparse import csr_matrix
from torch import nn

from course_utils.data.log import open_log
from course_utils.data.tasks.retrieval import retrieval_task
from course_utils.evaluation.full_play import FullPlay
from course_utils.evaluation.next_track import EVIDENCE, NextChoice
from course_utils.evaluation.retrieval import ROW
from course_utils.models.retrieval import losses
from course_utils.models.retrieval.classics import ALS, EASE, ItemKNN
from course_utils.models.retrieval.youtube_dnn import pooled
from course_utils.schema import SECONDS_PER_DAY, SESSION_GAP

B, N = 5, 7


def drawn(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def chances(*shape, seed=0):
    return drawn(*shape, seed=seed).softmax(dim=-1)


# Losses


def test_sampled_softmax_of_all_tracks_is_the_full_softmax():
    logits, target = drawn(B, N), torch.tensor([0, 3, 3, 6, 1])
    excluded = nn.functional.one_hot(target, N).bool()
    positive = logits.gather(1, target[:, None])[:, 0]
    ours = losses.sampled_softmax(positive, logits, excluded=excluded)
    by_hand = (logits.exp().sum(dim=1).log() - positive).mean()
    assert ours.item() == pytest.approx(by_hand.item(), rel=1e-12)
    assert losses.full_softmax(logits, target).item() == pytest.approx(by_hand.item(), rel=1e-12)
    uniform = torch.full((N,), -math.log(N), dtype=torch.float64)
    same = losses.sampled_softmax(positive, logits, uniform, uniform[target], excluded)
    assert same.item() == pytest.approx(by_hand.item(), rel=1e-12)


def test_sampled_softmax_subtracts_from_each_logit_its_own_correction():
    positive, negative, q, own = drawn(B), drawn(B, N, seed=1), chances(N, seed=2), chances(B)
    top = positive.exp() / own
    below = (negative.exp() / q).sum(dim=1)
    ours = losses.sampled_softmax(positive, negative, q.log(), own.log())
    assert ours.item() == pytest.approx(-(top / (top + below)).log().mean().item(), rel=1e-12)
    ours = losses.sampled_softmax(positive, negative, q.log())
    wanted = -(positive.exp() / (positive.exp() + below)).log().mean()
    assert ours.item() == pytest.approx(wanted.item(), rel=1e-12)


def negatives_without_the_positive():
    excluded = torch.rand(B, N, generator=torch.Generator().manual_seed(4)) < 0.3
    excluded[1] = False
    return drawn(B), drawn(B, N, seed=1), chances(N, seed=2), chances(B, seed=3), excluded


def test_the_revised_gradient_is_that_of_a_sum_that_the_negatives_estimate():
    """A raw positive, and the negatives corrected by −log (n Q′): ∂L is the same, L is not."""
    positive, negative, q, own, excluded = negatives_without_the_positive()
    revised = positive.clone().requires_grad_(), negative.clone().requires_grad_()
    losses.revised_softmax(*revised, q.log(), own.log(), excluded).backward()
    plain = positive.clone().requires_grad_(), negative.clone().requires_grad_()
    n = (~excluded).sum(dim=1, keepdim=True)
    log_q = (n * q / (1 - own[:, None])).log()
    losses.sampled_softmax(*plain, log_q, excluded=excluded).backward()
    for ours, wanted in zip(revised, plain, strict=True):
        assert torch.allclose(ours.grad, wanted.grad, rtol=0, atol=1e-12)


def test_revised_softmax_is_the_formula_of_the_paper():
    positive, negative, q, own, excluded = negatives_without_the_positive()
    found = []
    for i in range(B):
        rest = [negative[i, j].exp() * (1 - own[i]) / q[j] for j in range(N) if not excluded[i, j]]
        top, others = positive[i].exp(), torch.stack(rest).sum()
        chance = top / (top + others / len(rest))
        found.append((-(1 - chance) * (top / others).log()).item())
    ours = losses.revised_softmax(positive, negative, q.log(), own.log(), excluded)
    assert ours.item() == pytest.approx(np.mean(found), rel=1e-12)


@pytest.mark.parametrize("target", [0, 2, 20], ids=["popular", "middle", "rare"])
def test_the_revised_form_alone_estimates_the_gradient_of_the_full_softmax(target):
    """On Zipf's law, with 400 negatives and 300 draws of them: how much the positive is pulled."""
    n_tracks, n, n_draws = 30, 400, 300
    q = 1 / torch.arange(1, n_tracks + 1, dtype=torch.float64)
    q /= q.sum()
    logits = 0.5 * drawn(n_tracks, seed=5)
    logits[target] += 2  # so that P of the positive is far from 0
    exact = 1 - logits.softmax(dim=0)[target].item()
    generator = torch.Generator().manual_seed(0)
    tracks = torch.multinomial(q.expand(n_draws, -1), n, replacement=True, generator=generator)
    negative, log_q, twins = logits[tracks], q.log()[tracks], tracks == target
    own = q.log()[target].expand(n_draws)

    def pull(loss, *rest):
        positive = logits[target].expand(n_draws).clone().requires_grad_()
        loss(positive, negative, *rest).backward()
        return -n_draws * positive.grad  # 1 − P̂, of each draw

    revised = pull(losses.revised_softmax, log_q, own, twins)
    assert abs(revised.mean() - exact) < 4 * revised.std() / n_draws**0.5
    others = {
        "plain": pull(losses.sampled_softmax, None, None, twins),
        "both corrected": pull(losses.sampled_softmax, log_q, own, twins),
        "both corrected, twins kept": pull(losses.sampled_softmax, log_q, own),
        "negatives corrected, twins kept": pull(losses.sampled_softmax, log_q + math.log(n)),
    }
    for name, estimate in others.items():
        assert abs(estimate.mean() - exact) > 0.01 + 4 * estimate.std() / n_draws**0.5, name


def test_mixed_samplers_by_drawing_from_both():
    first, second = torch.tensor([0.7, 0.2, 0.1, 0.0]), torch.tensor([0.0, 0.3, 0.3, 0.4])
    for share in (0.1, 0.5, 0.8):
        wanted = [share * a + (1 - share) * b for a, b in zip(first, second, strict=True)]
        ours = losses.mixed_log_q(first.log(), second.log(), share).exp()
        assert ours.tolist() == pytest.approx([w.item() for w in wanted])
        assert ours.sum().item() == pytest.approx(1)
    generator = torch.Generator().manual_seed(0)
    n = 40_000
    tracks = torch.cat(
        [
            torch.multinomial(first, n // 4, replacement=True, generator=generator),
            torch.multinomial(second, 3 * n // 4, replacement=True, generator=generator),
        ]
    )
    observed = tracks.bincount(minlength=4) / n
    ours = losses.mixed_log_q(first.log(), second.log(), 0.25).exp()
    assert ((observed - ours).abs() < 4 * (ours * (1 - ours) / n).sqrt() + 1e-9).all()


class TwoVectors(nn.Module):
    """A vector a listener and a vector a track, as parameters."""

    def __init__(self):
        super().__init__()
        self.user, self.table = nn.Parameter(drawn(B, 3)), nn.Parameter(drawn(N, 3, seed=1))

    def forward(self, listener):
        return self.user[listener]

    def tracks(self, numbers=None):
        return self.table if numbers is None else self.table[numbers]


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_many_draws_shared_by_a_batch_make_the_full_softmax(power):
    """Its value and its gradient; what was never played is a target, and no negative."""
    torch.manual_seed(0)
    counts, model = torch.tensor([0, 50, 20, 9, 4, 2, 1]), TwoVectors()
    batch = {"listener": torch.arange(B), "target": torch.tensor([1, 1, 3, 6, 0])}
    logits = model(batch["listener"]) @ model.tracks().T
    own = nn.functional.one_hot(batch["target"], N).bool()
    exact = losses.full_softmax(
        logits.masked_fill((counts == 0) & ~own, -torch.inf), batch["target"]
    )
    wanted = torch.autograd.grad(exact, [model.user, model.table])
    loss = losses.SampledSoftmax(counts, n=200_000, power=power)(model, batch)
    assert loss.item() == pytest.approx(exact.item(), rel=0.01)
    for ours, theirs in zip(
        torch.autograd.grad(loss, [model.user, model.table]), wanted, strict=True
    ):
        assert torch.allclose(ours, theirs, atol=0.01)
    plain = losses.SampledSoftmax(counts, n=200_000, power=power, corrected=False)(model, batch)
    assert plain.item() > exact.item() + 5, "every draw stands for a track of its own"


def sigma(x):
    return 1 / (1 + math.exp(-x))


def test_bce_and_bpr_by_hand():
    positive, negative = drawn(B), drawn(B, N, seed=1)
    bce, bpr = [], []
    for s, others in zip(positive.tolist(), negative.tolist(), strict=True):
        bce.append(-(math.log(sigma(s)) + sum(math.log(1 - sigma(o)) for o in others)) / (N + 1))
        bpr += [-math.log(sigma(s - o)) for o in others]
    assert losses.bce(positive, negative).item() == pytest.approx(np.mean(bce), rel=1e-12)
    assert losses.bpr(positive, negative).item() == pytest.approx(np.mean(bpr), rel=1e-12)


@pytest.mark.parametrize("beta", [0.05, 0.4, 1.0])
def test_gbce_is_bce_of_a_positive_whose_logit_is_moved(beta):
    """σ(s)^β is the sigmoid of log (1 / (σ(s)^−β − 1)): Petrov & Macdonald's transformation."""
    positive, negative = drawn(B), drawn(B, N, seed=1)
    moved = (1 / (positive.sigmoid() ** -beta - 1)).log()
    assert torch.allclose(moved.sigmoid(), positive.sigmoid() ** beta)
    ours = losses.gbce(positive, negative, beta)
    assert ours.item() == pytest.approx(losses.bce(moved, negative).item(), rel=1e-12)


# Models


def some_plays(n_listeners, n_tracks, seed=0):
    rng = np.random.default_rng(seed)
    dense = rng.poisson(0.5, (n_listeners, n_tracks)).astype(np.float32)
    dense[:, 4] = 0
    return csr_matrix(dense)


def played(plays):
    x = (plays.toarray() > 0).astype(np.float64)
    x[:, 0] = 0
    return x


@pytest.mark.parametrize("shape", [(6, 15), (40, 9)], ids=["wide", "tall"])
@pytest.mark.parametrize("decay", [0.5, 20.0])
def test_ease_equals_the_inverse_and_ridge_regressions(shape, decay):
    plays, strangers = some_plays(*shape), some_plays(3, shape[1], seed=1)
    x, n = played(plays), shape[1]
    p = np.linalg.inv(x.T @ x + decay * np.eye(n))
    b = -p / np.diag(p)
    np.fill_diagonal(b, 0)
    ours = EASE(plays, decay)(strangers).numpy()
    assert np.allclose(ours, played(strangers) @ b, atol=1e-4)
    for j in range(n):  # each track from all the others
        rest = np.delete(x, j, axis=1)
        gram = rest.T @ rest + decay * np.eye(n - 1)
        column = np.linalg.solve(gram, rest.T @ x[:, j])
        assert np.allclose(np.delete(b[:, j], j), column)


@pytest.mark.parametrize("k", [2, 50])
def test_neighbours_equal_a_dense_cosine(k):
    plays, strangers = some_plays(997, 12), some_plays(4, 12, seed=1)  # so many, and no ties
    x = played(plays)
    both, once = x.T @ x, x.sum(axis=0)
    cosine = both / np.sqrt(np.maximum(np.outer(once, once), 1))
    np.fill_diagonal(cosine, 0)
    for row in cosine:
        row[row < np.sort(row)[::-1][min(k, 12) - 1]] = 0
    ours = ItemKNN(plays, k)(strangers)
    assert np.allclose(ours, played(strangers) @ cosine, atol=1e-5)


@pytest.mark.parametrize("weight", [1.0, 10.0])
def test_als_folds_in_by_the_closed_form(weight):
    """Hu et al. (2008), equation 4: x = (YᵀCY + λI)⁻¹ YᵀC p with C = 1 + α at what was played."""
    plays, strangers = some_plays(30, 12), some_plays(4, 12, seed=1)
    decay = 0.7
    model = ALS(plays, dim=3, decay=decay, weight=weight)
    y = model.model.item_factors.astype(np.float64)
    for row, ours in zip(played(strangers), model(strangers).numpy(), strict=True):
        confidence = np.diag(1 + weight * row)
        x = np.linalg.solve(y.T @ confidence @ y + decay * np.eye(3), y.T @ confidence @ row)
        assert np.allclose(ours, y @ x, atol=1e-4)


def test_als_ends_where_neither_side_can_be_improved_alone():
    plays = some_plays(30, 12)
    model = ALS(plays, dim=3, decay=0.7, weight=4.0).model
    x, y = model.user_factors.astype(np.float64), model.item_factors.astype(np.float64)
    for i, column in enumerate(played(plays).T):
        confidence = np.diag(1 + 4.0 * column)
        wanted = np.linalg.solve(x.T @ confidence @ x + 0.7 * np.eye(3), x.T @ confidence @ column)
        assert np.allclose(y[i], wanted, atol=2e-2)


def test_pooling_equals_an_embedding_bag():
    torch.manual_seed(0)
    history = torch.randint(0, 30, (8, 5))
    mask = torch.rand(8, 5) < 0.6
    mask[3] = False
    bag = nn.EmbeddingBag(30, 4, mode="mean")
    offsets = torch.cat([torch.zeros(1).long(), mask.sum(dim=1).cumsum(0)[:-1]])
    wanted = bag(history[mask], offsets)
    assert torch.allclose(pooled(bag.weight[history], mask), wanted, atol=1e-6)


# The world's own chances


def choice_of(log):
    task = retrieval_task(log, 5, repeats=False, organic=True)
    return NextChoice(log.world, task), task


@pytest.fixture(scope="module")
def choice(tiny_log):
    return choice_of(tiny_log)


SMALL = "n_listeners=40,listens_per_listener=60,n_tracks=400,days=28"


@pytest.fixture(scope="module")
def steady_choice():
    """Of a world whose interests and popularity stay as they are."""
    return choice_of(open_log(f"sim:{SMALL},without=drift"))


@pytest.fixture(scope="module")
def moodless_choice():
    """Of a world whose sessions have no interest of their own."""
    return choice_of(open_log(f"sim:{SMALL},without=mood"))


def mood_by_hand(choice, rows, at):
    """Bayes' rule for one listen: the interests' weights times the styles chosen before it."""
    people, now = choice.people, rows.row(at, named=True)
    who = people.uid.tolist().index(now["uid"])
    done = now["timestamp"] / (choice.world.days * SECONDS_PER_DAY)
    done = done if "drift" not in choice.world.without else 0.0
    weights = []
    for first, last in zip(people.weight_start[who], people.weight_end[who], strict=True):
        here = np.isneginf(first)
        weights.append(0.0 if here else math.exp((1 - done) * first + done * last))
    before = rows.filter(
        (pl.col("uid") == now["uid"]) & (pl.col("timestamp") <= now["timestamp"])
    ).rows(named=True)
    chosen, latest = [], now["timestamp"]
    for listen in reversed(before):
        if latest - listen["timestamp"] > SESSION_GAP:
            break
        latest = listen["timestamp"]
        if listen["is_organic"] and not listen["repeat"] and latest < now["timestamp"]:
            track = choice.catalogue.item_id.tolist().index(listen["item_id"])
            chosen.append(int(choice.catalogue.style[track]))
    for style in chosen[:EVIDENCE] if choice.world.has("mood") else []:
        weights = [w * choice.style[who, k, style] for k, w in enumerate(weights)]
    return np.array(weights) / sum(weights), len(chosen)


@pytest.mark.parametrize("name", ["choice", "steady_choice", "moodless_choice"])
def test_the_mood_follows_by_bayes_rule(name, request):
    choice, task = request.getfixturevalue(name)
    rows = task.rows.with_row_index("row")
    pause = pl.col("timestamp").diff().over("uid")
    short = rows.filter(pause.is_between(SESSION_GAP, 3 * SESSION_GAP, closed="right"))["row"]
    rarely = len(rows) // 60  # listens that were chosen or recommended, and after a short pause
    at = torch.tensor([*rows["row"][7::rarely], *short[:40], *(short[:40] + 1)])
    at = torch.cat([at[at < len(rows)], task.positions["test"][-20:]])
    lengths = set()
    for row, ours in zip(at.tolist(), choice.moods(at), strict=True):
        wanted, length = mood_by_hand(choice, task.rows, row)
        assert ours == pytest.approx(wanted, abs=1e-6)
        lengths.add(length)
    assert 0 in lengths and max(lengths) > 3


def test_a_mood_does_not_see_the_future(tiny_log, choice):
    """Another future, the same past: other tracks, chosen by the other side."""
    before, task = choice
    rows = task.rows
    test = rows.filter(pl.col("timestamp") >= task.split.test_start)
    border = int(test["timestamp"][len(test) // 2])
    later = (pl.col("timestamp") > border) & (pl.col("event_type") == "listen")
    events = tiny_log.events.collect()
    other = int(before.catalogue.item_id[0])
    moved = events.with_columns(
        item_id=pl.when(later).then(other).otherwise("item_id").cast(pl.UInt32),
        is_organic=pl.when(later).then(1 - pl.col("is_organic")).otherwise("is_organic"),
    )
    after, same = choice_of(replace(tiny_log, events=moved.lazy()))
    n = int((rows["timestamp"] <= border).sum())
    assert same.rows[:n].equals(rows[:n]) and not same.rows.equals(rows)
    assert np.array_equal(before.moods(torch.arange(n)), after.moods(torch.arange(n)))
    known = torch.arange(int((task.positions["test"] < n).sum()))
    assert 50 < len(known) < len(task.positions["test"])
    assert torch.equal(before({ROW: known})[:, 1:], after({ROW: known})[:, 1:])


def test_a_score_is_a_chance_in_three_steps(choice):
    choice, task = choice
    rows = torch.arange(len(task.positions["test"]))
    scores = choice({ROW: rows})
    assert scores.shape == (len(rows), task.n_values["track"])
    assert (scores >= 0).all() and (scores[:, 1:].sum(dim=1) <= 1 + 1e-5).all()
    assert scores[:, 1:].sum(dim=1).mean() > 0.8, "most of what is chosen is known"
    assert torch.equal(choice({ROW: rows[[5, 2]]})[:, 1:], scores[[5, 2], 1:])
    catalogue, at = choice.catalogue, task.positions["test"]
    frame, moods = task.frame("test"), choice.moods(at)
    rng = np.random.default_rng(0)
    for k in range(0, len(rows), 9):  # the tracks that the world's own dice would give
        style = rng.integers(0, catalogue.n_styles, 40)
        time = np.full(40, frame["timestamp"][k])
        track, within = catalogue.tracks_in_style(style, time, rng.random(40))
        who = choice.people.uid.tolist().index(frame["uid"][k])
        wanted = moods[k] @ choice.style[who][:, style] * within
        number = choice.track[torch.from_numpy(track)]
        ours = scores[k, number][number > 0].numpy()
        assert ours == pytest.approx(wanted[(number > 0).numpy()], rel=1e-4, abs=1e-9)


def test_the_chances_are_what_happens(choice):
    """Of new tracks that training knew: their chances among those not yet played add up to 1.

    Then the mean of the chances of the likeliest 20 is how often one of them is chosen, and the
    mean log-chance of what is chosen is minus the mean entropy. Errors are over listeners.
    """
    choice, task = choice
    later = torch.cat([task.positions["validation"], task.positions["test"]])
    target = torch.cat([task.batches[part]["target"] for part in ("validation", "test")])
    both = replace(task, positions=task.positions | {"test": later[target > 0]})
    choice, target = copy.copy(choice), target[target > 0]
    choice.task = both
    chance = choice({ROW: torch.arange(len(target))}).double()
    chance[both.played("test")] = 0
    chance[:, 0] = 0
    chance /= chance.sum(dim=1, keepdim=True)
    own = chance.gather(1, target[:, None])[:, 0]
    entropy = torch.special.entr(chance).sum(dim=1)
    best = chance.topk(20, dim=1)
    found = (best.indices == target[:, None]).any(dim=1).double()
    for surprise in (own.log() + entropy, found - best.values.sum(dim=1)):
        listeners = both.groups()
        sums = [surprise[torch.from_numpy(listeners == uid)].sum() for uid in set(listeners)]
        assert abs(surprise.sum()) < 3.5 * torch.stack(sums).square().sum().sqrt()
    assert len(target) > 400 and found.mean() > 0.4


def true_and_expected(log):
    """Of the test's known targets the chance that the world drew with, and ours, (n,) each."""
    choice, task = choice_of(log)
    target = task.batches["test"]["target"]
    known = torch.nonzero(target)[:, 0]
    found = FullPlay(choice)(known, target[known].unsqueeze(1))[:, 0].numpy()
    key = ["uid", "timestamp", "item_id"]
    rows = task.frame("test")[known.numpy()].select(key)
    truth = rows.join(log.truth.collect(), on=key, how="left", maintain_order="left")
    return truth["probability"].to_numpy(), found


def test_full_plays_have_the_chances_of_the_world():
    """Without moods nothing is hidden, but for what was skipped within the same five seconds."""
    moodless = "n_listeners=150,listens_per_listener=120,n_tracks=1500,days=84,without=mood"
    truth, found = true_and_expected(open_log(f"sim:{moodless}"))
    assert len(truth) > 100 and np.quantile(np.abs(truth - found), 0.95) < 1e-3


def test_full_plays_are_right_on_average_where_the_mood_is_hidden(tiny_log):
    truth, found = true_and_expected(tiny_log)
    assert abs(truth.mean() - found.mean()) < 0.03 and np.corrcoef(truth, found)[0, 1] > 0.95
    low = found < np.median(found)
    assert abs(truth[low].mean() - found[low].mean()) < 0.05


def test_no_track_has_no_chance(choice):
    found = FullPlay(choice[0])(torch.tensor([0, 1]), torch.tensor([[1, 0, -1], [2, 3, 0]]))
    assert torch.isnan(found).tolist() == [[False, True, True], [False, False, True]]
