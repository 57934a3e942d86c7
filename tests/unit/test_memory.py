"""Soft reads, writes, a listener's memory and product keys, against brute force and a package."""

from __future__ import annotations

import pytest
import torch
from product_key_memory import PKM
from torch.nn.functional import cross_entropy

from course_utils.models.sequence.memory import (
    ProductKeyMemory,
    UserMemory,
    product_top_k,
    soft_read,
    write,
)

N = 30


def numbers(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# Reading and writing


@pytest.mark.parametrize("temperature", [0.05, 1.0, 20.0])
def test_a_read_is_a_weighted_mean_of_values(temperature):
    query, keys, values = numbers(4, 3), numbers(6, 3, seed=1), numbers(6, 2, seed=2)
    read, weights = soft_read(query, keys, values, temperature)
    for b in range(4):
        strength = [((query[b] * key).sum() / temperature).exp() for key in keys]
        wanted = sum(s * v for s, v in zip(strength, values, strict=True)) / sum(strength)
        assert torch.allclose(read[b], wanted)
    assert torch.allclose(weights.sum(dim=1), torch.ones(4).double())


def test_a_read_of_one_query_and_of_many_agree():
    query, keys, values = numbers(2, 4, 3), numbers(6, 3, seed=1), numbers(6, 2, seed=2)
    read, weights = soft_read(query, keys, values, 0.5)
    assert read.shape == (2, 4, 2) and weights.shape == (2, 4, 6)
    assert torch.allclose(read[1, 2], soft_read(query[1, 2], keys, values, 0.5)[0])


def test_a_cold_read_is_a_lookup_and_a_hot_one_the_mean():
    query, keys, values = numbers(5, 3), numbers(6, 3, seed=1), numbers(6, 2, seed=2)
    cold, hot = (soft_read(query, keys, values, t)[0] for t in (1e-4, 1e6))
    assert torch.allclose(cold, values[(query @ keys.T).argmax(dim=1)])
    assert torch.allclose(hot, values.mean(dim=0).expand(5, -1), atol=1e-5)


def test_a_write_is_made_of_outer_products_and_erases_first():
    memory, add = numbers(3, 5, 2), numbers(3, 2, seed=1)
    weights, erase = numbers(3, 5, seed=2).softmax(dim=1), numbers(3, 2, seed=3).sigmoid()
    before = memory.clone()
    found = write(memory, weights, erase, add)
    for b in range(3):
        kept = memory[b] * (1 - torch.outer(weights[b], erase[b]))
        assert torch.allclose(found[b], kept + torch.outer(weights[b], add[b]))
    assert torch.equal(memory, before), "the memory that was given is left alone"
    whole, ones = torch.tensor([1.0, 0.0]).double(), torch.ones(2).double()
    assert torch.equal(write(memory[0, :2], whole, ones, add[0])[0], add[0])
    assert torch.equal(write(memory[0, :2], whole, ones, add[0])[1], memory[0, 1])


# A listener's memory


def memory(**options):
    torch.manual_seed(0)
    model = UserMemory(N, dim=8, slots=4, width=6, **options).double().eval()
    with torch.no_grad():
        model.start.normal_()
    return model


def plays(n=5, length=7):
    generator = torch.Generator().manual_seed(1)
    track = torch.randint(1, N, (n, length), generator=generator)
    return track, torch.ones(n, length, dtype=torch.bool)


def test_states_are_what_a_loop_over_slots_and_plays_makes_of_them():
    model, (track, mask) = memory(), plays()
    states = model.states(track, mask)
    for b in range(len(track)):
        content = model.start.clone()
        for t, number in enumerate(track[b]):
            x = model.items.weight[number] * 8**0.5
            strength = torch.stack([(key @ x).exp() for key in model.keys.weight])
            w = strength / strength.sum()
            erase = 1 / (1 + (-(model.erase.weight @ x + model.erase.bias)).exp())
            add = (model.add.weight @ x + model.add.bias).tanh()
            rows = [content[i] * (1 - w[i] * erase) + w[i] * add for i in range(4)]
            content = torch.stack(rows)
            read = sum(w[i] * content[i] for i in range(4))
            wanted = model.out.weight @ torch.cat([read, x]) + model.out.bias
            assert torch.allclose(states[b, t], wanted, atol=1e-10)


def test_the_future_does_not_change_the_past_bit_for_bit():
    model, (track, mask) = memory(), plays()
    other = track.clone()
    other[:, 4:] = N - track[:, 4:]
    found, changed = model.states(track, mask), model.states(other, mask)
    assert torch.equal(found[:, :4], changed[:, :4])
    assert not torch.allclose(found[:, 4:], changed[:, 4:])


def test_padding_on_either_side_says_nothing():
    model, (track, mask) = memory(), plays()
    left, right = torch.zeros(2, 5, 10, dtype=torch.int64), torch.zeros(2, 5, 10, dtype=torch.bool)
    for side, at in enumerate((slice(3, 10), slice(0, 7))):
        left[side][:, at], right[side][:, at] = track, mask
    wanted = model(track, mask)
    for padded, where in zip(left, right, strict=True):
        assert torch.allclose(model(padded, where), wanted, atol=1e-12)
        filled = torch.where(where, padded, torch.randint(1, N, padded.shape))
        assert torch.equal(model(filled, where), model(padded, where))


def test_a_listener_without_plays_has_a_finite_state():
    model, (track, mask) = memory(), plays()
    assert torch.isfinite(model(track, torch.zeros_like(mask))).all()


def test_all_weights_learn_and_dropout_is_for_training_alone():
    model, (track, mask) = memory(dropout=0.5), plays()
    assert torch.equal(model(track, mask), model(track, mask))
    model.train()
    assert not torch.equal(model(track, mask), model(track, mask))
    cross_entropy(model(track, mask) @ model.tracks().T, track[:, 0]).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


# Product keys


def brute(query, keys, k):
    n = keys.shape[1]
    every = torch.cat([keys[0].repeat_interleave(n, dim=0), keys[1].repeat(n, 1)], dim=1)
    return (query @ every.T).topk(k)


@pytest.mark.parametrize(("n", "k"), [(4, 1), (4, 4), (16, 8), (64, 8), (64, 32)])
def test_product_keys_find_the_best_of_all_pairs(n, k):
    query, keys = numbers(50, 12), numbers(2, n, 6, seed=1)
    scores, slots = product_top_k(query, keys, k)
    wanted = brute(query, keys, k)
    assert torch.allclose(scores, wanted.values)
    assert torch.equal(slots, wanted.indices)
    one, some = product_top_k(query[3], keys, k), product_top_k(query.view(5, 10, 12), keys, k)
    assert torch.equal(one[1], slots[3]) and torch.equal(some[1].view(50, k), slots)


def test_fewer_candidates_than_k_miss_some():
    query, keys = numbers(200, 32), numbers(2, 64, 16, seed=1)
    found = product_top_k(query, keys, 8, candidates=4)[1]
    same = (found.sort().values == brute(query, keys, 8).indices.sort().values).all(dim=1)
    assert 0 < same.sum() < 100


@pytest.mark.parametrize(("k", "candidates"), [(5, None), (0, None), (5, 2), (2, 5), (1, 0)])
def test_more_than_there_is_cannot_be_found(k, candidates):
    with pytest.raises(ValueError, match="pairs of 4 × 4"):
        product_top_k(numbers(1, 12), numbers(2, 4, 6), k, candidates)


def layer(norm="layer", **options):
    torch.manual_seed(0)
    return ProductKeyMemory(10, 5, n=8, half=6, k=4, norm=norm, **options)


def test_a_layer_reads_its_best_slots_with_a_softmax_of_them_alone():
    model, x = layer().double(), numbers(7, 10)
    scores, slots = brute(model.norm(model.query(x)), model.keys, 4)
    wanted = (scores.softmax(dim=1).unsqueeze(2) * model.values.weight[slots]).sum(dim=1)
    assert torch.allclose(model(x), wanted)


def test_it_is_what_a_package_computes():
    """With one norm for a half there, the queries are handed over normalised."""
    model, x = layer().double(), numbers(7, 10)
    theirs = PKM(dim=10, heads=1, num_keys=8, topk=4, dim_head=6).double()
    theirs.norm = torch.nn.Identity()
    theirs.to_queries = torch.nn.Sequential(model.query, model.norm)
    theirs.values = model.values
    with torch.no_grad():
        theirs.keys.copy_(model.keys.permute(1, 0, 2).unsqueeze(0))
    assert torch.allclose(theirs(x.unsqueeze(0))[0], model(x), atol=1e-12)


def test_only_rows_that_were_read_get_a_gradient():
    for sparse in (True, False):
        model, x = layer(sparse=sparse), numbers(7, 10).float()
        model(x).square().sum().backward()
        grad = model.values.weight.grad
        assert grad.is_sparse == sparse
        full = grad.to_dense()
        read = torch.zeros(64, dtype=torch.bool)
        read[model.address(x)[1]] = True
        assert torch.equal(full.abs().sum(dim=1) > 0, read)
        assert model.keys.grad.abs().sum() > 0 and model.query.weight.grad.abs().sum() > 0


def test_batch_norm_lets_examples_see_each_other_and_layer_norm_does_not():
    x = numbers(7, 10).float()
    other = torch.cat([x[:1], numbers(6, 10, seed=1).float()])
    assert torch.equal(layer()(x)[0], layer()(other)[0])
    assert not torch.equal(layer("batch")(x)[0], layer("batch")(other)[0])


def test_an_unknown_norm_is_refused():
    with pytest.raises(ValueError, match="norm must be"):
        layer("group")
