"""A twin for every story: notebooks run again in a world without one effect, and on real logs."""

from __future__ import annotations

from collections.abc import Iterator

from course_utils.authoring import publish
from course_utils.authoring.repeats import Repeats, claims_of
from course_utils.data.sources.sample import OPTION
from course_utils.lesson.claims import cell_of_table, mark
from course_utils.lesson.syllabus import Lesson, read_syllabus
from course_utils.settings import ASSETS, ROOT

KEPT = Repeats(ASSETS / "twins.json")
"""What was found on each other log."""
README = ROOT / "data" / "README.md"
REAL = ("movielens", "grocery")
"""Real logs that come in a package."""
WITHOUT = "sim:without="


def real_logs(lesson: Lesson) -> dict[str, str]:
    """The real logs that a notebook is run on again, whole or some of their listeners."""
    sample = f":{OPTION}={lesson.grocery}" if lesson.grocery else ""
    return {log: f"{log}{sample}" if log == "grocery" else log for log in REAL}


def logs_of(lesson: Lesson) -> list[str]:
    """The logs that a notebook is run on again: worlds without what it rests on, and real ones."""
    if not lesson.rests:
        return []
    return [*(f"{WITHOUT}{effect}" for effect in lesson.rests), *real_logs(lesson).values()]


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


def table(codes: dict[str, str]) -> str:
    """Markdown table: the settled claims that come out otherwise on another log, and how.

    What comes out as published is a mark alone; of what does not, the table tells the measure.
    A mark with a ¹ comes from some of the listeners.
    Below it stands how many claims look at the log and come out alike wherever they were tried.

    Args:
        codes: by notebook, the hash of what it measures.
    """
    lessons = [
        lesson for lesson in read_syllabus().lessons if lesson.rests and lesson.name in codes
    ]
    found = [claim for lesson in lessons for claim in _settled(lesson, codes[lesson.name])]
    real = [
        log for log in REAL if any(real_logs(lesson)[log] in by_log for lesson, _, by_log in found)
    ]
    head = ["notebook", "claim", "`sim`", "without", *(f"`{log}`" for log in real)]
    rows, alike = [head, ["---"] * len(head)], 0
    for lesson, claim, by_log in found:
        if all(other["holds"] == claim["holds"] for other in by_log.values()):
            alike += 1
            continue
        without = (
            f"`{effect}` {_told(claim, by_log[f'{WITHOUT}{effect}'])}"
            for effect in lesson.rests
            if f"{WITHOUT}{effect}" in by_log
        )
        link = f"[{lesson.number}](../notebooks/{lesson.name}.ipynb)"
        cells = [link, cell_of_table(claim["claim"]), mark(claim["holds"], False)]
        cells.append("; ".join(without) or "–")
        for read in (real_logs(lesson)[log] for log in real):
            footnote = "" if read in REAL else "¹"
            cells.append(_told(claim, seen_by(claim, by_log.get(read)), footnote))
        rows.append(cells)
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines, "", f"Alike wherever they were tried: {alike} further claims."])


def _settled(lesson: Lesson, code: str) -> Iterator[tuple[Lesson, dict, dict[str, dict]]]:
    """Claims of a notebook that look at the log and are not open, and what other logs said."""
    kept = KEPT.of(lesson.name, code)
    for claim in claims_of(publish.read_built(lesson.name)):
        by_log = kept.get(claim["claim"], {})
        if any(seen_by(claim, other) for other in by_log.values()) and not claim.get("open"):
            yield lesson, claim, by_log


def seen_by(claim: dict, found: dict | None) -> dict | None:
    """What was found on another log; None if the claim does not look at the log."""
    return None if found is None or found["measured"] == claim["measured"] else found


def _told(claim: dict, found: dict | None, footnote: str = "") -> str:
    """The mark of a claim on another log; with its measure, if it comes out otherwise there."""
    if found is None:
        return "–"
    sign = f"{mark(found['holds'], False)}{footnote}"
    alike = found["holds"] == claim["holds"]
    return sign if alike else f"{sign} {cell_of_table(found['measured'])}"
