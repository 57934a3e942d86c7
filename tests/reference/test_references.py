"""Independent witnesses: published packages compute the same numbers."""

from __future__ import annotations

import ir_measures
import numpy as np
import pytest
import rtdl_num_embeddings as rtdl
import torch
from deepctr_torch.layers import FM, BiInteractionPooling, CrossNet
from ir_measures import AP, nDCG
from sklearn.metrics import log_loss, ndcg_score, roc_auc_score
from torch_rechub.basic import layers as rechub

from course_utils.evaluation import pointwise, ranking
from course_utils.models.ranking.dcn_v2 import CrossMixture, CrossNetwork, CrossVector
from course_utils.models.ranking.fm_ffm import FieldAwareFM, pairwise_products
from course_utils.models.ranking.ple import (
    Periodic,
    PiecewiseLinearEncoding,
    Standardized,
    quantile_bins,
    tree_bins,
)


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


def test_cross_vectors_equal_both_packages():
    torch.manual_seed(0)
    rechubs, deepctrs, ours = rechub.CrossNetwork(6, 3), CrossNet(6, 3), CrossVector(6, 3)
    torch.nn.init.normal_(ours.biases)
    for layer, (weight, bias) in enumerate(zip(ours.weights, ours.biases, strict=True)):
        rechubs.w[layer].weight.data, rechubs.b[layer].data = weight.weight.data, bias.data
        deepctrs.kernels.data[layer], deepctrs.bias.data[layer] = weight.weight.T, bias[:, None]
    x = torch.randn(10, 6)
    assert torch.allclose(ours(x), rechubs(x), atol=1e-5)
    assert torch.allclose(ours(x), deepctrs(x), atol=1e-5)


def test_cross_layers_equal_torch_rechub():
    torch.manual_seed(0)
    theirs, ours = rechub.CrossNetV2(6, 3), CrossNetwork(6, 3)
    for mine, weight, bias in zip(ours.weights, theirs.w, theirs.b, strict=True):
        mine.weight.data, mine.bias.data = weight.weight.data, bias.data.flatten()
    x = torch.randn(10, 6)
    assert torch.allclose(ours(x), theirs(x), atol=1e-5)


def test_cross_layers_equal_deepctr():
    torch.manual_seed(0)
    theirs, ours = CrossNet(6, 3, parameterization="matrix"), CrossNetwork(6, 3)
    theirs.bias.data.normal_()
    for layer, mine in enumerate(ours.weights):
        mine.weight.data, mine.bias.data = theirs.kernels[layer], theirs.bias[layer].flatten()
    x = torch.randn(10, 6)
    assert torch.allclose(ours(x), theirs(x), atol=1e-5)


def test_the_mixture_of_cross_experts_equals_torch_rechub():
    """Their gates are shared by the layers, and their bias is inside of each expert: as ours."""
    torch.manual_seed(0)
    theirs = rechub.CrossNetMix(6, num_layers=2, low_rank=3, num_experts=4)
    ours = CrossMixture(6, n_layers=2, rank=3, n_experts=4)
    for layer in range(2):
        ours.v.data[layer] = theirs.v_list[layer].data
        ours.c.data[layer] = theirs.c_list[layer].data.transpose(1, 2)
        ours.u.data[layer] = theirs.u_list[layer].data.transpose(1, 2)
        theirs.bias[layer].data.normal_()
        ours.bias.data[layer] = theirs.bias[layer].data.flatten()
        ours.gates[layer].weight.data = torch.cat([g.weight.data for g in theirs.gating])
    x = torch.randn(10, 6)
    assert torch.allclose(ours(x), theirs(x), atol=1e-5)


def test_fm_equals_both_packages():
    torch.manual_seed(0)
    x = torch.randn(10, 7, 4)
    assert torch.allclose(pairwise_products(x), rechub.FM()(x).flatten(), atol=1e-5)
    assert torch.allclose(pairwise_products(x), FM()(x).flatten(), atol=1e-5)
    assert torch.allclose(pairwise_products(x), BiInteractionPooling()(x).sum((1, 2)), atol=1e-5)


def test_ffm_equals_torch_rechub():
    torch.manual_seed(0)
    ours = FieldAwareFM({"a": 5, "b": 6, "c": 7, "d": 8}, None, dim=3)
    ids = torch.stack([torch.randint(0, n, (20,)) for n in (5, 6, 7, 8)], dim=1)
    numbers = torch.empty(20, 0)
    meets = ours.vectors(ids).unflatten(2, (4, 3))
    theirs = rechub.FFM(num_fields=4)(meets).sum((1, 2))
    assert torch.allclose(ours(ids, numbers) - ours.linear(ids, numbers), theirs, atol=1e-6)


def test_tree_bins_equal_rtdl_num_embeddings():
    torch.manual_seed(0)
    x = torch.randn(3_000, 3)
    y = (torch.rand(3_000) < torch.sigmoid(2 * x[:, 0] - x[:, 1] ** 2)).float()
    options = {"min_samples_leaf": 64, "random_state": 0}
    theirs = rtdl.compute_bins(x, n_bins=8, tree_kwargs=options, y=y, regression=False)
    for a, b in zip(tree_bins(x, y, 8), theirs, strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_periodic_codes_equal_rtdl_num_embeddings():
    torch.manual_seed(0)
    x = torch.randn(50, 3)
    ours, theirs = Periodic(x, 4), rtdl.PeriodicEmbeddings(3, n_frequencies=4, lite=False)
    theirs.periodic.weight.data = ours.frequencies.data
    scaled = Standardized(x)(x)[:, :3]
    assert torch.allclose(ours(x)[:, :24], theirs.periodic(scaled).flatten(1), atol=1e-5)


@pytest.mark.parametrize("k", [1, 5, 20, 60])
def test_ranking_metrics_equal_ir_measures(k):
    torch.manual_seed(k)
    scores, relevant = torch.rand(30, 50), torch.rand(30, 50) < 0.1
    relevant[:, 0] |= ~relevant.any(dim=1)
    pairs = [(q, d) for q in range(30) for d in range(50)]
    qrels = [ir_measures.Qrel(str(q), str(d), int(relevant[q, d])) for q, d in pairs]
    run = [ir_measures.ScoredDoc(str(q), str(d), scores[q, d].item()) for q, d in pairs]
    wanted = {
        nDCG @ k: ranking.ndcg_at_k,
        ir_measures.R @ k: ranking.recall_at_k,
        AP @ k: ranking.average_precision_at_k,
    }
    for row in ir_measures.iter_calc(list(wanted), qrels, run):
        ours = wanted[row.measure](scores, relevant, k)[int(row.query_id)].item()
        assert ours == pytest.approx(row.value, abs=1e-6)


@pytest.mark.parametrize("k", [1, 5, 60])
def test_graded_ndcg_equals_ir_measures(k):
    """Linear gains, as in trec_eval."""
    torch.manual_seed(k)
    scores, grades = torch.rand(20, 30), torch.randint(0, 4, (20, 30))
    pairs = [(q, d) for q in range(20) for d in range(30)]
    qrels = [ir_measures.Qrel(str(q), str(d), int(grades[q, d])) for q, d in pairs]
    run = [ir_measures.ScoredDoc(str(q), str(d), scores[q, d].item()) for q, d in pairs]
    for row in ir_measures.iter_calc([nDCG @ k], qrels, run):
        for kind in (grades, grades.double()):
            ours = ranking.ndcg_at_k(scores, kind, k)[int(row.query_id)].item()
            assert ours == pytest.approx(row.value, abs=1e-6)


def test_an_excluded_candidate_is_one_that_was_not_retrieved():
    torch.manual_seed(0)
    scores, relevant = torch.rand(20, 30), torch.rand(20, 30) < 0.2
    relevant[:, 0] |= ~relevant.any(dim=1)
    scores[torch.rand(20, 30) < 0.4] = -torch.inf
    pairs = [(q, d) for q in range(20) for d in range(30)]
    qrels = [ir_measures.Qrel(str(q), str(d), int(relevant[q, d])) for q, d in pairs]
    run = [
        ir_measures.ScoredDoc(str(q), str(d), scores[q, d].item())
        for q, d in pairs
        if scores[q, d] > -torch.inf
    ]
    wanted = {nDCG @ 10: ranking.ndcg_at_k, ir_measures.R @ 10: ranking.recall_at_k}
    for row in ir_measures.iter_calc(list(wanted), qrels, run):
        ours = wanted[row.measure](scores, relevant, 10)[int(row.query_id)].item()
        assert ours == pytest.approx(row.value, abs=1e-6)


def test_ndcg_with_ties_equals_scikit_learn():
    """Its `ndcg_score` averages over ties too."""
    rng = np.random.default_rng(0)
    scores, grades = rng.integers(0, 4, (20, 30)), rng.integers(0, 3, (20, 30))
    ours = ranking.ndcg_at_k(torch.from_numpy(scores), torch.from_numpy(grades), 30)
    assert ours.mean().item() == pytest.approx(ndcg_score(grades, scores))


def test_auc_and_log_loss_equal_scikit_learn():
    rng = np.random.default_rng(0)
    for digits in (1, 8):
        scores = rng.normal(size=3_000).round(digits)
        target = (rng.random(3_000) < 0.3).astype(np.float64)
        s, t = torch.from_numpy(scores), torch.from_numpy(target)
        assert pointwise.roc_auc(s, t) == pytest.approx(roc_auc_score(target, scores))
        p = 1 / (1 + np.exp(-scores))
        assert pointwise.log_loss(s, t) == pytest.approx(log_loss(target, p))
