"""The self-check: is this machine ready for the course?"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import polars as pl

from course_utils.data.counters import TARGET
from course_utils.data.log import Log, open_log
from course_utils.data.sources.hub import YAMBDA, missing_files
from course_utils.data.sources.sim import parse_world, sim_folder
from course_utils.data.splits import split_for
from course_utils.data.tasks.ranking import PARTS, need_both_outcomes
from course_utils.schema import FINISHED_PCT, LogError
from course_utils.settings import (
    DEFAULT_LOG,
    ROOT,
    SettingsError,
    chosen_log,
    course_seed,
    data_folder,
    exists,
    features_choice,
    names_source,
)

NEEDED_GIB = 4.0


@dataclass(frozen=True)
class Finding:
    """One line of the self-check; `remedy` says what to do if it is not ok."""

    topic: str
    ok: bool
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        line = f"{'✔' if self.ok else '✘'} {self.topic}: {self.found}"
        return line if self.ok else f"{line} → {self.remedy}"


def tested_versions(path: Path = ROOT / "constraints.txt") -> dict[str, str]:
    """The pinned versions of `constraints.txt`, by package name."""
    lines = (line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return dict(line.split("==") for line in lines if "==" in line)


def check_versions(pinned: dict[str, str], packages: list[str]) -> list[Finding]:
    """Whether the installed versions are the tested ones."""
    findings = []
    for name in packages:
        try:
            found = version(name).split("+")[0]
        except PackageNotFoundError:
            findings.append(Finding(name, False, "not installed", "run `make lab` again"))
            continue
        remedy = f"tested with {pinned[name]}: pip install -c constraints.txt {name}"
        findings.append(Finding(name, found == pinned[name], found, remedy))
    return findings


def check_machine() -> list[Finding]:
    """Python, threads, free memory, GPU."""
    import psutil
    import torch

    free = psutil.virtual_memory().available / 2**30
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none (none is needed)"
    return [
        Finding(
            "Python",
            (3, 11) <= sys.version_info[:2] <= (3, 13),
            platform.python_version(),
            "the course is tested on Python 3.11 to 3.13; install one of them",
        ),
        Finding("threads", True, f"{torch.get_num_threads()} of {os.cpu_count()} cores"),
        Finding(
            "free memory",
            free >= NEEDED_GIB,
            f"{free:.1f} GiB",
            f"{NEEDED_GIB:.0f} GiB are needed; close other programs or other notebooks' kernels",
        ),
        Finding("GPU", True, gpu),
    ]


def _finding(variable: str, ask: Callable[[], str]) -> Finding:
    """What `ask` says of a variable, or its complaint."""
    try:
        return Finding(variable, True, ask())
    except (LogError, SettingsError) as error:
        return Finding(variable, False, os.environ.get(variable, "not set"), str(error))


def check_settings() -> list[Finding]:
    """Whether every variable of the course has a value that can be, and the log can be had."""
    return [
        _finding("COURSE_DATA", _data),
        _finding("COURSE_LOG", _log),
        _finding("COURSE_SEED", lambda: str(course_seed())),
        _finding("COURSE_FEATURES", _features),
    ]


def _data() -> str:
    folder = data_folder()
    nearest = next(place for place in (folder, *folder.parents) if exists(place))
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
        here = sorted(path.name for path in folder.glob("*") if not path.name.startswith("."))
    except OSError as error:
        raise SettingsError(
            f"nothing can be written to {nearest} ({type(error).__name__}: {error.strerror}); "
            "name a folder where you may write"
        ) from error
    name = "data/" if folder == ROOT / "data" else folder
    return f"{name} holds {', '.join(here) or 'nothing yet'}"


def _log() -> str:
    """The chosen log: opened if it is here, without generating or downloading anything."""
    log = chosen_log()
    kind, _, options = log.partition(":") if names_source(log) else (log, "", "")
    if kind in YAMBDA and (missing := missing_files(kind)):
        return f"{log} ({len(missing)} of its files will be downloaded on first use)"
    if kind == DEFAULT_LOG and not exists(sim_folder(parse_world(options))):
        return f"{log} (will be generated on first use, in seconds)"
    opened = open_log(log)
    if kind not in YAMBDA:
        _check_parts(opened)
    only = f" (cannot be ranked: {opened.positive_only})" if opened.positive_only else ""
    return f"{log}{only}"


def _check_parts(log: Log) -> None:
    """Try the split in time, and whether every part has both outcomes, without any counters.

    Raises:
        LogError: the log opens, but is too little for the notebooks.
    """
    full = (pl.col("played_ratio_pct") >= FINISHED_PCT).cast(pl.Int8)
    listens = log.events.filter(pl.col("event_type") == "listen")
    rows = listens.select("timestamp", full.alias(TARGET)).collect()
    parts = split_for(rows["timestamp"]).parts(rows)
    if not log.positive_only:
        need_both_outcomes(log, dict(zip(PARTS, parts, strict=True)))


def _features() -> str:
    choice, log = features_choice(), chosen_log()
    if choice and (choice != "ready" or log != "yambda-50m"):
        raise SettingsError(
            f"there are ready features for COURSE_LOG=yambda-50m only, with COURSE_FEATURES=ready, "
            f"and the log is {log!r}; unset the variable to have them computed"
        )
    return choice or "computed"


CORE_PACKAGES = ["torch", "polars", "catboost", "matplotlib", "seaborn", "jupyterlab", "numpy"]


def diagnose() -> list[Finding]:
    """All findings, the ones that need attention included."""
    return [*check_machine(), *check_versions(tested_versions(), CORE_PACKAGES), *check_settings()]
