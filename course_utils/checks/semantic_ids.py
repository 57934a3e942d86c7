"""Checks of notebook 16: use of codes, residual quantisation, its loss, a step of a beam search."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_utils.checks import _answers
from course_utils.checks._answers import CheckFailed, drawn, judge


def check_use(use: Callable[[Tensor, int], float]) -> None:
    """`use(codes, n_codes)`: perplexity / K, from (N,) codes."""
    all_of_them = "codes that nobody uses count, too: divide by all K, not by those in use"
    nothing = "0 · log 0 is 0 here, not NaN: leave out the codes without a share"
    judge(
        use,
        lambda codes, k: _perplexity(codes) / k,
        cases=[
            (
                {"codes": torch.tensor([0, 0, 0, 2, 2, 5]), "n_codes": 8},
                f"exp(−Σ p log p) / K with the shares p of the codes; {all_of_them}; {nothing}",
            ),
            (
                {"codes": torch.tensor([1, 1, 1, 1]), "n_codes": 4},
                "all vectors have one code: a perplexity of 1, a quarter of four codes",
            ),
            (
                {"codes": torch.tensor([3, 0, 1, 2, 4]), "n_codes": 5},
                "all codes alike: the whole codebook is used, 1",
            ),
        ],
        mistakes=[
            (lambda codes, k: _perplexity(codes) / len(codes.unique()), all_of_them),
            (lambda codes, k: _perplexity(codes), "a share of the K codes is wanted: divide by K"),
            (
                lambda codes, k: len(codes.unique()) / k,
                "a code that is used once counts as much as one that half of the vectors have; "
                "take the perplexity, not the number of codes in use",
            ),
            (
                lambda codes, k: math.exp(math.log2(_perplexity(codes))) / k,
                "exp belongs to the natural logarithm, 2 to the power to the binary one",
            ),
            (lambda codes, k: math.log(_perplexity(codes)) / math.log(k), "exp of the entropy"),
            (lambda codes, k: math.log(_perplexity(codes)) / k, "exp of the entropy is missing"),
            (lambda codes, k: 1 / (_perplexity(codes) * k), "the entropy is −Σ p log p: the sign"),
            (lambda codes, k: float("nan"), nothing),
        ],
    )


def _perplexity(codes: Tensor) -> float:
    share = codes.unique(return_counts=True)[1].double() / len(codes)
    return math.exp(-(share * share.log()).sum().item())


def check_residual_codes(codes: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> None:
    """`residual_codes(x, books)`: (N, D) codes and (D,) mean squared lengths of what is left."""
    whole = "at each depth it is what is *left* of the vector that is coded, not the vector"
    far = "the code that is nearest, not the one that is farthest or has the largest product"
    error = "after each depth the squared length of what is left, a mean over the vectors"
    books = torch.tensor(
        [
            [[6.0, 1.0], [1.0, 1.0], [-2.0, -3.0]],
            [[2.0, 1.0], [-0.5, 0.2], [0.0, -1.5]],
            [[0.3, 0.0], [0.0, 0.4], [-0.5, 0.1]],
        ]
    )
    judge(
        codes,
        _residual_codes,
        cases=[
            ({"x": 3 * drawn(12, 2, seed=1), "books": books}, [f"{whole}; {far}", error]),
            (
                {"x": torch.tensor([[5.0, 1.0]]), "books": books},
                ["(5, 1) is nearest to (6, 1), and (−1, 0) is left of it", error],
            ),
        ],
        mistakes=[
            (lambda x, b: _residual_codes(x, b, what="x"), whole),
            (lambda x, b: _residual_codes(x, b, what="code"), "take the code's vector from it"),
            (lambda x, b: _residual_codes(x, b, far=True), far),
            (lambda x, b: _residual_codes(x, b, product=True), far),
            (lambda x, b: (_residual_codes(x, b)[0], _residual_codes(x, b)[1].sqrt()), error),
            (lambda x, b: (_residual_codes(x, b)[0], _residual_codes(x, b)[1] / x.shape[1]), error),
            (lambda x, b: (_residual_codes(x, b)[0], _residual_codes(x, b)[1] * len(x)), error),
            (lambda x, b: (_residual_codes(x, b)[0].T, _residual_codes(x, b)[1]), "(N, D)"),
        ],
        parts=("codes", "error"),
        tolerance=1e-4,
    )


def _residual_codes(
    x: Tensor, books: Tensor, what: str = "", far: bool = False, product: bool = False
) -> tuple[Tensor, Tensor]:
    rows, errors = [], torch.zeros(len(books), dtype=torch.float64)
    for vector in x.double():
        left, row = vector, []
        for depth, book in enumerate(books.double()):
            coded = vector if what == "x" else left
            distance = ((book - coded) ** 2).sum(dim=1)
            score = -(book @ coded) if product else -distance if far else distance
            row.append(int(score.argmin()))
            left = book[row[-1]] if what == "code" else left - book[row[-1]]
            errors[depth] += (left**2).sum() / len(x)
        rows.append(row)
    return torch.tensor(rows), errors


def check_code_loss(loss: Callable[[Tensor, Tensor, float], Tensor]) -> None:
    """`code_loss(residual, code, beta)`: value and gradients of both terms."""
    sides = "the term without β moves the code, the one with β moves the encoder: sg stands on the "
    sides += "side that must stay, `.detach()` in PyTorch"
    total = "the squared *length* of the difference: a sum over d, and a mean over the B rows"

    def gradients(residual: Tensor, code: Tensor, beta: float) -> Any:
        r, e = (x.detach().clone().requires_grad_() for x in (residual, code))
        value = loss(r, e, beta)
        if not isinstance(value, Tensor):
            return value
        if value.numel() != 1:
            raise CheckFailed("return one number, a tensor that `backward()` can be called on")
        if not value.requires_grad:
            raise CheckFailed(f"nothing would be learned from this: all is detached; {sides}")
        found = torch.autograd.grad(value.sum(), (r, e), allow_unused=True)
        grads = [torch.zeros_like(r) if g is None else g for g in found]
        return value.detach().reshape(()), *grads

    if inspect.isfunction(loss):
        functools.update_wrapper(gradients, loss)
    _answers.judge(  # not an answer as it is: its gradients are judged, too
        gradients if inspect.isfunction(loss) and not inspect.isgeneratorfunction(loss) else loss,
        lambda r, e, beta: _code_loss(r, e, beta, 1.0),
        cases=[
            (
                {"residual": drawn(3, 2), "code": drawn(3, 2, seed=1), "beta": 0.25},
                [total, sides, sides],
            ),
            ({"residual": drawn(4, 3), "code": drawn(4, 3, seed=2), "beta": 1.0}, total),
        ],
        mistakes=[
            (lambda r, e, beta: _swapped(r, e, beta), f"sg is on the wrong side; {sides}"),
            (lambda r, e, beta: _code_loss(r, e, beta, 1.0, both=True), f"no sg at all; {sides}"),
            (lambda r, e, beta: _code_loss(r, e, 1.0, 1.0), "β is not used"),
            (lambda r, e, beta: _code_loss(r, e, beta, 0.0), "the term that moves the code"),
            (lambda r, e, beta: _code_loss(r, e, 0.0, 1.0), "the term with β is missing"),
            (lambda r, e, beta: _scaled(r, e, beta, 1 / r.shape[1]), total),
            (lambda r, e, beta: _scaled(r, e, beta, len(r)), total),
        ],
        parts=("loss", "gradient of the residual", "gradient of the code"),
        tolerance=1e-4,
    )


def _code_loss(
    r: Tensor, e: Tensor, beta: float, own: float, both: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Value and gradients, by hand."""
    r, e = r.double(), e.double()
    value = (own + beta) * ((r - e) ** 2).sum() / len(r)
    slope = 2 * (r - e) / len(r)
    return (value, (own + beta if both else beta) * slope, -(own + beta if both else own) * slope)


def _swapped(r: Tensor, e: Tensor, beta: float) -> tuple[Tensor, Tensor, Tensor]:
    value, of_r, of_e = _code_loss(r, e, beta, 1.0)
    return value, of_r / beta, of_e * beta


def _scaled(r: Tensor, e: Tensor, beta: float, by: float) -> tuple[Tensor, ...]:
    return tuple(by * part for part in _code_loss(r, e, beta, 1.0))


def check_beam_step(step: Callable[[Tensor, Tensor, Tensor, int], tuple[Tensor, Tensor]]) -> None:
    """`beam_step(logits, allowed, score, k)`: (k,) scores and places prefix · V + token."""
    first = "the softmax goes over *all* tokens, and only then the trie says which of them exist"
    so_far = "log probabilities add up: the prefix's own score is missing"
    logits = torch.tensor([[2.0, 0.5, -1.0, 3.0], [0.1, 2.2, -0.7, 0.4]])
    allowed = torch.tensor([[False, True, True, False], [True, True, False, True]])
    score = torch.tensor([-0.4, -1.1])
    judge(
        step,
        _beam_step,
        cases=[
            ({"logits": logits, "allowed": allowed, "score": score, "k": 3}, f"{first}; {so_far}"),
            (
                {
                    "logits": torch.tensor([[0.1, 0.9, 0.0], [0.9, 0.1, 0.0]]).log().clamp(min=-99),
                    "allowed": torch.tensor([[True, False, False]] * 2),
                    "score": torch.tensor([0.6, 0.4]).log(),
                    "k": 2,
                },
                f"0.6 × 0.1 stands behind 0.4 × 0.9; {first}",
            ),
        ],
        mistakes=[
            (lambda logits, ok, s, k: _beam_step(logits, ok, s, k, mask_first=True), first),
            (lambda logits, ok, s, k: _beam_step(logits, ok, 0 * s, k), so_far),
            (lambda logits, ok, s, k: _beam_step(logits, ok | True, s, k), "the trie is not asked"),
            (
                lambda logits, ok, s, k: _beam_step(logits, ok, s, k, raw=True),
                "logits of two prefixes do not compare: softmax",
            ),
            (
                lambda logits, ok, s, k: (
                    _beam_step(logits, ok, s, k)[0].exp(),
                    _beam_step(logits, ok, s, k)[1],
                ),
                "log probabilities are wanted, not probabilities",
            ),
            (
                lambda logits, ok, s, k: (
                    _beam_step(logits, ok, s, k)[0],
                    _beam_step(logits, ok, s, k)[1] % logits.shape[1],
                ),
                "the place is prefix · V + token, so that it says which prefix went on",
            ),
        ],
        parts=("score", "place"),
        tolerance=1e-4,
    )


def _beam_step(
    logits: Tensor,
    allowed: Tensor,
    score: Tensor,
    k: int,
    mask_first: bool = False,
    raw: bool = False,
) -> tuple[Tensor, Tensor]:
    ways = []
    for prefix, row in enumerate(logits.double().tolist()):
        exist = [token for token, ok in enumerate(allowed[prefix].tolist()) if ok]
        over = exist if mask_first else range(len(row))
        total = 0.0 if raw else math.log(sum(math.exp(row[token]) for token in over))
        ways += [
            (float(score[prefix]) + row[token] - total, prefix * len(row) + token)
            for token in exist
        ]
    best = sorted(ways, reverse=True)[:k]
    return torch.tensor([s for s, _ in best]), torch.tensor([place for _, place in best])
