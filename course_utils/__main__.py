"""`python -m course_utils COMMAND`: what the Makefile's targets call."""

from __future__ import annotations

import argparse
import codecs
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

from course_utils.settings import EVERY, LARGEST_SEED, absolute_variables

Action = Callable[[argparse.Namespace], None]
SIGNS = {"✔": "[ok]", "✘": "[no]", "·": "-", "−": "-", "…": "...", "→": "->", "Δ": "d"}


def seeds(text: str) -> list[int]:
    """Seeds of one argument: `3` → [3], `0..4` → [0, 1, 2, 3, 4].

    >>> seeds("0..4")
    [0, 1, 2, 3, 4]
    """
    found = re.fullmatch(r"(\d+)(?:\.\.(\d+))?", text)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if not first <= last <= LARGEST_SEED:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a seed from 0 to {LARGEST_SEED} nor a range of them such as 0..4"
        )
    return list(range(first, last + 1))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m course_utils", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, action: Action, told: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=told)
        added.set_defaults(action=action)
        return added

    command("doctor", _doctor, "is this machine ready for the course?")
    log = command("log", _log, "open a log, generating or downloading it if needed")
    log.add_argument("source", nargs="?")
    command("lab", _lab, "open JupyterLab at the first notebook")
    publish = command("publish", _publish, "build notebooks from their sources")
    publish.add_argument("names", nargs="*")
    publish.add_argument("--force", action="store_true", help="also what is current or edited")
    fresh = command("fresh", _fresh, "which notebooks are not current? (executes nothing)")
    fresh.add_argument("names", nargs="*")
    pull = command("pull", _pull, "carry edits of a built notebook into its source")
    pull.add_argument("name")
    new = command("new", _new, "a new notebook: source, checks, planted wrong answers")
    new.add_argument("name")
    run = command("run", _run, "execute one notebook headless")
    run.add_argument("name")
    run.add_argument("--log")
    run.add_argument("--to", type=Path, default=Path("build"))
    preview = command("preview", _preview, "execute a notebook on a tiny log and open its page")
    preview.add_argument("name")
    preview.add_argument("--to", type=Path, default=Path("build"))
    preview.add_argument("--no-open", action="store_true", help="do not open a browser")
    command("ladder", _ladder, "train every ranker of the track and keep what was measured")
    tune = command("tune", _tune, "run the trials of a notebook's models and keep them")
    tune.add_argument("name")
    tune.add_argument("--log")
    tune.add_argument("--models", nargs="+", default=[EVERY], help="only these")
    claims = command("claims", _claims, "run notebooks with several seeds and keep their claims")
    claims.add_argument("--seeds", nargs="+", type=seeds, default=[range(5)])
    claims.add_argument("--names", nargs="*")
    claims.add_argument("--workers", type=int, help="processes; default: one a core")
    command("lint", _lint, "ruff and the type checker")
    command("typecheck", _typecheck, "the type checker alone")
    test = command("test", _test, "lint, unit tests, reference checks and every notebook")
    test.add_argument("--workers", type=int, help="processes; default: one a core")
    return parser


# Commands for everyone


def _doctor(args: argparse.Namespace) -> None:
    from course_utils.lesson.doctor import diagnose

    findings = diagnose()
    print("\n".join(map(str, findings)))
    if not all(finding.ok for finding in findings):
        sys.exit(1)


def _log(args: argparse.Namespace) -> None:
    from course_utils.data.log import open_log

    log = open_log(args.source)
    rows = log.events.select("uid").collect(engine="streaming").height
    print(f"{log.name}: {rows:,} events")


def _lab(args: argparse.Namespace) -> None:
    from course_utils.settings import ROOT

    _log(argparse.Namespace(source=None))
    first = "/lab/tree/notebooks/00_start_here.ipynb"
    command = [sys.executable, "-m", "jupyterlab", "--ip=127.0.0.1"]
    command.append(f"--LabApp.default_url={first}")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # in containers
    os.chdir(ROOT)
    os.execv(sys.executable, command)


# Commands for authors


def _publish(args: argparse.Namespace) -> None:
    from course_utils.authoring import publish, readme, source

    for name in args.names or source.names():
        print(f"{name}: {publish.publish(name, args.force)}", flush=True)
    readme.write_readme()


def _fresh(args: argparse.Namespace) -> None:
    from course_utils.authoring import publish, source

    states = {name: publish.state(name) for name in args.names or source.names()}
    for name, state in states.items():
        print(f"{name}: {state}")
    if set(states.values()) - {"current"}:
        sys.exit("run `make notebooks`")


def _pull(args: argparse.Namespace) -> None:
    from course_utils.authoring.pull import pull

    for path in pull(args.name):
        print(f"written: {path}")


def _new(args: argparse.Namespace) -> None:
    from course_utils.authoring.new import new

    for path in new(args.name):
        print(f"written: {path}")


def _run(args: argparse.Namespace) -> None:
    from course_utils.authoring.run import run

    for path in run(args.name, args.log, args.to):
        print(f"written: {path}")


def _preview(args: argparse.Namespace) -> None:
    from course_utils.authoring.run import preview

    print(f"written: {preview(args.name, args.to, show=not args.no_open)}")


def _ladder(args: argparse.Namespace) -> None:
    from course_utils.authoring import readme
    from course_utils.authoring.freshness import code_hash
    from course_utils.lesson import ladder

    ladder.measure(code_hash([ladder.MEASURED], assets=None))
    readme.write_readme()


def _tune(args: argparse.Namespace) -> None:
    from course_utils.authoring.run import tune

    tune(args.name, args.log, args.models)


def _claims(args: argparse.Namespace) -> None:
    from course_utils.authoring import readme, seeds

    wanted = [seed for part in args.seeds for seed in part]
    seeds.measure(args.names or readme.written(), wanted, args.workers)
    readme.write_readme()


def _lint(args: argparse.Namespace) -> None:
    from course_utils.authoring import suite

    suite.lint()


def _typecheck(args: argparse.Namespace) -> None:
    from course_utils.authoring import suite

    suite.typecheck()


def _test(args: argparse.Namespace) -> None:
    from course_utils.authoring import suite

    suite.test(args.workers)


# The console


def _speak_any_console() -> None:
    """Say ✔ and ✘ in letters where the console's encoding has no such signs."""

    def replaced(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeEncodeError)
        cut = error.object[error.start : error.end]
        return "".join(SIGNS.get(sign, "?") for sign in cut), error.end

    codecs.register_error("course", replaced)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="course")  # type: ignore[union-attr]


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    _speak_any_console()
    args = _parser().parse_args(arguments)
    try:
        os.environ.update(absolute_variables())  # relative paths count from here
        args.action(args)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in AUTHORS_TOOLS:
            raise
        print(f"error: {args.command} needs {error.name}: {INSTALL}", file=sys.stderr)
        return 1
    except (ValueError, RuntimeError) as error:
        if not type(error).__module__.startswith("course_utils"):
            raise
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


AUTHORS_TOOLS = {"jupytext", "nbclient", "nbconvert", "nbformat", "nbgrader", "traitlets"}
INSTALL = "pip install -e '.[authoring]' -c constraints.txt"


if __name__ == "__main__":
    sys.exit(main())
