"""Semantic IDs: residual codes, their training, the trie, and the search that spells tracks."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from course_utils.models.generative.semantic_ids import (
    RQVAE,
    GenerativeRetriever,
    Trie,
    as_tokens,
    best_children,
    numbered,
    perplexity,
    quantise,
    residual_kmeans,
    spelling_loss,
)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# Quantisation


def test_residual_kmeans_leaves_less_at_every_depth():
    x = normal(500, 6)
    books = residual_kmeans(x, 8, 4)
    left = (x.unsqueeze(1) - quantise(x, books)[1].cumsum(dim=1)).square().sum(dim=2).mean(dim=0)
    assert books.shape == (4, 8, 6)
    assert all(a > b for a, b in itertools.pairwise([x.square().sum(1).mean(), *left]))


def test_the_same_seed_gives_the_same_books():
    assert torch.equal(
        residual_kmeans(normal(200, 4), 8, 2, 3), residual_kmeans(normal(200, 4), 8, 2, 3)
    )


def test_fewer_vectors_than_codes_are_codes_of_their_own():
    x = normal(5, 3)
    codes, chosen = quantise(x, residual_kmeans(x, 8, 2))
    assert len(codes[:, 0].unique()) == 5
    assert torch.allclose(chosen.sum(dim=1), x, atol=1e-6)


def test_identical_vectors_share_a_tuple_without_error_and_the_extra_code_tells_them_apart():
    x = torch.ones(40, 3)
    codes, chosen = quantise(x, residual_kmeans(x, 4, 3))
    assert len(codes.unique(dim=0)) == 1 and torch.equal(chosen.sum(dim=1), x)
    assert numbered(codes)[:, -1].tolist() == list(range(40))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_vectors_that_are_no_numbers_are_counted_and_refused(bad):
    x = normal(20, 3)
    x[[2, 7], 1] = bad
    with pytest.raises(ValueError, match="2 of 20 vectors hold NaN or infinity"):
        residual_kmeans(x, 4, 2)
    with pytest.raises(ValueError, match="2 of 20 vectors"):
        RQVAE(3, 4, 2, dim=2).codes(x)


def test_no_vectors_and_no_codes_are_refused():
    for x, n_codes, depth in ((normal(0, 3), 4, 1), (normal(3), 4, 1), (normal(9, 3), 0, 1)):
        with pytest.raises(ValueError, match="need"):
            residual_kmeans(x, n_codes, depth)


def test_perplexity_is_over_all_codes():
    codes = torch.tensor([[0, 1], [1, 1], [2, 1], [3, 1]])
    assert torch.allclose(perplexity(codes, 64), torch.tensor([4.0, 1.0]))


def test_the_extra_code_numbers_equal_tuples_in_their_order():
    codes = torch.randint(3, (60, 2), generator=torch.Generator().manual_seed(0))
    seen: dict[tuple, int] = {}
    for row, found in zip(codes.tolist(), numbered(codes).tolist(), strict=True):
        assert found == [*row, seen.get(tuple(row), 0)]
        seen[tuple(row)] = seen.get(tuple(row), 0) + 1


# RQ-VAE


def test_each_term_of_the_loss_moves_its_own_side():
    torch.manual_seed(0)
    model = RQVAE(5, 4, 3, dim=2, hidden=(6,)).double()
    x = normal(7, 5).double()
    z = model.encoder(x)
    model.loss(x).backward()
    of_books = torch.zeros_like(model.books)
    left = z.detach().clone()
    for depth, book in enumerate(model.books.detach()):
        code = torch.cdist(left, book).argmin(dim=1)
        for row, c in enumerate(code.tolist()):
            of_books[depth, c] += 2 * (book[c] - left[row]) / len(x)
        left = left - book[code]
    assert torch.allclose(model.books.grad, of_books, atol=1e-12)


def test_the_encoder_learns_from_reconstruction_and_commitment_alone():
    torch.manual_seed(0)
    model = RQVAE(5, 4, 2, dim=2, hidden=(6,), beta=0.25).double()
    x = normal(7, 5).double()
    (found,) = torch.autograd.grad(model.loss(x), model.encoder[1].bias)
    z = model.encoder(x)
    chosen = quantise(z, model.books)[1].detach()
    q = chosen.sum(dim=1).requires_grad_()
    (slope,) = torch.autograd.grad((x - model.decoder(q)).square().sum() / len(x), q)
    before = chosen.cumsum(dim=1) - chosen
    pull = 0.25 * 2 * (z.detach().unsqueeze(1) - before - chosen).sum(dim=1) / len(x)
    assert torch.allclose(found, (slope + pull).sum(dim=0), atol=1e-12)


def test_a_start_by_kmeans_uses_the_codes_and_dead_codes_are_revived():
    torch.manual_seed(0)
    x, model = normal(400, 6), RQVAE(6, 16, 2, dim=3)
    with torch.no_grad():
        model.books[:, 1:] = 1e3  # all but one lie where nothing is
    assert perplexity(model.codes(x), 16).tolist() == [1.0, 1.0]
    assert model.revive(x, 1, torch.Generator().manual_seed(0)) == 30
    assert (perplexity(model.codes(x), 16) > 5).all()
    model.start(x)
    assert (perplexity(model.codes(x), 16) > 8).all()


# Trie and search


def catalogue(n=20, k=3, depth=2, seed=0):
    codes = torch.randint(k, (n, depth), generator=torch.Generator().manual_seed(seed))
    tokens, n_tokens = as_tokens(numbered(codes))
    return tokens, n_tokens, Trie.of(tokens, torch.arange(1, n + 1), n_tokens)


def model_of(tokens, n_tokens, **options):
    torch.manual_seed(0)
    unknown = torch.zeros(1, tokens.shape[1], dtype=torch.int64)
    return GenerativeRetriever(
        torch.cat([unknown, tokens]), n_tokens, dim=8, length=5, **options
    ).eval()


def test_a_tuple_leads_back_to_its_track_and_another_to_none():
    tokens, n_tokens, trie = catalogue()
    assert torch.equal(trie.find(tokens), torch.arange(1, 21))
    known = set(map(tuple, tokens.tolist()))
    every = torch.tensor(list(itertools.product(range(n_tokens), repeat=3)))
    for row, track in zip(every.tolist(), trie.find(every).tolist(), strict=True):
        assert (track > 0) == (tuple(row) in known)


def test_tracks_with_one_tuple_and_a_trie_without_tracks_are_refused():
    tokens = torch.tensor([[1, 3], [2, 3], [1, 3]])
    with pytest.raises(ValueError, match="1 of 3 tracks share their tuple"):
        Trie.of(tokens, torch.arange(3), 4)
    with pytest.raises(ValueError, match="without tracks"):
        Trie.of(tokens[:0], torch.arange(0), 4)


@pytest.mark.parametrize("speller", [1, 2])
def test_as_many_beams_as_tracks_find_what_scoring_every_track_finds(speller):
    tokens, n_tokens, trie = catalogue(40, 4)
    model, state = model_of(tokens, n_tokens, speller=speller), normal(6, 8)
    tracks, score = model.generate(state, trie, 40)
    with torch.no_grad():
        each = [model.log_probability(state, torch.full((6,), t)) for t in range(1, 41)]
    best = torch.stack(each, dim=1).sort(dim=1, descending=True)
    assert torch.equal(tracks, best.indices + 1)
    assert torch.allclose(score, best.values, atol=1e-5)


def test_the_chances_of_all_tuples_add_up_to_one():
    tokens, n_tokens, _ = catalogue(6, 2, 1)
    every = torch.tensor(list(itertools.product(range(n_tokens), repeat=tokens.shape[1])))
    model, state = model_of(every, n_tokens), normal(1, 8).expand(len(every), -1)
    with torch.no_grad():
        total = model.log_probability(state, torch.arange(1, len(every) + 1)).exp().sum()
    assert total.item() == pytest.approx(1, abs=1e-5)


def test_what_is_left_out_does_not_come_and_takes_nobodys_place():
    tokens, n_tokens, trie = catalogue()
    model, state = model_of(tokens, n_tokens), normal(3, 8)
    whole, _ = model.generate(state, trie, 20)
    out = (
        torch.tensor([0, 0, 2]),
        torch.tensor([int(whole[0, 0]), int(whole[0, 3]), int(whole[2, 1])]),
    )
    tracks, score = model.generate(state, trie, 20, out)
    for row in range(3):
        gone = out[1][out[0] == row].tolist()
        kept = [t for t in whole[row].tolist() if t not in gone]
        assert tracks[row].tolist() == kept + [-1] * len(gone)
        assert (score[row] == -torch.inf).sum() == len(gone)


def test_a_listener_for_whom_nothing_is_left_gets_an_empty_list():
    tokens, n_tokens, trie = catalogue()
    out = (torch.zeros(20, dtype=torch.int64), torch.arange(1, 21))
    tracks, score = model_of(tokens, n_tokens).generate(normal(2, 8), trie, 5, out)
    assert tracks[0].tolist() == [-1] * 5 and (score[0] == -torch.inf).all()
    assert (tracks[1] > 0).all() and score[1].isfinite().all()


def test_a_listener_without_a_known_track_gets_a_list_and_what_the_mask_hides_says_nothing():
    tokens, n_tokens, trie = catalogue()
    model = model_of(tokens, n_tokens)
    nothing = torch.zeros(1, 5, dtype=torch.bool)
    unknown = torch.zeros(1, 5, dtype=torch.int64)
    tracks, score = model.generate(model(unknown, nothing), trie, 5)
    assert (tracks > 0).all() and score.isfinite().all()
    mask = torch.tensor([[False, False, True, True, True]])
    one, other = torch.tensor([[1, 2, 3, 4, 5]]), torch.tensor([[9, 8, 3, 4, 5]])
    assert torch.equal(model(one, mask), model(other, mask))
    assert model(unknown, ~nothing).isfinite().all()


def test_no_list_holds_a_track_twice_and_each_is_in_order():
    tokens, n_tokens, trie = catalogue(200, 5)
    tracks, score = model_of(tokens, n_tokens).generate(normal(9, 8), trie, 30)
    assert all(len(set(row)) == 30 for row in tracks.tolist())
    assert (score[:, :-1] >= score[:, 1:]).all()


def test_the_softmax_comes_before_the_mask():
    logits = torch.tensor([[[0.1, 0.9], [0.9, 0.1]]]).log()
    exists = torch.tensor([[[True, False], [True, False]]])
    score, prefix, token = best_children(logits, exists, torch.tensor([[0.6, 0.4]]).log(), 4)
    assert prefix[0, :2].tolist() == [1, 0] and token[0, :2].tolist() == [0, 0]
    assert score[0, :2].exp().tolist() == pytest.approx([0.36, 0.06])
    assert score[0, 2:].tolist() == [-math.inf, -math.inf]


def test_the_loss_of_training_is_the_mean_over_the_places_that_count():
    tokens, n_tokens, _ = catalogue()
    model = model_of(tokens, n_tokens)
    batch = {
        "track": torch.randint(1, 21, (3, 5)),
        "mask": torch.ones(3, 5, dtype=torch.bool),
        "target": torch.randint(1, 21, (3, 5)),
        "counts": torch.rand(3, 5) < 0.5,
    }
    batch["counts"][0, 0] = True
    states = model.states(batch["track"], batch["mask"])
    total = [
        -model.log_probability(states[b, at][None], batch["target"][b, at][None]).item()
        for b, at in batch["counts"].nonzero().tolist()
    ]
    assert spelling_loss(model, batch).item() == pytest.approx(sum(total) / len(total), rel=1e-5)
