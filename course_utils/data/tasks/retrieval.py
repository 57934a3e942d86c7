"""The retrieval task: what is played next, out of the whole catalogue?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import torch
from torch import Tensor

from course_utils.data.histories import Histories, histories
from course_utils.data.ids import number_ids, vocabulary
from course_utils.data.log import Log
from course_utils.data.splits import TimeSplit, split_for
from course_utils.data.tasks.ranking import PARTS, Batches
from course_utils.schema import SECONDS_PER_DAY, LogError


@dataclass(frozen=True)
class RetrievalTask:
    """Examples, split in time: what a listener played before → the track played next.

    An example is a listen. Its inputs are strictly earlier: listens at the same moment do not see
    each other. Listeners and tracks are numbered by the training period. Those that it never saw
    have the number 0, stay in validation and test, and are told apart by `new_listeners` and
    `new_tracks`; no model that knows ids alone can find a new track.

    Attributes:
        rows: all listens in the order of time, and `repeat`: whether the listener had played the
            track before.
        split: borders of the parts.
        positions: of each part `train`, `validation`, `test`: its examples' numbers in `rows`.
        batches: tensors of each part: `listener` (N,), `history` (N, L) tracks, latest first,
            `mask` (N, L), true where there is a listen, and `target` (N,), the track played next.
        n_values: how many `listener` and `track` numbers there are, the unknown one included.
        listeners, tracks: (n,) public ids of the numbered ones.
        past: the listens of each listener in the order of time, tracks numbered; asked by the
            numbers of `rows`.
    """

    rows: pl.DataFrame
    split: TimeSplit
    positions: dict[str, Tensor]
    batches: Batches
    n_values: dict[str, int]
    listeners: Tensor
    tracks: Tensor
    past: Histories

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

    def popularity(self, days: float | None = None) -> Tensor:
        """(n + 1,) listens of each track in training, or in its last `days`; 0 for the unknown."""
        time = pl.col("timestamp")
        seen = self.rows.filter(time < self.split.train_end)
        if days is not None:
            seen = seen.filter(time >= self.split.train_end - days * SECONDS_PER_DAY)
        tracks = number_ids(tensor(seen["item_id"]), self.tracks)
        return torch.bincount(tracks, minlength=self.n_values["track"])

    def played(self, part: str, examples: Tensor | None = None) -> Tensor:
        """(B, n + 1) which tracks the listener had played before, to leave them out of a ranking.

        Args:
            part: of the task. examples: (B,) numbers within the part, default all.
        """
        rows = self.positions[part] if examples is None else self.positions[part][examples]
        start, count = self.past.start[rows], self.past.end[rows] - self.past.start[rows]
        example = torch.arange(len(rows)).repeat_interleave(count)
        within = torch.arange(len(example)) - (count.cumsum(0) - count)[example]
        out = torch.zeros(len(rows), self.n_values["track"], dtype=torch.bool)
        out[example, self.past.item[start[example] + within]] = True
        out[:, 0] = False
        return out


def retrieval_task(
    log: Log, length: int = 20, repeats: bool = True, most: int | None = None, seed: int = 0
) -> RetrievalTask:
    """The retrieval task of a log.

    Args:
        log: whose listens are the examples. length: L, listens that a history holds at most.
        repeats: whether a track that the listener has played before may be the target, as in
            Yambda's protocol; if not, leave what was `played` out of the ranking, too.
        most: examples of a part at most: the latest of training, a random draw of validation and
            test; default all. seed: of the draw.

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
    positions = examples_of(log, rows, split, repeats)
    if most is not None:
        positions = at_most(positions, most, seed)
    listeners, tracks = training_ids(rows, split)
    past = numbered_past(rows, tracks)
    batches = {}
    for part, position in positions.items():
        frame, seen = rows[position.numpy()], past.last(position, length)
        batches[part] = {
            "listener": number_ids(tensor(frame["uid"]), listeners),
            "history": seen["item"],
            "mask": seen["mask"],
            "target": number_ids(tensor(frame["item_id"]), tracks),
        }
    return RetrievalTask(
        rows=rows,
        split=split,
        positions=positions,
        batches=batches,
        n_values={"listener": len(listeners) + 1, "track": len(tracks) + 1},
        listeners=listeners,
        tracks=tracks,
        past=past,
    )


def listens_of(log: Log) -> pl.DataFrame:
    """All listens in the order of time, and `repeat`: whether the listener had played the track.

    Raises:
        LogError: there are none.
    """
    rows = (
        log.events.filter(pl.col("event_type") == "listen")
        .select("uid", "timestamp", "item_id", "event_type", "played_ratio_pct")
        .collect()
    )
    if not len(rows):
        raise LogError(
            f"column 'event_type': the log {log.name!r} has no 'listen', so nothing is played "
            "next; give the events that are to be predicted this type"
        )
    first = pl.col("timestamp").min().over("uid", "item_id")
    return rows.with_columns(repeat=pl.col("timestamp") > first)


def examples_of(log: Log, rows: pl.DataFrame, split: TimeSplit, repeats: bool) -> dict[str, Tensor]:
    """Of each part the numbers of the rows that are targets.

    Args:
        log: for its name. rows: `listens_of` it. repeats: whether a repeated track is a target.

    Raises:
        LogError: a part has none.
    """
    numbered = rows.select("timestamp", "repeat").with_row_index("position")
    wanted = numbered if repeats else numbered.filter(~pl.col("repeat"))
    positions = {
        part: tensor(frame["position"])
        for part, frame in zip(PARTS, split.parts(wanted), strict=True)
    }
    if empty := [part for part, position in positions.items() if not len(position)]:
        raise LogError(
            f"the log {log.name!r}: in its {empty[0]} period every listen repeats a track that "
            "its listener has played before; keep repeats, or take a longer log"
        )
    return positions


def at_most(positions: dict[str, Tensor], most: int, seed: int) -> dict[str, Tensor]:
    """The latest rows of training and a random draw of the other parts, in the order of time."""
    rng = np.random.default_rng(seed)
    out = {}
    for part, position in positions.items():
        n = min(most, len(position))
        drawn = torch.from_numpy(rng.choice(len(position), n, replace=False)).sort().values
        out[part] = position[len(position) - n :] if part == "train" else position[drawn]
    return out


def training_ids(rows: pl.DataFrame, split: TimeSplit) -> tuple[Tensor, Tensor]:
    """Sorted public ids of the listeners and of the tracks that training knows."""
    training = rows.filter(pl.col("timestamp") < split.train_end)
    return vocabulary(training["uid"]), vocabulary(training["item_id"])


def numbered_past(rows: pl.DataFrame, tracks: Tensor) -> Histories:
    """`histories` of the listens with their tracks numbered, 0 for those that are not known."""
    past = histories(rows.lazy())
    return replace(past, item=number_ids(past.item, tracks))


def tensor(values: pl.Series) -> Tensor:
    """A column of integers as int64."""
    return torch.from_numpy(values.cast(pl.Int64).to_numpy().copy())
