"""`python -m course_utils COMMAND`: what the Makefile's targets call."""

from __future__ import annotations

import argparse
import codecs
import os
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from course_utils.settings import EVERY, LARGEST_SEED, absolute_variables

Action = Callable[[argparse.Namespace], None]
EVENTS = ("listen", "like", "dislike", "unlike", "undislike", "drop")
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


def pair(text: str) -> tuple[str, str]:
    """A word and the event it means: `thumbs up=like` → ("thumbs up", "like").

    >>> pair("a=b=listen")
    ('a=b', 'listen')
    """
    word, sign, event = text.rpartition("=")
    if not sign or event not in EVENTS:
        raise argparse.ArgumentTypeError(f"{text!r} is not WORD=EVENT, with {', '.join(EVENTS)}")
    return word, event


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
    _add_adopt(command("adopt", _adopt, "make a log of your own out of a file of any columns"))
    counters = command("counters", _counters, "write every listen with its counters, as Parquet")
    counters.add_argument("source", nargs="?", help="of the log; default: COURSE_LOG, else sim")
    counters.add_argument("--to", type=Path, required=True, metavar="FOLDER")
    counters.add_argument("--partitions", type=int, help="default: one a half million events")
    counters.add_argument("--engine", choices=["polars", "ray"], default="polars")
    training = command("train", _train, "train the seminar's network; under torchrun, on many")
    training.add_argument("source", nargs="?", help="of the log; default: COURSE_LOG, else sim")
    training.add_argument("--to", type=Path, required=True, metavar="FOLDER")
    training.add_argument("--epochs", type=int, default=1)
    training.add_argument("--batch-size", type=int, default=2_048, help="of all processes together")
    training.add_argument("--every", type=int, default=200, help="steps between checkpoints")
    board = command("leaderboard", _leaderboard, "rank a folder of submissions on a hidden world")
    board.add_argument("folder", type=Path, help="of files NAME.py with a function scores(task)")
    board.add_argument("--seed", type=int, help="of the world; default: drawn, and told at the end")
    board.add_argument("--seconds", type=float, help="limit of each submission; default: 300")
    board.add_argument("--memory", type=float, metavar="GIB", help="limit of each; default: 4")
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
    assignment = command("assignment", _assignment, "exercises alone, as a source for nbgrader")
    assignment.add_argument("name")
    assignment.add_argument("--to", type=Path, required=True, help="folder: source/ps1, say")
    preview = command("preview", _preview, "execute a notebook on a tiny log and open its page")
    preview.add_argument("name")
    preview.add_argument("--to", type=Path, default=Path("build"))
    preview.add_argument("--no-open", action="store_true", help="do not open a browser")
    elsewhere = command("elsewhere", _elsewhere, "notebooks for Colab, Kaggle and the like")
    elsewhere.add_argument("address", help="of a Git repository that holds the course")
    elsewhere.add_argument("--to", type=Path, default=Path("build") / "elsewhere")
    site = command("site", _site, "the built notebooks as a static site")
    site.add_argument("--to", type=Path, default=Path("build") / "site")
    slides = command("slides", _slides, "a built notebook as a deck of slides")
    slides.add_argument("name")
    slides.add_argument("--to", type=Path, help="default: build/slides/NAME")
    command("drawings", _drawings, "draw the models, for the notebooks")
    command("ladder", _ladder, "train every ranker of the track and keep what was measured")
    command("scaling", _scaling, "train the larger points of notebook 19's curves and keep them")
    tune = command("tune", _tune, "run the trials of a notebook's models and keep them")
    tune.add_argument("name")
    tune.add_argument("--log")
    tune.add_argument("--models", nargs="+", default=[EVERY], help="only these")
    claims = command("claims", _claims, "run notebooks with several seeds and keep their claims")
    claims.add_argument("--seeds", nargs="+", type=seeds, default=[range(5)])
    claims.add_argument("--names", nargs="*")
    claims.add_argument("--workers", type=int, help="processes; default: one a core")
    twins = command("twins", _twins, "run notebooks without what they rest on, and on real logs")
    twins.add_argument("names", nargs="*")
    twins.add_argument("--workers", type=int, help="processes; default: one a core")
    command("lint", _lint, "ruff and the type checker")
    command("typecheck", _typecheck, "the type checker alone")
    test = command("test", _test, "lint, unit tests, reference checks and every notebook")
    test.add_argument("--workers", type=int, help="processes; default: one a core")
    test.add_argument("--minutes", type=float, help="leave out notebooks that would end later")
    return parser


def _add_adopt(adopt: argparse.ArgumentParser) -> None:
    """What `adopt` is told of a file: `course_utils.data.adopt.options` says what each means."""
    adopt.add_argument("files", nargs="+", metavar="FILE", help="file, folder or 'pattern*'")
    adopt.add_argument("--preset", help="movielens, amazon, lastfm-1k, yambda or spotify")
    adopt.add_argument("--into", type=Path, metavar="FOLDER", help="default: in the data folder")
    adopt.add_argument("--replace", action="store_true", help="write an adopted folder anew")
    for name, what in {
        "user": "listeners' ids",
        "item": "tracks' ids",
        "time": "times: numbers or dates",
        "rating": "ratings; four fifths of the scale and more count as a full play",
        "played": "how much was played: per cent, share, or time (then --length too)",
        "length": "tracks' lengths",
        "type": "kinds of events",
        "organic": "1 where the choice was the listener's own, else 0",
        "artist": "artists, or what stands for them",
        "album": "albums, or what stands for them",
    }.items():
        adopt.add_argument(f"--{name}", metavar="COL", help=f"column of {what}")
    adopt.add_argument("--text", nargs="+", default=[], metavar="COL", help="title, and more words")
    adopt.add_argument("--items", type=Path, metavar="FILE", help="where --text, --artist stand")
    adopt.add_argument("--items-id", metavar="COL", help="how that file calls --item")
    adopt.add_argument("--time-unit", choices=["s", "ms", "us", "ns", "min", "h", "d"])
    adopt.add_argument("--time-format", metavar="'%d.%m.%Y %H:%M'")
    adopt.add_argument("--played-unit", choices=["pct", "share", "s", "ms"])
    adopt.add_argument("--rating-top", type=float, metavar="N", help="where the scale ends")
    adopt.add_argument("--events", nargs="+", default=[], type=pair, metavar="WORD=EVENT")
    adopt.add_argument("--listener-per", choices=["day", "week", "month", "year"])
    adopt.add_argument("--separator", help="between two fields of text")
    adopt.add_argument(
        "--columns", nargs="+", default=[], metavar="NAME", help="if no line has them"
    )
    adopt.add_argument("--no-quotes", action="store_true", help="double quotes are plain text")
    adopt.add_argument("--encoding", default="utf-8", metavar="NAME")


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


def _adopt(args: argparse.Namespace) -> None:
    from course_utils.data.adopt.adopt import adopt
    from course_utils.data.adopt.options import Options
    from course_utils.data.adopt.reading import Cut

    same = [
        "user", "item", "time", "rating", "played", "length", "type", "organic", "artist", "album",
        "items", "items_id", "time_unit", "time_format", "played_unit", "rating_top",
        "listener_per",
    ]  # fmt: skip
    cut = Cut(args.separator, tuple(args.columns), False if args.no_quotes else None, args.encoding)
    options = Options(
        **{name: getattr(args, name) for name in same},
        text=tuple(args.text),
        events=dict(args.events),
        cut=cut,
    )
    report = adopt(args.files, options, args.preset, args.into, args.replace)
    print(report)
    print(f"Open it with COURSE_LOG={shlex.quote(str(report.folder))}, or open_log(…) in Python")


def _counters(args: argparse.Namespace) -> None:
    from course_utils.data.log import open_log
    from course_utils.scale.partitions import write_counters

    rows = write_counters(open_log(args.source), args.to, args.partitions, args.engine)
    print(f"{args.to}: {rows:,} listens with their counters")


def _train(args: argparse.Namespace) -> None:
    from course_utils import train
    from course_utils.data.log import open_log
    from course_utils.data.tasks.ranking import ranking_task
    from course_utils.evaluation.pointwise import log_loss
    from course_utils.lesson.ladder import rungs
    from course_utils.scale import training

    parts = (task := ranking_task(open_log(args.source))).batches
    options = {"epochs": args.epochs, "batch_size": args.batch_size, "every": args.every}
    seed = train.seed_everything(0)
    model = rungs(task)["DCN-v2, unified"]()
    with training.processes() as number:
        training.deal_out(model)
        losses = training.fit(model, parts["train"], args.to, seed=seed, **options)
        later = log_loss(
            training.predict(model, parts["validation"]), parts["validation"]["target"]
        )
    if number == 0:
        print(f"{args.to}: {len(losses):,} steps; log loss on validation {later:.4f}")


def _leaderboard(args: argparse.Namespace) -> None:
    from course_utils.lesson.leaderboard import leaderboard

    limits = {"seconds": args.seconds, "memory": args.memory}
    given = {name: value for name, value in limits.items() if value is not None}
    print(leaderboard(args.folder, args.seed, **given))


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


def _assignment(args: argparse.Namespace) -> None:
    from course_utils.authoring import publish, source

    path = args.to / f"{args.name}.ipynb"
    short = source.assignment(source.read_source(args.name))
    publish.write_whole({path: publish.as_text(short)})
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


def _elsewhere(args: argparse.Namespace) -> None:
    from course_utils.authoring import elsewhere

    for path in elsewhere.build(args.address, args.to):
        print(f"written: {path}")


def _site(args: argparse.Namespace) -> None:
    from course_utils.authoring import site

    print(site.build(args.to))


def _slides(args: argparse.Namespace) -> None:
    from course_utils.authoring import slides

    print(slides.build(args.name, args.to or Path("build") / "slides" / args.name))


def _drawings(args: argparse.Namespace) -> None:
    from course_utils.authoring.drawings import album

    for path in album.write():
        print(f"written: {path}")


def _ladder(args: argparse.Namespace) -> None:
    from course_utils.authoring import readme
    from course_utils.authoring.freshness import code_hash
    from course_utils.lesson import ladder

    ladder.measure(code_hash([ladder.MEASURED], assets=None))
    readme.write_readme()


def _scaling(args: argparse.Namespace) -> None:
    from course_utils.authoring.freshness import code_hash
    from course_utils.lesson import scaling

    scaling.measure(code_hash([scaling.MEASURED], assets=None))


def _tune(args: argparse.Namespace) -> None:
    from course_utils.authoring.run import tune

    tune(args.name, args.log, args.models)


def _claims(args: argparse.Namespace) -> None:
    from course_utils.authoring import readme, seeds

    wanted = [seed for part in args.seeds for seed in part]
    seeds.measure(args.names or readme.written(), wanted, args.workers)
    readme.write_readme()


def _twins(args: argparse.Namespace) -> None:
    from course_utils.authoring import readme, twins

    twins.measure(args.names, args.workers)
    readme.write_readme()


def _lint(args: argparse.Namespace) -> None:
    from course_utils.authoring import suite

    suite.lint()


def _typecheck(args: argparse.Namespace) -> None:
    from course_utils.authoring import suite

    suite.typecheck()


def _test(args: argparse.Namespace) -> None:
    from course_utils.authoring import suite

    suite.test(args.workers, args.minutes)


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
        extra = EXTRA_WITH.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        install = f"pip install -e '.[{extra}]' -c constraints.txt"
        print(f"error: {args.command} needs {error.name}: {install}", file=sys.stderr)
        return 1
    except (ValueError, RuntimeError) as error:
        if not type(error).__module__.startswith("course_utils"):
            raise
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


EXTRA_WITH = {
    **dict.fromkeys(
        ("jupytext", "nbclient", "nbconvert", "nbformat", "nbgrader", "traitlets"), "authoring"
    ),
    "ray": "scale",
    **dict.fromkeys(
        (
            "furo",
            "jinja2",
            "myst_nb",
            "pygments",
            "sphinx",
            "sphinx-mathjax-offline",
            "sphinx_copybutton",
            "sphinx_revealjs",
        ),
        "site",
    ),
}
"""What installs a package that not every command needs."""


if __name__ == "__main__":
    sys.exit(main())
