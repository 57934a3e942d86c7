"""Policy gradients: from a log of another policy, and from an environment.

A policy gives logits; its chances are π(a | s) = softmax(logits). All weights here are constants of
the gradient: only log π is differentiated.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def top_k_weight(pi: Tensor, k: int) -> Tensor:
    """λ_K = K (1 − π)^(K−1): how much an action still adds to a list of K, drawn from π.

    It is the slope of the chance 1 − (1 − π)^K to be in the list. 1 for K = 1.

    Args:
        pi: (…) chances. k: K, at least 1.

    Source: Chen et al. (2019), "Top-K off-policy correction for a REINFORCE recommender system",
    WSDM, section 4.3.

    >>> top_k_weight(torch.tensor([0.0, 0.5, 1.0]), 2)
    tensor([2., 1., 0.])
    """
    if k < 1:
        raise ValueError(f"a list has at least one place, got K = {k}")
    return k * (1 - pi) ** (k - 1)


class OffPolicyReinforce:
    """REINFORCE on a log of another policy: the loss of a policy network, for `fit`.

    The gradient of −mean(w λ_K r log π(a | x)) with the importance weight w = π / β and λ_K as of
    `top_k_weight`, both held fixed.

    Args:
        corrected: whether w is used; if not, w = 1, as if the log were the policy's own.
        k: K, places of the list. clip: the largest w.

    Called with a policy (`model(x)` (B, A) logits) and a batch of `x` (B, d), `action` (B,),
    `propensity` (B,) and `reward` (B,), it gives a number.

    Raises:
        ValueError: a logged action has no positive propensity.

    Source: Chen et al. (2019), sections 4 and 4.3; the largest weight: section 4.4.
    """

    def __init__(self, corrected: bool = True, k: int = 1, clip: float = float("inf")) -> None:
        self.corrected, self.k, self.clip = corrected, k, clip

    def __call__(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        log_pi = model(batch["x"]).log_softmax(dim=1).gather(1, batch["action"][:, None])[:, 0]
        return -(self.weight(log_pi.exp(), batch["propensity"]) * batch["reward"] * log_pi).mean()

    def weight(self, pi: Tensor, propensity: Tensor) -> Tensor:
        """(B,) w λ_K of the logged actions, constants."""
        if not (propensity > 0).all():
            raise ValueError("a logged action had a chance: its propensity must be above 0")
        pi = pi.detach()
        weight = (pi / propensity).clamp(max=self.clip) if self.corrected else torch.ones_like(pi)
        return weight * top_k_weight(pi, self.k)


def expected_gradient(
    logits: Tensor, logging: Tensor, reward: Tensor, corrected: bool = True, k: int = 1
) -> Tensor:
    """(A,) the mean over the log of the gradient of log π weighted as in `OffPolicyReinforce`.

    Σ_a β(a) w(a) λ_K(a) r(a) (1[a] − π): what infinitely many rows would say.

    Args:
        logits: (A,) of the policy. logging: (A,) β. reward: (A,) mean reward of each action.
    """
    pi = logits.softmax(dim=0)
    share = (pi if corrected else logging) * top_k_weight(pi, k) * reward
    return share - pi * share.sum()


def returns(reward: Tensor, discount: float) -> Tensor:
    """(T, B) discounted sums of the rewards from each step on: G_t = r_t + γ G_{t+1}.

    Args:
        reward: (T, B), a row a step; no step gives no return, (0, B). discount: γ in [0, 1]; 0
            leaves the reward of the step itself.

    Raises:
        ValueError: γ lies outside [0, 1].

    Source: Sutton & Barto (2018), "Reinforcement Learning", equation 3.9.

    >>> returns(torch.tensor([[1.0], [0.0], [2.0]]), 0.5)[:, 0]
    tensor([1.5000, 1.0000, 2.0000])
    """
    if not 0 <= discount <= 1:
        raise ValueError(f"a discount lies in [0, 1], got {discount!r}")
    total = reward.clone()
    for step in range(len(reward) - 2, -1, -1):
        total[step] += discount * total[step + 1]
    return total


def leave_one_out(value: Tensor, alive: Tensor, copies: int) -> Tensor:
    """(T, B) each value less the mean of the other copies of the same listener at the same step.

    The others know the listener and the step, and nothing of the action: a baseline that leaves the
    gradient right on average. 0 where no other copy is left.

    Args:
        value: (T, B), copies of a listener side by side. alive: (T, B) bool, which of them count.
        copies: of each listener.

    Raises:
        ValueError: B is no multiple of the copies.

    Source: Kool et al. (2019), "Buy 4 REINFORCE samples, get a baseline for free!", ICLR workshop.
    """
    if value.shape[1] % copies:
        raise ValueError(f"{value.shape[1]} episodes are no multiple of {copies} copies")
    shape = (len(value), value.shape[1] // copies, copies)
    mine, count = (value * alive).reshape(shape), alive.to(value).reshape(shape)
    others = count.sum(dim=2, keepdim=True) - 1
    mean = (mine.sum(dim=2, keepdim=True) - mine) / others.clamp(min=1)
    return ((mine - mean) * (count > 0) * (others > 0)).reshape(value.shape)


def natural_step(score: Tensor, gain: Tensor, ridge: float = 1e-2) -> Tensor:
    """(F,) the natural gradient of REINFORCE: the regression of the gains on the scores, F⁻¹ g.

    With the gradient g = mean(gain ∇ log π) and the Fisher matrix F = mean(∇ log π ∇ log πᵀ). How
    far a step moves the policy does not depend on the units of its parameters.

    Args:
        score: (n, F) ∇ log π of the actions taken. gain: (n,) return less baseline of each.
        ridge: added to the diagonal of F.

    Raises:
        ValueError: there is no action, or the rows differ in number.

    Source: Kakade (2001), "A natural policy gradient", NeurIPS, sections 2 and 3.
    """
    if not len(score) or len(score) != len(gain):
        raise ValueError(f"need a gain for each action, got {len(score)} and {len(gain)}")
    fisher = score.T @ score / len(score)
    eye = torch.eye(len(fisher)).to(fisher)
    return torch.linalg.solve(fisher + ridge * eye, score.T @ gain / len(score))
