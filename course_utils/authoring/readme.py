"""What is generated of README, results and datasheet: the map, the ladder, tables of claims."""

from __future__ import annotations

import re
from pathlib import Path

from course_utils.authoring import publish, seeds, source, twins
from course_utils.authoring.repeats import claims_of, measured_by
from course_utils.authoring.source import PublishError
from course_utils.lesson import ladder
from course_utils.lesson.claims import cell_of_table, mark
from course_utils.lesson.syllabus import read_syllabus
from course_utils.settings import NOTEBOOKS, ROOT

README = ROOT / "README.md"
RESULTS = NOTEBOOKS / "RESULTS.md"
REAL = twins.REAL[0]
"""The log that stands beside the simulated one."""


def written() -> list[str]:
    """Names of the notebooks that are more than drafts."""
    return [lesson.name for lesson in read_syllabus().lessons if lesson.state == "written"]


def results_table(folder: str, codes: dict[str, str], headlines: bool = False) -> str:
    """Markdown table of claims: what was measured, and how it went with other seeds.

    Args:
        folder: of the notebooks, as the table's links name it. codes: by notebook, the hash of what
            it measures. headlines: only those that the notebooks mark, and how they come out on the
            real log `REAL`.
    """
    columns = ["notebook", "claim", "", "measured", "other seeds"]
    columns += [f"`{REAL}`"] if headlines else []
    rows = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for name, code in codes.items():
        built = publish.read_built(name)
        marked = [claim for cell in built.cells for claim in cell.metadata.get("headlines", [])]
        kept, twin = seeds.KEPT.of(name, code), twins.KEPT.of(name, code)
        for c in claims_of(built):
            if headlines and c["claim"] not in marked:
                continue
            sign = mark(c["holds"], c.get("open", False))
            link = f"[{name.split('_')[0]}]({folder}{name}.ipynb)"
            cells = [link, c["claim"], sign, c["measured"]]
            cells.append(seeds.told(c, kept.get(c["claim"], {})))
            if headlines:
                real = twins.seen_by(c, twin.get(c["claim"], {}).get(REAL))
                cells.append(f"{mark(real['holds'], False)} {real['measured']}" if real else "–")
            rows.append(f"| {' | '.join(map(cell_of_table, cells))} |")
    return "\n".join(rows)


def map_table() -> str:
    """Markdown table of the course: a row a part, links to what is written."""
    syllabus = read_syllabus()
    rows = ["| part | notebooks |", "|---|---|"]
    for number, title in enumerate(syllabus.parts, start=1):
        cells = []
        for lesson in syllabus.part(number):
            told = f"{lesson.number} {lesson.title}"
            written = lesson.state == "written"
            cells.append(f"[{told}](notebooks/{lesson.name}.ipynb)" if written else told)
        rows.append(f"| {number} · {title} | {' · '.join(cells)} |")
    return "\n".join(rows)


def fill(text: str, marker: str, content: str) -> str:
    """Replace what stands between `<!-- MARKER -->` and `<!-- /MARKER -->`.

    Raises:
        PublishError: the marks are not there, or there are several.
    """
    pattern = rf"(?s)(<!-- {marker} -->\n).*?(<!-- /{marker} -->)"
    filled, n = re.subn(pattern, lambda m: f"{m.group(1)}{content}\n{m.group(2)}", text)
    if n != 1:
        raise PublishError(f"a README needs exactly one pair of marks <!-- {marker} -->")
    return filled


def texts() -> dict[Path, str]:
    """README, results and datasheet as they should be, with their generated parts filled in."""
    codes = {name: measured_by(source.read_source(name)) for name in written()}
    parts = {
        README: {
            "map": map_table(),
            "headlines": results_table("notebooks/", codes, headlines=True),
            "ladder": ladder.table(),
        },
        RESULTS: {"results": results_table("", codes)},
        twins.README: {"twins": twins.table(codes)},
    }
    found = {}
    for path, contents in parts.items():
        found[path] = path.read_text(encoding="utf-8")
        for marker, content in contents.items():
            found[path] = fill(found[path], marker, content)
    return found


def write_readme() -> None:
    """Bring the generated parts of README, results and datasheet up to date."""
    publish.write_whole({path: text.encode() for path, text in texts().items()})
