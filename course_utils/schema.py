"""What a log is: columns, types and constants. This module imports nothing of the course.

A log is Yambda's flat multi-event table: one row an event, sorted by time.

| column | type | meaning |
|---|---|---|
| `uid` | UInt32 | listener |
| `timestamp` | UInt32 | seconds since the start of the log, below 2³¹ (counters are Int32) |
| `item_id` | UInt32 | track |
| `is_organic` | UInt8 | 1 the listener's own choice, 0 a recommendation (radio) |
| `event_type` | Enum | listen, like, dislike, unlike, undislike |
| `played_ratio_pct` | UInt16 | share played in per cent, may exceed 100; only for listens |
| `track_length_seconds` | UInt32 | length; may be unknown |
"""

from __future__ import annotations

import polars as pl

EVENT_TYPES = ("listen", "like", "dislike", "unlike", "undislike")

EVENT_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "uid": pl.UInt32,
    "timestamp": pl.UInt32,
    "item_id": pl.UInt32,
    "is_organic": pl.UInt8,
    "event_type": pl.Enum(EVENT_TYPES),
    "played_ratio_pct": pl.UInt16,
    "track_length_seconds": pl.UInt32,
}

LARGEST: dict[str, int] = {
    "uid": 2**32 - 1,
    "timestamp": 2**31 - 1,
    "item_id": 2**32 - 1,
    "is_organic": 1,
    "played_ratio_pct": 2**16 - 1,
    "track_length_seconds": 2**32 - 1,
}
"""The largest value of each numerical column; the smallest is 0."""

SECONDS_PER_DAY = 86_400
SESSION_GAP = 1_800
"""Silence in seconds that ends a session, here and in the counters."""

FINISHED_PCT = 95
"""From this played share on, in per cent, a listen counts as played to the end."""
SKIPPED_PCT = 50
"""Below this played share, in per cent, a listen counts as a skip."""


class LogError(ValueError):
    """A log that cannot be used: says the column, the count, the first bad row and the remedy.

    Attributes:
        remedy: Python to paste, a line or two of Polars; None where words must do. The tables are
            called as their files are: `log`, `tracks`, `embeddings`, `texts`, eager frames.
    """

    def __init__(self, message: str, remedy: str | None = None) -> None:
        self.remedy = remedy
        super().__init__(message + (f"\nTo mend it:\n{remedy}" if remedy else ""))
