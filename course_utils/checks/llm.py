"""Checks of notebook 17: tokens that are asked, the probability of a tuple, where words start."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks._answers import ask, drawn, judge, require

NOT_ASKED = -100


def check_answer_labels(labels: Callable[[Tensor, int, int], Tensor]) -> None:
    """`answer_labels(ids, n_question, n_answer)`: (T,) labels, −100 where nothing is asked."""
    question = "the question is given, not asked: its tokens get −100"
    filling = "what fills the row up is not asked either: −100 after the answer's last token"
    end = (
        "the answer's end *is* asked, or the model never learns to stop; here the row is filled up "
        "with the same token, so go by places, not by what the token is"
    )
    place = "labels stand where their tokens stand: the loss itself compares place t with t + 1"
    nothing = (
        "when nothing fills the row up, a slice [-0:] takes all of it: count places from the front"
    )
    given = {"ids": torch.tensor([4, 9, 3, 2]), "n_question": 1, "n_answer": 3}
    found = ask(labels, **given).tensor()
    require(
        not found.is_floating_point(),
        "labels are numbers of tokens, whole ones as `ids` are; the loss refuses real numbers",
    )
    judge(
        labels,
        lambda ids, q, a: _labels(ids, q, q + a),
        cases=[
            (
                {"ids": torch.tensor([5, 6, 7, 8, 2, 2, 2]), "n_question": 2, "n_answer": 3},
                f"{question}; {filling}; {end}",
            ),
            (given, question),
            ({"ids": torch.tensor([7, 9, 3, 1, 1]), "n_question": 0, "n_answer": 3}, filling),
        ],
        mistakes=[
            (lambda ids, q, a: _labels(ids, 0, len(ids)), f"{question}; {filling}"),
            (lambda ids, q, a: _labels(ids, 0, q + a), question),
            (lambda ids, q, a: _labels(ids, q, len(ids)), filling),
            (lambda ids, q, a: _by_token(ids, q), end),
            (lambda ids, q, a: _by_token(ids, 0), f"{question}; {end}"),
            (lambda ids, q, a: _labels(ids, q, q + a - 1), end),
            (lambda ids, q, a: _labels(ids, q, q + a).roll(-1), place),
            (lambda ids, q, a: _labels(ids, q + 1, q + a), place),
            (_from_the_end, nothing),
            (lambda ids, q, a: _labels(ids, 0, q), "the other way round: the *answer* is asked"),
            (
                lambda ids, q, a: _labels(ids, q, q + a).clamp(min=0),
                "−100, not 0, marks what is not asked: 0 is a token",
            ),
        ],
    )


def _labels(ids: Tensor, start: int, end: int) -> Tensor:
    place = torch.arange(len(ids))
    return torch.where((place >= start) & (place < end), ids, NOT_ASKED)


def _from_the_end(ids: Tensor, n_question: int, n_answer: int) -> Tensor:
    """What fills up is counted from the row's end: where it is nothing, all labels are lost."""
    found = _labels(ids, n_question, len(ids))
    found[-(len(ids) - n_question - n_answer) :] = NOT_ASKED
    return found


def _by_token(ids: Tensor, start: int) -> Tensor:
    """All from `start` on but the token that the row ends with."""
    found = _labels(ids, start, len(ids))
    return torch.where(ids == ids[-1], NOT_ASKED, found)


def check_tuple_log_probability(log_p: Callable[[Tensor, Tensor, int], Tensor]) -> None:
    """`tuple_log_probability(logits, ids, n_question)`: log P(answer | question), one number."""
    shift = "logits at place t are of the token at t + 1: the first code is said after the question"
    total = "a product of probabilities is a *sum* of logarithms, not their mean"
    asked = "only the answer's tokens count; the question is given"
    whole = (
        "the softmax goes over the whole vocabulary, the last dimension of the logits: not over "
        "the places, and not over the answer's own tokens alone"
    )
    judge(
        log_p,
        _tuple_log_probability,
        cases=[
            (
                {
                    "logits": 2 * drawn(6, 5, seed=3),
                    "ids": torch.tensor([4, 1, 0, 3, 2, 2]),
                    "n_question": 3,
                },
                f"{shift}; {total}; {asked}",
            ),
            (
                {"logits": drawn(3, 4, seed=4), "ids": torch.tensor([3, 0, 1]), "n_question": 1},
                f"{shift}; {total}",
            ),
        ],
        mistakes=[
            (lambda logits, ids, q: _tuple_log_probability(logits, ids, q, shift=0), shift),
            (lambda logits, ids, q: _tuple_log_probability(logits, ids, q) / (len(ids) - q), total),
            (lambda logits, ids, q: _tuple_log_probability(logits, ids, 1), asked),
            (
                lambda logits, ids, q: _tuple_log_probability(logits, ids, q).exp(),
                "the *logarithm* of the probability is wanted",
            ),
            (
                lambda logits, ids, q: -_tuple_log_probability(logits, ids, q),
                "log P, not the loss: it is never above 0",
            ),
            (
                lambda logits, ids, q: _tuple_log_probability(logits, ids, q, raw=True),
                "logits are no log probabilities yet: softmax, over the whole vocabulary",
            ),
            (lambda logits, ids, q: _narrow(logits, ids, q, dim=0), whole),
            (lambda logits, ids, q: _narrow(logits, ids, q, dim=1), whole),
            (
                lambda logits, ids, q: _tuple_log_probability(logits, ids, q + 1),
                f"the answer's first token is missing; {shift}",
            ),
        ],
    )


def _tuple_log_probability(
    logits: Tensor, ids: Tensor, n_question: int, shift: int = 1, raw: bool = False
) -> Tensor:
    total = 0.0
    for place in range(n_question, len(ids)):
        row = logits[place - shift].double().tolist()
        norm = 0.0 if raw else math.log(sum(math.exp(x) for x in row))
        total += row[int(ids[place])] - norm
    return torch.tensor(total, dtype=torch.float64)


def _narrow(logits: Tensor, ids: Tensor, n_question: int, dim: int) -> Tensor:
    """Softmax over the places (0), or over the answer's own tokens alone (1)."""
    said, answer = logits.double()[:-1], ids[n_question:]
    if dim == 1:
        outside = torch.ones(said.shape[1], dtype=torch.bool)
        outside[answer] = False
        said = said.masked_fill(outside, -math.inf)
    log_p = said.log_softmax(dim=0 if dim == 0 else 1)[n_question - 1 :]
    return log_p.gather(1, answer[:, None]).sum()


def check_start_vectors(
    start: Callable[[Tensor, Tensor, Tensor, Tensor, int], Tensor],
) -> None:
    """`start_vectors(said, codes, known, fallback, n_codes)`: (K, d) rows of new words."""
    future = "only tracks of the training period: what the others are called was not known yet"
    mean = "the *mean* over the tracks that have the code"
    nobody = "a code that no known track has starts at `fallback`, not at NaN or 0"
    later = (
        "a code that only later tracks have starts at `fallback`, too: ask whether a *known* track "
        "has it, not whether any has"
    )
    said = drawn(7, 2, seed=5)
    codes = torch.tensor([0, 2, 2, 0, 3, 2, 3])
    known = torch.tensor([True, True, False, True, False, True, False])
    fallback = torch.tensor([0.4, -0.2])

    judge(
        start,
        _start_vectors,
        cases=[
            (
                {
                    "said": said, "codes": codes, "known": known, "fallback": fallback,
                    "n_codes": 5,
                },
                f"{mean}; {future}; {nobody}",
            ),
            (
                {
                    "said": said[:3], "codes": codes[:3], "known": known[:3],
                    "fallback": fallback, "n_codes": 3,
                },
                f"{mean}; {future}; {nobody}",
            ),
        ],
        mistakes=[
            (lambda s, c, k, f, n: _start_vectors(s, c, k | True, f, n), future),
            (lambda s, c, k, f, n: _start_vectors(s, c, k, f, n, total=True), mean),
            (lambda s, c, k, f, n: _start_vectors(s, c, k, 0 * f, n), nobody),
            (lambda s, c, k, f, n: _start_vectors(s, c, k, f * math.nan, n), nobody),
            (lambda s, c, k, f, n: _or_else(s, c, k, f, n, torch.full_like(s, math.nan)), later),
            (lambda s, c, k, f, n: _or_else(s, c, k, f, n, s), f"{later}; {future}"),
            (
                lambda s, c, k, f, n: _start_vectors(s * k[:, None], c, k | True, f, n),
                f"{mean}: the others must not be counted either",
            ),
            (
                _over_all,
                f"{mean} and are *known*: the sum is over these, so is the number to divide by",
            ),
        ],
    )  # fmt: skip


def _start_vectors(
    said: Tensor, codes: Tensor, known: Tensor, fallback: Tensor, n: int, total: bool = False
) -> Tensor:
    rows = []
    for code in range(n):
        own = [
            row for row, c, k in zip(said.double(), codes, known, strict=True) if k and c == code
        ]
        mean = sum(own, torch.zeros(said.shape[1], dtype=torch.float64))
        rows.append(mean / (1 if total else len(own)) if own else fallback.double())
    return torch.stack(rows)


def _over_all(s: Tensor, c: Tensor, k: Tensor, f: Tensor, n: int) -> Tensor:
    """Right but for what the sums are divided by: the number of all tracks with the code."""
    found = _start_vectors(s, c, k, f, n)
    for code in set(c[k].tolist()):
        found[code] *= (k & (c == code)).sum() / (c == code).sum()
    return found


def _or_else(s: Tensor, c: Tensor, k: Tensor, f: Tensor, n: int, unknown: Tensor) -> Tensor:
    """Right for codes of known tracks; the others' mean over all their tracks of `unknown`."""
    found = _start_vectors(s, c, k, f, n)
    for code in set(c.tolist()) - set(c[k].tolist()):
        found[code] = unknown[c == code].double().mean(dim=0)
    return found
