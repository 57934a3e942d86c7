"""What the simulated listeners choose next: the world's own chances, the ceiling of retrieval."""

from __future__ import annotations

import numpy as np
import polars as pl
import torch
from torch import Tensor

from course_utils.data.ids import number_ids
from course_utils.data.tasks.retrieval import RetrievalTask, in_order_of_past
from course_utils.evaluation.retrieval import ROW
from course_utils.schema import SECONDS_PER_DAY, SESSION_GAP
from course_utils.train import Batch
from course_utils.world.catalogue import SECONDS_PER_WEEK, build_catalogue
from course_utils.world.config import WorldConfig
from course_utils.world.dynamics import STYLE_SHARPNESS
from course_utils.world.listeners import build_listeners
from course_utils.world.numeric import softmax

EVIDENCE = 32
"""How many of a session's choices tell its mood, at most."""


class NextChoice:
    """P(track | what is known of the listener) for new tracks that listeners choose themselves.

    The world draws such a track in three steps: a session has one of the listener's interests (its
    mood), the interest draws a style, and the style draws a track by its popularity of the week.
    Interests, their weights and the popularity are the world's; the mood stands in no log, and its
    chances follow by Bayes' rule from the styles chosen in the session so far. In a world without
    moods each choice has an interest of its own, and what was chosen before tells nothing of it.

    Called with a batch of the test, it gives scores (B, tracks + 1), as `RetrievalContest.judge`
    wants them. A choice by memory, of a track played before, is left out, as in a task without
    repeats.

    Args:
        world: of the task's log. task: with `organic` targets and without `repeats`.
    """

    def __init__(self, world: WorldConfig, task: RetrievalTask) -> None:
        self.catalogue = build_catalogue(world)
        self.people = build_listeners(world, self.catalogue)
        self.world, self.task = world, task
        item_id = torch.from_numpy(self.catalogue.item_id.astype(np.int64))
        self.track = number_ids(item_id, task.tracks)
        taste = STYLE_SHARPNESS * self.people.interests @ self.catalogue.style_vector.T
        self.style = softmax(taste)  # (listeners, moods, styles)
        self.person = _places(self.people.uid)
        self._read_sessions(item_id)

    def _read_sessions(self, item_id: Tensor) -> None:
        """Of every listen its session; of every new track that was chosen its style."""
        pause = pl.col("timestamp").diff().over("uid").fill_null(0) > SESSION_GAP
        rows = in_order_of_past(self.task.rows).with_columns(
            session=(pause | (pl.col("uid") != pl.col("uid").shift(1)).fill_null(True)).cum_sum()
        )
        new = (pl.col("is_organic") == 1) & ~pl.col("repeat")
        chosen = torch.from_numpy(rows.select(new).to_series().to_numpy().copy())
        self.chosen = self.task.past.only(chosen)
        track = _places(self.catalogue.item_id)[rows["item_id"].to_numpy()]
        self.chosen_style = torch.from_numpy(self.catalogue.style[track].astype(np.int64))[chosen]
        session = torch.from_numpy(rows["session"].to_numpy().astype(np.int64))
        self.chosen_session = session[chosen]
        self.session = torch.empty_like(session)
        self.session[torch.from_numpy(rows["row"].to_numpy().astype(np.int64))] = session

    def moods(self, rows: Tensor) -> np.ndarray:
        """(B, K) chances of the session's mood at each listen (B,) of `task.rows`."""
        frame = self.task.rows[rows.numpy()]
        who = self.person[frame["uid"].to_numpy()]
        done = frame["timestamp"].to_numpy() / (self.world.days * SECONDS_PER_DAY)
        logits = self.people.interest_logits(who, done * self.world.has("drift"))
        if not self.world.has("mood"):
            return softmax(logits)
        at = self.chosen.end[rows].unsqueeze(1) - 1 - torch.arange(EVIDENCE)
        earlier = at >= self.chosen.start[rows].unsqueeze(1)
        at = at.clamp(min=0)
        earlier &= self.chosen_session[at] == self.session[rows].unsqueeze(1)
        seen = np.log(self.style[who[:, None], :, self.chosen_style[at].numpy()])  # (B, E, K)
        return softmax(logits + (seen * earlier.unsqueeze(2).numpy()).sum(axis=1))

    def __call__(self, batch: Batch) -> Tensor:
        rows = self.task.positions["test"][batch[ROW]]
        frame = self.task.rows[rows.numpy()]
        who = self.person[frame["uid"].to_numpy()]
        styles = np.einsum("bk,bks->bs", self.moods(rows), self.style[who])
        time = frame["timestamp"].to_numpy().astype(np.int64)
        weeks = np.minimum(time // SECONDS_PER_WEEK, self.catalogue.n_weeks - 1)
        scores = torch.zeros(len(rows), self.task.n_values["track"])
        for week in np.unique(weeks):
            some = np.flatnonzero(weeks == week)
            popularity = self.catalogue.weekly_popularity(int(week) * SECONDS_PER_WEEK)
            style = self.catalogue.style
            within = popularity / np.bincount(style, popularity, self.catalogue.n_styles)[style]
            chance = torch.from_numpy((styles[some][:, style] * within).astype(np.float32))
            scores[torch.from_numpy(some).unsqueeze(1), self.track] = chance
        return scores


def _places(ids: np.ndarray) -> np.ndarray:
    """Where each id stands: place[ids[i]] = i."""
    place = np.zeros(int(ids.max()) + 1, np.int64)
    place[ids] = np.arange(len(ids))
    return place
