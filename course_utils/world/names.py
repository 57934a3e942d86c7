"""Invented names and descriptions for the catalogue; no real artist or track is meant."""

from __future__ import annotations

import numpy as np

GENRES = (
    ("ambient", ("drone", "dawn", "tape", "space", "forest")),
    ("techno", ("dub", "acid", "minimal", "warehouse", "broken")),
    ("house", ("deep", "garage", "disco", "afro", "lo-fi")),
    ("hip-hop", ("boom bap", "trap", "jazz", "cloud", "spoken")),
    ("rock", ("garage", "shoegaze", "stoner", "surf", "math")),
    ("metal", ("doom", "thrash", "black", "folk", "progressive")),
    ("pop", ("dream", "synth", "chamber", "bedroom", "city")),
    ("jazz", ("modal", "swing", "fusion", "cool", "free")),
    ("classical", ("baroque", "piano", "choral", "string", "minimalist")),
    ("folk", ("campfire", "nordic", "celtic", "mountain", "protest")),
    ("soul", ("neo", "northern", "gospel", "psychedelic", "slow")),
    ("latin", ("bossa", "cumbia", "tango", "salsa", "reggaeton")),
)


_STARTS = tuple("Ka Lo Mi Ve Tor Sa Bri El Nu Ra Zi Or Fen Al Du Ys Ha Pel Jo Wen".split())


_MIDDLES = tuple("li ra no ve du mi ta so ne lu ri da mo sha ki bel fa ro".split())


_ENDS = tuple("n s ra th lle k na dor x ne ris m la vo sk ta ph nn".split())


_KINDS = tuple("Quartet Machine Orchestra Club Sisters Parade Collective Band Theory Choir".split())


_ADJECTIVES = tuple(
    "Silver Quiet Burning Paper Hollow Golden Distant Electric Broken Velvet Northern Salt "
    "Crooked Midnight Frozen Wild Second Patient Weightless Amber".split()
)


_NOUNS = tuple(
    "River Window Engine Garden Signal Harbour Lantern Mirror Summer Letter Orbit Station Bird "
    "Shadow Field Staircase Thunder Map Ocean Hour".split()
)


_TAILS = ("", "", "", " Again", " of Glass", " at Dusk", " Road", " for Two", " (Reprise)", " II")


def style_names(n_genres: int, styles_per_genre: int) -> list[tuple[str, str]]:
    """(genre, style) for every style index; more than five styles in a genre get a number."""
    names = []
    for g in range(n_genres):
        genre, kinds = GENRES[g % len(GENRES)]
        for s in range(styles_per_genre):
            turn = s // len(kinds)
            names.append((genre, kinds[s % len(kinds)] + (f" {turn + 1}" if turn else "")))
    return names


def _pick(words: tuple | list, n: int, rng: np.random.Generator) -> list[str]:
    return [words[i] for i in rng.integers(0, len(words), n)]


def artist_names(n: int, rng: np.random.Generator) -> list[str]:
    """`n` invented artist names; a few may coincide, as in life."""
    parts = zip(
        _pick(_STARTS, n, rng),
        _pick(_MIDDLES, n, rng),
        _pick(_ENDS, n, rng),
        _pick(_KINDS, n, rng),
        rng.random(n),
        strict=True,
    )
    return [a + b + c + (f" {kind}" if u < 0.35 else "") for a, b, c, kind, u in parts]


def album_names(n: int, rng: np.random.Generator) -> list[str]:
    """`n` invented album titles."""
    pairs = zip(_pick(_ADJECTIVES, n, rng), _pick(_NOUNS, n, rng), strict=True)
    return [f"{a} {b}" for a, b in pairs]


def track_names(n: int, rng: np.random.Generator) -> list[str]:
    """`n` invented track titles."""
    parts = zip(
        _pick(_ADJECTIVES, n, rng), _pick(_NOUNS, n, rng), _pick(_TAILS, n, rng), strict=True
    )
    return [f"{a} {b}{tail}" for a, b, tail in parts]


def describe(
    title: str, artist: str, genre: str, style: str, energy: float, valence: float, bpm: int
) -> str:
    """One sentence on a track, from its hidden energy and valence (both about standard normal)."""
    pace = "slow" if energy < -0.8 else "fast" if energy > 0.8 else "mid-tempo"
    mood = "melancholic" if valence < -0.7 else "joyful" if valence > 0.7 else "calm"
    return f"{title} by {artist}: a {pace}, {mood} {style} {genre} track at {bpm} bpm."


TEXT_PATTERNS = {
    "artist": r"by (.+?): a ",
    "style": r", [\w-]+ (.+?) track at",
    "genre": r"([\w-]+) track at",
}
"""Regular expressions that read such a sentence; the style is read with its genre."""
