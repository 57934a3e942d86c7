"""The simulated world as a log: generated once, on first use, into the data folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path

from course_utils.data.log import Log
from course_utils.data.sources.files import read_folder, read_table
from course_utils.schema import LogError
from course_utils.settings import data_folder, exists, make_folder, written_whole
from course_utils.world.config import WORLD_VERSION, WorldConfig, WorldError
from course_utils.world.simulate import write_world


def parse_world(options: str) -> WorldConfig:
    """The world that `sim:OPTIONS` names.

    Raises:
        LogError: an option is unknown, given twice, or its value does not fit.

    >>> parse_world("seed=1,without=mood+drift").without
    ('drift', 'mood')
    """
    kinds = {f.name: f.type for f in fields(WorldConfig)}
    number: dict[object, type] = {"int": int, "float": float}
    chosen: dict = {}
    for option in filter(None, options.split(",")):
        key, _, value = option.partition("=")
        if key not in kinds:
            raise LogError(f"unknown option {key!r} of sim; it has {sorted(kinds)}")
        if key in chosen:
            raise LogError(f"sim: option {key} is given twice; leave the one that you mean")
        try:
            chosen[key] = (
                tuple(filter(None, value.split("+")))
                if key == "without"
                else number[kinds[key]](value)
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
def _written_once(target: Path) -> Iterator[Path | None]:
    """`written_whole`, for one of several processes that ask for the same folder; None for others.

    They wait for each other.
    """
    from filelock import FileLock

    make_folder(target.parent)
    with FileLock(target.with_name(f".{target.name}.lock")):
        if exists(target):
            yield None
            return
        with written_whole(target) as partial:
            yield partial


def open_sim(name: str, options: str) -> Log:
    """The log of a simulated world, generated if it is not there.

    Args:
        name: of the log. options: of the world, as for `parse_world`.

    Raises:
        LogError: an option does not fit, or the log cannot be written or read.
    """
    config = parse_world(options)
    folder = sim_folder(config)
    if not exists(folder):
        try:
            with _written_once(folder) as partial:
                if partial is not None:
                    write_world(config, partial)
        except WorldError as error:
            raise LogError(f"{name}: {error}") from error
        except OSError as error:
            raise LogError(
                f"{name}: the log cannot be written to {folder.parent} ({error}); free some space, "
                "or name a folder where you may write: COURSE_DATA=…"
            ) from error
    try:
        log = read_folder(name, folder, check=False)
        return replace(log, truth=read_table(folder / "truth"), world=config)
    except LogError as error:
        raise LogError(f"{error}; remove {folder} to have the log generated anew") from error
