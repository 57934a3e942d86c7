"""What a row says: whose it is, and what happened, as columns of the course's schema.

A rating is a listen, as in the packaged `movielens`: from four fifths of the scale on it counts as
played in full, below that the played share is the rating's share of the scale.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import polars as pl

from course_utils.data import remedies
from course_utils.data.complaints import answer
from course_utils.data.remedies import is_text
from course_utils.schema import EVENT_TYPES, LARGEST, LogError

FULL = 0.8
"""Of the scale of ratings; from here on a rating counts as a full play: 4 of 5 stars."""
SCALES = (1, 5, 10, 100)
"""Tops of scales; a column of ratings has the lowest that holds all of them."""
PLAYED_UNITS = ("pct", "share", "s", "ms")
DROP = "drop"
"""Stands in the place of an event for words whose rows are left out."""

READ = "read_"

_NOBODY = r"(?i)^\s*(|null|none|nan|n/a|\\n)\s*$"
"""Text that stands for no id; `\\N` is what databases write."""
_MOST_UNREADABLE = 0.1
"""Of the rows; if more hold no number, the column is not what it was taken for."""
_MOST_WORDS = 50
"""Kinds of events; a column with more is not the column of kinds."""
_NAMES_OF_UNITS = {
    "pct": r"(?i)pct|per_?cent",
    "ms": r"(^|_)(ms|MS)(_|$|[A-Z])|(?i:millis)|[a-z]Ms$",
    "s": r"(?i)(^|_)s$|sec",
}
"""What a column of plays is called, if its name says the unit."""
_MOST_REPLAYED, _LEAST_WHOLE = 0.03, 0.01
"""Of the plays: shares above ten, and shares of exactly 100 per cent."""
_LONGEST = remedies.LONGEST_TRACK


@dataclass(frozen=True)
class Fault:
    """Why rows are dropped: in words, the column that says it, and which rows they are.

    `bad` is asked of a table that holds the file's columns by their roles, and those that were
    read of them, whose names begin with `READ`.
    """

    words: str
    role: str
    bad: pl.Expr


@dataclass
class Reading:
    """Columns of the schema as expressions of a foreign table's, and what was decided on the way.

    Attributes:
        columns: by name. faults: of rows, in the order in which they are looked for.
        told: lines for the report.
    """

    columns: dict[str, pl.Expr] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    told: list[str] = field(default_factory=list)


# Ids


def plain_id(frame: pl.LazyFrame, role: str) -> pl.Expr | None:
    """A column of ids as whole numbers or text, null where there is none; None if it has no ids."""
    kind, this = frame.collect_schema()[role], pl.col(role)
    if kind.is_integer():
        return this
    if kind.is_float():
        return pl.when(this.is_finite()).then(this).cast(pl.Int64, strict=False)
    if is_text(kind) or kind == pl.Binary:
        text = this.cast(pl.String)
        return pl.when(~text.str.contains(_NOBODY)).then(text)
    return None


def read_id(frame: pl.LazyFrame, role: str, name: str, into: Reading) -> None:
    """A column of ids: whole numbers stay, all else is text.

    Args:
        frame: holds it, called `role`. role: `user` or `item`. name: in the file.
        into: gets the column and its faults.

    Raises:
        LogError: the column holds lists, dates, yes and no, or numbers with a fraction.
    """
    kind, this = frame.collect_schema()[role], pl.col(role)
    value = plain_id(frame, role)
    if value is None:
        raise LogError(f"column {name!r} has type {kind}, which is no id; name another: --{role}")
    if kind.is_float():
        odd = answer(frame.select(n=(this.is_finite() & (this != this.round())).sum()))["n"]
        if odd:
            raise LogError(f"column {name!r}: {odd:,} ids have a fraction; name another: --{role}")
    into.columns[role] = value
    into.faults.append(
        Fault(f"no {role}: {name!r} is empty or says none", role, pl.col(READ + role).is_null())
    )


# Numbers


def _number(frame: pl.LazyFrame, role: str, name: str) -> pl.Expr:
    """A column as Float64, null where it has no finite number.

    Raises:
        LogError: more than one value in ten is no number.
    """
    kind, this = frame.collect_schema()[role], pl.col(role)
    if is_text(kind):
        value = _of_text(frame, this.cast(pl.String).str.strip_chars(), role, name)
    elif kind.is_numeric() or kind == pl.Boolean:
        value = this.cast(pl.Float64, strict=False)
    elif kind == pl.Null:
        value = pl.lit(None, dtype=pl.Float64)
    elif kind == pl.Duration:
        value = this.dt.total_milliseconds() / 1_000
    else:
        raise LogError(f"column {name!r} has type {kind}, expected numbers; another for --{role}?")
    return pl.when(value.is_finite()).then(value)


def _of_text(frame: pl.LazyFrame, text: pl.Expr, role: str, name: str) -> pl.Expr:
    """Numbers as text; per cent signs and yes and no are read only where there are some."""
    plain = text.cast(pl.Float64, strict=False)
    signs = text.str.strip_suffix("%").str.strip_chars().str.to_lowercase()
    signs = signs.replace({"true": "1", "false": "0"}).cast(pl.Float64, strict=False)
    filled = frame.select(text=text).filter(pl.col("text").str.len_chars() > 0)
    for value in (plain, signs):
        lost = frame.select(text=text, value=value).filter(
            (pl.col("text").str.len_chars() > 0) & pl.col("value").is_null()
        )
        found = answer(lost.select(n=pl.len(), example=pl.col("text").first()))
        if not found["n"]:
            return value
    n = answer(filled.select(n=pl.len()))["n"]
    if found["n"] > _MOST_UNREADABLE * n:
        raise LogError(
            f"column {name!r}: {found['n']:,} of {n:,} values are no numbers, such as "
            f"{found['example']!r}: name another column for --{role}, or write numbers"
        )
    return signs


# Kinds of events


def read_kinds(frame: pl.LazyFrame, name: str, given: dict[str, str], into: Reading) -> None:
    """A column of words for events, each the same as one of the schema's or of no interest.

    Args:
        frame: holds it as `type`. name: in the file. given: word → event or `DROP`, as the user
            says; other words are told by the lists of `course_utils.data.remedies`.
        into: gets the column `event_type` and its faults.

    Raises:
        LogError: a word is unknown, or there are too many.
    """
    word = pl.col("type").cast(pl.String)
    counts = _count_words(frame, word, "played" in frame.collect_schema())
    if len(counts) > _MOST_WORDS:
        raise LogError(
            f"column {name!r} has {len(counts):,} different values; is it the kind of event? "
            "leave --type out if every row is one kind"
        )
    meaning = _meanings(counts, given)
    if unknown := [word for word in counts["event"].to_list() if word not in meaning]:
        told = ", ".join(f"{e!r} {n:,} rows" for e, n, _ in counts.rows())
        example = " ".join(f"{word}={EVENT_TYPES[0]}" for word in unknown[:3])
        raise LogError(
            f"column {name!r}: nobody says which event is meant by {unknown}; there are {told}. "
            f"Say it, with {', '.join(EVENT_TYPES)} or {DROP}: --events {example}"
        )
    pairs = [f"{word} = {event}" for word, event in meaning.items() if word != event]
    into.told.append(f"events: {name!r}" + (f", {', '.join(pairs)}" if pairs else ""))
    kept = {word: event for word, event in meaning.items() if event != DROP}
    kind = word.replace_strict(
        list(kept), list(kept.values()), default=None, return_dtype=pl.String
    )
    into.columns["event_type"] = kind
    into.faults.append(Fault(f"no event: {name!r} is empty", "type", pl.col("type").is_null()))
    into.faults += [
        Fault(f"left out: {name!r} is {word_!r}", "type", pl.col("type").cast(pl.String) == word_)
        for word_, event in meaning.items()
        if event == DROP
    ]


def _count_words(frame: pl.LazyFrame, word: pl.Expr, played: bool) -> pl.DataFrame:
    """(`event`, `rows`, `shares`) as `remedies.count_events` has it."""
    shares = pl.col("played").count() if played else pl.lit(0, dtype=pl.UInt32)
    counts = frame.group_by(event=word).agg(rows=pl.len(), shares=shares)
    counts = counts.drop_nulls("event").sort("rows", "event", descending=[True, False])
    return counts.collect(engine="streaming")


def _meanings(counts: pl.DataFrame, given: dict[str, str]) -> dict[str, str]:
    """What each word means, as far as it is known: the remedies' own line, tried on the words."""
    left = counts.filter(~pl.col("event").is_in(list(given)))
    words = left.select("event", event_type="event")
    while True:
        named = words.join(counts, on="event").group_by(event="event_type")
        now = named.agg(pl.col("rows", "shares").sum()).sort("rows", "event", descending=True)
        remedy = remedies.of_events(now) if len(now) else None
        if set(now["event"]) <= set(EVENT_TYPES) or remedy is None:
            break
        space = {"pl": pl, "log": words}
        exec(remedy, space)
        if space["log"].equals(words):  # type: ignore[attr-defined]
            break
        words = space["log"]  # type: ignore[assignment]
    known = {word: event for word, event in words.rows() if event in EVENT_TYPES}
    dropped = set(left["event"]) - set(words["event"])
    return {**known, **dict.fromkeys(sorted(dropped), DROP), **given}


# Ratings and plays


def read_ratings(frame: pl.LazyFrame, name: str, top: float | None, into: Reading) -> None:
    """A column of ratings as played shares: `FULL` of the scale and more is 100 %.

    Args:
        frame: holds it as `rating`. name: in the file. top: of the scale, or None to tell it.
        into: gets `played_ratio_pct` and its faults.

    Raises:
        LogError: there are no ratings, or they fit no scale.
    """
    value = _number(frame, "rating", name)
    found = answer(frame.select(low=value.min(), high=value.max()))
    if found["high"] is None:
        raise LogError(f"column {name!r} has no rating in any row; leave --rating out")
    most = max(found["high"], -found["low"])
    top = top or next((scale for scale in SCALES if scale >= most), None)
    if top is None or top < most:
        raise LogError(
            f"column {name!r}: ratings from {found['low']:g} to {found['high']:g}: say where the "
            "scale ends: --rating-top N (ratings begin at 0, or at −N if some are negative)"
        )
    bottom = -top if found["low"] < 0 else 0
    part = (value - bottom) / (top - bottom)
    full = bottom + FULL * (top - bottom)
    into.columns["played_ratio_pct"] = (
        pl.when(part >= FULL - 1e-9).then(100).otherwise((part * 100).round())
    )
    into.told.append(
        f"events: {name!r} from {found['low']:g} to {found['high']:g}, read on a scale from "
        f"{bottom:g} to {top:g}: {full:g} and more is a full play, less is that share of one"
    )
    into.faults.append(_unheard(f"no rating: {name!r} has no number", "rating", into))


def read_plays(
    frame: pl.LazyFrame, name: str, unit: str | None, length: str | None, into: Reading
) -> None:
    """A column of plays as played shares in per cent, cut and not rounded.

    Args:
        frame: holds it as `played`, and lengths as `length` if there are. name: in the file.
        unit: of `PLAYED_UNITS`, or None to tell it. length: name of the column of lengths.
        into: holds `track_length_seconds` if there are lengths; gets `played_ratio_pct`.

    Raises:
        LogError: the unit is ambiguous, or time was played and no length is known.
    """
    value = _number(frame, "played", name)
    unit = unit or _unit_of_plays(frame, value, name)
    if unit in ("s", "ms"):
        if length is None:
            raise LogError(
                f"column {name!r} counts {'milli' * (unit == 'ms')}seconds: a share needs the "
                "length of the track too: --length COL"
            )
        seconds = value / (1_000 if unit == "ms" else 1)
        share = seconds / into.columns["exact_length"] * 100
        share = pl.when(into.columns["exact_length"] > 0).then(share)
    else:
        share = value * (100 if unit == "share" else 1)
    whole = share.round(3).floor()
    told = {"pct": "per cent", "share": "a share", "s": "seconds", "ms": "milliseconds"}[unit]
    fits = whole.is_between(0, LARGEST["played_ratio_pct"])
    into.columns["played_ratio_pct"] = pl.when(fits).then(whole)
    into.told.append(f"events: {name!r} read as {told} played, cut to whole per cent")
    what = f"no played share: {name!r} has no number, or one below 0 or above 65,535 %"
    what += f", or {length!r} has none" if unit in ("s", "ms") else ""
    into.faults.append(_unheard(what, "played", into))


def _unit_of_plays(frame: pl.LazyFrame, value: pl.Expr, name: str) -> str:
    positive = value.filter(value > 0)
    found = answer(
        frame.select(
            high=value.max(),
            middle=positive.median(),
            whole=(positive == 100).mean(),
            few=(positive > remedies.LARGEST_FRACTION).mean(),
        )
    )
    if found["high"] is None or found["high"] <= 0:
        raise LogError(f"column {name!r}: nothing was played in any row; leave --played out")
    if found["middle"] <= 1 and found["few"] < _MOST_REPLAYED:
        return "share"
    for unit, words in _NAMES_OF_UNITS.items():
        if re.search(words, name):
            return unit
    if found["whole"] >= _LEAST_WHOLE:
        return "pct"
    raise LogError(
        f"column {name!r}: up to {found['high']:,g}, half of them below {found['middle']:,g}: per "
        f"cent or time? Say it: --played-unit {', '.join(PLAYED_UNITS)}"
    )


def read_lengths(frame: pl.LazyFrame, name: str, into: Reading) -> None:
    """A column of track lengths, in seconds, or in milliseconds if half are above ten hours else.

    Args:
        frame: holds it as `length`. name: in the file.
        into: gets `track_length_seconds`, whole, and `exact_length`, which the log does not keep.
    """
    value = _number(frame, "length", name)
    middle = answer(frame.select(m=value.filter(value > 0).median()))["m"]
    milli = middle is not None and middle > _LONGEST
    exact = value / (1_000 if milli else 1)
    exact = pl.when(exact.is_between(0, LARGEST["track_length_seconds"])).then(exact)
    into.columns |= {"exact_length": exact, "track_length_seconds": exact.floor()}
    into.told.append(
        f"lengths: {name!r} read as {'milli' if milli else ''}seconds; null where it has none"
    )


def _unheard(words: str, role: str, into: Reading) -> Fault:
    """The fault of a listen without a played share; other events need none."""
    missing = pl.col(f"{READ}played_ratio_pct").is_null()
    if "event_type" in into.columns:
        missing &= pl.col(f"{READ}event_type") == "listen"
    return Fault(words, role, missing)


def read_choices(frame: pl.LazyFrame, name: str, into: Reading) -> None:
    """A column that says whether a play was the listener's own choice: 0 and 1, yes and no.

    Args:
        frame: holds it as `organic`. name: in the file. into: gets `is_organic` and its fault.
    """
    value = _number(frame, "organic", name)
    odd = answer(frame.select(v=value.filter(~value.is_in([0.0, 1.0])).first()))["v"]
    if odd is not None:
        raise LogError(
            f"column {name!r} holds {odd:g}: expected 1 (own choice) and 0 (a recommendation); "
            "leave --organic out if it says something else"
        )
    into.columns["is_organic"] = value
    into.faults.append(
        Fault(
            f"no choice: {name!r} has no number", "organic", pl.col(f"{READ}is_organic").is_null()
        )
    )
