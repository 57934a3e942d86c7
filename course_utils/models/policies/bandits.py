"""Bandits: which of K arms to pull next, when only the pulled one tells its reward.

The first three know no context and play many independent runs at once, so that a regret can be
averaged: every array has a run as its first axis. Rewards are 0 or 1. `LinUCB` sees a context and
decides for a batch of listeners at once.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn


class Bandit:
    """What all of them remember: how often each arm was pulled, and what came of it.

    Args:
        runs: R, independent runs side by side. arms: K. rng: of the choices.

    Raises:
        ValueError: there is no run or no arm.
    """

    def __init__(self, runs: int, arms: int, rng: np.random.Generator) -> None:
        if runs < 1 or arms < 1:
            raise ValueError(f"a bandit needs a run and an arm, got {runs} and {arms}")
        self.pulls, self.wins = np.zeros((runs, arms)), np.zeros((runs, arms))
        self.rows, self.rng, self.t = np.arange(runs), rng, 0

    def choose(self, there: np.ndarray | None = None) -> np.ndarray:
        """(R,) the arm that each run pulls next: the largest index, ties broken at random.

        Args:
            there: (R, K) or (K,) bool, which arms can be pulled now; by default all.

        Raises:
            ValueError: a run has no arm to pull.
        """
        index = self.index() + 1e-9 * self.rng.random(self.pulls.shape)
        return self._allowed(index, there).argmax(axis=1)

    def _allowed(self, index: np.ndarray, there: np.ndarray | None) -> np.ndarray:
        if there is None:
            return index
        there = np.broadcast_to(there, index.shape)
        if not there.any(axis=1).all():
            raise ValueError("a run has no arm that could be pulled")
        return np.where(there, index, -np.inf)

    def index(self) -> np.ndarray:
        """(R, K) how much each arm is wanted."""
        raise NotImplementedError

    def learn(self, arm: np.ndarray, reward: np.ndarray) -> None:
        """Remember the rewards (R,) of the arms (R,) that were pulled."""
        self.pulls[self.rows, arm] += 1
        self.wins[self.rows, arm] += reward
        self.t += 1

    def means(self) -> np.ndarray:
        """(R, K) mean rewards so far; 0 for an arm that was never pulled."""
        return self.wins / np.maximum(self.pulls, 1)


class EpsilonGreedy(Bandit):
    """The best arm so far, and with chance ε any arm.

    Args:
        epsilon: in [0, 1], one for all runs or (R,). Others as of `Bandit`.

    Raises:
        ValueError: ε lies outside [0, 1].

    Source: Sutton & Barto (2018), "Reinforcement Learning", section 2.2.
    """

    def __init__(
        self, runs: int, arms: int, rng: np.random.Generator, epsilon: float | np.ndarray
    ) -> None:
        super().__init__(runs, arms, rng)
        self.epsilon = np.broadcast_to(np.asarray(epsilon, float), (runs,))
        if not ((self.epsilon >= 0) & (self.epsilon <= 1)).all():
            raise ValueError(f"ε is a chance, in [0, 1]; got {epsilon!r}")

    def index(self) -> np.ndarray:
        return self.means()

    def choose(self, there: np.ndarray | None = None) -> np.ndarray:
        explore = self.rng.random(len(self.rows)) < self.epsilon
        anything = self._allowed(self.rng.random(self.pulls.shape), there).argmax(axis=1)
        return np.where(explore, anything, super().choose(there))


class UCB1(Bandit):
    """The arm whose reward could be the largest: mean + √(α ln t / n). First each arm once.

    Args:
        alpha: α; 2 in the paper. Others as of `Bandit`.

    Source: Auer et al. (2002), "Finite-time analysis of the multiarmed bandit problem", Machine
    Learning, figure 1.
    """

    def __init__(self, runs: int, arms: int, rng: np.random.Generator, alpha: float = 2.0) -> None:
        super().__init__(runs, arms, rng)
        self.alpha = alpha

    def index(self) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            width = np.sqrt(self.alpha * math.log(max(self.t, 1)) / self.pulls)
        return np.where(self.pulls > 0, self.means() + width, np.inf)


class Thompson(Bandit):
    """The arm that is best in one draw from what is believed: Beta(1 + wins, 1 + losses).

    Source: Thompson (1933), "On the likelihood that one unknown probability exceeds another in view
    of the evidence of two samples", Biometrika; the Beta form: Chapelle & Li (2011), "An empirical
    evaluation of Thompson sampling", NeurIPS, algorithm 2.
    """

    def index(self) -> np.ndarray:
        return self.rng.beta(1 + self.wins, 1 + self.pulls - self.wins)


class LinUCB:
    """For each arm a ridge regression of its reward on the context, and how unsure it is.

    The index of an arm is θᵀx + α √(xᵀ A⁻¹ x) with A = λI + Σ x xᵀ and θ = A⁻¹ Σ r x, the sums
    being over the contexts in which this arm was pulled.

    Args:
        arms: K. dim: d. alpha: α, how much being unsure is worth. ridge: λ.

    Shapes: contexts (B, d), a row a listener.

    Source: Li et al. (2010), "A contextual-bandit approach to personalized news article
    recommendation", WWW, algorithm 1 (which has λ = 1).
    """

    def __init__(self, arms: int, dim: int, alpha: float = 1.0, ridge: float = 1.0) -> None:
        self.alpha, self.ridge = alpha, ridge
        self.a = ridge * torch.eye(dim, dtype=torch.float64).repeat(arms, 1, 1)
        self.b = torch.zeros(arms, dim, dtype=torch.float64)

    def features(self, x: Tensor) -> Tensor:
        """(B, d) what the regressions see: here the contexts as they are."""
        return x.double()

    def index(self, x: Tensor) -> Tensor:
        """(B, K) mean and α widths of each arm in each context."""
        z = self.features(x)
        inverse = torch.linalg.inv(self.a)
        mean = z @ torch.linalg.solve(self.a, self.b).T
        width = torch.einsum("bd,kde,be->bk", z, inverse, z).clamp(min=0).sqrt()
        return mean + self.alpha * width

    def predict(self, x: Tensor) -> Tensor:
        """(B, K) mean rewards θᵀx."""
        return self.features(x) @ torch.linalg.solve(self.a, self.b).T

    def choose(self, x: Tensor) -> Tensor:
        """(B,) an arm for each listener."""
        return self.index(x).argmax(dim=1)

    def learn(self, x: Tensor, arm: Tensor, reward: Tensor) -> None:
        """Add what came of a batch: contexts (B, d), arms (B,), rewards (B,)."""
        z = self.features(x)
        pulled = torch.nn.functional.one_hot(arm, len(self.b)).double()
        self.a += torch.einsum("bk,bd,be->kde", pulled, z, z)
        self.b += torch.einsum("bk,b,bd->kd", pulled, reward.double(), z)


class NeuralLinear(LinUCB):
    """LinUCB on the last hidden layer of a network that predicts the rewards of all arms.

    The network is trained anew on everything seen each time `every` more rewards are in; the
    regressions are then computed anew on its features. Before the first training they see the
    features of a random network.

    Args:
        arms: K. dim: d. alpha, ridge: as of `LinUCB`. width: of the hidden layers. every: rewards
            between two trainings. epochs: passes of each. seed: of the network.

    Source: Riquelme et al. (2018), "Deep Bayesian bandits showdown", ICLR, section 3 (with Thompson
    sampling); with the index of LinUCB: Xu et al. (2022), "Neural contextual bandits with deep
    representation and shallow exploration", ICLR.
    """

    def __init__(
        self,
        arms: int,
        dim: int,
        alpha: float = 1.0,
        ridge: float = 1.0,
        width: int = 16,
        every: int = 2_500,
        epochs: int = 8,
        seed: int = 0,
    ) -> None:
        super().__init__(arms, width + 1, alpha, ridge)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.body = nn.Sequential(
                nn.Linear(dim, 2 * width), nn.ReLU(), nn.Linear(2 * width, width), nn.Tanh()
            )
            self.head = nn.Linear(width, arms)
        self.every, self.epochs, self.seen = every, epochs, 0
        self.log: list[tuple[Tensor, Tensor, Tensor]] = []
        self.generator = torch.Generator().manual_seed(seed)

    @torch.no_grad()
    def features(self, x: Tensor) -> Tensor:
        """(B, width + 1) the last hidden layer, and a constant."""
        hidden = self.body(x.float()).double()
        return torch.cat([hidden, torch.ones(len(hidden), 1, dtype=torch.float64)], dim=1)

    def learn(self, x: Tensor, arm: Tensor, reward: Tensor) -> None:
        self.log.append((x.float(), arm, reward.float()))
        before, self.seen = self.seen, self.seen + len(arm)
        if before // self.every == self.seen // self.every:
            super().learn(x, arm, reward)
            return
        everything = [torch.cat(parts) for parts in zip(*self.log, strict=True)]
        self._train(*everything)
        self.a = self.ridge * torch.eye(self.a.shape[1], dtype=torch.float64).repeat(
            len(self.b), 1, 1
        )
        self.b = torch.zeros_like(self.b)
        super().learn(*everything)

    def _train(self, x: Tensor, arm: Tensor, reward: Tensor) -> None:
        weights = [*self.body.parameters(), *self.head.parameters()]
        optimizer = torch.optim.Adam(weights, lr=3e-3, weight_decay=1e-4)
        for _ in range(self.epochs):
            for rows in torch.randperm(len(x), generator=self.generator).split(256):
                logits = self.head(self.body(x[rows])).gather(1, arm[rows, None])[:, 0]
                loss = nn.functional.binary_cross_entropy_with_logits(logits, reward[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
