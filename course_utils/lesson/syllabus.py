"""The course's map, read from `course.toml`: parts, notebooks, and what is written already."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib.pyplot as plt
from IPython.display import Markdown

from course_utils.lesson import plots
from course_utils.settings import ROOT
from course_utils.world.config import EFFECTS

STATES = ("planned", "draft", "written")


class SyllabusError(ValueError):
    """A line of `course.toml` that cannot be, with the remedy."""


@dataclass(frozen=True)
class Lesson:
    """One notebook of the course.

    Attributes:
        name: as its files are called, `NN_topic`. part: from 1. title: for people.
        state: one of `STATES`. seconds: budget of the whole notebook on two CPU cores.
        rests: effects of the simulated world without which its story should fall.
        grocery: how many listeners of that log its twin reads; all of them, if 0.
    """

    name: str
    part: int
    title: str
    state: str
    seconds: int = 90
    rests: tuple[str, ...] = ()
    grocery: int = 0

    @property
    def number(self) -> str:
        """The two digits in front of the name."""
        return self.name.partition("_")[0]


@dataclass(frozen=True)
class Syllabus:
    """The parts of the course and its notebooks, in the lecture's order."""

    parts: list[str]
    lessons: list[Lesson]

    def part(self, number: int) -> list[Lesson]:
        """The notebooks of one part."""
        return [lesson for lesson in self.lessons if lesson.part == number]


def read_syllabus(path: Path = ROOT / "course.toml") -> Syllabus:
    """The map of the course.

    Raises:
        SyllabusError: an entry lacks a field, or its part or state does not exist.
    """
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    parts, lessons = table["parts"], []
    for name, entry in sorted(table["notebooks"].items()):
        try:
            lesson = Lesson(name, **entry)
        except TypeError as error:
            raise SyllabusError(f"course.toml: {name}: {error}") from error
        if not 1 <= lesson.part <= len(parts) or lesson.state not in STATES:
            raise SyllabusError(
                f"course.toml: {name}: part {lesson.part} and state {lesson.state!r}; there are "
                f"parts 1 to {len(parts)} and the states {', '.join(STATES)}"
            )
        if unknown := sorted(set(lesson.rests) - set(EFFECTS)):
            raise SyllabusError(
                f"course.toml: {name} rests on {unknown}; the world has {sorted(EFFECTS)}"
            )
        lessons.append(replace(lesson, rests=tuple(lesson.rests)))
    return Syllabus(parts, lessons)


def links() -> Markdown:
    """What is written already, a line a part, as links beside the calling notebook."""
    syllabus, lines = read_syllabus(), []
    for number, part in enumerate(syllabus.parts, start=1):
        written = [
            f"[{lesson.number} {lesson.title}]({lesson.name}.ipynb)"
            for lesson in syllabus.part(number)
            if lesson.state == "written"
        ]
        if written:
            lines.append(f"- **{number} · {part}:** {' · '.join(written)}")
    return Markdown("\n".join(lines))


def draw_map() -> None:
    """Figure of the whole course: a column a part, filled what is written."""
    syllabus = read_syllabus()
    rows = max(len(syllabus.part(n + 1)) for n in range(len(syllabus.parts)))
    _, ax = plt.subplots(figsize=(12.5, 0.52 * (rows + 1)))
    for column, part in enumerate(syllabus.parts):
        color = plots.PALETTE[column]
        title = f"{column + 1} · {part}"
        ax.text(column, 0, title, ha="center", va="center", weight="bold", color=color, fontsize=13)
        for row, lesson in enumerate(syllabus.part(column + 1), start=1):
            here = lesson.state == "written"
            box = {
                "boxstyle": "round,pad=0.35",
                "facecolor": color if here else "white",
                "edgecolor": color,
            }
            words = f"{lesson.number} {lesson.title}".replace(" against ", "\nagainst ")
            ink = "white" if here else "#444444"
            ax.text(column, row, words, ha="center", va="center", color=ink, fontsize=11, bbox=box)
    ax.set(xlim=(-0.6, len(syllabus.parts) - 0.4), ylim=(rows + 0.6, -0.6))
    if any(lesson.state != "written" for lesson in syllabus.lessons):
        ax.set(title="filled: written · outlined: planned")
    ax.axis("off")
    plt.show()
