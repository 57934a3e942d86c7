"""What a foreign file is, told by its name and its first line, and its columns as lazy frames.

CSV, TSV and other text is read as text throughout, and so is JSON: no type is guessed from the
first rows, so what a column holds is decided later, on all of its values.
"""

from __future__ import annotations

import codecs
import difflib
import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import polars as pl

from course_utils.data.complaints import first_line
from course_utils.data.sources.files import read_table
from course_utils.schema import LogError
from course_utils.settings import exists, polars_path

_KINDS = {
    **dict.fromkeys((".csv", ".tsv", ".tab", ".txt", ".dat", ".data"), "text"),
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), "json"),
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
}
_PACKED = (".zip", ".tar", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar")
_SEPARATORS = ("::", "\t", ",", ";", "|")
_WHOLE_LINE = "\x1f"
"""No text has this control character: with it as separator, a line is one field."""
_OTHERS = "other fields"
"""A column that `take` adds; no role is called so."""
_BLOCK = 1 << 20
_FIRST_ROWS = 1_000
"""Of JSON lines, whose keys are taken for the columns; more are read if one is missing."""
_NEED = "an extension that says what it is: .csv, .tsv, .jsonl, .json, .parquet, or these with .gz"


@dataclass(frozen=True)
class Cut:
    """How text is cut into fields, where it does not say so itself.

    Attributes:
        separator: between two fields, of one character or more; None: told by the first line.
        columns: names of the columns of a file without a line of names; empty: it has one.
        quotes: whether a field may stand in double quotes; None: told by the kind of file.
        encoding: of the text, a name that Python knows.
    """

    separator: str | None = None
    columns: tuple[str, ...] = ()
    quotes: bool | None = None
    encoding: str = "utf-8"


@dataclass(frozen=True)
class Foreign:
    """A foreign table that nobody has read yet.

    Attributes:
        names: of its columns. told: what kind of file it is, in words.
        take: the lazy frame of some of its columns. all_names: reads the whole for their names,
            where the first rows may lack some. lasting: whether reading it twice is cheap.
    """

    names: list[str]
    told: str
    take: Callable[[list[str]], pl.LazyFrame]
    all_names: Callable[[], list[str]] | None = None
    lasting: bool = False


def find_files(given: list[str]) -> list[Path]:
    """The files that paths, folders and patterns name, each once and in order.

    What exists stands for itself, whatever characters it has; only else `*` and `?` are patterns.

    Raises:
        LogError: nothing is there, or a folder holds nothing readable or files of several kinds.
    """
    found: dict[Path, None] = {}
    for text in given:
        path = Path(text).expanduser()
        if exists(path):
            files = _in_folder(path) if path.is_dir() else [path]
        else:
            files = _matching(path)
            if not files:
                raise LogError(f"{text}: no such file or folder, and no pattern that finds one")
        found |= dict.fromkeys(files)
    return list(found)


def _matching(path: Path) -> list[Path]:
    root = Path(path.anchor)
    pattern = str(path.relative_to(root)) if path.anchor else str(path)
    if not any(sign in pattern for sign in "*?["):
        return []
    return sorted(file for file in root.glob(pattern) if file.is_file())


def _in_folder(folder: Path) -> list[Path]:
    files = sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and not path.name.startswith(".") and _suffix(path) in _KINDS
    )
    kinds = {_KINDS[_suffix(path)] for path in files}
    if not files:
        raise LogError(
            f"{folder}: the folder holds no CSV, TSV, JSON or Parquet file; for those in folders "
            f"below, give a pattern in quotes: '{folder}/*/*.parquet'"
        )
    if len(kinds) > 1:
        names = ", ".join(path.name for path in files[:6])
        raise LogError(f"{folder}: files of several kinds ({names}); name the ones that you mean")
    return files


def _suffix(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    return Path(name).suffix


def stem(path: Path) -> str:
    """The name of a file without what says its kind: `Books` of `Books.jsonl.gz`."""
    return path.name.partition(".")[0] or path.name


def need_columns(table: Foreign, wanted: list[str], source: str, asked: str) -> None:
    """Complain of a column that the table has not, with the names that are most like it."""
    names = table.names
    if table.all_names and not set(wanted) <= set(names):
        names = table.all_names()
    for name in wanted:
        if name not in names:
            plain = {other.lower(): other for other in names}
            like = [plain[n] for n in difflib.get_close_matches(name.lower(), plain, n=3)]
            raise LogError(
                f"{source}: no column {name!r} ({asked})"
                + (f"; do you mean {' or '.join(map(repr, like))}?" if like else "")
                + f" There are {names}. Fields are told apart as {table.told}"
            )


def open_foreign(files: list[Path], cut: Cut, work: Path) -> Foreign:
    """A table that lies in one file or several alike.

    Args:
        files: at least one. cut: how text is cut. work: a folder for what must be written anew.

    Raises:
        LogError: a file is empty, packed, of an unknown kind, or not like the first.
    """
    for path in files:
        _check_file(path)
    kinds = {_KINDS[_suffix(path)] for path in files}
    if len(kinds) > 1:
        raise LogError(f"files of several kinds: {', '.join(map(str, files[:6]))}; adopt one kind")
    if kinds == {"parquet"}:
        return _open_parquet(files)
    if codecs.lookup(cut.encoding).name != "utf-8":
        files = [_in_utf8(path, cut.encoding, work) for path in files]
    return _open_text(files, cut) if kinds == {"text"} else _open_json(files, work)


def _check_file(path: Path) -> None:
    lower = path.name.lower()
    if lower.endswith(_PACKED) or lower.endswith(".tar.gz"):
        raise LogError(f"{path}: the file is packed; unpack it first (.gz alone may stay)")
    if _suffix(path) not in _KINDS:
        raise LogError(f"{path}: no known kind of file; give it {_NEED}")
    try:
        size = path.stat().st_size
    except OSError as error:
        raise LogError(f"{path}: cannot be read ({error.strerror})") from error
    if not size:
        raise LogError(f"{path}: the file is empty (0 bytes); copy or download it again")


# Parquet


def _open_parquet(files: list[Path]) -> Foreign:
    frames = [read_table(path) for path in files]
    schemas = [frame.collect_schema() for frame in frames]
    for path, schema in zip(files, schemas, strict=True):
        if schema != schemas[0]:
            odd = [n for n in {**schemas[0], **schema} if schema.get(n) != schemas[0].get(n)]
            raise LogError(
                f"{path}: column {(odd or list(schema))[0]!r} differs in type or place from "
                f"{files[0].name}; write all parts alike"
            )
    whole = pl.concat(frames) if len(frames) > 1 else frames[0]
    return Foreign(list(schemas[0]), "Parquet", lambda names: whole.select(names), lasting=True)


# Text


def _open_text(files: list[Path], cut: Cut) -> Foreign:
    heads = [first_line_of(path) for path in files]
    separator = cut.separator or _separator(heads[0], _suffix(files[0]))
    for path, head in zip(files, heads, strict=True):
        if not cut.columns and head != heads[0]:
            raise LogError(
                f"{path}: its first line is not that of {files[0].name}: {head[:80]!r}; adopt "
                "files with the same columns together, or name those of files without: --columns"
            )
    quotes = cut.quotes
    if quotes is None:
        quotes = separator in ",;" or '"' in heads[0]
    told = f"text, fields between {separator!r}, {'quotes allowed' if quotes else 'no quotes'}"
    if len(separator) > 1:
        return _open_wide(files, cut, heads[0], separator, told)
    scan = pl.scan_csv(
        [polars_path(path) for path in files],
        separator=separator,
        quote_char='"' if quotes else None,
        has_header=not cut.columns,
        schema=dict.fromkeys(cut.columns, pl.String) or None,
        infer_schema=False,
        glob=False,
    )
    try:
        names = scan.collect_schema().names()
    except pl.exceptions.PolarsError as error:
        raise LogError(f"{files[0]}: not readable as text ({first_line(error)})") from error

    def take(wanted: list[str]) -> pl.LazyFrame:
        others = [name for name in names if name not in wanted]
        if not quotes or not others:
            return scan.select(wanted)
        # Polars finds a stray quote only in columns that it reads, and it may hide whole lines.
        read = pl.any_horizontal(pl.col(others).is_not_null())
        return scan.select(*wanted, **{_OTHERS: read})

    return Foreign(names, told, take)


def _open_wide(files: list[Path], cut: Cut, head: str, separator: str, told: str) -> Foreign:
    """Fields between several characters, such as MovieLens's `::`, which are never in quotes."""
    names = list(cut.columns) or head.split(separator)
    lines = pl.scan_csv(
        [polars_path(path) for path in files],
        separator=_WHOLE_LINE,
        quote_char=None,
        has_header=not cut.columns,
        infer_schema=False,
        glob=False,
    )
    fields = pl.first().str.split(separator)

    def take(wanted: list[str]) -> pl.LazyFrame:
        return lines.select(
            fields.list.get(names.index(name), null_on_oob=True).alias(name) for name in wanted
        )

    return Foreign(names, told, take)


def first_line_of(path: Path) -> str:
    """The first line of text, without byte order mark and end.

    Raises:
        LogError: the file begins with no line of UTF-8.
    """
    try:
        with _unpacked(path) as handle:
            head = handle.readline(_BLOCK)
    except OSError as error:
        raise LogError(f"{path}: cannot be read ({first_line(error)})") from error
    try:
        text = head.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise LogError(
            f"{path}: the first line is not UTF-8 ({error.reason}); say what it is, for example "
            "--encoding utf-16, --encoding cp1252"
        ) from error
    if "\0" in text:
        raise LogError(f"{path}: no text, or text in --encoding utf-16: {text[:20]!r}")
    if not text.strip():
        raise LogError(f"{path}: the first line is empty; remove empty lines at the start")
    return text


def _unpacked(path: Path) -> IO[bytes]:
    """The bytes of a file, packed with gzip or not."""
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rb")  # type: ignore[return-value]  # reads like any other
    return path.open("rb")


def _separator(head: str, suffix: str) -> str:
    if suffix in (".tsv", ".tab"):
        return "\t"
    counts = {sign: head.count(sign) for sign in _SEPARATORS}
    return "::" if counts["::"] > 1 else max(_SEPARATORS[1:], key=lambda sign: counts[sign])


def _in_utf8(path: Path, encoding: str, work: Path) -> Path:
    """The same text in UTF-8, written a block at a time.

    Raises:
        LogError: the text is not in this encoding.
    """
    plain = work / f"{len(list(work.iterdir()))}-{path.name.removesuffix('.gz')}"
    reader = codecs.getreader(encoding)
    try:
        with _unpacked(path) as source, plain.open("w", encoding="utf-8", newline="") as target:
            text = reader(source)
            while block := text.read(_BLOCK):
                target.write(block)
    except (UnicodeError, OSError) as error:
        raise LogError(f"{path}: not in --encoding {encoding} ({first_line(error)})") from error
    return plain


# JSON


def _open_json(files: list[Path], work: Path) -> Foreign:
    arrays = {path: _is_array(path) for path in files}
    if len(set(arrays.values())) > 1:
        raise LogError("JSON lines and JSON arrays together: adopt files of one kind")
    return _open_arrays(files, work) if arrays[files[0]] else _open_lines(files)


def _is_array(path: Path) -> bool:
    """Whether JSON is one array, rather than an object a line.

    Raises:
        LogError: it is neither.
    """
    with _unpacked(path) as handle:
        head = handle.read(200).removeprefix(codecs.BOM_UTF8).lstrip()
    if head[:1] not in (b"[", b"{"):
        raise LogError(f"{path}: no JSON of objects: it starts with {head[:20]!r}")
    return head[:1] == b"["


def _open_lines(files: list[Path]) -> Foreign:
    def names(rows: int | None) -> list[str]:
        found: dict[str, None] = {}
        try:
            for path in files:
                some = pl.scan_ndjson(_plain(path), infer_schema_length=rows)
                found |= dict.fromkeys(some.collect_schema().names())
            return list(found)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            raise LogError(
                f"{files[0]}: not readable as JSON lines, one object a line ({first_line(error)})"
            ) from error

    def take(wanted: list[str]) -> pl.LazyFrame:
        schema = dict.fromkeys(wanted, pl.String)
        return pl.concat([pl.scan_ndjson(_plain(path), schema=schema) for path in files])

    return Foreign(names(_FIRST_ROWS), "JSON lines", take, lambda: names(None))


def _plain(path: Path) -> str | IO[bytes]:
    """A file as `scan_ndjson` takes it, which reads some names as patterns."""
    text = polars_path(path)
    return path.open("rb") if any(sign in text for sign in "*?[") else text


def _open_arrays(files: list[Path], work: Path) -> Foreign:
    """Arrays of objects: each file is read whole, one after the other, and written as a part.

    A column `folder` tells in which folder a file lies.
    """
    first = next(_objects(files[0]), None)
    if first is None:
        raise LogError(f"{files[0]}: the array is empty")
    names = dict.fromkeys(key for path in files for row in _objects(path) for key in row)

    def take(wanted: list[str]) -> pl.LazyFrame:
        parts = []
        for n, path in enumerate(files):
            rows = [{"folder": path.absolute().parent.name, **row} for row in _objects(path)]
            columns = {name: [_as_text(row.get(name)) for row in rows] for name in wanted}
            part = work / f"array-{n}.parquet"
            pl.DataFrame(columns, schema=dict.fromkeys(wanted, pl.String)).write_parquet(part)
            parts.append(read_table(part))
        return pl.concat(parts)

    return Foreign(list({**names, "folder": None}), "a JSON array", take)


def _objects(path: Path) -> Iterator[dict]:
    try:
        with _unpacked(path) as handle:
            rows = json.loads(handle.read().decode("utf-8-sig"))
    except (ValueError, OSError) as error:
        raise LogError(
            f"{path}: not a whole JSON array ({first_line(error)}); copy or download it again"
        ) from error
    for n, row in enumerate(rows):
        if not isinstance(row, dict):
            raise LogError(f"{path}: entry {n} of the array is no object: {str(row)[:60]}")
        yield row


def _as_text(value: object) -> str | None:
    return value if isinstance(value, str) or value is None else json.dumps(value)
