"""Checks that tell a student whether an exercise is solved, and where to look if not."""

from __future__ import annotations

import torch


class CheckFailed(AssertionError):
    """An answer that is not right yet, with a hint."""


def require(holds: bool, hint: str) -> None:
    if not holds:
        raise CheckFailed(hint)


def close(found: object, expected: object, hint: str, tolerance: float = 1e-5) -> None:
    found, expected = torch.as_tensor(found), torch.as_tensor(expected)
    require(
        found.shape == expected.shape,
        f"the answer has shape {tuple(found.shape)}, expected {tuple(expected.shape)}",
    )
    same = torch.allclose(found.double(), expected.double(), atol=tolerance, rtol=tolerance)
    require(same, f"{hint}\nfound    {found.tolist()}\nexpected {expected.tolist()}")


def done() -> None:
    print("✔ well done")
