"""Who listens: tastes as mixtures of interests, patience, habits, activity."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from course_utils.schema import SECONDS_PER_DAY
from course_utils.world.catalogue import Catalogue
from course_utils.world.config import WorldConfig
from course_utils.world.numeric import settle, unit

MAX_INTERESTS = 4


THERE_AT_THE_START = 0.5
"""Share of the listeners who are there when the log begins; the others arrive while it lasts."""


LISTENS_PER_SESSION = 15.2
"""Listens per planned session (measured, retention on): turns listens into sessions per day."""


@dataclass
class Listeners:
    """Fixed traits of listeners; every array has the listener as its first axis.

    Attributes:
        uid: public ids.
        interests: (B, K, d) unit vectors in the taste space; unused ones have weight −inf.
        weight_start, weight_end: (B, K) logits of the interests at the two ends of the log.
        patience: (B,) added to the logit of a full play.
        curiosity: (B,) added for a track never heard before.
        wear: (B,) speed at which tracks become familiar, and then stale.
        grudge: (B,) factor of the annoyance after skips.
        trust: (B,) added for a track of one's own choice.
        night: (B,) how much more patient one is at night than by day.
        organic: (B,) share of sessions that the listener starts from the own library.
        repeat: (B,) chance that an organic choice is a track heard before.
        sessions_per_day: (B,) rate of returning.
        peak_hour: (B,) favourite hour of the day.
        arrival: (B,) second of the log from which the listener is there.
    """

    uid: np.ndarray
    interests: np.ndarray
    weight_start: np.ndarray
    weight_end: np.ndarray
    patience: np.ndarray
    curiosity: np.ndarray
    wear: np.ndarray
    grudge: np.ndarray
    trust: np.ndarray
    night: np.ndarray
    organic: np.ndarray
    repeat: np.ndarray
    sessions_per_day: np.ndarray
    peak_hour: np.ndarray
    arrival: np.ndarray

    def interest_logits(self, who: np.ndarray | slice, done: np.ndarray) -> np.ndarray:
        """(B, K) logits of the interests of some listeners, on the way from the start to the end.

        Args:
            who: their places. done: (B,) how far the log has come, from 0 to 1.
        """
        done, start = done[:, None], self.weight_start[who]
        with np.errstate(invalid="ignore"):
            mixed = (1 - done) * start + done * self.weight_end[who]
        return np.where(np.isneginf(start), -np.inf, mixed)

    def __len__(self) -> int:
        return len(self.uid)

    def take(self, index: np.ndarray) -> Listeners:
        """The listeners at these positions."""
        return Listeners(**{f.name: getattr(self, f.name)[index] for f in fields(self)})


def build_listeners(config: WorldConfig, catalogue: Catalogue) -> Listeners:
    """Draw the listeners of a world, least active first.

    An interest is a point near a track drawn by popularity, so that popular styles are liked by
    more people than rare ones.
    """
    rng = np.random.default_rng([config.seed, 4])
    b, k = config.n_listeners, MAX_INTERESTS
    seeds = rng.choice(
        catalogue.n_tracks, (b, k), p=catalogue.popularity / catalogue.popularity.sum()
    )
    noise = rng.standard_normal((b, k, config.latent_dim)) * (0.4 / np.sqrt(config.latent_dim))
    interests = unit(catalogue.vector[seeds] + noise)
    unused = np.arange(k) >= rng.integers(1, k + 1, b)[:, None]
    start = rng.normal(0, 0.7, (b, k))
    end = start + rng.normal(0, 1.0, (b, k)) * config.has("drift")
    start[unused], end[unused] = -np.inf, -np.inf

    horizon = config.days * SECONDS_PER_DAY
    late = rng.random(b) >= THERE_AT_THE_START
    arrival = np.where(late, rng.uniform(0, horizon, b), 0).astype(np.int64)
    presence = 1 - (1 - THERE_AT_THE_START) / 2
    activity = rng.lognormal(0.0, 0.9, b) / np.exp(0.9**2 / 2)
    rate = config.listens_per_listener / config.days / presence / LISTENS_PER_SESSION * activity
    trait = rng.standard_normal((5, b)) * config.has("individuality")
    everyone = Listeners(
        uid=(rng.permutation(b) + 1).astype(np.uint32),
        interests=interests,
        weight_start=settle(start),
        weight_end=settle(end),
        patience=settle(rng.normal(0.0, 0.9, b)),
        curiosity=settle(0.8 * trait[0]),
        wear=settle(np.exp(0.6 * trait[1])),
        grudge=settle(np.exp(0.5 * trait[2])),
        trust=settle(0.45 + 0.6 * trait[3]),
        night=settle(0.4 + 0.5 * trait[4]),
        organic=settle(rng.beta(1.7, 2.8, b)),
        repeat=settle(rng.beta(3.0, 3.0, b)),
        sessions_per_day=settle(rate),
        peak_hour=settle(
            (rng.choice([8.0, 13.0, 20.0], b, p=[0.3, 0.2, 0.5]) + rng.normal(0, 1.5, b)).clip(
                0, 23.9
            )
        ),
        arrival=arrival,
    )
    planned = everyone.sessions_per_day * (horizon - arrival)
    return everyone.take(np.argsort(planned, kind="stable"))
