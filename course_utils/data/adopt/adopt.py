"""`python -m course_utils adopt`: a foreign log becomes a folder that `open_log` opens.

Text is written once as Parquet and read as a stream from there; the log itself is never in
memory, only the distinct ids are.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl

from course_utils.data.adopt import reading, times, values
from course_utils.data.adopt.numbering import Numbering, number
from course_utils.data.adopt.options import LISTENER_PER, Options
from course_utils.data.adopt.presets import PRESETS, Preset
from course_utils.data.adopt.report import Report
from course_utils.data.adopt.values import Fault, Reading
from course_utils.data.adopt.writing import known_items, of_items, write_items, write_log
from course_utils.data.complaints import answer, bad_rows, first_line
from course_utils.data.sources.files import open_path, read_table
from course_utils.schema import EVENT_SCHEMA, LogError
from course_utils.settings import (
    data_folder,
    exists,
    log_stem,
    make_folder,
    polars_path,
    written_whole,
)

REPORT, RECORD = "report.txt", "adopted.json"
_MOST_LOST = 0.1
"""Of the rows; if more have a time that cannot be read, the column is misunderstood."""
_LONGEST_SHOWN = 40


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
    _need_room(target, anew)
    with written_whole(target) as folder:
        work = make_folder(folder / "work")
        try:
            _write(files, options, known, report, folder, work)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            raise LogError(_unreadable(files, error)) from error
        except OSError as error:
            raise LogError(
                f"{target}: cannot be written ({first_line(error)}); free some space, or name a "
                "folder where you may write: --into FOLDER"
            ) from error
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
    elif any(words in said for words in ("more fields", "CSV", "could not parse")):
        what = (
            "quotes or separators are not what they seem: if quotes are plain text, --no-quotes; "
            "if fields stand between another sign, --separator; a field that holds it needs quotes"
        )
    return f"{', '.join(map(str, files[:3]))}: cannot be read to the end ({said}); {what}"


def _need_room(target: Path, anew: bool) -> None:
    """Complain of a folder that is there already and may not be replaced."""
    mine = exists(target / RECORD)
    if exists(target) and not (anew and mine) and not (target.is_dir() and _is_empty(target)):
        raise LogError(
            f"{target}: this folder is there already; name another with --into"
            + (", or write it anew with --replace" if mine else "")
        )


def _is_empty(folder: Path) -> bool:
    return next(folder.iterdir(), None) is None


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
    write_log(events, moments, report, work)
    beside = None
    if preset.items and options.items is None and not options.of_items():
        beside = preset.items(files, work)
    write_items(known_items(rows, beside, options, report, work), tracks, report, folder)


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
        **({} if options.items else of_items(options)),
    ).with_row_index("row"), told


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
