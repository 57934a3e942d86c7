"""Games of two networks: what each side minimises, and CFGAN, whose generator writes profiles.

A discriminator answers with a logit, the log-odds that what it was shown is real. A profile is what
somebody has played, as in `vae`: `history` (B, L) track numbers, each once, and `plays` (B, L), 1
for each of them and 0 where a profile has no more.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from course_utils.models.generative.vae import MultDAE

Batch = dict[str, Tensor]


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """−log D(real) − log(1 − D(fake)), each a mean: logits (…) and (…) → ().

    >>> discriminator_loss(torch.zeros(3), torch.zeros(2))  # D = ½ everywhere: log 4
    tensor(1.3863)

    Source: Goodfellow et al. (2014), "Generative adversarial nets", NIPS, equation 1, its sign
    turned.
    """
    return softplus(-real).mean() + softplus(fake).mean()


def generator_loss(fake: Tensor, saturating: bool = False) -> Tensor:
    """What the generator minimises, a mean over the discriminator's logits (…) of its work.

    Args:
        saturating: log(1 − D), the game as it is written; else −log D, which wants the same and
            has a gradient as long as the discriminator wins.

    Source: Goodfellow et al. (2014), section 3.
    """
    return -softplus(fake).mean() if saturating else softplus(-fake).mean()


def best_discriminator(p: Tensor, p_g: Tensor) -> Tensor:
    """D* = p / (p + p_g), the best answer to a generator: chances or densities (…), (…) → (…).

    >>> best_discriminator(torch.tensor([0.75, 0.25]), torch.tensor([0.25, 0.25]))
    tensor([0.7500, 0.5000])

    Source: Goodfellow et al. (2014), proposition 1.
    """
    return p / (p + p_g)


def value(p: Tensor, p_g: Tensor, d: Tensor) -> Tensor:
    """V = Σ p log D + p_g log(1 − D), in nats: (K,) three times → ().

    0 · log 0 is 0. At D* it is 2 JSD(p, p_g) − log 4.

    Source: Goodfellow et al. (2014), equation 1 and theorem 1.
    """
    return (torch.xlogy(p, d) + torch.xlogy(p_g, 1 - d)).sum()


def reinforce_loss(log_chance: Tensor, reward: Tensor, baseline: Tensor | float = 0.0) -> Tensor:
    """A loss whose gradient is that of minus the mean reward: −mean (R − b) log π.

    A draw cannot be differentiated, the chance of it can.

    Args:
        log_chance: (…) log π of what was drawn from π. reward: (…) of each draw; no gradient goes
            through it. baseline: b, which must not depend on the draw it is taken from.

    Source: Williams (1992), "Simple statistical gradient-following algorithms for connectionist
    reinforcement learning", Machine Learning, section 4; for retrieval Wang et al. (2017), "IRGAN:
    a minimax game for unifying generative and discriminative information retrieval models", SIGIR,
    section 2.2.
    """
    return -((reward - baseline).detach() * log_chance).mean()


class ProfileJudge(nn.Module):
    """The discriminator: is this the profile of the listener who is known to have played that?

    A layer of tanh on the two vectors side by side, the profile it is shown and the condition, and
    one logit. The matrix has a row for each track and side, and its product with a vector is a sum
    of rows: only what is not zero costs anything.

    Args:
        n_tracks: N, the unknown one (0) included. hidden: width of the layer.

    Source: Chae et al. (2018), "CFGAN: a generic collaborative filtering framework based on
    generative adversarial networks", CIKM, section 3.1.
    """

    def __init__(self, n_tracks: int, hidden: int = 16) -> None:
        super().__init__()
        self.shown = nn.Embedding(n_tracks, hidden)
        self.known = nn.Embedding(n_tracks, hidden)
        for table in (self.shown, self.known):
            nn.init.normal_(table.weight, std=hidden**-0.5)
        self.bias = nn.Parameter(torch.zeros(hidden))
        self.last = nn.Linear(hidden, 1)

    def condition(self, history: Tensor, plays: Tensor) -> Tensor:
        """(B, L) profile and plays → (B, hidden), what the condition adds to the layer."""
        return torch.einsum("bl,blh->bh", plays, self.known(history))

    def forward(
        self, condition: Tensor, history: Tensor, own: Tensor, drawn: Tensor, others: Tensor
    ) -> Tensor:
        """A logit of each profile, (B,).

        Args:
            condition: (B, hidden). history: (B, L) the profile's tracks. own: (B, L) what it is
                shown to hold there. drawn: (n,) further tracks. others: (B, n) what it holds there.
        """
        rows = torch.einsum("bl,blh->bh", own, self.shown(history)) + others @ self.shown(drawn)
        return self.last(torch.tanh(rows + condition + self.bias))[:, 0]


class CFGAN(nn.Module):
    """A generator that writes a whole profile from what is known of a listener, and its judge.

    The generator is a `MultDAE`, so that nothing but the training differs from the autoencoders;
    its scores are the profile. It has no random input, as in the paper.

    Args:
        n_tracks: N, the unknown one (0) included. dim, hidden: of the generator. noise: chance
            that a track of the condition is left out in training; the paper has none.

    Shapes: history (B, L), plays (B, L) → (B, dim + 1), the generator's vectors of the listeners.

    Source: Chae et al. (2018), section 3.1.
    """

    def __init__(self, n_tracks: int, dim: int = 32, hidden: int = 32, noise: float = 0.0) -> None:
        super().__init__()
        self.generator = MultDAE(n_tracks, dim, hidden, noise)
        self.judge = ProfileJudge(n_tracks)

    def forward(self, history: Tensor, plays: Tensor) -> Tensor:
        return self.generator(history, plays)

    def tracks(self) -> Tensor:
        """(N, dim + 1) the generator's vectors of all tracks."""
        return self.generator.tracks()

    def profiles(self, history: Tensor, plays: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
        """What the generator writes at the listener's own tracks (B, L) and at drawn ones (B, n).

        0 where a profile has no more, and where a drawn track is one of the listener's own.
        """
        z = self.generator.code(history, plays)
        table, bias = self.generator.decoder, self.generator.bias
        own = torch.einsum("bd,bld->bl", z, table(history)) + bias[history]
        others = z @ table(drawn).T + bias[drawn]
        theirs = torch.zeros(len(z), len(bias), dtype=torch.bool, device=z.device)
        theirs.scatter_(1, history, plays > 0)
        return own * (plays > 0), others.masked_fill(theirs.index_select(1, drawn), 0)


class CFGANLoss:
    """Both sides' losses in one number, each reaching only the weights of its own side.

    The judge sees a profile through a mask. Without more it is the listener's own tracks, and a
    generator that writes 1 everywhere is never found out. Two cures, alone or together (ZP):

    * zero reconstruction (ZR) adds α Σ x̂² over drawn tracks to the generator's loss;
    * partial masking (PM) opens the mask at drawn tracks, where a real profile holds zeros.

    The paper's generator minimises log(1 − D), this one −log D. Both sides take a step at the same
    time here, at one rate, while the paper lets them take turns. A batch shares the tracks that are
    drawn, uniformly and anew each time; the paper draws them for each listener.

    Args:
        n_tracks: N. zero: α; 0 leaves ZR out. partial: whether there is PM. n: tracks that either
            draws.

    Called with a `CFGAN` and a batch of profiles it gives the sum of the means over the profiles.

    Source: Chae et al. (2018), sections 3.1 and 3.2.
    """

    def __init__(
        self, n_tracks: int, zero: float = 0.0, partial: bool = False, n: int = 512
    ) -> None:
        self.n_tracks, self.zero, self.partial, self.n = n_tracks, zero, partial, n

    def draw(self, wanted: bool, like: Tensor) -> Tensor:
        """(n,) tracks, or none at all."""
        n = self.n if wanted else 0
        return torch.randint(1, self.n_tracks, (n,), device=like.device)

    def __call__(self, model: Any, batch: Batch) -> Tensor:
        history, plays = batch["history"], batch["plays"]
        masked, zeros = self.draw(self.partial, history), self.draw(self.zero > 0, history)
        own, others = model.profiles(history, plays, torch.cat([masked, zeros]))
        shown, pulled = others.split([len(masked), len(zeros)], dim=1)

        judge = model.judge
        condition = judge.condition(history, plays)
        real = judge(condition, history, plays, masked, torch.zeros_like(shown))
        fake = judge(condition, history, own.detach(), masked, shown.detach())
        loss = discriminator_loss(real, fake)

        judge.requires_grad_(False)  # the generator's loss is to move the generator alone
        fooled = judge(condition.detach(), history, own, masked, shown)
        judge.requires_grad_(True)
        return loss + generator_loss(fooled) + self.zero * pulled.square().sum(dim=1).mean()


class ZeroReconstruction:
    """CFGAN without a judge: ½ Σ (1 − x̂)² over the listener's own tracks, and α Σ x̂² over drawn.

    What is left of ZR if nobody plays against the generator: plain squared error.

    Args:
        n_tracks: N. zero: α. n: tracks that are drawn.

    Called with a `MultDAE` or anything that has `profiles`, and a batch.
    """

    def __init__(self, n_tracks: int, zero: float, n: int = 512) -> None:
        self.n_tracks, self.zero, self.n = n_tracks, zero, n

    def __call__(self, model: Any, batch: Batch) -> Tensor:
        history, plays = batch["history"], batch["plays"]
        drawn = torch.randint(1, self.n_tracks, (self.n,), device=history.device)
        own, others = model.profiles(history, plays, drawn)
        missed = (plays - own).square().sum(dim=1) / 2 + self.zero * others.square().sum(dim=1)
        return missed.mean()


def likeness(written: Tensor, given: Tensor) -> Tensor:
    """Pearson's correlation of each row: (B, N), (B, N) → (B,); 0 where a row is constant."""
    a, b = (rows - rows.mean(dim=1, keepdim=True) for rows in (written, given))
    lengths = a.norm(dim=1) * b.norm(dim=1)
    return (a * b).sum(dim=1) / torch.where(lengths > 0, lengths, 1.0)
