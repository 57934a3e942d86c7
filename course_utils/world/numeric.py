"""Arithmetic whose last bits decide nothing, so that every processor writes the same log.

Matrix products, sums of many numbers and functions such as `exp` differ in their last bits from one
processor (or BLAS library) to the next. So they are computed in float64 and rounded before a draw
or a state depends on them. Elementwise + − × ÷ and running sums are the same everywhere.
"""

from __future__ import annotations

import numpy as np


def settle(x: np.ndarray, decimals: int = 9) -> np.ndarray:
    """`x` as float64, rounded to `decimals`."""
    return np.asarray(x, np.float64).round(decimals)


def unit(x: np.ndarray) -> np.ndarray:
    """Each row of `x` (…, d) divided by its length."""
    return settle(x / np.sqrt((x * x).sum(axis=-1, keepdims=True)))


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e⁻ˣ), rounded: a chance."""
    return settle(1.0 / (1.0 + np.exp(-settle(x))))


def softmax(x: np.ndarray) -> np.ndarray:
    """Chances (…, n) from logits (…, n), rounded."""
    e = np.asarray(x - x.max(axis=-1, keepdims=True), np.float64)
    np.exp(e, out=e)
    e /= e.sum(axis=-1, keepdims=True)
    return e.round(9, out=e)


def daily(hour: np.ndarray, peak: float) -> np.ndarray:
    """A wave over the day: 1 at the hour `peak`, −1 twelve hours later."""
    return settle(np.cos((hour - peak) / 24 * 2 * np.pi))


def draw(probability: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Index drawn from each row of `probability` (B, n) with `uniform` (B,) in [0, 1)."""
    return pick(np.cumsum(probability, axis=1), uniform)


def pick(cumulative: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """As `draw`, from the running sums of the probabilities."""
    return (cumulative >= (uniform * cumulative[:, -1])[:, None]).argmax(axis=1)
