"""Reading what a student's function returned: as numbers, and in a few words."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from numbers import Integral, Real

import numpy as np
import torch
from torch import Tensor


def called(function: object) -> str:
    """The name of a function or a class."""
    if inspect.isroutine(function) or inspect.isclass(function):
        return function.__name__
    return "your function"


def kind(value: object) -> str:
    """The type of a value, with its article."""
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def no_numbers(value: object) -> str:
    """What a value is that can hold no numbers, and what may have been meant; else nothing."""
    if value is None:
        return "nothing (None): does every way through it end with `return`?"
    if value is Ellipsis or value is NotImplemented:
        return f"{'`...`' if value is Ellipsis else value}: not solved yet"
    if inspect.iscoroutine(value):
        value.close()
        return "a coroutine: write `def`, not `async def`"
    if isinstance(value, Iterator):
        return (
            f"{kind(value)}, which computes nothing before it is walked through: put it into "
            "`list(…)` or `sum(…)`, and write `return`, not `yield`"
        )
    if callable(value):
        return f"something to call ({shown(value)}), not a value: are its parentheses missing?"
    if isinstance(value, str | bytes):
        return "text"
    if type(value).__module__ == "torch.return_types":
        return f"{kind(value)} of PyTorch, which holds values and indices: take one of them"
    if isinstance(value, tuple) and not all(isinstance(v, Real) for v in value):
        return f"a tuple of {len(value)}, where one value is wanted: is there a comma too many?"
    numbers = any(hasattr(type(value), sign) for sign in ("__array__", "__float__"))
    if numbers or isinstance(value, list | tuple | range | complex):
        return ""
    return f"{kind(value)}, where numbers are wanted"


def to_tensor(value: object) -> Tensor:
    """A tensor on the CPU, of numbers, arrays, or lists of them; whole numbers stay whole.

    Raises:
        Exception: of many kinds, where the value cannot be read so.
    """
    if isinstance(value, Tensor):
        return value.detach().cpu().to_dense()
    if isinstance(value, str | bytes):
        raise TypeError("text")
    if hasattr(type(value), "__array__"):
        return torch.from_numpy(np.array(value, order="C"))
    if isinstance(value, list | tuple | range):
        return torch.stack([to_tensor(v) for v in value]) if len(value) else torch.empty(0)
    if isinstance(value, Integral | complex):
        return torch.tensor(value, device="cpu")
    return torch.tensor(float(value), dtype=torch.float64, device="cpu")  # type: ignore[arg-type]


def shown(value: object, digits: int = 4) -> str:
    """A value in a few characters; a larger tensor by its shape."""
    if isinstance(value, Tensor | np.ndarray):
        large = np.prod(value.shape) > 12
        return f"<shape {tuple(value.shape)}>" if large else shown(value.tolist(), digits)
    if isinstance(value, set):
        return "{" + ", ".join(map(repr, sorted(value))) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(shown(v, digits) for v in value) + "]"
    if isinstance(value, float):
        return f"{value + 0.0:.{digits}g}"
    return called(value) if callable(value) else repr(value)
