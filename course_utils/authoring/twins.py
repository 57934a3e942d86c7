"""A twin for every story: notebooks run again in a world without one effect, and on real logs."""

from __future__ import annotations

from collections.abc import Iterator

from course_utils.authoring import publish, source
from course_utils.authoring.repeats import Repeats, claims_of, measured_by
from course_utils.lesson.claims import cell_of_table, mark
from course_utils.lesson.syllabus import Lesson, read_syllabus
from course_utils.settings import ASSETS, ROOT

KEPT = Repeats(ASSETS / "twins.json")
"""What was found on each other log."""
README = ROOT / "data" / "README.md"
REAL = ("movielens", "grocery")
"""Real logs that come in a package."""
WITHOUT = "sim:without="


def logs_of(lesson: Lesson) -> list[str]:
    """The logs that a notebook is run on again: worlds without what it rests on, and real ones."""
    return [*(f"{WITHOUT}{effect}" for effect in lesson.rests), *REAL] if lesson.rests else []


def measure(names: list[str], workers: int | None = None) -> None:
    """Run notebooks again in the worlds without what they rest on, and on real logs.

    Args:
        names: of notebooks; all, if there are none. workers: processes; one a core.

    Raises:
        PublishError: a notebook did not come to its end; the others are kept.
    """
    lessons = [lesson for lesson in read_syllabus().lessons if lesson.name in names or not names]
    runs = {
        (lesson.name, log): {"COURSE_LOG": log} for lesson in lessons for log in logs_of(lesson)
    }
    KEPT.measure(runs, workers)


def table() -> str:
    """Markdown table: every claim that looks at the log, as it comes out on each of its logs.

    What comes out as published is a mark alone; of what does not, the table tells the measure.
    """
    head = "| notebook | claim | `sim` | without | " + " | ".join(f"`{log}`" for log in REAL)
    return "\n".join([f"{head} |", "|---" * (4 + len(REAL)) + "|", *_rows()])


def _rows() -> Iterator[str]:
    for lesson in read_syllabus().lessons:
        if not logs_of(lesson):
            continue
        kept = KEPT.of(lesson.name, measured_by(source.read_source(lesson.name)))
        for claim in claims_of(publish.read_built(lesson.name)):
            found = kept.get(claim["claim"], {})
            if any(other["measured"] != claim["measured"] for other in found.values()):
                link = f"[{lesson.number}](../notebooks/{lesson.name}.ipynb)"
                sign = mark(claim["holds"], claim.get("open", False))
                told = {log: _told(claim, found.get(log)) for log in logs_of(lesson)}
                worlds = "; ".join(
                    f"`{log.removeprefix(WITHOUT)}` {told[log]}"
                    for log in told
                    if log.startswith(WITHOUT)
                )
                cells = [link, cell_of_table(claim["claim"]), sign, worlds]
                yield f"| {' | '.join([*cells, *(told[log] for log in REAL)])} |"


def _told(claim: dict, found: dict | None) -> str:
    """The mark of a claim on another log; with its measure, if it comes out otherwise there."""
    if found is None:
        return "–"
    sign = mark(found["holds"], False)
    return (
        sign if found["holds"] == claim["holds"] else f"{sign} {cell_of_table(found['measured'])}"
    )
