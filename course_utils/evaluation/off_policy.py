"""Off-policy evaluation: what a policy would earn, from the log of another one.

The log has n rows: a context x, an action a drawn from the logging policy with the chance
(propensity) β(a | x), and the reward r of this action alone. The policy to be judged, the target,
is known: π(a | x) for all A actions. Its value is the mean reward it would get.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

ROUNDING = 1e-4
"""How far the chances of a row may be from adding up to 1."""


class OffPolicyError(ValueError):
    """A log or a policy that gives no estimate, with the reason and the remedy."""


@dataclass(frozen=True)
class LoggedRewards:
    """A log of actions with their propensities, and the target's chances in the same contexts.

    Args:
        target: (n, A) π(a | x) of all actions. action: (n,) the logged one. propensity: (n,)
            β(a | x) of the logged one, as it was when it was drawn. reward: (n,).

    Raises:
        OffPolicyError: there is no row, shapes do not fit, a row of `target` is no distribution,
            an action is not one of A, a logged action has no positive propensity, or a reward is
            not finite.
    """

    target: Tensor
    action: Tensor
    propensity: Tensor
    reward: Tensor

    def __post_init__(self) -> None:
        need_distributions(self.target, "target")
        n, n_actions = self.target.shape
        if n == 0:
            raise OffPolicyError("the log has no row; there is nothing to estimate from")
        for name in ("action", "propensity", "reward"):
            if (shape := tuple(getattr(self, name).shape)) != (n,):
                raise OffPolicyError(f"{name} has the shape {shape}, target has {n} rows")
        if wrong := first((self.action < 0) | (self.action >= n_actions)):
            raise OffPolicyError(
                f"action[{wrong[0]}] is {self.action[wrong].item()}, the target has {n_actions}"
            )
        if wrong := first(~((self.propensity > 0) & (self.propensity <= 1))):
            raise OffPolicyError(
                f"propensity[{wrong[0]}] is {self.propensity[wrong].item():g}: an action that was "
                "logged had a chance, in (0, 1]; keep the chance of the moment when it was drawn"
            )
        if wrong := first(~self.reward.isfinite()):
            raise OffPolicyError(f"reward[{wrong[0]}] is {self.reward[wrong].item()}")

    def __len__(self) -> int:
        return len(self.reward)

    @property
    def weights(self) -> Tensor:
        """(n,) π(a | x) / β(a | x) of the logged actions."""
        return self.target.gather(1, self.action[:, None])[:, 0] / self.propensity

    def fitting(self, reward_model: Tensor) -> Tensor:
        """The reward model (n, A) as it is, if it has a reward for every action of every row.

        Raises:
            OffPolicyError: it has another shape.
        """
        if reward_model.shape != self.target.shape:
            raise OffPolicyError(
                f"the reward model has the shape {tuple(reward_model.shape)}, the target "
                f"{tuple(self.target.shape)}; predict the reward of every action in every context"
            )
        return reward_model


def first(wrong: Tensor) -> tuple[int, ...]:
    """Place of the first true entry, or () if there is none."""
    places = wrong.nonzero()
    return tuple(places[0].tolist()) if len(places) else ()


def need_distributions(chances: Tensor, name: str) -> None:
    """Refuse a policy (n, A) whose rows are no distributions.

    Raises:
        OffPolicyError: it has another shape, a chance that is negative or not finite, or a row that
            does not add up to 1.
    """
    if chances.ndim != 2:
        raise OffPolicyError(f"{name} must be (n, A), a row a context; got {tuple(chances.shape)}")
    if wrong := first(~(chances.isfinite() & (chances >= 0))):
        raise OffPolicyError(f"{name}[{wrong[0]}, {wrong[1]}] is {chances[wrong].item()}")
    if wrong := first((chances.sum(dim=1) - 1).abs() > ROUNDING):
        raise OffPolicyError(
            f"the chances of {name}[{wrong[0]}] add up to {chances[wrong].sum().item():.4f}, not "
            "to 1; is it a policy of all actions, after the softmax?"
        )


def ips(log: LoggedRewards, clip: float | None = None) -> Tensor:
    """Inverse propensity scoring, () = mean(w r): right on average, wherever β > 0.

    Args:
        clip: the largest weight; larger ones are cut to it, which takes variance and adds bias.

    Source: Horvitz & Thompson (1952), "A generalization of sampling without replacement from a
    finite universe", JASA; clipped: Ionides (2008), "Truncated importance sampling", JCGS.
    """
    weights = log.weights if clip is None else log.weights.clamp(max=clip)
    return (weights * log.reward).mean()


def snips(log: LoggedRewards) -> Tensor:
    """Self-normalised IPS, () = Σ w r / Σ w: within the range of the rewards, slightly biased.

    Raises:
        OffPolicyError: all weights are 0: the target takes no action of the log.

    Source: Swaminathan & Joachims (2015), "The self-normalized estimator for counterfactual
    learning", NeurIPS, equation 8.
    """
    weights = log.weights
    if not weights.any():
        raise OffPolicyError("the target would take none of the logged actions: no SNIPS estimate")
    return (weights * log.reward).sum() / weights.sum()


def direct(log: LoggedRewards, reward_model: Tensor) -> Tensor:
    """The direct method, () = mean Σ_a π(a | x) q̂(x, a): as wrong as the model q̂ (n, A) is.

    Source: Dudík et al. (2011), "Doubly robust policy evaluation and learning", ICML, section 2.1.
    """
    return (log.target * log.fitting(reward_model)).sum(dim=1).mean()


def doubly_robust(log: LoggedRewards, reward_model: Tensor, clip: float | None = None) -> Tensor:
    """Doubly robust, () = mean(Σ_a π q̂ + w (r − q̂(x, a))): right if q̂ is, or if β is.

    Source: Dudík et al. (2011), section 2.2, equation 2.
    """
    model = log.fitting(reward_model)
    weights = log.weights if clip is None else log.weights.clamp(max=clip)
    residual = log.reward - model.gather(1, log.action[:, None])[:, 0]
    return ((log.target * model).sum(dim=1) + weights * residual).mean()


def effective_sample_size(weights: Tensor) -> Tensor:
    """() = (Σ w)² / Σ w²: as many equally weighted rows say as much. 0 if all weights are 0.

    >>> import torch
    >>> effective_sample_size(torch.tensor([1.0, 1.0, 0.0, 0.0]))
    tensor(2.)

    Source: Kong (1992), "A note on importance sampling using standardized weights".
    """
    squares = (weights * weights).sum()
    return weights.sum() ** 2 / squares if squares > 0 else squares


def unsupported(target: Tensor, logging: Tensor) -> Tensor:
    """() mean chance that the target takes an action that the logging policy never takes.

    What such actions earn is in no log: IPS counts it as 0, however long the log is.

    Args:
        target, logging: (n, A) chances in the same contexts.
    """
    need_distributions(target, "target")
    need_distributions(logging, "logging")
    return (target * (logging == 0)).sum(dim=1).mean()


def estimate(log: LoggedRewards, reward_model: Tensor, clip: float = 10.0) -> dict[str, Tensor]:
    """() by name: all estimators of this module on one log."""
    return {
        "DM": direct(log, reward_model),
        "IPS": ips(log),
        "clipped": ips(log, clip),
        "SNIPS": snips(log),
        "DR": doubly_robust(log, reward_model),
    }
