"""Published logs whose columns are known: `--preset NAME`, and what it says for the user.

| preset | files | what is done |
|---|---|---|
| `movielens` | `ratings.csv`, `ratings.dat`, `u.data` | ratings; titles, genres of `movies.*` |
| `amazon` | reviews as JSON lines or CSV, 2014, 2018, 2023 | ratings; titles of `meta_*` beside |
| `lastfm-1k` | `userid-timestamp-artid-artname-traid-traname.tsv` | plays, positives only |
| `yambda` | Parquet, flat multi-event | as it is |
| `spotify` | extended streaming history, JSON | plays of one person or several |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from course_utils.data.adopt import reading
from course_utils.data.adopt.options import Options
from course_utils.data.adopt.reading import Cut
from course_utils.schema import FINISHED_PCT, LogError
from course_utils.settings import exists

_ASIN = 10
"""Letters and digits of an Amazon product; names of people have more."""
_BASENAME = "userid-timestamp-artid-artname-traid-traname.tsv"


@dataclass(frozen=True)
class Preset:
    """What is known of a published log.

    Attributes:
        options: what a user would have to say, for these files.
        names: in a folder, of the files to read, as patterns; the first that finds some counts.
        reads: columns that `prepare` needs beside those of the options, where the file has them.
        prepare: makes the options' columns of the file's, and says what was done.
        items: a table beside the log (`item`, `title`, `text`, `artist`), or None, and its name.
        alone: whether it is often the log of one person, whose months then count as listeners.
    """

    options: Callable[[list[Path]], Options] | None = None
    names: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    prepare: Callable[[pl.LazyFrame], tuple[pl.LazyFrame, list[str]]] | None = None
    items: Callable[[list[Path], Path], tuple[pl.LazyFrame, str] | None] | None = None
    alone: bool = False

    def files(self, given: list[str]) -> list[Path]:
        """The files of paths, patterns and folders; of folders, those that are the log."""
        found: dict[Path, None] = {}
        for text in given:
            folder = Path(text).expanduser()
            inside = [] if not folder.is_dir() else [sorted(folder.glob(n)) for n in self.names]
            mine = next(filter(None, inside), None)
            if inside and mine is None:
                raise LogError(f"{folder}: no {' or '.join(self.names)} here; name the file")
            found |= dict.fromkeys(mine or reading.find_files([text]))
        return list(found)


# MovieLens


def _movielens(files: list[Path]) -> Options:
    first = reading.first_line_of(files[0])
    names = ("userId", "movieId", "rating", "timestamp")
    headed = "userId" in first
    cut = Cut() if headed else Cut("::" if "::" in first else "\t", names, quotes=False)
    return Options("userId", "movieId", "timestamp", rating="rating", rating_top=5, cut=cut)


def _movies(files: list[Path], work: Path) -> tuple[pl.LazyFrame, str] | None:
    """Titles, with genres in the place of artists, of `movies.csv` or `movies.dat`."""
    here = [files[0].with_name(name) for name in ("movies.csv", "movies.dat", "movies.csv.gz")]
    path = next(filter(exists, here), None)
    if path is None:
        return None
    names = ("movieId", "title", "genres")
    cut = Cut(",") if ".csv" in path.name else Cut("::", names, quotes=False, encoding="latin-1")
    table = reading.open_foreign([path], cut, work)
    reading.need_columns(table, list(names), str(path), "this preset")
    genres = pl.when(pl.col("genres") != "(no genres listed)").then(pl.col("genres"))
    rows = table.take(list(names)).with_columns(genres)
    return rows.select(
        item="movieId",
        title="title",
        text=pl.concat_str(
            "title", pl.format(" ({})", genres.str.replace_all("|", ", ", literal=True)),
            ignore_nulls=True,
        ),
        artist=pl.col("genres").str.split("|"),
    ).explode("artist"), path.name  # fmt: skip


# Amazon


_AMAZON = (
    Options("reviewerID", "asin", "unixReviewTime", rating="overall"),  # 2014, 2018
    Options("user_id", "parent_asin", "timestamp", rating="rating"),  # 2023
    Options("user_id", "asin", "timestamp", rating="rating"),
)


def _amazon(files: list[Path]) -> Options:
    first = reading.first_line_of(files[0])
    for options in _AMAZON:
        known = replace(options, rating_top=5)
        if all(f'"{name}"' in first for name in known.roles().values()):
            return known
        if all(name in first.split(",") for name in known.roles().values()):
            return known
    fields = first.split(",")
    if first.startswith("{") or len(fields) != 4:
        raise LogError(
            f"{files[0]}: the first line has not the columns of Amazon's reviews of 2014, 2018 or "
            "2023; name them: --user COL --item COL --time COL --rating COL"
        )
    names = ("user_id", "asin", "rating", "timestamp")
    if len(fields[0]) == _ASIN < len(fields[1]):  # 2018 has the product first
        names = ("asin", "user_id", "rating", "timestamp")
    return replace(_AMAZON[2], rating_top=5, cut=Cut(",", names))


def _products(files: list[Path], work: Path) -> tuple[pl.LazyFrame, str] | None:
    """Titles and makers of `meta_Books.jsonl` beside `Books.jsonl`."""
    name = reading.stem(files[0]).removeprefix("reviews_").removesuffix("_5")
    there = sorted(files[0].parent.glob(f"meta_{name}.*"))
    if not there:
        return None
    table = reading.open_foreign(there[:1], Cut(), work)
    key = "parent_asin" if "parent_asin" in table.names else "asin"
    maker = "store" if "store" in table.names else "brand"
    reading.need_columns(table, [key, "title", maker], str(there[0]), "this preset")
    rows = table.take([key, "title", maker])
    return rows.select(item=key, title="title", text="title", artist=maker), there[0].name


# Last.fm


def _lastfm(files: list[Path]) -> Options:
    names = tuple(Path(_BASENAME).stem.split("-"))
    columns = () if reading.first_line_of(files[0]).split("\t")[0] == names[0] else names
    return Options(
        "userid", "track", "timestamp", text=("traname", "artname"), artist="by",
        cut=Cut("\t", columns, quotes=False),
    )  # fmt: skip


def _name_tracks(rows: pl.LazyFrame) -> tuple[pl.LazyFrame, list[str]]:
    """Tracks and artists without an id of MusicBrainz are called by their names."""

    def filled(name: str) -> pl.Expr:
        return pl.when(pl.col(name).str.strip_chars() != "").then(pl.col(name))

    by_name = pl.format("{} – {}", filled("artname"), filled("traname"))
    done = rows.with_columns(
        track=pl.coalesce(filled("traid"), by_name),
        by=pl.coalesce(filled("artid"), filled("artname")),
    )
    n = rows.select(filled("traid").is_null().sum()).collect(engine="streaming").item()
    return done, [f"tracks: {n:,} rows have no 'traid'; artist and name stand in its place"]


# Yambda


def _yambda(files: list[Path]) -> Options:
    return Options(
        "uid", "item_id", "timestamp", played="played_ratio_pct", length="track_length_seconds",
        type="event_type", organic="is_organic", time_unit="s", played_unit="pct",
    )  # fmt: skip


# Spotify


def _spotify(files: list[Path]) -> Options:
    return Options(
        "listener", "spotify_track_uri", "started", played="share", length="length_ms",
        played_unit="pct", text=("master_metadata_track_name", _ARTIST), artist=_ARTIST,
        album="master_metadata_album_album_name",
    )  # fmt: skip


_ARTIST = "master_metadata_album_artist_name"
_SHORT = FINISHED_PCT - 1
"""Per cent at most, of a play that did not reach the end of its track."""


def _measure_plays(rows: pl.LazyFrame) -> tuple[pl.LazyFrame, list[str]]:
    """Shares of milliseconds, by the length that a track shows when it is played to the end.

    A history has no lengths. The median of a track's plays that end with `trackdone` is taken for
    its length; where there is none, the median of these lengths stands in. A play that ends
    otherwise is never taken for one to the end on this ground alone.
    """
    if "ms_played" not in rows.collect_schema() or "ts" not in rows.collect_schema():
        raise LogError(
            "not the extended streaming history, which has 'ts', 'ms_played' and "
            "'spotify_track_uri'; ask Spotify for it on its privacy page (it comes in some weeks)"
        )
    played = pl.col("ms_played").cast(pl.Float64, strict=False)
    done = (pl.col("reason_end") == "trackdone").fill_null(False)
    track = "spotify_track_uri"
    lengths = (
        rows.filter(done & (played > 0)).group_by(track).agg(length_ms=played.median()).collect()
    )
    if not len(lengths):
        raise LogError("no play ends with 'trackdone', so no length of a track can be told")
    usual = lengths.select(pl.col("length_ms").median()).item()
    ends = pl.col("ts").str.to_datetime("%Y-%m-%dT%H:%M:%S%#z", strict=False, time_unit="us")
    share = played / pl.col("length_ms").fill_null(usual) * 100
    known = pl.col("length_ms").is_not_null()
    listener = ["username"] if "username" in rows.collect_schema() else []
    full = rows.join(lengths.lazy(), on=track, how="left", maintain_order="left").with_columns(
        started=ends - pl.duration(milliseconds=played),
        share=pl.when(done)
        .then(100)
        .otherwise(pl.when(known).then(share).otherwise(share.clip(upper_bound=_SHORT))),
        listener=pl.coalesce(*listener, "folder"),
    )
    n = full.select((pl.col(track).is_not_null() & ~known).sum()).collect().item()
    return full, [
        "times: a row says when a play ended; the milliseconds played are subtracted",
        f"plays: ended by 'trackdone' is a full play; {n:,} plays of tracks that never end so are "
        f"measured by the usual length, {usual / 1_000:.0f} s",
    ]


_READ = (
    "ts", "ms_played", "reason_end", "spotify_track_uri", "username", "folder",
    "master_metadata_track_name", _ARTIST, "master_metadata_album_album_name",
)  # fmt: skip

PRESETS: dict[str, Preset] = {
    "movielens": Preset(
        _movielens, ("ratings.csv", "ratings.dat", "u.data", "ratings.csv.gz"), items=_movies
    ),
    "amazon": Preset(_amazon, items=_products),
    "lastfm-1k": Preset(
        _lastfm,
        (_BASENAME, f"{_BASENAME}.gz"),
        ("userid", "timestamp", "artid", "artname", "traid", "traname"),
        _name_tracks,
    ),
    "yambda": Preset(_yambda, ("multi_event.parquet", "*.parquet")),
    "spotify": Preset(
        _spotify,
        ("**/Streaming_History_Audio_*.json", "**/endsong*.json"),
        _READ,
        _measure_plays,
        alone=True,
    ),
}
"""By name, what is known of a published log."""
