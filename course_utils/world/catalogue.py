"""The catalogue: genre → style → artist → album → track, in one latent taste space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from course_utils.schema import SECONDS_PER_DAY
from course_utils.world.config import WorldConfig
from course_utils.world.names import album_names, artist_names, describe, style_names, track_names
from course_utils.world.numeric import settle, unit

SECONDS_PER_WEEK = 7 * SECONDS_PER_DAY


POPULARITY_EXPONENT, POPULARITY_OFFSET = 2.0, 0.0045
"""Zipf–Mandelbrot: the track at rank r of N weighs (r / N + offset) to the power −exponent.

A pure power law cannot give half of the plays to the top 1 % and nine tenths to the top 10 %; the
offset, here in shares of the catalogue, flattens the head (Mandelbrot 1953)."""


MISSING_CONTENT_SHARE = 0.18


@dataclass(frozen=True)
class Catalogue:
    """All tracks, sorted by style, so that a style is one slice of every array.

    Attributes:
        item_id: (N,) public ids, 1 … N in shuffled order.
        style, artist, album: (N,) indices; `style // styles_per_genre` is the genre.
        vector: (N, d) unit vectors in the latent taste space (hidden from models).
        energy: (N,) energy of the track, about standard normal (hidden).
        quality: (N,) general appeal, added to the logit of a full play (hidden).
        length: (N,) track length in seconds.
        release: (N,) release time in seconds of the log; negative: before the log starts.
        popularity: (N,) Zipf–Mandelbrot weights.
        style_start: (S + 1,) slice borders of the styles.
        style_vector: (S, d) unit vectors.
        cumulative: (W * N,) running sum of the weekly weights, for sampling inside a style.
    """

    item_id: np.ndarray
    style: np.ndarray
    artist: np.ndarray
    album: np.ndarray
    vector: np.ndarray
    energy: np.ndarray
    quality: np.ndarray
    length: np.ndarray
    release: np.ndarray
    popularity: np.ndarray
    style_start: np.ndarray
    style_vector: np.ndarray
    cumulative: np.ndarray
    n_weeks: int
    styles_per_genre: int

    @property
    def n_tracks(self) -> int:
        return len(self.item_id)

    @property
    def n_styles(self) -> int:
        return len(self.style_vector)

    def tracks_in_style(
        self, style: np.ndarray, time: np.ndarray, uniform: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw one track of each style by its popularity in that week.

        Args:
            style: (B,) style indices. time: (B,) seconds. uniform: (B,) numbers in [0, 1).

        Returns:
            (B,) track indices and (B,) probabilities of the track given the style.
        """
        week = np.clip(time // SECONDS_PER_WEEK, 0, self.n_weeks - 1).astype(np.int64)
        base = week * self.n_tracks
        first, last = base + self.style_start[style], base + self.style_start[style + 1] - 1
        low = np.where(first > 0, self.cumulative[first - 1], 0.0)
        total = self.cumulative[last] - low
        drawn = np.searchsorted(self.cumulative, low + uniform * total, side="right")
        drawn = np.clip(drawn, first, last)
        before = np.where(drawn > 0, self.cumulative[drawn - 1], 0.0)
        return drawn - base, (self.cumulative[drawn] - before) / total

    def weekly_popularity(self, time: int) -> np.ndarray:
        """(N,) weights of the tracks in the week of `time`; zero for those not yet out."""
        week = int(np.clip(time // SECONDS_PER_WEEK, 0, self.n_weeks - 1))
        base = week * self.n_tracks
        start = self.cumulative[base - 1] if base else 0.0
        return np.diff(self.cumulative[base : base + self.n_tracks], prepend=start)


def _around(centre: np.ndarray, spread: float, rng: np.random.Generator) -> np.ndarray:
    """Unit vectors near `centre`; `spread` is the expected length of the added noise."""
    noise = rng.standard_normal(centre.shape) * (spread / np.sqrt(centre.shape[-1]))
    return unit(centre + noise)


def build_catalogue(config: WorldConfig) -> Catalogue:
    """Draw the catalogue of a world; the same configuration gives the same catalogue."""
    rng = np.random.default_rng([config.seed, 1])
    n, n_styles = config.n_tracks, config.n_genres * config.styles_per_genre
    genre_vector = unit(rng.standard_normal((config.n_genres, config.latent_dim)))
    style_vector = _around(np.repeat(genre_vector, config.styles_per_genre, axis=0), 0.6, rng)

    n_artists = max(n_styles, n // 8)
    artist_style = np.concatenate(
        [np.arange(n_styles), rng.integers(0, n_styles, n_artists - n_styles)]
    )
    artist_vector = _around(style_vector[artist_style], 0.4, rng)
    fame = settle(rng.lognormal(0.0, 1.2, n_artists))
    artist = np.concatenate(
        [np.arange(n_artists), rng.choice(n_artists, n - n_artists, p=fame / fame.sum())]
    )
    artist = artist[np.argsort(artist_style[artist], kind="stable")]
    style = artist_style[artist]

    album = _albums(artist, rng)
    vector = _around(artist_vector[artist], 0.3, rng)
    energy = 0.7 * vector[:, 0] * np.sqrt(config.latent_dim) + 0.7 * rng.standard_normal(n)
    appeal = settle(0.6 * np.log(fame)[artist] + rng.normal(0.0, 1.2, n))
    popularity = np.ones(n)
    if config.has("popularity"):
        rank = np.arange(1, n + 1) / n + POPULARITY_OFFSET
        popularity[np.argsort(-appeal, kind="stable")] = settle(rank**-POPULARITY_EXPONENT)
    quality = settle(0.2 * (appeal - appeal.mean()) / appeal.std() + rng.normal(0.0, 0.4, n))
    length = np.clip(rng.lognormal(np.log(205), 0.28, n), 45, 900).astype(np.int32)

    horizon = config.days * SECONDS_PER_DAY
    release = np.where(
        rng.random(n) < 0.15,
        rng.uniform(0, horizon, n),
        -rng.exponential(1_500 * SECONDS_PER_DAY, n),
    ).astype(np.int64)
    style_start = np.searchsorted(style, np.arange(n_styles + 1))
    release[style_start[:-1]] = -SECONDS_PER_DAY  # no style is ever empty
    n_weeks = -(-config.days // 7)
    return Catalogue(
        item_id=(rng.permutation(n) + 1).astype(np.uint32),
        style=style.astype(np.int32),
        artist=artist.astype(np.int32),
        album=album.astype(np.int32),
        vector=vector,
        energy=settle(energy),
        quality=quality,
        length=length,
        release=release,
        popularity=popularity,
        style_start=style_start,
        style_vector=style_vector,
        cumulative=_weekly_cumulative(popularity, release, n_weeks, config.has("drift"), rng),
        n_weeks=n_weeks,
        styles_per_genre=config.styles_per_genre,
    )


def _albums(artist: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(N,) album indices: an artist's tracks, already adjacent, are cut into albums of about 8."""
    new_artist = np.diff(artist, prepend=-1) != 0
    return np.cumsum(new_artist | (rng.random(len(artist)) < 1 / 8)) - 1


def _weekly_cumulative(
    popularity: np.ndarray,
    release: np.ndarray,
    n_weeks: int,
    drift: bool,
    rng: np.random.Generator,
) -> np.ndarray:
    """Running sum over (week, track) of the weekly weights; a track before its release weighs 0."""
    n = len(popularity)
    amplitude, phase = rng.gamma(2.0, 0.25, n), rng.uniform(0, 2 * np.pi, n)
    period = rng.uniform(12, 40, n)
    weights = np.empty((n_weeks, n))
    for week in range(n_weeks):
        now = (week + 1) * SECONDS_PER_WEEK
        age_days = (now - release) / SECONDS_PER_DAY
        weights[week] = popularity * (age_days > 7)
        if drift:
            fresh = 1 + 4 * np.exp(-np.maximum(age_days, 0) / 21)
            wave = np.exp(amplitude * np.sin(2 * np.pi * week / period + phase))
            weights[week] *= settle(fresh * wave)
    flat = weights.ravel()
    return np.cumsum(flat, out=flat)


def track_table(catalogue: Catalogue) -> pl.DataFrame:
    """Public table of tracks: `item_id`, `artist_id`, `album_id`, `genre`, `release_day`."""
    return pl.DataFrame(
        {
            "item_id": catalogue.item_id,
            "artist_id": (catalogue.artist + 1).astype(np.uint32),
            "album_id": (catalogue.album + 1).astype(np.uint32),
            "genre": (catalogue.style // catalogue.styles_per_genre).astype(np.uint8),
            "release_day": (catalogue.release // SECONDS_PER_DAY).astype(np.int32),
        }
    ).sort("item_id")


def text_table(config: WorldConfig, catalogue: Catalogue) -> pl.DataFrame:
    """A short invented text for each track: `item_id`, `title`, `artist`, `album`, `text`."""
    rng = np.random.default_rng([config.seed, 3])
    styles = style_names(config.n_genres, config.styles_per_genre)
    artists = artist_names(int(catalogue.artist.max()) + 1, rng)
    albums = album_names(int(catalogue.album.max()) + 1, rng)
    titles = track_names(catalogue.n_tracks, rng)
    tempo = np.clip(105 + 22 * catalogue.energy, 55, 190).round().astype(int)
    valence = catalogue.vector[:, 1] * np.sqrt(catalogue.vector.shape[1])
    artist_name = [artists[i] for i in catalogue.artist]
    return pl.DataFrame(
        {
            "item_id": catalogue.item_id,
            "title": titles,
            "artist": artist_name,
            "album": [albums[i] for i in catalogue.album],
            "text": [
                describe(title, name, genre, style, energy, joy, bpm)
                for title, name, (genre, style), energy, joy, bpm in zip(
                    titles,
                    artist_name,
                    [styles[i] for i in catalogue.style],
                    catalogue.energy,
                    valence,
                    tempo,
                    strict=True,
                )
            ],
        }
    ).sort("item_id")


def content_table(config: WorldConfig, catalogue: Catalogue) -> pl.DataFrame:
    """Content vectors: `item_id` and `embed`, a noisy non-linear function of the latent vector.

    A two-layer random network sees the latent vector and the energy; about 18 % of the
    tracks have no vector, as of Yambda's.
    """
    rng = np.random.default_rng([config.seed, 2])
    hidden, d = 128, config.latent_dim
    first = rng.normal(0, 2.0 / np.sqrt(d), (d + 1, hidden))
    second = rng.normal(0, 1.0 / np.sqrt(hidden), (hidden, config.content_dim))
    bias = rng.uniform(-1, 1, hidden)
    inputs = np.column_stack([catalogue.vector, 0.3 * catalogue.energy]) * np.sqrt(d) / 2
    embed = np.tanh(np.tanh(inputs @ first + bias) @ second)
    embed = settle(embed + rng.normal(0, 0.15, embed.shape))
    known = rng.random(catalogue.n_tracks) >= MISSING_CONTENT_SHARE
    return pl.DataFrame(
        {"item_id": catalogue.item_id[known], "embed": embed[known].astype(np.float32)},
        schema={"item_id": pl.UInt32, "embed": pl.Array(pl.Float32, config.content_dim)},
    ).sort("item_id")
