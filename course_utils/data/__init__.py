"""The log: schema, sources, splits in time, counters, histories."""

from .counters import (
    ARTIST_COUNTERS,
    FINISHED_PCT,
    ITEM_COUNTERS,
    SEMINAR_COUNTERS,
    SESSION_COUNTERS,
    TARGET,
    USER_COUNTERS,
    USER_ITEM_COUNTERS,
    add_counters,
)
from .hub import DownloadError
from .schema import EVENT_SCHEMA, EVENT_TYPES, LogError, check_events, check_vectors, read_table
from .sequences import Histories, histories
from .sources import Log, data_folder, open_log, open_ready_features, parse_world, sim_folder
from .splits import TimeSplit, split_for, time_split
from .task import RankingTask, ranking_rows, ranking_task
from .tensors import as_batch, lookup, number, vocabulary

__all__ = [
    "ARTIST_COUNTERS",
    "EVENT_SCHEMA",
    "EVENT_TYPES",
    "FINISHED_PCT",
    "ITEM_COUNTERS",
    "SEMINAR_COUNTERS",
    "SESSION_COUNTERS",
    "TARGET",
    "USER_COUNTERS",
    "USER_ITEM_COUNTERS",
    "DownloadError",
    "Histories",
    "Log",
    "LogError",
    "RankingTask",
    "TimeSplit",
    "add_counters",
    "as_batch",
    "check_events",
    "check_vectors",
    "data_folder",
    "histories",
    "lookup",
    "number",
    "open_log",
    "open_ready_features",
    "parse_world",
    "ranking_rows",
    "ranking_task",
    "read_table",
    "sim_folder",
    "split_for",
    "time_split",
    "vocabulary",
]
