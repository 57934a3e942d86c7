"""Windows of plays with what came of each: what a sequence model of tracks and actions reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from torch import Tensor

from course_utils.data.ids import number_ids
from course_utils.data.log import Log
from course_utils.data.tasks.ranking import RankingTask
from course_utils.schema import FINISHED_PCT, SKIPPED_PCT

ACTIONS = ("skipped", "broken off", "finished")
"""What can come of a play: below 50 %, below 95 %, or more; each by the radio or by choice."""
N_ACTIONS = 2 * len(ACTIONS)


@dataclass(frozen=True)
class Windows:
    """Windows of plays, each of one listener.

    Attributes:
        tensors: `track`, `action`, `time` (W, L) int64 and `mask` (W, L) bool, true where there is
            a play; `target` (W, L), 1.0 where it was played to the end, and `counts` (W, L), true
            at the plays that were asked for, each of them once.
        rows: (n,) the rows of the plays that count, in the order of `counts`.
    """

    tensors: dict[str, Tensor]
    rows: Tensor

    def of(self, values: Tensor, rows: Tensor) -> Tensor:
        """Values at all places (W, L), in the order of rows (n,), each of them one that counts."""
        found = values[self.tensors["counts"]]
        order = self.rows.argsort()
        return found[order[torch.searchsorted(self.rows[order], rows.contiguous())]]


class Plays:
    """All listens of a log, sorted by listener and time, to be cut into windows.

    Args:
        log: of which task is. task: its rows and numbering of tracks.
    """

    def __init__(self, log: Log, task: RankingTask) -> None:
        ratio, organic = pl.col("played_ratio_pct"), pl.col("is_organic")
        kind = (ratio >= SKIPPED_PCT).cast(pl.Int64) + (ratio >= FINISHED_PCT).cast(pl.Int64)
        listens = (
            log.events.filter(pl.col("event_type") == "listen")
            .select("uid", "timestamp", "item_id", ratio, action=kind + len(ACTIONS) * organic)
            .with_row_index("row")
            .sort(["uid", "timestamp"], maintain_order=True)
            .collect()
        )
        self.row, self.time = _tensor(listens["row"]), _tensor(listens["timestamp"])
        self.track = number_ids(_tensor(listens["item_id"]), task.tracks)
        self.action = _tensor(listens["action"])
        self.finished = (self.action % len(ACTIONS) == len(ACTIONS) - 1).float()
        new = listens["uid"].to_numpy()
        first = np.flatnonzero(np.diff(new, prepend=-1))
        self.start = torch.from_numpy(first).repeat_interleave(
            torch.from_numpy(np.diff(first, append=len(new)))
        )

    def windows(self, rows: Tensor, length: int, stride: int) -> Windows:
        """Windows in which each of these rows counts once.

        They are cut from a listener's latest row back. A window holds up to `length` plays, and the
        rows among its last `stride` places count: with a stride below the length, every one of them
        has at least `length − stride` plays before it, where the listener has them.

        Args:
            rows: (n,) numbers of listens in the log's order. length: L. stride: 1 … L.
        """
        asked = torch.zeros(len(self.row), dtype=torch.bool)
        asked[rows] = True
        place = torch.nonzero(asked[self.row])[:, 0]
        start, first = self.start[place].unique_consecutive(return_inverse=True)
        last = torch.zeros(len(start), dtype=torch.int64).scatter_reduce(0, first, place, "amax")
        back = (last[first] - place) // stride
        end = (last[first] - stride * back + 1).unique()
        at = end.unsqueeze(1) - length + torch.arange(length)
        mask = at >= self.start[end - 1].unsqueeze(1)
        at = at.clamp(min=0)
        late = torch.arange(length) >= length - stride
        counts = mask & late & asked[self.row[at]]
        tensors = {
            "track": self.track[at] * mask,
            "action": self.action[at] * mask,
            "time": self.time[at] * mask,
            "mask": mask,
            "target": self.finished[at] * mask,
            "counts": counts,
        }
        return Windows(tensors, self.row[at][counts])


def _tensor(values: pl.Series) -> Tensor:
    return torch.from_numpy(values.cast(pl.Int64).to_numpy().copy())
