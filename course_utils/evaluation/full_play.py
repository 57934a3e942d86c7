"""What the simulated listeners would play to the end: the world's own chances for new tracks."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from course_utils.data.tasks.retrieval import RetrievalTask
from course_utils.evaluation.next_track import EVIDENCE, NextChoice
from course_utils.schema import SECONDS_PER_DAY, SESSION_GAP
from course_utils.world.dynamics import (
    ENERGY_BY_DAY,
    ENERGY_SPREAD,
    HOUR,
    SKIPS_REMEMBERED,
    Dynamics,
)
from course_utils.world.numeric import daily

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(3)
"""Gauss and Hermite's: a mean over a standard normal is the sum over nodes by weights / √(2π)."""


class FullPlay:
    """P(played to the end | what is known of the listener), if a new track were chosen now.

    The world's own chance, `Dynamics.full_play_probability`, with the skips of the session so far.
    Two things stand in no log, and the chance is a mean over them: the mood of the session, as
    likely as `NextChoice` finds it, and the energy that it asks for, as likely as at its start.

    Args:
        choice: the world and the task, whose test examples are the requests.
    """

    def __init__(self, choice: NextChoice) -> None:
        self.choice = choice
        known = torch.nonzero(choice.track)[:, 0]
        self.place = torch.zeros(choice.task.n_values["track"], dtype=torch.int64)
        self.place[choice.track[known]] = known

    def __call__(self, examples: Tensor, tracks: Tensor) -> Tensor:
        """(B, n) chances of tracks (B, n), by number, that the examples (B,) never played.

        NaN for what is no known track.
        """
        task, choice = self.choice.task, self.choice
        rows = task.positions["test"][examples]
        frame = task.rows[rows.numpy()]
        people = choice.people.take(choice.person[frame["uid"].to_numpy()])
        rng = np.random.default_rng(0)  # draws a start, which is written over at once
        state = Dynamics(choice.world, choice.catalogue, people, rng)
        state.now = frame["timestamp"].to_numpy().astype(np.int64)
        state.skipping = skips_so_far(task, rows)
        hour = state.now % SECONDS_PER_DAY / HOUR
        by_day = ENERGY_BY_DAY * state.on["daily_rhythm"] * daily(hour, 14)
        organic = np.ones(len(rows), bool)
        chances = np.zeros(tracks.shape)
        for mood, likely in enumerate(choice.moods(rows).T):
            state.mood = np.full(len(rows), mood)
            for node, weight in zip(NODES, WEIGHTS / WEIGHTS.sum(), strict=True):
                state.target_energy = by_day + ENERGY_SPREAD * node
                for column, track in enumerate(self.place[tracks.clamp(min=0)].T.numpy()):
                    chance = state.full_play_probability(track, organic)[0]
                    chances[:, column] += likely * weight * chance
        return torch.from_numpy(chances).masked_fill(tracks < 1, torch.nan)


def skips_so_far(task: RetrievalTask, rows: Tensor) -> np.ndarray:
    """(B,) how much the session was skipped before each listen, as `Dynamics.advance` counts it."""
    seen = task.past.last(rows, EVIDENCE)
    now = torch.from_numpy(task.rows["timestamp"].to_numpy()[rows.numpy()].astype(np.int64))
    pauses = torch.cat([now.unsqueeze(1), seen["time"][:, :-1]], dim=1) - seen["time"]
    same = (seen["mask"] & (pauses <= SESSION_GAP)).cumprod(dim=1)
    weight = (1 - SKIPS_REMEMBERED) * SKIPS_REMEMBERED ** torch.arange(EVIDENCE)
    return (same * (1 - seen["finished"]) * weight).sum(dim=1).double().numpy()
