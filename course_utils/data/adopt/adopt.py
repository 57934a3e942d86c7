"""`python -m course_utils adopt`: a foreign log becomes a folder that `open_log` opens.

Text is written once as Parquet and read as a stream from there; the log itself is never in
memory, only the distinct ids are.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from course_utils.data.adopt import reading, times, values
from course_utils.data.adopt.numbering import Numbering, number
from course_utils.data.adopt.options import LISTENER_PER, Options
from course_utils.data.adopt.presets import PRESETS, Preset
from course_utils.data.adopt.reading import Cut
from course_utils.data.adopt.values import Fault, Reading
from course_utils.data.complaints import answer, bad_rows, first_line
from course_utils.data.sources.files import open_path, read_table
from course_utils.schema import EVENT_SCHEMA, LogError
from course_utils.settings import data_folder, exists, log_stem, make_folder, polars_path

REPORT, RECORD = "report.txt", "adopted.json"
_MOST_LOST = 0.1
"""Of the rows; if more have a time that cannot be read, the column is misunderstood."""
_LONGEST_SHOWN = 40
_ITEM_COLUMNS = ("title", "text", "artist", "album")


@dataclass
class Report:
    """What was read, how, and what was left out.

    Attributes:
        folder: of the log. files: that were read. told: how columns were understood.
        rows, kept: numbers of events. dropped: (reason, rows, first row, what stands there).
        start: microseconds since 1970 of second 0 of the log; None if it has no dates.
    """

    folder: Path
    files: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    rows: int = 0
    kept: int = 0
    dropped: list[tuple[str, int, int, str]] = field(default_factory=list)
    start: int | None = None

    def __str__(self) -> str:
        files = ", ".join(self.files[:3]) + (
            f" and {len(self.files) - 3:,} more" if len(self.files) > 3 else ""
        )
        lines = [f"{files} → {self.folder}", *(f"  {line}" for line in self.told)]
        lines.append(
            f"{self.rows:,} rows read, {self.kept:,} kept as events, {self.lost:,} dropped"
        )
        lines += [
            f"  {n:>11,}  {why}, such as row {at:,}: {value}" for why, n, at, value in self.dropped
        ]
        return "\n".join(lines)

    @property
    def lost(self) -> int:
        """How many rows were dropped."""
        return sum(n for _, n, _, _ in self.dropped)

    def record(self) -> dict:
        """The same for programs."""
        keys = ("reason", "rows", "first_row", "value")
        return {
            "files": self.files,
            "understood": self.told,
            "rows": self.rows,
            "kept": self.kept,
            "dropped": [dict(zip(keys, each, strict=True)) for each in self.dropped],
            "start_microseconds_since_1970": self.start,
        }


def adopt(
    given: list[str],
    options: Options,
    preset: str | None = None,
    into: Path | None = None,
    anew: bool = False,
) -> Report:
    """Make a folder in the course's schema of a foreign log.

    It holds `log.parquet`; `users.parquet` and `items.parquet`, which lead from numbers back to
    public ids; `texts.parquet` and `tracks.parquet` with `artists.parquet` and `albums.parquet`
    where the file says so much; `report.txt` and `adopted.json`.

    Args:
        given: paths, folders and patterns of the files. options: what their columns mean.
        preset: of `PRESETS`. into: the folder; default: one in the data folder, called like the
            file. anew: whether a folder that this function wrote before is replaced.

    Raises:
        LogError: a file or a column is not what it should be, or no row is left.
        SettingsError: the folder cannot be made.
    """
    known = _preset(preset)
    files = known.files(given)
    if known.options is not None:
        options = options.or_else(known.options(files))
    for role in ("user", "item", "time"):
        if getattr(options, role) is None:
            raise LogError(f"say which column is the {role}: --{role} COL, or use a --preset")
    target = into or data_folder() / "adopted" / log_stem(reading.stem(files[0]).lower())
    report = Report(target, [str(path) for path in files])
    with _written_whole(target, anew) as folder:
        work = make_folder(folder / "work")
        try:
            _write(files, options, known, report, folder, work)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            raise LogError(_unreadable(files, error)) from error
        shutil.rmtree(work)
        _check(report, folder)
        (folder / REPORT).write_text(f"{report}\n", encoding="utf-8", newline="\n")
        record = json.dumps(report.record(), ensure_ascii=False, indent=1)
        (folder / RECORD).write_text(record + "\n", encoding="utf-8", newline="\n")
    return report


def _preset(name: str | None) -> Preset:
    if name is None:
        return Preset()
    if name not in PRESETS:
        raise LogError(f"no preset {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]


def _unreadable(files: list[Path], error: BaseException) -> str:
    said = first_line(error)  # type: ignore[arg-type]
    what = "copy or download it again"
    if "utf-8" in said.lower():
        what = "say how the text is encoded: --encoding latin-1, cp1252, utf-16 …"
    elif "more fields" in said or "CSV" in said:
        what = (
            "a row has more fields than the first line; if a field holds the separator it must "
            "stand in quotes; if quotes are plain text: --no-quotes; else: --separator"
        )
    return f"{', '.join(map(str, files[:3]))}: cannot be read to the end ({said}); {what}"


@contextmanager
def _written_whole(target: Path, anew: bool) -> Iterator[Path]:
    """Yield an empty folder that becomes `target` only if the block ends well.

    Raises:
        LogError: there is something already that may not be replaced.
    """
    if exists(target) and not (anew and exists(target / RECORD)):
        mine = exists(target / RECORD)
        raise LogError(
            f"{target}: this folder is there already; name another with --into"
            + (", or write it anew with --replace" if mine else "")
        )
    make_folder(target.parent)
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        yield make_folder(partial)
        if exists(target):
            shutil.rmtree(target)
        partial.replace(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write(
    files: list[Path], options: Options, preset: Preset, report: Report, folder: Path, work: Path
) -> None:
    rows, told = _rows(files, options, preset, report, work)
    report.rows = answer(rows.select(n=pl.len()))["n"]
    if not report.rows:
        raise LogError(f"{files[0]}: the file has no rows below its first line")
    moments = times.read_times(
        rows, options.roles()["time"], options.time_unit, options.time_format
    )
    report.told += [f"times: {options.time!r} read as {moments.told}", *told]
    events = _events(rows, options, preset, moments, report, work)
    listeners, tracks = number(events, "user"), number(events, "item")
    _need_two(listeners, "user", options)
    _need_two(tracks, "item", options)
    listeners.table.rename({"number": "uid", "public": "user"}).write_parquet(
        folder / "users.parquet"
    )
    tracks.table.rename({"number": "item_id", "public": "item"}).write_parquet(
        folder / "items.parquet"
    )
    report.told.append(listeners.told("listeners", "users.parquet"))
    report.told.append(tracks.told("tracks", "items.parquet"))
    events = listeners.apply(tracks.apply(events, "item", "item_id"), "user", "uid")
    _write_log(events, moments, report, work)
    beside = preset.items(files, work) if preset.items and options.items is None else None
    _write_items(_items(rows, beside, options, report, work), tracks, report, folder)


# Rows


def _rows(
    files: list[Path], options: Options, preset: Preset, report: Report, work: Path
) -> tuple[pl.LazyFrame, list[str]]:
    """The rows of the files with columns called by their roles, and `row`, counted from 0."""
    table = reading.open_foreign(files, options.cut, work)
    report.told.append(f"read as {table.told}")
    source = str(files[0])
    asked = {name: f"asked for by --{role}" for role, name in options.roles().items()}
    if options.items is None:
        asked |= dict.fromkeys(options.of_items(), "of --text, --artist or --album")
    if preset.prepare is None:
        needed = list(asked)
        for name in needed:
            reading.need_columns(table, [name], source, asked[name])
    else:
        needed = [name for name in dict.fromkeys((*preset.reads, *asked)) if name in table.names]
    rows = table.take(needed)
    if not table.lasting:
        rows.sink_parquet(polars_path(work / "rows.parquet"), compression="lz4")
        rows = read_table(work / "rows.parquet")
    told: list[str] = []
    if preset.prepare is not None:
        rows, told = preset.prepare(rows)
        has = rows.collect_schema().names()
        for name in asked:
            reading.need_columns(replace(table, names=has), [name], source, asked[name])
    return rows.select(
        **{role: pl.col(name) for role, name in options.roles().items()},
        **({} if options.items else _of_items(options)),
    ).with_row_index("row"), told


def _of_items(options: Options) -> dict[str, pl.Expr]:
    """What columns of a table say of an item, as text."""
    texts = [pl.col(name).cast(pl.String).str.strip_chars() for name in options.text]
    texts = [pl.when(text != "").then(text) for text in texts]
    said = {}
    if texts:
        said["title"] = pl.coalesce(texts)
        said["text"] = pl.concat_str(texts, separator=" · ", ignore_nulls=True)
    for role in ("artist", "album"):
        if name := getattr(options, role):
            value = pl.col(name).cast(pl.String)
            said[role] = pl.when(value.str.strip_chars() != "").then(value)
    return said


def _events(
    rows: pl.LazyFrame,
    options: Options,
    preset: Preset,
    moments: times.Times,
    report: Report,
    work: Path,
) -> pl.LazyFrame:
    """The rows that can be events, in the schema's types, but for ids and times.

    Raises:
        LogError: no row is left, or so many times cannot be read that they are misunderstood.
    """
    said = _read(rows, options, report)
    listener = said.columns["user"]
    people = answer(rows.select(n=listener.drop_nulls().n_unique()))["n"] if preset.alone else 0
    if per := options.listener_per or ("month" if people == 1 else None):
        moment = pl.from_epoch(moments.micros, time_unit="us").dt.strftime(LISTENER_PER[per])
        said.columns["user"] = pl.concat_str(listener.cast(pl.String), moment, separator=" ")
        why = "" if options.listener_per else ", for there is one person only"
        report.told.append(f"listeners: each {per} of a person counts as one{why}")
    faults = [*said.faults[:2], *_of_times(options, moments), *said.faults[2:]]
    cause = pl.coalesce(
        pl.when(fault.bad).then(pl.lit(n, dtype=pl.UInt8)) for n, fault in enumerate(faults)
    )
    read = {values.READ + name: value for name, value in _cast(said).items()}
    typed = rows.with_columns(micros=moments.micros, **read).with_columns(cause=cause)
    typed = typed.select("row", "micros", "cause", **{n[len(values.READ) :]: n for n in read})
    typed.sink_parquet(polars_path(work / "typed.parquet"), compression="lz4")
    typed = read_table(work / "typed.parquet")
    _count_dropped(typed, rows, faults, report)
    if report.lost == report.rows:
        raise LogError(f"no row is left of {report.rows:,}:\n{report}")
    return typed.filter(pl.col("cause").is_null()).drop("cause")


def _read(rows: pl.LazyFrame, options: Options, report: Report) -> Reading:
    """The columns of the schema, and what is wrong with rows, except for times."""
    said, names = Reading(), options.roles()
    values.read_id(rows, "user", names["user"], said)
    values.read_id(rows, "item", names["item"], said)
    if "type" in names:
        values.read_kinds(rows, names["type"], options.events, said)
    if "length" in names:
        values.read_lengths(rows, names["length"], said)
    if "organic" in names:
        values.read_choices(rows, names["organic"], said)
    if "rating" in names and "played" in names:
        raise LogError("--rating and --played both say how a listen went: name one of them")
    if "rating" in names:
        values.read_ratings(rows, names["rating"], options.rating_top, said)
    elif "played" in names:
        values.read_plays(rows, names["played"], options.played_unit, names.get("length"), said)
    else:
        said.columns["played_ratio_pct"] = pl.lit(100)
        said.told.append(
            "events: no --rating and no --played, so every listen counts as a full play: a log of "
            "positives only, which notebooks that rank refuse"
        )
    report.told += said.told
    return said


def _cast(said: Reading) -> dict[str, pl.Expr]:
    """The columns in the types of the schema, with what is said of every row where none says it."""
    kind = said.columns.get("event_type", pl.lit("listen"))
    share = said.columns["played_ratio_pct"]
    found = {
        "is_organic": said.columns.get("is_organic", pl.lit(1)),
        "event_type": kind,
        "played_ratio_pct": pl.when(kind == "listen").then(share),
        "track_length_seconds": said.columns.get("track_length_seconds", pl.lit(None)),
    }
    cast = {name: value.cast(EVENT_SCHEMA[name], strict=False) for name, value in found.items()}
    return {"user": said.columns["user"], "item": said.columns["item"], **cast}


def _of_times(options: Options, moments: times.Times) -> list[Fault]:
    empty = pl.col("time").is_null() | (pl.col("time").cast(pl.String).str.strip_chars() == "")
    strange = "before 1990 or more than a year ahead" if moments.dated else "below 0"
    return [
        Fault(f"no time: {options.time!r} is empty", "time", empty),
        Fault(f"no time: {options.time!r} cannot be read", "time", pl.col("micros").is_null()),
        Fault(f"a time that cannot be: {options.time!r} is {strange}", "time", moments.strange()),
    ]


def _count_dropped(
    typed: pl.LazyFrame, rows: pl.LazyFrame, faults: list[Fault], report: Report
) -> None:
    """Keep in the report which rows are dropped and why; each counts for its first reason."""
    causes = {str(n): pl.col("cause") == n for n in range(len(faults))}
    for n, (count, at) in bad_rows(typed, causes).items():
        fault = faults[int(n)]
        value = rows.select(fault.role).slice(at, 1).collect().item()
        shown = repr(value)[:_LONGEST_SHOWN]
        report.dropped.append((fault.words, count, at, shown))
        if fault.role == "time" and "empty" not in fault.words and count > _MOST_LOST * report.rows:
            raise LogError(
                f"{count:,} of {report.rows:,} rows have {fault.words}, such as {shown} in row "
                f"{at:,}: say how times are written, with --time-format or --time-unit, or correct "
                "them"
            )


def _need_two(ids: Numbering, role: str, options: Options) -> None:
    if len(ids.table) < 2:
        one = ids.table["public"][0]
        raise LogError(
            f"column {getattr(options, role)!r}: all rows are of one {role}, {one!r}; to rank "
            "and to compare, a log needs two at least"
            + (": let --listener-per month make several of one" if role == "user" else "")
        )


# What is written


def _write_log(events: pl.LazyFrame, moments: times.Times, report: Report, work: Path) -> None:
    """Sort the events by time, count seconds from the first, drop what stands twice, and write."""
    events.sink_parquet(polars_path(work / "events.parquet"), compression="lz4")
    events = read_table(work / "events.parquet")
    found = answer(events.select(first=pl.col("micros").min(), last=pl.col("micros").max()))
    start = found["first"]
    second = (pl.col("micros") - start) // 10**6
    events = events.with_columns(timestamp=second.cast(pl.UInt32))
    columns = list(EVENT_SCHEMA)
    n = answer(events.select(rows=pl.len(), different=pl.struct(columns).hash().n_unique()))
    if n["rows"] > n["different"]:
        events = _once(events, columns, report, work)
    path = polars_path(work.parent / "log.parquet")
    events.sort("micros", "row").select(columns).sink_parquet(path)
    report.kept = answer(read_table(work.parent / "log.parquet").select(n=pl.len()))["n"]
    if moments.dated:
        report.start = start
        report.told.append(f"from {times.said(start)} to {times.said(found['last'])} (UTC)")


def _once(events: pl.LazyFrame, columns: list[str], report: Report, work: Path) -> pl.LazyFrame:
    """One of each event that stands several times."""
    place = pl.col("micros", "row").min()
    groups = events.group_by(columns).agg(place, rows=pl.len(), again=pl.col("row").max())
    groups.sink_parquet(polars_path(work / "once.parquet"), compression="lz4")
    once = read_table(work / "once.parquet")
    twice = once.filter(pl.col("rows") > 1).select("again", *columns, extra=pl.col("rows") - 1)
    found = answer(twice.select(extra=pl.col("extra").sum(), at=pl.col("again").min()))
    if found["extra"]:
        shown = twice.filter(pl.col("again") == found["at"]).select(columns).collect()
        value = str(tuple(shown.row(0)))
        why = "the same event in every column and second: one of each is kept"
        report.dropped.append((why, found["extra"], found["at"], value))
    return once


def _items(
    rows: pl.LazyFrame,
    beside: tuple[pl.LazyFrame, str] | None,
    options: Options,
    report: Report,
    work: Path,
) -> pl.LazyFrame | None:
    """What is known of items, with `item` and some of `title`, `text`, `artist`, `album`."""
    if beside is not None:
        report.told.append(f"texts and artists: of {beside[1]}, which lies beside")
        return beside[0]
    if options.items is None:
        has = [name for name in _ITEM_COLUMNS if name in rows.collect_schema()]
        return rows.select(*has, item=values.plain_id(rows, "item")) if has else None
    files = reading.find_files([str(options.items)])
    table = reading.open_foreign(files, Cut(encoding=options.cut.encoding), work)
    key = options.items_id or str(options.item)
    wanted = list(dict.fromkeys((key, *options.of_items())))
    if len(wanted) == 1:
        raise LogError(f"{options.items}: say what to take of it: --text, --artist or --album")
    reading.need_columns(table, [key], str(files[0]), "the item; called otherwise? --items-id")
    reading.need_columns(table, wanted, str(files[0]), "of --text, --artist or --album")
    said = table.take(wanted).select(pl.col(key).alias("item"), **_of_items(options))
    return said.with_columns(item=values.plain_id(said, "item"))


def _write_items(
    items: pl.LazyFrame | None, tracks: Numbering, report: Report, folder: Path
) -> None:
    """Write `texts.parquet` and `tracks.parquet`, as far as anything is known."""
    if items is None:
        return
    known = tracks.apply(items, "item", "item_id")
    has = items.collect_schema().names()
    if "title" in has:
        _write_texts(known, report, folder)
    groups = [name for name in ("artist", "album") if name in has]
    numbered = []
    for name in groups:
        ids = number(known, name)
        if not len(ids.table):
            report.told.append(f"{name}s: none of the tracks has one")
            continue
        table = ids.table.rename({"number": f"{name}_id", "public": name})
        table.write_parquet(folder / f"{name}s.parquet")
        report.told.append(ids.told(f"{name}s", f"{name}s.parquet"))
        known = ids.apply(known, name, f"{name}_id", unknown=True)
        numbered.append(f"{name}_id")
    if numbered:
        pairs = known.select("item_id", *numbered).unique().sort("item_id", *numbered)
        pairs.sink_parquet(polars_path(folder / "tracks.parquet"))


def _write_texts(known: pl.LazyFrame, report: Report, folder: Path) -> None:
    said = known.select("item_id", "title", "text").drop_nulls().unique(maintain_order=True)
    texts = said.unique("item_id", keep="first", maintain_order=True).sort("item_id")
    n = answer(said.select(different=pl.len(), tracks=pl.col("item_id").n_unique()))
    if not n["tracks"]:
        report.told.append("texts: none of the tracks has one")
        return
    texts.sink_parquet(polars_path(folder / "texts.parquet"))
    more = n["different"] - n["tracks"]
    report.told.append(
        f"{n['tracks']:,} texts of tracks"
        + (f"; {more:,} others of the same tracks are left out, the first stays" if more else "")
    )


def _check(report: Report, folder: Path) -> None:
    """Open what was written as any other log of one's own.

    Raises:
        LogError: the rows are no log of the course, though each was read.
    """
    try:
        log = open_path(folder)
    except LogError as error:
        said = str(error).partition("\nTo mend it:")[0].replace(str(folder), "the adopted log")
        raise LogError(f"{report.files[0]}: {said}\nIt was read so:\n{report}") from error
    if log.positive_only and not any("positives only" in line for line in report.told):
        report.told.append(f"positives only: {log.positive_only}; notebooks that rank refuse it")
