"""`open_log()`: one door to every source of the course.

`COURSE_LOG` chooses the source, `COURSE_DATA` the folder for generated and downloaded files
(default: `data/` of the project). A source that cannot be had says why; none stands in for
another.
"""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from course_utils.schema import LogError
from course_utils.settings import (
    DEFAULT_LOG,
    SOURCES,
    absolute_log,
    chosen_log,
    exists,
    names_source,
    why_unreadable,
)
from course_utils.world.config import WorldConfig


@dataclass(frozen=True)
class Log:
    """A log and the tables beside it, all lazy.

    Attributes:
        name: the source as given, or the absolute path of a log of one's own.
        events: the log (schema of `course_utils.schema`), sorted by time.
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


def open_log(source: str | Path | None = None) -> Log:
    """Open a log.

    Args:
        source: `sim` (generated on first use), `sim:name=value,…` (another world: any field of
            `WorldConfig`, effects joined by `+`, e.g. `sim:seed=1,without=mood+drift`),
            `yambda-50m`, `yambda-500m`, `yambda-5b`, `movielens`, `grocery`, each of them with all
            its listeners or with some (`yambda-50m:n_listeners=1000`), or the path of a
            Parquet file or folder: relative to the working directory, `~` is the home folder.
            A folder of your own that is called like a source is named as a path: `./sim`, or
            `Path("sim")`. Default: the variable `COURSE_LOG`, else `sim`.

    Raises:
        LogError: the source is not known, cannot be had, or is not a valid log.
        SettingsError: a variable names a path that is ambiguous or cannot be.
    """
    from course_utils.data.sources import files, hub, packaged, sample, sim  # they make a `Log`

    name = absolute_log(source) if source else chosen_log()
    if not names_source(name):
        _need_path(name, source)
        return files.open_path(Path(name))
    kind, _, options = name.partition(":")
    if kind == DEFAULT_LOG:
        return sim.open_sim(name, options)
    asked = sample.parse_sample(kind, options) if options else None
    log = packaged.PACKAGED[kind]() if kind in packaged.PACKAGED else hub.open_yambda(kind)
    return sample.some_listeners(log, asked, name) if asked else log


def _need_path(name: str, source: str | Path | None) -> None:
    """Complain of a name that is neither a source nor a path."""
    path = Path(name)
    asked = f"COURSE_LOG={os.environ.get('COURSE_LOG')!r}" if source is None else repr(str(source))
    if why := why_unreadable(path):
        raise LogError(f"{asked}: {name} cannot be read ({why}); check the name and permissions")
    if exists(path):
        return
    like = difflib.get_close_matches(path.name.lower(), SOURCES, n=1)
    raise LogError(
        f"{asked} is neither a known source ({', '.join(SOURCES)}) nor an existing file or folder "
        f"({name})" + (f"; do you mean {like[0]!r}?" if like else "")
    )
