"""All drawings, and the folder that they are written to."""

from __future__ import annotations

from pathlib import Path

from course_utils.authoring.drawings import generative, policies, ranking, retrieval, sequence
from course_utils.authoring.drawings.canvas import Drawing
from course_utils.settings import ASSETS, written_whole

FOLDER = ASSETS / "drawings"
DRAWINGS: dict[str, Drawing] = {
    name: made
    for part in (retrieval, ranking, sequence, policies, generative)
    for name, made in vars(part).items()
    if isinstance(made, Drawing)
}
"""The drawings of all parts, by name."""


def write() -> list[Path]:
    """Write every drawing, and nothing else, into the folder; returns the files."""
    with written_whole(FOLDER) as made:
        for name, drawing in DRAWINGS.items():
            (made / f"{name}.svg").write_text(drawing().svg(), encoding="utf-8", newline="\n")
    return [FOLDER / f"{name}.svg" for name in DRAWINGS]
