"""Losses of retrieval, as functions of logits and of log-probabilities of the sampler.

A logit is the model's score of a listener and a track. `positive` (B,) are the logits of the tracks
that were played, `negative` (B, n) those of tracks drawn for comparison, from a distribution Q over
the catalogue. All losses are means over the B examples, in nats.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, logsigmoid


def full_softmax(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of picking the target out of the whole catalogue: (B, N), (B,) → ().

    >>> full_softmax(torch.zeros(1, 4), torch.tensor([2]))
    tensor(1.3863)
    """
    return cross_entropy(logits, target)


def sampled_softmax(
    positive: Tensor,
    negative: Tensor,
    log_q: Tensor | None = None,
    positive_log_q: Tensor | None = None,
    excluded: Tensor | None = None,
) -> Tensor:
    """Cross-entropy of picking the positive out of itself and n negatives, corrected or not.

    From each logit the logarithm of its correction is subtracted (Bengio & Senécal 2008, "Adaptive
    importance sampling to accelerate training of a neural probabilistic language model"). The forms
    of the lecture differ in what is given:

    * neither: no correction. Tracks that are drawn often are pushed down too often;
    * `log_q` and `positive_log_q`, both log Q: everything is corrected (Yi et al. 2019,
      "Sampling-bias-corrected neural modeling for large corpus item recommendations", section 3);
    * `log_q` alone, log (n Q): the negatives only.

    Args:
        positive: (B,). negative: (B, n). log_q: (B, n) or (n,), subtracted from the negatives.
        positive_log_q: (B,), subtracted from the positives. excluded: (B, n), negatives that do not
            count, such as those that are the positive itself.
    """
    if positive_log_q is not None:
        positive = positive - positive_log_q
    if log_q is not None:
        negative = negative - log_q
    if excluded is not None:
        negative = negative.masked_fill(excluded, -torch.inf)
    logits = torch.cat([positive.unsqueeze(1), negative], dim=1)
    return -logits.log_softmax(dim=1)[:, 0].mean()


def revised_softmax(
    positive: Tensor,
    negative: Tensor,
    log_q: Tensor,
    positive_log_q: Tensor,
    excluded: Tensor,
) -> Tensor:
    """Sampled softmax with the revised correction, whose positive is not taken for a sample.

    The negatives are drawn without the positive, that is from Q′(d) = Q(d) / (1 − Q(p)). With the
    estimate P̂ = e^{f_p} / (e^{f_p} + 1/n Σ e^{f_d − log Q′(d)}) of its chance, held fixed,

        L = −(1 − P̂) log [ e^{f_p} / Σ e^{f_d − log Q′(d)} ].

    n counts the negatives that are not excluded; an example without any has the loss 0.

    Args:
        positive: (B,). negative: (B, n). log_q: (B, n) or (n,) log Q of the negatives.
        positive_log_q: (B,) log Q of the positives. excluded: (B, n), the negatives that are the
            positive.

    Source: Khrylchenko et al. (2025), "Correcting the logQ correction: revisiting sampled softmax
    for large-scale retrieval", RecSys, section 3.
    """
    rest = torch.log1p(-positive_log_q.exp()).unsqueeze(1)
    negative = (negative - log_q + rest).masked_fill(excluded, -torch.inf)
    n = (~excluded).sum(dim=1).to(positive)
    others = torch.where(n > 0, negative.logsumexp(dim=1), positive.detach())
    weight = torch.sigmoid(others - n.clamp(min=1).log() - positive).detach()  # 1 − P̂
    return (weight * (others - positive) * (n > 0)).mean()


def in_batch(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Positives, negatives and what to exclude, when the batch's own targets are the negatives.

    Args:
        logits: (B, B), of the listener of each row and the target of each column. target: (B,).

    Returns:
        positive (B,); negative (B, B), the logits as they are; excluded (B, B), true where the
        column's target is the row's own. Excluding the diagonal alone would leave the duplicates of
        a popular target among its own negatives.

    >>> in_batch(torch.zeros(3, 3), torch.tensor([7, 8, 7]))[2]
    tensor([[ True, False,  True],
            [False,  True, False],
            [ True, False,  True]])
    """
    return logits.diagonal(), logits, target.unsqueeze(1) == target


def log_popularity(counts: Tensor, power: float = 1.0) -> Tensor:
    """Log-probabilities (N,) of a sampler that draws by counts (N,) to a power; −∞ for 0.

    A power of 1 is what in-batch negatives come from, 0 draws every counted track alike.
    """
    return torch.where(counts > 0, power * counts.clamp(min=1).log(), -torch.inf).log_softmax(dim=0)


def mixed_log_q(log_q: Tensor, other: Tensor, share: float) -> Tensor:
    """log of share · Q + (1 − share) · Q′: what negatives from two samplers come from together.

    Args:
        log_q, other: (…) log-probabilities by Q and by Q′ of the same tracks, whichever sampler
            each of them was drawn by. share: of the negatives that are drawn from Q, in (0, 1).

    Source: Yang et al. (2020), "Mixed negative sampling for learning two-tower neural networks in
    recommendations", WWW Companion, section 3.
    """
    both = torch.tensor([share, 1 - share], dtype=log_q.dtype, device=log_q.device).log()
    return torch.logaddexp(log_q + both[0], other + both[1])


def bce(positive: Tensor, negative: Tensor) -> Tensor:
    """Binary cross-entropy: (B,), (B, n) → (), a mean over all B (n + 1) logits of each example.

    The sum over one positive and its n negatives is divided by n + 1.
    """
    return gbce(positive, negative, beta=1.0)


def gbce(positive: Tensor, negative: Tensor, beta: float) -> Tensor:
    """Generalised binary cross-entropy: the probability of a positive is σ(s) to the power β.

    −(β log σ(s⁺) + Σ log (1 − σ(s⁻))) / (n + 1), a mean over examples.

    Args:
        positive: (B,). negative: (B, n). beta: see `gbce_beta`; 1 is the usual cross-entropy.

    Source: Petrov & Macdonald (2023), "gSASRec: reducing overconfidence in sequential
    recommendation trained with negative sampling", RecSys.
    """
    n = negative.shape[1]
    lost = binary_cross_entropy_with_logits(negative, torch.zeros_like(negative), reduction="none")
    return ((lost.sum(dim=1) - beta * logsigmoid(positive)) / (n + 1)).mean()


def gbce_beta(n_negatives: int, n_items: int, t: float) -> float:
    """β of gBCE: α (t (1 − 1/α) + 1/α) with the sampling rate α = n / (|I| − 1).

    Args:
        n_negatives: n, drawn uniformly. n_items: |I|, size of the catalogue. t: calibration from 0
            (β = 1, the usual cross-entropy, overconfident) to 1 (β = α, calibrated).

    Source: Petrov & Macdonald (2023), the definition of β.
    """
    alpha = n_negatives / (n_items - 1)
    return alpha * (t * (1 - 1 / alpha) + 1 / alpha)


def bpr(positive: Tensor, negative: Tensor) -> Tensor:
    """Bayesian personalised ranking, −log σ(s⁺ − s⁻): (B,), (B, n) → (), a mean over all pairs.

    Source: Rendle et al. (2009), "BPR: Bayesian personalized ranking from implicit feedback", UAI,
    section 4.1.
    """
    return -logsigmoid(positive.unsqueeze(1) - negative).mean()


class SampledSoftmax:
    """The softmax over all tracks, its denominator estimated from n that are drawn.

    The batch shares the n tracks, drawn from Q with replacement. A draw stands for 1 / (n Q(d))
    tracks, and draws of the target p itself are left out, so that without bias

        Σ_{i ≠ p} e^{f_i} ≈ Σ_{draws ≠ p} e^{f_d − log (n Q(d))}.

    Args:
        counts: (N,) plays of each track. n: draws. power: Q is proportional to counts to it.
        corrected: whether draws are weighted; if not, each of them stands for itself.
        draw: n → (n,) tracks drawn from Q; by default `torch.multinomial`, in a time that grows
            with N.

    Called with a model of two vectors (`model(**inputs)` (B, d), `model.tracks(numbers)` (n, d))
    and a batch, whose `target` (B,) is no input, it gives the mean loss.

    Source: Bengio & Senécal (2008), section 3; in recommenders Covington et al. (2016), 3.1.
    """

    def __init__(
        self,
        counts: Tensor,
        n: int = 1_024,
        power: float = 0.5,
        corrected: bool = True,
        draw: Callable[[int], Tensor] | None = None,
    ) -> None:
        self.log_q = log_popularity(counts, power)
        self.n, self.corrected, self.draw = n, corrected, draw

    def __call__(self, model: Any, batch: dict[str, Tensor]) -> Tensor:
        target = batch["target"]
        user = model(**{name: values for name, values in batch.items() if name != "target"})
        log_q = self.log_q.to(user.device)
        if self.draw is None:
            drawn = torch.multinomial(log_q.exp(), self.n, replacement=True)
        else:
            drawn = self.draw(self.n).to(user.device)
        positive = (user * model.tracks(target)).sum(dim=1)
        negative = user @ model.tracks(drawn).T
        stands_for = math.log(self.n) + log_q[drawn] if self.corrected else None
        own = drawn == target.unsqueeze(1)
        return sampled_softmax(positive, negative, stands_for, excluded=own)


class InBatchSoftmax:
    """Softmax of each listener over the tracks that the batch's listeners played.

    The tracks of the other examples are negatives that cost nothing more. They come as popularity
    sends them, Q(d) being a track's share of the training examples; examples with the same track
    are no negatives of each other.

    Args:
        counts: (N,) training examples of each track. form: of the correction:
            `none`; `all`, log Q is taken from every logit, the positive's as well (Yi et al. 2019,
            section 3); `negatives`, log (n Q) is taken from those of the n = B − 1 negatives.

    Called with a `TwoTower` and a batch it gives the mean loss. The gradient of `negatives` is that
    of the revised correction (`revised_softmax`) up to n, which counts the duplicates here.
    """

    def __init__(self, counts: Tensor, form: Literal["none", "all", "negatives"]) -> None:
        if form not in ("none", "all", "negatives"):
            raise ValueError(f"form must be 'none', 'all' or 'negatives', got {form!r}")
        self.log_q, self.form = log_popularity(counts), form

    def __call__(self, model: Any, batch: dict[str, Tensor]) -> Tensor:
        target = batch["target"]
        user = model(**{name: values for name, values in batch.items() if name != "target"})
        positive, negative, own = in_batch(user @ model.tracks(target).T, target)
        log_q = self.log_q.to(user.device)[target]
        if self.form == "none":
            return sampled_softmax(positive, negative, excluded=own)
        if self.form == "all":
            return sampled_softmax(positive, negative, log_q, log_q, excluded=own)
        stands_for = math.log(max(1, len(target) - 1)) + log_q
        return sampled_softmax(positive, negative, stands_for, excluded=own)


class UniformBCE:
    """Yes or no, for the target and for n tracks drawn uniformly, for each target by itself.

    Logits begin near zero, where σ is ½, while the right mean chance is β / (n + β). So log (n / β)
    is taken from all of them, which changes no order.

    Args:
        n_tracks: N, the unknown one (0) included; it is never drawn. n: draws for each target.
        t: calibration of `gbce_beta`; 0 is the usual binary cross-entropy.

    Called with a model of two vectors and a batch, as `SampledSoftmax` is, it gives the mean loss.

    Source: Kang & McAuley (2018), "Self-attentive sequential recommendation", ICDM, section III.E,
    with n = 1 and t = 0; Petrov & Macdonald (2023), see `gbce`. The start is ours.
    """

    def __init__(self, n_tracks: int, n: int, t: float = 0.0) -> None:
        self.n_tracks, self.n = n_tracks, n
        self.beta = gbce_beta(n, n_tracks - 1, t)

    def __call__(self, model: Any, batch: dict[str, Tensor]) -> Tensor:
        target = batch["target"]
        user = model(**{name: values for name, values in batch.items() if name != "target"})
        drawn = torch.randint(1, self.n_tracks, (len(target), self.n), device=target.device)
        start = math.log(self.n / self.beta)
        positive = (user * model.tracks(target)).sum(dim=1)
        negative = torch.einsum("bd,bnd->bn", user, model.tracks(drawn))
        return gbce(positive - start, negative - start, self.beta)
