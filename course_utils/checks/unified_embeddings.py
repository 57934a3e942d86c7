"""TODO."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks._answers import close, done


def check_alone(alone: Callable[[int, int], float]) -> None:
    """`alone(n_values, n_rows)`: the chance to share the row with nobody."""
    close(alone(1, 5), 1.0, "a single value has nobody to share with: only the *others* count")
    close(alone(2, 2), 0.5, "the one other value misses your row with probability 1 − 1/M")
    close(alone(11, 10), 0.9**10, "all ten others must miss: multiply their probabilities")
    done()


def check_look_up(look_up: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`look_up(table, rows)`: (M, d), (B, F, k) → (B, F, k · d)."""
    torch.manual_seed(0)
    table, rows = torch.randn(9, 3), torch.randint(0, 9, (4, 2, 5))
    expected = torch.stack(
        [
            torch.stack([torch.cat([table[r] for r in field]) for field in example])
            for example in rows
        ]
    )
    close(
        look_up(table, rows),
        expected,
        "the k rows of a value come one after the other: all of the first, then the second",
    )
    done()


def check_expected_twins(twins: Callable[[int, int, int], float]) -> None:
    """`twins(n_values, n_rows, n_hashes)`: expected pairs that share all rows."""
    close(twins(2, 10, 1), 0.1, "one pair, and it shares the row with probability 1/M")
    close(twins(4, 10, 1), 0.6, "four values make 4·3/2 = 6 pairs; count each once")
    close(twins(4, 10, 2), 0.06, "the second hash is independent: both must agree, 1/M times 1/M")
    done()
