"""`python -m course_utils COMMAND`: doctor, log, publish, pull, run, claims, ladder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def seeds(text: str) -> list[int]:
    """Seeds of one argument: `3` → [3], `0..4` → [0, 1, 2, 3, 4]."""
    first, _, last = text.partition("..")
    try:
        return list(range(int(first), int(last or first) + 1))
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a seed nor a range of seeds such as 0..4"
        ) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m course_utils", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("doctor", help="is this machine ready for the course?")
    log = commands.add_parser("log", help="open a log, generating or downloading it if needed")
    log.add_argument("source", nargs="?")
    publish = commands.add_parser("publish", help="build notebooks from their sources")
    publish.add_argument("names", nargs="*")
    publish.add_argument("--force", action="store_true", help="also what is current or edited")
    pull = commands.add_parser("pull", help="carry edits of a built notebook into its source")
    pull.add_argument("name")
    run = commands.add_parser("run", help="execute one notebook headless")
    run.add_argument("name")
    run.add_argument("--log")
    run.add_argument("--to", type=Path, default=Path("build"))
    commands.add_parser("ladder", help="train every ranker of the track and keep what was measured")
    claims = commands.add_parser("claims", help="table claim × seed over all notebooks")
    claims.add_argument("--seeds", nargs="+", type=seeds, default=[range(5)])
    claims.add_argument("--names", nargs="*")
    return parser


def main() -> int:
    """Run one command; returns the exit status."""
    args = _parser().parse_args()
    if args.command == "doctor":
        from course_utils.lesson.doctor import diagnose

        findings = diagnose()
        print("\n".join(map(str, findings)))
        return 0 if all(f.ok for f in findings) else 1

    from course_utils.authoring import publish as publishing
    from course_utils.data.log import open_log
    from course_utils.schema import LogError

    try:
        if args.command == "log":
            log = open_log(args.source)
            rows = log.events.select("uid").collect(engine="streaming").height
            print(f"{log.name}: {rows:,} events")
        elif args.command == "publish":
            for name in args.names or publishing.names():
                built = publishing.publish(name, args.force)
                print(f"{name}: {'built' if built else 'current'}")
            publishing.write_readme()
        elif args.command == "pull":
            print(f"written: {publishing.pull(args.name)}")
        elif args.command == "run":
            for path in publishing.run(args.name, args.log, args.to):
                print(f"written: {path}")
        elif args.command == "ladder":
            from course_utils.lesson import ladder

            ladder.measure(publishing.code_hash("import course_utils.lesson.ladder"))
            publishing.write_readme()
        elif args.command == "claims":
            wanted = [seed for part in args.seeds for seed in part]
            print(publishing.claims_by_seed(args.names or publishing.names(), wanted))
    except (LogError, publishing.PublishError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
