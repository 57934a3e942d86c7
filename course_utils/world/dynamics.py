"""How listeners live through the log: sessions, choices, responses, moods and memory.

The same steps serve the log writer, which moves thousands of listeners at once, and the
`gymnasium` environment, which moves one. Every effect of `EFFECTS` is one short passage here.
"""

from __future__ import annotations

import numpy as np

from course_utils.schema import SECONDS_PER_DAY, SESSION_GAP
from course_utils.world.catalogue import Catalogue
from course_utils.world.config import EFFECTS, WorldConfig
from course_utils.world.listeners import Listeners
from course_utils.world.numeric import daily, draw, pick, settle, sigmoid, softmax

HOUR = 3_600


BASE_LOGIT = -1.3


TASTE_SHARPNESS = 4.0


STYLE_SHARPNESS = 9.0
"""How much likelier a style is to be looked for the closer it is to the interest of the mood."""


LEAVING_AT_BEST, LEAVING_AFTER_SKIPS, LEAVING = 0.028, 0.08, 0.055
"""Chance to leave a session after a track: when nothing was skipped; what nothing but skips adds
to it; and for everybody, if `retention` is off."""


REPLAYED = 0.01
"""Share of the full plays that go on beyond the end (the track is rewound or started again)."""


TIME_BIN = 5
"""Seconds: the stamps of the log lie in bins of this width, as Yambda's do."""


ENERGY_BY_DAY, ENERGY_SPREAD = 0.7, 0.8
"""Of the energy that a session asks for: what the hour adds at most, and the spread of chance."""


SKIPS_REMEMBERED = 0.6
"""Share of the annoyance after skips that is left a track later."""


EXPLORATION = 0.05
"""Share of radio choices whose style is drawn uniformly: every released track has a chance."""


_PER_LISTENER = (
    "profile satisfaction now mood target_energy skipping in_own_library item time "
    "plays finished opinion style_taste"
).split()


def familiarity(plays: np.ndarray) -> np.ndarray:
    """Inverted U: what `plays` earlier plays of the same track add to the logit of a full play.

    Zero for a new track, about +1.1 near the fourth play, negative from the twelfth on
    (the shape of Sguerra et al. 2022, "Discovery dynamics: leveraging repeated exposure for user
    and music characterization", RecSys).
    """
    x = plays / 4.0
    return settle(3.4 * x * np.exp(-x) - 0.45 * np.log1p(x * x / 4.0))


def satiation(seconds_since: np.ndarray) -> np.ndarray:
    """What a play `seconds_since` ago takes from the logit; nothing if there was none (inf)."""
    return settle(-1.6 * np.exp(-seconds_since / (8 * HOUR)))


class Dynamics:
    """State of B listeners and the rules that move it.

    Args:
        config, catalogue: the world.
        listeners: the B listeners to follow.
        rng: the source of all randomness from here on.

    All times are seconds since the start of the log.
    """

    def __init__(
        self,
        config: WorldConfig,
        catalogue: Catalogue,
        listeners: Listeners,
        rng: np.random.Generator,
    ) -> None:
        self.config, self.catalogue, self.rng = config, catalogue, rng
        self.on = {name: config.has(name) for name in EFFECTS}
        self.horizon = config.days * SECONDS_PER_DAY
        self.listeners = listeners
        b = len(listeners)
        self.steps = 0
        self.profile = np.zeros((b, config.latent_dim))
        self.satisfaction = np.full(b, 0.5)
        self.now = listeners.arrival.copy()
        self.mood = np.zeros(b, np.int64)
        self.target_energy = np.zeros(b)
        self.skipping = np.zeros(b)
        self.in_own_library = np.zeros(b, bool)
        self.item = np.zeros((b, 64), np.int32)
        self.time = np.zeros((b, 64), np.int32)
        self.plays = np.zeros((b, 64), np.int32)
        self.finished = np.zeros((b, 64), bool)
        self.opinion = np.zeros((b, 64), np.int8)
        self.style_taste = self._style_taste()
        first_gap = self.rng.exponential(SECONDS_PER_DAY / listeners.sessions_per_day)
        self._start_sessions(np.arange(b), first_gap)

    def __len__(self) -> int:
        return len(self.now)

    def keep(self, index: np.ndarray) -> None:
        """Follow only the listeners at these positions from now on."""
        self.listeners = self.listeners.take(index)
        for name in _PER_LISTENER:
            setattr(self, name, getattr(self, name)[index])

    # Sessions

    def _start_sessions(self, who: np.ndarray, gap: np.ndarray) -> None:
        """Let the listeners `who` (positions) return `gap` seconds after `now`."""
        people, rng = self.listeners, self.rng
        start = self.now[who] + SESSION_GAP + 60 + gap
        if self.on["daily_rhythm"]:
            hour = (people.peak_hour[who] + rng.normal(0, 3.5, len(who))) % 24
            snapped = start // SECONDS_PER_DAY * SECONDS_PER_DAY + hour * HOUR
            snapped += SECONDS_PER_DAY * (snapped <= self.now[who] + SESSION_GAP)
            start = np.where(gap > SECONDS_PER_DAY / 2, snapped, start)
        self.now[who] = start.astype(np.int64)
        weights = softmax(self._interest_logits(who))
        self.mood[who] = draw(weights, rng.random(len(who)))
        hour = self.now[who] % SECONDS_PER_DAY / HOUR
        day_curve = daily(hour, 14) if self.on["daily_rhythm"] else 0.0
        self.target_energy[who] = ENERGY_BY_DAY * day_curve + rng.normal(0, ENERGY_SPREAD, len(who))
        self.skipping[who] = 0.0
        self.in_own_library[who] = rng.random(len(who)) < people.organic[who]

    def _interest_logits(self, who: np.ndarray | slice) -> np.ndarray:
        done = np.clip(self.now[who] / self.horizon, 0, 1) * self.on["drift"]
        return self.listeners.interest_logits(who, done)

    def _end_sessions(self, ended: np.ndarray) -> None:
        who = np.flatnonzero(ended)
        if not len(who):
            return
        gap = self.rng.exponential(SECONDS_PER_DAY / self.listeners.sessions_per_day[who])
        if self.on["retention"]:
            gap *= settle(np.exp(-2.0 * (self.satisfaction[who] - 0.5)))
        self._start_sessions(who, gap)

    # Choices

    def _style_taste(self) -> np.ndarray:
        """(B, K, S) chance that a listener in a mood looks for a style, summed up along S."""
        people, styles = self.listeners, self.catalogue.style_vector
        return np.cumsum(softmax(STYLE_SHARPNESS * people.interests @ styles.T), axis=-1)

    def policy_styles(self, who: np.ndarray | slice = slice(None)) -> np.ndarray:
        """(B, S) chances of the radio's styles: softmax over what the service has learned.

        Args:
            who: (B,) positions of listeners; all, if not said.
        """
        n_styles, profile = self.catalogue.n_styles, self.profile[who]
        if not self.on["policy"]:
            return np.full((len(profile), n_styles), 1.0 / n_styles)
        chances = softmax(4.0 * profile @ self.catalogue.style_vector.T)
        chances *= 1 - EXPLORATION
        chances += EXPLORATION / n_styles
        return chances

    def _interest(self, who: np.ndarray) -> np.ndarray:
        """(B,) the interest that a choice follows: the session's or, without moods, a new one."""
        if self.on["mood"]:
            return self.mood[who]
        return draw(softmax(self._interest_logits(who)), self.rng.random(len(who)))

    def choose(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Next track of every listener.

        Returns:
            (B,) track indices, (B,) bool organic, (B,) propensity of the radio (NaN if organic).
        """
        b, rng = len(self), self.rng
        rows = np.arange(b)
        organic = self.in_own_library.copy()
        own, radio = np.flatnonzero(organic), np.flatnonzero(~organic)
        uniform, style = rng.random(b), np.empty(b, np.int64)
        style[own] = pick(self.style_taste[own, self._interest(own)], uniform[own])
        chances = self.policy_styles(radio)
        style[radio] = draw(chances, uniform[radio])
        track, inside = self.catalogue.tracks_in_style(style, self.now, rng.random(b))
        propensity = np.full(b, np.nan)
        propensity[radio] = chances[np.arange(len(radio)), style[radio]] * inside[radio]

        back = (rng.exponential(1.0, (b, 3)) * (self.steps / 3)).astype(np.int64)
        position = self.steps - 1 - back
        usable = (position >= 0) & self.finished[rows[:, None], np.maximum(position, 0)]
        repeats = organic & usable.any(axis=1) & (rng.random(b) < self.listeners.repeat)
        remembered = self.item[rows, np.maximum(position[rows, usable.argmax(axis=1)], 0)]
        return np.where(repeats, remembered, track), organic, propensity

    # Responses

    def recall(self, track: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What each listener remembers of `track` (B,).

        Returns:
            (B,) earlier plays, (B,) seconds since the last (inf if none), (B,) opinion −1, 0, +1.
        """
        b, length = len(self), self.steps
        if length == 0:
            return np.zeros(b, np.int32), np.full(b, np.inf), np.zeros(b, np.int8)
        same = self.item[:, length - 1 :: -1] == track[:, None]
        last = length - 1 - same.argmax(axis=1)
        rows = np.arange(b)
        known = same[rows, length - 1 - last]
        since = np.where(known, self.now - self.time[rows, last], np.inf)
        return (
            np.where(known, self.plays[rows, last], 0),
            since,
            np.where(known, self.opinion[rows, last], 0).astype(np.int8),
        )

    def affinity(self, track: np.ndarray) -> np.ndarray:
        """(B,) fit of `track` to the lasting taste and, with moods, to the present interest."""
        vector = self.catalogue.vector[track]
        fit = np.einsum("bkd,bd->bk", self.listeners.interests, vector)
        logits = self._interest_logits(slice(None))
        lasting = np.log((softmax(logits) * np.exp(TASTE_SHARPNESS * fit)).sum(axis=1))
        if not self.on["mood"]:
            return settle(lasting)
        present = TASTE_SHARPNESS * fit[np.arange(len(self)), self.mood]
        return settle(0.7 * lasting + 0.3 * present)

    def full_play_probability(
        self, track: np.ndarray, organic: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """True chance that each listener plays `track` to the end now.

        Args:
            track: (B,) track indices. organic: (B,) whether the listener chose it.

        Returns:
            (B,) probabilities, (B,) earlier plays, (B,) opinion on the track.
        """
        world, on = self.catalogue, self.on
        plays, since, opinion = self.recall(track)
        people = self.listeners
        logit = BASE_LOGIT + people.patience + world.quality[track]
        logit = logit + people.trust * organic + people.curiosity * (plays == 0)
        logit = logit - 0.5 * settle(np.log(world.length[track] / 205.0))
        if on["taste"]:
            logit = logit + self.affinity(track)
        if on["mood"]:
            logit = logit - 0.25 * (world.energy[track] - self.target_energy) ** 2 + 0.5
        if on["familiarity"]:
            logit = logit + familiarity(people.wear * plays)
        if on["satiation"]:
            logit = logit + satiation(since)
        if on["skip_momentum"]:
            logit = logit - 2.2 * people.grudge * self.skipping
        if on["daily_rhythm"]:
            hour = self.now % SECONDS_PER_DAY / HOUR
            logit = logit + people.night * daily(hour, 1)
        return sigmoid(logit), plays, opinion

    def advance(
        self,
        track: np.ndarray,
        full: np.ndarray,
        ratio: np.ndarray,
        plays: np.ndarray,
        opinion: np.ndarray,
    ) -> np.ndarray:
        """Live through the play: remember it, learn from it, let time pass, end sessions.

        Args:
            track: (B,) what was played. full: (B,) bool. ratio: (B,) share played in per cent.
            plays, opinion: (B,) memory of the track as it is after this play.

        Returns:
            (B,) bool, whose session ended.
        """
        if self.steps == self.item.shape[1]:
            for name in ("item", "time", "plays", "finished", "opinion"):
                grown = getattr(self, name)
                setattr(self, name, np.concatenate([grown, np.zeros_like(grown)], axis=1))
        self.item[:, self.steps] = track
        self.time[:, self.steps] = self.now
        self.plays[:, self.steps] = plays
        self.finished[:, self.steps] = full
        self.opinion[:, self.steps] = opinion
        self.steps += 1

        sign = np.where(full, 1.0, -0.4)[:, None]
        self.profile += 0.06 * (sign * self.catalogue.vector[track] - self.profile)
        kept = SKIPS_REMEMBERED
        self.skipping = kept * self.skipping + (1 - kept) * ~full
        self.satisfaction += 0.08 * (full - self.satisfaction)
        self.now += 2 + self._played_seconds(track, ratio) + self.rng.integers(0, 6, len(self))

        leaving = np.full(len(self), LEAVING)
        if self.on["retention"]:
            leaving = LEAVING_AT_BEST + LEAVING_AFTER_SKIPS * self.skipping
        ended = self.rng.random(len(self)) < leaving
        self._end_sessions(ended)
        return ended

    def _played_seconds(self, track: np.ndarray, ratio: np.ndarray) -> np.ndarray:
        """(B,) whole seconds from the start of the play to its end."""
        return self.catalogue.length[track] * np.minimum(ratio, 100) // 100

    def _leave_bin(self, track: np.ndarray) -> None:
        """Wait for the next bin of the log where `track` has been started in the present one.

        So no two listens have the same listener, stamp and track. A play takes two seconds at
        least: at most two others can lie in the present bin.
        """
        last = slice(max(0, self.steps - (TIME_BIN - 1) // 2), self.steps)
        bins = self.now // TIME_BIN
        again = (self.item[:, last] == track[:, None]) & (
            self.time[:, last] // TIME_BIN == bins[:, None]
        )
        self.now = np.where(again.any(axis=1), (bins + 1) * TIME_BIN, self.now)

    def react(self, track: np.ndarray, organic: np.ndarray) -> dict[str, np.ndarray]:
        """Draw every listener's response to `track` and advance the state.

        Returns:
            (B,) arrays: `time`, `probability`, `full`, `ratio`, `event` (the explicit feedback:
            0 none, 1 like, 2 dislike, 3 unlike, 4 undislike), `event_time` (its moment, always in
            a later bin of the log than `time`) and `ended` (the session).
        """
        rng, b = self.rng, len(self)
        self._leave_bin(track)
        time = self.now.copy()
        probability, plays, opinion = self.full_play_probability(track, organic)
        full = rng.random(b) < probability
        ratio = _played_ratio(full, probability, rng)
        event = _feedback(full, probability, plays, opinion, rng)
        moment = (rng.random(b) * self._played_seconds(track, ratio)).astype(np.int64)
        after = np.choose(event, [opinion, 1, -1, 0, 0]).astype(np.int8)
        ended = self.advance(track, full, ratio, plays + 1, after)
        return {
            "time": time,
            "probability": probability,
            "full": full,
            "ratio": ratio,
            "event": event,
            "event_time": time + np.maximum(moment, TIME_BIN),
            "ended": ended,
        }


def _played_ratio(
    full: np.ndarray, probability: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """(B,) played share in per cent: 95 and more if full (a few beyond 100), below 95 if not."""
    b = len(full)
    kind = rng.random(b)
    near_end = 95 + rng.integers(0, 5, b)
    replayed = 100 + rng.geometric(0.06, b)
    finished = np.where(kind < 0.80, 100, np.where(kind < 1 - REPLAYED, near_end, replayed))
    depth = settle(rng.beta(0.7, 1.2 + 2.5 * (1 - probability)))
    return np.where(full, finished, (95 * depth).astype(np.int64)).astype(np.int64)


def _feedback(
    full: np.ndarray,
    probability: np.ndarray,
    plays: np.ndarray,
    opinion: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """(B,) explicit feedback: liking needs a finished, not yet liked track; the rest is rare."""
    u = rng.random(len(full))
    like = full & (opinion != 1) & (u < 0.0465 * probability**2 * (1 + (plays == 1)))
    dislike = ~full & (opinion == 0) & (u < 0.0105 * (1 - probability) ** 2)
    unlike = ~full & (opinion == 1) & (u < 0.02)
    undislike = full & (opinion == -1) & (u < 0.05) & ~like
    return np.select([like, dislike, unlike, undislike], [1, 2, 3, 4], 0)
