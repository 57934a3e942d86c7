"""Games: both losses, the best judge, REINFORCE, and CFGAN against a dense version of itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.spatial.distance import jensenshannon
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from course_utils.models.generative.gan import (
    CFGAN,
    CFGANLoss,
    ProfileJudge,
    ZeroReconstruction,
    best_discriminator,
    discriminator_loss,
    generator_loss,
    likeness,
    reinforce_loss,
    value,
)

N = 12


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@pytest.fixture(autouse=True)
def wide():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


# The game


def test_both_losses_are_cross_entropies_with_the_labels_of_their_side():
    real, fake = normal(7), normal(5, seed=1)
    one, zero = torch.ones_like, torch.zeros_like
    theirs = cross_entropy(real, one(real)) + cross_entropy(fake, zero(fake))
    assert torch.allclose(discriminator_loss(real, fake), theirs)
    assert torch.allclose(generator_loss(fake), cross_entropy(fake, one(fake)))
    assert torch.allclose(generator_loss(fake, True), -cross_entropy(fake, zero(fake)))


def test_losses_stay_finite_where_a_side_is_certain():
    far = torch.tensor([-800.0, 800.0])
    for loss in (discriminator_loss(far, far), generator_loss(far), generator_loss(far, True)):
        assert loss.isfinite()


def test_the_best_discriminator_is_what_a_search_finds():
    p, p_g = normal(6).softmax(0), normal(6, seed=1).softmax(0)
    for a, b, d in zip(p, p_g, best_discriminator(p, p_g), strict=True):
        found = minimize_scalar(
            lambda x, a=float(a), b=float(b): -a * math.log(x) - b * math.log(1 - x),
            bounds=(1e-9, 1 - 1e-9),
            method="bounded",
            options={"xatol": 1e-10},
        )
        assert float(d) == pytest.approx(found.x, abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_its_value_is_twice_the_jensen_shannon_divergence_minus_log_four(seed):
    p, p_g = normal(6, seed=seed).softmax(0), normal(6, seed=seed + 9).softmax(0)
    found = value(p, p_g, best_discriminator(p, p_g)).item()
    divergence = jensenshannon(p.numpy(), p_g.numpy()) ** 2
    assert found == pytest.approx(2 * divergence - math.log(4), abs=1e-12)
    assert value(p, p, best_discriminator(p, p)).item() == pytest.approx(-math.log(4), abs=1e-12)


def test_what_never_happens_costs_nothing():
    p, p_g = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    assert value(p, p_g, best_discriminator(p, p_g)).item() == 0


@pytest.mark.parametrize("baseline", [0.0, 0.5, -3.0])
def test_reinforce_has_the_gradient_of_the_mean_reward_on_average_whatever_the_baseline(baseline):
    theta, reward = normal(5).requires_grad_(), normal(5, seed=1)
    (exact,) = torch.autograd.grad((theta.softmax(0) * reward).sum(), theta)
    mean = torch.zeros(5)
    for k, chance in enumerate(theta.softmax(0).tolist()):
        loss = reinforce_loss(theta.log_softmax(0)[k : k + 1], reward[k : k + 1], baseline)
        mean -= chance * torch.autograd.grad(loss, theta)[0]
    assert torch.allclose(mean, exact, atol=1e-12)


def test_no_gradient_goes_through_the_reward():
    theta, phi = normal(4).requires_grad_(), normal(4, seed=1).requires_grad_()
    reinforce_loss(theta.log_softmax(0), phi.sigmoid(), phi.sigmoid().mean()).backward()
    assert phi.grad is None and theta.grad.abs().sum() > 0


# CFGAN


def batch():
    history = torch.tensor([[3, 1, 7, 0], [2, 3, 0, 0], [0, 0, 0, 0]])
    return {"history": history, "plays": (history > 0).double()}


def dense(history, values):
    """(B, L) and (B, L) → (B, N)."""
    return torch.zeros(len(history), N).scatter_add_(1, history, values)


class Fixed(CFGANLoss):
    """Draws the same tracks each time: 5 and 3 for the mask, 3 and 9 for the zeros."""

    n_asked = 0

    def draw(self, wanted, like):
        self.n_asked += 1
        drawn = torch.tensor([[5, 3], [3, 9]][(self.n_asked - 1) % 2])
        return drawn if wanted else drawn[:0]


def model():
    torch.manual_seed(0)
    return CFGAN(N, dim=3, hidden=4)


def written_out(cfgan, zero, partial):
    """Both losses from dense vectors, the judge's layer as a matrix on both vectors."""
    inputs = batch()
    r = dense(inputs["history"], inputs["plays"])
    written = cfgan(**inputs) @ cfgan.tracks().T
    masked, zeros = torch.zeros_like(r), torch.zeros_like(r)
    masked[:, [5, 3]], zeros[:, [3, 9]] = 1, 1
    masked, zeros = masked * (1 - r), zeros * (1 - r)
    mask = r + masked if partial else r

    def judge(x):
        matrix = torch.cat([cfgan.judge.shown.weight, cfgan.judge.known.weight])
        layer = torch.tanh(torch.cat([x, r], dim=1) @ matrix + cfgan.judge.bias)
        return cfgan.judge.last(layer)[:, 0]

    real, fake = judge(r).sigmoid(), judge(written * mask).sigmoid()
    of_judge = -(real.log() + (1 - fake).log()).mean()
    return of_judge, -fake.log().mean() + zero * ((written * zeros) ** 2).sum(dim=1).mean()


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize("zero", [0.0, 0.7])
def test_each_loss_reaches_its_own_side_alone(zero, partial):
    cfgan = model()
    loss = Fixed(N, zero, partial)(cfgan, batch())
    loss.backward()
    of_judge, of_writer = written_out(cfgan, zero, partial)
    assert torch.allclose(loss, of_judge + of_writer, atol=1e-12)
    for part, own in ((cfgan.judge, of_judge), (cfgan.generator, of_writer)):
        weights = list(part.parameters())
        wanted = torch.autograd.grad(own, weights, retain_graph=True, allow_unused=True)
        for weight, slope in zip(weights, wanted, strict=True):
            found = torch.zeros_like(weight) if weight.grad is None else weight.grad
            assert torch.allclose(found, 0 * found if slope is None else slope, atol=1e-12)


def test_one_everywhere_is_never_found_out_without_partial_masking():
    cfgan = model()
    for weight in (cfgan.generator.decoder.weight, cfgan.generator.bias):
        torch.nn.init.zeros_(weight)
    torch.nn.init.ones_(cfgan.generator.bias)
    inputs = batch()
    for partial in (False, True):
        loss = Fixed(N, 0.0, partial)
        masked = loss.draw(partial, inputs["history"])
        own, others = cfgan.profiles(**inputs, drawn=masked)
        condition = cfgan.judge.condition(**inputs)
        real = cfgan.judge(condition, inputs["history"], inputs["plays"], masked, 0 * others)
        fake = cfgan.judge(condition, inputs["history"], own, masked, others)
        assert torch.allclose(real, fake) != partial


def test_drawn_tracks_of_the_listener_and_empty_places_hold_nothing():
    inputs = batch()
    own, others = model().profiles(**inputs, drawn=torch.tensor([3, 4, 3]))
    assert torch.equal(own == 0, inputs["plays"] == 0)
    assert torch.equal(others == 0, torch.tensor([[1, 0, 1], [1, 0, 1], [0, 0, 0]]).bool())


def test_an_empty_profile_has_a_finite_loss():
    inputs = {name: values[2:] for name, values in batch().items()}
    for loss in (CFGANLoss(N, 0.1, True), ZeroReconstruction(N, 0.1)):
        assert loss(model(), inputs).isfinite()


def test_nothing_is_drawn_for_what_is_not_asked_for_and_never_the_unknown_track():
    history = batch()["history"]
    assert len(CFGANLoss(N).draw(False, history)) == 0
    drawn = CFGANLoss(N, n=2_000).draw(True, history)
    assert set(drawn.tolist()) == set(range(1, N))


def test_without_a_judge_it_is_squared_error():
    torch.manual_seed(0)
    inputs, cfgan = batch(), model()
    loss = ZeroReconstruction(N, 0.3, n=4)
    torch.manual_seed(1)
    found = loss(cfgan, inputs)
    torch.manual_seed(1)
    drawn = torch.randint(1, N, (4,))
    written, r = cfgan(**inputs) @ cfgan.tracks().T, dense(inputs["history"], inputs["plays"])
    zeros = (((1 - r) * written) ** 2)[:, drawn].sum(dim=1)
    assert torch.allclose(found, ((r * (1 - written) ** 2).sum(dim=1) / 2 + 0.3 * zeros).mean())


def test_the_judge_takes_the_generators_profiles_as_gradients_do():
    judge, inputs = ProfileJudge(N, 4), batch()
    others = normal(3, 2).requires_grad_()
    condition = judge.condition(**inputs)
    judge(condition, **{"history": inputs["history"], "own": inputs["plays"]},
          drawn=torch.tensor([4, 5]), others=others).sum().backward()  # fmt: skip
    assert others.grad.abs().sum() > 0


# Likeness


def test_likeness_is_numpys_correlation_and_nothing_for_a_constant():
    a, b = normal(4, 9), normal(4, 9, seed=1)
    theirs = [np.corrcoef(x, y)[0, 1] for x, y in zip(a.numpy(), b.numpy(), strict=True)]
    assert likeness(a, b).numpy() == pytest.approx(theirs, abs=1e-12)
    assert likeness(a, a).numpy() == pytest.approx(np.ones(4), abs=1e-12)
    assert likeness(torch.ones(2, 5), normal(2, 5)).tolist() == [0, 0]
