"""Logs that lie in Parquet files or folders."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from course_utils.data.complaints import first_line
from course_utils.data.log import Log
from course_utils.data.validation import CHECKS, check_events, why_positive_only
from course_utils.schema import LogError
from course_utils.settings import exists, polars_path


def read_table(path: Path) -> pl.LazyFrame:
    """Open a Parquet file, or a folder of Parquet parts whose names sort in time order.

    Every character of a path stands for itself: nothing in it is a pattern or a partition.

    Raises:
        LogError: nothing is there, a file is not a whole Parquet file, or parts differ.
    """
    try:
        files = _parts(path) if path.is_dir() else [path]
        for file in files:
            _check_parquet(file)
    except OSError as error:
        raise LogError(
            f"{path}: cannot be read ({type(error).__name__}: {error.strerror}); "
            "check the name and the permissions"
        ) from error
    if not files:
        raise LogError(f"{path}: the folder has no .parquet files; put the parts of the log there")
    schemas = {file: _scan([file]).collect_schema() for file in _readable(files)}
    for file, schema in schemas.items():
        _check_alike(files[0], schemas[files[0]], file, schema)
    return _scan(files)


def _parts(folder: Path) -> list[Path]:
    """The Parquet files of a folder by name; hidden ones, such as macOS's `._`, are none.

    Raises:
        OSError: the folder may not be read.
    """
    names = (path for path in folder.iterdir() if not path.name.startswith("."))
    return sorted(path for path in names if path.name.endswith(".parquet"))


def _scan(files: list[Path]) -> pl.LazyFrame:
    return pl.scan_parquet(
        [polars_path(file) for file in files], glob=False, hive_partitioning=False
    )


def _readable(files: list[Path]) -> list[Path]:
    """The same files; complains of one whose columns cannot be read."""
    for file in files:
        try:
            _scan([file]).collect_schema()
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
            raise LogError(
                f"{file}: not readable as Parquet ({first_line(error)}); "
                "it may be cut short: copy or download it again"
            ) from error
    return files


def _check_parquet(file: Path) -> None:
    """Tell a foreign or a truncated file from a Parquet one by its first and last four bytes."""
    if not file.exists():
        raise LogError(f"{file}: no such file")
    with file.open("rb") as handle:
        head = handle.read(4)
        handle.seek(0, 2)
        if handle.tell() == 0:
            raise LogError(f"{file}: the file is empty (0 bytes); copy or download it again")
        handle.seek(max(0, handle.tell() - 4))
        tail = handle.read(4)
    if head != b"PAR1":
        raise LogError(
            f"{file}: not a Parquet file (it starts with {head!r}, not b'PAR1'); if it is text, "
            "convert it first: pl.scan_csv(...).sink_parquet(...)"
        )
    if tail != b"PAR1":
        raise LogError(
            f"{file}: the Parquet file is cut short (its end mark is missing); "
            "copy or download it again"
        )


def _check_alike(first: Path, wanted: pl.Schema, file: Path, found: pl.Schema) -> None:
    """Complain of a part whose columns are not those of the first."""
    if found == wanted:
        return
    names = [name for name in {**wanted, **found} if wanted.get(name) != found.get(name)]
    if not names:
        raise LogError(
            f"{file}: its columns stand in the order {list(found)}, those of {first.name} in "
            f"{list(wanted)}; write all parts with the same columns"
        )
    raise LogError(
        f"{file}: column {names[0]!r} has type {found.get(names[0], 'none (it is missing)')}, in "
        f"{first.name} {wanted.get(names[0], 'none (it is missing)')}; write all parts with the "
        "same columns"
    )


def read_folder(name: str, folder: Path, check: bool) -> Log:
    """A folder with `log/` or `log.parquet`, and `tracks`, `embeddings`, `texts` if there are.

    Args:
        name: of the log. folder: where it lies. check: whether the tables are foreign.

    Raises:
        LogError: a table cannot be read or is not what it should be.
    """
    both = [folder / "log", folder / "log.parquet"]
    if all(map(exists, both)):
        raise LogError(f"{folder}: it has log/ and log.parquet; leave the one that is the log")
    tables = {"log": read_table(next(filter(exists, both), both[1]))}
    for table in CHECKS:
        if exists(path := folder / f"{table}.parquet"):
            tables[table] = read_table(path)
    positive_only = None
    if check:
        tables, positive_only = _checked(name, tables)
    return Log(
        name=name,
        events=tables["log"],
        artists=_pairs(tables.get("tracks"), "artist_id", check),
        albums=_pairs(tables.get("tracks"), "album_id", check),
        vectors=tables.get("embeddings"),
        texts=tables.get("texts"),
        positive_only=positive_only,
    )


def _pairs(tracks: pl.LazyFrame | None, key: str, unique: bool) -> pl.LazyFrame | None:
    """Which track belongs to which artist or album, if the table of tracks says so."""
    if tracks is None or key not in tracks.collect_schema():
        return None
    pairs = tracks.select(key, "item_id").drop_nulls()
    return pairs.unique(maintain_order=True) if unique else pairs


def _checked(
    name: str, tables: dict[str, pl.LazyFrame]
) -> tuple[dict[str, pl.LazyFrame], str | None]:
    """The tables as valid ones, and why the log has no negative responses, if so."""
    beside = {table: frame for table, frame in tables.items() if table != "log"}
    events = check_events(tables["log"], name, beside)
    checked = {
        table: CHECKS[table](frame, f"{name}/{table}.parquet", events)
        for table, frame in beside.items()
    }
    return {"log": events, **checked}, why_positive_only(events)


def open_path(path: Path) -> Log:
    """A log of one's own: a Parquet file, a folder of parts, or a folder with tables beside it.

    Raises:
        LogError: it cannot be read, or a table is not what it should be.
    """
    if path.is_dir() and (exists(path / "log") or exists(path / "log.parquet")):
        return read_folder(str(path), path, check=True)
    beside = [table for table in CHECKS if exists(path / f"{table}.parquet")]
    if beside:
        raise LogError(
            f"{path}: {beside[0]}.parquet lies here, but no log.parquet and no folder log/; "
            "give the log this name"
        )
    tables, positive_only = _checked(str(path), {"log": read_table(path)})
    return Log(name=str(path), events=tables["log"], positive_only=positive_only)
