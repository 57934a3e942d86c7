"""What the user says of a foreign file, and what a preset knows of a published one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from course_utils.data.adopt.reading import Cut

LISTENER_PER = {"day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m", "year": "%Y"}
"""Stretches of time that can stand for a listener of their own, and how they are called."""

_SINGLE = ("user", "item", "time", "rating", "played", "length", "type", "organic")


@dataclass(frozen=True)
class Options:
    """Which column of a file is what, by its name there, and how the file is read.

    Attributes:
        user, item, time: columns that every log has.
        rating, played: of what was thought of an item, or how much of it was played.
        length, type, organic: of the track's length, the kind of event, the own choice.
        text, artist, album: what is known of an item. items, items_id: another file that has
            these, and how it calls the item.
        time_unit, time_format: of `times.UNITS`, or as for `strftime`; None: told by the values.
        played_unit, rating_top: likewise. events: word → event, for those that nobody knows.
        listener_per: of `LISTENER_PER`, if one person's times are to be listeners of their own.
        cut: how text is cut into fields.
    """

    user: str | None = None
    item: str | None = None
    time: str | None = None
    rating: str | None = None
    played: str | None = None
    length: str | None = None
    type: str | None = None
    organic: str | None = None
    text: tuple[str, ...] = ()
    artist: str | None = None
    album: str | None = None
    items: Path | None = None
    items_id: str | None = None
    time_unit: str | None = None
    time_format: str | None = None
    played_unit: str | None = None
    rating_top: float | None = None
    events: dict[str, str] = field(default_factory=dict)
    listener_per: str | None = None
    cut: Cut = field(default_factory=Cut)

    def or_else(self, known: Options) -> Options:
        """These options, and where they say nothing, those of a preset."""
        empty = Options()
        mine = {
            name: value
            for name, value in vars(self).items()
            if value != getattr(empty, name) and name != "cut"
        }
        cut = {
            name: value for name, value in vars(self.cut).items() if value != getattr(Cut(), name)
        }
        if "rating" in mine or "played" in mine:
            known = replace(known, rating=None, played=None)
        return replace(known, **mine, cut=replace(known.cut, **cut))

    def roles(self) -> dict[str, str]:
        """Role → column, of what stands in every row."""
        named = {role: getattr(self, role) for role in _SINGLE}
        return {role: name for role, name in named.items() if name is not None}

    def of_items(self) -> list[str]:
        """The columns that say something of an item."""
        return list(dict.fromkeys(filter(None, (*self.text, self.artist, self.album))))
