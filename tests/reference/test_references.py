"""Independent witnesses: published packages compute the same numbers."""

from __future__ import annotations

import ir_measures
import numpy as np
import pytest
import rtdl_num_embeddings as rtdl
import torch
from ir_measures import nDCG
from sklearn.metrics import log_loss, roc_auc_score
from torch_rechub.basic.layers import CrossNetV2

from course_utils import metrics
from course_utils.models import CrossNetwork, PiecewiseLinearEncoding, quantile_bins


@pytest.mark.parametrize("seed", range(3))
def test_ple_equals_rtdl_num_embeddings(seed):
    torch.manual_seed(seed)
    x = torch.randn(500, 4)
    x[:, 1] = x[:, 1].round()
    edges = quantile_bins(x, 9)
    ours = PiecewiseLinearEncoding(edges)(3 * x)
    theirs = rtdl.PiecewiseLinearEncoding(edges)(3 * x)
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_quantile_bins_agree_with_rtdl_up_to_half_a_rank():
    torch.manual_seed(0)
    x = torch.randn(1_001, 3)
    for ours, theirs in zip(quantile_bins(x, 10), rtdl.compute_bins(x, n_bins=10), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_cross_layers_equal_torch_rechub():
    torch.manual_seed(0)
    theirs, ours = CrossNetV2(6, 3), CrossNetwork(6, 3)
    for mine, weight, bias in zip(ours.weights, theirs.w, theirs.b, strict=True):
        mine.weight.data, mine.bias.data = weight.weight.data, bias.data.flatten()
    x = torch.randn(10, 6)
    assert torch.allclose(ours(x), theirs(x), atol=1e-5)


@pytest.mark.parametrize("k", [1, 5, 20, 60])
def test_ndcg_and_recall_equal_ir_measures(k):
    torch.manual_seed(k)
    scores, relevant = torch.rand(30, 50), torch.rand(30, 50) < 0.1
    relevant[:, 0] |= ~relevant.any(dim=1)
    pairs = [(q, d) for q in range(30) for d in range(50)]
    qrels = [ir_measures.Qrel(str(q), str(d), int(relevant[q, d])) for q, d in pairs]
    run = [ir_measures.ScoredDoc(str(q), str(d), scores[q, d].item()) for q, d in pairs]
    wanted = {nDCG @ k: metrics.ndcg_at_k, ir_measures.R @ k: metrics.recall_at_k}
    for row in ir_measures.iter_calc(list(wanted), qrels, run):
        ours = wanted[row.measure](scores, relevant, k)[int(row.query_id)].item()
        assert ours == pytest.approx(row.value, abs=1e-6)


def test_auc_and_log_loss_equal_scikit_learn():
    rng = np.random.default_rng(0)
    for digits in (1, 8):
        scores = rng.normal(size=3_000).round(digits)
        target = (rng.random(3_000) < 0.3).astype(np.float64)
        s, t = torch.from_numpy(scores), torch.from_numpy(target)
        assert metrics.roc_auc(s, t) == pytest.approx(roc_auc_score(target, scores))
        p = 1 / (1 + np.exp(-scores))
        assert metrics.log_loss(s, t) == pytest.approx(log_loss(target, p))
