"""A leaderboard for the seminar: submissions are run on a world whose seed nobody knows.

A submission is a Python file with one function, `scores(task) -> Tensor`: it gets a `RankingTask`
without the answers of the test (`without_answers`) and returns a score (N,) for each test row.
Each one runs in a process of its own, one after the other, with a limit of time and of memory.

What this is worth. The hidden log is gone from the disk before the first submission starts, its
seed is drawn anew, and what a submission is told holds no outcome of the test. Whoever opens a
truth table or the inside of the simulated world is stopped. That is a fence against temptation, and
no prison: the process has the rights of the instructor's account, and it can be left by those
who want to, through a process of their own or a library that opens files without Python. Three
more things to know:

* Counters of a test row are what was known before it. Those of *later* test rows therefore tell
  how earlier ones ended, and so do the tracks that follow. No submission may compare them. One that
  ranks better than the world's own probabilities is refused; one that uses a little of it is not
  found, but by reading it.
* A seed on the command line can be read by other processes and, if it is small, be guessed.
* The system itself limits memory on Linux alone. Elsewhere it is looked at ten times a second, and
  who takes too much between two looks is not stopped.
"""

from __future__ import annotations

import json
import os
import pickle
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import wraps
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import IO, Any, NoReturn

import polars as pl
import psutil
import torch
from torch import Tensor

from course_utils.data.counters import TARGET
from course_utils.data.log import Log
from course_utils.data.tasks.ranking import RankingTask, ranking_task
from course_utils.evaluation.pointwise import MetricError, finite, roc_auc
from course_utils.settings import DEFAULT_LOG, HEADLESS, LARGEST_SEED, ROOT
from course_utils.world.config import WorldConfig

SECONDS, GIB = 300.0, 4.0
"""What a submission may take, if nothing else is said."""
BASELINE = "CatBoost (baseline)"
START_SECONDS = 120
"""A process that has not begun after so many seconds is stopped."""
LOOK = 0.1
"""Seconds between two looks at a running submission."""
LONGEST = 200
"""Characters of an error's message that are shown."""

WORLD = ROOT / "course_utils" / "world"
INSIDE = {"catalogue", "dynamics", "env", "listeners", "simulate"}
"""Modules of the world from which its hidden state can be built."""
LOOKING = {
    "glob.glob", "open", "os.chdir", "os.link", "os.listdir", "os.rename", "os.scandir",
    "os.symlink", "pathlib.Path.glob",
}  # fmt: skip
"""Python's audit events whose first argument is a path that is looked at."""
NO_MEMORY = ("allocate memory", "bad_alloc", "not enough memory", "out of memory")


class LeaderboardError(ValueError):
    """A leaderboard that cannot be made, with the reason and the remedy."""


class Refused(ValueError):
    """A submission that gives no scores that count; the text says why, in one line."""


# The instructor's process


@dataclass(frozen=True)
class Board:
    """What came out.

    Attributes:
        table: a row a submission that counts, and one of the baseline, the best first.
        failed: why the others do not count, by name. oracle: AUC of the true probabilities.
        seed: of the world.
    """

    table: pl.DataFrame
    failed: dict[str, str]
    oracle: float
    seed: int

    def __str__(self) -> str:
        with pl.Config(
            tbl_formatting="MARKDOWN",
            tbl_hide_column_data_types=True,
            tbl_hide_dataframe_shape=True,
            tbl_rows=-1,
            tbl_cols=-1,
            tbl_width_chars=1_000,
            fmt_str_lengths=100,
        ):
            lines = [str(self.table)]
        lines.append(f"Nobody can be better than the true probabilities: {self.oracle:.4f}")
        if self.failed:
            lines += ["", "Not ranked:", *(f"  {name}: {why}" for name, why in self.failed.items())]
        return "\n".join([*lines, "", f"Seed of the world: {self.seed} (--seed to repeat it)"])


def leaderboard(
    folder: Path,
    seed: int | None = None,
    seconds: float = SECONDS,
    memory: float = GIB,
    world: WorldConfig | None = None,
) -> Board:
    """Run every submission of a folder and rank them by AUC, with intervals over listeners.

    CatBoost as the seminar's notebook tuned it stands among them. What is done is printed.

    Args:
        folder: of `NAME.py` files; names that begin with `_` are left out.
        seed: of the world, by default drawn. seconds, memory: limits of each, memory in GiB.
        world: its size, by default that of the default log; the seed is set anew.

    Raises:
        LeaderboardError: there is no such folder, no submission in it, or a number cannot be.
    """
    from course_utils.evaluation.boosting import enter  # a submission's process need not load them
    from course_utils.evaluation.contest import Contest

    paths = submissions(folder)
    if not (seconds > 0 and memory > 0):
        raise LeaderboardError(f"limits must be positive, got {seconds} s and {memory} GiB")
    seed = secrets.randbelow(LARGEST_SEED) if seed is None else seed
    if not 0 <= seed <= LARGEST_SEED:
        raise LeaderboardError(f"a seed is a whole number from 0 to {LARGEST_SEED}, not {seed}")
    if sys.platform != "linux":
        print(f"{sys.platform} does not limit memory itself: it is looked at every {LOOK} s.")
    print("The hidden world is made …", flush=True)
    task = hidden_task(replace(world or WorldConfig(), seed=seed))
    contest = Contest(task, 0, "18_seminar_ranking")
    taken = {BASELINE: enter(contest, "CatBoost", task.batches).seconds}
    contest.scores[BASELINE] = contest.scores.pop("CatBoost")
    told = pickle.dumps(without_answers(task))
    failed = {}
    for path in paths:
        try:
            contest.scores[path.name], taken[path.name] = run(path, told, task, seconds, memory)
            if contest.gap(path.name, "oracle").positive:
                raise Refused(
                    "ranks better than the true probabilities: it saw outcomes of the test"
                )
            print(f"{path.stem}: {taken[path.name]:.0f} s", flush=True)
        except Refused as error:
            taken.pop(path.name, None)
            failed[path.stem] = str(error)
            print(f"{path.stem}: {error}", flush=True)
    print()
    first = max(taken, key=lambda name: roc_auc(contest.scores[name], task.target))
    auc = contest.intervals([*taken, "oracle"], [(name, first) for name in taken if name != first])
    names = sorted(taken, key=lambda name: -auc[name].value)
    table = pl.DataFrame(
        {
            "place": [1 + sum(auc[n].value > auc[name].value for n in names) for name in names],
            "name": [name.removesuffix(".py") for name in names],
            "ROC AUC [95 %]": [str(auc[name]) for name in names],
            "minus the best [95 %]": [str(auc.get((name, first), "–")) for name in names],
            "seconds": [round(taken[name]) for name in names],
        }
    )
    return Board(table, failed, auc["oracle"].value, seed)


def submissions(folder: Path) -> list[Path]:
    """The submissions of a folder by name.

    Raises:
        LeaderboardError: it is no folder, or there is none in it.
    """
    if not folder.is_dir():
        raise LeaderboardError(f"{folder}: no such folder; name the one that holds NAME.py files")
    paths = [p for p in sorted(folder.glob("*.py")) if p.is_file() and p.name[0] not in "._"]
    if not paths:
        raise LeaderboardError(
            f"{folder}: no submission; each is a file NAME.py with a function scores(task)"
        )
    return paths


def hidden_task(world: WorldConfig) -> RankingTask:
    """The ranking task of a world, of whose files none is left."""
    from course_utils.data.sources.files import read_folder, read_table
    from course_utils.world.simulate import write_world  # not for a submission's process

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_world(world, folder)
        log: Log = read_folder(DEFAULT_LOG, folder, check=False)
        return ranking_task(replace(log, truth=read_table(folder / "truth"), world=world))


def without_answers(task: RankingTask) -> RankingTask:
    """The task as a submission gets it: nothing in it tells an outcome of the test, or the seed.

    Targets of test rows are NaN in `batches` and null in `rows`; rows of the test period that are
    not asked for are left out. There is no oracle, and the log is called by its source alone.
    """
    start = int(task.positions["test"][0])
    unknown = pl.lit(None, task.rows.schema[TARGET]).alias(TARGET)
    rows = pl.concat([task.rows[:start], task.frame("test").with_columns(unknown)])
    asked = {**task.batches["test"], "target": torch.full_like(task.target, torch.nan)}
    return replace(
        task,
        log=DEFAULT_LOG,
        rows=rows,
        positions={**task.positions, "test": torch.arange(start, len(rows))},
        batches={**task.batches, "test": asked},
        oracle=None,
    )


def run(
    path: Path, told: bytes, task: RankingTask, seconds: float, memory: float
) -> tuple[Tensor, float]:
    """Run one submission in a process of its own.

    Args:
        path: of the file. told: the pickled task `without_answers`. task: the whole one, for N.
        seconds, memory: what it may take, memory in GiB.

    Returns:
        Its scores (N,) float64, and the seconds it took.

    Raises:
        Refused: it gave none that count.
    """
    n = len(task.target)
    environment = {
        **os.environ,
        **{HEADLESS: "1", "MPLBACKEND": "Agg", "PYTHONUTF8": "1", "TQDM_DISABLE": "1"},
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }
    code = f"from course_utils.lesson import leaderboard; leaderboard.answer({memory})"
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryFile() as question,
        tempfile.TemporaryFile() as answer,
    ):
        alone = shutil.copy(path, Path(folder, "submission.py"))  # not beside the others
        question.write(told)
        question.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", code, str(alone)],
            stdin=question,
            stdout=answer,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
        try:
            _wait(process, answer, seconds, memory)
        finally:
            _end(process)
        answer.seek(0)
        _, report, values = [*answer.read().split(b"\n", 2), b"", b""][:3]
    if not report:
        raise Refused(_ended(process.returncode))
    said = json.loads(report)
    if "failed" in said:
        raise Refused(said["failed"])
    if len(values) != 8 * n:
        raise Refused(f"gave {len(values) // 8:,} scores for {n:,} rows")
    return torch.frombuffer(bytearray(values), dtype=torch.float64), said["seconds"]


def _wait(process: subprocess.Popen, answer: IO[bytes], seconds: float, memory: float) -> None:
    """Wait until a submission ends; the time counts from its first word, when all is loaded.

    Raises:
        Refused: it takes too long, or too much memory.
    """
    begun, start = False, time.monotonic()
    while process.poll() is None:
        if not begun and os.fstat(answer.fileno()).st_size:
            begun, start = True, time.monotonic()
        if time.monotonic() - start > (seconds if begun else START_SECONDS):
            raise Refused(f"too slow: stopped after {seconds if begun else START_SECONDS:g} s")
        if _resident(process.pid) > memory * 2**30:
            raise Refused(_too_much(memory))
        time.sleep(LOOK)


def _family(pid: int) -> list[psutil.Process]:
    """A process and what it has started."""
    with suppress(psutil.Error):
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    return []


def _resident(pid: int) -> int:
    """Bytes that a process and what it has started hold."""
    total = 0
    for process in _family(pid):
        with suppress(psutil.Error):
            total += process.memory_info().rss
    return total


def _end(process: subprocess.Popen) -> None:
    """End a submission and whatever it has started."""
    for one in _family(process.pid):
        with suppress(psutil.Error):
            one.kill()
    if sys.platform != "win32":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _too_much(memory: float) -> str:
    return f"too much memory: more than {memory:g} GiB"


def _ended(status: int) -> str:
    """What the exit status of a process tells that gave no answer."""
    with suppress(ValueError):
        name = signal.Signals(-status).name
        often = ", as a rule for want of memory" if name in ("SIGABRT", "SIGKILL") else ""
        return f"crashed ({name}{often})"
    return f"its process ended with status {status} before there were scores"


# The submission's process


def answer(memory: float) -> NoReturn:
    """Answer the task that comes through stdin; the end of a submission's process.

    Stdout takes a first word when all is loaded, then a line of JSON, then the scores as float64.
    What the submission itself prints goes nowhere.

    Args:
        memory: limit in GiB, kept by the system on Linux.
    """
    path, task = Path(sys.argv[1]), pickle.load(sys.stdin.buffer)
    out, nowhere = os.fdopen(os.dup(1), "wb", buffering=0), os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(nowhere, stream)

    def end(said: dict[str, Any], values: bytes = b"") -> NoReturn:
        whole = json.dumps(said).encode() + b"\n" + values
        while whole:
            whole = whole[out.write(whole) :]
        os._exit(0)  # whatever the submission has left running

    out.write(b"begun\n")
    _limit(memory)
    fence(lambda what: end({"failed": f"tried to read the truth: {what}; it has the task alone"}))
    start = time.perf_counter()
    try:
        scores = judge(path, task)
    except Refused as error:
        end({"failed": str(error)})
    except MemoryError:
        end({"failed": _too_much(memory)})
    end({"seconds": time.perf_counter() - start}, scores.numpy().tobytes())


def _limit(memory: float) -> None:
    """Let the system refuse more than so many GiB of data, where it can."""
    if sys.platform == "linux":
        import resource

        most = int(memory * 2**30)
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def judge(path: Path, task: RankingTask) -> Tensor:
    """The scores (N,) float64 of the submission in a file.

    Raises:
        Refused: the file fails or has no function `scores`; or what that gives is no tensor, has
            another shape or type, or a value that is not finite.
        MemoryError: there was not enough.
    """
    try:
        spec = spec_from_file_location("submission", path)
        assert spec and spec.loader
        sys.modules["submission"] = module = module_from_spec(spec)
        spec.loader.exec_module(module)
        if not callable(getattr(module, "scores", None)):
            raise Refused("has no function scores(task)")
        scores = module.scores(task)
    except (Refused, MemoryError):
        raise
    except BaseException as error:  # sys.exit, too
        if any(words in str(error).lower() for words in NO_MEMORY):
            raise MemoryError from error
        raise Refused(_in_one_line(error, path)) from error
    return _checked(scores, len(task.batches["test"]["ids"]))


def _checked(scores: object, n: int) -> Tensor:
    """The scores (N,) as float64 on the CPU, if they are that."""
    if not isinstance(scores, Tensor):
        raise Refused(f"scores(task) gives no tensor, but {type(scores).__name__}")
    if scores.shape != (n,):
        raise Refused(f"scores have the shape {tuple(scores.shape)}, the test needs ({n},)")
    if scores.is_complex():
        raise Refused(f"scores are complex numbers ({scores.dtype})")
    try:
        return finite(scores.detach().cpu().double())
    except MetricError as error:
        raise Refused(str(error)) from error


def _in_one_line(error: BaseException, path: Path) -> str:
    """Type and message of an error, and the last line of the submission that led to it."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    if isinstance(error, SyntaxError) and error.filename == str(path):
        lines.append(error.lineno)
    words = " ".join(str(error.msg if isinstance(error, SyntaxError) else error).split())
    words = words if len(words) <= LONGEST else words[: LONGEST - 1] + "…"
    place = f" (line {lines[-1]})" if lines else ""
    return f"{type(error).__name__}{': ' if words else ''}{words}{place}"


def forbidden(event: str, args: tuple) -> str:
    """What of the truth an audit event of Python looks at; empty if nothing.

    That is a file or folder called `truth`, a module that builds the world, or what the system
    tells of the instructor's process.
    """
    if event not in LOOKING or not args or not isinstance(args[0], str | bytes | os.PathLike):
        return ""
    path = Path(os.fsdecode(args[0]))
    last = [part.partition(".")[0].lower() for part in path.parts[-2:]]
    inside = WORLD in path.parents and last[-1] in INSIDE
    parent = path.is_relative_to(f"/proc/{os.getppid()}")
    return "/".join(path.parts[-2:]) if "truth" in last or inside or parent else ""


def fence(stop: Callable[[str], object]) -> None:
    """Have `stop` called whenever this process looks at something `forbidden`, from now on.

    Polars opens files without telling Python, so its functions that read do.
    """

    def hook(event: str, args: tuple) -> None:
        if what := forbidden(event, args):
            stop(what)

    def telling(read: Callable) -> Callable:
        @wraps(read)
        def told(*args: Any, **options: Any) -> Any:
            source = args[0] if args else options.get("source")
            for path in source if isinstance(source, list | tuple) else [source]:
                sys.audit("open", path, "r", 0)
            return read(*args, **options)

        return told

    for name in _reading(dir(pl)):
        setattr(pl, name, telling(getattr(pl, name)))
    sys.addaudithook(hook)


def _reading(names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(("read_", "scan_"))]
