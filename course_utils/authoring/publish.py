"""From the sources in `notebooks/src` to lectures and exercises.

What is executed again is what computes something else (`freshness`); where only words or slide
types changed, the outputs stay.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from course_utils.authoring import source
from course_utils.authoring.execute import execute
from course_utils.authoring.freshness import code_hash
from course_utils.authoring.source import KEPT_METADATA, PublishError, code_of
from course_utils.settings import ASSETS, NOTEBOOKS

PICTURES = {"image/png", "image/jpeg"}


def built_path(name: str) -> Path:
    """The lecture that is built from a source."""
    return NOTEBOOKS / f"{name}.ipynb"


def read_built(name: str) -> NotebookNode:
    """The built lecture.

    Raises:
        PublishError: it has not been built.
    """
    if not built_path(name).exists():
        raise PublishError(f"{built_path(name)} has not been built; run `make notebooks`")
    return nbformat.read(built_path(name), as_version=4)


# What has changed


def cell_hash(cell: NotebookNode) -> str:
    """Hash of what the source says of a cell: text, slide type, tags, grading, pictures in it."""
    metadata = {key: cell.metadata[key] for key in KEPT_METADATA if cell.metadata.get(key)}
    told = [cell.cell_type, cell.source, metadata, cell.get("attachments", {})]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:8]


def source_hashes(name: str) -> list[str]:
    """Hashes of the source's own cells, inline imports as they stand there."""
    return [cell_hash(cell) for cell in source.read_source(name, inline=False).cells]


def edited_cells(name: str) -> list[int]:
    """Numbers of the built notebook's cells that no longer are as `publish` wrote them."""
    if not built_path(name).exists():
        return []
    built = read_built(name)
    written = built.metadata.get("course", {}).get("cells", [])
    now = [cell_hash(cell) for cell in built.cells]
    changed = [i for i, (a, b) in enumerate(zip(now, written, strict=False)) if a != b]
    if len(now) != len(written) and not changed:
        return [min(len(now), len(written))]
    return changed


def state(name: str) -> str:
    """`current`; `prose`, if only words or slide types changed; or `stale`."""
    fresh = source.read_source(name)
    if not built_path(name).exists():
        return "stale"
    built = read_built(name)
    if built.metadata.get("course", {}).get("hash") != code_hash(code_of(fresh)):
        return "stale"
    exercises = source.EXERCISES / f"{name}.ipynb"
    if not exercises.exists() or not _same_cells(built, fresh):
        return "prose"
    blank = nbformat.read(exercises, as_version=4)
    return "current" if _same_cells(blank, source.exercises(fresh)) else "prose"


def _same_cells(one: NotebookNode, other: NotebookNode) -> bool:
    return list(map(cell_hash, one.cells)) == list(map(cell_hash, other.cells))


# Building


def publish(name: str, force: bool = False) -> str:
    """Build a lecture and its exercises if they are not current.

    Args:
        name: of the notebook. force: execute it even if it is current or was edited.

    Returns:
        What was done: `executed`, `text` (new words, kept outputs), or `current`.

    Raises:
        PublishError: the built notebook was edited since, or a cell failed.
    """
    edited = edited_cells(name)
    if edited and not force:
        raise PublishError(
            f"notebooks/{name}.ipynb was edited in cells {edited}; carry the edits into the source "
            f"with `make pull NB={name}`, or drop them: `git checkout notebooks/{name}.ipynb`"
        )
    found = "stale" if force else state(name)
    if found == "current":
        return found
    notebook = source.read_source(name)
    if found == "prose":
        built = read_built(name)
        _keep_outputs(built, notebook)
        seconds = built.metadata["course"]["seconds"]
    else:
        seconds = round(execute(notebook, NOTEBOOKS))
    _tell_pictures(notebook)
    notebook.metadata["course"] = {
        "hash": code_hash(code_of(notebook)),
        "seconds": seconds,
        "cells": [cell_hash(cell) for cell in notebook.cells],
        "source": source_hashes(name),
    }
    write_whole(
        {
            built_path(name): as_text(notebook),
            source.EXERCISES / f"{name}.ipynb": as_text(source.exercises(notebook)),
            **{ASSETS / f"{name}.png": picture for picture in pictures(notebook)},
        }
    )
    return "text" if found == "prose" else "executed"


def _keep_outputs(built: NotebookNode, notebook: NotebookNode) -> None:
    """Give the code cells of `notebook` the outputs of the same cells in `built`."""
    old, new = ([c for c in n.cells if c.cell_type == "code"] for n in (built, notebook))
    for before, after in zip(old, new, strict=True):
        after.outputs, after.execution_count = before.outputs, before.execution_count


def _tell_pictures(notebook: NotebookNode) -> None:
    """Write down beside every figure what it shows, for readers who do not see it."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            for kind in PICTURES & set(output.get("data", {})):
                if alt := cell.metadata.get("alt"):
                    output.metadata[kind] = {"alt": alt}
                else:
                    output.metadata.pop(kind, None)


def pictures(notebook: NotebookNode) -> list[bytes]:
    """PNG figures of the cells tagged `picture`, which the README shows."""
    return [
        base64.b64decode(output.data["image/png"])
        for cell in notebook.cells
        if "picture" in cell.metadata.get("tags", [])
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]


def as_text(notebook: NotebookNode) -> bytes:
    """A notebook as the bytes of its file."""
    return (nbformat.writes(notebook).rstrip("\n") + "\n").encode()


def write_whole(files: dict[Path, bytes]) -> None:
    """Write all files or none: first beside their places, then into them."""
    partial = {path: path.with_name(f".{path.name}.partial") for path in files}
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            partial[path].write_bytes(content)
        for path in files:
            partial[path].replace(path)
    finally:
        for path in partial.values():
            path.unlink(missing_ok=True)
