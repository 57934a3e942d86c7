"""Carry edits of a built notebook back into its source, and lose none of them."""

from __future__ import annotations

import base64
import copy
import hashlib
import re
from pathlib import Path
from urllib.parse import unquote

import jupytext
import nbformat
from nbformat import NotebookNode

from course_utils.authoring import publish, source
from course_utils.authoring.source import KEPT_METADATA, PublishError
from course_utils.settings import ASSETS

HEADER = re.compile(r"\A# ---\n.*?\n# ---\n\n?", re.DOTALL)
"""The jupytext header of a source, which stays as it is."""
CELL = re.compile(r"(?m)^# %%.*$")
"""The header of a cell."""


def pull(name: str) -> list[Path]:
    """Carry text, slide types, tags, grading and pasted pictures of a built notebook into `src`.

    Returns:
        The files that were written: the source, and an asset for each pasted picture.

    Raises:
        PublishError: there is no such notebook; the source was edited since it was built; an
            inlined class was edited (that belongs into `course_utils`); a cell cannot be written
            into a source; a picture's type is not known.
    """
    path, built = source.source_path(name), publish.read_built(name)
    _refuse_if_the_source_moved_on(name, built)
    kept, files = nbformat.v4.new_notebook(), dict[Path, bytes]()
    check_of: str | None = None
    for number, cell in enumerate(built.cells):
        if _is_empty(cell):
            continue
        plain = _plain(cell, number, built)
        graded, check_of = _own_grading(cell, name, number, check_of)
        plain.metadata.pop("nbgrader", None)
        if graded:
            plain.metadata["nbgrader"] = graded
        files |= _unpack_pictures(plain, name, number)
        kept.cells.append(plain)
    text = _as_source(kept, path)
    publish.write_whole({**files, path: text.encode()})
    built.metadata.setdefault("course", {}).update(
        cells=[publish.cell_hash(cell) for cell in built.cells],
        source=publish.source_hashes(name),  # so that the next pull is not taken for a conflict
    )
    publish.write_whole({publish.built_path(name): publish.as_text(built)})
    return [path, *files]


def _is_empty(cell: NotebookNode) -> bool:
    """Whether nothing stands in a cell, such as the one that running the last cell leaves."""
    return not cell.source.strip() and not cell.get("attachments")


def _refuse_if_the_source_moved_on(name: str, built: NotebookNode) -> None:
    """A source that was edited since it was built would lose those edits."""
    written = built.metadata.get("course", {}).get("cells", [])
    now = publish.source_hashes(name)
    as_built = built.metadata.get("course", {}).get("source", now)
    if now != as_built:
        first = next(
            (n for n, (a, b) in enumerate(zip(now, as_built, strict=False)) if a != b), len(written)
        )
        raise PublishError(
            f"notebooks/src/{name}.py was edited since notebooks/{name}.ipynb was built, first in "
            f"cell {first}, and pulling would undo that; if the built notebook holds no edits of "
            f"yours, run `make notebooks NB={name}`, else carry them over by hand"
        )


def _as_source(notebook: NotebookNode, path: Path) -> str:
    """The notebook as a source under its old header, if it reads back as the same cells.

    Raises:
        PublishError: it would not; names the first cell that py:percent cannot hold.
    """
    head = HEADER.match(path.read_text(encoding="utf-8"))
    cells = HEADER.sub("", jupytext.writes(notebook, "py:percent"))
    text = (head.group(0) if head else "") + CELL.sub(_readable, cells)
    again = jupytext.reads(text.replace("\r\n", "\n"), "py:percent").cells
    for number, cell in enumerate(notebook.cells):
        if number >= len(again) or publish.cell_hash(cell) != publish.cell_hash(again[number]):
            raise PublishError(
                f"cell {number} cannot be written into a source so that it reads back the same; "
                "look for an empty cell, a line that begins with `# %%`, or invisible characters: "
                f"{cell.source[:60]!r}"
            )
    if len(again) != len(notebook.cells):
        raise PublishError(f"cell {len(notebook.cells) - 1} would be split in the source")
    return text


def _readable(header: re.Match[str]) -> str:
    """The header of a cell with the signs that jupytext writes by their numbers."""
    return re.sub(r"\\u([0-9a-f]{4})", lambda sign: chr(int(sign[1], 16)), header[0])


def _plain(cell: NotebookNode, number: int, built: NotebookNode) -> NotebookNode:
    """The cell as its source holds it: imports of inlined classes, comments to tools, no output."""
    plain = copy.deepcopy(cell)
    inline = plain.metadata.get("course", {}).get("inline")
    if inline is not None:
        if not _as_written(cell, built) and plain.source != source.inlined(inline):
            raise PublishError(
                f"cell {number} holds inlined code that was edited; make this change in the "
                f"file that `{inline.strip()}` names"
            )
        if cell.cell_type != "code" or "inline" not in cell.metadata.get("tags", []):
            raise PublishError(
                f"cell {number} shows the code of `{inline.strip()}` and must stay a code cell "
                "with the tag `inline`; to drop it, delete the cell"
            )
        plain.source = inline
    elif _as_written(cell, built):
        plain.source = plain.metadata.get("course", {}).get("source", plain.source)
    plain.metadata = nbformat.from_dict(
        {key: plain.metadata[key] for key in KEPT_METADATA if plain.metadata.get(key)}
    )
    if plain.cell_type == "code":
        plain.outputs, plain.execution_count = [], None
    return plain


def _as_written(cell: NotebookNode, built: NotebookNode) -> bool:
    return publish.cell_hash(cell) in built.metadata.get("course", {}).get("cells", [])


def _own_grading(
    cell: NotebookNode, name: str, number: int, check_of: str | None
) -> tuple[dict, str | None]:
    """What an author changed of a cell's grading, and the exercise that the next cell checks."""
    found = cell.metadata.get("nbgrader", {})
    if cell.cell_type == "code" and source.BEGIN in cell.source:
        given, after = source.grading(f"{name}-{number}", solution=True), f"{name}-{number}"
    elif check_of and cell.cell_type == "code":
        given, after = source.grading(f"{check_of}-check", solution=False), None
    elif check_of:
        raise PublishError(f"cell {number} must be the code that checks the exercise before it")
    else:
        return dict(found), None  # graded by the author alone
    return {k: v for k, v in found.items() if k != "grade_id" and given.get(k) != v}, after


LINK = re.compile(r"\(attachment:([^)]*)\)")
SUFFIXES = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}


def _unpack_pictures(cell: NotebookNode, name: str, number: int) -> dict[Path, bytes]:
    """Turn pictures that were pasted into a cell into files of `notebooks/assets`.

    A file is named after what is in it, so that no picture takes the place of another.
    """
    files = {}
    attached = cell.pop("attachments", {})
    shown = {unquote(label) for label in LINK.findall(cell.source)}
    if unknown := sorted({unquote(label) for label in attached} ^ shown):
        raise PublishError(
            f"cell {number}: {unknown[0]!r} is pasted but not shown, or shown but not pasted; mend "
            "the link ![what it shows](attachment:NAME), or delete the attachment"
        )
    links = {}
    for label, kinds in attached.items():
        kind = next((kind for kind in SUFFIXES if kind in kinds), None)
        if kind is None:
            raise PublishError(
                f"cell {number}: the pasted file {label!r} is of type {', '.join(kinds)}; save it "
                "in notebooks/assets and link it: ![what it shows](assets/NAME)"
            )
        content = base64.b64decode(kinds[kind])
        digest = hashlib.sha256(content).hexdigest()[:10]
        file = ASSETS / f"{name}-{digest}.{SUFFIXES[kind]}"
        files[file], links[unquote(label)] = content, f"(assets/{file.name})"
    cell.source = LINK.sub(lambda found: links[unquote(found[1])], cell.source)
    return files
