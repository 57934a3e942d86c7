"""Carry edits of a built notebook back into its source, and lose none of them."""

from __future__ import annotations

import base64
import copy
import re
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from course_utils.authoring import publish, source
from course_utils.authoring.source import KEPT_METADATA, PublishError
from course_utils.settings import ASSETS

HEADER = re.compile(r"\A# ---\n.*?\n# ---\n\n?", re.DOTALL)
"""The jupytext header of a source, which stays as it is."""


def pull(name: str) -> list[Path]:
    """Carry text, slide types, tags, grading and pasted pictures of a built notebook into `src`.

    Returns:
        The files that were written: the source, and an asset for each pasted picture.

    Raises:
        PublishError: there is no such notebook; an inlined class was edited (that belongs into
            `course_utils`); a picture's type is not known.
    """
    path, built = source.source_path(name), publish.read_built(name)
    kept = nbformat.v4.new_notebook()
    files: dict[Path, bytes] = {}
    grade_id: str | None = None
    for number, cell in enumerate(built.cells):
        plain = _plain(cell, number)
        if cell.cell_type == "code":
            graded, grade_id = _own_grading(cell, name, number, grade_id)
            plain.metadata.pop("nbgrader", None)
            if graded:
                plain.metadata["nbgrader"] = graded
        files |= _unpack_pictures(plain, name, number)
        kept.cells.append(plain)
    head = HEADER.match(path.read_text(encoding="utf-8"))
    body = HEADER.sub("", jupytext.writes(kept, "py:percent"))
    files[path] = ((head.group(0) if head else "") + body).encode()
    built.metadata.setdefault("course", {})["cells"] = [
        publish.cell_hash(cell) for cell in built.cells
    ]
    publish.write_whole({**files, publish.built_path(name): publish.as_text(built)})
    return [path, *(file for file in files if file != path)]


def _plain(cell: NotebookNode, number: int) -> NotebookNode:
    """The cell as the source holds it: the import of an inlined class, no outputs."""
    plain = copy.deepcopy(cell)
    inline = plain.metadata.get("course", {}).get("inline")
    if inline is not None:
        if plain.source != source.inlined(inline):
            raise PublishError(
                f"cell {number} holds inlined code that was edited; make this change in the "
                f"file that `{inline.strip()}` names"
            )
        plain.source = inline
    plain.metadata = nbformat.from_dict(
        {key: plain.metadata[key] for key in KEPT_METADATA if plain.metadata.get(key)}
    )
    if plain.cell_type == "code":
        plain.outputs, plain.execution_count = [], None
    return plain


def _own_grading(
    cell: NotebookNode, name: str, number: int, grade_id: str | None
) -> tuple[dict, str | None]:
    """What an author changed of a cell's grading, and the exercise that the next cell checks."""
    if source.BEGIN in cell.source:
        grade_id = f"{name}-{number}"
        given, after = source.grading(grade_id, solution=True), grade_id
    elif grade_id:
        given, after = source.grading(f"{grade_id}-check", solution=False), None
    else:
        given, after = {}, None
    found = cell.metadata.get("nbgrader", {})
    return {k: v for k, v in found.items() if k != "grade_id" and given.get(k) != v}, after


def _unpack_pictures(cell: NotebookNode, name: str, number: int) -> dict[Path, bytes]:
    """Turn pictures that were pasted into a cell into files of `notebooks/assets`."""
    files: dict[Path, bytes] = {}
    for label, kinds in cell.pop("attachments", {}).items():
        for kind, content in kinds.items():
            suffix = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif"}.get(kind)
            if suffix is None:
                raise PublishError(
                    f"cell {number}: the pasted file {label!r} is of type {kind}; save it in "
                    "notebooks/assets and link it: ![what it shows](assets/NAME)"
                )
            file = ASSETS / f"{name}-{number}-{re.sub(r'[^A-Za-z0-9]+', '-', label)}.{suffix}"
            cell.source = cell.source.replace(f"attachment:{label}", f"assets/{file.name}")
            files[file] = base64.b64decode(content)
    return files
