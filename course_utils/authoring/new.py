"""A new notebook: a source that runs, and stubs of all that belongs to it."""

from __future__ import annotations

import keyword
import re
import tomllib
from pathlib import Path

from course_utils.authoring import publish, source
from course_utils.authoring.source import PublishError
from course_utils.settings import ROOT

NAME = re.compile(r"(\d\d)_([a-z][a-z0-9_]*)")

SOURCE = '''\
# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown] slideshow={{"slide_type": "slide"}}
# # {number} · {title}
#
# *Lecture: …. Runs in … on two CPU cores.*
#
# Why does this topic exist? What could nobody do before?

# %% [markdown] slideshow={{"slide_type": "subslide"}}
# ### What you will be able to do
#
# - …

# %% [markdown] slideshow={{"slide_type": "notes"}}
# **For the speaker.** What to say, what to ask, where rooms go wrong.

# %% slideshow={{"slide_type": "skip"}}
from course_utils.data.log import open_log
from course_utils.lesson import plots
from course_utils.lesson.claims import Claims
from course_utils.train import seed_everything

plots.use_style()
SEED = seed_everything({seed})
log = open_log()
claim = Claims(log)

# %% [markdown] slideshow={{"slide_type": "slide"}}
# ## By hand first
#
# A tiny example, computed on paper.

# %% slideshow={{"slide_type": "fragment"}} tags=["nbval-check-output"]
claim("One and one are two", 1 + 1 == 2, "2")

# %% [markdown] slideshow={{"slide_type": "slide"}}
# ## Exercises
#
# ### 1 · … (easy)


# %% slideshow={{"slide_type": "skip"}}
def answer(x: float) -> float:
    """Twice x."""
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION


answer(1.0)

# %% slideshow={{"slide_type": "skip"}}
from course_utils.checks.{topic} import check_answer

check_answer(answer)

# %% [markdown] slideshow={{"slide_type": "slide"}}
# ## Recap

# %% slideshow={{"slide_type": "fragment"}}
claim.recap()

# %% [markdown] slideshow={{"slide_type": "skip"}}
# ## References
#
# - …
'''

CHECKS = '''\
"""Checks of notebook {number}."""

from __future__ import annotations

from collections.abc import Callable

from course_utils.checks._answers import judge


def check_answer(answer: Callable[[float], float]) -> None:
    """`answer(x)`: twice x."""
    judge(
        answer,
        lambda x: 2 * x,
        cases=[({{"x": 1.5}}, "add x to itself")],
        mistakes=[(lambda x: x * x, "this is the square of x")],
    )
'''

WRONG = '''\
"""Wrong answers to notebook {number}: each cell must be told the hint in its head."""
# ruff: noqa: F811


# %% hint="this is the square of x"
def answer(x):
    return x * x


# %% hint="add x to itself"
def answer(x):
    return x + 1
'''


def new(name: str) -> list[Path]:
    """Write the source of a new notebook, a stub of its checks and one of planted wrong answers.

    The line in `course.toml` that names it becomes a draft, or is added.

    Returns:
        The files that were written.

    Raises:
        PublishError: the name is not of the form NN_topic, or the notebook exists.
    """
    found = NAME.fullmatch(name)
    if not found:
        raise PublishError(f"{name!r} is not of the form NN_topic, such as 03_youtube_dnn")
    number, topic = found.groups()
    if keyword.iskeyword(topic):
        raise PublishError(f"{topic!r} is a word of Python and no name of a module; choose another")
    if other := [n for n in _known() if n.startswith(f"{number}_") and n != name]:
        raise PublishError(f"number {number} is taken by {other[0]}; choose another")
    files = {
        source.SOURCES / f"{name}.py": SOURCE.format(
            number=number, title=topic.replace("_", " "), topic=topic, seed=int(number)
        ),
        ROOT / "course_utils" / "checks" / f"{topic}.py": CHECKS.format(number=number),
        ROOT / "tests" / "notebooks" / "wrong" / f"{name}.py": WRONG.format(number=number),
    }
    for path in files:
        if path.exists():
            raise PublishError(f"{path.relative_to(ROOT)} exists; choose another name or remove it")
    course = ROOT / "course.toml"
    files[course] = as_draft(course.read_text(encoding="utf-8"), name, topic.replace("_", " "))
    publish.write_whole({path: text.encode() for path, text in files.items()})
    return list(files)


def _known() -> list[str]:
    """Names of all notebooks, planned ones too."""
    course = tomllib.loads((ROOT / "course.toml").read_text(encoding="utf-8"))
    return [*course["notebooks"], *source.names()]


def as_draft(course: str, name: str, title: str) -> str:
    """The text of `course.toml` with this notebook as a draft; a new one joins the part before."""
    lines = course.splitlines()
    part = 1
    for number, line in enumerate(lines):
        if NAME.match(line) and line < name:
            part = int(re.findall(r"part = (\d+)", line)[0])
        if line.startswith(f"{name} ="):
            lines[number] = re.sub(r'state = "\w+"', 'state = "draft"', line)
            break
    else:
        entry = f'{name} = {{ part = {part}, title = "{title}", state = "draft" }}'
        later = (n for n, line in enumerate(lines) if NAME.match(line) and line > name)
        lines.insert(next(later, len(lines)), entry)
    return "\n".join(lines) + "\n"
