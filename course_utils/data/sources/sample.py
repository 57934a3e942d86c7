"""A log too large for a laptop: some of its listeners, with all that they did."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from course_utils.data.log import Log
from course_utils.schema import LogError

OPTION = "n_listeners"


def parse_sample(source: str, options: str) -> int:
    """How many listeners `SOURCE:n_listeners=N` asks for.

    Raises:
        LogError: another option, or not a number from 2.

    >>> parse_sample("grocery", "n_listeners=500")
    500
    """
    key, _, value = options.partition("=")
    if key != OPTION:
        raise LogError(f"unknown option {key!r} of {source}; it has {OPTION!r} only")
    if not value.isdecimal() or int(value) < 2:
        raise LogError(f"{source}: {OPTION}={value!r} must be a whole number, 2 or more")
    return int(value)


def some_listeners(log: Log, number: int, name: str) -> Log:
    """A log of listeners that are drawn at random, always the same ones.

    The first 500 of 1,000 drawn are the 500 that would be drawn. Tables of items stay whole.

    Args:
        log: with at least `number` listeners. number: of listeners. name: of the smaller log.

    Raises:
        LogError: there are not so many.
    """
    uids = log.events.select(pl.col("uid").unique()).collect(engine="streaming")["uid"].sort()
    if number > len(uids):
        raise LogError(
            f"{name}: the log has {len(uids):,} listeners; ask for fewer, or for all of them: "
            f"{log.name}"
        )
    drawn = uids.gather(np.random.default_rng(0).permutation(len(uids))[:number])
    return replace(log, name=name, events=log.events.filter(pl.col("uid").is_in(drawn.implode())))
