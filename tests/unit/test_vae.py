"""Autoencoders of bags: their inputs, likelihoods, KLs, priors, and what training does to them."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal, kl_divergence
from torch.distributions import Multinomial as TorchMultinomial

from course_utils import train
from course_utils.models.generative.vae import (
    BagEncoder,
    Gaussian,
    MultDAE,
    Multinomial,
    MultVAE,
    NegativeELBO,
    Reconstruction,
    RecVAE,
    active_units,
    bags,
    drawn,
    kl_to_standard,
    take_turns,
)
from course_utils.models.retrieval.losses import log_popularity

N, DIM = 30, 5


def some_bags(n=6, length=8, seed=0, counted=True):
    generator = torch.Generator().manual_seed(seed)
    history = torch.randint(1, N, (n, length), generator=generator)
    mask = torch.arange(length) < torch.randint(1, length + 1, (n, 1), generator=generator)
    return bags(history, mask, counted)


def double(batch):
    return {"history": batch["history"], "plays": batch["plays"].double()}


def dense(batch):
    x = torch.zeros(len(batch["history"]), N, dtype=batch["plays"].dtype)
    return x.scatter_add(1, batch["history"], batch["plays"])


def model(kind=MultVAE, **options):
    torch.manual_seed(3)
    return kind(N, dim=DIM, hidden=7, **options).double()


@pytest.mark.parametrize("counted", [False, True])
def test_a_bag_counts_each_track_at_one_place(counted):
    generator = torch.Generator().manual_seed(1)
    history = torch.randint(0, 5, (50, 9), generator=generator)
    mask = torch.rand(50, 9, generator=generator) < 0.6
    batch = bags(history, mask, counted)
    for row, kept, tracks, plays in zip(history, mask, *batch.values(), strict=True):
        wanted = [t for t in row[kept].tolist() if t > 0]
        found = {t: n for t, n in zip(tracks.tolist(), plays.tolist(), strict=True) if n > 0}
        assert found == {t: wanted.count(t) if counted else 1 for t in set(wanted)}
        assert not tracks[plays == 0].any()


def test_no_listener_is_an_empty_tensor_and_an_empty_listener_has_a_finite_code():
    assert bags(torch.zeros(0, 3).long(), torch.zeros(0, 3).bool())["plays"].shape == (0, 3)
    empty = bags(torch.tensor([[4, 5]]), torch.zeros(1, 2, dtype=torch.bool))
    for kind in (MultDAE, MultVAE, RecVAE):
        one = kind(N, dim=DIM)
        loss = (Reconstruction if kind is MultDAE else NegativeELBO)(Multinomial())(one, empty)
        loss.backward()
        assert torch.isfinite(loss) and torch.isfinite(one(**empty)).all()
        gradients = [p.grad for p in one.parameters() if p.grad is not None]
        assert gradients and all(torch.isfinite(gradient).all() for gradient in gradients)


def test_the_encoder_is_a_product_with_the_scaled_bag():
    encoder = BagEncoder(N, 7, DIM).double().eval()
    batch = double(some_bags())
    x = dense(batch)
    x = x / x.square().sum(dim=1, keepdim=True).sqrt()
    wanted = encoder.last(torch.tanh(x @ encoder.table.weight + encoder.bias))
    assert torch.allclose(encoder(**batch), wanted, atol=1e-12)


def test_dropout_takes_out_tracks_in_training_only():
    encoder, batch = BagEncoder(N, 7, DIM), some_bags()
    assert not torch.equal(encoder(**batch), encoder(**batch))
    encoder.eval()
    assert torch.equal(encoder(**batch), encoder(**batch))


def test_the_score_is_the_product_of_two_vectors():
    for kind in (MultDAE, MultVAE, RecVAE):
        one, batch = model(kind).eval(), double(some_bags())
        scores = one(**batch) @ one.tracks().T
        assert torch.allclose(scores, one.logits(one.code(**batch)), atol=1e-12)


def test_the_multinomial_is_that_of_torch_but_for_its_coefficient():
    one, batch = model().eval(), double(some_bags())
    z = torch.randn(6, DIM, dtype=torch.float64)
    found = Multinomial()(one, z, batch)
    for row, x in enumerate(dense(batch)):
        n = int(x.sum())
        theirs = TorchMultinomial(n, logits=one.logits(z[row])).log_prob(x)
        coefficient = math.lgamma(n + 1) - torch.lgamma(x + 1).sum()
        assert found[row].item() == pytest.approx((coefficient - theirs).item(), abs=1e-10)


def test_the_estimated_sum_comes_to_the_whole_one():
    one, batch = model().eval(), double(some_bags(3))
    z = torch.randn(3, DIM, dtype=torch.float64)
    log_q = torch.randn(N, dtype=torch.float64).log_softmax(dim=0)
    torch.manual_seed(0)
    exact, estimate = Multinomial()(one, z, batch), Multinomial(log_q, 200_000)(one, z, batch)
    assert torch.allclose(estimate, exact, rtol=5e-3)


def test_a_track_that_is_never_drawn_is_refused():
    with pytest.raises(ValueError, match="1 of 3 tracks are never drawn"):
        Multinomial(log_popularity(torch.tensor([0, 2, 5])), 4)


def test_the_gaussian_is_the_weighted_sum_of_squares():
    one, batch = model().eval(), double(some_bags())
    z = torch.randn(6, DIM, dtype=torch.float64)
    x, f = dense(batch), one.logits(z)
    weights = torch.where(x > 0, 4.0, 1.0)
    wanted = (weights * (x - f).square()).sum(dim=1) / 2
    assert torch.allclose(Gaussian(4.0)(one, z, batch), wanted, atol=1e-10)


def test_the_kl_is_that_of_torch():
    mu, log_var = torch.randn(2, 9, DIM, dtype=torch.float64)
    theirs = kl_divergence(Normal(mu, (log_var / 2).exp()), Normal(0.0, 1.0)).sum(dim=1)
    assert torch.allclose(kl_to_standard(mu, log_var), theirs, atol=1e-12)


def test_a_drawn_code_has_the_mean_and_the_spread_it_should():
    mu, log_var = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, 2.0]])
    z = drawn(mu.expand(200_000, 2), log_var.expand(200_000, 2))
    assert torch.allclose(z.mean(dim=0), mu[0], atol=0.03)
    assert torch.allclose(z.var(dim=0), log_var[0].exp(), rtol=0.03)


def test_beta_and_gamma_weigh_the_kl_of_each_bag():
    one, batch = model(dropout=0.0), double(some_bags())
    with torch.no_grad():
        kl = kl_to_standard(*one.posterior(**batch))
        losses = {}
        for beta in (0.0, 0.3):
            one.beta = beta
            torch.manual_seed(5)
            losses[beta] = NegativeELBO(Multinomial())(one, batch)
        torch.manual_seed(5)
        by_bag = NegativeELBO(Multinomial(), per_play=0.02)(one, batch)
    assert torch.allclose(losses[0.3] - losses[0.0], 0.3 * kl.mean())
    assert torch.allclose(by_bag - losses[0.0], (0.02 * batch["plays"].sum(dim=1) * kl).mean())


def test_the_composite_prior_is_a_mixture_of_three():
    one, batch = model(RecVAE).eval(), double(some_bags())
    with torch.no_grad():
        for parameter in one.encoder.parameters():
            parameter.add_(0.1)
    z = torch.randn(6, DIM, dtype=torch.float64)
    mu, log_var = one.old(**batch).chunk(2, dim=1)
    zero = torch.zeros_like(mu)
    means = torch.stack([zero, mu, zero], dim=1)
    spreads = torch.stack([zero + 1, (log_var / 2).exp(), zero + math.exp(5)], dim=1)
    weights = torch.tensor(RecVAE.WEIGHTS, dtype=torch.float64).expand(6, 3)
    theirs = MixtureSameFamily(Categorical(weights), Independent(Normal(means, spreads), 1))
    assert torch.allclose(one.log_prior(z, batch), theirs.log_prob(z), atol=1e-10)


def test_the_old_encoder_changes_when_it_is_told_to_and_hears_all_of_the_bag():
    one, batch = model(RecVAE), double(some_bags())
    with torch.no_grad():
        one.encoder.bias.add_(1)
    before = one.old(**batch)
    assert torch.equal(before, one.old(**batch)), "nothing is dropped out for it"
    assert not torch.allclose(before, one.encoder.eval()(**batch))
    one.remember()
    assert torch.allclose(one.old(**batch), one.encoder(**batch))
    NegativeELBO(Multinomial(), per_play=0.1)(one, batch).backward()
    assert all(p.grad is None for p in one.old.parameters())


@pytest.mark.parametrize("kind", [MultVAE, RecVAE])
def test_in_turns_only_one_half_learns(kind):
    one, batch = kind(N, dim=DIM, hidden=7), some_bags(40)
    before = {}
    halves = []

    def hook(net, epoch):
        now = {name: p.detach().clone() for name, p in net.named_parameters()}
        if before:
            moved = {name.split(".")[0] for name in now if not torch.equal(now[name], before[name])}
            halves.append(moved)
        before.update(now)
        take_turns(net, epoch)

    loss = NegativeELBO(Multinomial(), per_play=0.01)
    train.fit(one, batch, batch, loss=loss, epochs=6, patience=6, before_epoch=hook, progress=False)
    assert halves == [{"encoder"}] * 3 + [{"decoder", "bias"}, {"encoder"}]
    assert one.encoder.dropout == one.noise


def test_active_units_are_those_that_tell_bags_apart():
    mu = torch.stack([torch.arange(9.0), torch.full((9,), 5.0), 0.01 * torch.arange(9.0)], dim=1)
    assert active_units(mu).tolist() == [True, False, False]
