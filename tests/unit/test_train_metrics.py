"""Training, metrics, bootstrap and claims."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn

from course_utils import train
from course_utils.data.histories import histories
from course_utils.data.ids import lookup, number_ids, vocabulary
from course_utils.data.tasks.ranking import as_batch
from course_utils.evaluation import intervals, pointwise, ranking
from course_utils.evaluation.pointwise import MetricError
from course_utils.lesson import claims

NAN = float("nan")


class Linear(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Linear(width, 1)

    def forward(self, numbers):
        return self.weight(numbers).squeeze(1)


def separable(n=4_000, seed=0):
    torch.manual_seed(seed)
    x = torch.randn(n, 3)
    return {"numbers": x, "target": (x[:, 0] + 0.5 * torch.randn(n) > 0).float()}


def test_fit_learns_and_restores_the_best_epoch():
    data, valid = separable(), separable(seed=1)
    model = Linear(3)
    history = train.fit(model, data, valid, epochs=5, batch_size=100, lr=0.05, progress=False)
    assert pointwise.roc_auc(train.predict(model, valid), valid["target"]) > 0.9
    kept = pointwise.log_loss(train.predict(model, valid), valid["target"])
    assert kept == pytest.approx(min(history.valid_loss), abs=1e-5)
    assert history.valid_loss[history.best_epoch] == min(history.valid_loss)


def test_fit_stops_early_when_the_future_differs():
    data = separable()
    opposite = {**separable(seed=1)}
    opposite["target"] = 1 - opposite["target"]
    history = train.fit(Linear(3), data, opposite, epochs=20, lr=0.05, patience=1, progress=False)
    assert len(history.valid_loss) <= history.best_epoch + 3 < 20


def test_fit_is_deterministic():
    def run():
        torch.manual_seed(0)
        model = Linear(3)
        train.fit(model, separable(), separable(seed=1), epochs=2, seed=5, progress=False)
        return train.predict(model, separable(seed=2))

    assert torch.equal(run(), run())


def test_a_loss_that_is_not_finite_stops_training():
    data = separable(100)
    data["numbers"][3, 1] = NAN
    with pytest.raises(train.TrainingError, match="loss became nan in epoch 0"):
        train.fit(Linear(3), data, separable(50), progress=False)


def test_nothing_to_train_on():
    empty = {k: v[:0] for k, v in separable(10).items()}
    with pytest.raises(train.TrainingError, match="no rows"):
        train.fit(Linear(3), empty, separable(10), progress=False)


def test_course_seed_shifts_every_seed(monkeypatch):
    monkeypatch.setenv("COURSE_SEED", "3")
    assert train.seed_everything(10) == 13
    first = torch.rand(1)
    train.seed_everything(10)
    assert torch.equal(first, torch.rand(1))
    monkeypatch.setenv("COURSE_SEED", "x")
    with pytest.raises(train.TrainingError, match="COURSE_SEED"):
        train.course_seed()


@pytest.mark.parametrize("bad", [NAN, float("inf")])
def test_a_score_that_is_not_finite_is_an_error_in_every_metric(bad):
    row = torch.tensor([0.1, bad, 0.3])
    target = torch.tensor([0.0, 1.0, 1.0])
    for metric in (pointwise.roc_auc, pointwise.log_loss, pointwise.calibration):
        with pytest.raises(MetricError, match="NaN or infinite"):
            metric(row, target)
    for metric in (ranking.recall_at_k, ranking.ndcg_at_k):
        with pytest.raises(MetricError, match="NaN or infinite"):
            metric(row[None], target[None].bool(), 2)
    with pytest.raises(MetricError, match="NaN or infinite"):
        ranking.coverage_at_k(row[None], 2)


def test_metrics_refuse_what_has_no_answer():
    with pytest.raises(MetricError, match="at least one positive"):
        pointwise.roc_auc(torch.rand(3), torch.zeros(3))
    with pytest.raises(MetricError, match="0 or 1"):
        pointwise.roc_auc(torch.rand(2), torch.tensor([0.0, 0.5]))
    with pytest.raises(MetricError, match="at least one relevant"):
        ranking.ndcg_at_k(torch.rand(1, 3), torch.zeros(1, 3, dtype=torch.bool), 2)
    with pytest.raises(MetricError, match="differ in shape"):
        ranking.recall_at_k(torch.rand(1, 3), torch.ones(1, 2, dtype=torch.bool), 2)


def test_a_masked_candidate_is_out_of_the_ranking():
    scores = torch.tensor([[-torch.inf, 2.0, 1.0]])
    relevant = torch.tensor([[True, False, True]])
    assert ranking.recall_at_k(scores, relevant, 2).item() == 0.5


def test_weighted_auc_equals_repeated_rows():
    torch.manual_seed(0)
    scores, target = torch.rand(200).round(decimals=1), (torch.rand(200) < 0.4).float()
    weight = torch.randint(0, 4, (200,))
    repeated = pointwise.roc_auc(scores.repeat_interleave(weight), target.repeat_interleave(weight))
    assert pointwise.RocAuc(scores, target)(weight) == pytest.approx(repeated)
    logits = torch.logit(scores.clamp(0.05, 0.95))
    again = pointwise.log_loss(logits.repeat_interleave(weight), target.repeat_interleave(weight))
    assert pointwise.LogLoss(logits, target)(weight) == pytest.approx(again, abs=1e-6)


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


def test_calibration_of_true_probabilities():
    rng = np.random.default_rng(0)
    p = rng.random(50_000)
    target = torch.from_numpy((rng.random(50_000) < p).astype(np.float32))
    logits = torch.logit(torch.from_numpy(p))
    assert pointwise.calibration_error(logits, target) < 0.01
    assert pointwise.calibration_error(logits * 3, target) > 0.05
    assert pointwise.share_of_the_way(0.7, 0.5, 0.9) == pytest.approx(0.5)


def test_claims_raise_only_on_the_default_log(monkeypatch, capsys):
    monkeypatch.setattr(claims, "_measured", [])
    shown = []
    monkeypatch.setattr(claims, "display", lambda data, **_: shown.append(data))
    monkeypatch.delenv("COURSE_LOG", raising=False)
    claims.claim("it holds", True)
    with pytest.raises(claims.ClaimFailed, match=r"it fails.*measured: 3"):
        claims.claim("it fails", False, "3")
    with pytest.raises(claims.ClaimFailed, match="expected to fail"):
        claims.claim("a surprise", True, expected=False)
    claims.claim("known to be false here", False, expected=False)
    monkeypatch.setenv("COURSE_LOG", "movielens")
    claims.claim("it fails elsewhere", False)
    assert [d["text/plain"] for d in shown][-1] == "✘ it fails elsewhere"
    assert len(claims._measured) == 5


def test_tensors_from_tables():
    frame = pl.DataFrame({"uid": [3, 1], "x": [None, 2.5], "y": [1, 0]})
    batch = as_batch(frame, ["uid"], ["x"], "y")
    assert batch["ids"].tolist() == [[3], [1]] and torch.isnan(batch["numbers"][0, 0])
    known = vocabulary(pl.Series([9, 4, 4]))
    assert number_ids(torch.tensor([[4, 9], [5, 100]]), known).tolist() == [[1, 2], [0, 0]]
    table = pl.LazyFrame({"item_id": [9, 9, 7], "artist_id": [8, 6, 1]})
    assert lookup(table, "artist_id", known).tolist() == [0, 0, 6]
    assert lookup(None, "x", known).tolist() == [0, 0, 0]


@pytest.mark.parametrize("kind", [pl.Array(pl.Float32, 2), pl.List(pl.Float64)])
def test_vectors_are_looked_up_from_arrays_and_from_lists_as_yambda_has_them(kind):
    vectors = pl.LazyFrame(
        {"item_id": [4, 7], "embed": [[1.0, 2.0], [3.0, 4.0]]}, schema_overrides={"embed": kind}
    )
    found = lookup(vectors, "embed", torch.tensor([4, 9]))
    assert found.tolist() == [[0, 0], [1, 2], [0, 0]] and found.dtype == torch.float32
    assert not lookup(vectors, "embed", torch.tensor([1])).any(), "nothing known: zeros"


def test_histories_hold_only_the_strict_past(tiny_log):
    past = histories(tiny_log.events)
    listens = tiny_log.events.filter(pl.col("event_type") == "listen").collect()
    rows = torch.arange(0, len(listens), 97)
    seen = past.last(rows, 5)
    for row, items, mask in zip(rows.tolist(), seen["item"], seen["mask"], strict=True):
        now = listens.row(row, named=True)
        before = listens.filter(
            (pl.col("uid") == now["uid"]) & (pl.col("timestamp") < now["timestamp"])
        )
        assert items[mask].tolist() == before["item_id"].tail(5).reverse().to_list()
