"""Retrieval: places among all tracks, the contest, its losses, and models without gradients."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from torch import nn

from course_utils.data.tasks.retrieval import retrieval_task
from course_utils.evaluation import ranking, tuning
from course_utils.evaluation.pointwise import MetricError
from course_utils.evaluation.retrieval import ROW, Places, RetrievalContest, dot_scores
from course_utils.models.retrieval import losses
from course_utils.models.retrieval.classics import ALS, EASE, ItemKNN, Popular, binary
from course_utils.models.retrieval.youtube_dnn import YouTubeDNN, pooled
from course_utils.settings import TUNE

NAN, INF = float("nan"), float("inf")
quick = settings(max_examples=60, deadline=None, derandomize=True)

# Places


@st.composite
def targets_in_a_catalogue(draw):
    """Scores with many ties and exclusions, a target a row (0: it cannot be found), and k."""
    n_rows, n = draw(st.integers(1, 4)), draw(st.integers(2, 6))
    score = st.sampled_from([-INF, -1.0, 0.0, 2.0])
    rows = [draw(st.lists(score, min_size=n, max_size=n)) for _ in range(n_rows)]
    target = [draw(st.integers(0, n - 1)) for _ in range(n_rows)]
    return torch.tensor(rows), torch.tensor(target), draw(st.integers(1, n + 2))


@quick
@given(targets_in_a_catalogue())
def test_places_are_worth_what_the_metrics_of_rankings_say(case):
    scores, target, k = case
    places = Places.of(scores, target, k)
    relevant = nn.functional.one_hot(target, scores.shape[1])
    found = target > 0
    for ours, metric in [(places.recall, ranking.recall_at_k), (places.ndcg, ranking.ndcg_at_k)]:
        for at in (1, k, scores.shape[1] + 3):
            assert ours(at).dtype == torch.float64
            assert torch.allclose(ours(at)[found], metric(scores, relevant, at)[found])
            assert (ours(at)[~found] == 0).all(), "no score is for it"


@quick
@given(targets_in_a_catalogue(), st.integers(0, 9))
def test_places_do_not_depend_on_the_order_of_the_catalogue(case, seed):
    scores, target, k = case
    n = scores.shape[1]
    order = torch.cat(
        [torch.zeros(1, dtype=torch.int64), 1 + torch.randperm(n - 1, generator=seeded(seed))]
    )
    one, other = (
        Places.of(scores, target, k),
        Places.of(scores[:, order], order.argsort()[target], k),
    )
    assert torch.equal(one.above, other.above) and torch.equal(one.tied, other.tied)


@quick
@given(targets_in_a_catalogue())
def test_lists_hold_the_best_and_nothing_that_was_left_out(case):
    scores, target, k = case
    places = Places.of(scores, target, k)
    n = scores.shape[1]
    assert places.lists.shape == (len(scores), min(k, n))
    listed = set()
    for row, best in zip(scores, places.lists.tolist(), strict=True):
        there = [track for track in best if track >= 0]
        assert best == there + [-1] * (len(best) - len(there)) and len(set(there)) == len(there)
        values = sorted((v for v in row.tolist() if v > -INF), reverse=True)
        assert [row[track].item() for track in there] == values[:k]
        listed |= set(there)
    assert places.coverage(min(k, n), n) == pytest.approx(len(listed) / n)
    with pytest.raises(MetricError, match=f"lists of {min(k, n)} tracks have no best {n + 1}"):
        places.coverage(n + 1, n)
    assert Places.of(scores, target, 0).lists.shape == (len(scores), 0)


def test_equal_scores_find_the_target_by_chance():
    places = Places.of(torch.zeros(3, 50), torch.tensor([1, 7, 49]), 10)
    for k in (1, 10, 50, 80):
        assert places.recall(k).tolist() == pytest.approx([min(k / 50, 1)] * 3)


@pytest.mark.parametrize("bad", [NAN, INF])
@pytest.mark.parametrize("place", [(0, 0), (1, 2), (2, 3)])
def test_a_score_that_is_no_number_is_an_error_wherever_it_stands(bad, place):
    scores = torch.zeros(3, 4)
    scores[1] = -INF
    scores[place] = bad
    for k in (0, 2):
        with pytest.raises(MetricError, match="must be numbers or −∞"):
            Places.of(scores, torch.tensor([1, 2, 3]), k)


@pytest.mark.parametrize("k", [0, -1, 2.5, True])
def test_k_of_places_must_be_a_whole_number_from_1_on(k):
    places = Places.of(torch.zeros(2, 4), torch.tensor([1, 2]), 3)
    for metric in (places.recall, places.ndcg, lambda k: places.coverage(k, 3)):
        with pytest.raises(MetricError, match="k must be a whole number of at least 1"):
            metric(k)


# The contest


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch):
    """An empty folder for what trials leave."""
    monkeypatch.setattr(tuning, "KEPT", tmp_path / "tuned.json")
    monkeypatch.delenv(TUNE, raising=False)


@pytest.fixture(scope="module")
def new_only(tiny_log):
    """Tracks that the listener chose and had not played before."""
    return retrieval_task(tiny_log, 8, repeats=False, organic=True, most=600)


@pytest.fixture(scope="module")
def with_repeats(tiny_log):
    return retrieval_task(tiny_log, 8, most=600, judged=700)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def drawn_scores(task, seed=0):
    """A score of every test example for every track, with ties."""
    shape = len(task.frame("test")), task.n_values["track"]
    return torch.randint(0, 200, shape, generator=seeded(seed)).float()


def scored(table):
    return lambda batch: table[batch[ROW]]


@pytest.mark.parametrize("name", ["new_only", "with_repeats"])
def test_every_test_example_is_ranked_against_what_it_may_be(name, request):
    task = request.getfixturevalue(name)
    contest = RetrievalContest(task, 0, k=10)
    table = drawn_scores(task)
    before = table.clone()
    contest.judge("drawn", scored(table))
    assert torch.equal(table, before), "the scores of a model stay as they are"
    places, target = contest.places["drawn"], task.batches["test"]["target"]
    assert len(places.above) == len(places.lists) == len(target) > 100
    known = {item: number for number, item in enumerate(task.tracks.tolist(), 1)}
    rows = task.frame("test")
    for k in range(0, len(target), 7):
        allowed = set(range(1, task.n_values["track"]))
        if not task.repeats:
            now = rows.row(k, named=True)
            mine = task.rows.filter(
                (task.rows["uid"] == now["uid"]) & (task.rows["timestamp"] < now["timestamp"])
            )["item_id"]
            allowed -= {known.get(item, 0) for item in mine.to_list()}
        row, goal = table[k].tolist(), int(target[k])
        if goal == 0:
            assert places.tied[k] == 0 and places.recall(10)[k] == 0
            continue
        assert goal in allowed
        assert places.above[k] == sum(row[track] > row[goal] for track in allowed)
        assert places.tied[k] == sum(row[track] == row[goal] for track in allowed)
        assert set(places.lists[k].tolist()) <= allowed


class Biases(nn.Module):
    """A retriever of one number a track, which notes with what it is called."""

    def __init__(self, n_tracks):
        super().__init__()
        self.bias = nn.Embedding(n_tracks, 1)
        nn.init.zeros_(self.bias.weight)
        self.called = []

    def forward(self, **inputs):
        self.called.append((set(inputs), self.training, torch.is_grad_enabled()))
        return torch.ones(len(inputs["history"]), 1)

    def tracks(self):
        return self.bias.weight


def softmax_loss(model, batch):
    logits = model(history=batch["history"]) @ model.tracks().T
    return losses.full_softmax(logits, batch["target"])


def test_training_ends_by_the_recall_on_validation(with_repeats):
    task = with_repeats
    contest = RetrievalContest(task, 0, k=20)
    model = contest.enter(
        "popular",
        lambda: Biases(task.n_values["track"]),
        softmax_loss,
        quiet=True,
        epochs=4,
        batch_size=100,
        lr=0.03,
        embedding_decay=0.0,
    )
    history = contest.histories["popular"]
    scores = model.tracks().detach().T.expand(len(task.frame("validation")), -1).clone()
    scores[:, 0] = -INF
    recall = Places.of(scores, task.batches["validation"]["target"], 20).recall(20).mean()
    assert history.valid_loss[history.best_epoch] == pytest.approx(1 - recall.item(), abs=1e-6)
    assert min(history.valid_loss) == history.valid_loss[history.best_epoch]
    assert 0 < recall < 1 and contest.places["popular"].recall(20).mean() > 0.05
    judged = [call for call in model.called if not call[2]]
    assert judged, "no gradients in the test"
    assert all(
        not training and names == {"listener", "history", "mask"} for names, training, _ in judged
    )


def test_trials_are_compared_by_what_the_contest_judges(with_repeats):
    contest = RetrievalContest(with_repeats, 0, notebook="19_retrieval", tune=True, k=20)
    contest.enter(
        "popular",
        lambda: Biases(with_repeats.n_values["track"]),
        softmax_loss,
        quiet=True,
        epochs=1,
    )
    trials = contest.trials()
    assert trials["model"].to_list() == ["popular"]
    lowest = min(trial.valid_loss for trial in contest.used["popular"])
    assert trials["1 − recall on validation"].to_list() == pytest.approx([lowest], abs=1e-4)
    assert min(contest.histories["popular"].valid_loss) == lowest, "the best trial is kept"
    assert len(contest.used["popular"]) == tuning.TRIALS


def test_intervals_gaps_and_the_table_tell_the_same(with_repeats):
    task = with_repeats
    contest = RetrievalContest(task, 0, k=20)
    contest.judge("drawn", scored(drawn_scores(task)))
    count = task.popularity().float()
    contest.judge("popular", lambda batch: count.expand(len(batch["target"]), -1))
    recall = {name: places.recall(20) for name, places in contest.places.items()}
    found = contest.intervals(["popular", "drawn"], [("popular", "drawn")])
    for name, values in recall.items():
        assert found[name].value == pytest.approx(values.mean().item())
        assert found[name].low < found[name].value < found[name].high
    gap, back = contest.gap("popular", "drawn"), contest.gap("drawn", "popular")
    assert gap == found["popular", "drawn"] and gap.positive
    assert (back.low, back.high) == pytest.approx((-gap.high, -gap.low))
    rows = torch.arange(len(recall["drawn"])) % 2 == 0
    some = contest.intervals(["popular"], k=5, ndcg=True, rows=rows)["popular"].value
    assert some == pytest.approx(contest.places["popular"].ndcg(5)[rows].mean().item())
    table = contest.table()
    assert table["model"].to_list() == ["popular", "drawn"], "the best first"
    assert table["Recall@20 [95 %]"].to_list() == [str(found[n]) for n in ("popular", "drawn")]
    assert table["parameters"].to_list() == table["training (s)"].to_list() == [None, None]
    assert float(table["coverage@20"][0].strip("%")) < float(table["coverage@20"][1].strip("%"))
    assert contest.table(["drawn"])["model"].to_list() == ["drawn"]


def test_a_group_needs_rows_and_listeners(with_repeats):
    contest = RetrievalContest(with_repeats, 0)
    everyone = torch.ones(len(contest.groups), dtype=torch.bool)
    assert contest.can_judge(everyone)
    few = everyone & (everyone.cumsum(0) < 100)
    assert not contest.can_judge(few)
    assert not contest.can_judge(torch.zeros_like(everyone))
    uids, counts = np.unique(contest.groups, return_counts=True)
    most = uids[counts.argsort()[-19:]]
    assert not contest.can_judge(torch.from_numpy(np.isin(contest.groups, most)))


def test_dot_scores_go_where_the_model_is():
    """A model on an accelerator, for which the device without storage stands in."""
    model = Biases(7).to("meta")
    seen = []

    def forward(history):
        seen.append(history.device.type)
        return model.bias(history[:, 0])

    model.forward = forward
    batch = {"history": torch.ones(3, 2).long(), "target": torch.ones(3), ROW: torch.arange(3)}
    scores = dot_scores(model)(batch)
    assert seen == ["meta"] and scores.device.type == "meta" and scores.shape == (3, 7)


# Losses


def drawn_logits(b=6, n=5, seed=0, size=2.0):
    draw = torch.randn(b, n + 1, generator=seeded(seed), dtype=torch.float64) * size
    return draw[:, 0].clone().requires_grad_(), draw[:, 1:].clone().requires_grad_()


def log_chances(*shape, seed=1):
    return torch.rand(*shape, generator=seeded(seed), dtype=torch.float64).mul(0.2).log()


SAMPLED = {
    "plain": lambda p, n, q, own, x: losses.sampled_softmax(p, n, excluded=x),
    "all corrected": losses.sampled_softmax,
    "negatives corrected": lambda p, n, q, own, x: losses.sampled_softmax(p, n, q, None, x),
    "revised": losses.revised_softmax,
}
"""Losses of positives, negatives, log Q of both, and what is excluded."""


@pytest.mark.parametrize("name", SAMPLED)
@quick
@given(
    marks=st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=5),
    size=st.sampled_from([0.0, 2.0, 300.0]),
)
def test_what_is_excluded_counts_for_nothing(name, marks, size):
    excluded = torch.tensor(marks)
    positive, negative = drawn_logits(len(marks), 3, size=size)
    chances = log_chances(len(marks), 3), log_chances(len(marks), seed=2)
    loss = SAMPLED[name](positive, negative, *chances, excluded)
    loss.backward()
    assert torch.isfinite(loss) and loss.dtype == torch.float64
    assert torch.isfinite(positive.grad).all() and torch.isfinite(negative.grad).all()
    assert (negative.grad[excluded] == 0).all()
    alone = excluded.all(dim=1)
    assert (positive.grad[alone] == 0).all(), "nothing to tell the positive from"
    other = torch.where(excluded, torch.full_like(negative, 1e6), negative).detach()
    assert SAMPLED[name](positive, other, *chances, excluded) == loss.detach()
    rest = positive.grad + negative.grad.sum(dim=1)
    assert torch.allclose(rest, torch.zeros_like(rest), atol=1e-12), "a shift changes nothing"
    if alone.all():
        assert loss == 0


@pytest.mark.parametrize("name", SAMPLED)
def test_a_loss_is_the_mean_of_its_examples(name):
    positive, negative = drawn_logits()
    excluded = torch.rand(negative.shape, generator=seeded(3)) < 0.3
    excluded[2] = True
    log_q, own = log_chances(5), log_chances(6, seed=2)
    whole = SAMPLED[name](positive, negative, log_q, own, excluded)
    parts = [
        SAMPLED[name](positive[[i]], negative[[i]], log_q, own[[i]], excluded[[i]])
        for i in range(6)
    ]
    assert whole.item() == pytest.approx(torch.stack(parts).mean().item())
    each = log_q.expand(6, 5)
    assert SAMPLED[name](positive, negative, each, own, excluded) == whole, "log Q (n,) or (B, n)"


@pytest.mark.parametrize("name", SAMPLED)
def test_sampled_losses_survive_huge_logits_in_single_precision(name):
    positive = torch.tensor([1e4, -1e4, 0.0], requires_grad=True)
    negative = torch.tensor([[-1e4, 1e4]] * 3, requires_grad=True)
    chances = log_chances(2).float(), log_chances(3, seed=2).float()
    loss = SAMPLED[name](positive, negative, *chances, torch.zeros(3, 2, dtype=torch.bool))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(positive.grad).all() and torch.isfinite(negative.grad).all()


@quick
@given(st.lists(st.integers(0, 3), min_size=1, max_size=7))
def test_no_twin_of_a_target_is_its_negative(target):
    b = len(target)
    logits = torch.randn(b, b, generator=seeded(b), dtype=torch.float64)
    positive, negative, excluded = losses.in_batch(logits, torch.tensor(target))
    wanted = []
    for i in range(b):
        others = [j for j in range(b) if target[j] != target[i]]
        assert excluded[i].tolist() == [j not in others for j in range(b)]
        total = sum(math.exp(logits[i, j]) for j in [i, *others])
        wanted.append(-math.log(math.exp(logits[i, i]) / total))
    loss = losses.sampled_softmax(positive, negative, excluded=excluded)
    assert loss.item() == pytest.approx(np.mean(wanted), abs=1e-12)


@pytest.mark.parametrize("chance", [-INF, 0.0], ids=["never", "always"])
def test_a_positive_that_the_sampler_draws_never_or_always(chance):
    """Nothing else can be drawn in the second case: then all negatives are the positive."""
    positive, negative = drawn_logits(2, 3)
    excluded = torch.full((2, 3), chance == 0.0)
    log_q = log_chances(3)
    own = torch.full((2,), chance, dtype=torch.float64)
    loss = losses.revised_softmax(positive, negative, log_q, own, excluded)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(positive.grad).all()
    assert torch.isfinite(negative.grad).all() and (loss == 0) == (chance == 0.0)


@quick
@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=8).filter(any),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.sampled_from([torch.int64, torch.float32]),
)
def test_a_sampler_by_popularity_never_draws_what_was_never_played(counts, power, kind):
    log_q = losses.log_popularity(torch.tensor(counts, dtype=kind), power)
    weight = np.array([c**power if c else 0.0 for c in counts])
    assert log_q.exp().tolist() == pytest.approx((weight / weight.sum()).tolist(), abs=1e-6)
    assert ((log_q == -INF) == (torch.tensor(counts) == 0)).all()


def test_two_samplers_mixed_reach_what_either_reaches():
    one, other = torch.tensor([0.5, 0.5, 0.0, 0.0]), torch.tensor([0.0, 0.25, 0.75, 0.0])
    mixed = losses.mixed_log_q(one.log(), other.log(), 0.8)
    assert mixed.exp().tolist() == pytest.approx([0.4, 0.45, 0.15, 0.0])
    assert mixed.dtype == torch.float32 and mixed[3] == -INF


def test_beta_lies_between_the_usual_and_the_calibrated():
    assert losses.gbce_beta(10, 1_001, t=0.0) == pytest.approx(1.0)
    assert losses.gbce_beta(10, 1_001, t=1.0) == pytest.approx(0.01)
    betas = [losses.gbce_beta(10, 1_001, t) for t in (0, 0.25, 0.5, 0.75, 1)]
    assert betas == sorted(betas, reverse=True)
    assert losses.gbce_beta(1_000, 1_001, t=0.3) == pytest.approx(1.0), "all others are drawn"


def test_uniform_negatives_never_are_the_unknown_track_and_start_at_the_right_chance():
    torch.manual_seed(0)
    n_tracks, n = 40, 5
    table = torch.zeros(n_tracks, 3, requires_grad=True)
    asked = []

    class Tables:
        def __call__(self, user):
            return user

        def tracks(self, numbers):
            asked.append(numbers)
            return table[numbers]

    batch = {"user": torch.randn(200, 3), "target": torch.randint(1, n_tracks, (200,))}
    for t in (0.0, 0.75):
        loss, beta = losses.UniformBCE(n_tracks, n, t), losses.gbce_beta(n, n_tracks - 1, t)
        chance = beta / (n + beta)  # what all logits begin with
        wanted = -(beta * math.log(chance) + n * math.log(1 - chance)) / (n + 1)
        assert loss(Tables(), batch).item() == pytest.approx(wanted, rel=1e-5)
    assert [tuple(numbers.shape) for numbers in asked] == [(200,), (200, n)] * 2
    assert asked[1].min() == 1 and asked[1].max() == n_tracks - 1


# Models


def some_plays(n_listeners=12, n_tracks=9, seed=0):
    """Counts of plays; track 0 was played too, track 3 and listener 2 have none."""
    rng = np.random.default_rng(seed)
    dense = rng.poisson(0.6, (n_listeners, n_tracks))
    dense[:, 3] = dense[2] = 0
    return csr_matrix(dense.astype(np.float32))


CLASSICS = {
    "ItemKNN": lambda plays: ItemKNN(plays, k=4),
    "ALS": lambda plays: ALS(plays, dim=4),
    "EASE": lambda plays: EASE(plays, decay=2.0),
}


@pytest.mark.parametrize("name", CLASSICS)
def test_classics_know_only_whether_a_known_track_was_played(name):
    plays = some_plays()
    kept = plays.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = CLASSICS[name](plays)
        scores = model(plays)
    assert scores.shape == plays.shape and scores.dtype == torch.float32
    assert torch.isfinite(scores).all()
    assert (plays != kept).nnz == 0, "the plays stay as they are"
    assert (scores[2] == 0).all(), "nothing is known of a listener without plays"
    assert scores[:, 3].abs().max() < 1e-5, "nor of a track that was never played"
    assert scores[:, 0].abs().max() < 1e-5, "nor of the unknown one"
    other = plays.toarray() * 3
    other[:, 0] = 5
    again = CLASSICS[name](csr_matrix(other))
    assert torch.allclose(again(csr_matrix(other)), scores, atol=1e-5)
    stranger = csr_matrix((np.ones(2), ([1, 1], [4, 5])), (3, 9))
    some = model(stranger)
    assert some.shape == (3, 9) and (some[[0, 2]] == 0).all() and some[1].abs().sum() > 0
    assert torch.allclose(model(stranger[1]), some[[1]], atol=1e-6), "each by itself"


@pytest.mark.parametrize("name", CLASSICS)
def test_classics_of_one_listener(name):
    plays = csr_matrix(np.array([[0.0, 1.0, 2.0, 0.0]], np.float32))
    assert torch.isfinite(CLASSICS[name](plays)(plays)).all()


def test_what_everybody_plays_is_the_same_for_all():
    scores = Popular(torch.tensor([0, 5, 2]))(csr_matrix((4, 3)))
    assert scores.dtype == torch.float32 and scores.tolist() == [[0, 5, 2]] * 4


def test_binary_is_a_copy():
    plays = csr_matrix(np.array([[2.0, 0.0, 3.0], [1.0, 1.0, 0.0]]))
    assert binary(plays).toarray().tolist() == [[0, 0, 1], [0, 1, 0]]
    assert binary(plays).dtype == np.float32 and plays[0, 0] == 2


def test_the_start_of_als_is_its_seed():
    plays = some_plays()
    one, same, other = (ALS(plays, dim=3, seed=s)(plays) for s in (0, 0, 1))
    assert torch.equal(one, same) and not torch.equal(one, other)


def a_history(b=5, length=4, seed=0):
    draw = seeded(seed)
    history = torch.randint(0, 20, (b, length), generator=draw)
    mask = torch.arange(length) < torch.randint(0, length + 1, (b, 1), generator=draw)
    mask[0] = False
    return history, mask


def test_a_pooled_history_is_a_mean_of_what_is_there():
    history, mask = a_history()
    vectors = torch.randn(20, 3, generator=seeded(1))[history].requires_grad_()
    mean = pooled(vectors, mask)
    assert (mean[0] == 0).all(), "an empty history"
    for row, values, there in zip(mean, vectors, mask, strict=True):
        if there.any():
            assert torch.allclose(row, values[there].mean(dim=0))
    mean.sum().backward()
    assert torch.isfinite(vectors.grad).all() and (vectors.grad[~mask] == 0).all()


@pytest.mark.parametrize("ages", [True, False])
def test_youtube_sees_the_set_of_what_was_played_and_the_age(ages):
    torch.manual_seed(0)
    model = YouTubeDNN(20, dim=6, hidden=(8, 7), ages=ages)
    history, mask = a_history()
    age = torch.arange(5.0)
    out = model(history, mask, age)
    assert out.shape == (5, 6) and model.tracks().shape == (20, 6)
    assert torch.isfinite(out).all()
    padded = torch.where(mask, history, 7)
    assert torch.equal(model(padded, mask, age), out), "what is masked is not seen"
    assert torch.allclose(model(history.flip(1), mask.flip(1), age), out, atol=1e-6)
    assert torch.equal(model(history, mask), model(history, mask, torch.zeros(5)))
    assert torch.equal(model(history, mask, age + 1), out) is not ages
    model(history, mask).sum().backward()
    assert all(
        torch.isfinite(p.grad).all() for n, p in model.named_parameters() if n[:7] != "decoder"
    )
