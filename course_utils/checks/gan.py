"""Checks of notebook 15: the two losses of a game, what the judge is shown, coverage."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

from course_utils.checks import _answers
from course_utils.checks._answers import CheckFailed, drawn, judge

Pair = tuple[Tensor, Tensor]
Network = Callable[..., Tensor]


def check_two_losses(losses: Callable[[Network, Network, Tensor, Tensor], Pair]) -> None:
    """`two_losses(write, judge, real, known)`: both values, and what each does to the generator."""
    labels = "the judge is to say yes to what is real and no to what is written: −log σ(real), "
    labels += "−log(1 − σ(written))"
    detach = "the judge's loss must not reach the generator: show it `.detach()`-ed profiles"
    reach = "the generator's loss must reach the generator: no `.detach()` there, no `no_grad`"
    fool = "the generator wants the judge to say yes: −log σ(written)"
    learn = "the judge must learn from both: detach the *profile* that it is shown, not its answer"
    mean = "a mean over the listeners, for real and for written profiles by themselves"
    told = "the condition is `known`: for both profiles that the judge sees, and for `write`"

    def with_gradients(write: Tensor, judge: Tensor, real: Tensor, known: Tensor) -> Any:
        theta = write.detach().clone().requires_grad_()
        phi = judge.detach().clone().requires_grad_()
        given = losses(
            lambda c: c @ theta,
            lambda x, c: (torch.cat([x, c], dim=1) * phi).sum(dim=1),
            real,
            known,
        )
        if not isinstance(given, tuple | list) or len(given) != 2:
            return given
        if not all(isinstance(x, Tensor) and x.numel() == 1 for x in given):
            raise CheckFailed("return two numbers, tensors that `backward()` can be called on")
        if not given[0].requires_grad:
            raise CheckFailed("the judge would learn nothing: its loss reaches no weight at all")
        slopes = [_slope(value, theta) for value in given]
        return *(value.detach().reshape(()) for value in given), *slopes, _slope(given[0], phi)

    plain = inspect.isfunction(losses) and not inspect.isgeneratorfunction(losses)
    if plain:
        functools.update_wrapper(with_gradients, losses)
    _answers.judge(  # not an answer as it is: its gradients are judged, too
        with_gradients if plain else losses,
        _game,
        cases=[
            (
                {
                    "write": drawn(3, 3),
                    "judge": drawn(6, seed=1),
                    "real": (drawn(5, 3, seed=2) > 0).float(),
                    "known": (drawn(5, 3, seed=3) > 0).float(),
                },
                [f"{labels}; {mean}", f"{fool}; {mean}", detach, reach, learn],
            ),
            (
                {
                    "write": torch.eye(2),
                    "judge": torch.zeros(4),
                    "real": torch.ones(1, 2),
                    "known": torch.ones(1, 2),
                },
                "a judge that always says ½: log 4 for it, log 2 for the generator",
            ),
        ],
        mistakes=[
            (
                lambda w, j, real, known: _game(w, j, real, known, swapped=True),
                f"the labels are swapped; {labels}",
            ),
            (
                lambda w, j, real, known: _game(w, j, real, known, swapped=True, reaching=True),
                f"{labels}; {detach}",
            ),
            (lambda w, j, real, known: _game(w, j, real, known, reaching=True), detach),
            (lambda w, j, real, known: _game(w, j, real, known, cut=True), reach),
            (
                lambda w, j, real, known: _game(w, j, real, known, saturating=True),
                "log(1 − D) wants the same, but has no gradient while the judge wins: −log D",
            ),
            (lambda w, j, real, known: _game(w, j, real, known, obeying=True), fool),
            (
                lambda w, j, real, known: _game(w, j, real, known, beside_real=real),
                f"the judge is told `real` beside the real profile: it would know by that; {told}",
            ),
            (
                lambda w, j, real, known: _game(w, j, real, known, written_from=real),
                f"the profile is written from `real`; {told}",
            ),
            (
                lambda w, j, real, known: _game(
                    w, j, real, known, beside_real=real, written_from=real
                ),
                told,
            ),
            (lambda w, j, real, known: _game(w, j, real, known, share=0.5), mean),
            (lambda w, j, real, known: _game(w, j, real, known, share=len(real)), mean),
        ],
        parts=(
            "the judge's loss",
            "the generator's loss",
            "the judge's gradient in the generator",
            "the generator's gradient",
            "the judge's own gradient",
        ),
        tolerance=1e-4,
    )


def _slope(value: Tensor, weights: Tensor) -> Tensor:
    if not value.requires_grad:
        return torch.zeros_like(weights)
    (found,) = torch.autograd.grad(value.reshape(()), weights, retain_graph=True, allow_unused=True)
    return torch.zeros_like(weights) if found is None else found


def _game(
    write: Tensor,
    judge: Tensor,
    real: Tensor,
    known: Tensor,
    swapped: bool = False,
    reaching: bool = False,
    cut: bool = False,
    saturating: bool = False,
    obeying: bool = False,
    share: float = 1.0,
    beside_real: Tensor | None = None,
    written_from: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """Both losses and their gradients in the generator, written out.

    Args:
        beside_real, written_from: the condition of the real profile, and of the generator, if it
            is not `known`.
    """
    beside, source = (known if x is None else x for x in (beside_real, written_from))
    inputs = (write, judge, real, known, beside, source)
    theta, phi, real, known, beside, source = (x.double() for x in inputs)
    n = len(real)
    of_shown, of_known = phi.chunk(2)
    yes = real @ of_shown + beside @ of_known
    no = source @ theta @ of_shown + known @ of_known
    chance = no.sigmoid()
    sign = -1.0 if swapped else 1.0
    of_judge = softplus(-sign * yes).mean() + softplus(sign * no).mean()
    by_judge = sign * (sign * no).sigmoid()  # of softplus(sign · logit)
    if saturating or obeying:
        of_writer = softplus(no).mean() * (-1.0 if saturating else 1.0)
        by_writer = chance * (-1.0 if saturating else 1.0)
    else:
        of_writer, by_writer = softplus(-no).mean(), chance - 1
    by_real = -sign * (-sign * yes).sigmoid()
    shown = torch.cat([real, beside], dim=1), torch.cat([source @ theta, known], dim=1)
    judged = (shown[0].T @ by_real + shown[1].T @ by_judge) / n
    outer = [torch.outer(source.T @ by / n, of_shown) for by in (by_judge, by_writer)]
    seen = outer[0] if reaching else torch.zeros_like(theta)
    own = torch.zeros_like(theta) if cut else outer[1]
    whole = share if share > 1 else 1.0
    return share * of_judge, whole * of_writer, share * seen, whole * own, share * judged


def check_shown(shown: Callable[[Tensor, Tensor, Tensor, Tensor], Pair]) -> None:
    """`shown(real, fake, known, drawn)`: both profiles through the same mask, known or drawn."""
    both = "both sides go through the same mask, or the judge tells them apart by what is hidden"
    holes = "partial masking: the drawn tracks are shown, too, or writing 1 everywhere wins"
    cases = {
        "real": torch.tensor([[1.0, 1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 1.0, 0.0, 0.0]]),
        "fake": torch.tensor([[0.9, 0.4, 0.2, -0.3, 0.7], [0.5, 0.8, 0.3, 0.1, 0.6]]),
        "known": torch.tensor([[1, 1, 0, 0, 0], [0, 1, 0, 0, 0]]).bool(),
        "drawn": torch.tensor([[0, 0, 1, 0, 0], [1, 0, 0, 1, 0]]).bool(),
    }
    judge(
        shown,
        lambda r, f, known, holes: _through(r, f, known | holes, known | holes),
        cases=[
            (cases, f"what is known or drawn is shown, elsewhere stands 0; {both}; {holes}"),
            (
                {name: values[1:] for name, values in cases.items()},
                f"the second listener's third track is neither known nor drawn: hidden; {both}",
            ),
        ],
        mistakes=[
            (
                lambda r, f, known, holes: _through(r, f, torch.ones_like(known), known | holes),
                f"the mask lies on the written profile only; {both}",
            ),
            (
                lambda r, f, known, holes: _through(r, f, known | holes, torch.ones_like(known)),
                f"the mask lies on the real profile only; {both}",
            ),
            (lambda r, f, known, holes: (r, f), f"nothing is hidden; {both}"),
            (lambda r, f, known, drawn: _through(r, f, known, known), holes),
            (
                lambda r, f, known, drawn: _through(r, f, known & drawn, known & drawn),
                "known *or* drawn: no track is both",
            ),
            (
                lambda r, f, known, drawn: _through(r, f, ~(known | drawn), ~(known | drawn)),
                "the mask is turned round: it says what is shown",
            ),
        ],
        parts=("the real profile", "the written profile"),
    )


def _through(real: Tensor, fake: Tensor, of_real: Tensor, of_fake: Tensor) -> Pair:
    return torch.where(of_real, real, 0.0), torch.where(of_fake, fake, 0.0)


def check_coverage(coverage: Callable[[Tensor, int], float]) -> None:
    """`coverage(lists, n_tracks)`: share of the catalogue that stands in some list."""
    whole = "of all tracks of the catalogue the share that stands in *somebody's* list"
    empty = "−1 marks an empty place: it is no track"
    judge(
        coverage,
        lambda lists, n: len(set(lists.flatten().tolist()) - {-1}) / n,
        cases=[
            (
                {"lists": torch.tensor([[3, 7, 0], [7, 3, -1], [7, 2, 3]]), "n_tracks": 40},
                f"{whole}; {empty}",
            ),
            (
                {"lists": torch.tensor([[5, 6], [5, 6], [5, 6], [5, 6]]), "n_tracks": 10},
                "everybody gets the same two of ten tracks: a fifth",
            ),
            (
                {"lists": torch.tensor([[4, 9, -1], [9, 6, 2]]), "n_tracks": 20},
                f"four of twenty tracks, one of them in a short list only: a fifth; {empty}",
            ),
        ],
        mistakes=[
            (
                lambda lists, n: len(_listed(lists)) / len(lists),
                f"divided by the listeners; {whole}",
            ),
            (
                lambda lists, n: len(_listed(lists)) / lists.numel(),
                f"divided by the places of all lists; {whole}",
            ),
            (
                lambda lists, n: len(_listed(lists)) / len(_all(lists)),
                f"divided by the places of all lists; {whole}",
            ),
            (
                lambda lists, n: (lists >= 0).any(dim=1).double().mean(),
                f"the share of the listeners who get a list; {whole}",
            ),
            (
                lambda lists, n: (lists >= 0).sum(dim=1).double().mean() / n,
                f"a mean over the listeners, of how long their lists are; {whole}",
            ),
            (
                lambda lists, n: len(_all(lists)) / n,
                "a track counts once, in however many lists it stands",
            ),
            (lambda lists, n: len(lists.unique()) / n, empty),
            (
                lambda lists, n: len(lists.clamp(min=0).unique()) / n,
                f"−1 is counted as track 0; {empty}",
            ),
            (
                lambda lists, n: len(lists[(lists >= 0).all(dim=1)].unique()) / n,
                "listeners with a short list count, too: leave out the empty places alone",
            ),
            (
                lambda lists, n: len(lists[lists > 0].unique()) / n,
                "tracks are numbered from 0: 0 is a track, −1 is none",
            ),
            (lambda lists, n: len(_listed(lists)), "a share is wanted: divide by the catalogue"),
        ],
    )


def _all(lists: Tensor) -> Tensor:
    return lists[lists >= 0]


def _listed(lists: Tensor) -> Tensor:
    return _all(lists).unique()
