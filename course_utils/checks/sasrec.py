"""Checks of notebook 09: the causal mask, inputs and targets, an honest place."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from course_utils.checks._answers import ask, drawn, judge, require

Side = Callable[[Tensor, int], Tensor]


def check_allowed(allowed: Callable[[Tensor], Tensor]) -> None:
    """`allowed(mask)`: (B, L, L) bool, row i may look at column j."""
    future = "place i may look at j ≤ i: the lower triangle with its diagonal (`tril`)"
    filled = "a filled-up place is seen by nobody else: `mask` takes out columns"
    itself = "every place may look at itself, or a filled-up one would divide zero by zero"
    found = ask(allowed, mask=torch.tensor([[True, True]])).tensor()
    numbers = "return bool: a mask of numbers is *added* to the logits, and hides nothing"
    require(not found.is_floating_point(), numbers)
    judge(
        allowed,
        _allowed,
        cases=[
            (
                {"mask": torch.tensor([[False, True, True, True], [True, True, True, False]])},
                f"{future}; {filled}; {itself}",
            ),
            ({"mask": torch.tensor([[True, True, True]])}, f"nothing is filled up; {future}"),
            ({"mask": torch.tensor([[False, False]])}, f"no play at all: {itself}"),
        ],
        mistakes=[
            (lambda m: ~_allowed(m), "true where a place *may* look; yours is the other way round"),
            (lambda m: _past(m, 1).triu(0).bool() & m[:, None], f"this looks ahead; {future}"),
            (lambda m: _past(m).triu() & m[:, None] | _itself(m), f"this looks ahead; {future}"),
            (lambda m: _past(m).tril() & m[:, None], itself),
            (lambda m: _past(m).tril(-1) & m[:, None], f"its own play is known, too; {itself}"),
            (lambda m: _past(m).tril(), filled),
            (lambda m: m[:, None] | _itself(m), f"the future is not masked; {future}"),
            (lambda m: _past(m).tril() & m[:, :, None] | _itself(m), f"rows look; {filled}"),
            (lambda m: _allowed(m).transpose(1, 2), "row i looks, column j is looked at"),
        ],
    )


def _past(mask: Tensor, value: int = 1) -> Tensor:
    return torch.full((len(mask), mask.shape[1], mask.shape[1]), value, dtype=torch.bool)


def _itself(mask: Tensor) -> Tensor:
    return torch.eye(mask.shape[1], dtype=torch.bool)


def _allowed(mask: Tensor) -> Tensor:
    n = mask.shape[1]
    rows = [
        [[i == j or (j <= i and bool(row[j])) for j in range(n)] for i in range(n)] for row in mask
    ]
    return torch.tensor(rows)


def check_inputs_and_targets(cut: Callable[[Tensor, int], tuple[Tensor, Tensor]]) -> None:
    """`inputs_and_targets(plays, length)`: two (L,) tensors, filled up on the left."""
    shift = "the target of a place is the play that *follows* its input"
    latest = "take the latest plays, L + 1 of them at most"
    left = "fill up with 0 on the left, so that the last play stands at the end"

    def wrong(first: Side, second: Side) -> Callable[[Tensor, int], tuple[Tensor, Tensor]]:
        return lambda plays, length: (first(plays, length), second(plays, length))

    def before(plays: Tensor, length: int) -> Tensor:
        return _filled(plays[:-1], length)

    def after(plays: Tensor, length: int) -> Tensor:
        return _filled(plays[1:], length)

    def filled_before(plays: Tensor, length: int) -> Tensor:
        return nn.functional.pad(plays, (length, 0))[-(length + 1) : -1]

    def filled_after(plays: Tensor, length: int) -> Tensor:
        return nn.functional.pad(plays, (length, 0))[-length:]

    judge(
        cut,
        wrong(before, after),
        cases=[
            (
                {"plays": torch.tensor([4, 9, 2, 7, 5, 8]), "length": 3},
                [f"{latest}; inputs end before the last play", f"{latest}; {shift}"],
            ),
            ({"plays": torch.tensor([5, 6, 7]), "length": 4}, f"{left}; {shift}"),
            ({"plays": torch.tensor([5, 6, 7]), "length": 2}, "it just fits: 5, 6 and 6, 7"),
        ],
        mistakes=[
            (
                wrong(filled_before, filled_after),
                "cut first, then fill up: a filled-up place has no target",
            ),
            (wrong(_filled, _filled), f"input and target are the same here; {shift}"),
            (wrong(after, after), f"input and target are the same here; {shift}"),
            (wrong(before, before), f"input and target are the same here; {shift}"),
            (wrong(after, before), f"these are exchanged: {shift}"),
            (
                wrong(
                    lambda p, n: _filled(p[: n + 1][:-1], n),
                    lambda p, n: _filled(p[: n + 1][1:], n),
                ),
                f"these are the first plays: {latest}",
            ),
            (
                wrong(
                    lambda p, n: _filled(p[:-1], n).roll(min(len(p) - 1, n), 0),
                    lambda p, n: _filled(p[1:], n).roll(min(len(p) - 1, n), 0),
                ),
                left,
            ),
            (
                wrong(lambda p, n: _filled(p[-n:][:-1], n), lambda p, n: _filled(p[-n:][1:], n)),
                f"L inputs and L targets need L + 1 plays; {latest}",
            ),
        ],
        parts=("inputs", "targets"),
    )


def _filled(plays: Tensor, length: int) -> Tensor:
    last = plays[-length:]
    return torch.cat([torch.zeros(length - len(last), dtype=plays.dtype), last])


def check_place(place: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`place(scores, target)`: 1 … N, ties against the target, N + 1 where a score is NaN."""
    ties = "tracks with the target's score stand before it: count those that are at least as good"
    nan = "a comparison with NaN is false, so nothing seems better: such a row gets N + 1"
    scores = drawn(4, 6)
    scores[1] = 0.5
    scores[2, 3] = float("nan")
    judge(
        place,
        _place,
        cases=[
            ({"scores": scores, "target": torch.tensor([2, 0, 1, 4])}, f"{ties}; {nan}"),
            (
                {"scores": torch.tensor([[0.5, 0.5, 0.1]]), "target": torch.tensor([0])},
                f"two share the best score; {ties}",
            ),
            (
                {
                    "scores": torch.tensor([[float("nan"), 0.2], [0.3, -torch.inf]]),
                    "target": torch.tensor([0, 1]),
                },
                f"the target itself may be the NaN; {nan}",
            ),
        ],
        mistakes=[
            (lambda s, t: (s > _own(s, t)).sum(1) + 1, f"ties and NaN pass for hits here; {ties}"),
            (lambda s, t: _guarded(s, (s > _own(s, t)).sum(1) + 1), ties),
            (lambda s, t: (s >= _own(s, t)).sum(1), nan),
            (lambda s, t: _guarded(s, (s > _own(s, t)).sum(1)), f"places begin with 1; {ties}"),
            (lambda s, t: _guarded(s, (s >= _own(s, t)).sum(1) - 1), "places begin with 1, not 0"),
            (lambda s, t: _guarded(s, (s <= _own(s, t)).sum(1)), "the best has the largest score"),
            (
                lambda s, t: _guarded(s, (s >= _own(s, t)).sum(1), 0),
                "N + 1, not N, so that a list of all N tracks does not hold it, either",
            ),
        ],
    )


def _own(scores: Tensor, target: Tensor) -> Tensor:
    return scores.gather(1, target[:, None])


def _guarded(scores: Tensor, found: Tensor, beyond: int = 1) -> Tensor:
    return torch.where(scores.isnan().any(dim=1), scores.shape[1] + beyond, found)


def _place(scores: Tensor, target: Tensor) -> Tensor:
    n = scores.shape[1]
    places = [
        n + 1 if row.isnan().any() else sum(bool(one >= row[own]) for one in row)
        for row, own in zip(scores, target, strict=True)
    ]
    return torch.tensor(places)
