"""Metrics, intervals: what they are, what they do with ties, and what they refuse."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.evaluation import intervals, pointwise, ranking
from course_utils.evaluation.pointwise import MetricError, UndefinedMetric

NAN, INF = float("nan"), float("inf")
quick = settings(max_examples=60, deadline=None, derandomize=True)

# Ranking: ties, exclusions, k


def recall(order, relevant, k):
    return sum(bool(relevant[i]) for i in order[:k]) / sum(map(bool, relevant))


def ndcg(order, gains, k):
    def dcg(values):
        return sum(g / math.log2(place + 2) for place, g in enumerate(values[:k]))

    return dcg([gains[i] for i in order]) / dcg(sorted(gains, reverse=True))


def rankings(scores):
    """Every order of the candidates that the scores allow; those at −∞ are left out."""
    there = [i for i, s in enumerate(scores) if s > -INF]
    orders = itertools.permutations(there)
    return [o for o in orders if all(scores[a] >= scores[b] for a, b in itertools.pairwise(o))]


@st.composite
def ranked_rows(draw, graded=False, n_rows=1):
    """Scores with many ties and exclusions, and relevance with at least one hit a row."""
    n = draw(st.integers(1, 6))
    score = st.sampled_from([-INF, 0.0, 1.0, 2.0])
    gain = st.sampled_from([0.0, 0.5, 1.0, 3.0]) if graded else st.booleans()
    rows = [draw(st.lists(score, min_size=n, max_size=n)) for _ in range(n_rows)]
    gains = [draw(st.lists(gain, min_size=n, max_size=n).filter(any)) for _ in range(n_rows)]
    return torch.tensor(rows), torch.tensor(gains), draw(st.integers(1, n + 2))


@quick
@given(ranked_rows())
def test_recall_is_the_mean_over_all_orders_of_the_tied(case):
    scores, relevant, k = case
    orders = rankings(scores[0].tolist())
    wanted = np.mean([recall(o, relevant[0].tolist(), k) for o in orders])
    assert ranking.recall_at_k(scores, relevant, k).item() == pytest.approx(wanted)


@quick
@given(st.one_of(ranked_rows(), ranked_rows(graded=True)))
def test_ndcg_is_the_mean_over_all_orders_of_the_tied(case):
    scores, gains, k = case
    orders = rankings(scores[0].tolist())
    wanted = np.mean([ndcg(o, gains[0].tolist(), k) for o in orders])
    assert ranking.ndcg_at_k(scores, gains, k).item() == pytest.approx(wanted)


@quick
@given(ranked_rows(n_rows=2))
def test_coverage_is_the_mean_over_all_orders_of_every_listener(case):
    scores, _, k = case
    lists = [[set(order[:k]) for order in rankings(row)] for row in scores.tolist()]
    wanted = np.mean([len(a | b) for a, b in itertools.product(*lists)]) / scores.shape[1]
    assert ranking.coverage_at_k(scores, k) == pytest.approx(wanted)


@quick
@given(ranked_rows())
def test_average_precision_is_the_mean_over_all_orders_of_the_tied(case):
    scores, relevant, k = case
    hit = relevant[0].tolist()

    def average_precision(order):
        hits = [sum(hit[i] for i in order[: place + 1]) for place in range(len(order))]
        found = [hits[p] / (p + 1) for p, i in enumerate(order[:k]) if hit[i]]
        return sum(found) / sum(hit)

    wanted = np.mean([average_precision(order) for order in rankings(scores[0].tolist())])
    assert ranking.average_precision_at_k(scores, relevant, k).item() == pytest.approx(wanted)


@quick
@given(ranked_rows(), st.lists(st.sampled_from([0.001, 0.25, 1.0]), min_size=6, max_size=6))
def test_novelty_is_the_mean_surprise_over_all_orders_of_the_tied(case, shares):
    scores, _, k = case
    known = torch.tensor(shares[: scores.shape[1]])
    if (scores == -INF).all():
        with pytest.raises(MetricError, match="not excluded"):
            ranking.novelty_at_k(scores, known, k)
        return
    lists = [order[:k] for order in rankings(scores[0].tolist())]
    wanted = np.mean([np.mean([-math.log2(shares[i]) for i in order]) for order in lists])
    assert ranking.novelty_at_k(scores, known, k).item() == pytest.approx(wanted)


@quick
@given(ranked_rows(), st.lists(st.booleans(), min_size=6, max_size=6))
def test_serendipity_counts_hits_that_are_not_obvious(case, plain):
    scores, relevant, k = case
    n = scores.shape[1]
    counted = [bool(relevant[0, i]) and not plain[i] for i in range(n)]
    lists = [order[:k] for order in rankings(scores[0].tolist())]
    wanted = np.mean([sum(counted[i] for i in order) / min(k, n) for order in lists])
    obvious = torch.tensor([plain[:n]])
    found = ranking.serendipity_at_k(scores, relevant, obvious, k).item()
    assert found == pytest.approx(wanted)


def test_novelty_and_serendipity_refuse_what_does_not_fit():
    scores, relevant = torch.rand(1, 3), torch.ones(1, 3, dtype=torch.bool)
    for known in (torch.tensor([0.0, 0.5, 1.0]), torch.tensor([0.5, 1.1, 1.0]), torch.ones(2)):
        with pytest.raises(MetricError, match=r"one share in \(0, 1\]"):
            ranking.novelty_at_k(scores, known, 2)
    for obvious in (torch.ones(1, 3), relevant[:, :2]):
        with pytest.raises(MetricError, match="obvious must be bool"):
            ranking.serendipity_at_k(scores, relevant, obvious, 2)


@quick
@given(st.lists(st.integers(0, 50), min_size=1, max_size=30).filter(any))
def test_gini_is_the_mean_difference_of_all_pairs(counts):
    x = np.array(counts, float)
    wanted = np.abs(x[:, None] - x).sum() / (2 * len(x) * x.sum())
    assert ranking.gini(torch.tensor(counts)) == pytest.approx(wanted)
    assert ranking.gini(7 * torch.tensor(counts)) == pytest.approx(wanted)


@pytest.mark.parametrize("bad", [[[1.0]], [], [0.0, 0.0], [-1.0, 2.0], [NAN, 1.0], [INF, 1.0]])
def test_gini_refuses_what_cannot_be_shared_out(bad):
    with pytest.raises(MetricError, match="counts must be flat"):
        ranking.gini(torch.tensor(bad))


@quick
@given(case=ranked_rows(graded=True, n_rows=3), seed=st.integers(0, 99))
def test_the_order_of_the_catalogue_changes_nothing(case, seed):
    scores, gains, k = case
    moved = torch.from_numpy(np.random.default_rng(seed).permutation(scores.shape[1]))
    for metric, relevant in [(ranking.ndcg_at_k, gains), (ranking.recall_at_k, gains > 0)]:
        there = metric(scores[:, moved], relevant[:, moved], k)
        assert torch.allclose(metric(scores, relevant, k), there, atol=1e-12)
    assert ranking.coverage_at_k(scores, k) == pytest.approx(
        ranking.coverage_at_k(scores[:, moved], k)
    )


def test_equal_scores_for_all_are_worth_what_chance_is_worth():
    torch.manual_seed(0)
    relevant = torch.rand(50, 200) < 0.1
    relevant[:, 0] |= ~relevant.any(dim=1)
    constant = torch.zeros(50, 200)
    assert torch.allclose(ranking.recall_at_k(constant, relevant, 20), torch.tensor(0.1).double())
    first = torch.zeros_like(relevant)
    first[:, :20] = True
    assert torch.allclose(ranking.recall_at_k(constant, first, 20), torch.tensor(0.1).double())
    assert ranking.coverage_at_k(constant[:1], 20) == pytest.approx(0.1)


def test_an_excluded_candidate_is_never_a_hit():
    scores = torch.tensor([[-INF, 2.0, 1.0]])
    relevant = torch.tensor([[True, False, True]])
    for k in (2, 3, 4):
        assert ranking.recall_at_k(scores, relevant, k).item() == 0.5
    nothing = torch.full((1, 3), -INF)
    for k in (1, 3, 9):
        assert ranking.recall_at_k(nothing, relevant, k).item() == 0
        assert ranking.ndcg_at_k(nothing, relevant, k).item() == 0
        assert ranking.coverage_at_k(nothing, k) == 0
    assert ranking.coverage_at_k(scores, 3) == pytest.approx(2 / 3)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.int64])
@pytest.mark.parametrize("k", [3, 4, 1_000, np.int64(3)])
def test_k_may_exceed_the_catalogue(kind, k):
    scores = torch.tensor([[3, 2, 1], [1, 2, 3]]).to(kind)
    relevant = torch.tensor([[True, False, False], [True, False, True]])
    assert ranking.recall_at_k(scores, relevant, k).tolist() == [1, 1]
    wanted = (1 + 1 / math.log2(4)) / (1 + 1 / math.log2(3))
    assert ranking.ndcg_at_k(scores, relevant, k).tolist() == [1, pytest.approx(wanted)]
    assert ranking.coverage_at_k(scores, k) == 1


RANKING = {
    "recall": ranking.recall_at_k,
    "ndcg": ranking.ndcg_at_k,
    "coverage": lambda scores, relevant, k: ranking.coverage_at_k(scores, k),
    "average precision": ranking.average_precision_at_k,
    "novelty": lambda scores, relevant, k: ranking.novelty_at_k(
        scores, torch.full(scores.shape[1:], 0.5), k
    ),
    "serendipity": lambda scores, relevant, k: ranking.serendipity_at_k(
        scores, relevant, torch.zeros_like(relevant), k
    ),
}


@pytest.mark.parametrize("name", RANKING)
@pytest.mark.parametrize("k", [0, -1, 2.0, 2.5, True, None, "3", NAN])
def test_k_must_be_a_whole_number_from_1_on(name, k):
    with pytest.raises(MetricError, match="k must be a whole number of at least 1"):
        RANKING[name](torch.rand(2, 3), torch.ones(2, 3, dtype=torch.bool), k)


@pytest.mark.parametrize("name", RANKING)
@pytest.mark.parametrize("bad", [NAN, INF])
def test_a_ranking_score_that_is_not_finite_is_an_error(name, bad):
    scores = torch.tensor([[0.1, 0.2, 0.3], [0.1, bad, 0.3]])
    with pytest.raises(MetricError, match="NaN or infinite, the first in row 1, candidate 1"):
        RANKING[name](scores, torch.ones(2, 3, dtype=torch.bool), 2)


@pytest.mark.parametrize("name", RANKING)
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (3,), (1, 2, 3)])
def test_scores_without_listeners_or_candidates_are_refused(name, shape):
    with pytest.raises(MetricError, match=r"scores must be \(listeners, candidates\)"):
        RANKING[name](torch.rand(shape), torch.ones(shape, dtype=torch.bool), 2)


@pytest.mark.parametrize("name", ["recall", "ndcg", "average precision"])
def test_relevance_that_does_not_fit_is_refused(name):
    metric, scores = RANKING[name], torch.rand(1, 3)
    with pytest.raises(MetricError, match="at least one relevant"):
        metric(scores, torch.zeros(1, 3, dtype=torch.bool), 2)
    with pytest.raises(MetricError, match=r"differ in shape: \(1, 3\), \(1, 2\)"):
        metric(scores, torch.ones(1, 2, dtype=torch.bool), 2)
    with pytest.raises(MetricError, match="on cpu, relevant on meta"):
        metric(scores, torch.ones(1, 3, dtype=torch.bool, device="meta"), 2)
    for bad in (-1.0, NAN, INF):
        with pytest.raises(MetricError, match="finite and not negative"):
            metric(scores, torch.tensor([[1.0, bad, 0.0]]), 2)


def test_recall_refuses_grades_and_takes_0_and_1_of_any_type():
    scores = torch.tensor([[3.0, 2.0, 1.0]])
    for grades in (torch.tensor([[2, 0, 1]]), torch.tensor([[0.5, 0.0, 1.0]])):
        with pytest.raises(MetricError, match="graded"):
            ranking.recall_at_k(scores, grades, 2)
    for kind in (torch.bool, torch.int64, torch.float32):
        relevant = torch.tensor([[1, 0, 1]]).to(kind)
        assert ranking.recall_at_k(scores, relevant, 2).item() == 0.5
        assert ranking.ndcg_at_k(scores, relevant, 2).item() == pytest.approx(0.6131472)


# Pointwise: AUC, log loss, calibration


@quick
@given(
    st.lists(st.tuples(st.sampled_from([-1.0, 0.0, 2.0]), st.booleans()), min_size=2, max_size=12)
    .filter(lambda rows: len({hit for _, hit in rows}) == 2)
)  # fmt: skip
def test_auc_counts_pairs(rows):
    scores, hits = torch.tensor([s for s, _ in rows]), torch.tensor([h for _, h in rows])
    pairs = [(a > b) + (a == b) / 2 for a in scores[hits].tolist() for b in scores[~hits].tolist()]
    assert pointwise.roc_auc(scores, hits) == pytest.approx(np.mean(pairs))
    assert pointwise.roc_auc(scores, hits.float()) == pytest.approx(np.mean(pairs))


def test_weighted_metrics_equal_repeated_rows():
    torch.manual_seed(0)
    scores, target = torch.rand(200).round(decimals=1), (torch.rand(200) < 0.4).float()
    weight = torch.randint(0, 4, (200,))
    repeated = pointwise.roc_auc(scores.repeat_interleave(weight), target.repeat_interleave(weight))
    assert pointwise.RocAuc(scores, target)(weight) == pytest.approx(repeated)
    logits = torch.logit(scores.clamp(0.05, 0.95))
    again = pointwise.log_loss(logits.repeat_interleave(weight), target.repeat_interleave(weight))
    assert pointwise.LogLoss(logits, target)(weight) == pytest.approx(again, abs=1e-6)


@quick
@given(
    st.lists(st.tuples(st.sampled_from([-3.0, 0.0, 0.5, 7.0]), st.integers(0, 3)), min_size=1)
    .filter(lambda rows: any(count for _, count in rows))
)  # fmt: skip
def test_a_weighted_mean_equals_that_of_repeated_rows(rows):
    values, weight = torch.tensor([v for v, _ in rows]), torch.tensor([w for _, w in rows])
    mean = pointwise.Mean(values)
    assert len(mean) == len(rows)
    assert mean() == pytest.approx(values.double().mean().item())
    repeated = values.repeat_interleave(weight)
    assert mean(weight) == pytest.approx(repeated.double().mean().item())


def test_a_mean_refuses_what_it_cannot_be_of():
    for bad in (NAN, INF, -INF):
        with pytest.raises(MetricError, match=r"1 of 3 scores are NaN or infinite.*at \(1,\)"):
            pointwise.Mean(torch.tensor([0.0, bad, 1.0]))
    for shape in [(0,), (2, 2), ()]:
        with pytest.raises(MetricError, match=r"values must be \(N,\) with N > 0"):
            pointwise.Mean(torch.zeros(shape))
    with pytest.raises(MetricError, match="values must be a tensor, got list"):
        pointwise.Mean([1.0])
    mean = pointwise.Mean(torch.tensor([True, False, True]))
    assert mean() == pytest.approx(2 / 3), "of hits, too"
    with pytest.raises(UndefinedMetric, match="at least one row with a weight"):
        mean(torch.zeros(3))
    for weight in (torch.ones(2), torch.tensor([1.0, -1.0, 1.0]), torch.tensor([1.0, NAN, 1.0])):
        with pytest.raises(MetricError):
            mean(weight)


POINTWISE = {
    "auc": pointwise.roc_auc,
    "log loss": pointwise.log_loss,
    "calibration": pointwise.calibration,
    "calibration error": pointwise.calibration_error,
}


@pytest.mark.parametrize("name", POINTWISE)
def test_scores_and_targets_that_do_not_fit_are_refused(name):
    metric, scores, target = POINTWISE[name], torch.randn(4), torch.tensor([0.0, 1.0, 1.0, 0.0])
    for bad in (NAN, INF, -INF):
        with pytest.raises(MetricError, match=r"1 of 4 scores are NaN or infinite.*at \(2,\)"):
            metric(torch.tensor([0.0, 1.0, bad, 1.0]), target)
    for bad in (NAN, 0.5, 2.0, -1.0, INF):
        with pytest.raises(MetricError, match=r"0 or 1: 1 of 4 are not, the first at \(1,\) is"):
            metric(scores, torch.tensor([0.0, bad, 1.0, 0.0]))
    for one, other in [((4,), (3,)), ((4,), (4, 1)), ((2, 2), (2, 2)), ((), ())]:
        with pytest.raises(MetricError, match=r"must be \(N,\) and \(N,\)"):
            metric(torch.zeros(one), torch.zeros(other))
    with pytest.raises(MetricError, match="no rows"):
        metric(scores[:0], target[:0])
    with pytest.raises(MetricError, match="on cpu, target on meta"):
        metric(scores, target.to("meta"))


@pytest.mark.parametrize("kind", [torch.bool, torch.int64, torch.float32, torch.float64])
@pytest.mark.parametrize("name", POINTWISE)
def test_targets_of_any_type_give_the_same(name, kind):
    logits, target = torch.tensor([2.0, -1.0, 0.5]), torch.tensor([1, 0, 0])
    one, other = POINTWISE[name](logits, target.to(kind)), POINTWISE[name](logits, target)
    assert str(one) == str(other)


def test_metrics_without_an_answer_say_so():
    for target in (torch.zeros(3), torch.ones(3)):
        with pytest.raises(UndefinedMetric, match="at least one positive and one negative"):
            pointwise.roc_auc(torch.rand(3), target)
    metrics = [
        m(torch.rand(3), torch.tensor([0, 1, 1])) for m in (pointwise.RocAuc, pointwise.LogLoss)
    ]
    for metric in metrics:
        with pytest.raises(UndefinedMetric):
            metric(torch.zeros(3))
        for weight in (torch.ones(2), torch.tensor([1, 1, -1]), torch.tensor([1, 1, NAN])):
            with pytest.raises(MetricError, match="weights"):
                metric(weight)
    with pytest.raises(UndefinedMetric, match="there is no way"):
        pointwise.share_of_the_way(0.5, 0.5, 0.5)
    assert pointwise.share_of_the_way(0.7, 0.5, 0.9) == pytest.approx(0.5)


def test_calibration_of_true_probabilities():
    rng = np.random.default_rng(0)
    p = rng.random(50_000)
    target = torch.from_numpy((rng.random(50_000) < p).astype(np.float32))
    logits = torch.logit(torch.from_numpy(p))
    assert pointwise.calibration_error(logits, target) < 0.01
    assert pointwise.calibration_error(logits * 3, target) > 0.05
    assert pointwise.calibration(logits, target)["count"].tolist() == [5_000] * 10


@pytest.mark.parametrize("n", [1, 2, 7, 1_000])
@pytest.mark.parametrize("n_bins", [1, 3, 10, 5_000])
def test_a_constant_predictor_that_is_right_has_no_calibration_error(n, n_bins):
    target = torch.arange(n) < (n + 1) // 3
    logits = torch.logit(target.double().mean()).clamp(-40, 40).expand(n)
    curve = pointwise.calibration(logits, target, n_bins)
    assert curve["count"].tolist() == [n], "equal predictions share a bin"
    assert pointwise.calibration_error(logits, target, n_bins) < 1e-9


ROW = st.tuples(st.sampled_from([-3.0, -0.5, 0.0, 0.1, 2.0]), st.booleans())


@quick
@given(rows=st.lists(ROW, min_size=1, max_size=30), n_bins=st.integers(1, 40))
def test_calibration_bins_part_the_rows_and_never_equal_predictions(rows, n_bins):
    logits, target = torch.tensor([s for s, _ in rows]), torch.tensor([h for _, h in rows])
    curve = pointwise.calibration(logits, target, n_bins)
    assert {len(values) for values in curve.values()} == {len(curve["count"])}
    assert len(curve["count"]) <= min(n_bins, len(logits.unique()))
    assert curve["count"].sum() == len(rows) and (curve["count"] > 0).all()
    assert (curve["predicted"].diff() > 0).all()
    for name, values in {"predicted": logits.sigmoid(), "observed": target}.items():
        mean = (curve[name] * curve["count"]).sum() / len(rows)
        assert mean == pytest.approx(values.double().mean().item(), abs=1e-6)
    distance = (curve["predicted"] - curve["observed"]).abs()
    assert pointwise.calibration_error(logits, target, n_bins) == pytest.approx(
        ((distance * curve["count"]).sum() / len(rows)).item()
    )
    bins = [curve["count"][curve["predicted"] < p].sum().item() for p in logits.unique().sigmoid()]
    assert bins == sorted(bins)


@pytest.mark.parametrize("n", [1, 9, 10, 11, 1_003])
def test_different_predictions_make_bins_of_equal_size(n):
    torch.manual_seed(0)
    target = torch.rand(n) < 0.5
    curve = pointwise.calibration(torch.randn(n).double(), target)
    assert curve["count"].tolist() == [len(p) for p in torch.arange(n).tensor_split(10) if len(p)]
    for bad in (0, -3, 2.5, None):
        with pytest.raises(MetricError, match="n_bins must be a whole number of at least 1"):
            pointwise.calibration(torch.zeros(n), target, bad)


# Intervals


def test_bootstrap_intervals_cover():
    """Of 100 intervals for a mean difference of zero about 95 hold zero."""
    rng = np.random.default_rng(0)
    held = 0
    for seed in range(100):
        x = torch.from_numpy(rng.normal(0, 1, 150))
        interval = intervals.mean_difference(x, torch.zeros(150), n=400, seed=seed)
        held += interval.low <= 0 <= interval.high
    assert 88 <= held <= 100


def test_paired_bootstrap_sees_what_two_intervals_hide():
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(200), 30)
    taste = rng.normal(0, 2, 200)[users]
    target = torch.from_numpy((rng.random(6_000) < 1 / (1 + np.exp(-taste))).astype(np.float32))
    good = torch.from_numpy(taste + rng.normal(0, 1.0, 6_000))
    worse = good + 0.4 * torch.randn(6_000, generator=torch.Generator().manual_seed(0))
    auc = {"good": pointwise.RocAuc(good, target), "worse": pointwise.RocAuc(worse, target)}
    result = intervals.bootstrap(auc, users, [("good", "worse"), ("worse", "good")])
    assert result["good"].low < result["worse"].high, "the intervals overlap"
    assert result["good", "worse"].positive and not result["worse", "good"].positive
    assert result["good", "worse"].low == pytest.approx(-result["worse", "good"].high)
    assert all(interval.undefined == 0 for interval in result.values())


def test_draws_without_an_answer_are_left_out_and_counted():
    """One listener in twenty has all negatives; a draw misses that one with .95²⁰ = .36."""
    target = torch.ones(60)
    target[:3] = 0
    torch.manual_seed(0)
    metrics = {
        "auc": pointwise.RocAuc(torch.randn(60), target),
        "loss": pointwise.LogLoss(torch.randn(60), target),
    }
    found = intervals.bootstrap(metrics, np.arange(60) // 3, [("auc", "loss")], n=400)
    assert 100 < found["auc"].undefined < 190 and found["loss"].undefined == 0
    assert found["auc", "loss"].undefined == found["auc"].undefined
    assert all(math.isfinite(one.low) and math.isfinite(one.high) for one in found.values())
    draws = np.array([1.0] * 49 + [NAN] * 51)
    with pytest.raises(MetricError, match="no value on 51 of 100 draws"):
        intervals.percentile_interval(1.0, draws)


def test_few_listeners_have_no_interval():
    target = torch.tensor([0.0, 1.0]).repeat(40)
    auc = {"model": pointwise.RocAuc(torch.randn(80), target)}
    for few in (1, 2, 19):
        with pytest.raises(MetricError, match=f"at least 20 listeners .*here are {few};"):
            intervals.bootstrap(auc, np.arange(80) % few)
        with pytest.raises(MetricError, match=f"here are {few};"):
            intervals.mean_difference(torch.rand(few), torch.rand(few))
    assert intervals.bootstrap(auc, torch.arange(80) % 20)["model"].low > 0


def test_intervals_refuse_what_does_not_fit():
    target = torch.tensor([0.0, 1.0]).repeat(40)
    auc = {"model": pointwise.RocAuc(torch.randn(80), target)}
    for groups in (np.arange(79), np.arange(81), np.zeros((80, 1))):
        with pytest.raises(MetricError, match="'model' has 80 rows, groups have the shape"):
            intervals.bootstrap(auc, groups)
    with pytest.raises(MetricError, match=r"pairs name \['other'\], the metrics are \['model'\]"):
        intervals.bootstrap(auc, np.arange(80), [("model", "other")])
    with pytest.raises(MetricError, match="n must be a whole number"):
        intervals.bootstrap(auc, np.arange(80), n=0)
    for a, b in [((30,), (29,)), ((30,), (30, 1)), ((30, 1), (30, 1))]:
        with pytest.raises(MetricError, match="one value a user from both"):
            intervals.mean_difference(torch.rand(a), torch.rand(b))
    for bad in (NAN, INF):
        values = torch.rand(30)
        values[4] = bad
        with pytest.raises(MetricError, match="NaN or infinite"):
            intervals.mean_difference(torch.rand(30), values)


DAY, HOUR = 86_400, 3_600


@pytest.mark.parametrize(
    ("n_listeners", "step", "unit"),
    [
        (20, 1, "listeners"),
        (500, 1, "listeners"),
        (19, DAY // 4, "days"),
        (1, DAY, "days"),
        (19, HOUR, "hours"),
        (1, 60, "stretches of time"),
    ],
)
def test_the_largest_units_of_which_there_are_enough_are_resampled(n_listeners, step, unit, capsys):
    n = 1_000
    listeners, time = (
        np.arange(n) % n_listeners,
        (1_000_000 + step * np.arange(n)).astype(np.uint32),
    )
    if unit == "hours":
        listeners, time = listeners[:100], time[:100]
    groups = intervals.resampled(listeners, time)
    wanted = {
        "listeners": listeners,
        "days": time // DAY,
        "hours": time // HOUR,
        "stretches of time": np.repeat(np.arange(40), 25),
    }[unit]
    assert np.array_equal(groups, wanted)
    assert len(np.unique(groups)) >= intervals.LEAST_GROUPS
    told = capsys.readouterr().out
    assert told == "" if unit == "listeners" else f"over its {unit}." in told


@pytest.mark.parametrize("n", [0, 1, 19])
def test_too_few_rows_have_nothing_to_be_resampled(n, capsys):
    listeners = np.arange(n)
    assert np.array_equal(intervals.resampled(listeners, np.zeros(n)), listeners)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("wrap", [np.asarray, lambda rows: rows], ids=["array", "list"])
def test_what_is_no_tensor_is_refused(wrap):
    scores, target = [[1.0, 2.0]], [[0.0, 1.0]]
    for call in (
        lambda: ranking.recall_at_k(wrap(scores), wrap(target), 1),
        lambda: ranking.ndcg_at_k(torch.tensor(scores), wrap(target), 1),
        lambda: ranking.coverage_at_k(wrap(scores), 1),
        lambda: pointwise.roc_auc(wrap(scores[0]), wrap(target[0])),
        lambda: pointwise.log_loss(torch.tensor(scores[0]), wrap(target[0])),
    ):
        with pytest.raises(MetricError, match="must be a tensor"):
            call()


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.uint8])
def test_recall_counts_beyond_the_precision_of_relevance(kind):
    n = 3_001
    scores, relevant = torch.arange(float(n))[None], torch.ones(1, n, dtype=kind)
    assert ranking.recall_at_k(scores, relevant, 1_500).item() == 1_500 / n
