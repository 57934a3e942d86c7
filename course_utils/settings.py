"""Every `COURSE_*` variable and every folder of the course, read in one place."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]
"""The project: what stands beside the package."""
NOTEBOOKS = ROOT / "notebooks"
ASSETS = NOTEBOOKS / "assets"
"""What notebooks and README show but did not compute themselves."""

SOURCES = ("sim", "movielens", "grocery", "yambda-50m", "yambda-500m", "yambda-5b")
"""The logs that have a name; they take options after a colon. All else is a path."""
DEFAULT_LOG = "sim"
HEADLESS = "COURSE_HEADLESS"
"""Set where notebooks are executed without a reader: publishing, tests."""

TUNE, EVERY = "COURSE_TUNE", "all"
"""Set where the trials of a notebook are run: to the word for every model, or to names."""
REPORT = "COURSE_REPORT"
"""Set where a claim that fails is only reported, on the default log too."""

LARGEST_SEED = 2**31 - 2**16
"""`COURSE_SEED` ends here: Python, NumPy, PyTorch, scikit-learn and CatBoost all take the seeds
that a notebook makes of it by adding its own small numbers."""

LONGEST_STEM = 60
_DIGEST = 10
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)


class SettingsError(ValueError):
    """A variable with a value that cannot be: says which, and what it may be."""


def names_source(text: str) -> bool:
    """Whether `text` is the name of a source, with or without options; else it is a path."""
    kind, _, options = text.partition(":")
    return text in SOURCES or kind == DEFAULT_LOG or (kind in SOURCES and "=" in options)


def _expanded(path: str | Path, what: str) -> Path:
    """A path whose leading `~` is the home folder; in `./~`, which `Path` shortens, it is not."""
    if not str(path).startswith("~"):
        return Path(path)
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise SettingsError(
            f"{what}={str(path)!r}: there is no such home folder ({error}); "
            "write the whole path, or ./~ for a folder of that name"
        ) from error


def exists(path: Path) -> bool:
    """Whether there is a file or folder; a path that cannot even be asked for does not exist."""
    try:
        return path.exists()
    except OSError:
        return False


def why_unreadable(path: Path) -> str:
    """Why a path cannot even be asked for, such as for want of permission; empty if it can."""
    try:
        path.exists()
    except PermissionError as error:
        return f"PermissionError: {error.strerror}"
    except OSError:
        return ""  # no file can have such a name
    return ""


def path_in_variable(variable: str) -> Path:
    """The absolute path that a variable names; the one place that says what relative means.

    `~` is the home folder. A relative path counts from the working directory. A kernel's working
    directory lies inside `notebooks/`, wherever the server was started: there it counts from the
    project, or from the one folder on the way from the project to the kernel that has it.

    Raises:
        SettingsError: several of these folders have it, or there is no such home folder.
    """
    path = _expanded(os.environ[variable], variable)
    here, root = Path.cwd(), ROOT.resolve()
    if path.is_absolute() or not here.is_relative_to(NOTEBOOKS.resolve()):
        return here / path
    places = [folder for folder in (here, *here.parents) if folder.is_relative_to(root)]
    found = {(place / path).resolve(): place / path for place in places if exists(place / path)}
    if len(found) > 1:
        raise SettingsError(
            f"{variable}={os.environ[variable]!r} is a relative path, and there are several of it: "
            f"{', '.join(map(str, found.values()))}; write the whole path of the one you mean"
        )
    return next(iter(found.values()), root / path)


def absolute_log(log: str | Path) -> str:
    """A log as given to a function or a command: a source's name as it is, a path made absolute.

    Raises:
        SettingsError: the path starts with a home folder that does not exist.
    """
    if isinstance(log, str) and names_source(log):
        return log
    return str(Path.cwd() / _expanded(log, "log"))


def absolute_variables() -> dict[str, str]:
    """`COURSE_LOG` and `COURSE_DATA` where they name relative paths, made absolute from here.

    For the environment of a child process that works in another folder. A path of a home folder
    that does not exist is left out: who asks for it (`data_folder`) complains.
    """
    paths = {}
    with suppress(SettingsError):
        if log := os.environ.get("COURSE_LOG"):
            paths["COURSE_LOG"] = absolute_log(log)
    with suppress(SettingsError):
        if data := os.environ.get("COURSE_DATA"):
            paths["COURSE_DATA"] = str(Path.cwd() / _expanded(data, "COURSE_DATA"))
    return paths


def chosen_log() -> str:
    """The log that `COURSE_LOG` names, by default `sim`: a source's name, or an absolute path.

    Raises:
        SettingsError: the path is ambiguous (`path_in_variable`).
    """
    named = os.environ.get("COURSE_LOG") or DEFAULT_LOG
    return named if names_source(named) else str(path_in_variable("COURSE_LOG"))


def data_folder() -> Path:
    """Where generated and downloaded files go: `COURSE_DATA`, else `data/` of the project.

    Raises:
        SettingsError: the path is ambiguous (`path_in_variable`).
    """
    return path_in_variable("COURSE_DATA") if os.environ.get("COURSE_DATA") else ROOT / "data"


def make_folder(folder: Path) -> Path:
    """A folder for generated and downloaded files, made if it is not there; returns it.

    Raises:
        SettingsError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"{folder}: this folder cannot be made ({type(error).__name__}: {error.strerror}); "
            "name one where you may write: COURSE_DATA=…"
        ) from error
    return folder


@contextmanager
def written_whole(target: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of `target` only if the block ends well.

    Raises:
        SettingsError: the folder cannot be made.
    """
    make_folder(target.parent)
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # what an interrupted process left behind
    try:
        yield make_folder(partial)
        if exists(target):
            shutil.rmtree(target)
        partial.replace(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def log_stem(name: str) -> str:
    """A short file name, without suffix, for what belongs to the log `name`.

    Two different logs never share one, on no file system: whenever anything of the name is left
    out or changed, a digest of the whole name is added. Sources keep their names (`sim`), others
    are readable (`my-log-1f0c…` for `/data/My log.parquet`); at most 60 characters.
    """
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
    plain = re.fullmatch(r"[a-z0-9]+([_-][a-z0-9]+)*", name) and len(name) <= LONGEST_STEM
    looks_digested = re.search(rf"-[0-9a-f]{{{_DIGEST}}}$", name)
    if plain and not looks_digested and not _RESERVED.fullmatch(name):
        return name
    last = re.split(r"[/\\]", name.rstrip("/\\"))[-1].removesuffix(".parquet")
    words = re.findall(r"\w+", unicodedata.normalize("NFC", last.lower()))
    readable = "-".join(words)[: LONGEST_STEM - _DIGEST - 1].strip("-")
    return f"{readable or 'log'}-{digest}"


def polars_path(path: Path) -> str:
    """A path as Polars wants it: text in Unicode, whatever the locale of this process.

    (Under a locale such as C, Python keeps the bytes of a foreign name in a form of its own.)

    Raises:
        SettingsError: the bytes of the name are no UTF-8.
    """
    try:
        return os.fsencode(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise SettingsError(f"the name of {path!r} is not Unicode (UTF-8); rename it") from error


def features_choice() -> str:
    """The variable `COURSE_FEATURES`: empty, or `ready` for the original seminar's pool."""
    return os.environ.get("COURSE_FEATURES", "")


def headless() -> bool:
    """Whether nobody is there to turn a widget: `COURSE_HEADLESS` is set."""
    return bool(os.environ.get(HEADLESS))


def tunes(model: str) -> bool:
    """Whether the trials of this model are to be run: `COURSE_TUNE` is `all`, or names it.

    Names are separated by semicolons.
    """
    wanted = os.environ.get(TUNE, "")
    return wanted == EVERY or model in [name.strip() for name in wanted.split(";")]


def only_reports() -> bool:
    """Whether a claim that fails stops no notebook: trials are run, or seeds are compared."""
    return bool(os.environ.get(REPORT) or os.environ.get(TUNE))


def course_seed() -> int:
    """The variable `COURSE_SEED` (default 0); it shifts every seed of a notebook.

    Raises:
        SettingsError: it is no whole number, or outside 0 … `LARGEST_SEED`.
    """
    text = os.environ.get("COURSE_SEED") or "0"
    if not re.fullmatch(r"\s*\+?0*[0-9]{1,10}\s*", text) or int(text) > LARGEST_SEED:
        raise SettingsError(
            f"COURSE_SEED must be a whole number from 0 to {LARGEST_SEED}, not {text!r}"
        )
    return int(text)
