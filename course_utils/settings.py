"""Every `COURSE_*` variable and every folder of the course, read in one place."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parents[1]
"""The project: what stands beside the package."""
NOTEBOOKS = ROOT / "notebooks"
ASSETS = NOTEBOOKS / "assets"
"""What notebooks and README show but did not compute themselves."""

DEFAULT_LOG = "sim"
HEADLESS = "COURSE_HEADLESS"
"""Set where notebooks are executed without a reader: publishing, tests."""


class SettingsError(ValueError):
    """A variable with a value that cannot be: says which, and what it may be."""


def chosen_log() -> str:
    """The log that `COURSE_LOG` names, by default `sim`."""
    return os.environ.get("COURSE_LOG") or DEFAULT_LOG


def data_folder() -> Path:
    """Where generated and downloaded files go: `COURSE_DATA`, else `data/` of the project."""
    chosen = os.environ.get("COURSE_DATA")
    return Path(chosen) if chosen else ROOT / "data"


def features_choice() -> str:
    """The variable `COURSE_FEATURES`: empty, or `ready` for the original seminar's pool."""
    return os.environ.get("COURSE_FEATURES", "")


def headless() -> bool:
    """Whether nobody is there to turn a widget: `COURSE_HEADLESS` is set."""
    return bool(os.environ.get(HEADLESS))


def course_seed() -> int:
    """The variable `COURSE_SEED` (default 0); it shifts every seed of a notebook.

    Raises:
        SettingsError: it is no whole number.
    """
    text = os.environ.get("COURSE_SEED") or "0"
    try:
        return int(text)
    except ValueError as error:
        raise SettingsError(f"COURSE_SEED must be a whole number, not {text!r}") from error
