"""What to paste when a column does not fit: lines of Polars, tried on the data before offered.

A line works on eager frames that are called as their files are: `log`, `tracks`, `embeddings`,
`texts`. It mends one fault; where there is another, opening the log again names the next.
"""

from __future__ import annotations

import polars as pl

from course_utils.schema import EVENT_TYPES, LARGEST

LONGEST_LOG = 40 * 366 * 86_400
"""Seconds; the times of a log that seems longer count in a smaller unit, or are stray."""

_UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
_SINCE_1970 = (10**9, 10**10)
"""Seconds since 1970 in the years 2001 to 2286."""

_YES_OR_NO = {
    **dict.fromkeys(("true", "t", "yes", "y", "1", "1.0"), 1),
    **dict.fromkeys(("false", "f", "no", "n", "0", "0.0"), 0),
}
_OTHER_NAMES = {
    "uid": ("uid", "userid", "user", "listenerid", "listener"),
    "timestamp": ("timestamp", "ts", "time", "datetime", "date", "playedat"),
    "item_id": ("itemid", "item", "trackid", "track", "songid", "song"),
    "is_organic": ("isorganic", "organic"),
    "event_type": ("eventtype", "event", "type", "action"),
    "played_ratio_pct": ("playedratiopct", "playedratio", "playedpct"),
    "track_length_seconds": ("tracklengthseconds", "tracklength", "length", "duration"),
    "artist_id": ("artistid", "artist"),
    "album_id": ("albumid", "album"),
    "embed": ("embed", "embedding", "embeddings", "vector", "emb"),
    "title": ("title", "name"),
    "text": ("text", "description"),
}
_IF_MISSING = {
    "is_organic": "pl.lit(1)",
    "event_type": 'pl.lit("listen")',
    "played_ratio_pct": "pl.lit(100)",
    "track_length_seconds": "pl.lit(None, dtype=pl.UInt32)",
}
"""What may be said of every row when a log does not say it: own choices, listens, full plays."""


def is_text(kind: pl.DataType) -> bool:
    return kind == pl.String or kind == pl.Categorical or isinstance(kind, pl.Enum)


def column(name: str) -> str:
    return f'pl.col("{name}")'


def with_column(table: str, name: str, expression: str) -> str:
    """The line that gives a column of a table new values."""
    return f"{table} = {table}.with_columns({name}={expression})"


def rename_or_add(table: str, missing: list[str], found: list[str]) -> str | None:
    """The line for missing columns: one of another name, or a value that claims nothing."""
    plain = {"".join(filter(str.isalnum, name.lower())): name for name in reversed(found)}
    renamed, added = {}, []
    for name in missing:
        others = [plain[other] for other in _OTHER_NAMES.get(name, ()) if other in plain]
        others = [other for other in others if other not in renamed]
        if others:
            renamed[others[0]] = name
        elif table == "log" and name in _IF_MISSING:
            added.append(f"{name}={_IF_MISSING[name]}")
        else:
            return None
    rename = f".rename({renamed})" if renamed else ""
    return f"{table} = {table}{rename}" + (f".with_columns({', '.join(added)})" if added else "")


# A column of a wrong type


def of_type(frame: pl.LazyFrame, table: str, name: str) -> str | None:
    """The line for a numerical column of a wrong type, if one loses no value.

    Text becomes a number or a date first, and floats whole numbers: a second fault may follow.
    Shares are cut, not rounded: 94.9 % stays below the 95 % of a finished listen.

    Args:
        frame: the table. table, name: what it and the column are called. Ids are `renumber`'s.
    """
    kind, this = frame.collect_schema()[name], column(name)
    candidates: list[str] = []
    if is_text(kind):
        candidates = _of_text(frame, name)
    elif kind == pl.Binary:
        candidates = [f"{this}.cast(pl.String)"]
    elif name == "timestamp" and kind in (pl.Datetime, pl.Date):
        candidates = [f'{this}.dt.epoch("s").pipe(lambda t: t - t.min())']
    elif kind == pl.Duration:
        candidates = [f"{this}.dt.total_seconds()"]
    elif kind == pl.Boolean and name == "played_ratio_pct":
        candidates = [f"{this}.cast(pl.Int64) * 100"]
    elif kind.is_numeric():
        number = f"{this}.cast(pl.Float64).fill_nan(None)"
        if name == "played_ratio_pct" and _is_fraction(frame):
            number = f"({number} * 100)"
        candidates = [f"{number}.round(3).floor().cast(pl.Int64)"]
    candidates += [_IF_MISSING[name]] if name == "track_length_seconds" else []
    found = next((text for text in candidates if _can_be_computed(frame, name, text)), None)
    return with_column(table, name, found) if found else None


def _of_text(frame: pl.LazyFrame, name: str) -> list[str]:
    this = column(name)
    if frame.collect_schema()[name] != pl.String:
        this += ".cast(pl.String)"
    values = frame.select(pl.col(name).cast(pl.String).drop_nulls().unique()).collect()[name]
    if name == "is_organic":
        words = set(values.str.strip_chars().str.to_lowercase())
        codes = {word: _YES_OR_NO[word] for word in sorted(words & set(_YES_OR_NO))}
        plain = f"{this}.str.strip_chars().str.to_lowercase()"
        return [f"{plain}.replace_strict({codes}, return_dtype=pl.Int64)"]
    if name == "timestamp" and values.str.contains(r"^\s*\d{4}-\d\d-\d\d").all():
        when = f'{this}.str.strip_chars().str.to_datetime(time_zone="UTC")'
        return [f'{when}.dt.epoch("s").pipe(lambda t: t - t.min())']
    blanks = '" %"' if name == "played_ratio_pct" else ""
    number = f"{this}.str.strip_chars({blanks})"
    return [
        f"{number}.cast(pl.Int64)",
        f"{number}.cast(pl.Float64)",
        f"{number}.cast(pl.Float64, strict=False)",
    ]


def _is_fraction(frame: pl.LazyFrame) -> bool:
    """Whether played shares count from 0 to 1 (a little more for replays), not in per cent."""
    share = pl.col("played_ratio_pct").cast(pl.Float64).fill_nan(None)
    found = frame.select(top=share.max(), middle=share.filter(share > 0).median()).collect()
    top, middle = found.row(0)
    return middle is not None and middle <= 1 and top <= 10


def _can_be_computed(frame: pl.LazyFrame, name: str, text: str) -> bool:
    """Whether a line gives numbers for the values; one that may lose some, for half of them."""
    try:
        pair = frame.select(before=pl.col(name), after=eval(text, {"pl": pl})).collect()
    except (pl.exceptions.PolarsError, OverflowError):
        return False
    before, after = pair["before"], pair["after"]
    lost = after.null_count() - before.null_count()
    if before.dtype.is_float():
        lost -= int(before.is_nan().sum())
    if text == _IF_MISSING["track_length_seconds"]:
        return True
    allowed = len(before) // 2 if "strict=False" in text else 0
    return lost <= allowed and (after.dtype.is_numeric() or after.dtype == pl.String)


# Ids


def renumber(tables: dict[str, pl.LazyFrame], table: str, name: str) -> str | None:
    """The line for ids that are no whole numbers from 0 to 2³² − 1.

    Numbers in another guise are cast. Others (words, hashes, negative ones) are numbered from 1 in
    their order; tracks in all tables at once.

    Args:
        tables: by name, the log and those beside it. table, name: where the ids stand.
    """
    frame, this = tables[table], column(name)
    kind = frame.collect_schema()[name]
    if kind in (pl.List, pl.Array):
        return f'{table} = {table}.explode("{name}")' if table == "tracks" else None
    number = f"{this}.cast(pl.String).str.strip_chars()" if is_text(kind) else this
    number += ".fill_nan(None)" if kind.is_float() else ""
    cast = f"{number}.cast(pl.Int64)"
    if not kind.is_integer() and _same_ids(frame, name, cast):
        return with_column(table, name, cast)
    if name != "item_id":
        return with_column(table, name, f'{this}.rank("dense")')
    if table != "log":  # the log's own ids are good: no other can mean a track of it
        good = f"{this}.is_between(0, {LARGEST[name]})"
        some = kind.is_integer() and frame.select(eval(good, {"pl": pl}).any()).collect().item()
        return f"{table} = {table}.filter({good})" if some else None
    if len(tables) == 1:
        return with_column(table, name, f'{this}.rank("dense")')
    kinds = {other.collect_schema().get(name) for other in tables.values()}
    return _number_together(list(tables)) if kinds == {kind} else None


def stand_in(frame: pl.LazyFrame, name: str) -> int | None:
    """The one negative id among others, which stands for "unknown"; None if there are several."""
    ids = frame.select(pl.col(name).drop_nulls().unique().sort()).collect()[name]
    negative = ids.filter(ids < 0)
    return negative[0] if len(negative) == 1 < len(ids) else None


def of_stand_in(table: str, name: str) -> str:
    """The line that takes such an id for what it is: null where that may be, else no row."""
    this = column(name)
    if name in ("artist_id", "album_id"):
        return with_column(table, name, f"pl.when({this} >= 0).then({this})")
    return f"{table} = {table}.filter({this} >= 0)"


def _same_ids(frame: pl.LazyFrame, name: str, text: str) -> bool:
    """Whether a cast gives every id a whole number of its own, small enough."""
    try:
        pair = frame.select(before=pl.col(name), after=eval(text, {"pl": pl})).collect()
    except pl.exceptions.PolarsError:
        return False
    ids = pair["after"].drop_nulls()
    before = pair["before"].drop_nulls()
    before = before.drop_nans() if before.dtype.is_float() else before
    small = ids.is_between(0, LARGEST["item_id"]).all()
    return small and len(ids) == len(before) and ids.n_unique() == before.n_unique()


def _number_together(tables: list[str]) -> str:
    names = ", ".join(tables)
    new = 'pl.col("item_id").replace_strict(ids, range(1, len(ids) + 1), return_dtype=pl.UInt32)'
    return (
        f'ids = pl.concat([table["item_id"] for table in ({names})]).unique().drop_nulls().sort()\n'
        f"{names} = (table.with_columns({new}) for table in ({names}))"
    )


# Values


def since_1970(first: int, last: int) -> str | None:
    """The unit in which these moments are dates of our time, if there is one."""
    fits = (
        u for u, n in _UNITS.items() if _SINCE_1970[0] * n <= first <= last < _SINCE_1970[1] * n
    )
    return next(fits, None)


def unit_of_time(first: int, last: int) -> str:
    """In what a log counts its times, by their size: since 1970, or since its own start."""
    spans = (unit for unit, size in _UNITS.items() if (last - first) / size <= LONGEST_LOG)
    return since_1970(first, last) or next(spans, "nanoseconds")


def of_times(frame: pl.LazyFrame) -> tuple[str, str]:
    """What seems to be wrong with times that are no seconds of a log, and the line for it."""
    time = pl.col("timestamp")
    moments = frame.select(a=time.min(), b=time.filter(time > 0).min(), c=time.max()).collect()
    first, date, last = moments.row(0)
    if first <= 0 and date is not None and since_1970(date, last):
        return "dates, but for some that are none", f"log = log.filter({column('timestamp')} > 0)"
    unit = unit_of_time(first, last)
    from_start = f"{column('timestamp')} - {column('timestamp')}.min()"
    if _UNITS[unit] > 1:
        from_start = f"({from_start}) // {_UNITS[unit]:_}"
    return unit, with_column("log", "timestamp", from_start)


def of_events(frame: pl.LazyFrame) -> str:
    """The line for unknown events: in other letters, of another name, or to be dropped."""
    this, known = pl.col("event_type").cast(pl.String), list(EVENT_TYPES)
    counts = frame.group_by(event=this).len().sort("len", "event", descending=[True, False])
    values = counts.collect()["event"].drop_nulls()
    if values.str.strip_chars().str.to_lowercase().is_in(known).all():
        plain = f"{column('event_type')}.cast(pl.String).str.strip_chars().str.to_lowercase()"
        return with_column("log", "event_type", plain)
    if "listen" not in values:
        word = {values.filter(~values.is_in(known))[0]: "listen"}
        renamed = f"{column('event_type')}.cast(pl.String).replace({word})"
        return with_column("log", "event_type", renamed)
    return f"log = log.filter({column('event_type')}.cast(pl.String).is_in({known}))"
