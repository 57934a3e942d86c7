"""What a world is made of: its size, its seed, and the effects that can be switched off."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace

from course_utils.schema import LARGEST, SECONDS_PER_DAY

WORLD_VERSION = 3
"""Raised whenever the same configuration would write another log."""


EFFECTS: dict[str, str] = {
    "popularity": "Zipf–Mandelbrot popularity; off: every track of a style is equally likely",
    "taste": "how well a track fits the listener moves the chance of a full play",
    "mood": "a session has one interest and one energy level; off: an interest for each choice",
    "familiarity": "earlier plays of a track first help, then bore (an inverted U)",
    "individuality": "listeners differ in how they take to the new, tire, sulk and keep hours",
    "satiation": "a track heard a short while ago is less welcome",
    "skip_momentum": "a skip makes the next skip of the session likelier",
    "daily_rhythm": "sessions start at preferred hours, and nights are more patient",
    "drift": "interests and popularity move over the months",
    "policy": "radio follows what the service has learned of the listener; off: random tracks",
    "retention": "satisfied listeners stay longer in a session and come back sooner",
}


class WorldError(ValueError):
    """A world that cannot be built, with the reason and the remedy."""


@dataclass(frozen=True)
class WorldConfig:
    """Size, seed and effects of a simulated music service.

    Args:
        seed: every random number of the world follows from it.
        n_listeners: number of listeners.
        n_tracks: number of tracks in the catalogue.
        days: length of the log in days.
        listens_per_listener: mean number of listens per listener in the log, those who arrive late
            included (approximate).
        n_genres: number of genres.
        styles_per_genre: styles (radio stations) inside each genre.
        latent_dim: dimension of the hidden taste space.
        content_dim: dimension of the published content vectors.
        without: names from `EFFECTS` that are switched off.

    Raises:
        WorldError: a size is not positive, the seed is negative, the log would last longer than
            its seconds can be counted (68 years), there are more than 256 genres, or an effect is
            not known.
    """

    seed: int = 0
    n_listeners: int = 1_500
    n_tracks: int = 40_000
    days: int = 168
    listens_per_listener: float = 770.0
    n_genres: int = 12
    styles_per_genre: int = 10
    latent_dim: int = 12
    content_dim: int = 64
    without: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, least in [
            ("seed", 0),
            ("n_listeners", 1),
            ("n_tracks", self.n_genres * self.styles_per_genre),
            ("days", 1),
            ("n_genres", 1),
            ("styles_per_genre", 1),
            ("latent_dim", 4),
            ("content_dim", 1),
        ]:
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise WorldError(
                    f"{name} must be a whole number of at least {least}, not {value!r}"
                )
        if self.n_genres > 256:
            raise WorldError(f"n_genres must be at most 256, not {self.n_genres:,}")
        if self.days >= LARGEST["timestamp"] // SECONDS_PER_DAY:
            raise WorldError(
                f"days must be below {LARGEST['timestamp'] // SECONDS_PER_DAY:,}, not {self.days:,}"
            )
        if not 0 < self.listens_per_listener < math.inf:
            raise WorldError(
                f"listens_per_listener must be positive, not {self.listens_per_listener!r}"
            )
        unknown = sorted(set(self.without) - set(EFFECTS))
        if unknown:
            raise WorldError(f"unknown effects {unknown}; the world has {sorted(EFFECTS)}")
        object.__setattr__(self, "without", tuple(sorted(set(self.without))))

    def has(self, effect: str) -> bool:
        """Whether the effect is on."""
        if effect not in EFFECTS:
            raise WorldError(f"unknown effect {effect!r}; the world has {sorted(EFFECTS)}")
        return effect not in self.without

    def switch_off(self, *effects: str) -> WorldConfig:
        """The same world with these effects switched off as well."""
        return replace(self, without=(*self.without, *effects))

    @property
    def expected_listens(self) -> int:
        """Roughly how many listens the log will hold."""
        return int(self.n_listeners * self.listens_per_listener)

    def as_dict(self) -> dict:
        """The configuration as plain values, for the log's `world.json`."""
        return {"version": WORLD_VERSION, **asdict(self), "without": list(self.without)}


YAMBDA_50M_SIZE = WorldConfig(
    n_listeners=10_000,
    n_tracks=934_057,
    days=300,
    listens_per_listener=4_647.0,
    styles_per_genre=60,
)
"""A world of Yambda-50M's size (listeners, tracks and listens of its dataset card)."""
