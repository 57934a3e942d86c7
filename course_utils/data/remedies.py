"""What to paste when a column does not fit: lines of Polars, tried on the data before offered.

A line works on eager frames that are called as their files are: `log`, `tracks`, `embeddings`,
`texts`. It mends one fault; where there is another, opening the log again names the next.
"""

from __future__ import annotations

import polars as pl

from course_utils.data.moments import LONGEST_LOG, calendar_format
from course_utils.schema import EVENT_SCHEMA, EVENT_TYPES, LARGEST

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
_HINTS = {
    "played_ratio_pct": ("play", "ratio", "percent", "pct", "complet", "skip", "listened"),
    "is_organic": ("organic", "radio", "recommend", "autoplay"),
    "track_length_seconds": ("length", "duration"),
    "event_type": ("event", "action", "like", "skip"),
}
"""Parts of names: where a column has one, it may know what is missing, in another form."""

_SAME_EVENT = {
    **dict.fromkeys(
        "listen listened listening play plays played playback stream streamed scrobble trackplay "
        "songplay playtrack playsong".split(),
        "listen",
    ),
    **dict.fromkeys(
        "like liked heart hearted love loved favorite favourite favorited favourited thumbsup "
        "thumbup upvote".split(),
        "like",
    ),
    **dict.fromkeys(
        "dislike disliked thumbsdown thumbdown downvote hate hated ban banned".split(), "dislike"
    ),
    **dict.fromkeys("unlike unliked unheart unlove unfavorite".split(), "unlike"),
    **dict.fromkeys("undislike undisliked unban".split(), "undislike"),
}
"""Other words for the five events, in small letters and digits alone."""
_NO_EVENT = frozenset(
    "impression view shown show share shared download downloaded search click clicked pause paused "
    "resume seek login logout follow addtoplaylist queue queued".split()
)
"""Words for what a log does not hold; their rows may be dropped."""
_NO_VALUE = r"(?i)^\s*(|null|none|nan|na|n/a|nil|unknown|-+|\?+)\s*$"
"""Text that stands for no value."""

LONGEST_TRACK = 36_000
"""Seconds; if half of the tracks are longer than these ten hours, they count in milliseconds."""
_SHORTEST_IN_MS, _MINUTE_IN_MS = 1_000, 60_000
LARGEST_FRACTION = 10
"""Of a track, played by replays; where shares count from 0 to 1, more is another unit."""
_LEAST_FULL, _MOST_ODD = 0.05, 0.03
"""Of the positive shares: if they are fractions, some are full plays and few are above ten."""
_SHORTEST_USUAL = 15
"""Seconds; if half of the tracks are shorter and no whole numbers, they count in minutes."""


def is_text(kind: pl.DataType) -> bool:
    return kind == pl.String or kind == pl.Categorical or isinstance(kind, pl.Enum)


def column(name: str) -> str:
    return f'pl.col("{name}")'


def with_column(table: str, name: str, expression: str) -> str:
    """The line that gives a column of a table new values."""
    return f"{table} = {table}.with_columns({name}={expression})"


def if_empty(table: str, name: str) -> str | None:
    """The line for a column without any value, if a value may be said of every row."""
    return with_column(table, name, "pl.lit(1)") if name == "is_organic" else None


def rename_or_add(table: str, missing: list[str], found: list[str]) -> str | None:
    """The line for missing columns: one of another name, or a value that claims nothing."""
    plain = {"".join(filter(str.isalnum, name.lower())): name for name in reversed(found)}
    renamed, added = {}, []
    for name in missing:
        others = [plain[other] for other in _OTHER_NAMES.get(name, ()) if other in plain]
        others = [other for other in others if other not in renamed]
        if others:
            renamed[others[0]] = name
        elif table == "log" and name in _IF_MISSING and not _told_otherwise(name, plain):
            added.append(f"{name}={_IF_MISSING[name]}")
        else:
            return None
    rename = f".rename({renamed})" if renamed else ""
    return f"{table} = {table}{rename}" + (f".with_columns({', '.join(added)})" if added else "")


def _told_otherwise(name: str, others: dict[str, str]) -> bool:
    """Whether some column of another name seems to say it in another form."""
    hints = _HINTS.get(name, ())
    known = {other for column in EVENT_SCHEMA for other in _OTHER_NAMES[column]}
    return any(hint in other for other in others if other not in known for hint in hints)


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
        candidates = [_from_first(frame, f'{this}.dt.epoch("s")')]
    elif kind == pl.Duration:
        candidates = [f"{this}.dt.total_seconds()"]
    elif kind == pl.Time and name == "track_length_seconds":
        candidates = [f'{this}.cast(pl.Duration("us")).dt.total_seconds()']
    elif kind == pl.Boolean and name == "played_ratio_pct":
        candidates = [f"{this}.cast(pl.Int64) * 100"]
    elif kind.is_numeric():
        return _of_floats(frame, table, name)
    found = next((text for text in candidates if _can_be_computed(frame, name, text)), None)
    return with_column(table, name, found) if found else None


def _of_floats(frame: pl.LazyFrame, table: str, name: str) -> str | None:
    """The line that makes whole numbers of floats or decimals, if they keep their meaning."""
    number = f"{column(name)}.cast(pl.Float64).fill_nan(None)"
    whole = f"{number}.round(3).floor().cast(pl.Int64)"
    value = pl.col(name).cast(pl.Float64).fill_nan(None)
    usual = value.filter(value > 0).median()
    query = frame.select(
        before=value.n_unique(),
        after=value.round(3).floor().n_unique(),
        usual=usual,
        integral=(value.round(3) == value.round(3).floor()).all(),
    )
    found = query.collect().row(0, named=True)
    if name == "played_ratio_pct" and found["usual"] is not None and found["usual"] <= 1:
        share = value.filter(value > 0)
        odd, full = (
            frame.select(
                odd=(share > LARGEST_FRACTION).mean(), full=share.is_between(0.95, 2).mean()
            )
            .collect()
            .row(0)
        )
        if full < _LEAST_FULL or odd > _MOST_ODD:
            return None
        if odd:
            return f"log = log.filter(({number} <= {LARGEST_FRACTION}).fill_null(True))"
        whole = f"({number} * 100).round(3).floor().cast(pl.Int64)"
    elif name == "is_organic" and not found["integral"]:
        return None
    elif name == "timestamp" and 2 * found["after"] < found["before"]:
        return None  # days or hours with a fraction
    elif name == "track_length_seconds" and not found["integral"]:
        whole = whole if (found["usual"] or _SHORTEST_USUAL) >= _SHORTEST_USUAL else ""
    fits = bool(whole) and _can_be_computed(frame, name, whole)
    return with_column(table, name, whole) if fits else None


def _of_text(frame: pl.LazyFrame, name: str) -> list[str]:
    """Expressions that may read a column of text, the most particular first."""
    this = column(name)
    if frame.collect_schema()[name] != pl.String:
        this += ".cast(pl.String)"
    values = frame.select(pl.col(name).cast(pl.String).drop_nulls().unique()).collect()[name]
    known = values.filter(~values.str.contains(_NO_VALUE)).str.strip_chars()
    if not len(known):
        return [_IF_MISSING[name]] if name == "track_length_seconds" else []
    if name == "is_organic":
        words = set(known.str.to_lowercase())
        codes = {word: _YES_OR_NO[word] for word in sorted(words & set(_YES_OR_NO))}
        plain = f"{this}.str.strip_chars().str.to_lowercase()"
        return [f"{plain}.replace_strict({codes}, default=None, return_dtype=pl.Int64)"]
    if len(known) < len(values):
        this = f'pl.when(~{this}.str.contains(r"{_NO_VALUE}")).then({this})'
    this += ".str.strip_chars()"
    if name == "timestamp" and known.str.contains(r"^\d{4}-\d\d-\d\d").all():
        return [_from_first(frame, f'{this}.str.to_datetime(time_zone="UTC").dt.epoch("s")')]
    pattern = calendar_format(known) if name == "timestamp" else None
    if pattern:
        return [f'{this}.str.to_datetime("{pattern}").dt.epoch("s")']
    if name == "track_length_seconds" and known.str.contains(r"^\d+(:\d\d){1,2}$").all():
        part = "pl.element().cast(pl.Int64) * 60 ** pl.int_range(pl.len())"
        return [f'{this}.str.split(":").list.reverse().list.eval({part}).list.sum()']
    if name == "played_ratio_pct":
        this = this.removesuffix("()") + '(" %")'
        if (
            known.str.contains(r"^\d+(,\d+)?\s*%?$").all()
            and not known.str.contains(r",\d{3}\b").any()
        ):
            this += '.str.replace(",", ".", literal=True)'
    return [f"{this}.cast(pl.Int64)", f"{this}.cast(pl.Float64)"]


def _from_first(frame: pl.LazyFrame, seconds: str) -> str:
    """An expression for seconds since 1970, counted from the first unless some are stray."""
    span = f"({seconds}).max() - ({seconds}).min()"
    try:
        length = frame.select(eval(span, {"pl": pl})).collect().item()
    except (pl.exceptions.PolarsError, OverflowError):
        return seconds
    from_first = f"{seconds}.pipe(lambda t: t - t.min())"
    return seconds if length is None or length > LONGEST_LOG else from_first


def _can_be_computed(frame: pl.LazyFrame, name: str, text: str) -> bool:
    """Whether a line gives a number for every value; text that says "none" has no value."""
    try:
        pair = frame.select(before=pl.col(name), after=eval(text, {"pl": pl})).collect()
    except (pl.exceptions.PolarsError, OverflowError):
        return False
    before, after = pair["before"], pair["after"]
    lost = after.null_count() - before.null_count()
    if before.dtype.is_float():
        lost -= int(before.is_nan().sum())
    if is_text(before.dtype):
        lost -= int(before.cast(pl.String).str.contains(_NO_VALUE).sum())
    if text == _IF_MISSING["track_length_seconds"]:
        return True
    return lost <= 0 and (after.dtype.is_numeric() or after.dtype == pl.String)


def leaves_rows(frame: pl.LazyFrame, remedy: str) -> bool:
    """Whether a line works and leaves any row of its table; several lines (of ids) do."""
    if "\n" in remedy:
        return True
    table = remedy.partition(" ")[0]
    space = {"pl": pl, table: frame}
    try:
        exec(remedy, space)
        return bool(space[table].select(pl.len()).collect().item())  # type: ignore[attr-defined]
    except pl.exceptions.PolarsError:
        return False


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
        one = table == "tracks" and name != "item_id"
        return f'{table} = {table}.explode("{name}")' if one else None
    if kind.is_nested() or kind == pl.Object:
        return None
    number = f"{this}.cast(pl.String).str.strip_chars()" if is_text(kind) else this
    number += ".fill_nan(None)" if kind.is_float() else ""
    cast = f"{number}.cast(pl.Int64)"
    if not kind.is_integer() and _same_ids(frame, name, cast):
        return with_column(table, name, cast)
    if name != "item_id":
        known = f"{this}.fill_nan(None)" if kind.is_float() else this
        return with_column(table, name, f'{known}.rank("dense")')
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
    alone = len(ids) == 1 and name not in ("artist_id", "album_id")
    return negative[0] if len(negative) == 1 and not alone else None


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


def of_choices(frame: pl.LazyFrame) -> tuple[str, str | None]:
    """What to say of `is_organic` that is not 0 and 1, and the line if its codes are plain."""
    values = set(frame.select(pl.col("is_organic").drop_nulls().unique()).collect()["is_organic"])
    said = "1 is the listener's own choice, 0 a recommendation"
    if len(values) == 2 and min(values) <= 0 < max(values):
        return said, with_column("log", "is_organic", f"{column('is_organic')} > 0")
    if values - {0, 1} == {min(values)} and min(values) < 0:
        said += f"; {min(values)} seems to stand for an unknown one"
        return said, f"log = log.filter({column('is_organic')} >= 0)"
    return f"{said}; the codes are {sorted(values)[:5]}: find out what they mean", None


def of_long_tracks(frame: pl.LazyFrame) -> tuple[str, str | None]:
    """What to say of lengths that are too long, and the line: by their middle, never by one."""
    this, name = column("track_length_seconds"), "track_length_seconds"
    length = pl.col(name)
    usual = length.filter(length > 0)
    query = frame.select(low=usual.quantile(0.05, "nearest"), middle=usual.median())
    low, middle = query.collect().row(0)
    if middle is None or middle <= LONGEST_TRACK:
        unknown = f"pl.when({this} <= {LARGEST[name]}).then({this})"
        return "the others are seconds: say that these are unknown", with_column(
            "log", name, unknown
        )
    if middle < _MINUTE_IN_MS:
        return "ten hours and more, or milliseconds of less than a minute: find out which", None
    if low < _SHORTEST_IN_MS:
        return (
            "some lengths seem to be milliseconds and some seconds: find out which, and write all "
            "in seconds"
        ), None
    return "the length is in seconds", with_column("log", name, f"{this} // 1_000")


def count_events(frame: pl.LazyFrame) -> pl.DataFrame:
    """(`event`, `rows`, `shares`) of each kind of event, the most frequent first."""
    kind = pl.col("event_type").cast(pl.String)
    counts = frame.group_by(event=kind).agg(
        rows=pl.len(), shares=pl.col("played_ratio_pct").count()
    )
    return counts.sort("rows", "event", descending=[True, False]).drop_nulls("event").collect()


def of_events(counts: pl.DataFrame) -> str | None:
    """The line for unknown events: known words in other letters or other words for them.

    A word becomes a listen if it means one or alone has shares. Rows are dropped if their word
    means nothing that a log holds; of an unknown word nothing is said.

    Args:
        counts: `count_events` of the log.
    """
    events = counts["event"].to_list()
    plain = {event: _plain(event) for event in events}
    if all(event.strip().lower() in EVENT_TYPES for event in events):
        text = f"{column('event_type')}.cast(pl.String).str.strip_chars().str.to_lowercase()"
        return with_column("log", "event_type", text)
    some_shares = counts["shares"].sum() > 0
    full = {e: s == n or not some_shares for e, n, s in counts.rows()}
    words = {e: _SAME_EVENT[plain[e]] for e in events if plain[e] in _SAME_EVENT}
    words = {e: kind for e, kind in words.items() if kind != "listen" or _has_shares(counts, e)}
    skips = [e for e in events if "skip" in plain[e]]
    words |= {e: "listen" for e in skips if some_shares and full[e]}
    unknown = [e for e in events if e not in words and e not in EVENT_TYPES]
    open_ones = [e for e in unknown if plain[e] not in _NO_EVENT and e not in skips]
    if "listen" not in {*words.values(), *events}:
        with_shares = [e for e in open_ones if some_shares and full[e]]
        alone = open_ones if len(events) == 1 else with_shares
        words |= {alone[0]: "listen"} if len(alone) == 1 else {}
    words = {e: kind for e, kind in words.items() if e != kind}
    if words:
        renamed = f"{column('event_type')}.cast(pl.String).replace({words})"
        return with_column("log", "event_type", renamed)
    if open_ones or any(e in skips for e in unknown) or "listen" not in events:
        return None
    dropped = f"{column('event_type')}.cast(pl.String).is_in({unknown})"
    return f"log = log.filter(~{dropped})"


def _plain(event: str) -> str:
    return "".join(filter(str.isalnum, event.lower()))


def _has_shares(counts: pl.DataFrame, event: str) -> bool:
    """Whether most rows of a word have a share, if any row of the log has one."""
    rows, shares = counts.filter(pl.col("event") == event).select("rows", "shares").row(0)
    return shares * 2 > rows or counts["shares"].sum() == 0
