"""Autoencoders of bags of tracks: Mult-DAE, Mult-VAE, RecVAE, and what they are trained by.

A bag is what somebody played, without order: `history` (B, L) track numbers, each once, and `plays`
(B, L), what each of them counts, 0 where a bag has no more. Counts of 1 make it a set.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, normalize

Batch = dict[str, Tensor]

Likelihood = Callable[[Any, Tensor, Batch], Tensor]
"""−log p(x|z) of each bag up to a constant, (B,): of a model, codes z (B, d) and the bags."""


def bags(history: Tensor, mask: Tensor, counted: bool = False) -> Batch:
    """Bags of plays: (B, L) track numbers, (B, L) bool → `history` and `plays`, both (B, L).

    Args:
        counted: whether a track counts as often as it was played, or once.

    >>> bags(torch.tensor([[7, 5, 7, 9]]), torch.tensor([[True, True, True, False]]), counted=True)
    {'history': tensor([[5, 7, 0, 0]]), 'plays': tensor([[1., 2., 0., 0.]])}
    """
    beyond = int(history.max()) + 1 if history.numel() else 1
    track = torch.where(mask & (history > 0), history, beyond).sort(dim=1).values
    first = torch.ones_like(track, dtype=torch.bool)
    first[:, 1:] = track[:, 1:] != track[:, :-1]
    place = first.cumsum(dim=1) - 1
    tracks = torch.full_like(track, beyond).scatter_(1, place, track)
    ones = torch.ones(track.shape, dtype=torch.get_default_dtype())
    plays = torch.zeros_like(ones).scatter_add_(1, place, ones) * (tracks < beyond)
    return {
        "history": tracks * (tracks < beyond),
        "plays": plays if counted else (plays > 0).to(plays),
    }


class BagEncoder(nn.Module):
    """A bag, scaled to length 1, through one layer of tanh and a linear one.

    The first layer's matrix has a row for each track, and its product with a bag is a sum of rows.
    In training each track of the bag is left out with chance `dropout`, after the scaling.

    Args:
        n_tracks: N, the unknown one (0) included. hidden: width of the tanh layer.
        out: width of the linear one.

    Shapes: history (B, L), plays (B, L) → (B, out). An empty bag is a zero vector, not 0/0.

    Source: Liang et al. (2018), "Variational autoencoders for collaborative filtering", WWW,
    section 2.2; scaling and dropout as in the authors' code.
    """

    def __init__(self, n_tracks: int, hidden: int, out: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.table = nn.Embedding(n_tracks, hidden)
        nn.init.normal_(self.table.weight, std=hidden**-0.5)
        self.bias = nn.Parameter(torch.zeros(hidden))
        self.last = nn.Linear(hidden, out)
        self.dropout = dropout

    def forward(self, history: Tensor, plays: Tensor) -> Tensor:
        x = dropout(normalize(plays, dim=1), self.dropout, self.training)
        rows = torch.einsum("bl,blh->bh", x, self.table(history))
        return self.last(torch.tanh(rows + self.bias))


class MultDAE(nn.Module):
    """A denoising autoencoder: from what is left of a bag, the chances of all tracks.

    The decoder is linear, so a score is the product of two vectors, of the listener and of the
    track, and the course's retrieval protocol can search with it.

    Args:
        n_tracks: N, the unknown one (0) included. dim: d, of the code z. hidden: width of the
            encoder's tanh layer. dropout: the noise. heads: how many times d the encoder gives.

    Shapes: history (B, L), plays (B, L) → (B, d + 1), the code and a 1 for the tracks' biases.

    Source: Liang et al. (2018), section 2.3.
    """

    def __init__(
        self, n_tracks: int, dim: int = 32, hidden: int = 32, dropout: float = 0.5, heads: int = 1
    ) -> None:
        super().__init__()
        self.noise = dropout
        self.encoder = BagEncoder(n_tracks, hidden, heads * dim, dropout)
        self.decoder = nn.Embedding(n_tracks, dim)
        nn.init.normal_(self.decoder.weight, std=dim**-0.5)
        self.bias = nn.Parameter(torch.zeros(n_tracks))

    def code(self, history: Tensor, plays: Tensor) -> Tensor:
        """(B, d) the code that serves."""
        return self.encoder(history, plays)

    def forward(self, history: Tensor, plays: Tensor) -> Tensor:
        z = self.code(history, plays)
        return torch.cat([z, torch.ones_like(z[:, :1])], dim=1)

    def tracks(self) -> Tensor:
        """(N, d + 1) vectors of all tracks, the bias last."""
        return torch.cat([self.decoder.weight, self.bias.unsqueeze(1)], dim=1)

    def logits(self, z: Tensor) -> Tensor:
        """(…, d) codes → (…, N) scores of all tracks."""
        return z @ self.decoder.weight.T + self.bias


def drawn(mu: Tensor, log_var: Tensor) -> Tensor:
    """A code from N(μ, diag σ²), as μ + σ ε, so that gradients reach both: (B, d), (B, d) → (B, d).

    Source: Kingma & Welling (2014), "Auto-encoding variational Bayes", ICLR, section 2.4.
    """
    return mu + (log_var / 2).exp() * torch.randn_like(mu)


def kl_to_standard(mu: Tensor, log_var: Tensor) -> Tensor:
    """KL(N(μ, diag σ²) ‖ N(0, I)) = ½ Σ (μ² + σ² − 1 − log σ²), in nats: (B, d), (B, d) → (B,).

    >>> kl_to_standard(torch.tensor([[2.0]]), torch.tensor([[0.0]]))
    tensor([2.])

    Source: Kingma & Welling (2014), appendix B.
    """
    return (mu.square() + log_var.exp() - 1 - log_var).sum(dim=1) / 2


class MultVAE(MultDAE):
    """A variational autoencoder: of each bag a distribution over codes, N(μ, diag σ²).

    A code is drawn in training; the mean μ serves.

    Args:
        n_tracks, dim, hidden, dropout: as of `MultDAE`.
        beta: β, weight of the KL in the loss; it may be moved between epochs.

    Source: Liang et al. (2018), section 2.2.
    """

    def __init__(
        self,
        n_tracks: int,
        dim: int = 32,
        hidden: int = 32,
        dropout: float = 0.5,
        beta: float = 0.0,
    ) -> None:
        super().__init__(n_tracks, dim, hidden, dropout, heads=2)
        self.beta = beta

    def posterior(self, history: Tensor, plays: Tensor) -> tuple[Tensor, Tensor]:
        """μ and log σ² of q(z|x), (B, d) each."""
        mu, log_var = self.encoder(history, plays).chunk(2, dim=1)
        return mu, log_var

    def code(self, history: Tensor, plays: Tensor) -> Tensor:
        return self.posterior(history, plays)[0]

    def kl(self, z: Tensor, mu: Tensor, log_var: Tensor, batch: Batch) -> Tensor:
        """KL(q(z|x) ‖ p(z)) of each bag, (B,), z being a draw from q."""
        return kl_to_standard(mu, log_var)


class Multinomial:
    """−Σ_i x_i log π_i, π the softmax over all tracks: the tracks share one unit of chance.

    The multinomial's coefficient, which no parameter moves, is left out. With `n` the sum in the
    softmax is estimated: the bag's own tracks are in it, the others are stood for by n that are
    drawn from Q (`SampledSoftmax`).

    Args:
        log_q: (N,) log Q of the sampler. n: draws; None for the whole sum.

    Raises:
        ValueError: some track cannot be drawn; its score would be in no sum, and never fall.

    Source: Liang et al. (2018), section 2.1.
    """

    def __init__(self, log_q: Tensor | None = None, n: int | None = None) -> None:
        if log_q is not None and (missing := int((~log_q.isfinite()).sum())):
            raise ValueError(
                f"log_q: {missing:,} of {len(log_q):,} tracks are never drawn, so that nothing "
                "would push their scores down; count them as played once"
            )
        self.log_q, self.n = log_q, n

    def __call__(self, model: Any, z: Tensor, batch: Batch) -> Tensor:
        history, plays = batch["history"], batch["plays"]
        if self.n is None or self.log_q is None:
            own = model.logits(z).log_softmax(dim=1).gather(1, history)
            return -(plays * own).sum(dim=1)
        table, bias, log_q = model.decoder.weight, model.bias, self.log_q.to(z.device)
        own = torch.einsum("bd,bld->bl", z, table[history]) + bias[history]
        number = torch.multinomial(log_q.exp(), self.n, replacement=True)
        others = z @ table[number].T + bias[number] - math.log(self.n) - log_q[number]
        in_bag = torch.zeros(len(z), len(bias), dtype=torch.bool, device=z.device)
        in_bag.scatter_(1, history, plays > 0)
        others = others.masked_fill(in_bag[:, number], -torch.inf)
        own_terms = own.masked_fill(plays == 0, -torch.inf)
        total = torch.cat([own_terms, others], dim=1).logsumexp(dim=1, keepdim=True)
        return (plays * (total - own)).sum(dim=1)


class Gaussian:
    """½ Σ_i c_i (x_i − f_i)²: each track's score is to be 1 or 0, whatever the others' are.

    c is 1 where nothing was played, and `confidence` where something was. The sum over all tracks
    needs no score: Σ_i f_i² = uᵀ (Σ_i v_i v_iᵀ) u.

    Source: Liang et al. (2018), section 2.1.
    """

    def __init__(self, confidence: float = 1.0) -> None:
        self.confidence = confidence

    def __call__(self, model: Any, z: Tensor, batch: Batch) -> Tensor:
        history, plays = batch["history"], batch["plays"]
        user, vectors = torch.cat([z, torch.ones_like(z[:, :1])], dim=1), model.tracks()
        everywhere = (user @ (vectors.T @ vectors) * user).sum(dim=1)
        own = torch.einsum("bd,bld->bl", user, vectors[history])
        here = self.confidence * (plays - own).square() - own.square()
        return (everywhere + (here * (plays > 0)).sum(dim=1)) / 2


class Reconstruction:
    """The loss of an autoencoder without a distribution: the mean −log p(x|z) of a bag."""

    def __init__(self, likelihood: Likelihood) -> None:
        self.likelihood = likelihood

    def __call__(self, model: Any, batch: Batch) -> Tensor:
        return self.likelihood(model, model.code(**batch), batch).mean()


class NegativeELBO:
    """The mean of −log p(x|z) + β KL(q(z|x) ‖ p(z)), z drawn from q: with β = 1 minus the ELBO.

    Args:
        likelihood: −log p(x|z). per_play: γ, if β of a bag is to be γ times its plays; by default β
            is the model's `beta`, the same for all bags.

    Source: Liang et al. (2018), section 2.2; for γ Shenbin et al. (2020), "RecVAE: a new
    variational autoencoder for top-N recommendations with implicit feedback", WSDM, section 3.3.
    """

    def __init__(self, likelihood: Likelihood, per_play: float | None = None) -> None:
        self.likelihood, self.per_play = likelihood, per_play

    def __call__(self, model: Any, batch: Batch) -> Tensor:
        mu, log_var = model.posterior(**batch)
        z = drawn(mu, log_var)
        beta = model.beta if self.per_play is None else self.per_play * batch["plays"].sum(dim=1)
        return (self.likelihood(model, z, batch) + beta * model.kl(z, mu, log_var, batch)).mean()


def log_normal(z: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    """log N(z; μ, diag σ²): (B, d) three times → (B,)."""
    squares = (z - mu).square() / log_var.exp()
    return -(squares + log_var + math.log(2 * math.pi)).sum(dim=1) / 2


class RecVAE(MultVAE):
    """Mult-VAE with a composite prior: a bag's code is held to its own code of before, too.

    p(z|x) = w₁ N(0, I) + w₂ q_old(z|x) + w₃ N(0, e¹⁰ I), q_old being the encoder as it was when
    `remember` was last called. RecVAE's other two changes are a matter of training: a β in
    proportion to a bag's plays (`NegativeELBO`), and turns of encoder and decoder (`take_turns`).
    Its encoder here is that of `MultVAE`; the paper's is deeper.

    Source: Shenbin et al. (2020), section 3.2; the weights and the wide part are from the authors'
    code, which mixes each component of z by itself, while here, as in the paper, whole codes are.
    """

    WEIGHTS = (3 / 20, 3 / 4, 1 / 10)
    WIDE = 10.0
    """log σ² of the wide part."""

    def __init__(self, n_tracks: int, **options: Any) -> None:
        super().__init__(n_tracks, **options)
        self.old = copy.deepcopy(self.encoder).requires_grad_(False)
        self.old.dropout = 0.0

    def remember(self) -> None:
        """Make the encoder of now the old one."""
        self.old.load_state_dict(self.encoder.state_dict())

    def log_prior(self, z: Tensor, batch: Batch) -> Tensor:
        """log p(z|x) of codes (B, d) and their bags, (B,)."""
        zero = torch.zeros_like(z)
        mu, log_var = self.old(**batch).chunk(2, dim=1)
        parts = ((zero, zero), (mu, log_var), (zero, zero + self.WIDE))
        logs = [
            math.log(weight) + log_normal(z, *part)
            for weight, part in zip(self.WEIGHTS, parts, strict=True)
        ]
        return torch.stack(logs).logsumexp(dim=0)

    def kl(self, z: Tensor, mu: Tensor, log_var: Tensor, batch: Batch) -> Tensor:
        """KL(q(z|x) ‖ p(z|x)), estimated from the one draw z."""
        return log_normal(z, mu, log_var) - self.log_prior(z, batch)


def take_turns(model: MultDAE, epoch: int) -> None:
    """Before an epoch: in three of four the encoder alone learns, in the fourth the decoder alone.

    While the decoder learns nothing is dropped out of the bags.

    Source: Shenbin et al. (2020), section 3.4; three to one is from the authors' code.
    """
    decoder = epoch % 4 == 3
    model.encoder.requires_grad_(not decoder)
    model.decoder.requires_grad_(decoder)
    model.bias.requires_grad_(decoder)
    model.encoder.dropout = 0.0 if decoder else model.noise


def active_units(mu: Tensor, least: float = 0.01) -> Tensor:
    """Which components of the code tell bags apart: posterior means (B, d) → (d,) bool.

    Source: Burda, Grosse & Salakhutdinov (2016), "Importance weighted autoencoders", ICLR, section
    5: the variance over the data of the posterior mean exceeds 0.01.
    """
    return mu.var(dim=0) > least
