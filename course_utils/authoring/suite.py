"""The whole test of the project: what `make test` and continuous integration run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from course_utils.authoring import readme
from course_utils.authoring.execute import CELL_SECONDS, ONE_THREAD
from course_utils.authoring.source import PublishError
from course_utils.lesson.syllabus import read_syllabus
from course_utils.settings import DEFAULT_LOG, HEADLESS, NOTEBOOKS, ROOT

SANITIZE = ROOT / "tests" / "notebooks" / "sanitize.cfg"
"""What nbval leaves out of a comparison: the values behind a claim that does not hold."""


def lint() -> None:
    """ruff, its formatter, and the type checker.

    Raises:
        PublishError: one of them complains.
    """
    _step("ruff", ["ruff", "check", "."])
    _step("format", ["ruff", "format", "--check", "."])
    typecheck()


def typecheck() -> None:
    """The type checker over the package and the benchmarks.

    Raises:
        PublishError: it complains.
    """
    _step("types", ["mypy"])


def test(workers: int | None = None, minutes: float | None = None) -> None:
    """Lint, then unit tests, reference checks and every notebook, on all cores.

    Args:
        workers: processes; default: one a core, each with one thread.
        minutes: a notebook that would hardly end before so many minutes have passed is left out,
            and named at the end. Default: every notebook is run.

    Raises:
        PublishError: something fails.
    """
    until = None if minutes is None else time.time() + 60 * minutes
    lint()
    _step("log", [sys.executable, "-m", "course_utils", "log", DEFAULT_LOG])
    workers = workers or os.cpu_count() or 1
    spread = ["-n", str(workers), "--dist", "loadscope", "--no-loadscope-reorder"]
    nbval = ["--nbval-lax", "--nbval-current-env", f"--nbval-cell-timeout={CELL_SECONDS}"]
    nbval += ["--nbval-sanitize-with", str(SANITIZE)]
    variables = {HEADLESS: "1", "TQDM_DISABLE": "1", **(ONE_THREAD if workers > 1 else {})}
    if until is None:
        first, *others = map(str, longest_first())
        targets = [first, "tests/notebooks", *others, "tests/unit", "tests/reference"]
    else:
        targets = ["tests/notebooks", "tests/unit", "tests/reference", *map(str, newest_first())]
        nbval += ["-rs", f"--notebooks-until={until:.0f}"]
    _step("tests", [sys.executable, "-m", "pytest", *spread, *nbval, *targets], variables)


def longest_first() -> list[Path]:
    """The built notebooks, those with the largest budget first, so that all cores end together."""
    seconds = {lesson.name: lesson.seconds for lesson in read_syllabus().lessons}
    found = sorted(readme.written(), key=lambda name: -seconds[name])
    return [(NOTEBOOKS / f"{name}.ipynb").relative_to(ROOT) for name in found]


def newest_first() -> list[Path]:
    """The same notebooks by the day of their last commit: where time is short, what is new counts.

    What has never been committed is newest. Without git, or on the same day, the longest first.
    """
    command = ["git", "log", "-1", "--format=%cs", "--"]

    def day(path: Path) -> str:
        try:
            found = subprocess.run([*command, path], cwd=ROOT, capture_output=True, text=True)
        except OSError:
            return ""
        return found.stdout or "never"

    return sorted(longest_first(), key=day, reverse=True)


def _step(title: str, command: list[str], variables: dict[str, str] | None = None) -> None:
    start = time.perf_counter()
    tool = Path(sys.executable).parent / command[0]
    found = [str(tool), *command[1:]] if tool.exists() else command
    done = subprocess.run(found, cwd=ROOT, env={**os.environ, **(variables or {})}, check=False)
    print(f"{title}: {time.perf_counter() - start:.0f} s", flush=True)
    if done.returncode:
        raise PublishError(f"{title} failed: {' '.join(command[:4])} …")
