"""Who listens: tastes as mixtures of interests, patience, habits, activity."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from course_utils.world.catalogue import Catalogue
from course_utils.world.config import WorldConfig

MAX_INTERESTS = 4


LISTENS_PER_SESSION = 6.4
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
    interests = catalogue.vector[seeds] + noise
    interests /= np.linalg.norm(interests, axis=-1, keepdims=True)
    unused = np.arange(k) >= rng.integers(1, k + 1, b)[:, None]
    start = rng.normal(0, 0.7, (b, k))
    end = start + rng.normal(0, 1.0, (b, k)) if config.has("drift") else start.copy()
    start[unused], end[unused] = -np.inf, -np.inf

    activity = rng.lognormal(0.0, 0.9, b)
    activity /= np.exp(0.9**2 / 2)
    rate = config.listens_per_listener / config.days / LISTENS_PER_SESSION * activity
    trait = rng.standard_normal((5, b)) * config.has("individuality")
    order = np.argsort(rate, kind="stable")
    return Listeners(
        uid=(rng.permutation(b) + 1).astype(np.uint32),
        interests=interests.astype(np.float32),
        weight_start=start.astype(np.float32),
        weight_end=end.astype(np.float32),
        patience=rng.normal(0.0, 0.9, b).astype(np.float32),
        curiosity=(0.8 * trait[0]).astype(np.float32),
        wear=np.exp(0.6 * trait[1]).astype(np.float32),
        grudge=np.exp(0.5 * trait[2]).astype(np.float32),
        trust=(0.45 + 0.6 * trait[3]).astype(np.float32),
        night=(0.4 + 0.5 * trait[4]).astype(np.float32),
        organic=rng.beta(2.0, 2.4, b).astype(np.float32),
        repeat=rng.beta(3.0, 3.0, b).astype(np.float32),
        sessions_per_day=rate.astype(np.float32),
        peak_hour=(rng.choice([8.0, 13.0, 20.0], b, p=[0.3, 0.2, 0.5]) + rng.normal(0, 1.5, b))
        .clip(0, 23.9)
        .astype(np.float32),
    ).take(order)
