"""Write the log of a world: events, truth, and the tables of tracks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
from tqdm.auto import tqdm

from course_utils.schema import EVENT_SCHEMA, EVENT_TYPES, SECONDS_PER_DAY
from course_utils.settings import polars_path
from course_utils.world.catalogue import (
    Catalogue,
    build_catalogue,
    content_table,
    text_table,
    track_table,
)
from course_utils.world.config import WorldConfig, WorldError
from course_utils.world.dynamics import TIME_BIN, Dynamics
from course_utils.world.listeners import LISTENS_PER_SESSION, Listeners, build_listeners

CELLS_PER_BLOCK = 3_000_000


EVENTS_PER_PART = 4_000_000

_STEPS, _STEPS_SIMULATED = 1_000, 950
"""Of the progress bar: in all, and for the simulation; the rest is for sorting the log."""


def simulate_block(
    config: WorldConfig,
    catalogue: Catalogue,
    listeners: Listeners,
    block: int,
    lived: Callable[[float], object] = lambda sessions: None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Follow these listeners from the first to the last day.

    Args:
        config, catalogue: the world. listeners: those to follow. block: their block's number.
        lived: told again and again how many sessions, as planned, have passed since it was last
            told; the sum over a block is `planned_sessions`.

    Returns:
        events (columns of the log) and truth (`uid`, `timestamp`, `item_id`, `probability`,
        `propensity`), one row a listen, both unsorted.
    """
    rng = np.random.default_rng([config.seed, 5, block])
    dynamics = Dynamics(config, catalogue, listeners, rng)
    pieces: list[dict[str, np.ndarray]] = []
    left = planned_sessions(listeners, dynamics.horizon - listeners.arrival)
    while True:
        alive = dynamics.now < dynamics.horizon
        time_left = np.maximum(dynamics.horizon - dynamics.now, 0)
        still_left = planned_sessions(dynamics.listeners, time_left)
        lived(left - still_left)
        left = still_left
        if not alive.any():
            break
        if alive.mean() < 0.8:
            dynamics.keep(np.flatnonzero(alive))
            alive = np.ones(len(dynamics), bool)
        track, organic, propensity = dynamics.choose()
        uid = dynamics.listeners.uid
        response = dynamics.react(track, organic)
        piece = {
            "uid": uid,
            "timestamp": _stamp(response["time"]),
            "track": track.astype(np.int32),
            "is_organic": organic.astype(np.uint8),
            "played_ratio_pct": response["ratio"].astype(np.uint16),
            "probability": response["probability"].astype(np.float32),
            "propensity": propensity,
            "event": response["event"].astype(np.uint8),
            "event_time": _stamp(response["event_time"]),
        }
        pieces.append(piece if alive.all() else {k: v[alive] for k, v in piece.items()})
    if not pieces:
        return pl.DataFrame(schema=EVENT_SCHEMA), _truth(pl.DataFrame())
    table = pl.DataFrame({k: np.concatenate([p[k] for p in pieces]) for k in pieces[0]})
    table = table.with_columns(
        item_id=pl.Series(catalogue.item_id[table["track"].to_numpy()]),
        track_length_seconds=pl.Series(
            catalogue.length[table["track"].to_numpy()], dtype=pl.UInt32
        ),
    )
    return _events(table, dynamics.horizon), _truth(table)


def _stamp(seconds: np.ndarray) -> np.ndarray:
    """Times as the log has them: the start of their bin."""
    return (seconds // TIME_BIN * TIME_BIN).astype(np.uint32)


def planned_sessions(listeners: Listeners, seconds: np.ndarray) -> float:
    """How many sessions these listeners are expected to have in so many seconds each, (B,)."""
    return float((listeners.sessions_per_day * seconds).sum() / SECONDS_PER_DAY)


def _events(table: pl.DataFrame, horizon: int) -> pl.DataFrame:
    """One row a listen, and one more for each explicit feedback before the log ends."""
    listens = table.with_columns(event_type=pl.lit("listen", dtype=EVENT_SCHEMA["event_type"]))
    names = pl.Series(EVENT_TYPES, dtype=EVENT_SCHEMA["event_type"])
    reactions = table.filter(pl.col("event") > 0, pl.col("event_time") < horizon)
    reactions = reactions.with_columns(
        event_type=names.gather(reactions["event"]),
        timestamp=pl.col("event_time"),
        played_ratio_pct=pl.lit(None, dtype=pl.UInt16),
        track_length_seconds=pl.lit(None, dtype=pl.UInt32),
    )
    columns = list(EVENT_SCHEMA)
    return pl.concat([listens.select(columns), reactions.select(columns)])


def _truth(table: pl.DataFrame) -> pl.DataFrame:
    schema = {
        "uid": pl.UInt32,
        "timestamp": pl.UInt32,
        "item_id": pl.UInt32,
        "probability": pl.Float32,
        "propensity": pl.Float64,
    }
    if table.is_empty():
        return pl.DataFrame(schema=schema)
    return table.select(list(schema)).with_columns(pl.col("propensity").fill_nan(None))


def listener_blocks(config: WorldConfig, listeners: Listeners) -> Iterator[Listeners]:
    """Cut the listeners, sorted by activity, into blocks of similar length and bounded memory."""
    days = config.days - listeners.arrival / SECONDS_PER_DAY
    expected = listeners.sessions_per_day * days * LISTENS_PER_SESSION
    start = 0
    while start < len(listeners):
        size = int(np.clip(CELLS_PER_BLOCK / max(1.0, expected[start]), 64, 2_048))
        yield listeners.take(np.arange(start, min(start + size, len(listeners))))
        start += size


def write_world(config: WorldConfig, folder: Path, progress: bool = True) -> None:
    """Write the whole world into `folder` (which must exist and be empty).

    Files: `log/part-*.parquet` and `truth/part-*.parquet`, each in the order of time;
    `tracks.parquet`, `embeddings.parquet`, `texts.parquet`; `world.json`. Memory holds one block
    of listeners and one part of the log, whatever the size of the world.

    Args:
        config: the world. folder: where to write.
        progress: show a tqdm bar of the simulated time, weighted by how active listeners are.

    Raises:
        WorldError: nobody listened to anything.
    """
    n_parts = max(1, -(-config.expected_listens // EVENTS_PER_PART))
    width = -(-config.days * SECONDS_PER_DAY // n_parts)
    quiet = {} if progress else {"disable": True}  # left out, TQDM_DISABLE decides
    look = "{l_bar}{bar}| {elapsed}<{remaining}"
    with tqdm(total=_STEPS, desc="generating the log", bar_format=look, **quiet) as bar:
        catalogue = build_catalogue(config)
        listeners = build_listeners(config, catalogue)
        presence = config.days * SECONDS_PER_DAY - listeners.arrival
        lived = _counter(bar, planned_sessions(listeners, presence))
        _write(track_table(catalogue), folder / "tracks.parquet")
        _write(content_table(config, catalogue), folder / "embeddings.parquet")
        _write(text_table(config, catalogue), folder / "texts.parquet")
        for number, block in enumerate(listener_blocks(config, listeners)):
            tables = simulate_block(config, catalogue, block, number, lived)
            for name, table in zip(("log", "truth"), tables, strict=True):
                _scatter(table, folder / "pieces" / name, number, width, n_parts)
        if not (folder / "pieces").exists():
            raise WorldError(
                "this world is so small that nobody listened to anything; ask for more "
                "n_listeners, days or listens_per_listener"
            )
        for name in ("log", "truth"):
            _gather(folder / "pieces" / name, folder / name)
            bar.update((_STEPS - _STEPS_SIMULATED) // 2)
    (folder / "pieces").rmdir()
    world = json.dumps(config.as_dict(), indent=1) + "\n"
    (folder / "world.json").write_text(world, encoding="utf-8", newline="\n")


def _counter(bar: tqdm, whole: float) -> Callable[[float], object]:
    """Moves the bar, in whole steps, by how many of the planned sessions have passed."""
    passed, shown = 0.0, 0

    def lived(sessions: float) -> None:
        nonlocal passed, shown
        passed += sessions
        step = min(_STEPS_SIMULATED, int(passed / whole * _STEPS_SIMULATED + 1e-6))
        if step > shown:
            bar.update(step - shown)
            shown = step

    return lived


def _write(table: pl.DataFrame, path: Path) -> None:
    table.write_parquet(polars_path(path))


def _scatter(table: pl.DataFrame, pieces: Path, number: int, width: int, n_parts: int) -> None:
    """Write a block's rows into one folder per stretch of time."""
    part = (table["timestamp"] // width).clip(upper_bound=n_parts - 1).alias("part")
    for (key,), rows in table.with_columns(part).group_by("part"):
        where = pieces / f"{key:0{max(3, len(str(n_parts - 1)))}d}"  # names sort as numbers do
        where.mkdir(parents=True, exist_ok=True)
        _write(rows.drop("part"), where / f"{number:06d}.parquet")


def _gather(pieces: Path, target: Path) -> None:
    """Sort each stretch of time and write it as one part; remove the pieces."""
    target.mkdir()
    for stretch in sorted(pieces.iterdir()):
        pieces_of = sorted(stretch.iterdir())
        names = [polars_path(piece) for piece in pieces_of]
        rows = pl.read_parquet(names, glob=False, hive_partitioning=False)
        order = ["timestamp", "uid", "item_id"]
        _write(rows.sort(order, maintain_order=True), target / f"part-{stretch.name}.parquet")
        for piece in pieces_of:
            piece.unlink()
        stretch.rmdir()
    pieces.rmdir()
