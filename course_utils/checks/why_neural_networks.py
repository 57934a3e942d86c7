"""Checks of notebook 02: a hill of kinks, a power law, numbers that cannot break a network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from course_utils.checks._answers import Place, judge

NAN = float("nan")


def check_hill(hill: Callable[[Tensor, float, float, float], Tensor]) -> None:
    """`hill(x, left, top, right)`: 0, up to 1 at the top, down to 0, made of three kinks."""
    shape = {"left": 1.0, "top": 3.0, "right": 8.0}
    turn = "the second kink must undo the rise *and* go down: its slope is the sum of both"
    own = "the fall has a slope of its own: 1 over the width right − top"
    judge(
        hill,
        lambda x, a, top, b: torch.minimum((x - a) / (top - a), (b - x) / (b - top)).clamp(min=0),
        cases=[
            (
                {"x": torch.tensor([-3.0, 2.0, 4.0, 6.0, 9.0, 99.0]), **shape},
                "0 up to `left`, a straight line up to 1 at `top`, a straight line down to 0 at "
                "`right`, 0 from there on: at each kink the slope changes by one multiple of relu",
            ),
            (
                {"x": torch.tensor([-3.0, 1.0]), **shape},
                "left of the hill all kinks are silent: the value is 0",
            ),
            ({"x": torch.tensor([3.0, 8.0]), **shape}, "it is 1 at `top` and 0 at `right`"),
            (
                {"x": torch.tensor([-1.5, 0.25]), "left": -2.0, "top": 0.0, "right": 0.5},
                "the slopes follow from `left`, `top` and `right`, whatever these are",
            ),
        ],
        mistakes=[
            (_kinks(lambda up, down: (up, -down, 0)), turn),
            (_kinks(lambda up, down: (up, -down, down)), turn),
            (_kinks(lambda up, down: (up, -down, down - up)), turn),
            (
                _kinks(lambda up, down: (up, -up - down, 0)),
                "the third kink stops the fall: right of the hill the value is 0",
            ),
            (
                _kinks(lambda up, down: (up, -up - down, up)),
                "right of the hill the three slopes must add up to 0",
            ),
            (
                _kinks(lambda up, down: (up, -up - down, up + down)),
                "right of the hill the three slopes must add up to 0",
            ),
            (
                _kinks(lambda up, down: (up, -up - down, -down)),
                "the third kink stops the fall: mind its sign",
            ),
            (_kinks(lambda up, down: (up, 0, 0)), "one kink only rises: two must turn and stop it"),
            (
                _kinks(lambda up, down: (up, -up, 0)),
                "after the top the hill must fall, here it stays at 1: the second kink must do "
                "more than undo the rise",
            ),
            (
                _kinks(lambda up, down: (1, -2, 1)),
                "the rise to 1 goes over the width top − left: that sets its slope; so with the "
                "fall",
            ),
            (
                _kinks(lambda up, down: (1 / up, -1 / up - 1 / down, 1 / down)),
                "a slope is height over width: divide by the width",
            ),
            (
                _kinks(lambda up, down: (down, -up - down, up)),
                "the rise goes over the width top − left and the fall over right − top; these are "
                "exchanged",
            ),
            (_kinks(lambda up, down: (up, -2 * up, up)), own),
            (_kinks(lambda up, down: (down, -2 * down, down)), own),
            (_kinks(lambda up, down: (up, -up - 1, 1)), own),
            (
                lambda x, a, top, b: torch.relu(1 - (x - top).abs() / (top - a)),
                own,
            ),
            (
                lambda x, a, top, b: _kinks(lambda up, down: (1, -2, 1))(x, a, top, b) / (b - a),
                "the rise goes over top − left and the fall over right − top, not both over the "
                "whole width",
            ),
            (
                lambda x, a, top, b: (
                    torch.relu((x - a) / (top - a)) * torch.relu((b - x) / (b - top))
                ),
                "a product of two lines is a curve: the hill is a sum of kinks",
            ),
            (_kinks(lambda up, down: (-up, up + down, -down)), "this is a valley: mind the signs"),
            (
                lambda x, a, top, b: torch.minimum((x - a) / (top - a), (b - x) / (b - top)),
                "outside of the hill the value is 0: a line without relu goes on below 0",
            ),
        ],
    )


def _kinks(
    slopes: Callable[[float, float], tuple[float, float, float]],
) -> Callable[[Tensor, float, float, float], Tensor]:
    """Three kinks; what each adds to the slope follows from the slopes of rise and fall."""

    def hill(x: Tensor, left: float, top: float, right: float) -> Tensor:
        at_left, at_top, at_right = slopes(1 / (top - left), 1 / (right - top))
        kinks = (torch.relu(x - kink) for kink in (left, top, right))
        return torch.stack(
            [s * kink for s, kink in zip((at_left, at_top, at_right), kinks, strict=True)]
        ).sum(dim=0)

    return hill


def check_power_law(power_law: Callable[[Tensor, Tensor], tuple[float, float]]) -> None:
    """`power_law(n, gap)`: a and b of gap = a · n^(−b), by least squares on the logarithms."""
    n = torch.tensor([1e3, 1e4, 1e5, 1e6])
    line = "fit a line to log gap over log n: its intercept is log a, and its slope is −b"
    sign = "the slope of log gap over log n is −b: mind the sign"
    back = "the intercept is log a: take it back with exp"
    back_10 = "the intercept is the logarithm of a to base 10: take it back with 10 ** …"
    judge(
        power_law,
        _power_law,
        cases=[
            ({"n": n, "gap": torch.tensor([0.3, 0.05, 0.03, 0.004])}, (line, line)),
            ({"n": n[:2], "gap": torch.tensor([0.2, 0.1])}, (line, line)),
        ],
        mistakes=[
            (lambda n, gap: (_fit(n, gap)[0], -_fit(n, gap)[1]), sign),
            (lambda n, gap: (np.log(_fit(n, gap)[0]), _fit(n, gap)[1]), back),
            (lambda n, gap: (np.log(_fit(n, gap)[0]), -_fit(n, gap)[1]), f"{sign}; and {back}"),
            (lambda n, gap: (np.log10(_fit(n, gap)[0]), _fit(n, gap)[1]), back_10),
            (
                lambda n, gap: (np.log10(_fit(n, gap)[0]), -_fit(n, gap)[1]),
                f"{sign}; and {back_10}",
            ),
            (
                lambda n, gap: (np.log2(_fit(n, gap)[0]), _fit(n, gap)[1]),
                "the intercept is the logarithm of a to base 2: take it back with 2 ** …",
            ),
            (
                lambda n, gap: (_fit(n, gap)[0], _fit(n, gap)[1] * np.log(10)),
                "the same logarithm belongs on both axes: here n has another than the gap",
            ),
            (
                lambda n, gap: (1, -float((n.log() * gap.log()).sum() / n.log().square().sum())),
                "the line need not pass through 0: its intercept is log a",
            ),
            (lambda n, gap: (-np.log(_fit(n, gap)[0]), _fit(n, gap)[1]), back),
            (
                lambda n, gap: (-_fit(n, gap)[1], np.log(_fit(n, gap)[0])),
                "these are the slope and the intercept of the line; what do they say of a and b?",
            ),
            (
                lambda n, gap: (_fit(n, gap)[1], np.log(_fit(n, gap)[0])),
                f"return a first, then b; {back}",
            ),
            (lambda n, gap: _fit(n, gap)[::-1], "return a first, then b"),
            (lambda n, gap: (-_fit(n, gap)[1], _fit(n, gap)[0]), f"return a first, then b; {sign}"),
            (
                lambda n, gap: (_fit(n, gap)[0] ** (1 / np.log(10)), _fit(n, gap)[1]),
                "a logarithm to base 10 is taken back with 10 ** …, a natural one with exp",
            ),
            (
                lambda n, gap: (10 ** np.log(_fit(n, gap)[0]), _fit(n, gap)[1]),
                "a natural logarithm is taken back with exp, one to base 10 with 10 ** …",
            ),
            (
                lambda n, gap: _fit(n[[0, -1]], gap[[0, -1]]),
                "least squares goes through the middle of all points, not through two of them",
            ),
            (
                lambda n, gap: _line(n, gap.log()),
                "take the logarithm of n as well: a power law is a line on two logarithmic axes",
            ),
            (
                lambda n, gap: _line(n, gap),
                "take the logarithm of both: a power law is a line on two logarithmic axes",
            ),
            (
                lambda n, gap: _fit(gap, n),
                "the gap depends on n: regress log gap on log n, not the other way round",
            ),
        ],
        parts=("a", "b"),
        tolerance=1e-3,
    )


def _line(x: Tensor, y: Tensor) -> tuple[float, float]:
    slope, intercept = np.polyfit(np.asarray(x, float), np.asarray(y, float), 1)
    return float(np.exp(intercept)), float(-slope)


def _fit(x: Tensor, y: Tensor) -> tuple[float, float]:
    return _line(x.double().log(), y.double().log())


def _power_law(n: Tensor, gap: Tensor) -> tuple[float, float]:
    """Least squares written out: covariance over variance, and the line through the means."""
    x, y = n.double().log(), gap.double().log()
    slope = ((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()
    return float((y.mean() - slope * x.mean()).exp()), float(-slope)


def check_prepare(prepare: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`prepare(train, new)`: standardised by `train`, cut at ±3, unknowns as 0 and a flag."""
    rng = np.random.default_rng(0)
    train = torch.tensor(rng.normal([5, -40], [2, 10], size=(400, 2)), dtype=torch.float32)
    train[::7, 0], train[::5, 1] = NAN, NAN
    new = torch.tensor([[6.0, -35.0], [1e9, -1e9], [-1e9, 1e9], [NAN, -48.0], [4.0, NAN]])
    center = "subtract the mean of the *training* rows, unknown ones left out"
    zeros = f"{center}: they must not count as zeros"
    spread = "one unknown value makes a mean unknown: leave the unknown ones out"
    deviation = "divide by the standard deviation of the training rows"
    outlier = "an outlier is cut at three standard deviations, on both sides"
    unknown = "an unknown value is 0, the mean of what is standardised, and its flag is 1"
    flags = "return the D numbers and, beside them, D flags: (B, 2 · D)"
    units = "cut *after* standardising: three standard deviations, not three units"
    flag = "a flag is 1 where the value of `new` is unknown, and else 0"

    def hint(place: Place | None) -> str:
        """By the rows of the first case: one as usual, two outliers, two with an unknown value."""
        if place is None:
            return f"one row for each row of `new`; {flags}"
        row, column = place
        return flag if column >= 2 else (f"{center}; {deviation}", outlier, unknown)[(row + 1) // 2]

    judge(
        prepare,
        _prepared(),
        cases=[
            ({"train": train, "new": new}, hint),
            ({"train": train, "new": torch.tensor([[5.0, -40.0]])}, f"{center}; {deviation}"),
            ({"train": train, "new": torch.tensor([[1e9, -1e9]])}, outlier),
            ({"train": train, "new": torch.tensor([[NAN, -40.0]])}, unknown),
        ],
        mistakes=[
            (lambda t, n: _prepared()(t, n)[:, : t.shape[1]], flags),
            (lambda t, n: _prepared(fill=NAN)(t, n)[:, : t.shape[1]], flags),
            (
                lambda t, n: torch.cat([_numbers(t, n), n.isnan().any(1, keepdim=True)], dim=1),
                f"one flag for each number, not for each row; {flags}",
            ),
            (lambda t, n: _prepared()(n, n), f"{center}, not those of the new rows"),
            (_prepared(mean=lambda t: t.nan_to_num(0).mean(0)), zeros),
            (lambda t, n: _prepared()(t.nan_to_num(0), n), zeros),
            (_prepared(mean=lambda t: t.mean(0)), spread),
            (_prepared(mean=lambda t: t.mean(0), fill=NAN), spread),
            (_prepared(mean=lambda t: 0 * t.nanmean(0)), center),
            (
                _prepared(mean=lambda t: t.nanmean()),
                "each column has its own mean: take it by column",
            ),
            (_prepared(mean=lambda t: -t.nanmean(0)), "the mean is subtracted, not added"),
            (_prepared(by=lambda t: torch.ones(t.shape[1])), deviation),
            (_prepared(by=lambda t: _std(t) ** 2), f"{deviation}, not by the variance"),
            (
                _prepared(by=lambda t: _std(t) ** 0.5),
                f"{deviation}, which is the root of the variance",
            ),
            (_prepared(cut=(-torch.inf, torch.inf)), outlier),
            (_prepared(cut=(-torch.inf, 3)), outlier),
            (_prepared(cut=(-3, torch.inf)), outlier),
            (_prepared(cut=(-1, 1)), f"{outlier}, not at one"),
            (_prepared(cut=(0, 3)), f"{outlier}: what is below the mean is negative"),
            (_prepared(cut=(-torch.inf, torch.inf), keep=3), f"{outlier}; it is not put to 0"),
            (
                _prepared(fill=None),
                f"{unknown}: the mean itself would be a number of another scale",
            ),
            (_prepared(by=_low_std), f"{deviation}; divide by the number of *known* values"),
            (
                lambda t, n: _prepared()(t[~t.isnan().any(dim=1)], n),
                "leave out the unknown values, not the whole rows in which they stand",
            ),
            (
                _prepared(mean=lambda t: _lowest(t), by=lambda t: -_lowest(-t) - _lowest(t)),
                f"this scales by minimum and maximum: {center}, and {deviation}",
            ),
            (
                lambda t, n: torch.cat([_numbers(t, n), n.isnan().float()], dim=0),
                f"numbers and flags stand one under the other: {flags}",
            ),
            (
                lambda t, n: _prepared()(t, n)[~n.isnan().any(dim=1)],
                "every row of `new` is kept, those with an unknown value too",
            ),
            (
                lambda t, n: torch.cat([_numbers(t, n), t.isnan().float()[: len(n)]], dim=1),
                "the flags are of the *new* rows, not of the training rows",
            ),
            (
                lambda t, n: torch.cat([_numbers(t, n.clamp(-3, 3)), n.isnan().float()], dim=1),
                units,
            ),
            (
                lambda t, n: _prepared(cut=(-torch.inf, torch.inf))(t, n.clamp(-3, 3)),
                units,
            ),
            (_prepared(fill=NAN), unknown),
            (
                lambda t, n: torch.cat([_numbers(t, n.nan_to_num(0)), n.isnan().float()], dim=1),
                "put the 0 in after standardising: there it means “as usual”, before it is a value",
            ),
            (
                lambda t, n: torch.cat([_numbers(t, n), (~n.isnan()).float()], dim=1),
                "the flag is 1 where the value is unknown; here it is 1 where it is known",
            ),
            (
                lambda t, n: torch.cat([_numbers(t, n), torch.zeros_like(n)], dim=1),
                "no flag is 1: look for unknown values before you replace them",
            ),
            (
                lambda t, n: torch.cat([n.isnan().float(), _numbers(t, n)], dim=1),
                "the numbers come first, their flags after them",
            ),
            (
                lambda t, n: torch.stack([_numbers(t, n), n.isnan().float()], dim=2).flatten(1),
                "first all numbers, then all flags: side by side, not by turns",
            ),
        ],
        tolerance=5e-3,
    )


def _std(train: Tensor) -> Tensor:
    return (train - train.nanmean(dim=0)).square().nanmean(dim=0).sqrt()


def _low_std(train: Tensor) -> Tensor:
    """The deviations of the known values, shared out among all rows."""
    return ((train - train.nanmean(dim=0)).square().nansum(dim=0) / len(train)).sqrt()


def _lowest(train: Tensor) -> Tensor:
    return train.nan_to_num(torch.inf).min(dim=0).values


def _prepared(
    mean: Callable[[Tensor], Tensor] = lambda train: train.nanmean(dim=0),
    by: Callable[[Tensor], Tensor] = _std,
    cut: tuple[float, float] = (-3, 3),
    keep: float = torch.inf,
    fill: float | None = 0.0,
) -> Callable[[Tensor, Tensor], Tensor]:
    """The preparation with a step replaced; what is larger than `keep` becomes 0.

    Unknown values become `fill`, or the mean if that is None.
    """

    def prepare(train: Tensor, new: Tensor) -> Tensor:
        scaled = ((new - mean(train)) / by(train)).clamp(*cut)
        scaled = scaled.masked_fill(scaled.abs() > keep, 0)
        filler = mean(train) if fill is None else torch.tensor(fill)
        filled = torch.where(scaled.isnan(), filler, scaled)
        return torch.cat([filled, new.isnan().float()], dim=1)

    return prepare


def _numbers(train: Tensor, new: Tensor) -> Tensor:
    """The prepared numbers without their flags."""
    return _prepared()(train, new)[:, : new.shape[1]]
