"""A catalogue of millions: the sampler, the row-wise optimiser, short codes, two processes."""

from __future__ import annotations

import faiss
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_utils.models.retrieval import million_items
from course_utils.models.retrieval.index import AugmentedHNSW, augmented, exact
from course_utils.models.retrieval.losses import SampledSoftmax
from course_utils.models.retrieval.million_items import (
    IVFPQ,
    ProductQuantizer,
    RowwiseAdagrad,
    Sampler,
    TrackTable,
    quantize_rows,
    state_bytes,
    train_in_processes,
    train_share,
)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def lookups(n=7, steps=6):
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(n, (5,), generator=generator) for _ in range(steps)]


def trained(make, weight, sparse, target):
    """The table after some steps towards rows of another table, and its optimiser."""
    table = nn.Embedding.from_pretrained(weight.clone(), freeze=False, sparse=sparse)
    optimizer = make(table.parameters())
    for rows in lookups(len(weight)):
        optimizer.zero_grad()
        (table(rows) - target[rows]).square().sum().backward()
        optimizer.step()
    return table.weight.detach(), optimizer


# Drawing


def test_a_sampler_draws_by_counts_to_a_power():
    counts = torch.tensor([0.0, 1, 4, 16, 0, 100, 0])
    sampler = Sampler(counts, power=0.5)
    found = sampler.draw(200_000, torch.Generator().manual_seed(0)).bincount(minlength=7) / 200_000
    wanted = counts.sqrt() / counts.sqrt().sum()
    assert torch.allclose(found, wanted, atol=0.005)
    assert torch.equal(found[counts == 0], torch.zeros(3)), "what has no count is never drawn"
    assert torch.allclose(sampler.log_q.exp().float(), wanted)


def test_the_ends_of_the_interval_are_tracks(monkeypatch):
    sampler = Sampler(torch.tensor([0.0, 3, 1, 0]))
    for uniform, track in ((0.0, 1), (0.7499, 1), (0.7501, 2), (np.nextafter(1, 0), 2)):
        value = torch.tensor([uniform], dtype=torch.float64)
        monkeypatch.setattr(torch, "rand", lambda *_, value=value, **__: value)
        assert sampler.draw(1).tolist() == [track]


def test_a_sparse_gradient_is_the_dense_one_and_touches_what_was_looked_up():
    counts = torch.arange(1, 41).float()
    model = TrackTable(40, 8)
    history = torch.randint(40, (6, 3))
    batch = {"history": history, "mask": history > 5, "target": torch.tensor([1, 2, 3, 3, 5, 39])}
    negatives = torch.tensor([3, 39, 7, 7, 0])
    dense = TrackTable(40, 8, sparse=False)
    dense.load_state_dict(model.state_dict())
    loss = SampledSoftmax(counts, 5, 0.5, draw=lambda n: negatives[:n])
    for one in (model, dense):
        loss(one, batch).backward()
    gradient = model.table.weight.grad
    assert gradient.is_sparse
    assert torch.allclose(gradient.to_dense(), dense.table.weight.grad, atol=1e-7)
    touched = set(gradient.coalesce().indices()[0].tolist())
    assert touched <= {*history.flatten().tolist(), *batch["target"].tolist(), *negatives.tolist()}


def test_torch_refuses_more_categories_than_the_notebook_says():
    with pytest.raises(RuntimeError, match=r"2\^24"):
        torch.multinomial(torch.ones(2**24 + 1), 1)


# Row-wise Adagrad


@pytest.mark.parametrize("sparse", [False, True])
def test_row_wise_adagrad_is_what_loops_make_of_it(sparse):
    weight, target, lr = drawn(7, 3).double(), drawn(7, 3, seed=2).double(), 0.3
    found, _ = trained(lambda p: RowwiseAdagrad(p, lr=lr), weight, sparse, target)
    wanted, state = weight.numpy().copy(), np.zeros(7)
    for rows in lookups():
        gradient = np.zeros_like(wanted)
        for row in rows.tolist():
            gradient[row] += 2 * (wanted[row] - target[row].numpy())
        for row in set(rows.tolist()):
            state[row] += (gradient[row] ** 2).mean()
            wanted[row] -= lr * gradient[row] / (np.sqrt(state[row]) + 1e-10)
    assert np.allclose(found.numpy(), wanted, atol=1e-12)


@pytest.mark.parametrize("sparse", [False, True])
def test_with_rows_of_one_number_it_is_adagrad(sparse):
    weight, target = drawn(7, 1), drawn(7, 1, seed=2)
    ours, _ = trained(lambda p: RowwiseAdagrad(p, lr=0.3), weight, sparse, target)
    theirs, _ = trained(lambda p: torch.optim.Adagrad(p, lr=0.3), weight, sparse, target)
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_rows_without_a_gradient_stay():
    weight = drawn(9, 4)
    for sparse in (False, True):
        table = nn.Embedding.from_pretrained(weight.clone(), freeze=False, sparse=sparse)
        optimizer = RowwiseAdagrad(table.parameters())
        optimizer.step()  # no gradient at all yet
        table(torch.tensor([2, 2, 5])).sum().backward()
        optimizer.step()
        moved = (table.weight != weight).any(dim=1)
        assert moved.nonzero()[:, 0].tolist() == [2, 5]


@pytest.mark.parametrize(
    ("make", "sparse", "numbers"),
    [
        (torch.optim.Adam, False, 2 * 50 * 8),
        (torch.optim.SparseAdam, True, 2 * 50 * 8),
        (torch.optim.Adagrad, True, 50 * 8),
        (RowwiseAdagrad, True, 50),
        (RowwiseAdagrad, False, 50),
    ],
)
def test_an_optimiser_holds_what_the_arithmetic_says(make, sparse, numbers):
    _, optimizer = trained(lambda p: make(p, lr=0.1), drawn(50, 8), sparse, drawn(50, 8))
    assert state_bytes(optimizer) == 4 * numbers


# Short codes


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1_000), st.integers(2, 8), st.floats(1e-6, 1e6))
def test_no_error_exceeds_half_a_scale(seed, bits, size):
    table = drawn(5, 6, seed=seed) * size
    codes, scale = quantize_rows(table, bits)
    assert codes.dtype == torch.int8 and scale.shape == (5, 1)
    assert (codes.abs().amax(dim=1) == 2 ** (bits - 1) - 1).all(), "every row uses its range"
    assert ((codes * scale - table).abs() <= scale * 0.5001).all()


def test_a_row_of_zeros_has_codes_of_zero():
    codes, scale = quantize_rows(torch.zeros(2, 3))
    assert not codes.any() and torch.isfinite(scale).all()


@pytest.mark.parametrize("pieces", [2, 4])
def test_lookups_are_faiss_and_are_products_with_what_the_codes_stand_for(pieces):
    vectors, queries = drawn(2_000, 8), drawn(5, 8, seed=3)
    ours = ProductQuantizer(vectors[:1_000], pieces, centres=256, rounds=3)
    codes = ours.encode(vectors, at_once=300)
    assert codes.dtype == torch.uint8 and codes.shape == (2_000, pieces)
    theirs = faiss.IndexPQ(8, pieces, 8, faiss.METRIC_INNER_PRODUCT)
    theirs.train(vectors[:1_000].numpy())
    faiss.copy_array_to_vector(ours.centres.numpy().ravel(), theirs.pq.centroids)
    theirs.add(vectors.numpy())
    assert np.array_equal(faiss.vector_to_array(theirs.codes).reshape(-1, pieces), codes.numpy())
    best, _ = theirs.search(queries.numpy(), 10)
    rebuilt = torch.from_numpy(theirs.reconstruct_n(0, 2_000))
    for query, products in zip(queries, best, strict=True):
        found = ours.products(query, codes)
        assert torch.allclose(found, rebuilt @ query, atol=1e-5)
        assert np.allclose(found.topk(10).values.numpy(), products, atol=1e-5)


def test_more_rounds_bring_the_centres_nearer():
    vectors = drawn(3_000, 8)
    errors = []
    for rounds in (0, 1, 5):
        quantizer = ProductQuantizer(vectors, 4, centres=16, rounds=rounds)
        codes = quantizer.encode(vectors).int()
        rebuilt = torch.cat([quantizer.centres[m][codes[:, m]] for m in range(4)], dim=1)
        errors.append((rebuilt - vectors).square().sum().item())
    assert errors == sorted(errors, reverse=True) and len(set(errors)) == 3


# Indexes


def test_an_inverted_file_of_codes_finds_more_in_more_cells():
    vectors, queries = drawn(4_000, 8), drawn(20, 8, seed=3)
    right = exact(vectors).search(queries, 10)
    index, shares = IVFPQ(vectors, 8, 4), []
    for cells in (1, 8):
        index.probe(cells)
        found = index.search(queries, 10)
        shares.append((right[:, :, None] == found[:, None]).any(dim=2).float().mean().item())
    assert shares[0] < shares[1] and shares[1] > 0.5
    assert index.megabytes < exact(vectors).megabytes


def test_the_nearest_of_the_augmented_has_the_largest_product():
    vectors = drawn(300, 8) * torch.rand(300, 1, generator=torch.Generator().manual_seed(5))
    queries, long = drawn(20, 8, seed=3), augmented(vectors)
    assert torch.allclose(long.norm(dim=1), vectors.norm(dim=1).max().expand(300), atol=1e-5)
    flat = torch.cat([queries, torch.zeros(20, 1)], dim=1)
    nearest = torch.cdist(flat.double(), long.double()).argsort(dim=1)
    products = (queries.double() @ vectors.double().T).argsort(dim=1, descending=True)
    assert torch.equal(nearest[:, :10], products[:, :10])
    walk = AugmentedHNSW(vectors, links=8, construction=40)
    walk.probe(300)
    assert torch.equal(walk.search(queries, 10), products[:, :10])


# Several processes


def given_batches():
    generator = torch.Generator().manual_seed(4)
    sizes = (12, 12, 7)
    return [tuple(torch.randint(40, (n,), generator=generator) for n in sizes) for _ in range(3)]


def test_two_processes_learn_what_one_learns():
    table = drawn(40, 4)
    alone, together = (how(table, given_batches()) for how in (train_share, train_in_processes))
    assert torch.allclose(alone, together, atol=1e-6) and not torch.equal(alone, table)


def test_one_process_is_plain_gradient_descent():
    table, (batch, *_) = drawn(40, 4), given_batches()
    weight = table.double().requires_grad_()
    played, target, negatives = batch
    total = 0.0
    for p, t in zip(played, target, strict=True):
        logits = torch.stack([weight[p] @ weight[t], *(weight[p] @ weight[n] for n in negatives)])
        total = total - logits.log_softmax(dim=0)[0] / len(played)
    total.backward()
    assert torch.allclose(train_share(table, [batch]).double(), table - weight.grad, atol=1e-6)


def test_processes_that_take_too_long_are_ended(monkeypatch):
    monkeypatch.setattr(million_items, "SECONDS_TO_MEET", 0)
    with pytest.raises(TimeoutError, match="did not finish"):
        train_in_processes(drawn(4, 2), [])
