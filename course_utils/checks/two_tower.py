"""Checks of notebook 04: corrected logits, what is no negative, the chance of mixed negatives."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks._answers import drawn, judge


def check_negative_logits(logits: Callable[[Tensor, Tensor, float], Tensor]) -> None:
    """`negative_logits(cosine, q, temperature)`: cos/τ − log(nQ), (B, n)."""
    sign = "a track that is drawn often stands for few: log(nQ) is taken away, not added"
    inside = "the correction is no part of the cosine: divide by the temperature first"
    forgot = "each draw stands for 1/(nQ) tracks, n is how many were drawn: log(nQ), not log Q"
    chances = torch.tensor([0.5, 0.25, 0.125])
    judge(
        logits,
        lambda cosine, q, tau: cosine / tau - torch.log(q) - torch.log(torch.tensor(float(len(q)))),
        cases=[
            (
                {"cosine": drawn(2, 3).clamp(-1, 1), "q": chances, "temperature": 0.1},
                f"cos/τ − log(nQ); {forgot}",
            ),
            (
                {"cosine": torch.zeros(1, 2), "q": torch.tensor([0.5, 0.25]), "temperature": 1.0},
                "cosines of 0, two draws: −log 1 and −log ½",
            ),
        ],
        mistakes=[
            (lambda c, q, t: c / t + (len(q) * q).log(), sign),
            (lambda c, q, t: c / t + q.log(), f"{sign}; {forgot}"),
            (lambda c, q, t: (c - (len(q) * q).log()) / t, inside),
            (lambda c, q, t: (c - q.log()) / t, f"{inside}; {forgot}"),
            (lambda c, q, t: c / t - q.log(), forgot),
            (lambda c, q, t: c / t - (len(c) * q).log(), "n counts the negatives, not the batch"),
            (lambda c, q, t: c / t - ((len(q) + 1) * q).log(), "n negatives, the positive is none"),
            (lambda c, q, t: c - (len(q) * q).log(), "the temperature is not used"),
            (lambda c, q, t: c * t - (len(q) * q).log(), "a cosine is divided by the temperature"),
            (lambda c, q, t: c / t, "nothing is corrected"),
            (lambda c, q, t: c / t - len(q) * q, "the logarithm of nQ is taken away"),
            (
                lambda c, q, t: (c / t).exp() / (len(q) * q),
                "logits are wanted, not what the softmax makes of them",
            ),
        ],
        tolerance=1e-4,
    )


def check_no_negatives(mask: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`no_negatives(target, played)`: (B, B) bool."""
    diagonal = "somebody else may have played the same track: compare the tracks, not their places"
    before = "what the listener has played before is no negative either"
    row = "row b is listener b, column c is the batch's track c"
    judge(
        mask,
        _no_negatives,
        cases=[
            (
                {
                    "target": torch.tensor([7, 8, 7, 5]),
                    "played": torch.tensor([[5, 1], [7, 7], [1, 8], [3, 4]]),
                },
                f"{row}; {diagonal}; {before}",
            ),
            (
                {"target": torch.tensor([1, 2, 3]), "played": torch.tensor([[9], [9], [9]])},
                "all tracks differ and nothing was played before: the diagonal",
            ),
        ],
        mistakes=[
            (lambda t, p: torch.eye(len(t), dtype=torch.bool), f"{diagonal}; {before}"),
            (lambda t, p: t[:, None] == t, before),
            (lambda t, p: (p[:, :, None] == t).any(dim=1), "the listener's own track is missing"),
            (
                lambda t, p: torch.eye(len(t)).bool() | (p[:, :, None] == t).any(dim=1),
                diagonal,
            ),
            (lambda t, p: ~_no_negatives(t, p), "true where there is *no* negative"),
            (lambda t, p: _no_negatives(t, p).T, row),
            (
                lambda t, p: (t[:, None] == t) | (p[:, :, None] == t).all(dim=1),
                "one of the earlier plays is enough: any, not all",
            ),
        ],
    )


def _no_negatives(target: Tensor, played: Tensor) -> Tensor:
    rows = [
        [bool(t == own) or t.item() in before.tolist() for t in target]
        for own, before in zip(target, played, strict=True)
    ]
    return torch.tensor(rows)


def check_mixture(mixture: Callable[[Tensor, float], Tensor]) -> None:
    """`mixture(q, in_batch)`: share · Q + (1 − share) / N."""
    both = "a track may come in either way: its chances by both ways are added"
    judge(
        mixture,
        lambda q, share: torch.stack([share * one + (1 - share) / len(q) for one in q]),
        cases=[
            (
                {"q": torch.tensor([0.6, 0.3, 0.1, 0.0]), "in_batch": 0.75},
                f"the share by popularity, the rest uniformly from all N; {both}",
            ),
            ({"q": torch.tensor([0.9, 0.1]), "in_batch": 1.0}, "all from the batch: q itself"),
            ({"q": torch.tensor([0.9, 0.1]), "in_batch": 0.0}, "none from the batch: uniform"),
        ],
        mistakes=[
            (lambda q, s: q, "the uniform negatives are missing"),
            (lambda q, s: s * q, "the uniform negatives are missing: chances add up to 1"),
            (lambda q, s: (1 - s) * q + s / len(q), "the shares are exchanged"),
            (lambda q, s: s * q + (1 - s), "uniform: 1/N for each of N tracks"),
            (lambda q, s: q**s, "a mixture of two samplers is a sum, not a power"),
            (lambda q, s: (s * q + (1 - s) / len(q)).log(), "chances are wanted, not logarithms"),
            (lambda q, s: (q + 1 / len(q)) / 2, "the share is not used"),
            (
                lambda q, s: s * q + (1 - s) * (q > 0) / (q > 0).sum(),
                "uniformly from all N tracks, those that no batch brings included",
            ),
        ],
    )
