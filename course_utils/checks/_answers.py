"""What all checks share: they ask a student's function, compare, and say where to look.

A check is a right function, cases to try it on, and the mistakes that people make, each with its
hint. A student meets hints only: what a function returns, changes or raises never becomes an error
of the check, and in a notebook nothing stands around the hint, least of all the check's source.
"""

from __future__ import annotations

import copy
import inspect
import sysconfig
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from course_utils.checks._reading import called, kind, no_numbers, shown, to_tensor

NOT_THEIRS = (
    "<frozen",
    str(Path(__file__).parents[1]),
    *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")),
)
"""Where the code of the course, of Python and of libraries lies: no lines of a student."""

Place = tuple[int, ...]


class CheckFailed(AssertionError):
    """An answer that is not right yet. Its text is a hint, and all that a notebook shows."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback."""
        return [f"✘ {self}"]


@dataclass(frozen=True)
class Reply:
    """What a student's function returned, or a part of it.

    Args:
        value: as it was returned. said: how hints begin, as "`recall` returned".
        asked: the call, if it is short.
    """

    value: object
    said: str
    asked: str = ""

    def tensor(self) -> Tensor:
        """The value as a tensor: numbers, arrays and lists of them are welcome too.

        Raises:
            CheckFailed: it is something else; says what, and what may have been meant.
        """
        problem = no_numbers(self.value)
        require(not problem, f"{self.said} {problem}")
        try:
            found = to_tensor(self.value)
            if not found.is_complex():
                found.double()
        except Exception:
            raise CheckFailed(
                f"{self.said} {kind(self.value)} that cannot be read as numbers: are "
                "all rows equally long, and is every entry a number?"
            ) from None
        require(
            not found.is_complex(),
            f"{self.said} a complex number: the root or the power of a negative number?",
        )
        return found

    def unpack(self, *names: str) -> list[Reply]:
        """Its parts, one for each name.

        Raises:
            CheckFailed: it does not have as many.
        """
        value, wanted = self.value, f"{len(names)} values, `{', '.join(names)}`"
        if isinstance(value, Tensor | np.ndarray) and value.ndim:
            value = list(value)
        if not isinstance(value, tuple | list):
            problem = no_numbers(value) or kind(value)
            raise CheckFailed(f"return {wanted}; {self.said} {problem}")
        require(
            len(value) == len(names),
            f"return {wanted}; {self.said} {kind(self.value)} of {len(value)}",
        )
        return [Reply(v, f"`{n}` is", self.asked) for v, n in zip(value, names, strict=True)]


def require(holds: bool, hint: str) -> None:
    """Raise `CheckFailed` with the hint unless the condition holds."""
    if not holds:
        raise CheckFailed(hint)


def done() -> None:
    """Say that the exercise is solved."""
    print("✔ well done")


def ask(answer: object, **inputs: object) -> Reply:
    """Call a student's function with copies of the inputs, in their order.

    Args:
        answer: the function, or what was handed over in its place.
        inputs: values by the names that the exercise gives them.

    Raises:
        CheckFailed: it is no function, takes other arguments, raises, or changes its inputs.
    """
    name = f"`{called(answer)}`"
    if not callable(answer):
        raise CheckFailed(
            "hand over the function itself, by its name and without parentheses; this is "
            f"{no_numbers(answer) or kind(answer)}"
        )
    _require_arguments(answer, name, inputs)
    lent = copy.deepcopy(inputs)
    try:
        value = answer(*lent.values())
    except CheckFailed:
        raise
    except BaseException as error:  # an interrupted check shows no source either
        raise CheckFailed(_trouble(name, error)) from None
    for given, before, after in zip(inputs, inputs.values(), lent.values(), strict=True):
        require(
            _unchanged(before, after),
            f"{name} changes its argument `{given}` in place, and its caller still needs that: "
            "compute a new value (x = x + 1, not x += 1; no method that ends in _, no `out=`)",
        )
    call = f"{name.strip('`')}({', '.join(shown(value) for value in inputs.values())})"
    return Reply(value, f"{name} returned", call if len(call) <= 120 else "")


Hint = str | Sequence[str] | Callable[[Place | None], str]
"""What is told of a case: of each part of the answer, or by the first place that differs.

A function is given that place, or None where the shape is wrong.
"""


def judge(
    answer: object,
    right: Callable,
    cases: Iterable[tuple[Mapping[str, object], Hint]],
    mistakes: Sequence[tuple[Callable, str]] = (),
    parts: Sequence[str] = (),
    tolerance: float = 1e-5,
) -> None:
    """Try a student's function on some cases, and say that it is solved if it is right in all.

    A known mistake is told only if it explains what the function returns in every case.

    Args:
        answer: the student's function. right: one that solves the exercise.
        cases: inputs by name with a hint for them. The first should tell all mistakes apart.
        mistakes: functions of the same inputs that are wrong in a known way, with their hints.
        parts: names of the values if it returns several. tolerance: absolute and relative.

    Raises:
        CheckFailed: it is wrong in one of them.
    """
    cases = list(cases)
    trial = _Trial(answer, right, [inputs for inputs, _ in cases], parts, tolerance)
    for number, (inputs, hint) in enumerate(cases):
        found, wanted = trial.ask(number), _values(right, inputs)
        values = [part.tensor() for part in found]
        if _all_close(values, wanted, tolerance):
            continue
        asked = f"\nasked     {found[0].asked}" if found[0].asked else ""
        seen = asked + _difference(values, wanted, tolerance)
        for wrong, told in mistakes:
            same = _all_close(values, _values(wrong, inputs), tolerance, exact_zero=True)
            require(not (same and trial.explained_by(wrong, number)), told + seen)
        _tell_difference(found, values, wanted, hint, asked, seen, tolerance)
    done()


def drawn(*shape: int, seed: int = 0) -> Tensor:
    """Normal numbers of one decimal, always the same; no global random state is touched."""
    numbers = np.random.default_rng(seed).standard_normal(shape).round(1)
    return torch.tensor(numbers, dtype=torch.float32)


# Comparing


@dataclass(frozen=True)
class _Trial:
    """A student's function, the right one, and the cases in which they are compared."""

    answer: object
    right: Callable
    cases: Sequence[Mapping[str, object]]
    parts: Sequence[str]
    tolerance: float

    def ask(self, number: int) -> list[Reply]:
        reply = ask(self.answer, **self.cases[number])
        return reply.unpack(*self.parts) if self.parts else [reply]

    def explained_by(self, wrong: Callable, number: int) -> bool:
        """Whether a mistake, made in this case, fits those before, all right, and those after."""

        def same(values: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
            return _all_close(values, others, self.tolerance)

        for place, inputs in enumerate(self.cases):
            expected, mistaken = _values(self.right, inputs), _values(wrong, inputs)
            if place < number and not same(expected, mistaken):
                return False
            # an error speaks neither for nor against the mistake, and so do NaN and infinity
            if place > number and all(part.isfinite().all() for part in mistaken):
                try:
                    values = [part.tensor() for part in self.ask(place)]
                except CheckFailed:
                    continue
                if not (same(values, expected) or same(values, mistaken)):
                    return False
        return True


def _values(function: Callable, inputs: Mapping[str, object]) -> list[Tensor]:
    value = function(*inputs.values())
    return [to_tensor(part) for part in (value if isinstance(value, tuple) else [value])]


def _tell_difference(
    found: Sequence[Reply],
    values: Sequence[Tensor],
    wanted: Sequence[Tensor],
    hint: Hint,
    asked: str,
    seen: str,
    tolerance: float,
) -> None:
    """Raise the hint for the first part of an answer that is wrong in no known way."""
    same = [_close(v, w, tolerance) for v, w in zip(values, wanted, strict=True)]
    first = same.index(False)
    part, value, expected = found[first], values[first], wanted[first]
    if value.shape != expected.shape:
        comma = ": is there a comma too many?" if isinstance(part.value, tuple) else ""
        raise CheckFailed(
            f"{part.said} {kind(part.value)} of shape {tuple(value.shape)}, "
            f"expected is {tuple(expected.shape)}{comma}\n{_hint(hint, first, None)}{asked}"
        )
    require(
        bool(value.isfinite().all()),
        f"{part.said} NaN or infinity: a division by 0, the logarithm or the root of a "
        f"negative number, or an unknown value that was let through?{seen}",
    )
    rounded = any(_close(value, expected.double().round(decimals=d), 1e-9) for d in (1, 2, 3))
    require(not rounded, f"this is rounded: return all digits{seen}")
    raise CheckFailed(_hint(hint, first, _first_place(value, expected, tolerance)) + seen)


def _hint(hint: Hint, part: int, place: Place | None) -> str:
    if isinstance(hint, str):
        return hint
    return hint(place) if callable(hint) else hint[part]


def _first_place(value: Tensor, other: Tensor, tolerance: float) -> Place:
    value, other = value.double(), other.double()
    same = torch.isclose(value, other, atol=tolerance, rtol=tolerance, equal_nan=True)
    return tuple((~same).nonzero()[0].tolist())


def _all_close(
    values: Sequence[Tensor], others: Sequence[Tensor], tolerance: float, exact_zero: bool = False
) -> bool:
    pairs = zip(values, others, strict=True)
    return all(_close(value, other, tolerance, exact_zero) for value, other in pairs)


def _close(value: Tensor, other: Tensor, tolerance: float, exact_zero: bool = False) -> bool:
    """Whether two tensors agree; with `exact_zero` nothing but 0 is close to zeros alone."""
    if value.shape != other.shape:
        return False
    value, other = value.double(), other.double()
    atol = 0.0 if exact_zero and not other.any() else tolerance
    return torch.allclose(value, other, atol=atol, rtol=tolerance, equal_nan=True)


def _difference(found: Sequence[Tensor], expected: Sequence[Tensor], tolerance: float) -> str:
    """Lines with what was found and expected; of large tensors the first place that differs."""
    where, value, wanted = "", found[0].double(), expected[0].double()
    if len(found) == 1 and value.shape == wanted.shape and value.numel() > 8:
        place = _first_place(value, wanted, tolerance)
        found, expected = [value[place]], [wanted[place]]
        where = f"\nat        {list(place)}"
    digits = 4
    while digits < 16 and _row(found, digits) == _row(expected, digits):
        digits += 4
    return f"{where}\nfound     {_row(found, digits)}\nexpected  {_row(expected, digits)}"


def _row(values: Sequence[Tensor], digits: int) -> str:
    return ", ".join(shown(value, digits) for value in values)


# What goes wrong inside of a student's function


def _require_arguments(answer: Callable, name: str, inputs: Mapping[str, object]) -> None:
    try:
        signature = inspect.signature(answer)
    except (TypeError, ValueError):  # some functions written in C tell nothing
        return
    try:
        signature.bind(*inputs)
    except TypeError:
        raise CheckFailed(
            f"{name} is called with {len(inputs)} arguments, ({', '.join(inputs)}); yours takes "
            f"({', '.join(signature.parameters)})"
        ) from None


def _trouble(name: str, error: BaseException) -> str:
    """The error in a student's function, its message, and the line of their code."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if not frame.filename.startswith(NOT_THEIRS)]
    where = f"\nin line {theirs[-1].lineno} of {theirs[-1].name}" if theirs else ""
    if theirs and theirs[-1].line:
        where += f": {theirs[-1].line}"
    if isinstance(error, KeyboardInterrupt):
        return f"{name} was interrupted: does a loop never end?{where}"
    said = "".join(traceback.format_exception_only(error)).strip()
    if isinstance(error, NotImplementedError) and theirs and theirs[-1] is frames[-1]:
        said = said.removeprefix("NotImplementedError").removeprefix(": ")
        return f"not solved yet: {said or f'write {name}, then run its cell and this one'}"
    said = said if len(said) <= 400 else f"{said[:400]} …"
    return f"{name} raised {said}{where}"


def _unchanged(before: object, after: object) -> bool:
    if isinstance(before, Tensor) and isinstance(after, Tensor):
        return _unchanged(before.cpu().numpy(), after.detach().cpu().numpy())
    if isinstance(before, np.ndarray) and isinstance(after, np.ndarray):
        floats = np.issubdtype(before.dtype, np.floating)
        return before.dtype == after.dtype and np.array_equal(before, after, equal_nan=floats)
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(_unchanged, before, after))
    return before == after
