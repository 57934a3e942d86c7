"""The ranking task of the course: will this listen be played to the end?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from torch import Tensor

from course_utils.data.counters import TARGET, add_counters
from course_utils.data.ids import lookup, number_ids, vocabulary
from course_utils.data.log import Log
from course_utils.data.sources.hub import open_ready_features
from course_utils.data.splits import split_for
from course_utils.schema import LogError
from course_utils.settings import features_choice


def as_batch(
    rows: pl.DataFrame, ids: list[str], numbers: list[str], target: str
) -> dict[str, Tensor]:
    """Columns of a table as the tensors that rankers take.

    Args:
        rows: N rows. ids: categorical columns. numbers: numerical columns, null means unknown.
        target: column of 0 and 1.

    Returns:
        `ids` (N, F) int64, `numbers` (N, D) float32 with NaN for null, `target` (N,) float32.
    """
    x = rows.select(pl.col(numbers).cast(pl.Float32).fill_null(float("nan")))
    return {
        "ids": torch.from_numpy(rows.select(pl.col(ids).cast(pl.Int64)).to_numpy().copy()),
        "numbers": torch.from_numpy(x.to_numpy().copy()),
        "target": torch.from_numpy(rows[target].cast(pl.Float32).to_numpy().copy()),
    }


PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class RankingTask:
    """Rows, split in time, and the tensors that rankers take.

    Attributes:
        rows: all listens with their counters, in the order of time.
        frames: the same, cut into `train`, `validation`, `test`.
        batches: tensors of each part: `ids` (N, 3), numbers of listener, track and artist, 0 for
            those that training never saw; `numbers` (N, D), NaN for unknown; `target` (N,).
        numbers: names of the D numerical columns.
        n_values: how many values each id has, the unknown one included.
        tracks: (n,) the numbered tracks. artist_of: (n + 1,) the artist's number of each.
        oracle: true logits of the test rows, where the log knows them.
    """

    rows: pl.DataFrame
    frames: dict[str, pl.DataFrame]
    batches: dict[str, dict[str, Tensor]]
    numbers: list[str]
    n_values: list[int]
    tracks: Tensor
    artist_of: Tensor
    oracle: Tensor | None

    @property
    def target(self) -> Tensor:
        """(N,) outcomes of the test rows."""
        return self.batches["test"]["target"]

    def seen(self, i: int, j: int, part: str = "test") -> Tensor:
        """(N,) how often training saw the pair of ids that a row has in columns i and j."""
        keys = {
            name: self.batches[name]["ids"][:, i] * self.n_values[j]
            + self.batches[name]["ids"][:, j]
            for name in {"train", part}
        }
        pairs, counts = keys["train"].unique(return_counts=True)
        place = torch.searchsorted(pairs, keys[part]).clamp(max=len(pairs) - 1)
        return torch.where(pairs[place] == keys[part], counts[place], 0)

    def recent(self, n: int) -> dict[str, dict[str, Tensor]]:
        """The batches with only the last n training rows, for sweeps of many models."""
        last = {name: values[-n:] for name, values in self.batches["train"].items()}
        return {**self.batches, "train": last}

    @property
    def listeners(self) -> np.ndarray:
        """(N,) listener of each test row, the groups of the bootstrap."""
        return self.frames["test"]["uid"].to_numpy()


def ranking_rows(log: Log) -> pl.DataFrame:
    """Every listen with what was known before it (`add_counters`), in the order of time.

    With `COURSE_FEATURES=ready` the original seminar's downloaded pool stands in for the counters
    that we compute; it belongs to `yambda-50m` and has no artist counters.

    Raises:
        LogError: the variable has another value, or the log is not `yambda-50m`.
        DownloadError: the pool cannot be had.
    """
    wanted = features_choice()
    if not wanted:
        return add_counters(log.events, log.artists)
    if wanted != "ready" or log.name != "yambda-50m":
        raise LogError(
            f"COURSE_FEATURES={wanted!r} with the log {log.name!r}: the only ready features are "
            "those of COURSE_LOG=yambda-50m, with COURSE_FEATURES=ready; unset the variable to "
            "have the counters computed"
        )
    pool = open_ready_features().sort("timestamp", maintain_order=True).collect()
    first = ["uid", "item_id", TARGET]
    return pool.select(*first, pl.exclude(first))


def ranking_task(log: Log, rows: pl.DataFrame | None = None) -> RankingTask:
    """Rows, split, vocabularies and tensors of a log.

    Ids are numbered by the training period: a listener or a track that was never seen there gets
    the number 0, "unknown". Columns that are always unknown in training are left out.

    Args:
        log: what to rank. rows: its `ranking_rows`, computed if they are not given.

    Raises:
        LogError: the log has no negative responses, or is too short for a split.
    """
    log.need_negatives()
    rows = ranking_rows(log) if rows is None else rows
    frames = dict(zip(PARTS, split_for(rows["timestamp"]).parts(rows), strict=True))
    people, tracks = (vocabulary(frames["train"][c]) for c in ("uid", "item_id"))
    artist_of = lookup(log.artists, "artist_id", tracks)
    artist_of = number_ids(artist_of, vocabulary(pl.Series(artist_of[1:].numpy())))
    artist_of[0] = 0
    numbers = [
        c for c in rows.columns[3:] if frames["train"][c].null_count() < len(frames["train"])
    ]
    batches = {}
    for name, part in frames.items():
        batch = as_batch(part, ["uid", "item_id"], numbers, TARGET)
        person, track = (
            number_ids(batch["ids"][:, 0], people),
            number_ids(batch["ids"][:, 1], tracks),
        )
        batch["ids"] = torch.stack([person, track, artist_of[track]], dim=1)
        batches[name] = batch
    oracle = None
    if log.truth is not None:
        truth = log.truth.select("probability").collect()["probability"].to_numpy()
        recent = truth[len(rows) - len(frames["test"]) :].copy()
        oracle = torch.logit(torch.from_numpy(recent).double())
    return RankingTask(
        rows=rows,
        frames=frames,
        batches=batches,
        numbers=numbers,
        n_values=[len(people) + 1, len(tracks) + 1, int(artist_of.max()) + 1],
        tracks=tracks,
        artist_of=artist_of,
        oracle=oracle,
    )
