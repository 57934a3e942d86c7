"""The models: shapes, edges, errors, and formulas against brute force in float64."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from course_utils import train
from course_utils.data.histories import Histories
from course_utils.models.mlp import MLP
from course_utils.models.ranking.dcn_v2 import (
    CrossMixture,
    CrossNetwork,
    CrossVector,
    DCNv2,
    DenseNet,
    ResNet,
)
from course_utils.models.ranking.multi_task import ProgressiveExtraction
from course_utils.models.ranking.ple import PiecewiseLinearEncoding, Standardized, quantile_bins
from course_utils.models.ranking.target_attention import DCNv2WithHistory, TargetAttention
from course_utils.models.ranking.unified_embeddings import SeparateEmbeddings, UnifiedEmbedding

NAN = float("nan")


def slow_ple(x: float, edges: list[float], bounded: bool) -> list[float]:
    """Equation 1 of Gorishniy et al. (2022), case by case."""
    out, n = [], len(edges) - 1
    for t, (low, high) in enumerate(itertools.pairwise(edges), start=1):
        if x < low and (t > 1 or bounded):
            out.append(0.0)
        elif x >= high and (t < n or bounded):
            out.append(1.0)
        else:
            out.append((x - low) / (high - low))
    return out


@pytest.mark.parametrize("bounded", [False, True])
def test_ple_equals_the_formula(bounded):
    edges = [[0.0, 1.0, 4.0], [-3.0, 2.0], [5.0, 6.0, 7.0, 20.0]]
    ple = PiecewiseLinearEncoding([torch.tensor(e) for e in edges], bounded=bounded)
    torch.manual_seed(0)
    x = torch.rand(200, 3) * 40 - 15
    expected = [
        [v for value, e in zip(row, edges, strict=True) for v in slow_ple(value, e, bounded)]
        for row in x.tolist()
    ]
    assert torch.allclose(ple(x), torch.tensor(expected), atol=1e-5)
    assert ple.out_features == 6


def test_ple_treats_nan_as_unknown():
    ple = PiecewiseLinearEncoding(
        [torch.tensor([0.0, 1.0]), torch.tensor([0.0, 1.0])], missing=True
    )
    assert ple(torch.tensor([[NAN, 0.5]])).tolist() == [[0.0, 0.5, 1.0, 0.0]]


def test_quantile_bins_merge_and_survive_constants():
    x = torch.tensor([[0.0, 1.0, NAN], [0.0, 2.0, 4.0], [0.0, 3.0, 5.0], [0.0, 3.0, NAN]])
    edges = quantile_bins(x, 3)
    assert [len(e) for e in edges] == [2, 3, 2]
    assert all((e.diff() > 0).all() for e in edges)
    encoded = PiecewiseLinearEncoding(edges, bounded=True)(x)
    assert torch.isfinite(encoded).all() and encoded.min() >= 0 and encoded.max() <= 1


def test_bad_edges_and_values_are_refused():
    with pytest.raises(ValueError, match="feature 1 needs at least two growing edges"):
        PiecewiseLinearEncoding([torch.tensor([0.0, 1.0]), torch.tensor([1.0, 1.0])])
    with pytest.raises(ValueError, match="feature 1 has an infinite value"):
        quantile_bins(torch.tensor([[1.0, float("inf")]]), 2)
    with pytest.raises(ValueError, match="feature 0 has no known value"):
        quantile_bins(torch.tensor([[NAN]]), 2)


def test_standardized():
    x = torch.tensor([[1.0, 5.0], [3.0, NAN], [5.0, 5.0]])
    out = Standardized(x)(torch.tensor([[3.0, NAN], [1e9, 5.0]]))
    assert out.tolist() == [[0.0, 0.0, 0.0, 1.0], [10.0, 0.0, 0.0, 0.0]]


@pytest.mark.parametrize("rank", [None, 2])
def test_cross_network_equals_float64_brute_force(rank):
    torch.manual_seed(0)
    net = CrossNetwork(5, n_layers=3, rank=rank).double()
    x0 = torch.randn(7, 5, dtype=torch.float64)
    x = x0.clone()
    for layer in net.weights:
        if rank is None:
            weight, bias = layer.weight, layer.bias
        else:
            weight, bias = layer[1].weight @ layer[0].weight, layer[1].bias
        step = torch.empty_like(x)
        for b, i in itertools.product(range(7), range(5)):
            wx = sum(weight[i, j] * x[b, j] for j in range(5)) + bias[i]
            step[b, i] = x0[b, i] * wx + x[b, i]
        x = step
    assert torch.allclose(net(x0), x)


def test_a_cross_vector_is_a_cross_matrix_of_equal_rows():
    torch.manual_seed(0)
    vector, matrix = CrossVector(5, n_layers=3).double(), CrossNetwork(5, n_layers=3).double()
    for mine, weight in zip(matrix.weights, vector.weights, strict=True):
        mine.weight.data = weight.weight.data.expand(5, 5)
        nn.init.zeros_(mine.bias)
    x0 = torch.randn(7, 5, dtype=torch.float64)
    assert torch.allclose(vector(x0), matrix(x0))
    ratio = vector(x0) / x0
    assert torch.allclose(ratio, ratio[:, :1].expand(7, 5)), "the input, times a number"
    vector.biases.data[1] = 2
    by_hand = x0 * (1 + x0 @ vector.weights[0].weight.data.T)
    by_hand = x0 * (by_hand @ vector.weights[1].weight.data.T) + 2 + by_hand
    by_hand = x0 * (by_hand @ vector.weights[2].weight.data.T) + by_hand
    assert torch.allclose(vector(x0), by_hand)


def test_cross_network_has_degree_layers_plus_one():
    """Along a line, an L-layer cross network is a polynomial of degree L + 1 and no less."""
    torch.manual_seed(0)
    t = torch.linspace(-1, 1, 9, dtype=torch.float64)
    for layers in (1, 2, 3):
        net = CrossNetwork(4, layers).double()
        values = net(t[:, None] * torch.randn(4, dtype=torch.float64))[:, 0]
        differences = values
        for _ in range(layers + 1):
            differences = differences.diff()
        assert differences.abs().min() > 1e-9
        assert differences.diff().abs().max() < 1e-12


def test_unified_embedding_shares_one_table_between_features():
    table = UnifiedEmbedding(50, 3, n_features=2, n_hashes=2)
    ids = torch.tensor([[4, 4], [9, 1]])
    rows = table.rows(ids)
    out = table(ids)
    assert out.shape == (2, 2, 6) and table.out_features == 12
    assert torch.equal(out[1, 0], table.table.weight[rows[1, 0]].flatten())
    assert not torch.equal(rows[0, 0], rows[0, 1]), "the same value of two features differs"
    assert rows.min() >= 0 and rows.max() < 50
    assert (table(torch.tensor([[0, 3]]))[0, 0] == 0).all(), "0 stands for unknown"


def test_hashes_are_independent_and_uniform():
    table = UnifiedEmbedding(100, 1, n_features=1, n_hashes=2, seed=3)
    rows = table.rows(torch.arange(20_000)[:, None])[:, 0]
    counts = torch.bincount(rows[:, 0], minlength=100)
    assert counts.min() > 120 and counts.max() < 280
    joint = torch.zeros(100, 100).index_put_(
        (rows[:, 0], rows[:, 1]), torch.ones(1), accumulate=True
    )
    statistic = ((joint - 2) ** 2 / 2).sum()
    assert statistic < 1.2 * 100 * 100, "pairs of rows are as even as chance makes them"


def test_ids_out_of_range_are_refused():
    table = UnifiedEmbedding(10, 2, 1)
    for bad in (-1, 2**31 - 1):
        with pytest.raises(ValueError, match="ids must lie in"):
            table(torch.tensor([[bad]]))


def test_separate_embeddings():
    tables = SeparateEmbeddings([5, 7], dim=3)
    assert tables(torch.tensor([[1, 2], [3, 4]])).shape == (2, 2, 3)
    assert tables.out_features == 6
    twice = SeparateEmbeddings([50, 70], dim=3, n_hashes=2)
    ids = torch.tensor([[1, 2], [3, 4]])
    out, rows = twice(ids), twice.tables[1].rows(ids[:, 1:])
    assert out.shape == (2, 2, 6) and twice.out_features == 12
    assert torch.equal(out[1, 1], twice.tables[1].table.weight[rows[1, 0]].flatten())


@pytest.mark.parametrize("with_ids", [True, False])
@pytest.mark.parametrize("stacked", [True, False])
@pytest.mark.parametrize("cross", [None, CrossVector, CrossNetwork, CrossMixture])
@pytest.mark.parametrize("deep", [None, lambda d: ResNet(d, [7]), lambda d: DenseNet(d, [5, 4])])
def test_ranker_gives_one_logit_a_row(with_ids, stacked, cross, deep):
    numbers = torch.randn(6, 4)
    embedding = UnifiedEmbedding(20, 4, 2) if with_ids else None
    ranker = DCNv2(embedding, Standardized(numbers), 9, cross, deep, stacked)
    logits = ranker(torch.randint(0, 9, (6, 2)), numbers)
    assert logits.shape == (6,)
    logits.sum().backward()
    assert all(p.grad is not None for p in ranker.parameters())


def test_mlp_ends_with_relu():
    out = MLP(3, [5, 4], dropout=0.5)(torch.randn(10, 3))
    assert out.shape == (10, 4) and out.min() >= 0


def test_target_attention_ignores_what_is_masked():
    torch.manual_seed(0)
    attention = TargetAttention(8, length=4, n_heads=2)
    candidate, plays = torch.randn(3, 8), torch.randn(3, 4, 8)
    finished, mask = torch.ones(3, 4), torch.tensor([[True, True, False, False]]).expand(3, 4)
    out = attention(candidate, plays, finished, mask)
    other = torch.where(mask.unsqueeze(2), plays, 100.0)
    assert torch.equal(out, attention(candidate, other, finished, mask))
    weights = attention.weights(candidate, attention.memory(plays, finished), mask)
    assert weights.shape == (3, 2, 5)
    assert torch.allclose(weights.sum(-1), torch.ones(3, 2))
    assert (weights[:, :, 3:] == 0).all()
    empty = attention(candidate, plays, finished, torch.zeros(3, 4, dtype=torch.bool))
    assert torch.isfinite(empty).all(), "an empty history has an answer too"


def test_the_decay_of_ids_leaves_target_attention_alone():
    assert not train.embedding_tables(TargetAttention(8, length=4, n_heads=2, n_ages=5))


def test_target_attention_equals_brute_force():
    torch.manual_seed(0)
    attention = TargetAttention(4, length=3, n_heads=1).double()
    candidate, plays = torch.randn(1, 4).double(), torch.randn(1, 3, 4).double()
    finished, mask = torch.tensor([[1.0, 0.0, 1.0]]), torch.ones(1, 3, dtype=torch.bool)
    action = attention.action[finished[0].long()]
    read = [torch.zeros(4).double(), *(plays[0] + action + attention.place)]
    query = attention.query(candidate[0])
    scores = torch.stack([query @ attention.key(m) / 2 for m in read])
    value = sum(w * attention.value(m) for w, m in zip(scores.softmax(0), read, strict=True))
    assert torch.allclose(attention(candidate, plays, finished, mask)[0], attention.out(value))


def test_history_ranker_and_histories():
    past = Histories(
        item=torch.tensor([5, 6, 7, 8]),
        finished=torch.tensor([1.0, 0.0, 1.0, 1.0]),
        time=torch.tensor([1, 2, 3, 1]),
        start=torch.tensor([0, 3, 0, 0]),
        end=torch.tensor([0, 3, 1, 2]),
    )
    seen = past.last(torch.tensor([0, 1, 2, 3]), 3)
    assert seen["item"].tolist() == [[0, 0, 0], [0, 0, 0], [5, 0, 0], [6, 5, 0]]
    assert seen["mask"].sum(1).tolist() == [0, 0, 1, 2]
    numbers = torch.randn(4, 2)
    ids, track = torch.tensor([[1, 2, 2]] * 4), torch.tensor([2] * 4)
    known = torch.stack([torch.arange(9), torch.arange(9) // 2], dim=1)
    ago = torch.tensor([[0.0, 60.0, 1e9]] * 4)
    heard = torch.randn(9, 5)
    kinds = [(known, heard, 3), (known, heard, 0), (known, None, 3), (None, heard, 0)]
    for of_track, content, length in kinds:
        model = DCNv2WithHistory(
            None, Standardized(numbers), of_track, content, length, dim=8, n_rows=30, dropout=0.5
        )
        logits = model(ids, numbers, track, seen["item"], seen["finished"], seen["mask"], ago)
        assert logits.shape == (4,)
        logits.sum().backward()
        unused = {name for name, p in model.named_parameters() if p.grad is None}
        assert not unused
    with pytest.raises(ValueError, match="a track needs a vector"):
        DCNv2WithHistory(None, Standardized(numbers), None)


@pytest.mark.parametrize(("n_shared", "n_own", "levels"), [(1, 1, 2), (3, 0, 1), (2, 2, 3)])
def test_progressive_extraction_equals_brute_force(n_shared, n_own, levels):
    torch.manual_seed(0)
    numbers = torch.randn(5, 4)
    scale = Standardized(numbers)
    model = ProgressiveExtraction(scale, 2, n_shared, n_own, [[6, 3]] * levels)
    for row, found in zip(numbers, model(numbers), strict=True):
        states = [scale(row[None])[0]] * 3
        for level in model.levels:
            *own, shared = [
                [expert(x) for expert in group]
                for group, x in zip(level.experts, states, strict=True)
            ]
            reads = [own[0] + shared, own[1] + shared, own[0] + own[1] + shared]
            states = [
                sum(w * e for w, e in zip(gate(x).softmax(0), read, strict=True))
                for gate, x, read in zip(level.gates, states, reads, strict=False)
            ]
        wanted = torch.cat([head(x) for head, x in zip(model.heads, states, strict=True)])
        assert torch.allclose(found, wanted, atol=1e-5)
    model(numbers).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
