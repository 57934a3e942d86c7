"""The ranking task of the course: will this listen be played to the end?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from torch import Tensor

from course_utils.data.counters import TARGET, TIMES, add_counters
from course_utils.data.ids import number_ids, vocabulary
from course_utils.data.log import Log
from course_utils.data.sources.hub import open_ready_features
from course_utils.data.splits import split_for
from course_utils.schema import SECONDS_PER_DAY, LogError
from course_utils.settings import features_choice

PARTS = ("train", "validation", "test")
COLUMN_OF = {"listener": "uid", "track": "item_id"}
"""Columns of the log behind the first two fields; the third, `artist`, follows from the track."""

LESSON_ROWS = {"train": 120_000, "validation": 30_000, "test": 100_000}
"""At most so many rows make a lesson, so that it fits into its minutes: of the training period the
most recent ones, of the others some evenly spread. Their counters have seen the whole log."""

Batches = dict[str, dict[str, Tensor]]
"""Tensors by part and name."""


@dataclass(frozen=True)
class RankingTask:
    """Rows, split in time, and the tensors that rankers take.

    Attributes:
        log: name of the log. rows: all its listens with their counters, in the order of time.
        positions: of each part `train`, `validation`, `test`: its rows' numbers in `rows`.
        batches: tensors of each part: `ids` (N, F), the fields' values numbered from 1, 0 for
            those that training never saw; `numbers` (N, D), NaN for unknown; `target` (N,).
        n_values: how many values each field has, the unknown one included; its keys name the
            columns of `ids`: `listener`, `track`, and `artist` where the log knows artists.
        numbers: names of the D columns of `numbers`.
        tracks: (n,) public ids of the numbered tracks. artist_of: (n + 1,) each track's artist,
            numbered, 0 where none is known.
        oracle: true logits of the test rows, where the log knows them.
    """

    log: str
    rows: pl.DataFrame
    positions: dict[str, Tensor]
    batches: Batches
    n_values: dict[str, int]
    numbers: list[str]
    tracks: Tensor
    artist_of: Tensor
    oracle: Tensor | None

    @property
    def fields(self) -> list[str]:
        """Names of the columns of `ids`."""
        return list(self.n_values)

    @property
    def target(self) -> Tensor:
        """(N,) outcomes of the test rows."""
        return self.batches["test"]["target"]

    @property
    def listeners(self) -> np.ndarray:
        """(N,) listener of each test row, the groups of the bootstrap."""
        return self.frame("test")["uid"].to_numpy()

    def frame(self, part: str) -> pl.DataFrame:
        """The rows of one part."""
        return self.rows[self.positions[part].numpy()]

    def ids(self, field: str, part: str = "test") -> Tensor:
        """(N,) values of one field, numbered.

        Raises:
            LogError: the log does not have this field.
        """
        if field not in self.n_values:
            raise LogError(f"the log knows no {field} of its tracks; the fields are {self.fields}")
        return self.batches[part]["ids"][:, self.fields.index(field)]

    def known(self, part: str = "test") -> Tensor:
        """(N,) whether training saw the row's listener and its track."""
        return (self.ids("listener", part) > 0) & (self.ids("track", part) > 0)

    def seen(self, one: str, other: str, part: str = "test") -> Tensor:
        """(N,) how often training saw the pair of values that a row has in two fields."""
        keys = {
            name: self.ids(one, name) * self.n_values[other] + self.ids(other, name)
            for name in {"train", part}
        }
        pairs, counts = keys["train"].unique(return_counts=True)
        place = torch.searchsorted(pairs, keys[part]).clamp(max=len(pairs) - 1)
        return torch.where(pairs[place] == keys[part], counts[place], 0)

    def recent(self, n: int) -> Batches:
        """The batches with only the last n training rows, for sweeps of many models."""
        last = {name: values[-n:] for name, values in self.batches["train"].items()}
        return {**self.batches, "train": last}

    def with_numbers(self, names: list[str], n: int | None = None) -> Batches:
        """The batches with only these numerical columns, those that the log has, in this order.

        Args:
            names: of columns. n: only the last n training rows.
        """
        columns = [self.numbers.index(name) for name in names if name in self.numbers]
        batches = self.batches if n is None else self.recent(n)
        return {
            part: {**batch, "numbers": batch["numbers"][:, columns]}
            for part, batch in batches.items()
        }


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
    return open_ready_features().sort("timestamp", maintain_order=True).collect()


def ranking_task(log: Log, rows: pl.DataFrame | None = None, whole: bool = False) -> RankingTask:
    """Rows, split, vocabularies and tensors of a log.

    Values are numbered by the training period: a listener or a track that was never seen there
    gets the number 0, "unknown". Columns that are always unknown in training are left out.

    Args:
        log: what to rank. rows: its `ranking_rows`, computed if they are not given.
        whole: all rows of every period, not only `LESSON_ROWS`.

    Raises:
        LogError: the log has no negative responses, is too short for a split, or one part of it
            has outcomes of one kind only.
    """
    log.need_negatives()
    rows = ranking_rows(log) if rows is None else rows
    parts = split_for(rows["timestamp"]).parts(rows.with_row_index("position"))
    positions = {
        name: torch.from_numpy(part["position"].cast(pl.Int64).to_numpy().copy())
        for name, part in zip(PARTS, parts, strict=True)
    }
    if not whole:
        positions["train"] = positions["train"][-LESSON_ROWS["train"] :]
        for part in ("validation", "test"):
            positions[part] = _spread(positions[part], LESSON_ROWS[part])
    frames = {name: rows[position.numpy()] for name, position in positions.items()}
    need_both_outcomes(log, frames)
    known = {field: vocabulary(frames["train"][column]) for field, column in COLUMN_OF.items()}
    artist_of = artist_numbers(log, known["track"])
    n_values = {field: len(values) + 1 for field, values in known.items()}
    if log.artists is not None:
        n_values["artist"] = int(artist_of.max()) + 1
    numbers = [
        name
        for name in rows.columns
        if name not in (*COLUMN_OF.values(), TARGET)
        and frames["train"][name].null_count() < len(frames["train"])
    ]
    start = int(rows["timestamp"][0]) // SECONDS_PER_DAY * SECONDS_PER_DAY
    batches = {}
    for name, frame in frames.items():
        ids = {
            field: number_ids(_tensor(frame[column]), known[field])
            for field, column in COLUMN_OF.items()
        }
        ids["artist"] = artist_of[ids["track"]]
        batches[name] = {
            "ids": torch.stack([ids[field] for field in n_values], dim=1),
            "numbers": as_numbers(frame, numbers, start),
            "target": torch.from_numpy(frame[TARGET].cast(pl.Float32).to_numpy().copy()),
        }
    return RankingTask(
        log=log.name,
        rows=rows,
        positions=positions,
        batches=batches,
        n_values=n_values,
        numbers=numbers,
        tracks=known["track"],
        artist_of=artist_of,
        oracle=_oracle(log, positions["test"]),
    )


def inputs_of(task: RankingTask, frame: pl.DataFrame) -> dict[str, Tensor]:
    """What a ranker takes, of rows that the task does not hold: `ids` (M, F), `numbers` (M, D).

    Args:
        task: whose numbering and columns count.
        frame: M rows with the columns of `task.rows`; a target is not asked for.
    """
    known = {field: vocabulary(task.frame("train")[column]) for field, column in COLUMN_OF.items()}
    ids = {
        field: number_ids(_tensor(frame[column]), known[field])
        for field, column in COLUMN_OF.items()
    }
    ids["artist"] = task.artist_of[ids["track"]]
    start = int(task.rows["timestamp"][0]) // SECONDS_PER_DAY * SECONDS_PER_DAY
    return {
        "ids": torch.stack([ids[field] for field in task.n_values], dim=1),
        "numbers": as_numbers(frame, task.numbers, start),
    }


def _spread(positions: Tensor, most: int) -> Tensor:
    """At most so many of the positions, evenly spread."""
    n = min(most, len(positions))
    return positions[torch.arange(n) * len(positions) // n]


def need_both_outcomes(log: Log, frames: dict[str, pl.DataFrame]) -> None:
    """Refuse a part that has listens of one outcome only.

    Args:
        log: for its name. frames: of each part, with a column `TARGET`.

    Raises:
        LogError: in a part all listens, or none, were played to the end.
    """
    for name, frame in frames.items():
        if frame[TARGET].n_unique() < 2:
            only = "all" if frame[TARGET][0] else "none"
            raise LogError(
                f"the log {log.name!r}: {only} of the {len(frame):,} listens of its {name} period "
                "are played to the end; ranking needs both outcomes in every period: use a longer "
                "log, or check `played_ratio_pct`"
            )


def artist_numbers(log: Log, tracks: Tensor) -> Tensor:
    """(n + 1,) the artist of each numbered track, numbered from 1; 0 where none is known.

    Args:
        log: whose `artists` are asked; a track of several artists counts for the one with the
            smallest id. tracks: (n,) sorted public ids.
    """
    if log.artists is None:
        return torch.zeros(len(tracks) + 1, dtype=torch.int64)
    first = log.artists.group_by(pl.col("item_id").cast(pl.Int64)).agg(pl.col("artist_id").min())
    found = (
        pl.LazyFrame({"item_id": tracks.numpy()})
        .join(first, on="item_id", how="left", maintain_order="left")
        .collect()["artist_id"]
    )
    numbers = found.rank("dense").fill_null(0).cast(pl.Int64)
    return torch.cat([torch.zeros(1, dtype=torch.int64), _tensor(numbers)])


def as_numbers(frame: pl.DataFrame, names: list[str], start: int = 0) -> Tensor:
    """Numerical columns as float32 (N, D), NaN for null.

    Args:
        frame: N rows. names: of the columns.
        start: taken from the columns that hold a time, in seconds: float32 tells seconds apart
            only up to 2²⁴, half a year, and a foreign log may count from 1970.
    """
    times = [pl.col(name).cast(pl.Int64) - start for name in names if name in TIMES]
    shifted = frame.with_columns(times).select(names).cast(pl.Float32)
    return torch.from_numpy(shifted.fill_null(float("nan")).to_numpy().copy())


def _tensor(values: pl.Series) -> Tensor:
    return torch.from_numpy(values.cast(pl.Int64).to_numpy().copy())


def _oracle(log: Log, rows: Tensor) -> Tensor | None:
    """True logits of these listens, float64."""
    if log.truth is None:
        return None
    truth = log.truth.select("probability").collect()["probability"].to_numpy()
    return torch.logit(torch.from_numpy(truth[rows.numpy()].copy()).double())
