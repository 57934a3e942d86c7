"""All drawings, and the folder that they are written to."""

from __future__ import annotations

from pathlib import Path

from course_utils.authoring.drawings import generative, policies, ranking, retrieval, sequence
from course_utils.authoring.drawings.canvas import Drawing
from course_utils.settings import ASSETS

FOLDER = ASSETS / "drawings"
DRAWINGS: dict[str, Drawing] = {
    name: made
    for part in (retrieval, ranking, sequence, policies, generative)
    for name, made in vars(part).items()
    if isinstance(made, Drawing)
}
"""The drawings of all parts, by name."""


def write() -> list[Path]:
    """Write every drawing, and take away what none of them is; returns the files."""
    FOLDER.mkdir(exist_ok=True)
    files = {FOLDER / f"{name}.svg": made().svg() for name, made in DRAWINGS.items()}
    for path in FOLDER.glob("*.svg"):
        if path not in files:
            path.unlink()
    for path, text in files.items():
        path.write_text(text, encoding="utf-8", newline="\n")
    return list(files)
