"""Encodings of numbers at the edges of floating point: large, tiny, constant, infinite, integer."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeClassifier

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

NAN, INF = float("nan"), float("inf")
quick = settings(max_examples=40, deadline=None, derandomize=True)
numbers32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
numbers64 = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300)
columns = st.one_of(
    st.lists(numbers32, min_size=1, max_size=30).map(torch.tensor),
    st.lists(numbers64, min_size=1, max_size=30).map(
        lambda v: torch.tensor(v, dtype=torch.float64)
    ),
    st.lists(st.integers(-(2**53), 2**53), min_size=1, max_size=30).map(torch.tensor),
)
"""A feature's values: float32 and float64 of any size, and integers."""

ENCODINGS = {
    "PLE": lambda x: PiecewiseLinearEncoding(quantile_bins(x, 5), missing=True),
    "bounded PLE": lambda x: PiecewiseLinearEncoding(quantile_bins(x, 5), bounded=True),
    "standardised": Standardized,
    "log1p": lambda x: Standardized(x, before=signed_log1p),
    "quantile": lambda x: QuantileTransform(quantile_bins(x, 5)),
    "one-hot bins": lambda x: OneHotBins(quantile_bins(x, 5)),
    "periodic": Periodic,
}


@quick
@given(n=st.integers(1, 60), n_bins=st.integers(1, 20))
def test_quantiles_stand_at_the_nearest_rank(n, n_bins):
    """Python's `round` of exact fractions, halves to even: what `quantile_bins` takes."""
    places = {round(Fraction(i * (n - 1), n_bins)) for i in range(n_bins + 1)}
    edges = quantile_bins(torch.arange(n)[:, None].float(), n_bins)[0]
    assert edges.tolist() == (sorted(map(float, places)) if n > 1 else [-1.0, 0.0])


def test_quantiles_of_more_rows_than_float32_can_count():
    n = 20_000_004
    x = torch.arange(n, dtype=torch.int32).double()[:, None]
    wanted = [round(Fraction(i * (n - 1), 7)) for i in range(8)]
    assert quantile_bins(x, 7)[0].long().tolist() == wanted


@quick
@given(columns)
def test_edges_grow_and_reach_the_extremes(x):
    for edges in (quantile_bins(x[:, None], 4)[0], tree_bins(x[:, None], x > x[0], 4, 1)[0]):
        assert len(edges) >= 2 and (edges.diff() > 0).all() and torch.isfinite(edges).all()
        assert edges[-1] == x.max() and edges[0] <= x.min()


@pytest.mark.parametrize("value", [0.0, -1.0, 2.0**24, 2.0**24 + 2, -(2.0**30), 1e38, 1e-42])
@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ENCODINGS)
def test_a_constant_is_encoded_whatever_its_size(name, kind, value):
    x = torch.full((40, 1), value, dtype=kind)
    codes = ENCODINGS[name](x)(x)
    assert torch.isfinite(codes).all() and (codes == codes[0]).all()
    if name in ("standardised", "log1p"):
        assert (codes.abs() < 0.01).all(), "a constant is its own mean"


@quick
@given(x=columns, asked=st.lists(numbers32, min_size=1, max_size=20))
def test_one_bin_holds_each_number_and_it_is_the_bin_between_its_edges(x, asked):
    edges = quantile_bins(x[:, None], 6)[0]
    around = [torch.nextafter(edges, torch.full_like(edges, to)) for to in (-INF, INF)]
    for tried in (x, edges, *around, torch.tensor(asked)):
        codes = OneHotBins([edges])(tried[:, None])[:, :-1]
        assert (codes.sum(dim=1) == 1).all()
        kind = (
            torch.float64
            if edges.dtype == torch.float64
            else torch.promote_types(
                tried.dtype if tried.is_floating_point() else torch.float64, edges.dtype
            )
        )
        place = torch.searchsorted(edges.to(kind)[1:-1], tried.to(kind), right=True)
        assert torch.equal(codes.argmax(dim=1), place)


def test_bins_have_no_gaps_where_left_plus_width_is_not_the_right_edge():
    torch.manual_seed(0)
    edges = (10 * torch.randn(200)).exp().unique()
    assert (edges[:-1] + edges.diff() != edges[1:]).any(), "the case that rounding spoils"
    below = torch.nextafter(edges, torch.tensor(-INF))
    place = OneHotBins([edges])(edges[:, None])[:, :-1].nonzero()[:, 1]
    assert place.tolist() == [*range(len(edges) - 1), len(edges) - 2]
    place = OneHotBins([edges])(below[:, None])[:, :-1].nonzero()[:, 1]
    assert place.tolist() == [0, *range(len(edges) - 1)]


@quick
@given(x=columns, bounded=st.booleans())
def test_ple_is_finite_keeps_the_order_and_fills_the_ends(x, bounded):
    edges = quantile_bins(x[:, None], 5)
    codes = PiecewiseLinearEncoding(edges, bounded=bounded)
    everything = torch.tensor([-INF, *sorted(x.double().tolist()), INF]).double()[:, None]
    out = codes(everything)
    assert out.dtype == torch.float32 and torch.isfinite(out).all()
    assert (out.diff(dim=0) >= 0).all()
    ends = codes(edges[0][[0, -1]][:, None])
    assert (ends[0] == 0).all() and (ends[1] == 1).all()


@quick
@given(columns)
def test_the_quantile_transform_is_0_below_and_1_above(x):
    place = QuantileTransform(quantile_bins(x[:, None], 7))
    out = place(torch.tensor([-INF, x.min().item(), x.max().item(), INF]).double()[:, None])[:, 0]
    assert out.min() == 0 == out[0] and out.max() == 1 == out[-1]
    assert (out.diff() >= 0).all()


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_the_tree_sends_each_number_where_its_own_threshold_does(kind):
    """scikit-learn compares with float64 thresholds, we with edges of the data's own type."""
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.choice(rng.normal(0, 3, 60), 2_000)).float()
    target = (torch.rand(2_000, generator=torch.Generator().manual_seed(0)) < x.sigmoid()).float()
    tree = DecisionTreeClassifier(max_leaf_nodes=8, min_samples_leaf=64, random_state=0)
    tree.fit(x[:, None].numpy(), target.numpy())
    cuts = torch.from_numpy(np.sort(tree.tree_.threshold[tree.tree_.feature >= 0]))
    edges = tree_bins(x[:, None].to(kind), target, 8)[0][1:-1]
    assert len(edges) == len(cuts) == 7
    close = torch.cat([x, cuts.float(), edges.float()])
    close = torch.cat([close, *(torch.nextafter(close, torch.tensor(to)) for to in (-INF, INF))])
    for cut, edge in zip(cuts, edges, strict=True):
        assert torch.equal(close.double() > cut, close.double() >= edge.double())


@pytest.mark.parametrize("scale", [1e-42, 1e-12, 1.0, 1e12, 1e35])
@pytest.mark.parametrize("shift", [0.0, 1.7e9])
def test_tree_and_quantile_bins_do_not_depend_on_the_scale(scale, shift):
    x = torch.arange(400.0).double()[:, None]
    target = ((x[:, 0] >= 100) & (x[:, 0] < 300)).float()
    shift = shift if scale == 1 else 0.0
    for kind in (torch.float32, torch.float64):
        scaled = (x * (128 if shift else 1) * scale + shift).to(kind)
        codes = OneHotBins(tree_bins(scaled, target, 3))(scaled)[:, :-1].argmax(dim=1)
        assert codes.bincount().tolist() == [100, 200, 100]
        codes = OneHotBins(quantile_bins(scaled, 4))(scaled)[:, :-1].argmax(dim=1)
        assert codes.bincount().max() <= 101


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.int64])
@pytest.mark.parametrize(("shift", "scale"), [(1.7e9, 3_000), (1.7e9, 128), (1e6, 2), (-5e8, 64)])
def test_timestamps_are_standardised_without_a_loss(kind, shift, scale):
    rng = np.random.default_rng(0)
    x = torch.from_numpy((shift + scale * rng.normal(size=(5_000, 2))).round()).to(kind)
    exact = x.double().numpy()
    wanted = (exact - exact.mean(axis=0)) / exact.std(axis=0)
    encoding = Standardized(x)
    assert encoding.mean.dtype == torch.float32
    assert np.abs(encoding(x)[:, :2].numpy() - wanted).max() < 2e-5


@pytest.mark.parametrize("scale", [1e-36, 1e-9, 1.0, 1e18, 1e37])
def test_standardising_does_not_depend_on_the_scale(scale):
    x = torch.linspace(-3, 3, 101)[:, None]
    out, plain = Standardized(x * scale)(x * scale), Standardized(x)(x)
    assert torch.allclose(out, plain, atol=1e-5)


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("bad", [INF, -INF])
def test_an_infinite_training_value_is_refused_by_the_number_of_its_feature(name, bad):
    x = torch.randn(30, 3)
    x[7, 1] = bad
    with pytest.raises(ValueError, match="feature 1 has an infinite value; clip it"):
        ENCODINGS[name](x)


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.int64])
def test_codes_are_float32_finite_and_know_what_is_unknown(name, kind):
    torch.manual_seed(0)
    x = (100 * torch.randn(200, 3)).to(kind)
    encoding = ENCODINGS[name](x)
    out = encoding(x)
    assert out.dtype == torch.float32 and out.shape == (200, encoding.out_features)
    assert torch.allclose(out, encoding(x.float()), atol=1e-5), "the same numbers, the same codes"
    asked = torch.tensor([[INF, -INF, NAN], [1e38, -1e38, 0.0]])
    assert torch.isfinite(encoding(asked)).all()
    assert encoding.double()(asked.double()).dtype == torch.float64


@pytest.mark.parametrize("name", sorted(ENCODINGS.keys() - {"PLE"}))
def test_an_infinity_has_the_code_of_the_largest_number(name):
    torch.manual_seed(0)
    encoding = ENCODINGS[name](torch.randn(100, 1))
    largest = torch.finfo(torch.float32).max
    assert torch.equal(encoding(torch.tensor([[INF]])), encoding(torch.tensor([[largest]])))
    assert torch.equal(encoding(torch.tensor([[-INF]])), encoding(torch.tensor([[-largest]])))


def test_numbers_that_span_more_than_float32_can_subtract():
    ends = torch.tensor([-3e38, 0.0, 3e38])
    ple = PiecewiseLinearEncoding([ends[[0, 2]]], bounded=True)
    assert torch.allclose(ple(ends[:, None])[:, 0], torch.tensor([0.0, 0.5, 1.0]))


def test_what_cannot_be_encoded_is_refused():
    with pytest.raises(ValueError, match="0 bins"):
        quantile_bins(torch.randn(5, 2), 0)
    with pytest.raises(ValueError, match="0 bins"):
        tree_bins(torch.randn(5, 2), torch.zeros(5), 0)
    with pytest.raises(ValueError, match=r"need \(N, D\) values"):
        quantile_bins(torch.randn(5), 2)
    for edges in ([0.0, INF], [0.0, NAN], [1.0, 0.0], [1.0]):
        with pytest.raises(ValueError, match="feature 0 needs at least two growing edges"):
            PiecewiseLinearEncoding([torch.tensor(edges)])


def test_what_the_function_before_cannot_take_counts_as_unknown():
    x = torch.tensor([[1.0], [2.0], [4.0], [-1.0]])
    out = Standardized(x, before=torch.log)(x)
    assert out[:, 1].tolist() == [0, 0, 0, 1] and out[3, 0] == 0
    assert all(a < b for a, b in itertools.pairwise(out[:3, 0].tolist()))


def test_bins_that_cannot_be_are_refused():
    values = torch.rand(5, 2)
    for call in (
        lambda: quantile_bins(values, 2.5),
        lambda: quantile_bins(values, 0),
        lambda: quantile_bins(values[:, :0], 2),
        lambda: quantile_bins(values[0], 2),
        lambda: tree_bins(values[:, :0], torch.zeros(5), 2),
        lambda: PiecewiseLinearEncoding([]),
        lambda: OneHotBins([]),
        lambda: QuantileTransform([]),
        lambda: Standardized(values[:, :0]),
        lambda: Periodic(values[:, :0]),
    ):
        with pytest.raises(ValueError, match=r"need \(N, D\)|no feature"):
            call()
