"""FM and its family against sums written out in float64; numerical encodings case by case."""

from __future__ import annotations

import itertools

import pytest
import torch

from course_utils import train
from course_utils.models.ranking.dcn_v2 import CrossMixture, DenseNet, ResNet
from course_utils.models.ranking.fm_ffm import (
    FactorizationMachine,
    FieldAwareFM,
    FieldEmbedding,
    LogisticRegression,
    pairwise_products,
)
from course_utils.models.ranking.ple import (
    OneHotBins,
    Periodic,
    PiecewiseLinearEncoding,
    QuantileTransform,
    Standardized,
    quantile_bins,
    signed_log1p,
    tree_bins,
)
from course_utils.models.ranking.wide_deep_deepfm import (
    DLRM,
    CrossedLogisticRegression,
    Crosses,
    DeepFM,
    HashedCrosses,
    MLPRanker,
    PairKeys,
    WideAndDeep,
)

NAN = float("nan")
N_VALUES, PAIRS = {"listener": 5, "track": 7}, [("listener", "track")]


@pytest.fixture
def batch():
    torch.manual_seed(0)
    ids = torch.stack([torch.randint(0, n, (40,)) for n in N_VALUES.values()], dim=1)
    numbers = torch.randn(40, 3)
    numbers[::7, 1] = NAN
    return {"ids": ids, "numbers": numbers}


def encoder(numbers):
    return PiecewiseLinearEncoding(quantile_bins(numbers, 4), bounded=True, missing=True)


def every_pair():
    grid = torch.cartesian_prod(*(torch.arange(n) for n in N_VALUES.values()))
    return Crosses(N_VALUES, PAIRS, grid)


RANKERS = {
    "LogisticRegression": lambda e: LogisticRegression(N_VALUES, e),
    "CrossedLogisticRegression": lambda e: CrossedLogisticRegression(N_VALUES, e, every_pair()),
    "FactorizationMachine": lambda e: FactorizationMachine(N_VALUES, e, dim=4),
    "FieldAwareFM": lambda e: FieldAwareFM(N_VALUES, e, dim=2),
    "MLPRanker": lambda e: MLPRanker(N_VALUES, e, hidden=(8,)),
    "WideAndDeep": lambda e: WideAndDeep(N_VALUES, e, every_pair(), hidden=(8,)),
    "DeepFM": lambda e: DeepFM(N_VALUES, e, dim=4, hidden=(8,)),
    "DLRM": lambda e: DLRM(N_VALUES, e, dim=4, bottom=(6,), top=(8,)),
}


@pytest.mark.parametrize("name", RANKERS)
def test_every_ranker_has_one_signature_and_trains_all_its_parameters(name, batch):
    torch.manual_seed(0)
    model = RANKERS[name](encoder(batch["numbers"]))
    logits = model(**batch)
    assert logits.shape == (40,) and torch.isfinite(logits).all()
    logits.square().sum().backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("name", ["LogisticRegression", "FactorizationMachine", "DeepFM"])
def test_rankers_work_on_ids_alone(name, batch):
    assert RANKERS[name](None)(**batch).shape == (40,)


@pytest.mark.parametrize("name", RANKERS)
def test_every_ranker_encodes_the_numbers_once(name, batch):
    class Counted(PiecewiseLinearEncoding):
        calls = 0

        def forward(self, x):
            Counted.calls += 1
            return super().forward(x)

    edges = quantile_bins(batch["numbers"], 4)
    RANKERS[name](Counted(edges, bounded=True, missing=True))(**batch)
    assert Counted.calls == 1


@pytest.mark.parametrize("hashed", [False, True])
def test_crosses_go_by_the_names_of_the_fields(hashed):
    ids = torch.tensor([[3, 9, 5], [0, 9, 5], [3, 9, 0]])
    n_values, pair = {"listener": 4, "track": 10, "artist": 6}, ("listener", "artist")
    turned = {name: n_values[name] for name in ("artist", "listener")}
    rows, other_rows = (8, 8) if hashed else (ids, ids[:, [2, 0]])
    make = HashedCrosses if hashed else Crosses
    one, other = make(n_values, [pair], rows), make(turned, [pair], other_rows)
    for crosses in (one, other):
        table = crosses.weights.table.weight if hashed else crosses.weights.weight[1:]
        torch.nn.init.ones_(table.detach())
    assert one(ids).tolist() == other(ids[:, [2, 0]]).tolist() == [1, 0, 0]
    with pytest.raises(ValueError, match="album"):
        make({"listener": 4}, [("listener", "album")], rows)


def test_a_field_vector_is_a_sum_of_its_codes(batch):
    torch.manual_seed(1)
    codes = encoder(batch["numbers"])
    fields = FieldEmbedding(N_VALUES, codes, dim=6)
    e = codes(batch["numbers"])
    out = fields(batch["ids"], e)
    assert out.shape == (40, 5, 6)
    for row, j in itertools.product(range(40), range(3)):
        own = (codes.owner == j).nonzero().flatten()
        expected = e[row, own] @ fields.vectors[(codes.owner[fields.order] == j)]
        assert torch.allclose(out[row, 2 + j], expected, atol=1e-6)
    assert (out[batch["ids"][:, 0] == 0, 0] == 0).all(), "an unknown id has the zero vector"


def test_fm_equals_the_double_sum(batch):
    torch.manual_seed(2)
    model = FactorizationMachine(N_VALUES, encoder(batch["numbers"]), dim=4).double()
    batch["numbers"] = batch["numbers"].double()
    codes = model.encoder(batch["numbers"])
    v = model.vectors(batch["ids"], codes)
    pairs = sum(
        (v[:, i] * v[:, j]).sum(dim=1) for i, j in itertools.combinations(range(v.shape[1]), 2)
    )
    linear = model.linear.bias + model.linear.weights(batch["ids"], codes).sum(dim=(1, 2))
    assert torch.allclose(model(**batch), linear + pairs)
    assert torch.allclose(pairwise_products(v), pairs)


def test_ffm_equals_the_double_sum(batch):
    torch.manual_seed(3)
    model = FieldAwareFM(N_VALUES, encoder(batch["numbers"]), dim=2).double()
    batch["numbers"] = batch["numbers"].double()
    codes = model.encoder(batch["numbers"])
    v = model.vectors(batch["ids"], codes).unflatten(2, (5, 2))
    pairs = sum(
        (v[:, i, j] * v[:, j, i]).sum(dim=1) for i, j in itertools.combinations(range(5), 2)
    )
    assert torch.allclose(model(**batch), model.linear(**batch) + pairs)


def test_pairs_have_keys_of_their_own_across_all_crosses():
    n_values = {"listener": 4, "track": 7, "artist": 3}
    keys = PairKeys(n_values, [("listener", "track"), ("listener", "artist"), ("artist", "track")])
    grid = torch.cartesian_prod(*(torch.arange(n) for n in n_values.values()))
    found = keys(grid)
    assert ((found == 0) == (grid[:, [[0, 1], [0, 2], [2, 1]]] == 0).any(dim=2)).all()
    assert len(found.unique()) == 1 + 3 * 6 + 3 * 2 + 2 * 6
    large = PairKeys({"listener": 10**6, "track": 10**7}, PAIRS)
    last = torch.tensor([[10**6 - 1, 10**7 - 1], [10**6 - 1, 10**7 - 2]])
    assert large(last).flatten().tolist() == [10**13 - 1, 10**13 - 2]


def test_exact_crosses_have_a_weight_for_each_seen_pair_and_zero_for_all_others(batch):
    seen = torch.tensor([[1, 2], [1, 2], [3, 2], [4, 6], [0, 5], [2, 0]])
    crosses = Crosses(N_VALUES, PAIRS, seen)
    torch.nn.init.normal_(crosses.weights.weight)
    with torch.no_grad():
        crosses.weights.weight[0] = 0
    grid = torch.cartesian_prod(*(torch.arange(n) for n in N_VALUES.values()))
    weights = crosses(grid).detach()
    met = torch.tensor([pair in ([1, 2], [3, 2], [4, 6]) for pair in grid.tolist()])
    assert (weights[~met] == 0).all() and len(weights[met].unique()) == 3
    assert torch.equal(crosses.rows(grid)[:, 0] > 0, met)
    assert Crosses(N_VALUES, PAIRS, seen[:0])(grid).eq(0).all(), "no pair seen at all"


def test_training_moves_the_weights_of_seen_pairs_and_leaves_zero_for_new_ones():
    ids = torch.tensor([[1, 2], [3, 2]])
    data = {"ids": ids, "numbers": torch.empty(2, 0), "target": torch.tensor([1.0, 0.0])}
    model = CrossedLogisticRegression(N_VALUES, None, Crosses(N_VALUES, PAIRS, ids))
    train.fit(model, data, data, epochs=3, embedding_decay=1.0, progress=False)
    found = model.crosses(torch.tensor([[1, 2], [3, 2], [1, 1]])).tolist()
    assert found[0] > 0 > found[1] and found[2] == 0


def test_hashed_crosses_share_rows_as_by_chance():
    n_rows, n_values = 2_000, {"listener": 40, "track": 100}
    crosses = HashedCrosses(n_values, PAIRS, n_rows)
    torch.nn.init.ones_(crosses.weights.table.weight)
    grid = torch.cartesian_prod(torch.arange(40), torch.arange(100))
    known = (grid > 0).all(dim=1)
    assert torch.equal(crosses(grid), known.float())
    taken = len(crosses.rows(grid[known]).unique())
    expected = n_rows * (1 - (1 - 1 / n_rows) ** int(known.sum()))
    assert abs(taken - expected) < 60  # three standard deviations are less than 60


def test_dlrm_multiplies_all_pairs_once(batch):
    model = DLRM(N_VALUES, encoder(batch["numbers"]), dim=4)
    v = torch.randn(6, 3, 4)
    expected = torch.stack([(v[:, i] * v[:, j]).sum(1) for i, j in [(1, 0), (2, 0), (2, 1)]], dim=1)
    assert torch.allclose(model.interact(v), expected)


def test_the_cross_mixture_equals_float64_brute_force():
    torch.manual_seed(0)
    net = CrossMixture(5, n_layers=2, rank=3, n_experts=2).double()
    x0 = torch.randn(7, 5, dtype=torch.float64)
    x = x0
    for layer in range(2):
        gates = (x @ net.gates[layer].weight.T).softmax(dim=1)
        out = x
        for i in range(2):
            inner = torch.tanh(torch.tanh(x @ net.v[layer, i]) @ net.c[layer, i])
            expert = x0 * (inner @ net.u[layer, i] + net.bias[layer])
            out = out + gates[:, i : i + 1] * expert
        x = out
    assert torch.allclose(net(x0), x)


def test_residual_and_dense_blocks():
    torch.manual_seed(0)
    x = torch.randn(4, 6)
    resnet, dense = ResNet(6, [3]), DenseNet(6, [3, 5])
    first = resnet.blocks[0]
    inner = torch.relu(x @ first[0].weight.T + first[0].bias)
    expected = torch.relu(x + inner @ first[2].weight.T + first[2].bias)
    assert torch.allclose(resnet(x), expected)
    out = dense(x)
    assert out.shape == (4, 14) and dense.out_features == 14
    assert torch.equal(out[:, :6], x), "everything before is kept"


# Numerical encodings


def test_log_and_sigmoid_squash_outliers_and_keep_the_order():
    x = torch.tensor([[-5.0], [0.0], [1.0], [10.0], [1e6]])
    squeezed = torch.tensor([-1.7918, 0, 0.6931, 2.3979, 13.8155])
    assert torch.allclose(signed_log1p(x)[:, 0], squeezed, atol=1e-4)
    for encoding in (Standardized(x, signed_log1p), Standardized(x, after=torch.sigmoid)):
        codes = encoding(x)[:, 0]
        assert (codes.diff() >= 0).all() and torch.isfinite(codes).all()
    assert codes.min() >= 0 and codes.max() <= 1


def test_the_quantile_transform_is_the_empirical_distribution():
    torch.manual_seed(0)
    x = torch.rand(10_001, 1).pow(4) * 100
    place = QuantileTransform(quantile_bins(x, 200))(x)[:, 0]
    rank = x[:, 0].argsort().argsort() / 10_000
    assert (place - rank).abs().max() < 0.01
    unknown = QuantileTransform(quantile_bins(x, 4))(torch.tensor([[NAN]]))
    assert unknown.tolist() == [[0.5, 1.0]]


def test_one_hot_bins():
    codes = OneHotBins([torch.tensor([0.0, 1.0, 3.0]), torch.tensor([0.0, 1.0])])
    out = codes(torch.tensor([[-9.0, 0.5], [1.0, 7.0], [3.0, NAN]]))
    assert out.tolist() == [[1, 0, 1, 0, 0], [0, 1, 1, 0, 0], [0, 1, 0, 0, 1]]
    assert codes.owner.tolist() == [0, 0, 1, 0, 1]


def test_periodic_codes_are_waves_of_the_scaled_number():
    torch.manual_seed(0)
    values = torch.tensor([[0.0, 2.0], [2.0, 4.0]])
    periodic = Periodic(values, n_frequencies=2)
    out = periodic(torch.tensor([[2.0, NAN]]))[0]
    angle = 2 * torch.pi * periodic.frequencies[0]
    assert torch.allclose(out[:4], torch.cat([angle.cos(), angle.sin()]))
    assert out[4:].tolist() == [0, 0, 0, 0, 0, 1]


def test_tree_bins_cut_where_the_target_changes():
    torch.manual_seed(0)
    x = torch.rand(4_000, 2)
    x[::9, 1] = NAN
    target = ((x[:, 0] > 0.3) & (x[:, 0] < 0.7)).float()
    edges = tree_bins(x, target, n_bins=3)
    assert torch.allclose(edges[0][1:-1], torch.tensor([0.3, 0.7]), atol=5e-3)
    assert len(tree_bins(x, target, n_bins=1)[0]) == 2
    assert all((e.diff() > 0).all() for e in edges)
    with pytest.raises(ValueError, match="no known value"):
        tree_bins(torch.full((5, 1), NAN), torch.zeros(5), 3)


@pytest.mark.parametrize(
    "make",
    [
        lambda x: PiecewiseLinearEncoding(quantile_bins(x, 5), missing=True),
        Standardized,
        lambda x: QuantileTransform(quantile_bins(x, 5)),
        lambda x: OneHotBins(quantile_bins(x, 5)),
        Periodic,
    ],
)
def test_every_code_knows_its_owner(make):
    torch.manual_seed(0)
    x = torch.randn(200, 3)
    encoding = make(x)
    before = encoding(x)
    assert before.shape == (200, encoding.out_features) == (200, len(encoding.owner))
    for j in range(3):
        changed = x.clone()
        changed[:, j] = NAN
        moved = (encoding(changed) != before).any(dim=0)
        assert (encoding.owner[moved] == j).all()
