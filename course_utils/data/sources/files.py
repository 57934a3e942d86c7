"""Logs that lie in Parquet files or folders."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from course_utils.data.log import Log
from course_utils.data.validation import check_events, check_vectors, first_line
from course_utils.schema import LogError


def read_table(path: Path) -> pl.LazyFrame:
    """Open a Parquet file, or a folder of Parquet parts whose names sort in time order.

    Raises:
        LogError: nothing is there, or a file is not a whole Parquet file.
    """
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise LogError(f"{path}: the folder has no .parquet files; put the parts of the log there")
    for file in files:
        if not file.exists():
            raise LogError(f"{file}: no such file")
        _check_parquet(file)
    frame = pl.scan_parquet(files)
    try:
        frame.collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise LogError(
            f"{path}: not readable as Parquet ({first_line(error)}); "
            "it may be cut short: copy or download it again"
        ) from error
    return frame


def _check_parquet(file: Path) -> None:
    """Tell a foreign or a truncated file from a Parquet one by its first and last four bytes."""
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


def _optional(path: Path) -> pl.LazyFrame | None:
    return read_table(path) if path.exists() else None


def read_folder(name: str, folder: Path, check: bool) -> Log:
    """A folder with `log/` or `log.parquet`, and `tracks`, `embeddings`, `texts` if there are."""
    events = read_table(folder / "log" if (folder / "log").is_dir() else folder / "log.parquet")
    tracks, vectors = _optional(folder / "tracks.parquet"), _optional(folder / "embeddings.parquet")
    mapped = {}
    for key in ("artist_id", "album_id"):
        has_key = tracks is not None and key in tracks.collect_schema()
        mapped[key] = tracks.select(key, "item_id").drop_nulls() if has_key else None
    if check:
        events = check_events(events, name)
        if vectors is not None:
            vectors = check_vectors(vectors, f"{name}/embeddings.parquet")
    return Log(
        name=name,
        events=events,
        artists=mapped["artist_id"],
        albums=mapped["album_id"],
        vectors=vectors,
        texts=_optional(folder / "texts.parquet"),
    )


def open_path(path: Path) -> Log:
    if path.is_dir() and ((path / "log").is_dir() or (path / "log.parquet").exists()):
        return read_folder(str(path), path, check=True)
    return Log(name=str(path), events=check_events(read_table(path), str(path)))
