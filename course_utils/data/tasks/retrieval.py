"""The retrieval task: what is played next, out of the whole catalogue?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from course_utils.data.histories import Histories, histories
from course_utils.data.ids import number_ids, vocabulary
from course_utils.data.log import Log
from course_utils.data.splits import TimeSplit, split_for
from course_utils.data.tasks.ranking import PARTS, Batches
from course_utils.schema import SECONDS_PER_DAY, LogError


@dataclass(frozen=True)
class Past:
    """What training knows by number, and what every listener had played before each listen.

    Attributes:
        n_values: how many `listener` and `track` numbers there are, the unknown one included.
        listeners, tracks: (n,) public ids of the numbered ones.
        past: the listens of each listener in the order of time, tracks numbered; asked by the
            numbers of `rows`.
        held: those of them that the histories hold. order: their numbers in `rows`.
    """

    n_values: dict[str, int]
    listeners: Tensor
    tracks: Tensor
    past: Histories
    held: Histories
    order: Tensor


@dataclass(frozen=True)
class RetrievalTask(Past):
    """Examples, split in time: what a listener played before → the track played next.

    An example is a listen. Its inputs are strictly earlier: listens at the same moment do not see
    each other. Listeners and tracks are numbered by the training period. Those that it never saw
    have the number 0, stay in validation and test, and are told apart by `new_listeners` and
    `new_tracks`; no model that knows ids alone can find a new track.

    Attributes:
        log: its name.
        repeats: whether a track that the listener had played before may be the target.
        rows: all listens in the order of time, and `repeat`: whether the listener had played the
            track before.
        split: borders of the parts.
        positions: of each part `train`, `validation`, `test`: its examples' numbers in `rows`.
        batches: tensors of each part: `listener` (N,), `history` (N, L) tracks, latest first,
            `mask` (N, L), true where there is a listen, and `target` (N,), the track played next.
    """

    log: str
    repeats: bool
    rows: pl.DataFrame
    split: TimeSplit
    positions: dict[str, Tensor]
    batches: Batches

    def inputs(self, *names: str) -> Batches:
        """Of each part these tensors, and what is to be learned: all that a model is given."""
        wanted = {*names, "target", "counts"}
        return {
            part: {name: values for name, values in batch.items() if name in wanted}
            for part, batch in self.batches.items()
        }

    def frame(self, part: str) -> pl.DataFrame:
        """The rows of one part: of each example the listen that is its target."""
        return self.rows[self.positions[part].numpy()]

    def groups(self, part: str = "test") -> np.ndarray:
        """(N,) public ids of the listeners, the groups of the bootstrap."""
        return self.frame(part)["uid"].to_numpy()

    def new_listeners(self, part: str = "test") -> Tensor:
        """(N,) whether training never saw the example's listener."""
        return number_ids(tensor(self.frame(part)["uid"]), self.listeners) == 0

    def new_tracks(self, part: str = "test") -> Tensor:
        """(N,) whether training never saw the example's target."""
        return number_ids(tensor(self.frame(part)["item_id"]), self.tracks) == 0

    def age(self, part: str) -> Tensor:
        """(N,) example age: weeks from the example to the end of training, 0 after it."""
        time = tensor(self.frame(part)["timestamp"])
        weeks = (self.split.train_end - time).double() / (7 * SECONDS_PER_DAY)
        return weeks.clamp(min=0).float()

    def popularity(self, days: float | None = None) -> Tensor:
        """(n + 1,) listens of each track in training, or in its last `days`; 0 for the unknown."""
        time = pl.col("timestamp")
        seen = self.rows.filter(time < self.split.train_end)
        if days is not None:
            seen = seen.filter(time >= self.split.train_end - days * SECONDS_PER_DAY)
        tracks = number_ids(tensor(seen["item_id"]), self.tracks)
        return torch.bincount(tracks, minlength=self.n_values["track"])

    def played(self, part: str, examples: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What the listeners had played before: `scores[task.played(part)] = -inf` leaves it out.

        Args:
            part: of the task. examples: (B,) numbers within the part, default all.

        Returns:
            Places among these examples and numbers of tracks, an entry a listen, (M,) each.
        """
        rows = self.positions[part] if examples is None else self.positions[part][examples]
        return self.past.pairs(rows)

    def profiles(self, part: str, examples: Tensor, last: int | None = None) -> csr_matrix:
        """(B, n + 1) how often the history of each example holds each track; column 0: unknown.

        Args:
            part: of the task. examples: (B,) numbers within the part.
            last: how many of the latest listens count; default all, not L.
        """
        return self.held.counts(self.positions[part][examples], self.n_values["track"], last)

    def plays(self) -> csr_matrix:
        """(listeners + 1, tracks + 1) how often histories held each track in training."""
        kept = self.rows[self.order.numpy()].filter(pl.col("timestamp") < self.split.train_end)
        listener = number_ids(tensor(kept["uid"]), self.listeners)
        track = number_ids(tensor(kept["item_id"]), self.tracks)
        shape = (self.n_values["listener"], self.n_values["track"])
        return csr_matrix((np.ones(len(kept), np.float32), (listener, track)), shape)


def retrieval_task(
    log: Log,
    length: int = 20,
    repeats: bool = True,
    organic: bool = False,
    history: pl.Expr | None = None,
    most: int | None = None,
    judged: int | None = None,
    seed: int = 0,
) -> RetrievalTask:
    """The retrieval task of a log.

    Args:
        log: whose listens are the examples. length: L, listens that a history holds at most.
        repeats: whether a track that the listener has played before may be the target, as in
            Yambda's protocol; if not, leave what was `played` out of the ranking, too.
        organic: whether only what the listener chose is a target, not what was recommended; the
            histories hold both, unless `history` says otherwise.
        history: which listens a history holds, an expression of the columns of `rows` that looks at
            one listen at a time, such as `pl.col("is_organic") == 1`; default all.
        most: examples of training at most, the latest. judged: examples of validation, and of test,
            at most, drawn at random; default all. seed: of the draw.

    Returns:
        The task; its batches take 9 L bytes an example.

    Raises:
        LogError: the log has no listens or cannot be split, or a part has no example.
        ValueError: `length` is not at least 1.
    """
    if length < 1:
        raise ValueError(f"a history needs a length of at least 1, got {length}")
    rows = listens_of(log)
    split = split_for(rows["timestamp"])
    positions = examples_of(log, rows, split, repeats, organic)
    positions = at_most(positions, most, judged, seed)
    past = known_past(rows, split, history)
    batches = {}
    for part, position in positions.items():
        frame, seen = rows[position.numpy()], past.held.last(position, length)
        batches[part] = {
            "listener": number_ids(tensor(frame["uid"]), past.listeners),
            "history": seen["item"],
            "mask": seen["mask"],
            "target": number_ids(tensor(frame["item_id"]), past.tracks),
        }
    return RetrievalTask(
        log=log.name, repeats=repeats, rows=rows, split=split, positions=positions, batches=batches,
        **vars(past),
    )  # fmt: skip


def windows(task: RetrievalTask, length: int) -> dict[str, Tensor]:
    """The histories of training, each cut into windows of `length` listens that do not overlap.

    What is left over at the end of a history is in none.

    Returns:
        (W, length) tensors, as `Histories.last` gives them.
    """
    held = task.held
    training = tensor(task.rows["timestamp"]) < task.split.train_end
    n_before = held.end - held.start
    full = torch.nonzero(training & (n_before > 0) & (n_before % length == 0))[:, 0]
    _, first = np.unique(held.end[full].numpy(), return_index=True)  # rows that see the same window
    return held.last(full[torch.from_numpy(first)], length)


def has_choices(log: Log) -> bool:
    """Whether the log knows of any listen that the listener chose it."""
    chosen = log.events.filter(pl.col("event_type") == "listen", pl.col("is_organic") == 1)
    return len(chosen.head(1).collect()) > 0


def listens_of(log: Log) -> pl.DataFrame:
    """All listens in the order of time, and `repeat`: whether the listener had played the track.

    Raises:
        LogError: there are none.
    """
    rows = (
        log.events.filter(pl.col("event_type") == "listen")
        .select("uid", "timestamp", "item_id", "is_organic", "event_type", "played_ratio_pct")
        .collect()
    )
    if not len(rows):
        raise LogError(
            f"column 'event_type': the log {log.name!r} has no 'listen', so nothing is played "
            "next; give the events that are to be predicted this type"
        )
    first = pl.col("timestamp").min().over("uid", "item_id")
    return rows.with_columns(repeat=pl.col("timestamp") > first)


def examples_of(
    log: Log, rows: pl.DataFrame, split: TimeSplit, repeats: bool, organic: bool
) -> dict[str, Tensor]:
    """Of each part the numbers of the rows that are targets.

    Args:
        log: for its name. rows: `listens_of` it. repeats: whether a repeated track is a target.
        organic: whether only what the listener chose is one.

    Raises:
        LogError: a part has none.
    """
    wanted = rows.select("timestamp", "repeat", "is_organic").with_row_index("position")
    if not repeats:
        wanted = wanted.filter(~pl.col("repeat"))
    if organic:
        wanted = wanted.filter(pl.col("is_organic") == 1)
    positions = {
        part: tensor(frame["position"])
        for part, frame in zip(PARTS, split.parts(wanted), strict=True)
    }
    if empty := [part for part, position in positions.items() if not len(position)]:
        kinds = ["that its listener has not played before"] * (not repeats)
        kinds += ["that its listener chose ('is_organic' is 1)"] * organic
        raise LogError(
            f"the log {log.name!r}: its {empty[0]} period has no listen {' and '.join(kinds)}; "
            "let more kinds of listens be targets, or take a longer log"
        )
    return positions


def at_most(
    positions: dict[str, Tensor], most: int | None, judged: int | None, seed: int
) -> dict[str, Tensor]:
    """The latest `most` rows of training and `judged` of the other parts, in the order of time."""
    rng = np.random.default_rng(seed)
    out = {}
    for part, position in positions.items():
        wanted = most if part == "train" else judged
        n = len(position) if wanted is None else min(wanted, len(position))
        drawn = torch.from_numpy(rng.choice(len(position), n, replace=False)).sort().values
        out[part] = position[len(position) - n :] if part == "train" else position[drawn]
    return out


def known_past(rows: pl.DataFrame, split: TimeSplit, history: pl.Expr | None) -> Past:
    """What both tasks know of the past.

    Args:
        rows: `listens_of` a log. split: of them. history: as in `retrieval_task`.
    """
    training = rows.filter(pl.col("timestamp") < split.train_end)
    listeners, tracks = vocabulary(training["uid"]), vocabulary(training["item_id"])
    past = numbered_past(rows, tracks)
    in_order = in_order_of_past(rows)
    held = satisfied(pl.lit(True) if history is None else history, in_order)
    return Past(
        n_values={"listener": len(listeners) + 1, "track": len(tracks) + 1},
        listeners=listeners,
        tracks=tracks,
        past=past,
        held=past.only(held),
        order=tensor(in_order["row"])[held],
    )


def numbered_past(rows: pl.DataFrame, tracks: Tensor) -> Histories:
    """`histories` of the listens with their tracks numbered, 0 for those that are not known."""
    past = histories(rows.lazy())
    return replace(past, item=number_ids(past.item, tracks))


def satisfied(history: pl.Expr, rows: pl.DataFrame) -> Tensor:
    """(N,) bool: which rows satisfy an expression.

    Raises:
        LogError: it does not give true or false for every row.
    """
    kept = rows.with_columns(satisfied=history)["satisfied"]
    if kept.dtype != pl.Boolean or kept.null_count():
        raise LogError(
            f"`history` must be true or false for every listen, it gave {kept.dtype} with "
            f"{kept.null_count():,} nulls; compare a column with a value"
        )
    return torch.from_numpy(kept.to_numpy().copy())


def in_order_of_past(rows: pl.DataFrame) -> pl.DataFrame:
    """Listens sorted as `numbered_past` holds them, `row` their number before."""
    return rows.with_row_index("row").sort("uid", "timestamp", maintain_order=True)


def tensor(values: pl.Series) -> Tensor:
    """A column of integers as int64."""
    return torch.from_numpy(values.cast(pl.Int64).to_numpy().copy())
