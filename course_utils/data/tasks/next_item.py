"""The next-item task: sequences of tracks, and at each place the track that follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
import torch
from torch import Tensor

from course_utils.data.ids import number_ids
from course_utils.data.log import Log
from course_utils.data.splits import split_for
from course_utils.data.tasks.retrieval import (
    RetrievalTask,
    at_most,
    examples_of,
    known_past,
    listens_of,
    tensor,
)
from course_utils.schema import LogError

Padding = Literal["left", "right"]


@dataclass(frozen=True)
class NextItemTask(RetrievalTask):
    """Sequences, split in time; see `RetrievalTask` for what both tasks share.

    In training a listener's listens are cut, from the latest back, into sequences of up to L
    inputs, and every place has a target: the listen that follows. In validation and test every
    listen of the period is the one target of a sequence, the last L strictly earlier listens.

    Listens of one listener at one moment have no order: they are put in a random one, so that
    whatever order the log has them in teaches nothing.

    Attributes:
        positions: of each part: the number in `rows` of each sequence's last target.
        batches: tensors of each part: `listener` (N,), `track` (N, L), in the order of time,
            `mask` (N, L), true where `track` holds a listen, and in seconds `time` (N, L) of each
            input and `asked` (N, L) of what follows it. `target`: in training (N, L), the track
            that follows each input, and `counts` (N, L), true where it is to be learned; else
            (N,), the track that follows the last one. A sequence without any input (a new listener)
            is asked at its last place all the same.
        ties: listens that share their moment with another one of the same listener.
        padding: the side on which short sequences are filled up with 0.
    """

    ties: int
    padding: Padding


def next_item_task(
    log: Log,
    length: int = 50,
    padding: Padding = "left",
    repeats: bool = True,
    organic: bool = False,
    history: pl.Expr | None = None,
    most: int | None = None,
    judged: int | None = None,
    seed: int = 0,
) -> NextItemTask:
    """The next-item task of a log.

    Args:
        log: whose listens are the items. length: L, inputs of a sequence at most.
        padding: the side on which short sequences are filled up.
        repeats: whether a track that the listener has played before counts as a target; it is an
            input in any case. If not, leave what was `played` out of the ranking, too.
        organic: whether only what the listener chose counts as a target, likewise.
        history: which listens are inputs, as in `retrieval_task`; default all. In training what
            follows an input is the next of them.
        most: sequences of training at most, the latest. judged: sequences of validation, and of
            test, at most, drawn at random; default all. seed: of the draw, and of the order of
            ties.

    Returns:
        The task; its batches take 34 L bytes a sequence.

    Raises:
        LogError: the log has no listens or cannot be split, or a part has no example.
        ValueError: `length` is not at least 1, or `padding` names no side.
    """
    if length < 1 or padding not in ("left", "right"):
        raise ValueError(
            f"need a length of at least 1 and padding 'left' or 'right', got {length}, {padding!r}"
        )
    rows = ties_at_random(listens_of(log), seed)
    split = split_for(rows["timestamp"])
    positions = examples_of(log, rows, split, repeats, organic)
    past = known_past(rows, split, history)
    held, order = past.held, past.order
    place = torch.zeros(len(rows), dtype=torch.int64)  # of each row among the listens of `held`
    place[order] = torch.arange(len(order))
    in_training = order < int((rows["timestamp"] < split.train_end).sum())
    positions["train"] = order[_last_targets(held.start[order[in_training]], length)].sort().values
    positions = at_most(positions, most, judged, seed)
    number = {
        "listener": number_ids(tensor(rows["uid"]), past.listeners),
        "track": number_ids(tensor(rows["item_id"]), past.tracks),
    }
    excluded = ~pl.lit(repeats) & pl.col("repeat") | pl.lit(organic) & (pl.col("is_organic") == 0)
    judged_row = ~torch.from_numpy(rows.select(excluded).to_series().to_numpy().copy())
    moment, batches = tensor(rows["timestamp"]), {}
    for part, position in positions.items():
        end = place[position] if part == "train" else held.end[position]
        at, mask = _inputs(held.start[position], end, length, padding)
        follows = order[(at + 1).clamp(max=len(order) - 1)]
        batches[part] = {
            "listener": number["listener"][position],
            "track": held.item[at] * mask,
            "mask": mask,
            "time": held.time[at] * mask,
        }
        if part == "train":
            asked, counts = mask, mask & judged_row[follows]
            batches[part] |= {"target": number["track"][follows] * counts, "counts": counts}
        else:
            last = _last_place(mask, padding)
            asked, follows = mask | last, torch.where(last, position.unsqueeze(1), follows)
            batches[part]["target"] = number["track"][position]
        batches[part]["asked"] = moment[follows] * asked
    useful = batches["train"]["counts"].any(dim=1)
    positions["train"] = positions["train"][useful]
    batches["train"] = {name: values[useful] for name, values in batches["train"].items()}
    if not useful.any():
        raise LogError(
            f"the log {log.name!r}: in its train period no listen follows another one of the same "
            "listener; take a longer log"
        )
    return NextItemTask(
        log=log.name, repeats=repeats, rows=rows, split=split, positions=positions, batches=batches,
        ties=int(rows.select(pl.len().over("uid", "timestamp") > 1).to_series().sum()),
        padding=padding, **vars(past),
    )  # fmt: skip


def ties_at_random(rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Rows in the order of time, those of one moment in a random one."""
    lot = pl.Series("lot", np.random.default_rng(seed).permutation(len(rows)))
    return rows.with_columns(lot).sort("timestamp", "lot").drop("lot")


def _last_targets(starts: Tensor, length: int) -> Tensor:
    """Place of each training sequence's last target among the listens sorted by listener.

    Args:
        starts: (n,) for each training listen the place of its listener's first one. length: L.
    """
    first, count = starts.unique(return_counts=True)
    n_sequences = (count + length - 2) // length  # every listen but the first is a target once
    of = torch.arange(len(first)).repeat_interleave(n_sequences)
    back = torch.arange(len(of)) - (n_sequences.cumsum(0) - n_sequences)[of]
    return (first + count - 1)[of] - length * back


def _inputs(start: Tensor, end: Tensor, length: int, padding: Padding) -> tuple[Tensor, Tensor]:
    """(N, L) places of the last L listens in [start, end), 0 elsewhere, and where they are."""
    first = torch.maximum(start, end - length)
    shown = end - length if padding == "left" else first
    at = shown.unsqueeze(1) + torch.arange(length)
    mask = (at >= first.unsqueeze(1)) & (at < end.unsqueeze(1))
    return at * mask, mask


def _last_place(mask: Tensor, padding: Padding) -> Tensor:
    """(N, L) true at the place of the last input, at the first free one if there is no input."""
    last = torch.full((len(mask), 1), mask.shape[1] - 1)
    if padding == "right":
        last = (mask.sum(dim=1, keepdim=True) - 1).clamp(min=0)
    return torch.arange(mask.shape[1]) == last
